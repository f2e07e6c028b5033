/** Deliveries, destinations, snoozes and routes as HTML and in Chromium, from the compiled executable and a simulated site. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { DatabaseSync } from 'node:sqlite'
import type { Browser } from 'playwright-core'
import { violations } from '../../support/accessibility.ts'
import { startBrowser } from '../../support/browser.ts'
import { visitorOf } from '../../support/console.ts'
import { openConsole, seen, tooWide } from '../../support/console-browser.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { read, reader } from '../../support/reader.ts'
import { needs } from '../../support/servers.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

needs('chromium')

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const TIMEOUT = 90_000
const HELD_BACK = /It would hold back 1 of the \d+ alerts of the last 24 h/
const DEAD = 40
/** One more than may be sent again without typing their number. */
const MORE = 21

type Stored = readonly [reason: string, state: 'suppressed' | 'dead', words: string, by?: object]

/** Every reason why a message is not sent, with what is stored and the words of the pages. `EVENT` stands for the event's id. */
const REASONS: readonly Stored[] = [
  [
    ...(['RATE_LIMITED', 'suppressed', 'rate limit: at most 1 in 5 min; next possible'] as const),
    { limit: { count: 1, windowMs: 300_000, nextSlotAt: '2026-03-02T02:19:00.000Z' } },
  ],
  [
    ...(['CUSTOM_PROPERTY', 'suppressed', 'the task does not have the custom property alerts = Yes'] as const),
    { property: { name: 'alerts', value: 'Yes' } },
  ],
  ['TAG', 'suppressed', 'the app does not have the tag critical', { tag: { name: 'critical' } }],
  ['OWNER_EXCLUDED', 'suppressed', 'owner excluded: stored detail'],
  ['APP_NOT_INCLUDED', 'suppressed', 'app not included: stored detail'],
  ['NO_RECIPIENT', 'suppressed', 'no recipient: stored detail'],
  ['RECIPIENT_INVALID', 'suppressed', 'recipient not valid: stored detail'],
  [
    ...(['MAINTENANCE', 'suppressed', 'maintenance Patching until'] as const),
    { maintenance: { name: 'Patching', until: '2026-03-02T02:19:00.000Z' } },
  ],
  [
    ...(['SNOOZED', 'suppressed', 'database is moved'] as const),
    { snooze: { id: 's1', reason: 'database is moved', until: '2026-03-02T02:19:00.000Z' } },
  ],
  [
    ...(['GROUPED', 'suppressed', 'part of the alert about ERP extract, which failed first'] as const),
    { group: { eventId: 'EVENT', taskId: TASK, taskName: 'ERP extract' } },
  ],
  [
    ...(['RETRY_PENDING', 'suppressed', 'retry 2 of 3 comes first, at'] as const),
    { retry: { attempt: 2, max: 3, at: '2026-03-02T02:19:00.000Z' } },
  ],
  ['SHADOW_MODE', 'suppressed', 'Footman runs in shadow mode: recorded, not sent'],
  ['EXPIRED', 'dead', 'too late: stored detail'],
  ['REJECTED', 'dead', 'rejected, not tried again: stored detail'],
  ['RENDER_FAILED', 'dead', 'message could not be made: stored detail'],
  ['DESTINATION_REMOVED', 'dead', 'destination removed: stored detail'],
  ['CANCELLED', 'dead', 'cancelled: stored detail'],
]

interface Listed {
  readonly id: string
  readonly state: string
  readonly reason: string | null
}

describe('deliveries in the console', () => {
  let site: TestSite
  let sink: HttpSink
  let product: Footman
  let browser: Browser
  let base = ''
  let isRefusing = true

  const get = async <T>(path: string) => (await (await product.call('GET', path)).json()) as T
  const deliveries = async (query: string) =>
    (await get<{ deliveries: readonly Listed[] }>(`/v4/deliveries?limit=200&${query}`)).deliveries
  const fire = async (to: string): Promise<string> => {
    const answer = await product.call('POST', '/v4/events/fire', { to: [to] })
    return ((await answer.json()) as { deliveries: { id: string }[] }).deliveries[0]!.id
  }

  beforeAll(async () => {
    ;[site, sink, browser] = await Promise.all([startSite(), startHttpSink(), startBrowser()])
    sink.answer(({ url }) => {
      if (url === '/down') return { status: 503 }
      return { status: url === '/refuses' && isRefusing ? 400 : 200 }
    })
    product = await footman({
      simulator: site.simulator,
      config: {
        emailNotification: { enable: false },
        footman: {
          destinations: {
            refuses: { type: 'webhook', url: `${sink.url}/refuses` },
            down: { type: 'webhook', url: `${sink.url}/down` },
            good: { type: 'webhook', url: `${sink.url}/good` },
          },
          alertRoutes: [{ name: 'all', match: { outcome: 'failed' }, to: ['good'], limit: 'none' }],
          api: { rateLimitPerMinute: 0 },
        },
      },
    })
    await product.start()
    base = `http://127.0.0.1:${product.restPort}/console`
    for (let n = 0; n < DEAD; n += 1) await fire('refuses')
    await fire('down')
    await until(async () => (await deliveries('state=dead')).length === DEAD)
    site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 100 })
    site.simulator.runTask(TASK)
    await until(async () => (await deliveries('destination=good&state=delivered')).length === 1)
  }, TIMEOUT)

  afterAll(async () => {
    await browser?.close()
    await product?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), sink?.stop()])
  })

  test(
    '40 failed deliveries of a destination are sent again by one action, after the number is typed',
    async () => {
      const sent = () => sink.requests.filter(({ url }) => url === '/refuses').length
      const before = sent()
      // Without JavaScript, too, nothing is sent before the right number is typed.
      const who = visitorOf(product)
      const fields = { csrf: await who.csrf('/console/deliveries'), destination: 'refuses', confirmed: '1' }
      for (const typed of ['', '39']) {
        const asked = await who.post('/console/form/deadletters.resend', { ...fields, typed })
        expect([asked.status, await asked.text()]).toEqual([200, expect.stringContaining('Type <b>40</b> to go on')])
      }
      isRefusing = false
      await using opened = await openConsole(browser, `${base}/deliveries?destination=refuses`)
      const { page, faults } = opened
      await page.locator('[data-status=live]').waitFor()
      await page.getByRole('link', { name: 'Send all failed of this filter again…' }).click()
      const dialog = page.locator('dialog')
      await dialog.waitFor()
      expect(await seen(page, 'dialog')).toMatch(/40 failed deliveries are sent again[\s\S]*refuses\s+40/)
      const button = dialog.getByRole('button', { name: 'Send failed deliveries again' })
      await button.click()
      expect(sent()).toBe(before)
      await dialog.locator('input[name=typed]').fill('40')
      await button.dblclick()
      await page.locator('.flash').waitFor()
      expect(await seen(page, '.flash')).toContain('40 deliveries are under way again')
      await until(async () => (await deliveries('destination=refuses&state=delivered')).length === DEAD)
      expect(sent()).toBe(before + DEAD)
      await until(async () => (await page.locator('[data-rows] td:has-text("Delivered")').count()) >= DEAD)
      expect(faults).toEqual([])
      // All of them were sent again: the same form finds nothing more.
      const again = await who.post('/console/form/deadletters.resend', { ...fields, typed: '40' })
      expect([again.status, sent()]).toEqual([303, before + DEAD])
      // Without JavaScript, too.
      isRefusing = true
      for (let n = 0; n < MORE; n += 1) await fire('refuses')
      await until(async () => (await deliveries('destination=refuses&state=dead')).length === MORE)
      isRefusing = false
      const refused = sent()
      const simple = reader(who)
      await simple.open('/console/deliveries?destination=refuses')
      await simple.follow('Send all failed of this filter again…')
      simple.fill('typed', String(MORE))
      await simple.press('Send failed deliveries again')
      expect(simple.text('.flash')).toContain(`${MORE} deliveries are under way again`)
      await until(async () => (await deliveries('destination=refuses&state=delivered')).length === DEAD + MORE)
      expect(sent()).toBe(refused + MORE)
    },
    TIMEOUT,
  )

  test(
    'one is sent again and one is cancelled, from the page',
    async () => {
      const page = reader(visitorOf(product))
      const pending = await fire('down')
      // While an attempt is under way, a delivery cannot be cancelled.
      await until(async () => {
        const { state, attempts } = await get<{ state: string; attempts: readonly unknown[] }>(
          `/v4/deliveries/${pending}`,
        )
        return state === 'pending' && attempts.length > 0
      })
      await page.open(`/console/deliveries/${pending}`)
      await page.follow('Cancel')
      await page.press('Cancel the delivery')
      expect(page.text('.flash')).toContain('The delivery is cancelled.')
      expect(page.text('.kv')).toContain('cancelled: ')
      expect((await deliveries(`id=${pending}`))[0]?.reason).toBe('CANCELLED')
      const { audit } = await get<{ audit: { action: string }[] }>(`/v4/audit?target=${pending}`)
      expect(audit.map(({ action }) => action)).toEqual(['delivery.cancel'])
      // A failed one goes at once, a delivered one asks first.
      await page.press('Send again')
      expect(page.text('.flash')).toContain('Sent again to down')
      const [good] = await deliveries('destination=good&state=delivered')
      const count = sink.requests.filter(({ url }) => url === '/good').length
      await page.open(`/console/deliveries/${good?.id}`)
      await page.follow('Send again')
      await page.press('Send again', 'main')
      expect(page.text('.flash')).toContain('Sent again to good')
      await until(() => sink.requests.filter(({ url }) => url === '/good').length === count + 1)
    },
    TIMEOUT,
  )

  test(
    'a destination is tested: the message is shown first, then sent and followed to its end',
    async () => {
      const good = () => sink.requests.filter(({ url }) => url === '/good').length
      const before = good()
      await using opened = await openConsole(browser, `${base}/destinations/good`)
      const { page } = opened
      await page.getByRole('link', { name: 'Test…' }).click()
      await page.locator('select[name=outcome]').selectOption('success')
      await page.getByRole('button', { name: 'Show the message' }).click()
      await page.waitForURL(/form\/destination\.test/)
      expect(await seen(page, '[data-preview]')).toMatch(/1 message would be sent[\s\S]*\[TEST\] Reload succeeded/)
      expect(good()).toBe(before)
      await page.getByRole('button', { name: 'Send test' }).click()
      await page.waitForURL(/\/events\//)
      await until(async () => (await seen(page, '.deliveries')).includes('Delivered'))
      expect(good()).toBe(before + 1)

      const simple = reader(visitorOf(product))
      await simple.open('/console/destinations/good')
      await simple.follow('Test…')
      simple.fill('outcome', 'success')
      await simple.press('Show the message')
      expect(simple.url.pathname).toEndWith('/form/destination.test')
      expect(simple.text('[data-preview]')).toMatch(/1 message would be sent.*\[TEST\] Reload succeeded/)
      expect(good()).toBe(before + 1)
      await simple.press('Send test')
      const event = simple.url.pathname
      expect(event).toContain('/events/')
      await until(async () => {
        await simple.open(event)
        return simple.text('.deliveries').includes('Delivered')
      })
      expect(good()).toBe(before + 2)
    },
    TIMEOUT,
  )

  test(
    'a snooze shows what it would hold back, holds back, is lifted, and the lifting is undone',
    async () => {
      await using opened = await openConsole(browser, `${base}/snoozes`)
      const { page } = opened
      await page.getByRole('link', { name: 'New…' }).click()
      await page.locator('input[name=task]').fill('Financial*')
      await page.locator('input[name=reason]').fill('database is moved')
      await page.getByRole('button', { name: 'What would it hold back?' }).click()
      await page.waitForURL(/form\/snooze\.set/)
      expect(await seen(page, '[data-preview]')).toMatch(HELD_BACK)
      expect(await get('/v4/snoozes')).toMatchObject({ snoozes: [] })
      await page.getByRole('button', { name: 'Snooze', exact: true }).click()
      expect(await seen(page, '[data-rows]')).toMatch(/task Financial\*[\s\S]*database is moved/)
      await page.getByRole('button', { name: 'Lift' }).click()
      await page.waitForURL(/lifted=/)
      expect(await get('/v4/snoozes')).toMatchObject({ snoozes: [] })
      await page.getByRole('button', { name: 'Undo' }).click()
      await page.waitForURL((url) => url.search === '')
      expect(await seen(page, '[data-rows]')).toMatch(/task Financial\*[\s\S]*database is moved/)
      await page.getByRole('button', { name: 'Lift' }).click()
      await page.waitForURL(/lifted=/)

      const simple = reader(visitorOf(product))
      await simple.open('/console/snoozes')
      await simple.follow('New…')
      simple.fill('task', 'Financial*')
      simple.fill('reason', 'database is moved')
      await simple.press('What would it hold back?')
      expect(simple.text('[data-preview]')).toMatch(HELD_BACK)
      expect(await get('/v4/snoozes')).toMatchObject({ snoozes: [] })
      await simple.press('Snooze', 'main')
      expect(simple.text('[data-rows]')).toMatch(/task Financial\*.*database is moved/)
      await simple.press(/^Lift/)
      expect(simple.url.search).toContain('lifted=')
      expect(await get('/v4/snoozes')).toMatchObject({ snoozes: [] })
      await simple.press('Undo')
      expect(simple.url.search).toBe('')
      expect(simple.text('[data-rows]')).toMatch(/task Financial\*.*database is moved/)
      await simple.press(/^Lift/)
      expect(simple.url.search).toContain('lifted=')
      const lifted = async () => (await product.call('GET', '/v4/audit?action=snooze.lift')).text()
      await until(async () => (await lifted()).match(/"via":"console"/g)?.length === 4)
    },
    TIMEOUT,
  )

  test(
    'the tester of the routes explains an invented event by its address',
    async () => {
      const page = reader(visitorOf(product))
      await page.open('/console/system/routes?type=reload&outcome=failed')
      expect(page.text('.answer')).toMatch(/1 of \d+ rules? fires?.*all to good Would be sent/)
      expect(page.text('[aria-labelledby=routes]')).toMatch(/all When a task fails good on/)
    },
    TIMEOUT,
  )

  test(
    'a draft of routes is compared with the configured ones, and its errors stand at their lines',
    async () => {
      const [event] = (await get<{ events: { id: string }[] }>('/v4/events?outcome=failed&source=udp')).events
      const raw = ['/scheduler-reload-failed/', 'win1', 'Nightly', 'Sales', 'LAB\\goran', TASK, TASK].join(';')
      const datagram = `${raw};2026-10-10 15:35:25,117;INFO;${TASK};Max retries reached`
      const draft = '- name: all\n  match: { outcome: success }\n  to: [good]\n- name: other\n  to: [good]'
      const wrong = draft.replace('to: [good]\n', 'to: [nowhere]\n')
      const changes = 'The draft changes 2 rules for this event. 1 of the configured rules fire; 1 with the draft.'
      const ofAll =
        /all\s+different[\s\S]*Would be sent to good[\s\S]*Does not match[\s\S]*outcome success\s*: found failed/
      const ofOther = /other\s+new\s+different[\s\S]*is not there[\s\S]*Would be sent to good/
      const mistakes = [
        expect.stringContaining('to: [nowhere]'),
        expect.stringContaining('no destination is called "nowhere"'),
      ]
      await using opened = await openConsole(browser, `${base}/system/routes`, { width: 360 })
      const { page } = opened
      const looksWell = async () => expect([await violations(page), await tooWide(page)]).toEqual([[], 0])
      await page.locator('[name=event]').fill(event!.id)
      await page.locator('[name=draft]').fill(draft)
      await page.getByRole('button', { name: 'Which rules fire?' }).click()
      await page.waitForURL(/form\/routes\.explain/)
      expect(await seen(page, '.answer > p')).toBe(changes)
      expect(await seen(page, '.answer [data-key=all]')).toMatch(ofAll)
      expect(await seen(page, '.answer [data-key=other]')).toMatch(ofOther)
      await looksWell()
      await page.locator('[name=draft]').fill(wrong)
      await page.getByRole('button', { name: 'Which rules fire?' }).click()
      await page.locator('.log.draft').waitFor()
      expect(await page.locator('.log.draft li.e').allInnerTexts()).toEqual(mistakes)
      expect(await seen(page, '.answer')).toMatch(/1 of \d+ rules fires/)
      await looksWell()
      expect(opened.faults).toEqual([])

      const simple = reader(visitorOf(product))
      await simple.open('/console/system/routes')
      simple.fill('raw', datagram)
      simple.fill('draft', draft)
      await simple.press('Which rules fire?')
      expect(simple.text('.answer p')).toBe(changes)
      expect(simple.text('.answer [data-key=all]')).toMatch(ofAll)
      expect(simple.text('.answer [data-key=other]')).toMatch(ofOther)
      simple.fill('draft', wrong)
      await simple.press('Which rules fire?')
      expect(simple.all('.log.draft li.e').map(read)).toEqual(mistakes)
      expect(simple.text('.answer')).toMatch(/1 of \d+ rules fires/)
      const routes = await get<{ alertRoutes: { name: string }[] }>('/v4/alertroutes')
      expect(routes.alertRoutes.filter(({ name }) => ['all', 'other'].includes(name))).toHaveLength(1)
      expect(product.rows('SELECT * FROM event_decision').length).toBeGreaterThan(0)
      expect(JSON.stringify(product.rows('SELECT * FROM audit'))).not.toContain('nowhere')
    },
    TIMEOUT,
  )

  test(
    'every reason why a message was not sent is in words on the pages of its event and its delivery, with a link to its cause',
    async () => {
      const [like] = await deliveries('destination=good&state=delivered')
      const { event_id: event } = product.rows<{ event_id: string }>(
        `SELECT event_id FROM delivery WHERE id = '${like?.id}'`,
      )[0]!
      await product.process.kill9()
      store(event, like!.id)
      await product.start()
      const who = visitorOf(product)
      const textOf = async (path: string) => {
        const answer = await who.get(path)
        expect([path, answer.status]).toEqual([path, 200])
        return answer.text()
      }
      const ofEvent = await textOf(`/console/events/${event}`)
      const links = new Set<string>()
      for (const [reason, , words] of REASONS) {
        for (const html of [ofEvent, await textOf(`/console/deliveries/${idOf(reason)}`)]) {
          const [, shown = ''] = new RegExp(`<span data-reason="${reason}">([\\s\\S]*?)</a>`).exec(html) ?? []
          expect(shown.replaceAll(/<[^>]*>/g, '')).toContain(words)
          const [, href = ''] = /<a href="([^"#]*)[^"]*">[^<]+$/.exec(shown) ?? []
          links.add(href.replaceAll('&amp;', '&'))
        }
      }
      expect(links.size).toBeGreaterThan(5)
      for (const link of links) await textOf(link)
    },
    TIMEOUT,
  )

  /** Copies a delivery of an event with each reason, in the database of the stopped product. */
  function store(event: string, like: string): void {
    const db = new DatabaseSync(product.directory.join('data', 'footman.db'))
    try {
      for (const [reason, state, , by] of REASONS) {
        db.exec('CREATE TEMP TABLE copied AS SELECT * FROM delivery WHERE false')
        db.prepare('INSERT INTO copied SELECT * FROM delivery WHERE id = ?').run(like)
        const suppressedBy = by === undefined ? null : JSON.stringify(by).replace('EVENT', event)
        db.prepare(
          `UPDATE copied SET seq = (SELECT max(seq) + 1 FROM delivery), id = ?, target = ?, state = ?, reason = ?,
            detail = 'stored detail', suppressed_by = ?`,
        ).run(idOf(reason), reason, state, reason, suppressedBy)
        db.exec('INSERT INTO delivery SELECT * FROM copied; DROP TABLE copied')
      }
    } finally {
      db.close()
    }
  }
})

/** The id of the stored delivery with a reason. */
const idOf = (reason: string): string =>
  `019cad24-c0ec-7b7c-b06b-${String(REASONS.findIndex(([one]) => one === reason)).padStart(12, '0')}`
