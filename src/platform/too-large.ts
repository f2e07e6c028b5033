/** Whether the answer to a request refuses it for its size. */
import type { HttpResponse } from './http-client.ts'

/** How services name a text, a field or a list that is too long, in what they answer to a request that they refuse. */
const TOO_LARGE = [
  /too[ _-]?(?:large|long|big|many)/i,
  /exceed/i,
  /max(?:imum)?[ _-]?(?:text |message |content |body |payload |request |tag |key |value |field )?(?:size|length)/i,
  /(?:size|length)[ _-](?:limit|must be between|greater than)/i,
  /(?:longer|larger|bigger) than|(?:fewer|shorter|less) (?:in length|than)|or (?:fewer|less|shorter)|at most/i,
  // Slack names no reason; Teams puts the status of its own service into an answer 200.
  /invalid_blocks|HTTP error 413/i,
]
/** These exceed something else. */
const ABOUT_NUMBER = /rate[ _-]?limit|quota|too[ _-]?many[ _-]?(?:requests|connections|attempts)|time[ _-]?out/i
const ANSWER_SEARCHED = 4000

/** Whether a permanent refusal is about the size of the request, or of one field of it. */
export function saysTooLarge(response: Pick<HttpResponse, 'status' | 'text'>): boolean {
  if (response.status === 413) return true
  const text = response.text().slice(0, ANSWER_SEARCHED)
  return !ABOUT_NUMBER.test(text) && TOO_LARGE.some((one) => one.test(text))
}
