/**
 * `npm run bench`: how fast and how big the product is on this machine. `-- --check` ends with 1 when a budget is
 * missed. `-- --only start,ping` runs only those parts; `-- --seconds 60` lengthens those under load; `-- --compare FILE`
 * measures another executable in turns with this one.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { measureBurst } from '../test/bench/burst.ts'
import { measureCluster } from '../test/bench/cluster.ts'
import { measureConsole } from '../test/bench/console.ts'
import { measureDisk } from '../test/bench/disk.ts'
import { measureFaults } from '../test/bench/faults.ts'
import { measureFirstFailures } from '../test/bench/first-failures.ts'
import { measureKeyValues } from '../test/bench/key-values.ts'
import { startMachineWatch } from '../test/bench/machine.ts'
import { measureMonitors } from '../test/bench/monitors.ts'
import { measurePing } from '../test/bench/ping.ts'
import { comparisonTable, type Measurement, table, withinBudget } from '../test/bench/report.ts'
import { measureReports } from '../test/bench/reports.ts'
import { measureSchedules } from '../test/bench/schedules.ts'
import { measureScrape } from '../test/bench/scrape.ts'
import { startBenchSite } from '../test/bench/site.ts'
import { measureSize } from '../test/bench/size.ts'
import { measureStartCall } from '../test/bench/start-call.ts'
import { measureStart } from '../test/bench/startup.ts'
import { measureSustained } from '../test/bench/sustained.ts'
import { measureTemplates } from '../test/bench/templates.ts'
import { footmanBinary } from '../test/support/binary.ts'
import { startHttpSink } from '../test/support/http-sink.ts'
import { startSmtpSink } from '../test/support/smtp-sink.ts'
import { helpOn } from './lib/usage.ts'

helpOn(`
npm run bench [-- OPTIONS]

Measures speed and size of the product on this machine.

  --check          end with 1 when a budget is missed
  --only PARTS     only these parts, separated by commas, like start,ping
  --seconds N      length of the parts under load (default: 10)
  --compare FILE   another executable, measured in turns with this one, part by part; without
                   disk, schedules and templates, which no executable takes part in
  --rounds N       turns of a comparison (default: 3)
  --seed N         of the faults of the cluster (default: random)
  --full           ten times the history for the pages of the console; of the cluster twelve nodes,
                   ten times the failures, and faults for half an hour; takes 90 minutes
`)

const PARTS = [
  'size',
  'disk',
  'start',
  'ping',
  'start-call',
  'key-values',
  'schedules',
  'scrape',
  'reports',
  'templates',
  'monitors',
  'burst',
  'first-failures',
  'sustained',
  'faults',
  'cluster',
  'console',
] as const
/** These measure the machine, or the source in this process: an executable makes no difference. */
const WITHOUT_EXECUTABLE: readonly string[] = ['disk', 'schedules', 'templates']
const FULL_SECONDS = 1800
const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    only: { type: 'string', default: PARTS.join(',') },
    seconds: { type: 'string', default: '10' },
    compare: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    full: { type: 'boolean', default: false },
  },
})
type Part = (typeof PARTS)[number]
const chosen = options.only.split(',')
const unknown = chosen.filter((name) => !PARTS.includes(name as Part))
if (unknown.length > 0) {
  console.error(`footman: --only takes ${PARTS.join(', ')}; found ${unknown.join(', ')}`)
  process.exit(1)
}

function atLeastOne(name: 'seconds' | 'rounds'): number {
  const value = Number(options[name])
  if (value >= 1) return value
  console.error(`footman: --${name} takes a number from 1; found ${options[name]}`)
  process.exit(1)
}
const seconds = atLeastOne('seconds')
const rounds = atLeastOne('rounds')
const other = options.compare && resolve(options.compare)
if (other && !existsSync(other)) {
  console.error(`footman: --compare names ${other}, which does not exist`)
  process.exit(1)
}
const parts = PARTS.filter((name) => chosen.includes(name) && !(other && WITHOUT_EXECUTABLE.includes(name)))
if (parts.length === 0) {
  console.error(`footman: --compare leaves out ${WITHOUT_EXECUTABLE.join(' and ')}, so nothing is to be measured`)
  process.exit(1)
}

// In the repository, because the system's temporary directory may be in memory.
const results = join(import.meta.dirname, '..', 'test-results')
mkdirSync(results, { recursive: true })
const bench = mkdtempSync(join(results, 'bench-'))

/** Measures one part of an executable, with a site, receivers and data of its own. */
async function measurePart(part: Part, binary: string): Promise<Measurement[]> {
  // Where the parts look for it.
  process.env.FOOTMAN_BINARY = binary
  const directory = mkdtempSync(join(bench, `${part}-`))
  await using sink = await startHttpSink()
  await using mailbox = await startSmtpSink()
  await using site = await startBenchSite(directory)
  const settings = { site, directory, webhookUrl: `${sink.url}/alert`, smtpPort: mailbox.port }
  const measure: Readonly<Record<Part, () => Promise<Measurement[]> | Measurement[]>> = {
    size: measureSize,
    disk: () => measureDisk(directory),
    start: () => measureStart(settings),
    ping: () => measurePing(settings),
    'start-call': () => measureStartCall(settings),
    'key-values': () => measureKeyValues(settings),
    schedules: () => measureSchedules(settings),
    scrape: () => measureScrape(settings),
    reports: () => measureReports(settings),
    templates: () => measureTemplates(directory),
    monitors: () => measureMonitors({ ...settings, seconds }),
    burst: () => measureBurst(settings, sink),
    'first-failures': () => measureFirstFailures(directory),
    sustained: () => measureSustained({ ...settings, seconds }),
    faults: () => measureFaults({ ...settings, seconds }),
    cluster: () =>
      measureCluster({
        full: options.full,
        seconds: options.full ? FULL_SECONDS : 3 * seconds,
        seed: Number(options.seed),
      }),
    console: () => measureConsole({ ...settings, full: options.full }),
  }
  return await measure[part]()
}

/** Prints the table of a part, and what the machine did beside it when a budget is missed. Returns the names of missed budgets. */
async function report(part: Part, binary: string): Promise<string[]> {
  const machine = startMachineWatch(bench)
  const measurements = await measurePart(part, binary)
  for (const line of table(measurements)) console.log(line)
  const missed = measurements.filter((measurement) => !withinBudget(measurement)).map(({ name }) => name)
  if (missed.length > 0) console.log(`MISSED while the machine had: ${machine.summary()}`)
  return missed
}

/**
 * A new copy of an executable. Two files of different ages can't be compared: of a file that was just written, the
 * kernel maps larger pieces at once, which is up to 7 MB more of resident memory for the same bytes.
 */
function freshCopy(binary: string, name: string): string {
  const copy = join(bench, name)
  copyFileSync(binary, copy)
  return copy
}

/** Prints the ratios of `binary` to `otherBinary`, from measurements in turns. */
async function compare(part: Part, binary: string, otherBinary: string): Promise<void> {
  const machine = startMachineWatch(bench)
  const runs: { readonly own: Measurement[]; readonly other: Measurement[] }[] = []
  for (let round = 0; round < rounds; round++) {
    runs.push({ own: await measurePart(part, binary), other: await measurePart(part, otherBinary) })
  }
  for (const line of comparisonTable(runs)) console.log(line)
  console.log(`the machine had: ${machine.summary()}`)
}

try {
  console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} threads, Bun ${Bun.version}`)
  const binary = footmanBinary()
  const copies = other && ([freshCopy(binary, 'footman'), freshCopy(other, 'footman-compared')] as const)
  const missed: string[] = []
  for (const [index, part] of parts.entries()) {
    console.log(`\n== ${part} (${index + 1} of ${parts.length}, ${Math.round(performance.now() / 1000)} s)`)
    if (copies) await compare(part, ...copies)
    else missed.push(...(await report(part, binary)))
  }
  if (!other) console.log(`\n${missed.length === 0 ? 'every budget kept' : `budgets missed: ${missed.join('; ')}`}`)
  process.exitCode = options.check && missed.length > 0 ? 1 : 0
} finally {
  rmSync(bench, { recursive: true, force: true })
}
