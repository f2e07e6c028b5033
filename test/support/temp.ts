import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TempDirectory extends AsyncDisposable {
  readonly path: string
  /** Absolute path of something in it. */
  join(...parts: string[]): string
  remove(): void
}

const MEMORY = '/dev/shm'
const ROOM = 2e9

/**
 * A folder where many processes may write at once without waiting for a disk: in memory where there is room for it. Files
 * there survive a killed process as on a disk.
 */
export function fastParent(): string {
  try {
    const { bavail, bsize } = statfsSync(MEMORY)
    return bavail * bsize > ROOM ? MEMORY : tmpdir()
  } catch {
    return tmpdir()
  }
}

/** A fresh directory; removed by `remove()` or at the end of an `await using` block. `parent`: where it is made. */
export function tempDirectory(parent = tmpdir()): TempDirectory {
  const path = mkdtempSync(join(parent, 'footman-test-'))
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
  return {
    path,
    join: (...parts) => join(path, ...parts),
    remove,
    [Symbol.asyncDispose]: async () => remove(),
  }
}
