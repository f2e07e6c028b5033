/** Controls of the Bun runtime; without effect under other runtimes. */

interface BunRuntime {
  gc(force: boolean): void
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

/** Runs a full garbage collection, which frees the memory of the start; takes a few milliseconds. */
export function releaseMemory(): void {
  bun()?.gc(true)
}
