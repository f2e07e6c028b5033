/** The signs before findings, as far as the terminal can show them. */
import type { FindingLevel } from './types.ts'

export interface Signs {
  readonly level: Readonly<Record<FindingLevel, string>>
  /** Before the line with the fix. */
  readonly fix: string
  readonly colour: boolean
  /** Letters of a line; Infinity where nobody looks, so that a finding stays one line for programs. */
  readonly width: number
}

const UNICODE = { ok: '✔', info: 'i', warning: '!', error: '✘' }
const ASCII = { ok: 'ok', info: 'i', warning: '!', error: 'X' }

const NARROWEST = 40

interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
}

type Environment = Readonly<Record<string, string | undefined>>

/** Colour on terminals only; `NO_COLOR` turns it off. */
export function signsOf(stream: Stream, env: Environment, platform: NodeJS.Platform = process.platform): Signs {
  const unicode = showsUnicode(env, platform)
  const colour = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
  // The last column makes some terminals break the line by themselves.
  const width = stream.isTTY && stream.columns ? Math.max(stream.columns - 1, NARROWEST) : Number.POSITIVE_INFINITY
  return { level: unicode ? UNICODE : ASCII, fix: unicode ? '→' : '->', colour, width }
}

/** The old console of Windows draws with a code page; elsewhere the locale tells. */
function showsUnicode(env: Environment, platform: NodeJS.Platform): boolean {
  if (platform === 'win32') return env.WT_SESSION !== undefined || env.TERM_PROGRAM === 'vscode'
  if (env.TERM === 'linux') return false
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG
  return locale === undefined || /utf-?8/i.test(locale)
}
