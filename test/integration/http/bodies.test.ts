/** The memory that request bodies of all callers may take together. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type ApiRoute, jsonAnswer } from '../../../src/http/endpoint/route.ts'
import { createBodyBudget, FORM_LIMIT } from '../../../src/http/middleware/body.ts'
import type { Api } from '../../../src/http/server.ts'
import { until } from '../../support/wait.ts'
import { makeApi } from './support.ts'

const MIB = 1_048_576
const BUDGET = 2 * MIB

let inUse = 0
let goOn: PromiseWithResolvers<void> = Promise.withResolvers()

const holding = (path: string, more: Partial<ApiRoute>): ApiRoute => ({
  path,
  methods: ['POST'],
  switch: null,
  summary: '',
  body: 'bytes',
  ...more,
  async handle({ body }) {
    inUse += 1
    await goOn.promise
    inUse -= 1
    return jsonAnswer(200, body instanceof Uint8Array ? body.length : null)
  },
})

let api: Api
beforeAll(async () => {
  const routes = [
    holding('/upload', { bodyLimit: 2 * MIB }),
    holding('/form', { bodyFor: () => FORM_LIMIT }),
    holding('/closed', { bodyFor: () => 0 }),
  ]
  ;({ api } = makeApi({ routes, bodyBudget: createBodyBudget(BUDGET) }))
  await api.start()
})
afterAll(() => api.stop(1000))

const post = (path: string, bytes: number): Promise<Response> =>
  fetch(`http://127.0.0.1:${api.port}${path}`, { method: 'POST', body: new Uint8Array(bytes) })
const statuses = async (all: readonly Promise<Response>[]) => (await Promise.all(all)).map(({ status }) => status)

test('beyond the budget a body is refused with 503, and there is room again afterwards', async () => {
  goOn = Promise.withResolvers()
  const first = [post('/upload', 900_000), post('/upload', 900_000)]
  await until(() => inUse === 2)
  const refused = await post('/upload', 400_000)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
  expect(await refused.json()).toMatchObject({ code: 'TOO_MANY_BODIES' })
  // Small ones go on as long as there is room for them.
  const small = post('/form', 100)
  await until(() => inUse === 3)
  goOn.resolve()
  expect(await statuses([...first, small])).toEqual([200, 200, 200])
  expect(await statuses([post('/upload', 900_000)])).toEqual([200])
})

test('strangers use up a part of the budget only', async () => {
  goOn = Promise.withResolvers()
  const part = BUDGET / 4 / FORM_LIMIT
  const forms = Array.from({ length: part }, () => post('/form', FORM_LIMIT))
  await until(() => inUse === part)
  expect((await post('/form', FORM_LIMIT)).status).toBe(503)
  const upload = post('/upload', 900_000)
  await until(() => inUse === part + 1)
  goOn.resolve()
  expect(new Set(await statuses([...forms, upload]))).toEqual(new Set([200]))
})

test('where nothing may be sent the endpoint answers without a body', async () => {
  goOn.resolve()
  const answer = await post('/closed', MIB)
  expect([answer.status, await answer.json()]).toEqual([200, null])
  expect((await post('/form', FORM_LIMIT + 1)).status).toBe(413)
})
