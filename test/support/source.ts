/** Reads the source tree the way the tests about the repository need it. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'

export const repositoryRoot = join(import.meta.dirname, '..', '..')

export interface SourceFile {
  /** Relative to the repository, forward slashes: `src/kv/store.ts`. */
  readonly path: string
  readonly text: string
}

export interface Import {
  /** The text of the import. */
  readonly specifier: string
  /** Path relative to the repository for relative imports, else null. */
  readonly resolved: string | null
  /** `import type`/`export type`: nothing is loaded at run time. */
  readonly typeOnly: boolean
}

/** Text of a file of the repository. */
export function readRepositoryFile(path: string): string {
  return readFileSync(join(repositoryRoot, path), 'utf8')
}

/** Every .ts and .tsx file below a folder, sorted. */
export function sourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => posix.join(folder, file.replaceAll('\\', '/')))
    .filter((path) => /\.tsx?$/.test(path))
    .sort()
    .map((path) => ({ path, text: readRepositoryFile(path) }))
}

/** The text without comments; strings and templates stay. Good enough for searching, not for compiling. */
export function withoutComments(text: string): string {
  return text.replace(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|(^|[^:\\])\/\/[^\n]*/g,
    (_whole, string: string | undefined, before: string | undefined) => string ?? before ?? '',
  )
}

// Clauses hold names, braces, commas and stars only, and never run into the next statement.
const CLAUSE = String.raw`(?:(?!\n\s*(?:import|export)\b)[\w$*{},\s])+?`
const STATIC = new RegExp(
  String.raw`^\s*(?:import|export)\s+(type\s+)?(?:${CLAUSE}\s*from\s*)?(['"])([^'"\n]+)\2`,
  'gm',
)
/** `import('x')` as expression or type, and files handed to workers: `new URL('./x', import.meta.url)`. */
const DYNAMIC = /\bimport\(\s*(['"])([^'"\n]+)\1|new URL\(\s*(['"])([^'"\n]+)\3\s*,\s*import\.meta\.url/g

/** All imports and re-exports of a file. */
export function importsOf(file: SourceFile): Import[] {
  const text = withoutComments(file.text)
  const found = [
    ...[...text.matchAll(STATIC)].map(([, type, , specifier]) => ({ specifier: specifier ?? '', typeOnly: !!type })),
    ...[...text.matchAll(DYNAMIC)].map(([, , imported, , url]) => ({
      specifier: imported ?? url ?? '',
      typeOnly: false,
    })),
  ]
  return found.map(({ specifier, typeOnly }) => ({ specifier, typeOnly, resolved: resolve(file.path, specifier) }))
}

function resolve(from: string, specifier: string): string | null {
  return specifier.startsWith('.') ? posix.normalize(posix.join(dirname(from), specifier)) : null
}
