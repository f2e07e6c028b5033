/** How the command shows custom properties. */
import type { WantedProperty } from '../../config/custom-properties.ts'
import { type Column, type ListingForm, listing } from '../remote/table.ts'
import { type ComparedProperty, isComplete, type Step } from './compare.ts'

/** `compared` is empty when QRS was not asked. */
export function propertyTable(
  wanted: readonly WantedProperty[],
  compared: readonly ComparedProperty[],
  form: ListingForm,
): string {
  const states = new Map(compared.map((one) => [one.wanted.name, stateOf(one)]))
  const state: Column<WantedProperty> = { head: 'IN QLIK SENSE', cell: ({ name }) => states.get(name) ?? '', least: 13 }
  const columns: readonly Column<WantedProperty>[] = [
    { head: 'NAME', cell: ({ name }) => name },
    { head: 'VALUES', cell: ({ values, hint }) => values.join(', ') || `(${hint ?? 'of your choice'})`, least: 12 },
    { head: 'FOR', cell: ({ objects }) => objects.join(', '), least: 8 },
    { head: 'NEEDED', cell: ({ required }) => (required ? 'yes' : 'optional') },
    ...(compared.length > 0 ? [state] : []),
    { head: 'USED BY', cell: ({ keys }) => keys.map((key) => `Butler.${key}`).join(', '), least: 16 },
  ]
  return listing(columns, wanted, form)
}

function stateOf({ definition, similar, missingValues, missingObjects }: ComparedProperty): string {
  if (similar !== null) return `other case: ${similar}`
  if (!definition) return 'missing'
  const lacks = [
    ...(missingValues.length > 0 ? [`lacks ${missingValues.join(', ')}`] : []),
    ...(missingObjects.length > 0 ? [`not for ${missingObjects.join(', ')}`] : []),
  ]
  return lacks.join('; ') || 'there'
}

/** `create Butler_X (values Yes; for ReloadTask)`. */
export function stepText(step: Step): string {
  if (step.kind === 'addValues') return `add to ${step.name}: ${step.values.join(', ')}`
  const { name, choiceValues, objectTypes } = step.property
  const values = choiceValues.length > 0 ? `values ${choiceValues.join(', ')}` : 'no values yet'
  return `create ${name} (${values}; for ${objectTypes.join(', ')})`
}

export interface PropertyJson extends WantedProperty {
  /** Null when QRS was not asked. */
  readonly state: 'there' | 'missing' | 'incomplete' | null
  readonly missingValues: readonly string[]
  readonly missingObjects: readonly string[]
  readonly similar: string | null
}

export function propertyJson(
  wanted: readonly WantedProperty[],
  compared: readonly ComparedProperty[],
): readonly PropertyJson[] {
  return wanted.map((one) => {
    const found = compared.find((other) => other.wanted === one)
    const { missingValues = [], missingObjects = [], similar = null } = found ?? {}
    return { ...one, state: found ? wordOf(found) : null, missingValues, missingObjects, similar }
  })
}

function wordOf(one: ComparedProperty): 'there' | 'missing' | 'incomplete' {
  if (isComplete(one)) return 'there'
  return one.definition ? 'incomplete' : 'missing'
}
