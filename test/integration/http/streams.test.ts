/** How many event streams a caller may have, and what is kept for others. */
import { afterEach, expect, test } from 'bun:test'
import { createEventStreams } from '../../../src/http/endpoint/event-stream.ts'

const readers: ReadableStreamDefaultReader[] = []
afterEach(() => Promise.all(readers.splice(0).map((reader) => reader.cancel())))

const streams = (most: number) => createEventStreams({ maxStreams: () => most })
const from = (actor: string, client = '10.0.0.1') => ({ caller: { actor }, client })

type Streams = ReturnType<typeof streams>

/** `open`, or why not. */
async function open(all: Streams, request: ReturnType<typeof from>): Promise<string> {
  try {
    const answer = await all.open(request, () => ({ subscribe: () => () => {} }))
    const reader = answer.body!.getReader()
    readers.push(reader)
    await reader.read()
    return 'open'
  } catch (error) {
    return `${(error as { status: number }).status} ${(error as Error).message}`
  }
}

const times = async (n: number, work: () => Promise<string>) => {
  const all: string[] = []
  for (let i = 0; i < n; i++) all.push(await work())
  return all
}

test('a caller has twenty, whatever its address; callers without credentials by their address', async () => {
  const all = streams(400)
  let address = 0
  const keys = await times(21, () => open(all, from('key:one', `10.0.0.${address++}`)))
  expect(new Set(keys.slice(0, 20))).toEqual(new Set(['open']))
  expect(keys[20]).toMatch(/^503 .*key:one has 20 streams open/)
  expect(await open(all, from('key:two'))).toBe('open')
  const strangers = await times(21, () => open(all, from('anonymous', '10.9.9.9')))
  expect(strangers[20]).toMatch(/^503 .*10\.9\.9\.9 has 20 streams open/)
  expect(await open(all, from('anonymous', '10.9.9.8'))).toBe('open')
  const neighbours = await times(21, () => open(all, from('anonymous', `2001:db8:9:1::${++address}`)))
  expect(neighbours[20]).toMatch(/^503 .*2001:db8:9:1::\/64 has 20 streams open/)
  expect(await open(all, from('anonymous', '2001:db8:9:2::1'))).toBe('open')
})

test('the last tenth is for callers that have none', async () => {
  const all = streams(40)
  expect(new Set(await times(20, () => open(all, from('key:one'))))).toEqual(new Set(['open']))
  expect(new Set(await times(16, () => open(all, from('key:two'))))).toEqual(new Set(['open']))
  expect(await open(all, from('key:two'))).toMatch(/the last 4 are kept for callers that have none/)
  let name = 0
  expect(await times(5, () => open(all, from(`key:new${name++}`)))).toEqual([
    ...Array(4).fill('open'),
    expect.stringMatching(/40 streams are open/),
  ])
})
