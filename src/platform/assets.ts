/** Files and chunks of the program that the executable contains compressed; scripts/build/packing.ts packs them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TARGET } from './version.ts'

/** Begins the name of a compressed file, where the source names the file itself. */
export const PACKED = 'packed:'
/** Folder of the compressed files, beside the program in the executable. */
export const PACKED_DIRECTORY = 'packed'

/**
 * The bytes of a file. `embedded` imports it `with { type: 'file' }`, which gives its path or the name of its compressed form;
 * `resolve` gives its address as `import.meta.resolve` does, for Deno, which has no such import. Both name the file with a
 * literal: the bundler must see it.
 */
export async function readAsset(
  embedded: () => Promise<{ readonly default: string }>,
  resolve: () => string,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!('Bun' in globalThis)) return readFile(new URL(resolve()))
  const path = (await embedded()).default
  return path.startsWith(PACKED) ? unpack(path.slice(PACKED.length)) : readFile(path)
}

/** Lets this thread of the executable import compressed chunks, which the build has given names like `packed:chunk-1a2b3c.js`. */
export function servePackedChunks(): void {
  if (TARGET === 'source') return
  Bun.plugin({
    name: 'packed chunks',
    setup(build) {
      build.onResolve({ filter: /^packed:/ }, ({ path }) => ({ path: path.slice(PACKED.length), namespace: 'packed' }))
      build.onLoad({ filter: /./, namespace: 'packed' }, async ({ path }) => ({
        contents: new TextDecoder().decode(await unpack(path)),
        loader: 'js',
      }))
    },
  })
}

async function unpack(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const { zstdDecompressSync } = await import('node:zlib')
  return zstdDecompressSync(await readFile(join(import.meta.dir, PACKED_DIRECTORY, name)))
}
