/** Table of the points of the monitors that wait for InfluxDB. Written ones leave it. */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'

export const influxMigrations: readonly Migration[] = [
  {
    name: 'influx-001',
    sql: `
      CREATE TABLE influx_point (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        line TEXT NOT NULL,
        created_at INTEGER NOT NULL
      );
      CREATE INDEX influx_point_age ON influx_point (created_at);
    `,
  },
]

export interface WaitingPoint {
  readonly seq: number
  readonly line: string
}

/** Every promise resolves when the change is on disk. Times are milliseconds since 1970. */
export interface PointStore {
  add(lines: readonly string[], now: number): Promise<void>
  oldest(limit: number): WaitingPoint[]
  remove(seqs: readonly number[]): Promise<void>
  /** Gives up what was stored before; resolves with the number of points. */
  expire(before: number): Promise<number>
  waiting(): number
}

export function createPointStore({ db, writer }: { db: Database; writer: Pick<GroupWriter, 'write'> }): PointStore {
  return {
    add: (lines, now) =>
      writer.write((tx) => {
        for (const line of lines) tx.run('INSERT INTO influx_point (line, created_at) VALUES (?, ?)', line, now)
      }),
    oldest: (limit) => db.all<WaitingPoint>('SELECT seq, line FROM influx_point ORDER BY seq LIMIT ?', limit),
    remove: (seqs) =>
      writer.write((tx) => {
        for (const seq of seqs) tx.run('DELETE FROM influx_point WHERE seq = ?', seq)
      }),
    expire: (before) => writer.write((tx) => tx.run('DELETE FROM influx_point WHERE created_at < ?', before).changes),
    waiting: () => db.get<{ n: number }>('SELECT count(*) AS n FROM influx_point')?.n ?? 0,
  }
}
