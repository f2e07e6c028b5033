/** Reconciler and watchdog find failures that no message announces; retries follow the failures. */
import type { Hold, SuppressReason } from '../../alerts/types.ts'
import type { EventCompleter } from '../../events/completer.ts'
import type { EventEmitter } from '../../events/emit.ts'
import { OUTCOMES } from '../../events/kinds.ts'
import { lastKnownType, storeRetryRefused } from '../../events/store.ts'
import { taskTypeOf } from '../../events/task-type.ts'
import type { EventOutcome, EventType, Need, TaskEvent } from '../../events/types.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Pruning } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import type { ExecutionReader, QrsClient, QrsTask, SiteReader } from '../../qlik/qrs/types.ts'
import { createEndedReader, type History } from '../executions/history.ts'
import { knowsTaskFromQlik, lastSuccesses } from '../executions/store.ts'
import type { ExecutionFollower } from '../executions/types.ts'
import type { StartOutcome, StartRequest, StartTask } from '../start/types.ts'
import type { ReconcilerConfig, RetryPolicyConfig, WatchdogConfig } from './config.ts'
import { createLogTime, createSafetyNetEvents, eventAbout } from './events.ts'
import { createLostMessages, createReconciler } from './reconciler.ts'
import { createRetryPlanner, createRetryRunner, type RetryRunnerDeps, retrySuppression } from './retries.ts'
import { createLiveReader, type RunningTask, runningTasks } from './site.ts'
import { purgeFindings, purgeRetries, retryOfEvent } from './store.ts'
import type { TaskPolicies } from './task-policies.ts'
import { createWatchdog, type WatchdogDeps } from './watchdog.ts'

export interface SafetyNetDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly qlik: { readonly qrs: QrsClient & ExecutionReader & SiteReader }
  readonly executions: { readonly history: History; readonly follower: ExecutionFollower }
  readonly starts: { readonly start: StartTask }
  readonly alerts: {
    readonly router: { wants(type: EventType, outcome: EventOutcome): boolean }
    readonly maintenance: { nameFor(event: TaskEvent, at: number): string | null }
    /** Sends the alerts of an event that are held for this reason. In a transaction of the caller. */
    release(db: Database, eventId: string, reason: SuppressReason): void
    /** To be called when `release` was committed. */
    wake(): void
    /** The data by which Qlik Sense confirms an end of the task, before recoveries may follow from it. */
    confirmationNeeds(taskId: string, outcome: EventOutcome): readonly Need[]
    /** Sends the recoveries of a stored success that Qlik Sense confirms now by `task`. */
    confirmSuccess(eventId: string, task: QrsTask): Promise<void>
  }
  readonly emitter: EventEmitter
  readonly policies: TaskPolicies
  readonly on: {
    readonly retry: NonNullable<RetryRunnerDeps['onResult']>
    /** The watchdog has read which tasks wait and run. */
    readonly liveTasks: NonNullable<WatchdogDeps['onLiveTasks']>
    readonly watchdogFinding: NonNullable<WatchdogDeps['onFound']>
    /** Three messages or more of one host were lost within an hour. */
    messagesLost(host: string, count: number): void
  }
}

/** Sections of the configuration that the safety net reads. */
export interface SafetyNetSettings {
  readonly footman: {
    readonly retryPolicy: RetryPolicyConfig
    readonly reconciler: ReconcilerConfig
    readonly watchdog: WatchdogConfig
    readonly node: { readonly role: 'primary' | 'satellite' }
    readonly timezone: string
  }
}

export interface SafetyNetOptions {
  readonly shadow: boolean
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

export interface SafetyNet {
  readonly completer: EventCompleter
  /** The execution of the retry that followed an event; null when none was started. */
  readonly retryOf: (taskId: string, eventId: string) => string | null
  /** The tasks of the site that wait and run now. Rejects with a `QrsError`. */
  readonly runningTasks: (signal: AbortSignal) => Promise<readonly RunningTask[]>
  readonly services: readonly Service[]
  readonly pruning: readonly Pruning[]
  readonly observers: {
    /** Every handled start request: the tasks that a schedule of Footman starts are expected to run. */
    start(request: StartRequest, outcome: StartOutcome | null): void
    /** The UDP input has opened or closed. */
    udpStatus(status: 'start' | 'stop' | 'error'): void
  }
}

/** Alerts about failures that are followed by a retry wait, unless each try is to be reported. */
export function retryHolds({ footman: { retryPolicy } }: Pick<SafetyNetSettings, 'footman'>): readonly Hold[] {
  return retryPolicy.enable && retryPolicy.alert === 'last' ? [{ suppression: retrySuppression }] : []
}

const DAY_MS = 86_400_000
/** For so long Qlik Sense is asked about an execution that has ended. */
const MEASURE_MS = 60_000
/** Findings and retries are kept for so long at least. */
const KEEP_MS = 60 * DAY_MS

export function createSafetyNet(deps: SafetyNetDeps, config: SafetyNetSettings, options: SafetyNetOptions): SafetyNet {
  const { db, writer, clock, log, qlik, executions, alerts, policies } = deps
  const { history } = executions
  const { retryPolicy, node, timezone, reconciler, watchdog: watchdogSettings } = config.footman
  const isActive = node.role === 'primary' && options.qrsConnection
  const retries = isActive && retryPolicy.enable && !options.shadow
  const reconciles = isActive && reconciler.enable
  const watches = isActive && watchdogSettings.enable
  const logTime = createLogTime(timezone)
  const events = createSafetyNetEvents(deps)
  let startedAt: number | null = null
  let isListening = false

  const lost = createLostMessages({
    db,
    onLost(host, count) {
      log.warn(`RECONCILER: ${count} messages of ${host} were lost within an hour; check network and UDP buffers`)
      deps.on.messagesLost(host, count)
    },
  })
  const planner = createRetryPlanner(
    { clock, log, policyOf: (task) => policies.retryOf(task).value, onPlanned: () => setImmediate(runner.wake) },
    retryPolicy,
  )
  const runner = createRetryRunner(
    {
      db,
      writer,
      clock,
      log,
      qrs: qlik.qrs,
      start: deps.starts.start,
      release(tx, eventId, refused) {
        storeRetryRefused(tx, eventId, refused)
        alerts.release(tx, eventId, 'RETRY_PENDING')
      },
      released: alerts.wake,
      onResult: deps.on.retry,
    },
    retryPolicy,
  )
  const reconciling = createReconciler(
    {
      db,
      clock,
      log,
      events,
      history,
      lost,
      logTime,
      site: createEndedReader({ qrs: qlik.qrs, log }),
      wants: (type, outcome, task) =>
        alerts.router.wants(type, outcome) || (retries && outcome === 'failed' && planner.applies(task)),
      confirmSuccess: alerts.confirmSuccess,
      listenedSince: (at) => isListening && startedAt !== null && startedAt <= at,
    },
    { intervalMs: reconciler.interval, maxAlertAgeMs: reconciler.maxAlertAge },
  )
  const live = createLiveReader({ qrs: qlik.qrs })
  const typeOf = ({ taskType }: QrsTask) => taskTypeOf(taskType)
  const watchdog = createWatchdog(
    {
      db,
      clock,
      log,
      events,
      logTime,
      qrs: qlik.qrs,
      live,
      successes: (taskId, since, limit) => lastSuccesses(db, taskId, since, limit),
      isQuiet: (event, at) => alerts.maintenance.nameFor(eventAbout(event, at), at) !== null,
      policyOf: (task) => policies.watchOf(task).value,
      typeOf,
      onLiveTasks: deps.on.liveTasks,
      onFound: deps.on.watchdogFinding,
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

  /** Without a reconciler, the follower reads the missing times of the execution for the history. */
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
      needs: (task, outcome) => [
        ...(retries ? planner.needs(task, outcome) : []),
        ...alerts.confirmationNeeds(task.id, outcome),
      ],
      completePartly(tx, event) {
        const { task, outcome, executionId } = event
        // Whether a failure is followed by a retry decides about its alerts.
        const mayBeRetried = retries && outcome === 'failed' && task !== null && planner.applies(task)
        // Without an id, an end that is reported twice might count as two.
        return executionId === '' || mayBeRetried ? null : history.complete(tx, event)
      },
    },
    runningTasks: async (signal) => runningTasks(await live.read(0, signal), typeOf),
    retryOf: (taskId, eventId) => retryOfEvent(db, taskId, eventId),
    services: [
      clockedStart,
      ...(reconciles ? [reconciling] : []),
      ...(watches ? [watchdog] : []),
      ...(isActive && !options.shadow ? [runner] : []),
    ],
    pruning: [
      { keepMs: KEEP_MS, purge: purgeFindings },
      { keepMs: KEEP_MS, purge: purgeRetries },
    ],
    observers: {
      start({ origin, taskIds }, outcome) {
        if (origin !== 'schedule' || !watches || options.shadow) return
        const meant = outcome === null ? taskIds : [...outcome.started, ...outcome.failed].map(({ taskId }) => taskId)
        for (const taskId of meant) watchdog.expect(taskId, clock.now())
      },
      udpStatus(status) {
        isListening = status === 'start'
      },
    },
  }
}
