/** The file operations of the executable, as the product documents and load scripts use them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { type Footman, footman } from '../support/footman.ts'
import { until } from '../support/wait.ts'

const OLD = new Date('2020-10-01T12:00:00.000Z')
const SWITCHES = { fileCopy: true, fileMove: true, fileDelete: true, createDir: true, createDirQVD: true }

/** The approved directories of the documented examples, in the folder of the test. */
async function product(more: Record<string, unknown> = {}): Promise<Footman> {
  const running = await footman({
    simulator: null,
    config: {
      restServerEndpointsEnable: SWITCHES,
      fileCopyApprovedDirectories: [
        { fromDirectory: 'data1/qvd', toDirectory: 'data2/qvd_archive' },
        { fromDirectory: 'e:\\data3\\qvd', toDirectory: 'e:\\data4\\qvd_archive' },
      ],
      fileMoveApprovedDirectories: [{ fromDirectory: 'data7/qvd', toDirectory: 'data8/qvd_archive' }],
      fileDeleteApprovedDirectories: ['data1/qvd_archive', '\\\\server3.my.domain\\data1\\qvd_archive'],
      configDirectories: { qvdPath: 'qvd' },
      ...more,
    },
    args: ['--no-qs-connection'],
  })
  await running.start()
  return running
}

describe('the documented examples', () => {
  let running: Footman
  const at = (path: string) => running.directory.join(path)
  function put(path: string, content = path): void {
    mkdirSync(dirname(at(path)), { recursive: true })
    writeFileSync(at(path), content)
  }
  const text = (path: string) => readFileSync(at(path), 'utf8')
  const paths = (from: string, to: string, more = {}) => ({ fromFile: at(from), toFile: at(to), ...more })

  /** As the Qlik REST connector sends PUT and DELETE. */
  async function send(override: string, path: string, body: unknown) {
    const answer = await running.call('POST', path, body, override ? { 'X-HTTP-Method-Override': override } : {})
    const content = await answer.text()
    return [answer.status, content === '' ? null : JSON.parse(content)]
  }

  beforeAll(async () => {
    running = await product()
  }, 90_000)
  beforeEach(() => {
    for (const name of ['data1', 'data2', 'data6', 'data7', 'data8', 'qvd', 'e:']) {
      rmSync(at(name), { recursive: true, force: true })
    }
    put('data1/qvd/a.txt', 'content of a')
    utimesSync(at('data1/qvd/a.txt'), OLD, OLD)
  })
  afterAll(async () => running?.[Symbol.asyncDispose]())

  test('CopyFile with overwrite and timestamp', async () => {
    const given = paths('data1/qvd/a.txt', 'data2/qvd_archive/a.txt')
    expect(await send('PUT', '/v4/filecopy', { ...given, overwrite: 'true', preserveTimestamp: 'true' })).toEqual([
      201,
      { ...given, overwrite: true, preserveTimestamp: true, copied: true },
    ])
    expect([text('data2/qvd_archive/a.txt'), statSync(at('data2/qvd_archive/a.txt')).mtime]).toEqual([
      'content of a',
      OLD,
    ])
  })

  test('CopyFile of a directory with sub-directories', async () => {
    put('data1/qvd/abc/x/y.txt')
    const [status] = await send('PUT', '/v4/filecopy', paths('data1/qvd/abc', 'data2/qvd_archive/abc'))
    expect([status, text('data2/qvd_archive/abc/x/y.txt')]).toEqual([201, 'data1/qvd/abc/x/y.txt'])
  })

  test('CopyFile without overwrite onto a file that exists', async () => {
    put('data2/qvd_archive/a.txt', 'old')
    const given = paths('data1/qvd/a.txt', 'data2/qvd_archive/a.txt', { overwrite: 'false' })
    const [status, body] = await send('PUT', '/v4/filecopy', given)
    expect([status, body.copied, text('data2/qvd_archive/a.txt')]).toEqual([201, false, 'old'])
  })

  test('CopyFile of what is not there', async () => {
    expect(await send('PUT', '/v4/filecopy', paths('data1/qvd/none', 'data2/qvd_archive/a.txt'))).toEqual([
      400,
      { statusCode: 400, error: 'Bad Request', message: 'fromFile does not exist' },
    ])
  })

  test('CopyFile to a directory that belongs to another entry, with either slash', async () => {
    for (const [fromFile, toFile] of [
      ['e:\\data3\\qvd\\a.txt', 'e:\\data6\\qvd_archive\\a.txt'],
      ['e:/data3/qvd/a.txt', 'e:\\data6/qvd_archive\\a.txt'],
      [at('data1/qvd/a.txt'), 'e:\\data4\\qvd_archive\\a.txt'],
    ]) {
      const [status, body] = await send('PUT', '/v4/filecopy', { fromFile, toFile })
      expect([status, body.message]).toEqual([403, 'No approved fromDir/toDir for file copy'])
    }
  })

  test('back-slashes give the same results', async () => {
    const given = {
      fromFile: at('data1\\qvd/a.txt'),
      toFile: at('data2/qvd_archive\\\\b.txt').replaceAll('/', '\\').replace('\\', '/'),
    }
    const [status, body] = await send('PUT', '/v4/filecopy', given)
    expect([status, body.toFile]).toEqual([201, at('data2/qvd_archive/b.txt')])
  })

  test('MoveFile, once more, onto a file that exists, and to a place that is not approved', async () => {
    put('data7/qvd/a.txt', 'moved')
    const given = paths('data7/qvd/a.txt', 'data8/qvd_archive/a.txt')
    expect(await send('PUT', '/v4/filemove', given)).toEqual([201, { ...given, overwrite: false }])
    expect([existsSync(at('data7/qvd/a.txt')), text('data8/qvd_archive/a.txt')]).toEqual([false, 'moved'])
    expect((await send('PUT', '/v4/filemove', given))[1].message).toBe('fromFile does not exist')
    put('data7/qvd/a.txt', 'new')
    const [status, body] = await send('PUT', '/v4/filemove', given)
    expect([status, body.message, body.details]).toEqual([409, 'Failed moving file', 'toFile already exists'])
    expect(text('data8/qvd_archive/a.txt')).toBe('moved')
    expect((await send('PUT', '/v4/filemove', { ...given, overwrite: 'true' }))[0]).toBe(201)
    put('data7/qvd/a.txt', 'new')
    const elsewhere = { fromFile: at('data7/qvd/a.txt'), toFile: 'e:\\data9\\qvd\\a.txt' }
    expect((await send('PUT', '/v4/filemove', elsewhere))[0]).toBe(403)
  })

  test('DeleteFile, once more, and of a directory', async () => {
    put('data1/qvd_archive/a.txt')
    const body = { deleteFile: at('data1/qvd_archive/a.txt') }
    expect(await send('DELETE', '/v4/filedelete', body)).toEqual([204, null])
    expect((await send('DELETE', '/v4/filedelete', body))[1].message).toBe('Delete failed, file does not exist')
    put('data1/qvd_archive/dir/a.txt')
    const directory = { deleteFile: at('data1/qvd_archive/dir') }
    expect((await send('DELETE', '/v4/filedelete', directory))[1].message).toBe('Delete failed, not a file')
    expect(text('data1/qvd_archive/dir/a.txt')).toBe('data1/qvd_archive/dir/a.txt')
    expect((await send('DELETE', '/v4/filedelete', { ...directory, recursive: true }))[0]).toBe(204)
  })

  test('a share is refused here, and said at the start', async () => {
    const deleteFile = '//server3.my.domain/data1/qvd_archive/a.txt'
    const [status, body] = await send('DELETE', '/v4/filedelete', { deleteFile })
    expect([status, body.message]).toEqual([
      400,
      `UNC paths not supported for file copy operations when running Butler on non-Windows OS. Path: ${deleteFile}`,
    ])
    const copied = await send('PUT', '/v4/filecopy', {
      fromFile: at('data1/qvd/a.txt'),
      toFile: `/${at('data2/qvd_archive/a.txt')}`,
    })
    expect([copied[0], existsSync(at('data2'))]).toEqual([400, false])
    await running.process.waitForLine(
      /warn: FILE DELETE CONFIG: UNC paths won't work on non-Windows OSs \("\/\/server3\.my\.domain\/data1\/qvd_archive"\)\. OS is "linux"\./,
    )
  })

  test('CreateDir and CreateDirQVD', async () => {
    const directory = at('data1/qvd/def/ghi')
    for (let time = 0; time < 2; time++) {
      expect(await send('', '/v4/createdir', { directory })).toEqual([201, { directory }])
    }
    expect((await send('', '/v4/createdir', { directory: at('elsewhere') }))[1].message).toBe(
      'No approved directory for directory creation',
    )
    expect(await send('', '/v4/createdirqvd', { directory: 'a1/b1' })).toEqual([201, { directory: 'a1/b1' }])
    expect([existsSync(at('qvd/a1/b1')), existsSync(at('elsewhere'))]).toEqual([true, false])
    expect((await send('', '/v4/createdirqvd', { directory: '../evil' }))[1].message).toBe(
      'Directory must be within the QVD folder',
    )
    for (const path of ['/v4/createdir', '/v4/createdirqvd']) {
      expect((await send('', path, { directory: '' }))[1].message).toBe('Required parameter missing')
    }
  })

  test('what was done is counted, audited and logged', async () => {
    await send('PUT', '/v4/filecopy', paths('data1/qvd/a.txt', 'data2/qvd_archive/count.txt'))
    await send('PUT', '/v4/filecopy', paths('secret/s.txt', 'data2/qvd_archive/count.txt'))
    const metrics = await (await running.call('GET', '/metrics')).text()
    expect(metrics).toMatch(/^footman_file_operations_total\{operation="copy",result="ok"\} [1-9]/m)
    expect(metrics).toMatch(/^footman_file_operations_total\{operation="copy",result="refused"\} [1-9]/m)
    expect(metrics).toMatch(/^footman_file_bytes_total\{operation="copy"\} [1-9]/m)
    const audit = (await (await running.call('GET', '/v4/audit?action=file.copy&limit=2')).json()) as {
      audit: { outcome: string; target: string[] }[]
    }
    expect(audit.audit.map(({ outcome, target }) => [outcome, target[1]])).toEqual([
      ['denied', at('data2/qvd_archive/count.txt')],
      ['ok', at('data2/qvd_archive/count.txt')],
    ])
    await running.process.waitForLine(/info: FILECOPY: Copied file from \S+ to \S+count\.txt, overwrite=false/)
  })
})

/** Sparse, so that only the copy takes time. */
function bigFile(path: string, bytes: number): void {
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'w')
  ftruncateSync(file, bytes)
  closeSync(file)
}

interface Job {
  readonly state: string
  readonly bytes: number
  readonly bytesDone: number
  readonly error: string | null
}

test('a copy of 2 GB delays no ping, tells its progress, and leaves nothing when it is cancelled', async () => {
  await using running = await product()
  const { directory } = running
  bigFile(directory.join('data1/qvd/big.qvd'), 2 * 1024 ** 3)
  const aborter = new AbortController()
  let told = ''
  const stream = fetch(`http://127.0.0.1:${running.restPort}/v4/stream?topic=file`, { signal: aborter.signal })
    .then(async (answer) => {
      for await (const chunk of answer.body!) told += new TextDecoder().decode(chunk)
    })
    .catch(() => undefined)
  await until(() => told.includes('retry:'))
  const accepted = await running.call('PUT', '/v4/filecopy?async=true', {
    fromFile: directory.join('data1/qvd/big.qvd'),
    toFile: directory.join('data2/qvd_archive/big.qvd'),
  })
  const { jobId } = (await accepted.json()) as { jobId: string }
  expect([accepted.status, accepted.headers.get('location')]).toEqual([202, `/v4/filejobs/${jobId}`])
  const job = async () => (await (await running.call('GET', `/v4/filejobs/${jobId}`)).json()) as Job
  const pings: number[] = []
  const seen: number[] = []
  await until(
    async () => {
      const began = performance.now()
      await (await running.call('GET', '/v4/butlerping')).text()
      pings.push(performance.now() - began)
      const { bytes, bytesDone } = await job()
      seen.push(bytesDone)
      return bytes === 2 * 1024 ** 3 && bytesDone > 64 * 1024 ** 2
    },
    { timeout: 30_000 },
  )
  expect((await running.call('DELETE', `/v4/filejobs/${jobId}`)).status).toBe(204)
  expect(await job()).toMatchObject({ state: 'cancelled', error: null })
  expect(readdirSync(directory.join('data2/qvd_archive'))).toEqual([])
  expect(seen).toEqual([...seen].sort((a, b) => a - b))
  expect(pings.sort((a, b) => a - b)[Math.floor(pings.length / 2)]).toBeLessThan(50)
  await until(() => /event: file\ndata: .*"state":"cancelled"/.test(told))
  aborter.abort()
  await stream
}, 60_000)

test('kill -9 during a copy: the target is absent, and what was half done is gone after the restart', async () => {
  await using running = await product()
  const { directory } = running
  bigFile(directory.join('data1/qvd/big.qvd'), 4 * 1024 ** 3)
  const archive = directory.join('data2/qvd_archive')
  const body = { fromFile: directory.join('data1/qvd/big.qvd'), toFile: `${archive}/big.qvd` }
  const { jobId } = (await (await running.call('PUT', '/v4/filecopy?async=true', body)).json()) as { jobId: string }
  const left = () => (existsSync(archive) ? readdirSync(archive) : [])
  await until(() => left().length === 1, { timeout: 20_000 })
  await running.process.kill9()
  expect(left()).toEqual([`.footman-${jobId}-0.tmp`])
  await running.start()
  await until(() => left().length === 0, { timeout: 20_000 })
  const job = (await (await running.call('GET', `/v4/filejobs/${jobId}`)).json()) as Job
  expect(job).toMatchObject({ state: 'failed', error: 'INTERRUPTED' })
}, 60_000)

test('an endpoint that is off does not exist, and jobs exist with any that is on', async () => {
  await using running = await product({ restServerEndpointsEnable: { fileMove: true } })
  for (const [method, path] of [
    ['PUT', '/v4/filecopy'],
    ['DELETE', '/v4/filedelete'],
    ['POST', '/v4/createdir'],
    ['POST', '/v4/createdirqvd'],
  ] as const) {
    expect(await (await running.call(method, path, {})).json()).toEqual({
      message: `Route ${method}:${path} not found`,
      error: 'Not Found',
      statusCode: 404,
    })
  }
  expect((await running.call('PUT', '/v4/filemove', {})).status).toBe(400)
  expect((await running.call('GET', '/v4/filejobs')).status).toBe(200)
}, 90_000)
