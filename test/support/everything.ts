/** Footman with every endpoint switched on, and a peer behind each: simulated site, sinks for Slack and New Relic, a broker. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Footman, footman, merge } from './footman.ts'
import { type HttpSink, startHttpSink } from './http-sink.ts'
import { type Mosquitto, startMosquitto } from './mosquitto.ts'
import { REPOSITORY_USER, startSite, type TestSite } from './simulator.ts'

export interface Everything extends AsyncDisposable {
  readonly product: Footman
  readonly site: TestSite
  readonly broker: Mosquitto
  /** Takes Slack's and New Relic's calls. */
  readonly sink: HttpSink
}

/** Butler's sample, stopped. */
const SCHEDULES = `butlerSchedule:
  - name: Weekdays 06-18, on the hour and half past
    cronSchedule: 0,30 6-18 * * 1-5
    timezone: Europe/Paris
    qlikSenseTaskId: 70000000-0000-4000-8000-000000000003
    startupState: stopped
    id: Manually-added-schedule-1
`

export const ALL_ENDPOINTS = {
  apiListEnabledEndpoints: true,
  base62ToBase16: true,
  base16ToBase62: true,
  butlerping: true,
  createDir: true,
  createDirQVD: true,
  fileDelete: true,
  fileMove: true,
  fileCopy: true,
  keyValueStore: true,
  mqttPublishMessage: true,
  newRelic: { postNewRelicMetric: true, postNewRelicEvent: true },
  scheduler: {
    createNewSchedule: true,
    getSchedule: true,
    getScheduleStatusAll: true,
    updateSchedule: true,
    deleteSchedule: true,
    startSchedule: true,
    stopSchedule: true,
  },
  senseAppReload: true,
  senseAppDump: true,
  senseListApps: true,
  senseStartTask: true,
  slackPostMessage: true,
}

/** Builds it all; `product.start()` runs it. `config` is merged over the configuration below `Butler`. */
export async function everything(config: Record<string, unknown> = {}): Promise<Everything> {
  await using cleanup = new AsyncDisposableStack()
  const site = cleanup.use(await startSite())
  const sink = cleanup.use(await startHttpSink())
  const broker = await startMosquitto()
  cleanup.defer(() => broker.stop())
  // New Relic answers 202, and Slack takes any success for one.
  sink.answer({ status: 202, body: 'ok' })
  const account = { destinationAccount: ['main'], url: `${sink.url}/newrelic/`, header: null }
  const product = cleanup.use(
    await footman({
      simulator: site.simulator,
      mqttPort: broker.port,
      config: merge(
        {
          logLevel: 'info',
          configEngine: {
            engineVersion: '12.612.0',
            host: '127.0.0.1',
            port: site.simulator.ports.engine,
            useSSL: true,
            rejectUnauthorized: true,
            headers: { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] },
          },
          restServerEndpointsEnable: ALL_ENDPOINTS,
          restServerEndpointsConfig: { newRelic: { postNewRelicMetric: account, postNewRelicEvent: account } },
          thirdPartyToolsCredentials: {
            newRelic: [{ accountName: 'main', insertApiKey: 'not-a-real-key', accountId: 4711 }],
          },
          slackNotification: { enable: false, restMessage: { webhookURL: `${sink.url}/slack` } },
          // Relative to the folder in which it runs.
          fileCopyApprovedDirectories: [{ fromDirectory: 'qvd', toDirectory: 'archive' }],
          fileMoveApprovedDirectories: [{ fromDirectory: 'landing', toDirectory: 'qvd' }],
          fileDeleteApprovedDirectories: ['archive'],
          configDirectories: { qvdPath: 'qvd' },
          scheduler: { enable: true, configfile: 'schedule.yaml' },
          footman: {
            dataDirectory: 'data',
            api: { rateLimitPerMinute: 0 },
            mqtt: { receivedTopics: ['plant/#'] },
            destinations: { 'ops-chat': { type: 'slack', webhookURL: `${sink.url}/slack` } },
          },
        },
        config,
      ),
    }),
  )
  for (const file of ['qvd/sales.qvd', 'landing/orders.qvd', 'archive/old.qvd']) {
    const path = product.directory.join(file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'rows\n')
  }
  writeFileSync(product.directory.join('schedule.yaml'), SCHEDULES)
  const resources = cleanup.move()
  return { product, site, broker, sink, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}
