/** 10,000 writes at the same time, and a process that is killed among them. */
import { expect, test } from 'bun:test'
import { type Footman, footman } from '../support/footman.ts'

const WRITES = 10_000
const CLIENTS = 100
const SETTINGS = {
  simulator: null,
  config: {
    logLevel: 'info',
    restServerEndpointsEnable: { keyValueStore: true },
    keyValueStore: { maxKeysPerNamespace: WRITES },
  },
  args: ['--no-qs-connection'],
} as const

interface Page {
  readonly keys: readonly { readonly key: string; readonly value: string }[]
  readonly nextCursor: string | null
}

/** Writes all pairs from many clients at once; resolves with those that were answered with 201. */
async function writeAll(product: Footman, onAnswer: (answered: number) => void): Promise<Map<string, string>> {
  const answered = new Map<string, string>()
  let next = 0
  async function client(): Promise<void> {
    while (next < WRITES) {
      const [key, value] = [`key ${next}`, `value ${next++}`]
      const answer = await product.call('POST', '/v4/keyvalues/flood', { key, value }).catch(() => null)
      await answer?.arrayBuffer().catch(() => undefined)
      if (answer?.status !== 201) continue
      answered.set(key, value)
      onAnswer(answered.size)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return answered
}

async function readAll(product: Footman): Promise<Map<string, string>> {
  const pairs = new Map<string, string>()
  for (let query = ''; ; ) {
    const answer = await product.call('GET', `/v4/keylist/flood?limit=500&values=true${query}`)
    const { keys, nextCursor } = (await answer.json()) as Page
    for (const { key, value } of keys) pairs.set(key, value)
    if (nextCursor === null) return pairs
    query = `&cursor=${nextCursor}`
  }
}

test('kill -9 during 10,000 concurrent writes: every acknowledged one is there after the restart', async () => {
  await using product = await footman(SETTINGS)
  await product.start()
  let killed: Promise<void> | null = null
  const answered = await writeAll(product, (count) => {
    if (count >= WRITES / 3) killed ??= product.process.kill9()
  })
  await killed
  expect(killed).not.toBeNull()
  expect(answered.size).toBeLessThan(WRITES)
  await product.start()
  const kept = await readAll(product)
  const lost = [...answered].filter(([key, value]) => kept.get(key) !== value)
  expect(lost).toEqual([])
  expect(kept.size).toBeGreaterThanOrEqual(answered.size)
}, 120_000)
