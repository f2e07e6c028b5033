/** Brings answers of QRS into the shapes of `types.ts`: what may be missing becomes empty, other fields stay. */
import type {
  AppOwner,
  QrsApp,
  QrsCustomProperty,
  QrsExecutionDetail,
  QrsExecutionResult,
  QrsExecutionSession,
  QrsNamed,
  QrsTask,
} from './types.ts'

type Json = Readonly<Record<string, unknown>>

/** Null when the value is no object with an id. */
export function toTask(value: unknown): QrsTask | null {
  const raw = entity(value)
  if (!raw) return null
  const operational = asObject(raw.operational)
  const result = asObject(operational?.lastExecutionResult)
  return {
    ...raw,
    id: String(raw.id),
    name: text(raw.name),
    taskType: Number(raw.taskType ?? 0),
    enabled: raw.enabled !== false,
    tags: named(raw.tags),
    customProperties: customProperties(raw.customProperties),
    operational: operational && { ...operational, lastExecutionResult: result && toExecutionResult(result) },
  } as QrsTask
}

/** Null when the value is no object with an id. */
export function toApp(value: unknown): QrsApp | null {
  const raw = entity(value)
  if (!raw) return null
  return {
    ...raw,
    id: String(raw.id),
    name: text(raw.name),
    tags: named(raw.tags),
    customProperties: customProperties(raw.customProperties),
  } as QrsApp
}

/** Null when the value is no object. */
export function toExecutionResult(value: unknown): QrsExecutionResult | null {
  const raw = asObject(value)
  if (!raw) return null
  return {
    ...raw,
    id: text(raw.id),
    status: Number(raw.status ?? 0),
    executingNodeName: text(raw.executingNodeName),
    startTime: text(raw.startTime),
    stopTime: text(raw.stopTime),
    duration: Number(raw.duration ?? 0),
    fileReferenceID: text(raw.fileReferenceID),
    scriptLogAvailable: raw.scriptLogAvailable === true,
    scriptLogSize: Number(raw.scriptLogSize ?? 0),
    details: objects(raw.details) as unknown as readonly QrsExecutionDetail[],
  } as QrsExecutionResult
}

/** Null when the value is no object with an id. Members may be written `executionResult` or `ExecutionResult`. */
export function toSession(value: unknown): QrsExecutionSession | null {
  const raw = entity(value)
  if (!raw) return null
  const task = toTask(raw.reloadTask) ?? toTask(raw.externalProgramTask) ?? toTask(raw.userSyncTask)
  const result = asObject(raw.executionResult ?? raw.ExecutionResult)
  return {
    id: String(raw.id),
    task: task && { id: task.id, name: task.name, taskType: task.taskType },
    result: result && toExecutionResult({ ...result, id: result.id ?? result.Id }),
  }
}

/** The owner as alerts need it; null when the value is no user. */
export function toOwner(value: unknown): AppOwner | null {
  const raw = entity(value)
  if (!raw) return null
  const emails = objects(raw.attributes)
    .filter((attribute) => text(attribute.attributeType).toLowerCase() === 'email')
    .map((attribute) => text(attribute.attributeValue).trim())
    .filter((email) => email !== '')
  return {
    id: String(raw.id),
    directory: text(raw.userDirectory),
    userId: text(raw.userId),
    userName: text(raw.name),
    emails: [...new Set(emails)],
  }
}

/** `17` and `{"value": 17}`: QRS documentation and QRS say it differently. Null for anything else. */
export function toCount(value: unknown): number | null {
  const count = asObject(value)?.value ?? value
  return typeof count === 'number' && Number.isInteger(count) && count >= 0 ? count : null
}

/** The text in `{"value": "..."}`; null when there is none. */
export function toValue(value: unknown): string | null {
  const found = asObject(value)?.value
  return typeof found === 'string' && found !== '' ? found : null
}

/** Null when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function entity(value: unknown): Json | null {
  const raw = asObject(value)
  return typeof raw?.id === 'string' ? raw : null
}

function asObject(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const objects = (value: unknown): readonly Json[] =>
  list(value)
    .map(asObject)
    .filter((item) => item !== null)
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

function named(value: unknown): readonly QrsNamed[] {
  return list(value).filter((item): item is QrsNamed & Json => typeof asObject(item)?.name === 'string')
}

function customProperties(value: unknown): readonly QrsCustomProperty[] {
  return list(value).filter(
    (item): item is QrsCustomProperty & Json => typeof asObject(asObject(item)?.definition)?.name === 'string',
  )
}
