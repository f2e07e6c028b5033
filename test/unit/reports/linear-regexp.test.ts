import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { linearRegExp } from '../../../src/reports/linear-regexp.ts'
import { atMost } from '../../support/wait.ts'

const BUDGET_MS = 100

describe('patterns', () => {
  const cases: readonly (readonly [pattern: string, matching: readonly string[], others: readonly string[]])[] = [
    ['', ['', 'a'], []],
    ['nord', ['NORD', 'the north of Nordic'], ['nor', '']],
    ['^nord$', ['Nord'], ['Nordic', ' nord']],
    ['^(?:a|bc|)$', ['a', 'BC', ''], ['b', 'abc']],
    ['a{2}b{1,2}c{2,}', ['aabcc', 'xaabbcccc'], ['abcc', 'aabbbcc', 'aabc']],
    ['^a{0,2}$', ['', 'aa'], ['aaa']],
    ['(?<year>20\\d\\d)-Q[1-4]', ['2026-q3'], ['1926-Q3', '2026-Q5']],
    ['[^\\]a-c]+x', ['dx'], ['ax', ']x']],
    ['^[\\p{L}\\-]+$', ['Åre-Öst', 'Ελλάδα'], ['a1']],
    ['\\bnord\\B', ['nordic'], ['nord', 'xnordic']],
    ['^.$', ['😀', 'a'], ['\n', '😀😀']],
    ['\\u{1F600}|\\uD83D\\uDE01', ['😀', '😁'], ['😂']],
    ['^\\u00e9\\x41\\t\\.$', ['éa\t.', 'ÉA\t.'], ['éa\t!']],
    ['ſ', ['S', 's'], ['x']],
    ['(a*)*b', ['b', 'aab'], ['a']],
    ['a*?b+?', ['b', 'aabb'], ['a']],
    ['\\(\\$\\)', ['($)'], ['$']],
  ]
  for (const [pattern, matching, others] of cases) {
    test(`/${pattern}/`, () => {
      const expression = linearRegExp(pattern)
      const builtIn = new RegExp(pattern, 'iu')
      for (const text of matching) expect([text, expression.test(text, BUDGET_MS)]).toEqual([text, true])
      for (const text of others) expect([text, expression.test(text, BUDGET_MS)]).toEqual([text, false])
      for (const text of [...matching, ...others]) expect(expression.test(text, BUDGET_MS)).toBe(builtIn.test(text))
    })
  }

  test('find what the built-in engine finds', () => {
    const atom = fc.constantFrom('a', 'b', 'c', '.', '[ab]', '[^a]', '\\d', '\\w', '^', '$', '\\b')
    const pattern = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        atom,
        fc.tuple(tie('node'), tie('node')).map(([left, right]) => left + right),
        fc.tuple(tie('node'), tie('node')).map(([left, right]) => `(?:${left}|${right})`),
        fc
          .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{1,}', '*?'))
          .map(([inner, times]) => `(${inner})${times}`),
      ),
    })).node
    fc.assert(
      fc.property(
        pattern,
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', ' '), maxLength: 12 }),
        (source, text) => {
          expect(linearRegExp(source).test(text, 1000)).toBe(new RegExp(source, 'iu').test(text))
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('patterns that are refused', () => {
  test.each([
    ['(', /Invalid regular expression/],
    ['(a)\\1', /back references are not supported/],
    ['(?<x>a)\\k<x>', /back references are not supported/],
    ['(?=a)', /look-around is not supported/],
    ['(?<!a)b', /look-around is not supported/],
    ['(?:a{100}){1000}', /too many/],
    ['(?:(?:){200000000}){200000000}', /too many/],
    ['(?:){4000000000}', /too many/],
    ['(?:^|){200000000}', /too many/],
    ['(?:(?:a|){0}){200000000}', /too many/],
    [`${'('.repeat(1000)}${')'.repeat(1000)}`, /nested too deeply/],
  ])('%s', (pattern, message) => {
    expect(() => linearRegExp(pattern)).toThrow(message)
  })
})

describe('time', () => {
  test('patterns that take the built-in engine minutes end at once', () => {
    const text = `${'a'.repeat(5000)}!`
    expect(linearRegExp('^(a+)+$').test(text, 2000)).toBe(false)
    expect(linearRegExp('(?:a|aa)+$').test(text, 2000)).toBe(false)
  })

  test('a search beyond its budget ends with an error', () => {
    const heavy = linearRegExp('(?:a?){3000}(?:a){3000}b')
    const start = performance.now()
    expect(() => heavy.test('a'.repeat(20_000), 50)).toThrow('the search took longer than 50 ms')
    expect(performance.now() - start).toBeLessThan(atMost(2000))
  })
})
