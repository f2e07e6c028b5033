/** Events between the parts of Footman. A part announces without knowing its observers; others subscribe to topics. */
import type { DeliveryChange } from '../alerts/outbox/outbox.ts'
import type { Awaited } from '../events/event-router.ts'
import type { IngestDeps } from '../events/ingest/ingest.ts'
import type { TaskEvent } from '../events/types.ts'
import type { FileJob } from '../files/contract.ts'
import type { RequestObserver } from '../http/middleware/observe.ts'
import type { Change } from '../kv/types.ts'
import type { Database } from '../platform/sqlite.ts'
import type { QrsObserver } from '../qlik/qrs/transport.ts'
import type { RunEnd } from '../reports/runs/ledger.ts'
import type { HistoryDeps } from '../tasks/executions/history.ts'
import type { RetryRunnerDeps } from '../tasks/safety-net/retries.ts'
import type { WatchdogDeps } from '../tasks/safety-net/watchdog.ts'
import type { ActionContext, RunnerDeps } from '../tasks/schedule/runner.ts'
import type { ActionResult } from '../tasks/schedule/types.ts'
import type { StartQueueDeps } from '../tasks/start/queue.ts'
import type { StartTaskDeps } from '../tasks/start/start.ts'
import type { AttentionChange } from './attention/types.ts'
import { SCHEDULE_CODE } from './schedule-webhook.ts'

/** Topics with the parameters of their observers. */
export interface Topics {
  /** The router has handled an event; in the transaction that stores it. */
  handled(event: TaskEvent, awaited: Awaited): void
  /** An event has arrived; in the transaction that stores it. */
  event(event: TaskEvent): void
  /** An event does not wait for data any more; in the transaction that stores its deliveries. */
  enriched(event: TaskEvent): void
  /** An event that Footman made itself waits for data. */
  enrichmentWanted(): void
  udpStatus: IngestDeps['onStatus']
  /** A rule has made or suppressed a delivery. */
  routed(rule: string, outcome: string): void
  delivery(change: DeliveryChange): void
  start: NonNullable<StartTaskDeps['onFinished']>
  /** A task left the start queue without having been started. */
  startDropped: NonNullable<StartQueueDeps['onDropped']>
  executionEnded: NonNullable<HistoryDeps['onEnded']>
  retry: NonNullable<RetryRunnerDeps['onResult']>
  /** The watchdog has read which tasks wait and run. */
  liveTasks: NonNullable<WatchdogDeps['onLiveTasks']>
  watchdogFinding: NonNullable<WatchdogDeps['onFound']>
  /** Messages of a host were lost within an hour. */
  messagesLost(host: string, count: number): void
  scheduleRun: NonNullable<RunnerDeps['onRun']>
  /** A schedule is new, has changed or is gone. */
  schedule(id: string, state: 'running' | 'stopped' | 'invalid' | 'removed'): void
  /** Two nodes of a cluster have changed the schedule file at the same time; what became of it. */
  scheduleConflict(text: string): void
  /** An action of a schedule other than a start of tasks. */
  scheduleAction(context: ActionContext, result: ActionResult): void
  keyValueOperation(operation: string, times: number): void
  /** A pair was written, deleted, or has expired; it is durable. */
  keyValueChanged(change: Change): void
  fileOperation(operation: string, result: string, bytes: number): void
  /** The state or the progress of a file operation has changed. */
  fileJob(job: FileJob): void
  qrsRequest: QrsObserver
  mqttMessage(direction: 'in' | 'out'): void
  requestAnswered: RequestObserver['answered']
  authFailed: RequestObserver['authFailed']
  /** Points of monitors for InfluxDB were given up. */
  pointsDead(count: number, why: string): void
  /** The file of a calendar cannot be used (why), or can be again (null). */
  calendar(name: string, reason: string | null): void
  /** The changed configuration file cannot be used (why), or is in order (null). */
  configuration(problem: string | null): void
  /** An item of the attention list has come or gone. */
  attention(change: AttentionChange): void
  /** A run of a report task has ended, or was skipped; in the transaction that stores it. */
  reportFinished(end: RunEnd, tx: Database): void
  /** Unannounced work may wait in `footman.db`: the file can be used again, or another node has brought it. */
  workMayWait(): void
  /** The same content stands in another file now. */
  storageMoved(): void
}

export interface Observers {
  /** Adds an observer to each of the topics; those of a topic are called in the order in which they came. */
  subscribe(observers: Partial<Topics>): void
  /** Each function announces its topic to the observers, those of later subscriptions included. An observer must not throw. */
  readonly on: Topics
}

export function createObservers(): Observers {
  const byTopic = new Map<string, ((...args: never[]) => void)[]>()
  const of = (topic: string) => {
    const known = byTopic.get(topic) ?? []
    byTopic.set(topic, known)
    return known
  }
  const announcer = (topic: string) => {
    const observers = of(topic)
    return (...args: never[]) => {
      for (const observer of observers) observer(...args)
    }
  }
  return {
    subscribe(observers) {
      for (const [topic, observer] of Object.entries(observers)) if (observer) of(topic).push(observer)
    },
    on: new Proxy({} as Topics, { get: (_, topic) => announcer(String(topic)) }),
  }
}

/** Announces events that arrive, and those that wait for data no longer. Carriers of schedule webhooks are left out. */
export const eventAnnouncer = (on: Pick<Topics, 'event' | 'enriched'>): Pick<Topics, 'handled'> => ({
  handled(event, awaited) {
    if (event.code === SCHEDULE_CODE) return
    if (awaited === 'everything') on.event(event)
    else if (awaited.size === 0) on.enriched(event)
  },
})
