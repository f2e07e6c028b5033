/** The data directory: writable, with room, and of one owner. */

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { access, constants, readdir, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { backupDirectoryOf, databasesOf } from '../../../app/migrations.ts'
import { errorText } from '../../../platform/errors.ts'
import { type LockHolder, lockHolder } from '../../../platform/lock.ts'
import { appliedMigrations, type Database, lastWriter, openDatabase } from '../../../platform/sqlite.ts'
import { type UpgradableDatabase, usableBackup } from '../../../platform/upgrade.ts'
import { VERSION } from '../../../platform/version.ts'
import type { Finding, Probe } from '../types.ts'

const KEY = 'footman.dataDirectory'
const GB = 1024 ** 3
/** The limits of the alert DISK_LOW. */
const LOW = { bytes: GB, share: 0.05 }
/** Nothing new is accepted soon. */
const FULL_BYTES = 100 * 1024 ** 2

export const dataDirectory: Probe = {
  group: 'data-directory',
  title: 'Data directory',
  applies: () => true,
  async run({ config, paths }) {
    const path = paths.data(config.footman.dataDirectory)
    const folder = await lookAtFolder(path)
    const holder = lockHolder(path)
    const found = judge(path, folder, holder)
    if (folder.state !== 'usable') return found
    // A database that a running Footman has open has a known layout.
    return [...found, ...(await ownersOf(path)), ...(holder ? [] : databasesOf(path).flatMap(layoutFindings))]
  },
}

export const logDirectory: Probe = {
  group: 'log-directory',
  title: 'Log files',
  applies: ({ config }) => config.fileLogging,
  async run({ config, paths }) {
    const path = paths.output(config.logDirectory, 'program')
    const folder = await lookAtFolder(path)
    const common = { target: path, key: 'logDirectory' }
    if (folder.state === 'unusable') {
      const fix = `let the account of Footman write there, or set Butler.logDirectory to another folder`
      const message = `no log can be written: ${folder.text}`
      return [{ ...common, level: 'error', code: 'log-directory.not-writable', message, fix }]
    }
    return [{ ...common, level: 'ok', code: 'log-directory.writable', message: usableText(folder) }]
  },
}

const usableText = (folder: FolderState): string =>
  folder.state === 'to-be-made' ? 'is made at the start' : 'can be written'

const FIXES = {
  file: `name a folder in Butler.${KEY}`,
  'read-only': `mount it writable, or set Butler.${KEY} to a folder on another disk`,
  denied: `let the account of Footman write there, or set Butler.${KEY} to another folder`,
  full: `make room, or set Butler.${KEY} to a folder on another disk`,
  other: `set Butler.${KEY} to a folder that can be written`,
} as const

function judge(path: string, folder: FolderState, holder: LockHolder | null): readonly Finding[] {
  const common = { target: path, key: KEY }
  if (folder.state === 'unusable') {
    const code = folder.reason === 'full' ? 'data-directory.full' : 'data-directory.not-writable'
    const message = `cannot be written, so Footman does not start: ${folder.text}`
    return [{ ...common, level: 'error', code, message, fix: FIXES[folder.reason] }]
  }
  const room = folder.state === 'usable' ? roomFindings(path, folder) : []
  if (room.some(({ level }) => level === 'error')) return room
  const used = holder ? `, in use by the running Footman (process ${holder.process}, since ${holder.since})` : ''
  return [...room, { ...common, level: 'ok', code: 'data-directory.writable', message: `${usableText(folder)}${used}` }]
}

function roomFindings(path: string, { freeBytes, totalBytes }: FolderState & { state: 'usable' }): Finding[] {
  const share = totalBytes > 0 ? freeBytes / totalBytes : 1
  if (freeBytes >= LOW.bytes && share >= LOW.share) return []
  const isFull = freeBytes < FULL_BYTES
  const free = freeBytes < GB ? `${Math.floor(freeBytes / 1024 ** 2)} MB` : `${(freeBytes / GB).toFixed(1)} GB`
  return [
    {
      target: path,
      key: KEY,
      level: isFull ? 'error' : 'warning',
      code: isFull ? 'data-directory.full' : 'data-directory.disk-low',
      message: `only ${free} (${Math.floor(share * 100)} %) are free; nothing is accepted on a full disk`,
      fix: `make room, lower Butler.footman.retention, or set Butler.${KEY} to a folder on another disk`,
    },
  ]
}

/** After a step back to an older version: it would not start. */
function layoutFindings({ name, file, migrations }: UpgradableDatabase): Finding[] {
  const common = { level: 'error', target: file, key: KEY } as const
  if (!existsSync(file)) return []
  let db: Database | undefined
  try {
    db = openDatabase(file, { readOnly: 'untouched' })
    const known = new Set(migrations.map(({ name }) => name))
    if (appliedMigrations(db).every((name) => known.has(name))) return []
    const message = `was written by a newer Footman${writerOf(db)} than this one (${VERSION}), which does not start with it`
    const backup = usableBackup(backupDirectoryOf(dirname(file)), name, known)
    const back = backup
      ? `put its backup ${backup} in the place of the database, as docs/operations.md says`
      : `give this one another data directory (Butler.${KEY}), as there is no backup that it could use`
    const fix = `start the newer Footman again, or ${back}`
    return [{ ...common, code: 'data-directory.newer', message, fix }]
  } catch (error) {
    const message = `cannot be read: ${errorText(error)}`
    const fix =
      'let the account of Footman read and write it; a damaged one is replaced at the start, and kept beside it'
    return [{ ...common, code: 'data-directory.database', message, fix }]
  } finally {
    db?.close()
  }
}

function writerOf(db: Database): string {
  const writer = lastWriter(db)
  return writer === '' ? '' : ` (${writer})`
}

/** Footman started once by hand as another account leaves files behind that the service cannot write. */
async function ownersOf(path: string): Promise<readonly Finding[]> {
  if (process.platform === 'win32') return []
  const folder = await stat(path)
  const names = (await readdir(path)).filter((name) => /\.(db|lock)(-wal|-shm)?$/.test(name))
  const files = await Promise.all(names.map(async (name) => ({ name, uid: (await stat(join(path, name))).uid })))
  const strange = files.filter(({ uid }) => uid !== folder.uid)
  if (strange.length === 0) return []
  const message = `holds files of another account than its own: ${strange.map(({ name }) => name).join(', ')}`
  const fix = `chown --reference='${path}' '${path}'/*, and start Footman as one account only`
  return [{ level: 'warning', code: 'data-directory.mixed-owners', target: path, message, fix, key: KEY }]
}

type FolderState =
  | { readonly state: 'usable'; readonly freeBytes: number; readonly totalBytes: number }
  /** Is made at the start. */
  | { readonly state: 'to-be-made'; readonly in: string }
  | {
      readonly state: 'unusable'
      readonly reason: 'file' | 'read-only' | 'denied' | 'full' | 'other'
      readonly text: string
    }

/** Nothing is at the path, or a file is in the way to it. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR'])

/** Whether this account can write there. A file of a few bytes comes and goes, nothing else. */
async function lookAtFolder(path: string): Promise<FolderState> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error)
  if (found instanceof Error) return ABSENT.has(found.code ?? '') ? lookAbove(path) : unusable(found)
  if (!found.isDirectory()) return { state: 'unusable', reason: 'file', text: 'is a file' }
  const error = await writes(path)
  if (error) return unusable(error)
  const { bavail, blocks, bsize } = await statfs(path)
  return { state: 'usable', freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** The nearest folder that exists has to let it be made. */
async function lookAbove(path: string): Promise<FolderState> {
  const parent = dirname(path)
  if (parent === path) return { state: 'unusable', reason: 'other', text: 'the drive does not exist' }
  const found = await stat(parent).catch((error: NodeJS.ErrnoException) => error)
  if (found instanceof Error) return ABSENT.has(found.code ?? '') ? lookAbove(parent) : unusable(found)
  if (!found.isDirectory()) return { state: 'unusable', reason: 'file', text: `${parent} is a file` }
  return access(parent, constants.W_OK).then(
    () => ({ state: 'to-be-made', in: parent }),
    (error: NodeJS.ErrnoException) => unusable(error),
  )
}

async function writes(path: string): Promise<NodeJS.ErrnoException | null> {
  const file = join(path, `.footman-doctor-${randomBytes(6).toString('hex')}`)
  try {
    await writeFile(file, 'footman doctor was here for a moment\n', { flag: 'wx', mode: 0o600 })
    return null
  } catch (error) {
    return error as NodeJS.ErrnoException
  } finally {
    await rm(file, { force: true }).catch(() => undefined)
  }
}

const REASONS: Readonly<Record<string, 'read-only' | 'denied' | 'full'>> = {
  EROFS: 'read-only',
  EACCES: 'denied',
  EPERM: 'denied',
  ENOSPC: 'full',
  EDQUOT: 'full',
}

function unusable({ code = '', message }: NodeJS.ErrnoException): FolderState {
  return { state: 'unusable', reason: REASONS[code] ?? 'other', text: message }
}
