/** The result of a start request as an answer in the dialect of the request, as a log line and as an audit entry. */

import { type Answered, type AnswerWith, asIs } from '../../http/endpoint/contract.ts'
import { type AuditNote, jsonAnswer, jsonText } from '../../http/endpoint/route.ts'
import { Refusal, reasonPhrase, refusal } from '../../http/errors.ts'
import type { TaskRef } from '../executions/contract.ts'
import type { ArrayAnswer, Denied, ObjectAnswer, QueuedTasks, START_TASKS, StartedTask } from './contract.ts'
import {
  type Followed,
  type KnownSoFar,
  LookupError,
  QueueFullError,
  ShadowModeError,
  type StartOutcome,
  type StartRequest,
} from './types.ts'

type Executions = Followed['executions']

/**
 * The answer of the object dialect; `tasksDenied`, `tasksFailed` and `tasksQueued` only when there is something in them.
 * With `executions` each started task says how far it is.
 */
export function objectAnswer(outcome: StartOutcome, executions?: Executions): ObjectAnswer {
  const tasksDenied = deniedList(outcome.denied)
  const tasksFailed = outcome.failed.map(({ taskId, taskName, error, perhaps }) => ({
    taskId,
    taskName,
    status: 'failed' as const,
    error,
    ...(perhaps && { perhapsStarted: true as const }),
  }))
  return {
    tasksStarted: startedList(outcome, executions),
    tasksNotFound: outcome.notFound,
    totalTasksStarted: outcome.started.length,
    ...(tasksDenied.length > 0 && { tasksDenied }),
    ...(tasksFailed.length > 0 && { tasksFailed }),
    ...queuedMember(outcome),
  }
}

function startedList({ started }: StartOutcome, executions: Executions | undefined): StartedTask[] {
  return started.map(({ taskId, taskName, executionId }) => ({
    taskId,
    taskName,
    status: 'started',
    ...(executions && { executionId, execution: executions.get(taskId) ?? null }),
  }))
}

function queuedMember({ queued = [] }: StartOutcome): { readonly tasksQueued?: QueuedTasks } {
  if (queued.length === 0) return {}
  return {
    tasksQueued: queued.map(({ taskId, taskName, queueId }) => ({ taskId, taskName, status: 'queued', queueId })),
  }
}

/** The answer of the object dialect when QRS could not be asked, with what is known. */
function objectLookupFailure(message: string, { notFound, denied, perhaps = [] }: KnownSoFar) {
  const tasksDenied = deniedList(denied)
  return {
    error: 'Failed starting task',
    details: `QRS request failed: ${message}`,
    ...(notFound.length > 0 && { tasksNotFound: notFound }),
    ...(tasksDenied.length > 0 && { tasksDenied }),
    ...(perhaps.length > 0 && { tasksPerhapsStarted: perhaps }),
  }
}

/** The list in answers of the object dialect. */
export function deniedList({ taskIds, tags, customProperties }: StartOutcome['denied']): Denied[] {
  return [
    ...taskIds.map((taskId) => ({ taskId })),
    ...tags.map((tag) => ({ tag })),
    ...customProperties.map(({ name, value }) => ({ customProperty: { name, value } })),
  ]
}

/**
 * The answer of the array dialect. `ids` are the ids in the order of the request: an id that was given twice is listed
 * twice, although its task was started once. A task that QRS refused is only in `tasksFailed`, one that waits only in
 * `tasksQueued`.
 */
function arrayAnswer(outcome: StartOutcome, ids: readonly string[], executions?: Executions): ArrayAnswer {
  const absent = new Set([...outcome.failed, ...(outcome.queued ?? [])].map(({ taskId }) => taskId))
  const heldBack = new Set(outcome.heldBack.map(({ taskId }) => taskId))
  const listed = (by: 'id' | 'tag' | 'customProperty'): TaskRef[] =>
    outcome.selected
      .filter((match) => match.by === by && !absent.has(match.taskId))
      .map(({ taskId, taskName }) => ({ taskId, taskName }))
  return {
    tasksId: {
      started: listed('id').filter(({ taskId }) => !heldBack.has(taskId)),
      invalid: idsIn(ids, outcome.notFound),
      denied: [...idsIn(ids, outcome.denied.taskIds), ...outcome.heldBack],
    },
    tasksTag: listed('tag'),
    tasksTagDenied: outcome.denied.tags.map((tag) => ({ tag })),
    tasksCP: listed('customProperty'),
    tasksCPDenied: outcome.denied.customProperties.map(({ name, value }) => ({ name, value })),
    ...(outcome.failed.length > 0 && {
      tasksFailed: outcome.failed.map(({ taskId, taskName, perhaps }) => ({
        taskId,
        taskName,
        ...(perhaps && { perhapsStarted: true as const }),
      })),
    }),
    ...queuedMember(outcome),
    ...(executions && { executions: startedList(outcome, executions) }),
  }
}

/** The members of the array dialect's answer that are known when QRS could not be asked. */
function arrayLookupFailure({ notFound, denied, perhaps = [] }: KnownSoFar, ids: readonly string[]) {
  return {
    tasksId: { started: [], invalid: idsIn(ids, notFound), denied: idsIn(ids, denied.taskIds) },
    tasksTagDenied: denied.tags.map((tag) => ({ tag })),
    tasksCPDenied: denied.customProperties.map(({ name, value }) => ({ name, value })),
    ...(perhaps.length > 0 && { tasksPerhapsStarted: perhaps }),
  }
}

/** The array dialect indents by two blanks. */
const indented = (body: unknown): string => JSON.stringify(body, null, 2)

function idsIn(ids: readonly string[], wanted: readonly string[]): { taskId: string }[] {
  const set = new Set(wanted.map((id) => id.toLowerCase()))
  return ids.filter((id) => set.has(id.toLowerCase())).map((taskId) => ({ taskId }))
}

// The answer of the start endpoint.

interface AnswerParts {
  /** Present when the call has waited: the answer lists the executions. */
  readonly followed?: Followed
  /** Ignored parts of the body; only in the object dialect. */
  readonly warnings: readonly string[]
}

export function startAnswer(
  answer: AnswerWith<ReturnType<typeof START_TASKS.answers>>,
  outcome: StartOutcome,
  { dialect, taskIds }: StartRequest,
  { followed, warnings }: AnswerParts,
): Answered {
  const status = statusOf(outcome, followed)
  if (dialect === 'array') {
    return asIs(jsonText(status, indented(arrayAnswer(outcome, taskIds, followed?.executions))))
  }
  const body = { ...objectAnswer(outcome, followed?.executions), ...(warnings.length > 0 && { warnings }) }
  // A failure that says what was done all the same.
  return status === 502 ? asIs(jsonAnswer(status, body)) : answer(status, body)
}

function statusOf({ interrupted, started }: StartOutcome, followed: Followed | undefined): 200 | 202 | 502 {
  if (interrupted === true && started.length === 0) return 502
  return followed && !followed.allFinal ? 202 : 200
}

/** The refusal that an error of the start function stands for; other errors as they are. */
export function startRefusal(error: unknown, { dialect, taskIds }: StartRequest): unknown {
  if (error instanceof ShadowModeError) return refusal('SHADOW_MODE', error.message)
  if (error instanceof QueueFullError) return refusal('QUEUE_FULL', error.message, { error: 'Start queue full' })
  if (!(error instanceof LookupError)) return error
  const status = error.timedOut ? 504 : 502
  if (dialect !== 'array') return new Refusal(status, objectLookupFailure(error.message, error.known))
  return new Refusal(status, {
    statusCode: status,
    error: reasonPhrase(status),
    message: 'Failed starting task',
    details: `QRS request failed: ${error.message}`,
    ...arrayLookupFailure(error.known, taskIds),
  })
}

/** One line per start request: the sender, the selection and the result. */
export function auditLine(
  request: StartRequest,
  outcome: StartOutcome | null,
  durationMs: number,
  problem?: string,
): string {
  const { taskIds, tags, customProperties, taskNames = [] } = request
  const asked = [
    `${taskIds.length} id(s)`,
    `${tags.length} tag(s)`,
    `${customProperties.length} custom property value(s)`,
    ...(taskNames.length > 0 ? [`${taskNames.length} name(s)`] : []),
    ...(request.match === 'all' ? ['all must match'] : []),
  ].join(', ')
  const who = `${request.origin} request from ${request.requestedBy}`
  return `STARTTASK: ${who}${request.dialect ? ` (${request.dialect})` : ''}: ${asked}; ${resultOf(outcome, problem)}; ${durationMs} ms`
}

function resultOf(outcome: StartOutcome | null, problem = 'failed'): string {
  if (!outcome) return `nothing started: ${problem}`
  const counts = {
    started: outcome.started.length,
    failed: outcome.failed.length,
    denied: deniedCount(outcome),
    'not found': outcome.notFound.length,
  }
  return Object.entries({ ...counts, ...queuedCount(outcome) })
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')
}

/** Name of the action of a start in the audit. */
export const START_ACTION = 'task.start'

/** The tasks that were meant to start, and how they fared; `denied` when nothing was allowed to start. */
export function auditNote(outcome: StartOutcome): AuditNote & { readonly target: readonly string[] } {
  const { started, queued = [], failed, notFound } = outcome
  const denied = deniedCount(outcome)
  const counts = {
    started: started.length,
    failed: failed.length,
    denied,
    'not found': notFound.length,
    ...queuedCount(outcome),
  }
  const reported = Object.entries(counts).filter(([what, count]) => count > 0 || what === 'started')
  const nothing = started.length + queued.length === 0
  return {
    target: [...[...started, ...queued, ...failed].map(({ taskId }) => taskId), ...outcome.denied.taskIds],
    detail: reported.map(([what, count]) => `${count} ${what}`).join(', '),
    ...(nothing && denied > 0 && { outcome: 'denied' }),
    ...(nothing && denied === 0 && failed.length > 0 && { outcome: 'failed' }),
  }
}

const deniedCount = ({ denied }: StartOutcome): number =>
  denied.taskIds.length + denied.tags.length + denied.customProperties.length

const queuedCount = ({ queued }: StartOutcome) => (queued ? { queued: queued.length } : {})
