import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { base16ToBase62, base62ToBase16 } from '../../../src/kv/bases.ts'

describe('conversions', () => {
  test.each([
    ['6DMW88LpSok9Z7P7hUK0wv7bF', '3199af08bfeeaf5d420f27ed9c01e74370077'],
    ['aZ9', 'a4f7'],
    ['Z', '3d'],
    ['10', '3e'],
    ['', '0'],
    ['000', '0'],
  ])('base 62 %p is base 16 %p', (base62, base16) => {
    expect(base62ToBase16(base62)).toBe(base16)
  })

  test.each([
    ['3199af08bfeeaf5d420f27ed9c01e74370077', '6DMW88LpSok9Z7P7hUK0wv7bF'],
    ['3199AF08BFEEAF5D420F27ED9C01E74370077', '6DMW88LpSok9Z7P7hUK0wv7bF'],
    ['000f', 'f'],
    ['', '0'],
  ])('base 16 %p is base 62 %p', (base16, base62) => {
    expect(base16ToBase62(base16)).toBe(base62)
  })

  test.each(['åä', '-1', ' 1', '1_0', '😀'])('%p has no meaning in base 62', (text) => {
    expect(base62ToBase16(text)).toBeNull()
  })

  test.each(['g', '-', '0x1', ' 1'])('%p has no meaning in base 16', (text) => {
    expect(base16ToBase62(text)).toBeNull()
  })

  test('there and back is the same number', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 512n }), (number) => {
        const hex = number.toString(16)
        expect(base62ToBase16(base16ToBase62(hex)!)).toBe(hex)
      }),
    )
  })
})
