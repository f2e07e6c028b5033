import { afterEach, describe, expect, test } from 'bun:test'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import { tempDirectory } from '../../support/temp.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean()
})

function database(): Database {
  const directory = tempDirectory()
  const db = openDatabase(directory.join('test.db'))
  db.exec('CREATE TABLE item (name TEXT PRIMARY KEY, data BLOB)')
  cleanups.push(directory.remove, db.close)
  return db
}

const add = (db: Database, name: string, bytes = 10) =>
  db.run('INSERT INTO item VALUES (?, ?)', name, new Uint8Array(bytes))
const names = (db: Database) => db.all<{ name: string }>('SELECT name FROM item ORDER BY name').map((row) => row.name)

/** No more than a few pages may be added from now on. */
function fillDisk(db: Database): void {
  const { page_count: pages } = db.get<{ page_count: number }>('PRAGMA page_count')!
  db.exec(`PRAGMA max_page_count = ${pages + 10}`)
}

describe('transactions', () => {
  test('an inner one that fails is undone alone', () => {
    const db = database()
    db.transaction(() => {
      add(db, 'a')
      expect(() =>
        db.transaction(() => {
          add(db, 'b')
          throw new Error('no')
        }),
      ).toThrow('no')
      add(db, 'c')
    })
    expect(names(db)).toEqual(['a', 'c'])
  })

  test('when the disk is full the error says so and nothing of the transaction is kept', () => {
    const db = database()
    fillDisk(db)
    const attempt = () =>
      db.transaction(() => {
        add(db, 'small')
        for (let n = 0; n < 10; n += 1) add(db, `large ${n}`, 20_000)
      })
    expect(attempt).toThrow(/full/)
    expect(names(db)).toEqual([])
    db.transaction(() => add(db, 'later'))
    expect(names(db)).toEqual(['later'])
  })
})

describe('grouped commits', () => {
  test('a failing work is rolled back alone', async () => {
    const db = database()
    const writer = createGroupWriter(db)
    const results = await Promise.allSettled([
      writer.write((tx) => add(tx, 'a')),
      writer.write((tx) => {
        add(tx, 'b')
        add(tx, 'a')
      }),
      writer.write((tx) => add(tx, 'c')),
    ])
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(names(db)).toEqual(['a', 'c'])
  })

  test('what is rejected because the disk is full is not on it', async () => {
    const db = database()
    fillDisk(db)
    const writer = createGroupWriter(db)
    const results = await Promise.allSettled([
      writer.write((tx) => add(tx, 'before')),
      writer.write((tx) => {
        for (let n = 0; n < 10; n += 1) add(tx, `large ${n}`, 20_000)
      }),
      writer.write((tx) => add(tx, 'after')),
    ])
    expect(results.map((result) => (result as PromiseRejectedResult).reason?.message)).toEqual(
      Array(3).fill('database or disk is full'),
    )
    expect(names(db)).toEqual([])
  })
})
