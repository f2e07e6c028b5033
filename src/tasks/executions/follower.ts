/** Follows executions to their end: QRS is asked at growing intervals, and at once after an event about them. */
import type { Clock, Logger } from '../../platform/types.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import type { ExecutionSummary } from './contract.ts'
import { JUST_TRIGGERED, type KnownStatus, meaningOf, type StatusCache, summaryOf, timeOf } from './status.ts'
import type { ExecutionFollower, RunningStarts, StartRecord, StartRecords } from './types.ts'

export interface Follower extends ExecutionFollower {
  /** Follows until it is final or `unwatch` is called, with or without waiting callers. */
  watch(executionId: string): void
  unwatch(executionId: string): void
  /** An event about the execution has come; without an id, about the task. */
  nudge(executionId: string, taskId: string): void
  /** Called with each answer about a followed execution. */
  onStatus(listener: (executionId: string, look: KnownStatus) => void): void
  stop(): void
}

interface FollowerSettings {
  /** Waits between the questions; the last one goes on. Default 1, 2, 3, then 5 s. */
  readonly pollMs?: readonly number[]
}

interface Watch {
  /** Position in the list of waits. */
  step: number
  /** Milliseconds since 1970. */
  due: number
  readonly waiting: Set<() => void>
  /** Goes on without waiting callers. */
  kept: boolean
}

const POLL_MS = [1000, 2000, 3000, 5000]
/** Executions that fall due within this time are read with one request. */
const TOGETHER_MS = 100

export function createFollower(
  deps: { readonly statuses: StatusCache; readonly clock: Clock; readonly log: Logger },
  settings: FollowerSettings = {},
): Follower {
  const { statuses, clock, log } = deps
  const { pollMs = POLL_MS } = settings
  const watches = new Map<string, Watch>()
  const listeners: ((executionId: string, look: KnownStatus) => void)[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  let asking = false
  let stopped = false

  const waitAfter = (step: number): number => pollMs[Math.min(step, pollMs.length - 1)] ?? 0

  function watchOf(id: string): Watch {
    const known = watches.get(id)
    if (known) return known
    const watch: Watch = { step: 0, due: clock.now() + waitAfter(0), waiting: new Set(), kept: false }
    watches.set(id, watch)
    schedule()
    return watch
  }

  function schedule(): void {
    clearTimeout(timer)
    if (asking || stopped || watches.size === 0) return
    const due = Math.min(...[...watches.values()].map((watch) => watch.due))
    timer = setTimeout(() => void ask(), Math.max(0, due - clock.now()))
  }

  async function ask(): Promise<void> {
    asking = true
    const now = clock.now()
    const due = [...watches].filter(([, watch]) => watch.due <= now + TOGETHER_MS)
    // Set before the answer comes, so that a nudge in the meantime counts.
    for (const [, watch] of due) {
      watch.step += 1
      watch.due = now + waitAfter(watch.step)
    }
    try {
      const looks = await statuses.ask(due.map(([id]) => id))
      for (const [id, look] of looks) report(id, look)
    } catch (error) {
      log.verbose(`EXECUTIONS: The state of ${due.length} execution(s) could not be asked: ${reasonOf(error)}`)
    }
    asking = false
    schedule()
  }

  function report(id: string, look: KnownStatus): void {
    if (look.progress?.state === 'finished') {
      const watch = watches.get(id)
      watches.delete(id)
      for (const wake of watch?.waiting ?? []) wake()
    }
    for (const listener of listeners) listener(id, look)
  }

  const latest = (id: string): ExecutionSummary => {
    const progress = statuses.last(id)?.progress
    return progress ? summaryOf(progress) : JUST_TRIGGERED
  }

  return {
    watch(executionId) {
      const id = executionId.toLowerCase()
      if (statuses.last(id)?.progress?.state !== 'finished') watchOf(id).kept = true
    },
    unwatch(executionId) {
      const id = executionId.toLowerCase()
      const watch = watches.get(id)
      if (!watch) return
      watch.kept = false
      if (watch.waiting.size === 0) watches.delete(id)
    },
    untilFinal(executionId, signal) {
      const id = executionId.toLowerCase()
      if (signal.aborted || latest(id).state === 'finished') return Promise.resolve(latest(id))
      const watch = watchOf(id)
      const { waiting } = watch
      return new Promise((resolve) => {
        const end = () => {
          waiting.delete(end)
          signal.removeEventListener('abort', end)
          if (waiting.size === 0 && !watch.kept) watches.delete(id)
          resolve(latest(id))
        }
        waiting.add(end)
        signal.addEventListener('abort', end, { once: true })
      })
    },
    nudge(executionId, taskId) {
      const id = executionId.toLowerCase()
      if (id) statuses.outdate(id)
      for (const [watched, watch] of watches) {
        const concerned = id ? watched === id : statuses.last(watched)?.progress?.taskId === taskId
        if (!concerned) continue
        watch.step = 0
        watch.due = clock.now()
      }
      schedule()
    },
    onStatus: (listener) => void listeners.push(listener),
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}

// Running starts: the tasks that Footman has started and that are not final.

interface RunningDeps {
  readonly records: StartRecords
  readonly statuses: StatusCache
  readonly follower: Follower
  readonly qrs: Pick<QrsClient, 'taskById'>
  readonly clock: Clock
  readonly log: Logger
}

/** An execution that QRS does not know after this time, or shows no new result of, has ended unseen. */
const UNSEEN_MS = 60_000

export function createRunningStarts(deps: RunningDeps): RunningStarts {
  const { records, statuses, follower, clock, log } = deps
  const listeners: (() => void)[] = []
  const askedAt = new Map<string, number>()
  const byExecution = new Map<string, StartRecord>()

  follower.onStatus((executionId, look) => {
    const record = byExecution.get(executionId)
    if (record) judge(record, look)
  })

  function judge(record: StartRecord, { progress }: KnownStatus): void {
    const gone = progress === null && clock.now() - record.startedAt > UNSEEN_MS
    if (gone || progress?.state === 'finished') close(record)
  }

  function close(record: StartRecord): void {
    askedAt.delete(record.id)
    if (record.executionId !== null) {
      byExecution.delete(record.executionId.toLowerCase())
      follower.unwatch(record.executionId)
    }
    records.close(record.id, clock.now()).catch((error: unknown) => {
      log.error(`EXECUTIONS: The end of task ${record.taskId} could not be noted: ${reasonOf(error)}`)
    })
    for (const listener of listeners) listener()
  }

  function openRecord(executionId: string): StartRecord[] {
    const record = executionId === '' ? undefined : records.byExecution(executionId)
    return record?.finalAt === null ? [record] : []
  }

  /** Old servers return no execution id: the task's last result is used instead. */
  async function refreshByTask(record: StartRecord): Promise<void> {
    const task = await deps.qrs.taskById(record.taskId)
    const last = task?.operational?.lastExecutionResult
    const over = !last || meaningOf(last.status).state === 'finished'
    const isOurs = (timeOf(last?.stopTime) ?? 0) > record.startedAt
    if (over && (isOurs || clock.now() - record.startedAt > UNSEEN_MS)) close(record)
  }

  return {
    open: records.open,
    async refresh(maxAgeMs) {
      const now = clock.now()
      const stale = records.open().filter(({ id }) => now - (askedAt.get(id) ?? 0) > maxAgeMs)
      const known = stale.filter(({ executionId }) => executionId !== null)
      if (known.length > 0) {
        const looks = await statuses.ask(known.map(({ executionId }) => executionId ?? ''))
        for (const record of known) {
          askedAt.set(record.id, now)
          const look = looks.get(record.executionId?.toLowerCase() ?? '')
          if (look) judge(record, look)
        }
      }
      for (const record of stale) if (record.executionId === null) await refreshByTask(record)
    },
    follow(executionId) {
      const wanted = executionId === undefined ? records.open() : openRecord(executionId)
      for (const record of wanted) {
        if (record.executionId === null) continue
        byExecution.set(record.executionId.toLowerCase(), record)
        follower.watch(record.executionId)
      }
    },
    onClosed: (listener) => void listeners.push(listener),
  }
}
