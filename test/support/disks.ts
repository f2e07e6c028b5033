/** Small disks in memory, where the tests may mount them. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** True for root with the right to mount. */
export const canMount = ((): boolean => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const directory = mkdtempSync(join(tmpdir(), 'footman-mount-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', directory]).status === 0
  if (mounted) spawnSync('umount', [directory])
  rmSync(directory, { recursive: true, force: true })
  return mounted
})()

/** Makes the folder and mounts a disk of this size (`8m`) there; the result takes it away again. */
export function smallDisk(path: string, size: string): () => void {
  mkdirSync(path)
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path])
  if (status !== 0) throw new Error(`mount: ${stderr}`)
  return () => void spawnSync('umount', ['-l', path])
}
