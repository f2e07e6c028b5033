/** Warnings of the plan of a task, shown before it runs: the outcomes of its runs stay as they are. */
import { templateFormat } from '../checks.ts'
import type { Report } from '../entities/report.ts'
import type { Definition, ReportUse } from '../entities/task.ts'
import type { NewEvent, ReportData } from '../types.ts'
import type { NewDelivery } from './ledger.ts'
import type { MailPayload } from './plan.ts'

type AddEvent = (event: NewEvent) => void

/** Mails of which a copy each is no surprise to those in `cc` and `bcc`. */
const FEW_MAILS = 5
const SAFE_PASSWORD_LENGTH = 12
/** Rows that LibreOffice lays out in good time. */
const MOST_CONVERTED_ROWS = 20_000

/** Adds `COPIES_OF_ALL_MAILS` and `PASSWORD_SHORT`. `secrets`: values by name. */
export function warnOfPlan(
  { task }: Definition,
  deliveries: readonly NewDelivery[],
  secrets: Readonly<Record<string, string>>,
  addEvent: AddEvent,
): void {
  const mails = deliveries.flatMap(({ channel, payload }) => (channel === 'email' ? [payload as MailPayload] : []))
  const copied = mails.filter(({ cc, bcc }) => cc.length + bcc.length > 0)
  if (copied.length > FEW_MAILS) {
    const { cc, bcc } = copied[0]!
    addEvent({
      code: 'COPIES_OF_ALL_MAILS',
      details: `${[...cc, ...bcc].join(', ')} in email.cc or email.bcc would get all ${copied.length} mails`,
    })
  }
  for (const { key, protect } of task.reports) {
    for (const [member, reference] of Object.entries(protect ?? {})) {
      const name = reference.replace('secretRef:', '')
      const value = secrets[name] ?? ''
      const place = `protect.${member}: reportTask.secrets.${name}`
      if (value === '') addEvent({ code: 'DOCUMENT_FAILED', report: key, details: `${place} is not set` })
      else if ([...value].length < SAFE_PASSWORD_LENGTH) {
        const details = `${place} is shorter than ${SAFE_PASSWORD_LENGTH} characters`
        addEvent({ code: 'PASSWORD_SHORT', report: key, details })
      }
    }
  }
}

/** Rows of a filled workbook that is to become a PDF, when they are too many for that; else null. */
export async function slowRows({ format }: ReportUse, report: Report, data: ReportData): Promise<number | null> {
  if (format !== 'pdf' || report.type !== 'template' || templateFormat(report.template) !== 'xlsx') return null
  const tables = report.data.filter((one) => one.type === 'table' || one.type === 'object')
  const most = tables.reduce((sum, { maxRows }) => sum + maxRows, 0)
  if (most <= MOST_CONVERTED_ROWS) return null
  let rows = 0
  for (const binding of tables) {
    const { maxRows } = binding
    if (binding.type === 'object') rows += (await data.object(binding.objectId, { maxRows })).table?.rows ?? 0
    else {
      const columns = binding.columns.map(({ key, label, expr, kind }) => ({ label: label ?? key, expr, kind }))
      rows += (await data.table({ columns, maxRows })).rows
    }
  }
  return rows > MOST_CONVERTED_ROWS ? rows : null
}
