/**
 * Where relative paths of the configuration lead. Butler looked for certificates and logs beside its executable and for
 * everything else in the working directory, which for a Windows service is often `C:\Windows\System32`. Files beside the
 * executable belong to the configuration only when that lies there too, or below: an executable that several
 * installations use must not give them the files of one.
 */
import { existsSync } from 'node:fs'
import { basename, dirname, isAbsolute, relative, resolve, win32 } from 'node:path'

/** `program`: certificates, Azure Event Grid files, log folder. `working`: everything else. */
export type PathBase = 'program' | 'working'

export interface ConfigPaths {
  /** The absolute paths that an input path may mean, best first. */
  candidates(path: string, base?: PathBase): readonly string[]
  /**
   * The existing file or folder that an input path means. When none exists, the first candidate whose folder exists: a
   * file that is missing among others is missed there. Else the first candidate.
   */
  input(path: string, base?: PathBase): string
  /** Where an output path leads. */
  output(path: string, base?: PathBase): string
  /** Beside the configuration file. */
  data(path: string): string
}

export interface PathFolders {
  /** Folder of the executable. */
  readonly program: string
  readonly working: string
  /** Folder of the configuration file. */
  readonly config: string
}

export function createConfigPaths(folders: PathFolders, exists: (path: string) => boolean = existsSync): ConfigPaths {
  const way = relative(folders.program, folders.config)
  const isInside = !isAbsolute(way) && way.split(/[\\/]/)[0] !== '..'

  function candidates(path: string, base: PathBase = 'working'): readonly string[] {
    if (isFixed(path)) return [path]
    const order = [folders[base], folders.working, folders.config, ...(isInside ? [folders.program] : [])]
    return [...new Set(order.map((folder) => resolve(folder, path)))]
  }

  return {
    candidates,
    input(path, base) {
      const all = candidates(path, base)
      return all.find(exists) ?? all.find((one) => exists(dirname(one))) ?? all[0]!
    },
    output: (path, base = 'working') => (isFixed(path) ? path : resolve(folders[base], path)),
    data: (path) => (isFixed(path) ? path : resolve(folders.config, path)),
  }
}

/** Absolute here, or on Windows with drive or share: never glued onto another folder. */
function isFixed(path: string): boolean {
  return isAbsolute(path) || (win32.isAbsolute(path) && /^([a-zA-Z]:|\\\\|\/\/)/.test(path))
}

/** `createConfigPaths` for this process. */
export function createPathResolver(options: { configDirectory: string; cwd: string; execPath?: string }): ConfigPaths {
  const { configDirectory, cwd, execPath = process.execPath } = options
  return createConfigPaths({ program: programDirectory(execPath, cwd), working: cwd, config: configDirectory })
}

/** Folder of the executable; of the working directory when a runtime executes the source. */
export function programDirectory(execPath: string, workingDirectory: string): string {
  const name = basename(execPath)
    .replace(/\.exe$/i, '')
    .toLowerCase()
  return ['bun', 'deno', 'node'].includes(name) ? workingDirectory : dirname(execPath)
}
