/** Schedules, streams and starts of several nodes through the API of any of them, and while the database is away. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { guidOf } from '../../bench/large-site-ids.ts'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

interface Listed {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly nextRun?: string
  readonly lastRun?: string
}

const scheduleOf = (name: string) => ({
  name,
  cronSchedule: '0 6 * * *',
  timezone: 'Europe/Stockholm',
  qlikSenseTaskId: guidOf('task', 11),
  startupState: 'start',
})

describe('several nodes', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster({
      butler: { scheduler: { enable: true, configfile: 'schedule.yaml' } },
    })
    await cluster.untilJoined()
  }, 90_000)
  afterEach(() => cluster.recover(), 60_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  const fileOf = (node: ClusterNode) => cluster.directory.join(node.name, 'schedule.yaml')
  const textOf = (node: ClusterNode) => readFileSync(fileOf(node), 'utf8')
  const listAt = async (node: ClusterNode) => (await (await node.call('GET', '/v4/schedules')).json()) as Listed[]
  const namesAt = async (node: ClusterNode) => (await listAt(node)).map(({ name }) => name).sort()
  const follower = async () => {
    const leader = await cluster.untilLed()
    return cluster.nodes.find((node) => node !== leader)!
  }

  test('have one list of schedules, whichever node a change is made at', async () => {
    const [node, leader] = [await follower(), await cluster.untilLed()]
    const created = await node.call('POST', '/v4/schedules', scheduleOf('one'))
    expect([created.status, created.headers.get('footman-leader')]).toEqual([201, leader.name])
    expect(await namesAt(node)).toEqual(['one'])
    const { id } = (await listAt(node))[0]!
    await until(async () => (await Promise.all(cluster.nodes.map(namesAt))).every((names) => names[0] === 'one'))
    const [atLeader, atFollower] = await Promise.all([listAt(leader), listAt(node)])
    expect(atFollower).toEqual(atLeader)
    expect(atFollower[0]).toMatchObject({ state: 'running', nextRun: expect.any(String) })

    expect((await node.call('PUT', `/v4/schedules/${id}/stop`)).status).toBe(200)
    expect((await listAt(node))[0]).toMatchObject({ state: 'stopped' })
    expect((await node.call('PUT', `/v4/schedules/${id}/start`)).status).toBe(200)
    expect((await listAt(node))[0]).toMatchObject({ state: 'running' })
    expect((await node.call('POST', `/v4/schedules/${id}/run`)).status).toBeLessThan(300)
    expect((await listAt(node))[0]?.lastRun).toBeDefined()
    const refused = await node.call('POST', '/v4/schedules', { ...scheduleOf('two'), cronSchedule: 'never' })
    expect(refused.status).toBe(400)
  }, 60_000)

  test('take over a file that is changed by hand, and keep the slower one of two', async () => {
    const [a, b] = [cluster.nodes[0]!, cluster.nodes[1]!]
    await until(() => textOf(a) === textOf(b))
    const before = textOf(a)
    const added = (name: string) =>
      `${before.trimEnd()}\n  # by hand\n  - id: ${name}\n    name: ${name}\n    cronSchedule: 0 7 * * *\n    qlikSenseTaskId: ${guidOf('task', 12)}\n    startupState: start\n`
    writeFileSync(fileOf(a), added('from-a'))
    writeFileSync(fileOf(b), added('from-b'))
    await until(
      async () => {
        const all = await Promise.all(cluster.nodes.map(async (node) => (await namesAt(node)).join()))
        return all.every((names) => names === all[0] && names.includes('from-'))
      },
      { timeout: 20_000, what: 'one list of schedules' },
    )
    const conflicts = cluster.nodes.flatMap((node) =>
      readdirSync(cluster.directory.join(node.name)).filter((file) => file.includes('.conflict-')),
    )
    expect(conflicts).toHaveLength(1)
    expect(new Set(cluster.nodes.map(textOf)).size).toBe(1)
    expect(textOf(a)).toContain('# by hand')
    const slower = cluster.nodes.filter(({ lines }) => lines.some((line) => line.includes('SCHEDULE_CONFLICT')))
    expect(slower).toHaveLength(1)
  }, 60_000)

  test('report the changes of pairs on every node with the same numbers', async () => {
    const [writer, watcher] = [cluster.nodes[0]!, await follower()]
    const stream = await watcher.call('GET', '/v4/keyvalues/watched/watch')
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
    const { revision } = (await (
      await writer.call('POST', '/v4/keyvalues/watched/increment', { key: 'n' })
    ).json()) as {
      revision: number
    }
    let text = ''
    // A node that hears of two changes of a pair at once reports only the newer one.
    while (!text.includes('event: set')) text += (await reader.read()).value ?? ''
    await writer.call('DELETE', '/v4/keyvalues/watched/n')
    while (!text.includes('event: delete')) text += (await reader.read()).value ?? ''
    await reader.cancel()
    expect(text).toContain(`id: ${revision}\nevent: set\ndata: {"namespace":"watched","key":"n","value":"1"`)
    expect(text).toContain(`id: ${revision + 1}\nevent: delete`)

    // A reader that comes back at another node misses nothing.
    const other = cluster.nodes.find((node) => node !== watcher)!
    const resumed = await other.call('GET', '/v4/keyvalues/watched/watch', undefined, {
      'last-event-id': String(revision),
    })
    const again = resumed.body!.pipeThrough(new TextDecoderStream()).getReader()
    let missed = ''
    while (!missed.includes('event: ')) missed += (await again.read()).value ?? ''
    await again.cancel()
    expect(missed).toContain(`id: ${revision + 1}\nevent: delete`)
  }, 90_000)

  test('start tasks alone, and say so of everything that needs the others', async () => {
    const node = await follower()
    const path = `/v4/reloadtask/${guidOf('task', 21)}/start`
    await cluster.postgres.kill()
    await until(async () => (await Promise.all(cluster.nodes.map(cluster.modeOf))).every((mode) => mode === 'alone'))
    expect((await node.call('POST', path, {})).status).toBe(200)
    for (const [url, body] of [
      [`${path}?maxConcurrent=1`, {}],
      [path, { keyValueStore: [{ namespace: 'n', key: 'k', value: 'v' }] }],
      ['/v4/schedules', scheduleOf('alone')],
      ['/v4/snoozes', { match: { taskId: [guidOf('task', 1)] }, for: '1h', reason: 'test' }],
    ] as const) {
      const answer = await node.call('POST', url, body)
      expect([url, answer.status, answer.headers.get('retry-after')]).toEqual([url, 503, '10'])
    }
    const tasks = await node.call('GET', '/v4/schedules')
    expect(Number(tasks.headers.get('footman-stale'))).toBeGreaterThanOrEqual(1)
    expect((await cluster.site.starts()).filter(({ task }) => task === 21)).toHaveLength(1)
    await cluster.postgres.start()
    await cluster.untilJoined()
    const again = await node.call('GET', '/v4/schedules')
    expect([again.status, again.headers.get('footman-stale')]).toEqual([200, null])
  }, 90_000)
})
