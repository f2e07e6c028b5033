import { describe, expect, test } from 'bun:test'
import { cellOfScalar, compare } from '../../../src/reports/compare.ts'
import type { Operator } from '../../../src/reports/entities/condition.ts'
import type { Cell } from '../../../src/reports/types.ts'
import { atMost } from '../../support/wait.ts'

type Given = string | number | null

const result = (left: Given, op: Operator, right?: Given, right2?: Given) =>
  compare(op, cellOfScalar(left), cellOfScalar(right ?? null), cellOfScalar(right2 ?? null))

describe('comparisons', () => {
  test.each([
    [88, 'gt', 100, false],
    [100, 'ge', 100, true],
    [9, 'lt', 10, true],
    // Texts that are numbers compare as numbers: "9" is less than "10".
    ['9', 'lt', '10', true],
    ['1.0', 'eq', 1, true],
    [' 7 ', 'eq', '7', true],
    ['1e3', 'eq', 1000, true],
    ['0x10', 'eq', 16, false],
    [0.1, 'le', 0.1, true],
    [-1, 'ne', -1, false],
    ['Nord', 'eq', 'NORD', true],
    // The same letter in one and in two code points.
    ['\u00c5re', 'eq', 'A\u030are', true],
    ['Nord', 'ne', 'Syd', true],
    ['abc', 'gt', 'ABB', true],
    ['Nordic', 'contains', 'RDI', true],
    ['Nordic', 'contains', 'x', false],
    ['Nordic', 'startsWith', 'nor', true],
    ['Nordic', 'startsWith', 'ord', false],
    [12_345, 'startsWith', 12, true],
    ['Order 4711', 'matches', '^order \\d{4}$', true],
    ['Order 47', 'matches', '^order \\d{4}$', false],
    ['A\u030are', 'matches', '^\\u00e5re$', true],
  ] as const)('%p %s %p is %p', (left, op, right, expected) => {
    expect(result(left, op, right)).toBe(expected)
  })

  test.each([
    [5, 'between', 1, 5, true],
    [1, 'between', 1, 5, true],
    [6, 'between', 1, 5, false],
    [6, 'notBetween', 1, 5, true],
    [3, 'notBetween', 1, 5, false],
    ['m', 'between', 'A', 'Z', true],
  ] as const)('%p %s %p and %p is %p', (left, op, right, right2, expected) => {
    expect(result(left, op, right, right2)).toBe(expected)
  })
})

const DATE: Cell = { text: '15.03.2023', number: 45_000 }
const CROWNS: Cell = { text: '10 kr', number: 10 }

test.each([
  ['n/a', 'gt', 100],
  ['1 000', 'lt', 5],
  ['-', 'lt', 0],
  ['10 kr', 'gt', 9],
  ['9a', 'lt', '10'],
  [DATE, 'gt', '20.01.2022'],
  [DATE, 'le', '20.01.2022'],
  [CROWNS, 'gt', '9 kr'],
] as const)('a text has no order beside a number or date: %p %s %p', (left, op, right) => {
  const first = typeof left === 'object' ? left : cellOfScalar(left)
  expect(() => compare(op, first, cellOfScalar(right))).toThrow(/^the text ".+" has no order beside a number or date$/)
})

test('both ends of between are numbers, or neither is', () => {
  expect(() => result(5, 'between', 1, 'n/a')).toThrow('the text "n/a"')
  expect(() => result(5, 'notBetween', 'n/a', 9)).toThrow('the text "n/a"')
})

test('a number or date equals a text that is its own', () => {
  expect(compare('eq', DATE, cellOfScalar('15.03.2023'))).toBe(true)
  expect(compare('ne', DATE, cellOfScalar('15.03.2023'))).toBe(false)
  expect(compare('gt', DATE, { text: '20.01.2022', number: 44_581 })).toBe(true)
  expect(compare('eq', cellOfScalar('n/a'), cellOfScalar(100))).toBe(false)
  expect(compare('ne', cellOfScalar('n/a'), cellOfScalar(100))).toBe(true)
})

describe('null', () => {
  const OPERATORS = [
    'eq',
    'gt',
    'ge',
    'lt',
    'le',
    'between',
    'notBetween',
    'contains',
    'startsWith',
    'matches',
  ] as const
  test.each(OPERATORS)('makes %s false on either side', (op) => {
    expect(result(null, op, 1, 2)).toBe(false)
    expect(result(1, op, null, null)).toBe(false)
    expect(result(null, op, null, null)).toBe(false)
  })

  test('between without its end is false, and so is notBetween', () => {
    expect(result(9, 'between', 1)).toBe(false)
    expect(result(9, 'notBetween', 1)).toBe(false)
  })

  test('differs from values, not from itself', () => {
    expect(result(null, 'ne', 1)).toBe(true)
    expect(result(1, 'ne', null)).toBe(true)
    expect(result(null, 'ne', null)).toBe(false)
  })

  test('and the empty text are empty', () => {
    expect([result(null, 'empty'), result('', 'empty'), result(0, 'empty'), result(' ', 'empty')]).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect([result(null, 'notEmpty'), result('x', 'notEmpty'), result(0, 'notEmpty')]).toEqual([false, true, true])
  })
})

test('bad patterns of matches are errors', () => {
  expect(() => result('a', 'matches', '(')).toThrow('Invalid regular expression')
  expect(() => result('a', 'matches', '(a)\\1')).toThrow('back references are not supported')
})

test('a pattern that takes the built-in engine minutes has its answer at once', () => {
  const start = performance.now()
  expect(result(`${'a'.repeat(60)}!`, 'matches', '^(a+)+$')).toBe(false)
  expect(performance.now() - start).toBeLessThan(atMost(1000))
})
