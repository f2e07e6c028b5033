/** Which custom properties of Qlik Sense the settings count on, and what one of them lacks. */
import type { CustomPropertyDefinition } from '../../qlik/qrs/types.ts'

export interface CustomPropertyNeed {
  /** As health names it. */
  readonly feature: string
  /** The section below `Butler` that names the property. */
  readonly key: string
  readonly property: string
  /** The value that a task must be able to have; null = any. */
  readonly value: string | null
  /** What must be able to have the property; null = whatever it is. */
  readonly objectType: string | null
  /** All values that mean something; absent = any. */
  readonly meaningful?: readonly string[]
}

/** What must be done in Qlik Sense before the feature can work; null = nothing. Names and values are case-sensitive. */
export function lackOf(need: CustomPropertyNeed, definitions: readonly CustomPropertyDefinition[]): string | null {
  const { property, value, objectType } = need
  const definition = definitions.find(({ name }) => name === property)
  if (!definition) return `custom property "${property}" is not there${similar(property, definitions)}`
  const { values, objectTypes } = definition
  if (objectType !== null && !objectTypes.includes(objectType)) {
    return `custom property "${property}" is not one of resources of the type ${objectType}`
  }
  if (values.length === 0) return `custom property "${property}" has no values to choose from`
  if (value === null || values.includes(value)) return null
  return `custom property "${property}" has no value "${value}", only ${quoted(values)}`
}

function similar(property: string, definitions: readonly CustomPropertyDefinition[]): string {
  const other = definitions.find(({ name }) => name.toLowerCase() === property.toLowerCase())
  return other ? `; there is "${other.name}", and upper and lower case count` : ''
}

/** Values that a task can have and that do nothing. */
export function meaningless(need: CustomPropertyNeed, definitions: readonly CustomPropertyDefinition[]): string[] {
  const { property, meaningful } = need
  const definition = definitions.find(({ name }) => name === property)
  return meaningful && definition ? definition.values.filter((value) => !meaningful.includes(value)) : []
}

const SHOWN = 10

function quoted(values: readonly string[]): string {
  const shown = values.slice(0, SHOWN).map((value) => `"${value}"`)
  return [...shown, ...(values.length > SHOWN ? [`${values.length - SHOWN} more`] : [])].join(', ')
}
