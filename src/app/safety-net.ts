/** What catches failures that nobody announces, and what is done about those that were: reconciler, watchdog, retries. */
import type { Hold } from '../alerts/types.ts'
import type { Config } from '../config/schema.ts'
import { takeDedupKey } from '../events/bookkeeping.ts'
import type { EventCompleter } from '../events/completer.ts'
import { OUTCOMES } from '../events/kinds.ts'
import type { EventPipeline } from '../events/pipeline.ts'
import { lastKnownType, storeRetryRefused } from '../events/store.ts'
import { taskTypeOf } from '../events/task-type.ts'
import type { TaskEvent } from '../events/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import { createEndedReader } from '../tasks/executions/history.ts'
import type { Executions } from '../tasks/executions/index.ts'
import { knowsTaskFromQlik, lastSuccesses } from '../tasks/executions/store.ts'
import { createLogTime } from '../tasks/safety-net/log-time.ts'
import { createLostMessages } from '../tasks/safety-net/reconciler/lost.ts'
import { createReconciler } from '../tasks/safety-net/reconciler/reconciler.ts'
import { retryHold } from '../tasks/safety-net/retry/hold.ts'
import { createRetryPlanner } from '../tasks/safety-net/retry/planner.ts'
import { createRetryRunner } from '../tasks/safety-net/retry/runner.ts'
import { purgeRetries } from '../tasks/safety-net/retry/store.ts'
import type { SafetyNetEvents } from '../tasks/safety-net/types.ts'
import { createLiveReader } from '../tasks/safety-net/watchdog/site.ts'
import { purgeFindings } from '../tasks/safety-net/watchdog/store.ts'
import { createWatchdog } from '../tasks/safety-net/watchdog/watchdog.ts'
import type { Starts } from '../tasks/start/index.ts'
import type { StartOutcome, StartRequest } from '../tasks/start/types.ts'
import type { Alerts } from './alerts.ts'
import type { Metrics } from './metrics.ts'
import type { Qlik } from './qlik.ts'
import type { Aging } from './retention.ts'

export interface SafetyNetDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly qlik: Qlik
  readonly executions: Pick<Executions, 'history' | 'follower' | 'records'>
  readonly starts: Pick<Starts, 'start' | 'follower'>
  readonly alerts: Pick<Alerts, 'router' | 'maintenance' | 'release' | 'wake'>
  readonly metrics: Pick<Metrics, 'onLook' | 'onRetry' | 'onWatchdog'>
  readonly pipeline: () => Pick<EventPipeline, 'emitter' | 'status'>
  /** Three messages or more of one host were lost within an hour. */
  readonly onLost?: (host: string, count: number) => void
}

export interface SafetyNetOptions {
  readonly shadow: boolean
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

export interface SafetyNet {
  readonly completer: EventCompleter
  readonly services: readonly Service[]
  readonly agings: readonly Aging[]
  /** A start was asked for: by a schedule of Footman, its tasks are expected to run. */
  onStart(request: StartRequest, outcome: StartOutcome | null): void
}

/** Alerts about failures that are followed by a retry wait, unless every try is to be told. */
export function retryHolds({ footman: { retryPolicy } }: Config): readonly Hold[] {
  return retryPolicy.enable && retryPolicy.alert === 'last' ? [retryHold] : []
}

const DAY_MS = 86_400_000
/** For so long Qlik Sense is asked about an execution that has ended. */
const MEASURE_MS = 60_000
/** What the safety net remembers is kept for so long at least. */
const KEEP_MS = 60 * DAY_MS

class AlreadyKnown extends Error {}

export function buildSafetyNet(deps: SafetyNetDeps, config: Config, options: SafetyNetOptions): SafetyNet {
  const { db, writer, clock, log, qlik, executions, alerts, metrics, pipeline } = deps
  const { history } = executions
  const { retryPolicy, node, timezone, reconciler, watchdog: watchdogSettings } = config.footman
  const isActive = node.role === 'primary' && options.qrsConnection
  const retries = isActive && retryPolicy.enable && !options.shadow
  const reconciles = isActive && reconciler.enable
  const watches = isActive && watchdogSettings.enable
  const logTime = createLogTime(timezone)
  const events = eventsOf(deps)
  let startedAt: number | null = null

  const lost = createLostMessages({
    db,
    onLost(host, count) {
      log.warn(`RECONCILER: ${count} messages of ${host} were lost within an hour; check network and UDP buffers`)
      deps.onLost?.(host, count)
    },
  })
  const planner = createRetryPlanner({ clock, log, onPlanned: () => setImmediate(runner.wake) }, retryPolicy)
  const runner = createRetryRunner(
    {
      ...{ db, writer, clock, log, qrs: qlik.qrs, start: deps.starts.start },
      release(tx, eventId, refused) {
        storeRetryRefused(tx, eventId, refused)
        alerts.release(tx, eventId, 'RETRY_PENDING')
      },
      released: alerts.wake,
      onResult: metrics.onRetry,
    },
    retryPolicy,
  )
  const reconciling = createReconciler(
    {
      ...{ db, clock, log, events, history, lost, logTime },
      site: createEndedReader({ qrs: qlik.qrs, log }),
      wants: (type, outcome, task) =>
        alerts.router.wants(type, outcome) || (retries && outcome === 'failed' && planner.applies(task)),
      listenedSince: (at) => pipeline().status.udpListening === true && startedAt !== null && startedAt <= at,
    },
    { intervalMs: reconciler.interval, maxAlertAgeMs: reconciler.maxAlertAge },
  )
  const watchdog = createWatchdog(
    {
      ...{ db, clock, log, events, logTime, qrs: qlik.qrs, live: createLiveReader({ qrs: qlik.qrs }) },
      successes: (taskId, since, limit) => lastSuccesses(db, taskId, since, limit),
      isQuiet: (event, at) => alerts.maintenance.nameFor(asEvent(event, at), at) !== null,
      typeOf: ({ taskType }) => taskTypeOf(taskType),
      onLook: metrics.onLook,
      onFound: metrics.onWatchdog,
    },
    watchdogSettings,
  )
  const clockedStart: Service = {
    name: 'safety net',
    async start() {
      startedAt = clock.now()
    },
    stop: async () => {},
  }

  /** Where no reconciler comes by, the history asks for what the event does not tell. */
  function measure({ executionId, outcome }: TaskEvent): void {
    const hasEnded = OUTCOMES.some((one) => one === outcome)
    if (!options.qrsConnection || !executionId || !hasEnded) return
    void executions.follower.untilFinal(executionId, AbortSignal.timeout(MEASURE_MS))
  }

  /** With QRS down, the alert about a made-up task goes out; its history must not begin with it. */
  function isProven(tx: Database, { source, taskId, missingParts }: TaskEvent): boolean {
    if (source !== 'udp' || !options.qrsConnection || !missingParts.includes('task')) return true
    return lastKnownType(tx, taskId) !== null || knowsTaskFromQlik(tx, taskId)
  }

  return {
    completer: {
      complete(tx, event) {
        lost.heard(tx, event)
        const completed = history.complete(tx, event, isProven(tx, event))
        if (!reconciles && event.execution === null && !event.test) setImmediate(() => measure(completed))
        return retries ? planner.plan(tx, completed) : completed
      },
      needs: (task, outcome) => (retries ? planner.needs(task, outcome) : []),
      early: {
        // Whether a failure is followed by a retry decides about its alerts. Without an id, an end that is told twice might
        // count as two.
        isPossible: ({ task, outcome, executionId }) =>
          executionId !== '' && !(retries && outcome === 'failed' && task !== null && planner.applies(task)),
        complete: history.complete,
      },
    },
    services: [
      clockedStart,
      ...(reconciles ? [reconciling] : []),
      ...(watches ? [watchdog] : []),
      ...(isActive && !options.shadow ? [runner] : []),
    ],
    agings: [
      { keepMs: KEEP_MS, purge: purgeFindings },
      { keepMs: KEEP_MS, purge: purgeRetries },
    ],
    onStart({ origin, taskIds }, outcome) {
      if (origin !== 'schedule' || !watches || options.shadow) return
      const meant = outcome === null ? taskIds : [...outcome.started, ...outcome.failed].map(({ taskId }) => taskId)
      for (const taskId of meant) watchdog.expect(taskId, clock.now())
    },
  }
}

/** An event as the questions of maintenance see it. */
function asEvent(event: Parameters<Watched>[0], at: number) {
  return {
    ...{ ...EMPTY, ...event, receivedAt: at, appId: event.task?.app?.id ?? '', appName: event.task?.app?.name ?? '' },
    severity: 'warning',
    source: 'watchdog',
  } as const
}

type Watched = Parameters<typeof createWatchdog>[0]['isQuiet']

const EMPTY = {
  ...{ id: '', host: '', user: '', logTimeStamp: '', logLevel: '', executionId: '', logMessage: '' },
  ...{
    details: null,
    code: null,
    history: null,
    retry: null,
    app: null,
    owner: null,
    execution: null,
    scriptLog: null,
  },
  ...{ missingParts: [], test: false },
} as const

function eventsOf({ pipeline, clock }: SafetyNetDeps): SafetyNetEvents {
  return {
    async emit(event, { dedupKey: key = null, dedupMs = DAY_MS, also } = {}) {
      try {
        await pipeline().emitter.emit(event, (tx, eventId) => {
          // The message may have come after all.
          if (key !== null && !takeDedupKey(tx, key, clock.now(), dedupMs)) throw new AlreadyKnown()
          also?.(tx, eventId)
        })
      } catch (error) {
        if (!(error instanceof AlreadyKnown)) throw error
      }
    },
  }
}
