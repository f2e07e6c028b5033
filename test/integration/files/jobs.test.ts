/** File operations that nobody waits for, and how many run at a time. */
import { describe, expect, test } from 'bun:test'
import { mkdirSync, readdirSync } from 'node:fs'
import type { FileJob } from '../../../src/files/contract.ts'
import type { FileOperations } from '../../../src/files/operations.ts'
import type { FileRequest, Work } from '../../../src/files/types.ts'
import { fileApi, fileDisk, operationsOn, snapshot } from '../../support/files.ts'
import { until } from '../../support/wait.ts'

interface Held {
  readonly request: FileRequest
  readonly work: Work
  readonly release: () => void
}

/** Operations that end when the test says so, or when they are cancelled. */
function heldOperations() {
  const running: Held[] = []
  const operations: FileOperations = {
    read: async (request) => request,
    check: async () => {},
    preview: async () => ({ files: 0, bytes: 0, wouldOverwrite: [], changes: true }),
    cleanUp: async () => {},
    run: (request, work) =>
      new Promise((resolve, reject) => {
        running.push({ request, work, release: () => resolve({ changed: true }) })
        work.signal.addEventListener('abort', () => reject(work.signal.reason), { once: true })
      }),
  }
  return { running, operations }
}

const copyBody = (n: number) => ({ fromFile: `/data/${n}`, toFile: `/arch/${n}` })

describe('jobs', () => {
  test('are answered at once, told about, and kept', async () => {
    await using disk = fileDisk()
    await using api = await fileApi(disk)
    const told: FileJob[] = []
    api.jobs.onChange((job) => told.push(job))
    const [from, to] = [disk.at('data/a.txt'), disk.at('arch/a.txt')]
    const accepted = await api.call('PUT', '/v4/filecopy?async=true', { fromFile: from, toFile: to })
    expect(accepted).toEqual({ status: 202, body: { jobId: expect.any(String) } })
    const { jobId } = accepted.body
    const path = `/v4/filejobs/${jobId}`
    await until(async () => (await api.call('GET', path)).body.state === 'succeeded')
    const job = (await api.call('GET', path)).body
    expect(job).toEqual({
      jobId,
      operation: 'copy',
      from,
      to,
      state: 'succeeded',
      files: 1,
      filesDone: 1,
      bytes: 12,
      bytesDone: 12,
      bytesPerSecond: expect.any(Number),
      startedAt: expect.any(String),
      finishedAt: expect.any(String),
      error: null,
    })
    expect((await api.call('GET', '/v4/filejobs')).body).toEqual({ fileJobs: [job], nextCursor: null })
    expect(told.map(({ state }) => state)).toEqual(['running', 'succeeded'])
    expect(await api.call('DELETE', path)).toMatchObject({ status: 409, body: { code: 'NOT_CANCELLABLE' } })
    const none = '/v4/filejobs/019cad58-bd80-7e8c-9902-207afaeb7120'
    for (const method of ['GET', 'DELETE']) {
      expect(await api.call(method, none)).toMatchObject({ status: 404, body: { code: 'JOB_NOT_FOUND' } })
    }
  })

  test('that must not be are refused at once', async () => {
    await using disk = fileDisk()
    await using api = await fileApi(disk)
    const body = { fromFile: disk.at('secret/s.txt'), toFile: disk.at('arch/a.txt') }
    expect((await api.call('PUT', '/v4/filecopy?async=true', body)).status).toBe(403)
    expect((await api.call('GET', '/v4/filejobs')).body.fileJobs).toEqual([])
  })

  test('come in pages, newest first', async () => {
    await using disk = fileDisk()
    const { operations } = heldOperations()
    await using api = await fileApi(disk, { operations })
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.unshift((await api.call('PUT', '/v4/filecopy?async=1', copyBody(n))).body.jobId)
    const seen: string[] = []
    for (let query = '?limit=2'; query !== ''; ) {
      const { fileJobs, nextCursor } = (await api.call('GET', `/v4/filejobs${query}`)).body
      seen.push(...fileJobs.map(({ jobId }: FileJob) => jobId))
      query = nextCursor ? `?limit=2&cursor=${nextCursor}` : ''
    }
    expect(seen.sort()).toEqual(ids.sort())
    expect((await api.call('GET', '/v4/filejobs?state=x')).body.code).toBe('VALIDATION')
  })

  test('wait when too many run, in order; one that waits can be cancelled', async () => {
    await using disk = fileDisk()
    const { running, operations } = heldOperations()
    await using api = await fileApi(disk, { operations, maxConcurrent: 2 })
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.push((await api.call('PUT', '/v4/filecopy?async=true', copyBody(n))).body.jobId)
    const states = () => ids.map((id) => api.jobs.get(id)?.state)
    expect(states()).toEqual(['running', 'running', 'waiting', 'waiting', 'waiting'])
    expect((await api.call('DELETE', `/v4/filejobs/${ids[2]}`)).status).toBe(204)
    running[0]!.release()
    await until(() => states()[3] === 'running')
    expect(states()).toEqual(['succeeded', 'running', 'cancelled', 'running', 'waiting'])
    expect(running.map(({ request }) => 'from' in request && request.from)).toEqual(['/data/0', '/data/1', '/data/3'])
    // A call that is waited for queues up as well; a directory is made at once.
    const waited = api.call('PUT', '/v4/filemove', copyBody(9))
    await until(() => states()[4] === 'waiting')
    running[1]!.release()
    running[2]!.release()
    await until(() => running.length === 5)
    running[4]!.release()
    expect((await waited).status).toBe(201)
  })

  test('whose copy is cancelled leave nothing behind', async () => {
    await using disk = fileDisk()
    disk.put('data/big.qvd', 'x'.repeat(64 * 1024 * 1024))
    await using api = await fileApi(disk)
    const before = snapshot(disk, ['arch'])
    const { jobId } = (
      await api.call('PUT', '/v4/filecopy?async=true', {
        fromFile: disk.at('data/big.qvd'),
        toFile: disk.at('arch/big.qvd'),
      })
    ).body
    await until(() => (api.jobs.get(jobId)?.bytesDone ?? 0) > 0)
    expect((await api.call('DELETE', `/v4/filejobs/${jobId}`)).status).toBe(204)
    expect(api.jobs.get(jobId)).toMatchObject({ state: 'cancelled', files: 1, filesDone: 0, error: null })
    expect(Object.keys(snapshot(disk, ['arch']))).toEqual(Object.keys(before))
  })

  test('that fail say why', async () => {
    await using disk = fileDisk()
    const { operations } = heldOperations()
    const run = async () => {
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
    }
    await using api = await fileApi(disk, { operations: { ...operations, run } })
    const { jobId } = (await api.call('PUT', '/v4/filemove?async=true', copyBody(1))).body
    await until(() => api.jobs.get(jobId)?.state === 'failed')
    expect(api.jobs.get(jobId)?.error).toBe('Failed moving file: EIO: i/o error, read')
    expect(api.finished).toMatchObject([{ actor: 'anonymous', result: 'failed', job: { jobId } }])
  })
})

test('a stop cancels what runs, answers who waits, and takes nothing more', async () => {
  await using disk = fileDisk()
  const { running, operations } = heldOperations()
  await using api = await fileApi(disk, { operations })
  const waiting = api.call('PUT', '/v4/filecopy', copyBody(1))
  await until(() => running.length === 1)
  await api.jobs.stop(1000)
  for (const answer of [await waiting, await api.call('PUT', '/v4/filecopy', copyBody(2))]) {
    expect(answer).toMatchObject({ status: 503, body: { message: 'Failed copying file' } })
  }
})

describe('after a process that was killed', () => {
  const id = '019cad58-bd80-7e8c-9902-207afaeb7120'
  const insert = (request: object) =>
    `INSERT INTO file_job VALUES ('${id}', '${JSON.stringify(request)}', 'key:erp', 1, 1772434800000)`

  test('unfinished jobs have failed, and what they left is removed', async () => {
    await using disk = fileDisk()
    const databaseFile = disk.at('footman.db')
    const request = { operation: 'copy', from: disk.at('data/sub'), to: disk.at('arch/sub'), overwrite: false }
    await (async () => {
      await using api = await fileApi(disk, { databaseFile })
      api.db.run(insert({ ...request, preserveTimestamp: false }))
    })()
    disk.put(`arch/.footman-${id}-0.tmp`, 'half')
    disk.put(`arch/sub/x/.footman-${id}-1.tmp`, 'half')
    disk.put('arch/sub/b.txt', 'whole')
    disk.put('arch/.footman-019cad58-bd80-7e8c-9902-207afaeb7999-0.tmp', 'of another one')
    await using api = await fileApi(disk, { databaseFile })
    await until(() => api.db.all('SELECT id FROM file_job').length === 0)
    expect((await api.call('GET', `/v4/filejobs/${id}`)).body).toMatchObject({
      state: 'failed',
      error: 'INTERRUPTED',
      startedAt: '2026-03-02T07:00:00.000Z',
    })
    expect(readdirSync(disk.at('arch')).sort()).toEqual([
      '.footman-019cad58-bd80-7e8c-9902-207afaeb7999-0.tmp',
      'flinkout',
      'linkout',
      'sub',
    ])
    expect([disk.text('arch/sub/b.txt'), readdirSync(disk.at('arch/sub/x'))]).toEqual(['whole', []])
  })

  test.each([
    ['comes back where nothing has taken its place', false, 'old'],
    ['goes where something has', true, 'new'],
  ])('a directory that had stepped aside %s', async (_, replaced, content) => {
    await using disk = fileDisk()
    const databaseFile = disk.at('footman.db')
    const request = { operation: 'move', from: disk.at('data/sub'), to: disk.at('arch/sub'), overwrite: true }
    await (async () => {
      await using api = await fileApi(disk, { databaseFile })
      api.db.run(insert(request))
    })()
    disk.put(`arch/.footman-${id}-0.old/file`, 'old')
    if (replaced) disk.put('arch/sub/file', 'new')
    await using api = await fileApi(disk, { databaseFile })
    await until(() => api.db.all('SELECT id FROM file_job').length === 0)
    expect(disk.text('arch/sub/file')).toBe(content)
    expect(readdirSync(disk.at('arch')).filter((name) => name.startsWith('.footman'))).toEqual([])
  })

  test('other operations do not copy what is under way', async () => {
    await using disk = fileDisk()
    disk.put(`data/sub/.footman-${id}-0.tmp`, 'half')
    mkdirSync(disk.at('arch/sub'))
    const work = {
      signal: new AbortController().signal,
      tally: { files: 0, filesDone: 0, bytes: 0, bytesDone: 0 },
      temporaryName: async () => `.footman-${id}-9.tmp`,
    }
    const [from, to] = [disk.at('data/sub'), disk.at('arch/sub')]
    await operationsOn(disk).run({ operation: 'copy', from, to, overwrite: true, preserveTimestamp: false }, work)
    expect(readdirSync(to)).toEqual(['b.txt'])
  })
})
