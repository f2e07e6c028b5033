import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../platform/duration.ts'
import { visibleLines } from '../platform/visible.ts'

/** Where a command writes; replaced in tests. */
export interface CommandIo {
  /**
   * Characters that act on a terminal are written as escapes, line feeds and tabs excepted: text from outside goes through
   * `visible` before it stands in a line. `as-is` = a document, or colours of the command.
   */
  out(text: string, form?: 'as-is'): void
  err(text: string): void
  /** Width of the terminal; absent when the output goes elsewhere. */
  readonly columns?: number | undefined
}

export const processIo: CommandIo = {
  out: (text, form) => void process.stdout.write(`${form === 'as-is' ? text : visibleLines(text)}\n`),
  err: (text) => void process.stderr.write(`${visibleLines(text)}\n`),
  get columns() {
    return process.stdout.isTTY ? process.stdout.columns : undefined
  },
}

/** Exit codes of the process; the same meaning for every command. */
export const EXIT = {
  ok: 0,
  /** Wrong arguments or configuration. */
  badInput: 1,
  cannotStart: 2,
  /** Footman, or the server behind it, cannot be reached or refuses. */
  unreachable: 2,
  /** Not found, or not started. */
  missing: 3,
  failed: 4,
  timeOver: 5,
} as const

/** Milliseconds of `30s` or `30`. */
export function toTimeout(text: string): number {
  const duration = parseDuration(/^\d+$/.test(text) ? `${text}s` : text)
  if (duration.ok && duration.value > 0) return duration.value
  throw new InvalidArgumentError(duration.ok ? 'it must be above 0' : duration.error)
}

/** The parser of a number; `why` is the error about another text. */
export const toNumber =
  (isRight: (value: number) => boolean, why: (text: string) => string) =>
  (text: string): number => {
    const value = Number(text)
    if (isRight(value)) return value
    throw new InvalidArgumentError(why(text))
  }

/** Checks for a whole number between two. */
export const whole =
  (least: number, most = Number.POSITIVE_INFINITY) =>
  (value: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most

/** Seconds of `--wait`. */
export const toWait = toNumber(whole(0), (text) => `"${text}" is not a number of seconds`)
