/** From the paths of a request to places in approved directories. */
import { lstat } from 'node:fs/promises'
import type { Approvals, ApprovedPair } from '../approval.ts'
import { type Location, locate } from '../disk/locate.ts'
import { isBelow, isWithin } from '../paths/compare.ts'
import { resolvePath, textOf } from '../paths/resolve.ts'
import type { AbsolutePath, PathRules } from '../paths/types.ts'
import { FileRefusal } from '../types.ts'

export interface PlaceDeps {
  readonly approvals: Approvals
  readonly rules: PathRules
}

/** Throws a refusal for a text that is no usable path. */
export function absolutePath(text: string, rules: PathRules): AbsolutePath {
  const result = resolvePath(text, rules)
  if (result.ok) return result.path
  throw new FileRefusal(result.problem.kind === 'unc' ? { kind: 'unc', path: text } : result.problem)
}

/** Both ends of a copy or a move, by the first approved pair that holds them. */
export async function placesOfPair(
  { rules }: PlaceDeps,
  pairs: readonly ApprovedPair[],
  from: AbsolutePath,
  to: AbsolutePath,
  options: { readonly keepLink?: boolean } = {},
): Promise<{ readonly source: Location; readonly target: Location }> {
  const { platform } = rules
  for (const pair of pairs) {
    if (!isBelow(pair.from, from, platform) || !isBelow(pair.to, to, platform)) continue
    const source = await locate(pair.from, from, platform, options)
    const target = source && (await locate(pair.to, to, platform))
    if (source && target && isPart(source) && isPart(target)) return { source, target }
  }
  throw new FileRefusal({ kind: 'denied' })
}

/** A place below one of the directories; the directory itself only with `orItself`. */
export async function placeIn(
  { rules }: PlaceDeps,
  directories: readonly AbsolutePath[],
  path: AbsolutePath,
  options: { readonly keepLink?: boolean; readonly orItself?: boolean } = {},
): Promise<Location> {
  const { platform } = rules
  for (const directory of directories) {
    if (!isWithin(directory, path, platform)) continue
    const place = await locate(directory, path, platform, options)
    if (place && (options.orItself || isPart(place))) return place
  }
  throw new FileRefusal({ kind: 'denied' })
}

/** A link in an approved directory may lead to that directory itself. */
const isPart = ({ names }: Location): boolean => names.length > 0

/**
 * Load scripts send `#` as `%23`. Where no file has the name as it stands, all paths of a request are read that way.
 * The disk is asked for approved paths only.
 */
export async function readHashes(
  paths: readonly string[],
  rules: PathRules,
  isApproved: (path: AbsolutePath, index: number) => boolean,
): Promise<readonly string[]> {
  const index = paths.findIndex((path) => path.includes('%23'))
  if (index === -1) return paths
  const literal = resolvePath(paths[index]!, rules)
  if (literal.ok && isApproved(literal.path, index) && (await exists(literal.path))) return paths
  return paths.map((path) => path.replaceAll('%23', '#'))
}

const exists = (path: AbsolutePath): Promise<boolean> =>
  lstat(textOf(path)).then(
    () => true,
    () => false,
  )
