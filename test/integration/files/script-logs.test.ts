/** Script logs in folders of the configuration: what is read, and that nothing else ever is. */
import { afterEach, describe, expect, test } from 'bun:test'
import { linkSync, mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLogFolders, missingLogFolders } from '../../../src/files/script-logs.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

const NOW = Date.parse('2026-03-02T06:03:11.482Z')
const LOCATION = 'qs-2\\Script\\a1.20260302T060001.log'
let directory: TempDirectory | null = null
afterEach(() => {
  directory?.remove()
  directory = null
})

/** A share with `ArchivedLogs/qs-2/Script`, beside it a folder with secrets. */
function share(folders: readonly string[] = ['ArchivedLogs']) {
  directory = tempDirectory()
  const at = directory.path
  mkdirSync(join(at, 'ArchivedLogs/qs-2/Script'), { recursive: true })
  mkdirSync(join(at, 'secrets'))
  function put(path: string, text = 'the log', ageMs = 60_000): void {
    writeFileSync(join(at, path), text)
    utimesSync(join(at, path), new Date(NOW - ageMs), new Date(NOW - ageMs))
  }
  put('secrets/key.log', 'secret')
  const log = recordingLog()
  const absolute = folders.map((folder) => (folder.startsWith('/') ? folder : join(at, folder)))
  const { read, problem } = createLogFolders({ log, clock: { now: () => NOW } }, absolute)!
  return { at, put, read, problem, log, warnings: () => log.of('warn') }
}

const SCRIPT = 'ArchivedLogs/qs-2/Script'
const FILE = `${SCRIPT}/a1.20260302T060001.log`

describe('a script log in a folder', () => {
  test('is read by the location that Qlik Sense reports, without its byte-order mark', async () => {
    const { put, read, warnings } = share()
    put(FILE, '\ufeffExecution started.\r\nExecution Failed\r\n')
    expect(await read(LOCATION)).toBe('Execution started.\r\nExecution Failed\r\n')
    expect(await read(LOCATION.replaceAll('\\', '/'))).toContain('Failed')
    expect(warnings()).toEqual([])
  })

  test('is read as UTF-16 without its byte-order mark', async () => {
    const { at, put, read } = share()
    put(FILE)
    writeFileSync(join(at, FILE), 'Execution started.\r\n', 'utf16le')
    utimesSync(join(at, FILE), 0, 0)
    expect(await read(LOCATION)).toBe('Execution started.\r\n')
  })

  test('may be named with its whole path', async () => {
    const { at, put, read } = share()
    put(FILE)
    expect(await read(join(at, FILE))).toBe('the log')
  })

  test('is found in the first folder that has it; a folder that is not there is passed over', async () => {
    const { put, read, warnings } = share(['none', 'ArchivedLogs'])
    put(FILE)
    expect(await read(LOCATION)).toBe('the log')
    expect(warnings()).toEqual([])
  })

  test('is read through links that stay in the folder, and where the folder itself is a link', async () => {
    const { at, put, read } = share(['link'])
    put(FILE)
    symlinkSync(join(at, 'ArchivedLogs'), join(at, 'link'))
    symlinkSync(join(at, FILE), join(at, SCRIPT, 'again.log'))
    expect(await read('qs-2/Script/again.log')).toBe('the log')
  })

  test('is awaited while it may still grow', async () => {
    const { put, read, problem, warnings } = share()
    put(FILE, 'half', 500)
    expect(await read(LOCATION)).toBeNull()
    expect(problem(LOCATION)).toMatch(/The file in .* is not read: it has changed .* ask again/)
    put(FILE, 'whole', 3000)
    expect(await read(LOCATION)).toBe('whole')
    expect([problem(LOCATION), warnings()]).toEqual([null, []])
  })

  test('is not read when it is too large, which is said once', async () => {
    const { at, put, read, problem, warnings } = share()
    put(FILE)
    truncateSync(join(at, FILE), 64 * 1024 * 1024 + 1)
    utimesSync(join(at, FILE), 0, 0)
    expect([await read(LOCATION), await read(LOCATION)]).toEqual([null, null])
    expect(warnings()).toEqual([expect.stringMatching(/SCRIPT LOGS: .* is not read in .*: it has 67108865 bytes/)])
    expect(problem(LOCATION)).toContain('it has 67108865 bytes; at most 67108864 are read.')
  })
})

describe('nothing is read', () => {
  test.each([
    ['above the folder', '../secrets/key.log', null],
    ['above the folder, with backslashes', 'qs-2\\..\\..\\secrets\\key.log', null],
    ['of an absolute path elsewhere', '/etc/hostname.log', null],
    ['of the folder itself', '.', null],
    ['of a folder', 'qs-2/folder.log', null],
    ['of a file that is no log', 'qs-2/Script/notes.txt', null],
    ['of what is not there', 'qs-2/Script/none.log', null],
    ['of a text that is no path', 'qs-2/Script/a\0.log', null],
    ['through a link to a file elsewhere', 'qs-2/Script/link.log', /leads out of the folder/],
    ['through a link to a folder elsewhere', 'qs-2/out/key.log', /leads out of the folder/],
    ['through a link that leads nowhere', 'qs-2/Script/dangling.log', /leads out of the folder/],
  ])('%s', async (_, location, warning) => {
    const { at, put, read, warnings } = share()
    put(`${SCRIPT}/notes.txt`)
    mkdirSync(join(at, 'ArchivedLogs/qs-2/folder.log'))
    symlinkSync(join(at, 'secrets/key.log'), join(at, SCRIPT, 'link.log'))
    symlinkSync(join(at, 'secrets'), join(at, 'ArchivedLogs/qs-2/out'))
    symlinkSync(join(at, 'nowhere.log'), join(at, SCRIPT, 'dangling.log'))
    expect(await read(location)).toBeNull()
    expect(warnings()).toEqual(warning === null ? [] : [expect.stringMatching(warning)])
  })

  test('where a whole drive or a UNC path of Windows is named; both are warned about', async () => {
    const { at, put, read, warnings } = share(['/', '//server/share'])
    put(FILE)
    expect(await read(join(at, FILE))).toBeNull()
    expect(warnings()).toEqual([
      expect.stringContaining('"/" is a whole drive and approves nothing'),
      expect.stringContaining("UNC paths won't work on non-Windows OSs"),
    ])
  })
})

test('without folders there is no reader, and those that do not exist are named', async () => {
  const { at } = share()
  expect(createLogFolders({ log: recordingLog(), clock: { now: () => NOW } }, [])).toBeNull()
  linkSync(join(at, 'secrets/key.log'), join(at, 'file'))
  const folders = ['ArchivedLogs', 'none', 'file'].map((name) => join(at, name))
  expect(await missingLogFolders(folders)).toEqual([
    { key: 'footman.scriptLogs.folders[1]', path: join(at, 'none') },
    { key: 'footman.scriptLogs.folders[2]', path: join(at, 'file') },
  ])
})
