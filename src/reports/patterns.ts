/**
 * Naming patterns: file names, folders, subjects, titles and page footers with tokens such as `{report}` and
 * `{date:yyyy-MM-dd}`. `{{` and `}}` stand for braces.
 */

import { createHash } from 'node:crypto'
import { nearest } from '../config/nearest.ts'
import { withoutActing } from '../platform/visible.ts'
import { createDateFormat, dateFormatProblem } from './date-format.ts'
import { createRunningText, nameText } from './display.ts'
import type { Outcome } from './entities/task.ts'
import type { Cell, DocumentNames, Marks, ReportData } from './types.ts'

/** Where the values of tokens come from. Absent values give an empty text; only `{expr}` needs `evaluate`. */
export interface PatternContext {
  readonly names: Pick<DocumentNames, 'task' | 'project' | 'date' | 'runId'> & Partial<DocumentNames>
  readonly app?: Pick<ReportData['app'], 'name' | 'lastReload'>
  /** IANA name. */
  readonly timezone: string
  /** BCP 47; language of `MMM` and `EEE`, and of numbers without a format. */
  readonly locale: string
  /** Separators of the numbers on the page; absent = those of the locale. */
  readonly marks?: Marks | undefined
  readonly evaluate?: ReportData['evaluate']
  readonly recipient?: { readonly address: string; readonly attributes: Readonly<Record<string, string>> }
  readonly outcome?: Outcome | 'waiting'
  /** Texts of `{page}` and `{pages}`, such as the tokens themselves or marks that a PDF writer replaces. */
  readonly extra?: Readonly<Partial<Record<'page' | 'pages', string>>>
}

interface Token {
  readonly argument: 'none' | 'optional' | 'required'
  /** The problem with an argument, or null. */
  readonly problem?: (argument: string) => string | null
  readonly value: (context: PatternContext, argument: string) => string | Cell | Promise<Cell>
}

const name = (value: (context: PatternContext) => string | undefined): Token => ({
  argument: 'none',
  value: (context) => value(context) ?? '',
})

const TOKENS = {
  report: name(({ names }) => names.report),
  task: name(({ names }) => names.task),
  project: name(({ names }) => names.project),
  app: name(({ app }) => app?.name),
  key: name(({ names }) => names.key),
  cycle: {
    argument: 'optional',
    value: ({ names: { cycle = [] } }, field) =>
      field === ''
        ? cycle.map(({ value }) => `_${nameText(value)}`).join('')
        : cycle
            .flatMap((one) => (one.field === field ? [nameText(one.value)] : []))
            .slice(0, 1)
            .join(''),
  },
  date: {
    argument: 'required',
    problem: dateFormatProblem,
    value: (context, format) => createDateFormat(format, context)(context.names.date),
  },
  reload: {
    argument: 'required',
    problem: dateFormatProblem,
    value: (context, format) => {
      const time = context.app?.lastReload
      return time ? createDateFormat(format, context)(time) : ''
    },
  },
  expr: {
    argument: 'required',
    problem: (expression) =>
      /^=\s*\S/.test(expression) ? null : 'must hold a Qlik expression, like {expr:=Max(Period)}',
    async value({ evaluate }, expression) {
      if (!evaluate) throw new Error('expressions of patterns cannot be evaluated here')
      return await evaluate(expression)
    },
  },
  seq: {
    argument: 'optional',
    problem: (digits) => (/^[1-9]$/.test(digits) ? null : 'must have a number of digits from 1 to 9, like {seq:3}'),
    value: ({ names }, digits) => String(names.seq ?? '').padStart(Number(digits), '0'),
  },
  run: name(({ names }) => names.runId.slice(-8)),
  recipient: {
    argument: 'optional',
    problem: (argument) =>
      /^attributes\../.test(argument) ? null : 'must be {recipient} or {recipient:attributes.code}',
    value: ({ recipient }, argument) =>
      argument === ''
        ? (recipient?.address ?? '')
        : (recipient?.attributes[argument.slice('attributes.'.length)] ?? ''),
  },
  outcome: name(({ outcome }) => outcome),
  page: name(({ extra }) => extra?.page),
  pages: name(({ extra }) => extra?.pages),
} as const satisfies Record<string, Token>

type TokenName = keyof typeof TOKENS

const RUN_TOKENS = ['task', 'project', 'date', 'run'] as const satisfies readonly TokenName[]
const DOCUMENT_TOKENS = [
  ...RUN_TOKENS,
  ...(['report', 'app', 'key', 'cycle', 'reload', 'expr', 'seq'] as const),
] satisfies readonly TokenName[]

/** The tokens that a pattern may use, by its place. */
export const PATTERN_TOKENS = {
  document: DOCUMENT_TOKENS,
  /** File names and folders of documents that are made for one person each, and subjects of mails to one person. */
  personal: [...DOCUMENT_TOKENS, 'recipient'],
  /** Title and footer of pages. */
  page: [...DOCUMENT_TOKENS, 'page', 'pages'],
  notification: [...RUN_TOKENS, 'outcome'],
} as const satisfies Record<string, readonly TokenName[]>

/** A literal text, or a token with its argument ('' without one). */
type Piece = string | { readonly token: TokenName; readonly argument: string }

class PatternError extends Error {}

/** Throws a `PatternError`. */
function parse(pattern: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  while (at < pattern.length) {
    const two = pattern.slice(at, at + 2)
    if (two === '{{' || two === '}}') {
      pieces.push(two[0]!)
      at += 2
    } else if (pattern[at] === '}') {
      throw new PatternError(`"}" at position ${at + 1} closes nothing; write "}}" for a brace`)
    } else if (pattern[at] === '{') {
      const { text, end } = readToken(pattern, at)
      pieces.push(tokenOf(text))
      at = end
    } else {
      const [text] = /[^{}]+/.exec(pattern.slice(at))!
      pieces.push(text)
      at += text.length
    }
  }
  return pieces
}

/** The text between the braces, and the position after them. In expressions a closing brace is written twice. */
function readToken(pattern: string, start: number): { readonly text: string; readonly end: number } {
  const rest = pattern.slice(start)
  const match = rest.startsWith('{expr:') ? /^\{((?:[^}]|\}\})*)\}/.exec(rest) : /^\{([^{}]*)\}/.exec(rest)
  if (!match) {
    throw new PatternError(
      `"{" at position ${start + 1} is not closed; write "{{" for a brace, "}}" inside of {expr:...}`,
    )
  }
  return { text: match[1]!.replaceAll('}}', '}'), end: start + match[0].length }
}

function tokenOf(text: string): Piece {
  const colon = text.indexOf(':')
  const token = colon === -1 ? text : text.slice(0, colon)
  const argument = colon === -1 ? null : text.slice(colon + 1)
  if (!isToken(token)) {
    const near = nearest(token, Object.keys(TOKENS))
    const hint = near ? `; nearest: {${near}}` : `; known are ${listOf(Object.keys(TOKENS))}`
    throw new PatternError(`{${token}} is unknown${hint}`)
  }
  const definition: Token = TOKENS[token]
  if (argument === null && definition.argument === 'required') {
    throw new PatternError(
      `{${token}} needs a colon and more, like ${token === 'expr' ? '{expr:=Max(Period)}' : `{${token}:yyyy-MM-dd}`}`,
    )
  }
  if (argument === null) return { token, argument: '' }
  if (definition.argument === 'none') throw new PatternError(`{${token}} takes nothing after a colon`)
  if (argument === '') throw new PatternError(`{${token}:} has nothing after its colon`)
  const problem = definition.problem?.(argument) ?? null
  if (problem !== null) throw new PatternError(`{${text}} ${problem}`)
  return { token, argument }
}

const isToken = (text: string): text is TokenName => Object.hasOwn(TOKENS, text)
const listOf = (names: readonly string[]): string => names.map((one) => `{${one}}`).join(' ')

interface PatternRules {
  readonly tokens: readonly TokenName[]
  /** Fields of the cycle; null = unknown here, any is allowed. */
  readonly cycleFields?: readonly string[] | null
}

/** The problem with a pattern, in one line; null when it can be used. */
export function patternProblem(pattern: string, { tokens, cycleFields = null }: PatternRules): string | null {
  try {
    for (const piece of parse(pattern)) {
      if (typeof piece === 'string') continue
      const { token, argument } = piece
      if (!tokens.includes(token)) return `{${token}} has no value here; allowed are ${listOf(tokens)}`
      if (token === 'cycle' && argument !== '' && cycleFields && !cycleFields.includes(argument)) {
        return `{cycle:${argument}} is no field of the cycle${cycleFields.length > 0 ? `: ${cycleFields.join(', ')}` : ''}`
      }
    }
    return null
  } catch (error) {
    if (error instanceof PatternError) return error.message
    throw error
  }
}

async function textOf(piece: Piece, context: PatternContext, show: (cell: Cell) => string): Promise<string> {
  if (typeof piece === 'string') return piece
  const token: Token = TOKENS[piece.token]
  const value = await token.value(context, piece.argument)
  return typeof value === 'string' ? value : show(value)
}

/**
 * The text of a pattern for readers: titles, subjects. Rejects when an expression cannot be evaluated, and for patterns that
 * `patternProblem` refuses.
 */
export const expandPattern = (pattern: string, context: PatternContext): Promise<string> =>
  expand(pattern, context, createRunningText(context.locale, context.marks))

/** The same as a clean file name, with numbers as names. */
export const expandName = async (pattern: string, context: PatternContext): Promise<string> =>
  cleanName(await expand(pattern, context, nameText))

async function expand(pattern: string, context: PatternContext, show: (cell: Cell) => string): Promise<string> {
  const parts: string[] = []
  for (const piece of parse(pattern)) parts.push(await textOf(piece, context, show))
  return parts.join('')
}

/** The expressions of `{expr:…}` in a pattern. Throws for patterns that `patternProblem` refuses. */
export function patternExpressions(pattern: string): string[] {
  return parse(pattern).flatMap((piece) =>
    typeof piece !== 'string' && piece.token === 'expr' ? [piece.argument] : [],
  )
}

/** Whether a pattern has this token. Throws for patterns that `patternProblem` refuses. */
export const patternUses = (pattern: string, token: TokenName): boolean =>
  parse(pattern).some((piece) => typeof piece !== 'string' && piece.token === token)

/** The problem with a pattern of folders: those of `patternProblem`, and paths that lead out of the folder. */
export function folderProblem(pattern: string, rules: PatternRules): string | null {
  return (
    patternProblem(pattern, rules) ??
    pathProblem(
      parse(pattern)
        .map((piece) => (typeof piece === 'string' ? piece : 'x'))
        .join(''),
    )
  )
}

/** The problem with a relative folder as text; null when it stays below the folder that it is relative to. */
export function pathProblem(path: string): string | null {
  if (/^[\\/]/.test(path)) return 'must be relative, without a slash at the beginning'
  if (path.includes(':')) return 'must not hold a colon'
  if (path.includes('\0')) return 'must not hold NUL'
  return path.split(/[\\/]/).some((segment) => /^[. ]+$/.test(segment) && segment.includes('..'))
    ? 'must not hold ".."'
    : null
}

/**
 * The folders of a pattern, each a clean name. Slashes in the text of the pattern separate folders, those in values of
 * tokens do not. Folders without a name are left out.
 */
export async function expandFolder(pattern: string, context: PatternContext): Promise<string[]> {
  const segments = ['']
  for (const piece of parse(pattern)) {
    const [first = '', ...more] =
      typeof piece === 'string' ? piece.split(/[\\/]/) : [await textOf(piece, context, nameText)]
    segments.push(`${segments.pop()}${first}`, ...more)
  }
  return cleanSegments(segments)
}

/** The folders of a path that an expression returned. Throws for paths that `pathProblem` refuses. */
export function folderSegments(path: string): string[] {
  const problem = pathProblem(path)
  if (problem !== null) throw new RangeError(`folder "${path}" ${problem}`)
  return cleanSegments(path.split(/[\\/]/))
}

const cleanSegments = (segments: readonly string[]): string[] =>
  segments.filter((segment) => segment.trim() !== '' && segment !== '.').map(cleanName)

const FORBIDDEN = /[<>:"/\\|?*\p{Cc}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/gu
/** Names of devices, with any extension; also in superscript digits. */
const DEVICE = /^(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³]|conin\$|conout\$)(?=\s*(\.|$))/i
const MAX_CHARACTERS = 150
/** Linux allows 255 bytes for a name; an extension and the ending of a file under way are added. */
const MAX_BYTES = 200
const DIGEST = 7

/** Without blanks and dots at both ends. An expression would read a long run of them again from each of its places. */
function withoutEdges(text: string): string {
  const isEdge = (at: number) => /[\s.]/.test(text[at]!)
  let [begin, end] = [0, text.length]
  while (begin < end && isEdge(begin)) begin++
  while (end > begin && isEdge(end - 1)) end--
  return text.slice(begin, end)
}

/**
 * A name that every file system accepts, without extension: no separators, no device names, nothing that turns the direction of
 * writing, at most 150 characters and 200
 * bytes. A name that is too long is cut and ends with `~` and 6 hex digits of its SHA-256; an empty one becomes `report`.
 */
export function cleanName(text: string): string {
  const visible = withoutActing(text.toWellFormed().normalize('NFC').replace(FORBIDDEN, '_'))
  const name = withoutEdges(visible).replace(DEVICE, '$1_')
  if (name === '') return 'report'
  const characters = [...name]
  if (fits(characters)) return name
  let kept = characters.slice(0, MAX_CHARACTERS - DIGEST)
  while (Buffer.byteLength(kept.join('')) > MAX_BYTES - DIGEST) kept = kept.slice(0, -1)
  return `${kept.join('')}~${createHash('sha256')
    .update(name)
    .digest('hex')
    .slice(0, DIGEST - 1)}`
}

const fits = (characters: readonly string[]): boolean =>
  characters.length <= MAX_CHARACTERS && Buffer.byteLength(characters.join('')) <= MAX_BYTES
