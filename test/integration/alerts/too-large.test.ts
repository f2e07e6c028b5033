/** A receiver that refuses a message for its size gets it once more: shortened, without attachment, and it says so. */
import { afterEach, expect, test } from 'bun:test'
import { type AddressAnswers, addAnswer, smtpFailure } from '../../../src/alerts/destinations/email/transport.ts'
import { publishing } from '../../../src/alerts/destinations/mqtt.ts'
import { SHORTENED, shortened } from '../../../src/alerts/outbox/shorten.ts'
import { MqttError } from '../../../src/mqtt/connection.ts'
import { saysTooLarge } from '../../../src/platform/too-large.ts'
import { fullEvent } from '../../support/alerts.ts'
import { type EveryDestination, startEveryDestination } from '../../support/every-destination.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('mosquitto')

let site: EveryDestination | null = null
afterEach(async () => {
  await site?.stop()
  site = null
})

const LINES = Array.from({ length: 3000 }, (_, n) => `2026-03-02 07:03:${n % 60} 0${n} Load statement number ${n}`)
const LARGE = {
  scriptLog: { ...fullEvent({}).scriptLog!, lines: [...LINES, `Error: the end${' of a long story'.repeat(200)}`] },
}

const sinkOf = (hooks: EveryDestination['hooks'], name: string) =>
  Object.entries(hooks).find(([one]) => one === name)![1]

/** Refusals as services write them. */
const REFUSALS = [
  { status: 413 },
  {
    status: 400,
    body: '{"id":"web.incoming_webhook.text.length.app_error","message":"Maximum text length is 16383, received text size is 20000"}',
  },
  { status: 400, body: '{"embeds":["Must be 2000 or fewer in length."]}' },
  { status: 400, body: '{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}' },
  { status: 422, body: '{"message":"Request body is not processable. message must not exceed 130 characters"}' },
] as const

/** Their messages are short in this site. */
const NOTHING_LONG = new Set(['newrelic', 'webhook'])

test.each(REFUSALS)(
  'every receiver over HTTP: %j',
  async (refusal) => {
    site = await startEveryDestination(5000)
    const { hooks, fire, rows } = site
    const own = Object.entries(hooks).filter(
      ([name]) => !NOTHING_LONG.has(name) && (name !== 'influxdb' || refusal.status === 413),
    )
    for (const [, { sink }] of own) sink.answerOnce(refusal)
    await fire(0, 0, LARGE)
    const names = own.map(([name]) => (name === 'webhook' || name === 'influxdb' ? name : `my-${name}`))
    await until(() => rows(0).every(({ state }) => state === 'delivered'), { state: () => rows(0) })
    expect(rows(0).map(({ destination }) => destination)).toEqual(expect.arrayContaining(['my-teams', 'influxdb']))
    const attempts = site.db.all<{ destination: string; detail: string }>(
      'SELECT destination, detail FROM delivery WHERE state = ?',
      'delivered',
    )
    for (const name of names) {
      const { detail } = attempts.find(({ destination }) => destination === name)!
      expect([name, detail]).toEqual([name, expect.stringContaining('shortened, as the whole message was refused')])
    }
    const silent = own.filter(([, { sink }]) => !sink.requests[1]?.body.includes('hortened')).map(([name]) => name)
    // Measurements hold numbers and names, and texts only where they are switched on.
    expect(silent.filter((name) => name !== 'influxdb')).toEqual([])
    for (const [name, { sink }] of own) {
      const [, second] = sink.requests
      expect([name, sink.requests.length]).toEqual([name, 2])
      expect([name, second!.body.length < 16_000]).toEqual([name, true])
    }
  },
  30_000,
)

test.each(['data', 'rcptTo'])(
  'a mail: without attachment, and it says so (%s)',
  async (step) => {
    site = await startEveryDestination(5000)
    const { mail, fire, rows } = site
    let answers = 0
    mail.answer({
      get [step]() {
        return answers++ === 0 ? 552 : 0
      },
    })
    await fire(0, 0, LARGE)
    const state = () => rows(0).find(({ destination }) => destination === 'my-email')?.state
    await until(() => state() === 'delivered' || state() === 'dead')
    expect(state()).toBe('delivered')
    const [sent] = mail.mails
    expect(sent!.parsed.attachments).toEqual([])
    expect(sent!.parsed.text).toContain(SHORTENED)
    expect(String(sent!.parsed.html)).toContain(SHORTENED)
  },
  90_000,
)

test.each([
  ['552 5.3.4 Message size exceeds fixed limit', 552, 'DATA', true],
  ['552 5.3.4 Message size exceeds fixed maximum message size', 552, 'MAIL FROM', true],
  ['523 the message exceeds the size limit of the recipient', 523, 'DATA', true],
  ['554 5.3.4 Error: message file too big', 554, 'DATA', true],
  ['550 5.2.3 Message too large for this recipient', 550, 'RCPT TO', true],
  ['552 5.2.2 Mailbox full', 552, 'RCPT TO', false],
  // Without its files it may be taken.
  ['552 5.7.0 This message was blocked because its content presents a potential security issue', 552, 'DATA', true],
  ['550 5.1.1 User unknown', 550, 'RCPT TO', false],
  ['554 5.7.1 Message looks like spam', 554, 'DATA', false],
])('the answer of a mail server: %s', (response, responseCode, command, tooLarge) => {
  const result = smtpFailure(Object.assign(new Error('x'), { code: 'EENVELOPE', response, responseCode, command }))
  expect(result).toMatchObject({ outcome: 'rejected' })
  expect((result as { tooLarge?: boolean }).tooLarge ?? false).toBe(tooLarge)
})

test('too many recipients of one mail: the others get one of their own later, as it is', () => {
  for (const response of ['552 5.5.3 Too many recipients', '552 Too many recipients']) {
    const answers: AddressAnswers = { taken: [], refused: [] }
    addAnswer(answers, response, 'RCPT TO:<b@x.com>')
    expect(answers).toEqual({ taken: [], refused: [{ address: 'b@x.com', detail: response, isPermanent: false }] })
    const error = Object.assign(new Error('x'), { response, responseCode: 552, command: 'RCPT TO' })
    expect(smtpFailure(error)).toMatchObject({ outcome: 'retry' })
  }
})

test.each([
  [true, 'and Butler.emailNotification.smtp.tls.requireTLS forbids sending without TLS'],
  [false, 'which the server offers; Butler.emailNotification.smtp.tls.ignoreTLS: true sends without TLS'],
])('STARTTLS that is refused, requireTLS %p: the words name the setting that helps', (requiresTls, remedy) => {
  const members = { code: 'ETLS', command: 'STARTTLS', response: '454 no tls', responseCode: 454, requiresTls }
  const result = smtpFailure(Object.assign(new Error('x'), members))
  expect(result).toMatchObject({ outcome: 'retry', detail: `no STARTTLS (454 no tls), ${remedy}` })
})

test('a limit that the mail server has announced', () => {
  const error = Object.assign(new Error('Message size larger than allowed 1000'), {
    code: 'EMESSAGE',
    command: 'MAIL FROM',
  })
  expect(smtpFailure(error)).toMatchObject({ outcome: 'rejected', tooLarge: true })
})

test('a broker that ends the connection over a large message three times', async () => {
  const lost = { publish: async () => Promise.reject(new MqttError('NOT_CONNECTED', 'broker lost')) }
  const { deliver } = publishing({ ...lost, connected: true, onConnected: () => undefined } as never)
  const one = async (body: string) =>
    (
      await deliver(
        [{ deliveryId: 'd', target: 't', subject: null, body, payload: { topic: 't', body } }],
        AbortSignal.timeout(5000),
      )
    )[0]
  const large = 'x'.repeat(5000)
  expect([await one(large), await one(large), await one('short')].map((result) => result?.outcome)).toEqual(
    Array(3).fill('retry'),
  )
  expect(await one(large)).toMatchObject({ outcome: 'rejected', tooLarge: true })
})

test('what is short of an event', () => {
  const event = shortened(fullEvent({ ...LARGE, logMessage: 'm'.repeat(9000) }))
  expect(event.logMessage.length).toBeLessThan(400)
  expect(event.logMessage).toEndWith(SHORTENED)
  expect(event.scriptLog!.lines[0]).toBe(SHORTENED)
  expect(event.scriptLog!.lines.at(-1)).toStartWith('Error: the end')
  expect(JSON.stringify(event).length).toBeLessThan(10_000)
})

const TEAMS =
  'Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 with ContextId tcid=0,server=1'

test.each([
  ['Teams', 200, TEAMS],
  ['Teams', 400, '{"error":{"code":"RequestEntityTooLarge","message":"The request is larger than 262144 bytes"}}'],
  ['Slack', 400, 'msg_too_long'],
  ['Slack', 400, 'msg_blocks_too_long'],
  ['Slack', 400, 'invalid_blocks'],
  ['Slack', 400, 'too_many_attachments'],
  ['Discord', 400, '{"content":["Must be 2000 or fewer in length."]}'],
  [
    'Discord',
    400,
    '{"code":50035,"errors":{"embeds":{"0":{"description":{"_errors":[{"code":"BASE_TYPE_MAX_LENGTH"}]}}}}}',
  ],
  ['Google Chat', 400, '{"error":{"code":400,"message":"Message cannot exceed 4096 characters"}}'],
  ['ntfy', 400, '{"code":40026,"http":400,"error":"invalid request: message too large"}'],
  ['Mattermost', 400, '{"message":"Maximum text length is 16383, received text size is 20000"}'],
  ['Mattermost', 400, '{"message":"Post Message property is longer than the maximum permitted length."}'],
  ['Rocket.Chat', 400, '{"success":false,"error":"error-message-size-exceeded"}'],
  ['PagerDuty', 400, '{"status":"invalid event","errors":["Length of \'summary\' must be 1024 characters or less"]}'],
  [
    'Opsgenie',
    422,
    '{"message":"Request body is not processable","errors":{"message":"can not be longer than 130 characters"}}',
  ],
  ['Telegram', 400, '{"ok":false,"description":"Bad Request: message is too long"}'],
  ['Matrix', 400, '{"errcode":"M_TOO_LARGE"}'],
  ['InfluxDB', 400, 'string field value too long, 65536 > 64000'],
  ['any', 400, 'PayloadTooLargeError: request entity too large'],
  ['any', 422, '{"detail":[{"type":"string_too_long","msg":"String should have at most 1000 characters"}]}'],
  ['any', 413, ''],
])('%s refuses for size: %d %s', (_, status, text) => {
  expect(saysTooLarge({ status, text: () => text })).toBe(true)
})

test.each([
  [400, '{"error":"unauthorized client"}'],
  [400, 'invalid_payload'],
  [400, 'no_text'],
  [400, '{"error":"rate limit exceeded"}'],
  [400, '{"message":"monthly quota exceeded"}'],
  [400, '{"message":"Too many requests"}'],
  [400, '{"error":{"code":"TriggerInputSchemaMismatch","message":"The input body does not match its schema"}}'],
])('another refusal: %d %s', (status, text) => {
  expect(saysTooLarge({ status, text: () => text })).toBe(false)
})

test('Teams refuses for size in an answer 200, and gets the short message', async () => {
  site = await startEveryDestination(5000)
  const { hooks, fire, rows } = site
  const { sink } = sinkOf(hooks, 'teams')
  sink.answerOnce({ status: 200, body: TEAMS })
  await fire(0, 0, LARGE)
  const state = () => rows(0).find(({ destination }) => destination === 'my-teams')?.state
  await until(() => state() === 'delivered' || state() === 'dead')
  expect([state(), sink.requests.length]).toEqual(['delivered', 2])
  expect(sink.requests[1]!.body).toContain('hortened')
}, 60_000)

/** A log whose error stands far before its end. */
const EARLY = ['Error: the cause', ...LINES]

test('messages about a shortened log have the counts of the whole one', async () => {
  site = await startEveryDestination(5000)
  const { hooks, mail, fire, rows } = site
  const { sink } = sinkOf(hooks, 'slack')
  sink.answerOnce({ status: 413 })
  let answers = 0
  mail.answer({
    get data() {
      return answers++ === 0 ? 552 : 0
    },
  })
  await fire(0, 0, { scriptLog: { lines: EARLY, characters: 120_070 } })
  const states = () => rows(0).filter(({ destination }) => ['my-slack', 'my-email'].includes(destination))
  await until(() => states().every(({ state }) => state === 'delivered'), { state: states })
  const slack = sink.requests[1]!.body
  expect(slack).toMatch(/Last \d+ of 3001 log rows/)
  expect(slack).not.toContain('First')
  expect(slack).toContain('Error: the cause'.slice(7))
  const text = mail.mails[0]!.parsed.text!
  expect(text).toContain('The script log has 3,001 rows with 120,070 characters.')
  expect(text).toMatch(/Last \d+ rows of the script log/i)
  expect(text).not.toMatch(/(?:First|All) (?:\d+ )?rows? of the script log/i)
  // As many rows are there as the title says; what stands before them is set apart.
  const said = Number(/Last (\d+) rows/i.exec(text)![1])
  expect(text.match(/Load statement number/g)).toHaveLength(said)
}, 90_000)

test('a message that cannot be made shorter is not sent again', async () => {
  site = await startEveryDestination(5000)
  const { hooks, mail, fire, rows } = site
  const { sink } = sinkOf(hooks, 'ntfy')
  sink.answerOnce({ status: 413 }, { status: 413 })
  let mails = 0
  mail.answer({
    get data() {
      mails += 1
      return 552
    },
  })
  await fire(0, 0, { scriptLog: null })
  const states = () => rows(0).filter(({ destination }) => ['my-ntfy', 'my-email'].includes(destination))
  await until(() => states().every(({ state }) => state === 'dead'), { state: states })
  expect([sink.requests.length, mails]).toEqual([1, 1])
}, 60_000)
