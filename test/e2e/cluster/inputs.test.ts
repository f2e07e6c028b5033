/** The table of inputs in the guide of several nodes, walked at the executable: each call in each state of a node. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { guidOf } from '../../bench/large-site-ids.ts'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import { modesOf, SHORT_TIMES } from '../../support/cluster/faults.ts'
import { guideOf, type State, tableInputs, UNATTENDED } from '../../support/cluster/inputs.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { newKey } from '../../support/console.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

const key = newKey('erp', 'admin')
const HEADERS = { authorization: `Bearer ${key.key}` }
const PAIRS = '/v4/keyvalues/inputs'
let starts = 20

/** The calls of the rows of the table that a client of the REST API can make. */
const CALLS: Readonly<Record<string, (node: ClusterNode) => Promise<Response>>> = {
  'REST, reading': (node) => node.call('GET', '/v4/snoozes', undefined, HEADERS),
  'REST, changing': (node) =>
    node.call('POST', '/v4/snoozes', { match: { taskId: [guidOf('task', 499)] }, for: '1h', reason: 'x' }, HEADERS),
  'REST, starting a task': (node) =>
    node.call('POST', `/v4/reloadtask/${guidOf('task', starts++)}/start`, undefined, HEADERS),
  'key-value pair, reading': (node) => node.call('GET', `${PAIRS}?key=known`, undefined, HEADERS),
  'key-value pair, changing': (node) => node.call('POST', PAIRS, { key: 'other', value: '1' }, HEADERS),
}

/** What a caller gets, in the words of the guide. */
async function answerOf(call: Promise<Response>, leader: string | null): Promise<string> {
  const answer = await call.catch(() => null)
  if (!answer) return 'refused: the port is closed'
  const text = await answer.text()
  if (!answer.ok) return `refused: ${answer.status} \`${(JSON.parse(text) as { code: string }).code}\``
  if (answer.headers.get('footman-stale')) return 'done: `Footman-Stale` says how old'
  return answer.headers.get('footman-leader') === leader && leader !== null ? 'passed to the leader' : 'done'
}

describe('two nodes do with each input as the guide says', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster({
      nodes: 2,
      cluster: SHORT_TIMES,
      butler: { footman: { access: { enable: true, keys: [key.entry], anonymous: { scopes: ['admin'] } } } },
    })
    await cluster.nodes[0]!.call('POST', PAIRS, { key: 'known', value: 'v' }, HEADERS)
  }, 90_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  async function walk(state: State, node: ClusterNode, leader: string | null = null) {
    for (const [input, call] of Object.entries(CALLS)) {
      const found = await answerOf(call(node), leader)
      // A start without the database is `done, without limits and pairs`: those need it.
      expect([state, input, guideOf(input, state)]).toEqual([state, input, expect.stringMatching(beginning(found))])
    }
  }
  const beginning = (text: string) => new RegExp(`^${text.replace(/[^\w]/g, '\\$&')}(?:$|[,:])`)

  const nodes = async () => {
    const leader = await cluster.untilLed()
    return { leader, follower: cluster.nodes.find((node) => node !== leader)! }
  }
  /** A failure that this node alone accepts is delivered once, wherever. */
  async function failureAt(node: ClusterNode): Promise<void> {
    const [execution] = await cluster.send({ count: 1, to: [node] })
    await until(() => node.accepted().has(execution!), { what: `${node.name} to accept it` })
    await cluster.untilDelivered()
  }

  test('each row is walked, here or with what no caller waits for', () => {
    expect(['UDP', ...Object.keys(CALLS), ...UNATTENDED].toSorted()).toEqual(tableInputs.toSorted())
  })

  test('leading and following', async () => {
    await cluster.begin()
    const { leader, follower } = await nodes()
    expect([guideOf('UDP', 'leader'), guideOf('UDP', 'follower')]).toEqual([
      'done',
      'kept: in its journal, then in the inbox for the leader',
    ])
    await walk('leader', leader)
    await walk('follower', follower, leader.name)
    await failureAt(leader)
    await failureAt(follower)
    expect(cluster.report('leading and following')).toMatchObject({ lost: [], repeated: 0, unlike: [] })
  }, 90_000)

  test('the last use of a key is that of any node', async () => {
    const { leader, follower } = await nodes()
    const lastUse = async (node: ClusterNode) => {
      const answer = (await (await node.call('GET', '/v4/access/keys', undefined, HEADERS)).json()) as {
        keys: { id: string; lastUsedAt: string | null }[]
      }
      return answer.keys.find(({ id }) => id === 'erp')?.lastUsedAt ?? null
    }
    await until(async () => (await lastUse(leader)) !== null && (await lastUse(follower)) !== null)
    const rowsOf = (node: ClusterNode) =>
      node.rows<{ node: string }>("SELECT node FROM key_use WHERE key_id = 'erp' ORDER BY node").map((row) => row.node)
    const names = cluster.nodes.map(({ name }) => name).sort()
    for (const node of [leader, follower]) {
      await until(() => rowsOf(node).join() === names.join(), { what: `both uses at ${node.name}` })
    }
  }, 60_000)

  test('alone', async () => {
    await cluster.begin()
    await cluster.postgres.kill()
    await until(async () => (await modesOf(cluster)).every((mode) => mode === 'alone'), { timeout: 40_000 })
    expect(guideOf('UDP', 'alone')).toBe('done: it alerts')
    for (const node of cluster.nodes) {
      await walk('alone', node)
      await failureAt(node)
    }
    await cluster.postgres.start()
    await cluster.untilJoined()
  }, 120_000)

  test('leaving', async () => {
    await cluster.begin()
    const { leader } = await nodes()
    cluster.sinks.hook.delay = [3000, 3001]
    await cluster.send({ count: 1, to: [leader] })
    await until(() => leader.rows("SELECT 1 FROM delivery WHERE state = 'sending'").length > 0, { what: 'a send' })
    const stopped = leader.stop()
    await until(async () => (await leader.call('GET', '/v4/ping').catch(() => null)) === null)
    await walk('leaving', leader)
    const late = await cluster.send({ count: 5, to: [leader] })
    expect(await stopped).toBe(0)
    cluster.sinks.hook.delay = [1, 2]
    const kept = late.filter((execution) => leader.accepted().has(execution)).length
    console.log(`    sent while it was leaving: ${late.length}, accepted ${kept}`)
    await leader.start()
    await cluster.untilJoined()
    await cluster.untilDelivered()
    expect(cluster.report('leaving')).toMatchObject({ lost: [], unlike: [] })
  }, 120_000)
})
