/**
 * Starts that were about to be made: noted before Qlik Sense is asked, so that a request that comes again after a crash or a
 * lost answer starts nothing twice.
 */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'

export const noteMigrations: Migration[] = [
  {
    name: 'start-note-001',
    sql: `
      CREATE TABLE start_note (
        request TEXT NOT NULL,
        task_id TEXT NOT NULL,
        result_before TEXT NOT NULL,
        noted_at INTEGER NOT NULL,
        PRIMARY KEY (request, task_id)
      ) WITHOUT ROWID;
      CREATE INDEX start_note_age ON start_note (noted_at);`,
  },
]

export interface StartNote {
  readonly taskId: string
  /** Id of the task's last result just before; '' = none. Another one shows that the task was started. */
  readonly resultBefore: string
  /** Milliseconds since 1970. */
  readonly notedAt: number
}

/** Every promise resolves when the change is on disk, in a cluster on that of the others as well. */
export interface StartNotes {
  /** By task id: the starts that the request was about to make, regardless of their outcome. */
  of(request: string): ReadonlyMap<string, StartNote>
  add(request: string, taskId: string, resultBefore: string): Promise<void>
  /** Qlik Sense has refused the start, so that a later run of the task is not that of the request. */
  remove(request: string, taskId: string): Promise<void>
}

/** Idempotency keys and start requests over MQTT are remembered as long. */
const KEEP_MS = 24 * 3_600_000

export function createStartNotes(deps: { db: Database; writer: GroupWriter; clock: Clock }): StartNotes {
  const { db, writer, clock } = deps
  return {
    of(request) {
      const rows = db.all<StartNote>(
        `SELECT task_id AS taskId, result_before AS resultBefore, noted_at AS notedAt FROM start_note WHERE request = ?`,
        request,
      )
      return new Map(rows.map((note) => [note.taskId, note]))
    },
    async add(request, taskId, resultBefore) {
      const now = clock.now()
      await writer.write((tx) => {
        tx.run('DELETE FROM start_note WHERE noted_at < ?', now - KEEP_MS)
        tx.run('INSERT OR REPLACE INTO start_note VALUES (?, ?, ?, ?)', request, taskId, resultBefore, now)
      })
    },
    async remove(request, taskId) {
      await writer.write((tx) => tx.run('DELETE FROM start_note WHERE request = ? AND task_id = ?', request, taskId))
    },
  }
}
