/** One operation of the document from one endpoint. */
import type { z } from 'zod'
import type { RouteExample } from '../endpoint/description.ts'
import type { ApiRoute, Method } from '../endpoint/route.ts'
import { errorContent, responseReference } from './components.ts'
import { type JsonSchema, mediaTypeOf, schemaOf } from './schema.ts'
import type { Content, NamedExample, Operation, Parameter, Reference, ResponseObject } from './types.ts'

type Responses = Record<string, ResponseObject | Reference>

/** `locked`: access control is on, so scopes are asked for. */
export function operationOf(route: ApiRoute, method: Method, locked: boolean): Operation {
  const { summary, schemas, examples = [], scope } = route
  const parameters = [...pathParameters(route), ...queryParameters(route)]
  const hasBody = schemas?.body !== undefined && route.body !== 'ignored'
  return {
    summary,
    ...described(route, locked),
    ...(parameters.length > 0 && { parameters }),
    ...(hasBody && { requestBody: requestBody(schemas.body!, examples) }),
    responses: responsesOf(route, method, locked),
    ...(locked && { security: scope === undefined ? [] : [{ apiKey: [scope] }, { bearer: [scope] }] }),
  }
}

function described({ description, scope, butler }: ApiRoute, locked: boolean): { description?: string } {
  const notes = [
    description,
    scope !== undefined && locked ? `Needs the scope \`${scope}\`.` : undefined,
    scope !== undefined && !locked && !butler ? 'Answers callers on the same machine only.' : undefined,
  ].filter((note) => note !== undefined)
  return notes.length === 0 ? {} : { description: notes.join('\n\n') }
}

function pathParameters({ path, schemas, examples = [] }: ApiRoute): Parameter[] {
  const schema = propertiesOf(schemas?.params).properties
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) =>
    parameter(
      'path',
      name,
      true,
      schema[name] ?? { type: 'string' },
      named(examples, ({ params }) => params?.[name]),
    ),
  )
}

function queryParameters({ schemas, examples = [] }: ApiRoute): Parameter[] {
  const { properties, required } = propertiesOf(schemas?.query)
  return Object.entries(properties).map(([name, schema]) =>
    parameter(
      'query',
      name,
      required.includes(name),
      schema,
      named(examples, ({ query }) => query?.[name]),
    ),
  )
}

function parameter(
  place: Parameter['in'],
  name: string,
  required: boolean,
  { description, ...schema }: JsonSchema,
  examples: Parameter['examples'],
): Parameter {
  return {
    name,
    in: place,
    required,
    ...(typeof description === 'string' && { description }),
    schema,
    ...(examples && { examples }),
  }
}

function propertiesOf(type: z.ZodType | undefined): {
  properties: Record<string, JsonSchema>
  required: readonly string[]
} {
  if (!type) return { properties: {}, required: [] }
  const { properties = {}, required = [] } = schemaOf(type, 'request')
  return { properties: properties as Record<string, JsonSchema>, required: required as string[] }
}

function requestBody(type: z.ZodType, examples: readonly RouteExample[]): NonNullable<Operation['requestBody']> {
  const bodies = named(examples, ({ body }) => body)
  const required = !type.safeParse(undefined).success
  const content: Content = {
    'application/json': { schema: schemaOf(type, 'request'), ...(bodies && { examples: bodies }) },
  }
  return { required, content }
}

/** The values of the examples that have one; undefined when none has. */
function named(
  examples: readonly RouteExample[],
  pick: (example: RouteExample) => unknown,
): Record<string, NamedExample> | undefined {
  const values = examples
    .filter((example) => pick(example) !== undefined)
    .map((example): [string, NamedExample] => [
      example.name,
      { summary: example.name.replaceAll('-', ' '), value: pick(example) },
    ])
  return values.length === 0 ? undefined : Object.fromEntries(values)
}

function responsesOf(route: ApiRoute, method: Method, locked: boolean): Responses {
  const { schemas, examples = [], failures = {} } = route
  const found: Responses = { ...sharedResponses(route, method, locked) }
  for (const [status, text] of Object.entries(failures)) {
    found[status] = { description: text, content: errorContent(['Error', 'CodedError', 'ShortError']) }
  }
  for (const [status, type] of Object.entries(schemas?.responses ?? { 200: null })) {
    const own = examples.filter((example) => String(example.status) === status)
    found[status] = { description: descriptionOf(type, Number(status)), ...contentOf(type, own) }
  }
  return found
}

const descriptionOf = (type: z.ZodType | null, status: number): string =>
  type?.description ?? (status < 300 ? 'Done.' : 'Not done.')

function contentOf(type: z.ZodType | null, own: readonly RouteExample[]): { content?: Content } {
  const media = type && mediaTypeOf(type)
  if (!type || !media) return {}
  const examples = named(own, ({ answer }) => answer)
  return { content: { [media]: { schema: schemaOf(type, 'response'), ...(examples && { examples }) } } }
}

/** What any endpoint of this kind may answer. */
function sharedResponses(
  { schemas, path, scope, butler, endpoint, limited, body }: ApiRoute,
  method: Method,
  locked: boolean,
): Responses {
  const takesInput = path.includes('{') || schemas?.query !== undefined || schemas?.body !== undefined
  const takesBody = schemas?.body !== undefined && method !== 'GET' && body !== 'ignored'
  const found: Responses = {}
  if (takesInput) found[400] = responseReference('BadRequest')
  if (locked && scope !== undefined) found[401] = responseReference('Unauthorized')
  if (scope !== undefined && (locked || !butler)) found[403] = responseReference('Forbidden')
  if (endpoint !== null || path.includes('{')) found[404] = responseReference('NotFound')
  if (takesBody) found[413] = responseReference('PayloadTooLarge')
  if (takesBody) found[415] = responseReference('UnsupportedMediaType')
  if (limited !== false) found[429] = responseReference('TooManyRequests')
  found[500] = responseReference('InternalError')
  return found
}
