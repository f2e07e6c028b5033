/** An invented event about a real task: as if it happened at a given time. Nothing is a test about it. */

import { parseDatagram, resolveNames } from '../../events/datagram.ts'
import type { EventType, TaskEvent } from '../../events/types.ts'
import type { QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import { sampleEvent } from '../sample-event.ts'
import type { Sample } from './contract.ts'
import { isTaskType } from './subjects.ts'

/** The answers of QRS about the task; `undefined` = it could not be asked. */
export interface SampleFacts {
  readonly task: QrsTask | null | undefined
  readonly app: TaskEvent['app']
  readonly owner: TaskEvent['owner']
}

const NO_FACTS: SampleFacts = { task: undefined, app: null, owner: null }
const TASK_TYPES: readonly EventType[] = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload']

/** Parts that cannot be read are left out, as they would be from an event. */
export async function sampleFacts(
  qrs: Pick<QrsClient, 'taskById' | 'tasks' | 'appById' | 'owner'>,
  { taskId, taskName }: Sample,
  signal: AbortSignal,
): Promise<SampleFacts> {
  if (!taskId && !taskName) return NO_FACTS
  try {
    const task = taskId ? await qrs.taskById(taskId, signal) : await byName(qrs, taskName ?? '', signal)
    if (!task?.app?.id) return { ...NO_FACTS, task }
    return { task, ...(await appFacts(qrs, task.app.id, signal)) }
  } catch {
    return NO_FACTS
  }
}

/** Nulls where it cannot be read. */
async function appFacts(
  qrs: Pick<QrsClient, 'appById' | 'owner'>,
  appId: string,
  signal: AbortSignal,
): Promise<Pick<SampleFacts, 'app' | 'owner'>> {
  try {
    const app = await qrs.appById(appId, signal)
    return { app, owner: app?.owner ? await qrs.owner(app.owner.id, signal) : null }
  } catch {
    return { app: null, owner: null }
  }
}

async function byName(qrs: Pick<QrsClient, 'tasks'>, name: string, signal: AbortSignal): Promise<QrsTask | null> {
  const quoted = name.replaceAll(/[\\']/g, '\\$&')
  const found = await qrs.tasks(`name eq '${quoted}'`, signal)
  return found[0] ?? null
}

export function sampleOf(sample: Sample, { task, app, owner }: SampleFacts, id: string, at: number): TaskEvent {
  const type = sample.type ?? (task && TASK_TYPES[task.taskType]) ?? 'reload'
  const { outcome = 'failed' } = sample
  const invented = sampleEvent(id, outcome, at, type)
  const known = isTaskType(type) ? aboutTask(sample, task ?? null, app, owner) : {}
  return {
    ...invented,
    test: false,
    source: type === 'self' ? 'self' : 'udp',
    ...known,
    ...(sample.host !== undefined && { host: sample.host }),
    ...(sample.user !== undefined && { user: sample.user }),
    ...(sample.code !== undefined && { code: sample.code }),
    ...(sample.message !== undefined && { logMessage: sample.message }),
  }
}

/** Nothing is known of a task that is not named, and it gets no facts of the invented one. */
function aboutTask(
  { taskId, taskName, consecutiveFailures }: Sample,
  task: QrsTask | null,
  app: TaskEvent['app'],
  owner: TaskEvent['owner'],
): Partial<TaskEvent> {
  return {
    taskId: task?.id ?? taskId ?? '',
    taskName: task?.name ?? taskName ?? '',
    appId: task?.app?.id ?? '',
    appName: app?.name ?? task?.app?.name ?? '',
    host: '',
    user: '',
    logMessage: '',
    executionId: '',
    task,
    app,
    owner,
    execution: null,
    scriptLog: null,
    missingParts: ['execution', 'scriptLog', ...(task ? [] : (['task', 'app', 'owner'] as const))],
    history: consecutiveFailures === undefined ? null : { consecutiveFailures, lastSuccessAt: null },
  }
}

/** The event that a datagram would become at that time. Throws an `Error` with the reason when it would become none. */
export async function eventOfDatagram(
  qrs: Parameters<typeof sampleFacts>[0],
  raw: string,
  { id, at, signal }: { readonly id: string; readonly at: number; readonly signal: AbortSignal },
): Promise<TaskEvent> {
  const parsed = parseDatagram(raw)
  if (parsed.kind === 'taskReload')
    throw new Error('is the engine about the reload of a task, which the scheduler reports')
  if (parsed.kind === 'rejected') throw new Error(`would be dropped: ${parsed.detail}`)
  const { type, outcome, message, nameTokens } = parsed
  if (outcome === 'distribute') throw new Error('says that a distribution was handed over, not how it has ended')
  if (type === 'appReload') {
    const known = await appFacts(qrs, message.appId, signal)
    const sample = sampleOf({ type, outcome }, NO_FACTS, id, at)
    return { ...sample, ...message, ...known, appName: known.app?.name ?? '' }
  }
  const facts = await sampleFacts(qrs, { taskId: message.taskId }, signal)
  const { task } = facts
  const names = nameTokens ? resolveNames(nameTokens, { ...(task && { taskName: task.name }) }) : {}
  const sample = { outcome, taskId: message.taskId, taskName: message.taskName }
  return { ...sampleOf(sample, task ? facts : NO_FACTS, id, at), ...message, ...names }
}
