/** One file, copied so that its target is absent, old or whole at any moment. */
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, link, lstat, open, unlink } from 'node:fs/promises'
import process from 'node:process'
import { renameOver } from '../../platform/files.ts'
import type { Work } from '../types.ts'
import { identityText, PathChanged } from './directory.ts'
import { type Entry, look } from './entries.ts'
import { codeOf } from './errors.ts'

export interface CopyOptions {
  readonly overwrite: boolean
  readonly preserveTimestamp: boolean
}

export interface CopyResult {
  /** False: there was a target, and it stays. */
  readonly copied: boolean
  /** The source was written to meanwhile, so that the copy may be a mixture. */
  readonly sourceChanged: boolean
}

const CHUNK = 1024 * 1024
// A named pipe in the place of the file must not stop us, nor must a link lead us elsewhere.
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0)

export async function copyFile(source: Entry, target: Entry, options: CopyOptions, work: Work): Promise<CopyResult> {
  await using from = await openSource(source)
  const temporary = { directory: target.directory, name: await work.temporaryName() }
  await target.directory.verify()
  let placed = false
  try {
    const before = await from.stat({ bigint: true })
    await write(from, temporary, before, options, work)
    const after = await from.stat({ bigint: true })
    placed = await put(temporary, target, options.overwrite)
    return { copied: placed, sourceChanged: before.size !== after.size || before.mtimeNs !== after.mtimeNs }
  } finally {
    if (!placed) await unlink(temporary.directory.entry(temporary.name)).catch(() => undefined)
  }
}

/** Moves a finished file to its place; false when there is something and `overwrite` is not wanted. */
export async function put(from: Entry, to: Entry, overwrite: boolean): Promise<boolean> {
  await to.directory.verify()
  const [source, target] = [from.directory.entry(from.name), to.directory.entry(to.name)]
  if (!overwrite) {
    // A second name can only be made where there is none, so nobody's file is replaced unseen.
    const made = await link(source, target).then(
      () => 'made',
      (error: unknown) => codeOf(error),
    )
    if (made === 'made') {
      await unlink(source)
      return true
    }
    // Not every file system has second names.
    if (made === 'EEXIST' || (await look(to))) return false
  }
  await renameOver(source, target)
  return true
}

async function openSource({ directory, name }: Entry): Promise<FileHandle> {
  const path = directory.entry(name)
  const handle = await open(path, READ)
  try {
    const opened = await handle.stat({ bigint: true })
    if (!opened.isFile()) throw new PathChanged(`${name} is no file any more`)
    await directory.verify()
    if (process.platform === 'win32') {
      const named = await lstat(path, { bigint: true })
      if (identityText(named) !== identityText(opened)) throw new PathChanged(`${name} was exchanged`)
    }
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function write(
  from: FileHandle,
  { directory, name }: Entry,
  stats: BigIntStats,
  { preserveTimestamp }: CopyOptions,
  { signal, tally }: Work,
): Promise<void> {
  await using to = await open(directory.entry(name), CREATE, 0o600)
  const buffer = Buffer.allocUnsafe(Number(stats.size < CHUNK ? stats.size + 1n : CHUNK))
  for (;;) {
    signal.throwIfAborted()
    const { bytesRead } = await from.read(buffer, 0, buffer.length, null)
    if (bytesRead === 0) break
    for (let written = 0; written < bytesRead; ) {
      written += (await to.write(buffer, written, bytesRead - written, null)).bytesWritten
    }
    tally.bytesDone += bytesRead
  }
  if (process.platform !== 'win32') await to.chmod(Number(stats.mode) & 0o777)
  if (preserveTimestamp) await to.utimes(seconds(stats.atimeNs), seconds(stats.mtimeNs))
  await to.sync()
}

const seconds = (nanoseconds: bigint): number => Number(nanoseconds / 1000n) / 1e6
