/** The five file operations behind one interface. */
import { mkdir, readdir, rename } from 'node:fs/promises'
import {
  absolutePath,
  type Location,
  openParent,
  type PlaceDeps,
  pathOf,
  placeIn,
  placesOfPair,
  readHashes,
} from './approvals.ts'
import { codeOf, type Directory, type Entry, type Found, statEntry, temporaryKindOf } from './directory.ts'
import { type AbsolutePath, isBelow, isWithin, textOf } from './paths.ts'
import {
  checkCopy,
  checkMove,
  nameOf,
  openSource,
  openTree,
  previewCopy,
  previewMove,
  runCopy,
  runMove,
} from './transfer.ts'
import { measureTree, removeEntry, removeTree } from './tree.ts'
import {
  type CopyRequest,
  type CreateRequest,
  conflict,
  type DeleteRequest,
  FileRefusal,
  type FileRequest,
  type MoveRequest,
  type Outcome,
  type Preview,
  type Work,
} from './types.ts'

/** All of them throw a `FileRefusal` for what must not be done, and the system's error for what fails. */
export interface FileOperations {
  /** The request with `%23` in its paths read as `#` where that is meant. */
  read<R extends FileRequest>(request: R): Promise<R>
  check(request: FileRequest): Promise<void>
  /** Checks everything, and changes nothing. */
  preview(request: FileRequest, signal?: AbortSignal): Promise<Preview>
  run(request: FileRequest, work: Work): Promise<Outcome>
  /** Puts in order what an operation of this id has left behind when the process died. */
  cleanUp(id: string, request: CopyRequest | MoveRequest): Promise<void>
}

const NOTHING: Preview = { files: 0, bytes: 0, wouldOverwrite: [], changes: true }

export function createFileOperations(deps: PlaceDeps): FileOperations {
  return {
    async read(request) {
      const { approvals, rules } = deps
      const { platform } = rules
      const below = (roots: readonly AbsolutePath[]) => (path: AbsolutePath) =>
        roots.some((root) => isBelow(root, path, platform))
      if ('directory' in request) {
        const roots = rootsFor(deps, request)
        const approved = (path: AbsolutePath) => !roots || roots.some((root) => isWithin(root, path, platform))
        const given = directoryText(deps, request)
        const [read] = await readHashes([given], rules, approved)
        return read === given ? request : { ...request, directory: request.directory.replaceAll('%23', '#') }
      }
      if (request.operation === 'delete') {
        const [from = ''] = await readHashes([request.from], rules, below(approvals.delete))
        return { ...request, from }
      }
      const pairs = approvals[request.operation]
      const approved = [below(pairs.map((pair) => pair.from)), below(pairs.map((pair) => pair.to))]
      const [from = '', to = ''] = await readHashes([request.from, request.to], rules, (path, index) =>
        approved[index]!(path),
      )
      return { ...request, from, to }
    },

    async check(request) {
      if (request.operation === 'copy') return checkCopy(deps, request)
      if (request.operation === 'move') return checkMove(deps, request)
      return request.operation === 'delete' ? checkDelete(deps, request) : checkCreate(deps, request)
    },

    async preview(request, signal) {
      if (request.operation === 'copy') return previewCopy(deps, request, signal)
      if (request.operation === 'move') return previewMove(deps, request, signal)
      if (request.operation === 'delete') return previewDelete(deps, request, signal)
      await checkCreate(deps, request)
      return NOTHING
    },

    async run(request, work) {
      if (request.operation === 'copy') return runCopy(deps, request, work)
      if (request.operation === 'move') return runMove(deps, request, work)
      return request.operation === 'delete' ? runDelete(deps, request, work) : runCreate(deps, request)
    },

    cleanUp: (id, request) => cleanUp(deps, id, request),
  }
}

// Delete: a file; a directory with its contents only with `recursive`.

interface Doomed extends AsyncDisposable {
  readonly entry: Entry
  readonly found: Found
}

async function previewDelete(deps: PlaceDeps, request: DeleteRequest, signal?: AbortSignal): Promise<Preview> {
  await using doomed = await openChecked(deps, request)
  return { ...(await measure(deps, doomed, signal)), wouldOverwrite: [], changes: true }
}

/** Throws a refusal when it must not be deleted as things are now; does not look into directories. */
async function checkDelete(deps: PlaceDeps, request: DeleteRequest): Promise<void> {
  await using _doomed = await openChecked(deps, request)
}

async function runDelete(deps: PlaceDeps, request: DeleteRequest, work: Work): Promise<Outcome> {
  await using doomed = await openChecked(deps, request)
  const size = await measure(deps, doomed, work.signal)
  Object.assign(work.tally, size)
  await removeEntry(doomed.entry, work)
  Object.assign(work.tally, { filesDone: size.files, bytesDone: size.bytes })
  return { changed: true }
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

// Create: a directory with all that is missing above it.

/** The text that is resolved: for the QVD folder what lies below it. */
function directoryText(deps: PlaceDeps, { operation, directory }: CreateRequest): string {
  if (operation === 'createdir') return directory
  const { qvdFolder } = deps.approvals
  if (!qvdFolder) throw new FileRefusal({ kind: 'noQvdFolder' })
  return `${textOf(qvdFolder).replace(/\/$/, '')}/${directory.replace(/^[\\/]+/, '')}`
}

/** Throws a refusal when it cannot be made as things are now. */
async function checkCreate(deps: PlaceDeps, request: CreateRequest): Promise<void> {
  const place = await placeOf(deps, request)
  if (!place || place.names.length === 0) return
  try {
    await using parent = await openParent(place)
    const found = parent && (await statEntry({ directory: parent, name: nameOf(place) }))
    if (found && found.kind !== 'directory') throw inTheWay()
  } catch (error) {
    throw codeOf(error) === 'ENOTDIR' ? inTheWay() : error
  }
}

async function runCreate(deps: PlaceDeps, request: CreateRequest): Promise<Outcome> {
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

function rootsFor({ approvals }: PlaceDeps, { operation }: CreateRequest): readonly AbsolutePath[] | null {
  if (operation === 'createdir') return approvals.createDirectory
  return approvals.qvdFolder ? [approvals.qvdFolder] : []
}

const inTheWay = (): FileRefusal => conflict('A file stands where a directory would have to be')

// Clean-up: what operations of a killed process have left behind.

/** Removes half-made copies; a directory that had stepped aside comes back when nothing has taken its place. */
async function cleanUp(deps: PlaceDeps, id: string, request: CopyRequest | MoveRequest): Promise<void> {
  const [from, to] = [absolutePath(request.from, deps.rules), absolutePath(request.to, deps.rules)]
  const { target } = await placesOfPair(deps, deps.approvals[request.operation], from, to)
  await using parent = await openParent(target)
  if (!parent) return
  const entry = { directory: parent, name: nameOf(target) }
  for (const name of await readdir(parent.entry('.'))) await tidy(id, { directory: parent, name }, entry)
  if (request.operation === 'move' || (await statEntry(entry))?.kind !== 'directory') return
  await using top = await parent.open(entry.name)
  await tidyTree(id, top)
}

async function tidy(id: string, left: Entry, target: Entry): Promise<void> {
  const kind = temporaryKindOf(id, left.name)
  if (kind === 'tmp') await removeEntry(left)
  if (kind !== 'old') return
  if (await statEntry(target)) await removeTree(left)
  else await rename(left.directory.entry(left.name), target.directory.entry(target.name))
}

async function tidyTree(id: string, directory: Directory): Promise<void> {
  for (const name of await readdir(directory.entry('.'))) {
    const entry = { directory, name }
    if (temporaryKindOf(id, name) === 'tmp') {
      await removeEntry(entry)
      continue
    }
    if ((await statEntry(entry))?.kind !== 'directory') continue
    await using child = await directory.open(name)
    await tidyTree(id, child)
  }
}
