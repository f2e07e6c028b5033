/** How the command shows custom properties. */
import type { WantedProperty } from '../../app/config/custom-properties.ts'
import { table } from '../remote/table.ts'
import { type ComparedProperty, isComplete, type Step } from './compare.ts'

/** `compared` is empty when QRS was not asked. */
export function propertyTable(wanted: readonly WantedProperty[], compared: readonly ComparedProperty[]): string {
  const states = new Map(compared.map((one) => [one.wanted.name, stateOf(one)]))
  const asked = compared.length > 0
  const head = ['NAME', 'VALUES', 'FOR', 'NEEDED', ...(asked ? ['IN QLIK SENSE'] : []), 'USED BY']
  const rows = wanted.map(({ name, values, objects, required, keys, hint }) => [
    name,
    values.join(', ') || `(${hint ?? 'of your choice'})`,
    objects.join(', '),
    required ? 'yes' : 'optional',
    ...(asked ? [states.get(name) ?? ''] : []),
    keys.map((key) => `Butler.${key}`).join(', '),
  ])
  return table([head, ...rows])
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
