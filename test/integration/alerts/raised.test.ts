/** Events that monitors and Qlik Cloud raise, from the emitter through router and outbox to what the receivers get. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  createSlackDestination,
  createTeamsDestination,
  slackRules,
  teamsRules,
} from '../../../src/alerts/butler-sections/chat.ts'
import { createMqttDestination, mqttRules } from '../../../src/alerts/butler-sections/mqtt.ts'
import { createNewRelicDestination, newRelicRules } from '../../../src/alerts/butler-sections/new-relic.ts'
import { createWebhookDestination, webhookRules } from '../../../src/alerts/butler-sections/webhooks.ts'
import { createScriptLogDestination, scriptLogRules } from '../../../src/alerts/destinations/scriptlog.ts'
import { createOutbox } from '../../../src/alerts/outbox/outbox.ts'
import { createRouter } from '../../../src/alerts/router.ts'
import { sampleEvent } from '../../../src/alerts/sample-event.ts'
import { butler } from '../../../src/app/schema.ts'
import { createEventEmitter, type EventEmitter } from '../../../src/events/emit.ts'
import { loadTaskEvent } from '../../../src/events/store.ts'
import type { EventOutcome, EventType } from '../../../src/events/types.ts'
import type { MqttService } from '../../../src/mqtt/types.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { teamsFaults } from '../../support/adaptive-card.ts'
import { LINKS, STOCKHOLM, templateEngine } from '../../support/alerts.ts'
import { pipelineDatabase } from '../../support/events.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { slackFaults } from '../../support/slack-blocks.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const ON = { enable: true }

function configured(url: string) {
  const chat = (path: string, basicMsgTemplate: string) => ({
    webhookURL: `${url}${path}`,
    rateLimit: 0,
    messageType: 'basic',
    basicMsgTemplate,
  })
  const services = (path: string) => ({
    ...ON,
    serviceStopped: chat(path, 'Windows service stopped: "{{serviceName}}" on host "{{host}}"'),
    serviceStarted: chat(path, 'Windows service started: "{{serviceName}}" on host "{{host}}"'),
  })
  const hooks = { rateLimit: 0, webhooks: [{ description: 'x', webhookURL: `${url}/hook`, httpMethod: 'POST' }] }
  const license = { ...ON, sendRecurring: ON, sendAlert: ON }
  const account = { ...ON, sendToAccount: ['A'] }
  const cloud = (path: string) => ({ ...ON, webhookURL: `${url}${path}`, rateLimit: 0, tailScriptLogLines: 1 })
  return butler.parse({
    ...LINKS,
    slackNotification: services('/slack'),
    teamsNotification: services('/teams'),
    webhookNotification: {
      ...ON,
      serviceMonitor: hooks,
      qlikSenseServerLicenseMonitor: hooks,
      qlikSenseServerLicenseExpiryAlert: hooks,
    },
    thirdPartyToolsCredentials: { newRelic: [{ accountName: 'A', insertApiKey: 'k', accountId: 1 }] },
    incidentTool: {
      newRelic: {
        ...ON,
        url: { event: `${url}/nr`, log: `${url}/nr/log` },
        serviceMonitor: { destination: { event: account, log: account }, sharedSettings: { rateLimit: 0 } },
      },
    },
    serviceMonitor: {
      ...ON,
      alertDestination: { newRelic: ON, mqtt: ON, teams: ON, slack: ON, webhook: ON },
    },
    qlikSenseLicense: { serverLicenseMonitor: { ...ON, destination: { mqtt: license, webhook: license } } },
    mqttConfig: { ...ON, brokerHost: 'h' },
    scriptLog: { storeOnDisk: { qsCloud: { appReloadFailure: { ...ON, logDirectory: 'logs' } } } },
    qlikSenseCloud: {
      ...ON,
      event: {
        mqtt: {
          tenant: {
            qlikSenseUrls: { qmc: 'https://sample.eu.qlikcloud.com/console', hub: 'https://sample.eu.qlikcloud.com' },
            alert: {
              slackNotification: { reloadAppFailure: cloud('/slack') },
              teamsNotification: { reloadAppFailure: cloud('/teams') },
            },
          },
        },
      },
    },
  })
}

describe('raised events', () => {
  const published: string[][] = []
  const directory = tempDirectory()
  const db = pipelineDatabase(directory.join('footman.db'))
  let sink: HttpSink
  let emitter: EventEmitter
  let stop: () => Promise<unknown>

  beforeAll(async () => {
    sink = await startHttpSink()
    const config = configured(sink.url)
    const writer = createGroupWriter(db)
    const [log, clock] = [recordingLog(), { now: () => Date.now() }]
    const mqtt: MqttService = {
      connected: true,
      onConnected: () => {},
      publish: async (topic, payload) => void published.push([topic, String(payload)]),
      publishStatus: () => {},
      onMessage: () => {},
    }
    const deps = { log, clock, engine: templateEngine(), times: STOCKHOLM }
    const destinations = [
      createSlackDestination(deps, config),
      createTeamsDestination(deps, config),
      createWebhookDestination({ ...deps, candidates: (path: string) => [path] }, config),
      createNewRelicDestination(deps, config),
      createScriptLogDestination({ ...deps, output: (path) => directory.join(path) }, config),
      createMqttDestination({ mqtt }),
    ]
    const compilers = [slackRules, teamsRules, webhookRules, newRelicRules, mqttRules]
    const routes = [...compilers.flatMap((compile) => compile(config)), ...scriptLogRules(config, STOCKHOLM)]
    const router = createRouter({ clock, log, onDeliveries: (lanes) => outbox.wake(lanes) }, routes)
    const outbox = createOutbox(
      {
        db,
        writer,
        log,
        clock,
        rule: router.rule,
        loadEvent: (id) => loadTaskEvent(db, id),
        destinations: new Map(destinations.map((destination) => [destination.name, destination])),
      },
      { concurrency: 4, retry: { firstMs: 20, maxMs: 100, jitter: 0 }, maxAgeMs: () => 60_000, shadow: false },
    )
    await outbox.start()
    emitter = createEventEmitter({ writer, router, clock, wakeEnricher: () => {} }, { waitMs: 1000 })
    stop = async () => {
      await outbox.stop(100)
      await Promise.all(destinations.map((destination) => destination.close?.()))
    }
  })

  afterAll(async () => {
    await stop()
    await sink.stop()
    db.close()
    directory.remove()
  })

  /** Emits the sample of this kind as if it were real, and waits for its deliveries. */
  async function raise(type: EventType, outcome: EventOutcome) {
    sink.requests.splice(0)
    published.splice(0)
    const { host, appName, appId, details, scriptLog } = sampleEvent('x', outcome, 0, type)
    const source = type === 'cloudReload' ? 'cloud' : 'monitor'
    const message = { host, appName, appId, logTimeStamp: type === 'cloudReload' ? '2024-10-14T11:41:31Z' : '' }
    const id = await emitter.emit({ source, type, outcome, message, details, scriptLog })
    const rows = () =>
      db.all<{ route: string; target: string; state: string }>(
        'SELECT route, target, state FROM delivery WHERE event_id = ? ORDER BY seq',
        id,
      )
    await until(() => rows().length > 0 && rows().every(({ state }) => state === 'delivered'), { state: rows })
    const posted = (path: string) =>
      sink.requests.filter(({ url }) => url.startsWith(path)).map(({ body }) => JSON.parse(body))
    return { posted, routes: rows().map(({ route }) => route), targets: rows().map(({ target }) => target) }
  }

  const SERVICE = {
    serviceHost: 'sample-host',
    serviceName: 'QlikSenseEngineService',
    serviceDisplayName: 'Qlik Sense Engine Service',
    serviceFriendlyName: 'Engine',
    serviceDependencies: ['QlikSenseServiceDispatcher'],
    serviceStartType: 'Automatic',
    serviceExePath: '"C:\\Program Files\\Qlik\\Sense\\Engine\\Engine.exe" -service',
  }

  test.each([
    ['stopped', 'STOPPED', 'RUNNING', 'stopped'],
    ['started', 'RUNNING', 'STOPPED', 'running'],
    ['unreachable', 'UNREACHABLE', 'RUNNING', 'stopped'],
  ] as const)('a service: %s', async (outcome, status, before, topic) => {
    const { posted } = await raise('service', outcome)
    const word = outcome === 'started' ? 'started' : 'stopped'
    const line = `Windows service ${word}: "QlikSenseEngineService" on host "sample-host"`
    const [slack] = posted('/slack')
    expect(slack).toMatchObject({
      username: 'Qlik Sense',
      channel: 'qliksense-service-alert',
      icon_emoji: ':ghost:',
      blocks: [{ type: 'header', text: { type: 'plain_text', text: line } }, { type: 'divider' }, { type: 'actions' }],
    })
    expect(slackFaults(slack)).toEqual([])
    const [teams] = posted('/teams')
    expect(teams.attachments[0].content.body[0].text).toBe(line)
    expect(teamsFaults(teams)).toEqual([])
    expect(posted('/hook')).toEqual([
      {
        event: 'Windows service monitor',
        host: 'sample-host',
        serviceStatus: status,
        serviceName: 'QlikSenseEngineService',
        serviceDisplayName: 'Qlik Sense Engine Service',
        serviceStartType: 'Automatic',
        prevState: before,
        currState: status,
        stateChanged: true,
      },
    ])
    const attributes = {
      butler_serviceHost: 'sample-host',
      butler_serviceName: 'QlikSenseEngineService',
      butler_serviceDisplayName: 'Qlik Sense Engine Service',
      butler_serviceStatus: status,
    }
    const timestamp = expect.any(Number)
    expect(posted('/nr/v1/accounts/1/events')).toEqual([
      [{ ...attributes, timestamp, eventType: 'qs_serviceStateEvent' }],
    ])
    const message = `Windows service "Qlik Sense Engine Service" on host "sample-host" is ${status}.`
    expect(posted('/nr/log')).toEqual([
      [{ common: { attributes: { ...attributes, logtype: 'qs_serviceStateLog' } }, logs: [{ timestamp, message }] }],
    ])
    const [[sentTo, payload]] = published as [[string, string]]
    expect(sentTo).toBe(`qliksense/service_${topic}/sample-host/QlikSenseEngineService`)
    const change = { serviceStatus: status, servicePrevStatus: before, serviceStatusChanged: true }
    expect(JSON.parse(payload)).toEqual({ ...SERVICE, ...change })
  })

  test.each([
    ['status', 'server license status', 'qliksense/qliksense_server_license', false],
    ['expiring', 'server license about to expire alert', 'qliksense/qliksense_server_license_expire', false],
    ['expired', 'server license has expired alert', 'qliksense/qliksense_server_license_expire', true],
  ] as const)('the licence: %s', async (outcome, event, topic, licenseExpired) => {
    const { posted } = await raise('license', outcome)
    const [expiryDateStr, daysUntilExpiry] = licenseExpired ? ['2026-01-14', -1] : ['2026-02-25', 41]
    const fields = { licenseExpired, expiryDateStr, daysUntilExpiry }
    expect(posted('/hook')).toEqual([{ event, ...fields }])
    const texts = {
      status: JSON.stringify(fields),
      expiring: 'Qlik Sense server license is about to expire in 41 days, on 2026-02-25',
      expired: 'Qlik Sense server license expired on 2026-01-14',
    }
    expect(published).toEqual([[topic, texts[outcome]]])
    expect(sink.requests).toHaveLength(1)
  })

  test('a failed app reload in Qlik Cloud', async () => {
    const { posted, routes, targets } = await raise('cloudReload', 'failed')
    expect(routes).toEqual([
      'butler.qlikSenseCloud.slackNotification.reloadAppFailure',
      'butler.qlikSenseCloud.teamsNotification.reloadAppFailure',
      'butler.scriptLog.qsCloud.appReloadFailure',
    ])
    expect(targets[2]).toBe(
      '2024-10-14/2024-10-14T11-41-31_appId=66666666-7777-4888-8999-aaaaaaaaaaaa_reloadId=670e1df04cf4e529c035c902.log',
    )
    const [slack] = posted('/slack')
    expect(slack.text).toBe('Cloud reload failed: Sample app')
    const fields = slack.blocks[1].fields.map(({ text }: { text: string }) => text)
    expect(fields).toContain('*Owner*\nAnna Sample (64e7f1sampleuser)')
    expect(fields).toContain('*Error code*\nEngineReloadScriptError')
    expect(slack.blocks[2].text.text).toEndWith(
      "log rows:\n```2026-01-15 06:03:11  0042 Error: Field 'Amount' not found```",
    )
    expect(slack.blocks.at(-1).elements[0].url).toBe('https://sample.eu.qlikcloud.com/console')
    expect(slackFaults(slack)).toEqual([])
    const [teams] = posted('/teams')
    expect(teams.attachments[0].content.body[0].text).toBe('Cloud reload failed: Sample app')
    expect(teamsFaults(teams)).toEqual([])
  })
})
