/**
 * Every operation that changes something does it once for an `Idempotency-Key`. The list comes from the running executable,
 * so a new endpoint is covered without a line here.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Everything, everything } from '../support/everything.ts'
import { type Described, type DescribedOperation, describedCalls } from '../support/openapi.ts'
import { needs } from '../support/servers.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

/** Nothing comes of these but their answer; that of the last is a secret. */
const EACH_TIME = [
  'POST /v4/alertroutes/explain',
  'PUT /v4/alertroutes/explain',
  'POST /v4/report/-/preview',
  'POST /v4/report/{id}/render',
  'POST /v4/report/{id}/template/check',
  'POST /v4/reportcondition/{id}/test',
  'POST /v4/reporttask/-/preview',
  'POST /v4/reporttask/{taskId}/plan',
  'POST /v4/schedules/preview',
  'POST /v4/sessions/link',
]
/** These end what the other calls need. */
const LAST = ['/v4/config/reload', '/v4/cluster/stepdown']
const UNKNOWN = '0f0f0f0f-0000-4000-8000-000000000001'
const APP = 'a1000000-0000-4000-8000-000000000008'
const TASK = '70000000-0000-4000-8000-000000000003'

let all: Everything
let document: Described
beforeAll(async () => {
  all = await everything({
    footman: {
      dataDirectory: 'data',
      api: { rateLimitPerMinute: 0 },
      mqtt: { receivedTopics: ['plant/#'] },
      reportTask: { enable: true },
    },
  })
  await all.product.start()
  document = (await (await all.product.call('GET', '/documentation/json')).json()) as Described
}, 60_000)
afterAll(() => all?.[Symbol.asyncDispose]())

const takesKey = ({ parameters = [] }: DescribedOperation) =>
  parameters.some(({ $ref }) => $ref === '#/components/parameters/IdempotencyKey')

function changes(): { name: string; method: string; path: string; operation: DescribedOperation }[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => method !== 'get')
      .map(([lower, operation]) => {
        const method = lower.toUpperCase()
        return { name: `${method} ${path}`, method, path, operation }
      }),
  )
}

const send = (method: string, url: string, body: unknown, key: string) =>
  all.product.call(method, url, body, { 'idempotency-key': key })

async function twice(method: string, url: string, body: unknown, key: string) {
  const first = await send(method, url, body, key)
  const text = await first.text()
  const second = await send(method, url, body, key)
  return { first: [first.status, text], second: [second.status, await second.text()], headers: second.headers }
}

describe('an Idempotency-Key', () => {
  test('is taken by every operation that changes something, and the description says so', async () => {
    const found = changes()
    expect(found.length).toBeGreaterThan(80)
    expect(
      found
        .filter(({ operation }) => !takesKey(operation))
        .map(({ name }) => name)
        .sort(),
    ).toEqual([...EACH_TIME].sort())
    const wrong: string[] = []
    for (const { name, method, path, operation } of found) {
      // A key that is too long is refused before anything else of the request is looked at.
      const answer = await send(method, path.replace(/\{\w+\}/g, UNKNOWN), undefined, 'x'.repeat(129))
      const isLookedAt = answer.status === 400 && (await answer.text()).includes('Idempotency-Key')
      if (isLookedAt !== takesKey(operation)) wrong.push(`${name}: ${answer.status}`)
    }
    expect(wrong).toEqual([])
  }, 60_000)

  test('makes one reload of an app, after which its follow-up task starts once', async () => {
    const { simulator } = all.site
    simulator.site.apps.get(APP)!.reloadDurationMs = 60
    simulator.clearRequests()
    const starts = () =>
      simulator.requests({ listener: 'qrs' }).filter(({ method, path }) => method === 'POST' && path.includes(TASK))
    const { first, second, headers } = await twice(
      'PUT',
      `/v4/app/${APP}/reload`,
      { startQSEoWTaskOnSuccess: [TASK] },
      'reload',
    )
    expect(first[0]).toBe(201)
    expect(second).toEqual(first)
    expect(headers.get('idempotent-replay')).toBe('true')
    await until(() => starts().length > 0, { what: 'the task that follows' })
    expect(starts()).toHaveLength(1)
  })

  test('gives every described call its first answer again', async () => {
    const calls = describedCalls(document).filter(
      ({ operation, path, source }) => takesKey(operation) && !LAST.includes(path) && !source,
    )
    expect(calls.length).toBeGreaterThan(40)
    for (const [index, { method, path, name, url, body }] of calls.entries()) {
      if (new URLSearchParams(url.split('?')[1]).get('dryRun') === 'true') continue
      const { first, second, headers } = await twice(method, url, body, `call ${index}`)
      const what = `${method} ${path} (${name})`
      const isKept = headers.get('idempotent-replay') === 'true'
      expect({ what, answer: second }).toEqual({ what, answer: first })
      // Refused calls may be corrected under the same key.
      expect({ what, isKept }).toEqual({ what, isKept: Number(first[0]) < 400 || isKept })
    }
  }, 60_000)

  test('counts once and posts once', async () => {
    await twice('POST', '/v4/keyvalues/counts/increment', { key: 'runs', by: 2 }, 'count')
    const pair = await all.product.call('GET', '/v4/keyvalues/counts?key=runs')
    expect(await pair.json()).toMatchObject({ value: '2' })
    const before = all.sink.requests.length
    await twice('PUT', '/v4/slackpostmessage', { channel: '#ops', from_user: 'F', msg: 'once' }, 'slack')
    await twice('POST', '/v4/newrelic/event', { eventType: 'Once' }, 'event')
    expect(all.sink.requests.length - before).toBe(2)
  })
})
