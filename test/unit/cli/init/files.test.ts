/** The files of `footman init` and `footman log-appender` on the disk. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { writeFiles } from '../../../../src/cli/init/index.ts'
import { runLogAppender } from '../../../../src/cli/init/log-appender.ts'
import { recordedIo } from '../../../support/service-host.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'

let folder: TempDirectory
beforeEach(() => {
  folder = tempDirectory()
})
afterEach(() => folder.remove())

test('what was written is taken away when a later file fails, so that the command can be repeated', async () => {
  mkdirSync(folder.join('appender.xml'))
  const files = [
    { path: folder.join('footman.yaml'), text: 'secret', isPrivate: true },
    { path: folder.join('appender.xml'), text: 'x' },
  ]
  await expect(writeFiles(files, false, 'linux')).rejects.toThrow()
  expect(readdirSync(folder.path)).toEqual(['appender.xml'])
})

test('what was replaced stays', async () => {
  writeFileSync(folder.join('footman.yaml'), 'old')
  mkdirSync(folder.join('appender.xml'))
  const files = ['footman.yaml', 'appender.xml'].map((name) => ({ path: folder.join(name), text: 'new' }))
  await expect(writeFiles(files, true, 'linux')).rejects.toThrow()
  expect(readFileSync(folder.join('footman.yaml'), 'utf8')).toBe('new')
})

test.skipIf(process.platform === 'win32').each([
  ['with a shared secret', { footman: { udp: { sharedSecrets: ['0123456789abcdef'] } } }, 0o600],
  ['without', {}, 0o644],
])('a log appender file %s', async (_, butler, mode) => {
  const udpServerConfig = { enable: true }
  writeFileSync(folder.join('footman.yaml'), JSON.stringify({ Butler: { udpServerConfig, ...butler } }))
  const options = { configfile: 'footman.yaml', address: '10.0.0.1', output: 'out.xml' }
  const surroundings = { env: {}, cwd: folder.path, platform: 'linux' } as const
  expect(await runLogAppender(options, recordedIo(), surroundings)).toBe(0)
  expect(statSync(folder.join('out.xml')).mode & 0o777).toBe(mode)
  expect(await runLogAppender(options, recordedIo(), surroundings)).toBe(1)
  expect(existsSync(folder.join('out.xml'))).toBe(true)
})
