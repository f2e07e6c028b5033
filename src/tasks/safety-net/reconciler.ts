/** Finds executions whose end was not announced: UDP messages get lost, and Footman may have been away. */
import { dedupKey } from '../../events/store.ts'
import type { EventOutcome, EventType, TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { STATUS_TEXTS } from '../../qlik/qrs/status.ts'
import type { QrsTask } from '../../qlik/qrs/types.ts'
import { OVERLAP_MS } from '../executions/ended-feed.ts'
import type { EndedExecution, EndedOnSite, EndedReader } from '../executions/types.ts'
import type { FoundEvent, SafetyNetEvents } from './events.ts'
import { createSiteJob } from './site.ts'
import { addHeardKind, claimedSuccess, heardKinds, isAnnounced, RECONCILED, readMark, writeMark } from './store.ts'

interface ReconcilerDeps {
  readonly db: Database
  readonly clock: Clock
  readonly log: Logger
  readonly site: Pick<EndedReader, 'feed'>
  readonly events: SafetyNetEvents
  readonly history: { add(executions: readonly EndedExecution[]): Promise<void> }
  /** Whether a rule or a retry concerns such an end of the task. */
  readonly wants: (type: EventType, outcome: EventOutcome, task: QrsTask) => boolean
  /** Sends the recoveries of a stored success that could not be confirmed when its message came. */
  readonly confirmSuccess: (eventId: string, task: QrsTask) => Promise<void>
  readonly lost: Pick<LostMessages, 'missed'>
  /** Whether messages by UDP have been listened to since then (milliseconds since 1970). */
  readonly listenedSince: (at: number) => boolean
  readonly logTime: (instant: number) => string
}

interface ReconcilerSettings {
  readonly intervalMs: number
  readonly maxAlertAgeMs: number
  /** An end is left to its message for so long; default 2 min. */
  readonly settleMs?: number
  /** From the start to the first look; default 5 s. */
  readonly firstMs?: number
}

const SETTLE_MS = 2 * 60_000
const FIRST_MS = 5000
/** An execution that began so long ago and ends now was closed by a server that was restored or restarted. */
const LONG_RUN_MS = 7 * 86_400_000
const DEDUP_MS = 86_400_000

export function createReconciler(deps: ReconcilerDeps, settings: ReconcilerSettings): Service {
  const { db, clock, log } = deps
  const { settleMs = SETTLE_MS, firstMs = FIRST_MS, intervalMs } = settings
  const since = () => readMark(db, RECONCILED.since) ?? clock.now()
  const feed = deps.site.feed(
    {
      read: () => readMark(db, RECONCILED.until) ?? since(),
      write: (at) => writeMark(db, RECONCILED.until, at),
    },
    { everyMs: intervalMs, settleMs, aheadMs: 0 },
  )

  async function reconcile(signal: AbortSignal): Promise<void> {
    const now = clock.now()
    const old: EndedExecution[] = []
    noticeSetBack(now)
    try {
      await feed.read({ now, since: since(), signal }, async (ended) => {
        await deps.history.add(ended.map(({ execution }) => execution))
        for (const one of ended) if (await consider(one, now)) old.push(one.execution)
      })
    } finally {
      logOld(old, now)
    }
  }

  /** The clock of this computer may have been ahead when it was noted how far the look came. */
  function noticeSetBack(now: number): void {
    const looked = Math.max(since(), readMark(db, RECONCILED.until) ?? now)
    if (looked <= now) return
    log.warn(
      `RECONCILER: The clock of this computer was set back: ended executions were looked for until ${deps.logTime(looked)} already. It goes on from now, ${deps.logTime(now)}`,
    )
    const again = now - settleMs - OVERLAP_MS
    writeMark(db, RECONCILED.since, Math.min(since(), again))
    writeMark(db, RECONCILED.until, again)
  }

  function logOld(old: readonly EndedExecution[], now: number): void {
    const [first] = old
    if (!first) return
    const age = `${Math.round((now - first.stoppedAt) / 60_000)} min ago`
    log.info(
      `RECONCILER: ${old.length} executions ended without a message and were recorded, too old for an alert; the first is one of task "${first.taskName}" (${first.taskId}), ${age}`,
    )
  }

  /** True for a find that is too old for an alert. */
  async function consider({ execution, task }: EndedOnSite, now: number): Promise<boolean> {
    const { outcome, taskType, stoppedAt } = execution
    if (outcome === 'skipped' || outcome === 'unknown') return false
    const type = taskType as EventType
    if (!deps.wants(type, outcome, task)) return false
    const beganAt = execution.triggeredAt ?? execution.startedAt ?? stoppedAt
    const isOld = now - stoppedAt > settings.maxAlertAgeMs || now - beganAt > LONG_RUN_MS
    if (isAnnounced(db, execution)) {
      const claimed = isOld || outcome !== 'success' ? null : claimedSuccess(db, execution)
      if (claimed !== null) await deps.confirmSuccess(claimed, task)
      return false
    }
    const key = dedupKey(execution.executionId ?? '', outcome)
    await deps.events.emit(eventOf(execution, isOld), { dedupKey: key, dedupMs: DEDUP_MS })
    if (isOld) return true
    const age = `${Math.round((now - stoppedAt) / 60_000)} min ago`
    log.info(
      `RECONCILER: Task "${execution.taskName}" (${execution.taskId}) ended ${age} (${outcome}) without a message`,
    )
    if (deps.listenedSince(stoppedAt)) deps.lost.missed({ type, outcome }, execution.node ?? '', now)
    return false
  }

  function eventOf(execution: EndedExecution, isOld: boolean): FoundEvent {
    const { taskId, taskName, appId, appName, executionId, node, stoppedAt, statusNum, error } = execution
    const status = STATUS_TEXTS[statusNum ?? -1] ?? ''
    return {
      source: 'reconciler',
      type: execution.taskType as EventType,
      outcome: execution.outcome as EventOutcome,
      receivedAt: stoppedAt,
      message: {
        host: node ?? '',
        taskId,
        taskName,
        appId: appId ?? '',
        appName: appName ?? '',
        executionId: executionId ?? '',
        logTimeStamp: deps.logTime(stoppedAt),
        logLevel: 'INFO',
        logMessage: error ?? `Found in Qlik Sense: ${status}`,
      },
      ...(isOld ? { ignored: 'TOO_OLD' } : { enrich: true }),
    }
  }

  const job = createSiteJob({ label: 'RECONCILER', intervalMs, firstMs, work: reconcile }, log)
  return {
    name: 'reconciler',
    async start() {
      // Ends before the first start of Footman are not reported.
      if (readMark(db, RECONCILED.since) === null) writeMark(db, RECONCILED.since, clock.now())
      job.start()
    },
    stop: job.stop,
  }
}

// Lost messages: sent and not received, by the host that sent them.

/** So many of one host within an hour are reported. */
const ENOUGH = 3
const HOUR_MS = 3_600_000

interface LostMessages {
  /** An event has come; in a transaction of the caller. */
  heard(db: Database, event: Pick<TaskEvent, 'source' | 'type' | 'outcome'>): void
  /** No message has come about an end; `kind` = type and outcome. */
  missed(kind: Pick<TaskEvent, 'type' | 'outcome'>, host: string, at: number): void
}

interface LostMessagesDeps {
  readonly db: Database
  /** Three messages or more of one host were lost within an hour. */
  readonly onLost: (host: string, count: number) => void
}

/** Only kinds of messages that have come before can be missed: sites need not have installed every log appender. */
export function createLostMessages({ db, onLost }: LostMessagesDeps): LostMessages {
  const kinds = new Set(heardKinds(db))
  const lost = new Map<string, number[]>()
  const keyOf = ({ type, outcome }: Pick<TaskEvent, 'type' | 'outcome'>) => `${type} ${outcome}`

  return {
    heard(tx, event) {
      const kind = keyOf(event)
      if (event.source !== 'udp' || kinds.has(kind)) return
      kinds.add(kind)
      addHeardKind(tx, kind)
    },
    missed(event, host, at) {
      if (!kinds.has(keyOf(event))) return
      const times = [...(lost.get(host) ?? []), at].filter((time) => time > at - HOUR_MS)
      lost.set(host, times)
      if (times.length >= ENOUGH) onLost(host, times.length)
    },
  }
}
