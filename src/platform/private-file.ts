/** Files that only the account of the service may read. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, openSync } from 'node:fs'
import { lstat, rm, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { systemProgram } from './command.ts'
import { placeNew, renameOver } from './files.ts'

const ICACLS_TIMEOUT_MS = 10_000
/** Well-known security ids, as names differ by language. */
const SYSTEM = '*S-1-5-18'
const ADMINISTRATORS = '*S-1-5-32-544'
/** The owner of the file; the bare name of a service or domain account may mean no account, or another one. */
const OWNER = '*S-1-3-4'
/** For `icacls`: accounts that may read everything anyway. */
export const WINDOWS_READERS: readonly string[] = [SYSTEM, ADMINISTRATORS]

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

const OWNER_ONLY = 0o600

/** Takes the rights of other accounts from a file. Where this account may not do that, the file stays as it is. */
export function keepPrivate(path: string): void {
  if (process.platform === 'win32') return
  try {
    chmodSync(path, OWNER_ONLY)
  } catch {
    // The start-up check reports such files.
  }
}

/** Creates an empty file that only this account may read, regardless of the umask. Throws when the path exists. */
export function createPrivateFile(path: string): void {
  closeSync(openSync(path, 'wx', OWNER_ONLY))
}

/** `readers` beside the owner, the system and administrators. Rejects when an account is not known. */
function restrictOnWindows(path: string, readers: readonly string[]): Promise<void> {
  const full = [...WINDOWS_READERS, OWNER].flatMap((who) => ['/grant:r', `${who}:F`])
  return icacls(path, '/inheritance:r', ...full, ...readers.flatMap((who) => ['/grant:r', `${who}:R`]))
}

/**
 * Gives the directory to the administrators: only they and the system may list, change or own it; its files have their own
 * permissions. Every account may create directories in its parent: one that another account has created beforehand loses its
 * owner and rights. Windows only: on other systems the mode at its creation does this.
 */
export async function restrictDirectory(path: string): Promise<void> {
  if (process.platform !== 'win32') return
  if ((await lstat(path)).isSymbolicLink()) throw new Error(`${path} is a link, and must be a folder: remove it`)
  await icacls(path, '/setowner', ADMINISTRATORS)
  await icacls(path, '/reset')
  await icacls(path, '/inheritance:r', ...WINDOWS_READERS.flatMap((who) => ['/grant:r', `${who}:(OI)(CI)F`]))
}

async function icacls(path: string, ...args: readonly string[]): Promise<void> {
  await promisify(execFile)(systemProgram('icacls.exe'), [path, ...args], {
    timeout: ICACLS_TIMEOUT_MS,
    windowsHide: true,
  })
}
