/** What the templates of routes and destinations see beyond the shared variables. */
import { type RecordContext, templateRecord } from '../template-context.ts'
import type { RenderInput } from '../types.ts'

/** Lines of the script log in `scriptLogHead` and `scriptLogTail`. */
export interface ScriptLogLines {
  readonly headScriptLogLines: number
  readonly tailScriptLogLines: number
}

/** Nothing is ever missing: what is not known is an empty text, an empty list or 0. */
export function messageVariables(
  input: RenderInput,
  context: RecordContext,
  lines: ScriptLogLines,
): Record<string, unknown> {
  const counts = { headLines: lines.headScriptLogLines, tailLines: lines.tailScriptLogLines }
  return templateRecord(input.event, context, counts, 'slash', input)
}
