/** Parts that the operations share: the error envelopes, the refusals that every endpoint may answer, the credentials. */
import { z } from 'zod'
import { type Content, type JsonSchema, type Reference, type ResponseObject, schemaOf } from './schema.ts'

const details = z.string().describe('Why, and what to do.')

const ENVELOPES = {
  Error: z
    .object({
      statusCode: z.int(),
      error: z.string().describe('The standard phrase of the status.'),
      message: z.string().describe('What is wrong.'),
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
    .describe('The form of everything that Butler did not have.'),
} as const

export type Envelope = keyof typeof ENVELOPES

export const schemas = (): Record<string, JsonSchema> =>
  Object.fromEntries(Object.entries(ENVELOPES).map(([name, type]) => [name, schemaOf(type, 'response')]))

const schemaReference = (name: Envelope): Reference => ({ $ref: `#/components/schemas/${name}` })

/** JSON in one of the envelopes. */
export function errorContent(envelopes: readonly Envelope[], example?: unknown): Content {
  const references = envelopes.map(schemaReference)
  const [only] = references
  const schema = references.length === 1 && only ? only : { anyOf: references }
  const examples = { refusal: { summary: 'A refusal', value: example } }
  return { 'application/json': { schema, ...(example !== undefined && { examples }) } }
}

const integer = (description: string) => ({ description, schema: { type: 'integer' } })

const RESPONSES = {
  BadRequest: {
    description: 'The request is not as described; the answer says what is wrong.',
    content: errorContent(['Error', 'RequestError', 'ShortError', 'CodedError'], {
      statusCode: 400,
      code: 'FST_ERR_VALIDATION',
      error: 'Bad Request',
      message: 'body must be object',
    }),
  },
  Unauthorized: {
    description: 'Credentials are missing or wrong.',
    headers: { 'WWW-Authenticate': { description: 'What is wanted.', schema: { type: 'string' } } },
    content: errorContent(['CodedError'], {
      error: 'Unauthorized',
      details: 'The credentials were not accepted; the log of Footman says why.',
      statusCode: 401,
      code: 'UNAUTHENTICATED',
      message: 'Unauthorized: The credentials were not accepted; the log of Footman says why.',
    }),
  },
  Forbidden: {
    description: 'The caller may not do this.',
    content: errorContent(['CodedError', 'Error'], {
      error: 'Forbidden',
      details: 'Scope task:run is required',
      statusCode: 403,
      code: 'FORBIDDEN',
      message: 'Forbidden: Scope task:run is required',
    }),
  },
  NotFound: {
    description: 'There is no such endpoint, it is not enabled, or what it names does not exist.',
    content: errorContent(['RouteNotFound', 'CodedError'], {
      message: 'Route GET:/v4/nope not found',
      error: 'Not Found',
      statusCode: 404,
    }),
  },
  PayloadTooLarge: {
    description: 'The body is larger than 1 MiB.',
    content: errorContent(['RequestError'], {
      statusCode: 413,
      code: 'FST_ERR_CTP_BODY_TOO_LARGE',
      error: 'Payload Too Large',
      message: 'Request body is too large',
    }),
  },
  UnsupportedMediaType: {
    description: 'The body is not JSON.',
    content: errorContent(['RequestError'], {
      statusCode: 415,
      code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE',
      error: 'Unsupported Media Type',
      message: 'Unsupported Media Type',
    }),
  },
  TooManyRequests: {
    description: 'The caller has made more calls than the limit per minute allows.',
    headers: {
      'Retry-After': integer('Seconds until the next call is answered.'),
      'X-RateLimit-Limit': integer('Calls per minute.'),
      'X-RateLimit-Remaining': integer('Calls left in this minute.'),
      'X-RateLimit-Reset': integer('Seconds until a new minute starts.'),
    },
    content: errorContent(['Error'], {
      statusCode: 429,
      error: 'Too Many Requests',
      message: 'Rate limit exceeded, retry in 1 minute',
    }),
  },
  InternalError: {
    description: 'Footman itself has failed; its log says more.',
    content: errorContent(['Error', 'CodedError', 'ShortError'], {
      statusCode: 500,
      error: 'Internal Server Error',
      message: 'Internal Server Error',
    }),
  },
} as const satisfies Record<string, ResponseObject>

export const responses = (): Record<string, ResponseObject> => RESPONSES

export const responseReference = (name: keyof typeof RESPONSES): Reference => ({
  $ref: `#/components/responses/${name}`,
})

export const SECURITY_SCHEMES = {
  apiKey: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Api-Key',
    description: 'A key made with `footman key create`.',
  },
  bearer: { type: 'http', scheme: 'bearer', description: 'A key made with `footman key create`, or a JWT.' },
} as const
