/** What Slack says to a message: `ok`, or one word such as `invalid_blocks`. */
import type { HttpResponse } from '../../../platform/http-client.ts'
import type { DeliveryResult } from '../../types.ts'
import { httpResult } from '../http.ts'

/** The words of Slack are short and hold no secrets; anything else is not repeated. */
const WORD = /^[a-z][a-z0-9_]{2,60}$/
const BAD_CONTENT = /^(invalid_payload|invalid_blocks|invalid_blocks_format|invalid_attachments|msg_blocks_too_long)$/

/** Slack would never take this message as it is, whoever sends it again. */
export function isContentRefused(response: HttpResponse): boolean {
  return response.status === 400 && BAD_CONTENT.test(wordOf(response))
}

export function slackResult(response: HttpResponse, now: number): DeliveryResult {
  const result = httpResult(response, now)
  const word = wordOf(response)
  if (result.outcome === 'delivered') {
    return saysNo(response) ? { outcome: 'rejected', detail: `Slack answered ok: false` } : result
  }
  return word ? { ...result, detail: `${result.detail}: ${word}` } : result
}

function wordOf(response: HttpResponse): string {
  const text = response.text().trim()
  return WORD.test(text) ? text : ''
}

/** Webhooks of workflows answer in JSON. */
function saysNo(response: HttpResponse): boolean {
  return /^\{\s*"ok"\s*:\s*false\b/.test(response.text().trim())
}
