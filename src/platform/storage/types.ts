/** What the guard of a database takes and gives. */
import type { DatabaseSettings, FileDatabase } from '../sqlite.ts'
import type { Logger } from '../types.ts'
import type { StorageNote } from './note.ts'

export interface StorageState {
  /** `degraded`: it works, and something happened within an hour that somebody should know. */
  readonly state: 'up' | 'degraded' | 'down'
  /** What is wrong and what to do, or what happened; '' = nothing. */
  readonly reason: string
}

/**
 * What stands in place of the file that was in use: `rescued` = all that was in it; `replaced` = something else, so what is
 * remembered of it elsewhere may be wrong.
 */
export type Replacement = 'rescued' | 'replaced'

export interface GuardDeps {
  readonly log: Pick<Logger, 'error' | 'warn'>
  readonly now: () => number
  /** Makes sure that the directory which stands at the path now is ours. May throw: then nothing in it is used yet. */
  readonly claimDirectory?: () => void
  /** Something has changed about the state. */
  readonly onState?: (state: StorageState) => void
  /** The database works on with another file. */
  readonly onReplaced?: (how: Replacement) => void
}

/** To the migrations those of the guard are added (`storageMigrations`). */
export interface GuardSettings extends Omit<DatabaseSettings, 'onFailure' | 'readOnly'> {
  readonly file: string
  /** Takes over what the damaged file still gives away; returns what was saved, as part of a sentence. */
  readonly salvage: (damagedFile: string, db: FileDatabase) => string
  /**
   * True = whoever uses the database is built anew after it was replaced; until then nothing of what they remember is
   * written to the other one. Default false.
   */
  readonly startsAnew?: boolean
  /** Time between two looks at the file; default 2 s. */
  readonly everyMs?: number
  /** How long a file that has disappeared may be put back before it is made anew; default 10 s. */
  readonly graceMs?: number
}

export interface StorageGuard {
  readonly state: StorageState
  /** What happened within the last hour; null = nothing. */
  readonly note: StorageNote | null
  start(): void
  stop(): void
  /** Somebody else has met an error in the same file: a damaged one is replaced. */
  suspect(): void
}

export interface GuardedDatabase {
  readonly db: FileDatabase
  readonly guard: StorageGuard
}
