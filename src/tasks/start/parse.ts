/**
 * What a start request selects, from the JSON of its body or message. REST and MQTT share this parser: it collects
 * problems instead of throwing, so that REST can refuse the request and MQTT can skip the bad element.
 */
import { isGuid } from '../../platform/uuid.ts'
import { parseItems } from './parse-items.ts'
import { isRecord, NOTHING, type ParsedStart, type Problem, textOf } from './parsed.ts'
import type { CustomPropertySelector } from './types.ts'

const SELECTORS = ['taskId', 'tag', 'customProperty', 'taskName', 'keyValueStore'] as const
const MEMBERS: readonly string[] = [...SELECTORS, 'match', 'requestId', 'replyTopic']

/** A JSON object or array; anything else is one `shape` problem. */
export function parseStart(body: unknown): ParsedStart {
  if (Array.isArray(body)) return parseItems(body)
  if (!isRecord(body)) {
    return { ...NOTHING, problems: [{ kind: 'shape', details: 'body must be an object or an array' }] }
  }
  if (typeof body.type === 'string' && isRecord(body.payload)) return parseItems([body])
  return parseObject(body)
}

function parseObject(body: Record<string, unknown>): ParsedStart {
  const problems: Problem[] = []
  const taskIds = texts(body.taskId, 'taskId', problems).filter((value) => {
    if (!isGuid(value)) problems.push({ kind: 'taskId', value })
    return isGuid(value)
  })
  const tags = filledTexts(body.tag, 'tag', problems)
  const taskNames = filledTexts(body.taskName, 'taskName', problems)
  const customProperties = properties(body.customProperty, problems)
  const { match = 'any' } = body
  if (match !== 'any' && match !== 'all') problems.push({ kind: 'shape', details: 'match must be "any" or "all"' })
  return {
    dialect: 'object',
    taskIds,
    tags,
    customProperties,
    taskNames,
    // An unreadable wish is read as the narrower one.
    match: match === 'any' ? 'any' : 'all',
    keyValues: list(body.keyValueStore),
    problems,
    unknown: Object.keys(body).filter((name) => !MEMBERS.includes(name)),
    selects: SELECTORS.some((name) => name in body),
  }
}

/** A list of texts; one text stands for a list of one. */
function texts(value: unknown, member: string, problems: Problem[]): string[] {
  const values = list(value).map((one) => (typeof one === 'number' || typeof one === 'boolean' ? String(one) : one))
  const good = values.filter((one) => typeof one === 'string')
  if (good.length < values.length) problems.push({ kind: 'shape', details: `${member} must be an array of strings` })
  return good
}

function filledTexts(value: unknown, member: string, problems: Problem[]): string[] {
  return texts(value, member, problems).filter((text) => {
    if (text === '') problems.push({ kind: 'shape', details: `${member} must not hold an empty string` })
    return text !== ''
  })
}

function properties(value: unknown, problems: Problem[]): CustomPropertySelector[] {
  const good: CustomPropertySelector[] = []
  for (const one of list(value)) {
    const name = isRecord(one) ? textOf(one.name) : ''
    const wanted = isRecord(one) ? textOf(one.value) : ''
    if (name !== '' && wanted !== '') good.push({ name, value: wanted })
    else problems.push({ kind: 'shape', details: 'customProperty must be an array of objects with name and value' })
  }
  return good
}

function list(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}
