/** Filters and conditions decide who gets which data, in the compiled executable. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import {
  attached,
  INVENTORY_APP,
  type Named,
  type ReportSite,
  SALES_APP,
  startReportSite,
} from '../support/report-tasks.ts'

/** The app "HR Insights", whose section access shows LAB\\anna Finance and HR, LAB\\bertil IT. */
const HR_APP = 'a1000000-0000-4000-8000-000000000004'
let reports: ReportSite

/** The zone in which it is now this hour. */
function zoneWhere(hour: number): string {
  const offset = ((hour - new Date().getUTCHours() + 36) % 24) - 12
  return offset === 0 ? 'Etc/GMT' : `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset)}`
}

beforeAll(async () => {
  const settings = { defaultTimezone: zoneWhere(18) }
  reports = await startReportSite(settings, {
    restServerEndpointsEnable: { keyValueStore: true, senseStartTask: true },
  })
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

const values = (field: string, ...list: readonly (string | number)[]) => ({ type: 'values', field, values: list })

/** A condition of one rule. */
const condition = (name: string, rule: object, changes: object = {}) =>
  reports.call('POST', '/v4/reportcondition', { project: 'Sales', name, rules: [rule], ...changes })

test('a misspelt filter value stops the document of that person alone, and the notification names them', async () => {
  const report = await reports.salesReport('Misspelt')
  const [right, wrong] = await Promise.all([
    reports.filter('Nordic', values('Region', 'Nordic')),
    reports.filter('Nordik', values('Region', 'Nordik')),
  ])
  const [anna, bob] = await Promise.all([
    reports.person('anna@acme.example', right.id),
    reports.person('bob@acme.example', wrong.id),
  ])
  const task = await reports.mailTask('Misspelt', report.id, {
    recipients: [
      { type: 'recipient', recipientId: anna.id },
      { type: 'recipient', recipientId: bob.id },
      { type: 'address', address: 'all@acme.example' },
    ],
    notifications: [{ on: ['error'], recipients: ['ops-misspelt@acme.example'] }],
  })

  const run = await reports.run(task.id)

  expect([run.outcome, run.reason, run.counts.mailsSent]).toEqual(['error', 'FILTER_VALUE_UNKNOWN', 2])
  expect(run.events.map(({ code, recipient, details }) => [code, recipient, details])).toEqual([
    ['FILTER_VALUE_UNKNOWN', 'bob@acme.example', expect.stringContaining('Region: Nordik')],
  ])
  expect(reports.mailsTo('bob@acme.example')).toEqual([])
  expect(attached(reports.mailsTo('anna@acme.example')[0]!)).toMatch(/^\ufeff?Region,Sales\r\nNordic,[\d.]+\r\n/)
  expect(attached(reports.mailsTo('all@acme.example')[0]!).split('\r\n').length).toBeGreaterThan(5)
  const toOps = (mail: { envelope: { to: readonly string[] } }) =>
    mail.envelope.to.includes('ops-misspelt@acme.example')
  const [notification] = await reports.mailbox.received(1, { match: toOps })
  expect(notification!.parsed.subject).toBe('[error] Report task "Misspelt"')
  expect(notification!.parsed.text).toMatch(/bob@acme\.example got nothing: FILTER_VALUE_UNKNOWN \(Region: Nordik\)/)
  expect(attached(notification!)).toContain('recipient=bob@acme.example')
}, 60_000)

test('a person whose filter leaves nothing of the filter of the task gets no mail', async () => {
  const report = await reports.salesReport('Empty')
  const [ofTask, ofPerson] = await Promise.all([
    reports.filter('DACH', values('Region', 'DACH')),
    reports.filter('Iberia', values('Region', 'Iberia')),
  ])
  const ines = await reports.person('ines-empty@acme.example', ofPerson.id)
  const task = await reports.mailTask('Empty', report.id, {
    filterIds: [ofTask.id],
    recipients: [{ type: 'recipient', recipientId: ines.id }],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.reason, run.counts.documents]).toEqual(['error', 'FILTER_EMPTY', 0])
  expect(reports.mailsTo('ines-empty@acme.example')).toEqual([])
}, 60_000)

/** A table by region and year, one file for each region, mailed to the manager of the region. */
const managerTask = async (name: string, changes: object = {}) => {
  const report = await reports.salesReport(name, {
    blocks: [
      {
        key: 'table',
        type: 'table',
        columns: ['Region', 'Year'].map((field) => ({ label: field, expr: field, kind: 'dimension' })),
      },
    ],
  })
  const cycle = { fields: ['Region'], emailTo: "=Concat(DISTINCT RegionManagerMail, ';')" }
  return reports.mailTask(name, report.id, {
    reports: [{ key: 'pack', reportId: report.id, format: 'csv', fileName: '{report}{cycle}', cycle }],
    ...changes,
  })
}

/** Address and first attachment of the mails with this subject. */
const sentWith = (subject: string) =>
  reports.mailbox.mails
    .filter(({ parsed }) => parsed.subject === subject)
    .map((mail) => [mail.envelope.to.join(), attached(mail).replace('\ufeff', '').trim().split('\r\n').slice(1)])
    .toSorted()

test('the filters of a person hold for the file of a cycle that an expression addresses to them', async () => {
  const [year, other] = await Promise.all([
    reports.filter('Only 2025', values('Year', 2025)),
    reports.filter('Only DACH', values('Region', 'DACH')),
  ])
  const [dieter, astrid] = await Promise.all([
    reports.person('dieter@acme.example', year.id),
    reports.person('astrid@acme.example', other.id),
  ])
  await reports.call('POST', '/v4/recipient', { name: 'Ines', email: 'ines@acme.example', active: false })
  const task = await managerTask('Personal cycle', { recipients: [] })

  const run = await reports.run(task.id)

  const all = (region: string) => [2024, 2025, 2026].map((one) => `${region},${one}`)
  expect(sentWith('Personal cycle')).toEqual([
    ['bram@acme.example', all('Benelux')],
    ['dieter@acme.example', ['DACH,2025']],
    ['una@acme.example', all('UK & Ireland')],
  ])
  expect(run.events.map(({ code, recipient }) => [code, recipient])).toEqual([['FILTER_EMPTY', 'astrid@acme.example']])
  expect([run.outcome, run.counts.mailsSent]).toEqual(['error', 3])
  for (const { id } of [dieter, astrid]) await reports.call('PATCH', `/v4/recipient/${id}`, { filterIds: [] })
}, 60_000)

test('a cycle whose data are read as each person sends what that person may see, and stops for the others', async () => {
  const [anna, bertil] = ['anna', 'bertil'].map((userId) => ({
    name: userId,
    email: `${userId}@hr.example`,
    qlikUser: { userDirectory: 'LAB', userId },
  }))
  for (const one of [anna, bertil]) await reports.call('POST', '/v4/recipient', one)
  const report = await reports.salesReport('Own access', {
    appId: HR_APP,
    blocks: [{ key: 'table', type: 'table', columns: [{ label: 'D', expr: 'Department', kind: 'dimension' }] }],
  })
  const task = await reports.mailTask('Own access', report.id, {
    recipients: [],
    reports: [
      {
        key: 'pack',
        reportId: report.id,
        format: 'csv',
        fileName: '{report}{cycle}_{recipient}',
        cycle: {
          fields: ['Department'],
          emailTo: "=If(Only(Department) = 'IT', 'bertil@hr.example;new@hr.example', 'anna@hr.example')",
        },
      },
    ],
    run: { evaluateAs: 'recipient' },
  })

  const run = await reports.run(task.id)

  expect(sentWith('Own access')).toEqual([
    ['anna@hr.example', ['Finance']],
    ['bertil@hr.example', ['IT']],
  ])
  const mail = reports.mailsTo('anna@hr.example')[0]!
  expect(mail.parsed.attachments.map(({ filename }) => filename)).toEqual([
    'Own access_Finance_anna@hr.example.csv',
    'Own access_HR_anna@hr.example.csv',
  ])
  expect(new Set(run.events.map(({ code, recipient }) => `${code} ${recipient}`))).toEqual(
    new Set([
      'RECIPIENT_NO_QLIK_USER new@hr.example',
      'FILTER_VALUE_UNKNOWN anna@hr.example',
      'MAIL_INCOMPLETE undefined',
    ]),
  )
  expect(run.outcome).toBe('error')
}, 60_000)

test('a cycle with more values than allowed makes nothing of that report, and the others go out', async () => {
  const report = await reports.salesReport('Many')
  const use = { reportId: report.id, format: 'csv', block: 'table', fileName: '{key}{cycle}' }
  const task = await reports.mailTask('Many', report.id, {
    reports: [
      { key: 'cycled', ...use, cycle: { fields: ['Region'], maxDocuments: 4 } },
      { key: 'whole', ...use },
    ],
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: 'many' }],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.reason, run.counts.documents]).toEqual(['error', 'TOO_MANY_DOCUMENTS', 1])
  expect(readdirSync(reports.space.join('finance', 'many'))).toEqual(['whole.csv'])
}, 60_000)

test('three regions and two years make six files with the names of both', async () => {
  const report = await reports.salesReport('Sales pack')
  const filter = await reports.filter('Three regions', values('Region', 'Nordic', 'DACH', 'Iberia'), {
    ...values('Year', 2024, 2025),
  })
  const task = await reports.mailTask('Six files', report.id, {
    reports: [
      {
        key: 'pack',
        reportId: report.id,
        format: 'pdf',
        fileName: '{report}{cycle}_{date:yyyy-MM-dd_HH-mm}',
        cycle: { fields: ['Region', 'Year'] },
      },
    ],
    filterIds: [filter.id],
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: 'six' }],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.events]).toEqual(['success', []])
  const names = readdirSync(reports.space.join('finance', 'six'))
  const stamp = /_\d{4}-\d\d-\d\d_\d\d-\d\d\.pdf$/
  expect(names.every((name) => stamp.test(name))).toBe(true)
  expect(names.map((name) => name.replace(stamp, '')).toSorted()).toEqual(
    ['DACH', 'Iberia', 'Nordic'].flatMap((region) => [2024, 2025].map((year) => `Sales pack_${region}_${year}`)),
  )
}, 60_000)

test('a table without rows stops the run without a mail', async () => {
  const report = await reports.salesReport('No rows')
  const rows = { table: [{ label: 'Customer', expr: 'Customer', kind: 'dimension' }] }
  const [many, few] = await Promise.all([
    condition('More than 5000 customers', { type: 'rowCount', of: rows, op: 'gt', count: 5000 }, { appId: null }),
    condition('Any customer', { type: 'rowCount', of: rows, op: 'gt', count: 0 }, { appId: null }),
  ])
  const task = await reports.mailTask('No rows', report.id, { conditionIds: [many.id, few.id] })
  const run = await reports.run(task.id)
  expect([run.outcome, run.reason, run.counts.documents]).toEqual(['skipped', 'CONDITION_NOT_MET', 0])
  expect(reports.mailsTo('no-rows@acme.example')).toEqual([])
  await reports.call('PATCH', `/v4/reporttask/${task.id}`, { conditionIds: [few.id] })
  expect((await reports.run(task.id)).outcome).toBe('success')
  expect(reports.mailsTo('no-rows@acme.example')).toHaveLength(1)
}, 60_000)

test('unchanged data are not sent again, changed ones are', async () => {
  const report = await reports.salesReport('Stock', {
    appId: INVENTORY_APP,
    blocks: [
      {
        key: 'table',
        type: 'table',
        columns: [
          { label: 'Item', expr: 'Item', kind: 'dimension' },
          { label: 'Stock', expr: '=Sum(OnHand)', kind: 'measure' },
        ],
      },
    ],
  })
  const changed = await condition(
    'Stock changed',
    { type: 'dataChanged', of: { expressions: ['=Sum(OnHand)'] } },
    { appId: INVENTORY_APP },
  )
  const task = await reports.mailTask('Stock', report.id, { conditionIds: [changed.id] })
  const outcomes = [await reports.run(task.id), await reports.run(task.id)].map(({ outcome }) => outcome)
  expect(outcomes).toEqual(['success', 'skipped'])
  reports.site.simulator.runTask('Inventory partial')
  await reports.site.simulator.ended('Inventory partial')
  expect((await reports.run(task.id)).outcome).toBe('success')
  expect((await reports.run(task.id)).outcome).toBe('skipped')
  const [before, after, more] = reports.mailsTo('stock@acme.example').map(attached)
  expect(more).toBeUndefined()
  expect(after).not.toBe(before!)
}, 60_000)

test('whether an app was reloaded today is seen in the zone of the runs, not in UTC', async () => {
  // The site reloaded its apps twelve hours ago: today where it is evening, yesterday where it is morning.
  await using morning = await startReportSite({ defaultTimezone: zoneWhere(6) })
  const outcomes: (string | null)[] = []
  for (const place of [reports, morning]) {
    const report = await place.salesReport('Today')
    const today = await place.call('POST', '/v4/reportcondition', {
      project: 'Sales',
      name: 'Reloaded today',
      appId: SALES_APP,
      rules: [{ type: 'lastReload', is: 'today' }],
    })
    const task = await place.mailTask('Today', report.id, { conditionIds: [today.id] })
    outcomes.push((await place.run(task.id)).outcome)
  }
  expect(outcomes).toEqual(['success', 'skipped'])
}, 60_000)

test('a condition that fires on becoming true sends at the first and the fourth of true, true, false, true', async () => {
  const report = await reports.salesReport('Becoming')
  const backlog = await condition(
    'Backlog is high',
    { type: 'keyValue', namespace: 'reports', key: 'backlog', op: 'gt', value: 100 },
    { fire: 'onBecomingTrue' },
  )
  const task = await reports.mailTask('Becoming', report.id, { conditionIds: [backlog.id] })
  const outcomes: (string | null)[] = []
  for (const value of ['150', '170', '90', '101']) {
    await reports.call('POST', '/v4/keyvalues/reports', { key: 'backlog', value })
    outcomes.push((await reports.run(task.id)).outcome)
  }
  expect(outcomes).toEqual(['success', 'skipped', 'skipped', 'success'])
  expect(reports.mailsTo('becoming@acme.example')).toHaveLength(2)
}, 60_000)

test('texts of the data are no formulas in CSV and no markup in HTML', async () => {
  const report = await reports.salesReport('Hostile', {
    blocks: [
      {
        key: 'table',
        type: 'table',
        title: 'T',
        columns: [
          { label: 'Command', expr: `='=cmd|' & '/C calc!A0'`, kind: 'measure' },
          { label: 'Script', expr: `='<script>alert(1)</' & 'script>'`, kind: 'measure' },
        ],
      },
    ],
  })
  const use = { reportId: report.id, fileName: '{key}' }
  const task = await reports.mailTask('Hostile', report.id, {
    reports: [
      { key: 'csv', format: 'csv', ...use },
      { key: 'html', format: 'html', ...use },
    ],
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: 'hostile' }],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.events]).toEqual(['success', []])
  const read = (name: string) => readFileSync(reports.space.join('finance', 'hostile', name), 'utf8')
  expect(read('csv.csv')).toBe(`\ufeffCommand,Script\r\n'=cmd|/C calc!A0,<script>alert(1)</script>\r\n`)
  expect(read('html.html')).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
  expect(read('html.html')).not.toContain('<script')
}, 60_000)

test('the task as it was at the start decides a run: later edits do not touch it', async () => {
  const report = await reports.salesReport('Edited')
  const task = await reports.mailTask('Edited', report.id)
  reports.mailbox.answer({ delay: 1500 })
  const runId = await reports.begin(task.id)
  await reports.product.process.waitForLine(new RegExp(`run=${runId.slice(-8)} document`), 30_000)
  await reports.call('PATCH', `/v4/reporttask/${task.id}`, {
    email: { enabled: true, subject: 'Changed' },
    recipients: [{ type: 'address', address: 'changed@acme.example' }],
  })
  const run = await reports.ended(runId)
  reports.mailbox.answer({})
  expect(run.outcome).toBe('success')
  expect(reports.mailsTo('edited@acme.example').map(({ parsed }) => parsed.subject)).toEqual(['Edited'])
  expect(reports.mailsTo('changed@acme.example')).toEqual([])
  const whole = await reports.call<{ definition: { task: Named & { email: { subject: string } } } }>(
    'GET',
    `/v4/reportrun/${runId}?definition=1`,
  )
  expect(whole.definition.task.email.subject).toBe('Edited')
}, 60_000)
