import { ZERO_GUID } from '../site.ts'
import type { SimCustomPropertyDefinition, SimEntity, SimTag, SimTask, SimulatedSite } from '../types.ts'
import { COLLECTIONS } from './collections.ts'
import { Refusal, text } from './replies.ts'
import { ENUMS, type Field, type Shape } from './shapes.ts'

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

const invalid = (name: string) => new Refusal(text(400, `The request contains an invalid property ${name}`))

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
export function reference(site: SimulatedSite, name: string, shape: string, value: unknown): object {
  const id = String((value as { id?: unknown } | null)?.id ?? '').toLowerCase()
  if (id === '' || id === ZERO_GUID)
    throw new Refusal(text(400, `The request contains an invalid property ${name} with EMPTY GuID`))
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
