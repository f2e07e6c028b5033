/** Values of expressions, as the engine answers them; a failure comes as a text. */
import { expect, test } from 'bun:test'
import type { OpenApp } from '../../../src/reports/data/app.ts'
import { createExpressions, formatsItself } from '../../../src/reports/data/expressions.ts'

/** The word before the colon is an example for a language, not a text of the product. */
const FAILURES = [
  'Error: Allocated memory exceeded',
  'Fehler: Speicher reicht nicht aus',
  'Erreur : mémoire insuffisante',
  '错误：内存不足',
  'no colon at all',
]

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
      return FAILURES.includes(qText) ? answer(qText) : answer('', inner === 'Null()' ? 0 : qText.length)
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
  ['a dash of the data', '=Only(Dash)', { qText: '-' }, { text: '-', number: null }],
])('%s', async (_what, expression, value, expected) => {
  expect(await engine({ [expression]: value }).evaluate(expression)).toEqual(expected)
})

test.each([
  ["Num(Max(Year), '0')", true],
  ["=If(Count(Year) = 1, Num(Max(Year), '0'), '-')", true],
  ["=(Money(Sum(A), '#,##0 kr'))", true],
  ['Max(Year)', false],
  ['Sum({<Date = {">=$(=Num(Max(Date), \'0\'))"}>} Sales)', false],
  ["Sum({<Year = {$(=Num(Max(Year), '0'))}>} Sales)", false],
  ["Sum(Num(A, '0'))", false],
  ["Sum(Num#(A, '0'))", false],
  ["Sum([Num(x)]) & 'Num('", false],
])('%s formats its value: %p', (expression, expected) => {
  expect(formatsItself(expression)).toBe(expected)
})

test.each(FAILURES)('a failure while it is calculated is an error in each language, not a value: %s', async (qText) => {
  const { evaluate, asked } = engine({ '=Sum(Aggr(X))': { qText } })
  const reason = qText.slice(qText.search(/[:：]/) + 1).trim()
  await expect(evaluate('=Sum(Aggr(X))')).rejects.toThrow(`=Sum(Aggr(X)): ${reason}`)
  expect(asked).toHaveLength(2)
})
