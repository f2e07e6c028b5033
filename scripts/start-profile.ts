/**
 * `npm run start-profile`: records which functions a start and the idling after it use. The build lays their compiled
 * code side by side, so that fewer pages of the executable are read and stay in memory. To be done again when much of
 * the code has changed, and with another version of Bun; one that is out of date costs memory and nothing else.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { everyMonitor, startInfluxSink } from '../test/bench/monitors.ts'
import { startBenchSite } from '../test/bench/site.ts'
import { startTarget } from '../test/bench/target.ts'
import { footmanBinary } from '../test/support/binary.ts'
import { fakeSystemctl } from '../test/support/systemctl.ts'
import { START_PROFILE } from './build/executable.ts'
import { helpOn } from './lib/usage.ts'

helpOn(`
npm run start-profile

Records the functions of a start, by which the build orders its code. Takes about two minutes. Run
it again with another version of Bun, or when much of the code has changed.
`)

/** Long enough for the checks every 30 seconds and for collections of memory. */
const IDLE_MS = 75_000

const results = join(import.meta.dirname, '..', 'test-results')
mkdirSync(results, { recursive: true })
const directory = mkdtempSync(join(results, 'profile-'))
const systemctl = fakeSystemctl('A service of Qlik Sense')
try {
  footmanBinary()
  await using site = await startBenchSite(directory)
  await using influx = await startInfluxSink()
  const recorded = join(directory, 'recorded.txt')
  const settings = { site, directory, webhookUrl: influx.url, smtpPort: 9 }
  const { running } = await startTarget({
    ...settings,
    ...everyMonitor(settings, influx.port),
    env: { PATH: systemctl.path, BUN_BYTECODE_ORDER_OUT: recorded },
  })
  await Bun.sleep(IDLE_MS)
  await running.stop()
  const profile = tidy(readFileSync(recorded, 'utf8'))
  writeFileSync(START_PROFILE, profile)
  console.log(`${START_PROFILE}: ${profile.split('\n').length - 2} functions`)
} finally {
  systemctl.remove()
  rmSync(directory, { recursive: true, force: true })
}

/**
 * The format and the functions. The strings, more than nine tenths of the file, gain nothing; the order of the
 * functions hardly anything, and sorted ones change little from one recording to the next.
 */
function tidy(text: string): string {
  const [format, ...lines] = text.split('\n')
  const functions = lines.filter((line) => line.startsWith('F ')).sort()
  return `${[format, ...functions].join('\n')}\n`
}
