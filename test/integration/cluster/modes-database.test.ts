/** The parts that nodes of a cluster play without the database, and when it is back or was put back. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import {
  follows,
  leads,
  type Member,
  newMember,
  pair,
  schema,
  server,
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
  test('work alone without the database and are one again when it is back; what they alone know of limits ends', async () => {
    const [a, b] = await pair()
    await write(a, 'before')
    await server.kill()
    await until(() => [a, b].every(({ shared }) => shared.mode === 'alone'), { what: 'both to be alone', state: words })
    expect([a, b].map(({ shared }) => [shared.runsDuties, shared.delivers, shared.inbox])).toEqual([
      [false, true, null],
      [false, true, null],
    ])
    await write(a, 'alone')
    await server.start()
    await until(() => [a, b].filter(leads).length === 1 && [a, b].filter(follows).length === 1, {
      what: 'one leader and one follower',
      state: words,
    })
    for (const member of [a, b]) expect(snoozes(member)).toEqual(['before'])
  }, 60_000)

  test('do with what comes in as the guide says', async () => {
    const [a, b] = await pair()
    const request = { method: 'PUT', url: '/', headers: {}, body: null, caller: null, requestId: '' }
    const change = async ({ shared }: Member) => {
      const signal = AbortSignal.timeout(500)
      const passed = shared.atLeader({ ...request, signal })
      if (passed === null) return shared.mayAct() ? 'done' : 'refused'
      return passed.then(
        () => 'passed',
        (error: { readonly fault?: string }) => (error.fault === 'CLUSTER_UNAVAILABLE' ? 'refused' : 'passed'),
      )
    }
    const duty = ({ shared }: Member) => (shared.runsDuties && shared.mayAct() ? 'done' : 'kept')
    const walk = async (member: Member) => ({
      UDP: member.shared.delivers && member.shared.mayAct() ? 'done' : 'kept',
      'REST, changing': await change(member),
      'key-value pair, changing': await change(member),
      'MQTT start request': duty(member),
      'MQTT trigger, MQTT message to keep': duty(member),
      'schedule that is due': duty(member),
      'report trigger': duty(member),
    })
    a.shared.serve(async () => ({ status: 204, headers: {}, body: new Uint8Array(), note: null }))
    const found = { leader: await walk(a), follower: await walk(b) }
    await server.kill()
    await until(() => b.shared.mode === 'alone', { what: 'the node to be alone', state: words })
    const all = { ...found, alone: await walk(b) }
    await server.start()
    const guide = readFileSync('docs/several-nodes.md', 'utf8')
    const rows = guide.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
    const head = rows.find((cells) => cells[1] === 'Input')!
    for (const [state, inputs] of Object.entries(all)) {
      const column = head.indexOf(state)
      const told = Object.keys(inputs).map((input) => [
        input,
        rows.find((cells) => cells[1] === input)?.[column]?.match(/\w+/)?.[0],
      ])
      expect([state, Object.fromEntries(told)]).toEqual([state, inputs])
    }
  }, 60_000)

  test('wait for the database where they are told to', async () => {
    const [a, b] = await pair({ whenDatabaseDown: () => 'wait' })
    await server.kill()
    await until(() => !a.shared.mayAct(), { what: 'the lease to end' })
    await until(() => (a.shared.status?.database.downForMs ?? 0) > 5000, { what: 'a long outage' })
    expect([a, b].map(({ shared }) => shared.mode)).toEqual(['leader', 'follower'])
    await server.start()
    await until(() => [a, b].some(leads), { what: 'a leader', state: words })
    expect([a, b].flatMap(({ log }) => log.lines).filter(({ message }) => /alone/.test(message))).toEqual([])
  }, 60_000)

  test('keep what a leader has done that goes on with its duties', async () => {
    const [a, b] = await pair({ dutiesWhenDatabaseDown: 'lastLeader' })
    await write(a, 'before')
    await server.kill()
    await until(() => [a, b].every(({ shared }) => shared.mode === 'alone'), { what: 'both to be alone', state: words })
    expect([a, b].map(({ shared }) => shared.runsDuties)).toEqual([true, false])
    await write(a, 'by the last leader')
    await write(b, 'by another')
    await server.start()
    await until(() => [a, b].filter(leads).length === 1 && [a, b].filter(follows).length === 1, {
      what: 'one leader and one follower',
      state: words,
    })
    for (const member of [a, b])
      await until(() => snoozes(member).length === 2, { what: 'the same rows', state: words })
    for (const member of [a, b]) expect(snoozes(member)).toEqual(['before', 'by the last leader'])
  }, 60_000)

  test('find out that the database was put back while they were away, also when it has as many rows again', async () => {
    const [a, b] = await pair()
    await write(a, 'before')
    const backup = await server.backup()
    await untilLeads(a)
    await write(a, 'late')
    for (let n = 0; n < 10; n += 1) {
      a.db.run('UPDATE snooze SET reason = ? WHERE id = ?', String(n), 'late')
      await a.shared.afterCommit()
    }
    await until(() => b.db.get("SELECT 1 FROM snooze WHERE id = 'late' AND reason = '9'"), { what: 'the last change' })
    const known = b.shared.status!.appliedRev
    await b.stop()
    await server.restore(backup)
    await until(() => a.parts.some((because) => because.includes('earlier state')) && leads(a), {
      what: 'the leader to find out, and to lead again',
      state: words,
    })
    for (let n = 0; n < 12; n += 1) await write(a, `after ${n}`)
    await until(() => a.shared.status!.headRev > known, { what: 'as many rows as before' })
    const again = newMember('qs-b')
    await untilFollows(again)
    await until(() => snoozes(again).length === snoozes(a).length, { what: 'all rows', state: () => snoozes(again) })
    expect(snoozes(again)).toEqual(snoozes(a))
    expect(snoozes(a)).toHaveLength(14)
    const parts = again.parts.length
    await write(a, 'one more')
    await until(() => snoozes(again).includes('one more'), { what: 'the next row' })
    expect(again.parts).toHaveLength(parts)
  }, 60_000)

  test('go on when the database is put back once more while they add what it has forgotten', async () => {
    const a = newMember('qs-a')
    await untilLeads(a)
    for (let n = 0; n < 5; n += 1) await write(a, `before ${n}`)
    const isAdding = `EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'UPDATE node SET returned_at%' AND wait_event_type = 'Lock')`
    // It is put back once when its table of nodes is locked, and again in the last step of the node's return.
    const puttingBack = server.sql(`DO $$ BEGIN
      LOCK TABLE ${schema}.node;
      LOOP EXIT WHEN ${isAdding}; PERFORM pg_stat_clear_snapshot(), pg_sleep(0.02); END LOOP;
      UPDATE ${schema}.head SET rev = 1;
    END $$`)
    await until(
      () =>
        server
          .sql(`SELECT FROM pg_locks WHERE relation = '${schema}.node'::regclass AND mode = 'AccessExclusiveLock'`)
          .then((rows) => rows.length > 0),
      { what: 'the lock' },
    )
    await server.sql(`UPDATE ${schema}.head SET rev = 2`)
    await puttingBack
    await until(() => a.parts.filter((because) => because.includes('earlier state')).length === 2, {
      what: 'the node to find out twice',
      state: words,
    })
    await untilLeads(a)
    await write(a, 'after')
    expect(snoozes(a)).toHaveLength(6)
    const rows = await server.sql(`SELECT key FROM ${schema}.replica WHERE tbl = 'snooze' AND NOT deleted`)
    expect(rows).toHaveLength(6)
  }, 60_000)

  test('add what the database has forgotten also when the app before takes long to end', async () => {
    const a = newMember('qs-a')
    await untilLeads(a)
    await write(a, 'before')
    const looks = new Set<string>()
    a.atEnd(async () => {
      const look = `SELECT query_start FROM pg_stat_activity WHERE query LIKE 'SELECT node, epoch, expires_at%' AND application_name LIKE 'footman/qs-a%'`
      await until(
        async () => {
          for (const row of await server.sql<{ query_start: Date }>(look)) looks.add(String(row.query_start.getTime()))
          return looks.size > 3
        },
        { what: 'looks at the lease while the app ends' },
      )
    })
    // As many rows again as it knows: it is seen once, by the history.
    await server.sql(`DELETE FROM ${schema}.replica; UPDATE ${schema}.head SET history = 'another'`)
    await until(
      () => a.log.lines.some(({ message }) => /rows of the last hour are in the database again/.test(message)),
      {
        what: 'the rows to be added',
        state: words,
      },
    )
    await untilLeads(a)
    const rows = await server.sql(`SELECT key FROM ${schema}.replica WHERE tbl = 'snooze' AND NOT deleted`)
    expect(rows).toEqual([{ key: 'before' }])
    // It was no follower in between, which would have taken the lead with a part that has ended.
    expect(a.log.lines.filter(({ message }) => /is follower now/.test(message))).toHaveLength(2)
  }, 60_000)
})
