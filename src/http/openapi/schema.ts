/** The parts of an OpenAPI 3.1 document that Footman writes, and JSON Schema (draft 2020-12) of the data of an endpoint. */
import { z } from 'zod'
import { FORM_ONLY } from '../../platform/form-meta.ts'

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

/** Removes what is of no use to a reader: words of forms, the range of safe integers, and whether further members are allowed. */
function tidy(schema: JsonSchema, side: Side): void {
  for (const name of FORM_ONLY) delete schema[name]
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

export interface Reference {
  readonly $ref: string
}

export interface NamedExample {
  readonly summary: string
  readonly value: unknown
}

export interface MediaType {
  readonly schema: JsonSchema | Reference
  readonly examples?: Readonly<Record<string, NamedExample>>
}

export type Content = Readonly<Record<string, MediaType>>

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly description?: string
  readonly schema: JsonSchema
  readonly examples?: Readonly<Record<string, NamedExample>>
}

export interface ResponseObject {
  readonly description: string
  readonly headers?: Readonly<Record<string, { description: string; schema: JsonSchema }>>
  readonly content?: Content
}

export interface Operation {
  /** Unique. */
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, ResponseObject | Reference>>
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[]
  /** Which node of a cluster answers: the one that is called, or the leader. */
  readonly 'x-footman-at': 'here' | 'leader'
}

export type PathItem = Readonly<Record<string, Operation>>

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: {
    readonly title: string
    readonly version: string
    readonly description: string
    readonly license: { readonly name: string; readonly identifier: string }
  }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, PathItem>>
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>
    readonly responses: Readonly<Record<string, ResponseObject>>
    readonly securitySchemes?: Readonly<Record<string, JsonSchema>>
  }
}
