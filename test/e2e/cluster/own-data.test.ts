/** Mistakes of administrators at the commands and processes of several nodes: copied folders, dead processes, closed hosts. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runBinary, runToEnd } from '../../support/binary.ts'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import type { Tree } from '../../support/cluster/node.ts'
import { freeTcpPort, freeUdpPort } from '../../support/ports.ts'
import { needs } from '../../support/servers.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until, within } from '../../support/wait.ts'

needs('postgres')

let cluster: TestCluster
beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
}, 90_000)
afterAll(async () => cluster?.[Symbol.asyncDispose]())

const fileOf = (name: string) => cluster.directory.join(join(name, 'butler.yaml'))
const butlerOf = (name: string) => (JSON.parse(readFileSync(fileOf(name), 'utf8')) as { Butler: Tree }).Butler

/** A copy of the folder of a node with ports of its own; the path of its configuration. */
async function copyOf(name: string, directory: string, newName: string): Promise<string> {
  cpSync(cluster.directory.join(name), directory, { recursive: true })
  // The lock belongs to the process of the original.
  rmSync(join(directory, 'data', 'footman.lock'), { force: true })
  const butler = butlerOf(name)
  const footman = butler.footman as Tree
  const copy = {
    ...butler,
    udpServerConfig: { ...(butler.udpServerConfig as Tree), portTaskFailure: await freeUdpPort() },
    restServerConfig: { ...(butler.restServerConfig as Tree), serverPort: await freeTcpPort() },
    footman: { ...footman, node: { name: newName }, dataDirectory: join(directory, 'data') },
  }
  const file = join(directory, 'butler.yaml')
  writeFileSync(file, JSON.stringify({ Butler: copy }))
  return file
}

test('a copy of the folder of a node under another name ends, names the node and what to remove', async () => {
  await using directory = tempDirectory()
  const leader = await cluster.untilLed()
  const file = await copyOf(leader.name, directory.join('copy'), 'copied')
  const { code, stdout } = await runToEnd(['doctor', '-c', file, '--only', 'cluster', '--json'])
  const { findings } = JSON.parse(stdout) as { findings: { code: string; message: string; fix?: string }[] }
  expect([code, findings.filter((one) => one.code === 'cluster.clone')]).toEqual([
    3,
    [
      expect.objectContaining({
        message: expect.stringContaining(`"${leader.name}"`),
        fix: expect.stringContaining('cluster.json'),
      }),
    ],
  ])
  const copy = runBinary(['run', '-c', file], { cwd: directory.path })
  try {
    const ended = await within(copy.ended, 30_000, 'the copy to end')
    const text = [...copy.stdout, ...copy.stderr].join('\n')
    expect([ended.code, text]).toEqual([
      2,
      expect.stringContaining(`Node "${leader.name}" of the cluster works with the same data directory`),
    ])
    expect(text).toContain('remove footman.db, journal.db, their companions and cluster.json')
  } finally {
    await copy.kill9()
  }
  // The original goes on, and leads.
  expect(await cluster.untilLed()).toBe(leader)
}, 60_000)

test('a copy of the folder of the leader under its name ends before it leads', async () => {
  await using directory = tempDirectory()
  const leader = await cluster.untilLed()
  const terms = () => cluster.postgres.sql('SELECT epoch, node FROM footman.leadership ORDER BY epoch')
  const before = await terms()
  const copy = runBinary(['run', '-c', await copyOf(leader.name, directory.join('copy'), leader.name)], {
    cwd: directory.path,
  })
  try {
    const ended = await within(copy.ended, 30_000, 'the copy to end')
    expect([ended.code, [...copy.stdout, ...copy.stderr].join('\n')]).toEqual([
      2,
      expect.stringContaining(`Another process works as node "${leader.name}" with a copy of this data directory`),
    ])
  } finally {
    await copy.kill9()
  }
  expect(await terms()).toEqual(before)
  expect(await cluster.untilLed()).toBe(leader)
}, 60_000)

test('a leader that is killed and starts at once leads again before another node does', async () => {
  for (let round = 0; round < 3; round += 1) {
    const leader = await cluster.untilLed()
    const from = performance.now()
    await leader.kill()
    await leader.start()
    expect(await cluster.untilLed()).toBe(leader)
    console.log(`    led again after ${Math.round(performance.now() - from)} ms`)
  }
}, 90_000)

test('cluster leave on a process that was killed says what to do instead, which works', async () => {
  const leader = await cluster.untilLed()
  const other = cluster.nodes.find((node) => node !== leader)!
  const alive = await runToEnd(['cluster', 'leave', '-c', fileOf(other.name)], { timeout: 60_000 })
  expect([alive.code, alive.stdout]).toEqual([0, expect.stringContaining(`${other.name} has everything`)])
  await other.kill()
  const dead = await runToEnd(['cluster', 'leave', '-c', fileOf(other.name)], { timeout: 60_000 })
  expect([dead.code, dead.stderr]).toEqual([
    2,
    expect.stringMatching(/nothing to wait for.*cluster\.enable: false.*footman cluster remove NAME/s),
  ])
  // The half minute for which a node may be silent is over.
  await cluster.postgres.sql("UPDATE footman.node SET seen_at = seen_at - interval '1 min' WHERE name = $1", [
    other.name,
  ])
  const removed = await runToEnd(['cluster', 'remove', other.name, '-c', fileOf(leader.name)])
  expect([removed.code, removed.stderr]).toEqual([0, ''])
  const { nodes } = (await (await leader.call('GET', '/v4/cluster')).json()) as {
    nodes: { node?: string; name?: string }[]
  }
  expect(JSON.stringify(nodes)).not.toContain(`"${other.name}"`)
}, 120_000)

test('footman doctor advises no line without TLS for a host that the server does not know', async () => {
  const leader = await cluster.untilLed()
  const doctor = (section: Tree) => {
    const butler = butlerOf(leader.name)
    const footman = butler.footman as Tree
    const file = cluster.directory.join('doctor.yaml')
    const tree = { ...butler, footman: { ...footman, cluster: { ...(footman.cluster as Tree), ...section } } }
    writeFileSync(file, JSON.stringify({ Butler: tree }))
    return runToEnd(['doctor', '-c', file, '--only', 'cluster'])
  }
  const [hba] = await cluster.postgres.sql<{ file: string }>(
    "SELECT setting AS file FROM pg_settings WHERE name = 'hba_file'",
  )
  const { file } = hba!
  const lines = readFileSync(file, 'utf8')
  try {
    writeFileSync(file, 'host all postgres 127.0.0.1/32 scram-sha-256\n')
    await cluster.postgres.sql('SELECT pg_reload_conf()')
    for (const tls of [{}, { tls: { mode: 'off' } }]) {
      const found = await until(
        async () => {
          const { code, stdout } = await doctor(tls)
          return code === 3 && stdout.includes('pg_hba.conf') && stdout
        },
        { what: 'the refusal' },
      )
      expect(found).toContain('"hostssl footman footman 10.1.2.0/24 scram-sha-256"')
      expect(found).not.toMatch(/"host(?:nossl)? /)
    }
  } finally {
    writeFileSync(file, lines)
    await cluster.postgres.sql('SELECT pg_reload_conf()')
  }
}, 60_000)
