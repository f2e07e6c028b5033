/** The pages of report tasks, as HTML and in Chromium, from the compiled executable. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { type Key, newKey, visitorOf } from '../../support/console.ts'
import { openConsole } from '../../support/console-browser.ts'
import { zipOf } from '../../support/office.ts'
import { type Reader, read, reader, select } from '../../support/reader.ts'
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
const PERSON = 'f:recipients.1.recipientId'

const address = (path: string): string => `http://127.0.0.1:${reports.product.restPort}/console${path}`

/** Opens a page of the console in a browser. */
async function opened(path: string): Promise<Page> {
  const { page, status } = await openConsole(browser, address(path))
  expect([path, status]).toEqual([path, 200])
  return page
}

/** Opens a page of the console without a browser. */
async function pageOf(path: string): Promise<Reader> {
  const page = reader(visitorOf(reports.product))
  await page.open(`/console${path}`)
  expect([path, page.status]).toEqual([path, 200])
  return page
}
const idIn = ({ url }: Reader): string => url.pathname.split('/').at(-1)!
/** Text of the rows that contain a text. */
const rowsWith = (page: Reader, text: string, selector = 'tbody tr'): string[] =>
  page
    .all(selector)
    .map(read)
    .filter((row) => row.includes(text))

test('the list says what each task does and how its last run ended, problems first', async () => {
  await reports.mailTask('A quiet one', reportId, { enabled: false, testMode: { enabled: true, address: HERE } })
  const page = await pageOf('/reports')
  const rows = rowsWith(page, '')
  expect(rows[0]).toContain('Monday mail')
  expect(rows[0]).toContain('MAIL_REJECTED')
  expect(rows[0]).toContain('1 sent · 1 failed')
  expect(rows[0]).toContain('Mondays at 07:00')
  const quiet = rows.find((row) => row.includes('A quiet one'))!
  expect(quiet).toContain('never ran')
  expect(quiet).toContain('test mode')

  await page.open('/console/reports?outcome=warning')
  expect(page.all('tbody tr')).toHaveLength(1)
  await page.open('/console/reports?name=nothing+like+this')
  expect(page.text('main')).toContain('Nothing matches')
})

test('a misspelt filter value shows before saving who gets nothing, and why', async () => {
  const page = await pageOf('/reports/filters/new')
  page.fill('Name', 'North misspelt')
  page.fill('Project', 'Sales')
  await page.press('Add Values to Clauses')
  page.fill('Field', 'Region')
  page.fill('Values', 'Norrdic')
  await page.press('Save')
  expect(page.text('main')).toContain('"North misspelt" is saved, revision 1')
  const filterId = idIn(page)
  type Found = { groups: readonly { kind: string; items: readonly { path: string }[] }[] }
  const { groups } = await reports.call<Found>('GET', '/v4/search?q=north+misspelt')
  const inSearch = groups.find(({ kind }) => kind === 'Report filters')?.items.map(({ path }) => path)
  expect(inSearch).toEqual([`/reports/filters/${filterId}`])

  const person = await reports.person('south@acme.example', filterId)
  const task = await reports.mailTask('Plan me', reportId, { recipients: [{ type: 'address', address: HERE }] })
  await page.open(`/console/reports/tasks/${task.id}/edit`)
  await page.press('Add Person to Recipients')
  page.fill(PERSON, person.id)
  await page.press('Plan')

  const plan = page.all('section').find((one) => select(one, '#plan').length > 0)!
  const rowOf = (text: string) =>
    select(plan, 'tr')
      .map(read)
      .find((row) => row.includes(text))
  expect(rowOf('south@acme.example')).toContain('nothing: FILTER_VALUE_UNKNOWN')
  expect(rowOf('south@acme.example')).toContain('Region: Norrdic')
  const link = select(plan, 'a').find((one) => read(one) === 'filter North misspelt')
  expect(link?.attributes.get('href')).toEndWith(filterId)
  expect(rowOf(HERE)).toContain('Sales overview.csv')
  // Nothing is saved yet, and the form has kept the person.
  expect(page.value(PERSON)).toBe(person.id)
  const stored = await reports.call<{ recipients: readonly unknown[] }>('GET', `/v4/reporttask/${task.id}`)
  expect(stored.recipients).toHaveLength(1)
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

  const page = await pageOf('/schedules/calendar')
  await page.follow('The week after')
  const [mail] = page.all('.week a.report').filter((one) => read(one).includes('Monday mail'))
  expect(mail?.attributes.get('aria-label')).toMatch(/^\d\d:00 Monday mail, report task, usually \d/)
  expect(mail?.attributes.get('href')).toBe(`/console/reports/tasks/${taskId}`)
  expect(select(mail!, 'rect')).toHaveLength(1)
})

test('disabling three tasks, one of them unknown, names the result of each', async () => {
  const names = ['First of two', 'Second of two']
  for (const name of names) await reports.mailTask(name, reportId)
  const page = await pageOf('/reports?name=of+two')
  for (const name of names) page.check(`Select ${name}`)
  // Another caller has deleted the third one meanwhile.
  await page.press('Disable', '#bulk', { also: [['taskId', UNKNOWN]] })
  const flash = page.text('.flash')
  expect(flash).toContain('Switched off: First of two, Second of two.')
  expect(flash).toContain(`Not found: ${UNKNOWN}.`)
})

test('sending failed mails again asks first, with the addresses to correct, and sends those alone', async () => {
  const html = await pageOf(`/reports/runs/${failedRun}`)
  for (const part of ['MAIL_REJECTED', GONE, 'Sales overview.csv', 'Read by', 'started by a call']) {
    expect(html.text('main')).toContain(part)
  }
  const page = await opened(`/reports/runs/${failedRun}`)
  await page.getByRole('link', { name: 'Resend failed…' }).click()
  const dialog = page.getByRole('dialog')
  expect(await dialog.getByLabel('Mail to').inputValue()).toBe(GONE)
  await dialog.getByLabel('Mail to').fill('found@acme.example')
  await dialog.getByRole('button', { name: 'Send again' }).click()
  await page.waitForURL((url) => url.pathname.includes('/reports/runs/') && !url.pathname.endsWith(failedRun))
  const child = new URL(page.url()).pathname.split('/').at(-1)!
  await page.close()
  expect((await reports.ended(child)).outcome).toBe('success')
  expect(reports.mailsTo('found@acme.example')).toHaveLength(1)
  expect(reports.mailsTo(HERE)).toHaveLength(1)

  // What has arrived may arrive twice: the page asks, and the endpoint refuses without the answer.
  const again = await pageOf(`/form/reportrun.resend?runId=${failedRun}&states=sent`)
  await expect(again.press('Send again')).rejects.toThrow('confirmDuplicates is empty')
  await again.press('Send again', 'main', { unchecked: true })
  expect(again.text('main div.error')).toContain('would arrive twice')
  expect(reports.mailsTo(HERE)).toHaveLength(1)
  again.check('Send them although they may arrive twice')
  await again.press('Send again', 'main')
  expect(again.url.pathname).toContain('/reports/runs/')
  await reports.ended(idIn(again))
  expect(reports.mailsTo(HERE)).toHaveLength(2)
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
  const page = await pageOf(`/reportrun/${failedRun}`)
  expect(page.url.href).toEndWith(`/console/reports/runs/${failedRun}`)
  await page.follow('Sales overview.csv')
  expect(page.download?.name).toBe('Sales overview.csv')
})

test('a change that another caller made meanwhile is shown member by member, and can be taken over', async () => {
  const task = await reports.mailTask('Two authors', reportId)
  const page = await pageOf(`/reports/tasks/${task.id}/edit`)
  await reports.call('PATCH', `/v4/reporttask/${task.id}`, { description: 'by the other' })
  page.fill('Subject', 'Mine {task}')
  await page.press('Save')
  expect(page.text('section.alert')).toContain('someone else has changed it')
  expect(page.all('section.alert tbody tr').map(read)).toEqual([expect.stringContaining('by the other')])
  await page.press('Take over what I did not change')
  await page.press('Save')
  const stored = await reports.call<{ description: string; email: { subject: string } }>(
    'GET',
    `/v4/reporttask/${task.id}`,
  )
  expect([stored.description, stored.email.subject]).toEqual(['by the other', 'Mine {task}'])
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
        deliver: { email: 'attach', hub: false },
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
    const page = await pageOf(`${place}/${id}${end}`)
    await page.press('Save')
    expect([api, page.text('.flash')]).toEqual([api, expect.stringContaining('is saved')])
    const { revision, modifiedAt, modifiedBy, ...after } = await reports.call<Record<string, unknown>>(
      'GET',
      `${api}/${id}`,
    )
    expect({ ...after, revision, modifiedAt, modifiedBy }).toEqual({ ...before, revision, modifiedAt, modifiedBy })
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
  await page.getByText('"Built here" is saved').waitFor()
  await page.close()

  const used = await pageOf(`/reports/reports/${reportId}`)
  const usedBy = used.all('section').find((one) => select(one, '#used-by').length > 0)!
  expect(read(usedBy)).toContain('Monday mail')
  await used.follow('Delete…')
  expect(used.text('main')).toContain('It is in use')
  await used.press('Delete', 'main')
  expect(used.text('main div.error')).toContain('Used by')
})

test('the form of a task shows the document of a chosen person, and gives it as a file', async () => {
  const nordic = await reports.filter('Only Nordic', { type: 'values', field: 'Region', values: ['Nordic'] })
  const person = await reports.person('nordic@acme.example', nordic.id)
  const recipients = [
    { type: 'address', address: HERE },
    { type: 'recipient', recipientId: person.id },
  ]
  const task = await reports.mailTask('Preview me', reportId, { recipients })
  const page = await pageOf(`/reports/tasks/${task.id}/edit`)
  await page.press('Show the page')
  expect(read(page.frame!)).toContain('Iberia')
  page.fill('For', 'nordic@acme.example')
  await page.press('Download the file')
  expect(page.download?.name).toBe('Sales overview.csv')
  const text = new TextDecoder().decode(page.download?.bytes)
  expect([text.includes('Nordic'), text.includes('Iberia')]).toEqual([true, false])
  page.fill('For', 'stranger@acme.example')
  await page.press('Download the file')
  expect(page.text('div.error')).toContain('No preview')
  expect(page.text('div.error')).toContain('stranger@acme.example is no active recipient')
  expect(page.value('For')).toBe('stranger@acme.example')
})

test('the plan of many people has pages, of a saved task and of one in its form', async () => {
  const recipients = Array.from({ length: 250 }, (_, n) => ({
    type: 'address',
    address: `person${String(n).padStart(3, '0')}@acme.example`,
  }))
  const task = await reports.mailTask('To many people', reportId, { recipients })
  for (const path of [`/reports/tasks/${task.id}?plan=1`, `/reports/tasks/${task.id}/edit`]) {
    const page = await pageOf(path)
    if (path.endsWith('edit')) await page.press('Plan what is in the form')
    const rows = () => page.all('[data-rows="Recipients and their documents"] tr')
    const turn = (to: string) =>
      page.all('.pager button').length > 0 ? page.press(to, '.pager') : page.follow(to, '.pager')
    expect(page.text('.pager')).toContain('1 to 200 of 250')
    expect(rows()).toHaveLength(200)
    await turn('Next')
    expect(page.text('.pager')).toContain('201 to 250 of 250')
    expect(rows()).toHaveLength(50)
    expect(page.text('main')).toContain('person249@acme.example')
    await turn('Before')
    expect(page.text('.pager')).toContain('1 to 200 of 250')
    expect(rows()).toHaveLength(200)
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
  const page = await pageOf(`/reports/reports/${id}`)
  const upload = async (tag: string | null) => {
    if (tag) page.fill('Another file', new File([await zipOf(wordTemplate(paragraph(tag)))], 'pack.docx'))
    await page.press('Upload')
    return page.text('main')
  }
  expect(await upload(null)).toContain('Choose an xlsx, docx or pptx file')
  page.fill('Description', 'Typed, not saved')
  const refused = await upload('{{revenu}}')
  for (const part of ['Not uploaded', 'document, paragraph 1', '{{revenu}}']) expect(refused).toContain(part)
  const nested = await upload('{{#Region}}{{#Month}}{{Month}}{{/Month}}{{/Region}}')
  expect(nested).toContain(
    'Warning: document, paragraph 1: {{#Month}}: each row of the loop over "Region" around it holds all rows of "Month"; where',
  )
  expect(await upload('{{revenue}}')).toContain('pack.docx is the template, with 1 tag.')
  // What was typed is still there, and can be saved on top of the upload.
  expect(page.value('Description')).toBe('Typed, not saved')
  await page.press('Save')
  expect(page.text('.flash')).toContain('is saved, revision 4')

  await page.open('/console/reports/templates')
  const rows = rowsWith(page, 'pack.docx')
  expect(rows).toEqual([expect.stringContaining('Of a template')])
  await page.follow('pack.docx', 'tbody')
  expect(page.download?.name).toBe('pack.docx')
  await page.follow('Delete…', 'tbody')
  await page.press('Delete the template')
  expect(page.text('main')).toContain('No templates')
})

test('the page of a report shows the check of its template in the folder, as the file is now', async () => {
  const write = async (...tags: readonly string[]) =>
    writeFileSync(reports.templates.join('folder.docx'), await zipOf(wordTemplate(paragraph(...tags))))
  await write('{{#Region}}{{#Month}}{{Month}}{{/Month}}{{/Region}}')
  const { id } = await reports.call('POST', '/v4/report', {
    project: 'Sales',
    name: 'Of the folder',
    type: 'template',
    appId: SALES_APP,
    template: { source: 'file', file: 'folder.docx' },
    data: ['Region', 'Month'].map((key) => ({ key, type: 'table', columns: [{ key, expr: key, kind: 'dimension' }] })),
  })
  const textOf = async () => (await pageOf(`/reports/reports/${id}`)).text('main')
  // The whole warning, with its remedy.
  expect(await textOf()).toMatch(
    /Warning: document, paragraph 1: \{\{#Month\}\}: each row of the loop over "Region" around .* one table that is sorted by it\./,
  )
  await write('{{#Region}}{{Region}}{{/Region}}')
  expect(await textOf()).toContain('folder.docx is the template, with 2 tags. No tag names Month.')
  await write('{{Nothing}}')
  expect(await textOf()).toContain('Problem: document, paragraph 1')
  rmSync(reports.templates.join('folder.docx'))
  expect(await textOf()).toContain('There is no file folder.docx in the folder of')
})

test('recipients come from CSV; lines with an error are listed', async () => {
  const page = await pageOf('/form/recipient.import')
  page.fill('csv', 'name,email\nBo Ek,bo@acme.example\nNo Address,nowhere')
  await page.press('Import recipients')
  expect(page.text('main')).toContain('1 created')
  expect(page.text('main')).toContain('1 line was left out')
  expect(page.text('tbody tr')).toContain('3')
})

test('buttons without their scope are off and name it; without report:read there is no page', async () => {
  const keys = [
    newKey('reader', 'report:read'),
    newKey('other', 'task:read'),
    newKey('author', 'report:write'),
    newKey('admin', 'admin'),
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

  // An administrator sees the session of the reader, and ends it.
  const bearer = { authorization: `Bearer ${keys[3].key}` }
  const { sessions } = (await (await fetch(`${base}/v4/sessions`, { headers: bearer })).json()) as {
    sessions: readonly { id: string; actor: string; address: string }[]
  }
  const reader = sessions.find(({ actor }) => actor === `reader:${HERE}`)
  expect(reader?.address).toBe('127.0.0.1')
  const end = { method: 'DELETE', headers: bearer }
  expect((await fetch(`${base}/v4/sessions/${reader?.id}`, end)).status).toBe(204)
  expect((await send('GET', '/hub', hub)).status).toBe(303)
})
