import type { ScriptLog } from '../events/types.ts'

const LINE_BREAK = '\r\n'
/** The prefix of a script log line: a time stamp and, for statements, a line number. */
const LINE_PREFIX = /^\s*\d{4}-?\d{2}-?\d{2}[T ]\d{2}:?\d{2}:?\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?\s*(?:\d{3,}\s+)?/

/** The first and last lines of a script log, joined with CR LF. They may overlap; without a log both are empty. */
export function excerpts(log: ScriptLog | null, headLines: number, tailLines: number): { head: string; tail: string } {
  const lines = log?.lines ?? []
  return {
    head: headLines > 0 ? lines.slice(0, headLines).join(LINE_BREAK) : '',
    tail: tailLines > 0 ? lines.slice(-tailLines).join(LINE_BREAK) : '',
  }
}

/** Lines that the engine writes below the error itself. */
const GENERAL = /^General Script Error$/i

export const isErrorLine = (line: string): boolean => line.includes('Error')

/**
 * The last line that holds `Error`, without its time stamp and line number; null when there is none. A line that says
 * no more than that there was one counts only when there is no other.
 */
export function errorLine(log: ScriptLog | null): string | null {
  const texts = (log?.lines ?? []).filter(isErrorLine).map((line) => line.replace(LINE_PREFIX, '').trim())
  return texts.findLast((text) => !GENERAL.test(text)) ?? texts.at(-1) ?? null
}

/** The whole log as one text. */
export function wholeText(log: ScriptLog): string {
  return log.lines.join(LINE_BREAK)
}
