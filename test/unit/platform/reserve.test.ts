import { expect, test } from 'bun:test'
import { existsSync, lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createReserve, releaseReserve } from '../../../src/platform/storage/reserve.ts'
import { SILENT } from '../../../src/platform/types.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { tempDirectory } from '../../support/temp.ts'

const MB = 1024 * 1024

test('room is set aside once, and again when it was given back', async () => {
  const directory = tempDirectory()
  const file = directory.join('footman.reserve')
  const reserve = createReserve(directory.path, 2.5 * MB, SILENT)
  await Promise.all([reserve.keep(), reserve.keep()])
  const { size, ino, mtimeMs } = statSync(file)
  expect(size).toBe(2.5 * MB)
  await reserve.keep()
  expect(statSync(file)).toMatchObject({ ino, mtimeMs })
  releaseReserve(directory.path)
  expect(existsSync(file)).toBe(false)
  releaseReserve(directory.path)
  await reserve.keep()
  expect(statSync(file).size).toBe(2.5 * MB)
})

test('a file of another size, as of a process that was killed, is made anew', async () => {
  const directory = tempDirectory()
  writeFileSync(directory.join('footman.reserve'), 'short')
  await createReserve(directory.path, MB, SILENT).keep()
  expect(statSync(directory.join('footman.reserve')).size).toBe(MB)
})

test('a disk without plenty of room, or without the folder, is left alone', async () => {
  const directory = tempDirectory()
  const log = recordingLog()
  const reserve = createReserve(directory.path, 2 ** 52, log)
  await reserve.keep()
  await reserve.keep()
  await createReserve(directory.join('away'), MB, log).keep()
  expect(log.of('info')).toEqual([
    expect.stringMatching(/^STORAGE: No room of .* MB is set aside in .*: only .* MB are free, and .* MB are wanted$/),
    expect.stringMatching(/^STORAGE: No room of 1\.0 MB is set aside in .*away .*ENOENT/),
  ])
  releaseReserve(directory.join('away'))
  expect(existsSync(directory.join('footman.reserve'))).toBe(false)
  expect(existsSync(directory.join('away'))).toBe(false)
})

test.skipIf(process.platform === 'win32')('a link of that name is replaced, what it leads to stays', async () => {
  const directory = tempDirectory()
  const target = directory.join('precious')
  const file = directory.join('footman.reserve')
  for (const content of ['precious', Buffer.alloc(MB)]) {
    writeFileSync(target, content)
    symlinkSync(target, file)
    await createReserve(directory.path, MB, SILENT).keep()
    expect(readFileSync(target).equals(Buffer.from(content))).toBe(true)
    expect(lstatSync(file)).toMatchObject({ size: MB })
    expect(lstatSync(file).isFile()).toBe(true)
    releaseReserve(directory.path)
  }
})
