/** The hash chain of the audit finds what was done to the table by hand, and survives retention. */
import { describe, expect, test } from 'bun:test'
import { auditMigrations, insertEntry, purgeAudit, type StoredAuditEntry } from '../../../src/http/audit.ts'
import { checkChains } from '../../../src/http/audit-chain.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import { uuidV7 } from '../../../src/platform/uuid.ts'

const DAY = 86_400_000
const START = Date.parse('2026-03-02T06:00:00Z')

const entry = (at: number): StoredAuditEntry => ({
  id: uuidV7(at),
  at,
  actor: 'key:erp',
  address: '10.1.2.3',
  action: 'task.start',
  target: ['a8b4c123'],
  status: 200,
  outcome: 'ok',
  requestId: null,
  detail: '1 started',
})

/** Ten entries, one a day. */
function table() {
  const db = openDatabase(':memory:', { migrations: auditMigrations })
  db.transaction(() => {
    for (let day = 0; day < 10; day += 1) insertEntry(db, entry(START + day * DAY), 'fm1')
  })
  return db
}

const idOf = (db: Database, n: number) => db.get<{ id: string }>('SELECT id FROM audit WHERE n = ?', n)!.id

describe('the chain', () => {
  test('is whole as it was written, and names its newest hash', async () => {
    const db = table()
    const check = await checkChains(db, { alone: true })
    expect(check).toEqual({
      checked: 10,
      unchained: 0,
      chains: [
        {
          chain: expect.stringMatching(/^fm1-[0-9a-f]{8}$/),
          own: true,
          first: 1,
          last: 10,
          hash: db.get<{ hash: string }>('SELECT hash FROM audit WHERE n = 10')!.hash,
        },
      ],
      broken: null,
    })
  })

  const changes: readonly (readonly [string, string, number, RegExp])[] = [
    ...['at', 'actor', 'address', 'action', 'target', 'status', 'request_id', 'detail', 'via'].map(
      (column) => [column, `UPDATE audit SET ${column} = '1' WHERE n = 4`, 4, /was changed/] as const,
    ),
    ['outcome', "UPDATE audit SET outcome = 'denied' WHERE n = 4", 4, /was changed/],
    ['a removed entry', 'DELETE FROM audit WHERE n = 4', 4, /entry 4 is missing/],
    ['removed entries', 'DELETE FROM audit WHERE n IN (4, 5)', 4, /entries 4 to 5 are missing/],
    ['the oldest removed', 'DELETE FROM audit WHERE n < 3', 1, /entries 1 to 2 are missing/],
    ['the newest removed', 'DELETE FROM audit WHERE n > 8', 9, /entries 9 to 10, the newest, are missing/],
    ['all removed', 'DELETE FROM audit', 1, /entries 1 to 10, the newest, are missing/],
    ['two exchanged', 'UPDATE audit SET n = CASE n WHEN 4 THEN 5 ELSE 4 END WHERE n IN (4, 5)', 4, /was changed/],
    ['one moved to another chain', "UPDATE audit SET chain = 'other' WHERE n = 4", 4, /entry 4 is missing/],
    ['its number taken away', 'UPDATE audit SET chain = NULL, n = NULL WHERE n = 4', 0, /has no hash/],
  ]
  test.each(changes)('finds %s', async (_, sql, n, reason) => {
    const db = table()
    db.exec(sql)
    const { broken } = await checkChains(db, { alone: true })
    expect(broken).toMatchObject({ n, reason: expect.stringMatching(reason) })
  })

  test('names the first broken entry by its id', async () => {
    const db = table()
    const id = idOf(db, 6)
    db.exec("UPDATE audit SET actor = 'key:other' WHERE n >= 6")
    expect((await checkChains(db, { alone: true })).broken).toMatchObject({ n: 6, id })
  })

  test('finds an entry that was put in without a hash, where no older node writes', async () => {
    const db = table()
    db.run(
      "INSERT INTO audit (id, at, actor, action, target, outcome) VALUES (?, 0, 'key:erp', 'task.start', '[]', 'ok')",
      uuidV7(START + 5 * DAY),
    )
    expect((await checkChains(db, { alone: true })).broken).toMatchObject({
      reason: expect.stringContaining('no hash'),
    })
    const { broken, unchained } = await checkChains(db, { alone: false })
    expect([broken, unchained]).toEqual([null, 1])
  })

  test('finds an entry whose hash was calculated anew', async () => {
    const db = table()
    const other = table()
    const hash = other.get<{ hash: string }>('SELECT hash FROM audit WHERE n = 4')!.hash
    db.exec(`UPDATE audit SET hash = '${hash}' WHERE n = 4; UPDATE audit SET prev = '${hash}' WHERE n = 5;`)
    expect((await checkChains(db, { alone: true })).broken).toMatchObject({ n: 4 })
  })
})

describe('retention', () => {
  test.each([[1], [3], [200]])('leaves a chain that can be checked, in steps of %p', async (step) => {
    const db = table()
    while (db.transaction(() => purgeAudit(db, START + 6 * DAY, step)) > 0);
    const { broken, checked, chains } = await checkChains(db, { alone: true })
    expect([broken, checked, chains[0]?.first]).toEqual([null, 4, 7])
    db.exec('DELETE FROM audit WHERE n = 7')
    expect((await checkChains(db, { alone: true })).broken).toMatchObject({ n: 7, id: null })
  })

  test('that removes all leaves a chain that goes on', async () => {
    const db = table()
    db.transaction(() => purgeAudit(db, START + 60 * DAY, 200))
    expect((await checkChains(db, { alone: true })).broken).toBeNull()
    db.transaction(() => insertEntry(db, entry(START + 61 * DAY), 'fm1'))
    const { broken, chains } = await checkChains(db, { alone: true })
    expect([broken, chains[0]]).toEqual([null, expect.objectContaining({ first: 11, last: 11 })])
  })

  test('makes no hole while entries of a clock that was ahead are in between', async () => {
    const db = table()
    db.transaction(() => {
      insertEntry(db, entry(START + 400 * DAY), 'fm1')
      insertEntry(db, entry(START + 10 * DAY), 'fm1')
      purgeAudit(db, START + 30 * DAY, 200)
    })
    const { broken, checked } = await checkChains(db, { alone: true })
    expect([broken, checked]).toEqual([null, 2])
  })

  test('during a check is no fault', async () => {
    const db = openDatabase(':memory:', { migrations: auditMigrations })
    db.transaction(() => {
      for (let n = 0; n < 2500; n += 1) insertEntry(db, entry(START + n), 'fm1')
    })
    const check = checkChains(db, { alone: true })
    db.transaction(() => purgeAudit(db, START + 1800, 5000))
    db.transaction(() => insertEntry(db, entry(START + DAY), 'fm1'))
    expect((await check).broken).toBeNull()
  })
})

test('the chain of another node may begin later, and is checked from there', async () => {
  const [db, theirs] = [table(), table()]
  const columns =
    'id, at, actor, address, action, target, status, outcome, request_id, detail, via, chain, n, prev, hash'
  for (const row of theirs.all<Record<string, string>>(`SELECT ${columns} FROM audit WHERE n > 4`)) {
    db.run(`INSERT INTO audit (${columns}) VALUES (${columns.replaceAll(/\w+/g, '?')})`, ...Object.values(row))
  }
  const { broken, checked, chains } = await checkChains(db, { alone: false })
  expect([broken, checked, chains.map(({ own, first }) => [own, first]).sort()]).toEqual([
    null,
    16,
    [
      [false, 5],
      [true, 1],
    ],
  ])
  const [other] = chains.filter(({ own }) => !own)
  db.run("UPDATE audit SET detail = 'x' WHERE chain = ? AND n = 5", other!.chain)
  expect((await checkChains(db, { alone: false })).broken).toMatchObject({ chain: other!.chain, n: 5 })
})

test('entries from before the chain are counted', async () => {
  const db = openDatabase(':memory:', { migrations: auditMigrations.slice(0, 2) })
  db.run("INSERT INTO audit (id, at, actor, action, target, outcome) VALUES (?, 0, '', '', '[]', 'ok')", uuidV7(START))
  for (const { sql } of auditMigrations.slice(2)) db.exec(sql)
  db.transaction(() => insertEntry(db, entry(START + DAY), 'fm1'))
  const { broken, unchained, checked } = await checkChains(db, { alone: true })
  expect([broken, unchained, checked]).toEqual([null, 1, 1])
})

test('an entry without hash that is put in before the first one of the chain is found', async () => {
  const db = table()
  const putIn = (id: string) =>
    db.run(
      `INSERT INTO audit (id, at, actor, action, target, outcome) VALUES (?, ?, 'key:erp', 'task.start', '[]', 'ok')`,
      id,
      START - DAY,
    )
  putIn(uuidV7(START - DAY))
  const { broken } = await checkChains(db, { alone: true })
  expect(broken?.reason).toBe('there are 1 entries without a hash, and were 0 when the chain began')
})

test('entries of a version without the chain are counted when it begins, and retention may remove them', async () => {
  const db = openDatabase(':memory:', { migrations: auditMigrations })
  const old = (day: number) =>
    db.run(
      `INSERT INTO audit (id, at, actor, action, target, outcome) VALUES (?, ?, 'key:erp', 'task.start', '[]', 'ok')`,
      uuidV7(START - day * DAY),
      START - day * DAY,
    )
  for (const day of [3, 2, 1]) old(day)
  db.transaction(() => insertEntry(db, entry(START), 'fm1'))
  const state = async () => (await checkChains(db, { alone: true })).broken?.reason ?? null
  expect(await state()).toBeNull()
  db.run('DELETE FROM audit WHERE id = (SELECT min(id) FROM audit)')
  expect(await state()).toBeNull()
  for (const day of [5, 4]) old(day)
  expect(await state()).toBe('there are 4 entries without a hash, and were 3 when the chain began')
})
