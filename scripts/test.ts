/**
 * `npm test`: type check, lint, build, then every test. `npm test -- FILTER...` runs only the test files whose path
 * contains one of the texts, without the checks. Files with failures run a second time, alone; what failed and what passed
 * only then is listed at the end. The last line is `N passed, N failed[, N skipped]`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { SERVERS } from '../test/support/servers.ts'
import { count, judge, type Verdict } from './lib/junit.ts'
import { combine, failureLines, filesToTry } from './lib/second-try.ts'

const root = join(import.meta.dirname, '..')
const results = join(root, 'test-results')
const SUITES = ['unit', 'integration', 'e2e'] as const
const SUITE_TIMEOUT_MS = 10 * 60_000
const filters = process.argv.slice(2)
const ci = process.env.CI === 'true'

const total = { passed: 0, failed: 0, skipped: 0 }
/** Printed at the end, where it is found. */
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

function checkServers(): void {
  for (const server of SERVERS) {
    if (server.find()) continue
    if (ci) fail(`${server.name} is not installed (${server.install})`)
    else console.log(`SKIPPED: tests that need ${server.name}, which is not installed (${server.install})`)
  }
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
function runTests(files: readonly string[], report: string, binary: string | null, alone: boolean): Verdict {
  rmSync(report, { force: true })
  const run = spawnSync(
    process.execPath,
    [
      '--no-env-file',
      'test',
      '--no-orphans',
      // On a machine with much to do, five seconds are little for a property test.
      '--timeout=30000',
      // Worker processes: a test that ends its process takes only its own file along.
      ...(alone ? [] : [`--parallel=${Math.min(4, availableParallelism())}`]),
      '--reporter=junit',
      `--reporter-outfile=${report}`,
      ...files.map((file) => `./${file}`),
    ],
    {
      cwd: root,
      stdio: 'inherit',
      timeout: SUITE_TIMEOUT_MS,
      env: { ...process.env, ...(binary ? { FOOTMAN_BINARY: binary } : {}) },
    },
  )
  const xml = existsSync(report) ? readFileSync(report, 'utf8') : null
  return judge({ exitCode: run.status, xml, expectedFiles: files })
}

function runSuite(suite: string, files: readonly string[], binary: string | null): void {
  console.log(`\n== ${suite} tests (${files.length} files)`)
  const first = runTests(files, join(results, `${suite}.xml`), binary, false)
  const { verdict, flaky } = combine(first, tryAgain(suite, first, binary))
  closing.push(...flaky.map((line) => `FLAKY: ${line}`))
  closing.push(...failureLines(verdict).map((line) => line.replace(/^FAILED: (?!test\/)/, `FAILED: ${suite}: `)))
  const { passed, failed, skipped } = count(verdict)
  total.passed += passed
  total.failed += failed
  total.skipped += skipped
}

/** One file after the other, each alone, while nothing else runs. */
function tryAgain(suite: string, first: Verdict, binary: string | null): Map<string, Verdict> {
  const again = new Map<string, Verdict>()
  for (const [index, file] of filesToTry(first).entries()) {
    console.log(`\n== second try: ${file}`)
    again.set(file, runTests([file], join(results, 'second-try', `${suite}-${index + 1}.xml`), binary, true))
  }
  return again
}

rmSync(join(results, 'second-try'), { recursive: true, force: true })
mkdirSync(join(results, 'second-try'), { recursive: true })
const plan = SUITES.map((suite) => ({ suite, files: testFiles(suite) })).filter(({ files }) => files.length > 0)
if (plan.length === 0) fail(`no test file matches ${filters.join(' ') || 'test/**/*.test.ts'}`)

checkServers()
if (filters.length === 0) {
  check('type check', ['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'])
  check('lint and format', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'])
}
let binary = process.env.FOOTMAN_BINARY ?? null
if (!binary && plan.some(({ suite }) => suite !== 'unit') && check('build', ['--no-env-file', 'scripts/build.ts'])) {
  binary = join(root, 'dist', process.platform === 'win32' ? 'footman.exe' : 'footman')
}
for (const { suite, files } of plan) runSuite(suite, files, binary)

if (closing.length > 0) console.log(`\n${closing.join('\n')}`)
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`)
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)
