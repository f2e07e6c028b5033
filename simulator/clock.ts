import type { SimClock, SimTimer } from './types.ts'

interface Timer extends SimTimer {
  readonly order: number
  readonly callback: () => void
  cancelled: boolean
}

export interface ClockSettings {
  /** Simulated time at the start, ms since 1970; default: the wall clock. */
  readonly now?: number
  /** Simulated milliseconds per wall-clock millisecond; 0 = only `advance` and `set` move the time. Default 1. */
  readonly speed?: number
}

/** Node's timers take at most 2^31-1 ms; a longer wait is done in pieces. */
const MAX_WAIT_MS = 2_000_000_000

/** The time of the simulated site: wall clock, sped up or manual. */
export function createSimClock(settings: ClockSettings = {}): SimClock {
  let speed = settings.speed ?? 1
  let base = settings.now ?? Date.now()
  let wallBase = Date.now()
  let counter = 0
  let wake: ReturnType<typeof setTimeout> | null = null
  const queue = createQueue()

  const now = () => Math.floor(speed === 0 ? base : base + (Date.now() - wallBase) * speed)

  function rebase(at: number) {
    base = at
    wallBase = Date.now()
  }

  function runDue(until: number) {
    for (let timer = queue.peek(); timer && timer.due <= until; timer = queue.peek()) {
      queue.pop()
      if (!timer.cancelled) timer.callback()
    }
  }

  function arm() {
    if (wake) clearTimeout(wake)
    wake = null
    const next = queue.peek()
    if (!next || speed === 0) return
    const wait = Math.min(MAX_WAIT_MS, Math.max(0, Math.ceil((next.due - now()) / speed)))
    wake = setTimeout(() => {
      runDue(now())
      arm()
    }, wait)
  }

  /** While moving by hand every callback sees exactly its own time. */
  function moveTo(target: number) {
    const running = speed
    speed = 0
    for (let timer = queue.peek(); timer && timer.due <= target; timer = queue.peek()) {
      base = Math.max(base, timer.due)
      runDue(base)
    }
    speed = running
    rebase(target)
    arm()
  }

  return {
    now,
    schedule(delayMs, callback) {
      const timer: Timer = { due: now() + Math.max(0, delayMs), order: counter++, callback, cancelled: false }
      queue.push(timer)
      if (queue.peek() === timer) arm()
      return timer
    },
    cancel(timer) {
      if (timer) (timer as Timer).cancelled = true
    },
    advance: (ms) => {
      const current = now()
      rebase(current)
      moveTo(current + ms)
    },
    set: (at) => {
      rebase(Math.min(now(), at))
      moveTo(at)
    },
    setSpeed(factor) {
      rebase(now())
      speed = factor
      arm()
    },
    stop() {
      queue.clear()
      arm()
    },
  }
}

/** A binary heap by due time, first come first served within the same millisecond. */
function createQueue() {
  const heap: Timer[] = []
  const before = (a: Timer, b: Timer) => a.due < b.due || (a.due === b.due && a.order < b.order)

  function swap(i: number, j: number) {
    const kept = heap[i]!
    heap[i] = heap[j]!
    heap[j] = kept
  }

  function sink() {
    for (let i = 0; ; ) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && before(heap[child]!, heap[least]!)) least = child
      }
      if (least === i) return
      swap(i, least)
      i = least
    }
  }

  return {
    peek: (): Timer | undefined => heap[0],
    push(timer: Timer) {
      heap.push(timer)
      for (let i = heap.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1
        if (!before(heap[i]!, heap[parent]!)) return
        swap(i, parent)
        i = parent
      }
    },
    pop() {
      const last = heap.pop()
      if (heap.length === 0 || !last) return
      heap[0] = last
      sink()
    },
    clear: () => {
      heap.length = 0
    },
  }
}
