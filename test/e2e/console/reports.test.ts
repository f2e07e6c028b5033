/** The pages of report tasks, in Chromium and without JavaScript, against the compiled executable. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { type Key, newKey, visitorOf } from '../../support/console.ts'
import { looksWell, openConsole } from '../../support/console-browser.ts'
import { zipOf } from '../../support/office.ts'
import { type ReportSite, SALES_APP, startReportSite } from '../../support/report-tasks.ts'
import { needs } from '../../support/servers.ts'
import { paragraph, wordTemplate } from '../../support/templates.ts'
import { until } from '../../support/wait.ts'

needs('chromium')

const GONE = 'gone@acme.example'
const HERE = 'here@acme.example'
/** A well-formed id that no task has. */
const UNKNOWN = '00000000-0000-4000-8000-000000000001'

setDefaultTimeout(60_000)

let reports: ReportSite
let browser: Browser
let reportId: string
let taskId: string
/** A run with a mail that the server refused. */
let failedRun: string

beforeAll(async () => {
  ;[reports, browser] = await Promise.all([startReportSite(), startBrowser()])
  reportId = (await reports.salesReport('Sales overview')).id
  const recipients = [GONE, HERE].map((address) => ({ type: 'address', address }))
  const triggers = [{ type: 'schedule', cron: '0 7 * * 1' }]
  taskId = (await reports.mailTask('Monday mail', reportId, { recipients, triggers })).id
  reports.mailbox.answer({ rcptTo: { [GONE]: 550 } })
  failedRun = (await reports.run(taskId)).id
  reports.mailbox.answer({})
})
afterAll(async () => {
  await browser?.close()
  await reports?.[Symbol.asyncDispose]()
})

/** The person that is the second recipient in the form of a task. */
const PERSON = 'select[name="f:recipients.1.recipientId"]'

const address = (path: string): string => `http://127.0.0.1:${reports.product.restPort}/console${path}`

/** Opens a page of the console; `width` in pixels. */
async function opened(path: string, { width = 1440, script = true } = {}): Promise<Page> {
  const { page, status } = await openConsole(browser, address(path), { width, javaScript: script })
  expect([path, status]).toEqual([path, 200])
  return page
}

const textOf = async (page: Page): Promise<string> => (await page.locator('main').textContent()) ?? ''

test('the list says what each task does and how its last run ended, problems first', async () => {
  await reports.mailTask('A quiet one', reportId, { enabled: false, testMode: { enabled: true, address: HERE } })
  const page = await opened('/reports')
  const rows = await page.locator('tbody tr').allInnerTexts()
  expect(rows[0]).toContain('Monday mail')
  expect(rows[0]).toContain('MAIL_REJECTED')
  expect(rows[0]).toContain('1 sent · 1 failed')
  expect(rows[0]).toContain('Mondays at 07:00')
  const quiet = rows.find((row) => row.includes('A quiet one'))!
  expect(quiet).toContain('never ran')
  expect(quiet).toContain('test mode')

  await page.goto(address('/reports?outcome=warning'))
  expect(await page.locator('tbody tr').count()).toBe(1)
  await page.goto(address('/reports?name=nothing+like+this'))
  expect(await textOf(page)).toContain('Nothing matches')
  await page.close()
})

test('a misspelt filter value shows before saving who gets nothing, and why', async () => {
  const page = await opened('/reports/filters/new', { script: false })
  await page.getByLabel('Name').fill('North misspelt')
  await page.getByLabel('Project').fill('Sales')
  await page.getByRole('button', { name: 'Add Values to Clauses' }).click()
  await page.getByLabel('Field', { exact: true }).fill('Region')
  await page.getByLabel('Values', { exact: true }).fill('Norrdic')
  await page.getByRole('button', { name: 'Save', exact: true }).first().click()
  expect(await textOf(page)).toContain('"North misspelt" is saved, revision 1')
  const filterId = new URL(page.url()).pathname.split('/').at(-1)!
  type Found = { groups: readonly { kind: string; items: readonly { path: string }[] }[] }
  const { groups } = await reports.call<Found>('GET', '/v4/search?q=north+misspelt')
  const inSearch = groups.find(({ kind }) => kind === 'Report filters')?.items.map(({ path }) => path)
  expect(inSearch).toEqual([`/reports/filters/${filterId}`])

  const person = await reports.person('south@acme.example', filterId)
  const task = await reports.mailTask('Plan me', reportId, { recipients: [{ type: 'address', address: HERE }] })
  await page.goto(address(`/reports/tasks/${task.id}/edit`))
  await page.getByRole('button', { name: 'Add Person to Recipients' }).click()
  await page.locator(PERSON).selectOption(person.id)
  await page.getByRole('button', { name: 'Plan', exact: true }).click()

  const plan = page.locator('section', { has: page.locator('#plan') })
  const south = await plan.locator('tr', { hasText: 'south@acme.example' }).textContent()
  expect(south).toContain('nothing: FILTER_VALUE_UNKNOWN')
  expect(south).toContain('Region: Norrdic')
  expect(await plan.getByRole('link', { name: 'filter North misspelt' }).getAttribute('href')).toEndWith(filterId)
  expect(await plan.locator('tr', { hasText: HERE }).textContent()).toContain('Sales overview.csv')
  // Nothing is saved yet, and the form has kept the person.
  expect(await page.locator(PERSON).inputValue()).toBe(person.id)
  const stored = await reports.call<{ recipients: readonly unknown[] }>('GET', `/v4/reporttask/${task.id}`)
  expect(stored.recipients).toHaveLength(1)
  await page.close()
})

test('the week of schedules has report tasks at their times, as long as they usually take', async () => {
  interface Calendar {
    readonly entries: readonly { source: string; name: string; durationMs: number | null; at: string }[]
  }
  const { entries } = await reports.call<Calendar>('GET', '/v4/schedules/calendar')
  const own = entries.filter(({ source, name }) => source === 'report' && name === 'Monday mail')
  expect(own).toHaveLength(1)
  expect(own[0]!.durationMs).toBeGreaterThan(0)
  const clock = new Intl.DateTimeFormat('en-GB', {
    timeZone: 'Europe/Stockholm',
    weekday: 'long',
    timeStyle: undefined,
  })
  expect(clock.format(new Date(own[0]!.at))).toBe('Monday')

  const page = await opened('/schedules/calendar', { script: false })
  await page.getByLabel('The week after').click()
  const mail = page.locator('.week a.report', { hasText: 'Monday mail' })
  expect(await mail.getAttribute('aria-label')).toMatch(/^\d\d:00 Monday mail, report task, usually \d/)
  expect(await mail.getAttribute('href')).toBe(`/console/reports/tasks/${taskId}`)
  expect(await mail.locator('rect').count()).toBe(1)
  await page.close()
})

test('disabling three tasks, one of them unknown, names the result of each', async () => {
  const names = ['First of two', 'Second of two']
  for (const name of names) await reports.mailTask(name, reportId)
  const page = await opened('/reports?name=of+two')
  for (const name of names) await page.getByLabel(`Select ${name}`).check()
  // Another caller has deleted the third one meanwhile.
  await page.locator('#bulk').evaluate((form, id) => {
    const input = Object.assign(document.createElement('input'), { type: 'hidden', name: 'taskId', value: id })
    form.append(input)
  }, UNKNOWN)
  await page.locator('#bulk').getByRole('button', { name: 'Disable' }).click()
  const flash = await page.locator('.flash').textContent()
  expect(flash).toContain('Switched off: First of two, Second of two.')
  expect(flash).toContain(`Not found: ${UNKNOWN}.`)
  await page.close()
})

test('sending failed mails again asks first, with the addresses to correct, and sends those alone', async () => {
  const page = await opened(`/reports/runs/${failedRun}`)
  const text = await textOf(page)
  for (const part of ['MAIL_REJECTED', GONE, 'Sales overview.csv', 'Read by', 'started by a call']) {
    expect(text).toContain(part)
  }
  await page.getByRole('link', { name: 'Resend failed…' }).click()
  const dialog = page.getByRole('dialog')
  expect(await dialog.getByLabel('Mail to').inputValue()).toBe(GONE)
  await dialog.getByLabel('Mail to').fill('found@acme.example')
  await dialog.getByRole('button', { name: 'Send again' }).click()
  await page.waitForURL((url) => url.pathname.includes('/reports/runs/') && !url.pathname.endsWith(failedRun))
  const child = new URL(page.url()).pathname.split('/').at(-1)!
  expect((await reports.ended(child)).outcome).toBe('success')
  expect(reports.mailsTo('found@acme.example')).toHaveLength(1)
  expect(reports.mailsTo(HERE)).toHaveLength(1)

  // What has arrived may arrive twice: the page asks, and the endpoint refuses without the answer.
  await page.goto(address(`/form/reportrun.resend?runId=${failedRun}&states=sent`))
  const confirm = page.getByLabel('Send them although they may arrive twice')
  expect(await confirm.isChecked()).toBe(false)
  const again = page.getByRole('button', { name: 'Send again' })
  await page.locator('form[data-action]').evaluate((form) => form.setAttribute('novalidate', ''))
  await again.click()
  await page.locator('div.error').waitFor()
  expect(await textOf(page)).toContain('would arrive twice')
  expect(reports.mailsTo(HERE)).toHaveLength(1)
  await confirm.check()
  await again.click()
  await page.waitForURL((url) => url.pathname.includes('/reports/runs/'))
  await reports.ended(new URL(page.url()).pathname.split('/').at(-1)!)
  expect(reports.mailsTo(HERE)).toHaveLength(2)
  await page.close()
  // What may arrive twice needs the tick from every visitor, not only from browsers.
  const who = visitorOf(reports.product)
  const csrf = await who.csrf(`/console/reports/runs/${failedRun}`)
  const fields = { csrf, runId: failedRun, states: 'unknown', confirmed: '1' }
  const asked = await who.post('/console/form/reportrun.resend', fields)
  expect([asked.status, await asked.text()]).toEqual([200, expect.stringContaining('name="confirmDuplicates"')])
  const ticked = await who.post('/console/form/reportrun.resend', { ...fields, confirmDuplicates: '1' })
  expect([ticked.status, await ticked.text()]).toEqual([409, expect.stringContaining('no delivery is unknown')])
})

test('a document of a run can be downloaded, and the address in mails leads to the run', async () => {
  const page = await opened(`/reportrun/${failedRun}`)
  expect(page.url()).toBe(address(`/reports/runs/${failedRun}`))
  const waiting = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Sales overview.csv' }).click()
  expect((await waiting).suggestedFilename()).toBe('Sales overview.csv')
  await page.close()
})

test('a change that another caller made meanwhile is shown member by member, and can be taken over', async () => {
  const task = await reports.mailTask('Two authors', reportId)
  const page = await opened(`/reports/tasks/${task.id}/edit`, { script: false })
  await reports.call('PATCH', `/v4/reporttask/${task.id}`, { description: 'by the other' })
  await page.getByLabel('Subject', { exact: true }).first().fill('Mine {task}')
  const save = page.getByRole('button', { name: 'Save', exact: true }).first()
  await save.click()
  const conflict = page.locator('section.alert')
  expect(await conflict.textContent()).toContain('someone else has changed it')
  expect(await conflict.locator('tbody tr').allInnerTexts()).toEqual([expect.stringContaining('by the other')])
  await page.getByRole('button', { name: 'Take over what I did not change' }).click()
  await save.click()
  const stored = await reports.call<{ description: string; email: { subject: string } }>(
    'GET',
    `/v4/reporttask/${task.id}`,
  )
  expect([stored.description, stored.email.subject]).toEqual(['by the other', 'Mine {task}'])
  await page.close()
})

test('opening and saving each definition changes nothing but its revision', async () => {
  const { id: filterId } = await reports.filter('Kept', { type: 'values', field: 'Year', values: [2025] })
  const { id: conditionId } = await reports.call('POST', '/v4/reportcondition', {
    project: 'Sales',
    name: 'Kept',
    rules: [
      { type: 'value', left: { expr: '=Sum(Sales)' }, op: 'between', right: { const: 1 }, right2: { const: 9 } },
      { type: 'calendar', allow: { weekdays: ['mon'], monthDay: 'first' } },
      { type: 'rowCount', of: { objectId: 'abc' }, op: 'gt', count: 3 },
    ],
  })
  const { id: personId } = await reports.call('POST', '/v4/recipient', {
    name: 'Anna',
    email: 'anna@acme.example',
    filterIds: [filterId],
    attributes: { region: 'Nordic' },
    qlikUser: { userDirectory: 'ACME', userId: 'anna' },
  })
  const { id: groupId } = await reports.call('POST', '/v4/recipientgroup', { name: 'Kept', memberIds: [personId] })
  const task = await reports.mailTask('Kept', reportId, {
    filterIds: [filterId],
    conditionIds: [conditionId],
    tags: ['one', 'two'],
    recipients: [
      { type: 'group', groupId, hub: true },
      { type: 'expression', expr: "='a@b.example'" },
    ],
    reports: [
      {
        key: 'pack',
        reportId,
        format: 'csv',
        block: 'table',
        options: { csv: { delimiter: ';' } },
        cycle: { fields: ['Region'], emailTo: "='a@b.example'" },
        deliver: { email: 'attach', storage: false },
      },
    ],
    storage: [{ spaceId: 'finance', folder: 'weekly', onExists: 'suffix' }],
    triggers: [
      { type: 'schedule', cron: '0 7 * * 1', timezone: 'Europe/Stockholm' },
      { type: 'qlikEvent', event: 'taskSucceeded', match: { tag: ['nightly'] }, mode: 'all', withinMinutes: 180 },
      { type: 'keyValue', namespace: 'Reports', key: 'ready' },
    ],
    notifications: [{ on: ['error', 'recovered'], recipients: [HERE], attachLog: false }],
  })
  const definitions = [
    ['/v4/reporttask', '/reports/tasks', task.id, '/edit'],
    ['/v4/report', '/reports/reports', reportId, ''],
    ['/v4/reportfilter', '/reports/filters', filterId, ''],
    ['/v4/reportcondition', '/reports/conditions', conditionId, ''],
    ['/v4/recipient', '/reports/recipients', personId, ''],
    ['/v4/recipientgroup', '/reports/groups', groupId, ''],
  ] as const
  for (const [api, place, id, end] of definitions) {
    const before = await reports.call<Record<string, unknown>>('GET', `${api}/${id}`)
    const page = await opened(`${place}/${id}${end}`, { script: false })
    await page.getByRole('button', { name: 'Save', exact: true }).first().click()
    expect([api, await page.locator('.flash').textContent()]).toEqual([api, expect.stringContaining('is saved')])
    const { revision, modifiedAt, modifiedBy, ...after } = await reports.call<Record<string, unknown>>(
      'GET',
      `${api}/${id}`,
    )
    expect({ ...after, revision, modifiedAt, modifiedBy }).toEqual({ ...before, revision, modifiedAt, modifiedBy })
    await page.close()
  }
})

test('a report is built of blocks, shown in a frame without rights, and cannot be deleted while it is in use', async () => {
  const page = await opened('/reports/reports/new')
  await page.getByLabel('Name').fill('Built here')
  await page.getByLabel('Project').fill('Sales')
  await page.getByLabel('App', { exact: true }).fill('a1000000-0000-4000-8000-000000000002')
  await page.getByRole('button', { name: 'Add Figures to Blocks' }).click()
  await page.getByLabel('Label', { exact: true }).fill('Revenue')
  await page.getByLabel('Expression', { exact: true }).fill('=Sum(Sales)')
  // The preview is that of the form, before anything is saved, and an error stands in the place of the page.
  const show = page.getByRole('button', { name: 'Show the page' })
  const frame = page.frameLocator('iframe[name=preview-frame]')
  await show.click()
  await frame.getByText('Revenue').first().waitFor()
  await page.getByRole('button', { name: 'Add Figures to Blocks' }).click()
  await show.click()
  await frame.getByText('blocks.1.items.0.label', { exact: true }).waitFor()
  expect(await frame.locator('body').textContent()).toContain('No preview')
  const saved = await reports.call<{ reports: readonly { name: string }[] }>('GET', '/v4/report')
  expect(saved.reports.map(({ name }) => name)).not.toContain('Built here')
  await page.getByRole('button', { name: 'Remove Figures 2' }).click()
  await page.getByRole('button', { name: 'Save', exact: true }).first().click()

  await page.goto(address(`/reports/reports/${reportId}`))
  expect(await page.locator('section', { has: page.locator('#used-by') }).textContent()).toContain('Monday mail')
  await page.getByRole('link', { name: 'Delete…' }).click()
  const dialog = page.getByRole('dialog')
  expect(await dialog.textContent()).toContain('It is in use')
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await page.locator('div.error').waitFor()
  expect(await textOf(page)).toContain('Used by')
  await page.close()
})

test('the form of a task shows the document of a chosen person, and gives it as a file', async () => {
  const nordic = await reports.filter('Only Nordic', { type: 'values', field: 'Region', values: ['Nordic'] })
  const person = await reports.person('nordic@acme.example', nordic.id)
  const recipients = [
    { type: 'address', address: HERE },
    { type: 'recipient', recipientId: person.id },
  ]
  const task = await reports.mailTask('Preview me', reportId, { recipients })
  const page = await opened(`/reports/tasks/${task.id}/edit`, { script: false })
  const show = page.getByRole('button', { name: 'Show the page' })
  const frame = page.frameLocator('iframe[name=preview-frame]')
  await show.click()
  await frame.getByText('Iberia').first().waitFor()
  await page.getByLabel('For', { exact: true }).fill('nordic@acme.example')
  const downloading = page.waitForEvent('download')
  const download = page.getByRole('button', { name: 'Download the file' })
  await download.click()
  const file = await downloading
  expect(file.suggestedFilename()).toBe('Sales overview.csv')
  const text = await Bun.file(await file.path()).text()
  expect([text.includes('Nordic'), text.includes('Iberia')]).toEqual([true, false])
  await page.getByLabel('For', { exact: true }).fill('stranger@acme.example')
  await download.click()
  const error = page.locator('div.error')
  expect(await error.textContent()).toContain('No preview')
  expect(await error.textContent()).toContain('stranger@acme.example is no active recipient')
  expect(await page.getByLabel('For', { exact: true }).inputValue()).toBe('stranger@acme.example')
  await page.close()
})

test('the plan of many people has pages, of a saved task and of one in its form', async () => {
  const recipients = Array.from({ length: 250 }, (_, n) => ({
    type: 'address',
    address: `person${String(n).padStart(3, '0')}@acme.example`,
  }))
  const task = await reports.mailTask('To many people', reportId, { recipients })
  for (const path of [`/reports/tasks/${task.id}?plan=1`, `/reports/tasks/${task.id}/edit`]) {
    const page = await opened(path, { script: false })
    if (path.endsWith('edit')) await page.getByRole('button', { name: 'Plan what is in the form' }).click()
    const pager = page.locator('#plan ~ * .pager, section:has(#plan) .pager').first()
    const rows = page.locator('[data-rows="Recipients and their documents"] tr')
    await pager.getByText('1 to 200 of 250').waitFor()
    expect(await rows.count()).toBe(200)
    await pager.getByText('Next').click()
    await pager.getByText('201 to 250 of 250').waitFor()
    expect(await rows.count()).toBe(50)
    expect(await page.locator('main').textContent()).toContain('person249@acme.example')
    await pager.getByText('Before').click()
    await pager.getByText('1 to 200 of 250').waitFor()
    expect(await rows.count()).toBe(200)
    await page.close()
  }
})

test('a plan that is shown follows the form, and leaving with changes asks', async () => {
  const task = await reports.mailTask('Follow me', reportId, { recipients: [{ type: 'address', address: HERE }] })
  const page = await opened(`/reports/tasks/${task.id}/edit`)
  await page.getByRole('button', { name: 'Plan', exact: true }).click()
  const plan = page.locator('[data-part=plan]')
  await plan.getByText(HERE).waitFor()
  await page.locator('input[name="f:recipients.0.address"]').fill('later@acme.example')
  await plan.getByText('later@acme.example').waitFor()
  expect(await plan.getByText(HERE).count()).toBe(0)
  const asked: string[] = []
  // The page stays, as the question is not confirmed.
  page.on('dialog', (dialog) => asked.push(dialog.type()))
  await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: 'Reports' }).click()
  await until(() => asked.length > 0)
  expect(await page.locator('input[name="f:recipients.0.address"]').inputValue()).toBe('later@acme.example')
  await page.getByRole('button', { name: 'Save', exact: true }).first().click()
  expect(await page.locator('.flash').textContent()).toContain('is saved, revision 2')
  expect(asked).toEqual(['beforeunload'])
  await page.close()
})

test('a template is uploaded, checked, listed with its report, and deleted', async () => {
  const { id } = await reports.call('POST', '/v4/report', {
    project: 'Sales',
    name: 'Of a template',
    type: 'template',
    appId: SALES_APP,
    data: [
      { key: 'revenue', type: 'value', expr: '=Sum(Sales)' },
      ...['Region', 'Month'].map((key) => ({ key, type: 'table', columns: [{ key, expr: key, kind: 'dimension' }] })),
    ],
  })
  const page = await opened(`/reports/reports/${id}`, { script: false })
  const fileOf = async (name: string, tag: string) => ({
    name,
    mimeType: 'application/octet-stream',
    buffer: Buffer.from(await zipOf(wordTemplate(paragraph(tag)))),
  })
  const upload = async (file: Awaited<ReturnType<typeof fileOf>> | null) => {
    if (file) await page.getByLabel('Another file').setInputFiles(file)
    await page.getByRole('button', { name: 'Upload' }).click()
    return textOf(page)
  }
  expect(await upload(null)).toContain('Choose an xlsx, docx or pptx file')
  await page.getByLabel('Description').fill('Typed, not saved')
  const refused = await upload(await fileOf('pack.docx', '{{revenu}}'))
  for (const part of ['Not uploaded', 'document, paragraph 1', '{{revenu}}']) expect(refused).toContain(part)
  const nested = await upload(await fileOf('pack.docx', '{{#Region}}{{#Month}}{{Month}}{{/Month}}{{/Region}}'))
  expect(nested).toContain(
    'Warning: document, paragraph 1: {{#Month}}: each row of the loop over "Region" around it holds all rows of "Month"; where',
  )
  expect(await upload(await fileOf('pack.docx', '{{revenue}}'))).toContain('pack.docx is the template, with 1 tag.')
  // What was typed is still there, and can be saved on top of the upload.
  expect(await page.getByLabel('Description').inputValue()).toBe('Typed, not saved')
  await page.getByRole('button', { name: 'Save', exact: true }).first().click()
  expect(await page.locator('.flash').textContent()).toContain('is saved, revision 4')

  await page.goto(address('/reports/templates'))
  const row = page.locator('tbody tr', { hasText: 'pack.docx' })
  expect(await row.textContent()).toContain('Of a template')
  const downloading = page.waitForEvent('download')
  await row.getByRole('link', { name: 'pack.docx' }).click()
  expect((await downloading).suggestedFilename()).toBe('pack.docx')
  await row.getByRole('link', { name: 'Delete…' }).click()
  await page.getByRole('button', { name: 'Delete the template' }).click()
  expect(await textOf(page)).toContain('No templates')
  await page.close()
})

test('recipients come from CSV; lines with an error are listed', async () => {
  const page = await opened('/form/recipient.import', { script: false })
  await page.getByLabel('CSV').fill('name,email\nBo Ek,bo@acme.example\nNo Address,nowhere')
  await page.getByRole('button', { name: 'Import recipients' }).click()
  const text = await textOf(page)
  expect(text).toContain('1 created')
  expect(text).toContain('1 line was left out')
  expect(await page.locator('tbody tr').textContent()).toContain('3')
  await page.close()
})

describe('the pages', () => {
  const PATHS = [
    () => '/reports',
    () => `/reports/tasks/${taskId}?plan=1`,
    () => `/reports/tasks/${taskId}/edit`,
    () => `/reports/runs/${failedRun}`,
    () => `/reports/reports/${reportId}`,
    () => '/reports/recipients',
    () => '/reports/hub',
    () => '/reports/reports',
    () => '/reports/filters',
    () => '/reports/conditions',
    () => '/reports/groups',
    () => `/form/reporttask.start?taskId=${taskId}`,
  ]
  test('look well at each width in both themes', () => {
    return looksWell(browser, address(''), [
      ...PATHS.map((path) => path()),
      '/reports/groups/new',
      '/reports/templates',
    ])
  }, 180_000)

  test.each(PATHS)(
    'show the same without JavaScript: %p',
    async (path) => {
      const [scripted, plain] = await Promise.all([opened(path()), opened(path(), { script: false })])
      const words = (text: string) => text.replace(/\d+ (s|min|ms)\b.*?ago/g, '').split(/\s+/)
      expect(words(await textOf(plain))).toEqual(words(await textOf(scripted)))
      await Promise.all([scripted.close(), plain.close()])
    },
    60_000,
  )
})

test('buttons without their scope are off and name it; without report:read there is no page', async () => {
  const keys = [
    newKey('reader', 'report:read'),
    newKey('other', 'task:read'),
    newKey('author', 'report:write'),
  ] as const
  const access = { enable: true, keys: keys.map(({ entry }) => entry) }
  await using guarded = await startReportSite({ hub: { enable: true } }, { footman: { access } })
  const page = ({ key }: Key, path: string) => visitorOf(guarded.product, { authorization: `Bearer ${key}` }).page(path)
  const readable = await page(keys[0], '/reports/tasks/new')
  expect(readable.status).toBe(200)
  expect(readable.html).toMatch(/<button[^>]*value="save"[^>]*disabled[^>]*title="This needs the scope report:write"/)
  const refused = await page(keys[1], '/reports')
  expect(refused.status).toBe(403)
  expect(refused.html).toContain('report:read')

  // A session of the hub opens no page of the console, and the reverse.
  const base = `http://127.0.0.1:${guarded.product.restPort}`
  const send = (method: string, path: string, cookie: string, body?: string) =>
    fetch(base + path, {
      method,
      redirect: 'manual',
      ...(body !== undefined && { body }),
      headers: {
        accept: 'text/html',
        cookie,
        'sec-fetch-site': 'same-origin',
        'content-type': 'application/x-www-form-urlencoded',
      },
    })
  const created = await fetch(`${base}/v4/recipient`, {
    method: 'POST',
    body: JSON.stringify({ name: 'Anna', email: HERE }),
    headers: { authorization: `Bearer ${keys[2].key}`, 'content-type': 'application/json' },
  })
  expect(created.status).toBe(201)
  await send('POST', '/hub/login', '', new URLSearchParams({ address: HERE }).toString())
  const mail = await until(() => guarded.mailsTo(HERE).at(-1))
  const [, token = ''] = /\/hub\/login\/([\w-]+)/.exec(mail.parsed.html || '') ?? []
  const [hub = ''] = (await send('POST', `/hub/login/${token}`, '', '')).headers.getSetCookie()[0]?.split(';') ?? []
  expect(hub).toStartWith('report_hub=')
  expect((await send('GET', '/hub', hub)).status).toBe(200)
  const visitor = visitorOf(guarded.product)
  expect((await visitor.signIn(keys[0].key)).status).toBe(303)
  const own = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  expect((await send('GET', '/console/reports', own)).status).toBe(200)
  const value = (cookie: string) => cookie.split('=')[1]
  const opened = []
  for (const [path, cookie] of [
    ['/console/reports', hub],
    ['/console/reports', `${own.split('=')[0]}=${value(hub)}`],
    ['/hub', own],
    ['/hub', `report_hub=${value(own)}`],
  ] as const) {
    const answer = await send('GET', path, cookie)
    opened.push([path, answer.status, answer.headers.get('location')?.split('?')[0]])
  }
  expect(opened).toEqual([
    ...Array(2).fill(['/console/reports', 303, '/console/login']),
    ...Array(2).fill(['/hub', 303, '/hub/login']),
  ])
  expect((await send('GET', '/console/api/v4/reporttask', hub)).status).toBe(401)
})
