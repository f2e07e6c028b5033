/** One definition of an endpoint: what it checks, what the handler gets, how bad requests are answered, what it documents. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { LIST_PARAMETERS, NO_QUERY, queryField } from '../../../src/http/endpoint/list-query.ts'
import { route } from '../../../src/http/endpoint/route.ts'
import { field } from '../../../src/http/endpoint/validation.ts'
import { refused } from '../../../src/http/errors.ts'
import type { Api } from '../../../src/http/server.ts'
import { rawHttp } from '../../support/raw-http.ts'
import { makeApi } from './support.ts'

const NOW = Date.parse('2026-03-02T07:00:00Z')
const BODY = { key: field.string(), count: field.integer().optional() }

const ROUTES = [
  route({
    method: 'POST',
    path: '/v4/legacy/{name}',
    butler: true,
    summary: 'An endpoint that Butler had',
    query: () => z.object({ dryRun: field.boolean().optional() }),
    body: () => field.object(BODY),
    answers: () => ({ 201: z.looseObject({}).describe('Made.'), 409: 'It exists.' }),
    legacyErrors: (error) => (error instanceof RangeError ? refused(409, 'Failed making it', error.message) : error),
    handle({ params, query, body, method, client }, answer) {
      if (body.key === 'taken') throw new RangeError('It exists.')
      return answer(201, { params, query, key: body.key, count: body.count ?? null, method, client })
    },
  }),
  route({
    method: 'DELETE',
    path: '/v4/ours/{name}',
    summary: 'An endpoint with a body',
    params: () => z.object({ name: z.string() }),
    body: () => z.object(BODY),
    answers: () => ({ 200: z.looseObject({}) }),
    handle: ({ params, body }, answer) => answer(200, { name: params.name, body }),
  }),
  route({
    method: 'GET',
    path: '/v4/ours',
    summary: 'A list',
    query: () =>
      z.object({
        actor: queryField.texts().optional(),
        state: queryField.words(['on', 'off']).optional(),
        order: queryField.word(['up', 'down']).optional(),
        ...LIST_PARAMETERS,
      }),
    answers: () => ({ 200: z.looseObject({}) }),
    handle: ({ query: { from, to, ...rest } }, answer) =>
      answer(200, { ...rest, from: from?.(NOW) ?? null, to: to?.(NOW) ?? null }),
  }),
  route({
    method: 'GET',
    path: '/v4/ours/none',
    summary: 'No parameters',
    query: NO_QUERY,
    answers: () => ({ 200: z.looseObject({}) }),
    handle: (_, answer) => answer(200, {}),
  }),
  route({
    method: 'PUT',
    path: '/v4/ours/begin',
    summary: 'Whatever is sent',
    body: 'ignored',
    answers: () => ({ 200: z.looseObject({}) }),
    handle: ({ body }, answer) => answer(200, { body: body ?? null }),
  }),
  route({
    method: 'POST',
    path: '/v4/ours/forms',
    summary: 'A body of several forms',
    readByHandler: () => ({ query: z.object({ wait: z.int() }), body: z.xor([z.object(BODY), z.array(z.string())]) }),
    answers: () => ({ 200: z.looseObject({}) }),
    handle: ({ query, body }, answer) => answer(200, { query, body: body ?? null }),
  }),
]

let api: Api
beforeAll(async () => {
  ;({ api } = makeApi({ routes: ROUTES }))
  await api.start()
})
afterAll(() => api.stop(1000))

const call = async (method: string, path: string, body?: unknown) => {
  const answer = await rawHttp(api.port, {
    method,
    path,
    ...(body !== undefined && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  })
  return [answer.status, JSON.parse(answer.body) as Record<string, unknown>] as const
}

const legacy = (message: string) => ({
  statusCode: 400,
  code: 'FST_ERR_VALIDATION',
  error: 'Bad Request',
  message,
})
const ours = (error: string, issues: { path: string; message: string }[]) => {
  const details = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  return { error, details, statusCode: 400, code: 'VALIDATION', message: `${error}: ${details}`, issues }
}

describe('an endpoint that Butler had', () => {
  test('gets parsed values beside the rest of the request', async () => {
    expect(await call('POST', '/v4/legacy/a%20b?dryRun=true&x=1', { key: 7, count: '3', more: 1 })).toEqual([
      201,
      {
        params: { name: 'a b' },
        query: { dryRun: true },
        key: '7',
        count: 3,
        method: 'POST',
        client: '127.0.0.1',
      },
    ])
  })

  test.each<[string, string, unknown, string]>([
    ['no object', '/v4/legacy/a', [1], 'body must be object'],
    ['a member is missing', '/v4/legacy/a', { count: 'x' }, "body must have required property 'key'"],
    ['a member of another type', '/v4/legacy/a', { key: 'k', count: 'x' }, 'body/count must be integer'],
    ['the query', '/v4/legacy/a?dryRun=maybe', { key: 'k' }, 'querystring/dryRun must be boolean'],
    ['body before query', '/v4/legacy/a?dryRun=maybe', {}, "body must have required property 'key'"],
  ])('%s: the first failure in its form', async (_name, path, body, message) => {
    expect(await call('POST', path, body)).toEqual([400, legacy(message)])
  })

  test('errors of the handler become its own texts', async () => {
    expect(await call('POST', '/v4/legacy/a', { key: 'taken' })).toEqual([
      409,
      { statusCode: 409, error: 'Conflict', message: 'Failed making it', details: 'It exists.' },
    ])
  })
})

describe('an endpoint of our own', () => {
  test('reads the body of any method that describes one', async () => {
    expect(await call('DELETE', '/v4/ours/a', { key: true, count: 2 })).toEqual([
      200,
      { name: 'a', body: { key: 'true', count: 2 } },
    ])
  })

  test('names every issue of a body', async () => {
    expect(await call('DELETE', '/v4/ours/a', { count: 'x', more: 1 })).toEqual([
      400,
      ours('Invalid body', [
        { path: 'key', message: 'is missing' },
        { path: 'count', message: 'must be integer' },
        { path: 'more', message: 'is unknown; known are key, count' },
      ]),
    ])
  })

  test('reads the parameters of lists', async () => {
    const path = '/v4/ours?actor=a&actor=b&state=off&order=up&limit=7&cursor=abc&from=24h&to=2026-03-01T00:00:00Z'
    expect(await call('GET', path)).toEqual([
      200,
      {
        actor: ['a', 'b'],
        state: ['off'],
        order: 'up',
        limit: 7,
        cursor: 'abc',
        from: Date.parse('2026-03-01T07:00:00Z'),
        to: Date.parse('2026-03-01T00:00:00Z'),
      },
    ])
    expect(await call('GET', '/v4/ours')).toEqual([200, { from: null, to: null }])
  })

  test.each<[string, string, string]>([
    ['limit=0', 'limit', 'must be a whole number from 1 to 500'],
    ['limit=1e2', 'limit', 'must be a whole number from 1 to 500'],
    ['limit=1&limit=2', 'limit', 'must be given once'],
    ['cursor=a&cursor=b', 'cursor', 'must be given once'],
    ['from=yesterday', 'from', 'must be an ISO 8601 time, or a length of time like 24h'],
    ['state=on&state=up', 'state', 'must be one of on, off'],
    ['order=on', 'order', 'must be one of up, down'],
    ['order=up&order=down', 'order', 'must be given once'],
    ['States=on', 'States', 'is unknown; known are actor, state, order, from, to, limit, cursor'],
  ])('%s is refused', async (query, path, message) => {
    expect(await call('GET', `/v4/ours?${query}`)).toEqual([400, ours('Invalid query', [{ path, message }])])
  })

  test('leaves an ignored body alone, whatever it is', async () => {
    const headers = { 'Content-Type': 'application/json' }
    const answer = await rawHttp(api.port, { method: 'PUT', path: '/v4/ours/begin', headers, body: '{broken' })
    expect([answer.status, answer.body]).toEqual([200, '{"body":null}'])
  })

  test('hands over as they came what it only describes', async () => {
    expect(await call('POST', '/v4/ours/forms?wait=x&y=1', { odd: 1 })).toEqual([
      200,
      { query: { wait: 'x', y: '1' }, body: { odd: 1 } },
    ])
    expect(await call('POST', '/v4/ours/forms')).toEqual([200, { query: {}, body: null }])
  })

  test('refuses parameters where there are none', async () => {
    expect(await call('GET', '/v4/ours/none')).toEqual([200, {}])
    expect((await call('GET', '/v4/ours/none?x=1'))[0]).toBe(400)
  })
})

test('what checks is what the description of the API says', async () => {
  const { paths } = await api.describe()
  const made = paths['/v4/legacy/{name}']?.post
  expect(made?.requestBody).toEqual({
    required: true,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: { key: { type: 'string' }, count: { type: 'integer' } },
          required: ['key'],
        },
      },
    },
  })
  expect(made?.responses[409]).toMatchObject({ description: 'It exists.' })
  const parameters = paths['/v4/ours']?.get?.parameters?.map(
    (one) => 'name' in one && { name: one.name, required: one.required, schema: one.schema },
  )
  expect(parameters).toEqual([
    { name: 'actor', required: false, schema: { type: 'array', items: { type: 'string' } } },
    { name: 'state', required: false, schema: { type: 'array', items: { type: 'string', enum: ['on', 'off'] } } },
    { name: 'order', required: false, schema: { type: 'string', enum: ['up', 'down'] } },
    { name: 'from', required: false, schema: { type: 'string' } },
    { name: 'to', required: false, schema: { type: 'string' } },
    { name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 500 } },
    { name: 'cursor', required: false, schema: { type: 'string' } },
  ])
  const described = paths['/v4/ours/forms']?.post
  expect(described?.parameters).toEqual([
    expect.objectContaining({ name: 'wait', required: true }),
    { $ref: '#/components/parameters/IdempotencyKey' },
  ])
  expect(described?.requestBody?.content['application/json']?.schema).toMatchObject({
    oneOf: [{ type: 'object' }, { type: 'array' }],
  })
  expect(paths['/v4/ours/begin']?.put?.requestBody).toBeUndefined()
})
