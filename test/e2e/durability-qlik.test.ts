/** What was accepted survives a repository that is down. */
import { describe, expect, test } from 'bun:test'
import { scenes } from '../support/scenes.ts'
import { needs } from '../support/servers.ts'
import type { ReceivedMail } from '../support/smtp-sink.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const { scene } = scenes()

/** Some tasks of the site name recipients of their own; the common one gets every alert. */
const toOps = ({ envelope }: ReceivedMail) => envelope.to.includes('ops@acme.example')

const idOf = (body: string) => (JSON.parse(body) as { executionId: string }).executionId

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
