/** A client that a public generator makes from the description of the API: it compiles, and reads everything that can be read. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateApi } from 'swagger-typescript-api'
import { type Running, runBinary } from '../support/binary.ts'
import type { Described, DescribedOperation } from '../support/openapi.ts'
import { freeTcpPort } from '../support/ports.ts'
import { type TempDirectory, tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

// biome-ignore lint/suspicious/noExplicitAny: the types of the generated file are checked by the compiler, not here
type Answer = { readonly ok: boolean; readonly status: number; readonly data: any; readonly error: unknown }
type Call = (...parts: readonly object[]) => Promise<Answer>

let temp: TempDirectory
let demo: Running
let url: string
let document: Described
let client: Readonly<Record<string, Call>>

beforeAll(async () => {
  temp = tempDirectory()
  const port = await freeTcpPort()
  url = `http://127.0.0.1:${port}`
  demo = runBinary(['demo', '--port', String(port)], {
    cwd: temp.path,
    env: { TMPDIR: temp.path, TEMP: temp.path, TMP: temp.path, FOOTMAN_CHECK_ANSWERS: '1' },
  })
  await demo.waitForLine(/TIME +WHERE +WHAT +TASK/, 30_000)
  document = (await (await fetch(`${url}/documentation/json`)).json()) as Described
  writeFileSync(temp.join('api.json'), JSON.stringify(document))
  await generateApi({
    input: temp.join('api.json'),
    output: temp.path,
    fileName: 'client.ts',
    httpClientType: 'fetch',
    extractRequestParams: true,
    silent: true,
  })
  const { Api } = (await import(temp.join('client.ts'))) as { Api: new (settings: object) => Record<string, unknown> }
  const api = new Api({ baseUrl: url })
  const groups = Object.values(api).filter((group) => typeof group === 'object' && group !== null)
  client = Object.assign({}, ...groups) as typeof client
}, 120_000)
afterAll(async () => {
  await demo?.kill9()
  temp?.remove()
})

test('it compiles under strict rules', () => {
  const file = temp.join('client.ts')
  writeFileSync(file, readFileSync(file, 'utf8').replace('// @ts-nocheck', ''))
  const rules = [
    '--ignoreConfig',
    '--noEmit',
    '--strict',
    '--target',
    'esnext',
    '--module',
    'esnext',
    '--moduleResolution',
    'bundler',
  ]
  const compiler = join(import.meta.dir, '../../node_modules/.bin/tsc')
  execFileSync(compiler, [...rules, '--lib', 'esnext,dom,dom.iterable', file])
}, 60_000)

test('its types have the names of shapes', () => {
  const text = readFileSync(temp.join('client.ts'), 'utf8')
  for (const name of ['Event', 'Delivery', 'Snooze', 'Task', 'StartAnswer', 'ReportTask', 'ReportTaskInput']) {
    expect(text).toContain(`export interface ${name} {`)
  }
  expect(text).toContain('deliveries: Delivery[];')
  expect(text).toContain('data: ReportTaskInput,')
})

/** The answer of an operation, asked by the function of the client. */
async function ask(method: string, path: string, ...parts: readonly object[]): Promise<Answer> {
  const name = document.paths[path]?.[method]?.operationId ?? ''
  const call = client[name]
  if (!call) throw new Error(`the client has no ${name} for ${method} ${path}`)
  return call(...parts).catch((answer: Answer) => answer)
}

/** Things that the demo does not have by itself. */
const MADE: readonly (readonly [path: string, parts: readonly object[]])[] = [
  ['/v4/keyvalues/{namespace}', [{ namespace: 'Client' }, { key: 'a', value: 'b' }]],
  ['/v4/reportcondition', [{ name: 'Today', rules: [{ type: 'lastReload', is: 'today' }] }]],
  ['/v4/recipient', [{ name: 'Anna', email: 'anna@acme.example' }]],
  ['/v4/recipientgroup', [{ name: 'All' }]],
  ['/v4/schedules/{id}/run', [{ id: 'sales-early' }]],
  ['/v4/settings/import', [{}, { yaml: 'Butler: {footman: {calendars: {client: {dates: []}}}}' }]],
]

/** Paths that no list leads to: what their parameters are, from the answer of another operation. */
const PARAMETERS: Readonly<Record<string, () => Promise<readonly object[]>>> = {
  '/v4/settings/{kind}': async () => [{ kind: 'calendar' }],
  '/v4/settings/calendar/{name}/days': async () => [{ name: 'holidays' }],
  '/v4/settings/{kind}/{name}/history': async () => [{ kind: 'calendar', name: 'client' }],
  '/v4/udp/self-test/{token}': async () => [{ token: (await ask('post', '/v4/udp/self-test')).data.token }],
  '/v4/keyvalues/{namespace}': async () => [{ namespace: 'Client', key: 'a' }],
  '/v4/keyvalues/{namespace}/keyexists': async () => [{ namespace: 'Client', key: 'a' }],
  '/v4/keylist/{namespace}': async () => [{ namespace: 'Client' }],
  '/v4/kvstore/{namespace}': async () => [{ namespace: 'Client', key: 'a' }],
  '/v4/schedules': async () => [{}],
  '/v4/execution/{executionId}': executions,
  '/v4/execution/{executionId}/log': executions,
}

async function executions(): Promise<readonly object[]> {
  const { data } = await ask('get', '/v4/executions', {})
  return data.executions.map(({ executionId }: { executionId: string }) => ({ executionId }))
}

/** Parameters with which an operation may answer: things of the list above it, or those of its example. */
async function parametersOf(path: string, operation: DescribedOperation): Promise<readonly object[]> {
  const known = await PARAMETERS[path]?.()
  if (known) return known
  const [, above = '', name = ''] = /^(.*)\/\{(\w+)\}[^{]*$/.exec(path) ?? []
  if (document.paths[above]?.get) {
    const outer = above.includes('{') ? await parametersOf(above, document.paths[above].get) : [{}]
    const found = await Promise.all(
      outer.map(async (values) => {
        const { ok, data } = await ask(
          'get',
          above,
          ...(Object.keys(values).length > 0 || hasQuery(above) ? [values] : []),
        )
        const items = ok ? [data].flat().concat(...Object.values(data).filter(Array.isArray)) : []
        return items.flatMap((item) => {
          const value = item?.[name] ?? item?.id
          return value === undefined ? [] : [{ ...values, [name]: value }]
        })
      }),
    )
    return found.flat()
  }
  const examples = (operation.parameters ?? []).filter(({ examples: shown }) => shown)
  return [Object.fromEntries(examples.map((one) => [one.name, Object.values(one.examples ?? {})[0]?.value]))]
}

const hasQuery = (path: string): boolean =>
  (document.paths[path]?.get?.parameters ?? []).some((parameter) => parameter.in !== 'header')

test('it reads everything that can be read', async () => {
  for (const [path, parts] of MADE) expect(await ask('post', path, ...parts), path).toMatchObject({ ok: true })
  // The first run of a report is made by the demo itself.
  await until(async () => (await ask('get', '/v4/hub/items', {})).data?.total > 0, { what: 'a document in the hub' })
  const failed: string[] = []
  let count = 0
  for (const [path, { get: operation }] of Object.entries(document.paths)) {
    // A stream has no end.
    if (!operation || JSON.stringify(operation.responses).includes('event-stream') || path === '/v4/stream') continue
    count += 1
    let last = 'nothing to ask for'
    for (const values of await parametersOf(path, operation)) {
      const answer = await ask('get', path, ...(hasQuery(path) ? [values] : []))
      last =
        answer.status === 200 ? '' : `${answer.status} ${JSON.stringify(answer.error)} for ${JSON.stringify(values)}`
      if (last === '') break
    }
    if (last !== '') failed.push(`${path}: ${last}`)
  }
  expect(failed).toEqual([])
  expect(count).toBeGreaterThan(70)
}, 60_000)
