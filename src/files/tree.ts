/** Directories with all that is in them. Links are followed only as far as they stay within the tree. */
import { readdir, realpath, rmdir, unlink } from 'node:fs/promises'
import { codeOf, type Directory, type Entry, type Found, isTemporaryName, statEntry } from './directory.ts'
import { openParent } from './locate.ts'
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
  /** As it is called in the directory that is listed. */
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
 * Files and directories in one directory of the tree. What a link leads to is held open until the next entry is asked
 * for. Throws a refusal for a link out of the tree, and for what is neither file nor directory. `inLinked`: the directory
 * was reached through a link, and must not hold links to further directories: those could multiply without end.
 */
export async function* entriesIn(tree: Tree, directory: Directory, inLinked = false): AsyncGenerator<TreeEntry> {
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

/** Real path of what a link in the tree leads to. */
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
