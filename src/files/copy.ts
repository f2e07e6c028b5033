/** Copies of files and trees. The target of a file is absent, old or complete at any moment. */
import { type BigIntStats, constants } from 'node:fs'
import { chmod, type FileHandle, link, lstat, open, stat, unlink, utimes } from 'node:fs/promises'
import process from 'node:process'
import { renameOver } from '../platform/files.ts'
import { codeOf, type Directory, type Entry, identityText, PathChanged, statEntry } from './directory.ts'
import { entriesIn, type Tree } from './tree.ts'
import { conflict, type Work } from './types.ts'

interface CopyOptions {
  readonly overwrite: boolean
  readonly preserveTimestamp: boolean
}

interface CopyResult {
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
    // A second name can only be made where there is none, so no file is replaced unseen.
    const made = await link(source, target).then(
      () => 'made',
      (error: unknown) => codeOf(error),
    )
    if (made === 'made') {
      await unlink(source)
      return true
    }
    // Not every file system has second names.
    if (made === 'EEXIST' || (await statEntry(to))) return false
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

// Trees: existing files of the target stay unless `overwrite` is set.

/** What a copy is going to do; grows while the tree is looked through. */
export interface Plan {
  files: number
  bytes: number
  readonly wouldOverwrite: string[]
}

const MAX_LISTED = 1000

/** One file of a plan. `path`: that of the target, if it is there already. */
export function planFile(plan: Plan, size: number, path: string | null): void {
  plan.files += 1
  plan.bytes += size
  if (path !== null && plan.wouldOverwrite.length < MAX_LISTED) plan.wouldOverwrite.push(path)
}

/**
 * Looks through the tree and through what there is of its copy already. Throws a refusal for a link that leads out, and
 * where a file would have to replace a directory or the other way round. `path`: that of the copy, ending in a slash.
 */
export async function planTree(
  tree: Tree,
  target: Directory | null,
  settings: { readonly overwrite: boolean; readonly signal?: AbortSignal },
  plan: Plan,
  path: string,
): Promise<void> {
  await planDirectory(tree.top, target, false, path)

  async function planDirectory(from: Directory, to: Directory | null, inLinked: boolean, at: string): Promise<void> {
    for await (const entry of entriesIn(tree, from, inLinked)) {
      settings.signal?.throwIfAborted()
      const { name, kind } = entry
      const there = to && (await statEntry({ directory: to, name }))
      if (there && there.kind !== kind) throw conflict(`${at}${name} is there, and is not a ${kind}`)
      if (kind === 'file') {
        if (!there || settings.overwrite) planFile(plan, entry.size, there ? at + name : null)
        continue
      }
      await using child = await entry.at.directory.open(entry.at.name)
      await using below = there && to ? await to.open(name) : null
      await planDirectory(child, below, inLinked || entry.linked, `${at}${name}/`)
    }
  }
}

interface TreeCopy {
  /** Something was made. */
  readonly changed: boolean
  readonly sourceChanged: boolean
}

/** Copies all that is in the tree into `target`. */
export async function copyTree(tree: Tree, target: Directory, options: CopyOptions, work: Work): Promise<TreeCopy> {
  let [changed, sourceChanged] = [false, false]
  await copyDirectory(tree.top, target, false)
  return { changed, sourceChanged }

  async function copyDirectory(from: Directory, to: Directory, inLinked: boolean): Promise<void> {
    for await (const entry of entriesIn(tree, from, inLinked)) {
      work.signal.throwIfAborted()
      const place = { directory: to, name: entry.name }
      if (entry.kind === 'file') {
        // A file that stays needs no copy to find that out.
        if (!options.overwrite && (await statEntry(place))) continue
        const result = await copyFile(entry.at, place, options, work)
        if (result.copied) work.tally.filesDone += 1
        changed ||= result.copied
        sourceChanged ||= result.sourceChanged
        continue
      }
      const isNew = (await statEntry(place)) === null
      await using child = await entry.at.directory.open(entry.at.name)
      await using below = await to.open(entry.name, true)
      await copyDirectory(child, below, inLinked || entry.linked)
      await finishDirectory(child, below, isNew, options)
      changed ||= isNew
    }
  }
}

/** Mode and times come last, as they could stand in the way of the files, and change with them. */
export async function finishDirectory(
  from: Directory,
  to: Directory,
  isNew: boolean,
  { preserveTimestamp }: CopyOptions,
): Promise<void> {
  const { mode, atime, mtime } = await stat(from.entry('.'))
  await to.verify()
  if (isNew && process.platform !== 'win32') await chmod(to.entry('.'), mode & 0o777)
  if (preserveTimestamp) await utimes(to.entry('.'), atime, mtime)
}
