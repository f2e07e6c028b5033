/**
 * `npm test`: type check, lint, build, then every test. `npm test -- FILTER...` runs only the test files whose path
 * contains one of the texts, without the checks. Files with failures run a second time, alone. Failed and flaky tests are
 * listed at the end. With `CI=true` a flaky test has failed unless `test/quarantine.json` lists it. The last line is
 * `N passed, N failed[, N skipped]`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { SERVERS } from '../test/support/servers.ts'
import { count, judge, type Verdict } from './lib/junit.ts'
import { combine, failFlaky, failureLines, filesToTry, flakyLines, parseQuarantine } from './lib/second-try.ts'
import { type Prepared, SUITES, type Suite, type SuiteTools } from './lib/suites.ts'
import { helpOn } from './lib/usage.ts'

helpOn(`
npm test [-- FILTER...]

Type check, lint, build, then every test. With FILTER only the test files whose path contains one of
the texts, without the checks. Files with failures run a second time, alone. The exit code is 1
after failures.
`)

const root = join(import.meta.dirname, '..')
const results = join(root, 'test-results')
const EXECUTABLE = process.platform === 'win32' ? 'footman.exe' : 'footman'
const SUITE_TIMEOUT_MS = 25 * 60_000
const filters = process.argv.slice(2)
const ci = process.env.CI === 'true'
const quarantine = parseQuarantine(readFileSync(join(root, 'test', 'quarantine.json'), 'utf8'))

const total = { passed: 0, failed: 0, skipped: 0 }
/** Lines printed at the end. */
const closing: string[] = []

function fail(message: string): void {
  total.failed++
  console.error(`FAILED: ${message}`)
  closing.push(`FAILED: ${message}`)
}

/** Runs one of the checks with the terminal as output; true when it ended with 0. */
function check(name: string, args: readonly string[]): boolean {
  console.log(`\n== ${name}`)
  const { status } = spawnSync(process.execPath, [...args], { cwd: root, stdio: 'inherit' })
  if (status !== 0) fail(name)
  return status === 0
}

/** A missing tool fails a continuous build; elsewhere its tests count as skipped. */
function missing(what: string, tests: string): void {
  const message = `${tests}: ${what} is missing`
  if (ci) {
    fail(message)
    return
  }
  console.log(`SKIPPED: ${message}`)
  closing.push(`SKIPPED: ${message}`)
}

function checkServers(): void {
  for (const server of SERVERS) {
    if (!server.find()) missing(`${server.name} (${server.install})`, `tests that need ${server.name}`)
  }
}

function canRun({ name, gap }: Suite): boolean {
  const lacking = gap()
  if (lacking !== null) missing(lacking, `the ${name} tests`)
  return lacking === null
}

/** Test files of a suite that match the filters, as `test/unit/x.test.ts`, sorted. */
function testFiles(suite: string): string[] {
  const directory = join(root, 'test', suite)
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.test\.tsx?$/.test(file))
    .map((file) => `test/${suite}/${file.replaceAll('\\', '/')}`)
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort()
}

/** Runs test files in worker processes, or alone. */
function runTests(files: readonly string[], report: string, env: Prepared['env'], alone: boolean): Verdict {
  rmSync(report, { force: true })
  const run = spawnSync(
    process.execPath,
    [
      '--no-env-file',
      'test',
      '--no-orphans',
      // On a machine with much to do, five seconds are little for a property test.
      '--timeout=30000',
      // Worker processes: a test that ends its process takes only its own file along. One more than processors, as tests wait much.
      ...(alone ? [] : [`--parallel=${Math.min(4, availableParallelism() + 1)}`]),
      // The slowest files first, so that none of them runs alone at the end.
      '--timings=test/timings.json',
      '--reporter=junit',
      `--reporter-outfile=${report}`,
      ...files.map((file) => `./${file}`),
    ],
    {
      cwd: root,
      stdio: 'inherit',
      timeout: SUITE_TIMEOUT_MS,
      env: { ...process.env, ...env },
    },
  )
  const xml = existsSync(report) ? readFileSync(report, 'utf8') : null
  return judge({ exitCode: run.status, xml, expectedFiles: files })
}

function runSuite(suite: string, files: readonly string[], env: Prepared['env']): void {
  console.log(`\n== ${suite} tests (${files.length} files)`)
  const first = runTests(files, join(results, `${suite}.xml`), env, false)
  const runs = combine(first, tryAgain(suite, first, env))
  const verdict = ci ? failFlaky(runs, quarantine) : runs.verdict
  closing.push(...flakyLines(runs.flaky, quarantine))
  closing.push(...failureLines(verdict).map((line) => line.replace(/^FAILED: (?!test\/)/, `FAILED: ${suite}: `)))
  const { passed, failed, skipped } = count(verdict)
  total.passed += passed
  total.failed += failed
  total.skipped += skipped
}

/** One file after the other, each alone, while nothing else runs. */
function tryAgain(suite: string, first: Verdict, env: Prepared['env']): Map<string, Verdict> {
  const again = new Map<string, Verdict>()
  for (const [index, file] of filesToTry(first).entries()) {
    console.log(`\n== second try: ${file}`)
    again.set(file, runTests([file], join(results, 'second-try', `${suite}-${index + 1}.xml`), env, true))
  }
  return again
}

let binary: string | null | undefined = process.env.FOOTMAN_BINARY
const tools: SuiteTools = {
  binary() {
    if (binary === undefined) {
      binary = check('build', ['--no-env-file', 'scripts/build.ts']) ? join(root, 'dist', EXECUTABLE) : null
    }
    return binary
  },
  build(target) {
    const built = check(`build ${target}`, ['--no-env-file', 'scripts/build.ts', '--target', target])
    return built ? join(root, 'dist', `footman-${target}${target.startsWith('windows') ? '.exe' : ''}`) : null
  },
}

rmSync(join(results, 'second-try'), { recursive: true, force: true })
mkdirSync(join(results, 'second-try'), { recursive: true })
const plan = SUITES.map((suite) => ({ suite, files: testFiles(suite.name) })).filter(({ files }) => files.length > 0)
if (plan.length === 0) fail(`no test file matches ${filters.join(' ') || 'test/**/*.test.ts'}`)

checkServers()
if (filters.length === 0) {
  check('type check', ['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'])
  check('lint and format', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'])
}
for (const { suite, files } of plan) {
  const prepared = canRun(suite) ? await suite.prepare(tools) : null
  if (!prepared) continue
  runSuite(suite.name, files, prepared.env)
  await prepared.release?.()
}

if (closing.length > 0) console.log(`\n${closing.join('\n')}`)
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`)
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)
