/**
 * Parses start requests of REST and MQTT, as an object or in Butler's array form. The parser
 * collects problems instead of throwing, so that REST can refuse the request and MQTT can skip the bad element.
 */
import type { z } from 'zod'
import { distance, nearest } from '../../config/nearest.ts'
import { type Caller, callerText, requireNamespace, requireScope } from '../../http/endpoint/caller.ts'
import { readQuery } from '../../http/endpoint/list-query.ts'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import { isObject, validate } from '../../http/endpoint/validation.ts'
import { invalid, type Refusal, refused, shortError } from '../../http/errors.ts'
import { lenientText } from '../../platform/encodings.ts'
import { errorText } from '../../platform/errors.ts'
import { parseOutsideJson } from '../../platform/json.ts'
import { mayReach, topicMatches, topicProblem } from '../../platform/mqtt-topics.ts'
import { once } from '../../platform/once.ts'
import { isGuid } from '../../platform/uuid.ts'
import { butlerQuery, footmanQuery, keyValue, MIXED, objectBody, startItem } from './contract.ts'
import type { CustomPropertySelector, KeyValueItem, StartRequest } from './types.ts'

type Problem =
  /** An id that is not a GUID. */
  | { readonly kind: 'taskId'; readonly value: string }
  /** A member of the wrong form; `details` says which and what is wanted. */
  | { readonly kind: 'shape'; readonly details: string }

interface ParsedStart {
  readonly dialect: 'object' | 'array'
  /** Object dialect: GUIDs only, as written. Array dialect: everything, lower-cased where it is a GUID. */
  readonly taskIds: readonly string[]
  readonly tags: readonly string[]
  readonly customProperties: readonly CustomPropertySelector[]
  /** Globs; only in the object dialect. */
  readonly taskNames: readonly string[]
  readonly match: 'any' | 'all'
  /** The key-value pairs that the request wants to store, unchecked. */
  readonly keyValues: readonly unknown[]
  readonly problems: readonly Problem[]
  /** Unknown members of the object. */
  readonly unknown: readonly string[]
  /** False when no member says what to start or store. */
  readonly selects: boolean
}

/** A request without a body: what the URL says is all. */
const NOTHING: ParsedStart = {
  dialect: 'object',
  taskIds: [],
  tags: [],
  customProperties: [],
  taskNames: [],
  match: 'any',
  keyValues: [],
  problems: [],
  unknown: [],
  selects: false,
}

/** All that a request in the object form may hold. */
const members = once(() => Object.keys(objectBody().shape))
/** Over MQTT it may hold these, too. */
const OF_MESSAGES = ['requestId', 'replyTopic']

/** A JSON object or array; anything else is one `shape` problem. */
export function parseStart(body: unknown): ParsedStart {
  if (Array.isArray(body)) return parseItems(body)
  if (!isObject(body)) {
    return { ...NOTHING, problems: [{ kind: 'shape', details: 'body must be an object or an array' }] }
  }
  if (typeof body.type === 'string' && isObject(body.payload)) return parseItems([body])
  return parseObject(body)
}

function parseObject(body: Record<string, unknown>): ParsedStart {
  const problems: Problem[] = []
  const { taskId, tag, taskName, customProperty, match: anyOrAll } = objectBody().shape
  const taskIds = elements('taskId', taskId.unwrap(), body.taskId, problems)
  const tags = elements('tag', tag.unwrap(), body.tag, problems)
  const taskNames = elements('taskName', taskName.unwrap(), body.taskName, problems)
  const customProperties = elements('customProperty', customProperty.unwrap(), body.customProperty, problems)
  const match = anyOrAll.safeParse(body.match)
  for (const { message } of match.error?.issues ?? []) problems.push({ kind: 'shape', details: `match ${message}` })
  return {
    dialect: 'object',
    taskIds,
    tags,
    customProperties,
    taskNames,
    // An unreadable value is taken as the narrower one.
    match: match.success ? (match.data ?? 'any') : 'all',
    keyValues: list(body.keyValueStore),
    problems,
    unknown: Object.keys(body).filter((name) => !members().includes(name) && !OF_MESSAGES.includes(name)),
    selects: members().some((name) => name !== 'match' && name in body),
  }
}

/** The elements of a list that fit the schema; one value stands for a list of one. */
function elements<T extends z.ZodType>(
  name: string,
  schema: z.ZodArray<T>,
  value: unknown,
  problems: Problem[],
): z.output<T>[] {
  const values = list(value)
  const { data, error } = schema.safeParse(values)
  if (!error) return data
  const wrong = new Map(error.issues.map(({ path: [index], message }) => [index, message]))
  if ([...wrong.values()].includes(MIXED)) problems.push({ kind: 'shape', details: `${name} ${MIXED}` })
  for (const [index, message] of wrong) {
    if (message === MIXED) continue
    if (name === 'taskId') problems.push({ kind: 'taskId', value: String(values[Number(index)]) })
    else problems.push({ kind: 'shape', details: `${name} ${message}` })
  }
  return schema.parse(values.filter((_, index) => !wrong.has(index)))
}

function list(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

// The array dialect: `[{"type":"starttasktag","payload":{"tag":"startTask1"}}]`.

const itemTypes = once(() => startItem().options.map(({ shape }) => shape.type.value))

interface Collected {
  readonly taskIds: string[]
  readonly tags: string[]
  readonly customProperties: { name: string; value: string }[]
  readonly keyValues: unknown[]
}

/** Items without type are ignored; malformed ids stay in, because the answer names them. */
function parseItems(items: readonly unknown[]): ParsedStart {
  const collected: Collected = { taskIds: [], tags: [], customProperties: [], keyValues: [] }
  const problems: Problem[] = []
  for (const [index, item] of items.entries()) {
    const problem = isObject(item) ? collect(item, collected) : 'must be an object with type and payload'
    if (problem) problems.push({ kind: 'shape', details: `item ${index} ${problem}` })
  }
  return {
    ...collected,
    taskNames: [],
    dialect: 'array',
    match: 'any',
    problems,
    unknown: [],
    selects: true,
  }
}

function collect(item: Record<string, unknown>, into: Collected): string | null {
  if (item.type === undefined) return null
  const type = itemTypes().find((one) => one === item.type)
  if (!type) return `has the unknown type ${JSON.stringify(item.type)}`
  if (!isObject(item.payload)) return `(${type}) has no payload`
  // Pairs are read when they are stored.
  if (type === 'keyvaluestore') return add(into.keyValues, item.payload)
  const { data } = startItem().safeParse(item)
  switch (data?.type) {
    case 'starttaskid': {
      const { taskId } = data.payload
      return add(into.taskIds, isGuid(taskId) ? taskId.toLowerCase() : taskId)
    }
    case 'starttasktag':
      return add(into.tags, data.payload.tag)
    case 'starttaskcustomproperty': {
      const { customPropertyName: name, customPropertyValue: value } = data.payload
      return add(into.customProperties, { name, value })
    }
    default:
      return `(${type}) lacks what is to be selected`
  }
}

function add<T>(to: T[], one: T): null {
  to.push(one)
  return null
}

/** The schema of the array dialect: throws E2 for the first item that does not fit it. */
function checkItems(items: readonly unknown[]): void {
  for (const [index, item] of items.entries()) {
    if (!isObject(item)) throw invalid(`body/${index} must be object`)
    if (item.type !== undefined && !itemTypes().some((type) => type === item.type)) {
      throw invalid(`body/${index}/type must be equal to one of the allowed values`)
    }
    if (item.payload !== undefined && !isObject(item.payload)) throw invalid(`body/${index}/payload must be object`)
  }
}

// Unknown members are ignored, but a misspelt selector starts something else than was meant.

/**
 * One sentence for each member that looks like a misspelt one. When the request says nothing else (`selects`: a member
 * or the URL does), every unknown member has one.
 */
function unknownMemberWarnings({ unknown }: Pick<ParsedStart, 'unknown'>, selects: boolean): string[] {
  return unknown.flatMap((name) => {
    const near = nearest(name, members())
    if (near !== undefined && distance(name.toLowerCase(), near.toLowerCase()) < name.length) {
      return [`unknown member "${name}" is ignored; did you mean ${near}?`]
    }
    return selects ? [] : [`unknown member "${name}" is ignored; known are ${members().join(', ')}`]
  })
}

// Key-value pairs of a start request: parameters for the load scripts that it starts.

/** The namespaces that the items name. */
export function namespacesOf(items: readonly unknown[]): string[] {
  const named = keyValue().pick({ namespace: true })
  return [...new Set(items.flatMap((item) => named.safeParse(item).data?.namespace ?? []))]
}

/** The pair, or why it is none. */
export function readItem(item: unknown): KeyValueItem | string {
  const { data, error } = keyValue().safeParse(item)
  if (data) {
    const { namespace, key, value, ttl = 0 } = data
    return { namespace, key, value, ttl: Math.trunc(ttl) }
  }
  if (!isObject(item) || error.issues.some(({ path: [name] }) => name !== 'ttl')) {
    return 'method call is missing some KV fields..'
  }
  return `the ttl ${JSON.stringify(item.ttl)} of key "${item.key}" is not a number.`
}

// MQTT: a message is a task id, or JSON in one of the dialects of the REST API.

export interface StartMessage {
  readonly selectors: ParsedStart
  readonly requestId: string | null
  /** Where the answer is wanted; checked. */
  readonly replyTopic: string | null
  /** Problems that do not stop the request. */
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
/** Characters of a value that a warning shows. */
const MAX_SHOWN = 200

/** Bad elements are skipped with a warning, the rest goes on; a refusal only when nothing sensible is left. */
export function parseStartMessage(payload: Uint8Array, rules: MessageRules): StartMessage {
  if (payload.length > MAX_BYTES) return refusedMessage('Invalid request body', 'the message is larger than 1 MiB')
  const text = lenientText(payload).text.trim()
  if (text === '') return refusedMessage('Invalid request body', 'the message is empty')
  if (!/^[{["]/.test(text)) return fromJson([text], rules)
  try {
    return fromJson(parseOutsideJson(text), rules)
  } catch (error) {
    return refusedMessage('Invalid request body', `the message is not valid JSON: ${errorText(error)}`)
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
  if (!isObject(json) || json.requestId === undefined) return null
  const { requestId } = json
  if (typeof requestId === 'string' && requestId !== '' && requestId.length <= MAX_REQUEST_ID) return requestId
  warnings.push(`requestId must be a text of 1 to ${MAX_REQUEST_ID} characters; it is ignored`)
  return null
}

function replyTopicOf(json: unknown, rules: MessageRules, warnings: string[]): string | null {
  if (!isObject(json) || json.replyTopic === undefined) return null
  const { replyTopic } = json
  const problem = typeof replyTopic === 'string' ? replyProblem(replyTopic, rules) : 'it must be a text'
  if (problem === null) return String(replyTopic)
  const shown = JSON.stringify(replyTopic).slice(0, MAX_SHOWN)
  warnings.push(`replyTopic ${shown} is refused: ${problem}`)
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

// REST: a call of the start endpoint.

export const SCOPE = 'task:run'

/** Limits of the malformed ids in the audit. */
const NAMED_IDS = 5
const NAMED_LENGTH = 100

interface RestStart {
  readonly wanted: StartRequest
  /** How long the answer may wait for the tasks; null = Butler's answer, without executions. */
  readonly waitMs: number | null
  readonly dryRun: boolean
  /** Members and parameters that are unknown. */
  readonly warnings: readonly string[]
}

/** Throws a `Refusal` for every problem of the call. */
export function readStart(request: ApiRequest): RestStart {
  const parsed = request.body === undefined ? NOTHING : parseStart(request.body)
  const urlId = urlTaskId(request, parsed)
  noteBadIds(request, parsed, urlId)
  refuseBadBody(parsed, urlId, request.body)
  const { allTaskIdsMustExist = false } = validate('querystring', butlerQuery(), request.query)
  const { wait, maxConcurrent, dryRun = false } = readQuery(footmanQuery(), request.query)
  checkKeyValues(request.caller, parsed)
  const { startFilter } = request.caller.limits(SCOPE)
  const wanted: StartRequest = {
    origin: request.via ?? 'rest',
    requestedBy: callerText(request.caller, request.client),
    actor: request.caller.actor,
    dialect: parsed.dialect,
    taskIds: [...(urlId ? [urlId] : []), ...parsed.taskIds],
    tags: parsed.tags,
    customProperties: parsed.customProperties,
    taskNames: parsed.taskNames,
    match: parsed.match,
    allTaskIdsMustExist,
    keyValues: parsed.keyValues,
    ...(startFilter && { limitedTo: startFilter }),
    ...(urlId && { urlTaskId: urlId }),
    ...(maxConcurrent !== undefined && { maxConcurrent }),
  }
  const warnings = unknownMemberWarnings(parsed, parsed.selects || urlId !== null)
  return { wanted, waitMs: wait === undefined ? null : wait * 1000, dryRun, warnings }
}

/** Null when the URL names no task. */
function urlTaskId({ params }: ApiRequest, { dialect }: ParsedStart): string | null {
  const { taskId = '-' } = params
  if (taskId === '-' || taskId === '') return null
  return dialect === 'array' && isGuid(taskId) ? taskId.toLowerCase() : taskId
}

function refuseBadBody({ dialect, problems }: ParsedStart, urlId: string | null, body: unknown): void {
  if (dialect === 'array') checkItems(Array.isArray(body) ? body : [body])
  const [problem] = problems
  if (dialect === 'array' && problem?.kind === 'shape') throw refused(400, 'Failed starting task', problem.details)
  if (dialect === 'object' && urlId !== null && !isGuid(urlId)) throw badTaskId()
  if (problem?.kind === 'taskId') throw badTaskId()
  if (problem) throw shortError(400, 'Invalid request body', problem.details)
}

/** The answer has a fixed text: the audit and its log line name the ids. */
function noteBadIds(request: ApiRequest, { dialect, problems }: ParsedStart, urlId: string | null): void {
  if (dialect !== 'object') return
  const inBody = problems.flatMap((problem) => (problem.kind === 'taskId' ? [problem.value] : []))
  const bad = [...(urlId !== null && !isGuid(urlId) ? [urlId] : []), ...inBody]
  if (bad.length === 0) return
  const named = bad.slice(0, NAMED_IDS).map((id) => id.slice(0, NAMED_LENGTH))
  const more = bad.length > NAMED_IDS ? ` and ${bad.length - NAMED_IDS} more` : ''
  request.note({ target: named, detail: `Task ID not valid: ${named.join(', ')}${more}` })
}

const badTaskId = (): Refusal => shortError(400, 'Invalid task ID format', 'Task ID must be a valid GUID')

/** Storing pairs is a right of its own. */
export function checkKeyValues(caller: Caller, { keyValues = [] }: Pick<StartRequest, 'keyValues'>): void {
  if (keyValues.length === 0) return
  requireScope(caller, 'kv:write')
  for (const namespace of namespacesOf(keyValues)) requireNamespace(caller, 'kv:write', namespace)
}
