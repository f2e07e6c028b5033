/** The life of a delivery: when it is attempted, what an attempt makes of it, how it ends without one. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { DeliveryChannel } from '../../../../src/reports/runs/contract.ts'
import {
  type Attempt,
  afterAttempt,
  type Decision,
  dueAt,
  type Facts,
  isOpen,
  next,
  RETRIES,
} from '../../../../src/reports/runs/delivery-rules.ts'
import type { DeliveryRecord } from '../../../../src/reports/runs/ledger.ts'

const NOW = 1_000_000
const delivery = (changes: Partial<DeliveryRecord> = {}): DeliveryRecord => ({
  id: 'd1',
  runId: 'r1',
  position: 0,
  channel: 'email',
  target: 'a@x.com',
  documents: [],
  payload: { to: ['a@x.com'], cc: [], bcc: [], insteadOf: null },
  state: 'planned',
  attempts: 0,
  nextAt: null,
  lastError: null,
  ...changes,
})
const file = (changes: Partial<DeliveryRecord> = {}, onExists = 'overwrite') =>
  delivery({ channel: 'storage', target: 'share:a.pdf', payload: { onExists }, ...changes })
const waits = (attempts: number, nextAt: number, lastError = 'away') =>
  ({ state: 'retry', attempts, nextAt, lastError }) as const

const FACTS: Facts = {
  now: NOW,
  passAt: NOW,
  deadline: NOW + 1,
  downUntil: 0,
  isCancelled: false,
  isResend: false,
  hasLaterFile: () => false,
}
/** A decision in one line: `failed attempts target lastError; level text; CODE target detail`. */
function shown({ change, said }: Decision): string {
  const { state, attempts, target, lastError, nextAt } = change
  const events = said.map(
    ({ level, text, event }) => `${level} ${text}${event ? `; ${Object.values(event).join(' ')}` : ''}`,
  )
  return [`${state} ${attempts} ${target} ${lastError}${nextAt === null ? '' : ` +${nextAt - NOW}`}`, ...events].join(
    '; ',
  )
}

describe('an open delivery', () => {
  const later = { hasLaterFile: () => true }
  test.each<[string, DeliveryRecord, Partial<Facts>, string]>([
    ['is attempted at once', delivery(), {}, 'attempt'],
    ['waits for its time', delivery(waits(1, NOW + 1)), {}, 'wait'],
    ['is attempted at its time', delivery(waits(1, NOW)), {}, 'attempt'],
    ['that becomes due during the pass waits for the next', delivery(waits(1, NOW)), { passAt: NOW - 1 }, 'wait'],
    ['waits while its channel is away', delivery(), { downUntil: NOW + 1 }, 'wait'],
    [
      'of a cancelled run ends',
      delivery(waits(1, NOW)),
      { isCancelled: true },
      'skipped 1 a@x.com the run was cancelled',
    ],
    [
      'that was never tried ends at the deadline',
      delivery(),
      { deadline: NOW },
      'failed 0 a@x.com not tried before the deadline; error mail failed to=a@x.com at the deadline: not tried before the deadline; DELIVERY_DEADLINE a@x.com not tried before the deadline',
    ],
    [
      'that waits ends at the deadline with its last error',
      file(waits(2, NOW + 5)),
      { deadline: NOW },
      'failed 2 share:a.pdf away; error file failed to=share:a.pdf at the deadline: away; DELIVERY_DEADLINE share:a.pdf away',
    ],
    [
      'of a cancelled run says nothing at the deadline',
      delivery(),
      { isCancelled: true, deadline: 0 },
      'skipped 0 a@x.com the run was cancelled',
    ],
    [
      'whose file a later run has written is left out',
      file(waits(1, NOW)),
      later,
      'skipped 1 share:a.pdf a later run of the task has written this file; info file skipped to=share:a.pdf a later run of the task has written this file',
    ],
    ['is not left out at its first attempt', file(), later, 'attempt'],
    [
      'that is written once more for an older run is left out, and the run says so',
      file(),
      { ...later, isResend: true },
      'skipped 0 share:a.pdf a later run of the task has written this file; warn file skipped to=share:a.pdf a later run of the task has written this file; FILE_EXISTS share:a.pdf a later run of the task has written this file',
    ],
    ['is not left out where it gets a name of its own', file(waits(1, NOW), 'suffix'), later, 'attempt'],
    ['of a file that waits asks for later ones at its time', file(waits(1, NOW + 1)), later, 'wait'],
    ['of a mail knows no later file', delivery(waits(1, NOW)), later, 'attempt'],
  ])('%s', (_, one, facts, expected) => {
    const step = next(one, { ...FACTS, ...facts })
    expect(typeof step === 'string' ? step : shown(step)).toBe(expected)
  })
})

const after = (
  one: DeliveryRecord,
  attempt: Attempt,
  more: { target?: string; rejected?: string[]; random?: number } = {},
) =>
  afterAttempt(
    { delivery: one, target: more.target ?? one.target, rejected: () => new Set(more.rejected) },
    attempt,
    RETRIES[one.channel],
    NOW,
    more.random ?? 0.5,
  )

const retry: Attempt = { state: 'retry', detail: 'away' }
test.each<[string, DeliveryRecord, Attempt, string]>([
  [
    'sent',
    delivery(waits(1, NOW)),
    { state: 'sent', detail: '250 ok' },
    'sent 2 a@x.com null; info mail sent to=a@x.com 250 ok',
  ],
  [
    'sent elsewhere in a test',
    delivery({ payload: { to: ['me@x.com'], insteadOf: 'a@x.com' } }),
    { state: 'sent', detail: '' },
    'sent 1 a@x.com null; info mail sent to=me@x.com instead of a@x.com',
  ],
  [
    'written under another name',
    file(),
    { state: 'sent', detail: '', target: 'share:a (2).pdf', code: 'FILE_RENAMED' },
    'sent 1 share:a (2).pdf null; info file sent to=share:a (2).pdf; FILE_RENAMED share:a (2).pdf ',
  ],
  [
    'refused',
    delivery(),
    { state: 'failed', detail: 'no such user', code: 'MAIL_REJECTED' },
    'failed 1 a@x.com no such user; warn mail failed to=a@x.com no such user; MAIL_REJECTED a@x.com no such user',
  ],
  [
    'perhaps sent',
    delivery({ channel: 'notification' }),
    { state: 'unknown', detail: 'cut' },
    'unknown 1 a@x.com cut; warn notification may have been sent to=a@x.com cut; MAIL_UNKNOWN a@x.com cut',
  ],
  [
    'refused, copies too',
    delivery({ payload: { to: ['a@x.com'], cc: ['b@x.com'], bcc: ['c@x.com'], insteadOf: null } }),
    { state: 'failed', detail: 'spam', code: 'MAIL_REJECTED' },
    'failed 1 a@x.com spam; warn mail failed to=a@x.com spam; MAIL_REJECTED a@x.com, b@x.com, c@x.com spam',
  ],
  [
    'perhaps sent, copies too',
    delivery({ payload: { to: ['a@x.com'], cc: ['b@x.com'], bcc: [], insteadOf: null } }),
    { state: 'unknown', detail: 'cut' },
    'unknown 1 a@x.com cut; warn mail may have been sent to=a@x.com cut; MAIL_UNKNOWN a@x.com, b@x.com cut',
  ],
  [
    'left out',
    file(),
    { state: 'skipped', detail: 'exists' },
    'skipped 1 share:a.pdf exists; warn file skipped to=share:a.pdf exists',
  ],
  [
    'to be tried again',
    delivery(),
    retry,
    'retry 1 a@x.com away +60000; warn mail waits to=a@x.com attempt=1 next in 60 s: away',
  ],
  [
    'a mail is tried until the deadline, once an hour in the end',
    delivery(waits(40, NOW)),
    retry,
    'retry 41 a@x.com away +3600000; warn mail waits to=a@x.com attempt=41 next in 3600 s: away',
  ],
  [
    'a file fails at its fifth attempt',
    file(waits(4, NOW)),
    retry,
    'failed 5 share:a.pdf away; error file failed to=share:a.pdf away; STORAGE_FAILED share:a.pdf away',
  ],
])('after an attempt: %s', (_, one, attempt, expected) => expect(shown(after(one, attempt))).toBe(expected))

test('the place that an attempt has fixed stays with its result, and is chosen anew by the next attempt', () => {
  const target = 'share:a (3).pdf'
  const changes = (attempt: Attempt) => after(file(), attempt, { target }).change.target
  expect(changes({ state: 'failed', detail: '', code: 'STORAGE_FAILED' })).toBe(target)
  expect(changes(retry)).toBe('share:a.pdf')
})

describe('a mail that some addresses refused', () => {
  const mail = delivery({
    payload: {
      to: ['a@x.com', 'B@x.com'],
      cc: ['c@x.com'],
      bcc: [],
      insteadOf: null,
      attach: [],
      archives: [],
      embed: [],
    },
  })
  const refused = (...all: readonly (readonly [string, boolean])[]): Attempt => ({
    state: 'divided',
    detail: '250 ok',
    refused: all.map(([address, isPermanent]) => ({ address, isPermanent, detail: `no ${address}` }) as never),
  })
  const partsOf = ({ change, division }: Decision) =>
    [{ ...change, payload: division!.payload }, ...division!.others].map(({ state, payload }) => {
      const { only, messageId } = payload as { readonly only: readonly string[]; readonly messageId: string }
      return `${state} ${only} ${messageId}`
    })

  test('becomes several: it is sent, never sent, and sent later', () => {
    const decision = after(mail, refused(['b@x.com', true], ['c@x.com', false]))
    expect(partsOf(decision)).toEqual(['sent a@x.com d1', 'failed B@x.com d1', 'retry c@x.com d1'])
    expect(decision.division!.others.at(-1)).toMatchObject({ nextAt: NOW + 60_000, target: 'c@x.com' })
    expect(shown(decision)).toBe(
      'sent 1 a@x.com null; info mail sent to=a@x.com 250 ok; warn mail failed to=B@x.com no b@x.com; MAIL_REJECTED B@x.com no b@x.com; warn mail waits to=c@x.com no c@x.com',
    )
  })

  test('has its own fate for each address: in doubt, never sent, and sent later', () => {
    const decision = after(mail, {
      state: 'divided',
      detail: 'cut',
      refused: [
        { address: 'b@x.com', isPermanent: true, detail: 'no b@x.com' },
        { address: 'c@x.com', isPermanent: false, detail: 'no c@x.com' },
        { address: 'a@x.com', isPermanent: false, detail: 'cut', inDoubt: true },
      ],
    })
    expect(partsOf(decision)).toEqual(['unknown a@x.com d1', 'failed B@x.com d1', 'retry c@x.com d1'])
    expect(decision.said.flatMap(({ event }) => (event ? [[event.code, event.target, event.detail]] : []))).toEqual([
      ['MAIL_UNKNOWN', 'a@x.com', 'cut'],
      ['MAIL_REJECTED', 'B@x.com', 'no b@x.com'],
    ])
  })

  test('names an address once in a run', () => {
    const { said } = after(mail, refused(['c@x.com', true]), { rejected: ['c@x.com'] })
    expect(said.map(({ text, event }) => [text, event])).toEqual([
      ['mail sent to=a@x.com, B@x.com 250 ok', undefined],
      ['mail failed to=c@x.com no c@x.com', undefined],
    ])
  })

  test('is one of its parts for each address, also part by part', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('sent', 'failed', 'retry'), { minLength: 3, maxLength: 3 }), (fates) => {
        const addresses = ['a@x.com', 'B@x.com', 'c@x.com']
        const answers = addresses.flatMap((one, index) => {
          return fates[index] === 'sent' ? [] : [[one.toLowerCase(), fates[index] === 'failed'] as const]
        })
        fc.pre(answers.length > 0)
        const parts = partsOf(after(mail, refused(...answers)))
        const found = addresses.map((one) => parts.filter((text) => text.split(' ')[1]!.split(',').includes(one)))
        expect(found.map((all) => all.map((text) => text.split(' ')[0]))).toEqual(fates.map((fate) => [fate]))
      }),
    )
  })
})

test('attempts go on as long as the rule says, with growing pauses, and end at the deadline', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<DeliveryChannel>('storage', 'hub', 'email', 'notification'),
      fc.integer({ min: 0, max: 48 * 3600_000 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (channel, lastsMs, random) => {
        const deadline = NOW + lastsMs
        let one = delivery({ channel, payload: {} })
        let now = NOW
        for (let turns = 0; isOpen(one); turns++) {
          expect(turns).toBeLessThan(200)
          const step = next(one, { ...FACTS, now, passAt: now, deadline })
          if (step === 'wait') {
            now = Math.min(deadline, dueAt(one, 0))
            continue
          }
          const decision =
            step === 'attempt'
              ? afterAttempt(
                  { delivery: one, target: one.target, rejected: () => new Set() },
                  retry,
                  RETRIES[channel],
                  now,
                  random.next().value,
                )
              : step
          const pause = (decision.change.nextAt ?? now) - now
          expect(pause).toBeGreaterThanOrEqual(0)
          expect(pause).toBeLessThanOrEqual(72 * 60_000 + 1)
          one = { ...one, ...decision.change }
        }
        const { most, failedCode } = RETRIES[channel]
        expect([one.state, now <= deadline]).toEqual(['failed', true])
        if (most !== null) expect(one.attempts).toBeLessThanOrEqual(most)
        expect(now === deadline || one.attempts === most).toBe(true)
        expect(failedCode).toBe(most === null ? 'DELIVERY_DEADLINE' : 'STORAGE_FAILED')
      },
    ),
  )
})
