/**
 * Directories that are held while they are worked in. On Linux an open directory is worked in through
 * `/proc/self/fd/<number>/<name>`, which leads into that very directory even when the names above it change; so no
 * link can be slipped in between the check of a path and its use. Elsewhere names must do, and are compared again right
 * before each use.
 */
import { type BigIntStats, constants, existsSync } from 'node:fs'
import { lstat, mkdir, open, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'

export interface Directory extends AsyncDisposable {
  /** A path that leads to the entry of this name. */
  entry(name: string): string
  /** Its path on the disk at the moment. */
  realPath(): Promise<string>
  /** Opens a directory in it, never through a link. `create`: makes it when it is missing. */
  open(name: string, create?: boolean): Promise<Directory>
  /** Throws `PathChanged` when its name leads elsewhere meanwhile; for use before each change. */
  verify(): Promise<void>
}

/** A directory or file was exchanged while it was in use. */
export class PathChanged extends Error {
  override readonly name = 'PathChanged'
}

/** Opens an existing directory by its real path. */
export async function openDirectory(path: string): Promise<Directory> {
  if (canAnchor) return anchored(path)
  const real = await realpath(path)
  return plain(real, await identityOf(real))
}

const canAnchor = process.platform === 'linux' && existsSync('/proc/self/fd')

/** Opens nothing for reading, so that leave to pass through the directory is enough. Linux only, not among Node's constants. */
const O_PATH = 0x20_0000
const DIRECTORY_FLAGS = constants.O_DIRECTORY | constants.O_NOFOLLOW | O_PATH

async function anchored(path: string): Promise<Directory> {
  const handle = await open(path, DIRECTORY_FLAGS)
  let closed = false
  function entry(name: string): string {
    // The number may belong to another directory by now.
    if (closed) throw new Error('the directory is closed')
    return `/proc/self/fd/${handle.fd}/${name}`
  }
  return {
    entry,
    realPath: () => realpath(entry('.')),
    async open(name, create = false) {
      if (create) await makeDirectory(entry(name))
      return anchored(entry(name))
    },
    verify: async () => {},
    async [Symbol.asyncDispose]() {
      closed = true
      await handle.close()
    },
  }
}

function plain(path: string, identity: string): Directory {
  async function verify(): Promise<void> {
    const same = (await realpath(path)) === path && (await identityOf(path)) === identity
    if (!same) throw new PathChanged(`${path} was exchanged`)
  }
  return {
    entry: (name) => join(path, name),
    realPath: async () => path,
    async open(name, create = false) {
      await verify()
      const child = join(path, name)
      if (create) await makeDirectory(child)
      const found = await lstat(child)
      if (found.isSymbolicLink()) throw new PathChanged(`${child} is a link`)
      if (!found.isDirectory()) throw Object.assign(new Error(`${child} is no directory`), { code: 'ENOTDIR' })
      // The system may write the name in another way than it was asked for.
      const real = await realpath(child)
      const opened = plain(real, await identityOf(real))
      await verify()
      return opened
    },
    verify,
    [Symbol.asyncDispose]: async () => {},
  }
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** The same for two names of one file or directory, as long as it exists. */
export const identityText = ({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string => `${dev}/${ino}`

const identityOf = async (path: string): Promise<string> => identityText(await lstat(path, { bigint: true }))

type EntryKind = 'file' | 'directory' | 'link' | 'other'

/** A name in a directory that is held open. */
export interface Entry {
  readonly directory: Directory
  readonly name: string
}

export interface Found {
  readonly kind: EntryKind
  /** Bytes of a file. */
  readonly size: number
}

/** Null when there is nothing of that name. */
export async function statEntry({ directory, name }: Entry): Promise<Found | null> {
  try {
    const stats = await lstat(directory.entry(name), { bigint: true })
    return { kind: kindOf(stats), size: Number(stats.size) }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

function kindOf(stats: BigIntStats): EntryKind {
  if (stats.isSymbolicLink()) return 'link'
  if (stats.isDirectory()) return 'directory'
  return stats.isFile() ? 'file' : 'other'
}

/** The system's name of an error (`ENOENT`); empty for other errors. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  return typeof code === 'string' ? code : ''
}

/**
 * The kinds of files that exist only while an operation runs. `tmp`: made by the operation, of no worth without it. `old`:
 * was there before, and has stepped aside.
 */
type TemporaryKind = 'tmp' | 'old'

const NAME = /^\.footman-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-\d+\.(tmp|old)$/

/** `id`: UUID of the operation. */
export const temporaryName = (id: string, number: number, kind: TemporaryKind): string =>
  `.footman-${id}-${number}.${kind}`

export const isTemporaryName = (name: string): boolean => NAME.test(name)

/** Kind of a temporary name of this operation; null for all other names. */
export function temporaryKindOf(id: string, name: string): TemporaryKind | null {
  const [, owner, kind] = NAME.exec(name) ?? []
  return owner === id && (kind === 'tmp' || kind === 'old') ? kind : null
}
