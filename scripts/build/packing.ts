/** Divides a bundled program: the chunks that a start needs stay as they are, everything else is compressed. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import { PACKED, PACKED_DIRECTORY } from '../../src/platform/assets.ts'
import { root } from './identity.ts'

/** Modules that `footman run` imports at its start. Their chunks stay, with all that these import statically. */
export const START: readonly string[] = [
  'src/main.ts',
  'src/app/roles.ts',
  'src/tasks/executions/history-worker.ts',
  'src/cli/program.ts',
  'src/cli/other-commands.ts',
  'src/cli/run.ts',
  'src/platform/http-server-tls.ts',
  // Half a second after the start.
  'src/cli/check.ts',
]

/** The pages of the console: the first of them does not wait for a compiler where they are added to `START`. */
export const CONSOLE = 'src/console/site.tsx'

/** Modules of libraries that give way to others. */
export const replacements: Bun.BunPlugin = {
  name: 'replacements',
  setup(build) {
    // The decompressor of fontkit, with 460 KB of tables, gives way to that of the runtime.
    build.onResolve({ filter: /^brotli\/decompress\.js$/ }, () => ({ path: join(import.meta.dirname, 'brotli.ts') }))
    // Only points are made with it: its edition for browsers does not load node:http at the start.
    build.onResolve({ filter: /^@influxdata\/influxdb-client$/ }, ({ path }) => ({
      path: join(root, 'node_modules', path, 'dist/index.browser.mjs'),
    }))
  },
}

export interface Division {
  /** Absolute paths of the chunks that stay, to be compiled each by itself; the program comes first. */
  readonly chunks: readonly string[]
  /** Absolute path of the folder of compressed files, to be embedded; null when there are none. */
  readonly packed: string | null
}

/**
 * Divides what the bundler has written into one folder. `start`: the modules whose chunks stay; null means all of them, so that
 * only files are compressed. `home`: the folder of the executable's own files, where chunks find those that stay; they refer to
 * a compressed file by the name that src/platform/assets.ts serves. Throws when a module of `start` has no chunk.
 */
export async function divide(
  { outputs, metafile }: Bun.BuildOutput,
  start: readonly string[] | null,
  home: string,
): Promise<Division> {
  const directory = dirname(outputs[0]!.path)
  const names = outputs.map(({ path }) => basename(path))
  const staying = chunksOf(metafile!, start)
  const going = names.filter((name) => !staying.includes(name))
  const resolved = (code: string) =>
    code.replace(references(staying), `"${home}$1"`).replace(references(going), `"${PACKED}$1"`)
  const packed = join(directory, PACKED_DIRECTORY)
  mkdirSync(packed)
  for (const name of staying) {
    const file = join(directory, name)
    writeFileSync(file, resolved(readFileSync(file, 'utf8')))
  }
  await Promise.all(
    going.map(async (name) => {
      const bytes = readFileSync(join(directory, name))
      const content = name.endsWith('.js') ? Buffer.from(resolved(bytes.toString())) : bytes
      writeFileSync(join(packed, name), await compress(content))
    }),
  )
  return { chunks: staying.map((name) => join(directory, name)), packed: going.length > 0 ? packed : null }
}

/** The references that the bundler writes. The hashes in the names keep them apart from other texts. */
const references = (names: readonly string[]) => new RegExp(`"\\./(${names.map(RegExp.escape).join('|')})"`, 'g')

const LEVEL = 19
const zstd = promisify(zstdCompress)
const CACHE = join(root, 'node_modules', '.cache', 'packed')
/** Smaller files are compressed again each time; the larger ones are mostly those of libraries, alike in all builds. */
const CACHED_BYTES = 200_000

async function compress(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length < CACHED_BYTES) return compressNow(bytes)
  const digest = createHash('sha256').update(bytes).digest('hex')
  const cached = join(CACHE, `${digest}-${process.versions.zstd}-${LEVEL}`)
  if (existsSync(cached)) return readFileSync(cached)
  const packed = await compressNow(bytes)
  mkdirSync(CACHE, { recursive: true })
  // Another build at the same time never finds half a file.
  const written = `${cached}.${process.pid}`
  writeFileSync(written, packed)
  renameSync(written, cached)
  return packed
}

const compressNow = (bytes: Uint8Array): Promise<Uint8Array> =>
  zstd(bytes, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } })

/** The chunks of these modules and all that they import statically, without folders; that of the program comes first. */
function chunksOf({ outputs }: Bun.BuildMetafile, start: readonly string[] | null): string[] {
  const found = new Map(Object.entries(outputs).map(([path, output]) => [basename(path), output]))
  const entries = new Set([...found.values()].map(({ entryPoint }) => entryPoint))
  const missing = start?.filter((module) => !entries.has(module)) ?? []
  if (missing.length > 0)
    throw new Error(`START in scripts/build/packing.ts names ${missing.join(', ')}, without a chunk`)
  const chunks = new Set<string>()
  const add = (name: string): void => {
    if (chunks.has(name)) return
    chunks.add(name)
    for (const { path, kind } of found.get(name)?.imports ?? []) {
      if (kind === 'import-statement' && found.has(basename(path))) add(basename(path))
    }
  }
  for (const [name, { entryPoint }] of found) {
    if (entryPoint && name.endsWith('.js') && (!start || start.includes(entryPoint))) add(name)
  }
  return [...chunks]
}
