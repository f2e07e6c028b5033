/** The console behind real proxies, over TLS with client certificates, and with names that nobody would choose. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { certificatePair, clientPair } from '../../support/certificates.ts'
import { crawl, newKey, visitor } from '../../support/console.ts'
import { type Footman, footman } from '../../support/footman.ts'
import { startPathProxy } from '../../support/path-proxy.ts'
import { type SmtpSink, startSmtpSink } from '../../support/smtp-sink.ts'
import { tempDirectory } from '../../support/temp.ts'

const OPS = newKey('ops', 'admin')
const FAILURE = [
  '/scheduler-task-failed/',
  'qs-central',
  'Load',
  'Sales Dashboard',
  'INTERNAL\\sa_scheduler',
  'a8b4c123-0000-4000-8000-000000000001',
  'a1000000-0000-4000-8000-000000000002',
  '2026-03-02 07:00:00,000',
  'ERROR',
  'e9000000-0000-4000-8000-000000000001',
  'Max retries reached',
].join(';')

describe.each([
  ['takes the path away', { keepsPath: false, isTls: false }],
  ['keeps the path', { keepsPath: true, isTls: false }],
  ['takes the path away, and TLS too', { keepsPath: false, isTls: true }],
])('behind a proxy that %s', (_, { keepsPath, isTls }) => {
  let mail: SmtpSink
  let product: Footman
  let proxy: Awaited<ReturnType<typeof startPathProxy>>
  let tls: { ca?: string } = {}

  beforeAll(async () => {
    const pair = isTls ? await certificatePair('127.0.0.1') : undefined
    tls = pair ? { ca: pair.ca } : {}
    proxy = await startPathProxy('/footman', keepsPath, pair)
    proxy.headers = { 'x-forwarded-prefix': '/footman', ...(isTls && { 'x-forwarded-proto': 'https' }) }
    mail = await startSmtpSink()
    product = await footman({
      simulator: null,
      smtpPort: mail.port,
      args: ['--no-qs-connection'],
      config: {
        footman: {
          watchConfig: false,
          console: { publicUrl: proxy.url },
          api: { trustedProxies: ['127.0.0.1'], allowedHosts: [proxy.host] },
          access: { enable: true, keys: [OPS.entry] },
        },
      },
    })
    await product.start()
    proxy.target = product.restPort
  }, 60_000)
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await proxy?.[Symbol.asyncDispose]()
    await mail?.stop()
  })

  test('pages, sign-in, stream and the link in a mail work', async () => {
    const who = visitor(proxy.url, {}, tls)
    const asked = await who.get('/console/system')
    expect(asked.headers.get('location')).toBe('/footman/console/login?next=%2Ffootman%2Fconsole%2Fsystem')
    const answer = await who.post('/console/login', { credential: OPS.key, next: '/footman/console/system' })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/footman/console/system'])
    expect(who.set[0]).toMatch(
      isTls
        ? /^__Secure-footman_console=[\w-]{43}; Path=\/footman\/console; HttpOnly; Secure; SameSite=Lax$/
        : /^footman_console=[\w-]{43}; Path=\/footman\/console; HttpOnly; SameSite=Lax$/,
    )
    const pages = await crawl(who, '/footman', 20)
    for (const [path, { text }] of pages) {
      const addresses = [...text.matchAll(/ (?:href|src|action|data-worker)="(\/[^"]*)"/g)].map(
        ([, address]) => address,
      )
      expect([path, addresses.filter((address) => !address?.startsWith('/footman/'))]).toEqual([path, []])
    }
    const first = pages.get('/console/system')?.text ?? ''
    const style = /href="\/footman(\/console\/assets\/[^"]+\.css)"/.exec(first)?.[1] ?? ''
    expect((await who.get(style)).status).toBe(200)
    const csrf = await who.csrf('/console/system')
    const theme = await who.post('/console/theme', { csrf, theme: 'dark', return: '/footman/console/system' })
    expect([theme.status, theme.headers.get('location')]).toEqual([303, '/footman/console/system'])

    const stream = (await who.get('/console/api/v4/stream?after=0')).body!.getReader()
    const socket = createSocket('udp4')
    socket.send(FAILURE, product.udpPort, '127.0.0.1')
    let heard = ''
    while (!heard.includes('event: event')) heard += new TextDecoder().decode((await stream.read()).value)
    await stream.cancel()
    socket.close()

    const [{ parsed }] = (await mail.received(1)) as [Awaited<ReturnType<SmtpSink['received']>>[number]]
    const links = [...(parsed.html ?? '').matchAll(/href="([^"]*\/console\/[^"]*)"/g)].map(([, link]) => link ?? '')
    expect(links.length).toBeGreaterThan(0)
    const reader = visitor('', {}, tls)
    for (const link of new Set(links)) {
      expect(link).toStartWith(`${proxy.url}/console/`)
      const path = link.slice(proxy.url.length)
      expect((await reader.get(link)).headers.get('location')).toBe(
        `/footman/console/login?next=${encodeURIComponent(`/footman${path}`)}`,
      )
      expect([link, (await who.get(path)).status < 400]).toEqual([link, true])
    }
  }, 60_000)
})

describe('over TLS of its own', () => {
  let product: Footman
  let server: Awaited<ReturnType<typeof certificatePair>>
  let people: Awaited<ReturnType<typeof clientPair>>
  const files = tempDirectory()

  beforeAll(async () => {
    server = await certificatePair('127.0.0.1')
    people = await clientPair('Anna Admin')
    const file = (name: string, text: string) => {
      writeFileSync(files.join(name), text)
      return files.join(name)
    }
    product = await footman({
      simulator: null,
      args: ['--no-qs-connection'],
      config: {
        restServerConfig: {
          tls: { enable: true, cert: file('cert.pem', server.cert), key: file('key.pem', server.key), ca: null },
        },
        footman: {
          watchConfig: false,
          console: { hsts: true },
          access: {
            enable: true,
            keys: [OPS.entry],
            clientCertificates: {
              caFile: file('clients.pem', people.ca),
              required: false,
              grants: [{ subject: 'CN=Anna Admin', scopes: ['event:read', 'task:read'] }],
            },
          },
        },
      },
    })
    await product.start()
  }, 60_000)
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    files.remove()
  })

  /** A visitor with or without the certificate. */
  const come = (isAnna: boolean) => {
    const base = `https://127.0.0.1:${product.restPort}`
    return visitor(base, {}, { ca: server.ca, ...(isAnna && { cert: people.cert, key: people.key }) })
  }

  test('a person signs in with a client certificate, and without it the session is worth nothing', async () => {
    const anna = come(true)
    const login = await (await anna.get('/console/login')).text()
    expect(login).toContain('Use the certificate CN=Anna Admin')
    expect(await (await come(false).get('/console/login')).text()).not.toContain('Use the certificate')
    const done = await anna.post('/console/login', { certificate: '1', next: '' })
    expect(done.status).toBe(303)
    expect(anna.set[0]).toMatch(/^__Secure-footman_console=[\w-]{43}; Path=\/console; HttpOnly; Secure; SameSite=Lax$/)
    const page = await anna.get('/console/system/about')
    expect(page.headers.get('strict-transport-security')).toBe('max-age=31536000')
    expect(await page.text()).toContain('cert:Anna Admin')
    expect((await anna.get('/console/system/audit')).status).toBe(403)
    const thief = come(false)
    for (const [name, value] of anna.cookies) thief.cookies.set(name, value)
    expect((await thief.get('/console/system')).headers.get('location')).toStartWith('/console/login')
    expect((await come(false).post('/console/login', { certificate: '1', next: '' })).status).toBe(401)
  })

  test('a certificate of another authority opens nothing', async () => {
    const stranger = await clientPair('Anna Admin')
    const status = await new Promise<number>((resolve) => {
      const options = { ca: server.ca, cert: stranger.cert, key: stranger.key, port: product.restPort }
      const call = request({ ...options, host: '127.0.0.1', path: '/console/api/v4/events' }, (answer) => {
        answer.resume()
        resolve(answer.statusCode ?? 0)
      })
      call.on('error', () => resolve(401))
      call.end()
    })
    expect(status).toBe(401)
  })
})
