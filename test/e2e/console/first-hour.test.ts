/** The first hour after the installation: a site that has nothing but Qlik Sense in its file is set up in the console alone. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { newKey, visitorOf } from '../../support/console.ts'
import { openConsole } from '../../support/console-browser.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { needs } from '../../support/servers.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../../support/smtp-sink.ts'
import { until } from '../../support/wait.ts'

needs('chromium')

const ADMIN = newKey('admin', 'admin')
const bearer = { authorization: `Bearer ${ADMIN.key}` }
const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const TIMEOUT = 120_000

let site: TestSite
let chat: HttpSink
let mail: SmtpSink
let product: Footman
let browser: Browser

beforeAll(async () => {
  ;[site, chat, mail, browser] = await Promise.all([startSite(), startHttpSink(), startSmtpSink(), startBrowser()])
  product = await footman({
    simulator: site.simulator,
    config: {
      emailNotification: null,
      footman: {
        watchConfig: false,
        settings: { allowHosts: ['127.0.0.1', 'localhost'] },
        access: { enable: true, keys: [ADMIN.entry] },
        api: { rateLimitPerMinute: 0 },
      },
    },
  })
  await product.start()
}, TIMEOUT)
afterAll(async () => {
  await browser?.close()
  await product?.[Symbol.asyncDispose]()
  await Promise.all([site?.[Symbol.asyncDispose](), chat?.stop(), mail?.[Symbol.asyncDispose]()])
})

test(
  'mail and chat, a rule at night, office hours, holidays, a schedule, retries, a colleague, reports',
  async () => {
    const before = readFileSync(product.configFile, 'utf8')
    const who = visitorOf(product)
    await who.signIn(ADMIN.key)
    await using opened = await openConsole(browser, `http://127.0.0.1:${product.restPort}/console/`, { as: who })
    const { page, faults } = opened

    await mailServer(page)
    await addDestination(page, 'Slack', 'on call', { 'f:webhookURL': `${chat.url}/on-call` }, 'delivered')
    expect(chat.requests.map(({ url }) => url)).toEqual(['/on-call'])
    await addDestination(page, 'E-mail', 'bi team', { 'f:recipients': 'bi@acme.example' }, 'delivered')
    await mail.received(1)

    await page.getByRole('link', { name: 'Schedules' }).first().click()
    await page.getByRole('link', { name: 'Calendars and windows' }).click()
    await page.getByRole('link', { name: 'New calendar' }).click()
    await fill(page, { wanted: 'holidays', 'f:dates': '2030-12-25\n2030-12-26' })
    await save(page)
    await page.getByRole('link', { name: 'New window' }).click()
    await fill(page, {
      wanted: 'office',
      'f:from': '08:00',
      'f:to': '17:00',
      'f:notOn': 'holidays',
    })
    for (const day of ['Mon', 'Tue', 'Wed', 'Thu', 'Fri']) await page.getByLabel(day, { exact: true }).check()
    await page.getByRole('button', { name: 'Show its next times' }).click()
    await page.locator('[data-part="tested"]').waitFor()
    await save(page)
    await page.getByRole('link', { name: 'New window' }).click()
    await fill(page, { wanted: 'always', 'f:from': '00:00' })
    await save(page)

    await page.getByRole('link', { name: 'Delivery' }).first().click()
    await page.getByRole('link', { name: 'Rules', exact: true }).click()
    await page.getByRole('link', { name: 'New rule' }).click()
    await page.locator('[name="f:match.0.outcome"][value="failed"]').check()
    await fill(page, { wanted: 'Finance at night', 'f:match.0.during': 'always', 'f:to': 'on-call' })
    await page.getByRole('button', { name: 'Which events would it have matched?' }).click()
    await page.locator('[data-part="tested"]').waitFor()
    await save(page)
    await page.getByText('When a task fails, during always').waitFor()

    await page.getByRole('link', { name: 'Tasks' }).first().click()
    await page.getByRole('link', { name: 'Policies' }).click()
    await page.getByRole('link', { name: 'New policy' }).click()
    await fill(page, { wanted: 'retries', 'f:match.0.stream': 'HR', 'f:retry': '3x/5m' })
    await page.getByRole('button', { name: 'Which tasks does it cover?' }).click()
    await page.locator('[data-part="tested"]').waitFor()
    await save(page)

    await page.goto(`http://127.0.0.1:${product.restPort}/console/system/features`)
    for (const feature of ['footman.reportTask.enable', 'scheduler.enable']) {
      await page.locator(`tr[data-key="${feature}"]`).getByRole('button', { name: 'Switch on' }).click()
      await page.locator(`tr[data-key="${feature}"]`).getByRole('button', { name: 'Switch off' }).waitFor()
    }
    await page.getByRole('link', { name: 'Schedules' }).first().click()
    await page.getByRole('link', { name: 'New', exact: true }).click()
    await fill(page, { name: 'Working days', task: TASK, notOn: 'holidays' })
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('heading', { name: 'Working days' }).waitFor()

    await page.goto(`http://127.0.0.1:${product.restPort}/console/system/keys`)
    await page.getByRole('link', { name: 'New key…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.locator('[name="id"]').fill('anna')
    await dialog.locator('[name="scopes"]').fill('event:*')
    await dialog.getByRole('button', { name: 'Make the key' }).click()
    const key = (await page.locator('[data-copy^="fm_"]').getAttribute('data-copy')) ?? ''
    const colleague = await product.call('GET', '/v4/events', undefined, { authorization: `Bearer ${key}` })
    expect(colleague.status).toBe(200)

    site.simulator.setTask(TASK, { outcome: 'fail', durationMs: 100 })
    site.simulator.runTask(TASK)
    await until(() => chat.requests.length === 2)
    expect((await product.call('GET', '/v4/reporttask', undefined, bearer)).status).toBe(200)
    expect(readFileSync(product.configFile, 'utf8')).toBe(before)
    expect(faults).toEqual([])
  },
  TIMEOUT,
)

async function fill(page: Page, fields: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(fields)) {
    const field = page.locator(`[name="${name}"]`).first()
    if ((await field.evaluate(({ tagName }) => tagName)) === 'SELECT') await field.selectOption(text)
    else await field.fill(text)
  }
}

const save = async (page: Page): Promise<void> => {
  await page.locator('button[name="do"][value="save"]').click()
  await page.getByText('is saved and in use').waitFor()
}

async function mailServer(page: Page): Promise<void> {
  await page.goto(`http://127.0.0.1:${product.restPort}/console/system/features`)
  await page.locator('tr[data-key="emailNotification.smtp"]').getByRole('link', { name: 'Edit' }).click()
  await fill(page, { 'f:value.host': '127.0.0.1', 'f:value.port': String(mail.port) })
  for (const more of await page.getByText('More', { exact: true }).all()) await more.click()
  await page.locator('[name="f:value.tls.requireTLS"]').uncheck()
  await save(page)
}

async function addDestination(
  page: Page,
  type: string,
  name: string,
  fields: Readonly<Record<string, string>>,
  result: string,
): Promise<void> {
  await page.getByRole('link', { name: 'Delivery' }).first().click()
  await page.getByRole('link', { name: 'Destinations', exact: true }).click()
  await page.getByRole('link', { name: 'Add destination' }).click()
  await page.locator('a.tile', { hasText: type }).first().click()
  await fill(page, { wanted: name, ...fields })
  await page.getByRole('button', { name: 'Send a test message' }).click()
  await page.locator('[data-part="tested"]').getByText(result).waitFor()
  await save(page)
}
