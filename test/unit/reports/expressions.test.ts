/** Values of expressions, as the engine answers them; a failure comes as a text. */
import { expect, test } from 'bun:test'
import type { OpenApp } from '../../../src/reports/data/app.ts'
import { createExpressions } from '../../../src/reports/data/expressions.ts'

/** An engine that knows these values; the length of a failure is a failure again. */
function engine(values: Readonly<Record<string, { readonly qText: string; readonly qNumber?: number }>>) {
  const asked: string[] = []
  const answer = (text: string, number?: number) => ({ qText: text, qIsNumeric: number !== undefined, qNumber: number })
  const doc = {
    call: async () => ({ qErrorMsg: '', qBadFieldNames: [] }),
    child: async () => null,
    async value(_member: string, _method: string, [expression]: readonly [string]) {
      asked.push(expression)
      const [, inner] = /^=Len\((.*)\n\)$/s.exec(expression) ?? []
      const { qText, qNumber } = values[inner === undefined ? expression : `=${inner}`]!
      if (inner === undefined) return answer(qText, qNumber)
      return qText.includes('memory') ? answer(qText) : answer(String(qText.length), qText.length)
    },
  }
  return { asked, evaluate: createExpressions({ doc } as unknown as OpenApp).evaluate }
}

test.each([
  ['a number', '=Sum(A)', { qText: '12', qNumber: 12 }, { text: '12', number: 12 }],
  ['a text', '=Max(T)', { qText: 'Lund' }, { text: 'Lund', number: null }],
  [
    'a text of the data that begins like a failure',
    '=Max(T) // last',
    { qText: 'Error: disk full' },
    { text: 'Error: disk full', number: null },
  ],
  ['null', '=Null()', { qText: '-' }, { text: '', number: null }],
])('%s', async (_what, expression, value, expected) => {
  expect(await engine({ [expression]: value }).evaluate(expression)).toEqual(expected)
})

test('a failure while it is calculated is an error, not a value', async () => {
  const { evaluate, asked } = engine({ '=Sum(Aggr(X))': { qText: 'Error: Allocated memory exceeded' } })
  await expect(evaluate('=Sum(Aggr(X))')).rejects.toThrow('=Sum(Aggr(X)): Allocated memory exceeded')
  expect(asked).toHaveLength(2)
})
