/** Mail and webhooks behind the real router and outbox. */

import { afterEach, describe, expect, test } from 'bun:test'
import { createEmailDestination, emailRules } from '../../../src/alerts/butler-sections/email.ts'
import { createWebhookDestination, webhookRules } from '../../../src/alerts/butler-sections/webhooks.ts'
import { createOutbox } from '../../../src/alerts/outbox/outbox.ts'
import { createRouter } from '../../../src/alerts/router.ts'
import { NOTHING_AWAITED } from '../../../src/events/event-router.ts'
import { loadTaskEvent } from '../../../src/events/store.ts'
import type { TaskEvent } from '../../../src/events/types.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { emailConfig, fullEvent, STOCKHOLM, templateEngine, webhookConfig } from '../../support/alerts.ts'
import { pipelineDatabase, storePending } from '../../support/events.ts'
import { startHttpSink } from '../../support/http-sink.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { startSmtpSink } from '../../support/smtp-sink.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Row {
  target: string
  state: string
  reason: string | null
  attempts: number
  body: string | null
}

/** Failed reloads are mailed and posted as these sections say. */
async function pipeline(mail: { port: number; section: object } | null, webhooks: object | null) {
  const directory = tempDirectory()
  cleanups.push(() => directory.remove())
  const db = pipelineDatabase(directory.join('footman.db'))
  const writer = createGroupWriter(db)
  const log = recordingLog()
  const clock = { now: () => Date.now() }
  const smtp = { host: '127.0.0.1', port: mail?.port ?? 25, secure: false, tls: { requireTLS: false } }
  const section = { enable: true, fromAddress: 'Qlik <q@acme.example>', ...mail?.section }
  const emails = emailConfig({ enable: mail !== null, reloadTaskFailure: section, smtp })
  const hooks = webhookConfig({ enable: webhooks !== null, reloadTaskFailure: webhooks ?? {} })
  const email = createEmailDestination({ log, clock, engine: templateEngine(), times: STOCKHOLM }, emails)
  const webhook = createWebhookDestination({ log, clock, candidates: (path: string) => [path] }, hooks)
  const router = createRouter({ clock, log, onDeliveries: (lanes) => outbox.wake(lanes) }, [
    ...emailRules(emails),
    ...webhookRules(hooks),
  ])
  const outbox = createOutbox(
    {
      db,
      writer,
      log,
      clock,
      rule: router.rule,
      loadEvent: (id) => loadTaskEvent(db, id),
      destinations: new Map([email, webhook].map((destination) => [destination.name, destination])),
    },
    { concurrency: 4, retry: { firstMs: 20, maxMs: 100, jitter: 0 }, maxAgeMs: () => 60_000, shadow: false },
  )
  await outbox.start()
  cleanups.push(async () => {
    await outbox.stop(100)
    await Promise.all([email.close?.(), webhook.close?.()])
    db.close()
  })
  const rows = () => db.all<Row>('SELECT target, state, reason, attempts, body FROM delivery ORDER BY seq')
  return {
    rows,
    log,
    async fire(event: TaskEvent = fullEvent()) {
      await writer.write((tx) => {
        storePending(tx, event)
        router.handle(tx, event, NOTHING_AWAITED)
      })
      router.wake()
    },
    settled: () =>
      until(() => rows().length > 0 && rows().every(({ state }) => !['pending', 'sending'].includes(state))),
  }
}

describe('mail through the outbox', () => {
  const section = { recipients: ['ops@acme.example'], rateLimit: 600 }

  test('ten failures while the mail server is down make one mail that says nine were held back', async () => {
    const server = await startSmtpSink()
    cleanups.push(() => server.stop())
    await server.down()
    const { fire, settled, rows } = await pipeline({ port: server.port, section }, null)
    for (let i = 0; i < 10; i++) await fire(fullEvent({ executionId: `e${i}` }))
    await until(() => rows().filter(({ reason }) => reason === 'RATE_LIMITED').length === 9)
    // An attempt that is under way may have been rendered before the last ones were held back.
    const { attempts } = rows()[0]!
    await until(() => rows()[0]!.attempts > attempts)
    await server.up()
    await settled()
    expect(server.mails).toHaveLength(1)
    expect(server.mails[0]!.parsed.text).toContain('9 earlier alerts about this were held back')
  })

  test('a failure names server, reason and next attempt: once as a warning, then quietly, and its end is told', async () => {
    const server = await startSmtpSink()
    cleanups.push(() => server.stop())
    await server.down()
    const { fire, settled, rows, log } = await pipeline({ port: server.port, section }, null)
    await fire()
    await until(() => rows()[0]!.attempts > 3)
    await server.up()
    await settled()
    const time = '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z'
    const failure = new RegExp(
      `^NOTIFY email \\(Butler\\.emailNotification\\.reloadTaskFailure\\): delivery failed, next attempt ${time}: ` +
        `127\\.0\\.0\\.1:${server.port} refused the connection\\. Check that the server runs, Butler\\.emailNotification\\.smtp\\.port,`,
    )
    expect(log.of('warn')).toEqual([expect.stringMatching(failure)])
    const retries = log.of('verbose').filter((line) => line.startsWith('NOTIFY retry channel=email'))
    expect(retries.length).toBeGreaterThan(3)
    expect(retries[0]).toMatch(new RegExp(`to=ops@acme\\.example attempts=1 ms=\\d+ next=${time} detail=127`))
    expect(log.of('info').filter((line) => line.includes('works again after'))).toHaveLength(1)
    expect(log.of('info').some((line) => line.startsWith('NOTIFY delivered channel=email'))).toBeTrue()
  })

  test('with a window of 0 every alert arrives', async () => {
    const server = await startSmtpSink()
    cleanups.push(() => server.stop())
    const { fire } = await pipeline({ port: server.port, section: { ...section, rateLimit: 0 } }, null)
    for (let i = 0; i < 3; i++) await fire(fullEvent({ executionId: `e${i}` }))
    await server.received(3)
    expect(new Set(server.mails.map(({ parsed }) => parsed.messageId)).size).toBe(3)
  })

  test('every recipient is a delivery, every refusal to send has its reason, and what was sent is kept', async () => {
    const server = await startSmtpSink()
    cleanups.push(() => server.stop())
    server.answer({ rcptTo: { 'gone@acme.example': 550 } })
    const recipients = ['ops@acme.example', 'gone@acme.example', 'nonsense']
    const { fire, settled, rows } = await pipeline({ port: server.port, section: { recipients } }, null)
    await fire()
    await settled()
    expect(rows().map(({ target, state, reason }) => [target, state, reason])).toEqual([
      ['ops@acme.example', 'delivered', null],
      ['gone@acme.example', 'dead', 'REJECTED'],
      ['nonsense', 'suppressed', 'RECIPIENT_INVALID'],
    ])
    expect(rows()[0]!.body).toStartWith('<!doctype html>')
  })
})

test('a dead webhook and a dead mail server hold up nobody else, and get their alert when they are back', async () => {
  const [mail, dead, alive] = [await startSmtpSink(), await startHttpSink(), await startHttpSink()]
  cleanups.push(() => Promise.all([mail.stop(), dead.stop(), alive.stop()]))
  await Promise.all([mail.down(), dead.down()])
  const hook = (webhookURL: string) => ({ description: webhookURL, webhookURL, httpMethod: 'POST' })
  const webhooks = { webhooks: [hook(dead.url), hook(alive.url)], rateLimit: 300 }
  const section = { recipients: ['ops@acme.example'] }
  const { fire, settled } = await pipeline({ port: mail.port, section }, webhooks)
  await fire()
  await alive.received(1)
  expect(mail.mails).toHaveLength(0)
  await Promise.all([mail.up(), dead.up()])
  await settled()
  expect([mail.mails.length, dead.requests.length, alive.requests.length]).toEqual([1, 1, 1])
  expect(dead.requests[0]!.headers['idempotency-key']).not.toBe(alive.requests[0]!.headers['idempotency-key'])
})

test('a webhook that asks for time gets it, with the same key in every attempt', async () => {
  const server = await startHttpSink()
  cleanups.push(() => server.stop())
  server.answerOnce({ status: 429, headers: { 'retry-after': '1' } }, { status: 503 })
  const webhooks = { webhooks: [{ description: 'x', webhookURL: server.url, httpMethod: 'PUT' }] }
  const { fire, settled } = await pipeline(null, webhooks)
  await fire()
  await settled()
  const [first, second, third] = server.requests
  expect(second!.at - first!.at).toBeGreaterThan(950)
  expect(third!.headers['idempotency-key']).toBe(first!.headers['idempotency-key']!)
  expect(server.requests).toHaveLength(3)
})
