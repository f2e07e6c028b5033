/** One file replaced, forward and back, with the executable and its real databases. */
import { expect, test } from 'bun:test'
import { copyFileSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'

const config = { restServerEndpointsEnable: { butlerping: true, keyValueStore: true } }
const value = async (product: Footman) => {
  const answer = await product.call('GET', '/v4/keyvalues/upgrade?key=k')
  return answer.status === 200 ? ((await answer.json()) as { value: string }).value : answer.status
}
const put = (product: Footman, text: string) =>
  product.call('POST', '/v4/keyvalues/upgrade', { key: 'k', value: text, ttl: 0 })

/** Works on a database of a Footman that has been stopped. */
function change(product: Footman, name: string, sql: string): void {
  const db = new DatabaseSync(product.directory.join('data', name))
  db.exec(sql)
  db.close()
}

const OF_THE_FUTURE = `INSERT INTO schema_migration VALUES ('future-001', '2031-01-01T00:00:00Z');
  INSERT INTO written_by VALUES ('9.9.9', '2031-01-01T00:00:00Z')`
/** As if the newest change of the layout had not been there yet. */
const OF_THE_PAST = `DROP TABLE IF EXISTS storage_note; DELETE FROM schema_migration WHERE name = 'storage-001';
  DELETE FROM written_by; INSERT INTO written_by VALUES ('0.0.9', '2026-01-01T00:00:00Z')`

const start = (product: Footman) =>
  runToEnd(['-c', product.configFile, '--no-qs-connection'], { cwd: product.directory.path, timeout: 30_000 })

test('forward with a backup, back with it; nothing of the older time is lost', async () => {
  await using product = await footman({ simulator: null, args: ['--no-qs-connection'], config })
  await product.start()
  await put(product, 'old')
  expect(await product.process.stop()).toBe(0)
  expect(existsSync(product.directory.join('data', 'backup'))).toBe(false)
  change(product, 'footman.db', OF_THE_PAST)
  change(product, 'journal.db', OF_THE_PAST)

  await product.start()
  const { 1: path = '' } = await product.process.waitForLine(/MAIN: footman\.db is saved as (.*)$/)
  await product.process.waitForLine(/MAIN: journal\.db is saved as /)
  expect(await value(product)).toBe('old')
  await put(product, 'new')
  expect(await product.process.stop()).toBe(0)
  const backups = readdirSync(product.directory.join('data', 'backup')).sort()
  expect(backups.map((name) => name.replace(/\d{8}T\d{9}Z/, 'TIME'))).toEqual([
    'footman-0.0.9-TIME.db',
    'journal-0.0.9-TIME.db',
  ])

  // Back, step by step as in docs/operations.md.
  const data = (name: string) => product.directory.join('data', name)
  for (const companion of ['-wal', '-shm']) rmSync(data(`footman.db${companion}`), { force: true })
  renameSync(data('footman.db'), data('footman.db.newer'))
  copyFileSync(path, data('footman.db'))
  await product.start()
  expect(await value(product)).toBe('old')
  expect(await product.process.stop()).toBe(0)
}, 90_000)

test.each(['footman.db', 'journal.db'])(
  '%s of a newer Footman is refused, and stays as it is',
  async (name) => {
    await using product = await footman({ simulator: null, args: ['--no-qs-connection'], config })
    await product.start()
    await put(product, 'kept')
    expect(await product.process.stop()).toBe(0)
    change(product, name, OF_THE_FUTURE)
    const { code, stdout, stderr } = await start(product)
    expect(code).toBe(2)
    expect(`${stdout}\n${stderr}`).toMatch(
      new RegExp(
        `cannot start: The database ".*${name}" was written by Footman 9\\.9\\.9, which is newer .*\\(future-001\\)`,
      ),
    )
    change(product, name, "DELETE FROM schema_migration WHERE name = 'future-001'")
    await product.start()
    expect(await value(product)).toBe('kept')
    expect(await product.process.stop()).toBe(0)
  },
  90_000,
)

test('a start with databases that are up to date saves nothing', async () => {
  await using product = await footman({ simulator: null, args: ['--no-qs-connection'], config })
  for (let n = 0; n < 2; n++) {
    await product.start()
    expect(await product.process.stop()).toBe(0)
  }
  expect(existsSync(product.directory.join('data', 'backup'))).toBe(false)
}, 60_000)
