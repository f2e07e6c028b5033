/** Custom properties of the site: reads their definitions, creates them, and adds values to choose from; removes nothing. */
import { QrsError } from './errors.ts'
import { eq, or } from './filter.ts'
import { parseJson } from './normalise.ts'
import type { QrsTransport } from './transport.ts'
import type { CustomPropertyReader } from './types.ts'

export interface PropertyDefinition {
  readonly id: string
  readonly name: string
  readonly choiceValues: readonly string[]
  /** Kinds of entities that can have the property, for example `ReloadTask`. */
  readonly objectTypes: readonly string[]
}

export interface NewProperty {
  readonly name: string
  readonly description: string
  readonly choiceValues: readonly string[]
  readonly objectTypes: readonly string[]
}

/** Every call rejects with a `QrsError` when QRS cannot be asked or refuses. */
export interface CustomPropertyClient {
  /** The definitions with these names, in any case of their letters. */
  definitions(names: readonly string[], signal?: AbortSignal): Promise<readonly PropertyDefinition[]>
  /** `exists` when QRS has a property of that name already. */
  create(property: NewProperty, signal?: AbortSignal): Promise<'created' | 'exists'>
  /**
   * Adds the values that are not there yet; returns those. Reads the definition right before and writes it back whole,
   * as QRS wants it, and again when another client changed it in between. Null when the definition is gone.
   */
  addValues(id: string, values: readonly string[], signal?: AbortSignal): Promise<readonly string[] | null>
}

/** A user of the management console saves once, not in a loop. */
const ATTEMPTS = 5
const PATH = 'custompropertydefinition'
/** Asked by name, as a list of everything may be cut at the site's record limit. */
const NAMES_PER_REQUEST = 20

export function createCustomPropertyClient({ transport }: { transport: QrsTransport }): CustomPropertyClient {
  async function definitions(names: readonly string[], signal?: AbortSignal): Promise<readonly PropertyDefinition[]> {
    const found: PropertyDefinition[] = []
    for (let from = 0; from < names.length; from += NAMES_PER_REQUEST) {
      const filter = or(...names.slice(from, from + NAMES_PER_REQUEST).map((name) => eq('name', name)))
      const entities = await transport.list({ path: `${PATH}/full`, query: { filter }, signal })
      found.push(...entities.filter(isObject).map(toDefinition))
    }
    return found
  }

  async function read(id: string, signal?: AbortSignal): Promise<Json | null> {
    const request = { path: `${PATH}/${id}`, expected: [200, 404], signal }
    const response = await transport.request(request)
    if (response.status === 404) return null
    const value: unknown = parseJson(response.text())
    if (!isObject(value)) throw transport.unusable(request, 'the definition of a custom property was expected')
    return value
  }

  return {
    definitions,
    async create({ name, description, choiceValues, objectTypes }, signal) {
      const body = { name, description, valueType: 'Text', choiceValues, objectTypes }
      try {
        await transport.request({ method: 'POST', path: PATH, body, expected: [201], signal })
        return 'created'
      } catch (error) {
        // The status for a name that is taken differs between releases, so a look-up decides.
        if (!isRefusal(error) || (await definitions([name], signal)).length === 0) throw error
        return 'exists'
      }
    },
    async addValues(id, values, signal) {
      for (let attempt = 1; ; attempt++) {
        const definition = await read(id, signal)
        if (!definition) return null
        const present = textsOf(definition.choiceValues)
        const added = values.filter((value) => !present.includes(value))
        if (added.length === 0) return []
        const body = { ...definition, choiceValues: [...present, ...added] }
        const path = `${PATH}/${id}`
        const expected = attempt < ATTEMPTS ? [200, 409] : [200]
        const { status } = await transport.request({ method: 'PUT', path, body, expected, signal })
        if (status === 200) return added
      }
    },
  }
}

/** Reads definitions by name; entities without a name are left out. */
export function createCustomPropertyReader({ transport }: { readonly transport: QrsTransport }): CustomPropertyReader {
  return {
    async customProperties(names, signal) {
      if (names.length === 0) return []
      const filter = or(...[...new Set(names)].map((name) => eq('name', name)))
      const entities = await transport.list({ path: `${PATH}/full`, query: { filter }, signal })
      return entities
        .filter(isObject)
        .flatMap(({ name, choiceValues, objectTypes }) =>
          typeof name === 'string' ? [{ name, values: textsOf(choiceValues), objectTypes: textsOf(objectTypes) }] : [],
        )
    },
  }
}

/** Names of custom properties are one to QRS when they differ in case only; Footman compares them as they are written. */
export const isSameName = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()

const isRefusal = (error: unknown) => error instanceof QrsError && (error.status === 400 || error.status === 409)

type Json = Readonly<Record<string, unknown>>

function toDefinition({ id, name, choiceValues, objectTypes }: Json): PropertyDefinition {
  return {
    id: typeof id === 'string' ? id : '',
    name: typeof name === 'string' ? name : '',
    choiceValues: textsOf(choiceValues),
    objectTypes: textsOf(objectTypes),
  }
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []
