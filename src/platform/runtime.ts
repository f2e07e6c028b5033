/** Controls of the Bun runtime; without effect under other runtimes. */

interface BunRuntime {
  gc(force: boolean): void
  shrink?(): void
  readonly unsafe: { setJITPolicy?(scale: number): void }
}

const bun = () => (globalThis as { readonly Bun?: BunRuntime }).Bun

/**
 * Lifts the delay of compilation with which an executable starts (see scripts/build/executable.ts): from here on, code that
 * runs often is compiled. `reluctance`: 1 is the default of the runtime; with n, code must run n times as often before it is
 * compiled, which saves memory for code that runs rarely. Applies to the calling thread.
 */
export function compileHotCode(reluctance = 1): void {
  bun()?.unsafe.setJITPolicy?.(reluctance)
}

/**
 * Runs a full garbage collection and gives up compiled code, which frees the memory of the start or of a busy time; takes a
 * few milliseconds. Code that is used again is read from the executable again.
 */
export function releaseMemory(): void {
  bun()?.gc(true)
  bun()?.shrink?.()
}

/** So many events, deliveries or messages are a busy time; it is over when none has come for so long. */
const BUSY = { least: 1000, quietMs: 20_000 }

/** Returns a function to be called for each piece of work. When a busy time is over it calls `shrink` and releases memory. */
export function releaseAfterWork(shrink: () => void, { least, quietMs } = BUSY): () => void {
  let done = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  function rest(): void {
    done = 0
    timer = undefined
    shrink()
    releaseMemory()
  }
  return () => {
    done += 1
    if (timer) timer.refresh()
    else if (done >= least) {
      timer = setTimeout(rest, quietMs)
      timer.unref()
    }
  }
}
