/**
 * Three webhooks, first all healthy, then one down and one slow while events flow: the healthy one must not feel it, and in
 * the end everything has arrived everywhere.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { drain } from './drain.ts'
import { type LargeSite, startLargeSite } from './large-site-process.ts'
import { type HttpReceiver, startHttpReceiver } from './receivers.ts'
import { type Measurement, quantile } from './report.ts'
import { startTarget, type TargetSettings, udpOpen } from './target.ts'

const PER_SECOND = 50
const SLOW_MS = 150
/** Not measured: code gets warm, connections are made. */
const WARM_UP = 2 * PER_SECOND
/** Of the healthy destination's 95th percentile: with faults, compared with without. */
const MOST_SLOWDOWN = 2
/** For what has waited, once the faults are over. */
const DRAIN_MS = 120_000

const NAMES = ['healthy', 'slow', 'down'] as const
type Receivers = Readonly<Record<(typeof NAMES)[number], HttpReceiver>>

export interface FaultSettings extends Omit<TargetSettings, 'site'> {
  /** Of the part with faults; the one without takes half of it. */
  readonly seconds: number
}

export async function measureFaults({ seconds, ...settings }: FaultSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'faults')
  mkdirSync(directory, { recursive: true })
  const [calm, stormy] = [Math.ceil((PER_SECOND * seconds) / 2), PER_SECOND * seconds]
  const count = WARM_UP + calm + stormy
  await using site = await startLargeSite(directory)
  await using healthy = await startHttpReceiver(count)
  await using slow = await startHttpReceiver(count)
  await using down = await startHttpReceiver(count)
  const receivers: Receivers = { healthy, slow, down }
  const target = await startTarget({
    ...settings,
    site,
    directory,
    webhookUrl: '',
    mute: true,
    sections: { emailNotification: { enable: false }, webhookNotification: { enable: false } },
    additions: {
      destinations: Object.fromEntries(NAMES.map((name) => [name, { type: 'webhook', url: receivers[name].url }])),
      alertRoutes: [{ name: 'all', match: { outcome: 'failed' }, to: [...NAMES], limit: 'none' }],
      delivery: { retryFirst: '1s', retryMax: '5s' },
    },
  })
  await using product = target.running
  await udpOpen(target.udpPort)

  const send = (first: number, wanted: number) => flow(site, target.udpPort, first, wanted)
  await send(0, WARM_UP)
  const before = await send(WARM_UP, calm)
  await drain(
    NAMES.map((name) => receivers[name]),
    WARM_UP + calm,
    DRAIN_MS,
  )
  await down.behave({ refuse: true })
  await slow.behave({ delayMs: SLOW_MS })
  const during = await send(WARM_UP + calm, stormy)
  await down.behave({})
  await slow.behave({})
  await drain(
    NAMES.map((name) => receivers[name]),
    count,
    DRAIN_MS,
  )
  await product.stop()

  const p95 = ({ first, sentAt }: Flow) => quantile(latencies(healthy, first, sentAt), 0.95)
  const [calmMs, stormyMs] = [p95(before), p95(during)]
  return [
    ...NAMES.map((name) => ({
      name: `faults for ${seconds} s: not arrived, ${name}`,
      value: count - receivers[name].told,
      unit: 'events',
      atMost: 0,
      note: `of ${count}; ${receivers[name].repeats} twice`,
    })),
    {
      name: 'faults: healthy destination without them, p95',
      value: calmMs,
      unit: 'ms',
      note: `${PER_SECOND} events/s`,
    },
    { name: 'faults: healthy destination with them, p95', value: stormyMs, unit: 'ms' },
    { name: 'faults: slowdown of the healthy destination', value: stormyMs / calmMs, unit: 'x', atMost: MOST_SLOWDOWN },
  ]
}

interface Flow {
  readonly first: number
  /** When each datagram was due, `performance.now()`. */
  readonly sentAt: readonly number[]
}

async function flow(site: LargeSite, port: number, first: number, count: number): Promise<Flow> {
  const started = performance.now()
  await site.send({ port, perSecond: PER_SECOND, count, first })
  return { first, sentAt: Array.from({ length: count }, (_, index) => started + (index * 1000) / PER_SECOND) }
}

/** Milliseconds from the datagram to the arrival of its message. */
function latencies({ at }: HttpReceiver, first: number, sentAt: readonly number[]): number[] {
  return sentAt.flatMap((sent, index) => {
    const arrived = at[first + index] ?? 0
    return arrived === 0 ? [] : [arrived - sent]
  })
}
