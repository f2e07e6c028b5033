/** Times of the pages: each in the zone of the page, by one component; nothing is left in UTC or in the form of the API. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { columnsOf } from '../../../src/console/pages/events/log.tsx'
import { timeText, withZone } from '../../../src/console/ui/text.tsx'
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
]
const WAIT = { timeout: 20_000 }

/** The text of a page without time elements, code, values of fields, and raw values of variables. */
const proseOf = (html: string): string =>
  textOf(html.replace(/<dl class="vars">.*?<\/dl>|<(time|code|pre|textarea|option|script|datalist)\b.*?<\/\1>/gs, ' '))

describe('pages of a site in another zone', () => {
  let scene: Scene
  let eventId: string

  beforeAll(async () => {
    scene = await startScene({
      footman: {
        timezone: ZONE,
        destinations: { hook: { type: 'webhook', url: 'http://127.0.0.1:9/' } },
        alertRoutes: [{ name: 'all', match: { outcome: 'failed' }, limit: 'none', to: ['hook'] }],
      },
    })
    const schedule = { cronSchedule: '30 5 * * *', qlikSenseTaskId: SALES, startupState: 'started', tags: ['t'] }
    for (const [path, body] of [
      ['/v4/schedules', { ...schedule, name: 'There', timezone: 'America/New_York' }],
      ['/v4/schedules', { ...schedule, name: 'Here', timezone: ZONE }],
      ['/v4/keyvalues/Sales', { key: 'extract', value: '1', ttl: 3_600_000 }],
    ] as const) {
      expect([path, await scene.post(path, body)]).toEqual([path, 201])
    }
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
