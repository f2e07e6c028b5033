/** The type check of a copy of the repository, which begins where the last one of the repository ended. */
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { repositoryRoot } from './source.ts'

/** Where the compiler keeps what it has found (`tsBuildInfoFile` of tsconfig.json). */
const FOUND = 'node_modules/.cache/tsc.tsbuildinfo'

/** Lists of paths in that file. */
const LISTS = ['fileNames', 'packageJsons', 'missingPackageJsons'] as const

/**
 * Writes the findings about the repository to `file`, for a check of its copy in `root`, whose packages are those of the repository:
 * the compiler then checks only the files that differ, and those that depend on them. Does nothing when there are no findings.
 */
export function bringFindings(root: string, file: string): void {
  const source = join(repositoryRoot, FOUND)
  if (!existsSync(source)) return
  const [from, to] = [dirname(source), dirname(file)]
  const packages = realpathSync(join(repositoryRoot, 'node_modules'))
  const moved = (path: string): string => {
    // The libraries of the compiler have no folder.
    if (!path.startsWith('.')) return path
    const absolute = resolve(from, path)
    const isPackage = absolute.startsWith(packages)
    return relative(to, isPackage ? absolute : join(root, relative(repositoryRoot, absolute)))
  }
  const found = JSON.parse(readFileSync(source, 'utf8'))
  for (const list of LISTS) found[list] = found[list]?.map(moved)
  mkdirSync(to, { recursive: true })
  writeFileSync(file, JSON.stringify(found))
}
