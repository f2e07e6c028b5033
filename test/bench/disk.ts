/** How fast this machine's disk and a bare SQLite are: durable figures mean nothing without them. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Measurement, quantile } from './report.ts'

const FSYNCS = 300
const SQLITE_MS = 1000

/** Milliseconds of each of many 4 KB appends with fdatasync. */
export function fsyncTimes(directory: string): number[] {
  const file = openSync(join(directory, 'fsync.bin'), 'w')
  const block = Buffer.alloc(4096, 1)
  const times: number[] = []
  for (let index = 0; index < FSYNCS; index++) {
    writeSync(file, block)
    const started = performance.now()
    fdatasyncSync(file)
    times.push(performance.now() - started)
  }
  closeSync(file)
  return times
}

/** Inserts per second, each its own transaction, into a bare table in WAL mode. */
function insertRate(directory: string, synchronous: 'FULL' | 'NORMAL'): number {
  const database = new DatabaseSync(join(directory, `insert-${synchronous}.db`))
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)`,
  )
  const insert = database.prepare('INSERT INTO t (body) VALUES (?)')
  const body = 'x'.repeat(400)
  const started = performance.now()
  let count = 0
  while (performance.now() - started < SQLITE_MS) {
    insert.run(body)
    count++
  }
  const rate = count / ((performance.now() - started) / 1000)
  database.close()
  return rate
}

export function measureDisk(directory: string): Measurement[] {
  const times = fsyncTimes(directory)
  return [
    { name: 'disk: fsync of 4 KB, p50', value: quantile(times, 0.5), unit: 'ms' },
    { name: 'disk: fsync of 4 KB, p99', value: quantile(times, 0.99), unit: 'ms' },
    { name: 'bare SQLite: inserts, synchronous=FULL', value: insertRate(directory, 'FULL'), unit: '/s' },
    { name: 'bare SQLite: inserts, synchronous=NORMAL', value: insertRate(directory, 'NORMAL'), unit: '/s' },
  ]
}
