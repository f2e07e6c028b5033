import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Change } from '../../../src/kv/types.ts'
import { testClock, testStore } from '../../support/key-values.ts'
import { tempDirectory } from '../../support/temp.ts'

const pair = (key: string, value = 'v', ttl = 0) => ({ namespace: 'ns', key, value, ttl })
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: Error) => error.message,
  )

describe('expiry', () => {
  test('a pair lives until its time is past, and no read makes it live longer', async () => {
    const { store, clock } = testStore()
    await store.set(pair('k', 'v', 700))
    clock.advance(700)
    expect(store.get('ns', 'k')?.value).toBe('v')
    clock.advance(1)
    expect(store.get('ns', 'k')).toBeUndefined()
    expect(store.keys('ns')).toEqual([])
    expect(store.page('ns', { prefix: '', after: null, limit: 10 })).toEqual([])
    expect(store.namespaces()).toEqual(['ns'])
  })

  test.each([
    ['without a ttl', 0],
    ['with a negative ttl', -5],
  ])('writing again %s ends the old expiry', async (_, ttl) => {
    const { store, clock } = testStore()
    await store.set(pair('k', 'a', 100))
    await store.set(pair('k', 'b', ttl))
    clock.advance(1_000_000)
    expect(store.get('ns', 'k')?.value).toBe('b')
  })

  test('a new ttl counts from the new write', async () => {
    const { store, clock } = testStore()
    await store.set(pair('k', 'a', 100))
    clock.advance(90)
    await store.set(pair('k', 'b', 100))
    clock.advance(90)
    expect(store.get('ns', 'k')?.value).toBe('b')
  })

  test('the end is an instant: a clock that is set, also while nothing runs, moves what is left until then', async () => {
    await using directory = tempDirectory()
    const clock = testClock()
    const before = testStore({ file: directory.join('kv.db'), clock })
    await before.store.set(pair('k', 'v', 60_000))
    await before.store.set(pair('long', 'v', 7_200_000))
    clock.advance(-3_600_000)
    expect(before.store.get('ns', 'k')?.expiresAt).toBe(clock.now() + 3_660_000)
    before.db.close()
    const { store, db } = testStore({ file: directory.join('kv.db'), clock })
    clock.advance(3_660_000)
    expect(store.get('ns', 'k')?.value).toBe('v')
    clock.advance(1)
    expect([store.get('ns', 'k'), store.get('ns', 'long')?.value]).toEqual([undefined, 'v'])
    clock.advance(86_400_000)
    expect(store.keys('ns')).toEqual([])
    db.close()
  })

  test('a ttl of 2^53 is for ever', async () => {
    const { store, clock } = testStore()
    await store.set(pair('k', 'a', 2 ** 53))
    clock.advance(100 * 365 * 86_400_000)
    expect(store.get('ns', 'k')).toBeDefined()
    expect(() => new Date(store.get('ns', 'k')!.expiresAt!).toISOString()).not.toThrow()
  })

  test('expired pairs are removed without being read, in portions', async () => {
    const { store, clock, db } = testStore()
    await Promise.all(['a', 'b', 'c'].map((key) => store.set(pair(key, 'v', 10))))
    await store.set(pair('stays'))
    expect(store.hasExpired()).toBe(false)
    clock.advance(11)
    expect(store.hasExpired()).toBe(true)
    expect(await store.removeExpired(2)).toBe(2)
    expect(await store.removeExpired(2)).toBe(1)
    expect(db.all('SELECT key FROM kv')).toEqual([{ key: 'stays' }])
    expect(db.all('SELECT keys FROM kv_namespace')).toEqual([{ keys: 1 }])
  })

  test('deleting an expired pair that is still there finds nothing', async () => {
    const { store, clock } = testStore()
    await store.set(pair('k', 'v', 10))
    clock.advance(11)
    expect(await refusal(store.delete('ns', 'k'))).toBe("Key 'k' not found in namespace: ns")
  })
})

describe('limits', () => {
  test('a new key beyond the limit is refused; changing one never is', async () => {
    const { store } = testStore({ maxKeysPerNamespace: 3 })
    for (const key of ['a', 'b', 'c']) await store.set(pair(key))
    expect(await refusal(store.set(pair('d')))).toBe('Maximum number of keys (3) reached in namespace: ns')
    await store.set(pair('a', 'new'))
    await store.set({ ...pair('d'), namespace: 'other' })
    expect(store.keys('ns')).toEqual(['a', 'b', 'c'])
    await store.delete('ns', 'b')
    await store.set(pair('d'))
    expect(store.keys('ns')).toEqual(['a', 'c', 'd'])
  })

  test('expired pairs make room', async () => {
    const { store, clock } = testStore({ maxKeysPerNamespace: 2 })
    await store.set(pair('a', 'v', 10))
    await store.set(pair('b'))
    clock.advance(11)
    await store.set(pair('c'))
    expect(store.keys('ns')).toEqual(['b', 'c'])
  })

  test('the limit holds when new keys come at the same moment', async () => {
    const { store } = testStore({ maxKeysPerNamespace: 5 })
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => store.set(pair(`k${n}`))))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
    expect(store.keys('ns')).toHaveLength(5)
  })

  test('a value is measured in bytes', async () => {
    const { store } = testStore({ maxValueSize: 4 })
    await store.set(pair('k', 'éé'))
    expect(await refusal(store.set(pair('k', 'ééa')))).toContain('5 bytes')
    expect(store.get('ns', 'k')?.value).toBe('éé')
  })
})

describe('concurrency', () => {
  test('first writes to a new namespace at the same moment are all kept', async () => {
    const { store } = testStore()
    await Promise.all(['a', 'b', 'c'].map((key) => store.set(pair(key))))
    expect(store.namespaces()).toEqual(['ns'])
    expect(store.keys('ns')).toEqual(['a', 'b', 'c'])
  })

  test('50 clients with 100 increments each: the sum is exact', async () => {
    const { store } = testStore()
    const client = async () => {
      for (let n = 0; n < 100; n++) await store.increment('ns', 'sum', 1, 0)
    }
    await Promise.all(Array.from({ length: 50 }, client))
    expect(store.get('ns', 'sum')?.value).toBe('5000')
  })

  test('50 clients with 100 compare-and-set increments each: the sum is exact', async () => {
    const { store } = testStore()
    await store.set(pair('sum', '0'))
    const client = async () => {
      for (let done = 0; done < 100; ) {
        const { value, revision } = store.get('ns', 'sum')!
        const result = await refusal(store.set(pair('sum', String(Number(value) + 1)), (now) => now === revision))
        if (result === 'done') done += 1
      }
    }
    await Promise.all(Array.from({ length: 50 }, client))
    expect(store.get('ns', 'sum')?.value).toBe('5000')
  }, 90_000)
})

describe('revisions', () => {
  test('grow with every write and are never used again', async () => {
    const { store } = testStore()
    const first = await store.set(pair('a'))
    await store.delete('ns', 'a')
    const second = await store.set(pair('a'))
    await store.clear('ns')
    const third = await store.set(pair('a'))
    expect(second.revision).toBeGreaterThan(first.revision + 1)
    expect(third.revision).toBeGreaterThan(second.revision + 1)
  })

  test('a failed precondition changes nothing, not even the list of namespaces', async () => {
    const { store } = testStore()
    expect(await refusal(store.set(pair('a'), (revision) => revision === 7))).toBe('There is no such key.')
    expect(store.namespaces()).toEqual([])
    expect(store.revision()).toBe(0)
  })
})

describe('increment', () => {
  test('a missing or expired key counts as 0 and takes the ttl; another keeps its own', async () => {
    const { store, clock } = testStore()
    expect(await store.increment('ns', 'n', 5, 100)).toMatchObject({ value: '5' })
    clock.advance(60)
    expect(await store.increment('ns', 'n', -2, 1000)).toMatchObject({ value: '3' })
    clock.advance(41)
    expect(await store.increment('ns', 'n', 1, 0)).toMatchObject({ value: '1', expiresAt: null })
  })

  test.each(['abc', '', '1.5', '1e3', ' 1', '9007199254740993', '9007199254740991'])('%p is refused', async (value) => {
    const { store } = testStore()
    await store.set(pair('n', value))
    expect(await refusal(store.increment('ns', 'n', 1, 0))).toContain('not, or would no longer be, an integer')
    expect(store.get('ns', 'n')?.value).toBe(value)
  })
})

describe('changes', () => {
  test('are told in order, once they are durable, and never when refused', async () => {
    const { store, clock } = testStore({ maxKeysPerNamespace: 2 })
    const seen: Change[] = []
    const stop = store.onChange((change) => seen.push(change))
    await store.set(pair('a', '1', 10))
    await store.set(pair('b', '2'))
    await refusal(store.set(pair('c', '3')))
    clock.advance(11)
    await store.removeExpired(10)
    await store.delete('ns', 'b')
    await store.set(pair('d', '4'))
    await store.clear('ns')
    stop()
    await store.set(pair('e'))
    expect(seen.map(({ event, key, value }) => [event, key, value])).toEqual([
      ['set', 'a', '1'],
      ['set', 'b', '2'],
      ['expire', 'a', undefined],
      ['delete', 'b', undefined],
      ['set', 'd', '4'],
      ['delete', 'd', undefined],
    ])
    const revisions = seen.map(({ revision }) => revision)
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b))
    expect(new Set(revisions).size).toBe(revisions.length)
  })
})

describe('names', () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 })

  test('any Unicode text comes back as it was, other names stay apart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, name, name), { maxLength: 10 }), async (entries) => {
        const { store, db } = testStore()
        const model = new Map<string, Map<string, string>>()
        for (const [namespace, key, value] of entries) {
          await store.set({ namespace, key, value, ttl: 0 })
          if (!model.has(namespace)) model.set(namespace, new Map())
          model.get(namespace)!.set(key, value)
        }
        expect(store.namespaces()).toEqual([...model.keys()])
        for (const [namespace, pairs] of model) {
          expect(store.keys(namespace)).toEqual([...pairs.keys()])
          for (const [key, value] of pairs) expect(store.get(namespace, key)?.value).toBe(value)
        }
        db.close()
      }),
      { numRuns: 200 },
    )
  })

  test('pages give every key with the prefix once, sorted by their bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(
          fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', '\u{1F600}', '\uffff'), minLength: 1, maxLength: 4 }),
        ),
        fc.string({ unit: fc.constantFrom('a', 'é', '\u{1F600}', '\uffff'), maxLength: 2 }),
        fc.integer({ min: 1, max: 5 }),
        async (keys, prefix, limit) => {
          const { store, db } = testStore()
          await Promise.all(keys.map((key) => store.set(pair(key))))
          const found: string[] = []
          for (let after: string | null = null; ; ) {
            const page = store.page('ns', { prefix, after, limit })
            found.push(...page.map(({ key }) => key))
            if (page.length < limit) break
            after = found.at(-1)!
          }
          const wanted = keys.filter((key) => key.startsWith(prefix))
          expect(found).toEqual(wanted.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
          db.close()
        },
      ),
      { numRuns: 200 },
    )
  })

  test('a lone surrogate, which is no text, is stored as the replacement character', async () => {
    const { store } = testStore()
    const stored = await store.set(pair('\ud800', 'a\udfffb'))
    expect(stored).toMatchObject({ key: '\ufffd', value: 'a\ufffdb' })
    expect(store.get('ns', '\ufffd')?.value).toBe('a\ufffdb')
  })
})

test('what was read lately is as the database has it, whoever changes it', async () => {
  const { store, clock } = testStore()
  const set = (key: string, value: string, ttl = 0) => store.set({ namespace: 'ns', key, value, ttl })
  const read = (key: string) => store.get('ns', key)?.value
  await set('k', '1', 100)
  expect(read('k')).toBe('1')
  await set('k', '2', 100)
  expect(read('k')).toBe('2')
  clock.advance(101)
  expect(read('k')).toBeUndefined()
  await set('n', '1')
  expect(read('n')).toBe('1')
  await store.increment('ns', 'n', 1, 0)
  expect(read('n')).toBe('2')
  await store.import(new Map([['ns', [{ key: 'n', value: '3', expiresAt: null }]]]), 'merge')
  expect(read('n')).toBe('3')
  await store.delete('ns', 'n')
  expect(read('n')).toBeUndefined()
  await set('\ud800', 'x')
  expect(read('\ud800')).toBe('x')
  await set('\ufffd', 'y')
  expect(read('\ud800')).toBe('y')
  await store.clear('ns')
  expect(read('\ud800')).toBeUndefined()
})

test('a write that is refused leaves what was read before', async () => {
  const { store } = testStore()
  await store.set({ namespace: 'ns', key: 'k', value: '1', ttl: 0 })
  expect(store.get('ns', 'k')?.value).toBe('1')
  await store.set({ namespace: 'ns', key: 'k', value: '2', ttl: 0 }, () => false).catch(() => undefined)
  expect(store.get('ns', 'k')?.value).toBe('1')
})
