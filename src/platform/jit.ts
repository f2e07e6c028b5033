/** The runtime's compiler of hot code. */

interface BunRuntime {
  readonly unsafe: { setJITPolicy?(scale: number): void }
}

/**
 * Ends the reluctance with which an executable starts (see scripts/build/executable.ts): from here on, code that runs
 * often is compiled. `reluctance`: 1 is how the runtime does it; with more, code must run so many times as often before,
 * so that what runs now and then is not compiled and takes no memory for it. For the thread that calls it; without
 * effect where the runtime has no such setting.
 */
export function compileHotCode(reluctance = 1): void {
  const runtime = (globalThis as { readonly Bun?: BunRuntime }).Bun
  runtime?.unsafe.setJITPolicy?.(reluctance)
}
