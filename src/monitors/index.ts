/** The monitors: services, release and licences of Qlik Sense, heartbeat and uptime. */

import type { ApiRoute } from '../http/endpoint/route.ts'
import { createNewRelicSender } from '../http/relays.ts'
import type { InfluxPoints } from '../metrics/influxdb/types.ts'
import { runCommand } from '../platform/command.ts'
import { type Frequency, parseFrequency } from '../platform/frequency.ts'
import { createHttpClient } from '../platform/http-client.ts'
import { createReplaceable, type Replaceable, type Use } from '../platform/replaceable.ts'
import type { Service } from '../platform/types.ts'
import { VERSION } from '../platform/version.ts'
import { createHeartbeat } from './heartbeat.ts'
import { monitorsRoute } from './http.ts'
import { type LicenseJobName, licenseMonitors } from './license/index.ts'
import { createRecurring } from './recurring.ts'
import { createServiceMonitor, stateNumber } from './services/monitor.ts'
import { createServiceReader } from './services/reader.ts'
import { createServiceStateStore } from './services/store.ts'
import type { Monitor, MonitorParts, MonitorStates, MonitorsConfig, MonitorsDeps, MonitorsOptions } from './types.ts'
import { createUptimeMonitor } from './uptime.ts'

export type MonitorName = 'services' | 'heartbeat' | 'uptime' | LicenseJobName

export interface Monitors {
  /** To be stopped before what takes events, points and messages. */
  readonly services: readonly Service[]
  /** Builds a monitor anew with other settings; it takes the place of the old one when the result is called. */
  readonly prepare: Readonly<Record<MonitorName, (config: MonitorsConfig) => Use>>
  readonly states: () => MonitorStates
  readonly routes: readonly ApiRoute[]
}

const NEVER: Frequency = { next: () => null, warning: null }

export function createMonitors(deps: MonitorsDeps, config: MonitorsConfig, options: MonitorsOptions): Monitors {
  let lookedAt: number | null = null
  const parts: MonitorParts = {
    ...deps,
    looked() {
      lookedAt = deps.clock.now()
    },
    frequency(text) {
      const parsed = parseFrequency(text, config.footman.frequencyTimezone)
      return parsed.ok ? parsed.value : NEVER
    },
  }
  const { shadow } = options
  const replaceable = (name: string, build: (now: MonitorsConfig) => Monitor) =>
    createReplaceable(deps, { name, build }, config)
  const licenses = licenseMonitors(parts, config, options, replaceable)
  // Started in this order.
  const monitors: Readonly<Record<MonitorName, Replaceable<MonitorsConfig, Partial<MonitorStates>>>> = {
    services: replaceable('service monitor', (now) => serviceMonitor(parts, now, shadow)),
    ...licenses.jobs,
    heartbeat: replaceable('heartbeat', (now) => heartbeat(parts, now, shadow)),
    uptime: replaceable('uptime monitor', (now) => uptime(parts, now, shadow)),
  }
  const all = Object.values(monitors)
  const states = (): MonitorStates => Object.assign({ ...NOTHING }, ...all.map((one) => one.states()))
  return {
    routes: [
      monitorsRoute({
        db: deps.db,
        clock: deps.clock,
        states,
        licenseThreshold: config.qlikSenseLicense.serverLicenseMonitor.alert.thresholdDays,
        certificates: deps.certificates,
        lookedAt: () => lookedAt,
      }),
    ],
    services: [licenses.clients, ...all.map(({ service }) => service)],
    prepare: {
      services: monitors.services.prepare,
      version: monitors.version.prepare,
      serverLicense: monitors.serverLicense.prepare,
      accessLicenses: monitors.accessLicenses.prepare,
      licenseRelease: monitors.licenseRelease.prepare,
      heartbeat: monitors.heartbeat.prepare,
      uptime: monitors.uptime.prepare,
    },
    states,
  }
}

const NOTHING: MonitorStates = { services: [], licenseDays: null, licenseExpiry: null, licenses: [], release: null }
const OFF: Monitor = { services: [], states: () => ({}) }

function serviceMonitor(parts: MonitorParts, config: MonitorsConfig, shadow: boolean): Monitor {
  const { serviceMonitor: settings, mqttConfig, footman } = config
  if (!settings.enable) return OFF
  const { db, writer, clock, log, alerts } = parts
  const { points } = parts.influx
  const { alertDestination: to } = settings
  const topic = mqttConfig.serviceStatusTopic
  const publish = to.mqtt.enable && topic !== '' && !shadow ? alerts.publishService : null

  const monitor = createServiceMonitor(
    {
      clock,
      log,
      emit: parts.emitter.emit,
      tellLatest: alerts.releaseLatest,
      reader: createServiceReader({ run: runCommand, systemRoot: process.env.SystemRoot }, process.platform),
      store: createServiceStateStore({ db, writer }),
      writePoints: to.influxDb.enable && points ? (list) => points.writePoints(list) : null,
      publishState: publish
        ? (host, details) => publish(`${topic}/${host}/${details.serviceName}`, host, details)
        : null,
    },
    { monitor: settings.monitor, ...footman.serviceMonitor },
  )
  const looks = monitor.looks.map(({ host, look }) =>
    createRecurring(
      { clock, log, onDone: parts.looked },
      {
        name: `services of ${host}`,
        label: `SERVICE MONITOR ${host}`,
        atStart: true,
        run: look,
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
  const states = () => monitor.states().map((known) => ({ ...known, number: stateNumber(known.state) }))
  return { services: [service], states: () => ({ services: states() }) }
}

/** Both switches of a destination are on. */
function receivers(config: MonitorsConfig): string[] {
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
function heartbeat({ clock, log, health, frequency }: MonitorParts, config: MonitorsConfig, shadow: boolean): Monitor {
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

function uptime({ clock, log, frequency, influx }: MonitorParts, config: MonitorsConfig, shadow: boolean): Monitor {
  const { enable, frequency: text, logLevel, storeNewRelic, storeInInfluxdb } = config.uptimeMonitor
  if (!enable) return OFF
  const http = createHttpClient({ proxyEnv: process.env })
  const send = createNewRelicSender({ http, log }, { accounts: config.thirdPartyToolsCredentials.newRelic })
  const every = frequency(text)
  const run = createUptimeMonitor(
    {
      clock,
      log,
      memory: () => process.memoryUsage(),
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
  const memory =
    storeInInfluxdb.enable && influx.points ? [memoryReports({ clock, log, influx }, influx.points, every)] : []
  return { ...OFF, services: [closing(http), recurring, ...memory] }
}

function memoryReports(
  deps: Pick<MonitorParts, 'clock' | 'log' | 'influx'>,
  points: InfluxPoints,
  frequency: Frequency,
): Service {
  const run = () => points.writePoints([deps.influx.memoryPoint(deps.clock.now())])
  return createRecurring(deps, { name: 'memory in InfluxDB', label: 'INFLUXDB', atStart: false, run, frequency })
}

/** Started before and so stopped after what uses it. */
const closing = (client: { close(): void }): Service => ({
  name: 'client of monitors',
  start: async () => {},
  stop: async () => client.close(),
})
