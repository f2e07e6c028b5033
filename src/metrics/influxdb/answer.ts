/** What an answer of InfluxDB means. */

import type { DeliveryResult } from '../../alerts/types.ts'
import { type HttpResponse, parseRetryAfter } from '../../platform/http-client.ts'
import { HttpError } from '../../platform/http-error.ts'
import { jsonOf } from '../../platform/http-json.ts'

/** The points are at fault, or some of them. */
const REFUSED = [400, 413, 422]
/** It may take them in a moment. */
const TEMPORARY = [408, 425, 429]
const WORDS_KEPT = 300

/** `explain` gives what the server says. Everything that is not about the points themselves waits for a person. */
export function writeResult(
  response: HttpResponse,
  now: number,
  explain: (response: HttpResponse) => string,
): DeliveryResult {
  const { status, headers } = response
  if (status >= 200 && status < 300) {
    // A login page of some gateway has taken nothing.
    if (!/html/.test(headers['content-type'] ?? '')) return { outcome: 'delivered', detail: `HTTP ${status}` }
    return waiting('a web page answered instead of InfluxDB', { slow: true })
  }
  const said = explain(response)
  const detail = said ? `HTTP ${status}: ${said}` : `HTTP ${status}`
  if (REFUSED.includes(status)) return { outcome: 'rejected', detail }
  if (!TEMPORARY.includes(status) && status < 500) return waiting(detail, { slow: true })
  const retryAfterMs = parseRetryAfter(headers['retry-after'], now)
  return waiting(detail, retryAfterMs === null ? {} : { retryAfterMs })
}

/** What is not about the points is about the server: one try at a time tells when it is over. */
function waiting(detail: string, more: { readonly slow?: boolean; readonly retryAfterMs?: number }): DeliveryResult {
  return { outcome: 'retry', detail, ...more, peerDown: true }
}

/** A request without an answer. */
export function noAnswer(error: unknown): DeliveryResult {
  if (!(error instanceof HttpError)) {
    return waiting(error instanceof Error ? error.message : String(error), { slow: true })
  }
  return { outcome: 'retry', detail: error.message, peerDown: error.kind !== 'aborted' && error.kind !== 'tooLarge' }
}

/** The server's words: `{"error"}` of versions 1 and 3, `{"message"}` of version 2, with the reason of a single line. */
export function createExplanation(secrets: readonly string[]): (response: HttpResponse) => string {
  const hidden = secrets.filter((secret) => secret !== '')
  return (response) => {
    const { error, message, data } = jsonOf(response)
    const lines = Array.isArray(data) ? data.map((line: { error_message?: unknown }) => line?.error_message) : []
    const words = [error, message, ...lines].filter((word) => typeof word === 'string' && word !== '').join(': ')
    return hidden.reduce((text, secret) => text.replaceAll(secret, '***'), words).slice(0, WORDS_KEPT)
  }
}
