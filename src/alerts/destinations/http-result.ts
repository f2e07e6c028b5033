/** What an HTTP answer, or none, means for a delivery. */
import { type HttpResponse, parseRetryAfter } from '../../platform/http-client.ts'
import { HttpError } from '../../platform/http-error.ts'
import type { DeliveryResult } from '../types.ts'

/** The peer may be right in a moment. */
const TEMPORARY = [408, 425, 429]
/** What a person usually repairs: tried again at the largest spacing. */
const REPAIRABLE = [401, 403, 404]
const MAX_RETRY_AFTER_MS = 3_600_000

/** `now` in milliseconds since 1970, for dates in `Retry-After`. The detail holds the status only, never the answer. */
export function httpResult({ status, headers }: HttpResponse, now: number): DeliveryResult {
  const detail = `HTTP ${status}`
  if (status >= 200 && status < 300) return { outcome: 'delivered', detail }
  if (REPAIRABLE.includes(status)) return { outcome: 'retry', detail, slow: true }
  if (!TEMPORARY.includes(status) && status < 500) return { outcome: 'rejected', detail }
  const retryAfter = parseRetryAfter(headers['retry-after'], now)
  if (retryAfter === null) return { outcome: 'retry', detail }
  return { outcome: 'retry', detail, retryAfterMs: Math.min(retryAfter, MAX_RETRY_AFTER_MS) }
}

/** A pause that the peer asks for in a way of its own. */
export function retryAfter({ status }: HttpResponse, ms: number): DeliveryResult {
  const retryAfterMs = Math.min(Math.ceil(ms), MAX_RETRY_AFTER_MS)
  return { outcome: 'retry', detail: `HTTP ${status}`, retryAfterMs }
}

/** A request without an answer: always worth another try. The message names host and port only. */
export function httpFailure(error: unknown): DeliveryResult {
  if (!(error instanceof HttpError)) return { outcome: 'retry', detail: 'the request could not be sent' }
  return { outcome: 'retry', detail: error.message, peerDown: error.kind !== 'aborted' && error.kind !== 'tooLarge' }
}
