/** Pages of settings, without a browser: calendars, windows, policies, recurring maintenance, keys and features. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createApp } from '../../../src/app/app.ts'
import { loadConfig } from '../../../src/app/config/load.ts'
import type { App } from '../../../src/app/types.ts'
import { createPathResolver } from '../../../src/config/paths.ts'
import type { Setting } from '../../../src/settings/contract.ts'
import type { OpenedSetting } from '../../../src/settings/store.ts'
import { newKey, type Shown, textOf, type Visitor, visitor } from '../../support/console.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { repositoryRoot } from '../../support/source.ts'
import { tempDirectory } from '../../support/temp.ts'

/** Worker threads are started with the program's own file, which is not the one that runs the tests. */
process.argv[1] = join(repositoryRoot, 'src/main.ts')

const ADMIN = newKey('anna', 'admin')
const WRITER = newKey('writer', 'setting:*', 'schedule:read', 'event:read', 'task:read')
const READER = newKey('reader', 'setting:read', 'schedule:read', 'event:read')
const ICS = `BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:Christmas Eve
DTSTART;VALUE=DATE:20201224
RRULE:FREQ=YEARLY
END:VEVENT
END:VCALENDAR
`
const YEAR = new Date().getUTCFullYear()

let directory: ReturnType<typeof tempDirectory>
let app: App
let base = ''
const log = recordingLog()
let admin: Visitor
let writer: Visitor
let reader: Visitor

beforeAll(async () => {
  directory = tempDirectory()
  const restPort = await freeTcpPort()
  base = `http://127.0.0.1:${restPort}`
  const file = directory.join('butler.yaml')
  writeFileSync(directory.join('holidays.ics'), ICS)
  const Butler = {
    fileLogging: false,
    restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: restPort },
    footman: {
      timezone: 'Europe/Stockholm',
      watchConfig: false,
      butlerRoutes: { recovery: false },
      access: { enable: true, keys: [ADMIN.entry, WRITER.entry, READER.entry] },
      calendars: { national: { file: 'holidays.ics', days: 'sun' } },
      maintenance: [{ name: 'backup', during: { days: 'sat', from: '22:00', to: '04:00' } }],
      taskPolicies: [{ name: 'of-file', match: { stream: 'Finance' }, retry: '3x/5m', watch: { stuck: '2h' } }],
    },
  }
  writeFileSync(file, JSON.stringify({ Butler }, null, 2))
  const load = (stored?: readonly OpenedSetting[]) =>
    loadConfig({ file, env: {}, cwd: directory.path, ...(stored && { settings: stored }) })
  const initial = await load([])
  const { config } = initial
  if (!config) throw new Error(JSON.stringify(initial.problems))
  app = createApp(
    {
      log,
      paths: createPathResolver({ configDirectory: directory.path, cwd: directory.path }),
      configuration: { initial, load, use: () => {}, rebuild: () => {} },
    },
    { config, dataDirectory: directory.path, qrsConnection: false, shadow: false, degraded: false, apiRateLimit: null },
  )
  await app.start()
  ;[admin, writer, reader] = await Promise.all(
    [ADMIN, WRITER, READER].map(async ({ key }) => {
      const who = visitor(base)
      await who.signIn(key)
      return who
    }) as [Promise<Visitor>, Promise<Visitor>, Promise<Visitor>],
  )
}, 60_000)
afterAll(async () => {
  await app?.stop(1000)
  await directory?.[Symbol.asyncDispose]?.()
})

const call = (method: string, path: string, value?: unknown, key = ADMIN.key) =>
  fetch(`${base}/v4/settings/${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'if-none-match': '*' },
    ...(value !== undefined && { body: JSON.stringify({ value }) }),
  })
async function put(path: string, value: unknown): Promise<void> {
  const answer = await call('PUT', path, value)
  expect([path, answer.status, answer.ok ? '' : await answer.text()]).toEqual([path, 201, ''])
}
const setting = async (path: string) => (await (await call('GET', path)).json()) as Setting

const decoded = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&amp;', '&')

/** Forms of an operation on a page: their hidden fields, and the values of their buttons. */
function formsOf({ html }: Shown, operation: string) {
  const forms = [...html.matchAll(/<form[^>]* action="([^"]*)"[^>]*>(.*?)<\/form>/gs)]
  return forms
    .filter(([, action]) => action!.endsWith(`/form/${operation}`))
    .map(([, , content]) => ({
      fields: Object.fromEntries(
        [...content!.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(
          ([, name, value]) => [name!, decoded(value!)] as const,
        ),
      ),
      buttons: [...content!.matchAll(/<button[^>]* value="([^"]*)"/g)].map(([, value]) => value!),
      isOff: /<button[^>]* disabled/.test(content!),
    }))
}
const rowOf = ({ html }: Shown, key: string): string =>
  textOf([...html.matchAll(/<tr data-key="([^"]*)".*?<\/tr>/gs)].find(([, one]) => one === key)?.[0] ?? '')
const submit = (who: Visitor, operation: string, fields: Readonly<Record<string, string>>) =>
  who.post(`/console/form/${operation}`, fields)

describe('calendars and windows', () => {
  const page = (who: Visitor, calendar: string, year: number | string = YEAR) =>
    who.page(`/schedules/calendars?calendar=${calendar}&year=${year}`)

  test('a calendar of the file is a year with the names of its days, and cannot be changed', async () => {
    const shown = await page(admin, 'national')
    expect(shown.status).toBe(200)
    expect(shown.html).toContain('Thu 24 Dec: Christmas Eve'.replace('Thu', weekdayOf(`${YEAR}-12-24`)))
    expect(shown.text).toMatch(/Every Sun, the days of the file holidays\.ics/)
    expect(rowOf(shown, 'file/national')).toMatch(/butler\.yaml:\d+ read-only, stands in the file .*Show/)
    expect(formsOf(shown, 'calendar.day')).toEqual([])
    expect((await page(admin, 'national', YEAR + 1)).text).toContain(`national ${YEAR + 1}`)
    expect((await page(admin, 'national', '9999')).text).toContain(`national ${YEAR}`)
  })

  test('a click adds a day to a stored calendar, and takes it out again; a late one changes nothing', async () => {
    await put('calendar/closing', { dates: ['2030-05-01'], days: 'sat-sun' })
    await put('window/office', { days: 'mon-fri', from: '08:00', to: '17:00', notOn: ['closing'] })
    const before = await page(writer, 'closing', 2030)
    expect(before.text).toContain('Every Sat–Sun, 1 date')
    expect(rowOf(before, 'console/closing')).toContain('window office')
    const december = formsOf(before, 'calendar.day').at(-1)!
    // Days of the week follow from the rest of the calendar.
    expect(december.buttons).toContain('2030-12-24')
    expect(december.buttons).not.toContain('2030-12-22')
    const click = (fields: Readonly<Record<string, string>>) =>
      submit(writer, 'calendar.day', { ...fields, day: '2030-12-24' })
    const added = await click(december.fields)
    expect(added.status).toBe(303)
    expect(added.headers.get('location')).toEndWith('?calendar=closing&year=2030#month-12')
    expect((await setting('calendar/closing')).value).toEqual({
      dates: ['2030-05-01', '2030-12-24'],
      days: 'sat-sun',
    })
    const late = await click(december.fields)
    expect(late.status).toBe(409)
    const after = await page(writer, 'closing', 2030)
    expect(after.html).toMatch(/value="2030-12-24" aria-pressed="true"/)
    await click(formsOf(after, 'calendar.day').at(-1)!.fields)
    expect((await setting('calendar/closing')).value).toEqual({ dates: ['2030-05-01'], days: 'sat-sun' })
  })

  test('windows stand in words with their next periods', async () => {
    await put('window/nights', { from: '22:00', to: '06:00', timezone: 'Europe/London' })
    const shown = await page(writer, 'closing')
    expect(rowOf(shown, 'console/office')).toContain('Mon–Fri 08:00 to 17:00, not on days of closing')
    expect(rowOf(shown, 'console/office')).toMatch(/[A-Z][a-z]{2} \d+ [A-Z][a-z]{2} 08:00 to 17:00/)
    // On the clock of the site.
    expect(rowOf(shown, 'console/nights')).toMatch(/Every day 22:00 to 06:00 of the next day \(Europe\/London\)/)
    expect(rowOf(shown, 'console/nights')).toMatch(/23:00 to .* 07:00/)
  })

  test('a reader changes nothing', async () => {
    const shown = await page(reader, 'closing')
    expect(shown.text).toContain('This needs the scope setting:write')
    expect(formsOf(shown, 'calendar.day')).toEqual([])
    expect(shown.html).not.toContain('/system/settings/edit?kind=calendar"')
  })

  test('days of a file are shown before they are taken, with an old calendar and as a new one', async () => {
    const send = async (fields: Readonly<Record<string, string>>, content?: string) => {
      const form = new FormData()
      const csrf = await writer.csrf('/console/system/about')
      for (const [name, value] of Object.entries({ csrf, confirmed: '1', ...fields })) form.set(name, value)
      if (content !== undefined) form.set('file', new File([content], 'days.ics'))
      const answer = await writer.send('POST', '/console/form/calendar.fill', { 'sec-fetch-site': 'same-origin' }, form)
      return { status: answer.status, html: await answer.text(), text: '', location: null }
    }
    const { revision } = await setting('calendar/closing')
    const asked = await send({ name: 'closing', revision: String(revision) }, ICS)
    expect(asked.status).toBe(200)
    const { fields } = formsOf(asked, 'calendar.fill')[0]!
    expect((await setting('calendar/closing')).revision).toBe(revision)
    expect((await send(fields)).status).toBe(303)
    const eves = Array.from({ length: 5 }, (_, n) => `${YEAR + n}-12-24`)
    expect((await setting('calendar/closing')).value).toEqual({
      dates: [...eves, '2030-05-01'].sort(),
      days: 'sat-sun',
    })
    const fresh = await send({ name: 'eves' }, ICS)
    expect((await send(formsOf(fresh, 'calendar.fill')[0]!.fields)).status).toBe(303)
    expect((await setting('calendar/eves')).value).toEqual({ dates: eves })
    const broken = await send({ name: 'broken' }, 'BEGIN:VCALENDAR\nBEGIN:VEVENT\n')
    expect(textOf(broken.html)).toContain('The file cannot be used')
    expect((await call('GET', 'calendar/broken')).status).toBe(404)
  })

  test('days come from an address, too, but not from one of this machine', async () => {
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response(ICS) })
    const send = async (address: string) => {
      const csrf = await writer.csrf('/console/system/about')
      return writer.post('/console/form/calendar.fill', { csrf, confirmed: '1', name: 'by-address', address })
    }
    const asked = await send(`http://127.0.0.1:${server.port}/holidays.ics`)
    expect(textOf(await asked.text())).toContain('The address cannot be used: ')
    expect(server.pendingRequests).toBe(0)
    // A link does not make Footman ask another server.
    const linked = await writer.page('/form/calendar.fill?name=x&address=http%3A%2F%2F127.0.0.1%3A1%2F')
    expect(linked.text).not.toContain('cannot be used')
    await server.stop(true)
  })
})

const weekdayOf = (day: string): string =>
  new Intl.DateTimeFormat('en-GB', { weekday: 'short', timeZone: 'UTC' }).format(Date.parse(day))

test('policies stand in words and in their order, which buttons change', async () => {
  await put('policy/sales', { match: [{ task: 'Sales*' }, { taskTag: 'etl' }], retry: '2x/1m*3 if connection' })
  await put('policy/rest', { retry: 'none', watch: { late: 'off', dueBy: 'mon-fri 07:30' } })
  const shown = await admin.page('/tasks/policies')
  expect(rowOf(shown, 'file/of-file')).toMatch(
    /Tasks of stream Finance: retry 3 times, every 5 min; stuck after 2 h .*read-only/,
  )
  expect(rowOf(shown, 'console/sales')).toContain(
    'Tasks named Sales*, or with tag etl: retry 2 times, first after 1 min, each time 3 times as long, if the error has "connection"',
  )
  expect(rowOf(shown, 'console/rest')).toContain('All tasks: no retry; late: not watched; due by Mon–Fri 07:30')
  const moves = formsOf(shown, 'setting.move')
  expect(moves.map(({ fields, isOff }) => [fields.name, fields.position, isOff])).toEqual([
    ['sales', '-1', true],
    ['sales', '1', false],
    ['rest', '0', false],
    ['rest', '2', true],
  ])
  expect((await submit(admin, 'setting.move', moves[1]!.fields)).status).toBe(303)
  const { settings } = (await (await call('GET', 'policy')).json()) as { settings: readonly Setting[] }
  expect(settings.map(({ name }) => name)).toEqual(['of-file', 'rest', 'sales'])
  // The tasks of a policy are for those who may see tasks.
  const ofPolicies = (key: string) => call('GET', 'tests?kind=policy', undefined, key)
  expect([(await ofPolicies(WRITER.key)).status, (await ofPolicies(READER.key)).status]).toEqual([200, 403])
  expect(rowOf(await reader.page('/tasks/policies'), 'console/sales')).toMatch(/"connection" – console/)
  // Retries start tasks.
  expect((await writer.page('/tasks/policies')).html).toContain('This needs the scope task:run')
})

test('recurring maintenance of file and store stands beside single ones', async () => {
  await put('maintenance/patching', { during: ['office', { days: 'sun', from: '02:00', to: '04:00' }] })
  const shown = await writer.page('/system/maintenance')
  expect(rowOf(shown, 'backup')).toMatch(/Sat 22:00 to 04:00 of the next day .*read-only, stands in the file/)
  expect(rowOf(shown, 'patching')).toMatch(/office; Sun 02:00 to 04:00 .*console Edit Delete/)
  expect((await reader.page('/system/maintenance')).html).toContain('This needs the scope setting:write')
})

test('a feature is switched by a button; one of the file is locked with its line', async () => {
  const shown = await writer.page('/system/features')
  expect(rowOf(shown, 'footman.butlerRoutes.recovery')).toMatch(/off butler\.yaml:\d+ read-only, stands in the file/)
  const buttonOf = (page: Shown, name: string) =>
    formsOf(page, 'switch.set').find(({ fields }) => fields.name === name)!
  expect(buttonOf(shown, 'footman.butlerRoutes.recovery').isOff).toBe(true)
  const name = 'restServerEndpointsEnable.keyValueStore'
  expect(rowOf(shown, name)).toMatch(/Key-value pairs .* off default Switch on/)
  expect((await submit(writer, 'switch.set', buttonOf(shown, name).fields)).status).toBe(303)
  expect(await setting(`switch/${name}`)).toMatchObject({ value: true, revision: 1 })
  const on = await writer.page('/system/features')
  expect(rowOf(on, name)).toMatch(/ on console Switch off Default/)
  expect((await submit(writer, 'switch.set', buttonOf(on, name).fields)).status).toBe(303)
  expect(await setting(`switch/${name}`)).toMatchObject({ value: false, revision: 2 })
  // What it sets in motion needs its own scope.
  expect(buttonOf(on, 'scheduler.enable').isOff).toBe(true)
  expect(rowOf(on, 'footman.timezone')).toMatch(/Time zone .*Europe\/Stockholm .*Show/)
  expect(on.html).toContain('/system/settings/edit?kind=switch&amp;name=footman.console.publicUrl')
})

describe('a new key', () => {
  const wanted = { id: 'erp', scopes: 'kv:read\nevent:read', expires: '2099-12-31', confirmed: '1' }
  const KEY = /fm_[A-Za-z0-9_-]{43}/g

  test('is shown once and is nowhere else', async () => {
    const asked = await admin.page('/form/access.create')
    expect(asked.html.match(KEY)).toBeNull()
    const lines = log.lines.length
    const token = await admin.csrf('/console/system/keys')
    const answer = await admin.post('/console/form/access.create', { csrf: token, ...wanted })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const html = await answer.text()
    const [key = '', ...again] = [...new Set(html.match(KEY))]
    expect(key).toHaveLength(46)
    expect(again).toEqual([])
    expect(html).toContain(`data-copy="${key}"`)
    // The key works, with its rights.
    const as = (path: string) => fetch(base + path, { headers: { authorization: `Bearer ${key}` } })
    expect((await as('/v4/deliveries')).status).toBe(200)
    expect((await as('/v4/audit')).status).toBe(403)
    // Neither the headers with the session, nor a page, an answer, the log or a file has it.
    const pages = ['/system/keys', '/system/audit', '/system/changes', '/system/settings?kind=access', '/system/config']
    const shown = await Promise.all(pages.map(async (path) => (await admin.page(path)).html))
    const answers = await Promise.all(
      [
        '/v4/audit',
        '/v4/settings/access/erp',
        '/v4/settings/export',
        '/v4/settings/access/erp/history',
        '/v4/config',
      ].map(async (path) => (await fetch(base + path, { headers: { authorization: `Bearer ${ADMIN.key}` } })).text()),
    )
    expect(answers[0]).toContain('access/erp')
    const files = readdirSync(directory.path, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
    expect(files.map(({ name }) => name)).toContain('footman.db')
    const contents = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
    expect(contents.join('')).toContain('access')
    const headers = [...answer.headers].join()
    const messages = log.lines.slice(lines).map(({ message }) => message)
    expect(messages.length).toBeGreaterThan(0)
    for (const text of [...shown, ...answers, ...contents, headers, ...messages, ...admin.cookies.values()])
      expect(text.includes(key)).toBe(false)
    expect(rowOf(await admin.page('/system/keys'), 'console/erp')).toMatch(
      /erp kv:read, event:read .*console Edit Delete/,
    )
  })

  test('does not replace one, and says at its field what is wrong', async () => {
    const before = await setting('access/erp')
    const twice = await admin.act('access.create', wanted)
    expect(twice.status).toBe(409)
    expect(twice.html.match(KEY)).toBeNull()
    expect(await setting('access/erp')).toEqual(before)
    const wrong = await admin.act('access.create', { ...wanted, id: 'other', scopes: 'kv:rea' })
    expect(wrong.status).toBe(400)
    expect(wrong.html).toMatch(/data-wrong="scopes"[^>]*>must be a scope/)
    expect(wrong.html.match(KEY)).toBeNull()
    expect((await admin.act('access.create', { ...wanted, id: '' })).html).toContain('data-wrong="id"')
    expect((await call('GET', 'access/other')).status).toBe(404)
  })

  test('needs admin, for the page as well', async () => {
    expect((await writer.page('/system/keys')).status).toBe(403)
    const refused = await writer.act('access.create', { ...wanted, id: 'mine' })
    expect(refused.status).toBe(403)
    expect(refused.html.match(KEY)).toBeNull()
    expect((await call('GET', 'access/mine')).status).toBe(404)
  })
})
