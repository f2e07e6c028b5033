/** Script logs of the site: their texts, references and download tickets. */
import { randomUUID } from 'node:crypto'
import type { LocalTime } from './local-time.ts'
import { STATUS } from './scheduler/execution.ts'
import { ZERO_GUID } from './site.ts'
import type { SimExecution, SimTask, SimulatedSite } from './types.ts'

/** How script logs look and how they are reached. */
export interface ScriptLogModes {
  /** `old-removed`: only `scriptlogfile` answers (May 2025 and later); `new-missing`: only `scriptlog` does. */
  api: 'both' | 'old-removed' | 'new-missing'
  /** Simulated milliseconds between the end of a run and its log. */
  delayMs: number
  /** Until then: no reference at all, or a reference whose download is not found. */
  pending: 'zero-reference' | 'download-missing'
  byteOrderMark: boolean
  lineEnd: 'crlf' | 'lf'
  /** Fills the log with extra lines up to this size, 0 = as it is. */
  minBytes: number
  empty: boolean
}

export const DEFAULT_SCRIPT_LOG_MODES: ScriptLogModes = {
  api: 'both',
  delayMs: 400,
  pending: 'zero-reference',
  byteOrderMark: false,
  lineEnd: 'crlf',
  minBytes: 0,
  empty: false,
}

export interface ScriptLogs {
  /** Makes the log of a finished run available after the delay of the modes. */
  publish(task: SimTask, execution: SimExecution): void
  /** Makes it available at once; for runs that ended in the past. */
  publishNow(task: SimTask, execution: SimExecution): void
  /** A one-time download ticket by file reference (`scriptlog`) or execution result id (`scriptlogfile`); null: 404. */
  ticket(by: 'reference' | 'execution', id: string): string | null
  /** The log behind a ticket, which is used up by it; null: 404. */
  download(ticket: string): string | null
  clear(): void
}

interface Published {
  readonly task: SimTask
  readonly execution: SimExecution
  readonly readyAt: number
}

/** The mode in which a form of the first step is missing. */
const REMOVED_FORM = { reference: 'old-removed', execution: 'new-missing' } as const

const MAX_REFERENCES = 30_000
const MAX_TICKETS = 20_000

/** Keeps references and tickets. Texts are made on demand, so logs cost no memory. */
export function createScriptLogs(deps: {
  readonly site: SimulatedSite
  readonly time: LocalTime
  readonly modes: ScriptLogModes
}): ScriptLogs {
  const { site, time, modes } = deps
  const references = new Map<string, Published>()
  const tickets = new Map<string, string>()

  function reveal(task: SimTask, execution: SimExecution, readyAt: number) {
    if (execution.fileReferenceID === ZERO_GUID) execution.fileReferenceID = site.nextId('0f')
    execution.scriptLogSize = Buffer.byteLength(renderScriptLog(time, task, execution, modes))
    remember(references, execution.fileReferenceID, { task, execution, readyAt }, MAX_REFERENCES)
  }

  return {
    publish(task, execution) {
      const readyAt = site.clock.now() + modes.delayMs
      if (modes.delayMs <= 0 || modes.pending === 'download-missing') return reveal(task, execution, readyAt)
      site.clock.schedule(modes.delayMs, () => reveal(task, execution, readyAt))
    },
    publishNow: (task, execution) => reveal(task, execution, 0),
    ticket(by, id) {
      if (modes.api === REMOVED_FORM[by]) return null
      const reference = by === 'reference' ? id.toLowerCase() : site.executions.get(id)?.fileReferenceID
      if (!reference || !references.has(reference)) return null
      const ticket = randomUUID()
      remember(tickets, ticket, reference, MAX_TICKETS)
      return ticket
    },
    download(ticket) {
      const published = references.get(tickets.get(ticket.toLowerCase()) ?? '')
      tickets.delete(ticket.toLowerCase())
      if (!published || published.readyAt > site.clock.now()) return null
      return renderScriptLog(time, published.task, published.execution, modes)
    },
    clear() {
      references.clear()
      tickets.clear()
    },
  }
}

/** Adds to a map that forgets its oldest entries. */
function remember<V>(map: Map<string, V>, key: string, value: V, limit: number) {
  map.set(key, value)
  if (map.size <= limit) return
  const oldest = map.keys().next().value
  if (oldest !== undefined) map.delete(oldest)
}

interface Table {
  readonly name: string
  readonly fields: string
  readonly from: string
  readonly rows: string
}

/** Tables that the script of an app loads, by the last digits of its id. */
const TABLES: Readonly<Record<string, readonly Table[]>> = {
  '01': [
    { name: 'Orders', fields: 'OrderID, CustomerID, Amount', from: 'lib://ERP/orders.qvd', rows: '125,331' },
    { name: 'Customers', fields: 'CustomerID, Customer, Country', from: 'lib://ERP/customers.qvd', rows: '4,812' },
  ],
  '02': [
    {
      name: 'Sales',
      fields: 'Region, Country, Month, Product, Customer, Sales, Cost',
      from: 'lib://QVD/sales.qvd',
      rows: '50,000',
    },
  ],
  '05': [{ name: 'Projects', fields: 'ProjectID, Project, Cost', from: 'lib://QVD/projects_åäö.qvd', rows: '318' }],
}
const DEFAULT_TABLES: readonly Table[] = [
  { name: 'Orders', fields: 'OrderID, CustomerID, Amount', from: 'lib://ERP/orders.qvd', rows: '125,331' },
]

const HEADER = [
  'Execution started.',
  'Qlik Sense Server Version                14.187.6',
  'CPU Target                    x64',
  'Operating System              Windows Server 2022 Standard  (64 bit edition)',
  'ScriptMode                    Standard (limits system access)',
  "Reload Executed By UserDirectory='INTERNAL'; UserId='sa_scheduler'",
  'Process Executing: Qlik Sense Server',
] as const

/**
 * The log that the engine would have written for this run: CRLF, local time with offset, statements with a 4-digit line
 * number. It depends on the app, on how the run ended and on its times alone, so it is made again for each download.
 */
export function renderScriptLog(
  time: LocalTime,
  task: SimTask,
  execution: SimExecution,
  modes: ScriptLogModes,
): string {
  if (modes.empty) return ''
  const end = modes.lineEnd === 'lf' ? '\n' : '\r\n'
  const mark = modes.byteOrderMark ? '\uFEFF' : ''
  if (task.behaviour.log !== null) return mark + task.behaviour.log
  const lines = scriptLines(time, task, execution)
  if (modes.minBytes > 0) pad(lines, modes.minBytes)
  return `${mark}${lines.join(end)}${end}`
}

function scriptLines(time: LocalTime, task: SimTask, execution: SimExecution): string[] {
  const started = time.scriptLogDate(execution.startTime)
  const stopped = time.scriptLogDate(execution.stopTime)
  const tables = TABLES[task.app?.id.slice(-2) ?? ''] ?? DEFAULT_TABLES
  const failed = execution.status !== STATUS.success
  const lines = HEADER.map((text) => `${started}      ${text}`)
  let lineNumber = 2
  const statement = (text: string) => {
    lines.push(`${started} ${String(lineNumber).padStart(4, '0')} ${text}`)
    lineNumber++
  }
  statement("SET ThousandSep=','")
  statement("SET DecimalSep='.'")
  lineNumber = 14
  for (const [index, table] of tables.entries()) {
    statement(`${table.name}:`)
    statement('LOAD')
    statement(`    ${table.fields}`)
    statement(`FROM [${table.from}] (qvd)`)
    if (failed && index === tables.length - 1) break
    lines.push(`${started}                             ${fetched(table)}`)
  }
  const ending = endingOf(execution.status, task, tables.at(-1)!)
  for (const text of [...ending, '     Execution finished.']) lines.push(`${stopped} ${text}`)
  return lines
}

function endingOf(status: number, task: SimTask, table: Table): readonly string[] {
  if (status === STATUS.success) {
    return ['     Creating search index', '     Search index creation completed successfully']
  }
  if (status === STATUS.aborted) return ['     Execution Aborted']
  const error = task.app?.scriptError ?? cannotOpen(table)
  return [`      Error: ${error}`, '     General Script Error', '     Execution Failed']
}

const fetched = (table: Table) =>
  `${table.fields.split(', ').length} fields found: ${table.fields}, ${table.rows} lines fetched`

function cannotOpen(table: Table): string {
  const native = table.from.replace('lib://ERP/', '\\\\fs01\\erp\\').replace('lib://QVD/', '\\\\fs01\\qvd\\')
  return `Cannot open file: '${table.from}' (Native Path: ${native})`
}

/** Trace lines in the middle, as a chatty script writes them. */
function pad(lines: string[], minBytes: number) {
  const stamp = lines[0]?.slice(0, 24) ?? ''
  const line = `${stamp} 0100 TRACE ${'-'.repeat(90)}`
  let size = lines.reduce((sum, text) => sum + text.length + 2, 0)
  const extra: string[] = []
  for (; size < minBytes; size += line.length + 2) extra.push(line)
  lines.splice(lines.length - 4, 0, ...extra)
}
