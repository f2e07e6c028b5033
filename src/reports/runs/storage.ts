/** Writes documents into storage spaces: folders that the configuration lists. Nothing leaves the folder of a space. */
import { copyFile, mkdir, open, realpath, rename, stat, unlink } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { errorText } from '../../platform/errors.ts'
import { fileErrorText } from '../../platform/file-errors.ts'
import { freeName } from './file-names.ts'
import type { FilePayload } from './plan.ts'

export interface StorageSpace {
  readonly id: string
  readonly name: string
  /** Absolute, local or UNC. */
  readonly directory: string
  readonly projects: readonly string[]
  readonly retentionDays: number
}

/** A file cannot be written. `lasting`: another attempt would end the same way. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  constructor(
    message: string,
    readonly lasting = false,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** Nothing that passes by itself. */
const LASTING = ['ENAMETOOLONG', 'EINVAL', 'EFBIG']

/** The reason without paths of this machine; errors that are not of the file system have texts of our own. */
export function storageReason(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return fileErrorText(error) ?? (code === undefined ? errorText(error) : `error ${code}`)
}

const inWords = (error: unknown): StorageError =>
  new StorageError(storageReason(error), LASTING.includes((error as NodeJS.ErrnoException).code ?? ''), {
    cause: error,
  })

export interface ChosenFile {
  /** Absolute folder, made and checked. */
  readonly directory: string
  readonly name: string
  /** The file of that name is left as it is. */
  readonly skip: boolean
}

/**
 * Makes the folder of a file and decides about its name by `onExists`. Rejects with a `StorageError` when the space is not
 * there or the folder would lie outside of it.
 */
export async function chooseFile(space: StorageSpace, payload: FilePayload): Promise<ChosenFile> {
  const directory = await makeFolder(space, payload.folder)
  const name = checkedName(payload.name)
  if (payload.onExists === 'overwrite' || !(await exists(join(directory, name))))
    return { directory, name, skip: false }
  if (payload.onExists === 'skip') return { directory, name, skip: true }
  if (payload.onExists === 'fail') throw new StorageError(`${name} exists, and onExists is fail`, true)
  const taken = new Set<string>()
  let free = name
  while (await exists(join(directory, free))) {
    taken.add(free)
    free = freeName(name, (one) => taken.has(one))
  }
  return { directory, name: free, skip: false }
}

/** The folder of an earlier attempt, for a name that was chosen then. */
export async function sameFile(space: StorageSpace, payload: FilePayload, name: string): Promise<ChosenFile> {
  return { directory: await makeFolder(space, payload.folder), name: checkedName(name), skip: false }
}

/** Copies `source` under its name, so that the file is there whole or not at all. Repeating it gives the same file. */
export async function writeFileTo({ directory, name }: ChosenFile, source: string, deliveryId: string): Promise<void> {
  const part = join(directory, `.${name}.${deliveryId}.part`)
  if (!(await exists(source))) throw new StorageError('the document is not in the data directory any more', true)
  try {
    await copyFile(source, part)
    const file = await open(part, 'r+')
    await file.sync().finally(() => file.close())
    await rename(part, join(directory, name))
  } catch (error) {
    await unlink(part).catch(() => undefined)
    throw inWords(error)
  }
}

/** Time of the last change of a file below a space; null when there is no such file. Rejects when it lies outside. */
export async function fileIn(
  { id, directory }: StorageSpace,
  path: string,
): Promise<{ readonly modifiedAt: Date } | null> {
  const root = await realpath(directory)
  const real = await realpath(join(root, path)).catch(() => null)
  if (real === null) return null
  if (!isInside(root, real)) throw new StorageError(`${path} leads out of the space ${id}`, true)
  const found = await stat(real)
  return found.isFile() ? { modifiedAt: found.mtime } : null
}

async function makeFolder({ id, directory }: StorageSpace, segments: readonly string[]): Promise<string> {
  const root = await realpath(directory).catch((error: unknown) => {
    throw new StorageError(`the folder of the space ${id} is not available: ${storageReason(error)}`, false, {
      cause: error,
    })
  })
  let current = root
  // Step by step, so that no folder is made behind a symbolic link that leaves the space.
  for (const segment of segments) {
    const next = join(current, checkedName(segment))
    await mkdir(next).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw inWords(error)
    })
    current = await realpath(next).catch((error: unknown) => {
      throw inWords(error)
    })
    if (!isInside(root, current)) throw new StorageError(`${segments.join('/')} leads out of the space ${id}`, true)
  }
  return current
}

function checkedName(name: string): string {
  // Names were cleaned when the plan was made; a changed definition of clean must not let an old plan out.
  if (name === '.' || name === '..' || /[/\\:\0]/.test(name) || name === '')
    throw new StorageError(`"${name}" is no name`, true)
  return name
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path)
  return way === '' || (!way.startsWith('..') && !isAbsolute(way))
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
