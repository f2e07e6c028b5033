/** The history of events and deliveries in the REST API: lists, details, replays, resends and the stream of changes. */

import { loadTaskEvent, storeWholeEvent } from '../../events/store.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { EventStreams } from '../../http/endpoint/event-stream.ts'
import type { ApiRoute } from '../../http/endpoint/route.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Pruning } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { VERSION } from '../../platform/version.ts'
import type { ScriptLogReader } from '../../qlik/qrs/script-log.ts'
import type { ExecutionReader, QrsClient } from '../../qlik/qrs/types.ts'
import { recordingOf } from '../destinations/index.ts'
import type { DestinationHealth } from '../outbox/destination-health.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Router } from '../router.ts'
import type { ListedRule } from '../rules/explain.ts'
import { contextLinks, type LinkConfig, templateContext } from '../template-context.ts'
import { createTimeFormatter } from '../times.ts'
import type { Destination } from '../types.ts'
import { type ChangeFeed, createChangeFeed, purgeChanges, streamRoutes } from './change-feed.ts'
import { decisionRoutes } from './decisions.ts'
import { type DeadLetterQueue, deliveryRoutes } from './deliveries.ts'
import { destinationRoutes, routesTo } from './destinations.ts'
import { eventRoutes } from './events.ts'
import { replayRoutes } from './replay.ts'
import { scriptLogRoutes } from './script-log.ts'
import type { ChangeOf, PairChange } from './stream-contract.ts'
import { summaryRoutes } from './summaries.ts'

export interface HistoryDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  /** `destination`: as the rule wants it. */
  readonly alerts: {
    readonly router: Router
    readonly outbox: Pick<Outbox, 'wake' | 'isUnderWay' | 'nextProbeAt'>
    readonly listed: readonly ListedRule[]
    readonly health: Pick<DestinationHealth, 'state'>
    readonly destinations: ReadonlyMap<string, Destination>
    readonly destination: (rule: string, name: string) => Destination | undefined
  }
  readonly qlik: {
    readonly cachedQrs: QrsClient
    readonly qrs: Pick<ExecutionReader, 'resultsOfExecutions'>
    readonly logProblem?: ScriptLogReader['logProblem']
  }
  readonly pipeline: {
    /** The datagram of a journal entry; null when it has been removed. */
    rawOf(journalId: number): Uint8Array | null
  }
  readonly executions: {
    /** Why an execution has failed; null when that is not known. */
    errorOf(executionId: string): string | null
  }
  readonly safetyNet: {
    /** The execution of the retry that followed an event; null when none was started. */
    retryOf(taskId: string, eventId: string): string | null
  }
  /** Settings in use: links of texts, and `Butler.footman.destinations`. */
  readonly live: () => HistoryConfig
  readonly streams: EventStreams
  /** Queues of messages that are not deliveries. */
  readonly queues: readonly DeadLetterQueue[]
}

export interface History {
  readonly routes: readonly ApiRoute[]
  readonly observers: {
    fileJob(job: ChangeOf<'file'>): void
    attention(change: ChangeOf<'attention'>): void
    keyValueChanged(change: PairChange): void
    schedule(id: string, state: ChangeOf<'schedule'>['state']): void
  }
  /** The changes that `/v4/stream` sends. */
  readonly feed: Pick<ChangeFeed, 'publish' | 'onFollowed'>
  readonly pruning: readonly Pruning[]
}

interface HistorySettings {
  /** Time zone of times in texts; '' = that of this computer. */
  readonly timezone: string
  /** Milliseconds. */
  readonly retention: { readonly events: number }
}

type HistoryConfig = LinkConfig & {
  readonly footman: {
    readonly destinations: Readonly<Record<string, unknown>>
  }
}

/** The lines that mails show by default. */
const EXCERPT = { headLines: 15, tailLines: 15 }

export function createHistory(given: HistoryDeps, { timezone, retention }: HistorySettings): History {
  const deps = { ...given, log: given.log.child('journal') }
  const { db, alerts, clock, qlik, pipeline, safetyNet, streams } = deps
  const times = createTimeFormatter(timezone ? { timeZone: timezone } : {})
  const feed = createChangeFeed(deps)
  const typeOf = (destination: string) => alerts.destinations.get(destination)?.type ?? null
  const contextOf = (event: TaskEvent) => {
    const context = { ...contextLinks(deps.live()), version: VERSION, times, now: clock.now() }
    const variables = templateContext(event, context, EXCERPT, 'slash')
    // The history may have learnt of the execution after the event was decided.
    const isBad = event.outcome === 'failed' || event.outcome === 'aborted'
    const errorText = isBad ? deps.executions.errorOf(event.executionId) : null
    return errorText === null ? variables : { ...variables, errorText }
  }
  const loadEvent = (id: string) => loadTaskEvent(db, id)
  const common = {
    ...deps,
    qrs: qlik.cachedQrs,
    rawOf: pipeline.rawOf,
    typeOf,
    retryOf: safetyNet.retryOf,
    recording: () => recordingOf(alerts.destinations),
    contextOf,
    loadEvent,
    keepMs: retention.events,
  }
  return {
    routes: [
      ...eventRoutes(common),
      ...decisionRoutes(common),
      ...summaryRoutes(common),
      ...scriptLogRoutes({ ...common, results: qlik.qrs, logProblem: qlik.logProblem }),
      ...destinationRoutes({
        ...common,
        health: alerts.health,
        listed: alerts.listed,
        destinations: alerts.destinations,
        nextProbeAt: alerts.outbox.nextProbeAt,
        settings: () => deps.live().footman.destinations,
      }),
      ...deliveryRoutes({
        ...common,
        wake: alerts.outbox.wake,
        isUnderWay: alerts.outbox.isUnderWay,
      }),
      ...replayRoutes({
        ...common,
        router: alerts.router,
        destination: alerts.destination,
        destinationNames: () => Object.keys(deps.live().footman.destinations),
        routesTo: (name) => routesTo(alerts.listed, name),
        storeEvent: storeWholeEvent,
      }),
      ...streamRoutes({ feed, streams }),
    ],
    feed,
    observers: {
      fileJob: (job) => feed.publish('file', job),
      attention: (change) => feed.publish('attention', change),
      keyValueChanged: feed.pass,
      schedule: (id, state) =>
        feed.publish('schedule', { id, state, runId: null, runState: null, outcome: null, reason: null }),
    },
    pruning: [{ keepMs: retention.events, purge: purgeChanges }],
  }
}
