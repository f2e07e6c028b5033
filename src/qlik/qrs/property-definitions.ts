/** The custom properties that a site defines. */
import { eq, or } from './filter.ts'
import type { QrsTransport } from './transport.ts'
import type { CustomPropertyDefinition, CustomPropertyReader } from './types.ts'

export function createCustomPropertyReader({ transport }: { readonly transport: QrsTransport }): CustomPropertyReader {
  return {
    async customProperties(names, signal) {
      if (names.length === 0) return []
      const filter = or(...[...new Set(names)].map((name) => eq('name', name)))
      const request = { path: 'custompropertydefinition/full', query: { filter }, signal }
      const { value } = await transport.json(request)
      if (!Array.isArray(value)) throw transport.unusable(request, 'a list was expected')
      return value.flatMap(definitionOf)
    },
  }
}

function definitionOf(entity: unknown): CustomPropertyDefinition[] {
  if (typeof entity !== 'object' || entity === null) return []
  const { name, choiceValues, objectTypes } = entity as Readonly<Record<string, unknown>>
  return typeof name === 'string' ? [{ name, values: texts(choiceValues), objectTypes: texts(objectTypes) }] : []
}

function texts(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : []
}
