/** Settings of every kind in their form, as a browser without scripts shows and sends it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { newKey, type Visitor, visitorOf } from '../../support/console.ts'
import { DESTINATION_EXAMPLES } from '../../support/destination-types.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { type Reader, reader } from '../../support/reader.ts'

const ADMIN = newKey('admin', 'admin')
const ANNA = newKey('anna', 'setting:read', 'setting:write', 'event:read')
const LOOKER = newKey('looker', 'setting:read', 'event:read')
const CANARY = 'c4n4ry-in-a-form'

let sink: HttpSink
let product: Footman
let admin: Visitor

beforeAll(async () => {
  sink = await startHttpSink()
  product = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    config: {
      footman: {
        watchConfig: false,
        timezone: 'Europe/Stockholm',
        settings: { allowHosts: ['127.0.0.1'] },
        access: { enable: true, keys: [ADMIN.entry, ANNA.entry, LOOKER.entry] },
        api: { rateLimitPerMinute: 0 },
        destinations: { filed: { type: 'webhook', url: `${sink.url}/filed` } },
        alertRoutes: [{ name: 'of-file', match: { outcome: 'failed' }, to: ['filed'] }],
      },
    },
  })
  await product.start()
  admin = await visit(ADMIN.key)
})
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await sink?.stop()
})

async function visit(key: string): Promise<Visitor> {
  const who = visitorOf(product)
  await who.signIn(key)
  return who
}

const bearer = { authorization: `Bearer ${ADMIN.key}` }

interface Stored {
  readonly value: Readonly<Record<string, unknown>>
  readonly revision: number
}

const stored = async (path: string): Promise<Stored> =>
  (await (await product.call('GET', `/v4/settings/${path}`, undefined, bearer)).json()) as Stored
const put = (path: string, value: unknown, ifMatch?: number) =>
  product.call(
    'PUT',
    `/v4/settings/${path}`,
    { value },
    { ...bearer, ...(ifMatch !== undefined && { 'if-match': `"${ifMatch}"` }) },
  )

async function edit(who: Visitor, query: string): Promise<Reader> {
  const page = reader(who)
  await page.open(`/console/system/settings/edit?${query}`)
  return page
}

/** Values with single texts in the place of lists, and members that no field has. */
const VALUES: readonly (readonly [path: string, value: unknown])[] = [
  ['window/night', { days: 'mon-fri', from: '20:00', to: '07:00' }],
  ['window/freeze', { start: '2030-12-24T18:00:00Z', end: '2030-12-27T06:00:00Z' }],
  ['calendar/holidays', { dates: ['2030-12-24', '2030-12-25'], days: ['sat', 'sun'] }],
  ['calendar/one-day', { dates: '2030-12-24' }],
  ['destination/hook', { type: 'webhook', url: 'http://127.0.0.1:9/x', headers: { 'x-token': CANARY } }],
  ['destination/chat', { type: 'slack', webhookURL: 'http://127.0.0.1:9/s', timeout: '20s' }],
  ['rule/short', { match: { outcome: 'failed' }, to: ['hook'] }],
  [
    'rule/long',
    {
      enable: false,
      match: [
        { type: ['service'], outcome: '*', host: 'qs1' },
        { stream: 'Finance', taskProperty: { Team: ['BI', 'IT'] }, manual: false, during: 'night' },
      ],
      except: { task: ['a*', 'b'], message: '/timeout/' },
      to: ['chat', { destination: 'hook', timeout: '5s' }],
      recovery: false,
      limit: '2/1h',
    },
  ],
  ['maintenance/patches', { during: ['night'], match: { host: 'qs1' }, stopSchedules: true, summaryTo: ['hook'] }],
  [
    'policy/finance',
    { match: { stream: 'Finance' }, retry: '3x/5m*2', watch: { late: '30m', dueBy: ['mon-fri 07:30'] } },
  ],
  ['switch/footman.console.publicUrl', 'https://qs.acme.example/footman'],
  ['switch/footman.selfAlerts.to', ['hook']],
  ['switch/footman.butlerRoutes.recovery', true],
]

test('a form that is sent as it came changes nothing', async () => {
  for (const [path, value] of VALUES) {
    expect([path, (await put(path, value)).status]).toEqual([path, 201])
    const before = await stored(path)
    const [kind, name = ''] = path.split('/')
    const page = await edit(admin, `kind=${kind}&name=${encodeURIComponent(name)}`)
    await page.press('Save')
    expect([path, page.status, page.url.pathname]).toEqual([path, 200, expect.not.stringContaining('/form/')])
    expect([path, (await stored(path)).value]).toEqual([path, before.value])
  }
})

test('a new rule is made of fields; what is refused stands at its field', async () => {
  const page = await edit(admin, 'kind=rule')
  await page.press('Add the rule')
  expect([page.status, page.text('[data-wrong="wanted"]')]).toEqual([400, 'must not be empty'])
  page.fill('wanted', 'Finance failures!')
  page.fill('f:to', 'nowhere')
  page.fill('f:match.0.consecutiveFailures', 'three')
  await page.press('Add the rule')
  expect(page.status).toBe(400)
  expect(page.text('[data-wrong="f:match.0.consecutiveFailures"]')).toContain('must be a comparison')
  page.fill('f:match.0.consecutiveFailures', '>=3')
  await page.press('Add the rule')
  expect(page.text('[data-wrong="f:to"]')).toContain('nowhere')
  page.fill('f:to', 'filed')
  await page.press('Add the rule')
  expect(page.text()).toContain('The rule finance-failures is saved and in use.')
  expect((await stored('rule/finance-failures')).value).toMatchObject({
    match: { consecutiveFailures: '>=3' },
    to: ['filed'],
  })
  expect(page.text('#routes')).not.toBe('')
})

test('a destination is tested as it is in the form, before it is saved', async () => {
  const page = await edit(admin, 'kind=destination&type=webhook')
  page.fill('wanted', 'tried')
  page.fill('f:url', `${sink.url}/tried`)
  await page.press('Send a test message')
  expect(sink.requests.filter(({ url }) => url === '/tried')).toHaveLength(1)
  expect(page.text('[data-part="tested"]')).toContain('HTTP 200')
  expect((await product.call('GET', '/v4/settings/destination/tried', undefined, bearer)).status).toBe(404)
  sink.answer(({ url }) => ({ status: url === '/refuses' ? 403 : 200 }))
  page.fill('f:url', `${sink.url}/refuses`)
  await page.press('Send a test message')
  expect(page.text('[data-part="tested"]')).toContain('HTTP 403')
  await page.press('Add the destination')
  expect((await stored('destination/tried')).revision).toBe(1)
})

describe('secrets', () => {
  test.each(Object.entries(DESTINATION_EXAMPLES))(
    'of a destination %s are in no page and no answer',
    async (type, example) => {
      const { settings, secret } = example
      const name = `secret-${type}`
      expect((await put(`destination/${name}`, settings)).status).toBe(201)
      const query = `kind=destination&name=${name}`
      const pages = [`/system/settings/edit?${query}`, '/system/settings', `/system/changes?${query}`, '/destinations']
      for (const path of pages) expect([path, (await admin.page(path)).html.includes(secret)]).toEqual([path, false])
      const answers = [
        'settings/destination',
        `settings/destination/${name}/history`,
        'settings/export',
        'audit',
        'config',
      ]
      for (const path of answers) {
        const text = await (await product.call('GET', `/v4/${path}`, undefined, bearer)).text()
        expect([path, text.includes(secret)]).toEqual([path, false])
      }
      const page = await edit(admin, query)
      page.fill('f:timeout', '9s')
      await page.press('Save')
      expect((await stored(`destination/${name}`)).value).toMatchObject({ timeout: '9s' })
    },
  )

  test('are not in the page, and stay when the form leaves them', async () => {
    await put('destination/sealed', { type: 'webhook', url: `${sink.url}/sealed`, headers: { 'x-token': CANARY } })
    const page = await edit(admin, 'kind=destination&name=sealed')
    expect(page.html).not.toContain(CANARY)
    page.fill('f:timeout', '7s')
    await page.press('Save')
    expect((await stored('destination/sealed')).value).toMatchObject({ timeout: '7s' })
    const before = sink.requests.length
    const again = await edit(admin, 'kind=destination&name=sealed')
    await again.press('Send a test message')
    expect(sink.requests.slice(before).map(({ headers }) => headers['x-token'])).toEqual([CANARY])
    expect(again.html).not.toContain(CANARY)
  })
})

test('of two people who edit one rule, the second sees both versions and goes on', async () => {
  await put('rule/shared', { match: { outcome: 'failed' }, to: ['filed'] })
  const anna = await visit(ANNA.key)
  const [first, second] = [await edit(admin, 'kind=rule&name=shared'), await edit(anna, 'kind=rule&name=shared')]
  first.fill('f:limit', '2/1h')
  await first.press('Save')
  second.fill('f:match.0.stream', 'Finance')
  await second.press('Save')
  expect(second.status).toBe(409)
  expect(second.text('#conflict')).toBe('Not saved: someone else has changed it')
  expect(second.text('.alert')).toContain('admin')
  expect(second.text('.alert')).toContain('2/1h')
  await second.press('Take over what I did not change')
  await second.press('Save')
  expect((await stored('rule/shared')).value).toEqual({
    match: { outcome: 'failed', stream: ['Finance'] },
    to: ['filed'],
    limit: '2/1h',
  })
})

test('a name that is taken, and a setting that is gone meanwhile, are refused in their own words', async () => {
  for (const name of ['one-window', 'other-window']) await put(`window/${name}`, { from: '08:00' })
  const page = await edit(admin, 'kind=window&name=one-window')
  page.fill('wanted', 'other-window')
  await page.press('Save')
  expect(page.status).toBe(409)
  expect(page.text('[data-wrong="wanted"]')).toBe('There is one of this name already.')
  expect(page.all('#conflict')).toEqual([])
  const late = await edit(admin, 'kind=window&name=one-window')
  await product.call('DELETE', '/v4/settings/window/one-window', undefined, { ...bearer, 'if-match': '"1"' })
  late.fill('f:from', '09:00')
  await late.press('Save')
  expect(late.status).toBe(409)
  expect(late.text('[role="alert"]')).toContain('is not there any more')
})

test('YAML can be written in the place of the fields', async () => {
  const page = await edit(admin, 'kind=calendar')
  page.fill('yaml', 'Butler:\n  footman:\n    calendars:\n      closing:\n        dates: [2030-12-31]\n')
  await page.press('Take this YAML')
  expect(page.value('wanted')).toBe('closing')
  expect(page.value('f:dates')).toContain('2030-12-31')
  page.fill('yaml', 'Butler:\n  footman:\n    windows: {a: {from: "08:00"}}\n')
  await page.press('Take this YAML')
  expect(page.text('[role="alert"]')).toContain('must have one calendar')
  await page.press('Add the calendar')
  expect((await stored('calendar/closing')).value).toMatchObject({ dates: ['2030-12-31'] })
})

test('an entry of the file is shown and cannot be changed', async () => {
  const page = await edit(admin, 'kind=rule&name=of-file')
  expect(page.text()).toContain('It stands in the configuration file')
  expect(page.one('form fieldset').attributes.has('disabled')).toBeTrue()
  expect(page.text('#main')).toContain('alertRoutes')
})

test('a visitor who may only read sees forms that are off', async () => {
  await put('rule/looked-at', { match: { outcome: 'failed' }, to: ['filed'] })
  const looker = await visit(LOOKER.key)
  const page = await edit(looker, 'kind=rule&name=looked-at')
  expect(page.text()).toContain('This needs the scope setting:write')
  expect(page.one('form fieldset').attributes.has('disabled')).toBeTrue()
  const posted = await looker.act('setting.save', {
    kind: 'rule',
    name: '',
    wanted: 'sly',
    revision: '0',
    before: '{}',
    members: '{}',
    do: 'save',
  })
  expect(posted.status).toBe(403)
})

test('rules are moved, switched off, deleted and brought back on their pages', async () => {
  for (const name of ['zz-one', 'zz-two']) await put(`rule/${name}`, { match: { outcome: 'failed' }, to: ['filed'] })
  const page = reader(admin)
  await page.open('/console/system/routes')
  expect(page.text('#main')).toContain('When a task fails')
  const order = () => {
    const text = page.text('#main')
    return text.indexOf('zz-one') < text.indexOf('zz-two')
  }
  expect(order()).toBeTrue()
  await page.press('Up zz-two')
  expect(order()).toBeFalse()
  await page.press('Switch off zz-one')
  expect((await stored('rule/zz-one')).value.enable).toBeFalse()
  await page.open('/console/system/settings/edit?kind=rule&name=zz-one')
  await page.follow('Delete…')
  await page.press('Delete the setting')
  expect((await product.call('GET', '/v4/settings/rule/zz-one', undefined, bearer)).status).toBe(404)
  await page.open('/console/system/changes?kind=rule&name=zz-one')
  await page.follow('Undo…')
  await page.press('Undo the change')
  expect((await stored('rule/zz-one')).value.enable).toBeFalse()
})

test('an undo of what another caller has changed meanwhile is refused', async () => {
  await put('window/contested', { from: '08:00' })
  const page = reader(admin)
  await page.open('/console/system/changes?kind=window&name=contested')
  await put('window/contested', { from: '09:00' }, 1)
  await page.follow('Undo…')
  await page.press('Undo the change')
  expect(page.status).toBe(409)
  expect((await stored('window/contested')).value).toEqual({ from: '09:00' })
})
