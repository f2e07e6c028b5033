/** The description of the API is right: a public validator takes it, and every call that it shows does what it says. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { parse } from 'yaml'
import { runToEnd } from '../support/binary.ts'
import { ALL_ENDPOINTS, type Everything, everything } from '../support/everything.ts'
import { smallWorkbook, zipOf } from '../support/office.ts'
import { type Described, type DescribedCall, describedCalls, filled, followed } from '../support/openapi.ts'
import { freeTcpPort } from '../support/ports.ts'
import { needs } from '../support/servers.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

/** Members that the document does not name are refused here, so that what is answered cannot outgrow it unseen. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  const isFixed = 'properties' in copy && !('additionalProperties' in copy) && copy.type === 'object'
  return isFixed ? { ...copy, additionalProperties: false } : copy
}

const ETL = '70000000-0000-4000-8000-000000000001'
const SALES_APP = 'a1000000-0000-4000-8000-000000000002'

/** A definition of each kind, which the calls about report tasks name. */
const id = '5e0d7a0c-2f3b-4c55-9c1e-0b1f6c1d2a01'
const templateId = '5e0d7a0c-2f3b-4c55-9c1e-0b1f6c1d2a02'
const definitionsWith = (sha256: string) => ({
  reportFilters: [{ id, name: 'First', clauses: [{ type: 'values', field: 'Region', values: ['Nordic'] }] }],
  reportConditions: [{ id, name: 'First', rules: [{ type: 'taskState', taskId: ETL, is: 'notRunning' }] }],
  recipients: [{ id, name: 'First', email: 'first@company.com' }],
  reports: [
    {
      id,
      project: 'Sales',
      name: 'First',
      appId: SALES_APP,
      blocks: [{ key: 'text', type: 'text', markdown: '{{=Sum(Sales)}}' }],
    },
    {
      id: templateId,
      name: 'Second',
      appId: SALES_APP,
      type: 'template',
      template: { source: 'upload', fileName: 'sales.xlsx', sha256 },
      data: [{ key: 'sales', type: 'value', expr: '=Sum(Sales)' }],
    },
  ],
  recipientGroups: [{ id, name: 'First' }],
  reportTasks: [
    { id: '5e0d7a0c-2f3b-4c55-9c1e-0b1f6c1d2a03', name: 'A task without reports' },
    {
      id,
      project: 'Sales',
      name: 'First',
      reports: [{ key: 'first', reportId: id, format: 'html' }],
      recipients: [{ type: 'recipient', recipientId: id, email: false, hub: true }],
      storage: [{ spaceId: 'finance' }],
      hub: { enabled: true },
    },
  ],
})

const SWITCHES = 'restServerEndpointsEnable'

type Switches = { readonly [name: string]: boolean | Switches }

const allOff = (switches: Switches): Switches =>
  Object.fromEntries(Object.entries(switches).map(([name, on]) => [name, typeof on === 'object' ? allOff(on) : false]))

describe('the description of the API', () => {
  let all: Everything
  let document: Described
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats(ajv)
  ajv.addFormat('base64', true)

  let calls: readonly DescribedCall[]
  let workbook: Uint8Array<ArrayBuffer>
  const space = tempDirectory()

  const get = async <T>(path: string): Promise<T> => (await (await all.product.call('GET', path)).json()) as T

  beforeAll(async () => {
    const away = { type: 'webhook', url: `http://127.0.0.1:${await freeTcpPort()}` }
    const name = 'failures'
    all = await everything({
      footman: {
        reportTask: {
          enable: true,
          fromAddress: 'Reports <reports@company.com>',
          storageSpaces: [{ id: 'finance', name: 'Finance', directory: space.path }],
          hub: { enable: true },
        },
        // A delivery that is pending stays so until it is cancelled.
        delivery: { retryFirst: '10m' },
        destinations: { 'away-1': away, 'away-2': away },
        alertRoutes: [{ name, match: { outcome: ['failed'] }, to: ['ops-chat', 'away-1', 'away-2'] }],
      },
    })
    await all.product.start()
    workbook = await zipOf(smallWorkbook())
    await makeThings()
    const answer = await all.product.call('GET', '/documentation/json')
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    document = (await answer.json()) as Described
    calls = describedCalls(document)
  }, 60_000)
  afterAll(async () => {
    await all?.[Symbol.asyncDispose]()
    space.remove()
  })

  /** One of each that exists only when something has happened: an event, its deliveries, a run of a report task, a file job. */
  async function makeThings(): Promise<void> {
    const { product, site, sink } = all
    const must = async (method: string, path: string, body?: unknown) => {
      const answer = await product.call(method, path, body)
      expect([path, answer.ok, answer.ok ? '' : await answer.text()]).toEqual([path, true, ''])
    }
    const templates = [
      { reportId: templateId, fileName: 'sales.xlsx', base64: Buffer.from(workbook).toString('base64') },
    ]
    const sha256 = createHash('sha256').update(workbook).digest('hex')
    const head = { format: 'footman-reports', version: 1 }
    for (const [member, definitions] of Object.entries(definitionsWith(sha256))) {
      const document = { ...head, [member]: definitions, ...(member === 'reports' && { templates }) }
      await must('POST', '/v4/reporttask/import', document)
    }
    await must('POST', `/v4/reporttask/${id}/start`, { force: true })
    await must('PUT', '/v4/settings/calendar/company-days', { value: { dates: ['2030-12-25'] } })
    await must('PUT', '/v4/filecopy?async=true', { fromFile: 'qvd/sales.qvd', toFile: 'archive/job.qvd' })
    sink.answer({ status: 400, body: 'no_service' })
    site.simulator.setTask(ETL, { outcome: 'fail', durationMs: 50 })
    site.simulator.runTask(ETL)
    const made = [
      ['/v4/deliveries?state=dead', 'deliveries', 1],
      ['/v4/deliveries?state=pending', 'deliveries', 2],
      ['/v4/attention?kind=taskFailed', 'items', 1],
      ['/v4/hub/items', 'hubItems', 1],
      ['/v4/reportrun?outcome=success', 'runs', 1],
    ] as const
    for (const [path, member, count] of made) {
      const answer = () => get<Readonly<Record<string, readonly unknown[]>>>(path)
      await until(async () => Number((await answer())[member]?.length) >= count, {
        what: `${count} of ${path}`,
        timeout: 10_000,
        state: () => product.process.stdout.slice(-10),
      })
    }
    sink.answer({ status: 202, body: 'ok' })
  }

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

  /** The schema that a reference names. */
  function shapeOf({ $ref }: { readonly $ref: string }): {
    readonly type?: string
    readonly required?: readonly string[]
  } {
    return document.components.schemas?.[$ref.replace('#/components/schemas/', '')] as object
  }

  test('describes both ways to start tasks', () => {
    for (const path of ['/v4/reloadtask/{taskId}/start', '/v4/reloadtask/start']) {
      for (const method of ['put', 'post']) {
        const operation = document.paths[path]?.[method]
        const request = operation?.requestBody?.content['application/json']?.schema as { oneOf: { $ref: string }[] }
        expect(request.oneOf.map((one) => shapeOf(one).type)).toEqual(['object', 'array'])
        const answer = operation?.responses[200]?.content?.['application/json']?.schema as {
          oneOf: { $ref: string }[]
        }
        expect(answer.oneOf.map((one) => shapeOf(one).required?.[0])).toEqual([
          'tasksStarted',
          'tasksId',
          'tasksStarted',
        ])
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

  test('every operation tells about the rate limit and about 404, and has an answer with a schema', async () => {
    const open = await openPaths()
    for (const [path, item] of Object.entries(document.paths)) {
      for (const operation of Object.values(item)) {
        const { responses } = operation
        const success = Object.entries(responses).filter(([status]) => status.startsWith('2'))
        expect(success.length, path).toBeGreaterThan(0)
        for (const [status, { content }] of success) expect(content !== undefined || status === '204', path).toBe(true)
        if (!path.startsWith('/v4')) continue
        expect(responses[429], path).toEqual({ $ref: '#/components/responses/TooManyRequests' })
        const shared = { $ref: '#/components/responses/NotFound' }
        // An endpoint with a switch may be missing as a whole; of the others only what a parameter names.
        if (!open.has(path)) expect(responses[404], path).toEqual(shared)
        else if (path.includes('{')) expect(responses[404], path).toBeDefined()
        else expect(responses[404], path).not.toEqual(shared)
      }
    }
  })

  /** The paths that a configuration has which switches no endpoint on. */
  async function openPaths(): Promise<ReadonlySet<string>> {
    const { directory, configFile } = all.product
    const { Butler } = JSON.parse(readFileSync(configFile, 'utf8')) as { Butler: Record<string, unknown> }
    writeFileSync(
      directory.join('open.yaml'),
      JSON.stringify({ Butler: { ...Butler, [SWITCHES]: allOff(ALL_ENDPOINTS) } }),
    )
    const { stdout } = await runToEnd(['openapi', '-c', directory.join('open.yaml')], { cwd: directory.path })
    return new Set(Object.keys((JSON.parse(stdout) as Described).paths))
  }

  test('every operation shows a call, and every call does what it says', async () => {
    const without = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item)
        .filter((method) => !calls.some((call) => call.path === path && call.method === method))
        .map((method) => `${method} ${path}`),
    )
    expect(without).toEqual([])
    for (const call of calls) await makeCall(call)
  }, 90_000)

  /** The parameters that another answer has; waits until it has them. */
  function parametersOf({ source, params, path, name }: DescribedCall): Promise<Readonly<Record<string, string>>> {
    if (!source) return Promise.resolve(params)
    const { operationId, example = null } = source
    const makers = calls.filter((one) => one.operation.operationId === operationId && name !== null)
    return until(
      async () => {
        for (const maker of makers) {
          if (example !== null && maker.name !== example) continue
          const outer = await parametersOf(maker)
          const response = await send(maker, outer)
          const found = response.ok && followed(source, { params: outer, answer: await response.json() })
          if (found) return found
        }
        return null
      },
      { what: `the parameters of ${path} (${name})`, timeout: 20_000 },
    )
  }

  function send(
    { method, url, media, body }: DescribedCall,
    params: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const address = `http://127.0.0.1:${all.product.restPort}${filled(url, params)}`
    // A file cannot stand in the document.
    const isFile = media === 'application/octet-stream'
    const content = isFile ? workbook : media === 'application/json' ? JSON.stringify(body) : (body as string)
    return fetch(address, {
      method: method.toUpperCase(),
      ...(content !== undefined && {
        body: content,
        headers: { 'content-type': media ?? '', ...(isFile && { 'x-file-name': 'sales.xlsx' }) },
      }),
    })
  }

  async function makeCall(call: DescribedCall): Promise<void> {
    const { method, operation, answers, name } = call
    // What an earlier call has started has ended.
    all.site.simulator.reset()
    const params = await parametersOf(call)
    const url = filled(call.url, params)
    const label = `${method} ${url} (${name})`
    const response = await send(call, params)
    const status = String(response.status)
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
    // A stream has no end.
    const text = isStream ? await response.body!.cancel().then(() => '') : await response.text()
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
    // Files have the type of their format.
    if (type === 'application/octet-stream') {
      expect(text.length, label).toBeGreaterThan(0)
      return
    }
    expect(response.headers.get('content-type') ?? '', label).toStartWith(type)
    const real: unknown = type === 'application/json' ? JSON.parse(text) : text
    const check = ajv.compile({ ...(closed(schema) as object), components: closed(document.components) })
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
