/** The script log of an event's execution, in parts (`/v4/events/{id}/scriptlog`). */
import type { ScriptLog, TaskEvent } from '../../events/types.ts'
import { type ApiRoute, from, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { errorLine, isErrorLine } from '../../qlik/qrs/execution.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import { readScriptLog, type ScriptLogReader, UnreadLog } from '../../qlik/qrs/script-log.ts'
import type { ExecutionReader } from '../../qlik/qrs/types.ts'
import { DEFAULT_LINES, EVENTS, MOST_ERRORS, SCRIPT_LOG } from './contract.ts'
import { eventNotFound } from './events.ts'
import { idOf } from './lists.ts'

interface ScriptLogRoutesDeps extends ScriptLogReader {
  readonly loadEvent: (id: string) => TaskEvent | null
  readonly results: Pick<ExecutionReader, 'resultsOfExecutions'>
  /** For how long events are kept, in milliseconds. */
  readonly keepMs: number
}

const QRS_TIMEOUT_MS = 10_000

export function scriptLogRoutes(deps: ScriptLogRoutesDeps): ApiRoute[] {
  return [
    route({
      ...SCRIPT_LOG,
      scope: 'event:read',
      action: 'event.log',
      audited: 'always',
      summary: 'The script log of an event',
      description:
        'As it was kept with the event; else Qlik Sense is asked, which keeps the logs of recent executions.',
      examples: [
        {
          name: 'newest',
          params: from(EVENTS, { id: '$response.body#/events/0/id' }, 'failures-of-a-day'),
          status: 200,
        },
      ],
      async handle({ params, query: { from = 1, limit = DEFAULT_LINES }, signal, note }, answer) {
        const id = idOf(params)
        note({ target: [id] })
        const event = deps.loadEvent(id)
        if (!event) throw eventNotFound(id, deps.keepMs)
        const log = event.scriptLog ?? (await logOfQlik(deps, event, signal))
        const { lines } = log
        return answer(200, {
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
