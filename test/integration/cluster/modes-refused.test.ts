/** Nodes that a cluster, or its database, refuses. */
import { describe, expect, test } from 'bun:test'
import { copyFileSync, mkdirSync } from 'node:fs'
import {
  directory,
  follows,
  leads,
  type Member,
  members,
  newMember,
  pair,
  schema,
  server,
  settingsOf,
  startMembers,
  untilLeads,
  words,
} from '../../support/cluster/members.ts'
import { ROLE } from '../../support/postgres.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

startMembers()

describe('nodes of a cluster', () => {
  test('need names of their own', async () => {
    const [a] = await pair()
    const other = newMember('qs-a', { dataDirectory: directory.join('other') })
    await until(() => other.fatal !== null, { what: 'the second one to be refused' })
    expect(other.fatal?.message).toContain('"qs-a"')
    expect(leads(a)).toBe(true)
  })

  test('need data of their own: a copied directory ends the process that was later', async () => {
    const [a] = await pair()
    const copy = directory.join('copy')
    mkdirSync(copy)
    copyFileSync(directory.join('qs-a', 'cluster.json'), `${copy}/cluster.json`)
    const cloned = newMember('qs-a', { dataDirectory: copy })
    await until(() => cloned.fatal !== null, { what: 'the copy to be noticed', state: words })
    expect(cloned.fatal?.message).toContain('copy of this data directory')
    expect(a.fatal).toBeNull()
    await cloned.stop()
    await until(() => members.some(leads), { what: 'one to lead again', state: words })
  })

  test('need data of their own also under another name', async () => {
    const [a] = await pair()
    const copy = directory.join('copy')
    mkdirSync(copy)
    copyFileSync(directory.join('qs-a', 'cluster.json'), `${copy}/cluster.json`)
    const cloned = newMember('qs-x', { dataDirectory: copy })
    await until(() => cloned.fatal !== null, { what: 'the copy to be noticed', state: words })
    expect(cloned.fatal?.message).toContain('Node "qs-a" of the cluster works with the same data directory')
    expect(leads(a)).toBe(true)
  })

  test('refuse the database of another cluster', async () => {
    const [a] = await pair()
    const id = a.shared.status?.clusterId
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    await a.stop()
    await server.sql(`UPDATE ${schema}.cluster_info SET id = gen_random_uuid()`)
    const again = newMember('qs-a')
    await until(() => again.fatal !== null, { what: 'the other cluster to be noticed' })
    expect(again.fatal?.message).toContain('another cluster')
    expect(again.fatal?.hint).toContain(id!)
  })

  test('of a version that is too old end', async () => {
    const [a] = await pair()
    await a.stop()
    await server.sql(`UPDATE ${schema}.cluster_info SET min_protocol = 99`)
    const again = newMember('qs-a')
    await until(() => again.fatal !== null, { what: 'the protocol to be noticed' })
    expect(again.fatal?.message).toContain('too old')
  })

  test('a node that the database refuses keeps what it receives, and does nothing that others do', async () => {
    const [a] = await pair()
    const postgres = { ...settingsOf('qs-c'), password: 'wrong' }
    const c = newMember('qs-c', { postgres })
    const isRefused = () => c.shared.mode === 'alone' && c.shared.inbox !== null
    await until(isRefused, { what: 'the refusal to count', state: words })
    expect([c.shared.runsDuties, c.shared.status?.database.isRefused]).toEqual([false, true])
    expect(c.shared.status?.database.reason).toMatch(/refuses this node: .*password authentication failed/)
    expect(c.log.lines.map(({ message }) => message)).toContainEqual(expect.stringContaining('footman doctor'))
    await expect(c.shared.inbox!.offer([])).rejects.toThrow()
    expect(leads(a)).toBe(true)
    await server.kill()
    await until(() => c.shared.mode === 'alone' && c.shared.inbox === null, {
      what: 'it to work alone without a server',
      state: words,
    })
    await server.start()
    await until(isRefused, { what: 'the refusal to count again', state: words })
  }, 60_000)

  test('a node that the database refuses for long alerts about what it has received, until it is let in', async () => {
    const [a] = await pair()
    const refusedAfterMs = () => 6000
    const postgres = { ...settingsOf('qs-c'), password: 'wrong' }
    const [c, d] = [
      newMember('qs-c', { postgres, refusedAfterMs }),
      newMember('qs-d', { postgres, refusedAfterMs, whenDatabaseDown: () => 'wait' }),
    ]
    const waits = ({ shared }: Member) => shared.mode === 'alone' && shared.inbox !== null
    const alerts = ({ shared }: Member) => shared.mode === 'alone' && shared.inbox === null
    await until(() => [c, d].every(waits), { what: 'the refusal to count', state: words })
    await until(() => alerts(c), { what: 'the node to alert', state: words })
    expect([c.shared.runsDuties, c.shared.status?.database]).toEqual([
      false,
      expect.objectContaining({ isRefused: true, isWaitedFor: false }),
    ])
    // It stays so: the app is not built anew at every look.
    const parts = c.parts.length
    await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE.user}'`)
    await untilLeads(a)
    expect([c.parts.length, waits(d)]).toEqual([parts, true])
    await server.sql(`ALTER ROLE ${ROLE.user} PASSWORD 'wrong'`)
    try {
      await until(() => follows(c), { what: 'it to be let in', state: words })
    } finally {
      await server.sql(`ALTER ROLE ${ROLE.user} PASSWORD '${ROLE.password}'`)
    }
  }, 60_000)
})
