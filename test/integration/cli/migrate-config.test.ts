/** `footman migrate-config`: where the new text goes, and what is refused. */
import { expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { type MigrateOptions, runMigrateConfig } from '../../../src/cli/migrate-config.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

const OLD =
  'Butler:\r\n  # beats\r\n  heartbeat:\r\n    enabled: false # off\r\n    remoteURL: http://secret.example/\r\n'
const NEW = `${OLD.replace('enabled', 'enable')}  footman:\r\n    compatibility: butler\r\n`

async function migrate(folder: TempDirectory, file: string, options: MigrateOptions = {}) {
  const [out, err]: [string[], string[]] = [[], []]
  const io = { out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) }
  const code = await runMigrateConfig(file, options, io, folder.path)
  return { code, out: out.map((text) => `${text}\n`).join(''), err: err.join('\n') }
}

function folderWith(text = OLD): TempDirectory {
  const folder = tempDirectory()
  writeFileSync(folder.join('butler.yaml'), text)
  return folder
}

const read = (folder: TempDirectory, name: string) => readFileSync(folder.join(name), 'utf8')

test('to standard output; what was changed to standard error, without values', async () => {
  await using folder = folderWith()
  expect(await migrate(folder, 'butler.yaml')).toEqual({
    code: 0,
    out: NEW,
    err: 'butler.yaml: 2 changes\n  line 3: added Butler.footman.compatibility\n  line 4: moved Butler.heartbeat.enabled -> Butler.heartbeat.enable',
  })
  expect(readdirSync(folder.path)).toEqual(['butler.yaml'])
  expect(read(folder, 'butler.yaml')).toBe(OLD)
})

test('to another file, which whoever could read the old one may read; not over one that is there', async () => {
  await using folder = folderWith()
  chmodSync(folder.join('butler.yaml'), 0o640)
  expect(await migrate(folder, 'butler.yaml', { output: 'new.yaml' })).toMatchObject({ code: 0, out: '' })
  expect(read(folder, 'new.yaml')).toBe(NEW)
  expect(statSync(folder.join('new.yaml')).mode & 0o777).toBe(0o640)
  writeFileSync(folder.join('new.yaml'), 'mine')
  expect(await migrate(folder, 'butler.yaml', { output: 'new.yaml' })).toEqual({
    code: 1,
    out: '',
    err: 'error: new.yaml exists: give --force to overwrite it, or another name',
  })
  expect(read(folder, 'new.yaml')).toBe('mine')
  expect((await migrate(folder, 'butler.yaml', { output: 'new.yaml', force: true })).code).toBe(0)
  expect(read(folder, 'new.yaml')).toBe(NEW)
})

test('in place, through links, with the old file beside it; a second time nothing happens', async () => {
  await using folder = folderWith()
  symlinkSync(folder.join('butler.yaml'), folder.join('link.yaml'))
  expect((await migrate(folder, 'link.yaml', { inPlace: true })).code).toBe(0)
  expect([read(folder, 'butler.yaml'), read(folder, 'link.yaml.old')]).toEqual([NEW, OLD])
  const again = await migrate(folder, 'butler.yaml', { inPlace: true })
  expect(again).toEqual({ code: 0, out: '', err: 'butler.yaml has the present layout; nothing was changed' })
  writeFileSync(folder.join('butler.yaml'), OLD)
  writeFileSync(folder.join('butler.yaml.old'), 'older')
  expect(await migrate(folder, 'butler.yaml', { inPlace: true })).toMatchObject({ code: 1 })
  expect([read(folder, 'butler.yaml'), read(folder, 'butler.yaml.old')]).toEqual([OLD, 'older'])
})

test('a file that cannot be written leaves everything as it was', async () => {
  await using folder = folderWith()
  const { code, err } = await migrate(folder, 'butler.yaml', { output: 'nowhere/new.yaml' })
  expect([code, err]).toEqual([
    4,
    expect.stringMatching(/error: the new file cannot be written: .*butler.yaml is as it was/),
  ])
})

test.each([
  ['missing.yaml', {}, /does not exist: missing\.yaml/],
  ['butler.txt', {}, /must end in \.yaml/],
  ['folder.yaml', {}, /is a folder/],
  ['program.yaml', {}, /is not a text file/],
  ['tabs.yaml', {}, /^tabs\.yaml:2:1 error is not valid YAML: .*Hint: indent with blanks/],
  ['twice.yaml', {}, /^twice\.yaml:3:3 error is not valid YAML: the key stands twice/],
  ['twice.yaml', { output: 'a.yaml', inPlace: true }, /exclude each other/],
])('%s %j is refused', async (file, options, message) => {
  await using folder = tempDirectory()
  mkdirSync(folder.join('folder.yaml'))
  writeFileSync(folder.join('program.yaml'), Buffer.from([0x4d, 0x5a, 0x00, 0xe4]))
  writeFileSync(folder.join('tabs.yaml'), 'Butler:\n\tlogLevel: info\n')
  writeFileSync(folder.join('twice.yaml'), 'Butler:\n  logLevel: info\n  logLevel: warn\n')
  const { code, out, err } = await migrate(folder, file, options)
  expect([code, out, err]).toEqual([1, '', expect.stringMatching(message)])
})
