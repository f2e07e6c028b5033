/** Retries of work that needs the engine: opening an app, making a document. */
import { setTimeout as delay } from 'node:timers/promises'
import { ReportError } from '../codes.ts'

interface RetryDeps {
  /** Gets a line for the log of the run before each pause. */
  readonly line: (text: string) => void
  /** Ends the waiting; then the last failure is thrown. */
  readonly signal?: AbortSignal
  /** Pauses before the second and each further attempt, ms; default 10 s and 60 s. */
  readonly pausesMs?: readonly number[]
  readonly random?: () => number
}

const PAUSES_MS = [10_000, 60_000]
/** Spreads each pause by up to 20 % in both directions. */
const JITTER = 0.2

/** True when another session of the engine may succeed: it was lost, busy, silent or out of reach. */
export const isEngineLost = (error: unknown): error is ReportError =>
  error instanceof ReportError && error.code === 'ENGINE_UNREACHABLE'

/**
 * Runs `work` again after a lost engine, at most as often as there are pauses. The session is of no use then: each
 * attempt opens its own. Other failures are thrown at once.
 */
export async function withEngineRetries<T>(
  work: (attempt: number) => Promise<T>,
  { line, signal, pausesMs = PAUSES_MS, random = Math.random }: RetryDeps,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      const pause = pausesMs[attempt - 1]
      if (!isEngineLost(error) || pause === undefined || signal?.aborted) throw error
      const wait = Math.round(pause * (1 + JITTER * (2 * random() - 1)))
      line(`engine lost, attempt ${attempt + 1} of ${pausesMs.length + 1} in ${wait} ms: ${error.details}`)
      await delay(wait, undefined, signal ? { signal } : {}).catch(() => undefined)
      if (signal?.aborted) throw error
    }
  }
}
