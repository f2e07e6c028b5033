/** One executable: the program, its build information and the runtime of a target in one file. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import process from 'node:process'
import { butler } from '../../src/app/schema.ts'
import { PACKED } from '../../src/platform/assets.ts'
import { type Identity, root } from './identity.ts'
import { CONSOLE, divide, replacements, START } from './packing.ts'
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
  /** Compiled code beside the source: a quicker start for some megabytes. Default true. */
  readonly bytecode?: boolean
}

/** At start hardly any function runs often enough to be worth compiling; the program sets the policy back when it is up. */
const RELUCTANT_JIT = 30

/** The functions that a start uses, so that their code lies side by side; made by scripts/start-profile.ts. */
export const START_PROFILE = join(import.meta.dirname, 'start-profile.txt')

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

const COMPACT = {
  // Names stay, because stack traces in logs show them; there are no source maps.
  minify: { whitespace: true, syntax: true, identifiers: false },
  // Bytecode with top-level await needs ESM.
  format: 'esm',
  target: 'bun',
} satisfies Partial<Bun.BuildConfig>

/** Options of the bundler, for an executable and for the list of its contents. */
export const bundling = ({ entry, identity, target }: Omit<Order, 'outfile'>) =>
  ({
    entrypoints: [entry],
    root,
    ...COMPACT,
    // A thread or command loads only the chunks it uses: 6 to 8 MB less memory than one big file.
    splitting: true,
    define: constants(identity, target?.name ?? hostTarget()),
    plugins: [replacements],
    throw: false,
  }) satisfies Bun.BuildConfig

const MAIN = 'src/main.ts'

/**
 * The modules whose chunks are compiled, and how deep functions in functions are. The runtime for Windows is 6 MB larger than
 * that for Linux; compiling less keeps that executable below 128 MB, too, for 20 ms of a start and 30 of the first page of the console.
 */
const COMPILED = {
  windows: { chunks: START, depth: 1 },
  others: { chunks: [...START, CONSOLE], depth: undefined },
}

/** Builds it. Throws with the messages of the bundler when it cannot be built. */
export async function buildExecutable(order: Order): Promise<void> {
  const { entry, outfile, identity, target, bytecode = true } = order
  mkdirSync(dirname(outfile), { recursive: true })
  const workshop = mkdtempSync(join(dirname(outfile), 'build-'))
  const outdir = join(workshop, 'bundled')
  const built = join(workshop, basename(outfile))
  const windows = target?.windows ?? process.platform === 'win32'
  const home = windows ? 'B:/~BUN/root/' : '/$bunfs/root/'
  const { chunks: wanted, depth } = windows ? COMPILED.windows : COMPILED.others
  try {
    const bundled = await Bun.build({ ...bundling(order), outdir, naming: FLAT, metafile: true })
    const start = relative(root, entry).replaceAll('\\', '/') === MAIN ? wanted : null
    const { chunks, packed } = await divide(successful(bundled, outfile), start, home)
    const compiled = await Bun.build({
      ...COMPACT,
      entrypoints: [...chunks],
      root: outdir,
      naming: FLAT,
      bytecode,
      bytecodeDepth: depth,
      throw: false,
      // Each chunk stays what it is; the executable finds the others beside it.
      external: [`${home}*`, `${PACKED}*`],
      compile: {
        outfile: built,
        ...(target && { target: target.bun, executablePath: await base(target, identity, workshop) }),
        ...(packed && { assets: [packed] }),
        jitPolicy: RELUCTANT_JIT,
        bytecodeOrder: bytecode && START_PROFILE,
        // An executable must never read `.env` or `bunfig.toml` where it happens to run.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
    })
    successful(compiled, outfile)
    renameSync(built, outfile)
  } finally {
    rmSync(workshop, { recursive: true, force: true })
  }
}

/** Everything in one folder: where the executable looks for what a chunk imports. */
const FLAT = { entry: '[name].[ext]', chunk: 'chunk-[hash].[ext]', asset: '[name]-[hash].[ext]' }

function successful(result: Bun.BuildOutput, what: string): Bun.BuildOutput {
  if (!result.success) throw new Error(`building ${what} failed\n${result.logs.join('\n')}`)
  return result
}

/** The runtime that the program is added to. */
async function base(target: Target, identity: Identity, workshop: string): Promise<string> {
  const runtime = await fetchRuntime(target)
  if (!target.windows) return runtime
  const edited = join(workshop, 'runtime.exe')
  writeFileSync(edited, withResources(readFileSync(runtime), identity))
  return edited
}
