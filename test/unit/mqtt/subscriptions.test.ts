import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { subscriptionsFor } from '../../../src/mqtt/intake.ts'
import { filterCovers, topicMatches, topicProblem } from '../../../src/platform/mqtt-topics.ts'
import { mqttSettings } from '../../integration/mqtt/support.ts'

const MATCHES: [filter: string, topic: string, expected: boolean][] = [
  ['qliksense/#', 'qliksense/start_task', true],
  ['qliksense/#', 'qliksense', true],
  ['qliksense/#', 'Qliksense/start_task', false],
  ['qliksense/+', 'qliksense/a/b', false],
  ['qliksense/+', 'qliksense/', true],
  ['+/+', '/x', true],
  ['+', '/x', false],
  ['#', 'a/b/c', true],
  ['#', '$SYS/broker', false],
  ['+/broker', '$SYS/broker', false],
  ['$SYS/#', '$SYS/broker', true],
  ['a/+/c', 'a/b/c', true],
  ['a/b', 'a/b/c', false],
]

describe('topicMatches', () => {
  test.each(MATCHES)('%s and %s: %p', (filter, topic, expected) => {
    expect(topicMatches(filter, topic)).toBe(expected)
  })
})

describe('filterCovers', () => {
  test.each([
    ['a/#', 'a/+/c', true],
    ['a/#', 'a/#', true],
    ['a/+', 'a/#', false],
    ['a/+', 'a/+', true],
    ['a/b', 'a/+', false],
    ['#', 'x/#', true],
  ] as const)('%s and %s: %p', (wide, narrow, expected) => {
    expect(filterCovers(wide, narrow)).toBe(expected)
  })

  test('whatever a covered filter selects, the covering one selects too', () => {
    const level = fc.constantFrom('a', 'b', '+', '')
    const filter = fc
      .tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/'))
    const topic = fc
      .array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 5 })
      .map((all) => all.join('/'))
    fc.assert(
      fc.property(filter, filter, topic, (wide, narrow, name) => {
        if (filterCovers(wide, narrow) && topicMatches(narrow, name)) expect(topicMatches(wide, name)).toBe(true)
      }),
    )
  })
})

test('topicProblem', () => {
  expect(topicProblem('qliksense/x')).toBeNull()
  expect(topicProblem('')).toContain('empty')
  expect(topicProblem('a/+/b')).toContain('wildcard')
  expect(topicProblem('a\0')).toContain('NUL')
  expect(topicProblem('å'.repeat(32_768))).toContain('65535')
})

describe('subscriptionsFor', () => {
  const settings = (mqttConfig = {}, mqtt = {}) => mqttSettings(1883, { mqttConfig, mqtt })
  test('only the root topic when it covers all', () => {
    expect(subscriptionsFor(settings(), ['qliksense/start_task', 'qliksense/data/#'])).toEqual(['qliksense/#'])
  })
  test('what the root topic does not cover, each once', () => {
    const other = settings({ subscriptionRootTopic: 'x/#' })
    expect(subscriptionsFor(other, ['qliksense/start_task', 'sales/#', 'sales/new'])).toEqual([
      'x/#',
      'qliksense/start_task',
      'sales/#',
    ])
  })
  test('a shared group: not the root topic', () => {
    const shared = settings({}, { sharedGroup: 'g' })
    expect(subscriptionsFor(shared, ['qliksense/start_task', 'sales/#'])).toEqual([
      '$share/g/qliksense/start_task',
      'sales/#',
    ])
  })
})
