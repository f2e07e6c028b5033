/** The array dialect: `[{"type":"starttasktag","payload":{"tag":"startTask1"}}]`. */
import { isGuid } from '../../platform/uuid.ts'
import { isRecord, type ParsedStart, type Problem, textOf } from './parsed.ts'

export const ITEM_TYPES = ['keyvaluestore', 'starttaskid', 'starttasktag', 'starttaskcustomproperty'] as const

interface Collected {
  readonly taskIds: string[]
  readonly tags: string[]
  readonly customProperties: { name: string; value: string }[]
  readonly keyValues: unknown[]
}

/** False when the payload lacks what its type needs. */
const COLLECT: Record<(typeof ITEM_TYPES)[number], (payload: Record<string, unknown>, into: Collected) => boolean> = {
  keyvaluestore: (payload, { keyValues }) => keyValues.push(payload) > 0,
  starttaskid(payload, { taskIds }) {
    const id = textOf(payload.taskId)
    return id !== '' && taskIds.push(isGuid(id) ? id.toLowerCase() : id) > 0
  },
  starttasktag(payload, { tags }) {
    const tag = textOf(payload.tag)
    return tag !== '' && tags.push(tag) > 0
  },
  starttaskcustomproperty(payload, { customProperties }) {
    const [name, value] = [textOf(payload.customPropertyName), textOf(payload.customPropertyValue)]
    return name !== '' && value !== '' && customProperties.push({ name, value }) > 0
  },
}

/** Items without type are ignored; malformed ids stay in, because the answer names them. */
export function parseItems(items: readonly unknown[]): ParsedStart {
  const collected: Collected = { taskIds: [], tags: [], customProperties: [], keyValues: [] }
  const problems: Problem[] = []
  for (const [index, item] of items.entries()) {
    const problem = isRecord(item) ? collect(item, collected) : 'must be an object with type and payload'
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
  const type = ITEM_TYPES.find((one) => one === item.type)
  if (!type) return `has the unknown type ${JSON.stringify(item.type)}`
  if (!isRecord(item.payload)) return `(${type}) has no payload`
  return COLLECT[type](item.payload, into) ? null : `(${type}) lacks what is to be selected`
}
