/** Parts that the endpoints of definitions share. */
import type { z } from 'zod'
import { type Caller, requireNamespace, requireScope } from '../../http/endpoint/caller.ts'
import type { Contract, Fields } from '../../http/endpoint/contract.ts'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import { isObject } from '../../http/endpoint/validation.ts'
import { type Refusal, refusal } from '../../http/errors.ts'
import { isGuid } from '../../platform/uuid.ts'
import type { ReportCondition, Rule } from '../entities/condition.ts'
import type { LastRun, ListedTask } from '../entities/contract.ts'
import type { ReportTask, Trigger } from '../entities/task.ts'
import { checkedWith, refuseIssues } from '../issues.ts'
import { type Kind, RULES } from '../kinds.ts'
import type { StoredOf } from '../rows.ts'
import type { DefinitionStore } from '../store.ts'

export interface EntityDeps {
  readonly store: DefinitionStore
  /** Null = never ran. */
  readonly lastRun: (taskId: string) => LastRun | null
  /** ISO 8601; null = no schedule will fire. */
  readonly nextRunAt: (task: StoredOf<'task'>) => string | null
}

const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`

export const invalidId = (idLabel: string): Refusal =>
  refusal('INVALID_ID', `${capital(idLabel)} ID must be a valid GUID`, { error: `Invalid ${idLabel} ID format` })

/** The id in lower case. Throws 400 `INVALID_ID`. */
export function checkedId(kind: Kind, text: string): string {
  if (!isGuid(text)) throw invalidId(RULES[kind].idLabel)
  return text.toLowerCase()
}

/** Conditions of the task and of its reports. */
export const conditionIdsOf = ({ conditionIds, reports }: Pick<ReportTask, 'conditionIds' | 'reports'>): string[] =>
  [conditionIds, ...reports.map((use) => use.conditionIds)].flat()

type ConditionOf = (id: string) => Pick<ReportCondition, 'rules'> | undefined

/** Throws 401 or 403 unless the caller may read what the conditions compare: their results show it. */
export function requireSources(caller: Caller, conditions: readonly Pick<ReportCondition, 'rules'>[]): void {
  requireEach(
    caller,
    conditions.flatMap(({ rules }) => rules),
  )
}

/**
 * Throws 401 or 403 unless the caller may read all that the task reads by itself once it is on: what its conditions compare, and
 * what starts it.
 */
export function requireSourcesOf(caller: Caller, task: ReportTask, conditionOf: ConditionOf): void {
  requireSources(
    caller,
    conditionIdsOf(task).flatMap((id) => conditionOf(id) ?? []),
  )
  requireEach(caller, task.triggers)
}

type Reader = Rule | Trigger

/** Scopes of what rules and triggers show; null = apps, storage spaces and other reports, which are open to the authors of reports. */
const SCOPES: Readonly<Record<Reader['type'], string | null>> = {
  value: null,
  rowCount: null,
  dataChanged: null,
  changedBy: null,
  lastReload: null,
  taskState: 'task:read',
  calendar: null,
  keyValue: 'kv:read',
  file: null,
  schedule: null,
  qlikEvent: 'task:read',
  reportTask: null,
  mqtt: 'message:read',
}

function requireEach(caller: Caller, readers: readonly Reader[]): void {
  for (const reader of readers) {
    const scope = SCOPES[reader.type]
    if (scope !== null) requireScope(caller, scope)
    if (reader.type === 'keyValue') requireNamespace(caller, 'kv:read', reader.namespace)
  }
}

/** The schema of the body of a contract that has one. */
export const bodyOf = <Body extends z.ZodType>({ body }: Pick<Contract<string, Fields, Fields, Body>, 'body'>): Body =>
  (body as () => Body)()

/** For endpoints that check the body themselves, as each problem has a code and a place of its own. */
export const checksBody = (contract: Pick<Contract<string, Fields, Fields, z.ZodType>, 'body'>) => ({
  body: undefined,
  readByHandler: () => ({ body: bodyOf(contract) }),
})

/** The body as a JSON object. Throws 400 `VALIDATION`. */
export function bodyObject({ body }: Pick<ApiRequest, 'body'>): Record<string, unknown> {
  if (isObject(body)) return body
  throw refuseIssues([{ path: '', message: 'Must be a JSON object' }])
}

/** The body in the form of the schema; without one, that of an empty object. */
export const optionalBody = <T>({ body }: Pick<ApiRequest, 'body'>, schema: z.ZodType<T>): T =>
  checkedWith(schema, body === undefined || body === '' ? {} : body)

/** Throws 412 when the header `If-Match` names other revisions. */
export function requireRevision({ headers }: Pick<ApiRequest, 'headers'>, kind: Kind, revision: number): void {
  const wanted = headers.get('if-match')
  if (wanted === null) return
  const tags = wanted.split(',').map((tag) => tag.trim())
  if (tags.includes('*') || tags.includes(tagOf(revision))) return
  const label = RULES[kind].label.toLowerCase()
  throw refusal(
    'REVISION_MISMATCH',
    `The ${label} is at revision ${revision}. Read it again, then repeat the change.`,
    {
      currentRevision: revision,
    },
  )
}

export const tagOf = (revision: number): string => `"r${revision}"`

/** An item in a list of tasks. */
export function listedTask(task: StoredOf<'task'>, { lastRun, nextRunAt }: EntityDeps): ListedTask {
  const { id, project, name, enabled, tags, testMode, revision } = task
  return {
    id,
    project,
    name,
    enabled,
    tags,
    testMode: testMode.enabled,
    nextRunAt: nextRunAt(task),
    revision,
    lastRun: lastRun(id),
  }
}

/** A definition of each kind that the calls of the description are about. */
export const EXAMPLE_ID = '5e0d7a0c-2f3b-4c55-9c1e-0b1f6c1d2a01'
/** A report that is made of a workbook. */
export const EXAMPLE_TEMPLATE_ID = '5e0d7a0c-2f3b-4c55-9c1e-0b1f6c1d2a02'
