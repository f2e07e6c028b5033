/** Follows executions to their end: QRS is asked at growing distances, and at once when an event tells of them. */
import type { Clock, Logger } from '../../platform/types.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { Look, Lookout } from './look.ts'
import { JUST_TRIGGERED, summaryOf } from './progress.ts'
import type { ExecutionFollower, ExecutionSummary } from './types.ts'

export interface Follower extends ExecutionFollower {
  /** Follows until it is final or nobody wants to know any more, whoever waits. */
  watch(executionId: string): void
  unwatch(executionId: string): void
  /** An event about the execution has come; without an id, about the task. */
  nudge(executionId: string, taskId: string): void
  /** Called with each answer about a followed execution. */
  onLook(listener: (executionId: string, look: Look) => void): void
  stop(): void
}

export interface FollowerSettings {
  /** Waits between the questions; the last one goes on. Default 1, 2, 3, then 5 s. */
  readonly pollMs?: readonly number[]
}

interface Watch {
  /** Position in the list of waits. */
  step: number
  /** Milliseconds since 1970. */
  due: number
  readonly waiting: Set<() => void>
  /** Goes on although nobody waits. */
  kept: boolean
}

const POLL_MS = [1000, 2000, 3000, 5000]
/** What falls due within this time is asked in one go. */
const TOGETHER_MS = 100

export function createFollower(
  deps: { readonly lookout: Lookout; readonly clock: Clock; readonly log: Logger },
  settings: FollowerSettings = {},
): Follower {
  const { lookout, clock, log } = deps
  const { pollMs = POLL_MS } = settings
  const watches = new Map<string, Watch>()
  const listeners: ((executionId: string, look: Look) => void)[] = []
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
      const looks = await lookout.look(due.map(([id]) => id))
      for (const [id, look] of looks) tell(id, look)
    } catch (error) {
      log.verbose(`EXECUTIONS: The state of ${due.length} execution(s) could not be asked: ${reasonOf(error)}`)
    }
    asking = false
    schedule()
  }

  function tell(id: string, look: Look): void {
    if (look.progress?.state === 'finished') {
      const watch = watches.get(id)
      watches.delete(id)
      for (const wake of watch?.waiting ?? []) wake()
    }
    for (const listener of listeners) listener(id, look)
  }

  const latest = (id: string): ExecutionSummary => {
    const progress = lookout.last(id)?.progress
    return progress ? summaryOf(progress) : JUST_TRIGGERED
  }

  return {
    watch(executionId) {
      const id = executionId.toLowerCase()
      if (lookout.last(id)?.progress?.state !== 'finished') watchOf(id).kept = true
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
      if (id) lookout.outdate(id)
      for (const [watched, watch] of watches) {
        const concerned = id ? watched === id : lookout.last(watched)?.progress?.taskId === taskId
        if (!concerned) continue
        watch.step = 0
        watch.due = clock.now()
      }
      schedule()
    },
    onLook: (listener) => void listeners.push(listener),
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
