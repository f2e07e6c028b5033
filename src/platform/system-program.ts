/** Where Windows keeps its programs. */
import { win32 } from 'node:path'
import process from 'node:process'

/**
 * The path of a program of Windows: one of the same name in the working directory, where Windows looks first, must not run
 * with an administrator's rights. Elsewhere, and for paths, what was given.
 */
export function systemProgram(
  file: string,
  platform: NodeJS.Platform = process.platform,
  root: string = process.env.SystemRoot ?? 'C:\\Windows',
): string {
  if (platform !== 'win32' || /[\\/]/.test(file)) return file
  const folder = file === 'powershell.exe' ? ['System32', 'WindowsPowerShell', 'v1.0'] : ['System32']
  return win32.join(root, ...folder, file)
}
