import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { type FileDatabase, isStorageFailure, openDatabase } from '../../../src/platform/sqlite.ts'
import { openGuarded, type Replacement, type StorageGuard } from '../../../src/platform/storage/guard.ts'
import { salvage } from '../../../src/platform/storage/salvage.ts'
import { type RecordingLog, recordingLog } from '../../support/recording-log.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'
import { canMount, mountTmpfs } from '../../support/tmpfs.ts'
import { until } from '../../support/wait.ts'

const ROWS = 3000
const migrations = [
  {
    name: 'test-001',
    sql: `CREATE TABLE pair (id INTEGER PRIMARY KEY AUTOINCREMENT, value TEXT NOT NULL);
      CREATE TABLE name (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE INDEX pair_value ON pair (value);`,
  },
]

let directory: TempDirectory
let file: string
let log: RecordingLog
let replaced: Replacement[] = []
let claims = 0
/** Number of times that the guard has looked at the clock, which it does each time it looks at the file. */
let looks = 0
let open: { db: FileDatabase; guard: StorageGuard }[] = []

beforeEach(() => {
  directory = tempDirectory()
  mkdirSync(directory.join('data'))
  file = directory.join('data', 'test.db')
  log = recordingLog()
  replaced = []
  claims = 0
  looks = 0
})
afterEach(() => {
  for (const { db, guard } of open) {
    guard.stop()
    db.close()
  }
  open = []
  directory.remove()
})

function start(settings: { graceMs?: number; clock?: () => number } = {}) {
  const opened = openGuarded(
    {
      log,
      now: () => {
        looks += 1
        return settings.clock?.() ?? Date.now()
      },
      claimDirectory: () => claims++,
      onReplaced: (how) => void replaced.push(how),
    },
    {
      file,
      migrations,
      everyMs: 20,
      graceMs: settings.graceMs ?? 100,
      salvage: (damaged) => `${salvage(damaged, file).rows} rows were saved`,
    },
  )
  open.push(opened)
  opened.guard.start()
  return opened
}

/** Resolves when the guard knows the present file. */
async function looked(): Promise<void> {
  const before = looks
  await until(() => looks > before + 2)
}

function fill(db: FileDatabase, rows = ROWS): void {
  db.transaction(() => {
    for (let n = 1; n <= rows; n += 1) db.run('INSERT INTO pair (value) VALUES (?)', `value number ${n} `.repeat(5))
    db.run('INSERT INTO name VALUES (?, ?)', 'a', 'b')
  })
}

/** A database that was used and closed, so that all of it stands in the file. */
function prepare(rows = ROWS): void {
  const { db, guard } = start()
  fill(db, rows)
  guard.stop()
  db.close()
  open = []
}

const count = (db: FileDatabase) => db.get<{ n: number }>('SELECT count(*) AS n FROM pair NOT INDEXED')!.n
const add = (db: FileDatabase, value: string) => db.run('INSERT INTO pair (value) VALUES (?)', value)
const files = () => readdirSync(directory.join('data')).sort()

function overwrite(path: string, from: number, bytes: number): void {
  const fd = openSync(path, 'r+')
  writeSync(fd, Buffer.alloc(bytes, 0x5a), 0, bytes, from)
  closeSync(fd)
}

/** Every page from the given one on, one of so many. */
function spoilPages(path: string, first: number, step: number): void {
  const fd = openSync(path, 'r+')
  const pages = fstatSync(fd).size / 4096
  for (let page = first; page < pages; page += step) writeSync(fd, Buffer.alloc(4096, 0x5a), 0, 4096, page * 4096)
  closeSync(fd)
}

describe.skipIf(process.platform === 'win32')('a data directory that disappears', () => {
  test('and is put back is used on; nothing is written in the meantime', async () => {
    const { db, guard } = start({ graceMs: 60_000 })
    fill(db)
    await looked()
    renameSync(directory.join('data'), directory.join('away'))
    await until(() => guard.state.state === 'down')
    expect(guard.state.reason).toContain('has disappeared. Put the data directory')
    expect(count(db)).toBe(ROWS)
    let refusal: unknown
    try {
      add(db, 'lost')
    } catch (error) {
      refusal = error
    }
    expect(isStorageFailure(refusal)).toBe(true)
    renameSync(directory.join('away'), directory.join('data'))
    await until(() => guard.state.state === 'up')
    add(db, 'kept')
    expect(count(db)).toBe(ROWS + 1)
    expect(replaced).toEqual([])
    expect(log.of('error')).toHaveLength(1)
  })

  test('for good is made anew with all that it held', async () => {
    const { db, guard } = start()
    fill(db)
    await looked()
    rmSync(directory.join('data'), { recursive: true })
    await until(() => replaced.length === 1)
    expect(replaced).toEqual(['rescued'])
    expect(claims).toBe(1)
    expect(guard.state.state).toBe('up')
    expect(guard.note!.text).toContain('made anew with all that it held')
    add(db, 'more')
    const other = new DatabaseSync(file, { readOnly: true })
    expect(other.prepare('SELECT count(*) AS n FROM pair').get()).toEqual({ n: ROWS + 1 })
    other.close()
  })

  test('and in whose place another database is put: that one is used', async () => {
    prepare(5)
    copyFileSync(file, directory.join('backup.db'))
    const { db } = start({ graceMs: 60_000 })
    await looked()
    add(db, 'new')
    for (const name of files()) rmSync(directory.join('data', name))
    copyFileSync(directory.join('backup.db'), file)
    await until(() => replaced.length === 1)
    expect(replaced).toEqual(['replaced'])
    expect(count(db)).toBe(5)
    add(db, 'works')
  })

  test.each(['another database', 'nothing'])(
    'and in whose place a link to %s is put: it is not followed',
    async (what) => {
      const { db, guard } = start()
      fill(db, 10)
      await looked()
      const elsewhere = directory.join('elsewhere.db')
      if (what !== 'nothing') copyFileSync(file, elsewhere)
      const before = what === 'nothing' ? null : readFileSync(elsewhere)
      for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true })
      symlinkSync(elsewhere, file)
      await until(() => /test\.db is a link/.test(guard.state.reason), { what: 'the link to be named' })
      expect(() => add(db, 'x')).toThrow()
      expect(existsSync(elsewhere) ? readFileSync(elsewhere) : null).toEqual(before)
      rmSync(file)
      await until(() => guard.state.state !== 'down', { what: 'the file to be made anew' })
      expect(count(db)).toBe(10)
    },
  )

  test('and in whose place a database of a newer Footman is put: that one is not touched, until the right one is back', async () => {
    const { db, guard } = start({ graceMs: 60_000 })
    add(db, 'ours')
    await until(() => existsSync(`${file}-layout`))
    renameSync(directory.join('data'), directory.join('away'))
    mkdirSync(directory.join('data'))
    const newer = openDatabase(file, {
      migrations: [...migrations, { name: 'test-002', sql: 'CREATE TABLE later (id)' }],
      version: '99.1.0',
    })
    newer.close()
    const before = readFileSync(file)
    await until(() => /written by Footman 99\.1\.0, which is newer/.test(guard.state.reason))
    expect(guard.state.state).toBe('down')
    expect(() => add(db, 'lost')).toThrow('has disappeared')
    expect(count(db)).toBe(1)
    expect(readFileSync(file).equals(before)).toBe(true)
    rmSync(directory.join('data'), { recursive: true })
    await until(() => guard.state.reason.includes('has disappeared'))
    renameSync(directory.join('away'), directory.join('data'))
    await until(() => guard.state.state === 'up')
    add(db, 'more')
    expect(count(db)).toBe(2)
    expect(replaced).toEqual([])
  })

  test('and in whose place an empty file is put: that counts as none', async () => {
    const { db, guard } = start()
    fill(db)
    await until(() => existsSync(`${file}-layout`))
    for (const name of files()) rmSync(directory.join('data', name))
    writeFileSync(file, '')
    await until(() => replaced.length === 1)
    expect(replaced).toEqual(['rescued'])
    expect(guard.state.state).toBe('up')
    expect(count(db)).toBe(ROWS)
  })

  test('right after the start, and in whose place another one is put: that is noticed as well', async () => {
    prepare(5)
    mkdirSync(directory.join('other'))
    copyFileSync(file, directory.join('other', 'test.db'))
    const { db } = start({ graceMs: 60_000 })
    add(db, 'new')
    renameSync(directory.join('data'), directory.join('away'))
    renameSync(directory.join('other'), directory.join('data'))
    await until(() => replaced.length === 1)
    expect(replaced).toEqual(['replaced'])
    expect(count(db)).toBe(5)
  })

  test('log of the database removed alone: what was in it is brought into the file', async () => {
    const { db } = start()
    fill(db)
    await looked()
    rmSync(`${file}-wal`)
    await until(() => replaced.length === 1)
    expect(statSync(file).size).toBeGreaterThan(ROWS * 50)
    add(db, 'more')
    expect(count(db)).toBe(ROWS + 1)
  })
})

test.skipIf(!canMount())(
  'a disk that is full again and again: each line once, then once a minute with their number',
  async () => {
    const unmount = mountTmpfs(directory.join('data'), 4)!
    try {
      let at = 0
      const { db, guard } = start({ clock: () => at })
      const filler = directory.join('data', 'filler')
      const lines = () =>
        log.lines.flatMap(({ message }) => /is full|can be written again.*?s\.|\(\d+ times.*/.exec(message)?.[0] ?? [])
      for (let round = 0; round < 6; round += 1) {
        expect(() => writeFileSync(filler, Buffer.alloc(5_000_000))).toThrow()
        expect(() => add(db, 'x'.repeat(100_000))).toThrow()
        rmSync(filler)
        await until(() => guard.state.state === 'up')
      }
      const first = ['is full', 'can be written again after 0 seconds.']
      expect(lines()).toEqual(first)
      at += 61_000
      await until(() => lines().length > first.length, { what: 'the counted lines', state: lines })
      expect(log.lines.slice(-2).map(({ message }) => message)).toEqual([
        expect.stringMatching(/^STORAGE: The disk of .* is full: .* \(5 times within a minute\)$/),
        expect.stringMatching(/^STORAGE: .* can be written again .* \(5 times within a minute\)$/),
      ])
    } finally {
      for (const { db, guard } of open.splice(0)) {
        guard.stop()
        db.close()
      }
      unmount()
    }
  },
)

test('a layout that cannot be kept beside the database is told once, and no outage', async () => {
  const { db, guard } = start()
  mkdirSync(`${file}-layout`)
  await until(() => log.of('warn').length === 1)
  expect(String(log.of('warn')[0])).toContain('is in use all the same')
  expect(guard.state.state).toBe('up')
  add(db, 'works')
})

describe('a damaged file', () => {
  test('with a broken header is set aside at the start', () => {
    prepare()
    overwrite(file, 0, 4096)
    const { db, guard } = start()
    expect(count(db)).toBe(0)
    add(db, 'works')
    expect(guard.state).toEqual({ state: 'degraded', reason: expect.stringContaining('was damaged') as never })
    expect(files().filter((name) => /^test\.db\.corrupt-\d{8}-\d{6}$/.test(name))).toHaveLength(1)
  })

  test('whose first pages are lost loses nothing else, also what was only in the log', async () => {
    const { db, guard } = start()
    fill(db)
    await until(() => existsSync(`${file}-layout`))
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    add(db, 'only in the log')
    for (const suffix of ['', '-wal', '-layout']) copyFileSync(`${file}${suffix}`, directory.join(`crashed${suffix}`))
    guard.stop()
    db.close()
    open = []
    for (const name of files()) rmSync(directory.join('data', name))
    for (const suffix of ['', '-wal', '-layout']) renameSync(directory.join(`crashed${suffix}`), `${file}${suffix}`)
    overwrite(file, 0, 4096)
    const next = start()
    expect(count(next.db)).toBe(ROWS + 1)
    expect(next.db.get('SELECT value FROM pair WHERE id = ?', ROWS + 1)).toEqual({ value: 'only in the log' })
    expect(next.db.all('SELECT * FROM name')).toEqual([{ key: 'a', value: 'b' }])
    expect(files().filter((name) => name.includes('repaired'))).toEqual([])
  })

  test('with broken pages gives away what stands on the others, and never a number twice', () => {
    prepare()
    spoilPages(file, 20, 15)
    const { db, guard } = start()
    const kept = count(db)
    expect(kept).toBeGreaterThan(ROWS * 0.8)
    expect(kept).toBeLessThan(ROWS)
    expect(db.all('SELECT * FROM name')).toEqual([{ key: 'a', value: 'b' }])
    expect(add(db, 'new').lastId).toBe(ROWS + 1)
    expect(guard.state.reason).toContain(`${kept + 1} rows were saved`)
    expect(replaced).toEqual(['replaced'])
  })

  test('whose index alone is broken loses nothing', () => {
    prepare()
    const raw = new DatabaseSync(file)
    const { rootpage } = raw.prepare(`SELECT rootpage FROM sqlite_master WHERE name = 'pair_value'`).get() as {
      rootpage: number
    }
    raw.close()
    overwrite(file, (rootpage - 1) * 4096, 4096)
    const { db } = start()
    expect(db.all('SELECT value FROM pair WHERE value > ? LIMIT 1', 'a')).toHaveLength(1)
    expect(count(db)).toBe(ROWS)
    expect(replaced).toEqual(['replaced'])
  })

  test('that was emptied is replaced, and that is told', () => {
    prepare()
    truncateSync(file, 0)
    const { db, guard } = start()
    expect(guard.state.reason).toContain('nothing is left in it')
    expect(count(db)).toBe(0)
    add(db, 'works')
  })

  test('again and again is not replaced for ever', () => {
    prepare(3)
    const { db, guard } = start()
    for (let n = 0; n < 3; n += 1) {
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      overwrite(file, 4096, 4096 * 3)
      guard.suspect()
    }
    expect(replaced).toHaveLength(3)
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    overwrite(file, 4096, 4096 * 3)
    guard.suspect()
    expect(replaced).toHaveLength(3)
    expect(guard.state.state).toBe('down')
    expect(log.of('error').at(-1)).toContain('3 times within an hour')
  })

  test('that is no database at all is kept as well', () => {
    writeFileSync(
      file,
      'this is a text that is longer than a header of a database would be, at least a hundred bytes; really',
    )
    const { db } = start()
    add(db, 'works')
    const [aside] = files().filter((name) => name.includes('.corrupt-'))
    expect(statSync(directory.join('data', aside!)).size).toBeGreaterThan(90)
  })
})
