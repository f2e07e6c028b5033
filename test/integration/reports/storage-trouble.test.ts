/** A storage space that is full, missing, refused or silent: the run says so at once, and keeps nothing else waiting. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createBlobs } from '../../../src/platform/blobs.ts'
import { createFileCarrier } from '../../../src/reports/runs/carriers.ts'
import type { Carrier, DeliveryJob } from '../../../src/reports/runs/deliver.ts'
import { createNotificationCarrier } from '../../../src/reports/runs/notify.ts'
import type { FilePayload } from '../../../src/reports/runs/plan.ts'
import { storageReason } from '../../../src/reports/runs/storage.ts'
import { exampleDefinition, exampleDocument, prepared, type RunScene, runScene } from '../../support/report-runs.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

let folder: TempDirectory
beforeEach(() => {
  folder = tempDirectory()
})
afterEach(() => folder.remove())

const NOTIFIED = [{ on: ['error'], recipients: ['ops@x.com'], attachLog: false }]

/** A task that writes one file and mails nothing. */
const storing = (onExists: string) =>
  exampleDefinition({
    reports: [{ key: 'pack', reportId: exampleDefinition().reports[0]!.id, format: 'pdf', deliver: { email: 'none' } }],
    email: { enabled: false },
    storage: [{ spaceId: 'share', folder: '', onExists }],
    notifications: NOTIFIED,
  })

const FULL: Carrier = async () => ({ state: 'retry', detail: 'the disk is full' })

function scene(changes: Partial<RunScene> & { readonly storage: Carrier }) {
  const { storage, carriers, ...more } = changes
  return runScene({
    file: folder.join('footman.db'),
    definition: storing('overwrite'),
    prepare: async () => prepared([], { documents: [exampleDocument({ id: crypto.randomUUID() })] }),
    carriers: { storage, ...carriers },
    ...more,
  })
}

test('the people who get the outcome know it at the first attempt, with the time of the next one', async () => {
  const mails: { readonly subject: string; readonly text: string }[] = []
  const waiting = Promise.withResolvers<void>()
  let isFull = true
  // The time of the next attempt does not come before the mail.
  let at = 1_790_000_000_000
  const made = scene({
    clock: { now: () => at },
    storage: async (job) => (isFull ? FULL(job) : { state: 'sent', detail: '' }),
    carriers: {
      notification: async (job) => {
        const deps = {
          mailer: {
            async send(mail: { readonly subject?: string; readonly text?: unknown }) {
              mails.push({ subject: String(mail.subject), text: String(mail.text) })
              waiting.resolve()
              return { outcome: 'sent', detail: '250' } as const
            },
          },
          ledger: made.ledger,
          runLog: { path: async () => '' } as never,
          runUrl: (id: string) => `https://footman/${id}`,
        }
        const rules = { fromAddress: 'f@x.com', allowedDomains: [], host: 'h', maxAttachmentMb: 1 }
        return createNotificationCarrier(deps, { ...rules, timezone: 'Europe/Stockholm', locale: 'en-GB' })(job)
      },
    },
  })
  await made.runner.start()
  const { runId } = await made.start()
  await waiting.promise
  expect(mails[0]?.subject).toBe('[waiting] Report task "Weekly sales pack"')
  expect(mails[0]?.text).toMatch(
    /^Report task "Weekly sales pack" cannot write a file yet and tries again\.\nshare:.*: the disk is full, next try \d{4}-\d\d-\d\d \d\d:\d\d Europe\/Stockholm\nRun: /,
  )
  isFull = false
  at += 1000
  expect((await made.finished(runId)).outcome).toBe('success')
  expect(mails).toHaveLength(1)
})

test.each([
  ['overwrite', 'skipped', 1],
  ['suffix', 'sent', 2],
] as const)(
  'a run that waits keeps no other start of the task waiting; with %s its file is %s',
  async (onExists, state, files) => {
    const written: string[] = []
    let first = ''
    let isFull = true
    // The time of the next attempt does not come before the other run has ended.
    let at = 1_790_000_000_000
    const made = scene({
      definition: storing(onExists),
      clock: { now: () => at },
      storage: async (job) => {
        if (isFull && (first === '' || job.run.id === first)) return FULL(job)
        written.push(job.run.id)
        return { state: 'sent', detail: '' }
      },
      settings: { concurrentRuns: 1 },
    })
    await made.runner.start()
    const { runId } = await made.start()
    first = runId
    await until(() => made.states(runId, 'storage')[0] === 'retry')
    at += 1
    const later = await made.start()
    expect(later.status).toBe('started')
    await made.finished(later.runId)
    isFull = false
    at += 1000
    const run = await made.finished(runId)
    expect([run.outcome, made.states(runId, 'storage'), written.length]).toEqual(['success', [state], files])
  },
)

test('mails that wait too keep the task busy, and the space is reported all the same', async () => {
  let isDown = true
  const made = scene({
    definition: exampleDefinition({
      email: { enabled: true, subject: 'Weekly' },
      storage: [{ spaceId: 'share', folder: '', onExists: 'overwrite' }],
      notifications: NOTIFIED,
    }),
    prepare: async () => prepared(['a@x.com'], { documents: [exampleDocument({ id: crypto.randomUUID() })] }),
    storage: FULL,
    carriers: { email: async () => (isDown ? { state: 'retry', detail: '451' } : { state: 'sent', detail: '' }) },
  })
  await made.runner.start()
  const { runId } = await made.start()
  await until(() => made.states(runId, 'notification').length === 1)
  expect((await made.start()).status).toBe('queued')
  isDown = false
  expect((await made.finished(runId)).reason).toBe('STORAGE_FAILED')
})

test('mails that wait keep no other task waiting', async () => {
  const mails = exampleDefinition({ email: { enabled: true, subject: 'Weekly' } })
  const other = { ...mails, task: { ...mails.task, id: crypto.randomUUID(), name: 'Other' } }
  let waits = ''
  const made = scene({
    definition: mails,
    definitionOf: (id) => (id === other.task.id ? other : mails),
    prepare: async () => prepared(['a@x.com'], { documents: [exampleDocument({ id: crypto.randomUUID() })] }),
    storage: async () => ({ state: 'sent', detail: '' }),
    carriers: {
      email: async ({ run }) => (run.id === waits ? { state: 'retry', detail: '451' } : { state: 'sent', detail: '' }),
    },
    settings: { concurrentRuns: 1 },
  })
  await made.runner.start()
  const first = await made.start()
  waits = first.runId
  await until(() => made.states(first.runId)[0] === 'retry')
  const later = await made.start({ task: other.task })
  expect(later.status).toBe('started')
  expect((await made.finished(later.runId)).outcome).toBe('success')
  expect((await made.start()).status).toBe('queued')
  waits = ''
  expect((await made.finished(first.runId)).outcome).toBe('success')
})

test('a restart announces nothing twice', async () => {
  const mails: string[] = []
  const notification: Carrier = async ({ delivery }) => {
    mails.push(delivery.id)
    return { state: 'sent', detail: '' }
  }
  let attempts = 0
  const one = scene({
    storage: (job) => {
      attempts += 1
      return attempts === 1 ? FULL(job) : new Promise(() => undefined)
    },
    carriers: { notification },
  })
  await one.runner.start()
  const { runId } = await one.start()
  await until(() => one.states(runId, 'notification')[0] === 'sent' && attempts === 2)
  one.kill()
  const two = scene({ storage: async () => ({ state: 'sent', detail: '' }), carriers: { notification } })
  await two.runner.start()
  await two.finished(runId)
  expect(mails).toHaveLength(1)
})

describe('the reason in words', () => {
  const PATH = /(\/|\\)[\w.-]+(\/|\\)|copyfile|EACCES|ENOENT|ENOSPC/

  const refuse = (name: string): never => {
    throw new Error(`there is no secret "${name}"`)
  }

  async function attempt(
    directory: string,
    sha256: string,
    payload: Partial<FilePayload> = {},
    silent?: { choose: number; write: number },
  ) {
    const blobs = createBlobs(folder.join('blobs'))
    const spaces = new Map([['share', { id: 'share', name: 'Share', directory, projects: [], retentionDays: 0 }]])
    const carrier = createFileCarrier({ blobs, spaces, secret: refuse }, folder.path, silent)
    const job = {
      run: { id: 'r1' },
      documents: [exampleDocument({ id: 'd1', sha256 })],
      delivery: {
        id: 'x1',
        state: 'planned',
        target: 'share:Sales.pdf',
        documents: ['d1'],
        payload: { spaceId: 'share', folder: [], name: 'Sales.pdf', onExists: 'overwrite', archive: null, ...payload },
      },
      fixTarget: async () => undefined,
    } as unknown as DeliveryJob
    return { carrier, job, result: await carrier(job) }
  }

  async function stored(): Promise<string> {
    const { sha256 } = await createBlobs(folder.join('blobs')).put(Buffer.from('content'))
    return sha256
  }

  test('a folder that is gone', async () => {
    const { result } = await attempt(folder.join('gone'), await stored())
    expect(result).toEqual({
      state: 'retry',
      detail: 'the folder of the space share is not available: a file or directory is not there',
    })
  })

  test('a file in the place of a folder', async () => {
    writeFileSync(folder.join('2026'), '')
    const { result } = await attempt(folder.path, await stored(), { folder: ['2026', 'May'] })
    expect(result.state).toBe('retry')
    expect('detail' in result && result.detail).not.toMatch(PATH)
  })

  test('a directory that has the name of the file', async () => {
    mkdirSync(folder.join('Sales.pdf'))
    const { result } = await attempt(folder.path, await stored())
    expect(result).toEqual({ state: 'retry', detail: 'a directory has the name of the file' })
  })

  test('a document that is not in the store any more', async () => {
    const { result } = await attempt(folder.path, 'f'.repeat(64))
    expect(result).toMatchObject({ state: 'failed', detail: 'the document is not in the data directory any more' })
  })

  test('a folder that does not answer is not asked again until it does', async () => {
    const sha256 = await stored()
    const pipe = createBlobs(folder.join('blobs')).path(sha256)
    const content = readFileSync(pipe)
    rmSync(pipe)
    // Reading a pipe that nothing writes to waits for ever.
    expect(Bun.spawnSync(['mkfifo', pipe]).exitCode).toBe(0)
    const silent = { choose: 5000, write: 50 }
    const { carrier, job, result } = await attempt(folder.path, sha256, {}, silent)
    const expected = { state: 'retry', detail: 'the folder of the space share does not answer' } as const
    expect(result).toEqual(expected)
    expect(await carrier(job)).toEqual(expected)
    // A writer that ends lets the reader go.
    Bun.spawnSync(['sh', '-c', 'timeout 5 true > "$0"', pipe])
    await rm(pipe)
    writeFileSync(pipe, content)
    await until(async () => (await carrier(job)).state === 'sent')
    expect(readFileSync(folder.join('Sales.pdf'), 'utf8')).toBe('content')
  })

  test.each(['ENOSPC', 'EACCES', 'EROFS', 'EBUSY', 'EIO', 'ESTALE', 'UNKNOWN', 'EFOO'])('%s', (code) => {
    const error = Object.assign(new Error(`${code}: copyfile '/data/blobs/a' -> '/mnt/share/b'`), { code })
    expect(storageReason(error)).not.toMatch(/copyfile|\/data|\/mnt/)
    expect(storageReason(error).length).toBeGreaterThan(5)
  })

  test('an error that is not of the file system keeps its text', async () => {
    const archive = { name: 'Sales.zip', documents: ['d1'], secret: 'zip' }
    const { result } = await attempt(folder.path, await stored(), { archive })
    expect(result).toEqual({ state: 'retry', detail: 'there is no secret "zip"' })
  })
})
