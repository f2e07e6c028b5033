/** Creates and changes entities as POST and PUT bodies of QRS say. */
import { DEFAULT_BEHAVIOUR, NEVER_MS } from '../entities.ts'
import { neverRun, ZERO_GUID } from '../site.ts'
import type {
  SimCompositeEvent,
  SimCompositeRule,
  SimCustomPropertyDefinition,
  SimEntity,
  SimSchemaEvent,
  SimTag,
  SimTask,
  SimulatedSite,
  TaskType,
} from '../types.ts'
import { COLLECTIONS } from './collections.ts'
import { Refusal, text } from './context.ts'
import { ENUMS, type Field, SHAPES, type Shape } from './shapes.ts'

type Json = Readonly<Record<string, unknown>>

/** Properties that QRS keeps itself. */
const KEPT = new Set([
  'id',
  'createddate',
  'modifieddate',
  'modifiedbyusername',
  'operational',
  'tasktype',
  'privileges',
  'schemapath',
])

/** Other collections are changed through their own entities only. */
const WRITABLE_LISTS = new Set(['Tag', 'CustomPropertyValue'])

/** Where references of a shape are looked up. */
const COLLECTION_OF_SHAPE: Readonly<Record<string, string>> = {
  App: 'app',
  Stream: 'stream',
  User: 'user',
  UserDirectory: 'userdirectory',
  Tag: 'tag',
  CustomPropertyDefinition: 'custompropertydefinition',
}

const TYPE_OF: Readonly<Record<string, string>> = {
  guid: 'string',
  string: 'string',
  int: 'number',
  number: 'number',
  bool: 'boolean',
}

export const invalid = (name: string) => new Refusal(text(400, `The request contains an invalid property ${name}`))

/** Takes over what a POST or PUT body says about an entity; throws a 400 refusal and changes nothing when it is wrong. */
export function applyBody(site: SimulatedSite, entity: SimEntity, shape: Shape, body: Json, by: string) {
  const changes: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(body)) {
    const field = shape.byName.get(name.toLowerCase())
    if (!field || KEPT.has(name.toLowerCase()) || !(field.name in entity) || value === undefined) continue
    if (field.kind === 'list' && !WRITABLE_LISTS.has(field.of)) continue
    changes[field.name] = convert(site, field, value, by)
  }
  Object.assign(entity, changes, { modifiedDate: site.clock.now(), modifiedByUserName: by })
}

function convert(site: SimulatedSite, field: Field, value: unknown, by: string): unknown {
  if (field.kind === 'ref') return value === null ? null : reference(site, field.name, field.of, value)
  if (field.kind === 'list') return convertList(site, field, value, by)
  if (field.kind === 'date') return dateOf(field.name, value)
  if (field.kind === 'enum') return enumOf(field, value)
  if (field.kind === 'strings' || field.kind === 'json') return structuredClone(value)
  const expected = TYPE_OF[field.kind]
  if (typeof value !== expected) throw invalid(field.name)
  return value
}

function convertList(site: SimulatedSite, field: Field, value: unknown, by: string): unknown {
  if (!Array.isArray(value)) throw invalid(field.name)
  if (field.of === 'Tag') return value.map((one) => reference(site, 'tags', 'Tag', one) as SimTag)
  return value.map((one: Json) => propertyValue(site, one, by))
}

function propertyValue(site: SimulatedSite, given: Json, by: string) {
  const found = reference(site, 'definition', 'CustomPropertyDefinition', given.definition)
  const definition = found as unknown as SimCustomPropertyDefinition
  const value = String(given.value ?? '')
  if (!definition.choiceValues.includes(value)) throw invalid(`customProperties (value ${value})`)
  const now = site.clock.now()
  return { id: site.nextId('0d'), createdDate: now, modifiedDate: now, modifiedByUserName: by, value, definition }
}

/** The entity that `{"id": ...}` points to. */
function reference(site: SimulatedSite, name: string, shape: string, value: unknown): object {
  const id = String((value as { id?: unknown } | null)?.id ?? '').toLowerCase()
  if (id === '' || id === ZERO_GUID) throw invalid(`${name} with EMPTY GuID`)
  const entity = COLLECTIONS[COLLECTION_OF_SHAPE[shape] ?? '']?.get(site, id)
  if (!entity) throw invalid(name)
  return entity
}

function dateOf(name: string, value: unknown): number {
  const at = Date.parse(String(value))
  if (Number.isNaN(at)) throw invalid(name)
  return at
}

function enumOf(field: Field, value: unknown): number {
  const names = ENUMS[field.of] ?? []
  const index = typeof value === 'number' ? value : names.indexOf(String(value))
  if (index < 0 || index >= names.length) throw invalid(field.name)
  return index
}

/** The task that a trigger's `reloadTask`, `userSyncTask` or `externalProgramTask` names; null without one. */
export function taskOf(site: SimulatedSite, body: Json): SimTask | null {
  for (const name of ['reloadTask', 'userSyncTask', 'externalProgramTask']) {
    const value = body[name] as { id?: string } | null | undefined
    if (!value) continue
    const task = site.tasks.get(String(value.id ?? '').toLowerCase())
    if (!task) throw invalid(name)
    return task
  }
  return null
}

function base(site: SimulatedSite, prefix: string, by: string): SimEntity {
  const now = site.clock.now()
  return { id: site.nextId(prefix), createdDate: now, modifiedDate: now, modifiedByUserName: by }
}

/** A new task from a body such as `{"name":...,"app":{"id":...}}`; the caller stores it. */
export function createTask(site: SimulatedSite, taskType: TaskType, body: Json, by: string): SimTask {
  const entity = base(site, '75', by)
  const task: SimTask = {
    ...entity,
    name: 'New task',
    taskType,
    enabled: true,
    taskSessionTimeout: 1440,
    maxRetries: 0,
    tags: [],
    customProperties: [],
    app: null,
    isManuallyTriggered: false,
    isPartialReload: false,
    timeToLive: 0,
    preloadNodes: null,
    path: '',
    parameters: '',
    qlikUser: null,
    userDirectory: null,
    operational: {
      id: site.nextId('0b'),
      lastExecutionResult: neverRun(site, entity.id, ZERO_GUID),
      nextExecution: NEVER_MS,
    },
    behaviour: { ...DEFAULT_BEHAVIOUR },
  }
  applyBody(site, task, SHAPES.Task!, body, by)
  if (taskType === 0 && !task.app) throw invalid('app with EMPTY GuID')
  return task
}

/** A new schema event; `task` wins over what the body names. */
export function createSchemaEvent(site: SimulatedSite, body: Json, by: string, task?: SimTask): SimSchemaEvent {
  if (body.operational) throw invalid('operational')
  const target = task ?? taskOf(site, body)
  if (!target) throw invalid('reloadTask')
  const event: SimSchemaEvent = {
    ...base(site, '46', by),
    name: 'New schedule',
    enabled: true,
    timeZone: site.timeZone,
    daylightSavingTime: 0,
    startDate: site.clock.now(),
    expirationDate: Date.UTC(9999, 11, 30, 23, 59, 59),
    schemaFilterDescription: ['* * - * * * * *'],
    incrementDescription: '0 0 1 0',
    incrementOption: 2,
    task: target,
    operational: { id: site.nextId('42'), nextExecution: NEVER_MS, timesTriggered: 0 },
  }
  applyBody(site, event, SHAPES.SchemaEvent!, body, by)
  return event
}

/** A new composite event; its rules name their tasks themselves. */
export function createCompositeEvent(site: SimulatedSite, body: Json, by: string, task?: SimTask): SimCompositeEvent {
  const target = task ?? taskOf(site, body)
  const rules = Array.isArray(body.compositeRules) ? (body.compositeRules as Json[]) : []
  if (!target || rules.length === 0) throw invalid('compositeRules')
  const event: SimCompositeEvent = {
    ...base(site, '47', by),
    name: 'New chain',
    enabled: true,
    timeConstraint: { days: 0, hours: 0, minutes: 360, seconds: 0 },
    compositeRules: rules.map((rule) => createRule(site, rule)),
    task: target,
  }
  applyBody(site, event, SHAPES.CompositeEvent!, body, by)
  return event
}

function createRule(site: SimulatedSite, rule: Json): SimCompositeRule {
  const task = taskOf(site, rule)
  if (!task) throw invalid('compositeRules')
  return {
    id: site.nextId('44'),
    ruleState: Number(rule.ruleState ?? 1),
    task,
    operational: { id: site.nextId('45'), timeStamp: NEVER_MS, currentState: 0 },
  }
}

/** New objects that consist of plain fields. */
export const SIMPLE_CREATORS: Readonly<Record<string, (site: SimulatedSite, by: string) => SimEntity>> = {
  tag: (site, by) => Object.assign(base(site, '61', by), { name: '' }),
  custompropertydefinition: (site, by) =>
    Object.assign(base(site, 'c1', by), {
      name: '',
      description: '',
      valueType: 'Text',
      choiceValues: [] as string[],
      objectTypes: [] as string[],
    }),
}
