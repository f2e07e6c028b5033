/** The start queue on disk. */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'

export const queueMigrations: Migration[] = [
  {
    name: 'start-task-002',
    sql: `
      CREATE TABLE start_queue (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        request TEXT NOT NULL,
        request_limit INTEGER,
        task_id TEXT NOT NULL UNIQUE,
        task_name TEXT NOT NULL,
        actor TEXT NOT NULL,
        queued_at INTEGER NOT NULL,
        starting_at INTEGER,
        result_before TEXT
      );`,
  },
]

export interface QueueEntry {
  /** UUID version 7. */
  readonly id: string
  /** Id of the start request. */
  readonly request: string
  /** Most tasks of the request that may run at a time; null = no limit of its own. */
  readonly requestLimit: number | null
  readonly taskId: string
  readonly taskName: string
  readonly actor: string
  /** Milliseconds since 1970. */
  readonly queuedAt: number
  /** Set before QRS is asked to start it; still set when nobody knows whether it was started. */
  readonly startingAt: number | null
  /** Id of the task's last result just before; another one shows that the task was started. */
  readonly resultBefore: string | null
}

/** Every promise resolves when the change is on disk. */
export interface QueueStore {
  /** First in, first out. */
  load(): QueueEntry[]
  add(entries: readonly QueueEntry[]): Promise<void>
  markStarting(entry: Pick<QueueEntry, 'id' | 'startingAt' | 'resultBefore'>): Promise<void>
  /** Removes the entry together with what `also` writes. */
  remove(id: string, also: (db: Database) => void): Promise<void>
}

export function createQueueStore({ db, writer }: { db: Database; writer: GroupWriter }): QueueStore {
  return {
    load: () =>
      db.all<QueueEntry>(
        `SELECT id, request, request_limit AS requestLimit, task_id AS taskId, task_name AS taskName, actor,
           queued_at AS queuedAt, starting_at AS startingAt, result_before AS resultBefore
         FROM start_queue ORDER BY seq`,
      ),
    add: (entries) =>
      writer.write((one) => {
        for (const { id, request, requestLimit, taskId, taskName, actor, queuedAt } of entries) {
          one.run(
            `INSERT INTO start_queue (id, request, request_limit, task_id, task_name, actor, queued_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)`,
            ...[id, request, requestLimit, taskId, taskName, actor, queuedAt],
          )
        }
      }),
    async markStarting({ id, startingAt, resultBefore }) {
      await writer.write((one) =>
        one.run('UPDATE start_queue SET starting_at = ?, result_before = ? WHERE id = ?', startingAt, resultBefore, id),
      )
    },
    remove: (id, also) =>
      writer.write((one) => {
        one.run('DELETE FROM start_queue WHERE id = ?', id)
        also(one)
      }),
  }
}
