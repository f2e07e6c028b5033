import { afterAll, beforeAll, expect, test } from 'bun:test'
import { codecRoutes } from '../../../src/kv/bases.ts'
import { type RoutesApi, routesApi } from '../../support/routes-api.ts'

let api: RoutesApi
beforeAll(async () => {
  api = await routesApi(codecRoutes())
})
afterAll(() => api[Symbol.asyncDispose]())

const E1 = (message: string, details: string) => ({ statusCode: 400, error: 'Bad Request', message, details })
const E2 = (message: string) => ({ statusCode: 400, code: 'FST_ERR_VALIDATION', error: 'Bad Request', message })

test.each([
  [
    '/v4/base62tobase16?base62=6DMW88LpSok9Z7P7hUK0wv7bF',
    '{"base62":"6DMW88LpSok9Z7P7hUK0wv7bF","base16":"3199af08bfeeaf5d420f27ed9c01e74370077"}',
  ],
  [
    '/v4/base16tobase62?base16=3199af08bfeeaf5d420f27ed9c01e74370077',
    '{"base62":"6DMW88LpSok9Z7P7hUK0wv7bF","base16":"3199af08bfeeaf5d420f27ed9c01e74370077"}',
  ],
  ['/v4/base62tobase16?base62=', '{"base62":"","base16":"0"}'],
  ['/v4/base16tobase62?base16=000f', '{"base62":"f","base16":"000f"}'],
  ['/v4/base16tobase62?base16=3199AF', '{"base62":"dDD9","base16":"3199AF"}'],
])('GET %s', async (path, body) => {
  const answer = await api.send('GET', path)
  expect(answer.body).toBe(body)
  expect(answer.status).toBe(200)
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
})

test.each([
  ['/v4/base62tobase16', E2("querystring must have required property 'base62'")],
  ['/v4/base16tobase62?base62=1', E2("querystring must have required property 'base16'")],
  ['/v4/base62tobase16?base62=1&base62=2', E2('querystring/base62 must be string')],
  ['/v4/base62tobase16?base62=%C3%A5', E1('Failed converting from base62 to base16', 'The digits are 0-9, a-z, A-Z.')],
  ['/v4/base16tobase62?base16=-1', E1('Failed converting from base16 to base62', 'The digits are 0-9 and a-f.')],
])('GET %s is refused', async (path, body) => {
  const answer = await api.send('GET', path)
  expect(JSON.parse(answer.body)).toEqual(body)
  expect(answer.status).toBe(400)
})
