import { expect, test } from 'bun:test'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { createReserve, releaseReserve } from '../../../src/platform/storage/reserve.ts'
import { tempDirectory } from '../../support/temp.ts'

const MB = 1024 * 1024

test('room is set aside once, and again when it was given back', async () => {
  const directory = tempDirectory()
  const file = directory.join('footman.reserve')
  const reserve = createReserve(directory.path, 2.5 * MB)
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
  await createReserve(directory.path, MB).keep()
  expect(statSync(directory.join('footman.reserve')).size).toBe(MB)
})

test('a disk without plenty of room, or without the folder, is left alone', async () => {
  const directory = tempDirectory()
  await createReserve(directory.path, 2 ** 52).keep()
  await createReserve(directory.join('away'), MB).keep()
  releaseReserve(directory.join('away'))
  expect(existsSync(directory.join('footman.reserve'))).toBe(false)
  expect(existsSync(directory.join('away'))).toBe(false)
})
