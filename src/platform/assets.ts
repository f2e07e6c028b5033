/** Files that the executable contains, packed by scripts/build/packing.ts. */
import { readFile } from 'node:fs/promises'

/** Begins the text that the import of a packed file gives. */
export const PACKED = 'brotli:'

/**
 * The bytes of a binary file. `embedded` imports it `with { type: 'file' }`, which gives its path, or in the executable the
 * packed file; `resolve` gives its address as `import.meta.resolve` does, for Deno, which has no such import. Both name the
 * file with a literal: the bundler must see it.
 */
export async function readAsset(
  embedded: () => Promise<{ readonly default: string }>,
  resolve: () => string,
): Promise<Uint8Array> {
  if (!('Bun' in globalThis)) return readFile(new URL(resolve()))
  const { default: content } = await embedded()
  return content.startsWith(PACKED) ? unpack(content) : readFile(content)
}

/** The text of a file that was imported `with { type: 'text' }`. */
export async function readText(embedded: Promise<{ readonly default: string }>): Promise<string> {
  const { default: content } = await embedded
  return content.startsWith(PACKED) ? (await unpack(content)).toString('utf8') : content
}

async function unpack(content: string): Promise<Buffer> {
  const { brotliDecompressSync } = await import('node:zlib')
  return brotliDecompressSync(Buffer.from(content.slice(PACKED.length), 'base64'))
}
