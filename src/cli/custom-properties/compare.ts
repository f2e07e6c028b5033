/** What a site lacks of the custom properties that a configuration relies on. */
import type { WantedProperty } from '../../app/config/custom-properties.ts'
import { isSameName, type NewProperty, type PropertyDefinition } from '../../qlik/qrs/custom-properties.ts'

export interface ComparedProperty {
  readonly wanted: WantedProperty
  /** Null when there is none of exactly this name. */
  readonly definition: PropertyDefinition | null
  /** One that differs in upper and lower case only: to QRS it is the same name, to Footman another one. */
  readonly similar: string | null
  readonly missingValues: readonly string[]
  /** Kinds of objects that cannot have it, and one of which at least must: `ReloadTask`, `App or User`. */
  readonly missingObjects: readonly string[]
}

export function compareProperties(
  wanted: readonly WantedProperty[],
  definitions: readonly PropertyDefinition[],
): ComparedProperty[] {
  return wanted.map((one) => {
    const definition = definitions.find(({ name }) => name === one.name) ?? null
    const similar = definition ? null : (definitions.find(({ name }) => isSameName(name, one.name))?.name ?? null)
    return {
      wanted: one,
      definition,
      similar,
      missingValues: definition ? one.values.filter((value) => !definition.choiceValues.includes(value)) : [],
      missingObjects: one.groups
        .filter((group) => definition && !group.some((object) => definition.objectTypes.includes(object)))
        .map((group) => group.join(' or ')),
    }
  })
}

/** Nothing has to be done about it. */
export const isComplete = ({ definition, missingValues, missingObjects }: ComparedProperty): boolean =>
  definition !== null && missingValues.length === 0 && missingObjects.length === 0

export type Step =
  | { readonly kind: 'create'; readonly property: NewProperty }
  | { readonly kind: 'addValues'; readonly id: string; readonly name: string; readonly values: readonly string[] }

/** What can be done about it by adding only; empty when there is nothing to add. */
export function stepsFor({ wanted, definition, similar, missingValues }: ComparedProperty): readonly Step[] {
  if (similar !== null) return []
  const { name, values, objects, keys } = wanted
  if (!definition) {
    const description = `Used by Footman: ${keys.map((key) => `Butler.${key}`).join(', ')}`.slice(0, MAX_DESCRIPTION)
    return [{ kind: 'create', property: { name, description, choiceValues: values, objectTypes: objects } }]
  }
  return missingValues.length > 0 ? [{ kind: 'addValues', id: definition.id, name, values: missingValues }] : []
}

/** Enough to find the setting. */
const MAX_DESCRIPTION = 200

/** What only a person can put right, as sentences. */
export function byHand({ wanted, similar, missingObjects }: ComparedProperty): readonly string[] {
  const { name } = wanted
  const lines: string[] = []
  if (similar !== null) {
    lines.push(
      `"${name}" is called "${similar}" in Qlik Sense, and upper and lower case count: write it like that in the configuration`,
    )
  }
  if (missingObjects.length > 0) {
    lines.push(`"${name}" cannot be given to ${missingObjects.join(', ')}: tick that in the QMC, Custom properties`)
  }
  return lines
}

/** Properties whose values only the site knows. */
export function emptyOnes({ wanted, definition }: ComparedProperty): readonly string[] {
  const values = definition ? definition.choiceValues : wanted.values
  if (values.length > 0) return []
  return [`"${wanted.name}" has no values yet: add the ${wanted.hint ?? 'values'} that may be chosen, in the QMC`]
}
