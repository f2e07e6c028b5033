/** The parts that nodes of a cluster play: who leads, and who follows. */
import { describe, expect, test } from 'bun:test'
import {
  type Member,
  newMember,
  pair,
  schema,
  server,
  snooze,
  snoozes,
  startMembers,
  untilFollows,
  untilLeads,
  words,
  write,
} from '../../support/cluster/members.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

startMembers()

describe('nodes of a cluster', () => {
  test('have one leader, which hands over at a clean stop at once', async () => {
    const [a, b] = await pair()
    expect([a.shared.runsDuties, b.shared.runsDuties]).toEqual([true, false])
    await write(a, 'one')
    await until(() => snoozes(b).length === 1, { what: 'the row to be followed' })
    snooze(a, 'last')
    const from = performance.now()
    await a.stop()
    await until(() => b.shared.status?.mode === 'leader', { what: 'the next leader' })
    expect(performance.now() - from).toBeLessThan(4000)
    await untilLeads(b)
    expect(snoozes(b)).toEqual(['last', 'one'])
    const rows = await server.sql<{ node: string; mode: string }>(`SELECT name AS node, mode FROM ${schema}.node`)
    expect(rows.find(({ node }) => node === 'qs-a')?.mode).toBe('leaving')
  })

  test('change the leader when it is asked to step down, which ends what it does before', async () => {
    const [a, b] = await pair()
    for (const [last, next] of [
      [a, b],
      [b, a],
    ] as const) {
      last.atEnd(() => write(last, `last of ${last.name}`))
      await last.cluster.stepDown()
      await untilLeads(next)
      await untilFollows(last)
      expect(last.parts.at(-1)).toContain('asked to lead')
      await until(() => next.shared.status?.leaderships[0]?.node === next.name, { what: 'the list of leaderships' })
      expect(snoozes(next)).toContain(`last of ${last.name}`)
    }
    expect([...a.log.lines, ...b.log.lines].filter(({ message }) => message.includes('put back'))).toEqual([])
  })

  test('do not leave the lead to one that cannot write its disk, whose app is built anew when it can', async () => {
    let database = 'up'
    const a = newMember('qs-a', {}, () => ({ database }))
    await untilLeads(a)
    const b = newMember('qs-b')
    await untilFollows(b)
    database = 'down'
    await untilLeads(b)
    const disk = (member: Member) => {
      const own = member.shared.status?.nodes.find(({ name }) => name === 'qs-a')
      return (own?.health.lacks as { disk?: string } | undefined)?.disk
    }
    expect(disk(b)).toContain('cannot be written')
    expect([a.shared.mayAct(), a.parts]).toEqual([false, [expect.stringContaining('leads the cluster')]])
    // None takes the lead that cannot write, when no other node is there.
    const c = newMember('qs-c', {}, () => ({ database: 'down' }))
    await untilFollows(c)
    await b.stop()
    await until(() => c.log.lines.some(({ message }) => message.includes('does not take the lead')), {
      what: 'the node to leave the lead alone',
      state: words,
    })
    expect(a.parts).toHaveLength(1)
    database = 'up'
    await untilLeads(a)
  }, 60_000)

  test('a node whose repository is away leaves the lead to one that reaches it', async () => {
    const a = newMember('qs-a', {}, () => ({ database: 'up', qrs: 'down' }))
    await untilLeads(a)
    const b = newMember('qs-b', {}, () => ({ database: 'up', qrs: 'up' }))
    await untilFollows(b)
    await a.stop()
    const again = newMember('qs-a', {}, () => ({ database: 'up', qrs: 'down' }))
    await untilLeads(b)
    await untilFollows(again)
  }, 60_000)

  test('tell when a section of their configuration has changed', async () => {
    let hashes: Readonly<Record<string, string>> = { calendars: '1', windows: '1' }
    const [, b] = await pair({ configHashes: () => hashes })
    const differs = () => b.shared.status?.configDiffers ?? {}
    expect(differs()).toEqual({})
    const c = newMember('qs-c', { configHashes: () => ({ calendars: '1', windows: '2' }) })
    await untilFollows(c)
    await until(() => differs().windows?.includes('qs-c'), {
      what: 'the section to be known to differ',
      state: differs,
    })
    hashes = { calendars: '1', windows: '2' }
    await until(() => Object.keys(differs()).length === 0, { what: 'the sections to be equal', state: differs })
  })
})
