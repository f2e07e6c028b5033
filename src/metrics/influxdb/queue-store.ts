/** Table of the points of the monitors that wait for InfluxDB, or were given up. Written ones leave it. */
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
  {
    name: 'influx-002',
    sql: `
      ALTER TABLE influx_point ADD COLUMN measurement TEXT NOT NULL DEFAULT '';
      ALTER TABLE influx_point ADD COLUMN state TEXT NOT NULL DEFAULT 'waiting';
      ALTER TABLE influx_point ADD COLUMN reason TEXT;
      ALTER TABLE influx_point ADD COLUMN detail TEXT;
      ALTER TABLE influx_point ADD COLUMN dead_at INTEGER;
      DROP INDEX influx_point_age;
      CREATE INDEX influx_point_waiting ON influx_point (seq) WHERE state = 'waiting';
      CREATE INDEX influx_point_age ON influx_point (state, created_at);
    `,
  },
]

export interface WaitingPoint {
  readonly seq: number
  readonly line: string
}

/** As for deliveries: too old, or refused by InfluxDB. */
export type DeadReason = 'EXPIRED' | 'REJECTED'

/** Points given up for the same reason; `detail` is what InfluxDB said about the newest of them. */
export interface DeadPoints {
  readonly measurement: string
  readonly reason: DeadReason
  readonly detail: string | null
  readonly points: number
  readonly oldestAt: number
  readonly newestAt: number
}

/** Which dead letters; null = any. Times are those at which the points were stored, from inclusive, to exclusive. */
export interface DeadPointFilter {
  readonly reason: readonly string[] | null
  readonly from: number | null
  readonly to: number | null
}

/** Every promise resolves when the change is on disk. Times are milliseconds since 1970. */
export interface PointStore {
  add(lines: readonly string[], now: number): Promise<void>
  oldest(limit: number): WaitingPoint[]
  remove(seqs: readonly number[]): Promise<void>
  /** Gives up what was stored before; resolves with the number of points. */
  expire(before: number, now: number): Promise<number>
  /** Gives up these, with what InfluxDB said. */
  bury(points: readonly { readonly seq: number; readonly detail: string }[], now: number): Promise<void>
  waiting(): number
}

/** Few enough that nothing else waits long. */
const CHUNK = 500

export function createPointStore({ db, writer }: { db: Database; writer: Pick<GroupWriter, 'write'> }): PointStore {
  return {
    add: (lines, now) =>
      writer.write((tx) => {
        const sql = 'INSERT INTO influx_point (line, measurement, created_at) VALUES (?, ?, ?)'
        for (const line of lines) tx.run(sql, line, measurementOf(line), now)
      }),
    oldest: (limit) =>
      db.all<WaitingPoint>(`SELECT seq, line FROM influx_point WHERE state = 'waiting' ORDER BY seq LIMIT ?`, limit),
    remove: (seqs) =>
      writer.write((tx) => {
        for (const seq of seqs) tx.run('DELETE FROM influx_point WHERE seq = ?', seq)
      }),
    async expire(before, now) {
      let expired = 0
      for (let count = CHUNK; count === CHUNK; expired += count) {
        count = await writer.write((tx) => expireChunk(tx, before, now))
      }
      return expired
    },
    bury: (points, now) =>
      writer.write((tx) => {
        const sql = `UPDATE influx_point SET state = 'dead', reason = 'REJECTED', detail = ?, dead_at = ? WHERE seq = ?`
        for (const { seq, detail } of points) tx.run(sql, detail, now, seq)
      }),
    waiting: () => waitingPoints(db),
  }
}

function expireChunk(db: Database, before: number, now: number): number {
  return db.run(
    `UPDATE influx_point SET state = 'dead', reason = 'EXPIRED', dead_at = ? WHERE seq IN (
       SELECT seq FROM influx_point WHERE state = 'waiting' AND created_at < ? LIMIT ${CHUNK})`,
    now,
    before,
  ).changes
}

export function waitingPoints(db: Database): number {
  return db.get<{ n: number }>(`SELECT count(*) AS n FROM influx_point WHERE state = 'waiting'`)?.n ?? 0
}

/** What was given up, by measurement and reason. */
export function deadPoints(db: Database): DeadPoints[] {
  // Beside max(), SQLite takes the other columns from the row that has it.
  return db.all<DeadPoints>(
    `SELECT measurement, reason, detail, count(*) AS points, min(created_at) AS oldestAt, max(created_at) AS newestAt
       FROM influx_point WHERE state = 'dead' GROUP BY measurement, reason ORDER BY measurement, reason`,
  )
}

/** Runs in a transaction. They wait again, as long as new ones would; each keeps the time of its measurement. */
export function resendDeadPoints(db: Database, { reason, from, to }: DeadPointFilter, now: number): number {
  return db.run(
    `UPDATE influx_point SET state = 'waiting', reason = NULL, detail = NULL, dead_at = NULL, created_at = ?
       WHERE state = 'dead' AND created_at >= ? AND created_at < ?
         AND (? IS NULL OR reason IN (SELECT value FROM json_each(?)))`,
    now,
    from ?? 0,
    to ?? Number.MAX_SAFE_INTEGER,
    reason && JSON.stringify(reason),
    reason && JSON.stringify(reason),
  ).changes
}

/** Removes up to `limit` points that were given up before; returns how many. */
export function purgeDeadPoints(db: Database, before: number, limit: number): number {
  return db.run(
    `DELETE FROM influx_point WHERE seq IN (
       SELECT seq FROM influx_point WHERE state = 'dead' AND dead_at < ? LIMIT ?)`,
    before,
    limit,
  ).changes
}

/** What stands before the first comma or space that is not escaped; it is shown without its backslashes. */
function measurementOf(line: string): string {
  return (/^(?:\\.|[^,\\ ])*/.exec(line)?.[0] ?? '').replace(/\\(.)/g, '$1')
}
