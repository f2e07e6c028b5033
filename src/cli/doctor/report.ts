/** The findings as people read them. */

import { unbroken, visible } from '../../platform/visible.ts'
import type { Examined, Finding, FindingLevel } from './types.ts'

export interface Summary {
  readonly ok: number
  readonly info: number
  readonly warnings: number
  readonly errors: number
}

export function summaryOf(findings: readonly Finding[]): Summary {
  const count = (level: FindingLevel) => findings.filter((finding) => finding.level === level).length
  return { ok: count('ok'), info: count('info'), warnings: count('warning'), errors: count('error') }
}

/** Grouped, each finding with its fix, a sum at the end. */
export function humanReport(file: string, examined: readonly Examined[], signs: Signs): string {
  const looked = examined.filter((one) => !isPassedOver(one))
  const sections = grouped([...looked, ...passedOver(examined)]).map(
    ([title, findings]) => `${title}\n${findings.map((finding) => linesOf(finding, signs)).join('\n')}`,
  )
  const { errors, warnings, ok } = summaryOf(examined.flatMap(({ findings }) => findings))
  const counts = [plural(errors, 'error'), plural(warnings, 'warning'), `${ok} in order`].join(', ')
  return [...sections, `${file}: ${counts}`].join('\n\n')
}

const isPassedOver = ({ findings }: Examined): boolean =>
  findings.length > 0 && findings.every(({ level, code }) => level === 'info' && code.endsWith('.not-examined'))

/** One line for all probes that were left out for the same reason. */
function passedOver(examined: readonly Examined[]): readonly Examined[] {
  const reasons = new Map<string, string[]>()
  for (const { title, findings } of examined.filter(isPassedOver)) {
    for (const { message } of findings) reasons.set(message, [...(reasons.get(message) ?? []), title])
  }
  const code = 'any.not-examined'
  const findings = [...reasons].map(([message, titles]) => {
    return { level: 'info', code, target: titles.join(', '), message } as const
  })
  return findings.length === 0 ? [] : [{ group: 'any', title: 'Not examined', findings }]
}

/** Several probes may stand under one heading. */
function grouped(examined: readonly Examined[]): [title: string, findings: readonly Finding[]][] {
  const titles = new Map<string, Finding[]>()
  for (const { title, findings } of examined) titles.set(title, [...(titles.get(title) ?? []), ...findings])
  return [...titles]
}

const COLOURS: Record<FindingLevel, number> = { ok: 32, info: 36, warning: 33, error: 31 }
const SIGN_WIDTH = 2

function linesOf({ level, code, target, message, fix }: Finding, { level: signs, fix: arrow, colour, width }: Signs) {
  const sign = signs[level].padEnd(SIGN_WIDTH)
  const shown = colour ? `\x1b[${COLOURS[level]}m${sign}\x1b[39m` : sign
  const name = level === 'ok' || level === 'info' ? '' : ` [${code}]`
  const first = `  ${shown} ${wrapped(`${printable(target)}: ${printable(message)}${name}`, INDENT, width)}`
  if (fix === undefined) return first
  return `${first}\n${' '.repeat(INDENT)}${arrow} ${wrapped(printable(fix), INDENT + arrow.length + 1, width)}`
}

/** Columns before the text of a finding. */
const INDENT = 5

/** Broken between words; what follows stands below the beginning. */
function wrapped(text: string, indent: number, width: number): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`)
}

const printable = (text: string): string => visible(unbroken(text))

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

export interface Signs {
  readonly level: Readonly<Record<FindingLevel, string>>
  /** Before the line with the fix. */
  readonly fix: string
  readonly colour: boolean
  /** Characters of a line; Infinity without a terminal, so that a finding stays one line for programs. */
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

/** The old console of Windows draws with a code page; elsewhere the locale decides. */
function showsUnicode(env: Environment, platform: NodeJS.Platform): boolean {
  if (platform === 'win32') return env.WT_SESSION !== undefined || env.TERM_PROGRAM === 'vscode'
  if (env.TERM === 'linux') return false
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG
  return locale === undefined || /utf-?8/i.test(locale)
}
