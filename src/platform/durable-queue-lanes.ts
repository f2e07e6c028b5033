/**
 * The lanes of a durable queue. A lane is what leaves one after the other: a key, or the whole queue. `next` says when it may
 * have a turn, and does nothing; the lanes are woken, and given their turns, by `createLanes`.
 */

export type Lane =
  | { readonly is: 'idle' }
  /** It has a turn as soon as there is room. */
  | { readonly is: 'ready' }
  /** Its turn is under way; `hasMore`: items came meanwhile. */
  | { readonly is: 'sending'; readonly hasMore: boolean }
  /** After a failed attempt, or so that more items can leave together. */
  | { readonly is: 'resting'; readonly isGathering: boolean }

/** How a turn ended: nothing is left, something may be, or the lane rests for so many milliseconds. */
export type Turn = 'empty' | 'more' | number

export type Seen =
  /** There are new items, which may wait for others for so long. */
  | { readonly is: 'offered'; readonly gatherMs: number }
  | { readonly is: 'taken' }
  | { readonly is: 'ended'; readonly turn: Turn }
  | { readonly is: 'rested' }
  | { readonly is: 'stopping' }

export const IDLE: Lane = { is: 'idle' }
const READY: Lane = { is: 'ready' }

/** The lane after something was seen, and the milliseconds after which it has `rested`; null where it does not begin to rest. */
export function next(lane: Lane, seen: Seen): { readonly lane: Lane; readonly restMs: number | null } {
  const becomes = (after: Lane, restMs: number | null = null) => ({ lane: after, restMs })
  switch (seen.is) {
    case 'offered':
      if (lane.is === 'sending') return becomes({ is: 'sending', hasMore: true })
      // New items end no pause; those that are too many to be gathered end the gathering.
      if (lane.is === 'resting') return becomes(lane.isGathering && seen.gatherMs === 0 ? READY : lane)
      return seen.gatherMs > 0 ? becomes({ is: 'resting', isGathering: true }, seen.gatherMs) : becomes(READY)
    case 'taken':
      return becomes(lane.is === 'ready' ? { is: 'sending', hasMore: false } : lane)
    case 'ended':
      if (lane.is !== 'sending') return becomes(lane)
      if (typeof seen.turn === 'number') return becomes({ is: 'resting', isGathering: false }, seen.turn)
      return becomes(lane.hasMore || seen.turn === 'more' ? READY : IDLE)
    case 'rested':
      return becomes(lane.is === 'resting' ? READY : lane)
    case 'stopping':
      if (lane.is !== 'resting') return becomes(lane)
      return becomes(lane.isGathering ? READY : IDLE)
  }
}

interface LanesDeps {
  /** Lanes that have their turn at a time. */
  readonly concurrency: number
  /** False while there is no point in giving turns. */
  readonly isReady: () => boolean
  /** One turn; never rejects. */
  readonly take: (lane: string) => Promise<Turn>
}

export interface Lanes {
  start(): void
  /** Call `pump` after the offers. */
  offer(lane: string, gatherMs: number): void
  /** Gives turns to lanes that are ready, the first one first. */
  pump(): void
  /** Lanes that are ready get one more turn. Resolves when the turns under way have ended. */
  stop(): Promise<void>
}

export function createLanes({ concurrency, isReady, take }: LanesDeps): Lanes {
  /** Those that are not idle. */
  const lanes = new Map<string, Lane>()
  /** In their order; those whose turn is under way keep their place. */
  const waiting = new Set<string>()
  const timers = new Map<string, ReturnType<typeof setTimeout>>()
  const turns = new Map<string, Promise<void>>()
  let running = false

  function note(name: string, seen: Seen): void {
    const { lane, restMs } = next(lanes.get(name) ?? IDLE, seen)
    if (lane.is === 'idle') lanes.delete(name)
    else lanes.set(name, lane)
    if (lane.is === 'ready' || (lane.is === 'sending' && lane.hasMore)) waiting.add(name)
    else waiting.delete(name)
    if (lane.is !== 'resting') {
      clearTimeout(timers.get(name))
      timers.delete(name)
    } else if (restMs !== null && running) timers.set(name, setTimeout(rested, restMs, name))
  }

  function rested(name: string): void {
    note(name, { is: 'rested' })
    pump()
  }

  function pump(): void {
    for (const name of waiting) {
      if (!running || turns.size >= concurrency || !isReady()) return
      if (turns.has(name)) continue
      note(name, { is: 'taken' })
      turns.set(
        name,
        take(name).then((turn) => ended(name, turn)),
      )
    }
  }

  function ended(name: string, turn: Turn): void {
    turns.delete(name)
    note(name, { is: 'ended', turn })
    pump()
  }

  return {
    start() {
      running = true
    },
    offer(name, gatherMs) {
      if (running) note(name, { is: 'offered', gatherMs })
    },
    pump,
    async stop() {
      for (const name of lanes.keys()) note(name, { is: 'stopping' })
      pump()
      running = false
      await Promise.all(turns.values())
    },
  }
}
