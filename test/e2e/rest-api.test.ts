/** What every client of the REST API relies on, against the compiled executable. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { freeTcpPort } from '../support/ports.ts'
import { rawHttp } from '../support/raw-http.ts'
import { startSite, type TestSite } from '../support/simulator.ts'

const FINANCIAL = 'a8b4c123-def4-5678-9abc-def012345678'
const SALES = 'b9c5d234-efe5-6789-abcd-ef0123456789'
const UNKNOWN = '11111111-2222-3333-4444-555555555555'
const APP = 'a1000000-0000-4000-8000-000000000002'
const JSON_TYPE = { 'Content-Type': 'application/json' }

const notFound = (method: string, url: string) =>
  `{"message":"Route ${method}:${url} not found","error":"Not Found","statusCode":404}`

/** Every method and path that a switch stands for. */
const SWITCHED: readonly [method: string, path: string][] = [
  ['GET', '/v4/butlerping'],
  ['GET', '/v4/configfile/endpointsenabled'],
  ['GET', '/v4/base62tobase16?base62=a'],
  ['GET', '/v4/base16tobase62?base16=a'],
  ['PUT', `/v4/reloadtask/${FINANCIAL}/start`],
  ['POST', '/v4/reloadtask/-/start'],
  ['POST', '/v4/reloadtask/start'],
  ['PUT', `/v4/app/${APP}/reload`],
  ['GET', `/v4/app/${APP}/dump`],
  ['GET', `/v4/senseappdump/${APP}`],
  ['GET', '/v4/apps/list'],
  ['GET', '/v4/senselistapps'],
  ['GET', '/v4/keyvaluesnamespaces'],
  ['GET', '/v4/keyvalues/ns?key=k'],
  ['GET', '/v4/keyvalues/ns/keyexists?key=k'],
  ['POST', '/v4/keyvalues/ns'],
  ['DELETE', '/v4/keyvalues/ns/k'],
  ['DELETE', '/v4/keyvalues/ns'],
  ['GET', '/v4/keylist/ns'],
  ['GET', '/v4/kvstore/ns'],
  ['GET', '/v4/schedules'],
  ['POST', '/v4/schedules'],
  ['DELETE', '/v4/schedules/x'],
  ['PUT', '/v4/schedules/x/start'],
  ['PUT', '/v4/schedules/startall'],
  ['PUT', '/v4/schedules/x'],
  ['PUT', '/v4/schedules/x/stop'],
  ['PUT', '/v4/schedules/stopall'],
  ['GET', '/v4/schedules/status'],
  ['PUT', '/v4/filecopy'],
  ['PUT', '/v4/filemove'],
  ['DELETE', '/v4/filedelete'],
  ['POST', '/v4/createdir'],
  ['POST', '/v4/createdirqvd'],
  ['PUT', '/v4/mqttpublishmessage'],
  ['PUT', '/v4/slackpostmessage'],
  ['POST', '/v4/newrelic/metric'],
  ['POST', '/v4/newrelic/event'],
]

describe('with every endpoint switched off', () => {
  let product: Footman
  beforeAll(async () => {
    product = await footman({
      simulator: null,
      args: ['--no-qs-connection', '--api-rate-limit', '5'],
      config: { restServerEndpointsEnable: { butlerping: false, senseStartTask: false } },
    })
    await product.start()
  }, 90_000)
  afterAll(() => product?.[Symbol.asyncDispose]())

  test.each(SWITCHED)('%s %s does not exist, and costs no rate limit', async (method, path) => {
    const answer = await rawHttp(product.restPort, { method, path, headers: JSON_TYPE, body: '{}' })
    expect([answer.status, answer.body]).toEqual([404, notFound(method, path)])
    expect(answer.headers['x-ratelimit-limit']).toBeUndefined()
  })
})

describe('requests', () => {
  let site: TestSite
  let product: Footman
  beforeAll(async () => {
    site = await startSite()
    product = await footman({
      simulator: site.simulator,
      config: { restServerEndpointsEnable: { keyValueStore: true } },
    })
    await product.start()
  }, 90_000)
  // A task that is still running cannot be started again.
  afterEach(() => site.simulator.reset())
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  const send = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
    rawHttp(product.restPort, {
      method,
      path,
      headers: { ...(body === undefined ? {} : JSON_TYPE), ...headers },
      ...(body !== undefined && { body }),
    })
  const startedIds = () =>
    site.simulator
      .requests({ listener: 'qrs' })
      .flatMap(({ method, path }) => (method === 'POST' ? (/task\/([0-9a-f-]{36})\/start/.exec(path)?.[1] ?? []) : []))

  describe('the method of a request', () => {
    const overridden = (value: string) => ({ 'X-HTTP-Method-Override': value })

    test('POST with PUT', async () => {
      const answer = await send('POST', `/v4/reloadtask/${FINANCIAL}/start`, '[]', overridden('PUT'))
      expect([answer.status, startedIds()]).toEqual([200, [FINANCIAL]])
    })

    test.each(['DELETE', 'delete'])('POST with %s', async (value) => {
      await send('POST', '/v4/keyvalues/methods', '{"key":"k","value":"v"}')
      const answer = await send('POST', '/v4/keyvalues/methods/k', '{"key":"abc"}', overridden(value))
      expect([answer.status, answer.body]).toEqual([204, ''])
    })

    test('PUT with DELETE stays PUT', async () => {
      const answer = await send('PUT', '/v4/keyvalues/methods', '{}', overridden('DELETE'))
      expect([answer.status, answer.body]).toEqual([404, notFound('PUT', '/v4/keyvalues/methods')])
    })
  })

  describe('starting tasks', () => {
    const started = (...tasks: [taskId: string, taskName: string][]) => ({
      tasksStarted: tasks.map(([taskId, taskName]) => ({ taskId, taskName, status: 'started' })),
      tasksNotFound: [],
      totalTasksStarted: tasks.length,
    })
    const DASHBOARD: [string, string] = [FINANCIAL, 'Financial Dashboard Reload']
    const REPORT: [string, string] = [SALES, 'Sales Report Update']

    /** As documented, blanks included. */
    const DOCUMENTED: [what: string, url: string, body: string | undefined, expected: object][] = [
      ['no body', `/v4/reloadtask/${FINANCIAL}/start`, undefined, started(DASHBOARD)],
      ['{}', `/v4/reloadtask/${FINANCIAL}/start`, '{}', started(DASHBOARD)],
      ['ids', '/v4/reloadtask/-/start', `{"taskId": ["${FINANCIAL}", "${SALES}"]}`, started(DASHBOARD, REPORT)],
      ['the id without a version digit', `/v4/reloadtask/${SALES}/start`, '{}', started(REPORT)],
      ['nothing', '/v4/reloadtask/-/start', '{}', started()],
    ]
    for (const [what, url, body, expected] of DOCUMENTED) {
      test.each(['POST', 'PUT'])(`${what}: %s`, async (method) => {
        const answer = await send(method, url, body)
        expect([answer.status, JSON.parse(answer.body)]).toEqual([200, expected] as never)
        expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
      })
    }

    test('id, tag and property together: each task once', async () => {
      const body = `{"taskId":["${FINANCIAL}"],"tag":["financial-reports"],"customProperty":[{"name":"taskGroup","value":"financial-reports"}]}`
      const { tasksStarted } = JSON.parse((await send('POST', '/v4/reloadtask/-/start', body)).body)
      const ids = tasksStarted.map(({ taskId }: { taskId: string }) => taskId)
      expect(ids.slice(0, 2)).toEqual([FINANCIAL, SALES])
      expect(new Set(ids).size).toBe(ids.length)
      expect(startedIds().toSorted()).toEqual(ids.toSorted())
    })

    test('match all: only what every selector selects', async () => {
      const body = `{"taskId":["${FINANCIAL}","70000000-0000-4000-8000-000000000003"],"tag":["financial-reports"],"match":"all"}`
      expect(JSON.parse((await send('POST', '/v4/reloadtask/-/start', body)).body)).toEqual(started(DASHBOARD))
    })

    const items = (...list: [type: string, payload: object][]) =>
      JSON.stringify(list.map(([type, payload]) => ({ type, payload })))

    test('the array form with all four items', async () => {
      const body = items(
        ['starttaskid', { taskId: FINANCIAL }],
        ['starttasktag', { tag: 'financial-reports' }],
        ['starttaskcustomproperty', { customPropertyName: 'no such', customPropertyValue: 'property' }],
        ['keyvaluestore', { namespace: 'MyFineNamespace', key: 'AnImportantKey', value: 'TheValue', ttl: 10_000 }],
      )
      const answer = await send('PUT', '/v4/reloadtask/-/start?allTaskIdsMustExist=true', body)
      const dashboard = { taskId: FINANCIAL, taskName: 'Financial Dashboard Reload' }
      const report = { taskId: SALES, taskName: 'Sales Report Update' }
      const expected = {
        tasksId: { started: [dashboard], invalid: [], denied: [] },
        tasksTag: [dashboard, report],
        tasksTagDenied: [],
        tasksCP: [],
        tasksCPDenied: [],
      }
      expect([answer.status, answer.body]).toEqual([200, JSON.stringify(expected, null, 2)])
      expect(startedIds().toSorted()).toEqual([FINANCIAL, SALES])
      const pair = await send('GET', '/v4/keyvalues/MyFineNamespace?key=AnImportantKey')
      expect(JSON.parse(pair.body).value).toBe('TheValue')
    })

    test('allTaskIdsMustExist holds back ids, in both forms', async () => {
      const array = items(['starttaskid', { taskId: FINANCIAL }], ['starttaskid', { taskId: UNKNOWN }])
      const url = '/v4/reloadtask/-/start?allTaskIdsMustExist=true'
      const { tasksId } = JSON.parse((await send('PUT', url, array)).body)
      expect(tasksId).toEqual({
        started: [],
        invalid: [{ taskId: UNKNOWN }],
        denied: [{ taskId: FINANCIAL, taskName: 'Financial Dashboard Reload' }],
      })
      const object = JSON.parse((await send('PUT', url, `{"taskId":["${FINANCIAL}","${UNKNOWN}"]}`)).body)
      expect(object).toEqual({ tasksStarted: [], tasksNotFound: [UNKNOWN], totalTasksStarted: 0 })
      expect(startedIds()).toEqual([])
    })

    test('a malformed id: refused in the object form, invalid in the array form', async () => {
      const object = await send('POST', '/v4/reloadtask/-/start', '{"taskId":["abc123"]}')
      expect([object.status, object.body]).toEqual([
        400,
        '{"error":"Invalid task ID format","details":"Task ID must be a valid GUID"}',
      ])
      const array = await send('POST', '/v4/reloadtask/-/start', items(['starttaskid', { taskId: 'abc123' }]))
      expect([array.status, JSON.parse(array.body).tasksId.invalid]).toEqual([200, [{ taskId: 'abc123' }]])
    })

    test.each(['R&D', "O'Brien", 'C#'])('the tag %s', async (name) => {
      const { tags } = site.simulator.site.tasks.get(FINANCIAL)!
      tags.push({ ...tags[0]!, id: '90000000-0000-4000-8000-0000000000aa', name })
      const answer = await send('POST', '/v4/reloadtask/-/start', JSON.stringify({ tag: [name] }))
      const ids = JSON.parse(answer.body).tasksStarted.map(({ taskId }: { taskId: string }) => taskId)
      expect(ids).toContain(FINANCIAL)
    })
  })

  describe('what cannot be read', () => {
    test.each([
      [413, '"'.padEnd(1_048_600, 'z'), JSON_TYPE, 'FST_ERR_CTP_BODY_TOO_LARGE', 'Request body is too large'],
      [415, 'no JSON', { 'Content-Type': 'text/csv' }, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', 'Unsupported Media Type'],
      [
        400,
        '{"a":',
        JSON_TYPE,
        'FST_ERR_CTP_INVALID_JSON_BODY',
        "Body is not valid JSON but content-type is set to 'application/json'",
      ],
    ])('is answered with %i', async (status, body, headers, code, message) => {
      const answer = await send('POST', '/v4/keyvalues/ns', body, headers)
      expect([answer.status, JSON.parse(answer.body)]).toMatchObject([status, { statusCode: status, code, message }])
    })
  })

  describe('names and texts of the key-value store', () => {
    test('a slash in namespace and key', async () => {
      await send('POST', '/v4/keyvalues/a%2Fb', '{"key":"c/d","value":"v"}')
      const read = await send('GET', '/v4/keyvalues/a%2Fb?key=c%2Fd')
      expect(read.body).toBe('{"namespace":"a/b","key":"c/d","value":"v"}')
      const alias = await send('GET', '/v4/kvstore/a%2Fb?key=c/d')
      expect(alias.body).toBe(read.body)
      expect((await send('DELETE', '/v4/kvstore/a%2Fb?key=c/d')).status).toBe(204)
      const gone = await send('GET', '/v4/kvstore/a%2Fb?key=c/d')
      expect([gone.status, JSON.parse(gone.body).message]).toEqual([400, "Key 'c/d' not found in namespace: a/b"])
      const unknown = await send('GET', '/v4/keyvalues/nons?key=k')
      expect([unknown.status, JSON.parse(unknown.body).message]).toEqual([400, 'Namespace not found: nons'])
    })
  })
})

describe('the limit of keys', () => {
  test('refuses new ones, and says what it is', async () => {
    await using product = await footman({
      simulator: null,
      args: ['--no-qs-connection'],
      config: { restServerEndpointsEnable: { keyValueStore: true }, keyValueStore: { maxKeysPerNamespace: 2 } },
    })
    await product.start()
    const store = async (key: string) => (await product.call('POST', '/v4/keyvalues/ns1', { key, value: 'v' })).json()
    await store('a')
    await store('b')
    expect(await store('c')).toMatchObject({
      statusCode: 400,
      message: 'Maximum number of keys (2) reached in namespace: ns1',
    })
    expect(await store('a')).toMatchObject({ key: 'a' })
  }, 90_000)
})

describe('the rate limit', () => {
  test('of three a minute: headers count down, the fourth call is refused', async () => {
    await using product = await footman({ simulator: null, args: ['--no-qs-connection', '--api-rate-limit=3'] })
    await product.start()
    const ping = () => product.call('GET', '/v4/butlerping')
    const answers = [await ping(), await ping(), await ping(), await ping()]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    expect(answers.map(({ headers }) => headers.get('x-ratelimit-remaining'))).toEqual(['2', '1', '0', '0'])
    const refused = answers[3]!
    expect(refused.headers.get('retry-after')).toBe(refused.headers.get('x-ratelimit-reset'))
    expect(await refused.json()).toMatchObject({
      statusCode: 429,
      error: 'Too Many Requests',
      message: expect.stringMatching(/^Rate limit exceeded, retry in (\d+ seconds?|1 minute)$/),
    })
  }, 90_000)

  test('of 0 is none', async () => {
    await using product = await footman({ simulator: null, args: ['--no-qs-connection', '--api-rate-limit', '0'] })
    await product.start()
    const { status, headers } = await product.call('GET', '/v4/butlerping')
    expect([status, headers.has('x-ratelimit-limit')]).toEqual([200, false])
  }, 90_000)
})

describe('TLS', () => {
  test('with certificates of its own: https, and nothing in clear', async () => {
    await using site = await startSite()
    const { server, ca } = site.simulator.certificates.pem
    await using product = await footman({
      simulator: null,
      args: ['--no-qs-connection'],
      config: { restServerConfig: { tls: { enable: true, cert: 'rest.pem', key: 'rest-key.pem' } } },
    })
    writeFileSync(product.directory.join('rest.pem'), server.cert.pem)
    writeFileSync(product.directory.join('rest-key.pem'), server.key.pem)
    await product.start()
    const status = await new Promise((resolve, reject) => {
      httpsRequest(`https://127.0.0.1:${product.restPort}/v4/butlerping`, { ca: ca.pem }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
        .on('error', reject)
        .end()
    })
    expect(status).toBe(200)
    await expect(product.call('GET', '/v4/butlerping')).rejects.toThrow()
  }, 90_000)

  test('with a file that cannot be read: exit code 2 and the reason', async () => {
    await using product = await footman({
      simulator: null,
      config: {
        restServerConfig: {
          serverPort: await freeTcpPort(),
          tls: { enable: true, cert: '/nowhere/cert.pem', key: '/nowhere/key.pem' },
        },
      },
    })
    const args = ['run', '-c', product.configFile, '--no-qs-connection']
    const { code, stdout } = await runToEnd(args, { cwd: product.directory.path })
    expect(code).toBe(2)
    expect(stdout).toMatch(/REST API TLS cert file could not be loaded \(\/nowhere\/cert\.pem\): ENOENT/)
  }, 90_000)
})
