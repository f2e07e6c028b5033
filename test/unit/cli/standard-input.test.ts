/** What another program writes to standard input, as the different systems hand it over. */
import { expect, test } from 'bun:test'
import type { readSync } from 'node:fs'
import { standardInput } from '../../../src/cli/prompt.ts'

/** Answers one after the other: a text, or the code of an error. */
function reader(...answers: readonly (string | { readonly code: string })[]): typeof readSync {
  const left = [...answers]
  return ((_: number, buffer: Uint8Array) => {
    const next = left.shift() ?? ''
    if (typeof next !== 'string') throw Object.assign(new Error(next.code), next)
    buffer.set(Buffer.from(next))
    return Buffer.byteLength(next)
  }) as never
}

async function all(read: typeof readSync): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of standardInput(read)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

test.each<[string, typeof readSync, string]>([
  ['in one piece', reader('secret\n'), 'secret\n'],
  ['in pieces', reader('sec', 'ret'), 'secret'],
  ['later', reader({ code: 'EAGAIN' }, 'a', { code: 'EAGAIN' }, 'b'), 'ab'],
  ['a pipe that Windows closes', reader('a', { code: 'EOF' }), 'a'],
  ['a pipe that is broken', reader('a', { code: 'EPIPE' }), 'a'],
  ['none at all', reader({ code: 'EBADF' }), ''],
  ['nothing', reader(), ''],
])('%s', async (_, read, text) => expect(await all(read)).toBe(text))

test('anything else is an error', async () => {
  await expect(all(reader({ code: 'EIO' }))).rejects.toThrow('EIO')
})
