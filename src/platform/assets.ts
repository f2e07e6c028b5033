/** Files and libraries that the executable contains, packed by scripts/build/packing.ts. */
import { readFile } from 'node:fs/promises'

/** Of a file that is compressed with Zstandard. */
const MAGIC = Buffer.from('28b52ffd', 'hex')

/**
 * The bytes of a file. `embedded` imports it `with { type: 'file' }`, which gives its path; `resolve` gives its address as
 * `import.meta.resolve` does, for Deno, which has no such import. Both name the file with a literal: the bundler must see it.
 */
export async function readAsset(
  embedded: () => Promise<{ readonly default: string }>,
  resolve: () => string,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!('Bun' in globalThis)) return readFile(new URL(resolve()))
  return readPacked((await embedded()).default)
}

/** The module whose compressed code lies at `path`; called by what the build puts in the place of a library. */
export async function importPacked(path: string): Promise<Record<string, unknown>> {
  const url = URL.createObjectURL(new Blob([await readPacked(path)], { type: 'text/javascript' }))
  try {
    return await import(url)
  } finally {
    URL.revokeObjectURL(url)
  }
}

async function readPacked(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const content = await readFile(path)
  if (!content.subarray(0, MAGIC.length).equals(MAGIC)) return content
  const { zstdDecompressSync } = await import('node:zlib')
  return zstdDecompressSync(content)
}
