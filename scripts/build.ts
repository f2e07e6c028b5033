/**
 * `npm run build`: dist/footman for this platform. `-- --all`: one executable a target. `-- --entry FILE --out DIR`
 * build something else the same way.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import manifest from '../package.json' with { type: 'json' }

const root = join(import.meta.dirname, '..')

interface Target {
  readonly name: string
  /** Bun's name for it. */
  readonly bun: string
  readonly extension: '' | '.exe'
  /** True where the test suite runs on that platform; the others are built only. */
  readonly tested: boolean
}

export const TARGETS: readonly Target[] = [
  { name: 'linux-x64', bun: 'bun-linux-x64', extension: '', tested: true },
  { name: 'linux-arm64', bun: 'bun-linux-arm64', extension: '', tested: false },
  { name: 'windows-x64', bun: 'bun-windows-x64', extension: '.exe', tested: false },
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

/** `--bytecode` with top-level await needs ESM; a binary must never read `.env` or `bunfig.toml` where it happens to run. */
function buildArguments(entry: string, outfile: string, commit: string, target?: Target): string[] {
  return [
    'build',
    '--compile',
    '--minify',
    '--keep-names',
    '--bytecode',
    '--format=esm',
    // A thread or command loads only the chunks it uses: 6 to 8 MB less memory than one big file.
    '--splitting',
    '--sourcemap=inline',
    '--no-compile-autoload-dotenv',
    '--no-compile-autoload-bunfig',
    `--define=FOOTMAN_VERSION=${JSON.stringify(manifest.version)}`,
    `--define=FOOTMAN_COMMIT=${JSON.stringify(commit)}`,
    ...(target ? [`--target=${target.bun}`] : []),
    `--outfile=${outfile}`,
    entry,
  ]
}

function build(entry: string, outfile: string, commit: string, target?: Target): boolean {
  // The source maps are inside the executable, for readable stack traces; Bun leaves copies beside the outfile.
  const workshop = mkdtempSync(resolve(root, values.out, 'build-'))
  const built = join(workshop, basename(outfile))
  try {
    const result = spawnSync(process.execPath, buildArguments(entry, built, commit, target), {
      cwd: root,
      encoding: 'utf8',
    })
    if (result.status === 0) {
      renameSync(built, resolve(root, outfile))
      return true
    }
    console.error(`${result.stdout}${result.stderr}${result.error?.message ?? ''}`)
    console.error(`footman: building ${outfile} failed (exit code ${result.status})`)
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
    entry: { type: 'string', default: 'src/main.ts' },
    out: { type: 'string', default: 'dist' },
  },
})

mkdirSync(resolve(root, values.out), { recursive: true })
const commit = gitCommit()
console.log(`Footman ${manifest.version}, commit ${commit}`)
if (values.all) {
  for (const target of TARGETS) {
    const outfile = join(values.out, `footman-${target.name}${target.extension}`)
    if (!build(values.entry, outfile, commit, target)) process.exit(1)
    report(outfile, target.tested ? '' : '  (built only, not run by the test suite)')
  }
} else {
  const outfile = join(values.out, process.platform === 'win32' ? 'footman.exe' : 'footman')
  if (!build(values.entry, outfile, commit)) process.exit(1)
  report(outfile, '')
}
