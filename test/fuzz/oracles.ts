/** What must hold for every input of a target: no error but the declared ones, and time in proportion to the length. */
import type { Growing } from './mutations.ts'

export interface Target {
  readonly name: string
  readonly seeds: readonly string[]
  readonly tokens: readonly string[]
  /** The longest input that gets here, in characters. */
  readonly most: number
  /** Reads the input, and uses what it has read. */
  readonly run: (input: string) => unknown
  /** Errors by which the target refuses an input. */
  readonly declares: (error: unknown) => boolean
}

/** Runs one input. Throws what is not declared. */
export async function runOnce({ run, declares }: Pick<Target, 'run' | 'declares'>, input: string): Promise<void> {
  try {
    await run(input)
  } catch (error) {
    if (!declares(error)) throw error
  }
}

/** Milliseconds that an input takes. */
export type TimeOf = (input: string) => Promise<number>

export const timeOf =
  (target: Pick<Target, 'run' | 'declares'>): TimeOf =>
  async (input) => {
    const began = performance.now()
    await runOnce(target, input)
    return performance.now() - began
  }

/** Characters of the larger input; the smaller one has a quarter. */
const LARGE = 65_536
/** An input may cost so much more per byte than valid ones: only then its growth is looked at. */
const SUSPICIOUS = 8
/** Shorter times are noise of the collector, the compiler and other programs. */
const LEAST_MS = 40
/** Time grows with the length to this power at most: 1 is linear, 2 is quadratic. */
const MOST_POWER = 1.6

export interface Growth {
  readonly length: number
  readonly ms: number
  /** Of a valid input of the same length, in the same run. */
  readonly controlMs: number
  readonly power: number
}

/** How often a suspicious input is measured: the least time counts, as other programs run on the machine. */
const REPEATS = 5
/** It must look the same so often. */
const LOOKS = 2

/**
 * Null for an input whose time grows in proportion to its length, or that takes about as long as the slowest of `controls`,
 * valid inputs of the same length.
 */
export async function superlinear(
  time: TimeOf,
  input: Growing,
  controls: readonly Growing[],
  most = LARGE,
): Promise<Growth | null> {
  const length = Math.min(most, LARGE)
  const [large, small] = [input(length), input(Math.ceil(length / 4))]
  const isSuspicious = (ms: number, controlMs: number) => ms > LEAST_MS && ms > SUSPICIOUS * controlMs
  if (!isSuspicious(await time(large), 0)) return null
  const best = async (text: string) => {
    let least = Number.POSITIVE_INFINITY
    for (let n = 0; n < REPEATS; n++) least = Math.min(least, await time(text))
    return least
  }
  let growth: Growth | null = null
  for (let look = 0; look < LOOKS; look++) {
    let controlMs = 0
    for (const control of controls) controlMs = Math.max(controlMs, await best(control(length)))
    const [ms, smallMs] = [await best(large), await best(small)]
    const power = Math.log(ms / smallMs) / Math.log(large.length / small.length)
    if (!isSuspicious(ms, controlMs) || power <= MOST_POWER) return null
    growth = { length: large.length, ms, controlMs, power }
  }
  return growth
}
