/** JSON from outside: what is refused although the engine would take it. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatted } from '../../../src/console/pages/data/keyvalues.tsx'
import { importableJson, offsetOfFault, parseImportedJson, parseOutsideJson } from '../../../src/platform/json.ts'
import { readRecipients } from '../../../src/reports/recipient-import.ts'
import { requestOf } from '../../../src/reports/triggers/messages.ts'
import { parseStartMessage } from '../../../src/tasks/start/parse.ts'

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const isTaken = (text: string) => {
  try {
    parseOutsideJson(text)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError)
    return false
  }
}

const isJson = (text: string) => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test.each([
  ['100 lists', nested(100), true],
  ['101 lists', nested(101), false],
  ['101 objects', `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`, false],
  ['a list for each of 500 places', `[${Array.from({ length: 500 }, () => '[1]')}]`, true],
  ['brackets in a text', JSON.stringify('['.repeat(500)), true],
  ['brackets behind an escaped quote', JSON.stringify({ a: `"${'['.repeat(500)}` }), true],
  ['brackets behind an escaped backslash', `{"a":"\\\\","b":${nested(200)}}`, false],
  ['a text that does not end', `["${'['.repeat(500)}`, false],
])('%s', (_, text, expected) => {
  expect(isTaken(text)).toBe(expected)
})

test('any other text is read as the engine reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), fc.nat(30), fc.string({ maxLength: 2 }), (json, at, put) => {
      for (const text of [json, json.slice(0, at) + put + json.slice(at)]) {
        // It is JSON for the engine, and refused.
        if (text.includes('__proto__')) continue
        // Members that are there twice are refused; the text of the engine's own value has none.
        if (!isTaken(text) && isJson(text)) {
          expect(() => parseOutsideJson(text)).toThrow('a second time')
          continue
        }
        let value: unknown
        try {
          value = JSON.parse(text)
        } catch {
          expect(isTaken(text)).toBe(false)
          continue
        }
        expect(parseOutsideJson(text)).toEqual(value)
      }
    }),
  )
})

test('deep JSON ends no reader: a value of a pair, recipients, a start request', async () => {
  const deep = nested(50_000)
  expect(formatted(deep)).toBe(deep)
  const file = { bytes: new TextEncoder().encode(`[{"groups":${deep}}]`), contentType: 'application/json' }
  await expect(readRecipients(file, async () => [])).rejects.toThrow('nested deeper than 100')
  const rules = { subscriptionRootTopic: 'qs/#', taskStartTopic: 'qs/start' }
  const { refusal } = parseStartMessage(new TextEncoder().encode(`{"replyTopic":${deep}}`), rules)
  expect(refusal?.details).toBe('the message is not valid JSON: line 1, column 114 is nested deeper than 100')
})

test.each([
  ['a member __proto__', '{"__proto__": {"a": 1}}', 'line 1, column 2 has a member __proto__'],
  ['a member __proto__ without another that counts', ' [{"__proto__": 1}]', 'line 1, column 4 has a member __proto__'],
  ['half of a surrogate pair', '{"taskId": ["\\ud800"]}', 'the text at taskId/0 holds half a character'],
  ['deep nesting', nested(101), 'line 1, column 101 is nested deeper than 100'],
  ['a member twice', '{"tag": ["a"], "tag": ["b"]}', 'line 1, column 16 has the member "tag" a second time'],
])('a message to the topic of a report trigger starts nothing with %s', (_, text, reason) => {
  expect(requestOf(text)).toEqual(expect.stringContaining(reason))
})

test.each(['{not json', '[1]', 'done', '{"state": "ready"}'])(
  'a message %p is no request, so it starts the task',
  (text) => {
    expect(requestOf(text)).toBeNull()
  },
)

test.each([
  ['', 'it stops short in line 1, column 1'],
  [' ', 'it stops short in line 1, column 2'],
  ['no', 'line 1, column 1 has an unexpected n'],
  ['{"a": 1,\n "b" 2}', 'line 2, column 6 has an unexpected 2'],
  ['{"a": 1', 'it stops short in line 1, column 8'],
  ['{"a": "b', 'it stops short in line 1, column 9'],
  ['{"a": "b\n"}', 'line 1, column 9 has an unexpected U+000A'],
  ['{"a": "\\x"}', 'line 1, column 8 has an unexpected \\'],
  ['["\\u12g4"]', 'line 1, column 3 has an unexpected \\'],
  ["{'a': 1}", "line 1, column 2 has an unexpected '"],
  ['[1,]', 'line 1, column 4 has an unexpected ]'],
  ['{"a":1,}', 'line 1, column 8 has an unexpected }'],
  ['[1}', 'line 1, column 3 has an unexpected }'],
  ['{]', 'line 1, column 2 has an unexpected ]'],
  ['[,1]', 'line 1, column 2 has an unexpected ,'],
  ['01', 'line 1, column 2 has an unexpected 1'],
  ['[1.]', 'line 1, column 3 has an unexpected .'],
  ['{} {}', 'line 1, column 4 has an unexpected {'],
  ['[\u00a01]', 'line 1, column 2 has an unexpected U+00A0'],
  ['\ud83d\ude00', 'line 1, column 1 has an unexpected U+1F600'],
])('%j is no JSON: %s', (text, reason) => {
  expect(() => parseOutsideJson(text)).toThrow(reason)
})

test('no text is JSON that goes on otherwise behind the place that is named', () => {
  const mixed = fc.array(fc.constantFrom(...'{}[]:,"\\u0a1.e-+tn \n', 'true', '"a"', '\\u00'), { maxLength: 12 })
  fc.assert(
    fc.property(mixed, mixed, (signs, others) => {
      const text = signs.join('')
      fc.pre(!isJson(text))
      const at = offsetOfFault(text)
      // A word and an escape are named by their beginning, a number by that or by the sign that nothing follows.
      if (at < text.length && !/[-+.\deEtfn\\]/.test(text[at]!))
        expect(isJson(text.slice(0, at + 1) + others.join(''))).toBe(false)
    }),
    { numRuns: 2000 },
  )
})

test('a long text that is no JSON is looked through once', () => {
  const text = `[${'"a", '.repeat(400_000)}`
  const from = performance.now()
  expect(() => parseOutsideJson(text)).toThrow('it stops short in line 1, column 2000002')
  expect(performance.now() - from).toBeLessThan(5000)
})

describe('JSON of a file that is imported', () => {
  test.each([
    ['a member twice', '{"a": 1,\n "b": {}, "a": 2}', 'line 2, column 11 has the member "a" a second time'],
    ['spelled otherwise', '[{"a": [{}], "\\u0061": 2}]', 'line 1, column 14 has the member "\\u0061" a second time'],
    ['deep inside', '{"n": {"x": [], "y": {"k": 1, "k": 2}}}', 'line 1, column 31 has the member "k" a second time'],
    [
      'a lost letter',
      '{"name":\n"gr\ufffder"}',
      'line 2, column 4 holds the sign \ufffd (U+FFFD) in place of a lost letter',
    ],
  ])('%s is refused', (_, text, reason) => {
    expect(() => parseImportedJson(text)).toThrow(reason)
  })

  test.each([
    ['{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}], "c": ["a", "a"]}'],
    ['{"a": {}, "b": "x", "c": [], "d": "b"}'],
    ['{"text": "a: {\\"a\\", \\"a\\"}", "a": 1}'],
  ])('%s is taken', (text) => {
    expect(parseImportedJson(text)).toEqual(JSON.parse(text))
  })

  test('every value that is exported can be imported, with the sign U+FFFD, too', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, isThere) => {
        const content = { value, sign: isThere ? 'gr\ufffder' : '' }
        const text = importableJson(content)
        fc.pre(!/__proto__|\\u[dD][89a-fA-F]/.test(text))
        expect(JSON.stringify(parseImportedJson(text))).toBe(JSON.stringify(content))
      }),
    )
  })
})
