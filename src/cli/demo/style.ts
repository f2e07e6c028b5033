/** How text is shown: width and colour of the terminal, cutting, padding. */
import { visible } from '../../platform/visible.ts'

export interface Style {
  /** Columns that a line may fill. */
  readonly width: number
  readonly colour: boolean
}

export interface OutputStream {
  readonly isTTY?: boolean
  readonly columns?: number
}

/** What a piece of text means; the colour follows from it. */
export type Tone = 'plain' | 'quiet' | 'title' | 'note' | 'good' | 'warn' | 'bad'

const CODES: Record<Tone, readonly [on: number, off: number] | null> = {
  plain: null,
  quiet: [2, 22],
  title: [1, 22],
  note: [36, 39],
  good: [32, 39],
  warn: [33, 39],
  bad: [31, 39],
}

const PIPE_WIDTH = 120
const NARROWEST = 60
/** Wider lines tear apart what belongs together. */
const WIDEST = 120

/**
 * Colour on a terminal only; `NO_COLOR` (no-color.org) turns it off, `FORCE_COLOR` on for a pipe. A pipe is as wide as
 * `COLUMNS` says, else 120. No line is longer than that.
 */
export function styleOf(stream: OutputStream, env: Readonly<Record<string, string | undefined>>): Style {
  // The last column stays empty: some terminals begin a new line when it is filled.
  const columns = stream.isTTY ? (stream.columns ?? 80) - 1 : Number(env.COLUMNS) || PIPE_WIDTH
  return { width: Math.min(Math.max(columns, NARROWEST), WIDEST), colour: wantsColour(stream, env) }
}

function wantsColour(stream: OutputStream, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return stream.isTTY === true && env.TERM !== 'dumb'
}

export function paint(text: string, tone: Tone, { colour }: Style): string {
  const codes = CODES[tone]
  if (!colour || !codes || text.trim() === '') return text
  return `\x1b[${codes[0]}m${text}\x1b[${codes[1]}m`
}

/** At most `width` characters, an ellipsis where something is missing; control characters never reach the terminal. */
export function cut(text: string, width: number, keep: 'start' | 'end' = 'start'): string {
  const characters = [...visible(text)]
  if (characters.length <= width) return characters.join('')
  if (width < 1) return ''
  return keep === 'start' ? `${characters.slice(0, width - 1).join('')}…` : `…${characters.slice(1 - width).join('')}`
}

/** Exactly `width` characters: cut, or filled with blanks on the right. */
export function fit(text: string, width: number, keep?: 'start' | 'end'): string {
  const short = cut(text, width, keep)
  return short + ' '.repeat(Math.max(0, width - [...short].length))
}
