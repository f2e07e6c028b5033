/** What it costs to watch: everything that runs by itself, at the frequencies of the shipped example, with nothing going on. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { fakeSystemctl } from '../support/systemctl.ts'
import { childCpuSecondsOf, cpuSecondsOf, memoryOf } from './process.ts'
import type { Measurement } from './report.ts'
import { startTarget, type TargetSettings } from './target.ts'

/** What is done at the start is over by then. */
const SETTLE_MS = 15_000
/** Shorter ones would miss the looks every 30 seconds. */
const LEAST_SECONDS = 60
const SERVICES = ['Engine', 'Proxy', 'Repository', 'Scheduler', 'Printing', 'Dispatcher', 'Database', 'Logging']
const MAX_CORE_PERCENT = 1

/** `seconds`: how long the process is watched, a minute at least. */
export async function measureMonitors(settings: TargetSettings & { readonly seconds: number }): Promise<Measurement[]> {
  const seconds = Math.max(settings.seconds, LEAST_SECONDS)
  await using influx = await startInfluxSink()
  const systemctl = fakeSystemctl('A service of Qlik Sense')
  try {
    const watched = {
      ...settings,
      ...everyMonitor(settings, influx.port),
      env: { PATH: systemctl.path },
      directory: directoryOf(settings, 'watched'),
    }
    const [without, withAll] = await Promise.all([
      watch({ ...settings, directory: directoryOf(settings, 'unwatched') }, seconds),
      watch(watched, seconds),
    ])
    const written = influx.requests
      .filter(({ url }) => url.startsWith('/write'))
      .flatMap(({ body }) => body.split('\n'))
    const kinds = new Set(written.map((line) => /^\w+/.exec(line)?.[0] ?? ''))
    const missing = WRITTEN.filter((measurement) => !kinds.has(measurement))
    if (process.platform === 'linux' && missing.length > 0)
      throw new Error(`the monitors did not write ${missing.join(', ')}`)
    const total = `of ${percent(withAll.own, seconds)} %`
    const note = `${total}; ${seconds} s, ${written.length} points`
    const beside = (megabytes: number | undefined) => `without monitors ${megabytes?.toFixed(1) ?? '-'} MB`
    return [
      {
        // Beside the same without them, because a busy machine makes everything dearer.
        name: 'every monitor: CPU when idle',
        unit: '% of a core',
        atMost: MAX_CORE_PERCENT,
        note,
        value: percentOf(added(withAll, without), seconds),
      },
      {
        name: 'every monitor: commands that it runs',
        unit: '% of a core',
        note: 'part of the line above',
        value: percentOf(withAll.commands, seconds),
      },
      {
        name: 'every monitor: resident',
        unit: 'MB',
        atMost: 100,
        note: beside(without.memory?.rss),
        value: withAll.memory?.rss ?? null,
      },
      {
        name: 'every monitor: anonymous',
        unit: 'MB',
        atMost: 50,
        note: beside(without.memory?.anonymous),
        value: withAll.memory?.anonymous ?? null,
      },
    ]
  } finally {
    systemctl.remove()
  }
}

/** An InfluxDB 1 that has the database and stores nothing. */
export async function startInfluxSink(): Promise<HttpSink> {
  const influx = await startHttpSink()
  influx.answer(({ url }) => (url.startsWith('/query') ? DATABASES : { status: 204 }))
  return influx
}

const DATABASES = {
  headers: { 'content-type': 'application/json' },
  body: '{"results":[{"series":[{"name":"databases","columns":["name"],"values":[["butler"]]}]}]}',
}
/** Memory comes once in 15 minutes. */
const WRITTEN = [
  'win_service_state',
  'butler_udp_queue',
  'qlik_sense_version',
  'qlik_sense_server_license',
  'qlik_sense_license',
]

function directoryOf({ directory }: TargetSettings, name: string): string {
  const own = join(directory, name)
  mkdirSync(own, { recursive: true })
  return own
}

/** CPU seconds in `seconds` of quiet, and the memory after it. */
async function watch(settings: TargetSettings, seconds: number) {
  const { running } = await startTarget(settings)
  await using _ = running
  await Bun.sleep(SETTLE_MS)
  const before = [cpuSecondsOf(running.pid), childCpuSecondsOf(running.pid)] as const
  await Bun.sleep(seconds * 1000)
  const used = (after: number | null, first: number | null) => (after === null || first === null ? null : after - first)
  return {
    own: used(cpuSecondsOf(running.pid), before[0]),
    commands: used(childCpuSecondsOf(running.pid), before[1]),
    memory: memoryOf(running.pid),
  }
}

/** CPU seconds that the monitors and their commands have taken. */
function added(withAll: Used, without: Used): number | null {
  if (withAll.own === null || without.own === null) return null
  return withAll.own - without.own + (withAll.commands ?? 0)
}

type Used = Awaited<ReturnType<typeof watch>>

const percentOf = (cpu: number | null, seconds: number): number | null => (cpu === null ? null : (cpu / seconds) * 100)
const percent = (cpu: number | null, seconds: number): string => percentOf(cpu, seconds)?.toFixed(2) ?? '-'

/** As the shipped example has them, each with InfluxDB. */
export function everyMonitor({ site, webhookUrl }: TargetSettings, influxPort: number) {
  const on = { enable: true }
  const stored = { destination: { influxDb: on } }
  return {
    sections: {
      heartbeat: { ...on, remoteURL: webhookUrl, frequency: 'every 30 seconds' },
      uptimeMonitor: { ...on, frequency: 'every 15 minutes', storeInInfluxdb: on },
      serviceMonitor: {
        ...on,
        frequency: 'every 30 seconds',
        alertDestination: { influxDb: on },
        monitor: [{ host: 'localhost', services: SERVICES.map((name) => ({ name, friendlyName: name })) }],
      },
      qlikSenseVersion: { versionMonitor: { ...on, ...stored, frequency: 'every 24 hours', host: '127.0.0.1' } },
      qlikSenseLicense: {
        serverLicenseMonitor: { ...on, ...stored, frequency: 'every 24 hours' },
        licenseMonitor: { ...on, ...stored, frequency: 'every 6 hours' },
        licenseRelease: { ...on, ...stored, frequency: 'every 24 hours', dryRun: true },
      },
      influxDb: {
        ...on,
        hostIP: '127.0.0.1',
        hostPort: influxPort,
        version: 1,
        v1Config: { dbName: 'butler' },
        reloadTaskSuccess: { ...on, byCustomProperty: on },
      },
    },
    udp: { queueMetrics: { influxdb: { ...on, writeFrequency: 20_000 } } },
    additions: { versionMonitor: { port: site.aboutPort }, watchdog: on, reconciler: on },
  }
}
