/** One table with the sessions of people and of readers. */
import { expect, test } from 'bun:test'
import { MIGRATIONS } from '../../../src/app/migrations.ts'
import { installTriggers } from '../../../src/cluster/changes.ts'
import { createRows } from '../../../src/cluster/rows.ts'
import { createReaderSessions, createSessions, hashOf } from '../../../src/http/auth/sessions.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import { tempDirectory } from '../../support/temp.ts'

const ANNA = 'anna@acme.example'
const CLIENT = { address: '203.0.113.1', browser: 'Firefox' }
const HOLDER = { kind: 'local', actor: 'local:ops', until: null } as const
const BEGIN = 1_000_000_000_000
const HOUR_MS = 3_600_000
const LIVES = { sessionHours: 12, idleHours: 4, bindAddress: false }

function stores(db = openDatabase(':memory:', { migrations: MIGRATIONS })) {
  const clock = { now: BEGIN }
  const now = () => clock.now
  const writer = createGroupWriter(db)
  const people = createSessions({ db, writer, now }, () => LIVES)
  const readers = createReaderSessions({ db, now }, { sessionHours: 8 })
  return {
    db,
    clock,
    people,
    readers,
    openPerson: () => people.open('local:ops', HOLDER, CLIENT),
    openReader: () => writer.write((tx) => readers.open(tx, ANNA, CLIENT)),
  }
}

test('the token of a reader is none of a person, and the reverse', async () => {
  const { people, readers, openPerson, openReader } = stores()
  const [person, reader] = [await openPerson(), await openReader()]
  expect([people.find(person, '')?.holder, readers.find(person)]).toEqual([HOLDER, null])
  expect([people.find(reader, ''), readers.find(reader)?.address]).toEqual([null, ANNA])
})

test('both are listed, each lives by its own limits, and either can be ended', async () => {
  const { clock, people, readers, openPerson, openReader } = stores()
  const [person, reader] = [await openPerson(), await openReader()]
  const actors = () => people.list().map(({ actor }) => actor)
  expect(actors().toSorted()).toEqual(['local:ops', `reader:${ANNA}`])
  clock.now += 5 * HOUR_MS
  // A person's session ends when it is idle.
  expect([people.find(person, ''), readers.find(reader)?.address, actors()]).toEqual([null, ANNA, [`reader:${ANNA}`]])
  expect(await people.end(people.list()[0]!.id)).toBe(true)
  expect([readers.find(reader), actors()]).toEqual([null, []])
})

test('an update moves the sessions of console and hub, and drops their tables', () => {
  const directory = tempDirectory()
  const file = `${directory.path}/footman.db`
  const before = openDatabase(file, { migrations: MIGRATIONS.filter(({ name }) => name !== 'session-001') })
  const [at, later] = [BEGIN - 60_000, BEGIN + HOUR_MS]
  const { address, browser } = CLIENT
  const person = [hashOf('person'), 'cs_1', 'local:ops', JSON.stringify(HOLDER), address, browser, at, at, later]
  before.run('INSERT INTO console_session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', ...person)
  before.run('INSERT INTO report_hub_session VALUES (?, ?, ?, ?)', hashOf('reader'), ANNA, at, later)
  before.close()
  const { db, people, readers } = stores(openDatabase(file, { migrations: MIGRATIONS }))
  expect(people.find('person', address)).toMatchObject({ id: 'cs_1', holder: HOLDER, expiresAt: later })
  expect(readers.find('reader')?.address).toBe(ANNA)
  expect(
    people
      .list()
      .map(({ id }) => id.slice(0, 3))
      .toSorted(),
  ).toEqual(['cs_', 'rs_'])
  const left = db.all("SELECT name FROM sqlite_schema WHERE name IN ('console_session', 'report_hub_session')")
  expect(left).toEqual([])
  db.close()
  directory.remove()
})

test('nodes of a cluster share the sessions of readers only', async () => {
  const { db, people, openPerson, openReader } = stores()
  installTriggers(db)
  const [person, reader] = [await openPerson(), await openReader()]
  db.run('UPDATE session SET seen_at = seen_at + 1 WHERE hash = ?', hashOf(person))
  for (const { id } of people.list()) await people.end(id)
  const noted = db.all<{ key: string }>("SELECT key FROM cluster_change WHERE tbl = 'session'")
  expect(noted.map(({ key }) => key)).toEqual([hashOf(reader), hashOf(reader)])
  await openPerson()
  const again = await openReader()
  expect(createRows(db).get('session')!.keys(null, 10)).toEqual([hashOf(again)])
})
