import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TempDirectory extends AsyncDisposable {
  readonly path: string
  /** Absolute path of something in it. */
  join(...parts: string[]): string
  remove(): void
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
