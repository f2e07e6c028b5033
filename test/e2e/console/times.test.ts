/** Times of the pages: each in the zone of the page, by one component; nothing is left in UTC or in the form of the API. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { columnsOf } from '../../../src/console/pages/events/log.tsx'
import { timeText, withZone } from '../../../src/console/ui/text.tsx'
import { createZoneTimes } from '../../../src/platform/zone-times.ts'
import { crawl, textOf } from '../../support/console.ts'
import { type Scene, startScene } from '../../support/console-scene.ts'
import { until } from '../../support/wait.ts'

const ZONE = 'Asia/Kolkata'
const SALES = '70000000-0000-4000-8000-000000000001'
const FAILING = 'Financial Dashboard Reload'
const STARTS = [
  '/console/tasks',
  `/console/tasks/${SALES}`,
  '/console/schedules',
  '/console/schedules/new',
  '/console/system/keyvalues/Sales',
  '/console/snoozes',
  '/console/system/maintenance',
  '/console/system/audit',
]
const WAIT = { timeout: 20_000 }

/** The text of a page without time elements, code, values of fields, and raw values of variables. */
const proseOf = (html: string): string =>
  textOf(html.replace(/<dl class="vars">.*?<\/dl>|<(time|code|pre|textarea|option|script|datalist)\b.*?<\/\1>/gs, ' '))

describe('pages of a site in another zone', () => {
  let scene: Scene
  let eventId: string
  let matched: string
  const begin = Date.now()
  /** Without a zone, so many whole hours after now on the clock of the site. */
  const wallClock = (hours: number) =>
    createZoneTimes(ZONE)
      .clock(begin + hours * 3_600_000)
      .slice(0, 16)
      .replace(' ', 'T')

  beforeAll(async () => {
    scene = await startScene({
      footman: {
        timezone: ZONE,
        destinations: { hook: { type: 'webhook', url: 'http://127.0.0.1:9/' } },
        alertRoutes: [{ name: 'all', match: { outcome: 'failed' }, limit: 'none', to: ['hook'] }],
      },
    })
    const schedule = { cronSchedule: '30 5 * * *', qlikSenseTaskId: SALES, startupState: 'started', tags: ['t'] }
    const task = await scene.json<{ taskName: string; appId: string; appName: string }>(`/v4/tasks/${SALES}`)
    const { appId } = task
    matched = `task ${task.taskName}, app ${task.appName}`
    for (const [path, body] of [
      ['/v4/schedules', { ...schedule, name: 'There', timezone: 'America/New_York' }],
      ['/v4/schedules', { ...schedule, name: 'Here', timezone: ZONE }],
      ['/v4/keyvalues/Sales', { key: 'extract', value: '1', ttl: 3_600_000 }],
      ['/v4/snoozes', { match: { taskId: [SALES], appId: [appId] }, until: wallClock(4) }],
      ['/v4/snoozes', { match: { task: ['Gone*'] }, for: '2h' }],
      ['/v4/maintenance', { name: 'Network work', match: { taskId: [SALES] }, until: wallClock(4) }],
    ] as const) {
      expect([path, await scene.post(path, body)]).toEqual([path, 201])
    }
    const { snoozes } = await scene.json<{ snoozes: { id: string }[] }>('/v4/snoozes')
    expect(await scene.call('DELETE', `/v4/snoozes/${snoozes[0]!.id}`)).toBe(204)
    const { maintenance } = await scene.json<{ maintenance: { id: string }[] }>('/v4/maintenance')
    const change = `/v4/maintenance/${maintenance[0]!.id}`
    expect(await scene.call('PUT', change, { until: wallClock(5) })).toBe(200)
    scene.site.simulator.runTask(FAILING)
    eventId = await until(async () => {
      const { events } = await scene.json<{ events: { id: string; taskName: string }[] }>('/v4/events')
      return events.find(({ taskName }) => taskName === FAILING)?.id ?? null
    }, WAIT)
  }, 60_000)
  afterAll(() => scene?.[Symbol.asyncDispose]())

  test('each time element shows its instant on the clock of the site', async () => {
    const pages = await crawl(scene.who, '', 70, [...STARTS, `/console/events/${eventId}`])
    expect(pages.size).toBeGreaterThan(40)
    let compared = 0
    const wrong: string[] = []
    for (const [path, { text: html }] of pages) {
      for (const [, attributes = '', shown = ''] of html.matchAll(/<time ([^>]*)>(.*?)<\/time>/gs)) {
        const at = Date.parse(/datetime="([^"]+)"/.exec(attributes)?.[1] ?? '')
        const whole = timeText(at, { timezone: ZONE, now: Date.now() })
        if (attributes.includes('title=') && !attributes.includes(` ${ZONE}, `)) wrong.push(`${path}: ${attributes}`)
        if (attributes.includes('data-ago')) continue
        compared += 1
        const clock = /\d\d:\d\d(?::\d\d)?$/.exec(shown)?.[0]
        if (!clock || !whole.includes(` ${clock}`)) wrong.push(`${path}: ${shown} instead of ${whole}`)
      }
      const other = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\bUTC\b|\bGMT\b/.exec(proseOf(html))
      // This shows the configuration as it is.
      if (other && !path.startsWith('/console/system/config')) wrong.push(`${path}: ${other[0]} in the text`)
      const zones = proseOf(html).split(`(${ZONE}) (${ZONE})`).length
      if (zones > 1) wrong.push(`${path}: the zone twice`)
    }
    expect(wrong).toEqual([])
    expect(compared).toBeGreaterThan(100)
  }, 60_000)

  test('the script log is on the clock of the page', async () => {
    const { html } = await scene.page(`/events/${eventId}`)
    const { text } = await scene.json<{ text: string[] }>(`/v4/events/${eventId}/scriptlog`)
    const { at } = columnsOf(text[0]!)
    const log = html.slice(html.indexOf('data-log'))
    const [, first] = /<time [^>]*>([\d:]+)<\/time>/.exec(log) ?? []
    expect(first).toBe(
      timeText(at as number, { timezone: ZONE, now: Date.now() })
        .split(' ')
        .at(-1)!,
    )
  })

  test('a time without a zone is on the clock of the site, at each door', async () => {
    const minute = Math.floor(begin / 60_000) * 60_000
    const at = (hours: number) => new Date(minute + hours * 3_600_000).toISOString()
    const { snoozes } = await scene.json<{ snoozes: { until: string; match: object }[] }>('/v4/snoozes')
    expect(snoozes.find(({ match }) => 'taskId' in match)?.until).toBe(at(4))
    const { maintenance } = await scene.json<{ maintenance: { until: string }[] }>('/v4/maintenance')
    expect(maintenance.map(({ until }) => until)).toEqual([at(5)])
    const events = (from: number, to: number) =>
      scene.json<{ events: object[] }>(`/v4/events?from=${wallClock(from)}&to=${wallClock(to)}`)
    expect((await events(-1, 1)).events.length).toBeGreaterThan(0)
    expect((await events(1, 10)).events).toEqual([])
  })

  test('snoozes, maintenance and the audit have names in the place of ids', async () => {
    expect((await scene.page('/snoozes')).text).toContain(matched)
    expect((await scene.page('/system/maintenance')).text).toContain(matched.split(', ')[0]!)
    const { text } = await scene.page('/system/audit?action=snooze.*&action=maintenance.*')
    const until = (hours: number) =>
      `until ${timeText(begin + hours * 3_600_000, { timezone: ZONE, now: begin }, false)}`
    expect(text).toContain(`: ${matched.replace(', ', ' , ')} ${until(4)}`)
    expect(text).toContain(': task Gone* until ')
    expect(text).toContain(`: Network work ${until(4)}`)
    expect(text).toContain(`Network work done (200): Network work ${until(5)}`)
  })

  test('the answer to a snooze names the zone of the page', async () => {
    const fields = {
      taskId: SALES,
      for: '1h',
      confirmed: '1',
      return: '/console/snoozes',
    }
    expect((await scene.who.act('snooze.set', fields, '/snoozes')).status).toBe(303)
    const { snoozes } = await scene.json<{ snoozes: { until: string }[] }>('/v4/snoozes')
    const shown = timeText(Date.parse(snoozes[0]!.until), { timezone: ZONE, now: Date.now() }, false)
    expect((await scene.page('/snoozes')).text).toContain(`Snoozed until ${shown} ${ZONE}.`)
  })
})

test.each<[line: string, at: number | string | null, number: string, text: string]>([
  ['20261125T163356.316+0100 0014 Sales:', Date.parse('2026-11-25T15:33:56Z'), '0014', 'Sales:'],
  ['2026-11-25T15:33:56.316Z Execution started.', Date.parse('2026-11-25T15:33:56Z'), '', 'Execution started.'],
  ['2026-11-25 16:33:56 0002 SET X', '16:33:56', '0002', 'SET X'],
  ['20261325T993356.316+0100 odd', '99:33:56', '', 'odd'],
  ['no time at all', null, '', 'no time at all'],
])('a line of a script log: %s', (line, at, number, text) => {
  expect(columnsOf(line)).toEqual({ at, number, text })
})

test('a schedule in words has its zone once', () => {
  expect(withZone('at 05:30 (Europe/Stockholm)', 'Europe/Stockholm')).toBe('at 05:30 (Europe/Stockholm)')
  expect(withZone('at 05:30', 'Europe/Stockholm')).toBe('at 05:30 (Europe/Stockholm)')
  expect(withZone('at 05:30', null)).toBe('at 05:30')
})
