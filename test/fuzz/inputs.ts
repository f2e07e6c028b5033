/** Runs one target with generated inputs for a time or a number of inputs. */
import fc from 'fast-check'
import { growing, inflated, mutated } from './mutations.ts'
import { runOnce, superlinear, type Target, timeOf } from './oracles.ts'

export interface InputFailure {
  readonly target: string
  readonly problem: string
  readonly input: string
  /** Both find the input again. */
  readonly seed: number
  /** Of fast-check, or the number of the input where the process has ended in it. */
  readonly path: string
}

export interface InputReport {
  readonly inputs: number
  /** Those of them whose time was compared with that of valid ones. */
  readonly compared: number
  readonly failures: readonly InputFailure[]
}

interface InputSettings {
  readonly seed: number
  /** How long; default without limit. */
  readonly milliseconds?: number
  /** Inputs of each kind in a round; default 300. */
  readonly inputs?: number
  /** Whether times are compared; default true. */
  readonly times?: boolean
  /** Called with each input before it runs, and its number from 1. */
  readonly onInput?: (input: string, number: number) => void
}

/** Also when the time is over: a busy machine may need it for the start, or for the first of the two properties. */
const LEAST = { errors: 20, growth: 5 } as const
type Property = keyof typeof LEAST
/** Further findings are left out. */
const MOST_FAILURES = 10

/** Ends after one round of a number of inputs, or when the time is over. */
export async function fuzzInputs(target: Target, settings: InputSettings): Promise<InputReport> {
  const { seed, milliseconds, inputs: numRuns = 300, times = true, onInput = () => {} } = settings
  const failures: InputFailure[] = []
  const known = new Set<string>()
  const end = milliseconds === undefined ? null : performance.now() + milliseconds
  const counts = { errors: 0, growth: 0 }
  const isOver = (property: Property) => end !== null && counts[property] >= LEAST[property] && performance.now() >= end
  const begin = (property: Property, input: string): void => {
    counts[property] += 1
    onInput(input, counts.errors + counts.growth)
  }

  /** A finding of a kind that is known does not hide others. */
  async function report(input: string, problem: string | null): Promise<void> {
    if (problem === null || known.has(kindOf(problem))) return
    throw new Found(problem, input)
  }

  const errors = fc.asyncProperty(mutated(target), async (input) => {
    if (isOver('errors')) return
    begin('errors', input)
    await report(input, await problemOf(target, input))
  })
  const growth = fc.asyncProperty(inflated(target), async (input) => {
    if (isOver('growth')) return
    const large = input(Math.min(target.most, 65_536))
    begin('growth', large)
    const found = await superlinear(timeOf(asQuiet(target)), input, controls, target.most)
    if (!found) return
    const { length, ms, controlMs, power } = found
    const numbers = `${length} characters take ${ms.toFixed(1)} ms, a valid input ${controlMs.toFixed(2)} ms`
    await report(large, `time grows with the length to the power ${power.toFixed(1)}: ${numbers}`)
  })
  const controls = target.seeds.slice(0, 4).map((text) => growing(text, [Math.floor(text.length / 2), 8]))

  const checkErrors = (from: number) => fc.check(errors, { seed: from, numRuns })
  const checkGrowth = (from: number) =>
    fc.check(growth, { seed: from, numRuns: Math.ceil(numRuns / 10), endOnFailure: true })

  for (
    let round = 0;
    (round === 0 || (end !== null && performance.now() < end)) && failures.length < MOST_FAILURES;
    round++
  ) {
    for (const check of times ? [checkErrors, checkGrowth] : [checkErrors]) {
      const result = await check(seed + round)
      if (!result.failed) continue
      const error = result.errorInstance as Found
      if (!(error instanceof Found)) throw error
      known.add(kindOf(error.message))
      failures.push({
        target: target.name,
        problem: error.message,
        input: error.input,
        seed: seed + round,
        path: `path ${result.counterexamplePath ?? ''}`,
      })
    }
  }
  return { inputs: counts.errors + counts.growth, compared: counts.growth, failures }
}

class Found extends Error {
  constructor(
    problem: string,
    readonly input: string,
  ) {
    super(problem)
  }
}

async function problemOf(target: Target, input: string): Promise<string | null> {
  try {
    await runOnce(target, input)
    return null
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}\n${placeOf(error)}` : `not an error: ${error}`
  }
}

/** Undeclared errors are found by the other property. */
const asQuiet = (target: Target): Target => ({ ...target, declares: () => true })

/** The first line of the stack that belongs to the product. */
const placeOf = ({ stack = '' }: Error): string =>
  stack
    .split('\n')
    .find((line) => line.includes('/src/'))
    ?.trim() ?? ''

/** The same for findings with one cause. */
const kindOf = (problem: string): string =>
  problem.startsWith('time ') ? 'time' : (problem.split('\n')[1] || problem.replace(/\d+/g, '0')).slice(0, 200)
