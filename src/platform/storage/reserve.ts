/** Room that is set aside in a directory, for what has to be stored although the disk is full: a file that is removed then. */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { lstat, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { errorText } from '../errors.ts'
import type { Logger } from '../types.ts'

export interface Reserve {
  /** Sets the room aside, where the disk has plenty; never rejects. Says once in the log why there is none. */
  keep(): Promise<void>
}

/** A disk with less room than so many reserves is left alone: the reserve must not be what fills it. */
const PLENTY = 3
const MB = 1024 * 1024
const CHUNK = MB

const fileIn = (directory: string): string => join(directory, 'footman.reserve')

/** `bytes`: the room, which no file system can store as less. */
export function createReserve(directory: string, bytes: number, log: Pick<Logger, 'info'>): Reserve {
  const file = fileIn(directory)
  let isMissing = false
  let keeping: Promise<void> | null = null

  async function setAside(): Promise<void> {
    try {
      const found = await lstat(file).catch(() => null)
      if (!found?.isFile() || found.size !== bytes) {
        await rm(file, { force: true })
        const { bavail, bsize } = await statfs(directory)
        const free = bavail * bsize
        if (free < bytes * PLENTY) return missing(`only ${inMb(free)} are free, and ${inMb(bytes * PLENTY)} are wanted`)
        await write()
      }
      isMissing = false
    } catch (error) {
      missing(errorText(error))
      await rm(file, { force: true }).catch(() => undefined)
    }
  }

  function missing(why: string): void {
    if (isMissing) return
    isMissing = true
    log.info(`STORAGE: No room of ${inMb(bytes)} is set aside in ${directory} for messages on a full disk: ${why}`)
  }

  async function write(): Promise<void> {
    const chunk = randomBytes(CHUNK)
    // A new file, never one that a link of this name leads to.
    const handle = await open(file, 'wx', 0o600)
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

const inMb = (bytes: number): string => `${(bytes / MB).toFixed(1)} MB`

/** Gives the room back, so that what is written next fits. */
export function releaseReserve(directory: string): void {
  try {
    rmSync(fileIn(directory), { force: true })
  } catch {
    // A disk that cannot be written has nothing to give back.
  }
}
