/** The files of a database on disk: which ones stand at its path, whether their directory takes anything, out of the way with them. */
import { randomBytes } from 'node:crypto'
import { accessSync, type BigIntStats, constants, existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { open, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../sqlite.ts'

/** SQLite keeps what is new, and who sees what of it, beside the file, we where its tables begin. */
const COMPANIONS = ['', '-wal', '-shm', '-layout']
/** Less than that is no room. */
const PROBE_BYTES = 1024 * 1024

/** On Windows a file in use stays where it is, and not every file system there numbers its files. */
const isReplaceable = process.platform !== 'win32'

export interface FileIdentity {
  /** The same for as long as it is the same file, whatever is written to it and whatever it is called. */
  readonly id: string
  /** Also tells whether somebody writes to it. */
  readonly version: string
}

/** Null when nothing stands there. Rejects when that cannot be found out. */
export async function identityOf(path: string): Promise<FileIdentity | null> {
  try {
    return toIdentity(await stat(path, { bigint: true }))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

/** Of a file that has just been opened; null when that cannot be found out. */
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

/** Throws when the file exists and the rights of this account do not let it be written: SQLite would just read it then. */
export function proveWritable(file: string): void {
  try {
    accessSync(file, constants.W_OK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw new StorageError(`this account may not write to it: ${(error as Error).message}`)
  }
}

/** Rejects with the reason when a directory does not take a file of some size. */
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
 * Renames a database that nobody has open, with all that belongs to it, to `<name>.corrupt-<UTC time>` and returns that
 * path. Throws what the system says.
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

/** True when nothing is left in a file that once held a database. */
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
