/** Texts made of valid ones by small changes, and texts in which a part of one is repeated up to a size. */
import fc from 'fast-check'

/** What inputs are made of. */
export interface Corpus {
  /** Small and valid. */
  readonly seeds: readonly string[]
  /** Pieces that mean something to the reader of the text. */
  readonly tokens: readonly string[]
}

/** Pieces that mean something to many readers. */
const EVERYWHERE = [
  '',
  '\0',
  '\n',
  '\r\n',
  '\t',
  ' ',
  '\u00a0',
  '\ufeff',
  '\u2028',
  '\u202e',
  'ﬅ',
  'İ',
  '\ud800',
  '😀',
  '\x1b[31m',
  '"',
  "'",
  '\\',
  '/',
  '//',
  '..',
  '%',
  '%00',
  '%2e',
  '&',
  '<',
  '>',
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  ',',
  ';',
  ':',
  '0',
  '-1',
  '1e999',
  '99999999999999999999',
  'NaN',
  'null',
  'true',
  '__proto__',
  'constructor',
  '*',
  '?',
  '$',
  '^',
]

type Edit = (text: string, other: string) => string

/** A place in any text, and a length. */
const part = fc.tuple(fc.nat(1_000_000), fc.nat(30))
const split = (text: string, [place, length]: readonly [number, number]): [string, string, string] => {
  const at = text.length === 0 ? 0 : place % (text.length + 1)
  return [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)]
}

function edits(tokens: readonly string[]): fc.Arbitrary<Edit> {
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...tokens, ...EVERYWHERE) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
  )
  return fc.oneof(
    fc.tuple(part, piece).map(
      ([place, put]): Edit =>
        (text) => {
          const [before, , after] = split(text, [place[0], 0])
          return before + put + after
        },
    ),
    fc.tuple(part, piece).map(
      ([place, put]): Edit =>
        (text) => {
          const [before, , after] = split(text, place)
          return before + put + after
        },
    ),
    fc.tuple(part, fc.integer({ min: 2, max: 40 })).map(
      ([place, times]): Edit =>
        (text) => {
          const [before, inside, after] = split(text, place)
          return before + inside.repeat(times) + after
        },
    ),
    fc.tuple(part, part).map(
      ([place, from]): Edit =>
        (text, other) => {
          const [before, , after] = split(text, place)
          return before + split(other, from)[1] + after
        },
    ),
    part.map(
      (place): Edit =>
        (text) =>
          split(text, place)[0],
    ),
  )
}

/** One of the seeds after up to eight changes. */
export function mutated({ seeds, tokens }: Corpus): fc.Arbitrary<string> {
  const seed = fc.constantFrom(...seeds)
  return fc
    .tuple(seed, seed, fc.array(edits(tokens), { maxLength: 8 }))
    .map(([text, other, changes]) => changes.reduce((changed, change) => change(changed, other), text))
}

/** A text of about a number of characters: it repeats one part of itself. */
export type Growing = (length: number) => string

/** The text with its part repeated; the same text for the same length. */
export function growing(text: string, place: readonly [number, number]): Growing {
  const [before, inside, after] = split(text, place)
  const repeated = inside === '' ? ' ' : inside
  return (length) =>
    before + repeated.repeat(Math.max(1, Math.ceil((length - before.length - after.length) / repeated.length))) + after
}

/** Mutated seeds, and pieces by themselves, one part of which is repeated. */
export function inflated(corpus: Corpus): fc.Arbitrary<Growing> {
  const text = fc.oneof(
    { weight: 3, arbitrary: mutated(corpus) },
    {
      weight: 2,
      arbitrary: fc
        .array(fc.constantFrom(...corpus.tokens, ...EVERYWHERE), { minLength: 1, maxLength: 4 })
        .map((pieces) => pieces.join('')),
    },
  )
  return fc.tuple(text, part).map(([one, place]) => growing(one, place))
}
