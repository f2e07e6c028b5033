/** The excerpts of the script log: first and last rows, or all of it where these meet. */
import type { Budget } from './budget.ts'
import type { MailRecord } from './record.ts'

export interface LogLine {
  readonly text: string
  readonly bad: boolean
}

export interface LogViews {
  /** Cut to what a mail can hold. */
  readonly logs: readonly { readonly title: string; readonly lines: readonly LogLine[] }[]
  /** The same excerpts uncut, for plain text. */
  readonly logTexts: readonly { readonly title: string; readonly text: string }[]
  readonly logSummary: string
}

interface Excerpt {
  readonly which: 'First' | 'Last' | 'All'
  readonly lines: readonly string[]
}

const LOG_BYTES = 13_000
const BAD_LINE = /\b(?:error|failed|failure|exception)\b/i

/** The last rows come first: they say how it ended. `good` = nothing has gone wrong, no line is marked. */
export function logsOf(record: MailRecord, budget: Budget, good: boolean): LogViews {
  const { scriptLogSizeRows: rows, scriptLogSizeCharacters: characters } = record
  const excerpts = excerptsOf(record)
  return {
    logs: excerpts.map(({ which, lines }) => {
      const kept = budget.fitLines(lines, LOG_BYTES, which === 'First' ? 'start' : 'end')
      const shown = kept.map((text) => ({ text, bad: !good && BAD_LINE.test(text) }))
      return {
        title: titleOf(kept.length < lines.length && which === 'All' ? 'Last' : which, kept.length),
        lines: shown,
      }
    }),
    logTexts: excerpts.map(({ which, lines }) => ({ title: titleOf(which, lines.length), text: lines.join('\n') })),
    logSummary: rows === '' ? '' : `The script log has ${count(rows)} rows with ${count(characters)} characters.`,
  }
}

function excerptsOf({ scriptLogHead, scriptLogTail, scriptLogSizeRows: rows }: MailRecord): readonly Excerpt[] {
  const [head, tail] = [linesOf(scriptLogHead), linesOf(scriptLogTail)]
  if (typeof rows === 'number' && head.length + tail.length >= rows && rows > 0) {
    return [{ which: 'All', lines: [...head, ...tail.slice(head.length + tail.length - rows)] }]
  }
  const both: Excerpt[] = [
    { which: 'Last', lines: tail },
    { which: 'First', lines: head },
  ]
  return both.filter(({ lines }) => lines.length > 0)
}

function linesOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(/\r?\n/)
}

function titleOf(which: string, lines: number): string {
  return `${which} ${lines === 1 ? 'row' : `${lines} rows`} of the script log`
}

function count(n: number | string): string {
  return typeof n === 'number' ? n.toLocaleString('en-US') : n
}
