/** The pages of schedules in the executable, with and without scripts. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { violations } from '../../support/accessibility.ts'
import { startBrowser } from '../../support/browser.ts'
import { type Visitor, visitorOf } from '../../support/console.ts'
import { ALL_ENDPOINTS } from '../../support/everything.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { needs } from '../../support/servers.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

needs('mosquitto', 'chromium')

const TASK = '70000000-0000-4000-8000-000000000001'
const DAY_MS = 86_400_000
const tomorrow = new Date(Date.now() + DAY_MS).toISOString().slice(0, 10)

/** The first day of the month after the next one. */
const closing = (() => {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 2, 1)).toISOString().slice(0, 10)
})()

const entry = (id: string, name: string | undefined, more: object = {}) =>
  `  - ${JSON.stringify({
    id,
    name,
    cronSchedule: '0 12 * * *',
    timezone: 'Europe/Stockholm',
    qlikSenseTaskId: TASK,
    startupState: 'started',
    ...more,
  })}\n`

const FILE = [
  'butlerSchedule:\n',
  entry('daily', 'Sales <b>daily</b>', { notOn: ['holidays-se'], tags: ['nightly'] }),
  entry('paused', 'Paused one', { startupState: 'stopped' }),
  entry('broken', 'Broken one', { cronSchedule: '0 25 * * *' }),
  // The file is written by hand.
  entry('without-a-name', undefined),
].join('')

let site: TestSite
let product: Footman
let base: string
let me: Visitor
beforeAll(async () => {
  site = await startSite()
  product = await footman({
    simulator: site.simulator,
    config: {
      scheduler: { enable: true, configfile: 'schedule.yaml' },
      restServerEndpointsEnable: ALL_ENDPOINTS,
      footman: {
        dataDirectory: 'data',
        timezone: 'Europe/Stockholm',
        api: { rateLimitPerMinute: 0 },
        calendars: { 'holidays-se': { dates: [tomorrow] }, closing: { dates: [closing] } },
        maintenance: [{ name: 'sunday-patching', during: { days: 'sun', from: '02:00', to: '04:30' } }],
      },
    },
  })
  writeFileSync(product.directory.join('schedule.yaml'), FILE)
  await product.start()
  base = `http://127.0.0.1:${product.restPort}`
  me = visitorOf(product)
}, 60_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

interface Listed {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly cronSchedule: string
  readonly revision: string
}
const schedules = async (): Promise<readonly Listed[]> => (await product.call('GET', '/v4/schedules')).json()
const scheduleNamed = async (name: string) => (await schedules()).find((one) => one.name === name)

/** The fields of the editor of a new schedule. */
const FIELDS = {
  confirmed: '1',
  name: 'Made here',
  state: 'started',
  kind: 'simple',
  every: 'working',
  at: '06:30',
  cron: '',
  timezone: 'Europe/London',
  task: TASK,
  action: 'startTask',
  notOn: 'holidays-se',
  shift: 'none',
  overlapPolicy: 'skip',
  misfirePolicy: 'skip',
  jitter: '',
}

describe('the list', () => {
  test('has problems first, states in words, and names as text', async () => {
    const { status, text, html } = await me.page('/schedules')
    expect(status).toBe(200)
    expect(text.indexOf('Broken one')).toBeLessThan(text.indexOf('Sales <b>daily</b>'))
    expect(text).toContain('at 12:00 (Europe/Stockholm)')
    expect(text).toContain('hour 25 is out of range, hours are 0-23')
    expect(text).toContain('invalid')
    expect(text).toContain('paused')
    expect(html).not.toContain('<b>daily')
  })

  test('has the id of a schedule without a name, and its page opens', async () => {
    const { html } = await me.page('/schedules?q=without-a')
    expect(html).toContain('aria-label="Select without-a-name"')
    expect((await me.page('/schedules/without-a-name')).status).toBe(200)
  })

  test.each([
    ['state=stopped', 'Paused one'],
    ['q=broken', 'Broken one'],
    ['tag=nightly', 'Sales <b>daily</b>'],
  ])('with %s has %s alone', async (query, name) => {
    const { text } = await me.page(`/schedules?${query}`)
    for (const other of ['Paused one', 'Broken one', 'Sales <b>daily</b>']) {
      expect(text.includes(other)).toBe(other === name)
    }
  })

  test('says so when nothing matches', async () => {
    const { text } = await me.page('/schedules?q=nothing-like-it')
    expect(text).toContain('Nothing matches')
    expect(text).toContain('4 schedules')
  })
})

describe('actions without scripts', () => {
  test('pause and resume one, and several at once', async () => {
    const stateOf = async (id: string) => (await schedules()).find((one) => one.id === id)?.state
    const paused = await me.act('schedule.stop', { id: 'daily', confirmed: '1', return: '/console/schedules' })
    expect([paused.status, paused.location]).toEqual([303, '/console/schedules'])
    expect(await stateOf('daily')).toBe('stopped')
    expect((await me.page('/schedules')).text).toContain('1 schedule paused.')
    await me.act('schedule.start', [
      ['confirmed', '1'],
      ['id', 'daily'],
      ['id', 'paused'],
    ])
    expect([await stateOf('daily'), await stateOf('paused')]).toEqual(['running', 'running'])
    await me.act('schedule.stop', { confirmed: '1' })
    expect(await stateOf('daily')).toBe('running')
    await me.act('schedule.stop', { confirmed: '1', id: 'paused' })
    expect(await stateOf('paused')).toBe('stopped')
  })

  test('more than twenty are changed only with their number typed', async () => {
    const many = Array.from({ length: 21 }, (_, n) => ['id', `id-${n}`] as const)
    const asked = await me.act('schedule.stop', [['confirmed', '1'], ...many])
    expect(asked.status).toBe(200)
    expect(asked.text).toContain('Type 21 to go on')
  })

  test('make, change, run and delete a schedule', async () => {
    const made = await me.act('schedule.create', FIELDS)
    expect(made.status).toBe(303)
    const { id, cronSchedule, revision } = (await scheduleNamed('Made here'))!
    expect(cronSchedule).toBe('30 6 * * 1-5')
    expect(made.location).toBe(`/console/schedules/${id}`)
    const changed = await me.act('schedule.update', { ...FIELDS, id, revision, kind: 'cron', cron: '15 7 * * 1' })
    expect(changed.status).toBe(303)
    expect((await scheduleNamed('Made here'))?.cronSchedule).toBe('15 7 * * 1')

    const asked = await me.page(`/form/schedule.run?id=${id}`)
    expect(asked.text).toContain('windows and calendars are not asked')
    const run = await me.act('schedule.run', { id, confirmed: '1' })
    expect(run.location).toMatch(new RegExp(`^/console/schedules/${id}/runs/[0-9a-f-]{36}$`))
    const page = await until(async () => {
      const { text, html } = await me.page(run.location!.slice('/console'.length))
      return html.includes('/console/executions/') ? text : null
    })
    expect(page).toContain('Run of Made here')
    expect(page).toContain('by hand')
    expect(page).not.toMatch(/(?:execution|task) [0-9a-f]{8}/)

    const dialog = await me.page(`/form/schedule.delete?id=${id}`)
    expect(dialog.text).toMatch(/Its next run, .*, will not happen/)
    expect((await me.act('schedule.delete', { id, confirmed: '1' })).location).toBe('/console/schedules')
    expect(await scheduleNamed('Made here')).toBeUndefined()
  })

  test('a change of the file meanwhile leads to a comparison and no loss', async () => {
    const { id, revision } = (await scheduleNamed('Paused one'))!
    await product.call('PUT', `/v4/schedules/${id}`, { cronSchedule: '45 4 * * *' })
    const fields = { ...FIELDS, id, revision, name: 'Paused one', state: 'stopped' }
    const refused = await me.act('schedule.update', fields)
    expect(refused.status).toBe(412)
    expect(refused.text).toContain('It was changed meanwhile, so nothing was saved.')
    expect(refused.text).toMatch(/cronSchedule 45 4 \* \* \* 30 6 \* \* 1-5/)
    expect((await scheduleNamed('Paused one'))?.cronSchedule).toBe('45 4 * * *')
    const [, next = ''] = /name="revision" value="([^"]+)"/.exec(refused.html) ?? []
    expect((await me.act('schedule.update', { ...fields, revision: next })).status).toBe(303)
    expect((await scheduleNamed('Paused one'))?.cronSchedule).toBe('30 6 * * 1-5')
  })

  test('what is wrong with an expression stands above the fields, which are kept', async () => {
    const refused = await me.act('schedule.create', { ...FIELDS, kind: 'cron', cron: '0 25 * * *' })
    expect(refused.status).toBe(400)
    expect(refused.text).toContain('hour 25 is out of range')
    expect(refused.html).toContain('value="0 25 * * *"')
    expect(refused.html).toContain('value="Made here"')
  })
})

describe('the editor', () => {
  test('shows the next times with skipped ones and their calendar, and its zone once', async () => {
    const { text } = await me.page('/schedules/daily')
    expect(text).toMatch(/12:00 skipped: holidays-se/)
    expect(text).not.toContain('Europe/Stockholm UTC')
    expect((text.match(/(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ \w{3} 12:00/g) ?? []).length).toBe(11)
  })

  test('previews what the address says, over a change of clocks', async () => {
    const query = new URLSearchParams({ ...FIELDS, kind: 'cron', cron: '30 1 * * 0', timezone: 'America/New_York' })
    const { text, html } = await me.page(`/schedules/new?${query}`)
    expect(text).toContain('at 01:30, Sunday (America/New_York)')
    expect(html).not.toMatch(/csrf=/)
    const wrong = await me.page(`/schedules/new?${new URLSearchParams({ ...FIELDS, timezone: 'Mars/Base' })}`)
    expect(wrong.text).toContain('"Mars/Base" is no IANA time zone')
  })

  test('of an unknown schedule is a page with 404', async () => {
    expect((await me.page('/schedules/nope')).status).toBe(404)
    expect((await me.page('/schedules/daily/runs/nope')).status).toBe(404)
  })
})

describe('the week', () => {
  test('has starts of Footman and Qlik Sense by day and hour, skipped ones struck through', async () => {
    const { status, html, text } = await me.page('/schedules/calendar')
    expect(status).toBe(200)
    expect(html).toContain('class="slot qlik"')
    expect(text).toMatch(/Week \d{4}-W\d\d/)
    const week = (await me.page(`/schedules/calendar?week=${weekOf(tomorrow)}`)).html
    expect(week).toMatch(/<s>12:00 <bdi>Sales &lt;b&gt;daily/)
    expect(week).toContain('skipped: holidays-se')
  })

  test('has maintenance shaded in its hours', async () => {
    const { html } = await me.page('/schedules/calendar')
    expect(html.match(/<td class="shut(?: current)?">/g)).toHaveLength(3)
    expect(html).toMatch(/aria-label="02:00–04:30 sunday-patching, maintenance, Sun \d+ \w{3}"/)
    const monday = await me.page('/schedules/calendar?week=2027-W03&day=2027-01-18')
    expect(monday.html.match(/class="band"/g)).toHaveLength(1)
    const sunday = await me.page('/schedules/calendar?week=2027-W03&day=2027-01-24')
    expect(sunday.html.match(/class="band"/g)).toHaveLength(2)
  })

  test('of 400 firings is answered in time, with the usual length of each task', async () => {
    const many = Array.from({ length: 57 }, (_, n) => entry(`many-${n}`, `Many ${n}`, { cronSchedule: `${n} 3 * * *` }))
    writeFileSync(product.directory.join('schedule.yaml'), FILE + many.join(''))
    await until(async () => (await schedules()).length >= 60, { timeout: 15_000 })
    const from = Date.now() + DAY_MS
    const query = new URLSearchParams({
      from: new Date(from).toISOString(),
      to: new Date(from + 7 * DAY_MS).toISOString(),
    })
    await product.call('GET', `/v4/schedules/calendar?${query}`)
    const before = cpuOf(product.process.pid)
    const answer = await product.call('GET', `/v4/schedules/calendar?${query}`)
    const used = cpuOf(product.process.pid) - before
    const { entries, load } = (await answer.json()) as {
      readonly entries: readonly { readonly source: string; readonly name: string; readonly taskIds: string[] }[]
      readonly load: readonly { readonly running: number }[]
    }
    // The budget is 200 ms; other work of the process may come between.
    expect(used).toBeLessThan(1000)
    expect(entries.filter(({ name }) => name.startsWith('Many')).length).toBe(399)
    expect(entries.some(({ source }) => source === 'qlik')).toBe(true)
    expect(Math.max(...load.map(({ running }) => running))).toBeGreaterThan(0)
    const { html } = await me.page(
      `/schedules/calendar?week=${weekOf(new Date(from + 3 * DAY_MS).toISOString().slice(0, 10))}`,
    )
    // 57 and an hourly trigger of Qlik Sense, of which three are shown.
    expect(html.includes('<summary>+55</summary>')).toBe(true)
    writeFileSync(product.directory.join('schedule.yaml'), FILE)
    await until(async () => (await schedules()).length < 10, { timeout: 15_000 })
  }, 60_000)

  test.each([
    ['2027-W12', '02', 23],
    ['2026-W43', '02 again', 25],
  ])('of %s has the hours of the day on which clocks change', async (week, hour, hours) => {
    const { html } = await me.page(`/schedules/calendar?week=${week}`)
    const cells = (html.match(/<th scope="row">/g) ?? []).length
    expect(cells).toBe(Math.max(24, hours))
    expect(html).toContain(`<th scope="row">${hour}</th>`)
    expect((html.match(/<td class="none">/g) ?? []).length).toBe(hours === 23 ? 1 : 6)
  })
})

/** Milliseconds that a process has computed, on Linux; else 0. */
function cpuOf(pid: number): number {
  if (!existsSync(`/proc/${pid}/stat`)) return 0
  const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15).map(Number)
  return (user + system) * 10
}

/** ISO week of a day. */
function weekOf(day: string): string {
  const thursday = new Date(`${day}T00:00:00Z`)
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7))
  const year = thursday.getUTCFullYear()
  const week = Math.ceil(((thursday.getTime() - Date.UTC(year, 0, 1)) / DAY_MS + 1) / 7)
  return `${year}-W${String(week).padStart(2, '0')}`
}

describe('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  }, 90_000)
  afterAll(() => browser?.close())

  test('the preview follows what is typed, in the zone of the browser, and saves', async () => {
    const context = await browser.newContext({ timezoneId: 'America/New_York' })
    const page = await context.newPage()
    await page.goto(`${base}/console/schedules/new`)
    await page.fill('[name=name]', 'Typed')
    await page.selectOption('[name=task]', TASK)
    await page.fill('[name=cron]', '5 9 * * *')
    await page.locator('[data-times]', { hasText: 'at 09:05 (Europe/Stockholm)' }).waitFor()
    expect(await page.isChecked('[name=kind][value=cron]')).toBe(true)
    expect(await page.textContent('[data-here-head]')).toBe('Here, America/New_York')
    expect(await page.textContent('[data-here]')).toMatch(/0[345]:05$/)
    await page.click('text=Save')
    await page.getByText('The schedule Typed was made.').waitFor()
    expect(page.url()).not.toContain('csrf')
    await context.close()
  }, 60_000)

  /** Noon of each zone in India: two times where clocks change within the ten months. */
  test.each([
    ['Europe/Stockholm', ['GMT+1', 'GMT+2'], ['15:30', '16:30']],
    ['America/New_York', ['GMT-4', 'GMT-5'], ['21:30', '22:30']],
    // Their clocks change by 30 minutes.
    ['Australia/Lord_Howe', ['GMT+10:30', 'GMT+11'], ['06:30', '07:00']],
  ])(
    'the next ten times in %s have the skipped one, and go over a change of clocks',
    async (zone, offsets, here) => {
      const context = await browser.newContext({ timezoneId: 'Asia/Kolkata' })
      const page = await context.newPage()
      await page.goto(`${base}/console/schedules/new`)
      await page.fill('[name=name]', 'Monthly')
      await page.fill('[name=notOn]', 'closing')
      await page.fill('[name=timezone]', zone)
      await page.fill('[name=cron]', '0 12 1 * *')
      const rows = page.locator('[data-times] tbody tr')
      await page
        .locator('[data-times]', { hasText: `(${zone})` })
        .filter({ hasText: 'closing' })
        .waitFor()
      const texts = await rows.allInnerTexts()
      expect(texts).toHaveLength(11)
      expect(texts.filter((text) => text.includes('skipped: closing'))).toHaveLength(1)
      for (const text of texts) expect(text).toMatch(/^\w{3} 1 \w{3,4} 12:00 GMT/)
      const found = (pattern: RegExp) => [...new Set(texts.map((text) => pattern.exec(text)?.[1]))].sort()
      expect(found(/12:00 (GMT\S+)/)).toEqual(offsets)
      expect(found(/(\d\d:\d\d)$/)).toEqual(here)
      // Chromium has the older name.
      expect(await page.textContent('[data-here-head]')).toMatch(/^Here, Asia\/(Kolkata|Calcutta)$/)
      await context.close()
    },
    60_000,
  )

  test('a change of the file under the open editor gives a comparison, and keeps what is typed', async () => {
    const page = await browser.newPage()
    await page.goto(`${base}/console/schedules/daily`)
    await page.fill('[name=name]', 'Typed here')
    writeFileSync(product.directory.join('schedule.yaml'), FILE.replace('0 12 * * *', '0 13 * * *'))
    const cron = async () => (await schedules()).find(({ id }) => id === 'daily')?.cronSchedule
    await until(async () => (await cron()) === '0 13 * * *', { timeout: 15_000 })
    expect(await page.inputValue('[name=name]')).toBe('Typed here')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    const row = (member: string) => page.locator('tr', { hasText: member }).textContent()
    expect(await row('cronSchedule')).toMatch(/0 13 \* \* \*\s*0 12 \* \* \*/)
    expect(await row('name')).toMatch(/Sales <b>daily<\/b>\s*Typed here/)
    expect(await cron()).toBe('0 13 * * *')
    expect(await page.inputValue('[name=name]')).toBe('Typed here')
    await page.fill('[name=cron]', '0 13 * * *')
    await page.check('[name=kind][value=cron]')
    await page.getByRole('button', { name: 'Save the schedule' }).click()
    await page.getByText('The schedule Typed here was saved.').waitFor()
    expect(await cron()).toBe('0 13 * * *')
    await page.close()
  }, 60_000)

  test('what is wrong with an expression stands at its field', async () => {
    const page = await browser.newPage()
    await page.goto(`${base}/console/schedules/new`)
    await page.fill('[name=cron]', '0 25 * * *')
    await page.locator('[name=cron][aria-invalid=true]').waitFor()
    expect(await violations(page)).toEqual([])
    const reason = page.locator('label:has([name=cron]) .wrong')
    expect(await reason.textContent()).toBe('0 25 * * *\n  ^^ hour 25 is out of range, hours are 0-23')
    await page.fill('[name=cron]', '^^')
    await reason.filter({ hasText: 'too few fields: 1 instead of 5 or 6' }).waitFor()
    await page.fill('[name=cron]', '0 5 * * *')
    await page.locator('[name=cron]:not([aria-invalid])').waitFor()
    expect(await reason.count()).toBe(0)
    await page.close()
  }, 60_000)
})
