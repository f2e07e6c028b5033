/**
 * `npm run build`: dist/footman for this platform. `-- --all`: one executable a target; `-- --target windows-x64`: that one.
 * `-- --entry FILE --out DIR` build something else the same way.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import manifest from '../package.json' with { type: 'json' }
import { butler } from '../src/config/schema.ts'

const root = join(import.meta.dirname, '..')

interface Target {
  readonly name: string
  /** Bun's name for it. */
  readonly bun: Bun.Build.CompileTarget
  readonly extension: '' | '.exe'
  /** True where the test suite runs on that platform; the others are built only. */
  readonly tested: boolean
}

export const TARGETS: readonly Target[] = [
  { name: 'linux-x64', bun: 'bun-linux-x64', extension: '', tested: true },
  { name: 'linux-arm64', bun: 'bun-linux-arm64', extension: '', tested: false },
  { name: 'windows-x64', bun: 'bun-windows-x64', extension: '.exe', tested: true },
  { name: 'darwin-x64', bun: 'bun-darwin-x64', extension: '', tested: false },
  { name: 'darwin-arm64', bun: 'bun-darwin-arm64', extension: '', tested: false },
]

/** Short hash of the commit, with `-dirty` when tracked files differ from it; `unknown` outside a git clone. */
function gitCommit(): string {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  const head = git('rev-parse', '--short=12', 'HEAD')
  if (head.status !== 0) return 'unknown'
  const dirty = git('status', '--porcelain', '--untracked-files=no').stdout !== ''
  return head.stdout.trim() + (dirty ? '-dirty' : '')
}

/** What the program finds built in. */
function constants(commit: string): Record<string, string> {
  return {
    FOOTMAN_VERSION: JSON.stringify(manifest.version),
    FOOTMAN_COMMIT: JSON.stringify(commit),
    FOOTMAN_DEFAULTS: JSON.stringify(butler.parse({})),
  }
}

/** At start hardly any function runs often enough to be worth compiling; the program sets the policy back when it is up. */
const RELUCTANT_JIT = 10

async function build(entry: string, outfile: string, commit: string, target?: Target): Promise<boolean> {
  // The source maps are inside the executable, for readable stack traces; Bun leaves copies beside the outfile.
  const workshop = mkdtempSync(resolve(root, values.out, 'build-'))
  const built = join(workshop, basename(outfile))
  try {
    const result = await Bun.build({
      entrypoints: [resolve(root, entry)],
      root,
      minify: { whitespace: true, syntax: true, identifiers: true, keepNames: true },
      // Bytecode with top-level await needs ESM.
      bytecode: true,
      format: 'esm',
      // A thread or command loads only the chunks it uses: 6 to 8 MB less memory than one big file.
      splitting: true,
      sourcemap: 'inline',
      define: constants(commit),
      throw: false,
      compile: {
        outfile: built,
        ...(target && { target: target.bun }),
        jitPolicy: RELUCTANT_JIT,
        // An executable must never read `.env` or `bunfig.toml` where it happens to run.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
    })
    if (result.success) {
      renameSync(built, resolve(root, outfile))
      return true
    }
    for (const line of result.logs) console.error(line)
    console.error(`footman: building ${outfile} failed`)
    return false
  } finally {
    rmSync(workshop, { recursive: true, force: true })
  }
}

function report(outfile: string, note: string): void {
  const megabytes = (statSync(outfile).size / 1e6).toFixed(1)
  const digest = createHash('sha256').update(readFileSync(outfile)).digest('hex')
  console.log(`${outfile}  ${megabytes} MB  SHA-256 ${digest}${note}`)
}

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    target: { type: 'string' },
    entry: { type: 'string', default: 'src/main.ts' },
    out: { type: 'string', default: 'dist' },
  },
})

mkdirSync(resolve(root, values.out), { recursive: true })
const commit = gitCommit()
console.log(`Footman ${manifest.version}, commit ${commit}`)
const targets = values.all ? TARGETS : TARGETS.filter(({ name }) => name === values.target)
if (values.target !== undefined && targets.length === 0) {
  console.error(
    `footman: no target is called ${values.target}; there are ${TARGETS.map(({ name }) => name).join(', ')}`,
  )
  process.exit(1)
}
if (targets.length > 0) {
  for (const target of targets) {
    const outfile = join(values.out, `footman-${target.name}${target.extension}`)
    if (!(await build(values.entry, outfile, commit, target))) process.exit(1)
    report(outfile, target.tested ? '' : '  (built only, not run by the test suite)')
  }
} else {
  const outfile = join(values.out, process.platform === 'win32' ? 'footman.exe' : 'footman')
  if (!(await build(values.entry, outfile, commit))) process.exit(1)
  report(outfile, '')
}
