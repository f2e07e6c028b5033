/** A repository client made of tables, for tests of what stands above it. */
import {
  type AppOwner,
  type QrsApp,
  type QrsClient,
  type QrsExecutionResult,
  type QrsTask,
  ZERO_GUID,
} from '../../src/qlik/qrs/types.ts'
import { APP_ID, TASK_ID } from './events.ts'

export class QrsDown extends Error {}

export interface FakeQrs extends QrsClient {
  readonly calls: string[]
  tasks_: Map<string, QrsTask>
  apps: Map<string, QrsApp>
  owners: Map<string, AppOwner>
  results: Map<string, QrsExecutionResult[]>
  logs: Map<string, string>
  /** Rejects every call with `QrsDown`. */
  down: boolean
  /** Never answers until the signal aborts. */
  hanging: boolean
}

export function qrsTask(changes: Partial<QrsTask> = {}): QrsTask {
  return {
    id: TASK_ID,
    name: 'Financial Dashboard Reload',
    taskType: 0,
    enabled: true,
    tags: [{ id: 't1', name: 'hourly-reload' }],
    customProperties: [],
    app: { id: APP_ID, name: 'Sales Dashboard' },
    ...changes,
  }
}

export function executionResult(changes: Partial<QrsExecutionResult> = {}): QrsExecutionResult {
  return {
    id: '0c000000-0000-4000-8000-000000000001',
    status: 8,
    executingNodeName: 'qs-central',
    startTime: '2026-03-02T06:00:01.120Z',
    stopTime: '2026-03-02T06:03:11.482Z',
    duration: 190362,
    fileReferenceID: '0f000000-0000-4000-8000-000000000001',
    scriptLogAvailable: false,
    scriptLogSize: 20,
    details: [],
    ...changes,
  }
}

/** One reload task with its app, owner, result and script log for the execution id of `taskEvent()`. */
export function fakeQrs(): FakeQrs {
  const calls: string[] = []
  const executionId = 'e5000000-0000-4000-8000-000000000001'
  const owner: AppOwner = {
    id: 'u1',
    directory: 'LAB',
    userId: 'anna',
    userName: 'Anna',
    emails: ['anna@acme.example'],
  }
  const app: QrsApp = {
    id: APP_ID,
    name: 'Sales Dashboard',
    tags: [],
    customProperties: [],
    owner: { id: 'u1', userId: 'anna', userDirectory: 'LAB', name: 'Anna' },
  }

  /** Probes (`null`) come at any time and are not counted. */
  async function answer<T>(call: string | null, value: () => T, signal?: AbortSignal): Promise<T> {
    if (call !== null) calls.push(call)
    if (qrs.down) throw new QrsDown('connect ECONNREFUSED')
    if (qrs.hanging)
      await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new QrsDown('aborted'))))
    return value()
  }

  const qrs: FakeQrs = {
    calls,
    tasks_: new Map([[TASK_ID, qrsTask()]]),
    apps: new Map([[APP_ID, app]]),
    owners: new Map([['u1', owner]]),
    results: new Map([[executionId, [executionResult()]]]),
    logs: new Map([['0c000000-0000-4000-8000-000000000001', 'first line\r\nlast line']]),
    down: false,
    hanging: false,
    taskById: (id, signal) => answer(`task ${id}`, () => qrs.tasks_.get(id) ?? null, signal),
    tasks: (filter, signal) => answer(`tasks ${filter}`, () => [...qrs.tasks_.values()], signal),
    users: (filter, signal) => answer(`users ${filter}`, () => [], signal),
    existingApps: (ids, signal) =>
      answer(`existing apps ${ids.length}`, () => new Set(ids.filter((id) => qrs.apps.has(id))), signal),
    existingTasks: (ids, signal) =>
      answer(`existing ${ids.length}`, () => new Set(ids.filter((id) => qrs.tasks_.has(id))), signal),
    allTaskIds: (signal) => answer('all ids', () => new Set(qrs.tasks_.keys()), signal),
    appById: (id, signal) => answer(`app ${id}`, () => qrs.apps.get(id) ?? null, signal),
    owner: (id, signal) => answer(`owner ${id}`, () => qrs.owners.get(id) ?? null, signal),
    executionResults: (id, signal) => answer(`result ${id}`, () => qrs.results.get(id) ?? [], signal),
    scriptLog: (_task, result, signal) =>
      answer(
        `log ${result.id}`,
        () => (result.fileReferenceID === ZERO_GUID ? null : (qrs.logs.get(result.id) ?? null)),
        signal,
      ),
    startTask: (id, signal) => answer(`start ${id}`, () => ({ started: true as const, executionId: 'x' }), signal),
    ping: (signal) => answer(null, () => undefined, signal),
    close: () => undefined,
  }
  return qrs
}
