/** Values that break things: in paths, queries, headers and bodies. */
import type { Random } from './random.ts'

const GUIDS = [
  'a8b4c123-def4-5678-9abc-def012345678',
  'B9C5D234-EFE5-6789-ABCD-EF0123456789',
  '11111111-2222-3333-4444-555555555555',
  '00000000-0000-0000-0000-000000000000',
]

const TEXTS = [
  '',
  '-',
  ' ',
  '.',
  '..',
  '../../etc/passwd',
  '..\\..\\windows\\system32',
  'null',
  'undefined',
  'true',
  '0',
  '-1',
  '1e309',
  'NaN',
  '__proto__',
  'constructor',
  'toString',
  "O'Brien",
  "' or '1' eq '1",
  '"; DROP TABLE kv; --',
  '<script>alert(1)</script>',
  '$' + '{env:HOME}',
  '%00',
  '\u0000',
  '\u202e\u200b',
  '\ud83d\ude00',
  '\ud800',
  'åäö',
  'R&D',
  'C#',
  'a,b;c=d',
  '{{7*7}}',
  '#',
  '+/#',
  'x'.repeat(1025),
  'ü'.repeat(300),
]

export const randomText = (random: Random): string => {
  if (random.chance(0.2)) return random.pick(GUIDS)
  return random.chance(0.8) ? random.pick(TEXTS) : random.bytes(random.int(60))
}

/** For a place in a URL: encoded, half encoded or as it is (without what would end the request line). */
export function urlText(random: Random): string {
  const text = randomText(random)
  if (random.chance(0.6)) return encoded(text)
  if (random.chance(0.3)) return random.pick(['%', '%z', '%zz', '%c3', '%2F', '%2e%2e%2f', '%00', '%25', '+', '%F0%9F'])
  return text.replace(/[\s\p{Cc}?#]/gu, '')
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

/** Any JSON value; `depth` limits how far it nests. */
export function randomJson(random: Random, depth = 3): unknown {
  const kind = random.int(depth > 0 ? 8 : 6)
  if (kind === 0) return null
  if (kind === 1) return random.chance(0.5)
  if (kind === 2) return random.pick([0, -1, 1, 0.5, 1e21, -1e308, Number.MAX_SAFE_INTEGER, 4294967296])
  if (kind <= 5) return randomText(random)
  const size = random.int(5)
  if (kind === 6) return Array.from({ length: size }, () => randomJson(random, depth - 1))
  return Object.fromEntries(Array.from({ length: size }, () => [randomText(random), randomJson(random, depth - 1)]))
}

/** The value with one of its parts replaced, removed or doubled. */
export function mutated(random: Random, value: unknown): unknown {
  if (random.chance(0.25) || typeof value !== 'object' || value === null) return randomJson(random)
  if (Array.isArray(value)) {
    const copy = [...value]
    const at = random.int(copy.length + 1)
    if (random.chance(0.3)) copy.splice(at, 1)
    else copy.splice(at, random.int(2), random.chance(0.5) ? mutated(random, copy[at]) : randomJson(random))
    return copy
  }
  const entries = Object.entries(value)
  if (entries.length === 0) return { [randomText(random)]: randomJson(random) }
  const at = random.int(entries.length)
  const [name, member] = entries[at]!
  if (random.chance(0.2)) entries.splice(at, 1)
  else entries[at] = [random.chance(0.1) ? randomText(random) : name, mutated(random, member)]
  return Object.fromEntries(entries)
}
