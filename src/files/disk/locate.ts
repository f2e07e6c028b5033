/** Where a path really leads, links resolved, and whether that lies in an approved directory. */
import { lstat, mkdir, realpath } from 'node:fs/promises'
import { isWithin } from '../paths/compare.ts'
import { fromSystem, textOf } from '../paths/resolve.ts'
import type { AbsolutePath, PathPlatform } from '../paths/types.ts'
import { type Directory, openDirectory } from './directory.ts'
import { codeOf } from './errors.ts'

/** A place in an approved directory, free of links when it was looked up. */
export interface Location {
  /** Real path of the approved directory. */
  readonly root: AbsolutePath
  /** False: the approved directory itself does not exist yet. */
  readonly rootExists: boolean
  /** From there to the place; empty = the approved directory itself. */
  readonly names: readonly string[]
}

/**
 * Null when the path leads out of `approved`, which it must not do as a text already. `keepLink`: a link in last place
 * stands for itself, but must lead to something in there as well.
 */
export async function locate(
  approved: AbsolutePath,
  path: AbsolutePath,
  platform: PathPlatform,
  options: { readonly keepLink?: boolean } = {},
): Promise<Location | null> {
  const depth = approved.segments.length
  const rest = path.segments.slice(depth)
  const realRoot = await realPath(approved, platform)
  if (realRoot === 'dangling') return null
  if (realRoot === null) return { root: approved, rootExists: false, names: rest }
  const found = await deepest(realRoot, rest, platform)
  if (!found || !isWithin(realRoot, found, platform)) return null
  const last = rest.at(-1)
  if (!options.keepLink || last === undefined)
    return { root: realRoot, rootExists: true, names: below(realRoot, found) }
  const parent = await deepest(realRoot, rest.slice(0, -1), platform)
  if (!parent || !isWithin(realRoot, parent, platform)) return null
  return { root: realRoot, rootExists: true, names: [...below(realRoot, parent), last] }
}

/** The whole path of a place. */
export const pathOf = ({ root, names }: Location): AbsolutePath => ({
  root: root.root,
  segments: [...root.segments, ...names],
})

/**
 * Opens the directory in which the place is, step by step and never through a link; null when it is not there. `create`:
 * makes what is missing, the approved directory included.
 */
export async function openParent({ root, rootExists, names }: Location, create = false): Promise<Directory | null> {
  const at = textOf(root)
  if (!rootExists) {
    if (!create) return null
    await mkdir(at, { recursive: true })
  }
  let directory = await openDirectory(rootExists ? at : await realpath(at))
  for (const name of names.slice(0, -1)) {
    try {
      const next = await directory.open(name, create)
      await directory[Symbol.asyncDispose]()
      directory = next
    } catch (error) {
      await directory[Symbol.asyncDispose]()
      if (!create && codeOf(error) === 'ENOENT') return null
      throw error
    }
  }
  return directory
}

/** The real path of as much as there is, and the names behind it; null when a link leads nowhere or in a circle. */
async function deepest(
  root: AbsolutePath,
  names: readonly string[],
  platform: PathPlatform,
): Promise<AbsolutePath | null> {
  for (let count = names.length; count > 0; count--) {
    const path = { root: root.root, segments: [...root.segments, ...names.slice(0, count)] }
    const real = await realPath(path, platform)
    if (real === 'dangling') return null
    if (real) return { root: real.root, segments: [...real.segments, ...names.slice(count)] }
  }
  return { root: root.root, segments: [...root.segments, ...names] }
}

/** What must not be looked into is judged by the directory above it; using it fails later. */
const NOT_THERE = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'])

/** Null: nothing is there. */
async function realPath(path: AbsolutePath, platform: PathPlatform): Promise<AbsolutePath | 'dangling' | null> {
  const text = textOf(path)
  try {
    return fromSystem(await realpath(text), platform)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ELOOP') return 'dangling'
    if (!NOT_THERE.has(code)) throw error
  }
  // A link that leads nowhere is there all the same: whoever makes its target next must not be let through.
  return lstat(text).then(
    () => 'dangling' as const,
    (error: unknown) => {
      if (NOT_THERE.has(codeOf(error))) return null
      throw error
    },
  )
}

const below = (root: AbsolutePath, path: AbsolutePath): string[] => path.segments.slice(root.segments.length)
