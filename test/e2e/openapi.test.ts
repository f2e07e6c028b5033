/** The description of the API is right: a public validator takes it, and every call that it shows does what it says. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { parse } from 'yaml'
import { type Everything, everything } from '../support/everything.ts'
import { type Described, type DescribedCall, describedCalls } from '../support/openapi.ts'
import { needs } from '../support/servers.ts'

needs('mosquitto')

/** Members that the document does not name are refused here, so that what is answered cannot outgrow it unseen. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  const isFixed = 'properties' in copy && !('additionalProperties' in copy) && copy.type === 'object'
  return isFixed ? { ...copy, additionalProperties: false } : copy
}

/** Not switched off by anything, and without an id that might be unknown. */
const ALWAYS_THERE = [
  '/v4/audit',
  '/v4/audit/verify',
  '/v4/events',
  '/v4/events/dropped',
  '/v4/deliveries',
  '/v4/deliveries/-/resend',
  '/v4/stream',
  '/v4/stream/position',
  '/v4/events/summary',
  '/v4/deliveries/summary',
  '/v4/events/fire',
  '/v4/alertroutes',
  '/v4/alertroutes/explain',
  '/v4/destinations',
  '/v4/snoozes',
  '/v4/history',
  '/v4/history/summary',
  '/v4/config/reload',
  '/v4/influxdb/points',
  '/v4/udp',
  '/v4/udp/self-test',
  '/v4/timeline',
  '/v4/attention',
  '/v4/attention/count',
  '/v4/executions',
  '/v4/tasks/{taskId}',
  '/v4/tasks/{taskId}/durations',
  '/v4/tasks/-/strips',
  '/v4/sessions/link',
  '/v4/maintenance',
  '/v4/selfalerts',
  '/v4/monitors',
  '/v4/config',
  '/v4/config/problems',
  '/v4/about',
  '/v4/search',
  '/v4/sessions',
  '/v4/access/keys',
  '/v4/schedules/-/strips',
  '/v4/schedules/calendar',
  '/v4/cluster',
  ...['task', '', 'filter', 'condition', 'run', 'project', 'template'].map((kind) => `/v4/report${kind}`),
  ...['start', 'export', 'import', '-/enable', '-/disable', '-/preview'].map((verb) => `/v4/reporttask/${verb}`),
  '/v4/report/-/preview',
  '/v4/recipient',
  '/v4/recipientgroup',
  '/v4/recipient/import',
  '/v4/storagespace',
  '/v4/hub/items',
  '/v4/cluster/stepdown',
  '/v4/cluster/nodes/{name}',
]
/** Streams have no end, and these ids are made when something happens: other tests make the calls. */
const OWN_TESTS = [
  '/v4/keyvalues/{namespace}/watch',
  '/v4/stream',
  '/v4/events/{id}',
  '/v4/deliveries/{id}',
  '/v4/events/{id}/decisions',
  '/v4/events/{id}/scriptlog',
  '/v4/deliveries/{id}/resend',
  '/v4/deliveries/{id}/cancel',
  '/v4/events/{id}/replay',
  '/v4/snoozes/{id}',
  '/v4/attention/{key}/taken',
  '/v4/maintenance/{id}',
  '/v4/sessions/{id}',
  '/v4/schedules/{id}/runs/{runId}',
  '/v4/filejobs/{jobId}',
  '/v4/udp/self-test/{token}',
  '/v4/reporttask/{taskId}/enable',
  '/v4/reporttask/{taskId}/disable',
  '/v4/reporttask/{taskId}/copy',
  '/v4/reporttask/{taskId}/start',
  '/v4/reporttask/{taskId}/plan',
  '/v4/reporttask/{taskId}/runs',
  '/v4/reportrun/{runId}',
  '/v4/reportrun/{runId}/log',
  '/v4/reportrun/{runId}/deliveries',
  '/v4/reportrun/{runId}/documents',
  '/v4/reportrun/{runId}/documents/{documentId}',
  '/v4/reportrun/{runId}/cancel',
  '/v4/reportrun/{runId}/resend',
  '/v4/reportrun/{runId}/reads',
  '/v4/report/{id}/render',
  '/v4/reportcondition/{id}/test',
  '/v4/report/-/preview',
  '/v4/reporttask/-/preview',
  '/v4/recipient/import',
  '/v4/report/{id}/template',
  '/v4/report/{id}/template/check',
  '/v4/hub/items/{id}',
  '/v4/cluster/stepdown',
  '/v4/cluster/nodes/{name}',
]

/** A definition of each kind, which the calls about report tasks name. */
const id = '5e0d7a0c-2f3b-4c55-9c1e-0b1f6c1d2a01'
const DEFINITIONS = {
  reportFilters: { id, name: 'First', clauses: [{ type: 'values', field: 'Country', values: ['Sweden'] }] },
  reportConditions: { id, name: 'First', rules: [{ type: 'lastReload', is: 'today' }] },
  recipients: { id, name: 'First', email: 'first@company.com' },
  reports: { id, name: 'First', appId: id, blocks: [{ key: 'text', type: 'text', markdown: 'Hello' }] },
  recipientGroups: { id, name: 'First' },
  reportTasks: { id, name: 'First' },
}

describe('the description of the API', () => {
  let all: Everything
  let document: Described
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats(ajv)
  ajv.addFormat('base64', true)

  beforeAll(async () => {
    all = await everything({
      footman: {
        reportTask: { enable: true, fromAddress: 'Reports <reports@company.com>', hub: { enable: true } },
      },
    })
    await all.product.start()
    for (const [member, definition] of Object.entries(DEFINITIONS)) {
      const document = { format: 'footman-reports', version: 1, [member]: [definition] }
      expect((await all.product.call('POST', '/v4/reporttask/import', document)).status).toBe(200)
    }
    const answer = await all.product.call('GET', '/documentation/json')
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    document = (await answer.json()) as Described
  }, 60_000)
  afterAll(() => all?.[Symbol.asyncDispose]())

  test('is valid OpenAPI 3.1', async () => {
    expect(document.openapi).toMatch(/^3\.1\./)
    const validator = new Validator()
    const verdict = await validator.validate(structuredClone(document) as never)
    expect(verdict.errors ?? []).toEqual([])
    expect(validator.version).toBe('3.1')
  })

  test('names the product and the server', () => {
    expect(document.info).toMatchObject({ title: 'Footman API' })
    expect(document.servers).toEqual([{ url: `http://127.0.0.1:${all.product.restPort}` }])
  })

  test('is the same as YAML', async () => {
    const answer = await all.product.call('GET', '/documentation/yaml')
    expect(answer.headers.get('content-type')).toBe('application/x-yaml')
    expect(parse(await answer.text()) as unknown).toEqual(document)
  })

  test('describes both ways to start tasks', () => {
    for (const path of ['/v4/reloadtask/{taskId}/start', '/v4/reloadtask/start']) {
      for (const method of ['put', 'post']) {
        const operation = document.paths[path]?.[method]
        const request = operation?.requestBody?.content['application/json']?.schema as { oneOf: { type: string }[] }
        expect(request.oneOf.map(({ type }) => type)).toEqual(['object', 'array'])
        const answer = operation?.responses[200]?.content?.['application/json']?.schema as {
          oneOf: { required: string[] }[]
        }
        expect(answer.oneOf.map(({ required }) => required[0])).toEqual(['tasksStarted', 'tasksId', 'tasksStarted'])
      }
    }
  })

  test('lists both names of what has two, and no empty segments', () => {
    const paths = Object.keys(document.paths)
    for (const path of ['/v4/apps/list', '/v4/senselistapps', '/v4/app/{appId}/dump', '/v4/senseappdump/{appId}']) {
      expect(paths).toContain(path)
    }
    expect(paths.filter((path) => path.includes('//') || path.endsWith('/'))).toEqual([])
  })

  test('every operation tells about the rate limit and about 404, and has an answer with a schema', () => {
    for (const [path, item] of Object.entries(document.paths)) {
      for (const operation of Object.values(item)) {
        const { responses } = operation
        const success = Object.entries(responses).filter(([status]) => status.startsWith('2'))
        expect(success.length, path).toBeGreaterThan(0)
        for (const [status, { content }] of success) expect(content !== undefined || status === '204', path).toBe(true)
        if (!path.startsWith('/v4')) continue
        expect(responses[429], path).toEqual({ $ref: '#/components/responses/TooManyRequests' })
        if (!ALWAYS_THERE.includes(path))
          expect(responses[404], path).toEqual({ $ref: '#/components/responses/NotFound' })
      }
    }
  })

  test('every call that it shows does what it says', async () => {
    const calls = describedCalls(document)
    const without = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item)
        .filter((method) => !calls.some((call) => call.path === path && call.method === method))
        .map((method) => `${method} ${path}`),
    )
    expect(without.filter((call) => !OWN_TESTS.some((path) => call.endsWith(` ${path}`)))).toEqual([])
    for (const call of calls) await makeCall(call)
  }, 60_000)

  async function makeCall(call: DescribedCall): Promise<void> {
    const { method, url, body, operation, answers, name } = call
    const label = `${method} ${url} (${name})`
    // What an earlier call has started has ended.
    all.site.simulator.reset()
    const response = await all.product.call(method.toUpperCase(), url, body)
    const text = await response.text()
    const status = String(response.status)
    if (answers.size > 0) expect([...answers.keys()], `${label}: ${text}`).toContain(status)
    expect(response.status < 300 || answers.has(status), `${label}: ${status} ${text}`).toBe(true)
    const described = operation.responses[status]
    expect(described?.description, label).toBeString()
    const [media] = Object.entries(described?.content ?? {})
    if (!media) {
      expect(text, label).toBe('')
      return
    }
    const [type, { schema }] = media
    expect(response.headers.get('content-type') ?? '', label).toStartWith(type)
    const real: unknown = type === 'application/json' ? JSON.parse(text) : text
    const check = ajv.compile(closed(schema) as object)
    expect(check(real) ? [] : check.errors, `${label}: ${text.slice(0, 2000)}`).toEqual([])
    if (answers.has(status)) {
      const shown = answers.get(status)
      expect(check(shown) ? [] : check.errors, `${label}: the example`).toEqual([])
      // Runs take their time, and ids are other ones each time.
      const isFixed = url.startsWith('/v4/reloadtask') && !url.includes('wait=')
      if (isFixed) expect(real, label).toMatchObject(shown as object)
    }
  }
})
