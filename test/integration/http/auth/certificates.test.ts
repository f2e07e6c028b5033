import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, type RequestOptions, request } from 'node:https'
import { connect } from 'node:tls'
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import {
  type Authority,
  CLIENT_EXTENSIONS,
  createAuthority,
  createKeys,
  privatePem,
  SERVER_EXTENSIONS,
  sign,
  type Validity,
} from '../../../../simulator/pki.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'
import { until } from '../../../support/wait.ts'
import { type AccessApi, accessApi, bearer, makeKey } from './support.ts'

const DAY = 86_400_000
const valid: Validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + 30 * DAY) }
const past: Validity = { notBefore: new Date(Date.now() - 3 * DAY), notAfter: new Date(Date.now() - DAY) }

interface Client {
  readonly cert: string
  readonly key: string
}

let files: TempDirectory
let servers: Authority
let clients: Authority
let strangers: Authority

const path = (name: string): string => files.join(`${name}.pem`)

async function makeServer(name: string): Promise<void> {
  const keys = await createKeys()
  writeFileSync(path(name), await sign(servers, `CN=${name}`, keys.publicKey, valid, SERVER_EXTENSIONS))
  writeFileSync(path(`${name}-key`), await privatePem(keys))
}

async function makeClient(
  subject: string,
  { authority = clients, validity = valid, names = [] as x509.JsonGeneralName[] } = {},
): Promise<Client> {
  const keys = await createKeys()
  const extensions = () => [
    ...CLIENT_EXTENSIONS(),
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
  ]
  return { cert: await sign(authority, subject, keys.publicKey, validity, extensions), key: await privatePem(keys) }
}

beforeAll(async () => {
  files = tempDirectory()
  servers = await createAuthority('Servers', valid)
  clients = await createAuthority('Clients', valid)
  strangers = await createAuthority('Strangers', valid)
  await Promise.all(['server', 'next'].map(makeServer))
  for (const [name, authority] of Object.entries({ servers, clients, strangers })) {
    writeFileSync(path(name), authority.certificate.toString('pem'))
  }
})
afterAll(() => files.remove())

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const erp = makeKey()
const GRANTS = [
  { subject: 'CN=batch-gateway', scopes: ['task:run'] },
  { subject: 'CN=whole, OU=Batch, O=Acme\\, Inc.', scopes: ['task:run'] },
  { subject: 'DNS:etl.acme.example', scopes: ['task:run'] },
  { subject: 'email:anna@acme.example', scopes: ['file:write'] },
  { subject: 'CN=batch-gateway', scopes: ['admin'] },
]

async function started(required = false, options: { tlsCheckMs?: number } = {}): Promise<AccessApi> {
  const api = await accessApi({
    access: {
      keys: [{ id: 'erp', hash: erp.hash, scopes: ['file:write'] }],
      clientCertificates: { caFile: path('clients'), required, grants: GRANTS },
    },
    tls: { enable: true, cert: path('server'), key: path('server-key') },
    settings: options,
  })
  cleanups.push(() => api[Symbol.asyncDispose]())
  return api
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, unknown>>
}

function call(api: AccessApi, target: string, options: RequestOptions = {}, body = '{}'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: api.port,
        method: 'PUT',
        path: target,
        ca: servers.certificate.toString('pem'),
        agent: false,
        ...options,
        headers: { 'content-type': 'application/json', ...(options.headers as Record<string, string>) },
      },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text, headers: answer.headers }))
        answer.on('error', reject)
      },
    )
    sent.on('error', reject)
    sent.end(options.method === 'GET' ? undefined : body)
  })
}

describe('client certificates', () => {
  test('the first grant whose subject fits counts', async () => {
    const api = await started()
    const gateway = await makeClient('CN=batch-gateway, O=Acme')
    const answer = await call(api, '/v4/run', gateway)
    expect([answer.status, JSON.parse(answer.body).actor]).toEqual([200, 'cert:batch-gateway'])
    expect((await call(api, '/v4/filecopy', gateway)).status).toBe(403)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.headers['content-length']).toBe(String(answer.body.length))
    expect((await api.audit())[0]).toMatchObject({ actor: 'cert:batch-gateway', address: '127.0.0.1' })
  })

  test('a foreign page cannot use the certificate of its visitor, nor what needs no credentials; a key works', async () => {
    const api = await started()
    const gateway = await makeClient('CN=batch-gateway, O=Acme')
    const own = { origin: `https://127.0.0.1:${api.port}`, 'sec-fetch-site': 'same-origin' }
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    const as = async (headers: Record<string, string>, client: Partial<Client> = gateway, target = '/v4/run') => {
      const { status, body } = await call(api, target, { ...client, headers, servername: 'localhost' })
      return [status, (JSON.parse(body) as { code?: string }).code ?? null]
    }
    expect(await as(own)).toEqual([200, null])
    expect(await as(foreign)).toEqual([403, 'CROSS_SITE'])
    expect(await as({ 'sec-fetch-site': 'cross-site' })).toEqual([403, 'CROSS_SITE'])
    expect(await as({ host: 'evil.example', origin: 'https://evil.example' })).toEqual([403, 'HOST_NOT_ALLOWED'])
    expect(await as(foreign, {})).toEqual([401, 'UNAUTHENTICATED'])
    expect(await as({ ...foreign, ...bearer(erp.key) }, {}, '/v4/filecopy')).toEqual([200, null])
    expect(api.effects.length).toBe(2)
    expect((await api.audit()).map(({ actor, status }) => `${actor} ${status}`)).toContain('cert:batch-gateway 403')
  })

  test('a whole name, a DNS name and a mail address', async () => {
    const api = await started()
    const status = async (client: Client, target = '/v4/run') => (await call(api, target, client)).status
    expect(await status(await makeClient('O=Acme\\, Inc., OU=Batch, CN=whole'))).toBe(200)
    expect(await status(await makeClient('CN=whole, OU=Batch, O=Acme\\, Inc.'))).toBe(200)
    expect(await status(await makeClient('CN=whole, OU=Other, O=Acme\\, Inc.'))).toBe(401)
    expect(await status(await makeClient('CN=whole'))).toBe(401)
    expect(await status(await makeClient('CN=x', { names: [{ type: 'dns', value: 'etl.acme.example' }] }))).toBe(200)
    expect(await status(await makeClient('CN=x', { names: [{ type: 'dns', value: '*.acme.example' }] }))).toBe(401)
    expect(await status(await makeClient('CN=etl.acme.example'))).toBe(401)
    const anna = await makeClient('CN=Anna', { names: [{ type: 'email', value: 'anna@acme.example' }] })
    expect([await status(anna, '/v4/filecopy'), await status(anna)]).toEqual([200, 403])
    expect(await status(await makeClient('CN=batch-gateway, CN=other'))).toBe(401)
    // The separator of names inside a name.
    expect(await status(await makeClient('CN=x\\, CN=batch-gateway'))).toBe(401)
  })

  test('unknown authority, past dates, unknown subject: 401; without one only what is open', async () => {
    const api = await started()
    const wrong = [
      await makeClient('CN=batch-gateway', { authority: strangers }),
      await makeClient('CN=batch-gateway', { authority: servers }),
      await makeClient('CN=batch-gateway', { validity: past }),
      await makeClient('CN=nobody'),
    ]
    for (const client of wrong) {
      const refused = await call(api, '/v4/run', client)
      expect(JSON.parse(refused.body)).toMatchObject({ statusCode: 401, code: 'UNAUTHENTICATED' })
      expect((await call(api, '/v4/open', { ...client, method: 'GET' })).status).toBe(401)
    }
    expect((await call(api, '/v4/run')).status).toBe(401)
    expect((await call(api, '/v4/open', { method: 'GET' })).status).toBe(200)
    expect(api.effects).toEqual(['GET /v4/open'])
  })

  test('a key wins over a certificate', async () => {
    const api = await started()
    const gateway = await makeClient('CN=batch-gateway')
    const answer = await call(api, '/v4/filecopy', { ...gateway, headers: bearer(erp.key) })
    expect(JSON.parse(answer.body).actor).toBe('key:erp')
    expect((await call(api, '/v4/run', { ...gateway, headers: bearer('wrong') })).status).toBe(401)
    const stranger = await makeClient('CN=batch-gateway', { authority: strangers })
    expect((await call(api, '/v4/filecopy', { ...stranger, headers: bearer(erp.key) })).status).toBe(200)
  })

  test('required: the handshake fails without a good one', async () => {
    const api = await started(true)
    expect((await call(api, '/v4/run', await makeClient('CN=batch-gateway'))).status).toBe(200)
    await expect(call(api, '/v4/open', { method: 'GET' })).rejects.toThrow()
    const stranger = await makeClient('CN=batch-gateway', { authority: strangers })
    await expect(call(api, '/v4/open', { method: 'GET', ...stranger })).rejects.toThrow()
    expect(api.effects).toEqual(['PUT /v4/run'])
  })

  test('one connection carries many requests, bodies that nobody reads included', async () => {
    const api = await started()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    cleanups.push(() => agent.destroy())
    const gateway = await makeClient('CN=batch-gateway')
    const long = JSON.stringify({ filler: 'x'.repeat(300_000) })
    const statuses: number[] = []
    for (const target of ['/v4/run', '/v4/nope', '/v4/filecopy', '/v4/run']) {
      statuses.push((await call(api, target, { agent, ...gateway }, long)).status)
    }
    expect(statuses).toEqual([200, 404, 403, 200])
    expect((await call(api, '/v4/run', gateway, 'x'.repeat(1_100_000))).status).toBe(413)
  })
})

describe('changed files', () => {
  const served = (api: AccessApi): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: api.port, rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN))
        socket.destroy()
      })
      socket.on('error', reject)
    })

  async function watched() {
    copyFileSync(path('server'), path('live'))
    copyFileSync(path('server-key'), path('live-key'))
    copyFileSync(path('clients'), path('live-ca'))
    const api = await accessApi({
      access: { clientCertificates: { caFile: path('live-ca'), required: false, grants: GRANTS } },
      tls: { enable: true, cert: path('live'), key: path('live-key') },
      settings: { tlsCheckMs: 10 },
    })
    cleanups.push(() => api[Symbol.asyncDispose]())
    return api
  }

  test('are served to new connections while open ones stay', async () => {
    const api = await watched()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    cleanups.push(() => agent.destroy())
    const gateway = await makeClient('CN=batch-gateway')
    const kept = () => call(api, '/v4/run', { agent, ...gateway })
    expect((await kept()).status).toBe(200)
    const socket = Object.values(agent.freeSockets)[0]?.[0]
    expect(socket).toBeDefined()
    expect(await served(api)).toBe('server')
    copyFileSync(path('next'), path('live'))
    copyFileSync(path('next-key'), path('live-key'))
    await until(async () => (await served(api)) === 'next')
    expect((await kept()).status).toBe(200)
    expect(Object.values(agent.freeSockets)[0]?.[0]).toBe(socket!)
    expect(api.log.of('info')).toContainEqual(
      expect.stringMatching(/^MAIN: REST server uses the new TLS files; the certificate is valid until /),
    )
  })

  test('that cannot be used are told once, and the old ones stay in use', async () => {
    const api = await watched()
    const problems = () => api.log.of('error')
    writeFileSync(path('live'), 'no certificate')
    await until(() => problems().length === 1)
    copyFileSync(path('next'), path('live'))
    await until(() => problems().length === 2)
    expect(problems()[0]).toMatch(/^CERTIFICATE_INVALID: .*\. The REST server goes on with the old files\.$/)
    expect(problems()[1]).toBe(
      'CERTIFICATE_INVALID: The certificate and the key of the REST API do not belong together. The REST server goes on with the old files.',
    )
    expect(await served(api)).toBe('server')
    copyFileSync(path('next-key'), path('live-key'))
    await until(async () => (await served(api)) === 'next')
    expect(problems()).toHaveLength(2)
    expect(JSON.stringify(problems())).not.toContain(readFileSync(path('next-key'), 'utf8').split('\n')[1]!)
  })

  test('the authority of the clients, too', async () => {
    const api = await watched()
    const [known, stranger] = [
      await makeClient('CN=batch-gateway'),
      await makeClient('CN=batch-gateway', { authority: strangers }),
    ]
    const statuses = async () => [
      (await call(api, '/v4/run', known)).status,
      (await call(api, '/v4/run', stranger)).status,
    ]
    expect(await statuses()).toEqual([200, 401])
    copyFileSync(path('strangers'), path('live-ca'))
    await until(async () => (await call(api, '/v4/run', stranger)).status === 200)
    expect(await statuses()).toEqual([401, 200])
  })
})
