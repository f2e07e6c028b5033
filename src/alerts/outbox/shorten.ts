/** The event of a message that its receiver has refused as too large: little of its script log, no long texts. */
import type { ScriptLog, TaskEvent } from '../../events/types.ts'
import { errorLine } from '../../qlik/qrs/execution.ts'
import { cut } from '../message-text/cut.ts'
import { lengthOfLines } from '../script-log.ts'

/** The message says so, as its reader may miss what is not there. */
export const SHORTENED = 'Shortened: the receiver refused the whole message as too large.'

/** Characters of the end of the script log. */
const LOG_KEPT = 1500
const TEXT_KEPT = 300
/** Between the line with the error and the end of the log. */
const GAP = '[...]'
const ITEMS_KEPT = 20

/** A copy for one more attempt; the stored event stays whole. */
export function shortened(event: TaskEvent): TaskEvent {
  const { app, task, execution, details, scriptLog, logMessage } = event
  return Object.defineProperties({} as TaskEvent, {
    ...Object.getOwnPropertyDescriptors(event),
    ...valuesOf({
      logMessage: [cut(logMessage, TEXT_KEPT), SHORTENED].filter(Boolean).join(' '),
      scriptLog: scriptLog && endOf(scriptLog),
      app: short(app),
      task: short(task),
      execution: short(execution),
      details: short(details),
    }),
  })
}

/** The last lines, and the one with the error when it stands before them; the counts stay those of the whole log. */
function endOf(log: ScriptLog): ScriptLog {
  const { lines } = log
  const error = errorLine(lines)
  const end: string[] = []
  let room = LOG_KEPT
  for (const line of lines.toReversed()) {
    const text = cut(line, TEXT_KEPT)
    room -= text.length
    if (room < 0) break
    end.unshift(text)
  }
  const isThere = error === null || end.some((line) => line.includes(error))
  return {
    ...log,
    lines: [SHORTENED, ...(isThere ? [] : [cut(error, TEXT_KEPT), GAP]), ...end],
    whole: { rows: lines.length, characters: lengthOfLines(log), shown: end.length },
  }
}

/** The same with shorter texts and lists, at every depth. */
function short<T>(value: T): T {
  if (typeof value === 'string') return cut(value, TEXT_KEPT) as T
  if (Array.isArray(value)) return value.slice(0, ITEMS_KEPT).map(short) as T
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, short(one)])) as T
}

const valuesOf = (values: Readonly<Record<string, unknown>>): PropertyDescriptorMap =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value, enumerable: true }]))
