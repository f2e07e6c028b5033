/** Table `file_job`: operations that are under way, for the case that the process dies. */
import type { GroupWriter } from '../platform/group-commit.ts'
import { type Database, type Migration, storedJson } from '../platform/sqlite.ts'
import type { FileRequest } from './types.ts'

export const fileMigrations: Migration[] = [
  {
    name: 'files-001',
    sql: `
      CREATE TABLE file_job (
        id TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        actor TEXT NOT NULL,
        listed INTEGER NOT NULL,
        started_at INTEGER NOT NULL
      ) WITHOUT ROWID;`,
  },
]

interface StoredJob {
  /** UUID of version 7. */
  readonly id: string
  readonly request: FileRequest
  readonly actor: string
  /** A caller has its id and may ask for it. */
  readonly listed: boolean
  /** Milliseconds since 1970. */
  readonly startedAt: number
}

export interface JobStore {
  add(job: StoredJob): Promise<void>
  remove(id: string): Promise<void>
  /** Oldest first. */
  all(): StoredJob[]
}

interface Row {
  readonly id: string
  readonly request: string
  readonly actor: string
  readonly listed: number
  readonly startedAt: number
}

export function createJobStore({ db, writer }: { db: Database; writer: GroupWriter }): JobStore {
  return {
    async add({ id, request, actor, listed, startedAt }) {
      await writer.write((one) =>
        one.run(
          'INSERT INTO file_job VALUES (?, ?, ?, ?, ?)',
          ...[id, JSON.stringify(request), actor, Number(listed), startedAt],
        ),
      )
    },
    async remove(id) {
      await writer.write((one) => one.run('DELETE FROM file_job WHERE id = ?', id))
    },
    all: () =>
      db
        .all<Row>('SELECT id, request, actor, listed, started_at AS startedAt FROM file_job ORDER BY id')
        .flatMap((row) => {
          const request = storedJson<FileRequest | null>(row.request, null)
          return request ? [{ ...row, request, listed: row.listed === 1 }] : []
        }),
  }
}
