import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Finding } from '../../src/cli/doctor/types.ts'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

let site: TestSite
let product: Footman

beforeAll(async () => {
  site = await startSite({ timeZone: 'UTC' })
  product = await footman({
    simulator: site.simulator,
    config: {
      configEngine: { host: '127.0.0.1', port: site.simulator.ports.engine },
      footman: { access: { enable: true, anonymous: { scopes: ['metrics:read'] } }, timezone: 'UTC' },
    },
  })
  await product.start()
}, 90_000)
afterAll(async () => {
  await product[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

const GROUPS = [
  'certificate',
  'qrs',
  'engine',
  'clock',
  'rights',
  'property',
  'selection',
  'names',
  'script-log',
  'licence',
  'address',
  'udp',
  'nodes',
  'time-zone',
]

async function doctor(): Promise<{ code: number | null; findings: readonly Finding[] }> {
  const args = ['doctor', '-c', product.configFile, '--json', '--only', ...GROUPS]
  const { code, stdout } = await runToEnd(args, { cwd: product.directory.path })
  return { code, findings: (JSON.parse(stdout) as { findings: readonly Finding[] }).findings }
}

/** What the kernel of this machine grants is no matter of the site. */
const complaints = (findings: readonly Finding[]) =>
  findings.filter(({ level, code }) => level !== 'ok' && level !== 'info' && code !== 'udp.receive-buffer')

test('a healthy site with Footman running: nothing to complain about, and messages are proven to arrive', async () => {
  site.simulator.runTask('Sales ETL hourly')
  await site.simulator.ended('Sales ETL hourly')
  await until(() => product.rows("SELECT 1 FROM udp_source WHERE lower(host) = 'qs-central'").length === 1, {
    timeout: 20_000,
  })

  const { code, findings } = await doctor()
  expect(complaints(findings)).toEqual([])
  expect(code).toBe(0)
  const messageOf = (wanted: string) => findings.find((one) => one.code === wanted)?.message
  expect(messageOf('udp.arrives')).toBe('a test datagram of this machine has arrived (from 127.0.0.1)')
  expect(messageOf('nodes.heard')).toContain('from 127.0.0.1')
  expect(messageOf('qrs.reached')).toContain('31.60.3.0')
  // The test datagram has become no event.
  const events = product.rows<{ host: string }>("SELECT host FROM event WHERE source = 'udp'")
  expect(events.every(({ host }) => host.toLowerCase() === 'qs-central')).toBeTrue()
  expect(product.rows("SELECT 1 FROM dropped_datagram WHERE reason = 'UNKNOWN_TYPE'")).toEqual([])
}, 60_000)

test('the clock of the site 10 minutes off ends it with 3', async () => {
  site.simulator.advance(10 * 60_000)
  const { code, findings } = await doctor()
  expect(complaints(findings).map((one) => one.code)).toEqual(['clock.skew'])
  expect(code).toBe(3)
}, 60_000)
