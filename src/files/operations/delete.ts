/** Deletes a file; a directory with all that is in it only when that was asked for. */
import { unlink } from 'node:fs/promises'
import { type Entry, type Found, look } from '../disk/entries.ts'
import { measureTree, removeTree } from '../disk/tree.ts'
import { type DeleteRequest, FileRefusal, type Outcome, type Preview, type Work } from '../types.ts'
import { absolutePath, type PlaceDeps, placeIn } from './places.ts'
import { openSource, openTree } from './transfer.ts'

interface Doomed extends AsyncDisposable {
  readonly entry: Entry
  readonly found: Found
}

export async function previewDelete(deps: PlaceDeps, request: DeleteRequest, signal?: AbortSignal): Promise<Preview> {
  await using doomed = await openChecked(deps, request)
  return { ...(await measure(deps, doomed, signal)), wouldOverwrite: [], changes: true }
}

/** Throws a refusal when it must not be deleted as things are now; does not look into directories. */
export async function checkDelete(deps: PlaceDeps, request: DeleteRequest): Promise<void> {
  await using _doomed = await openChecked(deps, request)
}

export async function runDelete(deps: PlaceDeps, request: DeleteRequest, work: Work): Promise<Outcome> {
  await using doomed = await openChecked(deps, request)
  const size = await measure(deps, doomed, work.signal)
  Object.assign(work.tally, size)
  await removeEntry(doomed.entry, work)
  Object.assign(work.tally, { filesDone: size.files, bytesDone: size.bytes })
  return { changed: true }
}

/** Removes a file, a link or a whole directory. */
export async function removeEntry(entry: Entry, work?: Work): Promise<void> {
  const found = await look(entry)
  if (found?.kind === 'directory') return removeTree(entry, work)
  await entry.directory.verify()
  await unlink(entry.directory.entry(entry.name))
}

async function openChecked(deps: PlaceDeps, { from, recursive }: DeleteRequest): Promise<Doomed> {
  const path = absolutePath(from, deps.rules)
  const place = await placeIn(deps, deps.approvals.delete, path, { keepLink: true })
  const source = await openSource(place)
  if (!source) throw new FileRefusal({ kind: 'absent' })
  const { entry, found } = source
  const { kind } = found
  if (kind === 'file' || kind === 'link' || (kind === 'directory' && recursive)) {
    return { entry, found, [Symbol.asyncDispose]: () => entry.directory[Symbol.asyncDispose]() }
  }
  await entry.directory[Symbol.asyncDispose]()
  throw new FileRefusal({ kind: 'notAFile' })
}

async function measure(deps: PlaceDeps, { entry, found }: Doomed, signal?: AbortSignal) {
  if (found.kind !== 'directory') return { files: 1, bytes: found.kind === 'file' ? found.size : 0 }
  const tree = await openTree(entry, deps)
  await using _top = tree.top
  return await measureTree(tree, signal)
}
