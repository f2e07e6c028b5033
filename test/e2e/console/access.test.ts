/** Sign-in, sessions and protection of the console, through the compiled executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { runToEnd } from '../../support/binary.ts'
import { startBrowser } from '../../support/browser.ts'
import { crawl, newKey, type Visitor, visitorOf } from '../../support/console.ts'
import { openConsole } from '../../support/console-browser.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('chromium')

type Tree = Record<string, unknown>

const OPS = newKey('ops', 'admin')
const READER = newKey('reader', 'event:read')
const DOOMED = newKey('doomed', 'event:read', 'task:read')
const TLS = { 'x-forwarded-proto': 'https' }
const COOKIE = 'footman_console'

const CANARIES = [
  'canary-smtp-8f1',
  'canary-influx-8f2',
  'canary-mqtt-8f3',
  'canary-hook-8f4',
  'canary-header-8f5',
  'canary-relic-8f6',
  'canary-pager-8f7-0123456789abcde',
  'canary-ntfy-8f8',
]

/** A secret in each place that has one. */
const SECRETS: Tree = {
  emailNotification: {
    enable: false,
    smtp: { host: 'mail.invalid', port: 25, auth: { enable: true, user: 'anna', password: CANARIES[0] } },
  },
  influxDb: { enable: false, v2Config: { token: CANARIES[1], bucket: 'b', org: 'o' } },
  thirdPartyToolsCredentials: {
    newRelic: [{ accountName: 'main', insertApiKey: CANARIES[5], accountId: '1' }],
  },
  slackNotification: {
    enable: false,
    restMessage: { webhookURL: `https://hooks.invalid/${CANARIES[3]}` },
  },
}
const SECRET_DESTINATIONS: Tree = {
  hook: {
    type: 'webhook',
    url: `http://127.0.0.1:9/${CANARIES[3]}`,
    headers: { authorization: `Bearer ${CANARIES[4]}` },
  },
  pager: { type: 'pagerduty', routingKey: CANARIES[6] },
  push: { type: 'ntfy', server: 'http://127.0.0.1:9', topic: CANARIES[7] },
}

async function start(own: Tree, more: Tree = {}): Promise<Footman> {
  const product = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    config: { logLevel: 'info', ...more, footman: { dataDirectory: 'data', watchConfig: false, ...own } },
  })
  await product.start()
  return product
}

const bearer = { authorization: `Bearer ${OPS.key}` }

async function audit(product: Footman, action: string): Promise<{ outcome: string; status: number; via?: string }[]> {
  const answer = await product.call('GET', `/v4/audit?action=${encodeURIComponent(action)}`, undefined, bearer)
  return ((await answer.json()) as { audit: { outcome: string; status: number; via?: string }[] }).audit
}

async function signedIn(product: Footman, key = OPS.key, headers: Record<string, string> = {}): Promise<Visitor> {
  const who = visitorOf(product, headers)
  expect((await who.signIn(key)).status).toBe(303)
  return who
}

describe('with access control', () => {
  let product: Footman
  beforeAll(async () => {
    product = await start(
      {
        api: { trustedProxies: ['127.0.0.1'] },
        access: { enable: true, keys: [OPS, READER, DOOMED].map(({ entry }) => entry) },
        destinations: SECRET_DESTINATIONS,
      },
      SECRETS,
    )
  }, 60_000)
  afterAll(() => product?.[Symbol.asyncDispose]())

  test('a page without a session leads to the sign-in, and from there back', async () => {
    const who = visitorOf(product)
    const asked = await who.get('/console/system/audit?outcome=denied')
    expect([asked.status, asked.headers.get('location')]).toEqual([
      303,
      '/console/login?next=%2Fconsole%2Fsystem%2Faudit%3Foutcome%3Ddenied',
    ])
    const back = await who.post('/console/login', { credential: OPS.key, next: '/console/system/audit' })
    expect(back.headers.get('location')).toBe('/console/system/audit')
    for (const next of ['https://evil.example/', '//evil.example/console/', '/\\evil.example', '/v4/events']) {
      const answer = await visitorOf(product).post('/console/login', { credential: OPS.key, next })
      expect([next, answer.headers.get('location')]).toEqual([next, '/console/'])
    }
  })

  test('the cookie: new at each sign-in, for the console only, with Secure under TLS, below the prefix', async () => {
    const who = visitorOf(product)
    who.cookies.set(COOKIE, 'chosen-by-the-attacker')
    await who.signIn(OPS.key)
    const [first = ''] = who.set
    expect(first).toMatch(/^footman_console=[A-Za-z0-9_-]{43}; Path=\/console; HttpOnly; SameSite=Lax$/)
    await who.signIn(OPS.key)
    expect(who.set[0]).not.toBe(first)
    const page = await (await who.get('/console/system/about')).text()
    expect(page).toContain('key:ops')

    const secure = visitorOf(product, { ...TLS, 'x-forwarded-prefix': '/footman' })
    await secure.signIn(OPS.key)
    expect(secure.set[0]).toMatch(
      /^__Secure-footman_console=[\w-]{43}; Path=\/footman\/console; HttpOnly; Secure; SameSite=Lax$/,
    )
    expect((await secure.get('/console/system')).status).toBe(200)
  })

  test('wrong credentials get one answer, and 429 after ten', async () => {
    const from = { ...TLS, 'x-forwarded-for': '203.0.113.10' }
    const bodies = new Set<string>()
    const statuses: number[] = []
    for (let n = 0; n < 11; n++) {
      const key = n % 2 === 0 ? newKey('x').key : 'no key at all'
      const answer = await visitorOf(product, from).signIn(key)
      statuses.push(answer.status)
      if (answer.status === 401) bodies.add(await answer.text())
      expect(answer.headers.getSetCookie()).toEqual([])
    }
    expect(statuses).toEqual([...Array(10).fill(401), 429])
    expect(bodies.size).toBe(1)
    const other = visitorOf(product, { ...TLS, 'x-forwarded-for': '203.0.113.11' })
    expect((await other.signIn(OPS.key)).status).toBe(303)
    // Others may sit behind the same address.
    expect((await visitorOf(product, from).signIn(OPS.key)).status).toBe(303)
    expect((await audit(product, 'session.create')).filter(({ outcome }) => outcome === 'denied')).toHaveLength(10)
  }, 90_000)

  test('another machine cannot sign in without TLS', async () => {
    const answer = await visitorOf(product, { 'x-forwarded-for': '203.0.113.12' }).signIn(OPS.key)
    expect(answer.status).toBe(403)
    expect(await answer.text()).toContain('allowPlainHttp')
  })

  test('the link of "footman console" signs in once', async () => {
    const { code, stdout } = await runToEnd(['console', '--no-open', '--json', '-c', product.configFile], {
      cwd: product.directory.path,
    })
    expect(code).toBe(0)
    const { url } = JSON.parse(stdout) as { url: string }
    const path = new URL(url).pathname
    const who = visitorOf(product)
    expect((await who.get(path)).status).toBe(200)
    expect(who.cookies.size).toBe(0)
    expect((await who.post(path, {}, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await who.post(path, {})).status).toBe(303)
    expect(await (await who.get('/console/system/about')).text()).toContain('local')
    const again = visitorOf(product)
    expect((await again.get(path)).status).toBe(401)
    expect((await again.post(path, {})).status).toBe(401)
  })

  test('a session has the scopes of its key', async () => {
    const who = await signedIn(product, READER.key)
    const refused = await who.get('/console/system/audit')
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('<code>admin</code>')
    expect((await who.get('/console/api/v4/audit')).status).toBe(403)
    expect((await who.get('/console/api/v4/events')).status).toBe(200)
    const routes = await (await who.get('/console/system/routes')).text()
    expect(routes).toContain('A draft needs the scope admin')
    const draft = await product.call(
      ...(['POST', '/v4/alertroutes/explain', { sample: {}, draft: 'to: [hook]' }] as const),
      { authorization: `Bearer ${READER.key}` },
    )
    expect([draft.status, ((await draft.json()) as { code: string }).code]).toEqual([403, 'FORBIDDEN'])
    expect(await (await who.get('/console/system')).text()).not.toContain('href="/console/system/audit"')
  })

  test('a session that is ended on the page has to sign in again', async () => {
    const stolen = await signedIn(product, READER.key, { 'user-agent': 'Thief/1.0' })
    const admin = await signedIn(product)
    const page = await (await admin.get('/console/system/sessions')).text()
    const id = /id=(cs_[\w-]+)/.exec(page.slice(page.indexOf('Thief/1.0')))?.[1] ?? ''
    const path = '/console/form/session.end'
    const own = await stolen.csrf('/console/system/sessions')
    const fields = { id, actor: 'key:reader', return: '/console/system/sessions', confirmed: '1' }
    const other = await signedIn(product, DOOMED.key)
    const token = await other.csrf('/console/system/sessions')
    expect((await other.post(path, { ...fields, csrf: token })).status).toBe(404)
    expect(own).not.toBe('')
    expect((await stolen.get('/console/system')).status).toBe(200)
    const stream = (await stolen.get('/console/api/v4/stream')).text()
    const csrf = await admin.csrf('/console/system/sessions')
    const done = await admin.post(path, { ...fields, csrf })
    expect([done.status, done.headers.get('location')]).toEqual([303, '/console/system/sessions'])
    expect((await stolen.get('/console/system')).status).toBe(303)
    expect((await stolen.get('/console/api/v4/events')).status).toBe(401)
    // Ends with the session, though nothing happens on it.
    await stream
    const entries = await audit(product, 'session.end')
    expect(entries.some(({ outcome, via }) => outcome === 'ok' && via === 'console')).toBe(true)
  }, 90_000)

  test('a key that leaves the configuration ends its sessions at once', async () => {
    const who = await signedIn(product, DOOMED.key)
    expect((await who.get('/console/events')).status).toBe(200)
    const whole = JSON.parse(readFileSync(product.configFile, 'utf8')) as {
      Butler: { footman: { access: { keys: { id: string }[] } } }
    }
    const { access } = whole.Butler.footman
    access.keys = access.keys.filter(({ id }) => id !== 'doomed')
    writeFileSync(product.configFile, JSON.stringify(whole))
    const admin = await signedIn(product)
    const shown = await (await admin.get('/console/form/config.reload')).text()
    expect(shown).toContain('Butler.footman.access.keys')
    const csrf = await admin.csrf('/console/form/config.reload')
    const done = await admin.post('/console/form/config.reload', { csrf, confirmed: '1' })
    expect(done.status).toBe(303)
    expect((await who.get('/console/events')).headers.get('location')).toStartWith('/console/login')
    expect((await who.get('/console/api/v4/events')).status).toBe(401)
  })

  test('a request that no page of this session sent changes nothing, and is recorded', async () => {
    const who = await signedIn(product)
    const csrf = await who.csrf('/console/system')
    const origin = `http://127.0.0.1:${product.restPort}`
    const path = '/console/form/maintenance.create'
    const fields = { name: 'forged', from: '2090-03-02T20:00', until: '2090-03-02T22:00', confirmed: '1' }
    const other = await (await signedIn(product)).csrf('/console/system')
    const refused: [fields: Record<string, string>, headers: Record<string, string>][] = [
      [
        { ...fields, csrf },
        { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      ],
      [{ ...fields, csrf }, { origin: 'https://evil.example' }],
      [{ ...fields, csrf }, { origin: 'null' }],
      [{ ...fields, csrf }, { 'sec-fetch-site': 'same-site' }],
      [{ ...fields, csrf }, {}],
      [fields, { origin }],
      [{ ...fields, csrf: other }, { origin }],
    ]
    const before = (await audit(product, 'POST /console/*')).length
    for (const [sent, headers] of refused) {
      const answer = await who.post(path, sent, headers)
      expect([headers, answer.status]).toEqual([headers, 403])
    }
    const api = await fetch(`${origin}/console/api/v4/maintenance`, {
      method: 'POST',
      headers: {
        origin,
        'content-type': 'application/json',
        cookie: [...who.cookies].map((pair) => pair.join('=')).join('; '),
      },
      body: JSON.stringify({ name: 'forged', until: '2090-03-02T22:00:00Z' }),
    })
    expect([api.status, ((await api.json()) as { code: string }).code]).toEqual([403, 'CSRF'])
    expect(product.rows('SELECT * FROM maintenance')).toEqual([])
    await until(async () => (await audit(product, 'POST /console/*')).length === before + refused.length + 1)
    const entries = (await audit(product, 'POST /console/*')).slice(0, refused.length + 1)
    expect(entries.map(({ status }) => status)).toEqual(entries.map(() => 403))
    expect((await who.post(path, { ...fields, csrf }, { origin })).status).toBe(303)
    expect(product.rows('SELECT name, created_by FROM maintenance')).toEqual([
      { name: 'forged', created_by: 'key:ops' },
    ])
  })

  test('the API at /v4 ignores cookies', async () => {
    const who = await signedIn(product)
    expect((await who.get('/v4/events')).status).toBe(401)
    expect((await who.get('/console/api/v4/events')).status).toBe(200)
    expect((await who.get('/console/api/v4/events')).headers.get('access-control-allow-origin')).toBeNull()
  })

  test('no page and no answer holds a secret; looking at them changes nothing', async () => {
    const who = await signedIn(product)
    await who.get('/console/')
    const fired = await product.call('POST', '/v4/events/fire', { to: ['hook'] }, bearer)
    const { eventId, deliveries } = (await fired.json()) as { eventId: string; deliveries: [{ id: string }] }
    // At rest: what waits is tried again, which changes its row.
    await until(
      async () =>
        (await product.call('POST', `/v4/deliveries/${deliveries[0].id}/cancel`, undefined, bearer)).status === 200,
    )
    const tables = product
      .rows<{ name: string }>(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
      .map(({ name }) => name)
      // Says when the session was seen last.
      .filter((name) => name !== 'session')
    /** Entries are stored in order, so none of before is on its way when the mark is there. */
    const settled = async (mark: string) => {
      await product.call('DELETE', `/v4/snoozes/${mark}`, undefined, bearer)
      await until(() => product.rows(`SELECT 1 FROM audit WHERE target LIKE '%${mark}%'`).length === 1)
    }
    await settled('019cad24-bb20-78e1-b80b-d70ae0784c01')
    const contents = () => Object.fromEntries(tables.map((name) => [name, product.rows(`SELECT * FROM ${name}`)]))
    const before = contents()
    const pages = await crawl(who, '', 120, dialogs(eventId, deliveries[0].id))
    expect(pages.size).toBeGreaterThan(30)
    expect(pages.get(`/console/form/event.fire?id=${eventId}&to=hook`)?.text).toContain('1 message</b> would be sent')
    expect(pages.get('/console/form/snooze.set?task=Fin*&for=2h')?.text).toContain('It would hold back')
    const secrets = [...CANARIES, OPS.key, OPS.entry.hash, READER.entry.hash]
    for (const [path, { status, text }] of pages) {
      expect([path, status < 500 || status === 502]).toEqual([path, true])
      for (const secret of secrets) expect([path, secret, text.includes(secret)]).toEqual([path, secret, false])
    }
    for (const path of [
      '/v4/config',
      '/v4/config?format=yaml',
      '/v4/config/problems',
      '/v4/destinations',
      '/v4/about',
    ]) {
      const text = await (await product.call('GET', path, undefined, bearer)).text()
      for (const secret of secrets) expect([path, secret, text.includes(secret)]).toEqual([path, secret, false])
    }
    const after = contents()
    await settled('019cad24-bb20-78e1-b80b-d70ae0784c02')
    expect(product.rows('SELECT * FROM audit')).toHaveLength((before.audit?.length ?? 0) + 1)
    expect(after).toEqual(before)
  }, 60_000)

  test('scripts open, read and end a session', async () => {
    const who = visitorOf(product)
    const path = '/console/api/v4/sessions'
    const json = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
    const send = (method: string, url: string, body: unknown, headers: Record<string, string> = json) =>
      fetch(`http://127.0.0.1:${product.restPort}${url}`, { method, headers, body: JSON.stringify(body) })
    expect((await send('POST', path, { credential: OPS.key }, {})).status).toBe(403)
    expect((await send('POST', path, { credential: 'fm_wrong' })).status).toBe(401)
    expect((await send('POST', path, { password: 'x' })).status).toBe(400)
    const made = await send('POST', path, { credential: READER.key })
    expect(made.status).toBe(201)
    const session = (await made.json()) as { actor: string; scopes: string[]; expiresAt: string; csrf: string }
    expect(session).toMatchObject({ actor: 'key:reader', scopes: ['event:read'] })
    expect(Date.parse(session.expiresAt)).toBeGreaterThan(Date.now() + 11 * 3_600_000)
    const [name = '', value = ''] = made.headers.getSetCookie()[0]!.split(';')[0]!.split('=')
    who.cookies.set(name, value)
    expect(await (await who.get(`${path}/current`)).json()).toMatchObject({ actor: 'key:reader' })
    type Listed = { sessions: { actor: string; current: boolean }[] }
    const { sessions } = (await (await who.get(path)).json()) as Listed
    expect(sessions.filter(({ current }) => current)).toHaveLength(1)
    const cookie = `${name}=${value}`
    const end = (csrf: string) =>
      send('DELETE', `${path}/current`, undefined, { ...json, cookie, 'x-footman-csrf': csrf })
    expect((await end('')).status).toBe(403)
    expect((await end(session.csrf)).status).toBe(204)
    expect((await who.get(`${path}/current`)).status).toBe(401)
  })

  test('a session that moves to another address is noted', async () => {
    const from = (address: string) => ({ ...TLS, 'x-forwarded-for': address })
    const who = await signedIn(product, READER.key, from('203.0.113.20'))
    expect((await who.get('/console/system', from('203.0.113.21'))).status).toBe(200)
    await until(async () => (await audit(product, 'session.move')).length === 1)
  })

  test('a browser reports no violation of the content policy', async () => {
    const browser = await startBrowser()
    try {
      const who = await signedIn(product)
      for (const path of ['/system', '/system/config', '/system/audit', '/system/maintenance', '/search?q=event']) {
        const url = `http://127.0.0.1:${product.restPort}/console${path}`
        await using opened = await openConsole(browser, url, { as: who })
        expect(await opened.page.locator('h1').count()).toBe(1)
        expect([path, opened.faults]).toEqual([path, []])
      }
    } finally {
      await browser.close()
    }
  }, 60_000)
})

describe('without access control', () => {
  let product: Footman
  beforeAll(async () => {
    product = await start({ api: { trustedProxies: ['127.0.0.1'] } })
  }, 60_000)
  afterAll(() => product?.[Symbol.asyncDispose]())

  test('pages, forms and their API are for this machine only', async () => {
    const near = visitorOf(product)
    expect((await near.get('/console/system')).status).toBe(200)
    const csrf = await near.csrf('/console/system')
    const callers: Record<string, string>[] = [
      { 'x-forwarded-for': '203.0.113.9' },
      { forwarded: 'for=203.0.113.9' },
      { host: 'evil.example' },
      { host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' },
    ]
    for (const headers of callers) {
      const far = visitorOf(product, headers)
      for (const path of ['/console/system', '/console/api/v4/events', '/console/form/config.reload']) {
        expect([headers, path, (await far.get(path)).status]).toEqual([headers, path, 403])
      }
      const form = await far.post('/console/form/udp.selftest', { csrf })
      expect([headers, form.status]).toEqual([headers, 403])
    }
    const foreign = await near.post('/console/form/udp.selftest', { csrf }, { origin: 'https://evil.example' })
    expect(foreign.status).toBe(403)
    expect((await near.post('/console/form/udp.selftest', {})).status).toBe(403)
    expect((await near.post('/console/form/udp.selftest', { csrf })).status).toBe(303)
  })
})

/** Dialogs with what they ask about filled in: their previews are calls that would change something without "dryRun". */
const dialogs = (eventId: string, deliveryId: string): readonly string[] => [
  `/console/events/${eventId}?now=1`,
  '/console/system/routes?type=reload&outcome=failed',
  `/console/form/event.fire?id=${eventId}&to=hook`,
  `/console/form/event.replay?id=${eventId}&ignoreGates=true`,
  '/console/form/destination.test?name=hook&outcome=success',
  '/console/form/destination.test?name=nowhere',
  '/console/form/snooze.set?task=Fin*&for=2h',
  '/console/form/snooze.set?message=%2F(%2F&for=never',
  `/console/form/delivery.resend?id=${deliveryId}`,
  `/console/form/delivery.cancel?id=${deliveryId}`,
  '/console/form/deadletters.resend?destination=hook',
  '/console/form/config.reload?confirmed=1',
  '/console/form/task.start?taskId=a8b4c123-def4-5678-9abc-def012345678',
  '/console/form/maintenance.create',
  '/console/form/snooze.lift?id=1&confirmed=1',
  '/console/form/udp.selftest?confirmed=1',
  '/console/schedules/new?type=cron&cron=0+6+*+*+*',
  '/console/form/schedule.run?id=1',
  '/console/form/routes.explain',
]
