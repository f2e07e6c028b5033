/**
 * The states of a guarded database, the events that lead from one to another, what is done in each, and the texts about its
 * failures. Accesses no file.
 */

import { dirname } from 'node:path'
import { backoffDelay } from '../backoff.ts'
import { isDamage } from '../sqlite.ts'
import type { StorageNote } from './note.ts'

export type FailureKind = 'full' | 'readOnly' | 'gone' | 'newer' | 'damaged' | 'failing'

interface Outage {
  readonly kind: FailureKind
  /** Milliseconds since 1970; the kind of failure may change during an outage. */
  readonly since: number
  readonly reason: string
}

interface Down {
  readonly outage: Outage
  /** Checks of the file since this kind of failure began. */
  readonly looks: number
}

export type State =
  /** The file is at its path and usable. */
  | { readonly name: 'up' }
  /** It is there and cannot be written, or is damaged and could not be replaced yet. */
  | (Down & { readonly name: 'unwritable' | 'damaged' })
  /** There is no file at the path. */
  | (Down & { readonly name: 'missing'; readonly emptySince: number })
  /** Another file is there; `version` changes while a process writes to it. */
  | (Down & { readonly name: 'foreign'; readonly version: string })

export interface Failure {
  readonly kind: FailureKind
  readonly reason: string
  /** The error only reports that the connection was closed before, which adds nothing during an outage. */
  readonly isConsequence: boolean
}

/** The file is not at its path any more; `gone` describes this failure. */
interface Loss {
  readonly gone: Failure
}

interface Events {
  /** A check of the file begins. */
  look: object
  /** The database could not be used. */
  failed: Failure
  /** There is no file at the path. */
  nothing: Loss
  /** Another file is at the path. */
  other: Loss & { readonly version: string }
  /** The database can be used again. */
  recovered: object
}

type Transitions = { readonly [E in keyof Events]: (state: State, event: Events[E], now: number) => State }

const TRANSITIONS: Transitions = {
  look: (state) => (state.name === 'up' ? state : { ...state, looks: state.looks + 1 }),
  failed(state, failure, now) {
    if (failure.isConsequence && state.name !== 'up') return state
    const down = worse(state, failure, now)
    // A failure does not change which file is at the path.
    if (state.name === 'missing' || state.name === 'foreign') return { ...state, ...down }
    return { ...down, name: down.outage.kind === 'damaged' ? 'damaged' : 'unwritable' }
  },
  nothing(state, { gone }, now) {
    if (state.name === 'missing') return state
    const down = state.name === 'foreign' && state.outage.kind !== 'newer' ? downOf(state) : worse(state, gone, now)
    return { ...down, name: 'missing', emptySince: now }
  },
  other(state, { gone, version }, now) {
    const isKnown = state.name === 'missing' || state.name === 'foreign'
    const down = isKnown ? downOf(state) : worse(state, gone, now)
    return { ...down, name: 'foreign', version }
  },
  recovered: () => ({ name: 'up' }),
}

/** The state after an event; the same object when nothing has changed. `now`: milliseconds since 1970. */
export function after<E extends keyof Events>(state: State, type: E, event: Events[E], now: number): State {
  return TRANSITIONS[type](state, event, now)
}

/** The file at the path. */
export type AtPath =
  /** It is the one in use. */
  | { readonly is: 'ours' }
  /** There is none, or it is empty. */
  | { readonly is: 'nothing' }
  | { readonly is: 'other'; readonly version: string }

export type Action =
  /** The database works: its companion files are kept. */
  | 'keep'
  /** A write is tried; the database works again if it succeeds. */
  | 'write'
  | 'repair'
  /** The file is back. */
  | 'go on'
  /** Nothing is written until the file is back. */
  | 'wait'
  | 'make anew'
  /** The other file is used. */
  | 'adopt'

interface Look extends Loss {
  readonly now: number
  /** Time to put back a file that has disappeared. */
  readonly graceMs: number
}

const WHEN_OURS: Readonly<Record<State['name'], Action>> = {
  up: 'keep',
  unwritable: 'write',
  damaged: 'repair',
  missing: 'go on',
  foreign: 'go on',
}

/** The state after a check of the file, and what is done then. */
export function atPath(
  state: State,
  found: AtPath,
  { gone, graceMs, now }: Look,
): { readonly state: State; readonly action: Action } {
  switch (found.is) {
    case 'ours':
      return { state, action: WHEN_OURS[state.name] }
    case 'nothing': {
      const next = after(state, 'nothing', { gone }, now)
      const isOver = next.name === 'missing' && now - next.emptySince >= graceMs
      return { state: next, action: isOver ? 'make anew' : 'wait' }
    }
    case 'other': {
      // A file that still changes may be a copy in progress.
      const isStill = state.name === 'foreign' && state.version === found.version
      return { state: after(state, 'other', { gone, version: found.version }, now), action: isStill ? 'adopt' : 'wait' }
    }
  }
}

/** A file that fails for long can perhaps be used again when it is opened anew. */
export function needsOpening(state: State): boolean {
  return state.name === 'unwritable' && state.outage.kind === 'failing' && state.looks > 1
}

const HOUR_MS = 3_600_000
/** Most replacements within an hour, because a failing disk would damage each new file. */
export const MAX_REPLACEMENTS = 3

/** `replacements`: when damaged files were replaced. */
export function isReplacedTooOften(replacements: readonly number[], now: number): boolean {
  return replacements.filter((at) => now - at < HOUR_MS).length >= MAX_REPLACEMENTS
}

/** An outage at least this long is worth a note. */
const LONG_OUTAGE_MS = 60_000

/** Whether the end of an outage is worth a note; `lost`: data may be missing, null = the file is the same. */
export function isNotable(lost: boolean | null, lastedMs: number): boolean {
  return lost !== null || lastedMs >= LONG_OUTAGE_MS
}

export interface StorageState {
  /** `degraded`: usable, but data may have been lost within the last hour. */
  readonly state: 'up' | 'degraded' | 'down'
  /** The failure and its remedy, or the loss; '' when up. */
  readonly reason: string
}

/** `recent`: the newest note of the last hour. */
export function shown(state: State, recent: StorageNote | null): StorageState {
  const outage = outageOf(state)
  if (outage) return { state: 'down', reason: outage.reason }
  return recent?.lost ? { state: 'degraded', reason: recent.text } : { state: 'up', reason: '' }
}

const downOf = ({ outage, looks }: Down): Down => ({ outage, looks })

/** The same kind of failure continues; another kind replaces it within the same outage. */
function worse(state: State, { kind, reason }: Failure, now: number): Down {
  if (state.name === 'up') return { outage: { kind, reason, since: now }, looks: 0 }
  if (state.outage.kind === kind) return downOf(state)
  return { outage: { kind, reason, since: state.outage.since }, looks: 0 }
}

export const outageOf = (state: State): Outage | null => (state.name === 'up' ? null : state.outage)

const RETRY = { firstMs: 1000, maxMs: 10_000, jitter: 0 }

/** Milliseconds until the next check of the file. */
export function delayOf(state: State, everyMs: number): number {
  if (state.name === 'up') return everyMs
  const ms = Math.min(backoffDelay(state.looks + 1, RETRY), Math.max(everyMs, RETRY.firstMs) * 5)
  return state.outage.kind === 'gone' ? Math.min(everyMs, ms) : ms
}

interface Where {
  readonly file: string
  /** Message of the system. */
  readonly detail: string
}

const TEXTS: Readonly<Record<FailureKind, (where: Where) => string>> = {
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

export const failureText = (kind: FailureKind, where: Where): string => TEXTS[kind](where)

const BY_CODE: Readonly<Record<string, FailureKind>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'readOnly',
  EACCES: 'readOnly',
  EPERM: 'readOnly',
}
const SQLITE_READONLY = 8
const SQLITE_FULL = 13

/** The database has migrations that this version does not know; the message names the version that wrote it. */
export class NewerDatabaseError extends Error {}

/** The kind of an error of SQLite or of the file system. */
export function failureKind(error: unknown): FailureKind {
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

/** `40 seconds`, `12 minutes`, `3 hours`. */
export function spanOf(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return seconds === 1 ? '1 second' : `${seconds} seconds`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`
}
