/** The rules about words, which `npm run lint` applies to the repository. */
import { expect, test } from 'bun:test'
import { RULES } from '../../../scripts/words.ts'

test.each([
  ['/** Nobody waits for it. */', true],
  ['log.warn("the operator is told")', true],
  ['// What stays is deleted.', true],
  ['  /** Of the task. */', true],
  ['/** The state of the task, as QRS has it. */', false],
  ['What to do?', false],
  ['/** Returns what the caller asked for. */', false],
  ['const passageOf = 1', true],
  ['f({ ...{ a, b }, c })', true],
  ["[...['a', 'b'], c]", true],
  ["[...['a', 'b'].map(f), c]", false],
  ['recommended settings, text.trimEnd()', false],
  ["section('What may be done.')", true],
  ['const anyWish = wishOf(a)', true],
])('%j breaks a rule: %p', (text, expected) => {
  expect(RULES.some(({ pattern }) => pattern.test(text))).toBe(expected)
})
