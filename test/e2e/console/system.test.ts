/** The pages about Footman, and the search, through the compiled executable beside a simulated site. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { readFileSync, writeFileSync } from 'node:fs'
import { type Visitor, visitorOf } from '../../support/console.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

type Tree = Record<string, unknown>

const WAIT = { timeout: 30_000 }
const SALES = '70000000-0000-4000-8000-000000000001'

/** A day of the week that is not near, so that the window of the configuration is closed. */
const FAR_DAY = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date().getUTCDay() + 3) % 7]!

describe('the pages about Footman', () => {
  let site: TestSite
  let sink: HttpSink
  let product: Footman
  let who: Visitor

  beforeAll(async () => {
    site = await startSite()
    sink = await startHttpSink()
    product = await footman({
      simulator: site.simulator,
      config: {
        logLevel: 'info',
        footman: {
          dataDirectory: 'data',
          watchConfig: false,
          timezone: 'Europe/Stockholm',
          destinations: { hook: { type: 'webhook', url: `${sink.url}/hook` } },
          alertRoutes: [{ name: 'failures', match: { outcome: 'failed' }, limit: 'none', to: ['hook'] }],
          windows: { nights: { days: [FAR_DAY], from: '01:00', to: '02:00' } },
          maintenance: [{ name: 'nightly', during: 'nights' }],
        },
      },
    })
    await product.start()
    who = visitorOf(product)
  }, 60_000)
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await sink?.stop()
    await site?.[Symbol.asyncDispose]()
  })

  const html = async (path: string) => (await who.get(path)).text()
  async function json<T>(path: string): Promise<T> {
    const answer = await product.call('GET', path)
    expect([path, answer.status]).toEqual([path, 200])
    return (await answer.json()) as T
  }
  const act = (operation: string, fields: Record<string, string>) =>
    who.act(operation, { ...fields, confirmed: '1', return: '/console/system' })
  function change(edit: (butler: Tree & { footman: Tree }) => void): void {
    const whole = JSON.parse(readFileSync(product.configFile, 'utf8')) as { Butler: Tree & { footman: Tree } }
    edit(whole.Butler)
    writeFileSync(product.configFile, JSON.stringify(whole, null, 2))
  }

  test('health shows the parts, the input and the destinations', async () => {
    const page = await html('/console/system')
    for (const text of ['UDP input', 'Database', 'hook', `127.0.0.1:${product.udpPort}`, 'Footman has no fault']) {
      expect(page).toContain(text)
    }
    expect(await json<Tree>('/v4/selfalerts')).toEqual({ selfAlerts: [] })
    for (const text of ['no event', 'Free disk', 'Database footman', 'of the connection to Qlik Sense']) {
      expect(page).toContain(text)
    }
    const { waiting } = await json<{ waiting: Tree }>('/v4/udp')
    expect(waiting).toEqual({ events: 0, oldestAt: null })
    const { certificates } = await json<{ certificates: { name: string; daysLeft: number }[] }>('/v4/monitors')
    expect(certificates.map(({ name }) => name)).toEqual(['qlik'])
    expect(page).toMatch(/data-t="Days left">.{1,300}\d days/)
    expect(certificates[0]?.daysLeft).toBeGreaterThan(300)
  })

  test('long answers come compressed to callers that accept it, and whole to others', async () => {
    const ask = (path: string, encoding: string) =>
      fetch(`http://127.0.0.1:${product.restPort}${path}`, {
        headers: { 'accept-encoding': encoding, accept: 'text/html' },
        decompress: false,
      })
    for (const path of ['/v4/config', '/console/api/v4/config', '/console/system']) {
      const [packed, plain] = [await ask(path, 'br, gzip'), await ask(path, 'gzip;q=0')]
      expect([path, packed.headers.get('content-encoding'), packed.headers.get('vary')]).toEqual([
        path,
        'gzip',
        expect.stringContaining('Accept-Encoding') as unknown as string,
      ])
      expect([path, plain.headers.get('content-encoding')]).toEqual([path, null])
      const [few, many] = [await packed.bytes(), await plain.bytes()]
      expect(few.length).toBeLessThan(many.length / 2)
      if (path === '/v4/config')
        expect(new TextDecoder().decode(Bun.gunzipSync(few))).toBe(new TextDecoder().decode(many))
    }
    expect((await ask('/v4/selfalerts', 'gzip')).headers.get('content-encoding')).toBeNull()
  })

  test('a self-alert stands on the page with its remedy, and in the frame of every page', async () => {
    const good = readFileSync(product.configFile, 'utf8')
    change((butler) => {
      butler.logLevel = 'no such level'
      butler.restServerConfig = { enable: 'maybe' }
    })
    const refused = await act('config.reload', {})
    expect(refused.status).toBe(400)
    expect(refused.text).toContain('Butler.restServerConfig.enable must be true or false, found "maybe"')
    type Alerts = { selfAlerts: { code: string; eventId: string | null; help: string }[] }
    await until(async () => (await json<Alerts>('/v4/selfalerts')).selfAlerts.length === 1, WAIT)
    const [alert] = (await json<Alerts>('/v4/selfalerts')).selfAlerts
    expect(alert?.code).toBe('CONFIG_INVALID')
    expect(alert?.eventId).toMatch(/^[0-9a-f-]{36}$/)
    const page = await html('/console/system')
    expect(page).toContain(`href="/console/events/${alert?.eventId}"`)
    expect(page).toContain('footman check')
    expect(await html('/console/events')).toContain('1 self-alert<')
    const { problems } = await json<{ problems: { severity: string; path: string; line: number }[] }>(
      '/v4/config/problems',
    )
    const error = problems.find(({ severity, path }) => severity === 'error' && path.startsWith('Butler.restServer'))
    expect(error?.line).toBeGreaterThan(1)
    writeFileSync(product.configFile, good)
    expect((await act('config.reload', {})).status).toBe(303)
    await until(async () => (await json<Alerts>('/v4/selfalerts')).selfAlerts.length === 0, WAIT)
  }, 90_000)

  test('the self-test of the UDP input', async () => {
    const begun = await act('udp.selftest', {})
    const location = begun.location ?? ''
    expect(location).toMatch(/^\/console\/system\?test=/)
    const page = await html(location)
    expect(page).toContain('not arrived yet')
    const [, text = ''] = /data-copy="(\/footman-self-test\/;[^"]+)"/.exec(page) ?? []
    const socket = createSocket('udp4')
    socket.send(text, product.udpPort, '127.0.0.1')
    await until(async () => !(await html(location)).includes('not arrived yet'), WAIT)
    expect(await html(location)).toContain('from 127.0.0.1')
    socket.close()
  }, 60_000)

  test('a changed file: what differs, what needs a restart, and the reload', async () => {
    change((butler) => {
      butler.footman.alertRoutes = [{ name: 'renamed', match: { outcome: 'failed' }, limit: 'none', to: ['hook'] }]
      butler.footman.timezone = 'Europe/Helsinki'
    })
    const page = await html('/console/system/config')
    expect(page).toContain('Changed in the file and not in use')
    const { pending } = await json<{ pending: { difference: string; needsRestart: string[] } }>('/v4/config/problems')
    expect(pending.needsRestart).toEqual(['Butler.footman.timezone'])
    expect(await html('/console/events')).toContain('a restart takes it into use')
    expect(pending.difference.split('\n')).toContain('- Butler.footman.alertRoutes[0].name: "failures"')
    expect(pending.difference.split('\n')).toContain('+ Butler.footman.alertRoutes[0].name: "renamed"')
    const dialog = await html('/console/form/config.reload')
    expect(dialog).toContain('Only a restart takes these into use')
    const done = await act('config.reload', {})
    expect([done.status, done.location]).toEqual([303, '/console/system/config'])
    expect(await html('/console/system/config')).toContain('Reloaded: 1 setting changed, 1 needs a restart.')
    const { configuration } = await json<{ configuration: { footman: { alertRoutes: { name: string }[] } } }>(
      '/v4/config',
    )
    expect(configuration.footman.alertRoutes.map(({ name }) => name)).toEqual(['renamed'])
  }, 60_000)

  test('the settings of the console count without a restart', async () => {
    const reload = async (settings: Tree) => {
      change(({ footman }) => Object.assign(footman, { console: settings }))
      const { changed } = (await (await product.call('POST', '/v4/config/reload', {})).json()) as { changed: string[] }
      expect(changed.every((path) => path.startsWith('Butler.footman.console'))).toBe(true)
    }
    await reload({
      publicUrl: 'https://qs.acme.example/footman',
      links: { qmc: 'https://sense.acme.example/qmc', hub: 'https://sense.acme.example/hub' },
    })
    expect(await json<Tree>('/v4/about')).toMatchObject({ publicUrl: 'https://qs.acme.example/footman' })
    expect(await html(`/console/tasks/${SALES}`)).toContain('href="https://sense.acme.example/qmc/tasks"')
    expect(await html('/console/system')).toContain('href="https://sense.acme.example/hub"')
    await reload({ enable: false })
    expect((await who.get('/console/system')).status).toBe(404)
    expect((await product.call('GET', '/v4/sessions')).status).toBe(404)
    expect(await json<Tree>('/v4/about')).toMatchObject({ places: [] })
    await reload({})
    expect((await who.get('/console/system')).status).toBe(200)
    expect(await json<Tree>('/v4/about')).toMatchObject({
      places: ['now', 'events', 'tasks', 'delivery', 'schedules', 'reports', 'system'],
    })
  }, 60_000)

  test('the configuration as lines and as a filtered tree', async () => {
    const lines = await html('/console/system/config')
    expect(lines).toContain('<pre class="yaml"')
    expect(lines.match(/class="line"/g)?.length).toBeGreaterThan(100)
    const tree = await html('/console/system/config?as=tree&q=serverport')
    expect(tree).toContain('serverPort')
    expect(tree).not.toContain('webhookNotification')
  })

  test('a maintenance set on the page holds messages back until it is ended', async () => {
    type Listed = { maintenance: { id: string; name: string; origin: string; on: boolean; heldBack: number }[] }
    const fields = { name: 'Moving the database', from: '2020-01-01T00:00', until: '2020-01-01T01:00', zone: 'UTC' }
    const past = await act('maintenance.create', fields)
    expect(past.status).toBe(400)
    expect(past.text).toContain('lies in the past')
    const now = Date.now()
    const text = (at: number) => new Date(at).toISOString().slice(0, 16)
    const times = { from: text(now - 60_000), until: text(now + 3_600_000) }
    const given = { ...fields, ...times, confirmed: '1', return: '/console/system' }
    const rows: [string, string][] = [...Object.entries(given), ['summaryTo', 'hook'], ['summaryTo', 'nowhere']]
    const lost = await who.act('maintenance.create', rows)
    expect(lost.text).toContain('no destination nowhere')
    const planned = { ...fields, ...times, reason: 'disk', summaryTo: 'hook', task: 'Sales*' }
    expect((await act('maintenance.create', planned)).status).toBe(303)
    const banner = /class="banner".*?Moving the database.*?alerts are held back/s
    expect(banner.test(await html('/console/tasks'))).toBe(true)
    expect((await json<Listed>('/v4/maintenance?on=true')).maintenance.map(({ name }) => name)).toEqual([fields.name])
    expect((await act('maintenance.create', { ...fields, ...times })).status).toBe(409)
    const [ofFile, once] = (await json<Listed>('/v4/maintenance')).maintenance
    expect(ofFile).toMatchObject({ id: 'nightly', origin: 'file', heldBack: 0 })
    expect(once).toMatchObject({ name: 'Moving the database', origin: 'once', on: true, heldBack: 0 })
    expect((await product.call('DELETE', '/v4/maintenance/nightly')).status).toBe(409)

    const failed = async (count: number) => {
      site.simulator.setTask(SALES, { outcome: 'fail', durationMs: 50 })
      site.simulator.runTask(SALES)
      await until(
        () => product.rows<{ n: number }>(`SELECT count(*) AS n FROM delivery WHERE kind = 'alert'`)[0]?.n === count,
        WAIT,
      )
    }
    await failed(1)
    expect(product.rows('SELECT state, reason, detail FROM delivery')).toEqual([
      { state: 'suppressed', reason: 'MAINTENANCE', detail: 'maintenance Moving the database' },
    ])
    expect(await html('/console/system/maintenance')).toContain('under way')
    expect((await json<Listed>('/v4/maintenance')).maintenance[1]?.heldBack).toBe(1)
    expect((await act('maintenance.end', { id: once?.id ?? '', name: 'Moving the database' })).status).toBe(303)
    expect((await json<Listed>('/v4/maintenance')).maintenance).toHaveLength(1)
    expect((await html('/console/tasks')).includes('is under way')).toBe(false)
    const summaries = () => product.rows<{ state: string }>(`SELECT state FROM delivery WHERE kind = 'summary'`)
    await until(() => summaries()[0]?.state === 'delivered', WAIT)
    expect(JSON.stringify(sink.requests)).toContain('Maintenance Moving the database is over')
    await failed(2)
    await until(() => sink.requests.length === 2, WAIT)
  }, 90_000)

  test('the search finds tasks, destinations and ids, as a page and for the palette', async () => {
    await until(async () => (await html('/console/search?q=sales+etl')).includes(`/console/tasks/${SALES}`), WAIT)
    expect(await html('/console/search?q=hook')).toContain('/console/destinations/hook')
    const [event] = product.rows<{ id: string }>('SELECT id FROM event ORDER BY seq LIMIT 1')
    const found = await json<{ exact: { kind: string; path: string } }>(`/v4/search?q=${event?.id}`)
    expect(found.exact).toEqual({ kind: 'event', path: `/events/${event?.id}` })
    expect(await html(`/console/search?q=${SALES.slice(0, 8).toUpperCase()}`)).not.toContain('This is the id of')
    const short = event?.id.slice(0, -3)
    expect(await html(`/console/search?q=${short}`)).toContain(
      `This is the id of <a href="/console/events/${event?.id}`,
    )
    expect(await html('/console/search?q=%3E+go+deliv')).toContain('href="/console/deliveries">go delivery</a>')
    expect(await html('/console/search?q=%3E')).toContain('/console/form/snooze.set')
    expect(await html('/console/search?q=%3Cscript%3E')).not.toContain('<script>"')
    expect(await html('/console/search?q=nothing-like-this')).toContain('Nothing found')
    expect((await product.call('GET', '/v4/search?q=a')).status).toBe(400)
  }, 60_000)

  test('the audit lists what was done on the pages', async () => {
    const page = await html('/console/system/audit?action=maintenance.*')
    expect(page).toContain('maintenance.end')
    expect(page).toContain('console')
    expect(page).not.toContain('udp.selfTest')
    type Audit = { audit: { requestId: string; action: string; via?: string }[] }
    const { audit } = await json<Audit>('/v4/audit?via=console')
    expect(audit.every(({ via }) => via === 'console')).toBe(true)
    const { requestId = '', action = '' } = audit.find((entry) => entry.action === 'maintenance.end') ?? {}
    const found = await json<{ exact: { kind: string; path: string } }>(`/v4/search?q=${requestId}`)
    expect(found.exact).toEqual({ kind: 'request', path: `/system/audit?request=${requestId}` })
    const one = await html(`/console${found.exact.path}`)
    expect(one).toContain(action)
    expect(one).not.toContain('maintenance.create')
  })

  test('about names version, rights and storage; without access control there are no sessions', async () => {
    const page = await html('/console/system/about')
    for (const text of ['Free disk', 'admin', 'Europe/Stockholm']) expect(page).toContain(text)
    expect(await html('/console/system/sessions')).toContain('needs no sign-in')
    expect(await json<Tree>('/v4/monitors')).toMatchObject({ services: [], qlikSense: null })
  })
})
