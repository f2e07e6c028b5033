/** Binary files that the executable contains. */
import { readFile } from 'node:fs/promises'

/**
 * The bytes of an embedded file. `embedded` imports it `with { type: 'file' }`, which Bun's bundler turns into a path inside
 * the executable; `resolve` gives its address as `import.meta.resolve` does, for Deno, which has no such import. Both name
 * the file with a literal: the bundler must see it.
 */
export async function readAsset(
  embedded: () => Promise<{ readonly default: string }>,
  resolve: () => string,
): Promise<Uint8Array> {
  return readFile('Bun' in globalThis ? (await embedded()).default : new URL(resolve()))
}
