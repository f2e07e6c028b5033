/** Handing back memory that the start needed and running does not. */

interface BunRuntime {
  gc(force: boolean): void
}

/** A full collection where the runtime offers one; takes a few milliseconds. */
export function releaseMemory(): void {
  const runtime = (globalThis as { readonly Bun?: BunRuntime }).Bun
  runtime?.gc(true)
}
