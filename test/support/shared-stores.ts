/** Stores of several nodes beside one shared database: random writes to all shared tables, and what is in them. */
import type { SQLInputValue } from 'node:sqlite'
import { databasesOf } from '../../src/app/migrations.ts'
import { columnsOf, installTriggers } from '../../src/cluster/changes.ts'
import { clusterMigrations, migrateCluster } from '../../src/cluster/migrations.ts'
import { createRows, type OutgoingRow } from '../../src/cluster/rows.ts'
import { SHARED_TABLES, type SharedTable } from '../../src/cluster/tables.ts'
import { createPostgresPool } from '../../src/platform/postgres/pool.ts'
import type { PostgresPool, PostgresSettings } from '../../src/platform/postgres/types.ts'
import { type Database, type FileDatabase, openDatabase } from '../../src/platform/sqlite.ts'
import { type Postgres, ROLE } from './postgres.ts'

export const MIGRATIONS = databasesOf('').find(({ name }) => name === 'footman')!.migrations

export const openStore = (file: string, migrations = MIGRATIONS): FileDatabase => {
  const store = openDatabase(file, { migrations, synchronous: 'NORMAL' })
  installTriggers(store)
  return store
}

/** A pool of the role of Footman in a schema of its own, with the tables of the cluster. */
export async function openSchema(
  server: Postgres,
  schema: string,
  migrations = clusterMigrations,
): Promise<PostgresPool> {
  await server.sql(`CREATE SCHEMA ${schema} AUTHORIZATION ${ROLE.user}`)
  const settings: PostgresSettings = {
    ...ROLE,
    hosts: [{ host: '127.0.0.1', port: server.port }],
    schema,
    tls: { mode: 'verify-full', ca: server.ca, certificate: '', key: '', serverName: '' },
    connections: 4,
    connectTimeoutMs: 3000,
    statementTimeoutMs: 10_000,
    applicationName: 'footman/test',
  }
  const pool = createPostgresPool(settings)
  await migrateCluster(pool, 'test', migrations)
  return pool
}

/** Gives the lead to the holder of a token. */
export async function lead(pool: PostgresPool, token: string): Promise<void> {
  await pool.query('UPDATE fence SET token = $1, epoch = epoch + 1', [token])
}

/** The rows that nodes share, by table: the JSON that crosses, with counts that triggers keep, in the order of the keys. */
export function rowsIn(db: Database): Record<string, string[]> {
  const tables = createRows(db)
  return Object.fromEntries(
    [...tables].map(([name, rows]) => {
      const keys = rows.keys(null, Number.MAX_SAFE_INTEGER)
      return [
        name,
        keys.map(
          (key) =>
            `${readable(rows.read(key))} ${Object.keys(rows.table.computed ?? {}).map((column) => rows.value(key, column))}`,
        ),
      ]
    }),
  )
}

/** The same in the shared database. */
export async function rowsInDatabase(pool: PostgresPool, like: Database): Promise<Record<string, string[]>> {
  const known = new Map(SHARED_TABLES.map(({ name }) => [name, columnsOf(like, name)]))
  const found = await pool.query<{ tbl: string; body: Record<string, unknown>; blob: Uint8Array | null; key: string }>(
    'SELECT tbl, key, body, blob FROM replica WHERE NOT deleted',
  )
  const rows: Record<string, string[]> = Object.fromEntries([...known.keys()].map((name) => [name, []]))
  for (const { tbl, key, body, blob } of found)
    rows[tbl]?.push(readable({ tbl, key, body: JSON.stringify(body), blob }))
  return rows
}

/** Without regard to the order of the properties. */
export function readable({ body, blob }: Pick<OutgoingRow, 'body' | 'blob'> & { tbl?: string; key?: string }): string {
  const values = Object.entries(JSON.parse(body ?? '{}') as Record<string, unknown>).sort(([a], [b]) =>
    a < b ? -1 : 1,
  )
  return `${JSON.stringify(values)} ${blob ? Buffer.from(blob).toString('hex') : ''}`
}

/** A write to one table. The numbers choose rows, values and columns. */
export interface RandomWrite {
  readonly table: number
  readonly what: 'insert' | 'update' | 'delete'
  readonly seeds: readonly number[]
}

/** The values that constraints allow. */
const ALLOWED: Readonly<Record<string, readonly SQLInputValue[]>> = {
  'audit.outcome': ['ok', 'denied', 'failed'],
  'schedule_run.trigger': ['cron', 'manual', 'misfire'],
  'schedule_run.state': ['running', 'finished', 'skipped'],
  'start_request.state': ['pending', 'answering', 'done'],
  'start_request_queue.state': ['waiting', 'dead'],
  'mqtt_outgoing.state': ['waiting', 'dead'],
  'influx_point.state': ['waiting', 'dead'],
  'report_hub_key.id': [1],
  'session.kind': ['reader'],
  'delivery.state': ['pending', 'sending', 'suppressed', 'dead', 'delivered'],
  'event.state': ['pending', 'routed', 'suppressed'],
}
const TEXTS = ['', 'a', 'b', 'B', 'ü%', '%00', "it's", 'x\u0000y', '{"a": 1}', '\\u0000', '🙂', '"']

interface Column {
  readonly name: string
  readonly type: string
  readonly notnull: number
  readonly pk: number
}

/** Tables with a number that SQLite gives are written without it. */
export function write(db: Database, { table: which, what, seeds }: RandomWrite): void {
  const table = SHARED_TABLES[which % SHARED_TABLES.length]!
  const next = choices(seeds)
  try {
    db.transaction(() => {
      if (what === 'insert') insert(db, table, next)
      else if (what === 'update') update(db, table, next)
      else if (!table.aged && table.key.length > 0) remove(db, table, next)
    })
  } catch (error) {
    if (!String(error).includes('constraint')) throw error
  }
}

function choices(seeds: readonly number[]): (most: number) => number {
  let at = 0
  return (most) => seeds[at++ % seeds.length]! % most
}

function insert(db: Database, { name, key }: SharedTable, next: (most: number) => number): void {
  if (key.length === 0) return
  const given = new Set(autoNumbers(db, name))
  const columns = describe(db, name).filter((column) => !given.has(column.name))
  const values = columns.map((column) =>
    randomValue(db, name, key.includes(column.name) ? { ...column, notnull: 1 } : column, next),
  )
  const names = columns.map((column) => column.name).join(', ')
  db.run(`INSERT INTO ${name} (${names}) VALUES (${columns.map(() => '?').join(', ')})`, ...values)
}

function update(db: Database, { name, key }: SharedTable, next: (most: number) => number): void {
  const columns = describe(db, name).filter((column) => column.pk === 0 && !key.includes(column.name))
  if (columns.length === 0) return
  const column = columns[next(columns.length)]!
  const own = ['keys', 'id', 'seq', 'event_id'].includes(column.name)
  if (own) return
  db.run(`UPDATE ${name} SET ${column.name} = ? ${one(db, name, next)}`, randomValue(db, name, column, next))
}

function remove(db: Database, { name }: SharedTable, next: (most: number) => number): void {
  db.run(`DELETE FROM ${name} ${one(db, name, next)}`)
}

/** One of the rows, or none. */
function one(db: Database, table: string, next: (most: number) => number): string {
  const keys = describe(db, table)
    .filter(({ pk }) => pk > 0)
    .map(({ name }) => name)
  const columns = keys.length > 0 ? keys.join(', ') : 'rowid'
  const count = db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)!.n
  return `WHERE (${columns}) IN (SELECT ${columns} FROM ${table} LIMIT 1 OFFSET ${next(Math.max(count, 1))})`
}

function randomValue(db: Database, table: string, column: Column, next: (most: number) => number): SQLInputValue {
  const parent = db
    .all<{ table: string; from: string; to: string }>(
      'SELECT "table", "from", "to" FROM pragma_foreign_key_list(?)',
      table,
    )
    .find(({ from }) => from === column.name)
  if (parent) {
    const values = db.all<Record<string, SQLInputValue>>(`SELECT ${parent.to} FROM ${parent.table} LIMIT 20`)
    return values.length > 0 ? values[next(values.length)]![parent.to]! : null
  }
  const allowed = ALLOWED[`${table}.${column.name}`]
  if (allowed) return allowed[next(allowed.length)]!
  if (column.notnull === 0 && column.pk === 0 && next(4) === 0) return null
  if (column.type === 'INTEGER') return next(1000)
  if (column.type === 'BLOB') return Uint8Array.from([next(256), next(256), 0])
  return TEXTS[next(TEXTS.length)]!
}

const described = new WeakMap<Database, Map<string, Column[]>>()

function describe(db: Database, table: string): Column[] {
  const known = described.get(db) ?? new Map<string, Column[]>()
  described.set(db, known)
  const columns =
    known.get(table) ?? db.all<Column>('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', table)
  known.set(table, columns)
  return columns
}

/** Columns that SQLite numbers, and counts that triggers keep. */
function autoNumbers(db: Database, table: string): string[] {
  const keys = describe(db, table).filter(({ pk }) => pk > 0)
  const isParent = db.get('SELECT 1 FROM pragma_foreign_key_list(?) WHERE "from" = ?', table, keys[0]?.name ?? '')
  const number = keys.length === 1 && keys[0]!.type === 'INTEGER' && !isParent ? [keys[0]!.name] : []
  const columns = describe(db, table).map(({ name }) => name)
  return [...(table === 'report_hub_key' ? [] : number), ...(table === 'kv_namespace' ? ['keys'] : [])].filter((name) =>
    columns.includes(name),
  )
}
