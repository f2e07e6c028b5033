/** Makes a directory with all that is missing above it. */
import { mkdir } from 'node:fs/promises'
import { look } from '../disk/entries.ts'
import { codeOf } from '../disk/errors.ts'
import { type Location, openParent, pathOf } from '../disk/locate.ts'
import { textOf } from '../paths/resolve.ts'
import type { AbsolutePath } from '../paths/types.ts'
import { type CreateRequest, FileRefusal, type Outcome } from '../types.ts'
import { absolutePath, type PlaceDeps, placeIn } from './places.ts'
import { conflict, nameOf } from './transfer.ts'

/** The text that is resolved: for the QVD folder what lies below it. */
export function directoryText(deps: PlaceDeps, { operation, directory }: CreateRequest): string {
  if (operation === 'createdir') return directory
  const { qvdFolder } = deps.approvals
  if (!qvdFolder) throw new FileRefusal({ kind: 'noQvdFolder' })
  return `${textOf(qvdFolder).replace(/\/$/, '')}/${directory.replace(/^[\\/]+/, '')}`
}

/** Throws a refusal when it cannot be made as things are now. */
export async function checkCreate(deps: PlaceDeps, request: CreateRequest): Promise<void> {
  const place = await placeOf(deps, request)
  if (!place || place.names.length === 0) return
  try {
    await using parent = await openParent(place)
    const found = parent && (await look({ directory: parent, name: nameOf(place) }))
    if (found && found.kind !== 'directory') throw inTheWay()
  } catch (error) {
    throw codeOf(error) === 'ENOTDIR' ? inTheWay() : error
  }
}

export async function runCreate(deps: PlaceDeps, request: CreateRequest): Promise<Outcome> {
  const place = await placeOf(deps, request)
  try {
    if (!place) await mkdir(textOf(absolutePath(request.directory, deps.rules)), { recursive: true })
    else await makePlace(place)
  } catch (error) {
    throw ['ENOTDIR', 'EEXIST'].includes(codeOf(error)) ? inTheWay() : error
  }
  return { changed: true }
}

async function makePlace(place: Location): Promise<void> {
  if (place.names.length === 0) {
    await mkdir(textOf(pathOf(place)), { recursive: true })
    return
  }
  await using parent = (await openParent(place, true))!
  await using _made = await parent.open(nameOf(place), true)
}

/** Null = directories may be made anywhere. */
async function placeOf(deps: PlaceDeps, request: CreateRequest): Promise<Location | null> {
  const path = absolutePath(directoryText(deps, request), deps.rules)
  const roots = rootsFor(deps, request)
  return roots && placeIn(deps, roots, path, { orItself: true })
}

export function rootsFor({ approvals }: PlaceDeps, { operation }: CreateRequest): readonly AbsolutePath[] | null {
  if (operation === 'createdir') return approvals.createDirectory
  return approvals.qvdFolder ? [approvals.qvdFolder] : []
}

const inTheWay = (): FileRefusal => conflict('A file stands where a directory would have to be')
