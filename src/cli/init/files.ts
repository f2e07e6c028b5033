/** The files of `footman init`: all that are needed, and none that is there already. */
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createFileAtomic, writeFileAtomic } from '../../platform/files.ts'
import { writePrivateFile } from '../../platform/private-file.ts'

export interface PlannedFile {
  /** Absolute. */
  readonly path: string
  /** With `\n` at the ends of lines. */
  readonly text: string
  /** Left as it is when it is there, even with --force. */
  readonly keep?: boolean
  /** Readable by its owner and administrators only; others are to be copied to other computers. */
  readonly isPrivate?: boolean
}

/** Those that are there and would be replaced. */
export const existing = (files: readonly PlannedFile[]): string[] =>
  files.filter(({ keep, path }) => !keep && existsSync(path)).map(({ path }) => path)

/** All or none of them: with the error of the first that fails, with which it rejects, new ones are taken away again. */
export async function writeFiles(
  files: readonly PlannedFile[],
  force: boolean,
  platform: NodeJS.Platform,
): Promise<void> {
  const made: string[] = []
  try {
    for (const { path, text, keep, isPrivate } of files) {
      const isThere = existsSync(path)
      if (keep && isThere) continue
      await mkdir(dirname(path), { recursive: true, mode: 0o750 })
      const content = ends(text, platform)
      if (isPrivate) await writePrivateFile(path, content, { replace: force })
      else await (force ? writeFileAtomic : createFileAtomic)(path, content)
      if (!isThere) made.push(path)
    }
  } catch (error) {
    for (const path of made) await rm(path, { force: true }).catch(() => {})
    throw error
  }
}

/** As the editors of the platform expect it. */
const ends = (text: string, platform: NodeJS.Platform): string =>
  platform === 'win32' ? text.replaceAll('\n', '\r\n') : text
