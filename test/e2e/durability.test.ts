/** What was accepted survives: killed processes, a repository that is down, receivers that are down. */
import { afterEach, describe, expect, test } from 'bun:test'
import { connectAsync } from 'mqtt'
import { type FootmanSettings, footman } from '../support/footman.ts'
import { startHttpSink } from '../support/http-sink.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { findExecutable } from '../support/servers.ts'
import { startSite } from '../support/simulator.ts'
import { type ReceivedMail, startSmtpSink } from '../support/smtp-sink.ts'
import { until } from '../support/wait.ts'

const CONCURRENCY = 4
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

/** Everything that one test needs, cleaned up after it. */
async function scene(settings: Partial<FootmanSettings> & { mqtt?: boolean } = {}) {
  const [site, webhooks, mailbox] = await Promise.all([startSite(), startHttpSink(), startSmtpSink()])
  const broker = settings.mqtt ? await startMosquitto() : null
  cleanups.push(
    async () => site[Symbol.asyncDispose](),
    () => webhooks.stop(),
    () => mailbox.stop(),
  )
  if (broker) cleanups.push(() => broker.stop())
  const product = await footman({
    simulator: site.simulator,
    webhookUrl: `${webhooks.url}/hook`,
    smtpPort: mailbox.port,
    mqttPort: broker?.port,
    ...settings,
  })
  cleanups.push(async () => product[Symbol.asyncDispose]())
  return { site, webhooks, mailbox, broker, product }
}

/** Some tasks of the site name recipients of their own; the common one gets every alert. */
const toOps = ({ envelope }: ReceivedMail) => envelope.to.includes('ops@acme.example')

const idOf = (body: string) => (JSON.parse(body) as { executionId: string }).executionId

describe('killed', () => {
  test.skipIf(findExecutable('mosquitto') === null)(
    '1,000 failures in one second, kill -9 during delivery: every one reaches every destination, repeats are bounded',
    async () => {
      const { site, webhooks, mailbox, broker, product } = await scene({ mqtt: true })
      const subscriber = await connectAsync(`mqtt://127.0.0.1:${broker!.port}`)
      cleanups.push(() => subscriber.endAsync(true))
      const full: string[] = []
      let short = 0
      subscriber.on('message', (topic, payload) => {
        if (topic === 'qliksense/task_failure_full') full.push(idOf(payload.toString()))
        if (topic === 'qliksense/task_failure') short += 1
      })
      await subscriber.subscribeAsync('qliksense/#', { qos: 1 })
      await product.start()

      const burst = site.simulator.burst({ count: 1000, withinMs: 1000 })
      // Some of everything is delivered, most is not.
      await webhooks.received(100, { timeout: 30_000 })
      const { executionIds } = await burst
      await until(() => product.rows<{ n: number }>('SELECT count(*) AS n FROM event')[0]!.n === executionIds.length, {
        timeout: 20_000,
        what: 'all events accepted',
      })
      await product.process.kill9()
      const calledBefore = webhooks.requests.length
      expect(calledBefore).toBeLessThan(1000)
      await product.start()

      const calls = () => webhooks.requests.map(({ body }) => idOf(body))
      const mails = () => mailbox.mails.filter(toOps).map(({ parsed }) => parsed.messageId!)
      const all = new Set(executionIds)
      await until(
        () =>
          new Set(calls()).size === 1000 &&
          new Set(full).size === 1000 &&
          new Set(mails()).size === 1000 &&
          short >= 1000,
        {
          timeout: 120_000,
          what: 'every alert at every destination',
          state: () => ({
            calls: new Set(calls()).size,
            mails: new Set(mails()).size,
            full: new Set(full).size,
            short,
          }),
        },
      )
      expect(new Set(calls())).toEqual(all)
      expect(new Set(full)).toEqual(all)
      expect(calls().length - 1000).toBeLessThanOrEqual(CONCURRENCY)
      expect(full.length - 1000).toBeLessThanOrEqual(CONCURRENCY)
      expect(short - 1000).toBeLessThanOrEqual(CONCURRENCY)
      expect(mails().length - 1000).toBeLessThanOrEqual(CONCURRENCY)
    },
    180_000,
  )

  test('during enrichment: pending events are completed after the restart', async () => {
    const { site, webhooks, product } = await scene()
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'hang' })
    await product.start()
    const { executionIds } = await site.simulator.burst({ count: 20, withinMs: 50 })
    await until(() => product.rows<{ n: number }>('SELECT count(*) AS n FROM event')[0]!.n === 20)
    await product.process.kill9()
    site.simulator.clearFaults()
    await product.start()
    const calls = await webhooks.received(20, { timeout: 20_000 })
    expect(new Set(calls.map(({ body }) => idOf(body)))).toEqual(new Set(executionIds))
  }, 60_000)
})

describe('Qlik Sense down', () => {
  test('30 s while 50 failures arrive: all alerts arrive complete after it is back, none before, none twice', async () => {
    const { site, webhooks, mailbox, product } = await scene()
    await product.start()
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
    const { executionIds } = await site.simulator.burst({ count: 50, withinMs: 500 })
    await until(() => product.rows<{ n: number }>('SELECT count(*) AS n FROM event')[0]!.n === 50)
    // A real outage of this length: the pauses between look-ups grow with it, and after 27 s waiting events are moved to disk.
    await Bun.sleep(30_000)
    expect(webhooks.requests).toHaveLength(0)
    expect(mailbox.mails).toHaveLength(0)
    site.simulator.clearFaults()
    await webhooks.received(50, { timeout: 20_000 })
    await mailbox.received(50, { timeout: 20_000, match: toOps })
    expect(new Set(webhooks.requests.map(({ body }) => idOf(body)))).toEqual(new Set(executionIds))
    expect(webhooks.requests).toHaveLength(50)
    const missing = product.rows<{ missing_parts: string }>(
      `SELECT missing_parts FROM event WHERE missing_parts <> '[]'`,
    )
    expect(missing).toEqual([])
    for (const { parsed } of mailbox.mails) expect(parsed.text).toContain('Execution Failed')
  }, 90_000)

  test('longer than the deadline: degraded alerts at the deadline that say what is missing', async () => {
    const { site, webhooks, mailbox, product } = await scene({
      config: { footman: { delivery: { enrichmentTimeout: '3s' } } },
    })
    await product.start()
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
    const sentAt = performance.now()
    await site.simulator.burst({ count: 50, withinMs: 100 })
    await webhooks.received(50, { timeout: 20_000 })
    expect(webhooks.requests[0]!.at - sentAt).toBeGreaterThan(2900)
    const [mail] = await mailbox.received(50, { timeout: 20_000 })
    expect(mail!.parsed.text).toMatch(/not available|missing|could not be read/i)
    expect(webhooks.requests).toHaveLength(50)
  }, 60_000)
})

describe('receivers down', () => {
  test('mail server and webhook receiver down while failures arrive: all is delivered when they are back', async () => {
    const { site, webhooks, mailbox, product } = await scene({
      config: { footman: { delivery: { retryFirst: '1s', retryMax: '2s' } } },
    })
    await product.start()
    await Promise.all([webhooks.down(), mailbox.down()])
    const { executionIds } = await site.simulator.burst({ count: 20, withinMs: 200 })
    const attempts = `SELECT lane, count(*) AS n FROM delivery_attempt JOIN delivery ON delivery.id = delivery_id GROUP BY lane`
    const lanes = () => product.rows<{ lane: string; n: number }>(attempts).filter(({ n }) => n > 5)
    await until(() => lanes().length === 2, { timeout: 20_000, what: 'both peers to be probed after five failures' })
    const waiting = `SELECT count(*) AS n FROM delivery WHERE state IN ('pending', 'sending')`
    await until(() => product.rows<{ n: number }>(waiting)[0]!.n >= 40, { timeout: 20_000, what: 'all to wait' })
    await Promise.all([webhooks.up(), mailbox.up()])
    await webhooks.received(20, { timeout: 30_000 })
    await mailbox.received(20, { timeout: 30_000, match: toOps })
    expect(new Set(webhooks.requests.map(({ body }) => idOf(body)))).toEqual(new Set(executionIds))
    expect(webhooks.requests).toHaveLength(20)
    expect(mailbox.mails.filter(toOps)).toHaveLength(20)
  }, 90_000)

  test('a hanging webhook receiver does not delay mails', async () => {
    const { site, webhooks, mailbox, product } = await scene()
    await product.start()
    webhooks.answer({ hang: true })
    const sentAt = performance.now()
    await site.simulator.burst({ count: 10, withinMs: 50 })
    await mailbox.received(10, { timeout: 10_000 })
    expect(performance.now() - sentAt).toBeLessThan(8000)
  }, 60_000)

  test.skipIf(findExecutable('mosquitto') === null)(
    'broker down while failures arrive: short and full messages come when it is back, each once',
    async () => {
      const { site, broker, product, webhooks } = await scene({ mqtt: true })
      await product.start()
      await product.process.waitForLine(/Connected to MQTT|MQTT.*connected/i, 10_000)
      await broker!.kill()
      const { executionIds } = await site.simulator.burst({ count: 10, withinMs: 50 })
      await webhooks.received(10, { timeout: 20_000 })
      await broker!.start()
      const subscriber = await connectAsync(`mqtt://127.0.0.1:${broker!.port}`)
      cleanups.push(() => subscriber.endAsync(true))
      const full: string[] = []
      subscriber.on('message', (topic, payload) => {
        if (topic === 'qliksense/task_failure_full') full.push(idOf(payload.toString()))
      })
      await subscriber.subscribeAsync('qliksense/#', { qos: 1 })
      await until(
        () =>
          product.rows<{ n: number }>(
            `SELECT count(*) AS n FROM delivery WHERE destination = 'mqtt' AND state = 'delivered'`,
          )[0]!.n === 20,
        { timeout: 60_000, what: 'all MQTT deliveries' },
      )
      // The subscriber may have come after the first ones; nothing comes twice.
      expect(full.length).toBeLessThanOrEqual(10)
      expect(new Set(full).size).toBe(full.length)
      expect(executionIds).toHaveLength(10)
    },
    90_000,
  )
})

describe('shadow mode', () => {
  test('sends nothing and records all that would have been sent', async () => {
    const { site, webhooks, mailbox, product } = await scene({ args: ['--shadow'] })
    await product.start()
    await site.simulator.burst({ count: 5, withinMs: 50 })
    const rows = await until(
      () => {
        const all = product.rows<{ destination: string; body: string; reason: string }>(
          `SELECT destination, body, reason FROM delivery WHERE state = 'suppressed' AND body IS NOT NULL`,
        )
        return all.length === 10 ? all : null
      },
      { timeout: 20_000 },
    )
    expect(new Set(rows.map(({ reason }) => reason))).toEqual(new Set(['SHADOW_MODE']))
    expect(rows.filter(({ destination }) => destination === 'webhook')).toHaveLength(5)
    expect(rows.find(({ destination }) => destination === 'email')!.body).toContain('<html')
    const answer = await product.call('POST', '/v4/reloadtask/-/start', { tag: ['hourly-reload'] })
    expect(answer.status).toBe(409)
    expect(webhooks.requests).toHaveLength(0)
    expect(mailbox.connections).toBe(0)
    expect(site.simulator.requests({ listener: 'qrs' }).filter(({ method }) => method !== 'GET')).toEqual([])
  }, 60_000)
})
