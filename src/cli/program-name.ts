/** Name of the executable in commands that are printed to be copied. */
import { realpathSync } from 'node:fs'
import { basename, delimiter, join, relative } from 'node:path'
import { quote } from './service/plan.ts'

interface Surroundings {
  readonly execPath: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
}

/**
 * The executable as the user types it in the working directory: `footman` where PATH finds it, else a path, quoted where
 * necessary. A runtime that runs the source is called `footman` as well.
 */
export function programName({ execPath, cwd, env, platform }: Surroundings = here()): string {
  const file = basename(execPath)
  if (!/^footman/i.test(file) || isOnPath(execPath, env.PATH ?? env.Path ?? '')) return 'footman'
  const shortest = platform === 'win32' ? execPath.replace(/\.exe$/i, '') : execPath
  const below = relative(cwd, shortest)
  if (below.startsWith('..') || below === shortest) return quote(shortest, platform)
  return quote(platform === 'win32' ? `.\\${below}` : `./${below}`, platform)
}

const here = (): Surroundings => ({
  execPath: process.execPath,
  cwd: process.cwd(),
  env: process.env,
  platform: process.platform,
})

function isOnPath(execPath: string, path: string): boolean {
  const name = basename(execPath)
  return path.split(delimiter).some((directory) => {
    if (directory === '') return false
    try {
      return realpathSync(join(directory, name)) === realpathSync(execPath)
    } catch {
      return false
    }
  })
}
