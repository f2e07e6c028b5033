/** Previews of definitions that are not saved: one document, which is neither delivered nor kept. */

import { randomUUID } from 'node:crypto'
import type { Answered } from '../../http/endpoint/contract.ts'
import { disposition } from '../../http/endpoint/disposition.ts'
import { ALWAYS, type ApiRoute, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import type { Blobs } from '../../platform/blobs.ts'
import { PREVIEW_REPORT, PREVIEW_TASK } from '../contract.ts'
import type { Stored } from '../entities/fields.ts'
import type { Format, Report } from '../entities/report.ts'
import { type Definition, type ReportTask, reportTask } from '../entities/task.ts'
import { checkedWith, refuseIssues } from '../issues.ts'
import { RULES } from '../kinds.ts'
import { DEFAULT_OPTIONS } from '../runs/admission.ts'
import type { Runner } from '../runs/runner.ts'
import type { DefinitionStore } from '../store.ts'
import { bodyObject, checkedId, checksBody, EXAMPLE_ID } from './common.ts'
import { engineAnswer } from './engine.ts'
import { EXAMPLES } from './entities.ts'
import { fileAnswer } from './file.ts'
import { onlyDocument, trial } from './trials.ts'

interface PreviewRouteDeps {
  readonly store: DefinitionStore
  readonly runner: Pick<Runner, 'tryOut'>
  readonly blobs: Pick<Blobs, 'path'>
  /** Default 60 s. */
  readonly previewTimeoutMs?: number
  /** Largest document, in bytes; default 10 MiB. */
  readonly previewBytes?: number
}

const TIMEOUT_MS = 60_000
const MOST_BYTES = 10 * 1_048_576

const LIMITS =
  'Tables are cut, a cycle stands at its first value, conditions are not asked; nothing is sent or published. Within 60 s.'
/** HTML of reports runs no script, loads nothing, and can be framed by pages of this server alone. */
const FRAMED = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
  'x-frame-options': 'SAMEORIGIN',
}

export function previewRoutes(deps: PreviewRouteDeps): ApiRoute[] {
  const { store, runner, blobs, previewTimeoutMs = TIMEOUT_MS, previewBytes = MOST_BYTES } = deps

  async function previewed(
    made: Definition,
    key: string,
    { maxRows, asRecipient }: { readonly maxRows?: number | undefined; readonly asRecipient?: string | undefined },
    signal: AbortSignal,
  ): Promise<Answered> {
    const definition = { ...made, reports: made.reports.map((one) => shortened(one, maxRows)) }
    const recipients = asRecipient === undefined ? null : [asRecipient]
    const options = { ...DEFAULT_OPTIONS, reports: [key], recipients }
    const { prepared, events } = await engineAnswer(
      (limit) => runner.tryOut(definition, options, true, limit),
      signal,
      previewTimeoutMs,
    )
    const document = onlyDocument(prepared, events)
    if (document.bytes > previewBytes) {
      const [made, most] = [document.bytes, previewBytes].map((bytes) => (bytes / 1_048_576).toFixed(1))
      const advice = 'Show fewer rows (maxRows), or start the task as a test.'
      throw refusal('REPORT_NOT_MADE', `The document has ${made} MiB, previews at most ${most}. ${advice}`)
    }
    const isFramed = document.format === 'html'
    const headers = { ...FRAMED, 'content-disposition': disposition('inline', document.fileName) }
    return fileAnswer(blobs.path(document.sha256), document, isFramed ? headers : {})
  }

  return [
    route({
      ...PREVIEW_REPORT,
      ...checksBody(PREVIEW_REPORT),
      eachTime: ALWAYS,
      scope: 'report:write',
      action: 'report.preview',
      ownBodyErrors: true,
      summary: 'Preview a report that is not saved',
      description: `The body is a whole report, with \`filterIds\` and \`cycle\`. ${LIMITS}`,
      examples: [{ name: 'html', query: { format: 'html' }, body: EXAMPLES.report, status: 200 }],
      async handle(request) {
        const { format = 'html', asRecipient, reportId } = request.query
        const { cycle, ...body } = bodyObject(request)
        const parsed = RULES.report.parse(body)
        if (!parsed.ok) throw refuseIssues(parsed.issues)
        const { name, project } = parsed.value
        const id = randomUUID()
        const use = {
          key: 'report',
          reportId: id,
          format,
          fileName: '{report}{cycle}',
          ...(cycle != null && { cycle }),
        }
        const recipients = asRecipient === undefined ? [] : [recipientAt(store, asRecipient)]
        const upload = reportId === undefined ? undefined : store.template(checkedId('report', reportId))
        request.note({ target: [name] })
        const made = await trial(
          store,
          request.caller.actor,
          { name, project, recipients, reports: [use] },
          ({ uploaded }) => {
            if (upload) uploaded(id, upload)
            return [{ kind: 'report', id, entity: { ...parsed.value, name: id } }]
          },
        )
        const named = { ...made, reports: made.reports.map((one) => ({ ...one, name })) }
        return previewed(named, 'report', request.query, request.signal)
      },
    }),
    route({
      ...PREVIEW_TASK,
      ...checksBody(PREVIEW_TASK),
      eachTime: ALWAYS,
      scope: 'report:write',
      action: 'report.preview',
      ownBodyErrors: true,
      summary: 'Preview a document of a report task that is not saved',
      description: `The body is a whole task: the document is that of its first recipient. ${LIMITS}`,
      examples: [
        {
          name: 'html',
          body: { ...EXAMPLES.task, reports: [{ key: 'pack', reportId: EXAMPLE_ID, format: 'html' }] },
          status: 200,
        },
      ],
      async handle(request) {
        const { report: key, format } = request.query
        const task = checkedWith(reportTask(), bodyObject(request))
        const use = task.reports.find((one) => key === undefined || one.key === key)
        if (!use) {
          const message = key === undefined ? 'The task has no report' : `The task has no report with the key ${key}`
          throw refuseIssues([{ path: 'reports', message }])
        }
        request.note({ target: [task.name] })
        const made = await trial(store, request.caller.actor, previewTask(task, use.key, format))
        return previewed(made, use.key, request.query, request.signal)
      },
    }),
  ]
}

/** A reference to the recipient with the address. Throws 400. */
function recipientAt(store: Pick<DefinitionStore, 'list'>, address: string) {
  const lower = address.trim().toLowerCase()
  const found = store.list('recipient').find(({ email }) => email.toLowerCase() === lower)
  if (found) return { type: 'recipient', recipientId: found.id }
  throw refuseIssues([{ path: 'asRecipient', message: `There is no recipient with the address ${address}` }])
}

/** The task with a report that is made alone: without conditions, channels and passwords. */
function previewTask(task: ReportTask, key: string, format: Format | undefined): ReportTask {
  const reports = task.reports.map((use): ReportTask['reports'][number] => {
    if (use.key !== key) return use
    return {
      ...use,
      ...(format && { format }),
      conditionIds: [],
      protect: null,
      cycle: use.cycle && { ...use.cycle, emailTo: null, hubTo: null, folder: null },
      deliver: { email: 'none', storage: false, hub: false },
    }
  })
  return {
    ...task,
    reports,
    conditionIds: [],
    storage: [],
    email: { ...task.email, enabled: false },
    hub: { ...task.hub, enabled: false },
  }
}

const MOST_ROWS = 200

function shortened(whole: Stored<Report>, maxRows = MOST_ROWS): Stored<Report> {
  const short = <T extends { readonly type: string; readonly maxRows?: number | undefined }>(part: T): T =>
    part.type === 'table' || part.type === 'object'
      ? { ...part, maxRows: Math.min(part.maxRows ?? maxRows, maxRows) }
      : part
  return whole.type === 'template'
    ? { ...whole, data: whole.data.map(short) }
    : { ...whole, blocks: whole.blocks.map(short) }
}
