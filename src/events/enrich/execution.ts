/** Finds the result of exactly the execution that a message is about. */
import { definiteAnswer } from '../../qlik/qrs/failure.ts'
import type { QrsClient, QrsExecutionResult, QrsTask } from '../../qlik/qrs/types.ts'
import { outcomeOfStatus } from '../task-type.ts'

const NEVER_YEAR = '1753'
/** How far a stop time may lie from the arrival of the message when no execution id ties them together. */
const TOLERANCE_MS = 2 * 60_000

export interface ExecutionQuestion {
  readonly taskId: string
  readonly executionId: string
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  /** True when the message came while the execution went on, as for distributions. */
  readonly endsLater: boolean
}

export interface ExecutionAnswer {
  /** The final result; null while QRS does not have it. */
  readonly result: QrsExecutionResult | null
  /** The node that executes it, as far as QRS has named it. */
  readonly node: string
  /** The status with which QRS refused to look up results by execution id; null when it did not. */
  readonly refused: string | null
}

/**
 * Looks for the final result of an execution. Asks by execution id; where that finds nothing (no id sent, refused, or a
 * site that does not link them) the task's last result counts if it ended when the message came.
 */
export async function findExecution(
  qrs: QrsClient,
  question: ExecutionQuestion,
  signal: AbortSignal,
): Promise<ExecutionAnswer> {
  let refused: string | null = null
  if (question.executionId) {
    try {
      const results = await qrs.executionResults(question.executionId, signal)
      // One result per retry: the last one is the one that was announced.
      const last = [...results].sort((a, b) => (a.startTime < b.startTime ? -1 : 1)).at(-1)
      if (last) return { result: isFinal(last) ? last : null, node: last.executingNodeName, refused }
    } catch (error) {
      refused = definiteAnswer(error)
      if (refused === null) throw error
    }
  }
  const last = lastResultOf(await qrs.taskById(question.taskId, signal), question)
  return { result: last && isFinal(last) ? last : null, node: last?.executingNodeName ?? '', refused }
}

/** The task's last result unless it is known to belong to another execution. One that goes on is of this execution. */
export function lastResultOf(task: QrsTask | null | undefined, question: ExecutionQuestion): QrsExecutionResult | null {
  const last = task?.operational?.lastExecutionResult
  if (!last) return null
  return !isFinal(last) || isOfMessage(last, question) ? last : null
}

function isOfMessage(
  { startTime, stopTime }: QrsExecutionResult,
  { receivedAt, endsLater }: ExecutionQuestion,
): boolean {
  const after = Date.parse(stopTime) - receivedAt
  if (!endsLater) return Math.abs(after) <= TOLERANCE_MS
  return after >= -TOLERANCE_MS && Date.parse(startTime) <= receivedAt + TOLERANCE_MS
}

/** Those that never ran have no time of their end. */
const WITHOUT_END = [9, 12]

function isFinal(result: QrsExecutionResult): boolean {
  if (outcomeOfStatus(result.status) === null) return false
  return WITHOUT_END.includes(result.status) || !result.stopTime.startsWith(NEVER_YEAR)
}
