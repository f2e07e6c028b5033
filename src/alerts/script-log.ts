import type { ScriptLog } from '../events/types.ts'

const LINE_BREAK = '\r\n'

/** The first and last lines of a script log, joined with CR LF. They may overlap; without a log both are empty. */
export function excerpts(log: ScriptLog | null, headLines: number, tailLines: number): { head: string; tail: string } {
  const lines = log?.lines ?? []
  return {
    head: headLines > 0 ? lines.slice(0, headLines).join(LINE_BREAK) : '',
    tail: tailLines > 0 ? lines.slice(-tailLines).join(LINE_BREAK) : '',
  }
}

/** The whole log as one text. */
export function wholeText(log: ScriptLog): string {
  return log.lines.join(LINE_BREAK)
}
