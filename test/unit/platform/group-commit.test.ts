/** Grouped commits: what is said to be on disk is on disk, in the order in which it was asked for. */
import { afterEach, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import { tempDirectory } from '../../support/temp.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

function scene() {
  const directory = tempDirectory()
  const file = directory.join('footman.db')
  const db = openDatabase(file, { synchronous: 'NORMAL' })
  db.exec('CREATE TABLE row (n INTEGER PRIMARY KEY)')
  const reader = openDatabase(file, { readOnly: true })
  closing.push(() => {
    reader.close()
    db.close()
    directory.remove()
  })
  const committed = () => reader.all<{ n: number }>('SELECT n FROM row ORDER BY rowid').map(({ n }) => n)
  return { db, committed, writer: createGroupWriter(db) }
}

const add = (n: number) => (db: Database) => db.run('INSERT INTO row VALUES (?)', n)

test('a promise resolves when another connection sees its work, whatever is asked for when', async () => {
  const wish = fc.record({ soon: fc.boolean(), fails: fc.boolean(), pause: fc.constantFrom('none', 'turn', 'ms') })
  await fc.assert(
    fc.asyncProperty(fc.array(wish, { minLength: 1, maxLength: 40 }), async (wishes) => {
      const { writer, committed } = scene()
      const order: number[] = []
      const jobs: Promise<void>[] = []
      for (const [n, { soon, fails, pause }] of wishes.entries()) {
        const job = writer.write(
          (tx) => {
            order.push(n)
            add(n)(tx)
            if (fails) throw new Error(`no ${n}`)
            return n
          },
          soon ? 'soon' : 'now',
        )
        jobs.push(
          job.then(
            (result) => {
              expect([fails, result]).toEqual([false, n])
              expect(committed()).toContain(n)
            },
            (error: Error) => expect([fails, error.message]).toEqual([true, `no ${n}`]),
          ),
        )
        if (pause === 'turn') await new Promise((resolve) => setImmediate(resolve))
        // Real time, so that the timer of the group fires in between.
        if (pause === 'ms') await Bun.sleep(1)
      }
      await Promise.all(jobs)
      expect(order).toEqual(wishes.map((_, n) => n))
      expect(committed()).toEqual([...wishes.keys()].filter((n) => !wishes[n]!.fails))
    }),
    { numRuns: 25 },
  )
}, 90_000)

test('when the commit fails nobody is told otherwise, and what is asked for later is stored', async () => {
  const { db, writer, committed } = scene()
  db.exec('CREATE TABLE parent (id INTEGER PRIMARY KEY)')
  db.exec('CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)')
  const lost = [writer.write(add(1)), writer.write((tx) => tx.run('INSERT INTO child VALUES (9)'), 'soon')]
  const results = await Promise.allSettled(lost)
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await writer.write(add(2))
  expect(committed()).toEqual([2])
})
