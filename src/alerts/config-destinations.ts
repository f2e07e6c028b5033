/** `Butler.footman.destinations`: named places to which routes send. The settings of each type stand in its file. */
import { z } from 'zod'
import { map, nameText, object } from '../config/fields.ts'
import {
  DESTINATION_TYPES,
  type DestinationConfig,
  type DestinationTypeName,
  destinationType,
} from './destinations/index.ts'
import { commonSettings } from './destinations/settings.ts'

export type { DestinationConfig }

/** Names that routes made of Butler's sections use. */
const RESERVED = ['email', 'slack', 'teams', 'webhook', 'signl4', 'newrelic', 'mqtt', 'influxdb', 'scriptlog']
const destinationName = nameText.refine((value) => !RESERVED.includes(value), {
  error: (issue) => `is the name of what the sections of Butler send to, choose another one than "${issue.input}"`,
})

function settingsOf(type: DestinationTypeName) {
  return object(() => ({
    type: z.literal(type).meta({ description: 'Type of the destination.' }),
    ...commonSettings(),
    ...destinationType(type).config(),
  }))
}

/** The types in the order in which they are offered. The schema has the settings of a destination of the type. */
export const destinationTypes = (Object.keys(DESTINATION_TYPES) as DestinationTypeName[]).map((name) => {
  const { title, about, purpose } = destinationType(name)
  return { name, title, about, purpose, schema: settingsOf(name) }
})

const [first, ...others] = destinationTypes.map(({ schema }) => schema)
const anyDestination = z.discriminatedUnion('type', [first!, ...others]) as unknown as z.ZodType<DestinationConfig>

const destination = anyDestination.superRefine((value, context) => {
  const problem = problemOf(value)
  if (!problem) return
  const [key, message] = problem
  context.addIssue({ code: 'custom', input: value, message, path: key ? [key] : [] })
})

/** A problem of keys that are valid on their own: the key, or '' for the destination as a whole, and the reason. */
const problemOf = (value: DestinationConfig) => destinationType(value.type).problem?.(value) ?? null

/** One setting that a route changes, and the reason why its value is wrong. */
export interface OverrideProblem {
  readonly key: string
  readonly message: string
}

/**
 * The settings of a destination with what a route changes of them, as `{destination: name, <setting>: value}` has it.
 * Keys that are wrong keep the value of the destination.
 */
export function overriddenDestination(
  base: DestinationConfig,
  changes: Readonly<Record<string, unknown>>,
): { readonly settings: DestinationConfig; readonly problems: readonly OverrideProblem[] } {
  const schemas: Readonly<Record<string, z.ZodType>> = { ...commonSettings(), ...destinationType(base.type).config() }
  const problems: OverrideProblem[] = []
  const changed: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(changes)) {
    const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined
    const parsed = schema?.safeParse(value)
    if (parsed?.success) changed[key] = parsed.data
    else problems.push({ key, message: parsed?.error.issues[0]?.message ?? `is no setting of the type ${base.type}` })
  }
  const settings = { ...base, ...changed } as DestinationConfig
  const whole = problemOf(settings)
  if (!whole) return { settings, problems }
  return { settings: base, problems: [...problems, { key: whole[0], message: whole[1] }] }
}

export const destinations = map('Places to which alert rules send, by name.', destination, destinationName)
