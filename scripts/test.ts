/**
 * `npm test`: type check, lint, build, then every test. `npm test -- FILTER...` runs only the test files whose path
 * contains one of the texts, without the checks. The last line is `N passed, N failed[, N skipped]`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { SERVERS } from '../test/support/servers.ts'
import { judge } from './lib/junit.ts'

const root = join(import.meta.dirname, '..')
const results = join(root, 'test-results')
const SUITES = ['unit', 'integration', 'e2e'] as const
const SUITE_TIMEOUT_MS = 10 * 60_000
const filters = process.argv.slice(2)
const ci = process.env.CI === 'true'

const total = { passed: 0, failed: 0, skipped: 0 }

function fail(message: string): void {
  total.failed++
  console.error(`FAILED: ${message}`)
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

function runSuite(suite: string, files: readonly string[], binary: string | null): void {
  console.log(`\n== ${suite} tests (${files.length} files)`)
  const report = join(results, `${suite}.xml`)
  rmSync(report, { force: true })
  const run = spawnSync(
    process.execPath,
    [
      '--no-env-file',
      'test',
      '--no-orphans',
      // Worker processes: a test that ends its process takes only its own file along.
      `--parallel=${Math.min(4, availableParallelism())}`,
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
  const verdict = judge({ exitCode: run.status, xml, expectedFiles: files })
  for (const problem of verdict.problems) console.error(`FAILED: ${suite}: ${problem}`)
  total.passed += verdict.passed
  total.failed += verdict.failed
  total.skipped += verdict.skipped
}

mkdirSync(results, { recursive: true })
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

const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`)
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)
