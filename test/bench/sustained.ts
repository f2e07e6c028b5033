/** 2,000 failures a second for a minute, to three destinations: nothing is lost, and memory does not grow with them. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startMosquitto } from '../support/mosquitto.ts'
import { drain } from './drain.ts'
import { APPS, TASKS } from './large-site-ids.ts'
import { type Counts, startLargeSite } from './large-site-process.ts'
import { cpuSecondsOf, memoryOf } from './process.ts'
import { startHttpReceiver, startMqttReceiver } from './receivers.ts'
import type { Measurement } from './report.ts'
import { startTarget, type TargetSettings, udpOpen } from './target.ts'

export const PER_SECOND = 2000
/** Everything must have arrived so long after the last datagram, as a multiple of the time of sending. */
const IN_TIME_FACTOR = 2
/** So long it is waited for. */
const DRAIN_FACTOR = 10
const WARM_MS = 10_000
/** Beyond what was resident after the first seconds, in percent. */
const MOST_GROWTH = 25
/** How long an answer of QRS about a task or app is used. */
const CACHE_MS = 5000

const TOPIC = 'qlik/failed'

export interface SustainedSettings extends Omit<TargetSettings, 'site'> {
  readonly seconds: number
}

export async function measureSustained({ seconds, ...settings }: SustainedSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'sustained')
  mkdirSync(directory, { recursive: true })
  const count = PER_SECOND * seconds
  await using site = await startLargeSite(directory)
  await using stack = new AsyncDisposableStack()
  const broker = await startMosquitto({
    quiet: true,
    lines: () => ['max_queued_messages 0', 'max_inflight_messages 0'],
  })
  stack.defer(() => broker.stop())
  const butler = stack.use(await startHttpReceiver(count))
  const whole = stack.use(await startHttpReceiver(count))
  const mqtt = stack.use(await startMqttReceiver(broker.port, TOPIC, count))
  const receivers = { 'webhook of Butler': butler, 'webhook with the script log': whole, MQTT: mqtt }
  const target = await startTarget({
    ...settings,
    site,
    directory,
    webhookUrl: butler.url,
    mute: true,
    sections: {
      emailNotification: { enable: false },
      mqttConfig: {
        enable: true,
        brokerHost: '127.0.0.1',
        brokerPort: broker.port,
        taskFailureSendFull: true,
        taskFailureFullTopic: TOPIC,
        taskFailureTopic: '',
      },
    },
    additions: {
      destinations: { whole: { type: 'webhook', url: whole.url } },
      // Everything is waited for: what goes out without its script log costs less.
      delivery: { enrichmentTimeout: '30m' },
      alertRoutes: [{ name: 'whole', match: { outcome: 'failed' }, to: ['whole'], limit: 'none' }],
    },
  })
  await using product = target.running

  await udpOpen(target.udpPort)
  const cpuBefore = cpuSecondsOf(product.pid)
  const started = performance.now()
  let warm: number | null = null
  let highest = 0
  const watch = setInterval(() => {
    const resident = memoryOf(product.pid)?.rss ?? 0
    highest = Math.max(highest, resident)
    if (warm === null && performance.now() - started >= WARM_MS) warm = resident
  }, 500)
  await site.send({ port: target.udpPort, perSecond: PER_SECOND, count, first: 0 })
  const sentMs = performance.now() - started
  await drain(Object.values(receivers), count, sentMs * DRAIN_FACTOR)
  const tookMs = performance.now() - started
  clearInterval(watch)
  const cpu = cpuSecondsOf(product.pid)
  const atEnd = memoryOf(product.pid)?.rss ?? null
  const counts = await site.counts()
  await product.stop()

  const name = `sustained ${PER_SECOND}/s for ${seconds} s`
  return [
    ...Object.entries(receivers).map(([receiver, { told, repeats }]) => ({
      name: `${name}: not arrived, ${receiver}`,
      value: count - told,
      unit: 'events',
      atMost: 0,
      note: `of ${count}; ${repeats} twice`,
    })),
    {
      name: 'sustained: begin to last delivery',
      value: tookMs / 1000,
      unit: 's',
      atMost: seconds * (1 + IN_TIME_FACTOR),
      note: `${Math.round((count / tookMs) * 1000)} events/s, ${Math.round((3 * count * 1000) / tookMs)} deliveries/s`,
    },
    {
      name: 'sustained: CPU of the process',
      value: cpu === null || cpuBefore === null ? null : ((cpu - cpuBefore) * 1000) / count,
      unit: 'ms/event',
    },
    ...memoryRows(warm, atEnd, highest),
    ...questionRows(counts, count),
  ]
}

function memoryRows(warm: number | null, atEnd: number | null, highest: number): Measurement[] {
  const growth = warm === null || atEnd === null ? null : 100 * (atEnd / warm - 1)
  return [
    {
      name: 'sustained: resident memory at the end',
      value: atEnd,
      unit: 'MB',
      note: `${warm?.toFixed(0) ?? '-'} MB after ${WARM_MS / 1000} s, ${highest.toFixed(0)} MB at most`,
    },
    { name: 'sustained: growth of it since then', value: growth, unit: '%', atMost: MOST_GROWTH },
  ]
}

function questionRows({ task, app, user, result, ticket, log }: Counts, count: number): Measurement[] {
  const kept = (name: string, { asked, shortestMs }: Counts['task'], of: number): Measurement => ({
    name: `sustained: shortest time between two requests for one ${name}`,
    // Nothing was asked twice.
    value: shortestMs ?? CACHE_MS,
    unit: 'ms',
    atLeast: CACHE_MS,
    note: `${asked} requests for ${of} ${name}s`,
  })
  const once = (name: string, { asked, most }: Counts['task']): Measurement => ({
    name: `sustained: requests for one ${name}`,
    value: most,
    unit: '',
    atMost: 1,
    note: `${asked} for ${count}`,
  })
  return [
    kept('task', task, TASKS),
    kept('app', app, APPS),
    kept('user', user, 10),
    once('execution result', result),
    once('script log', { ...log, most: Math.max(log.most, ticket.most) }),
  ]
}
