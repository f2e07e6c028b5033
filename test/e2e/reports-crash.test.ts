/** Report tasks when Footman is killed or stopped in the middle, in the compiled executable. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { REGIONS, type ReportSite, startReportSite } from '../support/report-tasks.ts'
import { until } from '../support/wait.ts'

let reports: ReportSite

beforeAll(async () => {
  reports = await startReportSite()
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())
beforeEach(() => {
  reports.mailbox.answer({})
  reports.mailbox.mails.length = 0
})

const addressesOf = (count: number) => Array.from({ length: count }, (_, n) => `reader${n}@acme.example`)
const recipients = (count: number) => addressesOf(count).map((address) => ({ type: 'address', address }))
const receivers = () => reports.mailbox.mails.flatMap(({ envelope }) => envelope.to)

test('killed while it makes documents: one complete set afterwards', async () => {
  const report = await reports.salesReport('Killed')
  const task = await reports.mailTask('Killed', report.id, {
    reports: [
      { key: 'pack', reportId: report.id, format: 'pdf', fileName: '{report}{cycle}', cycle: { fields: ['Region'] } },
    ],
    storage: [{ spaceId: 'finance', folder: 'killed', onExists: 'suffix' }],
  })
  const runId = await reports.begin(task.id)
  await reports.product.process.waitForLine(new RegExp(`run=${runId.slice(-8)} document`), 30_000)
  await reports.product.process.kill9()
  expect(reports.mailbox.mails).toEqual([])
  await reports.product.start()

  const run = await reports.ended(runId)
  expect([run.outcome, run.events, run.counts.documents]).toEqual(['success', [], 5])
  expect(readdirSync(reports.space.join('finance', 'killed')).toSorted()).toEqual(
    REGIONS.map((region) => `Killed_${region}.pdf`),
  )
  expect(receivers()).toEqual(['killed@acme.example'])
  expect(reports.mailbox.mails[0]!.parsed.attachments).toHaveLength(5)
}, 60_000)

test('killed after seven of twenty mails: the others leave, none twice, at most one is in doubt', async () => {
  const report = await reports.salesReport('Seven')
  const task = await reports.mailTask('Seven', report.id, { recipients: recipients(20) })
  reports.mailbox.answer({ delay: 50 })
  const runId = await reports.begin(task.id)
  await reports.mailbox.received(7)
  await reports.product.process.kill9()
  await reports.product.start()

  const run = await reports.ended(runId)
  const deliveries = await reports.deliveries(runId)
  const doubtful = deliveries.filter(({ state }) => state === 'unknown').map(({ target }) => target)
  expect(doubtful.length).toBeLessThanOrEqual(1)
  expect(deliveries.filter(({ state }) => state === 'sent')).toHaveLength(20 - doubtful.length)
  expect([run.counts.mailsSent, run.counts.mailsHeld]).toEqual([20 - doubtful.length, doubtful.length])
  expect(run.outcome).toBe(doubtful.length === 0 ? 'success' : 'warning')
  expect(new Set(receivers()).size).toBe(receivers().length)
  const missing = addressesOf(20).filter((address) => !receivers().includes(address))
  expect(missing.filter((address) => !doubtful.includes(address))).toEqual([])
}, 60_000)

test('killed when the mail server has the mail but has not answered: held, and sent again with the same Message-ID', async () => {
  const report = await reports.salesReport('Doubt')
  const task = await reports.mailTask('Doubt', report.id, {
    notifications: [{ on: ['warning'], recipients: ['ops-doubt@acme.example'], attachLog: false }],
  })
  reports.mailbox.answer({ silent: true })
  const runId = await reports.begin(task.id)
  const [first] = await reports.mailbox.received(1)
  await reports.product.process.kill9()
  reports.mailbox.answer({})
  await reports.product.start()

  const run = await reports.ended(runId)
  expect([run.outcome, run.reason, run.counts.mailsHeld]).toEqual(['warning', 'MAIL_UNKNOWN', 1])
  expect((await reports.deliveries(runId)).map(({ channel, state }) => [channel, state])).toContainEqual([
    'email',
    'unknown',
  ])
  expect(reports.mailsTo('doubt@acme.example')).toHaveLength(1)
  await until(() => reports.mailsTo('ops-doubt@acme.example').length === 1, { what: 'the notification' })
  const { subject = '', text = '' } = reports.mailsTo('ops-doubt@acme.example')[0]!.parsed
  expect([subject, text]).toEqual([expect.stringContaining('Doubt'), expect.stringContaining('MAIL_UNKNOWN')])

  const { id: childId } = await reports.call('POST', `/v4/reportrun/${runId}/resend`, { states: ['unknown'] }, 202)
  expect((await reports.ended(childId)).outcome).toBe('success')
  const [, second, third] = reports.mailsTo('doubt@acme.example')
  expect(second!.parsed.messageId).toBe(first!.parsed.messageId!)
  expect(second!.parsed.attachments).toHaveLength(1)
  expect(third).toBeUndefined()
}, 60_000)

test('stopped after five of twenty mails: it ends within ten seconds, and the rest leave after the start', async () => {
  const report = await reports.salesReport('Stopped')
  const task = await reports.mailTask('Stopped', report.id, { recipients: recipients(20) })
  reports.mailbox.answer({ delay: 50 })
  const runId = await reports.begin(task.id)
  await reports.mailbox.received(5)
  expect(await reports.product.process.stop(10_000)).toBe(0)
  expect(receivers().length).toBeLessThan(20)
  await reports.product.start()

  const run = await reports.ended(runId)
  expect([run.outcome, run.events, run.counts.mailsSent]).toEqual(['success', [], 20])
  expect(receivers().toSorted()).toEqual(addressesOf(20).toSorted())
}, 60_000)

test('a run that waits when Footman is killed is made after the start', async () => {
  const report = await reports.salesReport('Waiting')
  const slow = await reports.mailTask('Slow', report.id, { recipients: recipients(20), run: { whenBusy: 'queue' } })
  reports.mailbox.answer({ delay: 100 })
  const [first, second] = [await reports.begin(slow.id), await reports.begin(slow.id)]
  await reports.mailbox.received(1)
  await reports.product.process.kill9()
  reports.mailbox.answer({})
  await reports.product.start()
  await reports.ended(first)
  const run = await reports.ended(second)
  expect([run.outcome, run.counts.mailsSent]).toEqual(['success', 20])
  await until(() => receivers().length >= 39)
}, 60_000)

test('stopped four times while it makes documents: no attempt is used up, and the run is made', async () => {
  const report = await reports.salesReport('Parked')
  const task = await reports.mailTask('Parked', report.id)
  const { simulator } = reports.site
  simulator.fault({ listener: 'engine', mode: 'engine-stall', args: ['GetHyperCubeData'] })
  const runId = await reports.begin(task.id)
  for (let stop = 1; stop <= 4; stop++) {
    await until(
      async () => (await reports.call<{ state: string }>('GET', `/v4/reportrun/${runId}`)).state === 'running',
    )
    expect(await reports.product.process.stop(10_000)).toBe(0)
    await reports.product.start()
  }
  simulator.clearFaults()
  await reports.product.process.stop(10_000)
  await reports.product.start()
  const run = await reports.ended(runId)
  expect([run.outcome, run.events, run.counts.mailsSent]).toEqual(['success', [], 1])
}, 120_000)
