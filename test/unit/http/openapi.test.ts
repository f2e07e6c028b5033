import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { shape } from '../../../src/http/endpoint/contract.ts'
import { type ApiRoute, from, jsonAnswer } from '../../../src/http/endpoint/route.ts'
import { field } from '../../../src/http/endpoint/validation.ts'
import { openApiDocument } from '../../../src/http/openapi/document.ts'

const settings = { version: '1.2.3', serverUrl: 'https://10.1.2.3:8080', locked: false }

const route = (more: Partial<ApiRoute> = {}): ApiRoute => ({
  methods: ['PUT'],
  path: '/v4/thing/{id}',
  switch: 'thing',
  summary: 'Change a thing',
  handle: () => jsonAnswer(200, {}),
  ...more,
})

const operation = (more: Partial<ApiRoute> = {}, locked = false) =>
  openApiDocument([route(more)], { ...settings, locked }).paths['/v4/thing/{id}']?.put

describe('the document', () => {
  test('says what it is', () => {
    expect(openApiDocument([], settings)).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'Footman API', version: '1.2.3' },
      servers: [{ url: 'https://10.1.2.3:8080' }],
      paths: {},
    })
  })

  test('leaves out kindly answered mistakes, and what is not to be described', () => {
    const routes = ['/v4/a//b', '/v4/a/', '/v4/a'].map((path) => route({ path }))
    const { paths } = openApiDocument([...routes, route({ path: '/v4/c', documented: false })], settings)
    expect(Object.keys(paths)).toEqual(['/v4/a'])
  })

  test('gathers the methods of a path, whichever endpoint has them', () => {
    const { paths } = openApiDocument([route(), route({ methods: ['GET', 'DELETE'] })], settings)
    expect(Object.keys(paths['/v4/thing/{id}']!)).toEqual(['put', 'get', 'delete'])
  })
})

describe('an operation', () => {
  test('has its parameters, with types as they are meant', () => {
    const schemas = {
      params: z.object({ id: z.string().describe('Which one.') }),
      query: z.looseObject({ force: field.boolean().describe('Really.').optional(), n: field.integer() }),
    }
    expect(operation({ schemas: () => schemas })?.parameters).toEqual([
      { name: 'id', in: 'path', required: true, description: 'Which one.', schema: { type: 'string' } },
      { name: 'force', in: 'query', required: false, description: 'Really.', schema: { type: 'boolean' } },
      { name: 'n', in: 'query', required: true, schema: { type: 'integer' } },
      { $ref: '#/components/parameters/IdempotencyKey' },
    ])
  })

  test('has its body: defaults need not be given', () => {
    const body = field.object({ name: field.string(), tags: field.array(field.string()).default([]) })
    expect(operation({ schemas: () => ({ body }) })?.requestBody).toEqual({
      required: true,
      content: {
        'application/json': {
          schema: {
            type: 'object',
            properties: { name: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
            required: ['name'],
          },
        },
      },
    })
  })

  test('has its answers: JSON, text, a stream, nothing', () => {
    const answers = {
      200: z.object({ id: z.string() }).describe('The thing.'),
      201: z.string(),
      202: z.string().meta({ contentMediaType: 'text/event-stream' }),
      204: z.void().describe('Gone.'),
    }
    const found = operation({ schemas: () => ({ answers }) })?.responses
    expect(found?.[200]).toEqual({
      description: 'The thing.',
      content: {
        'application/json': {
          schema: {
            type: 'object',
            description: 'The thing.',
            properties: { id: { type: 'string' } },
            required: ['id'],
          },
        },
      },
    })
    expect(found?.[201]).toHaveProperty(['content', 'text/plain'])
    expect(found?.[202]).toHaveProperty(['content', 'text/event-stream'])
    expect(found?.[204]).toEqual({ description: 'Gone.' })
  })

  test('has what every endpoint of its kind may answer, and its own failures', () => {
    const found = operation({
      schemas: () => ({ body: z.object({}), answers: { 200: z.object({}), 502: 'QRS is down.' } }),
    })?.responses
    expect(Object.keys(found ?? {})).toEqual(['200', '400', '404', '413', '415', '429', '500', '502'].sort())
    expect(found?.[429]).toEqual({ $ref: '#/components/responses/TooManyRequests' })
    expect(found?.[502]).toMatchObject({ description: 'QRS is down.' })
  })

  test('shows each example in parameters, body and answer under one name', () => {
    const found = operation({
      schemas: () => ({ params: z.object({ id: z.string() }), body: z.object({}), answers: { 200: z.object({}) } }),
      examples: [{ name: 'the-first', params: { id: 'a' }, body: { b: 1 }, status: 200, answer: { c: 2 } }],
    })
    const shown = (value: unknown) => ({ 'the-first': { summary: 'the first', value } })
    expect(found?.parameters?.[0]).toMatchObject({ examples: shown('a') })
    expect(found?.requestBody?.content['application/json']?.examples).toEqual(shown({ b: 1 }))
    const answer = found?.responses[200] as { content: Record<string, { examples: unknown }> }
    expect(answer.content['application/json']?.examples).toEqual(shown({ c: 2 }))
  })
})

describe('a shape', () => {
  const body = (content: unknown) =>
    (content as { content: Record<string, { schema: unknown }> }).content['application/json']?.schema

  test('stands under its name, and is referred to', () => {
    const tag = shape('Tag', () => z.strictObject({ name: z.string() }))
    const thing = shape('Thing', () => z.strictObject({ tag: tag(), other: tag().nullable() }).describe('A thing.'))
    const routes = [
      route({ schemas: () => ({ answers: { 200: thing().describe('The thing.') } }) }),
      route({ path: '/v4/things', schemas: () => ({ body: thing(), answers: { 200: z.array(thing()) } }) }),
    ]
    const { paths, components } = openApiDocument(routes, settings)
    const reference = { $ref: '#/components/schemas/Thing' }
    expect(body(paths['/v4/thing/{id}']?.put?.responses[200])).toEqual({ ...reference, description: 'The thing.' })
    expect(body(paths['/v4/things']?.put?.responses[200])).toEqual({ type: 'array', items: reference })
    expect(body(paths['/v4/things']?.put?.requestBody)).toEqual(reference)
    expect(components.schemas.Tag).toEqual({
      type: 'object',
      properties: { name: { type: 'string' } },
      required: ['name'],
    })
    expect(components.schemas.Thing).toMatchObject({
      description: 'A thing.',
      properties: {
        tag: { $ref: '#/components/schemas/Tag' },
        other: { anyOf: [{ $ref: '#/components/schemas/Tag' }, { type: 'null' }] },
      },
    })
  })

  test('has another name in requests where defaults need not be given, and so has what contains it', () => {
    const inner = shape('Inner', () => z.strictObject({ count: z.int().default(1) }))
    const outer = shape('Outer', () => z.strictObject({ inner: inner() }))
    const schemas = () => ({ body: outer(), answers: { 200: outer() } })
    const { paths, components } = openApiDocument([route({ schemas })], settings)
    const { requestBody, responses } = paths['/v4/thing/{id}']!.put!
    expect(body(requestBody)).toEqual({ $ref: '#/components/schemas/OuterInput' })
    expect(body(responses[200])).toEqual({ $ref: '#/components/schemas/Outer' })
    expect(components.schemas.OuterInput).toMatchObject({
      properties: { inner: { $ref: '#/components/schemas/InnerInput' } },
    })
    expect(components.schemas.InnerInput).not.toHaveProperty('required')
    expect(components.schemas.Inner).toMatchObject({ required: ['count'] })
  })

  test('shares its name with no other', () => {
    const [one, other] = [z.strictObject({ a: z.string() }), z.strictObject({ b: z.string() })].map((made) =>
      shape('Same', () => made),
    )
    const routes = [one!, other!].map((made, index) =>
      route({ path: `/v4/${index}`, schemas: () => ({ answers: { 200: made() } }) }),
    )
    expect(() => openApiDocument(routes, settings)).toThrow('two shapes have the name Same')
  })
})

test('parameters that another answer has are a link of it, for each method', () => {
  const list = { method: 'GET', path: '/v4/things' } as const
  const params = from(list, { id: '$response.body#/things/0/id' }, 'all')
  const routes = [
    route({ ...list, methods: ['GET'], schemas: () => ({ answers: { 200: z.object({}), 502: 'It is away.' } }) }),
    route({ methods: ['PUT', 'DELETE'], examples: [{ name: 'first', params, status: 200 }] }),
  ]
  const { paths } = openApiDocument(routes, settings)
  const { responses } = paths['/v4/things']!.get!
  const link = {
    description: 'Change a thing',
    parameters: { id: '$response.body#/things/0/id' },
    'x-footman-example': 'all',
  }
  expect(responses[200]).toHaveProperty('links', {
    'putThingById.first': { operationId: 'putThingById', ...link },
    'deleteThingById.first': { operationId: 'deleteThingById', ...link },
  })
  expect(responses[502]).not.toHaveProperty('links')
  expect(paths['/v4/thing/{id}']?.put?.parameters?.[0]).not.toHaveProperty('examples')
})

describe('access control', () => {
  test('off: no credentials anywhere; what is new says who may call', () => {
    const { components } = openApiDocument([route()], settings)
    expect(components.securitySchemes).toBeUndefined()
    expect(operation({ scope: 'thing:write' })).not.toHaveProperty('security')
    expect(operation({ scope: 'thing:write' })?.responses).not.toHaveProperty('401')
    const own = operation({ scope: 'thing:write', switch: null })
    expect(own?.description).toBe('Answers callers on the same machine only.')
    expect(own?.responses[403]).toEqual({ $ref: '#/components/responses/Forbidden' })
  })

  test('on: the scope is the requirement, by either credential; what has none is open', () => {
    const { components } = openApiDocument([route()], { ...settings, locked: true })
    expect(components.securitySchemes).toMatchObject({
      apiKey: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
      bearer: { type: 'http', scheme: 'bearer' },
    })
    const found = operation({ scope: 'thing:write', description: 'Text.' }, true)
    expect(found?.security).toEqual([{ apiKey: ['thing:write'] }, { bearer: ['thing:write'] }])
    expect(found?.description).toBe('Text.\n\nNeeds the scope `thing:write`.')
    expect(found?.responses[401]).toEqual({ $ref: '#/components/responses/Unauthorized' })
    expect(operation({}, true)?.security).toEqual([])
  })
})
