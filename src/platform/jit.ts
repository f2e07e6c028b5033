/** The runtime's compiler of hot code. */

interface BunRuntime {
  readonly unsafe: { setJITPolicy?(scale: number): void }
}

/**
 * Ends the reluctance with which an executable starts (see scripts/build.ts): from here on, code that runs often is
 * compiled as usual. For the thread that calls it; without effect where the runtime has no such setting.
 */
export function compileHotCode(): void {
  const runtime = (globalThis as { readonly Bun?: BunRuntime }).Bun
  runtime?.unsafe.setJITPolicy?.(1)
}
