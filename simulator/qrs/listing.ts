import type { Reply, SimulatedSite } from '../types.ts'
import type { Collection } from './collections.ts'
import { json, type Query, Refusal, text } from './context.ts'
import { compileFilter, FilterError, resolvePath, type Step } from './filter.ts'
import { type Form, read, render, type Shape } from './shapes.ts'

/** `GET <entity>` and `<entity>/full`, cut at `limit` when that is above 0. */
export function listReply(site: SimulatedSite, collection: Collection, query: Query, form: Form, limit: number): Reply {
  const found = ordered(collection, select(site, collection, query), query.get('orderby'))
  const kept = limit > 0 ? found.slice(0, limit) : found
  return json(
    200,
    kept.map((entity) => render(entity, collection.shape, form)),
  )
}

export function countReply(site: SimulatedSite, collection: Collection, query: Query): Reply {
  return json(200, { value: select(site, collection, query).length })
}

interface Column {
  readonly name: string
  readonly columnType?: string
  readonly definition?: string
}

/** `POST <entity>/table`: rows of the asked columns, paged with `skip` and `take`. */
export function tableReply(site: SimulatedSite, collection: Collection, query: Query, body: unknown): Reply {
  const columns = (body as { columns?: readonly Column[] } | null)?.columns
  if (!Array.isArray(columns)) return text(400, 'Missing columns')
  const readers = columns.map((column: Column) => columnReader(collection.shape, column))
  const ascending = query.get('orderascending')?.toLowerCase() !== 'false'
  const column = query.get('sortcolumn')
  const definition = columns.find((one: Column) => one.name === column)?.definition ?? column
  const order = definition ? `${definition} ${ascending ? 'asc' : 'desc'}` : undefined
  const found = ordered(collection, select(site, collection, query), order)
  const skip = Number(query.get('skip') ?? 0) || 0
  const take = Number(query.get('take') ?? found.length) || 0
  return json(201, {
    id: site.nextId('7a'),
    columnNames: columns.map((one: Column) => one.name),
    rows: found.slice(skip, skip + take).map((entity) => readers.map((reader) => reader(entity))),
    schemaPath: 'Table',
  })
}

function select(site: SimulatedSite, collection: Collection, query: Query): readonly object[] {
  const filter = query.get('filter')?.trim()
  if (!filter) return [...collection.all(site)]
  try {
    const { matches, keys, ids } = compileFilter(filter, collection.shape)
    if (ids) return ids.flatMap((id) => collection.get(site, id) ?? [])
    const found: object[] = []
    for (const entity of candidates(site, collection, keys)) if (matches(entity)) found.push(entity)
    return found
  } catch (error) {
    if (error instanceof FilterError) throw new Refusal(text(400, error.message))
    throw error
  }
}

/** An index where the filter asks for one id, everything else otherwise. */
function candidates(site: SimulatedSite, collection: Collection, keys: ReadonlyMap<string, string>): Iterable<object> {
  const id = keys.get('id')
  if (id) {
    const entity = collection.get(site, id)
    return entity ? [entity] : []
  }
  for (const [path, index] of Object.entries(collection.indexes ?? {})) {
    const key = keys.get(path)
    if (key) return index(site, key)
  }
  return collection.all(site)
}

type Reader = (entity: object) => unknown

/** Walks a path to its value; through a collection the values of all elements. Null: no such property. */
function pathReader(shape: Shape, path: string): Reader | null {
  const steps = resolvePath(path.split('.'), shape)
  if (!steps) return null
  const isPlain = steps.every(({ field }) => field.kind !== 'list')
  if (isPlain) return (entity) => steps.reduce<unknown>(next, entity)
  return (entity) => {
    let values: unknown[] = [entity]
    for (const step of steps) {
      values = values.flatMap((value) => {
        const found = next(value, step)
        return step.field.kind === 'list' && Array.isArray(found) ? found : [found]
      })
    }
    return values
  }
}

const next = (value: unknown, { shape, field }: Step): unknown =>
  value === null || value === undefined ? null : read(value as object, shape, field)

function columnReader(shape: Shape, column: Column): Reader {
  const steps = resolvePath((column.definition ?? column.name).split('.'), shape)
  const reader = pathReader(shape, column.definition ?? column.name)
  const last = steps?.at(-1)
  if (!reader || !last) throw new Refusal(text(400, `Invalid column definition: ${column.definition ?? column.name}`))
  if (last.field.kind === 'date') {
    return (entity) => {
      const at = reader(entity)
      return typeof at === 'number' ? new Date(at).toISOString() : null
    }
  }
  return reader
}

/** The last list by id of each collection. */
const listedById = new WeakMap<Collection, Readonly<Record<'entities' | 'found', readonly object[]>>>()

/**
 * The entities in the wanted order. Clients page through a large site by id, which never changes: a page of the same entities as
 * the one before needs no order of its own.
 */
function ordered(collection: Collection, entities: readonly object[], order: string | undefined): readonly object[] {
  if (order !== 'id asc') return sorted(entities, collection.shape, order)
  const last = listedById.get(collection)
  const isSame =
    last?.entities.length === entities.length && entities.every((entity, index) => entity === last.entities[index])
  if (isSame) return last.found
  const found = sorted(entities, collection.shape, order)
  listedById.set(collection, { entities, found })
  return found
}

function sorted(entities: readonly object[], shape: Shape, order: string | undefined): readonly object[] {
  if (!order) return entities
  const [path = '', direction = 'asc'] = order.trim().split(/\s+/)
  const reader = pathReader(shape, path)
  if (!reader || !/^(asc|desc)$/i.test(direction)) throw new Refusal(text(400, `Invalid orderby: ${order}`))
  const sign = direction.toLowerCase() === 'desc' ? -1 : 1
  return entities
    .map((entity) => ({ entity, key: orderKey(reader(entity)) }))
    .sort((a, b) => sign * compare(a.key, b.key))
    .map(({ entity }) => entity)
}

const orderKey = (value: unknown): number | string =>
  typeof value === 'number' ? value : String(value ?? '').toLowerCase()

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return a < b ? -1 : Number(a > b)
}
