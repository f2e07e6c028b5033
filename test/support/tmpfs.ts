/** Small file systems of their own, for tests that fill a disk. Needs root on Linux. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { tempDirectory } from './temp.ts'

/** Mounts one of `megabytes` at the path, which is made; the answer unmounts it. Null when that is not permitted. */
export function mountTmpfs(path: string, megabytes: number): (() => void) | null {
  mkdirSync(path, { recursive: true })
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path])
  if (status !== 0) return null
  return () => void spawnSync('umount', ['-l', path])
}

export function canMount(): boolean {
  const directory = tempDirectory()
  const unmount = mountTmpfs(directory.join('probe'), 1)
  unmount?.()
  directory.remove()
  return unmount !== null
}
