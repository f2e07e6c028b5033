/** Atomic writing and removal of files, and the check of directories. */
import { randomBytes } from 'node:crypto'
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { StartError } from './errors.ts'

/** True for a file, directory or other entry; false when a directory on the way is unreadable. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/**
 * Replaces the file in one step: readers, a crash or a full disk never leave half a file. Keeps the permissions of an
 * existing file and writes through symbolic links. `mode` is for new files.
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`)
  const permissions = await stat(target).then(
    (found) => found.mode & 0o777,
    () => mode,
  )
  try {
    const file = await open(temporary, 'wx', permissions)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await renameOver(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
  await syncDirectory(dirname(target))
}

/** Like `writeFileAtomic`, for a new file. Rejects with `EEXIST` when it exists. */
export async function createFileAtomic(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await writeFileAtomic(temporary, content, mode)
    await placeNew(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
}

/** Errors of file systems without hard links; a check beforehand must suffice there. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EINVAL', 'UNKNOWN']

/** Gives a complete file its name. Rejects with `EEXIST` where a rename would replace what is there. */
export async function placeNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
    await unlink(from)
  } catch (error) {
    if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    if (await exists(to)) throw Object.assign(new Error(`EEXIST: file already exists, '${to}'`), { code: 'EEXIST' })
    await renameOver(from, to)
  }
}

const ATTEMPTS = 6
const BUSY = ['EPERM', 'EACCES', 'EBUSY', 'ENOTEMPTY']

/** Retries on Windows, where a file that is being read cannot be replaced. */
export const renameOver = (from: string, to: string): Promise<void> => unlessBusy(() => rename(from, to))

/**
 * Removes a file or directory with its content; does nothing when it is missing. Links are removed, never followed. Works
 * step by step, because the recursive removal of the runtime gives up at the first file that a virus scanner has open.
 */
export async function removeAll(path: string): Promise<void> {
  const found = await lstat(path).catch(absent)
  if (!found) return
  if (!found.isDirectory()) return unlessBusy(() => unlink(path).catch(absent))
  for (const name of await readdir(path)) await removeAll(join(path, name))
  await unlessBusy(() => rmdir(path).catch(absent))
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** Retries on Windows only: on other systems readers do not block. */
async function unlessBusy(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const busy = BUSY.includes((error as NodeJS.ErrnoException).code ?? '')
      if (process.platform !== 'win32' || !busy || attempt === ATTEMPTS) throw error
      await new Promise((resolve) => setTimeout(resolve, 20 * attempt))
    }
  }
}

/** Makes the new name durable; Windows has no such call and needs none. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  let handle: FileHandle | undefined
  try {
    handle = await open(directory, 'r')
    await handle.sync()
  } catch {
    // Some file systems refuse it; the content itself is synced already.
  } finally {
    await handle?.close()
  }
}

/**
 * Creates the directory when it is missing, for this account alone, and proves that files can be written in it. Rejects with a `StartError`
 * that names `what` ("The data directory"), the path and the reason.
 */
export async function ensureWritableDirectory(path: string, what: string): Promise<void> {
  const probe = join(path, `.footman-${randomBytes(6).toString('hex')}.tmp`)
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    const file = await open(probe, 'wx', 0o600)
    try {
      await file.writeFile('x')
    } finally {
      await file.close()
      await unlink(probe)
    }
  } catch (cause) {
    const reason = (cause as Error).message
    throw new StartError(
      `${what} "${path}" is not usable: ${reason}. Footman must be able to create and write files there.`,
      { cause },
    )
  }
}
