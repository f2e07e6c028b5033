/** Several nodes from outside: API, metrics, console and views of two nodes, and of one that is alone. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import pg from 'pg'
import { VIEWS } from '../../../src/cluster/views.ts'
import { runToEnd } from '../../support/binary.ts'
import { startBrowser } from '../../support/browser.ts'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { takeoverMs } from '../../support/cluster/faults.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { textOf } from '../../support/console.ts'
import { looksWell } from '../../support/console-browser.ts'
import { needs } from '../../support/servers.ts'
import { atMost, until } from '../../support/wait.ts'

needs('postgres', 'chromium')

const READER = { user: 'qlik_reader', password: 'only-views' }

describe('two nodes from outside', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 2, cluster: { reader: READER.user }, start: false })
    await cluster.database.sql(`CREATE ROLE ${READER.user} LOGIN PASSWORD '${READER.password}'`)
    await cluster.database.sql(`GRANT CONNECT ON DATABASE footman TO ${READER.user}`)
    await Promise.all(cluster.nodes.map((node) => node.start()))
    await cluster.untilJoined()
  }, 90_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  const json = async (node: ClusterNode, path: string) =>
    (await (await node.call('GET', path)).json()) as Record<string, never>
  const page = async (node: ClusterNode, path: string) =>
    textOf(await (await node.call('GET', `/console${path}`, undefined, { accept: 'text/html' })).text())
  const other = (node: ClusterNode) => cluster.nodes.find((one) => one !== node) as ClusterNode

  async function asReader<Row extends object>(sql: string): Promise<Row[]> {
    const client = new pg.Client({
      ...READER,
      host: '127.0.0.1',
      port: cluster.database.port,
      database: 'footman',
    })
    await client.connect()
    try {
      return (await client.query<Row>(sql)).rows
    } finally {
      await client.end()
    }
  }

  test('both list all nodes, their health, and who leads', async () => {
    const leader = await cluster.untilLed()
    const names = cluster.nodes.map(({ name }) => name)
    for (const node of cluster.nodes) {
      await until(async () => {
        const answer = await json(node, '/v4/cluster')
        const nodes = answer.nodes as unknown as { name: string; health: Record<string, string> }[]
        const isLed = (answer.leader as unknown as { node: string } | null)?.node === leader.name
        return isLed && nodes.length === 2 && nodes.every(({ health }) => health.cluster === 'up')
      })
      const answer = await json(node, '/v4/cluster')
      expect(answer).toMatchObject({ node: node.name, leader: { node: leader.name }, database: { up: true } })
      expect((answer.nodes as unknown as { name: string }[]).map(({ name }) => name)).toEqual(names)
      expect(await json(node, '/health')).toMatchObject({ checks: { cluster: 'up' } })
    }
  }, 60_000)

  test('the views have their columns with types, and the reader reads nothing else', async () => {
    cluster.begin()
    await cluster.send({ count: 5 })
    await cluster.untilDelivered()
    await until(async () => (await asReader('SELECT * FROM footman_qlik.deliveries')).length === 10)
    const columns = await asReader<{ view: string; name: string; type: string }>(
      `SELECT table_name AS view, column_name AS name, data_type AS type FROM information_schema.columns
       WHERE table_schema = 'footman_qlik' ORDER BY table_name, ordinal_position`,
    )
    for (const view of VIEWS) {
      const names = columns.filter(({ view: of }) => of === view.name).map(({ name }) => name)
      expect([view.name, names]).toEqual([view.name, view.columns.map(([name]) => name)])
      await asReader(`SELECT * FROM footman_qlik.${view.name}`)
    }
    for (const { name, type } of columns) {
      if (name === 'at' || name.endsWith('_at')) expect([name, type]).toEqual([name, 'timestamp with time zone'])
      if (name.endsWith('_seconds')) expect([name, type]).toEqual([name, 'numeric'])
    }
    const events = await asReader<Record<string, unknown>>(`SELECT * FROM footman_qlik.events WHERE outcome = 'failed'`)
    expect(events).toHaveLength(5)
    expect(cluster.nodes.map(({ name }) => name)).toContain(events[0]?.node as string)
    expect(events[0]).toMatchObject({ source: 'udp', type: 'reload', received_at: expect.any(Date), test: false })
    const [delivery] = await asReader<Record<string, unknown>>(
      `SELECT * FROM footman_qlik.deliveries WHERE destination = 'hook' LIMIT 1`,
    )
    expect(delivery).toMatchObject({ state: 'delivered', destination_kind: 'webhook', created_at: expect.any(Date) })
    expect(Number(delivery?.latency_seconds)).toBeLessThan(60)
    const shown = JSON.stringify([events, delivery])
    expect(shown).not.toContain('ops@acme.example')
    for (const table of ['replica', 'inbox', 'node', 'lease', 'command', 'document']) {
      await expect(asReader(`SELECT * FROM footman.${table}`)).rejects.toThrow('permission denied')
    }
    await expect(asReader('DELETE FROM footman_qlik.nodes')).rejects.toThrow('permission denied')
    await expect(asReader('CREATE TABLE footman_qlik.more (one int)')).rejects.toThrow('permission denied')
  }, 90_000)

  test('metrics say which part each node has and what it does', async () => {
    const leader = await cluster.untilLed()
    const scrape = async (node: ClusterNode) => (await node.call('GET', '/metrics')).text()
    const [leading, following] = [await scrape(leader), await scrape(other(leader))]
    expect(leading).toContain('footman_cluster_mode{mode="leader"} 1')
    expect(leading).toContain('footman_cluster_nodes{state="seen"} 2')
    expect(leading).toMatch(/footman_cluster_ship_duration_seconds_count [1-9]/)
    expect(following).toContain('footman_cluster_mode{mode="follower"} 1')
    expect(following).not.toContain('footman_cluster_nodes{')
    expect(following).toMatch(/footman_cluster_applied_rows_total [1-9]/)
  })

  test('the console shows nodes and leaderships, and the node that accepted an event', async () => {
    const leader = await cluster.untilLed()
    const follower = other(leader)
    const system = await page(follower, '/system')
    for (const text of [
      'Nodes of the cluster',
      leader.name,
      `${follower.name} this node`,
      'Leaderships',
      'Cluster up',
    ]) {
      expect(system).toContain(text)
    }
    expect(system).not.toContain('behind the other nodes')
    const { events } = (await json(follower, '/v4/events?outcome=failed&limit=1')) as unknown as {
      events: { id: string }[]
    }
    expect(await page(follower, `/events/${events[0]?.id}`)).toMatch(/accepted by qs-[ab]/)
  })

  test('its pages look well in a browser', async () => {
    const leader = await cluster.untilLed()
    const browser = await startBrowser()
    try {
      await looksWell(browser, `http://127.0.0.1:${leader.restPort}/console`, ['/system'])
    } finally {
      await browser.close()
    }
  }, 120_000)

  test('the leader steps down when it is asked to, through either node', async () => {
    const leader = await cluster.untilLed()
    const answer = await other(leader).call('POST', '/v4/cluster/stepdown')
    expect([answer.status, await answer.json()]).toEqual([202, { node: leader.name }])
    await cluster.untilLed({ not: leader })
    await cluster.untilJoined()
  }, 60_000)

  test('a node that has stepped down leads again within 10 s when the next leader is killed at once', async () => {
    const first = await cluster.untilLed()
    await cluster.untilJoined()
    expect((await first.call('POST', '/v4/cluster/stepdown')).status).toBe(202)
    const second = await cluster.untilLed({ not: first })
    await cluster.untilJoined()
    await second.kill()
    try {
      expect(await takeoverMs(cluster, second)).toBeLessThan(atMost(10_000))
    } finally {
      await second.start()
    }
    await cluster.untilJoined()
  }, 60_000)

  test('the command line shows the nodes and lets another one lead', async () => {
    const leader = await cluster.untilLed()
    const command = (...args: string[]) =>
      runToEnd(['cluster', ...args], { env: { FOOTMAN_URL: `http://127.0.0.1:${other(leader).restPort}` } })
    // Nodes hear of a new leader every two seconds.
    const status = await until(async () => {
      const answer = await command('status')
      return answer.code === 0 ? answer : null
    })
    for (const { name } of cluster.nodes)
      expect(status.stdout).toMatch(new RegExp(`^${name} +(leader|follower|joining) `, 'm'))
    const { nodes } = JSON.parse((await command('status', '--json')).stdout) as { nodes: unknown[] }
    expect(nodes).toHaveLength(2)
    expect((await command('remove', 'no-such-node')).code).toBe(3)
    expect((await command('step-down')).code).toBe(0)
    expect(await cluster.untilLed({ not: leader })).toBe(other(leader))
    await cluster.untilJoined()
    expect((await command('leave')).code).toBe(0)
  }, 60_000)

  test('a node that is gone is taken off the list', async () => {
    const leader = await cluster.untilLed()
    const gone = other(leader)
    const running = await leader.call('DELETE', `/v4/cluster/nodes/${gone.name}`)
    expect([running.status, await running.json()]).toMatchObject([409, { code: 'NODE_RUNS' }])
    await gone.stop()
    expect(gone.lines.join('\n')).not.toContain('STORAGE:')
    expect((await leader.call('DELETE', `/v4/cluster/nodes/${gone.name}`)).status).toBe(204)
    expect((await json(leader, '/v4/cluster')).nodes).toHaveLength(1)
    const alone = await leader.call('POST', '/v4/cluster/stepdown')
    expect([alone.status, await alone.json()]).toMatchObject([409, { code: 'NO_CANDIDATE' }])
    expect((await leader.call('DELETE', '/v4/cluster/nodes/no-such-node')).status).toBe(404)
    await cluster.recover()
  }, 60_000)

  test('a node that works alone says so on every page, in its health and in an alert', async () => {
    const [node] = cluster.nodes as readonly [ClusterNode]
    await node.cut()
    await until(async () => (await json(node, '/v4/cluster')).mode === 'alone', { timeout: 30_000 })
    for (const path of ['/', '/events', '/system'])
      expect(await page(node, path)).toMatch(/This node works alone.*schedules and retries rest/)
    for (const [method, path] of [
      ['DELETE', '/v4/cluster/nodes/no-such-node'],
      ['POST', '/v4/cluster/stepdown'],
    ] as const) {
      const answer = await node.call(method, path)
      expect([path, answer.status, await answer.json()]).toMatchObject([path, 503, { code: 'CLUSTER_UNAVAILABLE' }])
    }
    const health = await node.call('GET', '/health')
    expect(health.status).toBe(503)
    expect(await health.json()).toMatchObject({ checks: { cluster: 'down' } })
    await until(
      async () => {
        const { selfAlerts } = (await json(node, '/v4/selfalerts')) as unknown as { selfAlerts: { code: string }[] }
        return selfAlerts.some(({ code }) => code === 'CLUSTER_DATABASE_DOWN')
      },
      { timeout: 20_000 },
    )
    await cluster.recover()
    await until(async () => !(await page(node, '/system')).includes('This node works alone'), { timeout: 20_000 })
  }, 120_000)
})
