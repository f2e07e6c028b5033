import { describe, expect, test } from 'bun:test'
import { hostname } from 'node:os'
import { refused } from '../../../src/http/errors.ts'
import { createBrowserRules, refusalPage } from '../../../src/http/middleware/browser-rules.ts'

const PAGE = 'https://qs.acme.example'

const rules = (origins: readonly string[] = [PAGE]) =>
  createBrowserRules({
    allowedHosts: ['footman.acme.example', 'proxy.acme.example:8443'],
    origins,
    serverHost: 'qs-central.acme.local',
  })

const codeOf = (headers: Record<string, string>, origins?: readonly string[]) =>
  rules(origins).refusal(new Headers(headers))?.body.code ?? null

describe('requests of browsers', () => {
  test.each<[string, Record<string, string>, string | null]>([
    ['no browser, any host', { host: 'evil.example' }, null],
    ['no browser, no host', {}, null],
    ['an address was typed', { host: '10.1.2.3:8080', 'sec-fetch-site': 'none' }, null],
    ['a name was typed', { host: 'evil.example', 'sec-fetch-site': 'none' }, 'HOST_NOT_ALLOWED'],
    ['no name', { 'sec-fetch-site': 'none' }, 'HOST_NOT_ALLOWED'],
    ['localhost', { host: 'LOCALHOST:8080', 'sec-fetch-site': 'none' }, null],
    ['localhost with a dot', { host: 'localhost.:8080', 'sec-fetch-site': 'none' }, null],
    ['an IPv6 address', { host: '[::1]:8080', 'sec-fetch-site': 'none' }, null],
    ['the name of this machine', { host: `${hostname()}:8080`, 'sec-fetch-site': 'none' }, null],
    ['the name that is listened on', { host: 'qs-central.acme.local', 'sec-fetch-site': 'none' }, null],
    ['a listed name', { host: 'Footman.acme.example:8080', 'sec-fetch-site': 'none' }, null],
    [
      'a name that ends like a listed one',
      { host: 'x.footman.acme.example', 'sec-fetch-site': 'none' },
      'HOST_NOT_ALLOWED',
    ],
    [
      'a name that begins like a listed one',
      { host: 'footman.acme.example.evil', 'sec-fetch-site': 'none' },
      'HOST_NOT_ALLOWED',
    ],
    ['our own page reads', { host: 'localhost:8080', 'sec-fetch-site': 'same-origin' }, null],
    [
      'our own page writes',
      { host: 'localhost:8080', origin: 'http://localhost:8080', 'sec-fetch-site': 'same-origin' },
      null,
    ],
    [
      'our own page without referrer',
      { host: 'localhost:8080', origin: 'null', 'sec-fetch-site': 'same-origin' },
      null,
    ],
    ['our own page, plain HTTP', { host: '10.1.2.3:8080', origin: 'http://10.1.2.3:8080' }, null],
    ['another port of this machine', { host: '10.1.2.3:8080', origin: 'http://10.1.2.3:3000' }, 'CROSS_SITE'],
    [
      'our page behind a proxy that keeps the name',
      { host: 'footman.acme.example', origin: 'https://footman.acme.example' },
      null,
    ],
    [
      'our page behind a proxy that changes it',
      { host: '127.0.0.1:8080', origin: 'https://footman.acme.example' },
      null,
    ],
    ['the same with a port', { host: '127.0.0.1:8080', origin: 'https://proxy.acme.example:8443' }, null],
    [
      'another port of that name',
      { host: '127.0.0.1:8080', origin: 'https://footman.acme.example:9999' },
      'CROSS_SITE',
    ],
    [
      'a proxy that names the usual port',
      { host: 'footman.acme.example:443', origin: 'https://footman.acme.example' },
      null,
    ],
    ['a listed page', { host: 'localhost:8080', origin: PAGE, 'sec-fetch-site': 'cross-site' }, null],
    ['a listed page by a foreign name', { host: 'evil.example', origin: PAGE }, 'HOST_NOT_ALLOWED'],
    ['a foreign page reads', { host: 'localhost:8080', 'sec-fetch-site': 'cross-site' }, 'CROSS_SITE'],
    [
      'a foreign page writes',
      { host: 'localhost:8080', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      'CROSS_SITE',
    ],
    ['an old browser', { host: 'localhost:8080', origin: 'https://evil.example' }, 'CROSS_SITE'],
    ['a page without origin', { host: 'localhost:8080', origin: 'null' }, 'CROSS_SITE'],
    [
      'a sibling host writes',
      { host: 'localhost:8080', origin: 'https://x.acme.example', 'sec-fetch-site': 'same-site' },
      'CROSS_SITE',
    ],
    ['a sibling host links', { host: 'localhost:8080', 'sec-fetch-site': 'same-site' }, null],
    [
      'an extension',
      { host: 'localhost:8080', origin: 'chrome-extension://abc', 'sec-fetch-site': 'none' },
      'CROSS_SITE',
    ],
    [
      'a page that points its name here',
      { host: 'evil.example:8080', origin: 'http://evil.example:8080' },
      'HOST_NOT_ALLOWED',
    ],
    ['what no browser sends yet', { host: 'localhost:8080', 'sec-fetch-site': 'elsewhere' }, 'CROSS_SITE'],
  ])('%s', (_, headers, code) => {
    expect(codeOf(headers)).toBe(code)
  })

  test('with "*" every page may call, by known names', () => {
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    expect(codeOf({ host: 'localhost', ...foreign }, ['*'])).toBeNull()
    expect(codeOf({ host: 'evil.example', ...foreign }, ['*'])).toBe('HOST_NOT_ALLOWED')
  })

  test('who follows a link gets a page, without markup of the sender', async () => {
    const headers = new Headers({ host: 'localhost', origin: '<script>', accept: 'text/html,*/*;q=0.8' })
    const refusal = rules().refusal(headers)!
    const page = refusalPage(refusal, headers)!
    expect([page.status, page.headers.get('content-type')]).toEqual([403, 'text/html; charset=utf-8'])
    const text = await page.text()
    expect(text).toContain('CROSS_SITE')
    expect(text).toContain('docs/security.md#requests-of-browsers')
    expect(text).not.toContain('<script>')
    expect(refusalPage(refusal, new Headers({ accept: 'application/json' }))).toBeNull()
    expect(refusalPage(refused(403, 'Topic not allowed'), headers)).toBeNull()
  })
})
