/** One file exchanged: a service entry made for Butler, and the data of the Footman before. */
import { expect, test } from 'bun:test'
import { copyFileSync, readdirSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { runBinary } from '../support/binary.ts'
import { footman } from '../support/footman.ts'
import { olderSite } from '../support/older.ts'
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
