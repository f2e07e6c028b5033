/** What Footman has started: in the database, and what is not final yet also in memory. */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import type { StartRecord, StartRecords } from './types.ts'

export const executionMigrations: Migration[] = [
  {
    name: 'executions-001',
    sql: `
      CREATE TABLE task_start (
        id TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        task_id TEXT NOT NULL,
        task_name TEXT NOT NULL,
        actor TEXT NOT NULL,
        execution_id TEXT,
        started_at INTEGER NOT NULL,
        final_at INTEGER,
        error TEXT
      ) WITHOUT ROWID;
      CREATE INDEX task_start_execution ON task_start (execution_id) WHERE execution_id IS NOT NULL;
      CREATE INDEX task_start_request ON task_start (request);
      CREATE INDEX task_start_open ON task_start (id) WHERE final_at IS NULL;
      CREATE INDEX task_start_age ON task_start (started_at);`,
  },
]

const SELECT = `SELECT id, request, task_id AS taskId, task_name AS taskName, actor, execution_id AS executionId,
  started_at AS startedAt, final_at AS finalAt, error FROM task_start`

const PRUNE_CHUNK = 500

export function createStartRecords({ db, writer }: { db: Database; writer: GroupWriter }): StartRecords {
  const open = new Map<string, StartRecord>(
    db.all<StartRecord>(`${SELECT} WHERE final_at IS NULL ORDER BY id`).map((record) => [record.id, record]),
  )

  function insert(into: Database, record: StartRecord): void {
    into.run(
      'INSERT OR IGNORE INTO task_start VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      record.id,
      record.request,
      record.taskId,
      record.taskName,
      record.actor,
      record.executionId?.toLowerCase() ?? null,
      record.startedAt,
      record.finalAt,
      record.error,
    )
  }

  function noted(record: StartRecord): void {
    if (record.finalAt === null) open.set(record.id, record)
  }

  return {
    insert,
    noted,
    async add(record) {
      await writer.write((one) => insert(one, record))
      noted(record)
    },
    byId: (id) => db.get<StartRecord>(`${SELECT} WHERE id = ?`, id.toLowerCase()),
    byExecution: (executionId) =>
      db.get<StartRecord>(`${SELECT} WHERE execution_id = ? ORDER BY id LIMIT 1`, executionId.toLowerCase()),
    ofRequest: (request) => db.all<StartRecord>(`${SELECT} WHERE request = ?`, request),
    open: () => [...open.values()],
    async close(id, finalAt) {
      // Whoever counts what runs need not wait for the disk: after a crash QRS is asked again.
      open.delete(id)
      await writer.write((one) => one.run('UPDATE task_start SET final_at = ? WHERE id = ?', finalAt, id))
    },
    async prune(before) {
      const remove = (one: Database) =>
        one.run(
          'DELETE FROM task_start WHERE id IN (SELECT id FROM task_start WHERE started_at < ? ORDER BY started_at LIMIT ?)',
          before,
          PRUNE_CHUNK,
        ).changes
      while ((await writer.write(remove)) === PRUNE_CHUNK);
    },
  }
}
