/** One sender floods the port with executions, junk or too much: failures of other senders are alerted. */
import { afterEach, expect, test } from 'bun:test'
import { endScenes, expectAtOnce, floodScene, KNOWN, madeUp, NEW } from '../support/udp-flood.ts'
import { until } from '../support/wait.ts'

afterEach(endScenes)

const onLinux = test.skipIf(process.platform !== 'linux')

onLinux(
  'made-up executions of a task that exists hold up no failure of another task',
  async () => {
    const { flooder, other, fail, flood } = await floodScene()
    await fail(KNOWN, other)
    await flood(6000, 6000, (n) => madeUp(n, KNOWN))
    expectAtOnce(await fail(NEW, other))
    expectAtOnce(await fail(NEW, flooder))
  },
  180_000,
)

onLinux(
  'junk holds up no failure',
  async () => {
    const { flooder, other, fail, flood } = await floodScene()
    const flooding = flood(15_000, 6000, (n) => `junk ${n}`)
    const took = [await fail(KNOWN, other), await fail(KNOWN, flooder)]
    await flooding
    took.push(await fail(NEW, other), await fail(NEW, flooder))
    for (const alerted of took) expectAtOnce(alerted)
  },
  180_000,
)

onLinux(
  'the rate limit of one sender drops nothing of another',
  async () => {
    const rateLimit = { enable: true, maxMessagesPerMinute: 50 }
    const { other, fail, flood, input } = await floodScene({ udpServerConfig: { rateLimit } })
    await flood(200, 2000)
    await fail(KNOWN, other)
    await until(async () => (await input()).dropped.RATE_LIMITED === 150, { state: input })
  },
  60_000,
)

onLinux(
  'a thousand failures of tasks that were made a moment ago, in one second of one sender, are all alerted',
  async () => {
    const { site, hook, product } = await floodScene()
    const taskIds = site.simulator.addTasks(400)
    site.simulator.setUdpTarget({ host: '127.0.0.1', port: product.udpPort })
    const { executionIds } = await site.simulator.burst({ count: 1000, withinMs: 1000, taskIds })
    const alerted = () => new Set(hook.requests.map(({ body }) => JSON.parse(body).executionId))
    await until(() => alerted().size === 1000, { timeout: 60_000, state: () => alerted().size })
    expect(alerted()).toEqual(new Set(executionIds))
    expect(hook.requests).toHaveLength(1000)
  },
  120_000,
)
