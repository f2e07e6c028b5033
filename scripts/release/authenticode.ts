/** The signature of executables for Windows, by a command of those who have a certificate. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import process from 'node:process'

/** Time servers of certificate authorities can be slow. */
const TIMEOUT_MS = 300_000

/**
 * Runs `command` with the path of `file` as its last argument. Throws when the command fails, when it takes more than five
 * minutes, and when the file has no signature afterwards.
 */
export function signExecutable(command: string, file: string): void {
  // The path travels in the environment, so that no character of it means anything to the shell.
  const path = process.platform === 'win32' ? '"%FOOTMAN_EXECUTABLE%"' : '"$FOOTMAN_EXECUTABLE"'
  const { status, error } = spawnSync(`${command} ${path}`, {
    shell: true,
    stdio: 'inherit',
    timeout: TIMEOUT_MS,
    env: { ...process.env, FOOTMAN_EXECUTABLE: file },
  })
  if (error) throw new Error(`FOOTMAN_SIGN_WINDOWS: the command could not run: ${error.message}`)
  if (status !== 0) throw new Error(`FOOTMAN_SIGN_WINDOWS: the command ended with ${status}; its output is above`)
  if (!isSigned(readFileSync(file))) throw new Error('FOOTMAN_SIGN_WINDOWS: the command left the executable unsigned')
}

/** Place of the certificate table in the data directories of a PE32+ optional header. */
const CERTIFICATE_TABLE = 24 + 112 + 4 * 8

/** Whether a PE32+ file has a certificate table: https://learn.microsoft.com/windows/win32/debug/pe-format. */
export function isSigned(file: Buffer): boolean {
  const header = file.readUInt32LE(0x3c)
  const at = file.readUInt32LE(header + CERTIFICATE_TABLE)
  const bytes = file.readUInt32LE(header + CERTIFICATE_TABLE + 4)
  return bytes > 8 && at + bytes <= file.length
}
