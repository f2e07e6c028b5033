/** JSON Schema (draft 2020-12, as OpenAPI 3.1 uses it) of the data of an endpoint. */
import { z } from 'zod'

type Side = 'request' | 'response'

export type JsonSchema = { [key: string]: unknown }

/**
 * `request`: as clients may send it, defaults optional. `response`: as Footman answers. Members that are converted
 * (`"true"` for a boolean) show the type that is meant.
 */
export function schemaOf(type: z.ZodType, side: Side): JsonSchema {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(type, {
    target: 'draft-2020-12',
    io: side === 'request' ? 'input' : 'output',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => tidy(jsonSchema as JsonSchema, side),
  })
  return schema
}

/** What says nothing to a reader goes: the range of safe integers, and that more members are refused or let in. */
function tidy(schema: JsonSchema, side: Side): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  // Requests may hold more everywhere; answers say where they do.
  if (schema.additionalProperties === false || (side === 'request' && schema.properties)) {
    delete schema.additionalProperties
  }
}

/** Null for nothing; text is plain unless its `contentMediaType` says otherwise; else JSON. */
export function mediaTypeOf(type: z.ZodType): string | null {
  const kind = type._zod.def.type
  if (kind === 'void' || kind === 'undefined') return null
  if (kind !== 'string') return 'application/json'
  return String(type.meta()?.contentMediaType ?? 'text/plain')
}
