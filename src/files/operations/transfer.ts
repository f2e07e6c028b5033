/** What copy and move have in common: both ends are looked at before anything happens. */
import type { ApprovedPair } from '../approval.ts'
import type { Directory } from '../disk/directory.ts'
import { type Entry, type Found, look } from '../disk/entries.ts'
import { codeOf } from '../disk/errors.ts'
import { type Location, openParent, pathOf } from '../disk/locate.ts'
import { type Tree, treeOf } from '../disk/tree.ts'
import { isBelow, isSame } from '../paths/compare.ts'
import { FileRefusal } from '../types.ts'
import { absolutePath, type PlaceDeps, placesOfPair } from './places.ts'

export interface Ends extends AsyncDisposable {
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

/** Holds both ends open. Throws a refusal when the one must not become the other. `keepLink`: links stand for themselves. */
export async function openEnds(
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
  const target = targetParent && (await look({ directory: targetParent, name: nameOf(places.target) }))
  const targetKind = target && kindOfTarget(target)
  if (targetKind && (kind === 'directory') !== (targetKind === 'directory')) {
    throw conflict(`toFile is a ${targetKind}, and fromFile is ${kind === 'directory' ? 'a directory' : 'not'}`)
  }
  if (tree) refuseOverlap(deps, places)
  const same = isSame(pathOf(places.source), pathOf(places.target), deps.rules.platform)
  const resources = held.move()
  return {
    ...{ source: source.entry, kind, size, tree, target: places.target, targetParent, targetKind, same },
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
    const found = await look(entry)
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
export async function openTarget(place: Location, create = false): Promise<Directory | null> {
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

export const conflict = (details: string): FileRefusal => new FileRefusal({ kind: 'conflict', details })
