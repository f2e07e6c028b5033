import type { SimCompositeEvent, SimEntity, SimSchemaEvent, SimTask, SimulatedSite, TaskType } from '../types.ts'
import { COLLECTIONS, type Collection } from './collections.ts'
import { bodyOf, type Call, empty, json, parseBody, Refusal, type Route, text } from './context.ts'
import { countReply, listReply, tableReply } from './listing.ts'
import { render, SHAPES, shapeOfTask } from './shapes.ts'
import {
  applyBody,
  createCompositeEvent,
  createSchemaEvent,
  createTask,
  invalid,
  SIMPLE_CREATORS,
  taskOf,
} from './write.ts'

type Json = Readonly<Record<string, unknown>>

const NO_PUT = new Set(['schedulerservice', 'servicestatus', 'executionresult', 'executionsession'])
const NO_DELETE = new Set([...NO_PUT, 'servernodeconfiguration'])

function changed(call: Call, entity: string, id: string, changeType: 1 | 2 | 3) {
  call.site.emit('changed', { entity, id, changeType })
}

function entityOf(call: Call, collection: Collection): SimEntity {
  const entity = collection.get(call.site, call.params[0] ?? '')
  if (!entity) throw new Refusal(empty(404))
  return entity as SimEntity
}

/** Replaces an entity; the body must carry the `modifiedDate` that is stored. */
function put(call: Call, collection: Collection) {
  const entity = entityOf(call, collection)
  const body = bodyOf(call)
  if (Date.parse(String(body.modifiedDate)) !== entity.modifiedDate) throw new Refusal(text(409, 'Conflict'))
  if (collection.shape.name === 'CustomPropertyDefinition') checkDefinition(call.site, body, entity.id)
  applyBody(call.site, entity, collection.shape, body, call.caller.name)
  if (collection.shape.name === 'CustomPropertyDefinition') dropLostValues(call.site)
  if (collection.shape.name === 'SchemaEvent') {
    ;(entity as SimSchemaEvent).task = taskOf(call.site, body) ?? (entity as SimSchemaEvent).task
    call.rescheduled()
  }
  changed(call, collection.shape.name, entity.id, 2)
  return json(200, render(entity, collection.shape, 'full'))
}

function remove(call: Call, collection: Collection) {
  const entity = entityOf(call, collection)
  if ('behaviour' in entity) removeTask(call, entity as SimTask)
  else collection.map?.(call.site).delete(entity.id)
  if (collection.shape.name === 'App') {
    for (const task of [...call.site.tasks.values()]) if (task.app?.id === entity.id) removeTask(call, task)
  }
  if (collection.shape.name === 'SchemaEvent') call.rescheduled()
  unlabel(call, entity)
  changed(call, collection.shape.name, entity.id, 3)
  return empty(204)
}

/** Removes a deleted tag or property definition from every object. */
function unlabel({ site }: Call, label: SimEntity) {
  for (const labelled of [...site.tasks.values(), ...site.apps.values(), ...site.users.values()]) {
    labelled.tags = labelled.tags.filter((tag) => tag !== label)
    labelled.customProperties = labelled.customProperties.filter(({ definition }) => definition !== label)
  }
}

/** Removes a task with its triggers and its run. */
function removeTask(call: Call, task: SimTask) {
  const { site, scheduler } = call
  scheduler.abort(task.id, call.caller.name, 3)
  site.tasks.delete(task.id)
  for (const event of [...site.schemaEvents.values()]) if (event.task === task) site.schemaEvents.delete(event.id)
  for (const event of [...site.compositeEvents.values()]) {
    const involved = event.task === task || event.compositeRules.some((rule) => rule.task === task)
    if (involved) site.compositeEvents.delete(event.id)
  }
  call.rescheduled()
}

function simpleCreate(call: Call, name: string) {
  const collection = COLLECTIONS[name]!
  if (name === 'custompropertydefinition') checkDefinition(call.site, { name: '', ...bodyOf(call) }, null)
  const entity = SIMPLE_CREATORS[name]!(call.site, call.caller.name)
  applyBody(call.site, entity, collection.shape, bodyOf(call), call.caller.name)
  collection.map?.(call.site).set(entity.id, entity)
  changed(call, collection.shape.name, entity.id, 1)
  return json(201, render(entity, collection.shape, 'full'))
}

const OBJECT_TYPES = new Set([
  'App',
  'AnalyticConnection',
  'ContentLibrary',
  'DataConnection',
  'EngineService',
  'Extension',
  'ExternalProgramTask',
  'PrintingService',
  'ProxyService',
  'ReloadTask',
  'RepositoryService',
  'SchedulerService',
  'ServerNodeConfiguration',
  'Stream',
  'User',
  'UserSyncTask',
  'VirtualProxyConfig',
])

/** Refuses an invalid definition. The status of QRS for a name that is taken is not documented. */
function checkDefinition(site: SimulatedSite, { name, choiceValues, objectTypes }: Json, id: string | null) {
  if (name !== undefined && (typeof name !== 'string' || name.trim() === '')) throw invalid('name')
  const taken = [...site.customPropertyDefinitions.values()].some(
    (other) => other.id !== id && other.name.toLowerCase() === String(name).toLowerCase(),
  )
  if (taken) throw new Refusal(text(409, 'Conflict'))
  if (choiceValues !== undefined && !areTexts(choiceValues)) throw invalid('choiceValues')
  const known =
    objectTypes === undefined || (areTexts(objectTypes) && objectTypes.every((one) => OBJECT_TYPES.has(one)))
  if (!known) throw invalid('objectTypes')
}

const areTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')

/** A choice value that is taken out of its definition is taken from the objects too. */
function dropLostValues(site: SimulatedSite) {
  for (const labelled of [...site.tasks.values(), ...site.apps.values(), ...site.users.values()]) {
    labelled.customProperties = labelled.customProperties.filter(({ value, definition }) =>
      definition.choiceValues.includes(value),
    )
  }
}

function storeSchemaEvent(call: Call, event: SimSchemaEvent) {
  call.site.schemaEvents.set(event.id, event)
  call.rescheduled()
  changed(call, 'SchemaEvent', event.id, 1)
  return json(201, render(event, SHAPES.SchemaEvent!, 'full'))
}

function storeCompositeEvent(call: Call, event: SimCompositeEvent) {
  call.site.compositeEvents.set(event.id, event)
  changed(call, 'CompositeEvent', event.id, 1)
  return json(201, render(event, SHAPES.CompositeEvent!, 'full'))
}

const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : [])

/** `{"task":{...},"schemaEvents":[...],"compositeEvents":[...]}`, or the task alone. */
function createTaskWithTriggers(call: Call, taskType: TaskType) {
  const body = bodyOf(call)
  const by = call.caller.name
  const task = createTask(call.site, taskType, (body.task as Json | undefined) ?? body, by)
  const schemaEvents = list(body.schemaEvents).map((event) => createSchemaEvent(call.site, event, by, task))
  const chains = list(body.compositeEvents).map((event) => createCompositeEvent(call.site, event, by, task))
  call.site.tasks.set(task.id, task)
  for (const event of schemaEvents) storeSchemaEvent(call, event)
  for (const event of chains) storeCompositeEvent(call, event)
  changed(call, shapeOfTask(task).name, task.id, 1)
  return json(201, render(task, SHAPES.Task!, 'full'))
}

/** Does the same as create, for a task that exists. */
function updateTaskWithTriggers(call: Call) {
  const body = bodyOf(call)
  const given = (body.task as Json | undefined) ?? body
  const task = call.site.tasks.get(String(given.id ?? '').toLowerCase())
  if (!task) return empty(404)
  if (Date.parse(String(given.modifiedDate)) !== task.modifiedDate) throw new Refusal(text(409, 'Conflict'))
  const by = call.caller.name
  applyBody(call.site, task, SHAPES.Task!, given, by)
  for (const event of list(body.schemaEvents)) storeSchemaEvent(call, createSchemaEvent(call.site, event, by, task))
  for (const event of list(body.compositeEvents))
    storeCompositeEvent(call, createCompositeEvent(call.site, event, by, task))
  changed(call, shapeOfTask(task).name, task.id, 2)
  return json(200, render(task, SHAPES.Task!, 'full'))
}

function collectionRoutes(name: string, collection: Collection): Route[] {
  const reads: Route[] = [
    {
      method: 'GET',
      path: name,
      handle: ({ site, query, modes }) => listReply(site, collection, query, 'condensed', modes.maxRecordLimit),
    },
    {
      method: 'GET',
      path: `${name}/full`,
      handle: ({ site, query, modes }) => listReply(site, collection, query, 'full', modes.maxRecordLimit),
    },
    { method: 'GET', path: `${name}/count`, handle: ({ site, query }) => countReply(site, collection, query) },
    {
      method: 'POST',
      path: `${name}/table`,
      handle: (call) => tableReply(call.site, collection, call.query, parseBody(call)),
    },
    {
      method: 'GET',
      path: `${name}/<id>`,
      handle: (call) => json(200, render(entityOf(call, collection), collection.shape, 'full')),
    },
  ]
  const writes: Route[] = []
  if (!NO_PUT.has(name)) writes.push({ method: 'PUT', path: `${name}/<id>`, handle: (call) => put(call, collection) })
  if (!NO_DELETE.has(name) && collection.map) {
    writes.push({ method: 'DELETE', path: `${name}/<id>`, handle: (call) => remove(call, collection) })
  }
  return [...reads.map((route) => ({ ...route, everyone: true as const })), ...writes]
}

/** Lists, single entities and writes of every collection. */
export const ENTITY_ROUTES: readonly Route[] = [
  { method: 'POST', path: 'reloadtask/create', handle: (call) => createTaskWithTriggers(call, 0) },
  { method: 'POST', path: 'reloadtask', handle: (call) => createTaskWithTriggers(call, 0) },
  { method: 'POST', path: 'externalprogramtask/create', handle: (call) => createTaskWithTriggers(call, 1) },
  { method: 'POST', path: 'externalprogramtask', handle: (call) => createTaskWithTriggers(call, 1) },
  { method: 'POST', path: 'reloadtask/update', handle: updateTaskWithTriggers },
  { method: 'POST', path: 'externalprogramtask/update', handle: updateTaskWithTriggers },
  {
    method: 'POST',
    path: 'schemaevent',
    handle: (call) => storeSchemaEvent(call, createSchemaEvent(call.site, bodyOf(call), call.caller.name)),
  },
  {
    method: 'POST',
    path: 'compositeevent',
    handle: (call) => storeCompositeEvent(call, createCompositeEvent(call.site, bodyOf(call), call.caller.name)),
  },
  { method: 'POST', path: 'tag', handle: (call) => simpleCreate(call, 'tag') },
  {
    method: 'POST',
    path: 'custompropertydefinition',
    handle: (call) => simpleCreate(call, 'custompropertydefinition'),
  },
  ...Object.entries(COLLECTIONS).flatMap(([name, collection]) => collectionRoutes(name, collection)),
]
