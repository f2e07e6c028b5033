import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createNewRelicSender, newRelicRoutes } from '../../../src/http/relays.ts'
import { createHttpClient } from '../../../src/platform/http-client.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type RoutesApi, routesApi } from '../../support/routes-api.ts'

const NOW = 1_760_426_923_099
const ACCOUNTS = [
  { accountName: 'first', insertApiKey: 'NRAK-FIRST-0001', accountId: '111' },
  { accountName: 'second', insertApiKey: 'NRAK-SECOND-0002', accountId: '222' },
]

let sink: HttpSink
const http = createHttpClient()
const log = recordingLog()
beforeAll(async () => {
  sink = await startHttpSink()
})
beforeEach(async () => {
  await sink.up()
  sink.answer({ status: 202, body: '{"success":true}' })
})
afterEach(() => {
  sink.requests.length = 0
})
afterAll(async () => {
  await sink.stop()
  http.close()
})

function newRelicApi(destinationAccount: readonly string[], shadow = false): Promise<RoutesApi> {
  const shared = {
    destinationAccount,
    header: [{ name: 'X-Team', value: 'bi' }],
    attribute: { static: [{ name: 'env', value: 'prod' }] },
  }
  const send = createNewRelicSender({ http, log }, { accounts: ACCOUNTS, timeoutMs: 2000 })
  return routesApi(
    newRelicRoutes(
      { send, clock: { now: () => NOW } },
      {
        postNewRelicEvent: { ...shared, url: `${sink.url}/` },
        postNewRelicMetric: { ...shared, url: `${sink.url}/metric/v1` },
        shadow,
      },
    ),
    log,
  )
}

describe('what is sent', () => {
  let api: RoutesApi
  beforeAll(async () => {
    api = await newRelicApi(['first'])
  })
  afterAll(() => api[Symbol.asyncDispose]())

  test('an event', async () => {
    const answer = await api.send('POST', '/v4/newrelic/event', {
      eventType: 'relead-failed',
      timestamp: 1642164296053,
      attributes: [{ name: 'host.name', value: 'dev.server.com' }],
    })
    expect([answer.status, answer.headers['content-type'], answer.body]).toEqual([
      202,
      'text/plain; charset=utf-8',
      'Accepted',
    ])
    const [request] = sink.requests
    expect(request?.url).toBe('/v1/accounts/111/events')
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'x-team': 'bi',
      'api-key': 'NRAK-FIRST-0001',
    })
    expect(request?.body).toBe(
      '{"timestamp":1642164296053,"eventType":"relead-failed","env":"prod","host.name":"dev.server.com"}',
    )
  })

  test('an event with attributes that would overwrite its own', async () => {
    await api.send('POST', '/v4/newrelic/event', {
      eventType: 'e',
      timestamp: 0,
      attributes: [
        { name: 'timestamp', value: 'never' },
        { name: 'eventType', value: 'other' },
        { name: 'env', value: 'test' },
      ],
    })
    expect(sink.requests[0]?.body).toBe(`{"timestamp":${NOW},"eventType":"e","env":"test"}`)
  })

  test('a gauge', async () => {
    const answer = await api.send('POST', '/v4/newrelic/metric', {
      name: 'memory.heap',
      type: 'gauge',
      value: '2.3',
      timestamp: 1642164296053,
      interval: 5,
      attributes: [{ name: 'host.name', value: 'dev.server.com' }],
    })
    expect([answer.status, answer.body]).toEqual([202, 'Accepted'])
    expect(sink.requests[0]?.url).toBe('/metric/v1')
    expect(sink.requests[0]?.body).toBe(
      '[{"common":{"timestamp":1642164296053,"attributes":{"env":"prod","host.name":"dev.server.com"}},"metrics":[{"name":"memory.heap","type":"gauge","value":2.3}]}]',
    )
  })

  test('a count with its interval', async () => {
    await api.send('POST', '/v4/newrelic/metric', { name: 'rows', type: 'count', value: 7, interval: 10000 })
    expect(sink.requests[0]?.body).toBe(
      `[{"common":{"timestamp":${NOW},"attributes":{"env":"prod"},"interval.ms":10000},"metrics":[{"name":"rows","type":"count","value":7}]}]`,
    )
  })

  test.each(['event', 'metric'])('%s: status 200 of New Relic is as good as 202', async (kind) => {
    sink.answer({ status: 200 })
    const body = { eventType: 'e', name: 'n', type: 'gauge', value: 1 }
    expect((await api.send('POST', `/v4/newrelic/${kind}`, body)).status).toBe(202)
  })

  const LONG = 'x'.repeat(255)
  test.each([
    ['event', {}, "body must have required property 'eventType'"],
    ['event', { eventType: 'e', attributes: { a: 1 } }, 'body/attributes must be array'],
    ['event', { eventType: LONG }, 'body/eventType must NOT have more than 254 characters'],
    [
      'event',
      { eventType: 'e', attributes: [{ name: LONG, value: '' }] },
      'body/attributes/0/name must NOT have more than 254 characters',
    ],
    ['metric', { type: 'gauge', value: 1 }, "body must have required property 'name'"],
    ['metric', { name: 'n', type: 'gauge', value: 'x' }, 'body/value must be number'],
    ['metric', { name: 'n', type: 'histogram', value: 1 }, 'body/type must be equal to one of the allowed values'],
  ])('%s: %j is refused', async (kind, body, message) => {
    const answer = await api.send('POST', `/v4/newrelic/${kind}`, body)
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 400,
      code: 'FST_ERR_VALIDATION',
      error: 'Bad Request',
      message,
    })
    expect(sink.requests).toEqual([])
  })

  test.each(['count', 'summary'])('a %s without interval is refused', async (type) => {
    const answer = await api.send('POST', '/v4/newrelic/metric', { name: 'n', type, value: 1 })
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 400,
      error: 'Bad Request',
      message: `interval is required for type ${type}`,
    })
  })
})

describe('several accounts', () => {
  const EVENT = { eventType: 'e' }
  const toFirst = (url: string) => url.includes('/111/')

  async function sent(accounts: readonly string[]) {
    await using api = await newRelicApi(accounts)
    const answer = await api.send('POST', '/v4/newrelic/event', EVENT)
    return { status: answer.status, body: answer.status === 202 ? answer.body : JSON.parse(answer.body) }
  }

  test('all are tried, also after a failure, and the failed one is named', async () => {
    sink.answer(({ url }) => ({ status: toFirst(url) ? 403 : 202 }))
    expect(await sent(['first', 'second'])).toEqual({
      status: 502,
      body: {
        statusCode: 502,
        error: 'Bad Gateway',
        message: 'Failed posting event to New Relic',
        details: '"first": New Relic answered 403',
      },
    })
    expect(sink.requests.map(({ headers }) => headers['api-key']).sort()).toEqual([
      'NRAK-FIRST-0001',
      'NRAK-SECOND-0002',
    ])
  })

  test('the same account named twice gets one event', async () => {
    expect((await sent(['first', 'first'])).status).toBe(202)
    expect(sink.requests).toHaveLength(1)
  })

  test('silent ones make a 504', async () => {
    sink.answer({ hang: true })
    const { status, body } = await sent(['first', 'second'])
    expect(status).toBe(504)
    expect(body.details).toContain('"second": 127.0.0.1')
  })

  test('a closed port makes a 502', async () => {
    await sink.down()
    expect((await sent(['first'])).status).toBe(502)
  })

  test('a name without credentials beside a good one is logged, and the event sent', async () => {
    expect((await sent(['first', 'nobody'])).status).toBe(202)
    expect(log.of('warn').join('\n')).toContain('"nobody"')
  })

  test.each([
    [['nobody'], '"nobody" has no credentials in thirdPartyToolsCredentials.newRelic.'],
    [[], 'destinationAccount is empty.'],
  ])('%j: no account at all is a 503', async (accounts, details) => {
    expect(await sent(accounts)).toEqual({
      status: 503,
      body: {
        statusCode: 503,
        error: 'Service Unavailable',
        message: 'No valid New Relic account configured',
        details,
      },
    })
  })

  test('nothing is sent in shadow mode', async () => {
    await using api = await newRelicApi(['first'], true)
    expect((await api.send('POST', '/v4/newrelic/event', EVENT)).status).toBe(409)
    expect(sink.requests).toEqual([])
  })

  test('keys never reach the log', () => {
    expect(log.lines.map(({ message }) => message).join('\n')).not.toContain('NRAK-')
  })
})
