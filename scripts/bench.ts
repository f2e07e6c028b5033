/**
 * `npm run bench`: how fast and how big the product is on this machine. `-- --check` ends with 1 when a budget is
 * missed. `-- --only start,ping` runs only those parts; `-- --seconds 10` shortens those under load.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { measureBurst } from '../test/bench/burst.ts'
import { measureConsole } from '../test/bench/console.ts'
import { measureDisk } from '../test/bench/disk.ts'
import { measureFaults } from '../test/bench/faults.ts'
import { measureKeyValues } from '../test/bench/key-values.ts'
import { measureMonitors } from '../test/bench/monitors.ts'
import { measurePing } from '../test/bench/ping.ts'
import { type Measurement, table, withinBudget } from '../test/bench/report.ts'
import { measureReports } from '../test/bench/reports.ts'
import { measureSchedules } from '../test/bench/schedules.ts'
import { measureScrape } from '../test/bench/scrape.ts'
import { startBenchSite } from '../test/bench/site.ts'
import { measureSize } from '../test/bench/size.ts'
import { measureStartCall } from '../test/bench/start-call.ts'
import { measureStart } from '../test/bench/startup.ts'
import { measureSustained } from '../test/bench/sustained.ts'
import { footmanBinary } from '../test/support/binary.ts'
import { startHttpSink } from '../test/support/http-sink.ts'
import { startSmtpSink } from '../test/support/smtp-sink.ts'
import { helpOn } from './lib/usage.ts'

helpOn(`
npm run bench [-- OPTIONS]

Measures speed and size of the product on this machine.

  --check          end with 1 when a budget is missed
  --only PARTS     only these parts, separated by commas, like start,ping
  --seconds N      length of the parts under load (default: 60)
  --full           ten times the history for the pages of the console; takes ten minutes
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
  'monitors',
  'burst',
  'sustained',
  'faults',
  'console',
] as const
const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    only: { type: 'string', default: PARTS.join(',') },
    seconds: { type: 'string', default: '60' },
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

const seconds = Number(options.seconds)
if (!(seconds >= 1)) {
  console.error(`footman: --seconds takes a number from 1; found ${options.seconds}`)
  process.exit(1)
}

// In the repository, because the system's temporary directory may be in memory.
const results = join(import.meta.dirname, '..', 'test-results')
mkdirSync(results, { recursive: true })
const directory = mkdtempSync(join(results, 'bench-'))

async function measureAll(): Promise<Measurement[]> {
  footmanBinary()
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
    monitors: () => measureMonitors({ ...settings, seconds }),
    burst: () => measureBurst(settings, sink),
    sustained: () => measureSustained({ ...settings, seconds }),
    faults: () => measureFaults({ ...settings, seconds }),
    console: () => measureConsole({ ...settings, full: options.full }),
  }
  const measurements: Measurement[] = []
  for (const part of PARTS.filter((name) => chosen.includes(name))) {
    console.error(`measuring ${part} ...`)
    measurements.push(...(await measure[part]()))
  }
  return measurements
}

try {
  const measurements = await measureAll()
  console.log(`\n${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} threads, Bun ${Bun.version}\n`)
  for (const line of table(measurements)) console.log(line)
  const missed = measurements.filter((measurement) => !withinBudget(measurement))
  console.log(
    `\n${missed.length === 0 ? 'every budget kept' : `budgets missed: ${missed.map(({ name }) => name).join('; ')}`}`,
  )
  process.exitCode = options.check && missed.length > 0 ? 1 : 0
} finally {
  rmSync(directory, { recursive: true, force: true })
}
