/** Attempts to get out of the approved directories on a real disk, judged by what happens outside of them. */
import { describe, expect, test } from 'bun:test'
import { mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { CANARY, type Disk, fileApi, fileDisk, leaks, operationsOn, snapshot } from '../../support/files.ts'

const OUTSIDE = ['secret', 'data2', 'cwd']
const ALL = ['data', 'arch', 'qvd', ...OUTSIDE]

type Call = readonly [method: string, path: string, body: (disk: Disk) => Record<string, unknown>]
type Attack = readonly [name: string, status: number, call: Call]

const copy = (from: string, to: string, more = {}): Call => [
  'PUT',
  '/v4/filecopy',
  (disk) => ({ fromFile: absolute(disk, from), toFile: absolute(disk, to), overwrite: true, ...more }),
]
const move = (from: string, to: string): Call => [
  'PUT',
  '/v4/filemove',
  (disk) => ({ fromFile: absolute(disk, from), toFile: absolute(disk, to), overwrite: true }),
]
const remove = (path: string, more = {}): Call => [
  'DELETE',
  '/v4/filedelete',
  (disk) => ({ deleteFile: absolute(disk, path), ...more }),
]
const make = (path: string): Call => ['POST', '/v4/createdir', (disk) => ({ directory: absolute(disk, path) })]
const makeQvd = (directory: string): Call => ['POST', '/v4/createdirqvd', () => ({ directory })]

/** `@` stands for the disk. */
const absolute = (disk: Disk, path: string): string => path.replaceAll('@', disk.root)

const ATTACKS: readonly Attack[] = [
  ['climbing out of the source', 403, copy('@/data/../secret/s.txt', '@/arch/x')],
  ['climbing out below the source', 403, copy('@/data/sub/../../secret/s.txt', '@/arch/x')],
  ['climbing out with back-slashes', 403, copy('@/data\\..\\secret\\s.txt', '@/arch/x')],
  ['climbing out of the target', 403, copy('@/data/a.txt', '@/arch/../secret/evil.txt')],
  ['encoded dots as source', 400, copy('@/data/%2e%2e/secret/s.txt', '@/arch/x')],
  ['doubly encoded dots as source', 400, copy('@/data/%252e%252e/secret/s.txt', '@/arch/x')],
  ['an absolute path elsewhere', 403, copy('@/secret/s.txt', '@/arch/x')],
  ['another approved directory, but of the other side', 403, copy('@/arch/x', '@/data/y')],
  ['a relative path with the approved names', 403, remove('data/a.txt')],
  [
    'a relative path with all approved names',
    403,
    ['DELETE', '/v4/filedelete', (disk) => ({ deleteFile: `${disk.root.slice(1)}/data/a.txt` })],
  ],
  ['a longer name', 403, copy('@/data2/z.txt', '@/arch/x')],
  ['a linked directory in the source', 403, copy('@/data/link/s.txt', '@/arch/x')],
  ['a linked directory as source', 403, copy('@/data/link', '@/arch/x')],
  ['a linked directory in the target', 403, copy('@/data/a.txt', '@/arch/linkout/planted.txt')],
  ['a linked directory as target', 403, copy('@/data/sub', '@/arch/linkout')],
  ['a new directory below a linked one', 403, copy('@/data/a.txt', '@/arch/linkout/new/planted.txt')],
  ['a linked file as source', 403, copy('@/data/flink', '@/arch/x')],
  ['a linked file as target', 403, copy('@/data/a.txt', '@/arch/flinkout')],
  ['a link to something that is not there yet as source', 403, copy('@/data/dangling', '@/arch/x')],
  ['a link upwards', 403, copy('@/data/up/secret/s.txt', '@/arch/x')],
  ['moving a link that leads out', 403, move('@/data/flink', '@/arch/x')],
  ['moving what is behind a link', 403, move('@/data/link/s.txt', '@/arch/x')],
  ['moving to behind a link', 403, move('@/data/a.txt', '@/arch/linkout/planted.txt')],
  ['deleting a link that leads out', 403, remove('@/data/flink')],
  ['deleting what is behind a link', 403, remove('@/data/link/s.txt')],
  ['deleting a tree behind a link', 403, remove('@/data/link/deep', { recursive: true })],
  ['deleting a linked tree', 403, remove('@/data/link', { recursive: true })],
  ['deleting the approved directory', 403, remove('@/data', { recursive: true })],
  ['deleting the approved directory with a slash', 403, remove('@/data/', { recursive: true })],
  ['deleting the approved directory with a dot', 403, remove('@/data/.', { recursive: true })],
  ['deleting the approved directory through another one', 403, remove('@/data/x/..', { recursive: true })],
  ['the approved directory as target', 403, copy('@/data/sub', '@/arch')],
  ['a share', 400, copy('//server3.my.domain/data1/a.txt', '@/arch/x')],
  ['a share as target', 400, copy('@/data/a.txt', '\\\\server3.my.domain\\data1\\a.txt')],
  ['a verbatim path', 400, copy('\\\\?\\E:\\data\\x', '@/arch/x')],
  ['a NUL byte', 400, copy('@/data/a.txt\0.png', '@/arch/x')],
  ['a line break', 400, copy('@/data/a.txt', '@/arch/x\ny')],
  ['a very long path', 400, copy(`@/data/${'x/'.repeat(2100)}`, '@/arch/x')],
  ['a very long name', 400, copy('@/data/a.txt', `@/arch/${'x'.repeat(300)}`)],
  ['a wildcard', 400, copy('@/data/*.txt', '@/arch/x')],
  ['whether a file outside exists', 403, copy('@/secret/nothing', '@/arch/x')],
  ['whether a file behind a link exists', 403, copy('@/data/link/nothing', '@/arch/x')],
  ['making a directory outside', 403, make('@/secret/new')],
  ['making a directory behind a link', 403, make('@/arch/linkout/new')],
  ['making a relative directory', 403, make('data/new')],
  ['climbing out of the QVD folder', 403, makeQvd('../evil')],
  ['the directory of the QVD folder', 403, makeQvd('..')],
  ['climbing out with a back-slash', 403, makeQvd('..\\evil2')],
  ['a link in the QVD folder', 403, makeQvd('linkout/new')],
]

describe('an attack', () => {
  test.each(ATTACKS)('%s', async (_, status, [method, path, body]) => {
    await using disk = fileDisk()
    await using api = await fileApi(disk)
    const [before, inside] = [snapshot(disk, OUTSIDE), snapshot(disk, ALL)]
    const request = body(disk)
    const dry = await api.call(method, `${path}?dryRun=true`, request)
    expect(snapshot(disk, ALL)).toEqual(inside)
    const answer = await api.call(method, path, request)
    expect([dry.status, answer.status]).toEqual([status, status])
    expect(answer.body).toEqual(dry.body)
    expect(snapshot(disk, OUTSIDE)).toEqual(before)
    expect(leaks(disk)).toEqual([])
  })

  test('the same answers whether or not something is there', async () => {
    await using disk = fileDisk()
    await using api = await fileApi(disk)
    for (const [there, absent] of [
      ['secret/s.txt', 'secret/none'],
      ['data/link/s.txt', 'data/link/none'],
      ['data/link/deep/t.txt', 'data/link/none/t.txt'],
    ] as const) {
      const ask = (path: string) =>
        api.call('PUT', '/v4/filemove', { fromFile: disk.at(path), toFile: disk.at('arch/x') })
      expect(await ask(there)).toEqual(await ask(absent))
    }
  })

  test('a tree with a link that leads out is neither copied, moved nor deleted, not even in part', async () => {
    await using disk = fileDisk()
    await using api = await fileApi(disk)
    disk.put('data/tree/1.txt')
    disk.put('data/tree/z/2.txt')
    symlinkSync('../../../secret', disk.at('data/tree/z/away'))
    const before = snapshot(disk, ALL)
    const [fromFile, toFile] = [disk.at('data/tree'), disk.at('arch/tree')]
    expect((await api.call('PUT', '/v4/filecopy', { fromFile, toFile })).status).toBe(403)
    expect((await api.call('PUT', '/v4/filemove', { fromFile, toFile })).status).toBe(403)
    expect((await api.call('DELETE', '/v4/filedelete', { deleteFile: fromFile, recursive: true })).status).toBe(403)
    expect(snapshot(disk, ALL)).toEqual(before)
  })
})

test('what a disk with the working directory beside it holds stays untouched by relative paths', async () => {
  await using disk = fileDisk()
  disk.put('cwd/data/a.txt', CANARY)
  await using api = await fileApi(disk)
  const before = snapshot(disk, OUTSIDE)
  expect((await api.call('DELETE', '/v4/filedelete', { deleteFile: 'data/a.txt' })).status).toBe(403)
  expect(snapshot(disk, OUTSIDE)).toEqual(before)
})

describe('links within', () => {
  test('the content of a linked file is copied, never the link', async () => {
    await using disk = fileDisk()
    await using api = await fileApi(disk)
    const copied = await api.call('PUT', '/v4/filecopy', {
      fromFile: disk.at('data/inner.txt'),
      toFile: disk.at('arch/copy.txt'),
    })
    expect(copied.status).toBe(201)
    expect(disk.text('arch/copy.txt')).toBe('content of a')
    expect(realpathSync(disk.at('arch/copy.txt'))).toBe(disk.at('arch/copy.txt'))
  })

  test('a path through a linked directory works', async () => {
    await using disk = fileDisk()
    await using api = await fileApi(disk)
    const [fromFile, toFile] = [disk.at('data/inner/b.txt'), disk.at('arch/b.txt')]
    expect((await api.call('PUT', '/v4/filecopy', { fromFile, toFile })).status).toBe(201)
    expect(disk.text('arch/b.txt')).toBe('content of b')
  })

  test('moving and deleting a link leaves what it leads to', async () => {
    await using disk = fileDisk()
    await using api = await fileApi(disk)
    expect((await api.call('DELETE', '/v4/filedelete', { deleteFile: disk.at('data/inner') })).status).toBe(204)
    const [fromFile, toFile] = [disk.at('data/inner.txt'), disk.at('arch/moved.txt')]
    expect((await api.call('PUT', '/v4/filemove', { fromFile, toFile })).status).toBe(201)
    expect([disk.has('data/inner'), disk.has('data/inner.txt')]).toEqual([false, false])
    expect([disk.text('data/sub/b.txt'), disk.text('data/a.txt')]).toEqual(['content of b', 'content of a'])
  })

  test('a circle of links is refused', async () => {
    await using disk = fileDisk()
    await using api = await fileApi(disk)
    disk.put('data/tree/1.txt')
    symlinkSync('..', disk.at('data/tree/circle'))
    mkdirSync(disk.at('data/tree/below'))
    symlinkSync('../below', disk.at('data/tree/below/circle'))
    const answer = await api.call('PUT', '/v4/filecopy', {
      fromFile: disk.at('data/tree/below'),
      toFile: disk.at('arch/tree'),
    })
    expect([answer.status, disk.has('arch/tree')]).toEqual([403, false])
  })
})

/** Exchanges a directory and a link that leads out, as fast as it can. */
const SWAPPER = `
  const { renameSync, symlinkSync, mkdirSync, unlinkSync } = require('node:fs')
  const { workerData, parentPort } = require('node:worker_threads')
  const stop = new Int32Array(workerData.stop)
  let swaps = 0
  while (Atomics.load(stop, 0) === 0) {
    for (const { path, aside, target } of workerData.victims) {
      try {
        renameSync(path, aside)
        symlinkSync(target, path)
        unlinkSync(path)
        renameSync(aside, path)
        swaps++
      } catch {}
    }
  }
  parentPort.postMessage(swaps)`

// Elsewhere a directory can only be compared before its use, see docs/load-scripts.md#file-operations.
test.skipIf(process.platform !== 'linux')(
  'links that are slipped in while operations run lead nowhere',
  async () => {
    await using disk = fileDisk()
    const before = snapshot(disk, OUTSIDE)
    const operations = operationsOn(disk)
    disk.put('data/race/s.txt', 'harmless')
    mkdirSync(disk.at('arch/race'))
    const stop = new SharedArrayBuffer(4)
    const victims = ['data/race', 'arch/race'].map((path) => ({
      path: disk.at(path),
      aside: disk.at(`${path}-aside`),
      target: disk.at('secret'),
    }))
    const swapper = new Worker(SWAPPER, { eval: true, workerData: { stop, victims } })
    const swaps = new Promise<number>((resolve) => swapper.once('message', resolve))
    let names = 0
    const work = {
      signal: new AbortController().signal,
      tally: { files: 0, filesDone: 0, bytes: 0, bytesDone: 0 },
      temporaryName: async () => `.footman-019cad58-bd80-7e8c-9902-207afaeb7120-${names++}.tmp`,
    }
    let done = 0
    for (let round = 0; round < 300; round++) {
      const attempts = [
        operations.run(
          {
            operation: 'copy',
            from: disk.at('data/race/s.txt'),
            to: disk.at(`arch/race/${round}/x.txt`),
            overwrite: true,
            preserveTimestamp: false,
          },
          work,
        ),
        operations.run({ operation: 'createdir', directory: disk.at(`arch/race/made/${round}`) }, work),
        operations.run({ operation: 'delete', from: disk.at('data/race/t.txt'), recursive: false }, work),
        operations.run({ operation: 'delete', from: disk.at('data/race/deep'), recursive: true }, work),
      ]
      for (const { status } of await Promise.allSettled(attempts)) if (status === 'fulfilled') done += 1
    }
    Atomics.store(new Int32Array(stop), 0, 1)
    expect(await swaps).toBeGreaterThan(0)
    await swapper.terminate()
    expect(done).toBeGreaterThan(0)
    expect(snapshot(disk, OUTSIDE)).toEqual(before)
    expect(leaks(disk)).toEqual([])
  },
  60_000,
)
