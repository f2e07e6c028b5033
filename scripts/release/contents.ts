/** The files beside the executable in an archive. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../build/identity.ts'
import type { ArchiveFile } from './archive.ts'

/** Folders and files of the repository: policy, changes, examples, appender, load-script subs, dashboards, templates, guide. */
const SHIPPED = ['LICENSE', 'README.md', 'SECURITY.md', 'CHANGELOG.md', 'config', 'docs', 'templates']

/** Committed files only, so that no other file gets into a release. Throws outside a git clone. */
export function shippedFiles(): ArchiveFile[] {
  const { status, stdout } = spawnSync('git', ['ls-files', '-z', '--', ...SHIPPED], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error('archives are made in a git clone: what belongs into them is what is committed')
  return stdout
    .split('\0')
    .filter((path) => path !== '')
    .map((path) => ({ path, bytes: readFileSync(join(root, path)) }))
}

/** Text for `sha256sum -c`: hash, two spaces, path; sorted. */
export function checksums(files: readonly ArchiveFile[]): string {
  return files
    .map(({ path, bytes }) => `${createHash('sha256').update(bytes).digest('hex')}  ${path}\n`)
    .sort((one, other) => (one.slice(66) < other.slice(66) ? -1 : 1))
    .join('')
}
