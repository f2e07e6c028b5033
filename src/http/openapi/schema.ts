/** The parts of an OpenAPI 3.1 document that Footman writes, and JSON Schema (draft 2020-12) of the data of an endpoint. */
import { z } from 'zod'
import { FORM_ONLY } from '../../platform/form-meta.ts'
import { ownJson } from '../../platform/json.ts'

type Side = 'request' | 'response'

export type JsonSchema = { [key: string]: unknown }

/**
 * `request`: as clients may send it, defaults optional. `response`: as Footman answers. Members that are converted
 * (`"true"` for a boolean) show the type that is meant.
 */
export type SchemaOf = (type: z.ZodType, side: Side) => JsonSchema

/**
 * Schemas of one document. A `shape` stands in `components` under its name and is referred to everywhere else; the form
 * that requests may have gets the name with `Input` where it differs from the one that is answered.
 */
export function createSchemas(): { readonly schemaOf: SchemaOf; readonly components: Record<string, JsonSchema> } {
  const components: Record<string, JsonSchema> = {}
  return {
    components,
    schemaOf(type, side) {
      const { $defs: shapes = {}, ...schema } = convert(type, side)
      const inputs = side === 'request' ? differing(shapes, convert(type, 'response').$defs ?? {}) : new Set<string>()
      const nameOf = (name: string) => (inputs.has(name) && !name.endsWith('Input') ? `${name}Input` : name)
      for (const [name, shape] of Object.entries(shapes)) {
        const component = referring(shape, nameOf)
        const known = components[nameOf(name)] ?? component
        components[nameOf(name)] = known
        if (textOf(known) !== textOf(component)) throw new Error(`two shapes have the name ${nameOf(name)}`)
      }
      return referring(schema, nameOf)
    },
  }
}

type Converted = JsonSchema & { readonly $defs?: Readonly<Record<string, JsonSchema>> }

function convert(type: z.ZodType, side: Side): Converted {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(type, {
    target: 'draft-2020-12',
    io: side === 'request' ? 'input' : 'output',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => tidy(jsonSchema as JsonSchema, side),
  })
  return schema as Converted
}

const SHAPE = /(?<="\$ref":"#\/)\$defs\/(\w+)/g

const textOf = (schema: JsonSchema): string => JSON.stringify(schema)

/** With references to the components of the document. */
const referring = (schema: JsonSchema, nameOf: (name: string) => string): JsonSchema =>
  ownJson(textOf(schema).replace(SHAPE, (_, name: string) => `components/schemas/${nameOf(name)}`))

/** The names of the shapes that differ, or refer to one that does. */
function differing(
  shapes: Readonly<Record<string, JsonSchema>>,
  answered: Readonly<Record<string, JsonSchema>>,
): ReadonlySet<string> {
  const texts = Object.entries(shapes).map(([name, shape]) => [name, textOf(shape)] as const)
  const found = new Set(texts.filter(([name, text]) => text !== textOf(answered[name] ?? {})).map(([name]) => name))
  for (let size = -1; size < found.size; ) {
    size = found.size
    for (const [name, text] of texts) {
      if ([...text.matchAll(SHAPE)].some(([, used = '']) => found.has(used))) found.add(name)
    }
  }
  return found
}

/** Removes what is of no use to a reader: words of forms, the range of safe integers, patterns of formats, and whether further members are allowed. */
function tidy(schema: JsonSchema, side: Side): void {
  for (const name of FORM_ONLY) delete schema[name]
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  // The name of the format says it.
  if (schema.format) delete schema.pattern
  // Requests may hold more everywhere; answers say where they do.
  if (schema.additionalProperties === false || (side === 'request' && (schema.properties || schema.$ref))) {
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

/** A call that goes on from an answer: parameters are constants or expressions like `$response.body#/events/0/id`. */
export interface Link {
  readonly operationId: string
  readonly parameters: Readonly<Record<string, string>>
  readonly description: string
  /** The example whose answer it goes on from; default: any. */
  readonly 'x-footman-example'?: string
}

export interface ResponseObject {
  readonly description: string
  readonly headers?: Readonly<Record<string, { description: string; schema: JsonSchema }>>
  readonly content?: Content
  readonly links?: Readonly<Record<string, Link>>
}

export interface Operation {
  /** Unique. */
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly (Parameter | Reference)[]
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
    readonly parameters: Readonly<Record<string, Parameter>>
    readonly securitySchemes?: Readonly<Record<string, JsonSchema>>
  }
}
