/** The JSON Schema of the configuration file, for editors and other tools. */
import { z } from 'zod'
import { FORM_ONLY } from '../../platform/form-meta.ts'
import { butler } from '../schema.ts'

export interface JsonSchema {
  type?: string | string[]
  description?: string
  default?: unknown
  enum?: unknown[]
  const?: unknown
  pattern?: string
  format?: string
  minimum?: number
  maximum?: number
  properties?: Record<string, JsonSchema>
  required?: string[]
  additionalProperties?: boolean | JsonSchema
  propertyNames?: JsonSchema
  items?: JsonSchema
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  deprecated?: boolean
  [key: string]: unknown
}

/** With the notes of fields.ts (`nullable`, `defaultText`, ...), for the reference. */
export function annotatedSchema(): JsonSchema {
  return z.toJSONSchema(butler, { io: 'input', target: 'draft-2020-12' }) as JsonSchema
}

/** JSON Schema 2020-12 of the whole file; the order of the keys is always the same. */
export function configJsonSchema(): JsonSchema {
  const { $schema, ...section } = annotatedSchema()
  return {
    $schema,
    title: 'Footman configuration',
    description: 'Configuration file of Footman; files of Butler 16 are valid as they are.',
    type: 'object',
    properties: { Butler: publish(section) },
    required: ['Butler'],
  }
}

/** Without the notes that only Footman understands. */
function publish(schema: JsonSchema): JsonSchema {
  const { nullable, defaultText, range, ignored, closed, format, properties, items, ...rest } = schema
  const result: JsonSchema = { ...rest }
  for (const key of FORM_ONLY) delete result[key]
  if (isEmpty(result.default)) delete result.default
  if (nullable && typeof result.type === 'string') result.type = [result.type, 'null']
  if (ignored) result.deprecated = true
  if (closed) result.additionalProperties = false
  if (format && STANDARD_FORMATS.includes(format)) result.format = format
  if (properties) result.properties = mapValues(properties, publish)
  if (items) result.items = publish(items)
  if (typeof result.additionalProperties === 'object')
    result.additionalProperties = publish(result.additionalProperties)
  for (const key of ['anyOf', 'oneOf'] as const) if (result[key]) result[key] = result[key].map(publish)
  return result
}

const STANDARD_FORMATS = ['date', 'date-time']

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function mapValues(values: Record<string, JsonSchema>, change: (schema: JsonSchema) => JsonSchema) {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]))
}
