/** The stored settings and their history, in `footman.db`. */
import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { PLACEHOLDER } from '../config/external.ts'
import { isSecret } from '../config/secrets.ts'
import { errorText } from '../platform/errors.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { ownJson } from '../platform/json.ts'
import { type Database, type Migration, openDatabase } from '../platform/sqlite.ts'
import { kindOf, placeOfEntry, pointerOf, type SettingKind } from './kinds.ts'
import { isSealed, type KeySettings, mayHoldSealed, readSealer, type Sealer } from './sealed.ts'

export const settingMigrations: readonly Migration[] = [
  {
    name: 'setting-001',
    sql: `
      CREATE TABLE setting (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        position INTEGER NOT NULL,
        value TEXT NOT NULL,
        revision INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        changed_by TEXT NOT NULL,
        PRIMARY KEY (kind, name)
      ) WITHOUT ROWID;
      CREATE TABLE setting_history (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        value TEXT,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        via TEXT NOT NULL,
        request_id TEXT NOT NULL,
        PRIMARY KEY (kind, name, revision)
      ) WITHOUT ROWID;
      CREATE INDEX setting_history_time ON setting_history (at);`,
  },
  { name: 'setting-002', sql: 'ALTER TABLE setting_history ADD COLUMN position INTEGER;' },
]

/** A value as it would stand in the configuration file, its name left out. */
export type SettingValue = unknown

export interface StoredSetting {
  readonly kind: SettingKind
  readonly name: string
  /** Order among the stored entries of a list. */
  readonly position: number
  /** Secrets encrypted. */
  readonly value: SettingValue
  readonly revision: number
  /** Milliseconds since 1970. */
  readonly changedAt: number
  readonly changedBy: string
}

/** A stored entry as the configuration takes it. */
export interface OpenedSetting extends StoredSetting {
  /** Secrets readable; those that are lost are ''. */
  readonly opened: SettingValue
  /** Paths of secrets that cannot be read. */
  readonly lost: readonly string[]
}

export interface HistoryEntry {
  readonly kind: SettingKind
  readonly name: string
  readonly revision: number
  /** Null = deleted then. */
  readonly value: SettingValue | null
  readonly at: number
  readonly by: string
  readonly via: string
  readonly requestId: string
  /** Null in entries of a version that did not note it. */
  readonly position: number | null
}

/** One entry as it is to be; `value` null = deleted. Secrets are encrypted already. */
export interface SettingWrite {
  readonly kind: SettingKind
  readonly name: string
  readonly position: number
  readonly value: SettingValue | null
}

export interface WrittenBy {
  readonly at: number
  readonly by: string
  readonly via: string
  readonly requestId: string
}

interface Row extends Omit<StoredSetting, 'value'> {
  readonly value: string
}

const COLUMNS = 'kind, name, position, value, revision, changed_at AS changedAt, changed_by AS changedBy'
const HISTORY = 'kind, name, revision, value, at, by, via, request_id AS requestId, position'
/** Revisions of an entry that are kept. */
const KEPT = 200
const SQL = {
  all: `SELECT ${COLUMNS} FROM setting ORDER BY kind, position, name`,
  put: `INSERT INTO setting VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET position = excluded.position,
    value = excluded.value, revision = excluded.revision, changed_at = excluded.changed_at, changed_by = excluded.changed_by`,
  drop: 'DELETE FROM setting WHERE kind = ? AND name = ?',
  latest: 'SELECT max(revision) AS latest FROM setting_history WHERE kind = ? AND name = ?',
  note: 'INSERT INTO setting_history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  forget: 'DELETE FROM setting_history WHERE kind = ? AND name = ? AND revision <= ?',
  history: `SELECT ${HISTORY} FROM setting_history WHERE kind = ? AND name = ? ORDER BY revision DESC LIMIT ${KEPT}`,
  changes: `SELECT ${HISTORY} FROM setting_history WHERE at < ? AND (? = '' OR kind = ?) AND (? = '' OR name = ?)
    ORDER BY at DESC, kind, name, revision DESC LIMIT ?`,
}

export const rowsOf = (db: Database): StoredSetting[] =>
  db.all<Row>(SQL.all).map((row) => ({ ...row, value: ownJson<SettingValue>(row.value) }))

type HistoryRow = Omit<HistoryEntry, 'value'> & { readonly value: string | null }
const historyOf = (row: HistoryRow): HistoryEntry => ({
  ...row,
  value: row.value === null ? null : ownJson<SettingValue>(row.value),
})

interface ChangesOf {
  readonly kind?: SettingKind | '' | undefined
  readonly name?: string | undefined
}

export type SettingStore = ReturnType<typeof createSettingStore>

export function createSettingStore({ db, writer }: { readonly db: Database; readonly writer: GroupWriter }) {
  return {
    all: () => rowsOf(db),
    /** The revision that the next change of an entry gets; it never comes back, deletions included. */
    nextRevision: ({ kind, name }: Named): number => nextRevision(db, kind, name),
    history: (kind: SettingKind, name: string) => db.all<HistoryRow>(SQL.history, kind, name).map(historyOf),
    /** Newest first, before an instant; of one kind, of one name, where they are given. */
    changes: (before: number, limit: number, { kind = '', name = '' }: ChangesOf = {}) =>
      db.all<HistoryRow>(SQL.changes, before, kind, kind, name, name, limit).map(historyOf),
    /** All of them or none, with their history. Resolves when they are on disk. */
    write: (writes: readonly SettingWrite[], who: WrittenBy) =>
      writer.write((tx) => {
        for (const one of writes) writeOne(tx, one, who)
      }),
  }
}

const nextRevision = (db: Database, kind: SettingKind, name: string): number =>
  (db.get<{ latest: number | null }>(SQL.latest, kind, name)?.latest ?? 0) + 1

function writeOne(tx: Database, { kind, name, position, value }: SettingWrite, who: WrittenBy): void {
  const { at, by, via, requestId } = who
  const revision = nextRevision(tx, kind, name)
  const text = value === null ? null : JSON.stringify(value)
  if (text === null) tx.run(SQL.drop, kind, name)
  else tx.run(SQL.put, kind, name, position, text, revision, at, by)
  tx.run(SQL.note, kind, name, revision, text, at, by, via, requestId, position)
  tx.run(SQL.forget, kind, name, revision - KEPT)
}

/** Changes every text of a value; `path` begins below `Butler`. */
export function mapTexts(
  value: SettingValue,
  path: readonly (string | number)[],
  change: (text: string, path: readonly (string | number)[]) => unknown,
): SettingValue {
  if (typeof value === 'string') return change(value, path)
  if (Array.isArray(value)) return value.map((item, index) => mapTexts(item, [...path, index], change))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, mapTexts(one, [...path, key], change)]))
}

type Named = Pick<StoredSetting, 'kind' | 'name'>

/** The path of an entry below `Butler`, as the rules about secrets know it. */
const pathOf = ({ kind, name }: Named): readonly (string | number)[] =>
  kindOf(kind).form === 'list' ? [...placeOfEntry(kind, name), 0] : placeOfEntry(kind, name)

/** The part of the encryption that binds a secret to its kind and member; an entry may get another name. */
const aad = ({ kind }: Named, path: readonly (string | number)[], from: number): string =>
  [kind, ...path.slice(from)].join('/')

type TextTest = (text: string, path: readonly (string | number)[]) => boolean

/** Test for the texts of a value that are secrets; paths begin below `Butler`. A whole placeholder is none: it names one. */
function secretsOf({ kind }: Named, value: SettingValue): TextTest {
  const isNtfy = kind === 'destination' && (value as { readonly type?: unknown } | null)?.type === 'ntfy'
  return (text, path) =>
    isSealed(text) ||
    (text !== '' &&
      text.replace(PLACEHOLDER, '') !== '' &&
      // The topic of ntfy is all that a reader of its messages needs.
      (isSecret(path) || (isNtfy && path.at(-1) === 'topic')))
}

/** Encrypts the secrets of a value. */
export function sealValue(entry: Named, value: SettingValue, sealer: Sealer): SettingValue {
  const start = pathOf(entry)
  const isHidden = secretsOf(entry, value)
  return mapTexts(value, start, (text, path) =>
    !isSealed(text) && isHidden(text, path) ? sealer.seal(text, aad(entry, path, start.length)) : text,
  )
}

/** The encrypted secrets of a value, by their JSON pointers. */
export function sealedIn(value: SettingValue): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  mapTexts(value, [], (text, path) => {
    if (isSealed(text)) found.set(pointerOf(path), text)
    return text
  })
  return found
}

/** Whether a value has a secret that is to be encrypted. */
export function hasSecret(entry: Named, value: SettingValue): boolean {
  const isHidden = secretsOf(entry, value)
  let found = false
  mapTexts(value, pathOf(entry), (text, path) => {
    if (!isSealed(text) && isHidden(text, path)) found = true
    return text
  })
  return found
}

export const MASK = '********'

/** The value with a mask in the place of each secret. */
export function maskValue(entry: Named, value: SettingValue): SettingValue {
  const isHidden = secretsOf(entry, value)
  return mapTexts(value, pathOf(entry), (text, path) => (isHidden(text, path) ? MASK : text))
}

/** Decrypts the secrets of entries; the key is read only where there are any. */
export async function openSettings(rows: readonly StoredSetting[], at: KeySettings): Promise<OpenedSetting[]> {
  const hasAny = rows.some(({ value }) => mayHoldSealed(JSON.stringify(value)))
  return openWith(rows, hasAny ? await readSealer(at) : null)
}

/** Without a key all secrets are lost. */
export function openWith(rows: readonly StoredSetting[], sealer: Sealer | null): OpenedSetting[] {
  return rows.map((row) => {
    const start = pathOf(row)
    const lost: string[] = []
    const opened = mapTexts(row.value, start, (text, path) => {
      if (!isSealed(text)) return text
      const plain = sealer?.open(text, aad(row, path, start.length)) ?? null
      if (plain === null) lost.push(path.slice(start.length).join('.'))
      return plain ?? ''
    })
    return { ...row, opened, lost }
  })
}

/**
 * The stored settings of a data directory whose database this process has not opened, for the start and for commands. [] where
 * there are none, null where this account cannot read the database, or it is damaged.
 */
export async function readStoredSettings(settings: KeySettings): Promise<OpenedSetting[] | null> {
  const file = join(settings.dataDirectory, 'footman.db')
  if (!existsSync(file)) return []
  // SQLite would open, or remove, what a link there leads to.
  if (['', '-wal', '-shm'].some((end) => isLink(`${file}${end}`))) return null
  let rows: StoredSetting[]
  try {
    const db = openDatabase(file, { readOnly: 'untouched' })
    try {
      rows = rowsOf(db)
    } finally {
      db.close()
    }
  } catch (error) {
    // A Footman before these tables has left it.
    return errorText(error).includes('no such table') ? [] : null
  }
  return openSettings(rows, settings)
}

const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
