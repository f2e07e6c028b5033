/** The form of a snooze and fields with suggestions, as HTML without JavaScript and in Chromium. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { visitorOf } from '../../support/console.ts'
import { openConsole } from '../../support/console-browser.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { reader } from '../../support/reader.ts'
import { needs } from '../../support/servers.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

needs('chromium')

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const ZONE = 'Pacific/Kiritimati'
const TIMEOUT = 60_000

interface Snooze {
  readonly match: Readonly<Record<string, unknown>>
  readonly from: string
  readonly until: string
  readonly untilSuccess: boolean
}

describe('snoozes by chips', () => {
  let site: TestSite
  let product: Footman
  let browser: Browser

  beforeAll(async () => {
    ;[site, browser] = await Promise.all([startSite(), startBrowser()])
    product = await footman({
      simulator: site.simulator,
      config: {
        footman: {
          timezone: ZONE,
          api: { rateLimitPerMinute: 0 },
          destinations: {
            'on-call': { type: 'webhook', url: 'http://127.0.0.1:9/' },
            office: { type: 'webhook', url: 'http://127.0.0.1:9/' },
          },
        },
      },
    })
    await product.start()
    // The site is read when it is asked for.
    await until(async () => (await product.call('GET', `/v4/tasks/${TASK}`)).status === 200)
  }, TIMEOUT)
  afterAll(async () => {
    await browser?.close()
    await product?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  /** The only snooze, which is lifted. */
  async function taken(): Promise<Snooze> {
    const answer = await product.call('GET', '/v4/snoozes')
    const { snoozes } = (await answer.json()) as { snoozes: (Snooze & { id: string })[] }
    expect(snoozes.length).toBe(1)
    await product.call('DELETE', `/v4/snoozes/${snoozes[0]!.id}`)
    return snoozes[0]!
  }
  const clockOf = (at: string) =>
    new Date(at).toLocaleTimeString('en-GB', { timeZone: ZONE, hour: '2-digit', minute: '2-digit' })

  async function dialog(query = `taskId=${TASK}`) {
    const page = reader(visitorOf(product))
    await page.open(`/console/form/snooze.set?${query}`)
    return page
  }
  /** The value of a radio button by a part of the text of its chip. */
  const chip = (page: Awaited<ReturnType<typeof dialog>>, text: string) => {
    const found = page.all('.chip').find((one) => JSON.stringify(textOf(one)).includes(text))
    return String(inputOf(found!).attributes.get('value'))
  }
  type Element = ReturnType<Awaited<ReturnType<typeof dialog>>['one']>
  const textOf = (node: Element | string): string =>
    typeof node === 'string' ? node : node.children.map(textOf).join('')
  const inputOf = (label: Element) =>
    label.children.find((one) => typeof one !== 'string' && one.tag === 'input') as Element

  test('a task, its app or its stream', async () => {
    const page = await dialog()
    expect(page.text('fieldset')).toMatch(/this task: .*this app: .*this stream: /)
    expect(JSON.parse(chip(page, 'this task'))).toEqual({ taskId: [TASK] })
    await page.press('Snooze', 'main')
    expect((await taken()).match).toEqual({ taskId: [TASK] })
    const other = await dialog()
    const app = chip(other, 'this app')
    const visitor = visitorOf(product)
    await visitor.act('snooze.set', { confirmed: '1', scope: app, when: '1h', message: 'Error*' })
    expect((await taken()).match).toEqual({ ...JSON.parse(app), message: 'Error*' })
    await visitor.act('snooze.set', { confirmed: '1', scope: chip(other, 'this stream'), when: '1h' })
    expect(Object.keys((await taken()).match)).toEqual(['stream'])
  })

  test('its end: an hour, a time of the zone of the site, a date, or its success', async () => {
    const page = await dialog()
    const visitor = visitorOf(product)
    const set = async (fields: Record<string, string>) => {
      expect((await visitor.act('snooze.set', { confirmed: '1', taskId: TASK, ...fields })).status).toBe(303)
      return await taken()
    }
    const hour = await set({ when: chip(page, '1 h') })
    expect(Date.parse(hour.until) - Date.parse(hour.from)).toBe(3_600_000)
    expect(clockOf((await set({ when: chip(page, 'tomorrow 07:00') })).until)).toBe('07:00')
    expect((await set({ when: chip(page, 'until it succeeds') })).untilSuccess).toBe(true)
    const day = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10)
    expect(clockOf((await set({ when: 'date', until: `${day}T16:45` })).until)).toBe('16:45')
  })

  test('what was chosen stays when the form is shown again, and a wrong date stands at the chips', async () => {
    const page = await dialog()
    const visitor = visitorOf(product)
    const fields = { about: TASK, scope: chip(page, 'this stream'), when: chip(page, 'tomorrow'), message: 'Error*' }
    const again = await visitor.act('snooze.set', { ...fields, preview: '1' })
    for (const name of ['stream', 'tomorrow'])
      expect(again.html).toMatch(new RegExp(`value="[^"]*${name}[^"]*" checked`))
    expect(again.html).toMatch(/name="message"[^>]*value="Error\*"|value="Error\*"[^>]*name="message"/)
    const wrong = await visitor.act('snooze.set', { confirmed: '1', taskId: TASK, when: 'date', until: '' })
    expect(wrong.status).toBe(400)
    expect(wrong.html).toContain('data-wrong="when"')
    const several = await visitor.act('snooze.set', { confirmed: '1', task: 'Sales*', when: 'success' })
    expect(several.html).toContain('data-wrong="when"')
  })

  test('a form without a subject has its conditions open, and no chip for a success', async () => {
    const page = await dialog('')
    expect(page.all('details[open] [name="task"]').length).toBe(1)
    expect(page.all('[value="success"]').length).toBe(0)
  })

  test('without JavaScript a list has an empty row more each time that its form is shown', async () => {
    const page = reader(visitorOf(product))
    await page.open('/console/form/maintenance.create')
    expect(page.all('[name="summaryTo"]').length).toBe(1)
    page.fill('name', 'Moving')
    page.fill('summaryTo', 'office')
    await page.press('Add a row to Destinations of the summary at the end')
    expect(page.all('[name="summaryTo"]').map(({ attributes }) => attributes.get('value'))).toEqual(['office', ''])
    expect(page.value('name')).toBe('Moving')
  })

  test(
    'with JavaScript suggestions come while a text is typed, and rows in place',
    async () => {
      await using opened = await openConsole(browser, `http://127.0.0.1:${product.restPort}/console/system/maintenance`)
      const { page, faults } = opened
      await page.getByRole('link', { name: 'New', exact: true }).click()
      const task = page.locator('dialog [name=task]')
      await task.pressSequentially('financial')
      const best = 'dialog datalist option:first-child[value="Financial Dashboard Reload"]'
      await page.locator(best).waitFor({ state: 'attached' })
      expect(await task.getAttribute('list')).toBe(await page.locator('dialog datalist').first().getAttribute('id'))
      const rows = page.locator('dialog [name=summaryTo]')
      const add = page.getByRole('button', { name: 'Add a row to Destinations of the summary at the end' })
      await add.click()
      // The last row is still empty.
      expect(await rows.count()).toBe(1)
      await rows.first().fill('office')
      await add.click()
      await rows.nth(1).waitFor()
      await page.keyboard.type('on-call')
      expect(await rows.evaluateAll((all) => all.map((one) => (one as HTMLInputElement).value))).toEqual([
        'office',
        'on-call',
      ])
      expect(await rows.evaluateAll((all) => all.map((one) => one.ariaLabel?.at(-1)))).toEqual(['1', '2'])
      expect(await rows.evaluateAll((all) => new Set(all.map((one) => one.getAttribute('list'))).size)).toBe(2)
      expect(faults).toEqual([])
    },
    TIMEOUT,
  )

  test(
    'with JavaScript a date shows its field',
    async () => {
      const address = `http://127.0.0.1:${product.restPort}/console/form/snooze.set?taskId=${TASK}`
      await using opened = await openConsole(browser, address)
      const { page, faults } = opened
      const date = page.getByLabel(`Date and time (${ZONE})`)
      expect(await date.isVisible()).toBe(false)
      await page.getByLabel('a date').check()
      expect(await date.isVisible()).toBe(true)
      expect(faults).toEqual([])
    },
    TIMEOUT,
  )
})
