/**
 * Files by their content, like documents and uploaded templates of report tasks: `blobs/<2 hex>/<sha256>` below a directory.
 * Equal content is kept once.
 */
import { createHash } from 'node:crypto'
import { createReadStream, statSync, unlinkSync } from 'node:fs'
import { copyFile, mkdir, open, readdir, rm, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { renameOver, writeFileAtomic } from './files.ts'

interface Blob {
  /** Hex. */
  readonly sha256: string
  readonly bytes: number
}

export interface Blobs {
  /** Absolute path, whether the file exists or not. Throws a `RangeError` for a text that is no SHA-256 in hex. */
  path(sha256: string): string
  /** Resolves when the file is on disk under its final name. */
  put(content: Uint8Array): Promise<Blob>
  /** The same for a finished file, which is moved. It is best on the same volume. */
  putFile(file: string): Promise<Blob>
  /**
   * Removes files that were put before `before` (ms since 1970) and have no reference, and leftovers of interrupted writes;
   * how many. A file that is put again counts as new, so its reference may follow later.
   */
  removeUnreferenced(isReferenced: (sha256: string) => boolean, before: number): Promise<number>
}

const SHA256 = /^[0-9a-f]{64}$/
const PRIVATE_FILE = 0o600
const PRIVATE_DIRECTORY = 0o700

/** `directory`: absolute. Folders are made when they are needed. */
export function createBlobs(directory: string): Blobs {
  const root = join(directory, 'blobs')

  function path(sha256: string): string {
    if (!SHA256.test(sha256)) throw new RangeError(`"${sha256}" is no SHA-256`)
    return join(root, sha256.slice(0, 2), sha256)
  }

  /** Calls `write` unless the file exists; then it counts as put now. */
  async function place(sha256: string, write: (path: string) => Promise<void>): Promise<void> {
    const target = path(sha256)
    const now = new Date()
    if (await succeeds(utimes(target, now, now))) return
    await mkdir(dirname(target), { recursive: true, mode: PRIVATE_DIRECTORY })
    await write(target)
  }

  async function removeIn(folder: string, isReferenced: (sha256: string) => boolean, before: number): Promise<number> {
    let removed = 0
    for (const name of await readdir(folder).catch(() => [])) {
      const isKept = SHA256.test(name) && isReferenced(name)
      // Without a pause between look and removal: the same thread may put the file again.
      if (!isKept && removeOlder(join(folder, name), before)) removed += 1
    }
    return removed
  }

  return {
    path,
    async put(content) {
      const sha256 = createHash('sha256').update(content).digest('hex')
      await place(sha256, (target) => writeFileAtomic(target, content, PRIVATE_FILE))
      return { sha256, bytes: content.byteLength }
    },
    async putFile(file) {
      const hash = createHash('sha256')
      let bytes = 0
      await pipeline(createReadStream(file), async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          hash.update(chunk)
          bytes += chunk.length
        }
      })
      const sha256 = hash.digest('hex')
      await place(sha256, async (target) => {
        await sync(file)
        await moveFile(file, target)
      })
      await rm(file, { force: true })
      return { sha256, bytes }
    },
    async removeUnreferenced(isReferenced, before) {
      let removed = 0
      const folders = await readdir(root).catch(() => [])
      for (const folder of folders) removed += await removeIn(join(root, folder), isReferenced, before)
      return removed
    },
  }
}

const succeeds = (work: Promise<void>): Promise<boolean> =>
  work.then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.chmod(PRIVATE_FILE)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function moveFile(file: string, target: string): Promise<void> {
  try {
    await renameOver(file, target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    // Another volume: a copy beside the target that gets its name when it is complete.
    const copy = `${target}.part`
    await copyFile(file, copy)
    await sync(copy)
    await renameOver(copy, target)
  }
}

/** A file that cannot be removed now is left to the next time. */
function removeOlder(file: string, before: number): boolean {
  try {
    if (statSync(file).mtimeMs >= before) return false
    unlinkSync(file)
    return true
  } catch {
    return false
  }
}
