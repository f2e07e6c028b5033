import { afterEach, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { parse } from 'yaml'
import { maskConfig } from '../../../src/config/mask.ts'
import { assetPath } from '../../../src/console/assets.ts'
import { createConfigView } from '../../../src/console/config-page/server.ts'
import { createBrowserRules } from '../../../src/http/middleware/browser-rules.ts'
import { createRateLimit, tooManyRequests } from '../../../src/http/middleware/rate-limit.ts'
import { configOf, loadText } from '../../support/config.ts'
import { rawHttp } from '../../support/raw-http.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { repositoryRoot } from '../../support/source.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const FULL = readFileSync(join(repositoryRoot, 'test/fixtures/config/butler16-full.yaml'), 'utf8')

interface Options {
  readonly config?: object
  readonly obfuscate?: boolean
  readonly host?: string
  readonly perMinute?: number
}

async function view({ config = {}, obfuscate = true, host = '127.0.0.1', perMinute = 300 }: Options = {}) {
  const log = recordingLog()
  const limit = createRateLimit({ now: () => 0 }, perMinute)!
  const browser = createBrowserRules({ allowedHosts: ['footman.acme.example'], origins: [], serverHost: host })
  const service = createConfigView(
    { log, version: '1.2.3', config: () => config, mask: maskConfig, limit, tooManyRequests, browser },
    { host, port: 0, obfuscate },
  )
  await service.start()
  cleanups.push(() => service.stop(200))
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    rawHttp(service.port, { path, method, headers })
  return { service, log, get }
}

const SMTP = {
  emailNotification: { smtp: { host: 'smtp.acme.example', auth: { user: 'butler', password: 'Sesame-1' } } },
}

describe('what is shown', () => {
  test('secrets and addresses masked, in every form', async () => {
    const { get } = await view({ config: SMTP })
    for (const path of ['/', '/config.json', '/config.yaml']) {
      const { status, body } = await get(path)
      expect(status).toBe(200)
      expect(body).not.toContain('Sesame')
      expect(body).not.toContain('smtp.acme.example')
      expect(body).toContain('smt**********')
    }
    const masked = {
      Butler: {
        emailNotification: {
          smtp: { host: 'smt**********', auth: { user: 'but**********', password: '**********' } },
        },
      },
    }
    expect(JSON.parse((await get('/config.json')).body)).toEqual(masked)
    expect(parse((await get('/config.yaml')).body)).toEqual(masked)
  })

  test('the file that is downloaded is the text on the page', async () => {
    const config = await configOf(loadText(FULL, { overrides: { skipVerification: true } }))
    const { get } = await view({ config })
    const { body } = await get('/')
    const code = /<code>(.*)<\/code>/s.exec(body)?.[1] ?? ''
    const text = code
      .replace(/<\/span>(?=<span class="line")/g, '</span>\n')
      .replace(/<[^>]*>/g, '')
      .replaceAll('&#39;', "'")
      .replaceAll('&quot;', '"')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&')
    expect(`${text}\n`).toBe((await get('/config.yaml')).body)
  })

  test.each([[{}], [{ heartbeat: { enable: false } }], [{ emailNotification: null, influxDb: [], mqttConfig: 'odd' }]])(
    'a configuration with omitted or odd sections: %j',
    async (config) => {
      const { get } = await view({ config })
      expect((await get('/')).status).toBe(200)
      expect(JSON.parse((await get('/config.json')).body)).toEqual({ Butler: config })
    },
  )

  test('nothing in the configuration becomes markup', async () => {
    const json = fc.jsonValue({ maxDepth: 3 })
    const { get } = await view({
      config: { logLevel: '<script>alert(1)</script>', '"><img src=x>': '</pre><b>', "a'b": "'onload='x" },
    })
    const { body } = await get('/')
    expect(body).not.toMatch(/<script>alert|<img src=x|<b>/)
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), json), async (config) => {
        const { get: ask, service } = await view({ config })
        const answer = await ask('/')
        await service.stop(0)
        expect(answer.status).toBe(200)
      }),
      { numRuns: 25 },
    )
  })

  test('everything in clear when masking is off, on this machine', async () => {
    const { get } = await view({ config: SMTP, obfuscate: false })
    expect((await get('/config.json')).body).toContain('Sesame-1')
    expect((await get('/')).body).toContain('not masked')
  })

  test('not to a web page that points its own name at this machine', async () => {
    const { service } = await view({ config: SMTP, obfuscate: false })
    const answer = await fetch(`http://127.0.0.1:${service.port}/config.json`, { headers: { host: 'evil.example' } })
    expect(answer.status).toBe(403)
    expect(await answer.text()).not.toContain('Sesame')
  })

  test('not for pages of other sites and by unknown names', async () => {
    const { service } = await view({ config: SMTP })
    const code = async (headers: Record<string, string>) => {
      const answer = await fetch(`http://127.0.0.1:${service.port}/config.json`, { headers })
      return answer.status === 200 ? 200 : ((await answer.json()) as { code: string }).code
    }
    expect(await code({ 'sec-fetch-site': 'cross-site' })).toBe('CROSS_SITE')
    expect(await code({ origin: 'https://evil.example' })).toBe('CROSS_SITE')
    expect(await code({ host: 'evil.example', 'sec-fetch-site': 'none' })).toBe('HOST_NOT_ALLOWED')
    expect(await code({ host: 'footman.acme.example', 'sec-fetch-site': 'same-origin' })).toBe(200)
    expect(await code({ 'sec-fetch-site': 'none' })).toBe(200)
  })

  test('not at all in clear beyond this machine', async () => {
    const { service, log } = await view({ config: SMTP, obfuscate: false, host: '0.0.0.0' })
    expect(service.port).toBe(0)
    expect(log.of('error').join()).toContain('Set obfuscate to true, or host to localhost.')
  })
})

describe('how it is served', () => {
  const EVERYWHERE = {
    'x-frame-options': 'SAMEORIGIN',
    'x-content-type-options': 'nosniff',
    'permissions-policy': 'camera=(), microphone=(), geolocation=()',
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
    'x-ratelimit-limit': '300',
  }

  test.each([
    ['/', 'text/html; charset=utf-8'],
    ['/config.json', 'application/json; charset=utf-8'],
    ['/config.yaml', 'application/yaml; charset=utf-8'],
    [assetPath('console.css'), 'text/css; charset=utf-8'],
    [assetPath('config.js'), 'text/javascript; charset=utf-8'],
    [assetPath('icons.svg'), 'image/svg+xml; charset=utf-8'],
  ])('%s', async (path, type) => {
    const { get } = await view()
    const { status, headers } = await get(path)
    expect(status).toBe(200)
    expect(headers).toMatchObject({ ...EVERYWHERE, 'content-type': type })
  })

  test('the content security policy lets in files of this server only, and no script in the page', async () => {
    const { get } = await view()
    const { headers, body } = await get('/')
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'self'; form-action 'none'; frame-ancestors 'self'; object-src 'none'",
    )
    expect(body).not.toMatch(/<script(?![^>]* src=)|<style/)
  })

  test('the page needs nothing from elsewhere', async () => {
    const { get } = await view()
    const { body } = await get('/')
    const addresses = [...body.matchAll(/(?:src|href)="([^"#][^"]*)"/g)].map(([, address]) => address)
    const own = ['/', '/config.yaml', '/config.json', assetPath('console.css'), assetPath('config.js')]
    const icons = ['logo', 'get'].map((name) => `${assetPath('icons.svg')}#${name}`)
    expect(new Set(addresses)).toEqual(new Set(['data:,', ...own, ...icons]))
    expect(body).not.toMatch(/ style=| on[a-z]+=/)
  })

  test.each([
    ['GET', '/nope'],
    ['GET', '/toString'],
    ['POST', '/'],
  ])('%s %s is a 404', async (method, path) => {
    const { get } = await view()
    const answer = await get(path, {}, method)
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      404,
      { message: `Route ${method}:${path} not found`, error: 'Not Found', statusCode: 404 },
    ])
    expect(answer.headers).toMatchObject({ 'x-frame-options': 'SAMEORIGIN' })
  })

  test('not too often', async () => {
    const { get, log } = await view({ perMinute: 2 })
    await get('/')
    expect((await get('/')).headers['x-ratelimit-remaining']).toBe('0')
    const answer = await get('/')
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      429,
      { statusCode: 429, error: 'Too Many Requests', message: 'Rate limit exceeded, retry in 1 minute' },
    ])
    expect(answer.headers['retry-after']).toBe('60')
    expect(log.of('warn')).toEqual([
      'CONFIG VIS: Rate limit exceeded for source IP address 127.0.0.1. Method=GET, endpoint=/',
    ])
  })

  test('says where it listens', async () => {
    const { log, service } = await view({ host: 'localhost' })
    expect(log.of('info')).toEqual([`MAIN: Config visualisation server listening on http://127.0.0.1:${service.port}/`])
  })
})
