/** One file exchanged: a service entry made for Butler, and the data of the Footman before. */
import { expect, test } from 'bun:test'
import { copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { runBinary } from '../support/binary.ts'
import { footman } from '../support/footman.ts'
import { olderSite } from '../support/older.ts'
import { until } from '../support/wait.ts'
import { windowsHost } from '../support/wine/wine.ts'

test('butler.exe -c FILE runs with a file of Butler 16', async () => {
  const host = await windowsHost()
  await using site = await olderSite('butler-16', host.directoryIn)
  const folder = (name: string) => host.onDisk('Program Files', 'Footman', name)
  copyFileSync(folder('footman.exe'), site.directory.join('butler.exe'))
  copyFileSync(folder('bcryptprimitives.dll'), site.directory.join('bcryptprimitives.dll'))
  await using butler = runBinary(
    [host.path(site.directory.join('butler.exe')), '-c', host.path(site.directory.join('butler.yaml'))],
    { command: host.command, env: host.env, cwd: site.directory.path },
  )
  await Promise.all([
    butler.waitForLine(new RegExp(`UDP server listening on .*:${site.udpPort}`), 60_000),
    butler.waitForLine(new RegExp(`REST server listening on .*:${site.restPort}`), 60_000),
  ])
  const log = [...butler.stdout, ...butler.stderr]
  expect(log.filter((line) => line.includes('DEPRECATED'))).toEqual([])
}, 150_000)

test('a database of the Footman before is saved, then changed', async () => {
  const host = await windowsHost()
  await using product = await footman({ simulator: null, args: ['--no-qs-connection'], host })
  await product.start()
  const layout = product.directory.join('data', 'footman.db-layout')
  await until(() => existsSync(layout), { timeout: 20_000, what: 'the layout beside the database' })
  await product.process.kill9()
  const db = new DatabaseSync(product.directory.join('data', 'footman.db'))
  db.exec("DROP TABLE storage_note; DELETE FROM schema_migration WHERE name = 'storage-001'")
  db.close()
  await product.start()
  await product.process.waitForLine(/MAIN: footman\.db is saved as .*\\backup\\footman-.*\.db/)
  await product.process.waitForLine(/MAIN: footman\.db has the layout of Footman .* \(storage-001\)/)
  const backups = readdirSync(product.directory.join('data', 'backup'))
  expect(backups).toEqual([expect.stringMatching(/^footman-.*-\d{8}T\d{9}Z\.db$/)])
}, 120_000)

test('damaged databases and a damaged lock are replaced at the start, and what can be read is taken over', async () => {
  const host = await windowsHost()
  const config = {
    keyValueStore: { enable: true },
    restServerEndpointsEnable: { keyValueStore: true },
    footman: { access: { enable: true, anonymous: { scopes: ['*:*'] } } },
  }
  await using product = await footman({ simulator: null, args: ['--no-qs-connection'], host, config })
  await product.start()
  expect((await product.call('POST', '/v4/keyvalues/ns', { key: 'a', value: 'kept' })).status).toBe(201)
  const file = (name: string) => product.directory.join('data', name)
  await until(() => existsSync(file('footman.db-layout')), { timeout: 20_000, what: 'the layout beside the database' })
  await product.process.kill9()
  // What stands in the log would hide the damage.
  for (const name of ['footman.db', 'journal.db']) checkpoint(file(name))
  for (const name of ['footman.db', 'journal.db', 'footman.lock'])
    writeFileSync(file(name), Buffer.alloc(4096, 0x5a), { flag: 'r+' })
  await product.start()
  await product.process.waitForLine(
    /STORAGE: .*footman\.db was damaged .* It is kept as .*footman\.db\.corrupt-/,
    20_000,
  )
  const kept = readdirSync(product.directory.join('data')).filter((name) => /\.db\.corrupt-\d{8}-\d{6}$/.test(name))
  expect(kept.map((name) => name.split('.')[0]).sort()).toEqual(['footman', 'journal'])
  const value = await product.call('GET', '/v4/keyvalues/ns?key=a')
  expect(await value.json()).toMatchObject({ value: 'kept' })
}, 120_000)

function checkpoint(file: string): void {
  const db = new DatabaseSync(file)
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
}
