/** Moves a file or a directory; to another file system by copying it first and removing it last. */
import { rename, unlink } from 'node:fs/promises'
import { copyFile, put } from '../disk/copy-file.ts'
import type { Directory } from '../disk/directory.ts'
import { type Entry, look } from '../disk/entries.ts'
import { codeOf } from '../disk/errors.ts'
import { pathOf } from '../disk/locate.ts'
import { measureTree, removeTree, type Tree } from '../disk/tree.ts'
import { textOf } from '../paths/resolve.ts'
import type { MoveRequest, Outcome, Preview, Work } from '../types.ts'
import { copyTree, finishDirectory } from './copy-tree.ts'
import { removeEntry } from './delete.ts'
import type { PlaceDeps } from './places.ts'
import { conflict, type Ends, nameOf, openEnds, openTarget } from './transfer.ts'

const AS_IT_IS = { overwrite: false, preserveTimestamp: true }

export async function previewMove(deps: PlaceDeps, request: MoveRequest, signal?: AbortSignal): Promise<Preview> {
  await using ends = await openChecked(deps, request)
  const { files, bytes } = await measure(ends, signal)
  return { files, bytes, wouldOverwrite: ends.targetKind ? [textOf(pathOf(ends.target))] : [], changes: true }
}

/** Throws a refusal when nothing can be moved as things are now; does not look into directories. */
export async function checkMove(deps: PlaceDeps, request: MoveRequest): Promise<void> {
  await using _ends = await openChecked(deps, request)
}

export async function runMove(deps: PlaceDeps, request: MoveRequest, work: Work): Promise<Outcome> {
  await using ends = await openChecked(deps, request)
  const size = await measure(ends, work.signal)
  Object.assign(work.tally, size)
  await using parent = (await openTarget(ends.target, true))!
  const target = { directory: parent, name: nameOf(ends.target) }
  const place = (entry: Entry): Promise<void> =>
    ends.targetKind === 'directory' ? replaceDirectory(entry, target, work) : placeNew(entry, target, request)
  try {
    await place(ends.source)
  } catch (error) {
    if (codeOf(error) !== 'EXDEV') throw error
    await moveByCopy(ends, parent, place, work)
  }
  Object.assign(work.tally, { filesDone: size.files, bytesDone: size.bytes })
  return { changed: true }
}

async function openChecked(deps: PlaceDeps, request: MoveRequest): Promise<Ends> {
  const ends = await openEnds(deps, deps.approvals.move, request, { keepLink: true })
  const problem = ends.same
    ? 'fromFile and toFile are the same'
    : ends.targetKind && !request.overwrite
      ? 'toFile already exists'
      : null
  if (problem === null) return ends
  await ends[Symbol.asyncDispose]()
  throw conflict(problem)
}

async function measure({ tree, size, kind }: Ends, signal?: AbortSignal) {
  if (tree) return measureTree(tree, signal)
  return { files: 1, bytes: kind === 'file' ? size : 0 }
}

async function placeNew(entry: Entry, target: Entry, { overwrite }: MoveRequest): Promise<void> {
  await entry.directory.verify()
  if (!(await put(entry, target, overwrite))) throw conflict('toFile already exists')
  // Two names of one file: the system leaves both.
  if (overwrite && (await look(entry))) await unlink(entry.directory.entry(entry.name))
}

/** The directory that is replaced steps aside, and comes back when its place is not taken after all. */
async function replaceDirectory(entry: Entry, target: Entry, work: Work): Promise<void> {
  const { directory } = target
  const aside = { directory, name: await work.temporaryName('old') }
  await directory.verify()
  await rename(directory.entry(target.name), directory.entry(aside.name))
  try {
    await rename(entry.directory.entry(entry.name), directory.entry(target.name))
  } catch (error) {
    await rename(directory.entry(aside.name), directory.entry(target.name))
    throw error
  }
  await removeTree(aside)
}

/** The copy is complete beside its place before it takes that, and only then the source goes. */
async function moveByCopy(
  { source, tree, kind }: Ends,
  directory: Directory,
  place: (entry: Entry) => Promise<void>,
  work: Work,
): Promise<void> {
  if (kind === 'link') throw conflict('fromFile is a link, which cannot be moved to another file system')
  const copy = { directory, name: await work.temporaryName() }
  try {
    const changed = tree ? await copyAside(tree, copy, work) : await copyFile(source, copy, AS_IT_IS, work)
    if (changed.sourceChanged) throw conflict('fromFile was written to while it was moved')
    await place(copy)
  } catch (error) {
    await removeEntry(copy).catch(() => undefined)
    throw error
  }
  await removeEntry(source)
}

async function copyAside(tree: Tree, { directory, name }: Entry, work: Work) {
  await using top = await directory.open(name, true)
  const result = await copyTree(tree, top, AS_IT_IS, work)
  await finishDirectory(tree.top, top, true, AS_IT_IS)
  return result
}
