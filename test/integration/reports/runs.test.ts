import { describe, expect, test } from 'bun:test'
import { ReportError } from '../../../src/reports/codes.ts'
import { DEFAULT_OPTIONS } from '../../../src/reports/runs/admission.ts'
import type { Carrier } from '../../../src/reports/runs/deliver.ts'
import type { MailPayload } from '../../../src/reports/runs/plan.ts'
import { exampleDefinition, exampleDocument, prepared, runScene } from '../../support/report-runs.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const never = () => new Promise<never>(() => {})
const addressOf = ({ payload }: { readonly payload: unknown }) => (payload as MailPayload).to[0]!

/** Starts a run whose second mail hangs, and ends the process then. */
async function killedInSecondMail(file: string): Promise<{ id: string; ids: string[] }> {
  const first = runScene({
    file,
    carriers: {
      email: async ({ delivery }) => (addressOf(delivery) === 'b@x.com' ? never() : { state: 'sent', detail: '' }),
    },
  })
  await first.runner.start()
  const { runId } = await first.start()
  await until(() => first.states(runId)[1] === 'sending')
  const ids = first.ledger.deliveries(runId).map(({ id }) => id)
  first.kill()
  return { id: runId, ids }
}

function counting(): { readonly to: string[]; readonly ids: string[]; readonly email: Carrier } {
  const to: string[] = []
  const ids: string[] = []
  return {
    to,
    ids,
    email: async ({ delivery }) => {
      to.push(addressOf(delivery))
      ids.push(delivery.id)
      return { state: 'sent', detail: '' }
    },
  }
}

describe('the end of the process', () => {
  test('while documents are made: the run begins again, with the definition of its first start', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const first = runScene({ file, prepare: never })
    await first.runner.start()
    const { runId } = await first.start()
    await until(() => first.ledger.run(runId)?.state === 'running' && first.ledger.definition(runId))
    first.kill()
    const names: string[] = []
    const second = runScene({
      file,
      definition: exampleDefinition({ name: 'Edited since' }),
      prepare: async ({ definition }) => {
        names.push(definition.task.name)
        return prepared(['a@x.com'])
      },
    })
    await second.runner.start()
    expect(await second.finished(runId)).toMatchObject({ outcome: 'success', attempt: 2 })
    expect(names).toEqual(['Weekly sales pack'])
  })

  test('three times while documents are made: the run is an error', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    let id = ''
    for (let attempt = 1; attempt <= 3; attempt++) {
      const scene = runScene({ file, prepare: never })
      await scene.runner.start()
      if (attempt === 1) id = (await scene.start()).runId
      await until(() => scene.ledger.run(id)?.attempt === attempt)
      scene.kill()
    }
    const last = runScene({ file })
    await last.runner.start()
    expect(await last.finished(id)).toMatchObject({ outcome: 'error', reason: 'INTERNAL' })
  })

  test('during a mail, hold: that mail is doubtful and named, the others go out once, nothing is made again', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const { id } = await killedInSecondMail(file)
    const mails = counting()
    const second = runScene({ file, carriers: mails, prepare: () => Promise.reject(new Error('made again')) })
    await second.runner.start()
    expect(await second.finished(id)).toMatchObject({
      outcome: 'warning',
      reason: 'MAIL_UNKNOWN',
      counts: { mailsSent: 2, mailsHeld: 1 },
    })
    expect(mails.to).toEqual(['c@x.com'])
    expect(second.states(id)).toEqual(['sent', 'unknown', 'sent'])
  })

  test('during a mail, resend: the same delivery goes out again', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const { id, ids } = await killedInSecondMail(file)
    const mails = counting()
    const second = runScene({ file, carriers: mails, settings: { onUnknown: 'resend' } })
    await second.runner.start()
    expect(await second.finished(id)).toMatchObject({ outcome: 'success' })
    expect(mails.to).toEqual(['b@x.com', 'c@x.com'])
    expect(mails.ids).toEqual(ids.slice(1))
  })

  test('a doubtful mail is sent again by hand with the Message-ID of the first', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const { id, ids } = await killedInSecondMail(file)
    const payloads: MailPayload[] = []
    const second = runScene({
      file,
      carriers: {
        email: async ({ delivery }) => {
          payloads.push(delivery.payload as MailPayload)
          return { state: 'sent', detail: '' }
        },
      },
    })
    await second.runner.start()
    const run = await second.finished(id)
    const request = { run, states: ['unknown'], recipients: null, actor: 'x', confirmDuplicates: false } as const
    const answer = await second.runner.resend({ ...request, corrections: { 'b@x.com': 'bea@x.com' } })
    if (answer.status !== 'started') throw new Error(answer.status)
    const again = await second.finished(answer.run.id)
    expect(again).toMatchObject({ outcome: 'success', trigger: { type: 'resend', key: id } })
    expect(payloads.at(-1)).toMatchObject({ to: ['bea@x.com'], messageId: ids[1] })
  })

  test('a stop while mails wait for their turn leaves no doubtful mail', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const first = runScene({
      file,
      throttle: (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
    })
    await first.runner.start()
    const { runId } = await first.start()
    await until(() => first.ledger.run(runId)?.state === 'delivering')
    await first.runner.stop(1000)
    expect(first.states(runId)).toEqual(['planned', 'planned', 'planned'])
    first.kill()
    const mails = counting()
    const second = runScene({ file, carriers: mails })
    await second.runner.start()
    expect(await second.finished(runId)).toMatchObject({ outcome: 'success' })
    expect(mails.to).toEqual(['a@x.com', 'b@x.com', 'c@x.com'])
  })

  test('after a cancel: the run does not begin again', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const first = runScene({ file, prepare: never })
    await first.runner.start()
    const { runId } = await first.start()
    await until(() => first.ledger.run(runId)?.state === 'running')
    await first.ledger.cancel(runId)
    first.kill()
    const second = runScene({ file })
    await second.runner.start()
    expect(await second.finished(runId)).toMatchObject({ outcome: 'cancelled' })
    expect(second.states(runId)).toEqual([])
  })
})

describe('cancel', () => {
  test('a run that waits ends at once', async () => {
    await using folder = tempDirectory()
    const scene = runScene({ file: folder.join('footman.db') })
    const { runId } = await scene.start()
    expect(await scene.runner.cancel(runId)).toBe(true)
    await scene.runner.start()
    expect(scene.ledger.run(runId)).toMatchObject({ state: 'finished', outcome: 'cancelled' })
    expect(await scene.runner.cancel(runId)).toBe(false)
  })

  test('while documents are made, the work gets the signal and nothing is delivered', async () => {
    await using folder = tempDirectory()
    const scene = runScene({
      file: folder.join('footman.db'),
      prepare: (_request, _observe, signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    })
    await scene.runner.start()
    const { runId } = await scene.start()
    await until(() => scene.ledger.run(runId)?.state === 'running')
    await scene.runner.cancel(runId)
    expect(await scene.finished(runId)).toMatchObject({ outcome: 'cancelled' })
  })

  test('while mails go out: sent ones stay, the rest is left out', async () => {
    await using folder = tempDirectory()
    const gate = Promise.withResolvers<void>()
    const scene = runScene({
      file: folder.join('footman.db'),
      carriers: {
        email: async ({ delivery }) => {
          if (addressOf(delivery) === 'b@x.com') await gate.promise
          return { state: 'sent', detail: '' }
        },
      },
    })
    await scene.runner.start()
    const { runId } = await scene.start()
    await until(() => scene.states(runId)[1] === 'sending')
    await scene.runner.cancel(runId)
    gate.resolve()
    expect(await scene.finished(runId)).toMatchObject({ outcome: 'cancelled', counts: { mailsSent: 2 } })
    expect(scene.states(runId)).toEqual(['sent', 'sent', 'skipped'])
  })
})

describe('outcomes', () => {
  const rejected: Carrier = async () => ({ state: 'failed', code: 'MAIL_REJECTED', detail: '550 no such user' })
  test.each([
    [
      'one rejected address',
      {
        email: (async ({ delivery, ...job }) =>
          addressOf(delivery) === 'b@x.com'
            ? rejected({ delivery, ...job })
            : { state: 'sent', detail: '' }) satisfies Carrier,
      },
      'warning',
      'MAIL_REJECTED',
      ['MAIL_REJECTED'],
    ],
    [
      'all rejected',
      { email: rejected },
      'error',
      'MAIL_NONE_SENT',
      [...Array(3).fill('MAIL_REJECTED'), 'MAIL_NONE_SENT'],
    ],
    ['shadow mode', { email: async () => ({ state: 'skipped', detail: 'shadow mode' }) as const }, 'success', null, []],
    [
      'a fault of our own',
      {
        email: (async ({ delivery }) => {
          if (addressOf(delivery) === 'a@x.com') throw new Error('broken')
          return { state: 'sent', detail: '' }
        }) satisfies Carrier,
      },
      'error',
      'INTERNAL',
      ['INTERNAL'],
    ],
  ])('%s', async (_, carriers, outcome, reason, codes) => {
    await using folder = tempDirectory()
    const scene = runScene({ file: folder.join('footman.db'), carriers })
    await scene.runner.start()
    const { runId } = await scene.start()
    expect(await scene.finished(runId)).toMatchObject({ outcome, reason } as object)
    expect(scene.codes(runId)).toEqual(codes as never)
  })

  test.each([
    [new ReportError('APP_NOT_FOUND', 'ccc1e1c1'), 'APP_NOT_FOUND'],
    [new TypeError('undefined is no function'), 'INTERNAL'],
  ])('nothing can be made: %p', async (fault, reason) => {
    await using folder = tempDirectory()
    const scene = runScene({ file: folder.join('footman.db'), prepare: () => Promise.reject(fault) })
    await scene.runner.start()
    const { runId } = await scene.start()
    expect(await scene.finished(runId)).toMatchObject({ outcome: 'error', reason } as object)
  })

  test('skipped by conditions stays skipped, whatever else was noted', async () => {
    await using folder = tempDirectory()
    const scene = runScene({
      file: folder.join('footman.db'),
      prepare: async (_request, { note }) => {
        note({ code: 'ADDRESS_INVALID', details: 'x' })
        return prepared(['a@x.com'], { skipped: 'ALL_REPORTS_SKIPPED', documents: [] })
      },
    })
    await scene.runner.start()
    const { runId } = await scene.start()
    expect(await scene.finished(runId)).toMatchObject({ outcome: 'skipped', reason: 'ALL_REPORTS_SKIPPED' })
  })
})

test('a mail server that is away delays mails alone; each goes out once when it is back', async () => {
  await using folder = tempDirectory()
  let away = true
  const to: string[] = []
  const scene = runScene({
    file: folder.join('footman.db'),
    definition: exampleDefinition({
      storage: [{ spaceId: 'share' }],
      reports: [
        {
          key: 'pack',
          reportId: exampleDefinition().reports[0]!.id,
          format: 'pdf',
          deliver: { email: 'attach', storage: true },
        },
      ],
    }),
    carriers: {
      email: async ({ delivery }) => {
        if (away) return { state: 'retry', detail: 'connect ECONNREFUSED', channelDown: true }
        to.push(addressOf(delivery))
        return { state: 'sent', detail: '' }
      },
    },
  })
  await scene.runner.start()
  const { runId } = await scene.start()
  await until(() => (scene.ledger.deliveries(runId).find(({ channel }) => channel === 'email')?.attempts ?? 0) >= 2)
  expect(scene.states(runId, 'storage')).toEqual(['sent'])
  expect(
    scene.ledger
      .deliveries(runId)
      .map(({ channel, attempts }) => channel === 'email' && attempts)
      .slice(2),
  ).toEqual([0, 0])
  away = false
  expect(await scene.finished(runId)).toMatchObject({ outcome: 'success' })
  expect(to.toSorted()).toEqual(['a@x.com', 'b@x.com', 'c@x.com'])
})

test('at the deadline what is open has failed', async () => {
  await using folder = tempDirectory()
  const scene = runScene({
    file: folder.join('footman.db'),
    settings: { deadlineMinutes: 0.002 },
    carriers: { email: async () => ({ state: 'retry', detail: 'away', channelDown: true }) },
  })
  await scene.runner.start()
  const { runId } = await scene.start()
  expect(await scene.finished(runId)).toMatchObject({ outcome: 'error', reason: 'DELIVERY_DEADLINE' })
  expect(scene.states(runId)).toEqual(['failed', 'failed', 'failed'])
  expect(scene.codes(runId)).toContain('MAIL_NONE_SENT')
})

describe('notifications', () => {
  test('go out after the end; one that fails is a warning of the run, whose outcome stays', async () => {
    await using folder = tempDirectory()
    const to: string[] = []
    const scene = runScene({
      file: folder.join('footman.db'),
      definition: exampleDefinition({
        notifications: [
          { on: ['success'], recipients: ['ops@x.com', 'gone@x.com', 'other@elsewhere.com'] },
          { on: ['error'], recipients: ['late@x.com'] },
        ],
      }),
      settings: { allowedDomains: ['x.com'] },
      carriers: {
        notification: async ({ delivery }) => {
          to.push(addressOf(delivery))
          if (addressOf(delivery) === 'gone@x.com')
            return { state: 'failed', code: 'MAIL_REJECTED', detail: '550 no such user' }
          return { state: 'sent', detail: '' }
        },
      },
    })
    await scene.runner.start()
    const { runId } = await scene.start()
    await scene.finished(runId)
    await until(() => scene.states(runId, 'notification').join() === 'sent,failed')
    expect(to).toEqual(['ops@x.com', 'gone@x.com'])
    await until(() => scene.codes(runId).length === 2)
    expect(scene.ledger.events(runId)).toMatchObject([
      { code: 'ADDRESS_NOT_ALLOWED', recipient: 'other@elsewhere.com', details: 'outcome mail: other@elsewhere.com' },
      { code: 'MAIL_REJECTED', recipient: 'gone@x.com', details: 'outcome mail: gone@x.com: 550 no such user' },
    ])
    expect(scene.ledger.run(runId)).toMatchObject({ outcome: 'success', counts: { warnings: 2, mailsSent: 3 } })
  })

  test('a success after an error is announced once, whatever ran between', async () => {
    await using folder = tempDirectory()
    let refused: readonly string[] = []
    let ops: string[] = []
    let documents = 0
    const ALL = ['a@x.com', 'b@x.com', 'c@x.com']
    const scene = runScene({
      file: folder.join('footman.db'),
      definition: exampleDefinition({ notifications: [{ on: ['recovered'], recipients: ['ops@x.com'] }] }),
      prepare: async () => {
        documents += 1
        return prepared(ALL, { documents: [exampleDocument({ id: `d${documents}` })] })
      },
      carriers: {
        email: async ({ delivery }) =>
          refused.includes(addressOf(delivery))
            ? { state: 'failed', code: 'MAIL_REJECTED', detail: '550 no such user' }
            : { state: 'sent', detail: '' },
        notification: async ({ run }) => {
          ops.push(run.id)
          return { state: 'sent', detail: '' }
        },
      },
    })
    await scene.runner.start()
    /** The outcome, and whether it was announced as the end of a failure. */
    const run = async (refusing: readonly string[], options = {}) => {
      refused = refusing
      ops = []
      const { runId } = await scene.start({ options: { ...DEFAULT_OPTIONS, ...options } })
      const { outcome } = await scene.finished(runId)
      await until(() => scene.states(runId, 'notification').every((state) => state === 'sent'))
      return { runId, seen: `${outcome}${ops.includes(runId) ? ' recovered' : ''}` }
    }
    const seen = async (...given: Parameters<typeof run>) => (await run(...given)).seen
    const resend = async (id: string) => {
      refused = []
      const request = {
        run: scene.ledger.run(id)!,
        states: ['failed'],
        recipients: null,
        corrections: {},
        confirmDuplicates: false,
        actor: 'x',
      } as const
      const answer = await scene.runner.resend(request)
      if (answer.status !== 'started') throw new Error(answer.status)
      return (await scene.finished(answer.run.id)).outcome
    }
    expect(await seen([])).toBe('success')
    expect(await seen(ALL)).toBe('error')
    expect(await seen(['a@x.com'])).toBe('warning')
    expect(await seen([])).toBe('success recovered')
    expect(await seen([])).toBe('success')
    expect(await seen(ALL)).toBe('error')
    expect(await seen([], { dryRun: true })).toBe('success')
    expect(await seen([], { test: true, testAddress: 'me@x.com' })).toBe('success recovered')
    expect(await seen([])).toBe('success recovered')
    expect(await seen(ALL, { test: true, testAddress: 'a@x.com' })).toBe('error')
    expect(await seen([])).toBe('success')
    const failed = await run(ALL)
    expect([failed.seen, await resend(failed.runId)]).toEqual(['error', 'success'])
    expect(await seen([])).toBe('success recovered')
  })

  test('a resend of an older run, which ends first, takes the recovery from no run that is being delivered', async () => {
    await using folder = tempDirectory()
    let isRefusing = true
    const gate = Promise.withResolvers<void>()
    const recovered: string[] = []
    const scene = runScene({
      file: folder.join('footman.db'),
      definition: exampleDefinition({ notifications: [{ on: ['recovered'], recipients: ['ops@x.com'] }] }),
      prepare: async () => prepared(['a@x.com'], { documents: [exampleDocument({ id: crypto.randomUUID() })] }),
      carriers: {
        email: async ({ run }) => {
          if (isRefusing) return { state: 'failed', code: 'MAIL_REJECTED', detail: '550 no such user' }
          if (run.trigger.type !== 'resend') await gate.promise
          return { state: 'sent', detail: '' }
        },
        notification: async ({ run }) => {
          recovered.push(run.id)
          return { state: 'sent', detail: '' }
        },
      },
    })
    await scene.runner.start()
    const failed = await scene.start()
    await scene.finished(failed.runId)
    isRefusing = false
    const slow = await scene.start()
    await until(() => scene.states(slow.runId, 'email').includes('sending'))
    const run = scene.ledger.run(failed.runId)!
    const request = { run, states: ['failed'], recipients: null, corrections: {}, actor: 'x' } as const
    const again = await scene.runner.resend({ ...request, confirmDuplicates: false })
    if (again.status !== 'started') throw new Error(again.status)
    await scene.finished(again.run.id)
    gate.resolve()
    expect((await scene.finished(slow.runId)).outcome).toBe('success')
    await until(() => recovered.length > 0)
    expect(recovered).toEqual([slow.runId])
  })

  test('a test to an address that reports may not reach makes and sends nothing', async () => {
    await using folder = tempDirectory()
    for (const testAddress of ['x@evil.example', 'ops@x.com, x@evil.example']) {
      const scene = runScene({
        file: folder.join(`${testAddress.length}.db`),
        definition: exampleDefinition({ notifications: [{ on: ['error'], recipients: ['ops@x.com'] }] }),
        settings: { allowedDomains: ['x.com'] },
      })
      await scene.runner.start()
      const { runId } = await scene.start({ options: { ...DEFAULT_OPTIONS, test: true, testAddress } })
      await scene.finished(runId)
      expect(scene.codes(runId)).toEqual(['TEST_ADDRESS_REFUSED'])
      expect(scene.ledger.deliveries(runId)).toEqual([])
      expect(scene.ledger.run(runId)).toMatchObject({ outcome: 'error', reason: 'TEST_ADDRESS_REFUSED' })
    }
  })

  test('one that the process left behind goes out after the restart', async () => {
    await using folder = tempDirectory()
    const file = folder.join('footman.db')
    const definition = exampleDefinition({ notifications: [{ on: ['success'], recipients: ['ops@x.com'] }] })
    const first = runScene({
      file,
      definition,
      throttle: async () => {},
      carriers: { notification: async () => ({ state: 'retry', detail: 'away' }) },
    })
    await first.runner.start()
    const { runId } = await first.start()
    await until(() => first.states(runId, 'notification')[0] === 'retry')
    first.kill()
    const second = runScene({ file, definition })
    await second.runner.start()
    await until(() => second.states(runId, 'notification')[0] === 'sent')
  })
})

describe('admission while a run is under way', () => {
  test.each([
    ['coalesce', ['queued', 'merged', 'merged']],
    ['queue', ['queued', 'queued', 'queued']],
    ['skip', ['skipped', 'skipped', 'skipped']],
  ])('%s', async (whenBusy, expected) => {
    await using folder = tempDirectory()
    const definition = exampleDefinition({ run: { whenBusy } })
    const scene = runScene({ file: folder.join('footman.db'), definition, prepare: never })
    await scene.runner.start()
    const { runId, status } = await scene.start()
    expect(status).toBe('started')
    await until(() => scene.ledger.run(runId)?.state === 'running')
    const later = [await scene.start(), await scene.start(), await scene.start()]
    expect(later.map((one) => one.status)).toEqual(expected as never)
    if (whenBusy === 'skip') expect(later[0]).toMatchObject({ code: 'TASK_BUSY' })
  })

  test('the 21st that waits is refused', async () => {
    await using folder = tempDirectory()
    const scene = runScene({
      file: folder.join('footman.db'),
      definition: exampleDefinition({ run: { whenBusy: 'queue' } }),
    })
    for (let n = 0; n < 20; n++) await scene.start()
    expect(await scene.start()).toMatchObject({ status: 'skipped', code: 'QUEUE_FULL' })
  })

  test('runs that wait for a deleted task are cancelled', async () => {
    await using folder = tempDirectory()
    const scene = runScene({ file: folder.join('footman.db') })
    const { runId } = await scene.start()
    await scene.runner.cancelWaiting(scene.ledger.run(runId)!.taskId)
    expect(scene.ledger.run(runId)).toMatchObject({ state: 'finished', outcome: 'cancelled' })
  })
})

test('a resend leaves the file of a later run alone, and says so', async () => {
  await using folder = tempDirectory()
  const written: string[] = []
  let isFull = true
  const scene = runScene({
    file: folder.join('footman.db'),
    definition: exampleDefinition({ email: {}, storage: [{ spaceId: 'share', onExists: 'overwrite' }] }),
    prepare: async () => prepared([], { documents: [exampleDocument({ id: crypto.randomUUID() })] }),
    carriers: {
      async storage({ run }) {
        if (isFull) return { state: 'failed', code: 'STORAGE_FAILED', detail: 'full' }
        written.push(run.id)
        return { state: 'sent', detail: '' }
      },
    },
  })
  await scene.runner.start()
  const first = (await scene.finished((await scene.start()).runId))!
  isFull = false
  const again = async () => {
    const request = { run: first, states: ['failed'], recipients: null, corrections: {}, actor: 'x' } as const
    const answer = await scene.runner.resend({ ...request, confirmDuplicates: true })
    if (answer.status !== 'started') throw new Error(answer.status)
    return (await scene.finished(answer.run.id))!
  }
  const second = await again()
  // What the resend has written is no file of a later run.
  const third = await again()
  const later = (await scene.finished((await scene.start()).runId))!
  const last = await again()
  expect(written).toEqual([second.id, third.id, later.id])
  expect([last.outcome, last.reason, scene.states(last.id, 'storage')]).toEqual(['warning', 'FILE_EXISTS', ['skipped']])
})
