/** One sender's made-up task ids: they cost little, they end without an alert, and no real failure waits for them. */
import { afterEach, expect, test } from 'bun:test'
import { endScenes, expectAtOnce, FLOODER, floodScene, KNOWN, NEW, residentMb } from '../support/udp-flood.ts'
import { until } from '../support/wait.ts'

afterEach(endScenes)

const onLinux = test.skipIf(process.platform !== 'linux')

onLinux(
  '24,000 made-up task ids in 4 s: real failures of any sender are alerted at once, QRS is hardly asked',
  async () => {
    const { site, hook, product, flooder, other, fail, flood, input, ignored } = await floodScene()
    await fail(KNOWN, other)
    const before = residentMb(product.process.pid)
    site.simulator.clearRequests()

    const flooding = flood(24_000, 6000)
    await until(async () => (await input()).received > 4000)
    const [created] = site.simulator.addTasks(1)
    const took = [await fail(KNOWN, other), await fail(KNOWN, flooder), await fail(NEW, flooder)]
    took.push(await fail(created!, flooder), await fail(created!, other))
    await flooding
    const { received, dropped } = await until(
      async () => {
        const found = await input()
        return found.dropped.TASK_NOT_FOUND + found.dropped.DUPLICATE + ignored() === found.received - 6 && found
      },
      { timeout: 100_000, what: 'every made-up message to be settled', state: input },
    )

    // The network may lose datagrams; what was accepted is accounted for, one by one.
    expect(received).toBeGreaterThan(12_000)
    expect(dropped).toMatchObject({ RATE_LIMITED: 0, BACKLOG_FULL: 0, INVALID: 0 })
    expect(hook.requests).toHaveLength(6)
    for (const alerted of took) expectAtOnce(alerted)
    expect(site.simulator.requests({ listener: 'qrs' }).length).toBeLessThan(1000)
    expect(residentMb(product.process.pid) - before).toBeLessThan(150)
    expect(product.rows('SELECT 1 FROM unverified')).toEqual([])
    expect(product.rows(`SELECT 1 FROM execution WHERE task_id LIKE '0bad%'`)).toEqual([])
    const answer = await (await product.call('GET', '/v4/events/dropped?reason=TASK_NOT_FOUND&limit=1')).json()
    expect(answer.dropped).toMatchObject([{ reason: 'TASK_NOT_FOUND', from: FLOODER }])
  },
  180_000,
)
