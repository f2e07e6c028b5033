/** Names out of Qlik Sense in a CSV that a spreadsheet opens. */
import { expect, test } from 'bun:test'
import { runHistory } from '../../../src/cli/remote/history.ts'
import { heard, restStub } from '../../support/rest-stub.ts'

test('no name becomes a formula', async () => {
  const names = ['=cmd|x', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '＝1', '＋1', '－1', '＠A1', 'Sales "a", b']
  const executions = names.map((taskName) => ({ executionId: 'e', taskId: 't', taskName, runMs: -5 }))
  await using stub = await restStub(() => [200, { executions, nextCursor: null }])
  const io = heard()
  const options = { url: stub.url, key: 'fm_test', timeout: 10_000, from: '7d', outcome: [], format: 'csv' } as const
  expect(await runHistory(undefined, options, io)).toBe(0)
  const rows = io.stdout().split('\n').slice(1)
  expect(rows.map((row) => row.slice('e,t,'.length).replace(/,,+.*$/, ''))).toEqual([
    "'=cmd|x",
    "'+1",
    "'-1",
    "'@SUM(A1)",
    "'\\t=1",
    "'\\r=1",
    "'＝1",
    "'＋1",
    "'－1",
    "'＠A1",
    '"Sales ""a"", b"',
  ])
  expect(rows.every((row) => row.includes(',-5,'))).toBe(true)
})
