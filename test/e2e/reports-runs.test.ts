/** Report tasks from their definition to mails and files, in the compiled executable. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { type Named, REGIONS, type ReportSite, type RunAnswer, startReportSite } from '../support/report-tasks.ts'
import { until } from '../support/wait.ts'

const NOBODY = '00000000-0000-4000-8000-000000000000'
let reports: ReportSite

beforeAll(async () => {
  reports = await startReportSite({ secrets: { short: 'elf Zeichen' } })
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

test('20 recipients: in test mode 20 mails at the test address, afterwards one for each', async () => {
  const { call, mailbox } = reports
  const report = await reports.salesReport('Twenty')
  const people = await Promise.all(Array.from({ length: 20 }, (_, n) => reports.person(`person${n}@acme.example`)))
  const group = await call('POST', '/v4/recipientgroup', { name: 'Everybody', memberIds: people.map(({ id }) => id) })
  const task = await reports.mailTask('Twenty people', report.id, {
    reports: [{ key: 'pack', reportId: report.id, format: 'html', fileName: '{report}' }],
    recipients: [{ type: 'group', groupId: group.id }],
    email: { enabled: true, cc: ['copy@acme.example'], bcc: ['hidden@acme.example'], subject: 'Weekly sales' },
    testMode: { enabled: true, address: 'tester@acme.example' },
  })

  const tested = await reports.run(task.id)
  expect([tested.outcome, tested.events, tested.counts.mailsSent, tested.test]).toEqual(['success', [], 20, true])
  expect(mailbox.mails.map(({ envelope }) => envelope.to)).toEqual(
    Array.from({ length: 20 }, () => ['tester@acme.example']),
  )
  const subjects = mailbox.mails.map(({ parsed }) => parsed.subject ?? '')
  expect(subjects.toSorted()).toEqual(people.map((_, n) => `person${n}@acme.example: Weekly sales`).toSorted())
  for (const { parsed, raw } of mailbox.mails) {
    expect(parsed.attachments.map(({ filename }) => filename)).toEqual(['Twenty.html'])
    expect(raw).not.toMatch(/^b?cc:/im)
  }

  mailbox.mails.length = 0
  await call('PATCH', `/v4/reporttask/${task.id}`, { testMode: { enabled: false } })
  const real = await reports.run(task.id)
  expect([real.outcome, real.counts.mailsSent]).toEqual(['success', 20])
  const to = mailbox.mails.map(({ parsed }) => parsed.to?.[0]?.address)
  expect(to.toSorted()).toEqual(people.map((_, n) => `person${n}@acme.example`).toSorted())
  expect(mailbox.mails[0]!.parsed.subject).toBe('Weekly sales')

  const metrics = await (await reports.product.call('GET', '/metrics')).text()
  expect(
    metrics.split('\n').filter((line) => /^footman_report_(?!run_duration_seconds_(bucket|sum))/.test(line)),
  ).toEqual([
    'footman_report_runs_total{outcome="success"} 2',
    'footman_report_run_duration_seconds_count 2',
    'footman_report_documents_total{format="html"} 2',
    'footman_report_mails_total{state="sent"} 40',
    'footman_report_mails_total{state="failed"} 0',
    'footman_report_mails_total{state="held"} 0',
    'footman_report_queue_length 0',
    'footman_report_engine_sessions 0',
  ])
}, 120_000)

test('a cycle writes a file for each value, in every format', async () => {
  const report = await reports.salesReport('Pack')
  const formats = ['csv', 'xlsx', 'html', 'pdf', 'json', 'svg', 'png'] as const
  const task = await reports.mailTask('Files of regions', report.id, {
    enabled: false,
    reports: formats.map((format) => ({
      key: format,
      reportId: report.id,
      format,
      fileName: '{report}{cycle}',
      ...(format === 'csv' ? { block: 'table' } : format === 'svg' || format === 'png' ? { block: 'chart' } : {}),
      cycle: { fields: ['Region'] },
    })),
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: 'weekly/{date:yyyy}' }],
  })
  const ended = await reports.run(task.id, { force: true })
  expect([ended.outcome, ended.events]).toEqual(['success', []])
  const folder = reports.space.join('finance', 'weekly', String(new Date().getFullYear()))
  const names = readdirSync(folder).toSorted()
  expect(names).toEqual(REGIONS.flatMap((region) => formats.map((format) => `Pack_${region}.${format}`)).toSorted())
  expect(readFileSync(`${folder}/Pack_Nordic.csv`, 'utf8')).toMatch(/^\ufeffRegion,Sales\r\nNordic,[\d.]+\r\n$/)
  expect(readFileSync(`${folder}/Pack_Nordic.pdf`, 'latin1')).toStartWith('%PDF')
}, 120_000)

test('an event for a disabled task makes nothing and leaves one skipped run', async () => {
  const { simulator } = reports.site
  const [qlikTask] = (await reports.site.qrs('GET', 'reloadtask', { filter: `name eq 'Inventory partial'` })).json<
    Named[]
  >()
  const report = await reports.salesReport('Disabled')
  const trigger = { type: 'qlikEvent', event: 'taskSucceeded', match: { taskId: [qlikTask!.id] } }
  const [disabled, enabled] = await Promise.all([
    reports.mailTask('Disabled', report.id, { enabled: false, triggers: [trigger] }),
    reports.mailTask('Enabled', report.id, { triggers: [trigger] }),
  ])
  const runsOf = async ({ id }: Named) =>
    (await reports.call<{ runs: RunAnswer[] }>('GET', `/v4/reporttask/${id}/runs`)).runs

  for (const round of [1, 2]) {
    simulator.runTask('Inventory partial')
    await simulator.ended('Inventory partial')
    // The enabled task has the same trigger: once it ran, the event has been dealt with.
    await until(async () => (await runsOf(enabled)).filter(({ outcome }) => outcome === 'success').length === round)
  }
  const runs = await until(async () => {
    const found = await runsOf(disabled)
    return found.length > 0 && found
  })
  expect(runs.map(({ outcome, reason, counts }) => [outcome, reason, counts.documents])).toEqual([
    ['skipped', 'TASK_DISABLED', 0],
  ])
  expect(reports.mailsTo('disabled@acme.example')).toEqual([])
  expect(reports.mailsTo('enabled@acme.example')).toHaveLength(2)
}, 60_000)

test('disabling three tasks of which one does not exist', async () => {
  const report = await reports.salesReport('Bulk')
  const [one, two] = await Promise.all([
    reports.mailTask('Bulk one', report.id),
    reports.mailTask('Bulk two', report.id, { enabled: false }),
  ])
  const answer = await reports.call(
    'POST',
    '/v4/reporttask/-/disable',
    { taskId: [one.id, two.id.toUpperCase(), NOBODY] },
    200,
  )
  expect(answer as object).toEqual({
    tasksChanged: [{ taskId: one.id, taskName: 'Bulk one', enabled: false }],
    tasksUnchanged: [{ taskId: two.id, taskName: 'Bulk two', enabled: false }],
    tasksNotFound: [NOBODY],
    tasksRefused: [],
    totalTasksChanged: 1,
  })
})

test('an unknown key is refused with its path', async () => {
  const report = await reports.salesReport('Strict')
  const body = {
    project: 'Sales',
    name: 'Strict',
    reports: [{ key: 'pack', reportId: report.id, format: 'csv', block: 'table', colour: 'red' }],
  }
  const answer = await reports.call<{ code: string; statusCode: number; issues: { path: string }[] }>(
    'POST',
    '/v4/reporttask',
    body,
    400,
  )
  expect([answer.code, answer.statusCode]).toEqual(['VALIDATION', 400])
  expect(answer.issues.map(({ path }) => path)).toEqual([expect.stringMatching(/^reports\.0(\.colour)?$/)])
})

test('the plan names mails and files, and nothing is sent', async () => {
  const report = await reports.salesReport('Planned')
  const task = await reports.mailTask('Planned', report.id, {
    storage: [{ spaceId: 'finance', folder: 'planned' }],
    reports: [{ key: 'pack', reportId: report.id, format: 'csv', block: 'table', fileName: '{report}' }],
  })
  interface PlanAnswer {
    mails: { to: string; subject: string; attachments: string[] }[]
    files: { spaceId: string; path: string }[]
    documents: { report: string; fileName: string }[]
  }
  const plan = await reports.call<PlanAnswer>('POST', `/v4/reporttask/${task.id}/plan`, {}, 200)
  expect(plan.mails).toEqual([{ to: 'planned@acme.example', subject: 'Planned', attachments: ['Planned.csv'] }])
  expect(plan.files).toEqual([{ spaceId: 'finance', path: 'planned/Planned.csv' }])
  expect(plan.documents.map(({ fileName }) => fileName)).toEqual(['Planned.csv'])
  expect(readdirSync(reports.space.join('finance'))).not.toContain('planned')
  expect(reports.mailsTo('planned@acme.example')).toEqual([])
}, 60_000)

test('the plan warns of copies of many mails and of short passwords, the run does not', async () => {
  const report = await reports.salesReport('Warned')
  const use = { reportId: report.id, format: 'csv', block: 'table', fileName: '{key}' }
  const protect = { zipPassword: 'secretRef:short' }
  const task = await reports.mailTask('Warned', report.id, {
    reports: [{ key: 'locked', ...use, zip: 'perMail', protect }],
    recipients: Array.from({ length: 6 }, (_, index) => ({ type: 'address', address: `warned-${index}@acme.example` })),
    email: { enabled: true, subject: 'Warned', cc: ['boss@acme.example'] },
  })
  type Problems = { problems: readonly { code: string; level: string }[] }
  const { problems } = await reports.call<Problems>('POST', `/v4/reporttask/${task.id}/plan`, {}, 200)
  expect(problems.map(({ code, level }) => [code, level])).toEqual([
    ['COPIES_OF_ALL_MAILS', 'warning'],
    ['PASSWORD_SHORT', 'warning'],
  ])
  const run = await reports.run(task.id)
  expect([run.outcome, run.events]).toEqual(['success', []])
}, 60_000)

test('a task for the hub is not switched on while the hub is off, and says so when it is started', async () => {
  const report = await reports.salesReport('No hub')
  const task = await reports.mailTask('No hub', report.id, { enabled: false, hub: { enabled: true } })
  const on = await reports.call<{ code: string; details: string }>('POST', `/v4/reporttask/${task.id}/enable`, {}, 409)
  expect([on.code, on.details]).toEqual([
    'TASK_INCOMPLETE',
    'The task uses the hub, which is off in Butler.footman.reportTask.hub.enable.',
  ])
  const run = await reports.run(task.id, { force: true })
  expect([run.outcome, run.reason, run.counts.mailsSent, run.counts.hubItems]).toEqual(['error', 'HUB_OFF', 1, 0])
}, 60_000)

test('the file of each region goes to the manager of that region alone', async () => {
  const report = await reports.salesReport('Managers')
  const task = await reports.mailTask('Managers', report.id, {
    reports: [
      {
        key: 'pack',
        reportId: report.id,
        format: 'csv',
        block: 'table',
        fileName: '{report}{cycle}',
        cycle: { fields: ['Region'], emailTo: "=Concat(DISTINCT RegionManagerMail, ';')" },
      },
    ],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.counts.mailsSent]).toEqual(['success', 5])
  // Notifications of the tests before may arrive meanwhile.
  const mine = reports.mailbox.mails.filter(({ parsed }) => parsed.subject === 'Managers')
  const received = mine.map(({ envelope, parsed }) => [
    ...envelope.to,
    ...parsed.attachments.map(({ filename }) => filename),
  ])
  expect(received.toSorted()).toEqual([
    ['astrid@acme.example', 'Managers_Nordic.csv'],
    ['bram@acme.example', 'Managers_Benelux.csv'],
    ['dieter@acme.example', 'Managers_DACH.csv'],
    ['ines@acme.example', 'Managers_Iberia.csv'],
    ['una@acme.example', 'Managers_UK & Ireland.csv'],
  ])
}, 60_000)
