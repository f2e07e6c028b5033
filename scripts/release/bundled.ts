/** The packages whose code is in the executable: the files that the bundler read, with their entries of package-lock.json. */
import { join, relative, resolve } from 'node:path'
import lock from '../../package-lock.json' with { type: 'json' }
import { bundling } from '../build/executable.ts'
import { type Identity, root } from '../build/identity.ts'

export interface BundledPackage {
  readonly name: string
  readonly version: string
  /** SPDX expression. */
  readonly licence: string
  /** `sha512-<base64>` of the package as the registry has it. */
  readonly integrity: string
  /** Absolute path. */
  readonly directory: string
  /** Those of its dependencies that are in the executable too. */
  readonly needs: readonly BundledPackage[]
}

interface LockEntry {
  readonly version: string
  readonly integrity: string
  readonly license?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

const FOLDER = 'node_modules/'
const entries = lock.packages as unknown as Readonly<Record<string, LockEntry>>

/** Sorted by name. Throws when the program cannot be bundled, or with a package that the lock file does not know. */
export async function bundledPackages(identity: Identity): Promise<BundledPackage[]> {
  const result = await Bun.build({ ...bundling({ entry: join(root, 'src', 'main.ts'), identity }), metafile: true })
  if (!result.success) throw new Error(`the program cannot be bundled\n${result.logs.join('\n')}`)
  const inputs = Object.keys(result.metafile?.inputs ?? {}).map((path) => relative(root, resolve(path)))
  const paths = [...new Set(inputs.flatMap((path) => packagePath(path.replaceAll('\\', '/')) ?? []))]
  const needs = new Map(paths.map((path) => [path, [] as BundledPackage[]]))
  const packages = new Map(paths.map((path) => [path, describe(path, needs.get(path)!)]))
  for (const path of paths) {
    for (const name of Object.keys(entries[path]?.dependencies ?? {})) {
      const found = packages.get(whereFrom(path, name) ?? '')
      if (found) needs.get(path)?.push(found)
    }
  }
  // A version may lie in two folders.
  const versions = new Map([...packages.values()].map((bundled) => [idOf(bundled), bundled]))
  return [...versions.values()].sort((one, other) => (idOf(one) < idOf(other) ? -1 : 1))
}

/** `zod@4.6.7`. */
export const idOf = ({ name, version }: Pick<BundledPackage, 'name' | 'version'>): string => `${name}@${version}`

/** `node_modules/a/node_modules/@b/c` of a file in it; undefined for our own source. */
export function packagePath(file: string): string | undefined {
  const start = file.lastIndexOf(FOLDER)
  if (start < 0) return undefined
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(file.slice(start + FOLDER.length))?.[0]
  return name && file.slice(0, start + FOLDER.length) + name
}

/** Licences of packages whose `package.json` has no SPDX expression, as their licence files say. */
const LICENCES: Readonly<Record<string, string>> = {
  'dejavu-fonts-ttf': 'Bitstream-Vera',
  'png-js': 'MIT',
}

function describe(path: string, needs: readonly BundledPackage[]): BundledPackage {
  const entry = entries[path]
  const name = path.slice(path.lastIndexOf(FOLDER) + FOLDER.length)
  const licence = LICENCES[name] ?? entry?.license
  if (!entry || !licence) throw new Error(`package-lock.json has no ${path}, or no licence of it`)
  return {
    name,
    version: entry.version,
    licence,
    integrity: entry.integrity,
    directory: join(root, path),
    needs,
  }
}

/** Where Node.js finds `name` from inside `path`: the nearest node_modules folder above that has it. */
function whereFrom(path: string, name: string): string | undefined {
  for (let folder = path; ; folder = folder.slice(0, folder.lastIndexOf(`/${FOLDER}`))) {
    const candidate = `${folder}/${FOLDER}${name}`
    if (candidate in entries) return candidate
    if (!folder.includes(`/${FOLDER}`)) break
  }
  const top = `${FOLDER}${name}`
  return top in entries ? top : undefined
}
