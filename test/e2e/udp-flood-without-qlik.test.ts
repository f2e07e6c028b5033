/** Made-up task ids while Qlik Sense is down. */
import { afterEach, expect, test } from 'bun:test'
import { endScenes, floodScene, KNOWN } from '../support/udp-flood.ts'
import { until } from '../support/wait.ts'

afterEach(endScenes)

const onLinux = test.skipIf(process.platform !== 'linux')

onLinux(
  'made-up task ids while QRS is down: few alerts, and what is real follows when it is back',
  async () => {
    const { site, hook, product, flooder, other, fail, flood, input } = await floodScene({
      footman: { delivery: { enrichmentTimeout: '3s' } },
    })
    await fail(KNOWN, other)
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
    await flood(5000, 5000)
    await fail(KNOWN, other)
    const [created] = site.simulator.addTasks(1)
    const real = fail(created!, flooder)
    await until(async () => (await input()).received > 4000)
    const madeUpAlerts = () => hook.requests.filter(({ body }) => body.includes('Made up')).length
    await until(() => madeUpAlerts() === 100, { state: madeUpAlerts })
    await product.process.waitForLine(
      /SELF TASKS_UNVERIFIED: \d+ messages about tasks or apps that Footman does not/,
      90_000,
    )

    site.simulator.clearFaults()
    await real
    await until(() => product.rows('SELECT 1 FROM unverified').length === 0)
    expect(madeUpAlerts()).toBe(100)
    expect(hook.requests).toHaveLength(103)
    expect(product.rows(`SELECT 1 FROM execution WHERE task_id LIKE '0bad%'`)).toEqual([])
  },
  240_000,
)
