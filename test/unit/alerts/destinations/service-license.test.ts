/** Webhooks and MQTT messages about Windows services and the server licence. */
import { describe, expect, test } from 'bun:test'
import { mqttRules, payloadOf } from '../../../../src/alerts/butler-sections/mqtt.ts'
import { createWebhookDestination, webhookRules } from '../../../../src/alerts/butler-sections/webhooks.ts'
import { serviceStatusPayload } from '../../../../src/alerts/destinations/mqtt.ts'
import { butler } from '../../../../src/app/schema.ts'
import type { EventOutcome, LicenseDetails, ServiceDetails, TaskEvent } from '../../../../src/events/types.ts'
import type { HttpRequest } from '../../../../src/platform/http-client.ts'
import { renderInput } from '../../../support/alerts.ts'
import { taskEvent } from '../../../support/events.ts'
import { recordingLog } from '../../../support/recording-log.ts'

const SCHEDULER: ServiceDetails = {
  kind: 'service',
  serviceName: 'QlikSenseSchedulerService',
  displayName: 'Qlik Sense Scheduler Service',
  friendlyName: 'Scheduler',
  status: 'STOPPED',
  previousStatus: 'RUNNING',
  startType: 'Automatic',
  exePath: '"C:\\Program Files\\Qlik\\Sense\\Scheduler\\Scheduler.exe"',
  dependencies: ['QlikSenseRepositoryService'],
}
const ENGINE: ServiceDetails = {
  ...SCHEDULER,
  serviceName: 'QlikSenseEngineService',
  displayName: 'Qlik Sense Engine Service',
  friendlyName: 'Engine',
  exePath: '"C:\\Program Files\\Qlik\\Sense\\Engine\\Engine.exe"',
}
const RUNNING = { status: 'RUNNING', previousStatus: 'STOPPED' }

const service = (host: string, outcome: EventOutcome, details: ServiceDetails) =>
  taskEvent({ type: 'service', outcome, host, taskId: '', appId: '', details })

function license(outcome: EventOutcome, details: Partial<LicenseDetails> = {}): TaskEvent {
  const one = { kind: 'license', expired: false, expiryDate: '2026-12-31T00:00:00.000Z', daysRemaining: 40 } as const
  return taskEvent({ type: 'license', outcome, taskId: '', appId: '', details: { ...one, ...details } })
}

const ON = { enable: true, sendRecurring: { enable: true }, sendAlert: { enable: true } }

function configured(more: { license?: object; webhooks?: object; services?: object; mqtt?: object } = {}) {
  const list = (httpMethod: string) => ({
    webhooks: [{ description: 'x', webhookURL: 'https://h.example/hook?token=1', httpMethod }],
  })
  return butler.parse({
    mqttConfig: { enable: true, brokerHost: 'h', ...more.mqtt },
    webhookNotification: {
      enable: true,
      serviceMonitor: list('POST'),
      qlikSenseServerLicenseMonitor: list('POST'),
      qlikSenseServerLicenseExpiryAlert: list('POST'),
      ...more.webhooks,
    },
    serviceMonitor: {
      enable: true,
      alertDestination: { mqtt: { enable: true }, webhook: { enable: true }, ...more.services },
    },
    qlikSenseLicense: {
      serverLicenseMonitor: { enable: true, destination: { mqtt: ON, webhook: ON, ...more.license } },
    },
  })
}

type Config = ReturnType<typeof configured>
const matches = (event: TaskEvent) => (route: { when: { types: readonly string[]; outcomes: readonly string[] } }) =>
  route.when.types.includes(event.type) && route.when.outcomes.includes(event.outcome)

function published(event: TaskEvent, config: Config = configured()) {
  const routes = mqttRules(config).filter(matches(event))
  return routes.flatMap((route) => route.plan(event).map(({ target }) => [target, payloadOf(route.name, event)]))
}

async function called(event: TaskEvent, config: Config = configured()): Promise<HttpRequest[]> {
  const deps = { clock: { now: () => 0 }, log: recordingLog() }
  const destination = createWebhookDestination(deps, config)
  const routes = webhookRules(config).filter(matches(event))
  const messages = await Promise.all(routes.map((route) => destination.render(renderInput(route, event))))
  return messages.map(({ payload }) => payload as HttpRequest)
}

describe('MQTT', () => {
  test('a service that has stopped', () => {
    expect(published(service('pro2-win1', 'stopped', SCHEDULER))).toEqual([
      [
        'qliksense/service_stopped/pro2-win1/QlikSenseSchedulerService',
        '{"serviceHost":"pro2-win1","serviceName":"QlikSenseSchedulerService","serviceFriendlyName":"Scheduler","serviceDisplayName":"Qlik Sense Scheduler Service","serviceDependencies":["QlikSenseRepositoryService"],"serviceStartType":"Automatic","serviceExePath":"\\"C:\\\\Program Files\\\\Qlik\\\\Sense\\\\Scheduler\\\\Scheduler.exe\\"","serviceStatus":"STOPPED","servicePrevStatus":"RUNNING","serviceStatusChanged":true}',
      ],
    ])
  })

  test('a service that has started', () => {
    expect(published(service('pro2-win1', 'started', { ...SCHEDULER, ...RUNNING }))).toEqual([
      [
        'qliksense/service_running/pro2-win1/QlikSenseSchedulerService',
        '{"serviceHost":"pro2-win1","serviceName":"QlikSenseSchedulerService","serviceDisplayName":"Qlik Sense Scheduler Service","serviceFriendlyName":"Scheduler","serviceDependencies":["QlikSenseRepositoryService"],"serviceStartType":"Automatic","serviceExePath":"\\"C:\\\\Program Files\\\\Qlik\\\\Sense\\\\Scheduler\\\\Scheduler.exe\\"","serviceStatus":"RUNNING","servicePrevStatus":"STOPPED","serviceStatusChanged":true}',
      ],
    ])
  })

  test('a service that cannot be reached is told like a stopped one', () => {
    const gone = service('pro2-win1', 'unreachable', { ...SCHEDULER, status: 'UNREACHABLE', dependencies: [] })
    const [[topic, payload]] = published(gone) as [[string, string]]
    expect(topic).toBe('qliksense/service_stopped/pro2-win1/QlikSenseSchedulerService')
    expect(JSON.parse(payload)).toMatchObject({ serviceStatus: 'UNREACHABLE', serviceDependencies: [] })
  })

  test('the state of a service', () => {
    expect(serviceStatusPayload('pro2-win1', { ...ENGINE, status: 'RUNNING' })).toBe(
      '{"serviceHost":"pro2-win1","serviceName":"QlikSenseEngineService","serviceDisplayName":"Qlik Sense Engine Service","serviceFriendlyName":"Engine","serviceDependencies":["QlikSenseRepositoryService"],"serviceStartType":"Automatic","serviceExePath":"\\"C:\\\\Program Files\\\\Qlik\\\\Sense\\\\Engine\\\\Engine.exe\\"","serviceStatus":"RUNNING"}',
    )
  })

  test('the licence', () => {
    expect(published(license('status'))).toEqual([
      [
        'qliksense/qliksense_server_license',
        '{"licenseExpired":false,"expiryDateStr":"2026-12-31","daysUntilExpiry":40}',
      ],
    ])
    expect(published(license('status', { expiryDate: null, daysRemaining: null }))[0]![1]).toBe(
      '{"licenseExpired":false,"expiryDateStr":null,"daysUntilExpiry":null}',
    )
    const topic = 'qliksense/qliksense_server_license_expire'
    expect(published(license('expiring'))).toEqual([
      [topic, 'Qlik Sense server license is about to expire in 40 days, on 2026-12-31'],
    ])
    expect(published(license('expired', { expired: true, expiryDate: '2026-10-31', daysRemaining: -21 }))).toEqual([
      [topic, 'Qlik Sense server license expired on 2026-10-31'],
    ])
  })

  test('switches and empty topics', () => {
    const stopped = service('h', 'stopped', SCHEDULER)
    expect(published(stopped, configured({ services: { mqtt: { enable: false } } }))).toEqual([])
    expect(published(stopped, configured({ mqtt: { serviceStoppedTopic: '' } }))).toEqual([])
    expect(published(stopped, configured({ mqtt: { enable: false } }))).toEqual([])
    const off = (key: string) => configured({ license: { mqtt: { ...ON, [key]: { enable: false } } } })
    expect(published(license('status'), off('sendRecurring'))).toEqual([])
    expect(published(license('expiring'), off('sendRecurring'))).toHaveLength(1)
    expect(published(license('expiring'), off('sendAlert'))).toEqual([])
    expect(published(license('status'), configured({ license: { mqtt: { ...ON, enable: false } } }))).toEqual([])
  })
})

describe('webhooks', () => {
  const get = (section: string) => ({
    webhooks: { [section]: { webhooks: [{ webhookURL: 'https://h.example/hook', httpMethod: 'GET' }] } },
  })

  test('a service, POST', async () => {
    const [request] = await called(service('qs-prod-1', 'stopped', ENGINE))
    expect(request!.url).toBe('https://h.example/hook?token=1')
    expect(request!.body).toBe(
      '{"event":"Windows service monitor","host":"qs-prod-1","serviceStatus":"STOPPED","serviceName":"QlikSenseEngineService","serviceDisplayName":"Qlik Sense Engine Service","serviceStartType":"Automatic","prevState":"RUNNING","currState":"STOPPED","stateChanged":true}',
    )
  })

  test('a service, GET', async () => {
    const [request] = await called(service('qs-prod-1', 'stopped', ENGINE), configured(get('serviceMonitor')))
    expect(request!.url).toBe(
      'https://h.example/hook?event=Windows+service+monitor&host=qs-prod-1&servicestatus=STOPPED&servicename=QlikSenseEngineService&servicedisplayname=Qlik+Sense+Engine+Service&servicestarttype=Automatic&prevstate=RUNNING&currstate=STOPPED&statechanged=true',
    )
  })

  const EVENTS: readonly (readonly [EventOutcome, Partial<LicenseDetails>, string])[] = [
    [
      'status',
      {},
      '{"event":"server license status","licenseExpired":false,"expiryDateStr":"2026-12-31","daysUntilExpiry":40}',
    ],
    [
      'expiring',
      {},
      '{"event":"server license about to expire alert","licenseExpired":false,"expiryDateStr":"2026-12-31","daysUntilExpiry":40}',
    ],
    [
      'expired',
      { expired: true, expiryDate: '2026-10-31', daysRemaining: -21 },
      '{"event":"server license has expired alert","licenseExpired":true,"expiryDateStr":"2026-10-31","daysUntilExpiry":-21}',
    ],
  ]
  test.each(EVENTS)('the licence: %s', async (outcome, details, body) => {
    const requests = await called(license(outcome, details))
    expect(requests.map((request) => request.body)).toEqual([body])
  })

  test('the licence, GET', async () => {
    const config = configured(get('qlikSenseServerLicenseExpiryAlert'))
    const [request] = await called(license('expiring', { expiryDate: '2026-01-31', daysRemaining: 41 }), config)
    expect(request!.url).toBe(
      'https://h.example/hook?event=server+license+about+to+expire+alert&licenseExpired=false&expiryDateStr=2026-01-31&daysUntilExpiry=41',
    )
  })

  test('switches', () => {
    const names = (config: Config) =>
      webhookRules(config).map(({ name }) => name.replace('butler.webhookNotification.', ''))
    const all = ['serviceMonitor', 'qlikSenseServerLicenseMonitor', 'qlikSenseServerLicenseExpiryAlert']
    expect(names(configured())).toEqual(all)
    expect(names(configured({ webhooks: { enable: false } }))).toEqual([])
    expect(names(configured({ services: { webhook: { enable: false } } }))).toEqual(all.slice(1))
    expect(names(configured({ license: { webhook: { ...ON, enable: false } } }))).toEqual(all.slice(0, 1))
    const off = (key: string) => configured({ license: { webhook: { ...ON, [key]: { enable: false } } } })
    expect(names(off('sendRecurring'))).toEqual([all[0]!, all[2]!])
    expect(names(off('sendAlert'))).toEqual(all.slice(0, 2))
  })

  test('windows: stop and start apart, the licence as a whole', () => {
    const key = (event: TaskEvent) => webhookRules(configured()).find(matches(event))!.plan(event)[0]!.limit!.key
    const prefix = 'butler.webhookNotification'
    expect(key(service('h', 'stopped', ENGINE))).toBe(`${prefix}.serviceMonitor|h|QlikSenseEngineService|stopped`)
    expect(key(service('h', 'started', ENGINE))).toBe(`${prefix}.serviceMonitor|h|QlikSenseEngineService|started`)
    expect(key(license('status'))).toBe(`${prefix}.qlikSenseServerLicenseMonitor|license-monitor`)
    expect(key(license('expired'))).toBe(`${prefix}.qlikSenseServerLicenseExpiryAlert|license-alert`)
  })
})
