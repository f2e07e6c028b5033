import type { ScriptLog } from '../events/types.ts'

const LINE_BREAK = '\r\n'

/** The first and last lines of a script log, joined with CR LF. They may overlap; without a log both are empty. */
export function excerpts(log: ScriptLog | null, headLines: number, tailLines: number): { head: string; tail: string } {
  const lines = log?.lines ?? []
  const shown = shownLines(log, { headLines, tailLines })
  const before = log?.whole ? lines.slice(0, lines.length - log.whole.shown) : []
  return {
    head: shown.headLines > 0 ? lines.slice(0, shown.headLines).join(LINE_BREAK) : '',
    tail: shown.tailLines > 0 ? [...before, ...lines.slice(-shown.tailLines)].join(LINE_BREAK) : '',
  }
}

/** How many lines of a log a message shows, as far as it is there. */
export interface LogLines {
  readonly headLines: number
  readonly tailLines: number
}

/** The same of a shortened log, which has no head. */
export function shownLines(log: ScriptLog | null, { headLines, tailLines }: LogLines): LogLines {
  return log?.whole ? { headLines: 0, tailLines: Math.min(tailLines, log.whole.shown) } : { headLines, tailLines }
}

/** Rows and characters without line breaks of a log, also where only its end is left. */
export function sizeOfLog(log: ScriptLog): { readonly rows: number; readonly characters: number } {
  return log.whole ?? { rows: log.lines.length, characters: lengthOfLines(log) }
}

export const lengthOfLines = ({ lines }: ScriptLog): number => lines.reduce((sum, { length }) => sum + length, 0)

/** The whole log as one text. */
export function wholeText(log: ScriptLog): string {
  return log.lines.join(LINE_BREAK)
}
