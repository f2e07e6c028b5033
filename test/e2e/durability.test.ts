/** What was accepted survives a killed process. */
import { describe, expect, test } from 'bun:test'
import { connectAsync } from 'mqtt'
import { scenes } from '../support/scenes.ts'
import { needs } from '../support/servers.ts'
import type { ReceivedMail } from '../support/smtp-sink.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const CONCURRENCY = 4
const { scene, cleanups } = scenes()

/** Some tasks of the site name recipients of their own; the common one gets every alert. */
const toOps = ({ envelope }: ReceivedMail) => envelope.to.includes('ops@acme.example')

const idOf = (body: string) => (JSON.parse(body) as { executionId: string }).executionId

describe('killed', () => {
  test('1,000 failures in one second, kill -9 during delivery: every one reaches every destination, repeats are bounded', async () => {
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
  }, 180_000)

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
