/** An execution as people see it: all of its attempts as one run, and the reason of its failure. */
import { NEVER, type QrsExecution, type QrsExecutionDetail, type QrsExecutionResult } from './types.ts'

/** The results of an execution, oldest first, as one; null without any. */
export function executionOf(results: readonly QrsExecutionResult[]): QrsExecution | null {
  const last = results.at(-1)
  if (!last) return null
  return results.length === 1 ? last : { ...last, earlierAttempts: results.slice(0, -1) }
}

/** Oldest first. */
export function attemptsOf(execution: QrsExecution): readonly QrsExecutionResult[] {
  return [...(execution.earlierAttempts ?? []), execution]
}

/** Begin, end and length of the whole run, from the trigger of the first attempt to the end of the last. */
export function runOf(execution: QrsExecution) {
  const { startTime } = attemptsOf(execution)[0]!
  const { stopTime, duration } = execution
  const spanMs = Date.parse(stopTime) - Date.parse(startTime)
  const isSpan = execution.earlierAttempts !== undefined && stopTime !== NEVER && spanMs >= 0
  return { startTime, stopTime, durationMs: isSpan ? spanMs : duration }
}

/** The prefix of a script log line: a time stamp and, for statements, a line number. */
const LINE_PREFIX = /^\s*\d{4}-?\d{2}-?\d{2}[T ]\d{2}:?\d{2}:?\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?\s*(?:\d{3,}\s+)?/
/** Lines that the engine writes below the error itself. */
const GENERAL = /^General Script Error$/i

export const isErrorLine = (line: string): boolean => line.includes('Error')

/**
 * The last line that holds `Error`, without its time stamp and line number; null when there is none. A line that says
 * no more than that there was one counts only when there is no other.
 */
export function errorLine(lines: readonly string[]): string | null {
  const texts = lines.filter(isErrorLine).map((line) => line.replace(LINE_PREFIX, '').trim())
  return texts.findLast((text) => !GENERAL.test(text)) ?? texts.at(-1) ?? null
}

/**
 * Why an execution was not successful, as all pages, answers and messages say it: the last error of its script log,
 * else its last detail that is an error. Null when neither is known. A script may handle errors and go on, so that
 * its log does not say why it was aborted.
 */
export function failureReason({
  outcome,
  log,
  details,
}: {
  readonly outcome: string
  readonly log: readonly string[]
  readonly details: readonly Pick<QrsExecutionDetail, 'detailsType' | 'message' | 'detailCreatedDate'>[]
}): string | null {
  if (outcome !== 'failed' && outcome !== 'aborted') return null
  const fromLog = outcome === 'failed' ? errorLine(log) : null
  return fromLog ?? inOrder(details).findLast(({ detailsType }) => detailsType === ERROR)?.message ?? null
}

const ERROR = 0

/** Details are in no order. */
export function inOrder<D extends Pick<QrsExecutionDetail, 'detailCreatedDate'>>(details: readonly D[]): D[] {
  return details.toSorted((a, b) =>
    a.detailCreatedDate < b.detailCreatedDate ? -1 : a.detailCreatedDate > b.detailCreatedDate ? 1 : 0,
  )
}
