/** Retries of failed tasks whose database is restarted before they are due. */
import { expect, test } from 'bun:test'
import { startCluster } from '../../support/cluster/cluster.ts'
import { needs } from '../../support/servers.ts'
import { atMost, until } from '../../support/wait.ts'

needs('postgres')

const DELAY_MS = 10_000
const COUNT = 10

test.each(['fast', 'immediate'] as const)(
  'come when planned after a restart (%s)',
  async (mode) => {
    await using cluster = await startCluster({
      nodes: 2,
      butler: { footman: { retryPolicy: { alert: 'each', maxPerHour: 1000 } } },
    })
    await cluster.site.behave({ retryPolicy: `1x/${DELAY_MS / 1000}s` })
    await cluster.begin()
    const failed = Date.now()
    const tasks = await cluster.send({ count: COUNT, perSecond: 100 })
    const planned = async () => (await cluster.leader())?.rows("SELECT 1 FROM task_retry WHERE state = 'due'").length
    await until(async () => (await planned()) === COUNT, { what: 'the retries to be planned' })
    const reported = Date.now()
    await cluster.postgres.restart(mode)
    const starts = await until(
      async () => {
        const all = (await cluster.site.starts()).filter(({ task }) => tasks.includes(task))
        return all.length >= COUNT && all
      },
      { timeout: 30_000, what: 'the retries' },
    )
    expect(starts.map(({ task }) => task).toSorted((a, b) => a - b)).toEqual([...tasks])
    for (const { at } of starts) {
      expect(at).toBeGreaterThanOrEqual(failed + DELAY_MS - 100)
      expect(at).toBeLessThan(reported + atMost(DELAY_MS + 3000))
    }
  },
  90_000,
)
