/** What a person reads about the storage: what is wrong, where, and what to do. */
import { dirname } from 'node:path'
import { isDamage } from '../sqlite.ts'

export const TROUBLES = ['full', 'readOnly', 'gone', 'newer', 'damaged', 'failing'] as const
export type Trouble = (typeof TROUBLES)[number]

interface Where {
  readonly file: string
  /** What the system says. */
  readonly detail: string
}

const TEXTS: Readonly<Record<Trouble, (where: Where) => string>> = {
  full: ({ file }) => `The disk of ${dirname(file)} is full: ${file} cannot be written. Make room`,
  readOnly: ({ file, detail }) =>
    `${file} cannot be written (${detail}). Let the account of Footman write to ${dirname(file)}, or make the disk writable`,
  gone: ({ file }) => `${file} has disappeared. Put the data directory ${dirname(file)} back, or mount its disk`,
  newer: ({ file, detail }) =>
    `${file} is another one now, written by ${detail}, which is newer than this Footman. Put the data directory that was there back, or start the newer Footman in place of this one`,
  damaged: ({ file, detail }) => `${file} is damaged (${detail}). It is set aside and what can be read is taken over`,
  failing: ({ file, detail }) =>
    `${file} cannot be used (${detail}). Check the disk and the rights of the account of Footman on ${dirname(file)}`,
}

export const troubleText = (trouble: Trouble, where: Where): string => TEXTS[trouble](where)

const BY_CODE: Readonly<Record<string, Trouble>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'readOnly',
  EACCES: 'readOnly',
  EPERM: 'readOnly',
}
const SQLITE_READONLY = 8
const SQLITE_FULL = 13

/** A database of a version whose changes this one does not know; the message names the version. */
export class NewerDatabaseError extends Error {}

/** The kind of an error of SQLite or of the file system. */
export function troubleOf(error: unknown): Trouble {
  if (isDamage(error)) return 'damaged'
  if (error instanceof NewerDatabaseError) return 'newer'
  const { errcode, code } = error as { readonly errcode?: number; readonly code?: string }
  if (errcode !== undefined) {
    const primary = errcode & 0xff
    if (primary === SQLITE_FULL) return 'full'
    return primary === SQLITE_READONLY ? 'readOnly' : 'failing'
  }
  return BY_CODE[code ?? ''] ?? 'failing'
}

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** `40 seconds`, `12 minutes`, `3 hours`. */
export function spanOf(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return seconds === 1 ? '1 second' : `${seconds} seconds`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`
}
