import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { and, compare, customProperty, eq, guid, or } from '../../../src/qlik/qrs/filter.ts'

const ID = 'a8b4c123-def4-5678-9abc-def012345678'

describe('forms', () => {
  test('apostrophe and backslash are escaped with a backslash', () => {
    expect(eq('tags.name', "Q1'25")).toBe("tags.name eq 'Q1\\'25'")
    expect(eq('tags.name', 'a\\b')).toBe("tags.name eq 'a\\\\b'")
    expect(eq('tags.name', 'R&D #1 50%+')).toBe("tags.name eq 'R&D #1 50%+'")
  })

  test('numbers, truth values and ids stand without quotes', () => {
    expect(compare('operational.lastExecutionResult.status', 'ge', 6)).toBe(
      'operational.lastExecutionResult.status ge 6',
    )
    expect(eq('enabled', true)).toBe('enabled eq true')
    expect(guid('id', ID)).toBe(`id eq ${ID}`)
  })

  test('composition puts each part in parentheses', () => {
    expect(customProperty('taskGroup', 'fin')).toBe(
      "(customProperties.definition.name eq 'taskGroup') and (customProperties.value eq 'fin')",
    )
    expect(or(guid('id', ID))).toBe(`id eq ${ID}`)
    expect(or(customProperty('a', 'b'), eq('name', 'x'))).toBe(
      "((customProperties.definition.name eq 'a') and (customProperties.value eq 'b')) or (name eq 'x')",
    )
  })

  test('what is no path, no id or no condition is refused', () => {
    expect(() => eq('name eq x or name', 'y')).toThrow('is not a QRS property path')
    expect(() => guid('id', `${ID} or true`)).toThrow('is not a GUID')
    expect(() => or()).toThrow('at least one condition')
  })
})

// ------------------------------------------------------------------ a tiny reader of the documented filter grammar

type Node = { path: string; value: string } | { operator: 'and' | 'or'; parts: Node[] }

/** Reads `eq` comparisons of quoted strings, combined with and/or and parentheses. Throws like QRS answers 400. */
function parse(filter: string): Node {
  let at = 0
  const take = (pattern: RegExp): string | null => {
    const match = new RegExp(pattern.source, 'sy')
    match.lastIndex = at
    const found = match.exec(filter)
    if (!found) return null
    at += found[0].length
    return found[1] ?? found[0]
  }
  const need = (pattern: RegExp): string => {
    const found = take(pattern)
    if (found === null) throw new Error(`Cannot parse the expression: ${filter} at ${at}`)
    return found
  }
  function term(): Node {
    if (take(/\(/) !== null) {
      const inner = expression()
      need(/\)/)
      return inner
    }
    const path = need(/([\w.]+) eq /)
    const value = need(/'((?:[^'\\]|\\.)*)'/).replace(/\\(.)/gs, '$1')
    return { path, value }
  }
  function expression(): Node {
    let left = term()
    for (let operator = take(/ (and|or) /); operator; operator = take(/ (and|or) /)) {
      left = { operator: operator as 'and' | 'or', parts: [left, term()] }
    }
    return left
  }
  const result = expression()
  if (at !== filter.length) throw new Error(`Cannot parse the expression: ${filter} at ${at}`)
  return result
}

type Values = Readonly<Record<string, readonly string[]>>

function evaluate(node: Node, values: Values): boolean {
  if ('path' in node) return (values[node.path] ?? []).includes(node.value)
  const truths = node.parts.map((part) => evaluate(part, values))
  return node.operator === 'and' ? truths.every(Boolean) : truths.some(Boolean)
}

const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom("'", '\\', ' ', 'a', '(', ')', ' or ', '\n') }))

describe('whatever the text, the filter means what was asked', () => {
  test('one comparison', () => {
    fc.assert(
      fc.property(text, text, (wanted, present) => {
        const node = parse(eq('tags.name', wanted))
        expect(node).toEqual({ path: 'tags.name', value: wanted })
        expect(evaluate(node, { 'tags.name': [present] })).toBe(wanted === present)
      }),
    )
  })

  test('and/or of comparisons', () => {
    const pairs = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(
        pairs,
        fc.array(text, { maxLength: 3 }),
        fc.array(text, { maxLength: 3 }),
        (wanted, names, values) => {
          const node = parse(or(...wanted.map(([name, value]) => and(eq('n', name), eq('v', value)))))
          const expected = wanted.some(([name, value]) => names.includes(name) && values.includes(value))
          expect(evaluate(node, { n: names, v: values })).toBe(expected)
        },
      ),
    )
  })
})
