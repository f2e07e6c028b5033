import { describe, expect, test } from 'bun:test'
import { namespacesOf } from '../../../../src/tasks/start/parse.ts'
import { storeItems } from '../../../../src/tasks/start/start.ts'
import type { KeyValueItem } from '../../../../src/tasks/start/types.ts'
import { recordingLog } from '../../../support/recording-log.ts'

const INCOMPLETE = 'STARTTASK: Trying to store key-value data, but method call is missing some KV fields..'

async function stored(items: readonly unknown[]) {
  const log = recordingLog()
  const calls: (readonly KeyValueItem[])[] = []
  await storeItems({ log, storeKeyValues: async (pairs) => void calls.push(pairs) }, items)
  return { calls, warnings: log.of('warn') }
}

describe('the pairs of a start request', () => {
  const pair = { namespace: 'n', key: 'k', value: 'v' }

  test.each<[string, unknown, KeyValueItem]>([
    ['without ttl', pair, { ...pair, ttl: 0 }],
    ['a ttl of a load script', { ...pair, ttl: '10000' }, { ...pair, ttl: 10_000 }],
    ['a ttl with a fraction', { ...pair, ttl: 1500.9 }, { ...pair, ttl: 1500 }],
    ['an empty ttl', { ...pair, ttl: '' }, { ...pair, ttl: 0 }],
    ['a null ttl', { ...pair, ttl: null }, { ...pair, ttl: 0 }],
    ['0', { ...pair, value: 0 }, { ...pair, value: '0', ttl: 0 }],
    ['false', { ...pair, value: false }, { ...pair, value: 'false', ttl: 0 }],
    ['a number', { ...pair, value: 5.5 }, { ...pair, value: '5.5', ttl: 0 }],
    ['an object', { ...pair, value: { a: [1] } }, { ...pair, value: '{"a":[1]}', ttl: 0 }],
    ['a number as key', { ...pair, key: 2024 }, { ...pair, key: '2024', ttl: 0 }],
  ])('%s', async (_, item, expected) => {
    expect(await stored([item])).toEqual({ calls: [[expected]], warnings: [] })
  })

  test.each([
    [{ ...pair, namespace: '' }],
    [{ ...pair, key: '' }],
    [{ ...pair, value: '' }],
    [{ ...pair, value: null }],
    [{ key: 'k', value: 'v' }],
    [{}],
    ['text'],
    [null],
  ])('%j is skipped with a warning', async (item) => {
    expect(await stored([item])).toEqual({ calls: [], warnings: [INCOMPLETE] })
  })

  test('a ttl that is no number is named; the other pairs are stored in one go', async () => {
    const { calls, warnings } = await stored([pair, { ...pair, ttl: 'soon' }, { ...pair, key: 'k2' }])
    expect(calls).toEqual([
      [
        { ...pair, ttl: 0 },
        { ...pair, key: 'k2', ttl: 0 },
      ],
    ])
    expect(warnings).toEqual([
      'STARTTASK: Trying to store key-value data, but the ttl "soon" of key "k" is not a number.',
    ])
  })

  test('with the store switched off each pair is a warning', async () => {
    const log = recordingLog()
    await storeItems({ log }, [pair, pair])
    expect(log.of('warn')).toEqual(
      Array(2).fill('STARTTASK: Trying to store key-value data, but KV store is not enabled.'),
    )
  })

  test('the namespaces that a caller must be granted', () => {
    expect(namespacesOf([pair, { ...pair, key: 'k2' }, { ...pair, namespace: 7 }, 'x', {}])).toEqual(['n', '7'])
  })
})
