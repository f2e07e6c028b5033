/** Every table of `footman.db` has a class, and the list agrees with the schema. */
import { expect, test } from 'bun:test'
import { databasesOf } from '../../../src/app/migrations.ts'
import { installTriggers } from '../../../src/cluster/changes.ts'
import { leaveCluster } from '../../../src/cluster/leave.ts'
import { LOCAL_TABLES, SHARED_TABLES } from '../../../src/cluster/tables.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'

const { migrations } = databasesOf('').find(({ name }) => name === 'footman')!
const db = openDatabase(':memory:', { migrations })

const tables = db
  .all<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
  .map(({ name }) => name)
const columnsOf = (table: string) =>
  db.all<{ name: string }>('SELECT name FROM pragma_table_info(?)', table).map(({ name }) => name)

test('a new table is given a class in src/cluster/tables.ts', () => {
  const listed = [...SHARED_TABLES.map(({ name }) => name), ...Object.keys(LOCAL_TABLES)]
  expect(listed.toSorted()).toEqual(tables.toSorted())
})

test.each(SHARED_TABLES.map((table) => [table.name, table] as const))(
  '%s has the columns of the list',
  (name, table) => {
    const columns = columnsOf(name)
    const named = [...(table.own ?? []), ...(table.blob ? [table.blob] : [])]
    if (table.reference) expect(columns).toContain(table.reference.column)
    else expect(columns).toEqual(expect.arrayContaining([...table.key]))
    expect(columns).toEqual(expect.arrayContaining(named))
    const blobs = db.all<{ name: string }>("SELECT name FROM pragma_table_info(?) WHERE type = 'BLOB'", name)
    expect(blobs.map((column) => column.name)).toEqual(table.blob ? [table.blob] : [])
  },
)

test('a table stands behind those that its foreign keys name', () => {
  const order = SHARED_TABLES.map(({ name }) => name)
  for (const name of order) {
    const parents = db.all<{ table: string }>('SELECT "table" FROM pragma_foreign_key_list(?)', name)
    for (const parent of parents) expect(order.indexOf(parent.table)).toBeLessThan(order.indexOf(name))
  }
})

test('triggers are made once, and removed without a trace', () => {
  const schema = () =>
    db.all<{ sql: string }>('SELECT name, sql FROM sqlite_schema ORDER BY name').map((row) => ({ ...row }))
  const before = schema()
  installTriggers(db)
  const installed = schema()
  expect(installed.length).toBeGreaterThan(before.length + SHARED_TABLES.length)
  installTriggers(db)
  expect(schema()).toEqual(installed)
  leaveCluster(db)
  expect(schema()).toEqual(before)
})

test('triggers follow columns that an upgrade has added', () => {
  const store = openDatabase(':memory:', { migrations })
  installTriggers(store)
  store.exec("ALTER TABLE snooze ADD COLUMN colour TEXT NOT NULL DEFAULT ''")
  installTriggers(store)
  store.exec("INSERT INTO snooze VALUES ('s', '{}', 0, 1, '', 'me', 0, 0, NULL, 'red')")
  store.exec('DELETE FROM cluster_change')
  store.exec("UPDATE snooze SET colour = 'blue'")
  expect(store.all<object>('SELECT tbl, key FROM cluster_change').map((row) => ({ ...row }))).toEqual([
    { tbl: 'snooze', key: 's' },
  ])
})
