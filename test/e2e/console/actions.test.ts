/**
 * Every kind of action in three ways: in a browser, by a visitor without JavaScript, and by the command line that the page shows
 * for it. Each way has its effect and is in the audit.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { newKey, type Visitor, visitorOf } from '../../support/console.ts'
import { type ConsolePage, openConsole } from '../../support/console-browser.ts'
import { ALL_ENDPOINTS } from '../../support/everything.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { needs } from '../../support/servers.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

needs('mosquitto', 'chromium', 'curl')

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const ITEM = `taskFailed:${TASK}`
const OPS = newKey('ops', 'admin')
const TIMEOUT = 60_000
const SCHEDULE = {
  id: 'daily',
  name: 'Daily',
  cronSchedule: '0 12 * * *',
  timezone: 'Europe/Stockholm',
  qlikSenseTaskId: TASK,
  startupState: 'started',
}

interface Action {
  /** In the audit. */
  readonly audit: string
  readonly page: () => string
  /** Name of the operation of the forms. */
  readonly operation: string
  /** Text of the link that opens the dialog; absent = the button of the page takes the action at once. */
  readonly opens?: string
  /** Text of the button that takes it. */
  readonly button: string
  /** Its name among the calls of the page; absent = the same. */
  readonly verb?: string
  /** Grows, or is true, when it was taken. */
  readonly effect: () => number | Promise<number>
  /** So that it can be taken again. */
  readonly undo?: readonly [method: string, path: string]
  /** It can be taken; absent = at any time. */
  readonly isReady?: () => boolean
}

describe('actions', () => {
  let site: TestSite
  let sink: HttpSink
  let product: Footman
  let browser: Browser
  let opened: ConsolePage
  let who: Visitor
  let eventId = ''
  let deliveryId = ''
  let deadId = ''

  const bearer = { authorization: `Bearer ${OPS.key}` }
  const get = async <T>(path: string) => (await (await product.call('GET', path, undefined, bearer)).json()) as T
  const count = (of: string) => product.rows<{ n: number }>(`SELECT count(*) AS n FROM ${of}`)[0]?.n ?? 0
  const deliveries = async (query: string) =>
    (await get<{ deliveries: { id: string; eventId: string }[] }>(`/v4/deliveries?${query}`)).deliveries

  beforeAll(async () => {
    ;[site, sink, browser] = await Promise.all([startSite(), startHttpSink(), startBrowser()])
    sink.answer(({ url }) => ({ status: url === '/refuses' ? 400 : 200 }))
    product = await footman({
      simulator: site.simulator,
      config: {
        emailNotification: { enable: false },
        scheduler: { enable: true, configfile: 'schedule.yaml' },
        restServerEndpointsEnable: ALL_ENDPOINTS,
        footman: {
          destinations: {
            good: { type: 'webhook', url: `${sink.url}/good` },
            refuses: { type: 'webhook', url: `${sink.url}/refuses` },
          },
          alertRoutes: [{ name: 'all', match: { outcome: 'failed' }, to: ['good', 'refuses'], limit: 'none' }],
          access: { enable: true, keys: [OPS.entry] },
          api: { rateLimitPerMinute: 0 },
        },
      },
    })
    writeFileSync(product.directory.join('schedule.yaml'), `butlerSchedule:\n  - ${JSON.stringify(SCHEDULE)}\n`)
    await product.start()
    site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 100 })
    site.simulator.runTask(TASK)
    const [delivered] = await until(async () => {
      const found = await deliveries('destination=good&state=delivered')
      return found.length > 0 && found
    })
    const [dead] = await until(async () => {
      const found = await deliveries('destination=refuses&state=dead')
      return found.length > 0 && found
    })
    ;[eventId, deliveryId, deadId] = [delivered!.eventId, delivered!.id, dead!.id]
    who = visitorOf(product)
    await who.signIn(OPS.key)
    opened = await openConsole(browser, `http://127.0.0.1:${product.restPort}/console/`, { as: who })
  }, TIMEOUT)

  afterAll(async () => {
    await browser?.close()
    await product?.[Symbol.asyncDispose]()
    await Promise.all([site?.[Symbol.asyncDispose](), sink?.stop()])
  })

  const event = () => `/events/${eventId}`
  const copies = () => count(`delivery WHERE replay_of <> ''`)
  const ACTIONS: readonly Action[] = [
    {
      audit: 'delivery.resend',
      operation: 'delivery.resend',
      page: () => `/deliveries/${deliveryId}`,
      opens: 'Send again',
      button: 'Send again',
      effect: copies,
    },
    {
      audit: 'delivery.resend',
      operation: 'delivery.resend',
      page: () => `/deliveries/${deadId}`,
      button: 'Send again',
      effect: () => count(`delivery_attempt WHERE delivery_id = '${deadId}'`),
    },
    {
      audit: 'event.replay',
      operation: 'event.replay',
      page: event,
      opens: 'Send again…',
      button: 'Send the messages again',
      effect: copies,
    },
    {
      audit: 'event.fire',
      operation: 'event.fire',
      page: event,
      opens: 'Test…',
      button: 'Send as a test',
      effect: () => count(`event WHERE source = 'test'`),
    },
    {
      audit: 'destination.test',
      operation: 'destination.test',
      page: () => '/destinations/good',
      opens: 'Test…',
      button: 'Send test',
      effect: () => count(`event WHERE source = 'test'`),
    },
    {
      audit: 'task.start',
      operation: 'task.start',
      page: event,
      opens: 'Start again…',
      button: 'Start',
      effect: () => count('task_start'),
      // Qlik Sense starts no task that runs.
      isReady: () => [...site.simulator.site.sessions.values()].every(({ task }) => task.id !== TASK),
    },
    {
      audit: 'schedule.run',
      operation: 'schedule.run',
      page: () => '/schedules/daily',
      opens: 'Run now…',
      button: 'Run now',
      effect: () => count('schedule_run'),
    },
    {
      audit: 'schedule.stop',
      operation: 'schedule.stop',
      page: () => '/schedules/daily',
      button: 'Pause Daily',
      verb: 'Pause',
      undo: ['PUT', '/v4/schedules/daily/start'],
      effect: async () => Number((await get<{ state: string }[]>('/v4/schedules'))[0]?.state === 'stopped'),
    },
    {
      audit: 'attention.take',
      operation: 'attention.take',
      page: () => '/',
      button: 'Take',
      undo: ['DELETE', `/v4/attention/${encodeURIComponent(ITEM)}/taken`],
      effect: () => count('attention_taken'),
    },
    {
      audit: 'snooze.set',
      operation: 'snooze.set',
      page: event,
      opens: 'Snooze…',
      button: 'Snooze',
      effect: () => count('snooze'),
    },
  ]

  test.each(ACTIONS.map((action) => [action.operation, action.opens ? 'asks' : 'at once', action] as const))(
    '%s, %s: from the page, without JavaScript and by curl',
    async (_operation, _way, action) => {
      await reaches(action, 'console', () => inBrowser(action))
      await reaches(action, 'console', () => withoutScript(action))
      await reaches(action, undefined, () => byCurl(action))
    },
    TIMEOUT,
  )

  /** Takes the action; it has its effect once, and an entry in the audit. */
  async function reaches({ audit, effect, undo, isReady }: Action, via: string | undefined, take: () => Promise<void>) {
    if (isReady) await until(isReady)
    const entries = () => count(`audit WHERE action = '${audit}'`)
    const [recorded, before] = [entries(), await effect()]
    await take()
    await until(async () => (await effect()) > before)
    await until(() => entries() > recorded)
    expect(entries()).toBe(recorded + 1)
    const { audit: all } = await get<{ audit: Record<string, unknown>[] }>(
      `/v4/audit?action=${encodeURIComponent(audit)}&limit=1`,
    )
    expect(all[0]).toMatchObject({ actor: 'key:ops', outcome: 'ok' })
    expect(all[0]?.via).toBe(via)
    if (!undo) return
    const undone = await product.call(undo[0], undo[1], undefined, bearer)
    expect(undone.ok).toBe(true)
  }

  async function inBrowser({ page: path, opens, button }: Action): Promise<void> {
    const { page, faults } = opened
    await page.goto(`http://127.0.0.1:${product.restPort}/console${path()}`)
    if (opens) await page.getByRole('link', { name: opens, exact: true }).first().click()
    const scope = opens ? page.locator('dialog') : page.locator('main')
    await scope.getByRole('button', { name: button, exact: true }).first().click()
    await page.locator('.flash').waitFor()
    expect(faults).toEqual([])
  }

  async function withoutScript({ page, operation, opens }: Action): Promise<void> {
    const html = await pageOf(opens ? addressOf(await pageOf(page()), operation) : page())
    const answer = await who.post(`/console/form/${operation}`, fieldsOf(html, operation))
    expect([answer.status, answer.status === 303 ? '' : await answer.text()]).toEqual([303, ''])
  }

  async function byCurl({ page, operation, opens, button, verb = button }: Action): Promise<void> {
    const html = await pageOf(opens ? addressOf(await pageOf(page()), operation) : page())
    const shown = opens ? html : html.slice(html.indexOf('<details class="calls">'))
    const before = opens ? '' : `<p>${verb}</p>`
    const [, command = ''] = new RegExp(`${before}[\\s\\S]*?<code>(curl [^<]*)</code>`).exec(shown) ?? []
    expect(command).toContain('$KEY')
    const line = `${decoded(command).replace('$KEY', OPS.key)} -sS --noproxy '*' -o /dev/null -w '%{http_code}'`
    const curl = Bun.spawn(['bash', '-c', line], { stdout: 'pipe' })
    expect(await new Response(curl.stdout).text()).toMatch(/^20\d$/)
  }

  const pageOf = async (path: string): Promise<string> => (await who.get(`/console${path}`)).text()
})

const decoded = (html: string): string =>
  html.replace(/&(#39|quot|lt|gt|amp);/g, (_, name: string) => ENTITIES[name] ?? '')
const ENTITIES: Readonly<Record<string, string>> = { '#39': "'", quot: '"', lt: '<', gt: '>', amp: '&' }

/** Where the link to the dialog leads, below the console. */
function addressOf(html: string, operation: string): string {
  const [, href = ''] = new RegExp(`href="/console(/form/${operation}\\?[^"]*)"`).exec(html) ?? []
  return decoded(href)
}

/** The fields of the first form of an operation, as a browser sends them without a change. */
function fieldsOf(html: string, operation: string): Record<string, string> {
  const [, form = ''] =
    new RegExp(`<form [^>]*action="/console/form/${operation}"[^>]*>([\\s\\S]*?)</form>`).exec(html) ?? []
  const inputs = [...form.matchAll(/<input ([^>]*)>/g)].flatMap(([, attributes = '']) => {
    const value = (name: string) => decoded(new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? '')
    const isSent = !/^(checkbox|radio)$/.test(value('type')) || / checked/.test(attributes)
    return isSent && value('name') !== '' ? [[value('name'), value('value')] as const] : []
  })
  const selects = [...form.matchAll(/<select [^>]*name="([^"]*)"[^>]*>([\s\S]*?)<\/select>/g)].map(
    ([, name = '', options = '']) => {
      const chosen = /<option value="([^"]*)" selected/.exec(options) ?? /<option value="([^"]*)"/.exec(options)
      return [name, decoded(chosen?.[1] ?? '')] as const
    },
  )
  return Object.fromEntries([...inputs, ...selects])
}
