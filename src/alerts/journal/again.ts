/** Replaying past events, and firing tests. */
import type { EventOutcome, EventType, TaskEvent } from '../../events/types.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import type { Router } from '../router.ts'
import type { Again, MadeDelivery } from '../rules/replay.ts'
import { sampleEvent } from '../sample-event.ts'
import type { Destination, Message } from '../types.ts'

export interface AgainDeps {
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly router: Router
  readonly destination: (route: string, name: string) => Destination | undefined
  /** Stores an event with all that is known about it; it counts as routed. */
  readonly storeEvent: (db: Database, event: TaskEvent) => void
}

/** A real task in place of the invented one. */
export type RealTask = Pick<TaskEvent, 'taskId' | 'taskName' | 'appId' | 'appName' | 'task' | 'app' | 'owner'>

export interface TestWish {
  readonly type: EventType
  readonly outcome: EventOutcome
  /** A past event whose data are used; `type` and `outcome` are those of it. */
  readonly past: TaskEvent | null
  readonly task: RealTask | null
  readonly values: TestValues
}

/** Template variables that a test may set, and the fields of the event behind them. */
export const TEST_VALUES = {
  taskName: 'taskName',
  appName: 'appName',
  hostName: 'host',
  user: 'user',
  logTimeStamp: 'logTimeStamp',
  logLevel: 'logLevel',
  logMessage: 'logMessage',
  executionId: 'executionId',
} as const satisfies Readonly<Record<string, keyof TaskEvent>>

export type TestValues = Partial<Record<keyof typeof TEST_VALUES, string>>

export interface DryMessage {
  readonly route: string | null
  readonly destination: string
  readonly target: string
  readonly message: Pick<Message, 'subject' | 'body'>
}

/** The event that a test is about; marked as a test. */
export function testEvent({ type, outcome, past, task, values }: TestWish, now: number): TaskEvent {
  const id = uuidV7(now)
  const base = past ?? { ...sampleEvent(id, outcome, now, type), ...task }
  const fields = Object.entries(values).map(([name, value]) => [TEST_VALUES[name as keyof TestValues], value])
  return { ...base, ...Object.fromEntries(fields), id, receivedAt: now, source: 'test', test: true }
}

/** Resolves when the deliveries are durable. */
export async function replayEvent(
  { writer, router }: AgainDeps,
  event: TaskEvent,
  wish: Again,
  ignoreGates: boolean,
): Promise<readonly MadeDelivery[]> {
  const made = await writer.write((db) => router.routeAgain(db, event, { ...wish, ignoreGates, kind: 'alert' }))
  router.wake()
  return made
}

/** Resolves when the event and its deliveries are durable. */
export async function fireTest(
  { writer, router, storeEvent }: AgainDeps,
  event: TaskEvent,
  wish: Again,
): Promise<readonly MadeDelivery[]> {
  const made = await writer.write((db) => {
    storeEvent(db, event)
    return router.routeAgain(db, event, { ...wish, ignoreGates: true, kind: 'test' })
  })
  router.wake()
  return made
}

/** What a test would send: rendered, and neither stored nor sent. */
export async function dryRun(deps: AgainDeps, event: TaskEvent, wish: Again): Promise<readonly DryMessage[]> {
  const candidates = deps.router.candidates(event, wish).filter(({ planned }) => !planned.suppress)
  return Promise.all(
    candidates.map(async ({ route, planned: { target } }) => {
      const destination = deps.destination(route.name, route.destination)
      if (!destination) throw new Error(`destination ${route.destination} is not in the configuration`)
      const severity = route.severity ?? event.severity
      const deliveryId = uuidV7(deps.clock.now())
      const input = { event, route, target, deliveryId, suppressed: 0, kind: 'test', severity, note: null } as const
      const { subject, body } = await destination.render(input)
      return { route: route.name || null, destination: route.destination, target, message: { subject, body } }
    }),
  )
}
