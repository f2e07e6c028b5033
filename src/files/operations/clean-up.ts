/** What is left of operations that a killed process has not ended. */
import { readdir, rename } from 'node:fs/promises'
import type { Directory } from '../disk/directory.ts'
import { type Entry, look } from '../disk/entries.ts'
import { openParent } from '../disk/locate.ts'
import { temporaryKindOf } from '../disk/temporary.ts'
import { removeTree } from '../disk/tree.ts'
import type { CopyRequest, MoveRequest } from '../types.ts'
import { removeEntry } from './delete.ts'
import { absolutePath, type PlaceDeps, placesOfPair } from './places.ts'
import { nameOf } from './transfer.ts'

/** Removes half-made copies; a directory that had stepped aside comes back when nothing has taken its place. */
export async function cleanUp(deps: PlaceDeps, id: string, request: CopyRequest | MoveRequest): Promise<void> {
  const [from, to] = [absolutePath(request.from, deps.rules), absolutePath(request.to, deps.rules)]
  const { target } = await placesOfPair(deps, deps.approvals[request.operation], from, to)
  await using parent = await openParent(target)
  if (!parent) return
  const entry = { directory: parent, name: nameOf(target) }
  for (const name of await readdir(parent.entry('.'))) await tidy(id, { directory: parent, name }, entry)
  if (request.operation === 'move' || (await look(entry))?.kind !== 'directory') return
  await using top = await parent.open(entry.name)
  await tidyTree(id, top)
}

async function tidy(id: string, left: Entry, target: Entry): Promise<void> {
  const kind = temporaryKindOf(id, left.name)
  if (kind === 'tmp') await removeEntry(left)
  if (kind !== 'old') return
  if (await look(target)) await removeTree(left)
  else await rename(left.directory.entry(left.name), target.directory.entry(target.name))
}

async function tidyTree(id: string, directory: Directory): Promise<void> {
  for (const name of await readdir(directory.entry('.'))) {
    const entry = { directory, name }
    if (temporaryKindOf(id, name) === 'tmp') {
      await removeEntry(entry)
      continue
    }
    if ((await look(entry))?.kind !== 'directory') continue
    await using child = await directory.open(name)
    await tidyTree(id, child)
  }
}
