/** The monitors of the running product: a service that stops is told everywhere, licences are watched and given back. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import { connectAsync, type MqttClient } from 'mqtt'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { type TempDirectory, tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const ON = { enable: true }
const WAIT = { timeout: 30_000 }

/** Stands for `systemctl`; answers with what is in a file beside it, and notes each call. */
const SYSTEMCTL = `#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
cat "$here/units"
`
const unit = (state: string) =>
  `LoadState=loaded\nActiveState=${state}\nUnitFileState=enabled\nDescription=Qlik Sense Engine Service\nExecStart={ path=/opt/engine ; argv[]=/opt/engine -S ; ignore_errors=no }\nRequires=QlikSenseServiceDispatcher\n`

const onLinux = describe.skipIf(process.platform !== 'linux')

onLinux('a service that stops', () => {
  let sink: HttpSink
  let mailbox: SmtpSink
  let broker: Mosquitto
  let subscriber: MqttClient
  let tools: TempDirectory
  let product: Footman
  const published: { topic: string; payload: string }[] = []

  function become(state: string): void {
    writeFileSync(tools.join('units.new'), unit(state))
    renameSync(tools.join('units.new'), tools.join('units'))
  }
  const posted = (path: string) =>
    sink.requests.filter(({ url }) => url.startsWith(path)).map(({ body }) => JSON.parse(body))
  const lines = () =>
    sink.requests.filter(({ url }) => url.startsWith('/write')).flatMap(({ body }) => body.split('\n'))

  beforeAll(async () => {
    ;[sink, mailbox, broker] = await Promise.all([startHttpSink(), startSmtpSink(), startMosquitto()])
    sink.answer(({ url }) => {
      if (url.startsWith('/write')) return { status: 204 }
      const results = '{"results":[{"series":[{"name":"databases","columns":["name"],"values":[["butler"]]}]}]}'
      return url.startsWith('/query') ? { headers: { 'content-type': 'application/json' }, body: results } : {}
    })
    subscriber = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    subscriber.on('message', (topic, payload) => void published.push({ topic, payload: payload.toString() }))
    await subscriber.subscribeAsync('qliksense/#', { qos: 1 })
    tools = tempDirectory()
    writeFileSync(tools.join('systemctl'), SYSTEMCTL)
    chmodSync(tools.join('systemctl'), 0o755)
    become('active')
    const chat = (path: string) => ({
      webhookURL: `${sink.url}${path}`,
      messageType: 'basic',
      rateLimit: 300,
      basicMsgTemplate: '{{serviceDisplayName}} on {{host}} is {{serviceStatus}}, was {{servicePrevStatus}}',
    })
    const chats = (path: string) => ({ ...ON, serviceStopped: chat(path), serviceStarted: chat(path) })
    const account = { ...ON, sendToAccount: ['A'] }
    const mail = {
      rateLimit: 300,
      recipients: ['ops@acme.example'],
      fromAddress: 'noreply@acme.example',
      priority: 'high',
    }
    product = await footman({
      simulator: null,
      args: ['--no-qs-connection'],
      mqttPort: broker.port,
      smtpPort: mailbox.port,
      env: { PATH: `${tools.path}${delimiter}${process.env.PATH}` },
      config: {
        slackNotification: chats('/slack'),
        teamsNotification: chats('/teams'),
        emailNotification: { serviceStopped: mail, serviceStarted: mail },
        webhookNotification: {
          ...ON,
          serviceMonitor: {
            rateLimit: 300,
            webhooks: [{ description: 'x', webhookURL: `${sink.url}/hook`, httpMethod: 'POST' }],
          },
        },
        thirdPartyToolsCredentials: { newRelic: [{ accountName: 'A', insertApiKey: 'k', accountId: 1 }] },
        incidentTool: {
          newRelic: {
            ...ON,
            url: { event: `${sink.url}/nr`, log: `${sink.url}/nrlog` },
            serviceMonitor: { destination: { event: account, log: account } },
          },
        },
        influxDb: { ...ON, hostIP: '127.0.0.1', hostPort: sink.port, version: 1, v1Config: { dbName: 'butler' } },
        footman: {
          destinations: { oncall: { type: 'signl4', url: `${sink.url}/signl4` } },
          alertRoutes: [{ name: 'services', match: { type: 'service', outcome: 'stopped' }, to: ['oncall'] }],
        },
        serviceMonitor: {
          ...ON,
          frequency: 'every 1 second',
          monitor: [
            { host: 'localhost', services: [{ name: 'QlikSenseEngineService', friendlyName: 'Engine' }] },
            { host: 'qs-prod-1', services: [{ name: 'QlikSenseProxyService', friendlyName: 'Proxy' }] },
          ],
          alertDestination: {
            influxDb: ON,
            newRelic: ON,
            email: ON,
            mqtt: ON,
            teams: ON,
            slack: ON,
            webhook: ON,
          },
        },
      },
    })
    await product.start()
  }, 60_000)

  afterAll(async () => {
    await subscriber?.endAsync(true)
    await product?.[Symbol.asyncDispose]()
    await Promise.all([sink?.stop(), mailbox?.stop(), broker?.stop()])
    tools?.remove()
  })

  const state = (topic: string) => published.filter((message) => message.topic === topic)
  const TOPIC = 'localhost/QlikSenseEngineService'

  test('while it runs its state is published and stored, and nobody is bothered', async () => {
    await until(() => state(`qliksense/service_status/${TOPIC}`).length >= 1, WAIT)
    const [message] = state(`qliksense/service_status/${TOPIC}`)
    expect(message?.payload).toBe(
      '{"serviceHost":"localhost","serviceName":"QlikSenseEngineService","serviceDisplayName":"Qlik Sense Engine Service","serviceFriendlyName":"Engine","serviceDependencies":["QlikSenseServiceDispatcher"],"serviceStartType":"Automatic","serviceExePath":"/opt/engine -S","serviceStatus":"RUNNING"}',
    )
    await until(() => lines().some((line) => line.startsWith('win_service_state,')), WAIT)
    expect(lines().find((line) => line.startsWith('win_service_state,'))).toMatch(
      /^win_service_state,display_name=Qlik\\ Sense\\ Engine\\ Service,friendly_name=Engine,host=localhost,service_name=QlikSenseEngineService startup_mode_num=0,startup_mode_text="Automatic",state_num=4,state_text="RUNNING" \d{19}$/,
    )
    expect(product.rows(`SELECT 1 FROM event WHERE type = 'service'`)).toEqual([])
    expect(mailbox.mails).toEqual([])
  }, 60_000)

  test('what cannot be read is said once', async () => {
    const said = product.process.stdout.filter((line) => line.includes('qs-prod-1'))
    expect(said).toHaveLength(1)
    expect(said[0]).toContain(
      'SERVICE MONITOR INIT: Services on host qs-prod-1 are not watched: Windows services can only be read where Footman runs on Windows.',
    )
  })

  test('it stops: one message to each destination', async () => {
    become('inactive')
    await until(() => posted('/nrlog').length + posted('/nr/').length === 2, { ...WAIT, what: 'New Relic' })
    await until(() => mailbox.mails.length === 1 && posted('/teams').length === 1, WAIT)
    await until(() => posted('/slack').length === 1 && posted('/hook').length === 1, WAIT)
    await until(() => state(`qliksense/service_stopped/${TOPIC}`).length === 1, WAIT)
    const line = 'Qlik Sense Engine Service on localhost is STOPPED, was RUNNING'
    expect(JSON.stringify(posted('/slack')[0])).toContain(line)
    expect(JSON.stringify(posted('/teams')[0])).toContain(line)
    expect(posted('/hook')[0]).toMatchObject({ host: 'localhost', prevState: 'RUNNING', currState: 'STOPPED' })
    expect(JSON.parse(state(`qliksense/service_stopped/${TOPIC}`)[0]!.payload)).toMatchObject({
      servicePrevStatus: 'RUNNING',
      serviceStatus: 'STOPPED',
    })
    expect(mailbox.mails[0]?.parsed.subject).toContain('Qlik Sense Engine Service')
    await until(() => posted('/signl4').length === 1, WAIT)
    expect(posted('/signl4')[0]).toMatchObject({ 'X-S4-Status': 'new' })
    expect(JSON.stringify(posted('/signl4')[0])).toContain('Qlik Sense Engine Service')
    await until(() => lines().some((text) => text.includes('state_num=1,state_text="STOPPED"')), WAIT)
    const metrics = await (await product.call('GET', '/metrics')).text()
    expect(metrics).toContain('footman_service_state{host="localhost",service="QlikSenseEngineService"} 1')
  }, 60_000)

  test('a restart of Footman repeats nothing; the start is told, within the window of the stop', async () => {
    expect(await product.process.stop()).toBe(0)
    const calls = () => readFileSync(tools.join('calls'), 'utf8').trim().split('\n').length
    const before = calls()
    await product.start()
    await until(() => calls() >= before + 3, WAIT)
    become('active')
    await until(() => posted('/slack').length === 2 && posted('/hook').length === 2, WAIT)
    await until(() => mailbox.mails.length === 2 && posted('/teams').length === 2, WAIT)
    await until(() => state(`qliksense/service_running/${TOPIC}`).length === 1, WAIT)
    await until(() => posted('/signl4').length === 2, WAIT)
    expect(posted('/signl4')[1]).toMatchObject({ 'X-S4-Status': 'resolved' })
    const events = product.rows<{ outcome: string }>(`SELECT outcome FROM event WHERE type = 'service' ORDER BY seq`)
    expect(events.map(({ outcome }) => outcome)).toEqual(['stopped', 'started'])
    expect(posted('/hook')[1]).toMatchObject({ prevState: 'STOPPED', currState: 'RUNNING' })
  }, 60_000)
})

describe('licences of the site', () => {
  let site: TestSite
  let sink: HttpSink
  const cleanups: (() => Promise<unknown>)[] = []
  beforeAll(async () => {
    ;[site, sink] = await Promise.all([startSite(), startHttpSink()])
  })
  afterAll(async () => {
    for (const cleanup of cleanups) await cleanup()
    await Promise.all([site[Symbol.asyncDispose](), sink.stop()])
  })

  const hook = (path: string) => ({
    rateLimit: 0,
    webhooks: [{ description: 'x', webhookURL: `${sink.url}${path}`, httpMethod: 'POST' }],
  })
  async function start(node: object, args: readonly string[] = []) {
    const product = await footman({
      simulator: site.simulator,
      args,
      config: {
        heartbeat: { ...ON, remoteURL: `${sink.url}/heartbeat` },
        thirdPartyToolsCredentials: { newRelic: [{ accountName: 'A', insertApiKey: 'nr-key', accountId: 1 }] },
        uptimeMonitor: {
          ...ON,
          frequency: 'every 1 second',
          logLevel: 'info',
          storeNewRelic: { ...ON, destinationAccount: ['A'], url: `${sink.url}/metric` },
        },
        webhookNotification: {
          ...ON,
          qlikSenseServerLicenseMonitor: hook('/status'),
          qlikSenseServerLicenseExpiryAlert: hook('/alert'),
        },
        qlikSenseLicense: {
          serverLicenseMonitor: { ...ON, destination: { webhook: { ...ON, sendRecurring: ON, sendAlert: ON } } },
          licenseMonitor: ON,
          licenseRelease: { ...ON, dryRun: false, licenseType: { analyzer: { enable: false } } },
        },
        footman: node,
      },
    })
    cleanups.push(async () => product[Symbol.asyncDispose]())
    await product.start()
    return product
  }
  const held = () => site.simulator.site.licences.professional.size
  const urls = () => sink.requests.map(({ url }) => url)

  test('a satellite leaves them to the primary, shadow mode takes and sends nothing', async () => {
    const satellite = await start({ node: { role: 'satellite' } })
    await satellite.process.waitForLine(/Skipping access license release: the primary node does it/, 20_000)
    await until(() => urls().includes('/heartbeat'), WAIT)
    expect(await satellite.process.stop()).toBe(0)
    sink.requests.length = 0
    const shadow = await start({}, ['--shadow'])
    await shadow.process.waitForLine(/License release professional: candidates 6, kept 1, would be released 5/, 20_000)
    await shadow.process.waitForLine(/Iteration # 1, Uptime: /, 20_000)
    expect(await shadow.process.stop()).toBe(0)
    expect(urls()).toEqual([])
    expect(held()).toBe(9)
    const asked = site.simulator.requests({ listener: 'qrs' }).filter(({ method }) => method === 'DELETE')
    expect(asked).toEqual([])
  }, 90_000)

  test('the state is told, the end is announced, unused licences are given back, all of it can be scraped', async () => {
    site.simulator.setServerLicence('expires-in-10-days')
    const product = await start({})
    await product.process.waitForLine(
      /License release professional: candidates 6, kept 1, released 5, failed 0/,
      20_000,
    )
    expect(held()).toBe(4)
    await until(() => ['/heartbeat', '/status', '/alert'].every((path) => urls().includes(path)), WAIT)
    const alert = sink.requests.find(({ url }) => url === '/alert')
    expect(JSON.parse(alert!.body)).toMatchObject({
      event: 'server license about to expire alert',
      licenseExpired: false,
      daysUntilExpiry: 10,
    })
    await until(async () => {
      const metrics = await (await product.call('GET', '/metrics')).text()
      return (
        metrics.includes('footman_license_days_remaining 10') &&
        /footman_license_allocated\{license_type="analyzer"\} 30/.test(metrics)
      )
    }, WAIT)
    await until(() => urls().includes('/metric'), WAIT)
    const report = sink.requests.find(({ url }) => url === '/metric')
    expect(report?.headers['api-key']).toBe('nr-key')
    expect(JSON.parse(report!.body)[0].common).toMatchObject({ 'interval.ms': 1000 })
    // No command was run: nothing of services is watched.
    expect(product.process.stdout.some((line) => line.includes('SERVICE MONITOR'))).toBe(false)
  }, 60_000)
})
