/** The description of the REST API (OpenAPI 3.1), made from the endpoints that exist. */
import { z } from 'zod'
import {
  ALWAYS,
  type ApiRoute,
  type Found,
  type Method,
  type RouteExample,
  type RouteSchemas,
} from '../endpoint/route.ts'
import { placeOf } from '../forwarding.ts'
import {
  type Content,
  createSchemas,
  type JsonSchema,
  type Link,
  type MediaType,
  mediaTypeOf,
  type NamedExample,
  type OpenApiDocument,
  type Operation,
  type Parameter,
  type Reference,
  type ResponseObject,
  type SchemaOf,
} from './schema.ts'

export interface DocumentSettings {
  readonly version: string
  /** `http://10.11.12.13:8080` */
  readonly serverUrl: string
  /** Access control is on. */
  readonly locked: boolean
}

const DESCRIPTION = `The REST API of Footman: starts tasks, reloads, lists and dumps apps, and more, for Qlik Sense Enterprise on Windows.

Clients that can send GET and POST only (load scripts) name the method in the header \`X-HTTP-Method-Override\`; an endpoint that takes PUT takes a plain POST, too. Bodies are JSON with any content type. Where a number or boolean is wanted, a text like \`"42"\` or \`"true"\` will do, and a single value where a list is wanted. Only endpoints that are switched on in \`Butler.restServerEndpointsEnable\` exist and are listed here.`

/** Names of the groups of endpoints, in order, by the group of their scope. */
const TAGS: Readonly<Record<string, string>> = {
  '': 'General',
  task: 'Tasks',
  schedule: 'Schedules',
  kv: 'Key-value store',
  app: 'Apps',
  file: 'Files',
  message: 'Messages',
  event: 'Events and alerts',
  report: 'Reports',
  setting: 'Settings',
  metrics: 'Metrics',
  admin: 'Administration',
}

/** Endpoints without a scope, or with one of no known group, are general. */
const tagOf = ({ scope = '' }: ApiRoute): string => TAGS[scope.split(':')[0]!] ?? TAGS['']!

/** The names that these endpoints have, in the order of `TAGS`. */
function tagsOf(routes: readonly ApiRoute[]): { readonly name: string }[] {
  const used = new Set(routes.map(tagOf))
  return Object.values(TAGS)
    .filter((name) => used.has(name))
    .map((name) => ({ name }))
}

/** Parts of the document that all operations need. */
interface Making {
  /** Access control is on, so scopes are asked for. */
  readonly locked: boolean
  readonly schemaOf: SchemaOf
  /** Calls that go on from an answer, by the id of the operation that gives it. */
  readonly links: ReadonlyMap<string, ResponseObject['links']>
}

/** `routes`: the enabled ones. */
export function openApiDocument(routes: readonly ApiRoute[], settings: DocumentSettings): OpenApiDocument {
  const { version, serverUrl, locked } = settings
  const listed = routes.filter(isListed)
  const { schemaOf, components } = createSchemas()
  const envelopes = envelopesBy(schemaOf)
  const paths = pathsOf(listed, { locked, schemaOf, links: linksOf(listed) })
  return {
    openapi: '3.1.0',
    info: {
      title: 'Footman API',
      version,
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: serverUrl }],
    tags: tagsOf(listed),
    paths,
    components: {
      schemas: { ...envelopes, ...components },
      responses: RESPONSES,
      parameters: { IdempotencyKey: IDEMPOTENCY_KEY },
      ...(locked && { securitySchemes: SECURITY_SCHEMES }),
    },
  }
}

function pathsOf(routes: readonly ApiRoute[], making: Making): OpenApiDocument['paths'] {
  const paths: Record<string, Record<string, Operation>> = {}
  for (const route of routes) {
    const item = paths[route.path] ?? {}
    for (const method of route.methods) item[method.toLowerCase()] = operationOf(route, method, making)
    paths[route.path] = item
  }
  return paths
}

const isFound = (params: RouteExample['params']): params is Found => typeof params?.from === 'object'

/** A link for each example whose parameters another answer has, by the operation that gives it. */
function linksOf(routes: readonly ApiRoute[]): Making['links'] {
  const links = new Map<string, Record<string, Link>>()
  for (const { methods, path, summary, examples = [] } of routes) {
    for (const { name, params } of examples) {
      if (!isFound(params)) continue
      const { from, example, parameters } = params
      const source = operationIdOf([from.method].flat()[0]!, from.path)
      const known = links.get(source) ?? {}
      links.set(source, known)
      for (const method of methods) {
        const operationId = operationIdOf(method, path)
        known[`${operationId}.${name}`] = {
          operationId,
          description: summary,
          parameters,
          ...(example !== undefined && { 'x-footman-example': example }),
        }
      }
    }
  }
  return links
}

/** Paths with an empty segment stand for a mistake that is answered kindly, not for something to use. */
const isListed = ({ documented, path }: ApiRoute): boolean => documented !== false && !/\/(\/|$)/.test(path)

type Responses = Record<string, ResponseObject | Reference>

/** One operation from one endpoint. */
function operationOf(route: ApiRoute, method: Method, making: Making): Operation {
  const { locked, schemaOf } = making
  const { summary, examples = [], scope } = route
  const schemas = route.schemas?.()
  const isOnce = method !== 'GET' && route.eachTime !== ALWAYS
  const parameters = [
    ...pathParameters(route, schemas, schemaOf),
    ...queryParameters(route, schemas, schemaOf),
    ...(isOnce ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
  ]
  const hasBody = schemas?.body !== undefined && route.body !== 'ignored'
  return {
    operationId: operationIdOf(method, route.path),
    tags: [tagOf(route)],
    summary,
    ...described(route, locked),
    ...(parameters.length > 0 && { parameters }),
    ...(hasBody && { requestBody: requestBody(schemas.body!, examples, schemaOf) }),
    responses: responsesOf(route, schemas, method, making),
    'x-footman-at': placeOf(route, method),
    ...(locked && { security: scope === undefined ? [] : [{ apiKey: [scope] }, { bearer: [scope] }] }),
  }
}

/** The name of a function of a generated client: `getDeliveriesById` of `GET /v4/deliveries/{id}`. */
function operationIdOf(method: Method, path: string): string {
  const words = path
    .replace(/^\/v4(?=\/)/, '')
    .split(/[/-]/)
    .filter((segment) => segment !== '')
    .map((segment) => {
      const [, name = ''] = /^\{(\w+)\*?\}$/.exec(segment) ?? []
      const word = (name || segment).replace(/\W/g, '')
      return `${name && 'By'}${word.charAt(0).toUpperCase()}${word.slice(1)}`
    })
  return method.toLowerCase() + words.join('')
}

function described({ description, scope, butler }: ApiRoute, locked: boolean): { description?: string } {
  const notes = [
    description,
    scope !== undefined && locked ? `Needs the scope \`${scope}\`.` : undefined,
    scope !== undefined && !locked && !butler ? 'Answers callers on the same machine only.' : undefined,
  ].filter((note) => note !== undefined)
  return notes.length === 0 ? {} : { description: notes.join('\n\n') }
}

function pathParameters(
  { path, examples = [] }: ApiRoute,
  schemas: RouteSchemas | undefined,
  schemaOf: SchemaOf,
): Parameter[] {
  const schema = propertiesOf(schemas?.params, schemaOf).properties
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) =>
    parameter(
      'path',
      name,
      true,
      schema[name] ?? { type: 'string' },
      named(examples, ({ params }) => (isFound(params) ? undefined : params?.[name])),
    ),
  )
}

function queryParameters(
  { examples = [], barrier }: ApiRoute,
  schemas: RouteSchemas | undefined,
  schemaOf: SchemaOf,
): Parameter[] {
  const { properties, required } = propertiesOf(schemas?.query, schemaOf)
  return Object.entries({ ...properties, ...(barrier && { barrier: BARRIER }) }).map(([name, schema]) =>
    parameter(
      'query',
      name,
      required.includes(name),
      schema,
      named(examples, ({ query }) => query?.[name]),
    ),
  )
}

const BARRIER: JsonSchema = {
  type: 'boolean',
  default: true,
  description: 'Of several nodes: `false` reads what this node has, which may be milliseconds old.',
}

const IDEMPOTENCY_KEY: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Any text, a fresh one for each call. A repeat of the call with it within 24 hours gets the first answer again, with `Idempotent-Replay: true`, and nothing is done twice; refused calls and answers from 500 on are tried again. Another call with it is refused with 409.',
  schema: { type: 'string', minLength: 1, maxLength: 128 },
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

function propertiesOf(
  type: z.ZodType | undefined,
  schemaOf: SchemaOf,
): { properties: Record<string, JsonSchema>; required: readonly string[] } {
  if (!type) return { properties: {}, required: [] }
  const { properties = {}, required = [] } = schemaOf(type, 'request')
  return { properties: properties as Record<string, JsonSchema>, required: required as string[] }
}

function requestBody(
  type: z.ZodType,
  examples: readonly RouteExample[],
  schemaOf: SchemaOf,
): NonNullable<Operation['requestBody']> {
  const bodies = named(examples, ({ body }) => body)
  const required = !type.safeParse(undefined).success
  const content: Content = {
    [mediaTypeOf(type) ?? 'application/json']: {
      schema: schemaOf(type, 'request'),
      ...(bodies && { examples: bodies }),
    },
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

function responsesOf(
  route: ApiRoute,
  schemas: RouteSchemas | undefined,
  method: Method,
  { locked, schemaOf, links }: Making,
): Responses {
  const { examples = [], path } = route
  const found: Responses = { ...sharedResponses(route, schemas, method, locked) }
  const followed = links.get(operationIdOf(method, path))
  for (const [status, answer] of Object.entries(schemas?.answers ?? { 200: null })) {
    const shown = named(
      examples.filter((example) => String(example.status) === status),
      ({ answer: value }) => value,
    )
    found[status] =
      typeof answer === 'string'
        ? { description: answer, content: errorContent(['Error', 'CodedError', 'ShortError'], shown) }
        : {
            description: descriptionOf(answer, Number(status)),
            ...contentOf(answer, shown, schemaOf),
            ...(followed && Number(status) < 300 && { links: followed }),
          }
  }
  return found
}

const descriptionOf = (type: z.ZodType | null, status: number): string =>
  type?.description ?? (status < 300 ? 'Done.' : 'Not done.')

function contentOf(type: z.ZodType | null, examples: MediaType['examples'], schemaOf: SchemaOf): { content?: Content } {
  const media = type && mediaTypeOf(type)
  if (!type || !media) return {}
  return { content: { [media]: { schema: schemaOf(type, 'response'), ...(examples && { examples }) } } }
}

/** Answers that any endpoint of this kind may give. */
function sharedResponses(
  { path, scope, butler, switch: key, limited, body }: ApiRoute,
  schemas: RouteSchemas | undefined,
  method: Method,
  locked: boolean,
): Responses {
  const takesInput = path.includes('{') || schemas?.query !== undefined || schemas?.body !== undefined
  const takesBody = schemas?.body !== undefined && method !== 'GET' && body !== 'ignored'
  const found: Responses = {}
  if (takesInput) found[400] = responseReference('BadRequest')
  if (locked && scope !== undefined) found[401] = responseReference('Unauthorized')
  if (scope !== undefined && (locked || !butler)) found[403] = responseReference('Forbidden')
  if (key !== null || path.includes('{')) found[404] = responseReference('NotFound')
  if (takesBody) found[413] = responseReference('PayloadTooLarge')
  if (takesBody) found[415] = responseReference('UnsupportedMediaType')
  if (limited !== false) found[429] = responseReference('TooManyRequests')
  found[500] = responseReference('InternalError')
  return found
}

// Parts that the operations share: the error envelopes, the refusals that every endpoint may answer, the credentials.

const details = z.string().describe('Why, and what to do.')

const ENVELOPES = {
  Error: z
    .object({
      statusCode: z.int(),
      error: z.string().describe('The standard phrase of the status.'),
      message: z.string().describe('The problem.'),
      details: details.optional(),
    })
    .describe('Refused by the endpoint.'),
  RequestError: z
    .object({ statusCode: z.int(), code: z.string(), error: z.string(), message: z.string() })
    .describe('Refused before the endpoint was reached.'),
  RouteNotFound: z
    .object({ message: z.string(), error: z.string(), statusCode: z.int() })
    .describe('There is no such endpoint, or it is not enabled.'),
  ShortError: z
    .looseObject({ error: z.string(), details: z.string() })
    .describe('The short form of the start endpoint.'),
  CodedError: z
    .looseObject({
      error: z.string(),
      details,
      statusCode: z.int(),
      code: z.string().describe('One of a closed list, for programs.'),
      message: z.string(),
    })
    .describe('The form with a code; newer endpoints use it.'),
} as const

type Envelope = keyof typeof ENVELOPES

const envelopesBy = (schemaOf: SchemaOf): Record<string, JsonSchema> =>
  Object.fromEntries(Object.entries(ENVELOPES).map(([name, type]) => [name, schemaOf(type, 'response')]))

const schemaReference = (name: Envelope): Reference => ({ $ref: `#/components/schemas/${name}` })

/** JSON in one of the envelopes. */
function errorContent(envelopes: readonly Envelope[], examples?: MediaType['examples']): Content {
  const references = envelopes.map(schemaReference)
  const [only] = references
  const schema = references.length === 1 && only ? only : { anyOf: references }
  return { 'application/json': { schema, ...(examples && { examples }) } }
}

const refusal = (value: object): MediaType['examples'] => ({ refusal: { summary: 'A refusal', value } })

const integer = (description: string) => ({ description, schema: { type: 'integer' } })

const RESPONSES = {
  BadRequest: {
    description: 'The request is not as described; the answer says what is wrong.',
    content: errorContent(
      ['Error', 'RequestError', 'ShortError', 'CodedError'],
      refusal({
        statusCode: 400,
        code: 'FST_ERR_VALIDATION',
        error: 'Bad Request',
        message: 'body must be object',
      }),
    ),
  },
  Unauthorized: {
    description: 'Credentials are missing or wrong.',
    headers: { 'WWW-Authenticate': { description: 'The accepted credentials.', schema: { type: 'string' } } },
    content: errorContent(
      ['CodedError'],
      refusal({
        error: 'Unauthorized',
        details: 'The credentials were not accepted; the log of Footman says why.',
        statusCode: 401,
        code: 'UNAUTHENTICATED',
        message: 'Unauthorized: The credentials were not accepted; the log of Footman says why.',
      }),
    ),
  },
  Forbidden: {
    description: 'The caller may not do this.',
    content: errorContent(
      ['CodedError', 'Error'],
      refusal({
        error: 'Forbidden',
        details: 'Scope task:run is required',
        statusCode: 403,
        code: 'FORBIDDEN',
        message: 'Forbidden: Scope task:run is required',
      }),
    ),
  },
  NotFound: {
    description: 'There is no such endpoint, it is not enabled, or what it names does not exist.',
    content: errorContent(
      ['RouteNotFound', 'CodedError'],
      refusal({
        message: 'Route GET:/v4/nope not found',
        error: 'Not Found',
        statusCode: 404,
      }),
    ),
  },
  PayloadTooLarge: {
    description: 'The body is larger than 1 MiB.',
    content: errorContent(
      ['RequestError'],
      refusal({
        statusCode: 413,
        code: 'FST_ERR_CTP_BODY_TOO_LARGE',
        error: 'Payload Too Large',
        message: 'Request body is too large',
      }),
    ),
  },
  UnsupportedMediaType: {
    description: 'The body is not JSON.',
    content: errorContent(
      ['RequestError'],
      refusal({
        statusCode: 415,
        code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE',
        error: 'Unsupported Media Type',
        message: 'Unsupported Media Type',
      }),
    ),
  },
  TooManyRequests: {
    description: 'The caller has made more calls than the limit per minute allows.',
    headers: {
      'Retry-After': integer('Seconds until the next call is answered.'),
      'X-RateLimit-Limit': integer('Calls per minute.'),
      'X-RateLimit-Remaining': integer('Calls left in this minute.'),
      'X-RateLimit-Reset': integer('Seconds until a new minute starts.'),
    },
    content: errorContent(
      ['Error'],
      refusal({
        statusCode: 429,
        error: 'Too Many Requests',
        message: 'Rate limit exceeded, retry in 1 minute',
      }),
    ),
  },
  InternalError: {
    description: 'Footman itself has failed; its log says more.',
    content: errorContent(
      ['Error', 'CodedError', 'ShortError'],
      refusal({
        statusCode: 500,
        error: 'Internal Server Error',
        message: 'Internal Server Error',
      }),
    ),
  },
} as const satisfies Record<string, ResponseObject>

const responseReference = (name: keyof typeof RESPONSES): Reference => ({
  $ref: `#/components/responses/${name}`,
})

const SECURITY_SCHEMES = {
  apiKey: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Api-Key',
    description: 'A key made with `footman key create`.',
  },
  bearer: { type: 'http', scheme: 'bearer', description: 'A key made with `footman key create`, or a JWT.' },
} as const
