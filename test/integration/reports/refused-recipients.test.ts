/** A mail to several addresses of which the mail server refuses some, for good or for now. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { createReportMailer } from '../../../src/app/reports.ts'
import { createBlobs } from '../../../src/platform/blobs.ts'
import { type CarrierDeps, createMailCarrier } from '../../../src/reports/runs/carriers.ts'
import type { ResendRequest } from '../../../src/reports/runs/resend.ts'
import { configOf, loadButler } from '../../support/config.ts'
import { exampleDefinition, exampleDocument, prepared, runScene } from '../../support/report-runs.ts'
import { type SmtpSink, startSmtpSink } from '../../support/smtp-sink.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

let sink: SmtpSink
let folder: TempDirectory
let mailer: ReturnType<typeof createReportMailer>
let files = 0

beforeAll(async () => {
  sink = await startSmtpSink()
  folder = tempDirectory()
  const smtp = { host: '127.0.0.1', port: sink.port, secure: false, tls: { requireTLS: false, ignoreTLS: true } }
  mailer = createReportMailer(
    await configOf(
      loadButler(
        JSON.stringify({ emailNotification: { enable: true, smtp }, footman: { reportTask: { enable: true } } }),
      ),
    ),
  )
})
afterAll(async () => {
  mailer?.close()
  await sink?.stop()
  folder?.remove()
})
beforeEach(() => {
  sink.mails.length = 0
  sink.answer({})
})

const COPIES = { cc: ['copy@x.com'], bcc: ['blind@x.com'] }

/** One mail to the people and the copies. */
async function scene(people: readonly string[], email: object = {}) {
  const blobs = createBlobs(folder.path)
  const { sha256 } = await blobs.put(Buffer.from('a'))
  const definition = exampleDefinition({
    email: { enabled: true, subject: 'Weekly', grouping: 'single', ...COPIES, ...email },
  })
  const deps: CarrierDeps = {
    blobs,
    spaces: new Map(),
    mailer,
    templates: async () => null,
    secret: () => '',
    formatTime: String,
    timezone: 'Europe/Stockholm',
    hubUrl: () => '',
  }
  files += 1
  const made = runScene({
    file: folder.join(`${files}.db`),
    definition,
    carriers: {
      email: createMailCarrier(deps, {
        fromAddress: 'f@x.com',
        allowedDomains: [],
        host: 'h.example',
        maxAttachmentMb: 20,
      }),
    },
    prepare: async () => prepared(people, { documents: [exampleDocument({ sha256, bytes: 1 })] }),
  })
  await made.runner.start()
  const { runId } = await made.start()
  return {
    ...made,
    runId,
    untilState: (state: string) =>
      until(() => made.ledger.deliveries(runId).some((one) => one.state === state), { what: state }),
  }
}

const envelopes = () => sink.mails.map(({ envelope }) => [...envelope.to].sort())
const deliveriesOf = ({ ledger, runId }: Awaited<ReturnType<typeof scene>>) =>
  ledger.deliveries(runId).map(({ target, state }) => [target, state])
const refusalsOf = ({ ledger, runId }: Awaited<ReturnType<typeof scene>>) =>
  ledger.events(runId).map(({ code, recipient }) => [code, recipient])

/** The place of the refused address in the mail. */
const PLACES = [
  ['a recipient', 'gone@x.com'],
  ['a copy', 'copy@x.com'],
  ['a blind copy', 'blind@x.com'],
] as const

test.each(PLACES)('%s that is refused for good is named, and the others get one mail', async (_, address) => {
  sink.answer({ rcptTo: { [address]: 550 } })
  const one = await scene(['anna@x.com', 'gone@x.com'])
  const run = await one.finished(one.runId)
  const others = ['anna@x.com', 'gone@x.com', 'copy@x.com', 'blind@x.com'].filter((other) => other !== address)
  expect(envelopes()).toEqual([others.toSorted()])
  expect([run.outcome, run.reason, run.counts?.mailsSent, run.counts?.mailsFailed]).toEqual([
    'warning',
    'MAIL_REJECTED',
    1,
    1,
  ])
  expect(refusalsOf(one)).toEqual([['MAIL_REJECTED', address]])
  expect(deliveriesOf(one)).toContainEqual([address, 'failed'])
})

test.each(PLACES)(
  '%s that is refused for now gets the mail later, alone and with the same headers',
  async (_, address) => {
    sink.answer({ rcptTo: { [address]: 451 } })
    const one = await scene(['anna@x.com', 'gone@x.com'])
    await sink.received(1)
    sink.answer({})
    const run = await one.finished(one.runId)
    expect([run.outcome, run.counts?.mailsSent, run.counts?.mailsFailed]).toEqual(['success', 2, 0])
    const [all, later] = sink.mails
    expect([all?.envelope.to.length, later?.envelope.to, sink.mails.length]).toEqual([3, [address], 2])
    expect(later?.parsed.to).toEqual(all?.parsed.to as never)
    expect(later?.parsed.cc).toEqual(all?.parsed.cc as never)
    expect(later?.parsed.messageId).toBe(all?.parsed.messageId as never)
  },
)

test('all refused, some for good: these are named, the others get the mail later', async () => {
  const codes = { 'anna@x.com': 451, 'gone@x.com': 550, 'copy@x.com': 450, 'blind@x.com': 553 }
  sink.answer({ rcptTo: codes })
  const one = await scene(['anna@x.com', 'gone@x.com'])
  await one.untilState('retry')
  sink.answer({})
  const run = await one.finished(one.runId)
  expect(envelopes()).toEqual([['anna@x.com', 'copy@x.com']])
  expect([run.outcome, run.counts?.mailsSent, run.counts?.mailsFailed]).toEqual(['warning', 1, 2])
  expect(refusalsOf(one)).toEqual([
    ['MAIL_REJECTED', 'gone@x.com'],
    ['MAIL_REJECTED', 'blind@x.com'],
  ])
})

test('all refused for now: one mail to all of them later', async () => {
  sink.answer({ rcptTo: 451 })
  const one = await scene(['anna@x.com', 'gone@x.com'])
  await one.untilState('retry')
  sink.answer({})
  expect((await one.finished(one.runId)).outcome).toBe('success')
  expect(envelopes()).toEqual([['anna@x.com', 'blind@x.com', 'copy@x.com', 'gone@x.com']])
})

test('all refused for good: each is named', async () => {
  sink.answer({ rcptTo: 550 })
  const one = await scene(['anna@x.com', 'gone@x.com'], { bcc: [] })
  expect((await one.finished(one.runId)).outcome).toBe('error')
  expect(refusalsOf(one).map(([, recipient]) => recipient)).toEqual(['anna@x.com', 'gone@x.com', 'copy@x.com'])
})

test('a copy that every mail has is named once', async () => {
  sink.answer({ rcptTo: { 'copy@x.com': 550 } })
  const one = await scene(['anna@x.com', 'ben@x.com', 'cleo@x.com'], { grouping: 'perRecipient' })
  const run = await one.finished(one.runId)
  expect([run.counts?.mailsSent, run.counts?.mailsFailed]).toEqual([3, 3])
  expect(refusalsOf(one)).toEqual([['MAIL_REJECTED', 'copy@x.com']])
})

/** Refuses these addresses for the size of the mail so often. */
function refuseSize(addresses: Readonly<Record<string, number>>) {
  const left = new Map(Object.entries(addresses))
  const refuse = (address: string) => ({
    enumerable: true,
    get() {
      const times = left.get(address) ?? 0
      left.set(address, times - 1)
      return times > 0 ? 552 : 0
    },
  })
  sink.answer({
    rcptTo: Object.defineProperties({}, Object.fromEntries([...left.keys()].map((one) => [one, refuse(one)]))),
  })
}

const attachmentsOf = () =>
  sink.mails.map(({ envelope, parsed }) => [[...envelope.to].sort().join(' '), parsed.attachments.length])

test.each(PLACES)('%s whose mailbox takes no mail of this size gets it once more without files', async (_, address) => {
  refuseSize({ [address]: 1 })
  const one = await scene(['anna@x.com', 'gone@x.com'])
  const run = await one.finished(one.runId)
  const others = ['anna@x.com', 'gone@x.com', 'copy@x.com', 'blind@x.com'].filter((other) => other !== address)
  expect(attachmentsOf()).toEqual([
    [others.toSorted().join(' '), 1],
    [address, 0],
  ])
  expect(sink.mails[1]?.parsed.text).toContain('The files are not attached: the mail server refused')
  expect(sink.mails[1]?.parsed.messageId).toBe(sink.mails[0]?.parsed.messageId as never)
  expect([run.outcome, run.reason, run.counts?.mailsSent, run.counts?.mailsFailed]).toEqual([
    'warning',
    'MAIL_INCOMPLETE',
    2,
    0,
  ])
  expect(one.ledger.events(one.runId).map(({ code, recipient, details }) => [code, recipient, details])).toEqual([
    ['MAIL_INCOMPLETE', address, `${address}: sent without its files: 552 Refused`],
  ])
})

test('a second refusal is for good, whatever its reason, and names the address', async () => {
  refuseSize({ 'gone@x.com': 2, 'copy@x.com': 1 })
  const one = await scene(['anna@x.com', 'gone@x.com'])
  const run = await one.finished(one.runId)
  expect(attachmentsOf()).toEqual([
    ['anna@x.com blind@x.com', 1],
    ['copy@x.com', 0],
  ])
  expect([run.outcome, run.counts?.mailsSent, run.counts?.mailsFailed]).toEqual(['warning', 2, 1])
  expect(refusalsOf(one).toSorted()).toEqual([
    ['MAIL_INCOMPLETE', 'copy@x.com'],
    ['MAIL_REJECTED', 'gone@x.com'],
  ])
})

test('all refused for the size: one mail without files to all of them', async () => {
  refuseSize({ 'anna@x.com': 1, 'gone@x.com': 1, 'copy@x.com': 1, 'blind@x.com': 1 })
  const one = await scene(['anna@x.com', 'gone@x.com'])
  expect((await one.finished(one.runId)).outcome).toBe('warning')
  expect(attachmentsOf()).toEqual([['anna@x.com blind@x.com copy@x.com gone@x.com', 0]])
})

test('a copy that takes no mail of all is named once', async () => {
  refuseSize({ 'copy@x.com': 99 })
  const one = await scene(['anna@x.com', 'ben@x.com', 'cleo@x.com'], { grouping: 'perRecipient' })
  const run = await one.finished(one.runId)
  expect([run.counts?.mailsSent, run.counts?.mailsFailed]).toEqual([3, 3])
  expect(refusalsOf(one)).toEqual([['MAIL_REJECTED', 'copy@x.com']])
})

/** Answers of the server, one after the other, then none but the usual. */
const sequence = (...codes: readonly number[]) => {
  const left = [...codes]
  return { enumerable: true, get: () => left.shift() ?? 0 }
}

test.each([
  ['single', 451],
  ['single', 550],
  ['perRecipient', 451],
  ['perRecipient', 550],
] as const)('%s: all but the one that the short mail is refused for with %i got less', async (grouping, code) => {
  const refused = grouping === 'single' ? 'gone@x.com' : 'copy@x.com'
  const rcptTo = Object.defineProperty({}, refused, sequence(0, code))
  sink.answer(Object.defineProperty({ rcptTo }, 'data', sequence(552)))
  const people = grouping === 'single' ? ['anna@x.com', 'gone@x.com'] : ['anna@x.com']
  const one = await scene(people, { grouping, cc: ['copy@x.com'], bcc: [] })
  const run = await one.finished(one.runId)
  const shorter = ['anna@x.com', ...(grouping === 'single' ? ['copy@x.com'] : [])].join(' ')
  expect(attachmentsOf()).toEqual([[shorter, 0], ...(code === 451 ? [[refused, 1]] : [])])
  expect(run.outcome).toBe('warning')
  expect(refusalsOf(one)).toEqual([
    ['MAIL_INCOMPLETE', shorter.replace(' ', ', ')],
    ...(code === 550 ? [['MAIL_REJECTED', refused]] : []),
  ])
})

test.each([
  [451, 550, 'failed'],
  [451, 552, 'sent'],
])('%i for one address, then %i for the content: it gets the mail later, alone', async (own, content, others) => {
  const rcptTo = Object.defineProperty({}, 'gone@x.com', sequence(own))
  sink.answer(Object.defineProperty({ rcptTo }, 'data', sequence(content)))
  const one = await scene(['anna@x.com', 'gone@x.com'], { cc: [], bcc: [] })
  const run = await one.finished(one.runId)
  expect(deliveriesOf(one).toSorted()).toEqual([
    ['anna@x.com', others],
    ['gone@x.com', 'sent'],
  ])
  expect(attachmentsOf().toSorted()).toEqual([...(content === 552 ? [['anna@x.com', 0]] : []), ['gone@x.com', 1]])
  expect([run.outcome, refusalsOf(one)]).toEqual([
    'warning',
    [[content === 552 ? 'MAIL_INCOMPLETE' : 'MAIL_REJECTED', 'anna@x.com']],
  ])
})

/** Sends failed deliveries of the first run again; resolves when that is over. */
async function resent(one: Awaited<ReturnType<typeof scene>>, request: Partial<ResendRequest> = {}) {
  const run = await one.finished(one.runId)
  const all = {
    states: ['failed'],
    recipients: null,
    corrections: {},
    confirmDuplicates: false,
    actor: 'test',
  } as const
  const answer = await one.runner.resend({ run, ...all, ...request })
  if (answer.status === 'started') await one.finished(answer.run.id)
  return answer
}

test('a mail that is sent again to some of its addresses goes to no other, nor to its copies', async () => {
  const one = await scene(['anna@x.com', 'gone@x.com'])
  await one.finished(one.runId)
  const again = async (recipients: readonly string[]) => {
    const answer = await resent(one, { states: ['sent'], recipients, confirmDuplicates: true })
    return answer.status === 'started' ? envelopes().at(-1) : answer
  }
  expect(await again(['Anna@x.com'])).toEqual(['anna@x.com'])
  expect(await again(['gone@x.com', 'copy@x.com'])).toEqual(['copy@x.com', 'gone@x.com'])
  const unknown = { status: 'unknown', recipients: ['other@x.com'], corrections: [] } as const
  expect(await again(['other@x.com'])).toEqual(unknown)
  expect(await again(['anna@x.com', 'Other@x.com'])).toEqual(unknown)
  expect(sink.mails.at(-1)?.parsed.to?.map(({ address }) => address)).toEqual(['anna@x.com', 'gone@x.com'])
})

test('a mail that is sent again has its files', async () => {
  refuseSize({ 'gone@x.com': 2 })
  const one = await scene(['anna@x.com', 'gone@x.com'], { cc: [], bcc: [] })
  await resent(one)
  expect(attachmentsOf()).toEqual([
    ['anna@x.com', 1],
    ['gone@x.com', 1],
  ])
})

test('a refused address that is corrected gets the mail, and the others not again', async () => {
  sink.answer({ rcptTo: { 'gone@x.com': 550 } })
  const one = await scene(['anna@x.com', 'gone@x.com'])
  await one.finished(one.runId)
  sink.answer({})
  await resent(one, { corrections: { 'gone@x.com': 'found@x.com' } })
  expect(envelopes().at(-1)).toEqual(['found@x.com'])
  expect(sink.mails.at(-1)?.parsed.to?.map(({ address }) => address)).toEqual(['anna@x.com', 'found@x.com'])
})

test.each<[string, object, object]>([
  ['a recipient', { recipients: ['gone@x.com', 'nobody@x.com'] }, { recipients: ['nobody@x.com'], corrections: [] }],
  [
    'a corrected address',
    { corrections: { 'Typo@x.com': 'a@x.com' } },
    { recipients: [], corrections: ['typo@x.com'] },
  ],
  [
    'a corrected address of a mail that is not sent',
    { recipients: ['gone@x.com'], corrections: { 'copy@x.com': 'c@x.com' } },
    { recipients: [], corrections: ['copy@x.com'] },
  ],
])('%s that no mail has: nothing is sent again', async (_, request, names) => {
  sink.answer({ rcptTo: { 'gone@x.com': 550, 'copy@x.com': 550 } })
  const one = await scene(['anna@x.com', 'gone@x.com'])
  await one.finished(one.runId)
  sink.answer({})
  expect(await resent(one, request)).toEqual({ status: 'unknown', ...names } as never)
  expect(envelopes()).toHaveLength(1)
})

test('a second resend sends what the first could not, and nothing again', async () => {
  sink.answer({ rcptTo: { 'gone@x.com': 550, 'copy@x.com': 550 } })
  const one = await scene(['anna@x.com', 'gone@x.com'])
  const run = await one.finished(one.runId)
  sink.answer({ rcptTo: { 'copy@x.com': 550 } })
  // A double click: the second comes before the first is over.
  const request = { run, states: ['failed'], recipients: null, corrections: {}, actor: 'test' } as const
  const both = [request, request].map((each) => one.runner.resend({ ...each, confirmDuplicates: false }))
  const [first, second] = await Promise.all(both)
  expect([first?.status, second?.status]).toEqual(['started', 'delivered'])
  await one.finished((first as { run: { id: string } }).run.id)
  sink.answer({})
  expect(await resent(one, { recipients: ['gone@x.com', 'copy@x.com'] })).toMatchObject({
    status: 'delivered',
    receivers: [{ receiver: 'gone@x.com' }],
  })
  expect((await resent(one)).status).toBe('started')
  expect(envelopes().slice(1)).toEqual([['gone@x.com'], ['copy@x.com']])
  expect((await resent(one)).status).toBe('delivered')
  expect((await resent(one, { confirmDuplicates: true })).status).toBe('started')
  expect(envelopes().slice(3)).toEqual([['gone@x.com'], ['copy@x.com']])
})

test('an address that was corrected has the mail: the wrong one does not get it again', async () => {
  sink.answer({ rcptTo: { 'gone@x.com': 550 } })
  const one = await scene(['anna@x.com', 'gone@x.com'])
  await one.finished(one.runId)
  sink.answer({})
  expect((await resent(one, { corrections: { 'gone@x.com': 'found@x.com' } })).status).toBe('started')
  expect((await resent(one)).status).toBe('delivered')
})

test.each(['single', 'perRecipient'])('a correction to an address that has the report: %s', async (grouping) => {
  sink.answer({ rcptTo: { 'gone@x.com': 550 } })
  const one = await scene(['anna@x.com', 'gone@x.com'], { grouping, cc: [], bcc: [] })
  await one.finished(one.runId)
  sink.answer({})
  const corrections = { 'gone@x.com': 'Anna@x.com' }
  const before = envelopes().length
  expect(await resent(one, { corrections })).toMatchObject({
    status: 'delivered',
    receivers: [{ receiver: 'Anna@x.com', runId: one.runId }],
  })
  expect(envelopes()).toHaveLength(before)
  expect((await resent(one, { corrections, confirmDuplicates: true })).status).toBe('started')
  expect(sink.mails.at(-1)?.parsed.to?.map(({ address }) => address)).toEqual(['Anna@x.com'])
})

test('a whole mail of which two addresses are corrected to one goes there once', async () => {
  sink.answer({ data: 554 })
  const one = await scene(['a@x.com', 'b@x.com'])
  await one.finished(one.runId)
  sink.answer({})
  await resent(one, { corrections: { 'a@x.com': 'c@x.com', 'b@x.com': 'c@x.com', 'copy@x.com': 'c@x.com' } })
  expect(sink.mails.map(({ envelope }) => envelope.to)).toEqual([['c@x.com', 'blind@x.com']])
})
