/** The monitors: services, release and licences of Qlik Sense, heartbeat and uptime. */

import { serviceStatusPayload } from '../alerts/destinations/mqtt.ts'
import { releaseLatest } from '../alerts/outbox/latest.ts'
import type { Config } from '../config/schema.ts'
import { memoryPoint } from '../metrics/influxdb/memory.ts'
import type { InfluxPoints } from '../metrics/influxdb/types.ts'
import type { MonitorStates } from '../metrics/prometheus/monitors.ts'
import { createHeartbeat } from '../monitors/heartbeat.ts'
import { createRecurring } from '../monitors/recurring.ts'
import { createServiceMonitor } from '../monitors/services/monitor.ts'
import { createServiceReader } from '../monitors/services/reader.ts'
import { stateNumber } from '../monitors/services/report.ts'
import { createServiceStateStore } from '../monitors/services/store.ts'
import { createUptimeMonitor } from '../monitors/uptime.ts'
import { createNewRelicSender } from '../mqtt/messages/new-relic.ts'
import { runCommand } from '../platform/command.ts'
import { type Frequency, parseFrequency } from '../platform/frequency.ts'
import { createHttpClient } from '../platform/http-client.ts'
import type { Service } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import { licenseMonitors } from './license-monitors.ts'
import type { LivePart } from './reload.ts'
import { createReplaceable } from './replaceable.ts'
import type { Monitor, MonitorBlueprint, MonitorParts, MonitorsDeps, MonitorsOptions } from './types.ts'

export interface Monitors {
  /** To be stopped before what takes events, points and messages. */
  readonly services: readonly Service[]
  /** Each monitor follows its own settings. */
  readonly live: readonly LivePart[]
  readonly states: () => MonitorStates
}

const NEVER: Frequency = { next: () => null, warning: null }

export function buildMonitors(deps: MonitorsDeps, config: Config, options: MonitorsOptions): Monitors {
  const parts: MonitorParts = {
    ...deps,
    emit: (event, also) => deps.pipeline.emitter.emit(event, also),
    frequency(text) {
      const parsed = parseFrequency(text, config.footman.frequencyTimezone)
      return parsed.ok ? parsed.value : NEVER
    },
  }
  const { shadow } = options
  const licenses = licenseMonitors(parts, config, options)
  const blueprints: readonly MonitorBlueprint[] = [
    {
      ...{ name: 'service monitor', keys: ['serviceMonitor', 'footman.serviceMonitor'] },
      build: (now) => serviceMonitor(parts, now, shadow),
    },
    ...licenses.blueprints,
    {
      ...{ name: 'heartbeat', keys: ['heartbeat', 'footman.health.heartbeatRequiresHealthy'] },
      build: (now) => heartbeat(parts, now, shadow),
    },
    { name: 'uptime monitor', keys: ['uptimeMonitor'], build: (now) => uptime(parts, now, shadow) },
  ]
  const monitors = blueprints.map((blueprint) => createReplaceable(deps, blueprint, config))
  return {
    services: [licenses.clients, ...monitors.map(({ service }) => service)],
    live: monitors.map(({ live }) => live),
    states: () => Object.assign({ ...NOTHING }, ...monitors.map(({ states }) => states())),
  }
}

const NOTHING: MonitorStates = { services: [], licenseDays: null, licenses: [] }
const OFF: Monitor = { services: [], states: () => ({}) }

function serviceMonitor(parts: MonitorParts, config: Config, shadow: boolean): Monitor {
  const { serviceMonitor: settings, mqttConfig, footman } = config
  if (!settings.enable) return OFF
  const { db, writer, clock, log, mqtt, alerts, points } = parts
  const { alertDestination: to } = settings
  const topic = mqttConfig.serviceStatusTopic
  const publish = mqtt && to.mqtt.enable && topic !== '' && !shadow

  async function tellLatest(eventIds: readonly string[]): Promise<boolean> {
    const { lanes, waiting } = await writer.write((tx) => releaseLatest(tx, eventIds, clock.now()))
    if (lanes.size > 0) alerts.outbox.wake(lanes)
    return !waiting
  }

  const monitor = createServiceMonitor(
    {
      ...{ clock, log, emit: parts.emit, tellLatest },
      reader: createServiceReader({ run: runCommand, systemRoot: process.env.SystemRoot }, process.platform),
      store: createServiceStateStore({ db, writer }),
      writePoints: to.influxDb.enable && points ? (list) => points.writePoints(list) : null,
      publishState: publish
        ? (host, details) =>
            mqtt.publishStatus(`${topic}/${host}/${details.serviceName}`, serviceStatusPayload(host, details))
        : null,
    },
    { monitor: settings.monitor, ...footman.serviceMonitor },
  )
  const looks = monitor.looks.map(({ host, look }) =>
    createRecurring(
      { clock, log },
      {
        ...{ name: `services of ${host}`, label: `SERVICE MONITOR ${host}`, atStart: true, run: look },
        frequency: parts.frequency(settings.frequency),
      },
    ),
  )
  const service: Service = {
    name: 'service monitor',
    async start() {
      await monitor.prepare()
      if (looks.length > 0)
        log.info(`SERVICE MONITOR INIT: Reports to: ${receivers(config).join(', ') || 'the log only'}`)
      for (const look of looks) await look.start()
    },
    async stop(graceMs) {
      await Promise.all(looks.map((look) => look.stop(graceMs)))
    },
  }
  const states = () =>
    monitor.states().map(({ host, service: name, state }) => ({ host, service: name, number: stateNumber(state) }))
  return { services: [service], states: () => ({ services: states() }) }
}

/** Both switches of a destination are on. */
function receivers(config: Config): string[] {
  const { alertDestination: to } = config.serviceMonitor
  const channels: Readonly<Record<keyof typeof to, boolean>> = {
    influxDb: config.influxDb.enable,
    newRelic: config.incidentTool.newRelic.enable,
    email: config.emailNotification.enable,
    mqtt: config.mqttConfig.enable,
    teams: config.teamsNotification.enable,
    slack: config.slackNotification.enable,
    webhook: config.webhookNotification.enable,
  }
  const names = Object.keys(channels) as (keyof typeof to)[]
  return names.filter((name) => to[name].enable && channels[name])
}

/** In shadow mode the predecessor sends them. */
function heartbeat({ clock, log, health, frequency }: MonitorParts, config: Config, shadow: boolean): Monitor {
  const { enable, remoteURL, frequency: text } = config.heartbeat
  if (!enable || shadow) return OFF
  if (!URL.canParse(remoteURL)) {
    log.error('HEARTBEAT: Butler.heartbeat.remoteURL is not an address that can be called; no heartbeats are sent')
    return OFF
  }
  const http = createHttpClient({ proxyEnv: process.env })
  const { heartbeatRequiresHealthy } = config.footman.health
  const run = createHeartbeat(
    { http, log, isHealthy: () => health().healthy },
    { remoteURL, requiresHealthy: heartbeatRequiresHealthy },
  )
  const recurring = createRecurring(
    { clock, log },
    { name: 'heartbeat', label: 'HEARTBEAT', atStart: true, run, frequency: frequency(text) },
  )
  return { ...OFF, services: [closing(http), recurring] }
}

function uptime({ clock, log, frequency, points }: MonitorParts, config: Config, shadow: boolean): Monitor {
  const { enable, frequency: text, logLevel, storeNewRelic, storeInInfluxdb } = config.uptimeMonitor
  if (!enable) return OFF
  const http = createHttpClient({ proxyEnv: process.env })
  const send = createNewRelicSender({ http, log }, { accounts: config.thirdPartyToolsCredentials.newRelic })
  const every = frequency(text)
  const run = createUptimeMonitor(
    {
      ...{ clock, log, memory: () => process.memoryUsage() },
      startedAt: clock.now() - Math.round(process.uptime() * 1000),
      sendMetrics:
        storeNewRelic.enable && !shadow
          ? async (body) => void (await send({ target: storeNewRelic, url: () => storeNewRelic.url, body }))
          : null,
    },
    { logLevel, storeNewRelic, version: VERSION, frequency: every },
  )
  const recurring = createRecurring(
    { clock, log },
    { name: 'uptime monitor', label: 'UPTIME', atStart: false, run, frequency: every },
  )
  const memory = storeInInfluxdb.enable && points ? [memoryReports({ clock, log }, points, every)] : []
  return { ...OFF, services: [closing(http), recurring, ...memory] }
}

function memoryReports(deps: Pick<MonitorParts, 'clock' | 'log'>, points: InfluxPoints, frequency: Frequency): Service {
  const run = () => points.writePoints([memoryPoint(process.memoryUsage(), VERSION, deps.clock.now())])
  return createRecurring(deps, { name: 'memory in InfluxDB', label: 'INFLUXDB', atStart: false, run, frequency })
}

/** Started before and so stopped after what uses it. */
const closing = (client: { close(): void }): Service => ({
  ...{ name: 'client of monitors', start: async () => {}, stop: async () => client.close() },
})
