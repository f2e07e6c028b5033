/** Shared by the tests of the safety net: a moved clock, an event pipeline made of a list, tasks and results. */

import type { Simulator } from '../../simulator/index.ts'
import { certainTest } from '../../src/alerts/rules/match.ts'
import { eventMigrations } from '../../src/events/migrations.ts'
import { insertEvent, takeDedupKey } from '../../src/events/store.ts'
import type { TaskEvent } from '../../src/events/types.ts'
import { type Database, openDatabase } from '../../src/platform/sqlite.ts'
import type { Logger } from '../../src/platform/types.ts'
import { uuidV7 } from '../../src/platform/uuid.ts'
import { historyMigrations, recordExecution } from '../../src/tasks/executions/store.ts'
import type { EndedExecution } from '../../src/tasks/executions/types.ts'
import { taskPolicies } from '../../src/tasks/safety-net/config-policies.ts'
import type { FoundEvent, SafetyNetEvents } from '../../src/tasks/safety-net/events.ts'
import { safetyNetMigrations } from '../../src/tasks/safety-net/store.ts'
import { createTaskPolicies, type TaskPolicies } from '../../src/tasks/safety-net/task-policies.ts'
import { APP_ID, TASK_ID } from './events.ts'

/** Policies as in the file, and custom properties with the names that they have by default. */
export const policiesOf = (log: Logger, configured: unknown = []): TaskPolicies =>
  createTaskPolicies(
    { log, compile: (matches) => certainTest(matches, { windows: { contains: () => false } }) },
    {
      taskPolicies: taskPolicies.parse(configured),
      retryPolicy: { customPropertyName: 'retryPolicy' },
      watchdog: { customPropertyName: 'watchPolicy' },
    },
  )

export const NOW = Date.parse('2026-03-02T12:00:00.000Z')
export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const executionId = (n: number) => `e5000000-0000-4000-8000-${String(n).padStart(12, '0')}`

export function movedClock(start = NOW) {
  let now = start
  return {
    now: () => now,
    advance(ms: number) {
      now += ms
    },
  }
}

export function safetyNetDatabase(): Database {
  return openDatabase(':memory:', { migrations: [...eventMigrations, ...historyMigrations, ...safetyNetMigrations] })
}

/** Events as they were emitted; each becomes a row like the pipeline's. */
export function eventList(db: Database, clock: { now(): number }) {
  const emitted: FoundEvent[] = []
  const events: SafetyNetEvents = {
    async emit(event, { dedupKey = null, dedupMs = HOUR, also } = {}) {
      if (dedupKey !== null && !takeDedupKey(db, dedupKey, clock.now(), dedupMs)) return
      const id = storeEvent(db, event, clock.now())
      also?.(db, id)
      emitted.push(event)
    },
  }
  return { emitted, events }
}

/** A row of the event table; returns the id. */
export function storeEvent(
  db: Database,
  event: Pick<FoundEvent, 'source' | 'type' | 'outcome' | 'message'> & {
    readonly test?: boolean
    readonly announced?: 'distribute'
  },
  at: number,
): string {
  const id = uuidV7(at)
  const message: TaskEvent = {
    host: '',
    taskName: '',
    appName: '',
    user: '',
    taskId: '',
    appId: '',
    logTimeStamp: '',
    logLevel: '',
    executionId: '',
    logMessage: '',
    ...event.message,
  } as TaskEvent
  insertEvent(db, {
    id,
    journalId: null,
    receivedAt: at,
    source: event.source,
    sender: '',
    type: event.type,
    typeKnown: true,
    announced: event.announced ?? event.outcome,
    outcome: event.outcome,
    severity: 'error',
    deadlineAt: at,
    message,
    nameTokens: null,
    test: event.test ?? false,
  })
  return id
}

export function endedExecution(changes: Partial<EndedExecution> = {}): EndedExecution {
  const stoppedAt = changes.stoppedAt ?? NOW - 5 * MINUTE
  return {
    executionId: executionId(1),
    resultId: 'result-1',
    taskId: TASK_ID,
    taskName: 'Financial Dashboard Reload',
    taskType: 'reload',
    appId: APP_ID,
    appName: 'Sales Dashboard',
    statusNum: 8,
    outcome: 'failed',
    node: 'qs-central',
    actor: null,
    triggeredAt: null,
    startedAt: null,
    stoppedAt,
    queueMs: 500,
    runMs: 60_000,
    attempts: 1,
    error: 'Error: no such file',
    ...changes,
  }
}

/** `count` successful runs of the task before `until`, one an hour. */
export function pastRuns(
  db: Database,
  count: number,
  times: (n: number) => { runMs?: number; queueMs?: number },
  until = NOW,
): void {
  for (let n = 0; n < count; n += 1) {
    recordExecution(
      db,
      endedExecution({
        executionId: executionId(1000 + n),
        resultId: `past-${n}`,
        outcome: 'success',
        statusNum: 7,
        error: null,
        stoppedAt: until - (n + 1) * HOUR,
        ...times(n),
      }),
    )
  }
}

/** Gives a task of the simulated site a custom property; null takes it away. */
export function setTaskProperty({ site }: Simulator, taskId: string, name: string, value: string | null): void {
  const task = site.tasks.get(taskId)
  if (!task) throw new Error(`The simulated site has no task ${taskId}`)
  const others = task.customProperties.filter(({ definition }) => definition.name !== name)
  task.customProperties.splice(0, task.customProperties.length, ...others)
  if (value === null) return
  const entity = { createdDate: NOW, modifiedDate: NOW, modifiedByUserName: 'LAB\\anna' }
  const known = [...site.customPropertyDefinitions.values()].find((definition) => definition.name === name)
  const definition = known ?? {
    ...entity,
    id: site.nextId('c0'),
    name,
    description: '',
    valueType: 'Text',
    choiceValues: [],
    objectTypes: ['ReloadTask'],
  }
  task.customProperties.push({ ...entity, id: site.nextId('0d'), value, definition })
}
