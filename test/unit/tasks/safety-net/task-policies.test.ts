/** The policy of a task: its custom properties, then the first policy that covers it, then the default. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { certainTest } from '../../../../src/alerts/rules/match.ts'
import { TASK_TYPES } from '../../../../src/events/kinds.ts'
import type { QrsTask } from '../../../../src/qlik/qrs/types.ts'
import { taskPolicies, WATCHED, watchText } from '../../../../src/tasks/safety-net/config-policies.ts'
import {
  compilePolicies,
  matchesPolicy,
  policyOf,
  tasksOfPolicy,
} from '../../../../src/tasks/safety-net/task-policies.ts'
import { TASK_ID } from '../../../support/events.ts'
import { qrsTask } from '../../../support/fake-qrs.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { MINUTE, policiesOf } from '../../../support/safety-net.ts'

const named = (name: string) => ({ id: name, name })
const properties = (values: Readonly<Record<string, string>>): Partial<QrsTask> => ({
  customProperties: Object.entries(values).map(([name, value]) => ({ value, definition: named(name) })),
})
const compiled = (config: unknown) =>
  compilePolicies(taskPolicies.parse(config), (matches) => certainTest(matches, { windows: { contains: () => false } }))

const FINANCE = { ...named('app'), stream: named('Finance') }
const finance = (changes: Partial<QrsTask> = {}) => qrsTask({ app: FINANCE, ...changes })

/** First those of Finance, then all that are tagged, then the rest. */
const POLICIES = [
  { name: 'finance', match: { stream: 'Finance' }, retry: '3x/5m*2', watch: { stuck: '2h', dueBy: '07:30' } },
  { name: 'quiet', match: { taskTag: 'hourly-*' }, retry: 'none', watch: { late: 'off' } },
  { name: 'rest', retry: '1x/10s if connection', watch: { neverStarted: '1h' } },
]

const byProperty = (name: string) => ({ kind: 'customProperty', name }) as const
const byPolicy = (name: string) => ({ kind: 'policy', name }) as const

describe('retries of a task', () => {
  test.each<[what: string, QrsTask, configured: unknown, text: string | null, from: object | null]>([
    ['without policies', finance(), [], null, null],
    [
      'by its custom property alone',
      finance(properties({ retryPolicy: '2x/1m' })),
      [],
      '2x/1m',
      byProperty('retryPolicy'),
    ],
    [
      'by its custom property before a policy',
      finance(properties({ retryPolicy: '2x/1m' })),
      POLICIES,
      '2x/1m',
      byProperty('retryPolicy'),
    ],
    [
      'switched off by its custom property',
      finance(properties({ retryPolicy: 'none' })),
      POLICIES,
      'none',
      byProperty('retryPolicy'),
    ],
    [
      'by a policy when its custom property is wrong',
      finance(properties({ retryPolicy: 'often' })),
      POLICIES,
      '3x/5m*2',
      byPolicy('finance'),
    ],
    ['by the first policy that covers it', finance(), POLICIES, '3x/5m*2', byPolicy('finance')],
    [
      'by the first policy, in another order',
      finance(),
      POLICIES.toReversed(),
      '1x/10s if connection',
      byPolicy('rest'),
    ],
    ['switched off by a policy', qrsTask({ app: null }), POLICIES, 'none', byPolicy('quiet')],
    ['by a policy without a match', qrsTask({ tags: [] }), POLICIES, '1x/10s if connection', byPolicy('rest')],
    [
      'of a covering policy that has none, although a later one does',
      finance(),
      [{ name: 'watched', watch: { late: '1h' } }, ...POLICIES],
      null,
      null,
    ],
    ['of a kind that is not known', finance({ taskType: 9 }), POLICIES, null, null],
  ])('%s', (_what, task, configured, text, from) => {
    const { value, ...applied } = policiesOf(recordingLog(), configured).retryOf(task)
    expect(applied).toEqual({ text, from } as typeof applied)
    expect(value === null).toBe(text === null || text === 'none')
  })

  test('have the numbers of the policy', () => {
    const { retryOf } = policiesOf(recordingLog(), POLICIES)
    expect(retryOf(finance()).value).toEqual({ max: 3, delayMs: 5 * MINUTE, factor: 2, condition: null })
    expect(retryOf(qrsTask({ tags: [] })).value).toMatchObject({ max: 1, condition: 'connection' })
  })
})

describe('limits of the watchdog and due times of a task', () => {
  test.each<[what: string, QrsTask, text: string | null, from: object | null]>([
    ['by its custom property', finance(properties({ watchPolicy: 'late=30m' })), 'late=30m', byProperty('watchPolicy')],
    [
      'by a policy when its custom property is wrong',
      finance(properties({ watchPolicy: 'soon' })),
      'stuck=2h',
      byPolicy('finance'),
    ],
    [
      'by a policy, as another property is another matter',
      finance(properties({ retryPolicy: '1x/1m' })),
      'stuck=2h',
      byPolicy('finance'),
    ],
    ['by a policy that switches one off', qrsTask({ app: null }), 'late=off', byPolicy('quiet')],
    ['as learnt', qrsTask({ tags: [], app: null, taskType: 9 }), null, null],
  ])('%s', (_what, task, text, from) => {
    const { value, ...applied } = policiesOf(recordingLog(), POLICIES).watchOf(task)
    expect(applied).toEqual({ text, from } as typeof applied)
    expect(watchText(value)).toBe(text)
  })

  test.each<[what: string, QrsTask, value: readonly string[], from: object | null]>([
    ['by its custom property', finance(properties({ dueBy: '+45m' })), ['+45m'], byProperty('dueBy')],
    ['by a policy', finance(), ['07:30'], byPolicy('finance')],
    ['none', qrsTask(), [], null],
  ])('due %s', (_what, task, value, from) => {
    expect(policiesOf(recordingLog(), POLICIES).dueOf(task)).toMatchObject({ value, from } as object)
  })
})

test('a wrong custom property is logged once, and again when it is wrong in another way', () => {
  const log = recordingLog()
  const { retryOf, watchOf } = policiesOf(log, POLICIES)
  for (const value of ['often', 'often', 'sometimes']) retryOf(finance(properties({ retryPolicy: value })))
  watchOf(finance(properties({ watchPolicy: 'often' })))
  expect(log.of('warn').map((line) => line.split(':')[0])).toEqual(['RETRY', 'RETRY', 'WATCHDOG'])
})

test('other policies are in use from the call of the result on', () => {
  const policies = policiesOf(recordingLog(), POLICIES)
  const use = policies.prepare(taskPolicies.parse([{ name: 'new', retry: '9x/1h' }]))
  expect(policies.retryOf(finance()).from).toEqual(byPolicy('finance'))
  use()
  expect(policies.retryOf(finance())).toMatchObject({ text: '9x/1h', from: byPolicy('new') })
})

describe('a match of a policy', () => {
  const EXTERNAL = qrsTask({ taskType: 1, app: null, name: 'ERP export' })
  test.each<[match: unknown, QrsTask, boolean]>([
    [undefined, EXTERNAL, true],
    [{}, EXTERNAL, true],
    [{ type: 'externalProgram' }, EXTERNAL, true],
    [{ type: ['reload', 'userSync'] }, EXTERNAL, false],
    [{ task: 'erp*' }, EXTERNAL, true],
    [{ task: ['Sales*', 'ERP*'] }, EXTERNAL, true],
    [{ taskId: TASK_ID.toUpperCase() }, finance(), true],
    [{ app: 'Sales Dashboard' }, qrsTask(), true],
    [{ stream: 'fin*' }, finance(), true],
    [{ stream: '' }, qrsTask({ app: { ...named('app'), stream: null } }), true],
    // Where the stream could not be read, the policy does not cover the task.
    [{ stream: '*' }, qrsTask(), false],
    [{ stream: '*' }, EXTERNAL, false],
    [{ taskTag: ['nightly', 'hourly-*'] }, qrsTask(), true],
    [{ taskTag: { all: ['nightly', 'hourly-*'] } }, qrsTask(), false],
    [{ taskProperty: { Priority: ['high', 'urgent'] } }, qrsTask(properties({ priority: 'High' })), true],
    [{ taskProperty: { Priority: 'high' } }, qrsTask(), false],
    [{ task: 'Financial*', stream: 'Sales' }, finance(), false],
    [[{ stream: 'Sales' }, { task: 'Financial*' }], finance(), true],
  ])('%j', (match, task, covered) => {
    const [policy] = compiled([{ name: 'one', ...(match !== undefined && { match: match as object }) }])
    expect(matchesPolicy(policy!, task)).toBe(covered)
  })
})

test('each task belongs to one policy at most: the first that matches it', () => {
  const streams = ['Finance', 'Sales', 'HR']
  const policy = fc.record({
    stream: fc.subarray(streams, { minLength: 1 }),
    type: fc.subarray<string>(['reload', 'preload'], { minLength: 1 }),
  })
  const task = fc.record({ stream: fc.constantFrom(...streams), taskType: fc.constantFrom(0, 1, 4, 7) })
  fc.assert(
    fc.property(fc.array(policy, { maxLength: 6 }), fc.array(task, { maxLength: 8 }), (matches, found) => {
      const policies = compiled(matches.map((match, n) => ({ name: `p${n}`, match, retry: `${n + 1}x/1m` })))
      const tasks = found.map(({ stream, taskType }, n) =>
        qrsTask({ id: `t${n}`, taskType, app: { ...named('app'), stream: named(stream) } }),
      )
      const wanted = found.map(({ stream, taskType }) =>
        matches.findIndex((one) => one.stream.includes(stream) && one.type.includes(TASK_TYPES.at(taskType) ?? '')),
      )
      expect(tasks.map((one) => policies.indexOf(policyOf(policies, one)!))).toEqual(wanted)
      const covered = policies.map((one, n) => tasksOfPolicy(one, tasks, policies.slice(0, n)).map(({ id }) => id))
      expect(covered).toEqual(policies.map((_, n) => wanted.flatMap((at, t) => (at === n ? `t${t}` : []))))
      expect(policies.map((one) => tasksOfPolicy(one, tasks).length)).toEqual(
        policies.map((one) => tasks.filter((other) => matchesPolicy(one, other)).length),
      )
    }),
  )
})

test('limits written in a policy and in a custom property are the same', () => {
  const limit = fc.oneof(
    fc.constant('off'),
    fc.integer({ min: 1, max: 43_200 }).map((minutes) => `${minutes}m`),
  )
  const limits = fc.dictionary(fc.constantFrom(...WATCHED), limit, { noNullPrototype: true })
  fc.assert(
    fc.property(limits, (watch) => {
      const text = Object.entries(watch)
        .map(([name, value]) => `${name}=${value}`)
        .join('; ')
      const ofPolicy = policiesOf(recordingLog(), [{ name: 'one', watch }]).watchOf(qrsTask()).value
      const ofProperty = policiesOf(recordingLog()).watchOf(qrsTask(properties({ watchPolicy: text }))).value
      expect(ofPolicy).toEqual(ofProperty)
    }),
  )
})
