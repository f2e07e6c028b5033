/**
 * `npm test`: type check, lint, build and every test file, in one pool (`lib/pool.ts`); each file is a process of its own.
 * Files with failures run a second time, alone. Failed and flaky tests are listed at the end. With `CI=true` a flaky test has
 * failed unless `test/quarantine.json` lists it. The last line is `N passed, N failed[, N skipped]`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { declaredNeeds, lackingPackages, lackingPrograms, type Need } from '../test/support/servers.ts'
import { makeWindowsDrive, type WindowsDrive } from '../test/support/wine/wine.ts'
import { count, judge, type Verdict } from './lib/junit.ts'
import { type Job, runJobs, shareOf, type Timing } from './lib/pool.ts'
import { combine, failFlaky, failureLines, filesToTry, flakyLines, parseQuarantine } from './lib/second-try.ts'
import { SUITES, type Suite } from './lib/suites.ts'
import { helpOn } from './lib/usage.ts'

helpOn(`
npm test [-- [--install] [--update-timings] [FILTER...]]

Type check, lint, build, then every test. With FILTER only the test files whose path contains one of
the texts, without the checks. Files with failures run a second time, alone. The exit code is 1
after failures.

  --install          installs the Debian packages that this machine lacks while tests run already
  --update-timings   writes the measured times of the files to test/timings.json
`)

interface TestFile {
  /** `test/unit/x.test.ts`. */
  readonly path: string
  readonly suite: Suite
  readonly needs: readonly Need[]
}

/** Times, exit code and output of a process. */
interface Run extends Timing {
  readonly exitCode: number | null
  /** Both streams. */
  readonly output: string
}

const root = join(import.meta.dirname, '..')
const results = join(root, 'test-results')
const TIMINGS = join(root, 'test', 'timings.json')
const EXECUTABLE = join(root, 'dist', process.platform === 'win32' ? 'footman.exe' : 'footman')
const PROGRAMS = 'programs'
const LONGEST_FILE_MS = 10 * 60_000
/** Processors for a browser: the processor time of its processes is in no measurement, because it does not wait for their ends. */
const PAGES_SHARE = 0.7
/** Times that limits of time are longer for files that run beside others. */
const PATIENCE_BESIDE_OTHERS = 3
const SLOWEST_SHOWN = 10

const options = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
const filters = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const ci = process.env.CI === 'true'
const quarantine = parseQuarantine(readFileSync(join(root, 'test', 'quarantine.json'), 'utf8'))
const timings: Record<string, Timing> = JSON.parse(readFileSync(TIMINGS, 'utf8'))

const total = { passed: 0, failed: 0, skipped: 0 }
/** Lines printed at the end. */
const closing: string[] = []
const measured = new Map<string, Timing>()
const verdicts = new Map<string, Verdict>()
const started = performance.now()
let drive: WindowsDrive | undefined

const seconds = (ms: number): string => (ms / 1000).toFixed(1).padStart(6)

function fail(message: string): void {
  total.failed++
  console.error(`FAILED: ${message}`)
  closing.push(`FAILED: ${message}`)
}

/** A file that cannot run here fails a continuous build; elsewhere it is skipped. */
function skip(what: string, reason: string): void {
  if (ci) {
    fail(`${what}: ${reason}`)
    return
  }
  total.skipped++
  console.log(`SKIPPED: ${what}: ${reason}`)
  closing.push(`SKIPPED: ${what}: ${reason}`)
}

/** Runs a program to its end. Its processor time includes that of the programs it has waited for. */
async function runProcess(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const begin = performance.now()
  const child = Bun.spawn([...command], {
    cwd: root,
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: LONGEST_FILE_MS,
    killSignal: 'SIGKILL',
  })
  let output = ''
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true })
  }
  await Promise.all([collect(child.stdout), collect(child.stderr), child.exited])
  const cpu = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1000
  return { exitCode: child.exitCode, output, wall: performance.now() - begin, cpu }
}

/** A check or a build; its output is printed when it fails. */
function step(name: string, command: readonly string[], after: readonly string[] = []): Job {
  return {
    name,
    share: 1,
    wall: Number.POSITIVE_INFINITY,
    after,
    async run() {
      const run = await runProcess(command)
      measured.set(name, run)
      console.log(`${run.exitCode === 0 ? 'done  ' : 'FAILED'} ${seconds(run.wall)} s  ${name}`)
      if (run.exitCode === 0) return true
      console.log(run.output)
      fail(name)
      return false
    },
  }
}

const bun = (...args: readonly string[]): string[] => [process.execPath, '--no-env-file', ...args]

function installing(packages: readonly string[]): Job {
  const sudo = process.getuid?.() === 0 ? '' : 'sudo '
  const install = `${sudo}apt-get update -q && ${sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends`
  return { ...step(PROGRAMS, ['sh', '-c', `${install} ${packages.join(' ')}`]), share: 0.5 }
}

const windowsDrive: Job = {
  name: 'windows drive',
  share: 1,
  wall: Number.POSITIVE_INFINITY,
  after: ['windows executable'],
  async run() {
    drive = await makeWindowsDrive(join(root, 'dist', 'footman-windows-x64.exe'))
    return true
  },
}

/** The test files of a suite that match the filters, sorted. */
function filesOf(suite: Suite): TestFile[] {
  const directory = join(root, 'test', suite.name)
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.test\.tsx?$/.test(file))
    .map((file) => `test/${suite.name}/${file.replaceAll('\\', '/')}`)
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort()
    .map((path) => ({
      path,
      suite,
      needs: [...suite.needs, ...declaredNeeds(readFileSync(join(root, path), 'utf8'))],
    }))
}

/**
 * Runs one file once. `slot` keeps the ports of files that run at the same time apart; `patience` is how many times
 * longer its limits of time are than on a machine that does nothing else.
 */
async function runFile({ path, suite }: TestFile, report: string, slot: number, patience = 1): Promise<Verdict> {
  mkdirSync(dirname(report), { recursive: true })
  const env = {
    FOOTMAN_TEST_SLOT: String(slot),
    FOOTMAN_TEST_PATIENCE: String(patience),
    ...(suite.after === 'executable' && { FOOTMAN_BINARY: process.env.FOOTMAN_BINARY ?? EXECUTABLE }),
    ...(suite.after === 'windows drive' && drive?.env),
  }
  const run = await runProcess(
    // On a machine with much to do, five seconds are little for a property test.
    bun('test', '--no-orphans', '--timeout=90000', '--reporter=junit', `--reporter-outfile=${report}`, `./${path}`),
    env,
  )
  const xml = existsSync(report) ? readFileSync(report, 'utf8') : null
  const verdict = judge({ exitCode: run.exitCode, xml, expectedFiles: [path] })
  const { passed, failed } = count(verdict)
  if (failed > 0 || filters.length > 0) console.log(run.output.trimEnd())
  const state = failed > 0 ? 'FAILED' : 'passed'
  console.log(`${state} ${seconds(run.wall)} s ${seconds(run.cpu)} s cpu ${String(passed).padStart(4)}  ${path}`)
  measured.set(path, { wall: Math.round(run.wall), cpu: Math.round(run.cpu) })
  return verdict
}

const reportOf = (folder: string, path: string): string => join(results, folder, `${path.slice('test/'.length)}.xml`)

function testJob(file: TestFile, isInstalling: boolean, isAlone: boolean): Job {
  const { path, suite, needs } = file
  const patience = isAlone || needs.includes('quiet') ? 1 : PATIENCE_BESIDE_OTHERS
  const waitsForPrograms = isInstalling && lackingPrograms(needs).length > 0
  return {
    name: path,
    share: needs.includes('quiet')
      ? 'all'
      : Math.max(shareOf(timings[path]), needs.includes('chromium') ? PAGES_SHARE : 0),
    wall: timings[path]?.wall ?? 0,
    after: [...(suite.after ? [suite.after] : []), ...(waitsForPrograms ? [PROGRAMS] : [])],
    async run(slot) {
      const verdict = await runFile(file, reportOf('first', path), slot, patience)
      verdicts.set(path, verdict)
      return count(verdict).failed === 0
    },
  }
}

/** One file after the other, each alone, while nothing else runs. */
async function tryAgain(first: Verdict, files: readonly TestFile[]): Promise<Map<string, Verdict>> {
  const again = new Map<string, Verdict>()
  for (const path of filesToTry(first)) {
    console.log(`\n== second try: ${path}`)
    const file = files.find((one) => one.path === path)!
    again.set(path, await runFile(file, reportOf('second-try', path), 0))
  }
  return again
}

/** Milliseconds of all processors since this machine was started: worked and idle. */
function processorTimes(): { readonly busy: number; readonly all: number } {
  const times = cpus().map((one) => one.times)
  const sum = (of: (one: (typeof times)[number]) => number): number => times.reduce((so, one) => so + of(one), 0)
  const idle = sum((one) => one.idle)
  return {
    busy: sum((one) => one.user + one.nice + one.sys + one.irq),
    all: idle + sum((one) => one.user + one.nice + one.sys + one.irq),
  }
}

/** A function that returns how many processors were idle since it was called last, by other programs' work too. */
function idleSinceLastCall(): () => number {
  let last = processorTimes()
  return () => {
    const now = processorTimes()
    const idle = 1 - (now.busy - last.busy) / (now.all - last.all)
    last = now
    return idle * availableParallelism()
  }
}

/** The slowest files, and what the time was used for. */
function reportTimes(files: readonly TestFile[], before: ReturnType<typeof processorTimes>): void {
  const timed = [...measured].sort(([, a], [, b]) => b.wall - a.wall)
  console.log('\nThe slowest:')
  for (const [name, { wall, cpu }] of timed.slice(0, SLOWEST_SHOWN)) {
    console.log(`  ${seconds(wall)} s ${seconds(cpu)} s cpu  ${name}`)
  }
  console.log('Where the time went:')
  const groups: [string, (path: string) => boolean][] = [
    ['checks and builds', (path) => !files.some((file) => file.path === path)],
    ...SUITES.map(({ name }): [string, (path: string) => boolean] => [
      name,
      (path) => path.startsWith(`test/${name}/`),
    ]),
    ['of it in quiet', (path) => files.some((file) => file.path === path && file.needs.includes('quiet'))],
  ]
  for (const [title, isIn] of groups) {
    const those = timed.filter(([name]) => isIn(name)).map(([, timing]) => timing)
    const sum = (of: 'wall' | 'cpu'): string => seconds(those.reduce((so, timing) => so + timing[of], 0))
    if (those.length > 0) console.log(`  ${sum('wall')} s ${sum('cpu')} s cpu  ${title} (${those.length})`)
  }
  const now = processorTimes()
  const share = Math.round((100 * (now.busy - before.busy)) / (now.all - before.all))
  console.log(
    `  ${seconds(performance.now() - started)} s in all on ${cpus().length} processors, busy ${share} % of it`,
  )
}

/** A file that takes longer than this many times the time known is another one now. */
const CHANGED = 2

/** Beside other files a file takes longer, so the shortest wall time known counts. */
function updateTimings(files: readonly TestFile[]): void {
  const kept = Object.entries(timings).filter(([path]) => existsSync(join(root, path)))
  const added = files.flatMap(({ path }): [string, Timing][] => {
    const now = measured.get(path)
    if (!now) return []
    const known = timings[path]?.wall ?? 0
    return [[path, { wall: now.wall > known * CHANGED ? now.wall : Math.min(now.wall, known), cpu: now.cpu }]]
  })
  const all = Object.entries(Object.fromEntries([...kept, ...added])).sort(([a], [b]) => (a < b ? -1 : 1))
  const lines = all.map(([path, { wall, cpu }]) => `  ${JSON.stringify(path)}: { "wall": ${wall}, "cpu": ${cpu} }`)
  writeFileSync(TIMINGS, `{\n${lines.join(',\n')}\n}\n`)
}

/** Files that can run here, or can when the programs are installed; the others are skipped. */
function runnable(files: readonly TestFile[], isInstalling: boolean): TestFile[] {
  return files.filter(({ path, suite, needs }) => {
    const gap = suite.gap?.() ?? null
    const lacking = [...(gap === null ? [] : [gap]), ...(isInstalling ? [] : lackingPrograms(needs))]
    if (lacking.length > 0) skip(path, `${lacking.join(', ')} is missing`)
    return lacking.length === 0
  })
}

function jobsFor(files: readonly TestFile[], isInstalling: boolean): Job[] {
  const has = (after: Suite['after']): boolean => files.some(({ suite }) => suite.after === after)
  const built = process.env.FOOTMAN_BINARY
  const windowsBuild = bun('scripts/build.ts', '--target', 'windows-x64')
  return [
    ...(isInstalling ? [installing(lackingPackages())] : []),
    ...(has('executable') && built === undefined ? [step('executable', bun('scripts/build.ts'))] : []),
    ...(filters.length === 0
      ? [
          // Several checkers check much twice; the other processors have work anyway.
          step('type check', bun('node_modules/typescript/bin/tsc', '--noEmit', '-p', '.', '--checkers', '1')),
          step('lint and format', bun('node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings')),
        ]
      : []),
    ...(has('windows drive')
      ? [
          step('windows executable', windowsBuild),
          { ...windowsDrive, after: [...windowsDrive.after, ...(isInstalling ? [PROGRAMS] : [])] },
        ]
      : []),
    ...files.map((file) => testJob(file, isInstalling, files.length === 1)),
  ].map((job) => (built === undefined ? job : { ...job, after: job.after.filter((name) => name !== 'executable') }))
}

const isInstalling = options.includes('--install') && lackingPackages().length > 0
for (const folder of ['first', 'second-try']) rmSync(join(results, folder), { recursive: true, force: true })
const found = SUITES.flatMap(filesOf)
if (found.length === 0) fail(`no test file matches ${filters.join(' ')}`)
const files = runnable(found, isInstalling)
const before = processorTimes()
const leftOut = await runJobs(jobsFor(files, isInstalling), availableParallelism(), idleSinceLastCall())
for (const { name, after } of leftOut) fail(`${name} did not run: ${after.join(' or ')} failed`)
const first: Verdict = {
  cases: [...verdicts.values()].flatMap(({ cases }) => cases),
  missing: [...verdicts.values()].flatMap(({ missing }) => missing),
  problems: [...verdicts].flatMap(([path, { problems }]) => problems.map((problem) => `${path}: ${problem}`)),
}
const runs = combine(first, await tryAgain(first, files))
await drive?.remove()
const verdict = ci ? failFlaky(runs, quarantine) : runs.verdict
closing.push(...flakyLines(runs.flaky, quarantine), ...failureLines(verdict))
const { passed, failed, skipped } = count(verdict)
total.passed += passed
total.failed += failed
total.skipped += skipped
reportTimes(files, before)
if (options.includes('--update-timings')) updateTimings(files)

if (closing.length > 0) console.log(`\n${closing.join('\n')}`)
console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`)
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)
