/** Folders that Footman writes: the data directory and that of the log. */
import { randomBytes } from 'node:crypto'
import { access, constants, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export type FolderState =
  | { readonly state: 'usable'; readonly freeBytes: number; readonly totalBytes: number }
  /** Is made at the start. */
  | { readonly state: 'to-be-made'; readonly in: string }
  | {
      readonly state: 'unusable'
      readonly reason: 'file' | 'read-only' | 'denied' | 'full' | 'other'
      readonly text: string
    }

/** Whether this account can write there. A file of a few bytes comes and goes, nothing else. */
export async function lookAtFolder(path: string): Promise<FolderState> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error)
  if (found instanceof Error) return found.code === 'ENOENT' ? lookAbove(path) : unusable(found)
  if (!found.isDirectory()) return { state: 'unusable', reason: 'file', text: 'is a file' }
  const error = await writes(path)
  if (error) return unusable(error)
  const { bavail, blocks, bsize } = await statfs(path)
  return { state: 'usable', freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** The nearest folder that exists has to let it be made. */
async function lookAbove(path: string): Promise<FolderState> {
  const parent = dirname(path)
  if (parent === path) return { state: 'unusable', reason: 'other', text: 'the drive does not exist' }
  const found = await stat(parent).catch((error: NodeJS.ErrnoException) => error)
  if (found instanceof Error) return found.code === 'ENOENT' ? lookAbove(parent) : unusable(found)
  if (!found.isDirectory()) return { state: 'unusable', reason: 'file', text: `${parent} is a file` }
  return access(parent, constants.W_OK).then(
    () => ({ state: 'to-be-made', in: parent }),
    (error: NodeJS.ErrnoException) => unusable(error),
  )
}

async function writes(path: string): Promise<NodeJS.ErrnoException | null> {
  const file = join(path, `.footman-doctor-${randomBytes(6).toString('hex')}`)
  try {
    await writeFile(file, 'footman doctor was here for a moment\n', { flag: 'wx', mode: 0o600 })
    return null
  } catch (error) {
    return error as NodeJS.ErrnoException
  } finally {
    await rm(file, { force: true }).catch(() => undefined)
  }
}

const REASONS: Readonly<Record<string, 'read-only' | 'denied' | 'full'>> = {
  EROFS: 'read-only',
  EACCES: 'denied',
  EPERM: 'denied',
  ENOSPC: 'full',
  EDQUOT: 'full',
}

function unusable({ code = '', message }: NodeJS.ErrnoException): FolderState {
  return { state: 'unusable', reason: REASONS[code] ?? 'other', text: message }
}
