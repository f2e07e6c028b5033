/** Waiting in tests: for a condition, never for a length of time. */
import process from 'node:process'

/** Times that every limit is longer while other test files use the same processors; the runner of tests says so. */
const PATIENCE = Number(process.env.FOOTMAN_TEST_PATIENCE ?? 1)

const POLL_MS = 5
/** The longer it waits, the rarer it asks: a question may cost as much as what is tested. */
const POLL_PART = 1 / 20
const MOST_POLL_MS = 50

/** The limit on this machine for work that takes `ms` milliseconds on one that does nothing else. */
export const atMost = (ms: number): number => ms * PATIENCE

export interface UntilOptions {
  /** Milliseconds on a machine that does nothing else; default 20,000. */
  readonly timeout?: number
  /** The awaited condition, for the error text. */
  readonly what?: string
  /** Called when time is up; its answer is added to the error text. */
  readonly state?: () => unknown
}

/**
 * Resolves with the first result of `predicate` that is neither false, null nor undefined. A predicate that throws is
 * asked again; its last error is part of the failure.
 */
export async function until<T>(
  predicate: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { what = predicate.toString() } = options
  const timeout = atMost(options.timeout ?? 20_000)
  const from = performance.now()
  const deadline = from + timeout
  let lastError: unknown
  do {
    try {
      const result = await predicate()
      if (result !== false && result !== null && result !== undefined) {
        return result as Exclude<T, false | null | undefined>
      }
      lastError = undefined
    } catch (error) {
      lastError = error
    }
    await Bun.sleep(Math.min(Math.max((performance.now() - from) * POLL_PART, POLL_MS), MOST_POLL_MS))
  } while (performance.now() < deadline)
  const details = [
    ...(lastError === undefined ? [] : [`last error: ${lastError}`]),
    ...(options.state ? [`state: ${JSON.stringify(await options.state())}`] : []),
  ]
  throw new Error([`waited ${timeout} ms in vain for ${what}`, ...details].join('; '))
}

/** Rejects with a clear text when `promise` takes longer than `ms` milliseconds of an idle machine. */
export async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const timeout = atMost(ms)
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${timeout} ms in vain for ${what}`)), timeout)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
