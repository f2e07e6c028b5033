/** Whether one path lies below another, component by component. */
import type { AbsolutePath, PathPlatform } from './types.ts'

/** True when `path` is `directory` or lies below it. */
export function isWithin(directory: AbsolutePath, path: AbsolutePath, platform: PathPlatform): boolean {
  const same = nameComparer(platform)
  if (!same(directory.root, path.root) || path.segments.length < directory.segments.length) return false
  return directory.segments.every((name, index) => same(name, path.segments[index]!))
}

/** True when `path` lies below `directory`, and is not the directory itself. */
export function isBelow(directory: AbsolutePath, path: AbsolutePath, platform: PathPlatform): boolean {
  return path.segments.length > directory.segments.length && isWithin(directory, path, platform)
}

export const isSame = (a: AbsolutePath, b: AbsolutePath, platform: PathPlatform): boolean =>
  a.segments.length === b.segments.length && isWithin(a, b, platform)

/** Without regard to case on Windows. */
function nameComparer(platform: PathPlatform): (a: string, b: string) => boolean {
  return platform === 'posix' ? (a, b) => a === b : (a, b) => a === b || folded(a) === folded(b)
}

/**
 * Upper case, unit by unit as NTFS compares names. Letters that would change more than their case (`ß`, dotless i, long s)
 * stay: two names must never be taken for one that the file system keeps apart.
 */
function folded(name: string): string {
  let text = ''
  for (let at = 0; at < name.length; at++) text += foldedUnit(name[at]!)
  return text
}

function foldedUnit(unit: string): string {
  const upper = unit.toUpperCase()
  return upper.length === 1 && upper.toLowerCase() === unit ? upper : unit
}
