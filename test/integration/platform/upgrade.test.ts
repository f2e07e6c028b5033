/** Databases are saved before they are changed, changed as a whole, and refused when they are of a newer Footman. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StartError } from '../../../src/platform/errors.ts'
import { lastWriter, type Migration, openDatabase } from '../../../src/platform/sqlite.ts'
import { upgradeDatabases } from '../../../src/platform/upgrade.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'
import { BROKEN, FIRST, FOURTH, SECOND, THIRD } from '../../support/upgrade-steps.ts'
import { until } from '../../support/wait.ts'

const NOW = Date.UTC(2026, 10, 21, 15, 16, 17, 89)
let directory: TempDirectory
beforeEach(() => {
  directory = tempDirectory()
})
afterEach(() => directory.remove())

/** As version 1.0.0 leaves it. */
function old(name = 'footman', { rows = 3, folder = directory.path } = {}): string {
  const file = join(folder, `${name}.db`)
  const db = openDatabase(file, { migrations: [FIRST], version: '1.0.0' })
  db.transaction(() => {
    for (let n = 1; n <= rows; n++) db.run('INSERT INTO pair VALUES (?, ?)', `k${n}`, `v${n}`)
  })
  db.close()
  return file
}

interface Settings {
  readonly migrations?: readonly Migration[]
  readonly journal?: readonly Migration[]
  readonly version?: string
  readonly now?: number
  readonly folder?: string
  readonly freeBytes?: () => number
}

function upgrade(settings: Settings = {}) {
  const {
    migrations = [FIRST, SECOND],
    journal = [FIRST],
    version = '2.0.0',
    now = NOW,
    folder = directory.path,
  } = settings
  const log = recordingLog()
  upgradeDatabases(
    { log, now: () => now },
    {
      databases: [
        { name: 'footman', file: join(folder, 'footman.db'), migrations },
        { name: 'journal', file: join(folder, 'journal.db'), migrations: journal },
      ],
      backupDirectory: join(folder, 'backup'),
      version,
      ...(settings.freeBytes && { freeBytes: settings.freeBytes }),
    },
  )
  return log.lines.map(({ message }) => message)
}

function refused(settings: Settings): string {
  try {
    upgrade(settings)
  } catch (error) {
    expect(error).toBeInstanceOf(StartError)
    const { message, hint, exitCode } = error as StartError
    expect(exitCode).toBe(2)
    return `${message}. ${hint}.`
  }
  throw new Error('it was not refused')
}

const backups = (folder = directory.path) =>
  existsSync(join(folder, 'backup')) ? readdirSync(join(folder, 'backup')).sort() : []

function inside<T>(file: string, sql: string): T[] {
  const db = openDatabase(file)
  try {
    return db.all<T>(sql)
  } finally {
    db.close()
  }
}

const layout = (file: string) =>
  inside<{ name: string }>(file, 'SELECT name FROM schema_migration ORDER BY name').map(({ name }) => name)

/** Every file with what is in it. */
function bytes(folder = directory.path): Record<string, string> {
  const files = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile())
  return Object.fromEntries(
    files.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  )
}

/** As the guide says: the backup in the place of the database, without what lies beside it. */
function restore(backup: string, file: string): void {
  for (const companion of ['-wal', '-shm']) expect(existsSync(file + companion)).toBe(false)
  copyFileSync(directory.join('backup', backup), file)
}

test('several steps at once; the backup is what was there before', () => {
  const file = old()
  chmodSync(file, 0o600)
  const lines = upgrade({ migrations: [FIRST, SECOND, THIRD, FOURTH] })
  expect(layout(file)).toEqual(['other-001', 'test-001', 'test-002', 'test-003'])
  expect(inside(file, "SELECT note FROM pair WHERE key = 'k2'")).toEqual([{ note: 'V2' }])
  const [name = ''] = backups()
  expect(backups()).toEqual(['footman-1.0.0-20261121T151617089Z.db'])
  const backup = directory.join('backup', name)
  expect(statSync(backup).mode & 0o777).toBe(0o600)
  expect(lines).toEqual([
    'MAIN: footman.db is of Footman 1.0.0; it is saved before Footman 2.0.0 changes it',
    `MAIN: footman.db is saved as ${backup}`,
    'MAIN: footman.db has the layout of Footman 2.0.0 (test-002, test-003, other-001)',
  ])
  restore(name, file)
  expect(layout(file)).toEqual(['test-001'])
  expect(inside(file, 'SELECT count(*) AS n FROM pair')).toEqual([{ n: 3 }])
  expect(upgrade({ migrations: [FIRST], version: '1.0.0' })).toEqual([])
})

test('what is new, empty or up to date needs no backup', () => {
  expect(upgrade()).toEqual([])
  writeFileSync(directory.join('footman.db'), '')
  expect(upgrade()).toEqual([])
  old('journal')
  expect([upgrade(), backups()]).toEqual([[], []])
})

test('each version that writes to a database is noted', () => {
  const file = old()
  upgrade({ migrations: [FIRST], version: '1.1.0' })
  const db = openDatabase(file, { readOnly: true })
  expect(lastWriter(db)).toBe('1.1.0')
  db.close()
})

test('the last three backups of each database are kept', () => {
  old('journal')
  const journal = [FIRST, SECOND, THIRD]
  upgrade({ journal })
  for (let n = 0; n < 5; n++) {
    const file = directory.join('footman.db')
    for (const companion of ['', '-wal', '-shm']) spawnSync('rm', ['-f', file + companion])
    old()
    upgrade({ journal, now: NOW + n * 1000 })
  }
  expect(backups()).toEqual([
    'footman-1.0.0-20261121T151619089Z.db',
    'footman-1.0.0-20261121T151620089Z.db',
    'footman-1.0.0-20261121T151621089Z.db',
    'journal-1.0.0-20261121T151617089Z.db',
  ])
})

describe('a database of a newer Footman', () => {
  test('is refused without changing a byte; it says who wrote it and where the backup lies', () => {
    const file = old()
    upgrade({ migrations: [FIRST, SECOND, THIRD] })
    const before = bytes()
    expect(refused({ migrations: [FIRST], version: '1.0.0' })).toBe(
      `The database "${file}" was written by Footman 2.0.0, which is newer than this Footman 1.0.0: it has changes that this one does not know (test-002, test-003). Nothing was changed. Start the newer Footman again. To go back to 1.0.0, stop Footman and put its backup "${directory.join('backup', 'footman-1.0.0-20261121T151617089Z.db')}" in the place of the database.`,
    )
    expect(bytes()).toEqual(before)
  })

  test('is refused without a backup too, and while changes stand in its log', () => {
    const file = directory.join('journal.db')
    const db = openDatabase(file, { migrations: [FIRST, SECOND], version: '3.0.0' })
    const before = bytes()
    expect(Object.keys(before)).toContain('journal.db-wal')
    // The process that wrote it was killed.
    const left = tempDirectory()
    for (const name of ['journal.db', 'journal.db-wal']) copyFileSync(directory.join(name), left.join(name))
    db.close()
    old('footman', { folder: left.path })
    const whole = bytes(left.path)
    expect(refused({ folder: left.path })).toMatch(
      /journal\.db" was written by Footman 3\.0\.0.*There is no backup for 2\.0\.0 in ".*backup": to start afresh/,
    )
    const { 'journal.db-shm': _, ...after } = bytes(left.path)
    expect(after).toEqual(whole)
    expect(layout(left.join('footman.db'))).toEqual(['test-001'])
    left.remove()
  })
})

describe('a change that fails', () => {
  test('leaves the old layout, and a backup', () => {
    const file = old()
    expect(refused({ migrations: [FIRST, SECOND, BROKEN] })).toMatch(
      /could not be changed for Footman 2\.0\.0: no such table: nowhere\. It is as it was, and saved in ".*backup"\. Go on with/,
    )
    expect(layout(file)).toEqual(['test-001'])
    expect(inside(file, "SELECT name FROM pragma_table_info('pair')")).toEqual([{ name: 'key' }, { name: 'value' }])
    expect(inside(file, "SELECT 1 FROM sqlite_schema WHERE name = 'half'")).toEqual([])
    expect(backups()).toHaveLength(1)
    upgrade({ now: NOW + 1 })
    expect(layout(file)).toEqual(['test-001', 'test-002'])
  })

  test('kill -9 in its midst leaves the old layout, and a backup', async () => {
    const file = old()
    const entry = join(import.meta.dirname, '..', '..', 'support', 'upgrade-child.ts')
    const child = spawn(process.execPath, [entry, file, directory.join('backup')], { stdio: 'ignore' })
    const ended = once(child, 'exit')
    // Pages of the unfinished step stand in the log already.
    await until(() => existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 4 * 1024 * 1024, {
      timeout: 20_000,
    })
    child.kill('SIGKILL')
    await ended
    expect(backups()).toHaveLength(1)
    const db = openDatabase(file)
    expect(db.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' })
    expect(db.get("SELECT 1 FROM sqlite_schema WHERE name = 'endless'")).toBeUndefined()
    db.close()
    expect(layout(file)).toEqual(['test-001'])
    upgrade()
    expect([layout(file), inside(file, 'SELECT count(*) AS n FROM pair')]).toEqual([
      ['test-001', 'test-002'],
      [{ n: 3 }],
    ])
  }, 90_000)

  test('kill -9 before the switch to WAL leaves a transaction that is rolled back', () => {
    const file = old()
    const raw = new DatabaseSync(file)
    raw.exec('PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN')
    for (let n = 0; n < 500; n++) raw.prepare('INSERT INTO pair VALUES (?, ?)').run(`half${n}`, 'x'.repeat(1000))
    const left = tempDirectory()
    for (const name of ['footman.db', 'footman.db-journal']) copyFileSync(directory.join(name), left.join(name))
    raw.close()
    upgrade({ folder: left.path })
    expect(inside(left.join('footman.db'), 'SELECT count(*) AS n FROM pair')).toEqual([{ n: 3 }])
    expect(layout(left.join('footman.db'))).toEqual(['test-001', 'test-002'])
    left.remove()
  })
})

/** A file system of four megabytes; null where none can be made. */
function smallDisk(): TempDirectory | null {
  const disk = tempDirectory()
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk.path])
  if (mounted.status === 0) return disk
  disk.remove()
  return null
}

const removeDisk = (disk: TempDirectory) => {
  spawnSync('umount', ['--lazy', disk.path])
  disk.remove()
}

const probe = process.platform === 'linux' ? smallDisk() : null
if (probe) removeDisk(probe)

describe('without room for a backup', () => {
  test('nothing is changed, and it says how much is needed', () => {
    const file = old()
    const before = bytes()
    expect(refused({ freeBytes: () => 1_500_000 })).toMatch(
      /^There is not enough room in ".*" to save the databases .*: 5 MB are needed, 2 MB are free\. Nothing was changed\. Make room/,
    )
    expect([bytes(), backups(), layout(file)]).toEqual([before, [], ['test-001']])
  })

  test.skipIf(!probe)('on a disk that is full sooner than it said (needs the right to mount)', () => {
    const disk = smallDisk()!
    try {
      const file = old('footman', { folder: disk.path, rows: 20_000 })
      const before = bytes(disk.path)
      expect(refused({ folder: disk.path })).toMatch(/not enough room/)
      writeFileSync(disk.join('filler'), Buffer.alloc(3 * 1024 * 1024))
      expect(refused({ folder: disk.path, freeBytes: () => 1e9 })).toMatch(
        /cannot be saved in ".*backup" before it is changed for this version: .*full.*\. Nothing was changed\. Look at disk/,
      )
      expect(backups(disk.path)).toEqual([])
      const { filler, ...after } = bytes(disk.path)
      expect([after, layout(file)]).toEqual([before, ['test-001']])
    } finally {
      removeDisk(disk)
    }
  })
})

test('a damaged database is left to whoever opens it', () => {
  writeFileSync(directory.join('footman.db'), 'x'.repeat(10_000))
  mkdirSync(directory.join('backup'))
  writeFileSync(directory.join('backup', 'footman-1.0.0-20261121T151617089Z.db.tmp'), 'half')
  expect([upgrade(), backups()]).toEqual([[], ['footman-1.0.0-20261121T151617089Z.db.tmp']])
  old('journal')
  upgrade({ journal: [FIRST, SECOND] })
  expect(backups()).toEqual(['journal-1.0.0-20261121T151617089Z.db'])
})
