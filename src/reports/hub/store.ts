/** Items of the hub in SQLite: versions of published documents, their readers, and who opened what. */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Format } from '../entities/report.ts'

/** How long items of test runs stay. */
const TEST_MS = 86_400_000
const DAY_MS = 86_400_000

const COLUMNS = `seq, id, version_key AS versionKey, version, title, project, task_name AS taskName, run_id AS runId,
  document_id AS documentId, file_name AS fileName, format, media_type AS mediaType, bytes, sha256, test,
  published_at AS publishedAt`

/** Test items that should be gone are not shown either. Parameters: reader, instant before which test items are gone. */
const VISIBLE = {
  reader: `SELECT i.* FROM report_hub_reader r JOIN report_hub_item i ON i.id = r.item_id
    WHERE r.address = ?1 AND (i.test = 0 OR i.published_at > ?2)`,
  /** ?1 is null: an admin sees everything. */
  admin: 'SELECT i.* FROM report_hub_item i WHERE ?1 IS NULL AND (i.test = 0 OR i.published_at > ?2)',
} as const

/** The newest version of each item; SQLite takes the other columns from the row of the maximum. */
const newest = (visible: string) => `
  WITH visible AS (${visible}),
  newest AS (SELECT *, max(seq) AS last, count(*) AS versions FROM visible GROUP BY version_key, test),
  items AS (SELECT *, ?1 IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM report_hub_access a WHERE a.item_id = newest.id AND a.reader = ?1) AS unread FROM newest)`
const MATCH = '(?3 IS NULL OR instr(search, ?3) > 0) AND (?4 IS NULL OR project = ?4) AND (?5 = 0 OR unread)'

const readSql = (visible: string) => ({
  page: `${newest(visible)} SELECT ${COLUMNS}, versions, unread FROM items WHERE ${MATCH} ORDER BY seq DESC LIMIT ?6 OFFSET ?7`,
  total: `${newest(visible)} SELECT count(*) AS n FROM items WHERE ${MATCH}`,
  projects: `${newest(visible)} SELECT project, count(*) AS items, sum(unread) AS unread FROM items GROUP BY project ORDER BY project`,
  item: `WITH visible AS (${visible}) SELECT ${COLUMNS} FROM visible WHERE id = ?3`,
  together: `WITH visible AS (${visible}) SELECT ${COLUMNS} FROM visible
    WHERE run_id = ?3 AND title = ?4 AND test = ?5 ORDER BY seq`,
  versions: `WITH visible AS (${visible}) SELECT ${COLUMNS} FROM visible WHERE version_key = ?3 AND test = ?4 ORDER BY seq DESC LIMIT 500`,
})

const READ = { reader: readSql(VISIBLE.reader), admin: readSql(VISIBLE.admin) } as const

const dropVersions = (which: string): string => `DELETE FROM report_hub_item WHERE seq IN (SELECT seq FROM (SELECT seq,
  coalesce(retention_versions, ?1) AS most, row_number() OVER (PARTITION BY version_key ORDER BY seq DESC) AS place
  FROM report_hub_item WHERE test = 0 ${which}) WHERE most > 0 AND place > most)`

const SQL = {
  add: `INSERT INTO report_hub_item (id, version_key, version, title, project, task_id, task_name, run_id, document_id, file_name,
    format, media_type, bytes, sha256, test, published_at, retention_days, retention_versions, search)
    VALUES (?, ?, (SELECT coalesce(max(version), 0) + 1 FROM report_hub_item WHERE version_key = ? AND test = ?),
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  known: 'SELECT 1 FROM report_hub_item WHERE id = ?',
  addReader: 'INSERT OR IGNORE INTO report_hub_reader (address, item_id) VALUES (?, ?)',
  access:
    'INSERT INTO report_hub_access (item_id, reader, how, at) SELECT id, ?, ?, ? FROM report_hub_item WHERE id = ?',
  isReader: `SELECT 1 FROM report_hub_reader r JOIN report_hub_item i ON i.id = r.item_id
    WHERE r.address = ? AND i.test = 0 LIMIT 1`,
  reads: `SELECT i.document_id AS document, i.file_name AS fileName, a.reader AS recipient, a.at, i.version, a.how
    FROM report_hub_item i JOIN report_hub_access a ON a.item_id = i.id WHERE i.run_id = ? ORDER BY a.at, a.rowid`,
  byDocument: `SELECT id FROM report_hub_item i WHERE document_id = ?1 AND (test = 1 OR ?2 = '' OR EXISTS
    (SELECT 1 FROM report_hub_reader r WHERE r.item_id = i.id AND r.address = ?2)) ORDER BY seq DESC LIMIT 1`,
  blob: 'SELECT 1 FROM report_hub_item WHERE sha256 = ? LIMIT 1',
  /** ?1: versions to keep where the task does not say; ?2: the version key, of which others are not looked at. */
  dropVersions: dropVersions(''),
  dropVersionsOf: dropVersions('AND version_key = ?2'),
  dropOld: `DELETE FROM report_hub_item WHERE test = 0 AND coalesce(retention_days, ?1) > 0
    AND published_at < ?2 - coalesce(retention_days, ?1) * ${DAY_MS}`,
  dropTests: 'DELETE FROM report_hub_item WHERE test = 1 AND published_at <= ?',
} as const

/** A version of an item: one published document. */
export interface HubItem {
  readonly seq: number
  readonly id: string
  readonly versionKey: string
  /** Counts from 1. */
  readonly version: number
  readonly title: string
  readonly project: string
  readonly taskName: string
  readonly runId: string
  readonly documentId: string
  readonly fileName: string
  readonly format: Format
  readonly mediaType: string
  readonly bytes: number
  readonly sha256: string
  readonly test: boolean
  /** Milliseconds since 1970. */
  readonly publishedAt: number
}

/** The newest version that the reader may see. */
export interface HubListItem extends HubItem {
  /** Versions that the reader may see. */
  readonly versions: number
  /** The reader has not opened this version. */
  readonly unread: boolean
}

interface NewHubItem extends Omit<HubItem, 'seq' | 'version'> {
  readonly taskId: string
  /** Addresses, lower case. */
  readonly visibleTo: readonly string[]
  /** Null = as configured; 0 = no limit. */
  readonly retentionDays: number | null
  readonly retentionVersions: number | null
}

interface HubQuery {
  /** Part of title, project or file name. */
  readonly q?: string | undefined
  readonly project?: string | undefined
  readonly unread?: boolean | undefined
  readonly limit: number
  readonly offset: number
}

export interface HubRetention {
  readonly hubDays: number
  readonly hubVersions: number
}

/** Address of a reader; null for an admin, who sees everything. */
export type ReaderAddress = string | null
export type HowRead = 'view' | 'download'

type Row<Item> = Omit<Item, 'test' | 'unread'> & { readonly test: number; readonly unread?: number }

const itemOf = <Item extends HubItem>(row: Row<Item>): Item =>
  ({ ...row, test: row.test === 1, ...(row.unread !== undefined && { unread: row.unread === 1 }) }) as unknown as Item

export type HubStore = ReturnType<typeof createHubStore>

/** The tables of `hubMigrations` (`migrations.ts`) must exist. `now` in milliseconds since 1970. Writes resolve when they are on disk. */
export function createHubStore(
  { db, writer, now }: { readonly db: Database; readonly writer: GroupWriter; readonly now: () => number },
  { hubDays, hubVersions }: HubRetention,
) {
  const sqlFor = (reader: ReaderAddress) => READ[reader === null ? 'admin' : 'reader']
  const scope = (reader: ReaderAddress) => [reader, now() - TEST_MS] as const

  function insert(tx: Database, item: NewHubItem): void {
    if (tx.get(SQL.known, item.id)) return
    const { id, versionKey, title, project, taskId, taskName, runId, documentId, fileName, format, mediaType } = item
    const test = Number(item.test)
    tx.run(
      SQL.add,
      id,
      versionKey,
      versionKey,
      test,
      title,
      project,
      taskId,
      taskName,
      runId,
      documentId,
      fileName,
      format,
      mediaType,
      item.bytes,
      item.sha256,
      test,
      item.publishedAt,
      item.retentionDays,
      item.retentionVersions,
      folded(`${title}\n${project}\n${fileName}`),
    )
    for (const address of item.visibleTo) tx.run(SQL.addReader, address.toLowerCase(), id)
    tx.run(SQL.dropVersionsOf, hubVersions, versionKey)
  }

  return {
    /** Adds a version, once for each id, and removes versions beyond the retention. */
    publish: (item: NewHubItem) => writer.write((tx) => insert(tx, item)),
    /** The newest versions that the reader may see, newest first. */
    list(reader: ReaderAddress, { q, project, unread, limit, offset }: HubQuery) {
      const sql = sqlFor(reader)
      const where = [...scope(reader), q ? folded(q) : null, project ?? null, Number(unread ?? false)] as const
      return {
        items: db.all<Row<HubListItem>>(sql.page, ...where, limit, offset).map((row) => itemOf<HubListItem>(row)),
        total: db.get<{ n: number }>(sql.total, ...where)?.n ?? 0,
      }
    },
    /** The projects of the items that the reader may see. */
    projects: (reader: ReaderAddress) =>
      db.all<{ project: string; items: number; unread: number }>(sqlFor(reader).projects, ...scope(reader)),
    /** Null when there is none, or not for this reader. */
    item(reader: ReaderAddress, id: string): HubItem | null {
      const row = db.get<Row<HubItem>>(sqlFor(reader).item, ...scope(reader), id)
      return row ? itemOf<HubItem>(row) : null
    },
    /** The versions of the item that the reader may see, newest first. */
    versions: (reader: ReaderAddress, { versionKey, test }: HubItem) =>
      db
        .all<Row<HubItem>>(sqlFor(reader).versions, ...scope(reader), versionKey, Number(test))
        .map((row) => itemOf<HubItem>(row)),
    /** The items that its run published with its title, as far as the reader may see them, in the order of the run. */
    together: (reader: ReaderAddress, { runId, title, test }: HubItem) =>
      db
        .all<Row<HubItem>>(sqlFor(reader).together, ...scope(reader), runId, title, Number(test))
        .map((row) => itemOf<HubItem>(row)),
    /** `reader`: address, or name of an admin. */
    recordAccess: (id: string, reader: string, how: HowRead) =>
      writer.write((tx) => tx.run(SQL.access, reader, how, now(), id), 'soon'),
    isReader: (address: string) => db.get(SQL.isReader, address) !== undefined,
    /** Accesses to documents of a run, oldest first. */
    reads: (runId: string) =>
      db
        .all<{ document: string; fileName: string; recipient: string; at: number; version: number; how: HowRead }>(
          SQL.reads,
          runId,
        )
        .map((row) => ({ ...row, at: new Date(row.at).toISOString() })),
    /** Id of the item with the document; `address` '' = for whichever reader. Null when it is not there for the address. */
    itemOfDocument: (documentId: string, address: string) =>
      db.get<{ id: string }>(SQL.byDocument, documentId, address.toLowerCase())?.id ?? null,
    usesBlob: (sha256: string) => db.get(SQL.blob, sha256) !== undefined,
    /** Removes what the retention no longer keeps. */
    prune: () =>
      writer.write((tx) => {
        tx.run(SQL.dropVersions, hubVersions)
        tx.run(SQL.dropOld, hubDays, now())
        tx.run(SQL.dropTests, now() - TEST_MS)
      }),
  }
}

const folded = (text: string): string => text.normalize('NFC').toLowerCase()
