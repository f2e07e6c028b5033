/** Every failed request leaves through here. */
import { Refusal, refused } from '../platform/http/errors.ts'
import { jsonAnswer } from '../platform/http/route.ts'
import type { Logger } from '../platform/types.ts'

export interface FailedRequest {
  readonly method: string
  readonly url: string
  readonly client: string
  readonly requestId: string
}

/** Refusals become their answer; anything else is a fault of ours: 500, with the reason in the log only. */
export function errorAnswer(error: unknown, request: FailedRequest, log: Logger): Response {
  const { method, url, client, requestId } = request
  if (error instanceof Refusal) {
    const level = error.status >= 500 ? 'warn' : 'verbose'
    log[level](`API: ${method} ${url} from ${client} answered ${error.status}: ${error.message}`)
    return jsonAnswer(error.status, error.body, error.headers)
  }
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
  log.error(`API: ${method} ${url} from ${client} failed, request ${requestId}: ${reason}`)
  const { body } = refused(500, 'Internal Server Error', `The log of Footman says more about request ${requestId}.`)
  return jsonAnswer(500, body)
}
