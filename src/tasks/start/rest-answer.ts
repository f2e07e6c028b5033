/** What a call of the start endpoint is answered. */
import { Refusal, reasonPhrase, refusedWithCode } from '../../http/endpoint/errors.ts'
import { jsonAnswer, jsonText } from '../../http/endpoint/route.ts'
import { arrayAnswer, arrayLookupFailure, indented, objectAnswer, objectLookupFailure } from './answers.ts'
import { LookupError, QueueFullError, ShadowModeError } from './errors.ts'
import type { StartOutcome, StartRequest } from './types.ts'
import type { Followed } from './wait.ts'

export interface AnswerParts {
  /** The call has waited, and is told about the executions. */
  readonly followed?: Followed
  /** What was not understood; told in the object dialect alone. */
  readonly warnings: readonly string[]
}

export function startAnswer(
  outcome: StartOutcome,
  { dialect, taskIds }: StartRequest,
  { followed, warnings }: AnswerParts,
): Response {
  const status = statusOf(outcome, followed)
  return dialect === 'array'
    ? jsonText(status, indented(arrayAnswer(outcome, taskIds, followed?.executions)))
    : jsonAnswer(status, {
        ...objectAnswer(outcome, followed?.executions),
        ...(warnings.length > 0 && { warnings }),
      })
}

function statusOf({ interrupted, started }: StartOutcome, followed: Followed | undefined): number {
  if (interrupted === true && started.length === 0) return 502
  return followed && !followed.allFinal ? 202 : 200
}

/** The refusal that an error of the start function stands for; other errors as they are. */
export function startRefusal(error: unknown, { dialect, taskIds }: StartRequest): unknown {
  if (error instanceof ShadowModeError) return refusedWithCode(409, 'SHADOW_MODE', 'Shadow mode', error.message)
  if (error instanceof QueueFullError) return refusedWithCode(409, 'QUEUE_FULL', 'Start queue full', error.message)
  if (!(error instanceof LookupError)) return error
  const status = error.timedOut ? 504 : 502
  if (dialect !== 'array') return new Refusal(status, objectLookupFailure(error.message, error.known))
  return new Refusal(status, {
    statusCode: status,
    error: reasonPhrase(status),
    message: 'Failed starting task',
    details: `QRS request failed: ${error.message}`,
    ...arrayLookupFailure(error.known, taskIds),
  })
}
