/** Version and commit that an executable reports: the same for every build of the same commit. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import manifest from '../../package.json' with { type: 'json' }

export const root = join(import.meta.dirname, '..', '..')

export interface Identity {
  /** `0.1.0`. */
  readonly version: string
  /** Short hash of the commit, with `-dirty` when tracked files differ from it; `unknown` outside a git clone. */
  readonly commit: string
  /** Time of the commit, or SOURCE_DATE_EPOCH where that is set; null outside a git clone. Never the time of the build. */
  readonly time: Date | null
}

function git(...args: string[]): string | null {
  const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}

function commit(): string {
  const head = git('rev-parse', '--short=12', 'HEAD')
  if (head === null) return 'unknown'
  return head + (git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '-dirty')
}

function time(): Date | null {
  const seconds = process.env.SOURCE_DATE_EPOCH || git('log', '-1', '--format=%ct')
  return seconds && /^\d+$/.test(seconds) ? new Date(Number(seconds) * 1000) : null
}

export const identify = (): Identity => ({ version: manifest.version, commit: commit(), time: time() })
