/** Fetching a script log in two steps: a one-time ticket, then the download. */
import { lenientText } from '../../platform/encodings.ts'
import type { Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { QrsError } from './errors.ts'
import { nullWhenAbsent, reasonOf } from './failure.ts'
import { toValue } from './normalise.ts'
import type { QrsTransport } from './transport.ts'
import { type QrsExecutionResult, ZERO_GUID } from './types.ts'

type Reference = Pick<QrsExecutionResult, 'id' | 'fileReferenceID' | 'scriptLogLocation'>

interface Form {
  readonly name: 'executionResult' | 'fileReference'
  /** The id that this form asks with; zeros mean that there is none. */
  id(result: Reference): string
  path(taskId: string): string
  readonly parameter: string
}

/** Servers since May 2025 have the first form, older ones the second. */
const FORMS: readonly Form[] = [
  {
    name: 'executionResult',
    id: (result) => result.id,
    path: (taskId) => `reloadtask/${taskId}/scriptlogfile`,
    parameter: 'executionResultId',
  },
  {
    name: 'fileReference',
    id: (result) => result.fileReferenceID,
    path: (taskId) => `reloadtask/${taskId}/scriptlog`,
    parameter: 'fileReferenceId',
  },
]

/** How a server says that it lacks a form, or that it has no log by this reference. */
const ABSENT = [400, 404, 405, 410, 501]

export type ScriptLogFetcher = (taskId: string, result: Reference, signal?: AbortSignal) => Promise<string | null>

/** The form that worked last is tried first. `pause` (500 ms) is waited once when a fresh ticket has no file yet. */
export function createScriptLogFetcher(
  transport: QrsTransport,
  pause: () => Promise<void> = () => new Promise((resolve) => setTimeout(resolve, 500)),
): ScriptLogFetcher {
  let preferred: Form['name'] = 'executionResult'

  async function fetchBy(form: Form, taskId: string, id: string, signal?: AbortSignal): Promise<string | null> {
    const request = { path: form.path(taskId), query: { [form.parameter]: id }, noRetry: true, signal }
    const ticket = toValue((await transport.json(request)).value)
    if (!ticket || ticket === ZERO_GUID) return null
    const log = (await download(ticket, signal)) ?? (await pause().then(() => download(ticket, signal)))
    if (log !== null) preferred = form.name
    return log
  }

  async function download(ticket: string, signal?: AbortSignal): Promise<string | null> {
    const path = `download/reloadtask/${encodeURIComponent(ticket)}/scriptlog.txt`
    const request = { path, expected: [200, 404], noRetry: true, signal }
    const response = await transport.request(request)
    if (response.status === 404) return null
    if (/^text\/html\b/i.test(response.headers['content-type'] ?? '')) {
      throw transport.unusable(request, 'a web page came instead of the script log')
    }
    // The file as it is on the disk of a node.
    return lenientText(response.body).text
  }

  return async (taskId, result, signal) => {
    if (!isGuid(taskId)) return null
    const forms = [...FORMS].sort((a, b) => Number(b.name === preferred) - Number(a.name === preferred))
    let failure: unknown
    let absence: unknown
    // Without a reference the log has not been archived yet, and with a ticket its file may still be on its way.
    let mayCome = result.fileReferenceID === ZERO_GUID
    for (const form of forms) {
      const id = form.id(result)
      if (!isGuid(id) || id === ZERO_GUID) continue
      try {
        const log = await fetchBy(form, taskId, id, signal)
        if (log !== null) return log
        mayCome = true
      } catch (error) {
        if (isAbsent(error)) absence ??= error
        else failure ??= error
        // A server that does not answer at all is not asked in another way.
        if (!(error instanceof QrsError) || ['unreachable', 'timeout', 'aborted'].includes(error.kind)) throw error
      }
    }
    if (failure) throw failure
    if (absence && !mayCome) throw absence
    return null
  }
}

/** Script logs below an archive folder, by the location in their execution result. */
export interface ArchivedLogs {
  /** Null when it is not there, or cannot be read. Never rejects. */
  read(location: string): Promise<string | null>
  /** Why the last reading of this location gave nothing although there may be a file; null without a reason. */
  problem(location: string): string | null
}

/** The archive may have the log, and it is not read: the message is the reason, a sentence. */
export class UnreadLog extends Error {
  override readonly name = 'UnreadLog'
}

export interface ScriptLogReader {
  readonly qrs: { readonly scriptLog: ScriptLogFetcher }
  /** See `ArchivedLogs`; absent: there is no archive. */
  readonly logProblem?: ((location: string) => string | null) | undefined
}

/** For answers: null when there is no log. Rejects with an `UnreadLog`, or else as `scriptLog` does. */
export async function readScriptLog(
  { qrs, logProblem }: ScriptLogReader,
  taskId: string,
  result: Reference,
  signal?: AbortSignal,
): Promise<string | null> {
  const answer = await qrs.scriptLog(taskId, result, signal).catch((error: unknown) => ({ error }))
  if (typeof answer === 'string' && answer !== '') return answer
  const location = result.scriptLogLocation
  const problem = typeof location === 'string' && location !== '' ? (logProblem?.(location) ?? null) : null
  const isFailed = answer !== null && typeof answer === 'object'
  if (problem !== null)
    throw new UnreadLog(
      `${problem} The repository does not hand it out: ${isFailed ? reasonOf(answer.error) : 'it has none'}.`,
    )
  return isFailed ? nullWhenAbsent(answer.error) : null
}

/** Where the repository has none or cannot hand it out, it is read in the archive. */
export function orArchived(fetch: ScriptLogFetcher, archived: ArchivedLogs, log: Logger): ScriptLogFetcher {
  return async (taskId, result, signal) => {
    const answer = await fetch(taskId, result, signal).catch((error: unknown) => ({ error }))
    const isText = typeof answer === 'string' && answer !== ''
    const location = result.scriptLogLocation
    if (!isText && !signal?.aborted && typeof location === 'string' && location !== '') {
      const text = await archived.read(location)
      if (text !== null) {
        const why = answer !== null && typeof answer === 'object' ? reasonOf(answer.error) : 'QRS has none'
        log.verbose(`QRS: The script log of task ${taskId} was read in the archive (${location}): ${why}`)
        return text
      }
    }
    if (answer !== null && typeof answer === 'object') throw answer.error
    return answer
  }
}

const isAbsent = (error: unknown) =>
  error instanceof QrsError && error.kind === 'status' && ABSENT.includes(error.status ?? 0)
