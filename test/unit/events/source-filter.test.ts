import { expect, test } from 'bun:test'
import { createSourceFilter } from '../../../src/events/ingest/sender-checks.ts'

const filter = (sources: readonly string[], resolve?: (host: string) => Promise<readonly string[]>) => {
  const warnings: string[] = []
  return { warnings, ...createSourceFilter({ warn: (message) => void warnings.push(message), resolve }, sources) }
}

test.each([
  ['10.1.2.0/24', '10.1.2.77', '10.1.3.77'],
  ['10.20.30.41', '10.20.30.41', '10.20.30.42'],
  ['2001:db8::/32', '2001:db8:1::5', '2001:db9::1'],
  ['::1', '::1', '::2'],
])('%s allows %s and not %s', (source, inside, outside) => {
  const { allows } = filter([source])
  expect([allows(inside), allows(outside), allows('nonsense'), allows('')]).toEqual([true, false, false, false])
})

test('a name allows nobody until it is known, follows the name server, and keeps its last good addresses', async () => {
  let answer: readonly string[] | null = null
  const { allows, refresh, warnings } = filter(['qs-node2.acme.example'], async () => {
    if (!answer) throw new Error('ENOTFOUND')
    return answer
  })
  await refresh()
  expect(allows('10.1.1.2')).toBe(false)
  expect(warnings[0]).toContain('no sender matches it until it can be resolved')
  answer = ['10.1.1.2', 'fd00::2']
  await refresh()
  expect([allows('10.1.1.2'), allows('fd00::2'), allows('10.1.1.3')]).toEqual([true, true, false])
  answer = null
  await refresh()
  expect(allows('10.1.1.2')).toBe(true)
  answer = ['10.1.1.3']
  await refresh()
  expect([allows('10.1.1.2'), allows('10.1.1.3')]).toEqual([false, true])
})
