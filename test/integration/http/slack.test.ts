import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { slackRoutes } from '../../../src/http/relays.ts'
import { createHttpClient } from '../../../src/platform/http-client.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type RoutesApi, routesApi } from '../../support/routes-api.ts'

const SECRET = '/services/T000/B000/secret'
const MESSAGE = { channel: '#general', from_user: 'Butler the Bot', msg: 'Greetings', emoji: ':ghost:' }

let sink: HttpSink
let api: RoutesApi
const http = createHttpClient()
const log = recordingLog()
beforeAll(async () => {
  sink = await startHttpSink()
  api = await slackApi({})
})
beforeEach(async () => {
  await sink.up()
  sink.answer({ body: 'ok' })
})
afterEach(() => {
  sink.requests.length = 0
})
afterAll(async () => {
  await api[Symbol.asyncDispose]()
  await sink.stop()
  http.close()
})

const slackApi = (settings: { webhookURL?: string; shadow?: boolean; timeoutMs?: number }) =>
  routesApi(
    slackRoutes({ http, log }, { webhookURL: `${sink.url}${SECRET}`, shadow: false, timeoutMs: 10_000, ...settings }),
    log,
  )

const post = (body: unknown, headers?: Record<string, string>) => api.send('PUT', '/v4/slackpostmessage', body, headers)

describe('a message that Slack takes', () => {
  test('is posted as mrkdwn and echoed', async () => {
    const answer = await post({ ...MESSAGE, more: 1 })
    expect(answer.body).toBe('{"channel":"#general","from_user":"Butler the Bot","msg":"Greetings","emoji":":ghost:"}')
    expect(answer.status).toBe(201)
    const [request] = sink.requests
    expect(request?.url).toBe(SECRET)
    expect(request?.headers['content-type']).toStartWith('application/json')
    expect(request?.body).toBe(
      '{"username":"Butler the Bot","channel":"#general","icon_emoji":":ghost:","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"Greetings"}}]}',
    )
  })

  test('may do without an emoji', async () => {
    const { emoji: _, ...plain } = MESSAGE
    const answer = await post(plain)
    expect(answer.body).toBe('{"channel":"#general","from_user":"Butler the Bot","msg":"Greetings"}')
    expect(sink.requests[0]?.body).not.toContain('icon_emoji')
  })

  test('is cut into blocks that Slack accepts when it is long', async () => {
    const msg = `${'a'.repeat(2990)}\n${'b'.repeat(3500)}`
    expect((await post({ ...MESSAGE, msg })).status).toBe(201)
    const { blocks } = JSON.parse(sink.requests[0]!.body)
    expect(blocks.map((block: { text: { text: string } }) => block.text.text)).toEqual([
      'a'.repeat(2990),
      'b'.repeat(3000),
      'b'.repeat(500),
    ])
  })

  test('comes from a load script as POST with an override', async () => {
    const answer = await api.send('POST', '/v4/slackpostmessage', MESSAGE, { 'X-HTTP-Method-Override': 'PUT' })
    expect(answer.status).toBe(201)
  })
})

describe('a message that does not arrive', () => {
  const FAILED = 'Failed sending Slack message'

  test('is a 502 when Slack refuses it', async () => {
    sink.answer({ status: 404, body: 'channel_not_found\n' })
    const answer = await post(MESSAGE)
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 502,
      error: 'Bad Gateway',
      message: FAILED,
      details: 'Slack answered 404: channel_not_found',
    })
    expect(answer.status).toBe(502)
    expect(sink.requests).toHaveLength(1)
  })

  test('is a 502 when nobody listens', async () => {
    await sink.down()
    const answer = await post(MESSAGE)
    expect(answer.status).toBe(502)
    expect(JSON.parse(answer.body)).toMatchObject({
      message: FAILED,
      details: `127.0.0.1:${sink.port} refused the connection`,
    })
  })

  test('is a 502 when the connection breaks', async () => {
    sink.answer({ reset: true })
    expect((await post(MESSAGE)).status).toBe(502)
  })

  test('is a 504 when Slack stays silent', async () => {
    await using impatient = await slackApi({ timeoutMs: 300 })
    sink.answer({ hang: true })
    const answer = await impatient.send('PUT', '/v4/slackpostmessage', MESSAGE)
    expect(answer.status).toBe(504)
    expect(JSON.parse(answer.body)).toMatchObject({ message: FAILED, error: 'Gateway Timeout' })
  })

  test('is a 503 when no webhook is set', async () => {
    await using other = await slackApi({ webhookURL: '' })
    const answer = await other.send('PUT', '/v4/slackpostmessage', MESSAGE)
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 503,
      error: 'Service Unavailable',
      message: FAILED,
      details: 'Butler.slackNotification.restMessage.webhookURL is not set.',
    })
    expect(answer.status).toBe(503)
  })

  test('is a 409 in shadow mode', async () => {
    await using other = await slackApi({ shadow: true })
    const answer = await other.send('PUT', '/v4/slackpostmessage', MESSAGE)
    expect(answer.status).toBe(409)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'SHADOW_MODE' })
    expect(sink.requests).toEqual([])
  })

  test('never shows the webhook, which is a secret', async () => {
    sink.answer({ status: 500 })
    const answer = await post(MESSAGE)
    const written = log.lines.map(({ message }) => message).join('\n')
    expect(answer.body + written).not.toContain(SECRET)
    expect(written).toContain('SLACK SEND: Slack answered 500')
  })
})

test.each([
  [{ channel: '#c', msg: 'm' }, "body must have required property 'from_user'"],
  [{ from_user: 'u', msg: 'm' }, "body must have required property 'channel'"],
  [{ channel: '#c', from_user: 'u', msg: { a: 1 } }, 'body/msg must be string'],
  [[], 'body must be object'],
  [undefined, 'body must be object'],
])('%j is refused', async (body, message) => {
  const answer = await post(body)
  expect(JSON.parse(answer.body)).toEqual({
    statusCode: 400,
    code: 'FST_ERR_VALIDATION',
    error: 'Bad Request',
    message,
  })
  expect(sink.requests).toEqual([])
})
