/** The queue of runs, attempts, and the end of a run: what is announced, what is kept. */
import { describe, expect, test } from 'bun:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import type { ReportMailer } from '../../../src/reports/mailer.ts'
import { DEFAULT_OPTIONS } from '../../../src/reports/runs/admission.ts'
import type { RunTrigger } from '../../../src/reports/runs/contract.ts'
import type { Ledger, RunEnd } from '../../../src/reports/runs/ledger.ts'
import { createRunLog } from '../../../src/reports/runs/log.ts'
import { createNotificationCarrier } from '../../../src/reports/runs/notify.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { exampleDefinition, exampleDocument, prepared, type RunScene, runScene } from '../../support/report-runs.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const never = () => new Promise<never>(() => {})
/** Waits for the signal, as an engine that does not answer. */
const silent: NonNullable<RunScene['prepare']> = (_request, _observe, signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
const timedTrigger = (key: string): RunTrigger => ({
  type: 'schedule',
  triggerId: 't1',
  firedAt: '2026-03-02T06:00:00.000Z',
  detail: {},
  key,
})

describe('the end of a run', () => {
  test('is announced in the transaction that stores it, with the documents by format', async () => {
    await using folder = tempDirectory()
    const ends: [RunEnd, string | undefined][] = []
    const scene = runScene({
      file: folder.join('footman.db'),
      onEnded: (end, tx) =>
        void ends.push([
          end,
          tx.get<{ state: string }>('SELECT state FROM report_run WHERE id = ?', end.run.id)?.state,
        ]),
      prepare: async () =>
        prepared(['a@x.com'], {
          documents: [
            exampleDocument({ id: 'd1' }),
            exampleDocument({ id: 'd2', fileName: 'Sales.pdf' }),
            exampleDocument({ id: 'd3', format: 'csv', fileName: 'Sales.csv' }),
          ],
        }),
    })
    await scene.runner.start()
    const { runId } = await scene.start()
    await scene.finished(runId)
    expect(ends).toHaveLength(1)
    const [[{ run, formats }, state]] = ends as [(typeof ends)[number]]
    expect([run.id, run.outcome, run.counts?.mailsSent, state]).toEqual([runId, 'success', 1, 'finished'])
    expect(formats).toEqual({ pdf: 2, csv: 1 })
  })

  test('is not stored without its announcement: a process that ends there announces it after the start', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    let asked = 0
    const first = runScene({
      file,
      onEnded() {
        asked += 1
        throw new Error('the process ends here')
      },
    })
    await first.runner.start()
    const { runId } = await first.start()
    await until(() => asked > 0)
    await first.runner.stop(1000)
    expect(first.ledger.run(runId)?.state).toBe('delivering')
    first.kill()
    const ends: RunEnd[] = []
    const mails: string[] = []
    const second = runScene({
      file,
      onEnded: (end) => void ends.push(end),
      carriers: {
        email: async ({ delivery }) => {
          mails.push(delivery.target)
          return { state: 'sent', detail: '' }
        },
      },
    })
    await second.runner.start()
    await second.finished(runId)
    expect(ends.map(({ run }) => [run.id, run.outcome])).toEqual([[runId, 'success']])
    expect(mails).toEqual([])
  })

  test('of a start that is skipped at once is announced with its row, once an hour', async () => {
    await using folder = tempDirectory()
    const ends: RunEnd[] = []
    const scene = runScene({
      file: folder.join('footman.db'),
      definition: exampleDefinition({ enabled: false }),
      onEnded: (end) => void ends.push(end),
    })
    const { runId } = await scene.start()
    await scene.start()
    expect(ends.map(({ run }) => [run.id, run.outcome, run.reason, run.startedAt])).toEqual([
      [runId, 'skipped', 'TASK_DISABLED', null],
    ])
    expect(scene.ledger.run(runId)?.repeats).toBe(2)
  })
})

describe('a disk that is full', () => {
  const megabyte = 'x'.repeat(1_000_000)
  const limit = ({ db }: ReturnType<typeof runScene>, pages: number) => db.get(`PRAGMA max_page_count = ${pages}`)

  test.each(['in the result of a delivery', 'in the end of the run'])(
    '%s: the run goes on when there is room again, and no mail leaves twice',
    async (place) => {
      await using folder = tempDirectory()
      const mails: string[] = []
      const fillsDelivery = place === 'in the result of a delivery'
      const scene = runScene({
        file: folder.join('footman.db'),
        onEnded(_end, tx) {
          if (!fillsDelivery) tx.run('UPDATE report_run SET project = ?', megabyte)
        },
        carriers: {
          email: async ({ delivery }) => {
            mails.push(delivery.target)
            if (mails.length === 3) limit(scene, 1)
            return fillsDelivery && mails.length === 3
              ? { state: 'failed', code: 'MAIL_REJECTED', detail: megabyte }
              : { state: 'sent', detail: '' }
          },
        },
      })
      await scene.runner.start()
      const { runId } = await scene.start()
      await until(() => scene.log.of('error').some((one) => /The state of runs cannot be stored/.test(one)))
      expect(scene.ledger.run(runId)?.state).toBe('delivering')
      limit(scene, 1_000_000)
      const { outcome, counts } = (await scene.finished(runId))!
      expect([outcome, counts?.mailsSent]).toEqual(fillsDelivery ? ['warning', 2] : ['success', 3])
      expect(mails).toEqual(['a@x.com', 'b@x.com', 'c@x.com'])
      expect(scene.runner.counts).toEqual({ queued: 0, running: 0 })
      await scene.runner.stop(1000)
    },
  )

  test('during a stop: the stop does not wait for room, and the next start ends the run', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const mails: string[] = []
    const email: NonNullable<RunScene['carriers']>['email'] = async ({ delivery }) => {
      mails.push(delivery.target)
      return { state: 'sent', detail: '' }
    }
    const first = runScene({
      file,
      onEnded(_end, tx) {
        tx.run('UPDATE report_run SET project = ?', megabyte)
      },
      carriers: {
        email: async (job) => {
          if (mails.length === 2) limit(first, 1)
          return email(job)
        },
      },
    })
    await first.runner.start()
    const { runId } = await first.start()
    await until(() => first.log.of('error').some((one) => /The state of runs cannot be stored/.test(one)))
    await first.runner.stop(60_000)
    first.kill()
    const second = runScene({ file, carriers: { email } })
    await second.runner.start()
    expect((await second.finished(runId))?.outcome).toBe('success')
    expect(mails).toEqual(['a@x.com', 'b@x.com', 'c@x.com'])
  })
})

test('a start that joins a waiting run is an event of it, which stays when the run begins', async () => {
  await using folder = tempDirectory()
  const scene = runScene({ file: folder.join('footman.db') })
  const { runId } = await scene.start()
  expect(await scene.start({ trigger: timedTrigger('2026-03-02T06:00:00.000Z') })).toMatchObject({
    status: 'merged',
    runId,
  })
  expect(scene.lines).toContain('COALESCED trigger=schedule 2026-03-02T06:00:00.000Z')
  await scene.runner.start()
  expect(await scene.finished(runId)).toMatchObject({ outcome: 'success', reason: null, counts: { warnings: 0 } })
  expect(scene.ledger.events(runId)).toMatchObject([
    {
      level: 'info',
      code: 'COALESCED',
      details: 'a start by trigger=schedule 2026-03-02T06:00:00.000Z joins this run, which waits',
    },
  ])
})

describe('attempts', () => {
  test('orderly stops are none: the run is made after any number of them', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    let id = ''
    for (let stop = 1; stop <= 4; stop++) {
      const scene = runScene({ file, prepare: silent })
      await scene.runner.start()
      if (stop === 1) id = (await scene.start()).runId
      await until(() => scene.ledger.run(id)?.state === 'running')
      expect(scene.ledger.run(id)?.attempt).toBe(1)
      await scene.runner.stop(1000)
      expect(scene.ledger.run(id)).toMatchObject({ state: 'queued', attempt: 0 })
      scene.kill()
    }
    const last = runScene({ file })
    await last.runner.start()
    expect(await last.finished(id)).toMatchObject({ outcome: 'success', attempt: 1 })
  })

  test('a scheduled run that was stopped after its start is not too late afterwards', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const triggers = [
      { id: '2f0f0a52-0000-4000-8000-0000000000aa', type: 'schedule', cron: '0 6 * * *', maxDelayMinutes: 60 },
    ]
    const definition = exampleDefinition({ triggers })
    const trigger = { ...timedTrigger('x'), triggerId: '2f0f0a52-0000-4000-8000-0000000000aa' }
    const first = runScene({ file, definition, prepare: silent })
    await first.runner.start()
    const { runId } = await first.start({ trigger })
    await until(() => first.ledger.run(runId)?.state === 'running')
    await first.runner.stop(1000)
    first.kill()
    const second = runScene({ file, definition })
    await second.runner.start()
    expect(await second.finished(runId)).toMatchObject({ outcome: 'success' })
  })

  test.each([
    [59, 'success', null],
    [61, 'skipped', 'MISSED_SCHEDULE'],
  ])('a scheduled run that never began, Footman down for %i of 60 minutes: %s', async (minutes, outcome, reason) => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const id = '2f0f0a52-0000-4000-8000-0000000000aa'
    const definition = exampleDefinition({
      triggers: [{ id, type: 'schedule', cron: '0 6 * * *', maxDelayMinutes: 60 }],
    })
    const trigger = { ...timedTrigger('x'), triggerId: id }
    const first = runScene({ file, definition })
    const { runId } = await first.start({ trigger })
    first.kill()
    const at = Date.parse(trigger.firedAt) + minutes * 60_000
    const second = runScene({ file, definition, clock: { now: () => at } })
    await second.runner.start()
    expect(await second.finished(runId)).toMatchObject({ outcome, reason })
  })

  test('a run that takes longer than its time is an error, and the next one begins', async () => {
    await using folder = tempDirectory()
    const definition = exampleDefinition({ run: { whenBusy: 'queue' } })
    const task = { ...definition.task, run: { ...definition.task.run, timeoutMinutes: 0.005 } }
    let runs = 0
    const scene = runScene({
      file: folder.join('footman.db'),
      definition: { ...definition, task },
      prepare: (...all) => (++runs === 1 ? silent(...all) : Promise.resolve(prepared(['a@x.com']))),
    })
    await scene.runner.start()
    const [one, two] = [await scene.start(), await scene.start()]
    expect(await scene.finished(one.runId)).toMatchObject({ outcome: 'error', reason: 'RUN_TIMEOUT' })
    expect(scene.ledger.deliveries(one.runId)).toEqual([])
    expect(await scene.finished(two.runId)).toMatchObject({ outcome: 'success' })
  })
})

test('of the waiting runs the one with the highest priority begins first, then the oldest', async () => {
  await using folder = tempDirectory()
  const { task } = exampleDefinition()
  const began: string[] = []
  let underWay = 0
  let most = 0
  const scene = runScene({
    file: folder.join('footman.db'),
    settings: { concurrentRuns: 1 },
    definitionOf: (id) => {
      const known = exampleDefinition()
      return { ...known, task: { ...known.task, id, name: id } }
    },
    prepare: async ({ definition }) => {
      began.push(definition.task.id)
      underWay += 1
      most = Math.max(most, underWay)
      await nextTurn()
      underWay -= 1
      return prepared(['a@x.com'])
    },
  })
  const tasks = [
    ['low', 1],
    ['usual', 5],
    ['high', 9],
    ['usual, younger', 5],
  ] as const
  const ids: string[] = []
  for (const [id, priority] of tasks) {
    ids.push((await scene.start({ task: { ...task, id, run: { ...task.run, priority } } })).runId)
  }
  await scene.runner.start()
  for (const id of ids) await scene.finished(id)
  expect(began).toEqual(['high', 'usual', 'usual, younger', 'low'])
  expect(most).toBe(1)
})

test.each([
  ['a run', {}, { sales: { met: true, rules: {} } }],
  ['a test', { test: true, testAddress: 'test@x.com' }, {}],
  ['a dry run', { dryRun: true }, {}],
])('%s: the state of conditions that is kept', async (_name, options, kept) => {
  await using folder = tempDirectory()
  const sales = { met: true, rules: {} }
  const states = { delivered: { sales }, notDelivered: { sales } }
  const scene = runScene({
    file: folder.join('footman.db'),
    prepare: async () => prepared(['a@x.com'], { states }),
  })
  await scene.runner.start()
  const { runId } = await scene.start({ options: { ...DEFAULT_OPTIONS, ...options } })
  expect(await scene.finished(runId)).toMatchObject({ outcome: 'success' })
  expect(scene.ledger.conditionStates(exampleDefinition().task.id)).toEqual(kept)
})

describe('notifications', () => {
  const definition = exampleDefinition({ notifications: [{ on: ['recovered'], recipients: ['ops@x.com'] }] })
  const recovered = (scene: { readonly ledger: Ledger }, id: string) =>
    scene.ledger
      .deliveries(id)
      .filter(({ channel }) => channel === 'notification')
      .map(({ payload }) => (payload as { recovered: boolean }).recovered)

  test('a success after an error has recovered, also when the process was killed in between; the next one has not', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const first = runScene({ file, definition, prepare: () => Promise.reject(new Error('broken')) })
    await first.runner.start()
    const failed = await first.start()
    await first.finished(failed.runId)
    expect(recovered(first, failed.runId)).toEqual([])
    first.kill()
    // Killed again while the run that succeeds is being made.
    const second = runScene({ file, definition, prepare: never })
    await second.runner.start()
    const { runId } = await second.start()
    await until(() => second.ledger.run(runId)?.state === 'running')
    second.kill()
    const third = runScene({ file, definition })
    await third.runner.start()
    expect(await third.finished(runId)).toMatchObject({ outcome: 'success', attempt: 2 })
    expect(recovered(third, runId)).toEqual([true])
    const next = await third.start()
    await third.finished(next.runId)
    expect(recovered(third, next.runId)).toEqual([])
  })

  test.each([
    [900, '.log', 'text/plain; charset=utf-8'],
    [1100, '.log.gz', 'application/gzip'],
  ])('a log of %d kB is attached as %s', async (kilobytes, ending, contentType) => {
    await using folder = tempDirectory()
    const runLog = createRunLog({ log: recordingLog(), clock: Date }, folder.join('logs'))
    const mails: Parameters<ReportMailer['send']>[0][] = []
    const mailer: ReportMailer = {
      async send(mail) {
        mails.push(mail)
        return { outcome: 'sent', detail: '250' }
      },
    }
    const notified = exampleDefinition({ notifications: [{ on: ['success'], recipients: ['ops@x.com'] }] })
    let carrier: ReturnType<typeof createNotificationCarrier> | null = null
    const scene = runScene({
      file: folder.join('footman.db'),
      definition: notified,
      runLog,
      prepare: async (_request, { line }) => {
        for (let n = 0; n < kilobytes; n++) line('x'.repeat(1000 - 60))
        return prepared(['a@x.com'], { documents: [exampleDocument({ id: crypto.randomUUID() })] })
      },
      carriers: { notification: (...all) => carrier!(...all) },
    })
    carrier = createNotificationCarrier(
      { ledger: scene.ledger, runLog, mailer, runUrl: (id) => `https://x/${id}` },
      {
        fromAddress: 'Reports <reports@x.com>',
        host: 'x',
        temporaryDirectory: folder.path,
        maxAttachmentMb: 20,
        allowedDomains: [],
        timezone: 'UTC',
        locale: 'en-GB',
      },
    )
    await scene.runner.start()
    const { runId } = await scene.start()
    await until(() => mails.length === 1)
    const [file] = mails[0]!.attachments as { filename: string; content: Buffer; contentType: string }[]
    expect(file!.filename).toMatch(/^report-task_Weekly sales pack_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.log/)
    expect([file!.filename.slice(file!.filename.indexOf('.log')), file!.contentType]).toEqual([ending, contentType])
    const content = ending.endsWith('.gz') ? gunzipSync(file!.content) : file!.content
    expect(content.toString()).toBe(await runLog.read(runId))
    expect(content.toString()).toMatch(/started\n[\s\S]*finished outcome=success/)
  })
})
