import { expect, test } from 'bun:test'
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { StartError } from '../../../src/platform/errors.ts'
import { lockDirectory } from '../../../src/platform/lock.ts'
import { runBinary } from '../../support/binary.ts'
import { tempDirectory } from '../../support/temp.ts'

const child = join(import.meta.dirname, '..', '..', 'support', 'lock-child.ts')

function failure(directory: string): StartError {
  try {
    lockDirectory(directory).release()
  } catch (error) {
    expect(error).toBeInstanceOf(StartError)
    return error as StartError
  }
  throw new Error('the directory was free')
}

test('another process cannot have the directory until the first one is gone, kill -9 included', async () => {
  await using folder = tempDirectory()
  const first = runBinary(['--no-env-file', child, folder.path], { command: process.execPath })
  await first.waitForLine(/locked/)
  const message = failure(folder.path).message
  expect(message).toStartWith(
    `The data directory "${folder.path}" is in use by another Footman (process ${first.pid}, `,
  )
  await first.kill9()
  lockDirectory(folder.path).release()
})

test('also within one process, and free again after the release', async () => {
  await using folder = tempDirectory()
  const lock = lockDirectory(folder.path)
  expect(failure(folder.path).message).toContain(`process ${process.pid}`)
  lock.release()
  lock.release()
  lockDirectory(folder.path).release()
})

test('a missing directory is told', () => {
  expect(failure('/no/such/directory').message).toStartWith('The data directory "/no/such/directory" cannot be locked')
})

test('damaged, it can be taken, but not from a process that holds it', async () => {
  await using folder = tempDirectory()
  const nonsense = () => writeFileSync(folder.join('footman.lock'), Buffer.alloc(5000, 0x5a))
  nonsense()
  lockDirectory(folder.path).release()
  const first = runBinary(['--no-env-file', child, folder.path], { command: process.execPath })
  await first.waitForLine(/locked/)
  nonsense()
  expect(failure(folder.path).message).toContain('is in use by another Footman')
  await first.kill9()
})

test('renewed in the directory where it is held already, it stays', async () => {
  await using folder = tempDirectory()
  const lock = lockDirectory(folder.path)
  lock.renew()
  expect(failure(folder.path).message).toContain('is in use by another Footman')
  lock.release()
  lockDirectory(folder.path).release()
})

test.skipIf(process.platform === 'win32')('is taken again in a directory that was made anew', async () => {
  await using folder = tempDirectory()
  const path = folder.join('data')
  await mkdir(path)
  const lock = lockDirectory(path)
  rmSync(path, { recursive: true })
  await mkdir(path)
  lock.renew()
  expect(failure(path).message).toContain(`process ${process.pid}`)
  lock.release()
  lockDirectory(path).release()
})

test.each(['footman.db', 'footman.db-wal', 'journal.db', 'footman.lock', 'cluster.json'])(
  'a link %s is not followed, and named',
  async (name) => {
    await using folder = tempDirectory()
    await using others = tempDirectory()
    const other = others.join('other')
    writeFileSync(other, 'of another program')
    symlinkSync(other, folder.join(name))
    const { message, hint } = failure(folder.path)
    expect([message, hint]).toEqual([
      `${folder.join(name)} is a link, and Footman follows none in its data directory`,
      expect.stringContaining('Butler.footman.dataDirectory'),
    ])
    expect(readFileSync(other, 'utf8')).toBe('of another program')
  },
)

test('other files in a data directory may be links', async () => {
  await using folder = tempDirectory()
  for (const name of ['footman.yaml', 'journal.txt', 'footman.reserve']) symlinkSync('/dev/null', folder.join(name))
  lockDirectory(folder.path).release()
})

test('a data directory that is a link is used, with folders in it that are links', async () => {
  await using folder = tempDirectory()
  await mkdir(folder.join('data'))
  await mkdir(folder.join('blobs'))
  symlinkSync(folder.join('blobs'), folder.join('data', 'blobs'))
  symlinkSync(folder.join('data'), folder.join('link'))
  lockDirectory(folder.join('link')).release()
})
