import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { compileFilter } from '../../../simulator/qrs/filter.ts'
import { SHAPES } from '../../../simulator/qrs/shapes.ts'

const TASK_ID = 'a8b4c123-def4-5678-9abc-def012345678'
const task = {
  id: TASK_ID,
  name: "Anna's R&D \\ load",
  taskType: 0,
  enabled: true,
  maxRetries: 3,
  modifiedDate: Date.parse('2026-03-02T06:00:00.000Z'),
  tags: [{ name: "Q1'25" }, { name: 'Sprint #4' }],
  customProperties: [
    { value: 'hr', definition: { name: 'department' } },
    { value: 'finance', definition: { name: 'costCenter' } },
  ],
  app: { name: 'Sales Dashboard', stream: null },
  operational: { lastExecutionResult: { status: 8 } },
}
const matches = (filter: string, entity: object = task) => compileFilter(filter, SHAPES.Task!).matches(entity)
const quote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`

describe('filters that match', () => {
  test.each([
    `id eq ${TASK_ID}`,
    `id eq '${TASK_ID.toUpperCase()}'`,
    `ID eq ${TASK_ID} and NAME sw 'anna'`,
    "name eq 'anna\\'s r&d \\\\ load'",
    "name ew 'LOAD'",
    "name so 'R&D'",
    "name ne 'x'",
    "tags.name eq 'Q1\\'25'",
    "tags.name eq 'sprint #4'",
    'enabled eq true',
    'enabled ne FALSE',
    'taskType eq Reload',
    'taskType eq 0',
    'taskType lt 1',
    'operational.lastExecutionResult.status eq FinishedFail',
    'operational.lastExecutionResult.status ge 8',
    'maxRetries gt 2',
    'maxRetries le 3',
    "modifiedDate ge '2026-03-02T06:00:00.000Z'",
    "modifiedDate lt '2026-03-02 06:00:01'",
    "app.name eq 'Sales Dashboard'",
    "(customProperties.definition.name eq 'department') and (customProperties.value eq 'hr')",
    // Each condition looks at the whole collection: department=finance is not set, and yet it matches.
    "customProperties.definition.name eq 'department' and customProperties.value eq 'finance'",
    // `and` binds tighter than `or`.
    "name eq 'x' and enabled eq false or maxRetries eq 3",
    "maxRetries eq 3 OR name eq 'x' AND enabled eq false",
    "((name so 'load'))",
  ])('%s', (filter) => {
    expect(matches(filter)).toBe(true)
  })
})

describe('filters that do not match', () => {
  test.each([
    'id eq 00000000-0000-0000-0000-000000000000',
    "tags.name eq 'Q1'",
    "app.stream.name eq 'Finance'",
    'enabled eq false',
    "(name eq 'x' or enabled eq true) and maxRetries eq 4",
  ])('%s', (filter) => {
    expect(matches(filter)).toBe(false)
  })
})

describe('filters that are refused', () => {
  test.each([
    "tags.name eq 'Q1''25'",
    'name eq "double"',
    "name eq 'open",
    "name eq 'bad \\escape'",
    'name eq bare',
    'name eq 5',
    "name gt 'a'",
    "enabled eq 'true'",
    'id gt a8b4c123-def4-5678-9abc-def012345678',
    'id eq 42',
    "modifiedDate ge 'yesterday'",
    'modifiedDate ge 2026-03-02',
    'taskType eq Nothing',
    "nothing eq 'x'",
    "tags.colour eq 'x'",
    "tags eq 'x'",
    'name',
    'name eq',
    "name eq 'x' and",
    "name eq 'x' name eq 'y'",
    "(name eq 'x'",
    "name eq 'x')",
    "name like 'x'",
    `${'('.repeat(5000)}name eq 'x'${')'.repeat(5000)}`,
  ])('%s', (filter) => {
    expect(() => matches(filter)).toThrow(`Cannot parse the expression: ${filter}`)
  })

  test('an empty group has its own text', () => {
    expect(() => matches('()')).toThrow('Invalid expression')
  })
})

test('an escaped name finds exactly the names that differ in case at most', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (name, other) => {
      const filter = `name eq ${quote(name)}`
      expect(matches(filter, { ...task, name })).toBe(true)
      expect(matches(filter, { ...task, name: other })).toBe(name.toLowerCase() === other.toLowerCase())
    }),
  )
})

test('no text makes the parser do anything but answer or refuse', () => {
  const word = fc.constantFrom('(', ')', 'and', 'or', 'name', 'eq', "'a'", 'tags.name', '\\', "'", ' ', 'true', '1')
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), (words) => {
      const filter = words.join(' ')
      try {
        expect(typeof matches(filter)).toBe('boolean')
      } catch (error) {
        expect((error as Error).message).toMatch(/^(Cannot parse the expression: |Invalid expression$)/)
      }
    }),
  )
})

describe('keys for an index', () => {
  const keys = (filter: string) => Object.fromEntries(compileFilter(filter, SHAPES.ExecutionResult!).keys)

  test('come from conditions that every match must meet', () => {
    expect(keys(`executionID eq ${TASK_ID}`)).toEqual({ executionid: TASK_ID })
    expect(keys(`status eq 8 and (taskID eq '${TASK_ID}')`)).toEqual({ taskid: TASK_ID })
  })

  test('never from alternatives', () => {
    expect(keys(`executionID eq ${TASK_ID} or status eq 8`)).toEqual({})
    expect(keys(`executionID ne ${TASK_ID}`)).toEqual({})
  })
})
