/** What a name in a directory stands for. */
import type { BigIntStats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import type { Directory } from './directory.ts'
import { codeOf } from './errors.ts'

export type EntryKind = 'file' | 'directory' | 'link' | 'other'

/** A name in a directory that is held open. */
export interface Entry {
  readonly directory: Directory
  readonly name: string
}

export interface Found {
  readonly kind: EntryKind
  /** Bytes of a file. */
  readonly size: number
}

/** Null when there is nothing of that name. */
export async function look({ directory, name }: Entry): Promise<Found | null> {
  try {
    const stats = await lstat(directory.entry(name), { bigint: true })
    return { kind: kindOf(stats), size: Number(stats.size) }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

function kindOf(stats: BigIntStats): EntryKind {
  if (stats.isSymbolicLink()) return 'link'
  if (stats.isDirectory()) return 'directory'
  return stats.isFile() ? 'file' : 'other'
}
