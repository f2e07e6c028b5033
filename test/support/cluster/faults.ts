/** Faults that strike a cluster while datagrams flow. */
import type { TestCluster } from './cluster.ts'
import type { ClusterNode } from './node.ts'

/** Sends of one leader that may be repeated after its end: two lanes of four (`delivery.concurrency`). */
export const REPEATS_PER_END = 8

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export const between = (random: () => number, least: number, most: number): number => least + random() * (most - least)

export const anyOf = <T>(random: () => number, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T

/** Ends early when the signal does. */
export function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}

export interface Kills {
  readonly kills: number
  /** Those that hit the leader. */
  readonly leaders: number
}

/**
 * Kills a node every 2.5 to 6.5 s, every second time the leader, in the middle of a burst of 30 messages to `to`, and starts it
 * again 0.5 to 2 s later. Resolves after the signal, with all nodes running.
 */
export async function killAtRandom(
  cluster: TestCluster,
  random: () => number,
  to: 'all' | 'random',
  signal: AbortSignal,
): Promise<Kills> {
  let [kills, leaders] = [0, 0]
  while (!signal.aborted) {
    await pauseFor(between(random, 2500, 6500), signal)
    if (signal.aborted) break
    const leader = await cluster.leader().catch(() => null)
    const victim = kills % 2 === 0 && leader ? leader : anyOf(random, cluster.nodes)
    kills += 1
    if (victim === leader) leaders += 1
    const burst = cluster.send({ count: 30, perSecond: 60, to })
    await Bun.sleep(250)
    await victim.kill()
    await Promise.all([burst, pauseFor(between(random, 500, 2000), signal)])
    await victim.start()
  }
  return { kills, leaders }
}

/** Runs `fault` while datagrams are sent; resolves with what it returned when all is sent. */
export async function during<T>(sending: Promise<unknown>, fault: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const end = new AbortController()
  const struck = fault(end.signal)
  // Unhandled before the sending ends otherwise.
  struck.catch(() => undefined)
  await sending
  end.abort()
  return struck
}

/** Milliseconds until another node leads, from the call on. */
export async function takeoverMs(cluster: TestCluster, from: ClusterNode, timeout = 20_000): Promise<number> {
  const started = performance.now()
  await cluster.untilLed({ not: from, timeout })
  return performance.now() - started
}

/** The shortest that may be set; by default outages of twice the length are borne. */
export const SHORT_TIMES = { leaseDuration: '3s', aloneAfter: '6s' }
export const ALONE_AFTER_MS = 6000

export const modesOf = (cluster: TestCluster) => Promise.all(cluster.nodes.map((node) => cluster.modeOf(node)))
