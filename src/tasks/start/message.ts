/** A start request that came as an MQTT message: a task id, or JSON in one of the dialects of the REST API. */
import { mayReach, topicMatches, topicProblem } from '../../platform/mqtt-topics.ts'
import { isGuid } from '../../platform/uuid.ts'
import { parseStart } from './parse.ts'
import { isRecord, NOTHING, type ParsedStart } from './parsed.ts'

export interface StartMessage {
  readonly selectors: ParsedStart
  readonly requestId: string | null
  /** Where the answer is wanted; checked. */
  readonly replyTopic: string | null
  /** What was wrong but does not stop the request. */
  readonly warnings: readonly string[]
  /** Why nothing is started; null when there is something to start. */
  readonly refusal: { readonly error: string; readonly details: string } | null
}

export interface MessageRules {
  readonly subscriptionRootTopic: string
  readonly taskStartTopic: string
}

const MAX_BYTES = 1_048_576
const MAX_REQUEST_ID = 128

/** Bad elements are skipped with a warning, the rest goes on; a refusal only when nothing sensible is left. */
export function parseStartMessage(payload: Uint8Array, rules: MessageRules): StartMessage {
  if (payload.length > MAX_BYTES) return refusedMessage('Invalid request body', 'the message is larger than 1 MiB')
  const text = new TextDecoder().decode(payload).trim()
  if (text === '') return refusedMessage('Invalid request body', 'the message is empty')
  if (!/^[{["]/.test(text)) return fromJson([text], rules)
  try {
    return fromJson(JSON.parse(text), rules)
  } catch (error) {
    return refusedMessage('Invalid request body', `the message is not valid JSON: ${(error as Error).message}`)
  }
}

function fromJson(json: unknown, rules: MessageRules): StartMessage {
  const ids = typeof json === 'string' ? [json.trim()] : json
  if (Array.isArray(ids) && ids.every((one) => typeof one === 'string')) {
    return judged(parseStart({ taskId: ids }), null, null, [])
  }
  const warnings: string[] = []
  const requestId = requestIdOf(json, warnings)
  const replyTopic = replyTopicOf(json, rules, warnings)
  return judged(parseStart(json), requestId, replyTopic, warnings)
}

function judged(
  parsed: ParsedStart,
  requestId: string | null,
  replyTopic: string | null,
  warnings: readonly string[],
): StartMessage {
  // The array dialect keeps malformed ids for the REST answer; here they are skipped like any bad element.
  const selectors = { ...parsed, taskIds: parsed.taskIds.filter(isGuid) }
  const badIds = [
    ...parsed.taskIds.filter((id) => !isGuid(id)),
    ...parsed.problems.flatMap((problem) => (problem.kind === 'taskId' ? [problem.value] : [])),
  ]
  const shapes = parsed.problems.flatMap((problem) => (problem.kind === 'shape' ? [problem.details] : []))
  const all = [
    ...warnings,
    ...badIds.map((id) => `task ID not valid: ${id}`),
    ...shapes,
    ...parsed.unknown.map((name) => `unknown member "${name}" is ignored`),
  ]
  return { selectors, requestId, replyTopic, warnings: all, refusal: refusalFor(selectors, badIds, shapes) }
}

function refusalFor(selectors: ParsedStart, badIds: readonly string[], shapes: readonly string[]) {
  const { taskIds, tags, customProperties, taskNames, keyValues, match } = selectors
  const count = [taskIds, tags, customProperties, taskNames, keyValues].flat().length
  const bad = badIds.length + shapes.length
  // With "all" a skipped selector would widen the selection.
  if (bad > 0 && (count === 0 || match === 'all')) {
    if (badIds.length > 0) return { error: 'Invalid task ID format', details: 'Task ID must be a valid GUID' }
    return { error: 'Invalid request body', details: shapes[0]! }
  }
  if (selectors.selects) return null
  return {
    error: 'Invalid request body',
    details: 'none of taskId, tag, customProperty, taskName and keyValueStore is there',
  }
}

function requestIdOf(json: unknown, warnings: string[]): string | null {
  if (!isRecord(json) || json.requestId === undefined) return null
  const { requestId } = json
  if (typeof requestId === 'string' && requestId !== '' && requestId.length <= MAX_REQUEST_ID) return requestId
  warnings.push(`requestId must be a text of 1 to ${MAX_REQUEST_ID} characters; it is ignored`)
  return null
}

function replyTopicOf(json: unknown, rules: MessageRules, warnings: string[]): string | null {
  if (!isRecord(json) || json.replyTopic === undefined) return null
  const { replyTopic } = json
  const problem = typeof replyTopic === 'string' ? replyProblem(replyTopic, rules) : 'it must be a text'
  if (problem === null) return String(replyTopic)
  warnings.push(`replyTopic ${JSON.stringify(replyTopic)} is refused: ${problem}`)
  return null
}

/** Why answers may not go to this topic: an answer on the start topic would be taken for a request. */
export function replyProblem(topic: string, { subscriptionRootTopic, taskStartTopic }: MessageRules): string | null {
  const invalid = topicProblem(topic)
  if (invalid) return invalid
  if (mayReach(taskStartTopic, topic)) return 'it is the topic of start requests'
  if (!topicMatches(subscriptionRootTopic, topic))
    return `it lies outside subscriptionRootTopic ${subscriptionRootTopic}`
  return null
}

function refusedMessage(error: string, details: string): StartMessage {
  return { selectors: NOTHING, requestId: null, replyTopic: null, warnings: [], refusal: { error, details } }
}
