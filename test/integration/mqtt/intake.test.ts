/** A message is acknowledged only by a node that has kept it or done it. */
import { afterEach, expect, test } from 'bun:test'
import { createPathResolver } from '../../../src/config/paths.ts'
import { createMqtt } from '../../../src/mqtt/index.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { startMosquitto } from '../../support/mosquitto.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'
import { mqttSettings, spy } from './support.ts'

needs('mosquitto')

const START = 'qliksense/start_task'
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const STATES = {
  leader: { runsDuties: true, role: 'primary' },
  alone: { runsDuties: false, role: 'primary' },
  satellite: { runsDuties: true, role: 'satellite' },
} as const

async function node(port: number, name: string, state: keyof typeof STATES, sharedGroup = '') {
  const clientId = state === 'satellite' ? name : 'footman'
  const { mqttConfig, mqtt } = mqttSettings(port, { mqtt: { clientId, cleanSession: false, sharedGroup } })
  const { runsDuties, role } = STATES[state]
  const log = recordingLog()
  const made = createMqtt(
    {
      log,
      clock: systemClock,
      paths: createPathResolver({ configDirectory: '/', cwd: '/' }),
      on: { mqttMessage: () => {} },
      shared: { runsDuties, status: { node: name } as never },
    },
    { mqttConfig: { ...mqttConfig, enable: true } as never, footman: { mqtt: mqtt as never, node: { role } } },
    false,
  )!
  const taken: string[] = []
  if (state === 'leader') made.onMessage(START, async ({ payload }) => void taken.push(Buffer.from(payload).toString()))
  let isUp = false
  made.onConnected(() => {
    isUp = true
  })
  await made.start()
  await made.intake.start()
  const stop = () => made.stop(500)
  cleanups.push(stop)
  await until(() => isUp && made.connected, { what: `${name} to be connected`, state: () => log.lines.slice(-3) })
  return { mqtt: made, taken, log, stop }
}

async function broker() {
  const started = await startMosquitto()
  cleanups.push(() => started.stop())
  const watcher = await spy(started.port)
  cleanups.push(watcher.end)
  return { port: started.port, watcher }
}

test.each(['', 'group'])(
  'start requests wait for the leader while nodes work alone (shared group "%s")',
  async (group) => {
    const { port, watcher } = await broker()
    const first = await node(port, 'qs-a', 'leader', group)
    await first.stop()
    const alone = [await node(port, 'qs-a', 'alone', group), await node(port, 'qs-b', 'alone', group)]
    const requests = Array.from({ length: 15 }, (_, n) => `request ${n}`)
    for (const request of requests) await watcher.publish(START, request)
    await alone[0]!.mqtt.publish('alerts/failed', 'by one that works alone')
    await until(() => watcher.received.some(({ topic }) => topic === 'alerts/failed'), { what: 'its alert' })
    const next = await node(port, 'qs-b', 'leader', group)
    await until(() => next.taken.length >= requests.length, { what: 'all requests', state: () => next.taken })
    expect(next.taken).toEqual(requests)
    // Neither has put the other off the broker.
    for (const { log } of alone) expect(log.lines.filter(({ message }) => message.includes('Lost broker'))).toEqual([])
  },
)

test('a satellite takes no request of a shared group from the node that starts tasks', async () => {
  const { port, watcher } = await broker()
  const satellite = await node(port, 'qs-sat', 'satellite', 'group')
  const primary = await node(port, 'qs-a', 'leader', 'group')
  for (let n = 0; n < 10; n += 1) await watcher.publish(START, String(n))
  await until(() => primary.taken.length >= 10, { what: 'all requests', state: () => primary.taken })
  expect(satellite.log.lines.filter(({ message }) => message.includes('Subscribed'))).toEqual([])
})
