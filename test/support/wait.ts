/** Waiting in tests: for a condition, never for a length of time. */

const POLL_MS = 5
/** The longer it waits, the rarer it asks: a question may cost as much as what is tested. */
const POLL_PART = 1 / 20
const MOST_POLL_MS = 50

export interface UntilOptions {
  /** Milliseconds; default 20,000: machines of tests are busy. */
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
  const { timeout = 20_000, what = predicate.toString() } = options
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

/** Rejects with a clear text when `promise` takes longer than `timeout` milliseconds. */
export async function within<T>(promise: Promise<T>, timeout: number, what: string): Promise<T> {
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
