/** Whole numbers of any size between base 62 and base 16, as the key-value and start clients of load scripts use them. */

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
