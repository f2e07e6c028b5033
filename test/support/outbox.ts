/** An outbox with one route and one destination, both made by the test. */

import { createOutbox, type DeliveryChange } from '../../src/alerts/outbox/outbox.ts'
import { createRouter } from '../../src/alerts/router.ts'
import type { DeliveryResult, Destination, Message, PlannedDelivery, Rule } from '../../src/alerts/types.ts'
import { NOTHING_AWAITED } from '../../src/events/event-router.ts'
import { loadTaskEvent } from '../../src/events/store.ts'
import type { Need, TaskEvent } from '../../src/events/types.ts'
import { createGroupWriter, type GroupWriter } from '../../src/platform/group-commit.ts'
import { pipelineDatabase, storePending, taskEvent } from './events.ts'
import { recordingLog } from './recording-log.ts'
import { tempDirectory } from './temp.ts'
import { until } from './wait.ts'

interface Delivered {
  id: string
  state: string
  reason: string | null
  detail: string | null
  attempts: number
  target: string
  body: string | null
}

export interface OutboxSetup {
  plan?: (event: TaskEvent) => readonly PlannedDelivery[]
  deliver: (message: Message, signal: AbortSignal) => Promise<DeliveryResult> | DeliveryResult
  render?: Destination['render']
  ready?: () => boolean
  /** The needs of the route; default none. */
  needs?: readonly Need[]
  withLog?: (event: TaskEvent) => Promise<TaskEvent>
  maxAgeMs?: number
  retryFirstMs?: number
  renderTimeoutMs?: number
  concurrency?: number
  batchSize?: number
  shadow?: boolean
  file?: string
  /** Wraps the writer of outbox and tests, for disks that fail. */
  writer?: (writer: GroupWriter) => GroupWriter
  /** Added to the clock, in milliseconds. */
  clockShift?: () => number
}

const open: (() => Promise<void>)[] = []

/** For `afterEach`: stops every outbox that a test has left open. */
export async function closeOutboxes(): Promise<void> {
  for (const close of open.splice(0)) await close()
}

export const ROUTE = 'butler.test.reloadTaskFailure'
export const DELIVERED: DeliveryResult = { outcome: 'delivered', detail: 'ok' }

export function startOutbox(setup: OutboxSetup) {
  const directory = tempDirectory()
  const db = pipelineDatabase(setup.file ?? directory.join('footman.db'))
  const writer = createGroupWriter(db)
  const outboxWriter = setup.writer?.(writer) ?? writer
  const log = recordingLog()
  const clock = { now: () => Date.now() + (setup.clockShift?.() ?? 0) }
  const changes: DeliveryChange[] = []
  const route: Rule = {
    name: ROUTE,
    destination: 'sink',
    when: { types: ['reload'], outcomes: ['failed'] },
    phase: 'enriched',
    needs: setup.needs ?? [],
    plan: setup.plan ?? (() => [{ target: 'sink', lane: 'sink' }]),
  }
  const readyListeners: (() => void)[] = []
  const destination: Destination = {
    name: 'sink',
    type: 'webhook',
    render:
      setup.render ??
      (async ({ deliveryId, target, event, suppressed }) => ({
        deliveryId,
        target,
        subject: null,
        body: `${event.taskName} ${suppressed}`,
        payload: event.taskName,
      })),
    deliver: async (batch, signal) => Promise.all(batch.map(async (message) => setup.deliver(message, signal))),
    ready: setup.ready,
    ...(setup.batchSize ? { batchSize: setup.batchSize } : {}),
    onReady: (listener) => void readyListeners.push(listener),
  }
  const router = createRouter({ clock, log, onDeliveries: (lanes) => outbox.wake(lanes) }, [route])
  const outbox = createOutbox(
    {
      db,
      writer: outboxWriter,
      log,
      clock,
      rule: router.rule,
      loadEvent: (id) => loadTaskEvent(db, id),
      destinations: new Map([['sink', destination]]),
      observe: (change) => void changes.push(change),
      ...(setup.withLog && { withLog: setup.withLog }),
    },
    {
      concurrency: setup.concurrency ?? 4,
      retry: { firstMs: setup.retryFirstMs ?? 10, maxMs: Math.max(100, setup.retryFirstMs ?? 0), jitter: 0 },
      maxAgeMs: () => setup.maxAgeMs ?? 60_000,
      shadow: setup.shadow ?? false,
      ...(setup.renderTimeoutMs !== undefined && { renderTimeoutMs: setup.renderTimeoutMs }),
    },
  )
  let ended = false
  const close = async () => {
    if (ended) return
    ended = true
    await outbox.stop(50)
    db.close()
    directory.remove()
  }
  open.push(close)

  const fire = async (changes: Partial<TaskEvent> = {}) => {
    const event = taskEvent(changes)
    await writer.write((tx) => {
      storePending(tx, event)
      router.handle(tx, event, NOTHING_AWAITED)
    })
    router.wake()
    return event
  }
  const rows = () =>
    db.all<Delivered>('SELECT id, state, reason, detail, attempts, target, body FROM delivery ORDER BY seq')
  const allIn = (state: string, count = 1) =>
    until(() => rows().filter((row) => row.state === state).length === count, { state: rows })
  return { outbox, router, fire, rows, allIn, changes, db, log, readyListeners, close }
}
