import { expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { chooseFile, fileIn, writeFileTo } from '../../../../src/reports/runs/storage.ts'
import { tempDirectory } from '../../../support/temp.ts'

function scene() {
  const folder = tempDirectory()
  mkdirSync(folder.join('space'))
  writeFileSync(folder.join('source'), 'new')
  const space = { id: 'share', name: 'Share', directory: folder.join('space'), projects: [], retentionDays: 0 }
  return { folder, space }
}
const payload = (changes: object) =>
  ({ spaceId: 'share', folder: [], name: 'a.pdf', onExists: 'overwrite', archive: null, ...changes }) as const

test.each([
  [{ folder: ['..', '..'] }],
  [{ folder: ['a', '..', '..', 'b'] }],
  [{ folder: ['..\\..\\'] }],
  [{ folder: ['C:foo'] }],
  [{ folder: ['a:stream'] }],
  [{ name: 'a:stream' }],
  [{ name: '../a.pdf' }],
  [{ name: '' }],
  [{ folder: ['link'] }],
  [{ folder: ['link', 'inner'] }],
])('%o is refused for good, and nothing appears outside of the space', async (changes) => {
  const { folder, space } = scene()
  await using _ = folder
  mkdirSync(folder.join('outside'))
  symlinkSync(folder.join('outside'), folder.join('space', 'link'))
  const fault = await chooseFile(space, payload(changes)).catch((error: unknown) => error)
  expect(fault).toMatchObject({ name: 'StorageError', lasting: true })
  expect(readdirSync(folder.join('outside'))).toEqual([])
  expect(readdirSync(folder.path).toSorted()).toEqual(['outside', 'source', 'space'])
})

test.each([
  ['overwrite', { name: 'a.pdf', skip: false }],
  ['suffix', { name: 'a (3).pdf', skip: false }],
  ['skip', { name: 'a.pdf', skip: true }],
])('onExists %s', async (onExists, expected) => {
  const { folder, space } = scene()
  await using _ = folder
  for (const name of ['a.pdf', 'a (2).pdf']) writeFileSync(folder.join('space', name), 'old')
  expect(await chooseFile(space, payload({ onExists }))).toMatchObject(expected)
})

test('onExists fail: refused for good', async () => {
  const { folder, space } = scene()
  await using _ = folder
  writeFileSync(folder.join('space', 'a.pdf'), 'old')
  expect(chooseFile(space, payload({ onExists: 'fail' }))).rejects.toMatchObject({ lasting: true })
})

test('a file is written whole into folders that are made; repeating it leaves the same file', async () => {
  const { folder, space } = scene()
  await using _ = folder
  const file = await chooseFile(space, payload({ folder: ['weekly', '2026'] }))
  for (let n = 0; n < 2; n++) await writeFileTo(file, folder.join('source'), 'id')
  expect(readdirSync(folder.join('space', 'weekly', '2026'))).toEqual(['a.pdf'])
  expect(readFileSync(folder.join('space', 'weekly', '2026', 'a.pdf'), 'utf8')).toBe('new')
})

test('a space that is away is tried again; a file out of the space is refused', async () => {
  const { folder, space } = scene()
  await using _ = folder
  const away = { ...space, directory: folder.join('gone') }
  expect(chooseFile(away, payload({}))).rejects.toMatchObject({ lasting: false })
  expect(existsSync(folder.join('gone'))).toBe(false)
  expect(fileIn(space, '../source')).rejects.toMatchObject({ name: 'StorageError' })
  expect(await fileIn(space, 'none.txt')).toBe(null)
})
