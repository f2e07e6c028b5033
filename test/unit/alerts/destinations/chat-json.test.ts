import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseObject } from '../../../../src/alerts/destinations/json-text.ts'
import { offsetOfFault } from '../../../../src/platform/json.ts'

describe('the text that a template makes', () => {
  test('property: every JSON object is read as it is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 2), (value, indent) => {
        expect(parseObject(JSON.stringify(value, null, indent), 'x')).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  test('property: trailing commas are forgiven, commas in texts are kept', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.string(), (list, text) => {
        const items = list.map((one) => `${JSON.stringify(one)},`).join('\n')
        expect(parseObject(`{"list": [${items}], "text": ${JSON.stringify(`,}${text},]`)},}`, 'x')).toEqual({
          list,
          text: `,}${text},]`,
        })
      }),
    )
  })

  test.each([
    ['', 0],
    ['{"a" 1}', 5],
    ['{"a":"x\ny"}', 7],
    ['{"a":[1,2}', 9],
    ['{"a":C:\\x}', 5],
    ['{"a":1} x', 8],
    ['{"a":1', 6],
    ['{"a"}', 4],
  ])('%j is wrong at %d', (text, offset) => {
    expect(offsetOfFault(text)).toBe(offset)
    expect(() => parseObject(text, 'x.handlebars')).toThrow('is not valid JSON')
  })

  test('a fault behind a trailing comma is the one that is named', () => {
    expect(() => parseObject('{"a": [1,],\n"b" 2}', 'x')).toThrow(
      'x (rendered):2:5: the rendered text is not valid JSON',
    )
  })

  test('something else than an object is refused', () => {
    for (const text of ['[1]', '"x"', '1', 'null'])
      expect(() => parseObject(text, 'x')).toThrow('must be a JSON object')
  })
})
