/** The smallest test harness that runs in every runtime: named functions that throw when something is wrong. */

export interface Case {
  readonly name: string
  /** Runtimes where the case cannot hold, with the reason. */
  readonly skip?: Partial<Record<RuntimeName, string>>
  run(): Promise<void>
}

export type RuntimeName = 'bun' | 'deno'

export interface CaseResult {
  readonly suite: string
  readonly name: string
  /** Null when it passed; the error otherwise. */
  readonly error: string | null
  readonly skipped?: string
}

const CASE_TIMEOUT_MS = 15_000

export const runtimeName: RuntimeName = 'Deno' in globalThis ? 'deno' : 'bun'

/** Runs the cases one after the other. */
export async function runSuite(suite: string, cases: readonly Case[]): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const { name, run, skip } of cases) {
    const skipped = skip?.[runtimeName]
    if (skipped) results.push({ suite, name, error: null, skipped })
    else results.push({ suite, name, error: await outcome(run) })
  }
  return results
}

async function outcome(run: () => Promise<void>): Promise<string | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not finished within ${CASE_TIMEOUT_MS} ms`)), CASE_TIMEOUT_MS)
  })
  try {
    await Promise.race([run(), late])
    return null
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  } finally {
    clearTimeout(timer)
  }
}

/** A promise and the function that fulfils it. */
export function signal<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
