/** The files of a database: their identity, checks of their directory, renaming and removal. */
import { randomBytes } from 'node:crypto'
import { accessSync, type BigIntStats, constants, existsSync, lstatSync, renameSync, rmSync, statSync } from 'node:fs'
import { open, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errorText } from '../errors.ts'
import { StorageError } from '../sqlite.ts'

/** The file itself, write-ahead log and shared memory of SQLite, and the layout of `layout.ts`. */
const COMPANIONS = ['', '-wal', '-shm', '-layout']
/** A directory without room for this much counts as full. */
const PROBE_BYTES = 1024 * 1024

/** On Windows a file in use cannot be replaced, and not every file system there has file numbers. */
const isReplaceable = process.platform !== 'win32'

export interface FileIdentity {
  /** Identifies the file, regardless of its content and name. */
  readonly id: string
  /** Changes with the file and with each write to it. */
  readonly version: string
}

/** Null when there is no file. Rejects when the system does not answer. */
export async function identityOf(path: string): Promise<FileIdentity | null> {
  try {
    return toIdentity(await stat(path, { bigint: true }))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

/** Identity of a file that has just been opened; null when unknown. */
export function identityNow(path: string): FileIdentity | null {
  try {
    return toIdentity(statSync(path, { bigint: true }))
  } catch {
    return null
  }
}

function toIdentity({ dev, ino, size, mtimeMs }: BigIntStats): FileIdentity {
  const id = isReplaceable ? `${dev}:${ino}` : ''
  return { id, version: `${id}:${size}:${mtimeMs}` }
}

/** Throws when the file exists and this account may not write to it: SQLite would open it for reading only. */
export function proveWritable(file: string): void {
  try {
    accessSync(file, constants.W_OK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw new StorageError(`this account may not write to it: ${errorText(error)}`)
  }
}

/** Throws when the database or a companion is a link: what it leads to is not Footman's. */
export function refuseLinks(file: string): void {
  const found = COMPANIONS.find((end) => lstatSync(`${file}${end}`, { throwIfNoEntry: false })?.isSymbolicLink())
  if (found !== undefined) throw new Error(`${file}${found} is a link: put the file itself there`)
}

/** Rejects with the reason when a file of `PROBE_BYTES` cannot be written in the directory. */
export async function proveRoom(directory: string): Promise<void> {
  const probe = join(directory, `.footman-${randomBytes(6).toString('hex')}.tmp`)
  const file = await open(probe, 'wx', 0o600)
  try {
    await file.writeFile(randomBytes(PROBE_BYTES))
    await file.sync()
  } finally {
    await file.close()
    await unlink(probe)
  }
}

/**
 * Renames a closed database with its companion files to `<name>.corrupt-<UTC time>` and returns that path. Throws the error
 * of the system.
 */
export function setAside(file: string, now: number): string {
  const stamp = new Date(now).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15)
  for (let n = 1; ; n += 1) {
    const aside = `${file}.corrupt-${stamp}${n > 1 ? `-${n}` : ''}`
    if (isFree(aside)) {
      for (const companion of COMPANIONS) renameIfThere(`${file}${companion}`, `${aside}${companion}`)
      return aside
    }
  }
}

/** Removes the files of a database that was never in use. */
export function removeDatabase(file: string): void {
  for (const companion of COMPANIONS) rmSync(`${file}${companion}`, { force: true })
}

/** True when the file exists and is empty. */
export function isEmptied(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.size === 0
}

function isFree(path: string): boolean {
  return COMPANIONS.every((companion) => !existsSync(`${path}${companion}`))
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
