/** Room that is set aside in a directory, for what has to be stored although the disk is full: a file that is removed then. */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { open, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'

export interface Reserve {
  /** Sets the room aside, where the disk has plenty; never rejects. */
  keep(): Promise<void>
}

/** A disk with less room than so many reserves is left alone: the reserve must not be what fills it. */
const PLENTY = 3
const CHUNK = 1024 * 1024

const fileIn = (directory: string): string => join(directory, 'footman.reserve')

/** `bytes`: the room, which no file system can store as less. */
export function createReserve(directory: string, bytes: number): Reserve {
  const file = fileIn(directory)
  let keeping: Promise<void> | null = null

  async function setAside(): Promise<void> {
    try {
      const found = await stat(file).catch(() => null)
      if (found?.size === bytes) return
      const { bavail, bsize } = await statfs(directory)
      if (bavail * bsize >= bytes * PLENTY) await write()
    } catch {
      await rm(file, { force: true }).catch(() => undefined)
    }
  }

  async function write(): Promise<void> {
    const chunk = randomBytes(CHUNK)
    const handle = await open(file, 'w', 0o600)
    try {
      for (let left = bytes; left > 0; left -= CHUNK) await handle.write(chunk, 0, Math.min(left, CHUNK))
    } finally {
      await handle.close()
    }
  }

  return {
    keep() {
      keeping ??= setAside().finally(() => {
        keeping = null
      })
      return keeping
    },
  }
}

/** Gives the room back, so that what is written next fits. */
export function releaseReserve(directory: string): void {
  try {
    rmSync(fileIn(directory), { force: true })
  } catch {
    // A disk that cannot be written has nothing to give back.
  }
}
