/** Copy and move: both ends are examined before anything is changed. */
import { rename, unlink } from 'node:fs/promises'
import {
  type ApprovedPair,
  absolutePath,
  type Location,
  openParent,
  type PlaceDeps,
  pathOf,
  placesOfPair,
} from './approvals.ts'
import { codeOf, type Directory, type Entry, type Found, statEntry } from './directory.ts'
import { isBelow, isSame, textOf } from './paths.ts'
import {
  type CopyPlan,
  copyFile,
  copyTree,
  finishDirectory,
  measureTree,
  planFile,
  planTree,
  put,
  removeEntry,
  removeTree,
  type Tree,
  treeOf,
} from './tree.ts'
import {
  type CopyRequest,
  conflict,
  FileRefusal,
  type MoveRequest,
  type Outcome,
  type Preview,
  type Work,
} from './types.ts'

interface Ends extends AsyncDisposable {
  readonly source: Entry
  readonly kind: 'file' | 'directory' | 'link'
  readonly size: number
  /** The source as a tree; null for a file. */
  readonly tree: Tree | null
  readonly target: Location
  /** The directory of the target; null = not there yet. */
  readonly targetParent: Directory | null
  readonly targetKind: 'file' | 'directory' | null
  /** Both are one and the same. */
  readonly same: boolean
}

/**
 * Holds both ends open. Throws a refusal when the source must not become the target. `keepLink`: a link is the source
 * itself, not its target.
 */
async function openEnds(
  deps: PlaceDeps,
  pairs: readonly ApprovedPair[],
  request: { readonly from: string; readonly to: string },
  options: { readonly keepLink?: boolean } = {},
): Promise<Ends> {
  const [from, to] = [absolutePath(request.from, deps.rules), absolutePath(request.to, deps.rules)]
  const places = await placesOfPair(deps, pairs, from, to, options)
  await using held = new AsyncDisposableStack()
  const source = await openSource(places.source)
  if (!source) throw new FileRefusal({ kind: 'absent' })
  held.use(source.entry.directory)
  const { kind, size } = source.found
  if (kind === 'other') throw conflict('fromFile is neither a file nor a directory')
  const tree = kind === 'directory' ? await openTree(source.entry, deps) : null
  if (tree) held.use(tree.top)

  const targetParent = await openTarget(places.target)
  if (targetParent) held.use(targetParent)
  const target = targetParent && (await statEntry({ directory: targetParent, name: nameOf(places.target) }))
  const targetKind = target && kindOfTarget(target)
  if (targetKind && (kind === 'directory') !== (targetKind === 'directory')) {
    throw conflict(`toFile is a ${targetKind}, and fromFile is ${kind === 'directory' ? 'a directory' : 'not'}`)
  }
  if (tree) refuseOverlap(deps, places)
  const same = isSame(pathOf(places.source), pathOf(places.target), deps.rules.platform)
  const resources = held.move()
  return {
    source: source.entry,
    kind,
    size,
    tree,
    target: places.target,
    targetParent,
    targetKind,
    same,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

export const nameOf = ({ names }: Location): string => names.at(-1)!

/** What is below the given name, held open; null when there is nothing. */
export async function openSource(place: Location): Promise<{ readonly entry: Entry; readonly found: Found } | null> {
  let directory: Directory | null = null
  try {
    directory = await openParent(place)
    if (!directory) return null
    const entry = { directory, name: nameOf(place) }
    const found = await statEntry(entry)
    if (found) return { entry, found }
  } catch (error) {
    await directory?.[Symbol.asyncDispose]()
    // A file where a directory would have to be.
    if (codeOf(error) !== 'ENOTDIR') throw error
    return null
  }
  await directory[Symbol.asyncDispose]()
  return null
}

export async function openTree({ directory, name }: Entry, { rules }: PlaceDeps): Promise<Tree> {
  return treeOf(await directory.open(name), rules.platform)
}

/** The directory of the target; makes what is missing with `create`. */
async function openTarget(place: Location, create = false): Promise<Directory | null> {
  try {
    return await openParent(place, create)
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') throw conflict('toFile lies below a file')
    throw error
  }
}

function kindOfTarget({ kind }: Found): 'file' | 'directory' {
  if (kind === 'file' || kind === 'directory') return kind
  // Links were resolved, so this one is new.
  if (kind === 'link') throw new FileRefusal({ kind: 'denied' })
  throw conflict('toFile is neither a file nor a directory')
}

/** A directory can neither go into itself nor replace one in which it is. */
function refuseOverlap(
  { rules: { platform } }: PlaceDeps,
  places: { readonly source: Location; readonly target: Location },
): void {
  const [source, target] = [pathOf(places.source), pathOf(places.target)]
  if (isBelow(source, target, platform)) throw conflict('toFile lies within fromFile')
  if (isBelow(target, source, platform)) throw conflict('fromFile lies within toFile')
}

// Copy: a file, or a directory with its contents.

export async function previewCopy(deps: PlaceDeps, request: CopyRequest, signal?: AbortSignal): Promise<Preview> {
  await using ends = await openEnds(deps, deps.approvals.copy, request)
  const plan = await planCopy(ends, request, signal)
  return { ...plan, changes: plan.files > 0 || ends.targetKind === null }
}

/** Throws a refusal when nothing can be copied as things are now; does not look into directories. */
export async function checkCopy(deps: PlaceDeps, request: CopyRequest): Promise<void> {
  await using ends = await openEnds(deps, deps.approvals.copy, request)
  refuseSame(ends, request)
}

export async function runCopy(deps: PlaceDeps, request: CopyRequest, work: Work): Promise<Outcome> {
  await using ends = await openEnds(deps, deps.approvals.copy, request)
  const { files, bytes } = await planCopy(ends, request, work.signal)
  Object.assign(work.tally, { files, bytes })
  if (ends.same) return { changed: false }
  if (ends.kind === 'file' && ends.targetKind && !request.overwrite) return { changed: false }
  await using parent = (await openTarget(ends.target, true))!
  const target = { directory: parent, name: nameOf(ends.target) }
  if (!ends.tree) {
    const { copied } = await copyFile(ends.source, target, request, work)
    if (copied) work.tally.filesDone = 1
    return { changed: copied }
  }
  const isNew = (await statEntry(target)) === null
  await using top = await parent.open(target.name, true)
  const { changed } = await copyTree(ends.tree, top, request, work)
  if (isNew || changed) await finishDirectory(ends.tree.top, top, isNew, request)
  return { changed: changed || isNew }
}

async function planCopy(ends: Ends, request: CopyRequest, signal?: AbortSignal): Promise<CopyPlan> {
  const { tree, targetParent, targetKind, target, size } = ends
  const { overwrite } = request
  refuseSame(ends, request)
  const plan: CopyPlan = { files: 0, bytes: 0, wouldOverwrite: [] }
  const path = textOf(pathOf(target))
  if (ends.same) return plan
  if (!tree) {
    if (!targetKind || overwrite) planFile(plan, size, targetKind ? path : null)
    return plan
  }
  await using existing = targetKind && targetParent ? await targetParent.open(nameOf(target)) : null
  await planTree(tree, existing, { overwrite, ...(signal && { signal }) }, plan, `${path}/`)
  return plan
}

function refuseSame({ same }: Ends, { overwrite }: CopyRequest): void {
  if (same && overwrite) throw conflict('fromFile and toFile are the same')
}

// Move: to another file system by copying first and removing last.

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
  if (overwrite && (await statEntry(entry))) await unlink(entry.directory.entry(entry.name))
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
