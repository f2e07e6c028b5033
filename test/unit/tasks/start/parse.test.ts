import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseStart, parseStartMessage, replyProblem } from '../../../../src/tasks/start/parse.ts'

const ID = 'a8b4c123-def4-5678-9abc-def012345678'
const RULES = { subscriptionRootTopic: 'qliksense/#', taskStartTopic: 'qliksense/start_task' }
const message = (text: string) => parseStartMessage(Buffer.from(text), RULES)

describe('parseStart', () => {
  test('any JSON is read without throwing, and only sound selectors come out', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        const parsed = parseStart(json)
        for (const tag of parsed.tags) expect(tag).toBeString()
        for (const { name, value } of parsed.customProperties) expect(name && value).toBeTruthy()
      }),
    )
  })

  test('what a selector holds is found again, as a single value or as a list', () => {
    const text = fc.string({ minLength: 1 })
    fc.assert(
      fc.property(fc.uuid(), text, text, text, (id, tag, name, value) => {
        const single = parseStart({ taskId: id, tag, customProperty: { name, value } })
        const lists = parseStart({ taskId: [id], tag: [tag], customProperty: [{ name, value }] })
        expect(single).toEqual(lists)
        expect(single).toMatchObject({ taskIds: [id], tags: [tag], customProperties: [{ name, value }], problems: [] })
      }),
    )
  })

  test('numbers and booleans count as text', () => {
    expect(parseStart({ tag: [2024, true] }).tags).toEqual(['2024', 'true'])
    expect(parseStart({ customProperty: { name: 'year', value: 2024 } }).customProperties).toEqual([
      { name: 'year', value: '2024' },
    ])
  })

  test('null members count as absent', () => {
    expect(parseStart({ taskId: null, tag: null, customProperty: null, keyValueStore: null })).toMatchObject({
      problems: [],
      keyValues: [],
    })
  })

  test('key-value pairs are taken as they are', () => {
    const pair = { namespace: 'n', key: 'k', value: 'v' }
    expect(parseStart({ keyValueStore: [pair] }).keyValues).toEqual([pair])
  })

  test('names are a list of globs, or one', () => {
    expect(parseStart({ taskName: 'Sales*' })).toMatchObject({ taskNames: ['Sales*'], selects: true, problems: [] })
    expect(parseStart({ taskName: [''] })).toMatchObject({ taskNames: [], problems: [{ kind: 'shape' }] })
  })

  test('an unreadable match is the narrow one', () => {
    expect(parseStart({ match: 'ALL' })).toMatchObject({ match: 'all', problems: [{ kind: 'shape' }] })
  })
})

describe('parseStartMessage', () => {
  test('never throws, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseStartMessage(bytes, RULES)))
    fc.assert(fc.property(fc.json(), (json) => void message(json)))
  })

  test('request id: text of 1 to 128 characters', () => {
    expect(message(JSON.stringify({ taskId: ID, requestId: 'x'.repeat(128) })).requestId).toHaveLength(128)
    for (const requestId of ['', 'x'.repeat(129), 7, {}]) {
      const parsed = message(JSON.stringify({ taskId: ID, requestId }))
      expect(parsed.requestId).toBeNull()
      expect(parsed.warnings).toHaveLength(1)
      expect(parsed.refusal).toBeNull()
    }
  })

  test('a message above 1 MiB is refused', () => {
    expect(message(JSON.stringify({ tag: 'x'.repeat(1_048_577) })).refusal?.details).toContain('1 MiB')
  })

  test('an answer never goes where requests come from', () => {
    expect(replyProblem('qliksense/answers', RULES)).toBeNull()
    expect(replyProblem('qliksense/start_task', RULES)).toContain('start requests')
    expect(replyProblem('qliksense/+', RULES)).toContain('wildcard')
    expect(replyProblem('other', RULES)).toContain('outside')
  })
})
