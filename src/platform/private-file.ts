/** Files that only the account of the service may read. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { promisify } from 'node:util'
import { placeNew, renameOver } from './files.ts'

const ICACLS_TIMEOUT_MS = 10_000
/** Well-known security ids: the local system account and the group of administrators. */
const WINDOWS_READERS = ['*S-1-5-18', '*S-1-5-32-544']

export interface PrivateFileOptions {
  /** False: rejects with `EEXIST` when the file is there. Default true. */
  readonly replace?: boolean
  /** Windows accounts that may read it too. */
  readonly readers?: readonly string[]
}

/**
 * Writes the file with mode 0600; on Windows it is readable by this account, the system and administrators. The content
 * appears only once the permissions are set. Rejects when they cannot be set.
 */
export async function writePrivateFile(path: string, content: string, options: PrivateFileOptions = {}): Promise<void> {
  const { replace = true, readers = [] } = options
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeFile(temporary, process.platform === 'win32' ? '' : content, { mode: 0o600, flag: 'wx' })
    if (process.platform === 'win32') {
      await restrictOnWindows(temporary, readers)
      await writeFile(temporary, content)
    }
    await (replace ? renameOver(temporary, path) : placeNew(temporary, path))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
}

/** `readers` beside this account, the system and administrators. Rejects when an account is not known. */
async function restrictOnWindows(path: string, readers: readonly string[]): Promise<void> {
  const full = [...WINDOWS_READERS, userInfo().username].flatMap((who) => ['/grant:r', `${who}:F`])
  const grants = [...full, ...readers.flatMap((who) => ['/grant:r', `${who}:R`])]
  await promisify(execFile)('icacls', [path, '/inheritance:r', ...grants], {
    timeout: ICACLS_TIMEOUT_MS,
    windowsHide: true,
  })
}

/**
 * Nobody but the system and administrators may look into or change the directory, or give it away; files in it have
 * permissions of their own. Windows only: elsewhere the mode at its creation says so.
 */
export async function restrictDirectory(path: string): Promise<void> {
  if (process.platform !== 'win32') return
  const grants = WINDOWS_READERS.flatMap((who) => ['/grant:r', `${who}:(OI)(CI)F`])
  await promisify(execFile)('icacls', [path, '/inheritance:r', ...grants], {
    timeout: ICACLS_TIMEOUT_MS,
    windowsHide: true,
  })
}
