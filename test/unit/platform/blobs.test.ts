import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBlobs } from '../../../src/platform/blobs.ts'
import { exists } from '../../../src/platform/files.ts'

/** sha256sum of "hello" */
const HELLO = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'blobs-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('content is kept by its hash, once, for this account alone', async () => {
  const blobs = createBlobs(directory)
  const path = join(directory, 'blobs', '2c', HELLO)
  expect(await blobs.put(Buffer.from('hello'))).toEqual({ sha256: HELLO, bytes: 5 })
  expect(await blobs.put(Buffer.from('hello'))).toEqual({ sha256: HELLO, bytes: 5 })
  expect(blobs.path(HELLO)).toBe(path)
  expect(await readFile(path, 'utf8')).toBe('hello')
  expect(await readdir(join(directory, 'blobs', '2c'))).toEqual([HELLO])
  if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600)
})

test('a finished file is moved', async () => {
  const blobs = createBlobs(directory)
  for (const name of ['one', 'two']) {
    const file = join(directory, name)
    await writeFile(file, 'hello')
    expect(await blobs.putFile(file)).toEqual({ sha256: HELLO, bytes: 5 })
    expect(await exists(file)).toBe(false)
  }
  expect(await readFile(blobs.path(HELLO), 'utf8')).toBe('hello')
})

test('old files without reference are removed; put again they are new', async () => {
  const blobs = createBlobs(directory)
  const names = ['hello', 'kept', 'fresh', 'again']
  const put = await Promise.all(names.map((text) => blobs.put(Buffer.from(text))))
  const [hello, kept, fresh, again] = put.map(({ sha256 }) => sha256)
  const leftover = join(directory, 'blobs', '2c', `.${HELLO}.abc.tmp`)
  await writeFile(leftover, 'hel')
  const longAgo = new Date(Date.now() - 7_200_000)
  for (const file of [hello, kept, again].map((sha256) => blobs.path(sha256!)).concat(leftover)) {
    await utimes(file, longAgo, longAgo)
  }
  await blobs.put(Buffer.from('again'))
  const removed = await blobs.removeUnreferenced((sha256) => sha256 === kept, Date.now() - 3_600_000)
  expect(removed).toBe(2)
  expect(await Promise.all([hello, kept, fresh, again].map((sha256) => exists(blobs.path(sha256!))))).toEqual([
    false,
    true,
    true,
    true,
  ])
  expect(await exists(leftover)).toBe(false)
})

test('only hashes are paths', () => {
  const blobs = createBlobs(directory)
  for (const text of ['../../etc/passwd', '', HELLO.toUpperCase(), `${HELLO}/x`]) {
    expect(() => blobs.path(text)).toThrow(RangeError)
  }
})
