/** Two versions side by side: nodes are upgraded one by one under traffic, and go back in the same way. */
import { expect, test } from 'bun:test'
import { copyFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startCluster } from '../../support/cluster/cluster.ts'
import { REPEATS_PER_END } from '../../support/cluster/faults.ts'
import { BY_NEXT, nextVersion } from '../../support/cluster/next-version.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

/** There and back. */
const STEPPED_DOWN = 2

test('nodes are upgraded one by one under traffic and go back, and nothing is lost or repeated', async () => {
  const directory = tempDirectory()
  await using _ = { [Symbol.asyncDispose]: async () => directory.remove() }
  const next = nextVersion(directory.join('next'))
  await using cluster = await startCluster({ nodes: 3 })
  await cluster.begin()
  const traffic = new AbortController()
  const sent = cluster.send({ count: 5000, perSecond: 6, signal: traffic.signal })

  /** Followers first, then the leader, which another one replaces before. */
  async function exchange(change: (node: ClusterNode) => void, between: (last: ClusterNode) => Promise<void>) {
    const last = await cluster.untilLed()
    for (const node of cluster.nodes.filter((other) => other !== last)) {
      expect(await node.stop()).toBe(0)
      change(node)
      await node.start()
      await cluster.untilJoined()
    }
    expect((await last.call('POST', '/v4/cluster/stepdown')).status).toBeLessThan(300)
    await cluster.untilLed({ not: last })
    await between(last)
    expect(await last.stop()).toBe(0)
    change(last)
    await last.start()
    await cluster.untilJoined()
  }

  const write = async (node: ClusterNode, key: string, value: string): Promise<void> => {
    expect((await node.call('POST', '/v4/keyvalues/upgrade', { key, value })).status).toBe(201)
  }
  const bodyOf = async (key: string): Promise<unknown> => {
    const sql = `SELECT body FROM footman.replica WHERE tbl = 'kv' AND body->>'key' = $1`
    return (await cluster.postgres.sql<{ body: unknown }>(sql, [key]))[0]?.body
  }

  await exchange(
    (node) => node.runOn(next),
    async (older) => {
      await write(older, `${BY_NEXT}a`, '1')
      expect(await bodyOf(`${BY_NEXT}a`)).toMatchObject({ value: '1', invented_later: 9 })
      expect(older.rows(`SELECT value FROM kv WHERE key = '${BY_NEXT}a'`)).toEqual([{ value: '1' }])
    },
  )
  // What the older version had left out is there after its upgrade.
  for (const node of cluster.nodes) {
    await until(() => node.rows('SELECT * FROM invented').length === 1, { what: `the new table on ${node.name}` })
    expect(node.rows(`SELECT invented_later FROM kv WHERE key = '${BY_NEXT}a'`)).toEqual([{ invented_later: 9 }])
    expect(readFileNames(node)).toContainEqual(expect.stringMatching(/^footman-\d/))
  }

  await exchange(goBack, async (newer) => {
    await write(newer, `${BY_NEXT}a`, '2')
    expect(await bodyOf(`${BY_NEXT}a`)).toMatchObject({ value: '2', invented_later: 9 })
    await until(() => newer.rows(`SELECT 1 FROM kv WHERE value = '2' AND invented_later = 9`).length === 1, {
      what: 'the newer version to keep its column',
    })
  })
  traffic.abort()
  await sent
  await cluster.untilDelivered()
  await untilSame(cluster.nodes)
  const { lost, repeated } = cluster.report('upgrade and back')
  expect(lost).toEqual([])
  expect(cluster.nodes.flatMap(({ lines }) => lines).filter((line) => line.includes('put back'))).toEqual([])
  // Only leaders that a busy machine has stopped may leave repeats.
  const unplanned = (await cluster.takeovers()) - STEPPED_DOWN
  expect(repeated).toBeLessThanOrEqual(REPEATS_PER_END * unplanned)
  const versions = await cluster.postgres.sql('SELECT version FROM footman.node GROUP BY version')
  expect(versions).toHaveLength(1)
  expect(await cluster.postgres.sql(`SELECT body FROM footman.replica WHERE tbl = 'invented'`)).toHaveLength(1)
}, 180_000)

const readFileNames = (node: ClusterNode): string[] => readdirSync(node.file('backup'))

/** As the guide says: the backup that the newer version has made takes the place of the database. */
function goBack(node: ClusterNode): void {
  const backup = readFileNames(node).find((name) => name.startsWith('footman-'))
  for (const suffix of ['', '-wal', '-shm']) rmSync(node.file(`footman.db${suffix}`), { force: true })
  copyFileSync(join(node.file('backup'), backup!), node.file('footman.db'))
  node.runOn(undefined)
}
