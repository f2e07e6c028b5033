/** The script log of an event's execution, in parts (`/v4/events/{id}/scriptlog`). */
import { z } from 'zod'
import type { ScriptLog, TaskEvent } from '../../events/types.ts'
import { queryField } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { once } from '../../platform/once.ts'
import { errorLine, isErrorLine } from '../../qlik/qrs/execution.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import { readScriptLog, type ScriptLogReader, UnreadLog } from '../../qlik/qrs/script-log.ts'
import type { ExecutionReader } from '../../qlik/qrs/types.ts'
import { eventNotFound } from './events.ts'
import { idOf } from './lists.ts'

interface ScriptLogRoutesDeps extends ScriptLogReader {
  readonly loadEvent: (id: string) => TaskEvent | null
  readonly results: Pick<ExecutionReader, 'resultsOfExecutions'>
  /** For how long events are kept, in milliseconds. */
  readonly keepMs: number
}

const DEFAULT_LINES = 2000
const MOST_LINES = 10_000
const MOST_ERRORS = 1000
const QRS_TIMEOUT_MS = 10_000

const QUERY = once(() =>
  z.object({
    from: queryField.integer(1, 100_000_000).describe('First line. Default 1.').optional(),
    limit: queryField.integer(1, MOST_LINES).describe(`Lines at most. Default ${DEFAULT_LINES}.`).optional(),
  }),
)

const SCRIPT_LOG = once(() =>
  z.object({
    source: z.enum(['stored', 'qlik']).describe('Kept with the event, or read from Qlik Sense now.'),
    lines: z.int().describe('Lines of the whole log.'),
    from: z.int(),
    text: z.array(z.string()),
    errorLines: z.array(z.int()).describe(`Numbers of all lines with an error; ${MOST_ERRORS} at most.`),
    errorText: z.string().nullable(),
  }),
)

export function scriptLogRoutes(deps: ScriptLogRoutesDeps): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/events/{id}/scriptlog',
      scope: 'event:read',
      action: 'event.log',
      audited: 'always',
      summary: 'The script log of an event',
      description:
        'As it was kept with the event; else Qlik Sense is asked, which keeps the logs of recent executions.',
      params: () => z.object({ id: z.string().describe('Id of the event.') }),
      query: QUERY,
      answers: () => ({ 200: SCRIPT_LOG(), 502: 'Qlik Sense is unreachable or refuses.' }),
      async handle({ params, query: { from = 1, limit = DEFAULT_LINES }, signal, note }) {
        const id = idOf(params)
        note({ target: [id] })
        const event = deps.loadEvent(id)
        if (!event) throw eventNotFound(id, deps.keepMs)
        const log = event.scriptLog ?? (await logOfQlik(deps, event, signal))
        const { lines } = log
        return jsonAnswer(200, {
          source: event.scriptLog ? 'stored' : 'qlik',
          lines: lines.length,
          from,
          text: lines.slice(from - 1, from - 1 + limit),
          errorLines: lines.flatMap((line, n) => (isErrorLine(line) ? [n + 1] : [])).slice(0, MOST_ERRORS),
          errorText: errorLine(lines),
        })
      },
    }),
  ]
}

/** Throws 404 where there is none, 502 where Qlik Sense does not answer. */
async function logOfQlik(deps: ScriptLogRoutesDeps, event: TaskEvent, hangsUp: AbortSignal): Promise<ScriptLog> {
  const signal = AbortSignal.any([hangsUp, AbortSignal.timeout(QRS_TIMEOUT_MS)])
  const text = await textOfQlik(deps, event, signal).catch((error: unknown) => {
    if (error instanceof UnreadLog) throw refusal('LOG_NOT_AVAILABLE', error.message)
    throw refusal('REPOSITORY_UNREACHABLE', `The script log could not be read: ${reasonOf(error)}`)
  })
  if (text) return { lines: text.split(/\r?\n/), characters: text.length }
  throw refusal('LOG_NOT_AVAILABLE', 'No script log was kept with the event, and Qlik Sense has none of its execution.')
}

async function textOfQlik(
  deps: ScriptLogRoutesDeps,
  { taskId, executionId, execution }: TaskEvent,
  signal: AbortSignal,
): Promise<string | null> {
  const known =
    execution ?? (executionId ? (await deps.results.resultsOfExecutions([executionId], signal)).at(-1) : null)
  return known ? readScriptLog(deps, taskId, known, signal) : null
}
