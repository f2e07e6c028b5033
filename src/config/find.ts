/** Finds the configuration file. */
import { readdir, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, extname, join, resolve } from 'node:path'

export type Environment = Readonly<Record<string, string | undefined>>

export interface FoundFile {
  /** Absolute. */
  readonly path: string
  /** Path for messages. */
  readonly shown: string
  /** How it was found; absent when it was given. */
  readonly by?: 'NODE_CONFIG_DIR' | 'config folder' | 'footman init'
}

export type FindResult =
  | { readonly ok: true; readonly file: FoundFile }
  | { readonly ok: false; readonly message: string; readonly hint?: string }

const EXTENSIONS = ['.yaml', '.yml', '.json']
/** The file that `footman init` writes. */
const OWN = { folder: 'config', name: 'footman.yaml', by: 'footman init' } as const

/**
 * The given file, or like older Butlers `<NODE_ENV>.yaml` in `$NODE_CONFIG_DIR` or `./config` (`production` when
 * NODE_ENV is unset), or else the file of `footman init`. The message explains where no file was found.
 */
export async function findConfigFile(file: string | undefined, env: Environment, cwd: string): Promise<FindResult> {
  if (file === undefined) return findByEnvironment(env, cwd)
  const path = resolve(cwd, file)
  if (!EXTENSIONS.includes(extname(path).toLowerCase())) {
    return refuse(`The configuration file must end in .yaml, .yml or .json; "${file}" does not.`)
  }
  const kind = await kindOf(path)
  if (kind === 'file') return { ok: true, file: { path, shown: file } }
  if (kind === 'none') return refuse(`The configuration file does not exist: ${file} (looked for ${path}).`)
  return refuse(`The configuration file is a ${kind}: ${path}.`)
}

async function findByEnvironment(env: Environment, cwd: string): Promise<FindResult> {
  const name = `${env.NODE_ENV || 'production'}.yaml`
  const places = [
    ...(env.NODE_CONFIG_DIR ? [{ folder: env.NODE_CONFIG_DIR, name, by: 'NODE_CONFIG_DIR' as const }] : []),
    { folder: 'config', name, by: 'config folder' as const },
    OWN,
  ]
  for (const { folder, name, by } of places) {
    const path = resolve(cwd, folder, name)
    if ((await kindOf(path)) === 'file') return { ok: true, file: { path, shown: join(folder, name), by } }
  }
  const tried = places.map(({ folder, name }) => resolve(cwd, folder, name)).join(', ')
  return {
    ok: false,
    message: `No configuration file was given (option -c FILE), and none was found in its usual places: ${tried}.`,
    hint: '"footman init" writes one; "footman demo" shows Footman without any',
  }
}

function refuse(message: string): FindResult {
  return { ok: false, message }
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'none' | 'special file'> {
  try {
    const found = await stat(path)
    if (found.isFile()) return 'file'
    return found.isDirectory() ? 'folder' : 'special file'
  } catch {
    return 'none'
  }
}

/**
 * Files in the folder of the configuration that Butler's config library merges silently. Footman ignores them.
 */
export async function strayConfigFiles(file: string, env: Environment): Promise<string[]> {
  const names = ['default', 'local', hostname(), hostname().split('.')[0]]
  if (env.NODE_ENV) names.push(env.NODE_ENV, `local-${env.NODE_ENV}`)
  const entries = await readdir(dirname(file)).catch(() => [])
  return entries
    .filter((entry) => EXTENSIONS.includes(extname(entry).toLowerCase()) && entry !== basename(file))
    .filter((entry) => names.includes(basename(entry, extname(entry))) || entry.startsWith('default-'))
    .sort()
}
