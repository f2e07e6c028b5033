/** Mails about the outcome of a run. */
import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { SendMailOptions } from 'nodemailer'
import type { RunCode } from '../../../../src/reports/codes.ts'
import { levelOf } from '../../../../src/reports/codes.ts'
import type { Outcome } from '../../../../src/reports/entities/task.ts'
import type { MailOutcome } from '../../../../src/reports/mailer.ts'
import type { DeliveryJob } from '../../../../src/reports/runs/deliver.ts'
import type { RunRecord } from '../../../../src/reports/runs/ledger.ts'
import {
  createNotificationCarrier,
  type Notice,
  type NotifierDeps,
  noticeText,
  planNotifications,
} from '../../../../src/reports/runs/notify.ts'
import { exampleDefinition } from '../../../support/report-runs.ts'
import { tempDirectory } from '../../../support/temp.ts'

const COUNTS = {
  documents: 11,
  mailsSent: 19,
  mailsFailed: 0,
  mailsHeld: 0,
  filesWritten: 1,
  hubItems: 11,
  warnings: 0,
  errors: 1,
}
const run = (outcome: Outcome, changes: Partial<RunRecord> = {}) =>
  ({
    id: '019aa51a-f5f5-7c11-9b5e-2f2f6a0c1e10',
    taskName: 'Weekly sales pack',
    project: 'Sales',
    outcome,
    reason: null,
    queuedAt: Date.parse('2025-11-21T06:29:58Z'),
    startedAt: Date.parse('2025-11-21T06:30:00Z'),
    finishedAt: Date.parse('2025-11-21T06:30:15Z'),
    counts: COUNTS,
    ...changes,
  }) as RunRecord

function plan(rules: readonly object[], outcome: Outcome, hadFailed = false, isAllowed = (_: string) => true) {
  const definition = exampleDefinition({ notifications: rules })
  return planNotifications({ run: run(outcome), definition, hadFailed, testAddress: null, isAllowed })
}

test.each<[readonly string[], Outcome, boolean, number]>([
  [['success'], 'success', false, 1],
  [['success'], 'warning', false, 0],
  [['warning', 'error'], 'warning', false, 1],
  [['warning', 'error'], 'error', false, 1],
  [['success', 'warning', 'error'], 'skipped', false, 0],
  [['skipped'], 'skipped', false, 1],
  [['success', 'warning', 'error', 'skipped', 'recovered'], 'cancelled', true, 0],
  [['recovered'], 'success', true, 1],
  // Somebody got nothing: the report does not work again.
  [['recovered'], 'warning', true, 0],
  [['recovered'], 'error', true, 0],
  [['recovered'], 'success', false, 0],
  [['success', 'recovered'], 'success', true, 1],
])('a rule on %j, outcome %s, failed before: %p: %d mails', (on, outcome, hadFailed, expected) => {
  expect(plan([{ on, recipients: ['ops@x.com'] }], outcome, hadFailed)).toHaveLength(expected)
})

test('each address of each rule gets a mail of its own, those of foreign domains none', () => {
  const rules = [
    { on: ['error'], recipients: ['a@x.com', 'b@x.com'] },
    { on: ['error', 'warning'], recipients: ['a@x.com', 'c@other.com'] },
  ]
  const isAllowed = (address: string) => address.endsWith('@x.com')
  expect(plan(rules, 'error', false, isAllowed).map(({ target }) => target)).toEqual(['a@x.com', 'b@x.com', 'a@x.com'])
})

const event = (code: RunCode, details: string, more: object = {}) => ({
  at: '2025-11-21T06:30:11.902Z',
  level: levelOf(code),
  code,
  details,
  ...more,
})
const mail = (target: string, state: 'sent' | 'failed' | 'unknown' = 'sent', cc: readonly string[] = []) => ({
  channel: 'email' as const,
  target,
  state,
  payload: { to: target.split(', '), cc, bcc: [], insteadOf: null },
})
const notice = (changes: Partial<Notice> = {}): Notice => ({
  events: [],
  deliveries: Array.from({ length: 19 }, (_, index) => mail(`p${index}@company.com`)),
  url: 'https://b.company.com/console/reportrun/1',
  recovered: false,
  ...changes,
})
const LAST = 'Run: https://b.company.com/console/reportrun/1'
const NUMBERS = '11 documents, 19 of 19 mails sent, 1 file, 11 hub items.'
const WRONG = event('FILTER_VALUE_UNKNOWN', 'Region: Norrd', { recipient: 'bob@company.com', report: 'pack' })

test.each<[string, RunRecord, Notice, readonly string[]]>([
  ['success', run('success'), notice(), ['Report task "Weekly sales pack" finished after 15 s.', NUMBERS]],
  [
    'success after an error',
    run('success'),
    notice({ recovered: true }),
    ['Report task "Weekly sales pack" finished after 15 s. It had failed before.', NUMBERS],
  ],
  [
    'warning of a report',
    run('warning'),
    notice({ events: [event('ROWS_TRUNCATED', '10 of 20 rows', { report: 'book' })] }),
    [
      'Report task "Weekly sales pack" finished with warnings after 15 s.',
      NUMBERS,
      'book: ROWS_TRUNCATED (10 of 20 rows)',
    ],
  ],
  [
    'a person who got nothing counts as a mail that is missing',
    run('error'),
    notice({ events: [WRONG] }),
    [
      'Report task "Weekly sales pack" finished with errors after 15 s.',
      '11 documents, 19 of 20 mails sent, 1 file, 11 hub items.',
      'bob@company.com got nothing: FILTER_VALUE_UNKNOWN (Region: Norrd)',
    ],
  ],
  [
    'a person who got the rest',
    run('error'),
    notice({ events: [WRONG], deliveries: [mail('anna@company.com, bob@company.com')] }),
    [
      'Report task "Weekly sales pack" finished with errors after 15 s.',
      NUMBERS,
      'bob@company.com got less: FILTER_VALUE_UNKNOWN (Region: Norrd)',
    ],
  ],
  [
    'a mail without its files',
    run('warning'),
    notice({
      events: [event('MAIL_INCOMPLETE', 'no files', { recipient: 'p1@company.com, copy@company.com' })],
      deliveries: [mail('p1@company.com', 'sent', ['copy@company.com'])],
    }),
    [
      'Report task "Weekly sales pack" finished with warnings after 15 s.',
      NUMBERS,
      'p1@company.com, copy@company.com got less: MAIL_INCOMPLETE (no files)',
    ],
  ],
  [
    'a mail that was refused, whose copy reached the same person with another mail',
    run('warning'),
    notice({
      events: [event('MAIL_REJECTED', '550 spam', { recipient: 'p1@company.com, copy@company.com' })],
      deliveries: [
        mail('p1@company.com', 'failed', ['copy@company.com']),
        mail('p2@company.com', 'sent', ['copy@company.com']),
      ],
    }),
    [
      'Report task "Weekly sales pack" finished with warnings after 15 s.',
      NUMBERS,
      'p1@company.com got nothing, copy@company.com got less: MAIL_REJECTED (550 spam)',
    ],
  ],
  [
    'a mail to several that ended at the deadline is one mail',
    run('error', { counts: { ...COUNTS, mailsSent: 18, mailsFailed: 1 } }),
    notice({
      events: [event('DELIVERY_DEADLINE', '451 later', { recipient: 'p1@company.com, copy@company.com' })],
      deliveries: [mail('p1@company.com', 'failed', ['copy@company.com'])],
    }),
    [
      'Report task "Weekly sales pack" finished with errors after 15 s.',
      '11 documents, 18 of 19 mails sent, 1 file, 11 hub items.',
      'p1@company.com, copy@company.com got nothing: DELIVERY_DEADLINE (451 later)',
    ],
  ],
  [
    'a mail that is held',
    run('warning', { counts: { ...COUNTS, mailsSent: 18, mailsHeld: 1 } }),
    notice({
      events: [event('MAIL_UNKNOWN', 'the connection broke', { recipient: 'anna@company.com' })],
      deliveries: [mail('anna@company.com', 'unknown')],
    }),
    [
      'Report task "Weekly sales pack" finished with warnings after 15 s.',
      '11 documents, 18 of 19 mails sent, 1 file, 11 hub items.',
      'anna@company.com may have got the mail: MAIL_UNKNOWN (the connection broke)',
    ],
  ],
  [
    'skipped',
    run('skipped', {
      reason: 'CONDITION_NOT_MET',
      counts: { ...COUNTS, documents: 0, mailsSent: 0, filesWritten: 0, hubItems: 0 },
    }),
    notice({ events: [event('CONDITION_NOT_MET', 'not today')], deliveries: [] }),
    [
      'Report task "Weekly sales pack" was skipped after 15 s.',
      '0 documents, 0 of 0 mails sent, 0 files, 0 hub items.',
      'Reason: CONDITION_NOT_MET.',
    ],
  ],
])('text: %s', (_, ended, about, lines) => {
  expect(noticeText(ended, about).split('\n')).toEqual([...lines, LAST])
})

test('of many reasons 20 are listed', () => {
  const events = Array.from({ length: 33 }, (_, index) => event('ADDRESS_INVALID', `a${index}`))
  const lines = noticeText(run('warning'), notice({ events })).split('\n')
  expect(lines.filter((line) => line.includes('ADDRESS_INVALID'))).toHaveLength(20)
  expect(lines.at(-2)).toBe('and 13 more')
})

/** The mail of a notification, and the result of its attempt. */
async function delivered(
  rule: object,
  {
    testAddress = null as string | null,
    log = 'one line\n',
    answer = { outcome: 'sent', detail: 'ok' } as MailOutcome,
    outcome = 'error' as Outcome,
  } = {},
) {
  const folder = tempDirectory()
  const file = folder.join('run.log')
  writeFileSync(file, log)
  const mails: SendMailOptions[] = []
  const deps = {
    ledger: { events: () => [], deliveries: () => [] },
    runLog: { path: async () => file },
    runUrl: (id: string) => `https://b.company.com/console/reportrun/${id}`,
    mailer: {
      async send(sent: SendMailOptions) {
        mails.push(sent)
        return answer
      },
    },
  } as unknown as NotifierDeps
  const settings = { fromAddress: 'Reports <r@company.com>', host: 'b.company.com', maxAttachmentMb: 20 }
  const carrier = createNotificationCarrier(deps, {
    ...settings,
    allowedDomains: [],
    timezone: 'Europe/Stockholm',
    locale: 'en-GB',
  })
  const definition = exampleDefinition({ notifications: [{ on: [outcome], recipients: ['ops@x.com'], ...rule }] })
  const [delivery] = planNotifications({
    run: run(outcome),
    definition,
    hadFailed: false,
    testAddress,
    isAllowed: () => true,
  })
  const result = await carrier({ run: run(outcome), delivery } as unknown as DeliveryJob)
  folder.remove()
  return { mail: mails[0]!, mails, result, delivery: delivery! }
}

test('the mail: subject, priority, headers, log of the run', async () => {
  const { mail: sent, delivery } = await delivered({})
  expect([sent.subject, sent.priority, sent.from]).toEqual([
    '[error] Report task "Weekly sales pack"',
    'high',
    'Reports <r@company.com>',
  ])
  expect(sent.to).toEqual([{ name: '', address: 'ops@x.com' }])
  expect(sent.messageId).toBe(`<${delivery.id}@b.company.com>`)
  const [log] = sent.attachments!
  // The time of the start, in the zone of the task.
  expect([log!.filename, String(log!.content)]).toEqual([
    'report-task_Weekly sales pack_2025-11-21_07-30-00.log',
    'one line\n',
  ])
  expect((await delivered({}, { outcome: 'warning' })).mail.priority).toBe('normal')
})

test('a log of more than 1 MB is compressed; without attachLog there is none', async () => {
  const log = 'x'.repeat(1024 * 1024 + 1)
  const [packed] = (await delivered({}, { log })).mail.attachments!
  expect(packed!.filename).toBe('report-task_Weekly sales pack_2025-11-21_07-30-00.log.gz')
  expect(gunzipSync(packed!.content as Buffer).toString() === log).toBe(true)
  expect((await delivered({ attachLog: false })).mail.attachments).toEqual([])
})

test('a mail that is refused for its size goes without the log, and says so; one without a log is not sent again', async () => {
  const answer: MailOutcome = { outcome: 'rejected', detail: '552 5.3.4 too large', tooLarge: true }
  const { mails, result } = await delivered({}, { answer })
  expect(mails.map(({ attachments }) => attachments!.length)).toEqual([1, 0])
  expect(String(mails[1]!.text)).toStartWith('The files are not attached: the mail server refused the mail with them.')
  expect(result).toMatchObject({ state: 'failed', code: 'MAIL_REJECTED' })
  expect((await delivered({ attachLog: false }, { answer })).mails).toHaveLength(1)
})

test('test mode: to the test address alone, which sees for whom the mail was', async () => {
  const { mail: sent } = await delivered({ subject: '{project}: {task} {outcome}' }, { testAddress: 'tester@x.com' })
  expect([sent.to, sent.subject]).toEqual([
    [{ name: '', address: 'tester@x.com' }],
    'ops@x.com: Sales: Weekly sales pack error',
  ])
  expect(String(sent.text).split('\n')[0]).toBe('TEST — would have gone to ops@x.com')
  expect(String(sent.html)).toContain('TEST — would have gone to ops@x.com')
})

test.each<[MailOutcome, object]>([
  [
    { outcome: 'sent', detail: '250 ok' },
    { state: 'sent', detail: 'smtp="250 ok"' },
  ],
  [
    { outcome: 'retry', detail: '451 later', peerDown: false },
    { state: 'retry', detail: '451 later', channelDown: false },
  ],
  [
    { outcome: 'retry', detail: 'refused', peerDown: true },
    { state: 'retry', detail: 'refused', channelDown: true },
  ],
  [
    { outcome: 'rejected', detail: '550 no' },
    { state: 'failed', code: 'MAIL_REJECTED', detail: '550 no' },
  ],
  [
    { outcome: 'unknown', detail: 'broken' },
    { state: 'unknown', detail: 'broken' },
  ],
])('the answer %j of the mail server', async (answer, expected) => {
  expect((await delivered({}, { answer })).result).toEqual(expected as never)
})
