/** A service entry made for Butler: `butler.exe -c FILE`, with nothing but the file of the program exchanged. */
import { expect, test } from 'bun:test'
import { copyFileSync } from 'node:fs'
import { runBinary } from '../support/binary.ts'
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
