/** Deno, which runs the same source. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { Host } from './host.ts'

const root = join(import.meta.dirname, '..', '..')

/** The npm package brings the executable in a platform package; nothing has to be downloaded afterwards. Null: not here. */
export function denoExecutable(): string | null {
  const name = process.platform === 'win32' ? 'deno.exe' : 'deno'
  const libc = process.platform === 'linux' ? '-glibc' : ''
  const path = join(root, 'node_modules', '@deno', `${process.platform}-${process.arch}${libc}`, name)
  return existsSync(path) ? path : null
}

/** Runs the source as `deno run` does; nothing is fetched. */
export function denoHost(): Host {
  const command = denoExecutable()
  if (command === null) throw new Error('Deno is not installed for this platform')
  return {
    command,
    args: ['run', '--no-lock', '--cached-only', '--allow-all', join(root, 'src', 'main.ts')],
    env: { NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' },
    path: (local) => local,
  }
}
