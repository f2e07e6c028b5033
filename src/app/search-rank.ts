/** How well a thing fits what was typed into the search, and in which of its fields. */

/** A field that is looked at; the first one of a thing is its name. */
export interface Field {
  /** The word that the finding shows: `name`, `app`, `message`. */
  readonly label: string
  readonly text: string | null
}

export interface Match {
  /** Smaller is better. */
  readonly rank: number
  /** `name`, `app`, or `name and app` where each has some of the words. */
  readonly field: string
  /** The text of a field that fits, other than the name; '' where only the name fits. */
  readonly text: string
}

/** A field is the query, begins with it, has it at the beginning of a word, its words at beginnings of words, or anywhere. */
const GRADES = 5

/**
 * Null unless each word of `query` stands in the fields, in any order and case. A name that has all words comes first, by
 * its grade; then the name together with other fields; then each other field alone, by its grade; then several of them.
 */
export function rankOf(query: string, fields: readonly Field[]): Match | null {
  const words = wordsOf(query)
  const found = fields.filter(({ text }) => words.some((word) => lower(text).includes(word)))
  if (found.length === 0 || !words.every((word) => found.some(({ text }) => lower(text).includes(word)))) return null
  const grades = fields.map(({ text }) => gradeOf(words, lower(text)))
  const [ofName = null] = grades
  if (ofName !== null) return { rank: ofName, field: fields[0]!.label, text: '' }
  const others = found.filter((field) => field !== fields[0])
  const isPart = others.length < found.length
  const alone = grades.findIndex((grade) => grade !== null)
  if (!isPart && alone > 0) {
    const { label, text } = fields[alone]!
    return { rank: GRADES * (alone + 1) + grades[alone]!, field: label, text: text ?? '' }
  }
  return {
    rank: isPart ? GRADES : GRADES * (fields.length + 1),
    field: found.map(({ label }) => label).join(' and '),
    text: others.map(({ text }) => text).join(', '),
  }
}

/** Best first; equal ones by name, as people sort it. */
export function byRank(a: Ranked, b: Ranked): number {
  return a.rank - b.rank || collator.compare(a.title, b.title)
}

interface Ranked {
  readonly rank: number
  readonly title: string
}

const collator = new Intl.Collator('en', { numeric: true })
const lower = (text: string | null): string => (text ?? '').toLowerCase()
const wordsOf = (text: string): string[] => text.toLowerCase().split(/\s+/).filter(Boolean)

/** Null = not all words stand in the text. */
function gradeOf(words: readonly string[], lower: string): number | null {
  if (!words.every((word) => lower.includes(word))) return null
  const [text, phrase] = [wordsOf(lower).join(' '), words.join(' ')]
  if (text === phrase) return 0
  if (text.startsWith(phrase)) return 1
  if (beginsWord(text, phrase)) return 2
  return words.every((word) => beginsWord(text, word)) ? 3 : 4
}

/** A letter or a digit before it would make it the middle of a word. */
function beginsWord(text: string, part: string): boolean {
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) {
    if (!/[\p{L}\p{N}]$/u.test(text.slice(Math.max(0, at - 2), at))) return true
  }
  return false
}
