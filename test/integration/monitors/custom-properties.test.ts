/** Custom properties that settings count on: looked for on the simulated site, missed, made, and never a reason not to start. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { customPropertyNeeds } from '../../../src/app/config/custom-properties.ts'
import { butler } from '../../../src/app/schema.ts'
import { createCustomPropertyWatch } from '../../../src/monitors/custom-properties.ts'
import { createQrsClient } from '../../../src/qlik/qrs/client.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

const WAIT = { timeout: 15_000 }
const USER = 'UserDirectory=INTERNAL;UserId=sa_api'
const MAIL_KEY = 'Butler.emailNotification.reloadTaskFailure.alertEnableByCustomProperty'
const closing: (() => unknown)[] = []
let site: TestSite

beforeEach(async () => {
  site = await startSite()
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  await site[Symbol.asyncDispose]()
})

const needsOf = (config: object) => customPropertyNeeds(butler.parse(config))

function mail(customPropertyName: string, enabledValue = 'Yes') {
  const alertEnableByCustomProperty = { enable: true, customPropertyName, enabledValue }
  return { emailNotification: { enable: true, reloadTaskFailure: { enable: true, alertEnableByCustomProperty } } }
}

function watch(config: object, times = { retryMs: 20, idleMs: 20 }) {
  const { ca, client } = site.simulator.certificates.pem
  const log = recordingLog()
  const qrs = createQrsClient(
    { log: recordingLog() },
    {
      host: '127.0.0.1',
      port: site.simulator.ports.qrs,
      useSSL: true,
      rejectUnauthorized: true,
      headers: [{ name: 'X-Qlik-User', value: USER }],
      certificates: { ca: ca.pem, cert: client.cert.pem, key: client.key.pem },
    },
  )
  const watched = createCustomPropertyWatch({ qrs, log }, needsOf(config), times)
  closing.push(async () => {
    await watched.stop(0)
    qrs.close()
  })
  return { watched, log }
}

const asked = () =>
  site.simulator.requests({ listener: 'qrs' }).filter(({ path }) => path.includes('custompropertydefinition'))
/** Every look that was under way is over when three more have come. */
async function looks(): Promise<void> {
  const before = asked().length
  await until(() => asked().length >= before + 3, WAIT)
}
function define(name: string, choiceValues: string[], objectTypes = ['ReloadTask']): void {
  const { customPropertyDefinitions: all } = site.simulator.site
  const like = [...all.values()].find((one) => one.name === 'priority')!
  const known = [...all.values()].find((one) => one.name === name)
  if (known) Object.assign(known, { choiceValues })
  else all.set(`new-${name}`, { ...like, id: `new-${name}`, name, choiceValues, objectTypes })
}

test('a property that is there: asked as the configured user, with an escaped filter; nothing is said', async () => {
  define("Ann's alerts", ['Yes'])
  const { watched, log } = watch(mail("Ann's alerts"))
  expect(watched.states()).toEqual({ emailByCustomProperty: 'waiting' })
  await watched.start()
  await until(() => watched.states().emailByCustomProperty === 'up', WAIT)
  await looks()
  expect(log.of('warn')).toEqual([])
  const [request] = asked()
  expect(request!.headers['x-qlik-user']).toBe(USER)
  expect(decodeURIComponent(request!.path)).toContain("filter=name eq 'Ann\\'s alerts'")
})

test('a property that is missing: one warning, looked for again and again, one more when somebody has made it', async () => {
  const { watched, log } = watch(mail('Footman_Mail'))
  await watched.start()
  await looks()
  expect(watched.states()).toEqual({ emailByCustomProperty: 'waiting' })
  expect(log.of('warn')).toEqual([`CONFIG VERIFY: ${MAIL_KEY} waits: custom property "Footman_Mail" is not there`])
  define('Footman_Mail', ['Yes', 'No'])
  await until(() => watched.states().emailByCustomProperty === 'up', WAIT)
  await looks()
  expect(log.of('warn').slice(1)).toEqual([
    `CONFIG VERIFY: ${MAIL_KEY} waits no longer: custom property "Footman_Mail" is there now`,
  ])
})

test.each([
  [
    'a value that is missing',
    mail('priority', 'urgent'),
    'custom property "priority" has no value "urgent", only "high", "low"',
  ],
  [
    'a value in other letters',
    mail('priority', 'High'),
    'custom property "priority" has no value "High", only "high", "low"',
  ],
  [
    'a name in other letters',
    mail('PRIORITY', 'high'),
    'custom property "PRIORITY" is not there; there is "priority", and upper and lower case count',
  ],
  [
    'a property of something else than tasks',
    mail('usersOnly'),
    'custom property "usersOnly" is not one of resources of the type ReloadTask',
  ],
  ['a property without values', mail('empty'), 'custom property "empty" has no values to choose from'],
])('%s waits, with the reason', async (_, config, reason) => {
  define('usersOnly', ['Yes'], ['User'])
  define('empty', [])
  const { watched, log } = watch(config)
  await watched.start()
  await looks()
  expect(watched.states()).toEqual({ emailByCustomProperty: 'waiting' })
  expect(log.of('warn')).toEqual([`CONFIG VERIFY: ${MAIL_KEY} waits: ${reason}`])
})

describe('Qlik Sense cannot be asked', () => {
  test.each([
    ['403', { mode: 'status', args: [403] }, 'QRS answered 403'],
    ['no connection', { mode: 'refuse' }, 'refused the connection'],
    ['a login page', { mode: 'html' }, ''],
  ])(
    '%s: it waits with that reason, never as if the property was missing, until there is an answer',
    async (_, fault, reason) => {
      site.simulator.fault({ listener: 'qrs', match: '.', ...fault })
      const { watched, log } = watch(mail('priority', 'high'))
      await watched.start()
      await until(() => log.of('warn').length > 0, WAIT)
      expect(log.of('warn')[0]).toStartWith(`CONFIG VERIFY: ${MAIL_KEY} waits: Qlik Sense cannot be asked: `)
      expect(log.of('warn')[0]).toContain(reason)
      expect(log.of('warn')[0]).not.toContain('is not there')
      expect(watched.states()).toEqual({ emailByCustomProperty: 'waiting' })
      site.simulator.clearFaults()
      await until(() => watched.states().emailByCustomProperty === 'up', WAIT)
      expect(log.of('warn')).toHaveLength(2)
    },
  )

  test('later: what was there is believed to be there; what is taken away meanwhile is noticed', async () => {
    const { watched, log } = watch(mail('priority', 'high'))
    await watched.start()
    await until(() => watched.states().emailByCustomProperty === 'up', WAIT)
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'status', args: [500] })
    await looks()
    expect(watched.states()).toEqual({ emailByCustomProperty: 'up' })
    expect(log.of('warn')).toEqual([])
    site.simulator.clearFaults()
    define('priority', ['low'])
    await until(() => watched.states().emailByCustomProperty === 'waiting', WAIT)
    expect(log.of('warn')).toEqual([
      `CONFIG VERIFY: ${MAIL_KEY} waits: custom property "priority" has no value "high", only "low"`,
    ])
  })
})

test('settings that change are looked at without waiting; those that count on nothing ask nothing', async () => {
  const { watched } = watch({}, { retryMs: 600_000, idleMs: 600_000 })
  await watched.start()
  expect(watched.states()).toEqual({})
  watched.follow(needsOf(mail('priority', 'urgent')))
  await until(() => asked().length === 1, WAIT)
  watched.follow(needsOf(mail('priority', 'high')))
  await until(() => watched.states().emailByCustomProperty === 'up', WAIT)
  expect(asked()).toHaveLength(2)
  await watched.stop(0)
  watched.follow(needsOf(mail('other')))
  expect(asked()).toHaveLength(2)
})

test('New Relic: values that are no account are named once', async () => {
  const byCustomProperty = { enable: true, customPropertyName: 'Butler_FailedTask_Event_NewRelicAccount' }
  const { watched, log } = watch({
    incidentTool: {
      newRelic: {
        enable: true,
        reloadTaskFailure: { destination: { event: { enable: true, sendToAccount: { byCustomProperty } } } },
      },
    },
    thirdPartyToolsCredentials: { newRelic: [{ accountName: 'First NR account', insertApiKey: 'k', accountId: 1 }] },
  })
  await watched.start()
  await looks()
  expect(watched.states()).toEqual({ newRelicByCustomProperty: 'up' })
  expect(log.of('warn')).toEqual([
    'CONFIG VERIFY: Value "Unknown NR account" of custom property "Butler_FailedTask_Event_NewRelicAccount" means nothing to Butler.incidentTool.newRelic.reloadTaskFailure.destination.event.sendToAccount.byCustomProperty',
  ])
})

describe('what counts on a custom property', () => {
  const influx = (own: object) => ({
    influxDb: { enable: true, hostIP: 'x', reloadTaskSuccess: { enable: true, ...own } },
  })
  const marked = { byCustomProperty: { enable: true, customPropertyName: 'P', enabledValue: 'Yes' } }
  test.each([
    ['InfluxDB by custom property', influx(marked), ['P Yes ReloadTask']],
    ['all reload tasks, whatever the property', influx({ ...marked, allReloadTasks: { enable: true } }), []],
    ['InfluxDB that is off', { influxDb: { ...influx(marked).influxDb, enable: false } }, []],
    ['successes that are off', influx({ ...marked, enable: false }), []],
    ['mail', mail('M'), ['M Yes ReloadTask']],
    ['mail that is off', { emailNotification: { ...mail('M').emailNotification, enable: false } }, []],
    [
      'mail about distributions',
      {
        emailNotification: {
          enable: true,
          distributeTaskFailure: {
            enable: true,
            alertEnableByCustomProperty: { enable: true, customPropertyName: 'D' },
          },
        },
      },
      ['D Yes ReloadTask'],
    ],
  ])('%s', (_, config, expected) => {
    const needs = needsOf(config).map(({ property, value, objectType }) => `${property} ${value} ${objectType}`)
    expect(needs).toEqual(expected)
  })
})
