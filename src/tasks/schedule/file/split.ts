/**
 * The text of a schedule file, cut into its entries. What is not changed keeps every character: comments, blank lines,
 * quotes, order.
 */

export interface ScheduleText {
  /** Everything above the entries, the line of the key `butlerSchedule` included when there are any. */
  readonly head: string
  /** Each with the comments directly above it, and its line ends. */
  readonly entries: readonly string[]
  /** Blanks before the dash of an entry. */
  readonly indent: number
  /** Everything below the entries. */
  readonly tail: string
}

const KEY_LINE = /^butlerSchedule:[ ]*(\[[ ]*\]|~|null)?[ ]*(#.*)?$/
const EMPTY_OR_COMMENT = /^[ ]*(#.*)?$/

/**
 * Null when the text is not written as a plain block list. `trusted`: it is known to be valid YAML, so that other keys
 * may stand around the list. Lines end with LF.
 */
export function splitEntries(text: string, trusted: boolean): ScheduleText | null {
  if (text.includes('\t')) return null
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const bare = lines.map((line) => line.replace(/\n$/, ''))
  const key = bare.findIndex((line) => line.startsWith('butlerSchedule:'))
  if (key < 0) return bare.every((line) => EMPTY_OR_COMMENT.test(line)) ? none(lines, lines.length) : null
  const match = KEY_LINE.exec(bare[key]!)
  if (!match) return null
  if (!trusted && !bare.slice(0, key).every((line) => EMPTY_OR_COMMENT.test(line) || line === '---')) return null
  const first = bare.findIndex((line, i) => i > key && !EMPTY_OR_COMMENT.test(line))
  const dash = first < 0 ? null : /^( *)-( |$)/.exec(bare[first]!)
  if (!dash) {
    if (first >= 0 && !(trusted && /^\S/.test(bare[first]!))) return null
    return none(lines, key + 1)
  }
  if (match[1] !== undefined) return null
  return cut(lines, bare, { from: first, above: key, indent: dash[1]!.length, trusted })
}

function none(lines: readonly string[], headEnd: number): ScheduleText {
  return { head: lines.slice(0, headEnd).join(''), entries: [], indent: 2, tail: lines.slice(headEnd).join('') }
}

interface Place {
  /** Line of the first entry. */
  readonly from: number
  /** Line of the key. */
  readonly above: number
  readonly indent: number
  readonly trusted: boolean
}

function cut(lines: readonly string[], bare: readonly string[], { from, above, indent, trusted }: Place) {
  const isDash = (line: string) => line.startsWith(`${' '.repeat(indent)}-`) && /^ *-( |$)/.test(line)
  const isInside = (line: string) => line.search(/\S/) > indent
  const starts: number[] = []
  let end = lines.length
  for (let i = from; i < lines.length; i += 1) {
    const line = bare[i]!
    if (EMPTY_OR_COMMENT.test(line) || isInside(line)) continue
    if (isDash(line)) starts.push(i)
    else if (trusted) {
      end = i
      break
    } else return null
  }
  const cuts = starts.map((start) => commentsAbove(bare, start, above, indent))
  const tailStart = end < lines.length ? commentsAbove(bare, end, above, 0) : commentsAtEnd(bare, indent)
  return {
    head: lines.slice(0, cuts[0]).join(''),
    entries: cuts.map((start, i) => lines.slice(start, cuts[i + 1] ?? tailStart).join('')),
    indent,
    tail: lines.slice(tailStart).join(''),
  }
}

/** Where the comments begin that stand directly above a line and belong to it; deeper ones belong to the entry before. */
function commentsAbove(bare: readonly string[], line: number, limit: number, indent: number): number {
  let start = line
  while (start - 1 > limit && /^ *#/.test(bare[start - 1]!) && bare[start - 1]!.search(/#/) <= indent) start -= 1
  return start
}

/** What stands below the last entry is not about it. */
function commentsAtEnd(bare: readonly string[], indent: number): number {
  let start = bare.length
  while (start > 0 && EMPTY_OR_COMMENT.test(bare[start - 1]!) && bare[start - 1]!.search(/#/) <= indent) start -= 1
  return start
}

/** The text again, with these entries. */
export function joinEntries({ head, tail }: ScheduleText, entries: readonly string[]): string {
  const above = headFor(head, entries.length > 0)
  const ended = entries.map((entry) => (entry.endsWith('\n') ? entry : `${entry}\n`))
  return `${above}${ended.join('')}${tail}`
}

/** The line of the key says whether there are entries. */
function headFor(head: string, filled: boolean): string {
  const line = filled ? 'butlerSchedule:' : 'butlerSchedule: []'
  if (!/^butlerSchedule:/m.test(head)) return `${head === '' || head.endsWith('\n') ? head : `${head}\n`}${line}\n`
  const named = head.replace(/^butlerSchedule:[ ]*(\[[ ]*\]|~|null)?/m, line)
  return named.endsWith('\n') ? named : `${named}\n`
}
