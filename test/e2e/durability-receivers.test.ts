/** What was accepted survives receivers that are down; shadow mode sends nothing. */
import { describe, expect, test } from 'bun:test'
import { connectAsync } from 'mqtt'
import { scenes } from '../support/scenes.ts'
import { needs } from '../support/servers.ts'
import type { ReceivedMail } from '../support/smtp-sink.ts'
import { atMost, until } from '../support/wait.ts'

needs('mosquitto')

const { scene, cleanups } = scenes()

/** Some tasks of the site name recipients of their own; the common one gets every alert. */
const toOps = ({ envelope }: ReceivedMail) => envelope.to.includes('ops@acme.example')

const idOf = (body: string) => (JSON.parse(body) as { executionId: string }).executionId

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
    expect(performance.now() - sentAt).toBeLessThan(atMost(8000))
  }, 60_000)

  test('broker down while failures arrive: short and full messages come when it is back, each once', async () => {
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
  }, 90_000)
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
