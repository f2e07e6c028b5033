/** What a start request is answered, in the dialect in which it came. */
import type { KnownSoFar } from './errors.ts'
import type { StartOutcome, TaskRef } from './types.ts'
import type { Followed } from './wait.ts'

type Executions = Followed['executions']

/**
 * The answer of the object dialect; `tasksDenied`, `tasksFailed` and `tasksQueued` only when there is something in them.
 * With `executions` each started task says how far it is.
 */
export function objectAnswer(outcome: StartOutcome, executions?: Executions) {
  const tasksDenied = deniedList(outcome.denied)
  const tasksFailed = outcome.failed.map(({ taskId, taskName, error }) => ({
    taskId,
    taskName,
    status: 'failed',
    error,
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

function startedList({ started }: StartOutcome, executions: Executions | undefined) {
  return started.map(({ taskId, taskName, executionId }) => ({
    ...{ taskId, taskName, status: 'started' },
    ...(executions && { executionId, execution: executions.get(taskId) ?? null }),
  }))
}

function queuedMember({ queued = [] }: StartOutcome) {
  if (queued.length === 0) return {}
  return {
    tasksQueued: queued.map(({ taskId, taskName, queueId }) => ({ taskId, taskName, status: 'queued', queueId })),
  }
}

/** The answer of the object dialect when QRS could not be asked, with what is known. */
export function objectLookupFailure(message: string, { notFound, denied }: KnownSoFar) {
  const tasksDenied = deniedList(denied)
  return {
    error: 'Failed starting task',
    details: `QRS request failed: ${message}`,
    ...(notFound.length > 0 && { tasksNotFound: notFound }),
    ...(tasksDenied.length > 0 && { tasksDenied }),
  }
}

/** As the answer of the object dialect lists it. */
export function deniedList({ taskIds, tags, customProperties }: StartOutcome['denied']) {
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
export function arrayAnswer(outcome: StartOutcome, ids: readonly string[], executions?: Executions) {
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
      tasksFailed: outcome.failed.map(({ taskId, taskName }) => ({ taskId, taskName })),
    }),
    ...queuedMember(outcome),
    ...(executions && { executions: startedList(outcome, executions) }),
  }
}

/** The members of the array dialect's answer that are known when QRS could not be asked. */
export function arrayLookupFailure({ notFound, denied }: KnownSoFar, ids: readonly string[]) {
  return {
    tasksId: { started: [], invalid: idsIn(ids, notFound), denied: idsIn(ids, denied.taskIds) },
    tasksTagDenied: denied.tags.map((tag) => ({ tag })),
    tasksCPDenied: denied.customProperties.map(({ name, value }) => ({ name, value })),
  }
}

/** The array dialect indents by two blanks. */
export const indented = (body: unknown): string => JSON.stringify(body, null, 2)

function idsIn(ids: readonly string[], wanted: readonly string[]): { taskId: string }[] {
  const set = new Set(wanted.map((id) => id.toLowerCase()))
  return ids.filter((id) => set.has(id.toLowerCase())).map((taskId) => ({ taskId }))
}
