/** What the file operations do and answer, on a real disk. */
import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, utimesSync } from 'node:fs'
import { CANARY, type Disk, fileApi, fileDisk, snapshot } from '../../support/files.ts'

const E1 = (statusCode: number, error: string, message: string) => ({ statusCode, error, message })
const OLD = new Date('2020-09-29T17:14:56.123Z')

async function site(options: Parameters<typeof fileApi>[1] = {}) {
  const disk = fileDisk()
  const api = await fileApi(disk, options)
  const paths = (from: string, to: string, more = {}) => ({ fromFile: disk.at(from), toFile: disk.at(to), ...more })
  return {
    disk,
    api,
    paths,
    copy: (from: string, to: string, more = {}, query = '') =>
      api.call('PUT', `/v4/filecopy${query}`, paths(from, to, more)),
    move: (from: string, to: string, more = {}, query = '') =>
      api.call('PUT', `/v4/filemove${query}`, paths(from, to, more)),
    remove: (path: string, more = {}, query = '') =>
      api.call('DELETE', `/v4/filedelete${query}`, { deleteFile: disk.at(path), ...more }),
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]()
      await disk[Symbol.asyncDispose]()
    },
  }
}

const noLeftovers = (disk: Disk) =>
  expect(Object.keys(snapshot(disk, ['data', 'arch'])).filter((path) => path.includes('.footman-'))).toEqual([])

describe('copy', () => {
  test('a file with its time, texts as booleans, and the answer of the predecessor with one member more', async () => {
    await using s = await site()
    utimesSync(s.disk.at('data/a.txt'), OLD, OLD)
    chmodSync(s.disk.at('data/a.txt'), 0o640)
    const answer = await s.copy('data/a.txt', 'arch/new/sub/a.txt', { overwrite: 'true', preserveTimestamp: 'true' })
    expect(answer).toEqual({
      status: 201,
      body: { ...s.paths('data/a.txt', 'arch/new/sub/a.txt'), overwrite: true, preserveTimestamp: true, copied: true },
    })
    expect(s.disk.text('arch/new/sub/a.txt')).toBe('content of a')
    const stats = statSync(s.disk.at('arch/new/sub/a.txt'))
    expect([stats.mtime, stats.mode & 0o777]).toEqual([OLD, 0o640])
    noLeftovers(s.disk)
  })

  test('without overwrite an existing target stays, and the answer says so', async () => {
    await using s = await site()
    s.disk.put('arch/a.txt', 'old')
    const before = snapshot(s.disk, ['arch'])
    expect(await s.copy('data/a.txt', 'arch/a.txt', { overwrite: 'false' })).toMatchObject({
      status: 201,
      body: { overwrite: false, copied: false },
    })
    expect(snapshot(s.disk, ['arch'])).toEqual(before)
    expect((await s.copy('data/a.txt', 'arch/a.txt', { overwrite: 1 })).body.copied).toBe(true)
    expect(s.disk.text('arch/a.txt')).toBe('content of a')
  })

  test('a directory is merged', async () => {
    await using s = await site()
    for (const name of ['1', '2', 'x/3']) s.disk.put(`data/tree/${name}`, `new ${name}`)
    mkdirSync(s.disk.at('data/tree/empty'))
    utimesSync(s.disk.at('data/tree/x'), OLD, OLD)
    s.disk.put('arch/tree/2', 'old')
    s.disk.put('arch/tree/4', 'other')
    expect((await s.copy('data/tree', 'arch/tree', { preserveTimestamp: true })).body.copied).toBe(true)
    expect(['1', '2', 'x/3', '4'].map((name) => s.disk.text(`arch/tree/${name}`))).toEqual([
      'new 1',
      'old',
      'new x/3',
      'other',
    ])
    expect(statSync(s.disk.at('arch/tree/x')).mtime).toEqual(OLD)
    expect(s.disk.has('arch/tree/empty')).toBe(true)
    expect((await s.copy('data/tree', 'arch/tree')).body.copied).toBe(false)
    await s.copy('data/tree', 'arch/tree', { overwrite: true })
    expect(s.disk.text('arch/tree/2')).toBe('new 2')
    noLeftovers(s.disk)
  })

  test.each([
    ['a file that does not exist', 'data/none', 'arch/x', 400, 'fromFile does not exist', undefined],
    ['a file below a file', 'data/a.txt/x', 'arch/x', 400, 'fromFile does not exist', undefined],
    [
      'a file onto a directory',
      'data/a.txt',
      'arch/dir',
      409,
      'Failed copying file',
      'toFile is a directory, and fromFile is not',
    ],
    [
      'a directory onto a file',
      'data/sub',
      'arch/file',
      409,
      'Failed copying file',
      'toFile is a file, and fromFile is a directory',
    ],
    ['to below a file', 'data/a.txt', 'arch/file/x', 409, 'Failed copying file', 'toFile lies below a file'],
  ] as const)('%s is refused', async (_, from, to, status, message, details) => {
    await using s = await site()
    s.disk.put('arch/file')
    mkdirSync(s.disk.at('arch/dir'))
    const error = status === 400 ? 'Bad Request' : 'Conflict'
    const expected = { status, body: { ...E1(status, error, message), ...(details && { details }) } }
    expect(await s.copy(from, to, { overwrite: true })).toEqual(expected)
  })

  test('onto itself, into itself and over what it is in', async () => {
    const disk = fileDisk()
    const both = { fromDirectory: disk.at('data'), toDirectory: disk.at('data') }
    await using api = await fileApi(disk, {
      settings: { fileCopyApprovedDirectories: [both], fileMoveApprovedDirectories: [both] },
    })
    const call = async (path: string, from: string, to: string, overwrite = true) => {
      const { status, body } = await api.call('PUT', path, { fromFile: disk.at(from), toFile: disk.at(to), overwrite })
      return [status, body.details ?? body.copied]
    }
    expect(await call('/v4/filecopy', 'data/a.txt', 'data/a.txt')).toEqual([409, 'fromFile and toFile are the same'])
    expect(await call('/v4/filecopy', 'data/a.txt', 'data/a.txt', false)).toEqual([201, false])
    expect(await call('/v4/filecopy', 'data/sub', 'data/sub/x')).toEqual([409, 'toFile lies within fromFile'])
    expect(await call('/v4/filecopy', 'data/sub', 'data/inner/x')).toEqual([409, 'toFile lies within fromFile'])
    disk.put('data/sub/deep/c')
    expect(await call('/v4/filemove', 'data/sub/deep', 'data/sub')).toEqual([409, 'fromFile lies within toFile'])
    expect(disk.text('data/sub/b.txt')).toBe('content of b')
    await disk[Symbol.asyncDispose]()
  })

  test.skipIf(process.platform === 'win32')('a named pipe is refused, and does not hold anything up', async () => {
    await using s = await site()
    expect(spawnSync('mkfifo', [s.disk.at('data/pipe')]).status).toBe(0)
    expect((await s.copy('data/pipe', 'arch/pipe')).status).toBe(409)
    expect((await s.copy('data/sub', 'arch/sub')).status).toBe(201)
  })

  test('what the system refuses is a failure that says why, and leaves nothing', async () => {
    await using s = await site()
    s.disk.put('arch/full/x')
    const operations = { check: async () => {}, read: async <T>(r: T) => r } as never
    await using failing = await fileApi(s.disk, {
      operations: Object.assign(operations, {
        run: async () => {
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
        },
      }),
    })
    expect(await failing.call('PUT', '/v4/filecopy', s.paths('data/a.txt', 'arch/x'))).toEqual({
      status: 500,
      body: { ...E1(500, 'Internal Server Error', 'Failed copying file'), details: 'The disk is full.' },
    })
  })
})

describe('move', () => {
  test('a file and a directory', async () => {
    await using s = await site()
    expect(await s.move('data/a.txt', 'arch/x/a.txt')).toEqual({
      status: 201,
      body: { ...s.paths('data/a.txt', 'arch/x/a.txt'), overwrite: false },
    })
    expect((await s.move('data/sub', 'arch/y')).status).toBe(201)
    expect([s.disk.has('data/a.txt'), s.disk.has('data/sub')]).toEqual([false, false])
    expect([s.disk.text('arch/x/a.txt'), s.disk.text('arch/y/b.txt')]).toEqual(['content of a', 'content of b'])
  })

  test('an existing target is a conflict, with overwrite it is replaced as a whole', async () => {
    await using s = await site()
    s.disk.put('arch/a.txt', 'old')
    s.disk.put('arch/sub/old.txt', 'old')
    for (const [from, to] of [
      ['data/a.txt', 'arch/a.txt'],
      ['data/sub', 'arch/sub'],
    ] as const) {
      expect(await s.move(from, to)).toEqual({
        status: 409,
        body: { ...E1(409, 'Conflict', 'Failed moving file'), details: 'toFile already exists' },
      })
      expect((await s.move(from, to, { overwrite: 'true' })).status).toBe(201)
    }
    expect(s.disk.text('arch/a.txt')).toBe('content of a')
    expect(readdirSync(s.disk.at('arch/sub'))).toEqual(['b.txt'])
    noLeftovers(s.disk)
  })

  test('a missing source', async () => {
    await using s = await site()
    expect(await s.move('data/none', 'arch/x')).toEqual({
      status: 400,
      body: E1(400, 'Bad Request', 'fromFile does not exist'),
    })
  })

  const [here, there] = ['/dev/shm', '/tmp']
  const twoDisks = existsSync(here) && statSync(here).dev !== statSync(there).dev
  test.skipIf(!twoDisks)('to another file system', async () => {
    await using s = await site()
    const other = `${here}/footman-test-${process.pid}-${Date.now()}`
    mkdirSync(other)
    const settings = {
      fileMoveApprovedDirectories: [{ fromDirectory: s.disk.at('data'), toDirectory: other }],
    }
    await using api = await fileApi(s.disk, { settings })
    utimesSync(s.disk.at('data/a.txt'), OLD, OLD)
    s.disk.put('data/sub/x/y.txt')
    const move = (from: string, to: string, overwrite = false) =>
      api.call('PUT', '/v4/filemove', { fromFile: s.disk.at(from), toFile: `${other}/${to}`, overwrite })
    try {
      expect((await move('data/a.txt', 'a.txt')).status).toBe(201)
      expect(statSync(`${other}/a.txt`).mtime).toEqual(OLD)
      expect((await move('data/sub', 'sub')).status).toBe(201)
      s.disk.put('data/sub/z.txt')
      expect((await move('data/sub', 'sub')).status).toBe(409)
      expect((await move('data/sub', 'sub', true)).status).toBe(201)
      expect([readdirSync(`${other}/sub`), s.disk.has('data/sub'), s.disk.has('data/a.txt')]).toEqual([
        ['z.txt'],
        false,
        false,
      ])
      expect(readdirSync(other).sort()).toEqual(['a.txt', 'sub'])
    } finally {
      spawnSync('rm', ['-rf', other])
    }
  })
})

describe('delete', () => {
  test('a file, once', async () => {
    await using s = await site()
    expect(await s.remove('data/a.txt')).toEqual({ status: 204, body: null })
    expect(await s.remove('data/a.txt')).toEqual({
      status: 400,
      body: E1(400, 'Bad Request', 'Delete failed, file does not exist'),
    })
  })

  test('a directory only when that is asked for, and never what a link leads to', async () => {
    await using s = await site()
    symlinkSync('../../a.txt', s.disk.at('data/sub/up.txt'))
    expect(await s.remove('data/sub')).toMatchObject({ status: 400, body: { message: 'Delete failed, not a file' } })
    expect(s.disk.has('data/sub/b.txt')).toBe(true)
    expect((await s.remove('data/sub', { recursive: 'true' })).status).toBe(403)
    s.disk.put('data/own/x/y/z.txt')
    symlinkSync('x', s.disk.at('data/own/linked'))
    expect((await s.remove('data/own', { recursive: 'true' })).status).toBe(204)
    expect(s.disk.has('data/own')).toBe(false)
  })
})

describe('directories', () => {
  test('are made with all that is missing, and again without complaint', async () => {
    await using s = await site()
    for (let time = 0; time < 2; time++) {
      const directory = s.disk.at('arch/2026/10')
      expect(await s.api.call('POST', '/v4/createdir', { directory, other: 1 })).toEqual({
        status: 201,
        body: { directory },
      })
    }
    expect((await s.api.call('POST', '/v4/createdir', { directory: s.disk.at('arch') })).status).toBe(201)
  })

  test('in the QVD folder', async () => {
    await using s = await site()
    for (const [directory, made] of [
      ['subfolder/2020-10', 'qvd/subfolder/2020-10'],
      ['a\\b', 'qvd/a/b'],
      ['/abs/x', 'qvd/abs/x'],
      ['a/../../qvd/ok', 'qvd/ok'],
      ['.', 'qvd'],
    ] as const) {
      expect(await s.api.call('POST', '/v4/createdirqvd', { directory })).toEqual({ status: 201, body: { directory } })
      expect(s.disk.has(made)).toBe(true)
    }
  })

  test.each(['createdir', 'createdirqvd'])('%s where a file is', async (operation) => {
    await using s = await site()
    s.disk.put('qvd/file')
    for (const path of ['file', 'file/below']) {
      const directory = operation === 'createdir' ? s.disk.at('qvd', path) : path
      const answer = await s.api.call('POST', `/v4/${operation}`, { directory })
      expect(answer).toMatchObject({ status: 409, body: { message: 'Failed to create directory' } })
    }
  })

  test('in a list of their own, anywhere, or nowhere', async () => {
    const disk = fileDisk()
    const files = { createDirAllowAnywhere: false, allowRootApproval: false }
    const status = async (more: object, path: string) => {
      await using api = await fileApi(disk, { settings: { footman: { files: { ...files, ...more } } } })
      return (await api.call('POST', '/v4/createdir', { directory: disk.at(path) })).status
    }
    expect(await status({ createDirApprovedDirectories: [disk.at('secret')] }, 'secret/a')).toBe(201)
    expect(await status({ createDirApprovedDirectories: [disk.at('secret')] }, 'arch/a')).toBe(403)
    expect(await status({ createDirApprovedDirectories: [] }, 'arch/a')).toBe(403)
    expect(await status({ createDirAllowAnywhere: true }, 'anywhere/a')).toBe(201)
    await disk[Symbol.asyncDispose]()
  })

  test('a QVD folder that is not there is made; without one the answer is 503', async () => {
    const disk = fileDisk()
    const make = async (qvdPath: string) => {
      await using api = await fileApi(disk, { settings: { configDirectories: { qvdPath } } })
      return (await api.call('POST', '/v4/createdirqvd', { directory: 'a' })).status
    }
    expect([await make(disk.at('new/qvd')), await make('')]).toEqual([201, 503])
    expect(disk.has('new/qvd/a')).toBe(true)
    await disk[Symbol.asyncDispose]()
  })
})

test('an approved directory that is not there yet is made for its first file', async () => {
  const disk = fileDisk()
  const pair = { fromDirectory: disk.at('data'), toDirectory: disk.at('new/archive') }
  await using api = await fileApi(disk, { settings: { fileCopyApprovedDirectories: [pair] } })
  const body = { fromFile: disk.at('data/a.txt'), toFile: disk.at('new/archive/x/a.txt') }
  expect((await api.call('PUT', '/v4/filecopy', body)).status).toBe(201)
  expect(disk.text('new/archive/x/a.txt')).toBe('content of a')
  await disk[Symbol.asyncDispose]()
})

describe('%23 in a path', () => {
  test('is # where no file has that name, in all paths of the request', async () => {
    await using s = await site()
    s.disk.put('data/c#.txt', 'sharp')
    expect((await s.copy('data/c%23.txt', 'arch/d%23.txt')).body.toFile).toBe(s.disk.at('arch/d#.txt'))
    expect(s.disk.text('arch/d#.txt')).toBe('sharp')
    expect((await s.remove('data/c%23.txt')).status).toBe(204)
    await s.api.call('POST', '/v4/createdirqvd', { directory: 'x%23' })
    expect(s.disk.has('qvd/x#')).toBe(true)
  })

  test('stays what it is where a file has that name', async () => {
    await using s = await site()
    s.disk.put('data/c%23.txt', 'literal')
    await s.copy('data/c%23.txt', 'arch/d%23.txt')
    expect(s.disk.text('arch/d%23.txt')).toBe('literal')
  })
})

test.each([
  ['PUT', '/v4/filecopy', { toFile: '/x' }],
  ['PUT', '/v4/filecopy', { fromFile: '/x', toFile: '' }],
  ['PUT', '/v4/filemove', { fromFile: null, toFile: '/x' }],
  ['DELETE', '/v4/filedelete', {}],
  ['POST', '/v4/createdir', {}],
  ['POST', '/v4/createdir', { directory: '' }],
  ['POST', '/v4/createdirqvd', { directory: null }],
])('%s %s with %j lacks a parameter', async (method, path, body) => {
  await using s = await site()
  expect(await s.api.call(method, path, body)).toEqual({
    status: 400,
    body: E1(400, 'Bad Request', 'Required parameter missing'),
  })
})

test.each([
  ['PUT', '/v4/filecopy', undefined, 'body must be object'],
  ['DELETE', '/v4/filedelete', undefined, 'body must be object'],
  ['PUT', '/v4/filecopy', { fromFile: 'a', toFile: 'b', overwrite: 'yes' }, 'body/overwrite must be boolean'],
  ['PUT', '/v4/filemove', { fromFile: ['a', 'b'], toFile: 'b' }, 'body/fromFile must be string'],
])('%s %s with %j has the wrong form', async (method, path, body, message) => {
  await using s = await site()
  const answer = await s.api.call(method, path, body)
  expect(answer).toMatchObject({ status: 400, body: { code: 'FST_ERR_VALIDATION', message } })
})

test.each(['/v4/filecopy', '/v4/filemove'])('%s takes a plain POST, too', async (path) => {
  await using s = await site()
  expect((await s.api.call('POST', path, s.paths('data/a.txt', 'arch/a.txt'))).status).toBe(201)
})

test('the refusals of shares name the operation and the path', async () => {
  await using s = await site()
  const text = (name: string) =>
    `UNC paths not supported for file ${name} operations when running Butler on non-Windows OS. Path: //srv/share/a.txt`
  const call = async (method: string, path: string, body: object) => (await s.api.call(method, path, body)).body.message
  const both = { fromFile: '\\\\srv\\share\\a.txt', toFile: s.disk.at('arch/x') }
  expect(await call('PUT', '/v4/filecopy', both)).toBe(text('copy'))
  expect(await call('PUT', '/v4/filemove', both)).toBe(text('move'))
  expect(await call('DELETE', '/v4/filedelete', { deleteFile: '//srv/share/a.txt' })).toBe(text('copy'))
})

test('in shadow mode nothing is changed, but everything can be tried', async () => {
  await using s = await site({ shadow: true })
  expect(await s.remove('data/a.txt')).toMatchObject({ status: 409, body: { code: 'SHADOW_MODE' } })
  expect((await s.remove('data/a.txt', {}, '?dryRun=true')).status).toBe(200)
  expect(s.disk.has('data/a.txt')).toBe(true)
})

test('what is done and what is denied stands in the log', async () => {
  await using s = await site()
  await s.copy('data/a.txt', 'arch/a.txt')
  await s.remove('secret/s.txt')
  const [from, to] = [s.disk.at('data/a.txt'), s.disk.at('arch/a.txt')]
  const lines = s.api.log.lines.map(({ level, message }) => `${level}: ${message}`)
  expect(lines).toContain(
    `info: FILECOPY: Copied file from ${from} to ${to}, overwrite=false, preserve timestamp=false`,
  )
  expect(lines).toContain(
    `error: FILEDELETE: File delete request ${s.disk.at('secret/s.txt')} is not in any approved directories.`,
  )
  expect(s.disk.text('secret/s.txt')).toBe(CANARY)
})
