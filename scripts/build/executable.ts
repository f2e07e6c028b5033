/** One executable: the program, its build information and the runtime of a target in one file. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import process from 'node:process'
import { butler } from '../../src/app/schema.ts'
import { type Identity, root } from './identity.ts'
import { packing } from './packing.ts'
import { fetchRuntime } from './runtime.ts'
import { hostTarget, type Target } from './targets.ts'
import { withResources } from './windows-resources.ts'

export interface Order {
  /** Absolute path of the module to compile. */
  readonly entry: string
  /** Absolute path of the executable. */
  readonly outfile: string
  readonly identity: Identity
  /** Left out: this machine, with the runtime that does the build. */
  readonly target?: Target
  /** Compiled code beside the source of what a start loads: a quicker start for some megabytes. Default true. */
  readonly bytecode?: boolean
}

/** At start hardly any function runs often enough to be worth compiling; the program sets the policy back when it is up. */
const RELUCTANT_JIT = 30

/** Modules that every start of Footman imports on its way, with all that they import themselves. */
const STARTED = ['src/cli/program.ts', 'src/cli/run.ts', 'src/cli/check.ts', 'src/app/roles.ts']

/** Constants that the build puts into the program. */
function constants({ version, commit, time }: Identity, target: string): Record<string, string> {
  return {
    FOOTMAN_VERSION: JSON.stringify(version),
    FOOTMAN_COMMIT: JSON.stringify(commit),
    FOOTMAN_COMMIT_TIME: JSON.stringify(time?.toISOString() ?? null),
    FOOTMAN_TARGET: JSON.stringify(target),
    FOOTMAN_DEFAULTS: JSON.stringify(butler.parse({})),
    // Two libraries would carry the folder of the build into the executable, where it leads nowhere.
    __dirname: JSON.stringify('/'),
    __filename: JSON.stringify('/footman.js'),
  }
}

/** Options of the bundler, for an executable and for the list of its contents. */
export const bundling = ({ entry, identity, target }: Omit<Order, 'outfile'>) =>
  ({
    entrypoints: [entry],
    root,
    minify: { whitespace: true, syntax: true, identifiers: true, keepNames: true },
    format: 'esm',
    target: 'bun',
    // A thread or command loads only the chunks it uses: 6 to 8 MB less memory than one big file.
    splitting: true,
    define: constants(identity, target?.name ?? hostTarget()),
    plugins: [packing],
    metafile: true,
    throw: false,
  }) satisfies Bun.BuildConfig

/**
 * Builds it, in two steps: the program becomes chunks; those that a start loads are compiled to bytecode, the others are
 * embedded as they are, because bytecode is up to five times as large as its source. Throws with the messages of the bundler when
 * it cannot be built.
 */
export async function buildExecutable(order: Order): Promise<void> {
  const { entry, outfile, identity, target, bytecode = true } = order
  mkdirSync(dirname(outfile), { recursive: true })
  const workshop = mkdtempSync(join(dirname(outfile), 'build-'))
  const chunks = join(workshop, 'chunks')
  const built = join(workshop, basename(outfile))
  const before = process.cwd()
  try {
    const bundled = await Bun.build({ ...bundling(order), outdir: chunks, naming: { entry: '[name].[ext]' } })
    const { main, warm, cold } = divide(successful(bundled, outfile).metafile, posix.basename(entry))
    const files = (names: readonly string[]) => names.map((name) => `./${name}`)
    // Names of chunks depend on their paths from the working directory, and must be the same in any folder.
    process.chdir(chunks)
    const result = await Bun.build({
      entrypoints: files([main, ...warm]),
      root: chunks,
      external: files(cold),
      // The first step has shortened the names, and kept those that stack traces show.
      minify: { whitespace: true },
      // Bytecode with top-level await needs ESM.
      bytecode,
      format: 'esm',
      target: 'bun',
      splitting: true,
      naming: '[name].[ext]',
      throw: false,
      compile: {
        outfile: built,
        ...(target && { target: target.bun, executablePath: await base(target, identity, workshop) }),
        assets: files(cold),
        jitPolicy: RELUCTANT_JIT,
        // An executable must never read `.env` or `bunfig.toml` where it happens to run.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
    })
    successful(result, outfile)
    renameSync(built, outfile)
  } finally {
    process.chdir(before)
    rmSync(workshop, { recursive: true, force: true })
  }
}

function successful(result: Bun.BuildOutput, outfile: string): Bun.BuildOutput {
  if (!result.success) throw new Error(`building ${outfile} failed\n${result.logs.join('\n')}`)
  return result
}

interface Chunks {
  readonly main: string
  /** Those of the start that others import by name. */
  readonly warm: readonly string[]
  readonly cold: readonly string[]
}

/** Divides the chunks into those that a start loads and the others. */
function divide(metafile: Bun.BuildMetafile | undefined, entry: string): Chunks {
  const chunks = new Map(Object.entries(metafile?.outputs ?? {}).map(([path, chunk]) => [posix.basename(path), chunk]))
  const importsOf = (name: string) =>
    (chunks.get(name)?.imports ?? [])
      .filter(({ kind }) => kind === 'import-statement')
      .map(({ path }) => posix.basename(path))
      .filter((path) => chunks.has(path))
  const started = new Set<string>()
  const visit = (name: string) => {
    if (started.has(name)) return
    started.add(name)
    for (const path of importsOf(name)) visit(path)
  }
  const main = entry.replace(/\.tsx?$/, '.js')
  visit(main)
  for (const [name, { entryPoint }] of chunks) if (entryPoint && STARTED.includes(entryPoint)) visit(name)
  const cold = [...chunks.keys()].filter((name) => !started.has(name)).sort()
  const shared = new Set(cold.flatMap(importsOf).filter((name) => started.has(name) && name !== main))
  return { main, warm: [...shared].sort(), cold }
}

/** The runtime that the program is added to. */
async function base(target: Target, identity: Identity, workshop: string): Promise<string> {
  const runtime = await fetchRuntime(target)
  if (!target.windows) return runtime
  const edited = join(workshop, 'runtime.exe')
  writeFileSync(edited, withResources(readFileSync(runtime), identity))
  return edited
}
