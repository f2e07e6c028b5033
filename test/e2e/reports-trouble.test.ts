/** A mail server that refuses one address of a mail, and a storage space that goes away, at the compiled executable. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, renameSync } from 'node:fs'
import { type ReportSite, startReportSite } from '../support/report-tasks.ts'
import { until } from '../support/wait.ts'

let reports: ReportSite
let reportId = ''

beforeAll(async () => {
  reports = await startReportSite()
  reportId = (await reports.salesReport('Trouble')).id
}, 90_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

test('one of the addresses of a mail is refused: it is named, and the others get the mail', async () => {
  const recipients = ['here@acme.example', 'gone@acme.example'].map((address) => ({ type: 'address', address }))
  const email = { enabled: true, subject: 'One for all', grouping: 'single', cc: ['copy@acme.example'] }
  const task = await reports.mailTask('Refused among others', reportId, { recipients, email })
  reports.mailbox.answer({ rcptTo: { 'gone@acme.example': 550 } })
  const run = await reports.run(task.id)
  reports.mailbox.answer({})
  expect([run.outcome, run.reason]).toEqual(['warning', 'MAIL_REJECTED'])
  expect(run.events.map(({ code, recipient }) => [code, recipient])).toEqual([['MAIL_REJECTED', 'gone@acme.example']])
  expect((await reports.deliveries(run.id)).map(({ target, state }) => [target, state])).toEqual([
    ['here@acme.example', 'sent'],
    ['gone@acme.example', 'failed'],
  ])
  expect(reports.mailsTo('here@acme.example')[0]?.envelope.to).toEqual(['here@acme.example', 'copy@acme.example'])
}, 90_000)

test('a report whose app was deleted is named, and the others are mailed', async () => {
  const appId = 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77'
  const gone = await reports.salesReport('Deleted app', { appId })
  const task = await reports.mailTask('One app deleted', reportId, {
    reports: [gone.id, reportId].map((id, n) => ({ key: ['gone', 'here'][n], reportId: id, format: 'csv' })),
    recipients: [{ type: 'address', address: 'reader@acme.example' }],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.reason]).toEqual(['error', 'APP_NOT_FOUND'])
  expect(run.events.find(({ level }) => level === 'error')).toMatchObject({ report: 'gone', code: 'APP_NOT_FOUND' })
  const [mail] = reports.mailsTo('reader@acme.example')
  expect(mail?.parsed.attachments.map(({ filename }) => filename)).toEqual([expect.stringMatching(/^Trouble.*\.csv$/)])
  expect(mail?.parsed.text).toContain('Deleted app')
}, 90_000)

test('a storage space that is away is reported at once, keeps no other start waiting, and gets its file', async () => {
  const task = await reports.mailTask('Away', reportId, {
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: 'away', onExists: 'overwrite' }],
    notifications: [{ on: ['error'], recipients: ['ops@acme.example'] }],
  })
  const [here, away] = [reports.space.join('finance'), reports.space.join('away')]
  renameSync(here, away)
  const first = await reports.begin(task.id)
  const [mail] = await reports.mailbox.received(1, {
    match: ({ envelope }) => envelope.to.includes('ops@acme.example'),
  })
  expect(mail?.parsed.subject).toBe('[waiting] Report task "Away"')
  expect(mail?.parsed.text).toContain('the folder of the space finance is not available')
  expect(mail?.parsed.text).not.toContain(reports.space.path)
  const second = await reports.begin(task.id)
  await until(async () => (await reports.deliveries(second))[0]?.state === 'retry')
  renameSync(away, here)
  expect([(await reports.ended(first)).outcome, (await reports.ended(second)).outcome]).toEqual(['success', 'success'])
  expect(existsSync(reports.space.join('finance', 'away', 'Trouble.csv'))).toBe(true)
}, 120_000)
