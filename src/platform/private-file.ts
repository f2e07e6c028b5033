/** Files that only the account of the service may read. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { promisify } from 'node:util'
import { renameOver } from './files.ts'

const ICACLS_TIMEOUT_MS = 10_000
/** Well-known security ids: the local system account and the group of administrators. */
const WINDOWS_READERS = ['*S-1-5-18', '*S-1-5-32-544']

/**
 * Writes the file with mode 0600; on Windows it is readable by this account, the system and administrators. The content
 * appears only once the permissions are set. Rejects when they cannot be set.
 */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeFile(temporary, process.platform === 'win32' ? '' : content, { mode: 0o600, flag: 'wx' })
    if (process.platform === 'win32') {
      await restrictOnWindows(temporary)
      await writeFile(temporary, content)
    }
    await renameOver(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
}

async function restrictOnWindows(path: string): Promise<void> {
  const grants = [...WINDOWS_READERS, userInfo().username].flatMap((who) => ['/grant:r', `${who}:F`])
  await promisify(execFile)('icacls', [path, '/inheritance:r', ...grants], {
    timeout: ICACLS_TIMEOUT_MS,
    windowsHide: true,
  })
}
