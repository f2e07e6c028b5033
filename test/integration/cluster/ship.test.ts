/** What a leader ships, what is refused, and how nodes come together again. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import { insertDelivery } from '../../../src/alerts/outbox/store.ts'
import { createApplier } from '../../../src/cluster/apply.ts'
import { silently } from '../../../src/cluster/changes.ts'
import { createClusterClock } from '../../../src/cluster/clock.ts'
import { createFollower, type Follower } from '../../../src/cluster/follow.ts'
import { shipForgotten, takeBack } from '../../../src/cluster/merge.ts'
import { readPage } from '../../../src/cluster/replica.ts'
import { cleanShared } from '../../../src/cluster/retention.ts'
import { createShipper, type Shipper } from '../../../src/cluster/ship.ts'
import { NotLeaderError, type Term } from '../../../src/cluster/types.ts'
import { insertItem, noteAttempt, oldestItems, removeItem } from '../../../src/platform/durable-queue-store.ts'
import { PostgresError } from '../../../src/platform/postgres/errors.ts'
import type { PostgresPool } from '../../../src/platform/postgres/types.ts'
import type { Database, FileDatabase } from '../../../src/platform/sqlite.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { type Postgres, postgresPrograms, startPostgres } from '../../support/postgres.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { needs } from '../../support/servers.ts'
import { lead, MIGRATIONS, openSchema, openStore, rowsIn, rowsInDatabase } from '../../support/shared-stores.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

interface Node {
  readonly name: string
  readonly db: FileDatabase
  readonly shipper: Shipper
  readonly follower: Follower
  readonly fenced: () => number
  readonly applied: Set<string>
  /** Leads with a new token. */
  lead(): Promise<void>
}

let server: Postgres
let pool: PostgresPool
let schemas = 0
const nodes: Node[] = []

beforeAll(async () => {
  if (postgresPrograms()) server = await startPostgres()
}, 60_000)
afterAll(() => server?.stop())
afterEach(async () => {
  for (const { shipper, follower, db } of nodes.splice(0)) {
    await shipper.stop()
    await follower.stop()
    db.close()
  }
  await pool.close()
})

async function site(names: readonly string[], migrations: Readonly<Record<string, typeof MIGRATIONS>> = {}) {
  schemas += 1
  pool = await openSchema(server, `ship_${schemas}`)
  return names.map((name) => newNode(name, migrations[name]))
}

function newNode(name: string, migrations?: typeof MIGRATIONS): Node {
  const db = openStore(':memory:', migrations)
  const log = recordingLog()
  const applied = new Set<string>()
  let term: Term | null = null
  let fenced = 0
  const follower = createFollower({
    clock: createClusterClock(systemClock),
    onForgotten: () => undefined,
    db,
    pool,
    log,
    node: name,
    isLeader: () => term !== null,
    onApplied: (tables) => {
      for (const table of tables) applied.add(table)
    },
  })
  const shipper = createShipper({
    clock: createClusterClock(systemClock),
    db,
    pool,
    log,
    node: name,
    term: () => term,
    seenRev: () => follower.appliedRev,
    onFenced: () => {
      fenced += 1
      term = null
    },
  })
  const node: Node = {
    name,
    db,
    shipper,
    follower,
    applied,
    fenced: () => fenced,
    async lead() {
      term = { token: randomUUID(), epoch: 0 }
      await lead(pool, term.token)
    },
  }
  nodes.push(node)
  return node
}

const newFollower = ({ db, name, pool: reading }: Pick<Node, 'db' | 'name'> & { readonly pool: PostgresPool }) =>
  createFollower({
    clock: createClusterClock(systemClock),
    db,
    pool: reading,
    node: name,
    log: recordingLog(),
    isLeader: () => false,
    onApplied: () => undefined,
    onForgotten: () => undefined,
  })

/** The answer of the first query comes when it is released. */
function holdFirst(real: PostgresPool) {
  const asked = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const query: PostgresPool['query'] = async (...request) => {
    const rows = await real.query<never>(...request)
    asked.resolve()
    await released.promise
    return rows
  }
  return { pool: { ...real, query }, asked: asked.promise, release: () => released.resolve() }
}

function addEvent(db: Database, id: string, state = 'pending'): void {
  db.run(
    `INSERT INTO event (id, received_at, source, sender, type, announced, outcome, severity, state, deadline_at,
      next_attempt_at, host, user, task_id, task_name, app_id, app_name, execution_id, log_time, log_level, log_message)
      VALUES (?, 5, 'udp', '', 'reload', 'failure', 'failure', 'error', ?, 0, 0, '', '', 't', 'T', '', '', '', '', '', '')`,
    id,
    state,
  )
}

const addDelivery = (db: Database, id: string, eventId: string): boolean =>
  insertDelivery(db, {
    id,
    eventId,
    kind: 'alert',
    route: 'all',
    destination: 'mail',
    target: id,
    lane: 'mail',
    destinationType: 'email',
    orderKey: null,
    limitKey: null,
    severity: 'error',
    state: 'pending',
    reason: null,
    detail: null,
    createdAt: 1,
  })

const stateOf = (db: Database, id: string) =>
  db.get<{ state: string }>('SELECT state FROM delivery WHERE id = ?', id)?.state
const setState = (db: Database, id: string, state: string) =>
  db.run('UPDATE delivery SET state = ? WHERE id = ?', state, id)
const noteAttemptOf = (db: Database, id: string) =>
  db.run("INSERT INTO delivery_attempt VALUES (?, 1, 0, 0, 'ok', '')", id)
const countIn = async (table: string) =>
  Number((await pool.query<{ n: number }>('SELECT count(*) AS n FROM replica WHERE tbl = $1', [table]))[0]!.n)
const snooze = (db: Database, id: string) =>
  db.run(
    "INSERT INTO snooze (id, match, from_at, until_at, reason, created_by, created_at) VALUES (?, '{}', 0, 9, '', '', 0)",
    id,
  )
const snoozes = (db: Database) => db.all<{ id: string }>('SELECT id FROM snooze ORDER BY id').map(({ id }) => id)

const offer = (...keys: readonly string[]) =>
  pool.query(
    `INSERT INTO inbox (key, node, received_at, sender, raw, expires_at)
      SELECT key, 'b', now(), '', '', now() FROM unnest($1::text[]) AS key`,
    [keys],
  )
const openMessages = async () =>
  (await pool.query<{ key: string }>('SELECT key FROM inbox WHERE settled_rev IS NULL ORDER BY key')).map(
    ({ key }) => key,
  )

const commit = (node: Node, work: (db: Database) => void): Promise<void> | null => {
  node.db.transaction(() => work(node.db))
  return node.shipper.afterCommit()
}

describe('the leader', () => {
  test('a commit is durable when it is in the database; one that nodes do not share waits for nothing', async () => {
    const [a] = (await site(['a'])) as [Node]
    await a.lead()
    expect(commit(a, (db) => db.run("INSERT INTO meta VALUES ('cursor', '1')"))).toBeNull()
    await commit(a, (db) => snooze(db, 'one'))
    expect(await countIn('snooze')).toBe(1)
    expect(a.shipper.unshipped).toBe(0)
    expect(commit(a, () => undefined)).toBeNull()
  })

  test('a large commit is in the database as a whole or not at all', async () => {
    const [a] = (await site(['a'])) as [Node]
    await a.lead()
    const shipped = commit(a, (db) => {
      for (let n = 0; n < 3000; n += 1) snooze(db, `s${n}`)
    })
    const seen = new Set<number>()
    let isDone = false
    shipped!.then(() => {
      isDone = true
    })
    while (!isDone) seen.add(await countIn('snooze'))
    expect([...seen].filter((count) => count !== 0 && count !== 3000)).toEqual([])
    expect(await countIn('snooze')).toBe(3000)
  })

  test('entries of the inbox are settled, and commands answered, with the rows', async () => {
    const [a] = (await site(['a'])) as [Node]
    await a.lead()
    await offer('k')
    await commit(a, (db) => {
      addEvent(db, 'e')
      a.shipper.settle([{ key: 'k', eventId: 'e' }])
    })
    const [settled] = await pool.query(
      "SELECT settled_rev = rev AS same, handled FROM inbox, replica WHERE tbl = 'event' AND replica.key = 'e'",
    )
    expect(settled).toEqual({ same: true, handled: 'leader' })

    const id = randomUUID()
    await pool.query(
      "INSERT INTO command (id, node, request, created_at, deadline) VALUES ($1, 'b', '{}', now(), now())",
      [id],
    )
    await a.shipper.answer({ id, answer: { status: 201 }, body: new TextEncoder().encode('made') })
    const [answer] = await pool.query<{ answer: unknown; body: Uint8Array; rev: number }>(
      'SELECT answer, answer_body AS body, rev FROM command',
    )
    expect(answer!.answer).toEqual({ status: 201 })
    expect(new TextDecoder().decode(answer!.body)).toBe('made')
    expect(answer!.rev).toBe(1)
  })

  test('a write that bypasses the writer is shipped soon', async () => {
    const [a] = (await site(['a'])) as [Node]
    await a.lead()
    a.shipper.start()
    snooze(a.db, 'beside')
    await until(async () => (await countIn('snooze')) === 1)
  })

  test('what the network ate is shipped when the database is back', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    await commit(a, (db) => snooze(db, 'before'))
    await server.kill()
    const shipped = commit(a, (db) => snooze(db, 'meanwhile'))
    await until(() => a.shipper.unshipped > 0)
    await server.start()
    await shipped
    await until(() => b.follower.toHead())
    expect(snoozes(b.db)).toEqual(['before', 'meanwhile'])
  }, 60_000)
})

describe('a row that the server cannot store', () => {
  test('stays here, and keeps no other row here', async () => {
    const [a] = (await site(['a'])) as [Node]
    const token = randomUUID()
    await lead(pool, token)
    const log = recordingLog()
    const picky = (parameters: readonly unknown[] = []) => {
      if (JSON.stringify(parameters).includes('poison')) throw new PostgresError('bad value', 'wrong', '22P05')
    }
    const shipper = createShipper({
      clock: createClusterClock(systemClock),
      db: a.db,
      log,
      node: 'a',
      term: () => ({ token, epoch: 1 }),
      seenRev: () => 0,
      onFenced: () => undefined,
      pool: {
        ...pool,
        async query<Row>(sql: string, parameters?: readonly unknown[]) {
          picky(parameters)
          return pool.query<Row>(sql, parameters)
        },
      },
    })
    a.db.transaction(() => {
      for (const id of ['before', 'poison', 'after']) snooze(a.db, id)
    })
    await shipper.afterCommit()
    expect(await countIn('snooze')).toBe(2)
    expect(log.lines.map(({ message }) => message)).toEqual([
      'CLUSTER A row of snooze stays on this node, as the server cannot store it: bad value',
    ])
    await shipper.stop()
  })
})

describe('a leader that has lost the lead', () => {
  test('is refused, and takes back what nobody has got', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    await commit(a, (db) => {
      snooze(db, 'kept')
      snooze(db, 'changed')
      db.run("INSERT INTO dedup VALUES ('known', 5)")
    })
    await b.follower.toHead()
    await b.lead()
    await commit(b, (db) => db.run("UPDATE snooze SET reason = 'by b' WHERE id = 'changed'"))

    const refused = commit(a, (db) => {
      snooze(db, 'never answered')
      db.run("UPDATE snooze SET reason = 'by a' WHERE id = 'changed'")
      db.run("DELETE FROM snooze WHERE id = 'kept'")
      db.run("INSERT INTO dedup VALUES ('not shipped', 5)")
    })
    await expect(refused).rejects.toBeInstanceOf(NotLeaderError)
    expect(a.fenced()).toBe(1)
    await expect(commit(a, (db) => snooze(db, 'later'))).rejects.toBeInstanceOf(NotLeaderError)
    expect(a.fenced()).toBe(1)
    await expect(a.shipper.answer({ id: randomUUID(), answer: {}, body: null })).rejects.toBeInstanceOf(NotLeaderError)

    await takeBack({ ...a, pool, node: a.name })
    await a.follower.toHead()
    expect(rowsIn(a.db)).toEqual(rowsIn(b.db))
    expect(snoozes(a.db)).toEqual(['changed', 'kept'])
    expect(a.db.all('SELECT * FROM cluster_change')).toEqual([])
  })

  test('settles its messages at a standby that gives their ids to others', async () => {
    const [a] = (await site(['a'])) as [Node]
    await a.lead()
    await offer('taken')
    // What the standby that was behind has got: neither the message nor its settlement, and other messages since.
    await pool.query('TRUNCATE inbox RESTART IDENTITY')
    await offer('of another node')
    await commit(a, (db) => {
      addEvent(db, 'e')
      a.shipper.settle([{ key: 'taken', eventId: 'e' }])
    })
    expect(await openMessages()).toEqual(['of another node'])

    // Offered again, it is settled once more, and its event stays known until the rows are shipped.
    await offer('taken')
    await commit(a, () => a.shipper.settle([{ key: 'taken', eventId: null }]))
    expect(await openMessages()).toEqual(['of another node'])
    expect(a.db.all('SELECT * FROM inbox_taken')).toEqual([{ message_key: 'taken', event_id: 'e' }])
  })

  test('removes events whose messages wait for the next leader, and keeps those that were shipped', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    await offer('k1', 'k2')
    const take = (key: string, eventId: string) => (db: Database) => {
      addEvent(db, eventId, 'routed')
      addDelivery(db, `of ${eventId}`, eventId)
      a.shipper.settle([{ key, eventId }])
    }
    await commit(a, take('k1', 'shipped'))
    await b.follower.toHead()
    await b.lead()
    await expect(commit(a, take('k2', 'lost'))).rejects.toBeInstanceOf(NotLeaderError)
    const { removedEvents } = await takeBack({ ...a, pool, node: a.name })
    await a.follower.toHead()

    expect(removedEvents).toBe(1)
    expect(a.db.all<{ id: string }>('SELECT id FROM event').map(({ id }) => id)).toEqual(['shipped'])
    expect(stateOf(a.db, 'of lost')).toBeUndefined()
    expect(await openMessages()).toEqual(['k2'])
    expect(await countIn('event')).toBe(1)
  })

  test('keeps the deliveries that the next leader has made of the same message', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    await offer('k')
    const takeAs = (node: Node, eventId: string) =>
      commit(node, (db) => {
        addEvent(db, eventId, 'routed')
        addDelivery(db, 'the same', eventId)
        noteAttemptOf(db, 'the same')
        setState(db, 'the same', 'delivered')
        node.shipper.settle([{ key: 'k', eventId }])
      })
    await b.lead()
    await expect(takeAs(a, 'of a')).rejects.toBeInstanceOf(NotLeaderError)
    await takeAs(b, 'of b')
    // Before it knows that it leads no more.
    await a.follower.toHead()
    const { removedEvents } = await takeBack({ ...a, pool, node: a.name })
    await a.follower.toHead()

    expect(removedEvents).toBe(1)
    for (const { db } of [a, b]) {
      expect(db.all('SELECT id, event_id FROM delivery')).toEqual([{ id: 'the same', event_id: 'of b' }])
      expect(db.all('SELECT delivery_id, n FROM delivery_attempt')).toEqual([{ delivery_id: 'the same', n: 1 }])
    }
  })

  test('an alert of its time alone keeps its fallback', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    const watch = (db: Database, event: string) => {
      addEvent(db, event)
      db.run('INSERT INTO fallback_watch VALUES (?, ?, 9)', event, 'night')
    }
    const watches = (db: Database) => db.all<{ id: string }>('SELECT event_id AS id FROM fallback_watch ORDER BY 1')
    await commit(a, (db) => watch(db, 'led'))
    await b.follower.toHead()
    b.db.transaction(() => watch(b.db, 'alone'))
    b.db.run("DELETE FROM fallback_watch WHERE event_id = 'led'")
    await takeBack({ ...b, pool, node: 'b' })
    for (const { follower } of [a, b]) await follower.toHead()
    for (const { db } of [a, b]) expect(watches(db)).toEqual([{ id: 'alone' }, { id: 'led' }])
  })

  test.each(['mqtt_outgoing', 'influx_point'])('what waits in %s since then waits at the leader', async (queue) => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    const add = (db: Database, body: string) => insertItem(db, queue, { key: 'k', body, createdAt: 1 })
    const bodies = (db: Database) => oldestItems(db, queue, null, 9).map(({ body }) => body)
    await commit(a, (db) => {
      add(db, 'first')
      add(db, 'sent')
    })
    await b.follower.toHead()
    await commit(a, (db) => {
      removeItem(db, queue, oldestItems(db, queue, null, 9)[1]!.seq)
      // Has the same number there as what the other node adds.
      add(db, 'led')
    })
    b.db.transaction(() => {
      noteAttempt(b.db, queue, oldestItems(b.db, queue, null, 9)[1]!.seq, 'refused')
      add(b.db, 'alone')
    })
    await takeBack({ ...b, pool, node: 'b' })
    for (const { follower } of [a, b]) await follower.toHead()
    expect(bodies(a.db)).toEqual(['first', 'led', 'alone'])
    expect(bodies(b.db).sort()).toEqual(['alone', 'first', 'led'])
  })

  test('a delivery that it has sent is delivered for all', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    await commit(a, (db) => {
      addEvent(db, 'e', 'routed')
      addDelivery(db, 'sent', 'e')
      addDelivery(db, 'failed', 'e')
      setState(db, 'sent', 'sending')
      setState(db, 'failed', 'sending')
    })
    await b.follower.toHead()
    await b.lead()
    await commit(b, (db) => {
      setState(db, 'sent', 'pending')
      setState(db, 'failed', 'dead')
    })
    await expect(
      commit(a, (db) => {
        setState(db, 'sent', 'delivered')
        setState(db, 'failed', 'pending')
      }),
    ).rejects.toBeInstanceOf(NotLeaderError)
    await takeBack({ ...a, pool, node: a.name })
    // The leader has not read it yet, and its own change comes first.
    await commit(b, (db) => setState(db, 'sent', 'sending'))
    await b.follower.toHead()
    await a.follower.toHead()
    for (const { db } of [a, b]) {
      expect(stateOf(db, 'sent')).toBe('delivered')
      expect(stateOf(db, 'failed')).toBe('dead')
    }
    // Once it knows, it may send it again when somebody asks for it.
    await commit(b, (db) => setState(db, 'sent', 'pending'))
    await a.follower.toHead()
    expect(stateOf(a.db, 'sent')).toBe('pending')
  })
})

test('rows that a node reads for itself never replace newer ones that it follows', async () => {
  const [a, b] = (await site(['a', 'b'])) as [Node, Node]
  await a.lead()
  await commit(a, (db) => {
    addEvent(db, 'e', 'routed')
    addDelivery(db, 'd', 'e')
  })
  // As after a time alone: the same event and delivery, made without the leader.
  addEvent(b.db, 'e', 'routed')
  addDelivery(b.db, 'd', 'e')
  const isRead = Promise.withResolvers<void>()
  const later = Promise.withResolvers<void>()
  const slow: PostgresPool = {
    ...pool,
    async query(sql, parameters) {
      const rows = await pool.query<never>(sql, parameters)
      if (sql.startsWith('SELECT tbl, key')) {
        isRead.resolve()
        await later.promise
      }
      return rows
    },
  }
  const back = takeBack({ ...b, pool: slow, node: 'b' })
  await isRead.promise
  await commit(a, (db) => setState(db, 'd', 'delivered'))
  const followed = b.follower.toHead()
  await Promise.race([followed, Bun.sleep(200)])
  later.resolve()
  await Promise.all([back, followed])
  expect(stateOf(b.db, 'd')).toBe('delivered')
  expect(rowsIn(b.db)).toEqual(rowsIn(a.db))
})

describe('other nodes', () => {
  test('tell which tables have changed, and their streams and counts go on', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    await commit(a, (db) => {
      addEvent(db, 'e')
      db.run("INSERT INTO kv_namespace (name, created_at) VALUES ('n', 0)")
      for (const key of ['x', 'y', 'z'])
        db.run(
          "INSERT INTO kv (namespace, key, value, revision, created_at, updated_at) VALUES ('n', ?, '', 1, 0, 0)",
          key,
        )
    })
    await b.follower.toHead()
    expect([...b.applied].toSorted()).toEqual(['event', 'kv', 'kv_namespace'])
    const keys = () => b.db.get<{ keys: number }>('SELECT keys FROM kv_namespace')!.keys
    expect(keys()).toBe(3)
    await commit(a, (db) => db.run("DELETE FROM kv WHERE key = 'y'"))
    await commit(a, (db) => db.run("UPDATE event SET state = 'routed'"))
    await b.follower.toHead()
    expect(keys()).toBe(2)
    const stream = b.db.all<{ data: string }>("SELECT data FROM change_log WHERE topic = 'event' ORDER BY seq")
    expect(stream.map(({ data }) => JSON.parse(data).state)).toEqual(['pending', 'routed'])
  })

  test('ship what they have made themselves; the leader gets it too', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    const entry = "INSERT INTO audit (id, at, actor, action, target, outcome) VALUES (?, 0, '', '', '', 'ok')"
    b.db.run(entry, 'by b')
    snooze(b.db, 'not to be shipped')
    expect(await takeBack({ ...b, pool, node: b.name })).toMatchObject({ shipped: 1 })
    expect(await takeBack({ ...b, pool, node: b.name })).toMatchObject({ shipped: 0 })
    await commit(a, (db) => db.run(entry, 'by a'))
    await a.follower.toHead()
    expect(a.db.all<{ id: string }>('SELECT id FROM audit ORDER BY id').map(({ id }) => id)).toEqual(['by a', 'by b'])
    expect(a.applied).toEqual(new Set(['audit']))
    expect(await countIn('snooze')).toBe(0)
  })

  test('columns of the next version stay in the database, and others are left out', async () => {
    const sql =
      "ALTER TABLE snooze ADD COLUMN colour TEXT NOT NULL DEFAULT 'none'; CREATE TABLE newer (id TEXT PRIMARY KEY);"
    const [a, b] = (await site(['a', 'b'], { b: [...MIGRATIONS, { name: 'next', sql }] })) as [Node, Node]
    await b.lead()
    await commit(b, (db) => {
      snooze(db, 's')
      db.run("UPDATE snooze SET colour = 'red'")
    })
    await pool
      .query(
        "INSERT INTO replica (tbl, key, rev, epoch, node, body) VALUES ('newer', 'x', 2, 1, 'b', '{}'); UPDATE head SET rev = 2",
      )
      .catch(() => undefined)
    await a.follower.toHead()
    expect(snoozes(a.db)).toEqual(['s'])
    await a.lead()
    await commit(a, (db) => db.run("UPDATE snooze SET reason = 'older'"))
    await commit(a, (db) => snooze(db, 'of the older'))
    await b.follower.toHead()
    expect(b.db.all<object>('SELECT id, reason, colour FROM snooze ORDER BY id').map((row) => ({ ...row }))).toEqual([
      { id: 'of the older', reason: '', colour: 'none' },
      { id: 's', reason: 'older', colour: 'red' },
    ])
  })

  test('old rows go from the database with those of the leader, and each node removes its own', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    await commit(a, (db) => {
      for (const id of ['old', 'new']) {
        addEvent(db, id, 'routed')
        addDelivery(db, `of ${id}`, id)
        db.run('INSERT INTO event_decision SELECT seq, 0, 0, NULL, NULL FROM event WHERE id = ?', id)
      }
    })
    await b.follower.toHead()
    const { rev } = (await pool.query<{ rev: number }>('SELECT rev FROM head'))[0]!
    await commit(a, (db) => db.run("DELETE FROM event WHERE id = 'old'"))
    const left = await pool.query<{ key: string }>('SELECT key FROM replica ORDER BY key')
    expect(left.map(({ key }) => key)).toEqual(['new', 'new', 'of new'])
    expect(await pool.query('SELECT rev FROM head')).toEqual([{ rev }])
    await b.follower.toHead()
    expect(stateOf(b.db, 'of old')).toBe('pending')
    b.db.run("DELETE FROM event WHERE id = 'old'")
    await takeBack({ ...b, pool, node: b.name })
    expect(rowsIn(b.db)).toEqual(rowsIn(a.db))
  })

  test('a node that was away until deletions were forgotten reads everything', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    await commit(a, (db) => {
      for (const id of ['one', 'two']) snooze(db, id)
      db.run("INSERT INTO dedup VALUES ('a', 1)")
    })
    await b.follower.toHead()
    await commit(a, (db) => db.run("DELETE FROM snooze WHERE id = 'one'"))
    await pool.query("UPDATE replica SET at = at - interval '8 days' WHERE deleted")
    await pool.query(
      `INSERT INTO inbox (key, node, received_at, sender, raw, expires_at, offered_at, settled_rev)
        SELECT 'k' || n, 'b', now(), '', '', now() - interval '1 day', now() - interval '2 days', nullif(n, 1) FROM generate_series(1, 3) AS n`,
    )
    expect(await cleanShared(pool, { keepInboxMs: 86_400_000 })).toBe(3)
    expect(await pool.query('SELECT key FROM inbox')).toEqual([{ key: 'k1' }])
    expect(await pool.query('SELECT key FROM replica WHERE deleted')).toEqual([])
    await commit(a, (db) => snooze(db, 'three'))
    await b.follower.toHead()
    expect(rowsIn(b.db)).toEqual(rowsIn(a.db))
    expect(snoozes(b.db)).toEqual(['three', 'two'])
    await commit(a, (db) => snooze(db, 'four'))
    await b.follower.toHead()
    expect(snoozes(b.db)).toEqual(['four', 'three', 'two'])
  })

  test('a node that goes back while it reads misses nothing, also of what belongs together', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    await commit(a, (db) => {
      addEvent(db, 'e')
      addDelivery(db, 'd', 'e')
      snooze(db, 'one')
    })
    // The delivery comes before its event, in another page: its event is not here when the node goes back.
    await commit(a, (db) => db.run("UPDATE event SET state = 'routed'"))
    const rows = await readPage(pool, 0, '')
    createApplier(b.db).apply(rows.rows.slice(0, -1), rows.rows.at(-2)!.rev)
    const held = holdFirst(pool)
    const follower = newFollower({ ...b, pool: held.pool })
    const first = follower.toHead()
    await held.asked
    silently(b.db, () => b.db.run("DELETE FROM snooze WHERE id = 'one'"))
    const back = follower.goBackTo(0)
    held.release()
    await Promise.all([first, back])
    await follower.toHead()
    expect(rowsIn(b.db)).toEqual(rowsIn(a.db))
  })

  test('a node that ends while it reads does not take itself for one that has read everything', async () => {
    const [a, b] = (await site(['a', 'b'])) as [Node, Node]
    await a.lead()
    await commit(a, (db) => snooze(db, 'one'))
    const held = holdFirst(pool)
    const follower = newFollower({ ...b, pool: held.pool })
    const [first, second] = [follower.toHead(), follower.toHead()].map((one) => one.catch((error: unknown) => error))
    await held.asked
    const stopped = follower.stop()
    held.release()
    await stopped
    expect([await first, await second]).toEqual([expect.any(Error), expect.any(Error)])
    follower.start()
    expect(snoozes(b.db)).toEqual([])
  })

  test('an upgraded node reads what it had to leave out', async () => {
    const next = { name: 'next', sql: "ALTER TABLE snooze ADD COLUMN colour TEXT NOT NULL DEFAULT 'none'" }
    const [a, b] = (await site(['a', 'b'], { a: [...MIGRATIONS, next] })) as [Node, Node]
    await a.lead()
    await commit(a, (db) => {
      snooze(db, 's')
      db.run("UPDATE snooze SET colour = 'red'")
    })
    await b.follower.toHead()
    b.db.exec(next.sql)
    const upgraded = newFollower({ ...b, pool })
    await upgraded.toHead()
    expect(b.db.get<{ colour: string }>('SELECT colour FROM snooze')!.colour).toBe('red')
  })

  test('a database that has forgotten gets again what was shipped', async () => {
    const [a] = (await site(['a'])) as [Node]
    await a.lead()
    a.shipper.start()
    await commit(a, (db) => snooze(db, 'old'))
    const { appliedRev } = a.follower
    await a.follower.toHead()
    await commit(a, (db) => {
      snooze(db, 'forgotten')
      db.run("DELETE FROM snooze WHERE id = 'old'")
    })
    await until(() => a.db.all('SELECT * FROM cluster_change').length === 0)
    expect(appliedRev).toBe(0)
    await pool.query('DELETE FROM replica WHERE rev > 1')
    await pool.query("UPDATE replica SET deleted = false WHERE key = 'old'")
    await pool.query('UPDATE head SET rev = 1')
    expect(await shipForgotten({ db: a.db, pool, node: 'a' }, 1)).toBe(2)
    expect(await rowsInDatabase(pool, a.db)).toMatchObject({ snooze: [expect.stringContaining('forgotten')] })
  })
})
