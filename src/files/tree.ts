/**
 * Files and directories with their contents: listed, measured, removed and copied. Links are followed only as far as
 * they stay within the tree.
 */
import { type BigIntStats, constants } from 'node:fs'
import {
  chmod,
  type FileHandle,
  link,
  lstat,
  open,
  readdir,
  realpath,
  rmdir,
  stat,
  unlink,
  utimes,
} from 'node:fs/promises'
import process from 'node:process'
import { renameOver } from '../platform/files.ts'
import { openParent } from './approvals.ts'
import {
  codeOf,
  type Directory,
  type Entry,
  type Found,
  identityText,
  isTemporaryName,
  PathChanged,
  statEntry,
} from './directory.ts'
import { type AbsolutePath, fromSystem, isBelow, isSame, isWithin, type PathPlatform } from './paths.ts'
import { conflict, FileRefusal, type Tally, type Work } from './types.ts'

/** The directory at the top, held open. */
export interface Tree {
  readonly top: Directory
  /** Real path of `top`. */
  readonly path: AbsolutePath
  readonly platform: PathPlatform
}

interface TreeEntry extends Found {
  readonly kind: 'file' | 'directory'
  /** The name in the directory that is listed. */
  readonly name: string
  /** Where it is; elsewhere in the tree when the name is a link. */
  readonly at: Entry
  /** The name is a link to it. */
  readonly linked: boolean
}

export async function treeOf(top: Directory, platform: PathPlatform): Promise<Tree> {
  return { top, path: fromSystem(await top.realPath(), platform), platform }
}

/**
 * Files and directories in one directory of the tree. The target of a link is held open until the next entry is asked
 * for. Throws a refusal for a link out of the tree, and for what is neither file nor directory. `inLinked`: the directory
 * was reached through a link, and must not hold links to further directories: those could multiply without end.
 */
async function* entriesIn(tree: Tree, directory: Directory, inLinked = false): AsyncGenerator<TreeEntry> {
  for (const name of await readdir(directory.entry('.'))) {
    if (isTemporaryName(name)) continue
    const at = { directory, name }
    const found = await statEntry(at)
    if (!found) continue
    if (found.kind !== 'link') {
      yield { ...plainEntry(found, name), name, at, linked: false }
      continue
    }
    const target = await targetOf(tree, at)
    await using parent = await openParent(locationIn(tree, target))
    const linked = parent && { directory: parent, name: target.segments.at(-1)! }
    const behind = linked && (await statEntry(linked))
    if (!linked || !behind || behind.kind === 'link') throw new FileRefusal({ kind: 'denied' })
    const entry = plainEntry(behind, name)
    if (entry.kind === 'directory') await refuseEndless(tree, directory, name, target, inLinked)
    yield { ...entry, name, at: linked, linked: true }
  }
}

/**
 * Files and bytes in the tree, links not counted. Throws a refusal when a link somewhere in it leads out of it. Aborts
 * with `signal`.
 */
export async function measureTree(
  tree: Tree,
  signal?: AbortSignal,
  directory: Directory = tree.top,
): Promise<{ readonly files: number; readonly bytes: number }> {
  let [files, bytes] = [0, 0]
  for (const name of await readdir(directory.entry('.'))) {
    signal?.throwIfAborted()
    const at = { directory, name }
    const found = await statEntry(at)
    if (found?.kind === 'link') await targetOf(tree, at)
    if (found?.kind === 'file') {
      files += 1
      bytes += found.size
    }
    if (found?.kind !== 'directory') continue
    await using child = await directory.open(name)
    const inside = await measureTree(tree, signal, child)
    files += inside.files
    bytes += inside.bytes
  }
  return { files, bytes }
}

/** Removes the directory of this name with all that is in it; links are removed, never followed. */
export async function removeTree({ directory, name }: Entry, work?: Pick<Work, 'signal' | 'tally'>): Promise<void> {
  {
    await using top = await directory.open(name)
    for (const inside of await readdir(top.entry('.'))) {
      work?.signal.throwIfAborted()
      const found = await statEntry({ directory: top, name: inside })
      if (!found) continue
      if (found.kind === 'directory') {
        await removeTree({ directory: top, name: inside }, work)
        continue
      }
      await top.verify()
      await unlink(top.entry(inside))
      if (work && found.kind === 'file') countDone(work.tally, found.size)
    }
  }
  await directory.verify()
  await rmdir(directory.entry(name))
}

/** Removes a file, a link or a whole directory. */
export async function removeEntry(entry: Entry, work?: Work): Promise<void> {
  const found = await statEntry(entry)
  if (found?.kind === 'directory') return removeTree(entry, work)
  await entry.directory.verify()
  await unlink(entry.directory.entry(entry.name))
}

function countDone(tally: Tally, bytes: number): void {
  tally.filesDone += 1
  tally.bytesDone += bytes
}

/** Real path of the target of a link in the tree. Throws a refusal for one outside of the tree. */
async function targetOf({ path, platform }: Tree, { directory, name }: Entry): Promise<AbsolutePath> {
  const real = await realpath(directory.entry(name)).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes(codeOf(error))) return null
    throw error
  })
  const target = real === null ? null : fromSystem(real, platform)
  if (!target || !isWithin(path, target, platform)) throw new FileRefusal({ kind: 'denied' })
  return target
}

const locationIn = ({ path }: Tree, target: AbsolutePath) => ({
  root: path,
  rootExists: true,
  names: target.segments.slice(path.segments.length),
})

async function refuseEndless(
  { platform }: Tree,
  directory: Directory,
  name: string,
  target: AbsolutePath,
  inLinked: boolean,
): Promise<void> {
  const here = fromSystem(await directory.realPath(), platform)
  const endless = inLinked || isSame(target, here, platform) || isBelow(target, here, platform)
  if (endless) throw conflict(`The link "${name}" leads to a directory that would be copied without end`)
}

function plainEntry({ kind, size }: Found, name: string): Found & { readonly kind: 'file' | 'directory' } {
  if (kind === 'file' || kind === 'directory') return { kind, size }
  throw conflict(`"${name}" is neither a file nor a directory`)
}

// Copies of files: the target is absent, old or complete at any moment.

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
  await using from = await openFile(source)
  const temporary = { directory: target.directory, name: await work.temporaryName() }
  await target.directory.verify()
  let placed = false
  try {
    const before = await from.stat({ bigint: true })
    await writeCopy(from, temporary, before, options, work)
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

async function openFile({ directory, name }: Entry): Promise<FileHandle> {
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

async function writeCopy(
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

// Copies of trees: existing files of the target stay unless `overwrite` is set.

/** The changes that a copy would make; grows while the tree is looked through. */
export interface CopyPlan {
  files: number
  bytes: number
  readonly wouldOverwrite: string[]
}

const MAX_LISTED = 1000

/** One file of a plan. `path`: that of the target, if it is there already. */
export function planFile(plan: CopyPlan, size: number, path: string | null): void {
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
  plan: CopyPlan,
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
