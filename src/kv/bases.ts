/** Whole numbers of any size between base 62 and base 16, for the key-value and start clients of load scripts. */
import { type ApiRoute, route } from '../http/endpoint/route.ts'
import { refused } from '../http/errors.ts'
import { BASE16_TO_62, BASE62_TO_16 } from './contract.ts'

const EXAMPLE = { base62: '6DMW88LpSok9Z7P7hUK0wv7bF', base16: '3199af08bfeeaf5d420f27ed9c01e74370077' }

export function codecRoutes(): ApiRoute[] {
  return [
    route({
      ...BASE62_TO_16,
      switch: 'base62ToBase16',
      butler: true,
      summary: 'Convert a number from base 62 to base 16',
      examples: [{ name: 'number', query: { base62: EXAMPLE.base62 }, status: 200, answer: EXAMPLE }],
      handle({ query: { base62 } }, answer) {
        const base16 = base62ToBase16(base62)
        if (base16 === null)
          throw refused(400, 'Failed converting from base62 to base16', 'The digits are 0-9, a-z, A-Z.')
        return answer(200, { base62, base16 })
      },
    }),
    route({
      ...BASE16_TO_62,
      switch: 'base16ToBase62',
      butler: true,
      summary: 'Convert a number from base 16 to base 62',
      examples: [{ name: 'number', query: { base16: EXAMPLE.base16 }, status: 200, answer: EXAMPLE }],
      handle({ query: { base16 } }, answer) {
        const base62 = base16ToBase62(base16)
        if (base62 === null)
          throw refused(400, 'Failed converting from base16 to base62', 'The digits are 0-9 and a-f.')
        return answer(200, { base62, base16 })
      },
    }),
  ]
}

const BASE16 = '0123456789abcdef'
const BASE62 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** Lower-case hex without leading zeros, `0` for an empty text; null when a character is no digit of base 62. */
export function base62ToBase16(text: string): string | null {
  const number = parse(text, BASE62)
  return number === null ? null : number.toString(16)
}

/** Base 62 without leading zeros, `0` for an empty text; null when a character is no hex digit. Takes upper case too. */
export function base16ToBase62(text: string): string | null {
  const number = parse(text.toLowerCase(), BASE16)
  return number === null ? null : format(number, BASE62)
}

function parse(text: string, digits: string): bigint | null {
  const base = BigInt(digits.length)
  let number = 0n
  for (const character of text) {
    const digit = digits.indexOf(character)
    if (digit < 0) return null
    number = number * base + BigInt(digit)
  }
  return number
}

function format(number: bigint, digits: string): string {
  const base = BigInt(digits.length)
  let text = ''
  for (let rest = number; rest > 0n; rest /= base) text = digits[Number(rest % base)] + text
  return text || digits[0]!
}
