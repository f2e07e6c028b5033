/** Every failed request leaves through here. */

import { isStorageTrouble } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import { refusalPage } from './endpoint/browser.ts'
import { Refusal, refused, refusedWithCode } from './endpoint/errors.ts'
import { jsonAnswer } from './endpoint/route.ts'

export interface FailedRequest {
  readonly method: string
  readonly url: string
  readonly client: string
  readonly requestId: string
  readonly headers: Headers
}

const STORAGE_RETRY_S = 10

/** What to do about it stands in the log and in `/health` once, so here only that it passes. */
function storageAnswer(error: Error, { method, url, client }: FailedRequest, log: Logger): Response {
  log.verbose(`API: ${method} ${url} from ${client} answered 503: ${error.message}`)
  const details = 'Footman cannot use its data directory at the moment; /health and the log say why. Try again later.'
  const { status, body } = refusedWithCode(503, 'STORAGE_UNAVAILABLE', 'Storage unavailable', details)
  return jsonAnswer(status, body, { 'retry-after': String(STORAGE_RETRY_S) })
}

/**
 * Refusals become their answer, trouble with the disk is 503; anything else is a fault of ours: 500, with the reason in the
 * log only.
 */
export function errorAnswer(error: unknown, request: FailedRequest, log: Logger): Response {
  const { method, url, client, requestId, headers } = request
  if (isStorageTrouble(error)) return storageAnswer(error as Error, request, log)
  if (error instanceof Refusal) {
    const level = error.status >= 500 ? 'warn' : 'verbose'
    log[level](`API: ${method} ${url} from ${client} answered ${error.status}: ${error.message}`)
    return refusalPage(error, headers) ?? jsonAnswer(error.status, error.body, error.headers)
  }
  log.error(`API: ${method} ${url} from ${client} failed, request ${requestId}: ${String(error)}`, { fault: error })
  const { body } = refused(500, 'Internal Server Error', `The log of Footman says more about request ${requestId}.`)
  return jsonAnswer(500, body)
}
