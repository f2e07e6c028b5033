import { describe, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { StartError } from '../../../src/platform/errors.ts'
import { ensureWritableDirectory, exists, removeAll, writeFileAtomic } from '../../../src/platform/files.ts'
import { tempDirectory } from '../../support/temp.ts'

const posix = process.platform !== 'win32'

describe('writeFileAtomic', () => {
  test('creates and replaces, leaving nothing beside the file', async () => {
    await using folder = tempDirectory()
    const path = folder.join('schedule.yaml')
    await writeFileAtomic(path, 'one')
    await writeFileAtomic(path, new TextEncoder().encode('two'))
    expect(readFileSync(path, 'utf8')).toBe('two')
    expect(readdirSync(folder.path)).toEqual(['schedule.yaml'])
  })

  test.skipIf(!posix)('keeps permissions and writes through links', async () => {
    await using folder = tempDirectory()
    const path = folder.join('real')
    writeFileSync(path, 'old', { mode: 0o600 })
    symlinkSync(path, folder.join('link'))
    await writeFileAtomic(folder.join('link'), 'new')
    expect(readFileSync(path, 'utf8')).toBe('new')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await writeFileAtomic(folder.join('secret'), 'x', 0o600)
    expect(statSync(folder.join('secret')).mode & 0o777).toBe(0o600)
  })

  test('a failure leaves the old file and no temporary one', async () => {
    await using folder = tempDirectory()
    mkdirSync(folder.join('target'))
    writeFileSync(folder.join('target', 'inside'), 'x')
    await expect(writeFileAtomic(folder.join('target'), 'x')).rejects.toThrow()
    expect(readdirSync(folder.path)).toEqual(['target'])
    await expect(writeFileAtomic(folder.join('missing', 'file'), 'x')).rejects.toThrow(/ENOENT/)
  })

  test('a hundred writers at once leave one whole file', async () => {
    await using folder = tempDirectory()
    const path = folder.join('file')
    await Promise.all(Array.from({ length: 100 }, (_, index) => writeFileAtomic(path, String(index % 10).repeat(5000))))
    const text = readFileSync(path, 'utf8')
    expect(text).toBe(text[0]!.repeat(5000))
    expect(readdirSync(folder.path)).toEqual(['file'])
  })
})

test('removeAll takes a tree, a file, a link without its target, and nothing', async () => {
  await using folder = tempDirectory()
  mkdirSync(folder.join('tree', 'a', 'b'), { recursive: true })
  writeFileSync(folder.join('tree', 'a', 'b', 'file'), '')
  writeFileSync(folder.join('kept'), '')
  writeFileSync(folder.join('file'), '')
  if (posix) symlinkSync(folder.path, folder.join('tree', 'a', 'link'))
  for (const name of ['tree', 'file', 'nothing']) await removeAll(folder.join(name))
  expect(readdirSync(folder.path)).toEqual(['kept'])
})

test('exists', async () => {
  await using folder = tempDirectory()
  expect(await exists(folder.path)).toBe(true)
  expect(await exists(folder.join('nothing'))).toBe(false)
})

describe('ensureWritableDirectory', () => {
  test('creates the directory and leaves nothing in it', async () => {
    await using folder = tempDirectory()
    await ensureWritableDirectory(folder.join('a', 'b'), 'The data directory')
    expect(readdirSync(folder.join('a', 'b'))).toEqual([])
  })

  test('a file in the way is told with path and reason', async () => {
    await using folder = tempDirectory()
    writeFileSync(folder.join('data'), '')
    const error = await ensureWritableDirectory(folder.join('data'), 'The data directory').catch((caught) => caught)
    expect(error).toBeInstanceOf(StartError)
    expect(error.message).toStartWith(`The data directory "${folder.join('data')}" is not usable: `)
  })

  test.skipIf(process.platform !== 'linux')('a directory that takes no files is told', async () => {
    const error = await ensureWritableDirectory('/proc', 'The data directory').catch((caught) => caught)
    expect(error).toBeInstanceOf(StartError)
  })
})
