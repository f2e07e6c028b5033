import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import {
  createWebhookDestination,
  webhookProblems,
  webhookRules,
} from '../../../src/alerts/butler-sections/webhooks.ts'
import type { DeliveryResult } from '../../../src/alerts/types.ts'
import type { TaskEvent } from '../../../src/events/types.ts'
import { ALERT, fullEvent, webhookConfig } from '../../support/alerts.ts'
import { testCertificates } from '../../support/conformance/certificates.ts'
import { APP_ID, TASK_ID, taskEvent } from '../../support/events.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { tempDirectory } from '../../support/temp.ts'

const DELIVERY = '019cad24-c0ec-7b7c-b06b-c8fb46460cb1'
const never = new AbortController().signal

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function sink(): Promise<HttpSink> {
  const server = await startHttpSink()
  cleanups.push(() => server.stop())
  return server
}

function caller(webhooks: readonly object[], options: { timeoutMs?: number; rateLimit?: number } = {}) {
  const section = { rateLimit: options.rateLimit ?? 300, webhooks }
  const config = webhookConfig({ reloadTaskFailure: section, reloadTaskAborted: section })
  const log = recordingLog()
  const destination = createWebhookDestination(
    {
      clock: { now: () => Date.parse('2026-03-02T06:00:00.000Z') },
      log,
      candidates: (path: string) => [path],
      ...(options.timeoutMs ? { timeoutMs: options.timeoutMs } : {}),
    },
    config,
  )
  cleanups.push(() => destination.close?.())
  const routes = webhookRules(config)
  const routeOf = (event: TaskEvent) => routes.find(({ when }) => when.outcomes.includes(event.outcome))!
  return {
    log,
    routeOf,
    plan: (event = fullEvent()) => routeOf(event).plan(event),
    /** Renders and calls everything that the route plans for the event. */
    async send(event = fullEvent(), signal = never): Promise<readonly DeliveryResult[]> {
      const rule = routeOf(event)
      const planned = rule.plan(event).filter(({ suppress }) => !suppress)
      const messages = await Promise.all(
        planned.map(({ target }) =>
          destination.render({ event, rule, target, deliveryId: DELIVERY, suppressed: 0, ...ALERT }),
        ),
      )
      return destination.deliver(messages, signal)
    },
  }
}

const hook = (webhookURL: string, httpMethod = 'POST', more: object = {}) => ({
  description: 'Ticket system',
  webhookURL,
  httpMethod,
  ...more,
})

const PAYLOAD = {
  event: 'Qlik Sense reload failed',
  hostName: 'qs-prod-1',
  user: 'ACME\\svc-qlik',
  taskName: 'Sales DW - hourly',
  taskId: TASK_ID,
  appName: 'Sales DW',
  appId: APP_ID,
  appOwnerName: 'Anna Larsson',
  appOwnerUserDirectory: 'ACME',
  appOwnerUserId: 'anna',
  appOwnerEmail: 'anna@acme.example',
  logTimeStamp: '2025-10-14 09:28:43,099',
  logLevel: 'INFO',
  executionId: 'e5000000-0000-4000-8000-000000000001',
  logMessage: 'Max retries reached',
}

describe('the request', () => {
  test.each(['POST', 'PUT'])('%s sends JSON in this order and keeps the query', async (method) => {
    const server = await sink()
    const results = await caller([hook(`${server.url}/hook?token=1`, method)]).send()
    expect(results).toEqual([{ outcome: 'delivered', detail: 'HTTP 200' }])
    const [request] = server.requests
    expect(request).toMatchObject({ method, url: '/hook?token=1', body: JSON.stringify(PAYLOAD) })
    expect(request!.headers).toMatchObject({
      'content-type': 'application/json',
      accept: 'application/json, text/plain, */*',
      'idempotency-key': DELIVERY,
    })
  })

  test('GET sends the same fields as a query, after the one that is there', async () => {
    const server = await sink()
    await caller([hook(`${server.url}/hook?token=1`, 'GET')]).send()
    expect(server.requests[0]).toMatchObject({
      method: 'GET',
      body: '',
      url:
        '/hook?token=1&event=Qlik+Sense+reload+failed&hostName=qs-prod-1&user=ACME%5Csvc-qlik' +
        `&taskName=Sales+DW+-+hourly&taskId=${TASK_ID}&appName=Sales+DW&appId=${APP_ID}` +
        '&appOwnerName=Anna+Larsson&appOwnerUserDirectory=ACME&appOwnerUserId=anna' +
        '&appOwnerEmail=anna%40acme.example&logTimeStamp=2025-10-14+09%3A28%3A43%2C099&logLevel=INFO' +
        '&executionId=e5000000-0000-4000-8000-000000000001&logMessage=Max+retries+reached',
    })
  })

  test('any name arrives as it is', async () => {
    const server = await sink()
    const taskName = 'A "B" & <C> \\D ü=+%'
    await caller([hook(server.url), hook(server.url, 'GET')]).send(fullEvent({ taskName }))
    const [posted, got] = [...server.requests].sort((a, b) => b.method.localeCompare(a.method))
    expect(JSON.parse(posted!.body).taskName).toBe(taskName)
    expect(new URL(got!.url, server.url).searchParams.get('taskName')).toBe(taskName)
  })

  test('an unknown owner is empty texts', async () => {
    const server = await sink()
    await caller([hook(server.url), hook(server.url, 'GET')]).send(taskEvent({ missingParts: ['app', 'owner'] }))
    const empty = { appOwnerName: '', appOwnerUserDirectory: '', appOwnerUserId: '', appOwnerEmail: '' }
    for (const { method, body, url } of server.requests) {
      const fields = method === 'GET' ? Object.fromEntries(new URL(url, server.url).searchParams) : JSON.parse(body)
      expect(fields).toMatchObject(empty)
      expect(Object.keys(fields)).toEqual(Object.keys(PAYLOAD))
    }
  })

  test.each([
    ['failed', 'Qlik Sense reload failed', 'ACME\\anna'],
    ['aborted', 'Qlik Sense reload aborted', 'ACME\\\\anna'],
  ] as const)('of outcome %s', async (outcome, event, user) => {
    const server = await sink()
    await caller([hook(server.url)]).send(fullEvent({ outcome, user: 'ACME\\\\anna' }))
    expect(JSON.parse(server.requests[0]!.body)).toMatchObject({ event, user })
  })

  test('follows redirects', async () => {
    const server = await sink()
    server.answer(({ url }) => (url === '/old' ? { status: 308, headers: { location: '/new' } } : {}))
    expect(await caller([hook(`${server.url}/old`)]).send()).toEqual([{ outcome: 'delivered', detail: 'HTTP 200' }])
    expect(server.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(['POST /old', 'POST /new'])
    expect(JSON.parse(server.requests[1]!.body)).toEqual(PAYLOAD)
  })
})

describe('the answer', () => {
  test.each([
    [200, {}, { outcome: 'delivered' }],
    [204, {}, { outcome: 'delivered' }],
    [400, {}, { outcome: 'rejected' }],
    [401, {}, { outcome: 'retry', slow: true }],
    [403, {}, { outcome: 'retry', slow: true }],
    [404, {}, { outcome: 'retry', slow: true }],
    [408, {}, { outcome: 'retry' }],
    [410, {}, { outcome: 'rejected' }],
    [425, {}, { outcome: 'retry' }],
    [429, { 'retry-after': '7' }, { outcome: 'retry', retryAfterMs: 7_000 }],
    [429, { 'retry-after': '86400' }, { outcome: 'retry', retryAfterMs: 3_600_000 }],
    [503, { 'retry-after': 'Mon, 02 Mar 2026 06:00:30 GMT' }, { outcome: 'retry', retryAfterMs: 30_000 }],
    [500, {}, { outcome: 'retry' }],
    [304, {}, { outcome: 'rejected' }],
  ] as const)('HTTP %d with %p', async (status, headers, expected) => {
    const server = await sink()
    server.answer({ status, headers, ...(status === 204 || status === 304 ? {} : { body: 'internal stuff' }) })
    expect(await caller([hook(server.url)]).send()).toEqual([{ ...expected, detail: `HTTP ${status}` }])
  })

  test('down, three attempts, up again: one call', async () => {
    const server = await sink()
    const { send } = caller([hook(server.url)])
    await server.down()
    for (let attempt = 0; attempt < 3; attempt++) expect(await send()).toMatchObject([{ outcome: 'retry' }])
    await server.up()
    expect(await send()).toMatchObject([{ outcome: 'delivered' }])
    expect(server.requests).toHaveLength(1)
  })

  test('too slow', async () => {
    const server = await sink()
    server.answer({ hang: true })
    const [result] = await caller([hook(server.url)], { timeoutMs: 100 }).send()
    expect(result).toMatchObject({ outcome: 'retry', detail: expect.stringContaining('did not answer within') })
  })

  test('the connection breaks', async () => {
    const server = await sink()
    server.answer({ reset: true })
    expect(await caller([hook(server.url)]).send()).toMatchObject([{ outcome: 'retry' }])
    expect(server.requests).toHaveLength(1)
  })

  test('calling stops when the signal says so', async () => {
    const server = await sink()
    server.answer({ hang: true })
    const controller = new AbortController()
    const sending = caller([hook(server.url)]).send(fullEvent(), controller.signal)
    await server.received(1)
    controller.abort()
    expect(await sending).toMatchObject([{ outcome: 'retry' }])
  })
})

describe('a list of webhooks', () => {
  test('an invalid first entry does not stop the others', async () => {
    const server = await sink()
    const list = [hook('ftp://files.acme.example/x'), hook(`${server.url}/a`), hook(`${server.url}/b`)]
    const { send, plan, log } = caller(list)
    await send()
    expect(server.requests.map(({ url }) => url).sort()).toEqual(['/a', '/b'])
    expect(plan()[0]).toMatchObject({ suppress: { reason: 'RECIPIENT_INVALID' } })
    expect(log.of('error')).toContainEqual(expect.stringContaining('webhookURL must start with http:// or https://'))
  })

  test('a dead one does not stop the others', async () => {
    const [dead, alive] = [await sink(), await sink()]
    await dead.down()
    const results = await caller([hook(dead.url), hook(alive.url)]).send()
    expect(results.map(({ outcome }) => outcome)).toEqual(['retry', 'delivered'])
  })

  test('names, lanes and one common rate limit', () => {
    const { plan } = caller([
      hook('https://a.example/secret-path?token=abc', 'POST', { description: 'Tickets' }),
      hook('https://a.example:8443/x', 'POST', { description: '' }),
      hook('http://a.example/1'),
      hook('http://a.example/2'),
    ])
    const limit = { key: `butler.webhookNotification.reloadTaskFailure|${TASK_ID}`, windowMs: 300_000 }
    expect(plan()).toEqual([
      { target: 'a.example (Tickets)', lane: 'webhook:https://a.example:443', limit },
      { target: 'a.example:8443 (#2)', lane: 'webhook:https://a.example:8443', limit },
      { target: 'a.example (Ticket system) #3', lane: 'webhook:http://a.example:80', limit },
      { target: 'a.example (Ticket system) #4', lane: 'webhook:http://a.example:80', limit },
    ])
  })

  test('no secret of an address is logged, recorded or named', async () => {
    const server = await sink()
    await server.down()
    const address = server.url.replace('http://', 'http://user:pass-word@')
    const { send, plan, log } = caller([
      hook(`${address}/secret-path?token=secret-token`),
      hook('nonsense:secret-token'),
    ])
    const results = await send()
    const seen = JSON.stringify([results, plan(), log.lines])
    expect(seen).not.toMatch(/secret-path|secret-token|pass-word/)
  })
})

test('webhooks that cannot be called are found without calling', () => {
  const certless = { cert: { enable: true } }
  const list = [hook('https://a.example'), hook('ftp://x'), hook('https://a.example', 'GET', certless), hook('')]
  const found = webhookProblems(webhookConfig({ reloadTaskFailure: { webhooks: list } }))
  expect(found.map(({ path, message }) => `${path}: ${message}`)).toEqual([
    'Butler.webhookNotification.reloadTaskFailure.webhooks[1]: webhookURL must start with http:// or https://',
    'Butler.webhookNotification.reloadTaskFailure.webhooks[2]: cert.enable is true but cert.certCA names no file',
    'Butler.webhookNotification.reloadTaskFailure.webhooks[3]: webhookURL is not a valid address',
  ])
})

test('sections without webhooks make no route', () => {
  expect(webhookRules(webhookConfig({ reloadTaskFailure: { webhooks: [] } }))).toEqual([])
  expect(webhookRules(webhookConfig({ enable: false, reloadTaskFailure: { webhooks: [hook('http://a')] } }))).toEqual(
    [],
  )
})

describe('a private certificate authority', () => {
  async function secureServer() {
    const { server: files, ca } = await testCertificates()
    const bodies: string[] = []
    const server = createServer({ cert: files.cert.pem, key: files.key.pem }, (request, response) => {
      request.on('data', (chunk) => bodies.push(String(chunk))).on('end', () => response.end())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => server.close())
    const directory = tempDirectory()
    cleanups.push(() => directory.remove())
    const certCA = directory.join('ca.pem')
    writeFileSync(certCA, ca.pem)
    return { url: `https://localhost:${(server.address() as AddressInfo).port}/`, certCA, bodies }
  }

  test('is trusted when named', async () => {
    const { url, certCA, bodies } = await secureServer()
    const cert = { enable: true, rejectUnauthorized: true, certCA }
    expect(await caller([hook(url, 'POST', { cert })]).send()).toMatchObject([{ outcome: 'delivered' }])
    expect(JSON.parse(bodies.join(''))).toEqual(PAYLOAD)
  })

  test('is not trusted otherwise', async () => {
    const { url } = await secureServer()
    expect(await caller([hook(url)]).send()).toMatchObject([{ outcome: 'retry' }])
  })

  test('whose file is missing is looked for again later', async () => {
    const { url, certCA } = await secureServer()
    const cert = { enable: true, certCA: `${certCA}.gone` }
    const { send } = caller([hook(url, 'POST', { cert })])
    expect(await send()).toMatchObject([{ outcome: 'retry', slow: true, detail: expect.stringContaining('certCA') }])
    writeFileSync(`${certCA}.gone`, (await testCertificates()).ca.pem)
    expect(await send()).toMatchObject([{ outcome: 'delivered' }])
  })
})
