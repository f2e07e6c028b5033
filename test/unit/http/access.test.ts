import { describe, expect, test } from 'bun:test'
import { networkInterfaces } from 'node:os'
import { compileGrant, createCaller, isScope, scopeMatcher } from '../../../src/http/auth/grants.ts'
import { expiryOf, hashOfKey, isKey, newKey, presentedCredential } from '../../../src/http/auth/keys.ts'
import { createLocalCheck, createProxies } from '../../../src/http/client-address.ts'
import { createBrowserRules } from '../../../src/http/middleware/browser-rules.ts'
import { addressMatcher } from '../../../src/platform/addresses.ts'
import { globMatcher } from '../../../src/platform/glob.ts'
import { atMost } from '../../support/wait.ts'

describe('scopes', () => {
  test.each<[string[], string, boolean]>([
    [['task:run'], 'task:run', true],
    [['task:run'], 'task:read', false],
    [['task:run'], 'app:run', false],
    [['task:*'], 'task:read', true],
    [['*:read'], 'kv:read', true],
    [['*:read'], 'kv:write', false],
    [['*:*'], 'file:write', true],
    [['*:*'], 'admin', false],
    [['admin'], 'admin', true],
    [['admin'], 'file:write', true],
    [[], 'task:run', false],
    [['kv:read', 'file:write'], 'file:write', true],
  ])('%p and %s: %p', (held, wanted, allowed) => {
    expect(scopeMatcher(held)(wanted)).toBe(allowed)
  })

  test('a caller without any hears so where one is needed, whichever', () => {
    const caller = createCaller('key:a', [], '10.0.0.1')
    expect(caller.refusal('any')?.body.details).toBe('A scope is required, whichever: these credentials have none')
    expect(caller.refusal('kv:read')?.body.details).toBe('Scope kv:read is required')
  })

  test('their form', () => {
    const scopes = ['task:run', 'kv:*', '*:read', '*:*', 'admin', 'metrics:read']
    expect(scopes.filter(isScope)).toEqual(scopes)
    expect(['', 'task', 'task:', 'task:fly', 'Task:run', 'admin:*', 'task:run ', 'tasks:run'].filter(isScope)).toEqual(
      [],
    )
  })
})

describe('keys', () => {
  test('the published vector', () => {
    expect(hashOfKey('fm_s_sL-88NMgyzLJT0lEebfRc2QZL1s8RfZePoRU7hQ3w')).toBe(
      'sha256:6307a06331fc2ed1a4d42b32c248f14b889d9bcfe93f4248bea1a1600bf9c85f',
    )
  })

  test('fresh ones have the form and never repeat', () => {
    const keys = Array.from({ length: 1000 }, newKey)
    expect(keys.every(isKey)).toBe(true)
    expect(new Set(keys).size).toBe(1000)
  })

  test.each([
    ['2027-06-30', 'UTC', '2027-07-01T00:00:00.000Z'],
    ['2027-06-30', 'Europe/Stockholm', '2027-06-30T22:00:00.000Z'],
    ['2027-03-27', 'Europe/Stockholm', '2027-03-27T23:00:00.000Z'],
    ['2027-03-28', 'Europe/Stockholm', '2027-03-28T22:00:00.000Z'],
    ['2027-10-31', 'Europe/Stockholm', '2027-10-31T23:00:00.000Z'],
    ['2027-06-30', 'America/New_York', '2027-07-01T04:00:00.000Z'],
    ['2028-02-29', 'Pacific/Auckland', '2028-02-29T11:00:00.000Z'],
    ['2027-06-30T12:00', 'Europe/Stockholm', '2027-06-30T10:00:00.000Z'],
    ['2027-06-30T12:00+03:00', 'Europe/Stockholm', '2027-06-30T09:00:00.000Z'],
  ])('%s ends in %s at %s', (day, zone, end) => {
    expect(new Date(expiryOf(day, zone)).toISOString()).toBe(end)
  })
})

describe('credentials', () => {
  const KEY = 'fm_s_sL-88NMgyzLJT0lEebfRc2QZL1s8RfZePoRU7hQ3w'
  test.each<[Record<string, string>, string]>([
    [{}, 'none'],
    [{ 'x-api-key': KEY }, 'key'],
    [{ authorization: `Bearer ${KEY}` }, 'key'],
    [{ authorization: 'bearer a.b.c' }, 'token'],
    [{ authorization: 'Bearer a.b' }, 'key'],
    [{ authorization: `Bearer ${KEY}`, 'x-api-key': KEY }, 'key'],
    [{ authorization: `Bearer ${KEY}`, 'x-api-key': 'other' }, 'wrong'],
    [{ authorization: KEY }, 'wrong'],
    [{ authorization: 'Basic abc' }, 'wrong'],
    [{ authorization: 'Bearer two words' }, 'wrong'],
    [{ authorization: '' }, 'wrong'],
  ])('%p: %s', (headers, kind) => {
    expect(presentedCredential(new Headers(headers)).kind).toBe(kind as never)
  })
})

describe('grants', () => {
  const tag = (...tags: string[]) => ({ taskId: [], tag: tags, customProperty: [] })

  test('add up, each within its own limits', () => {
    const caller = createCaller(
      'jwt:alice',
      [
        compileGrant({ scopes: ['task:run'], startFilter: tag('hourly') }),
        compileGrant({ scopes: ['task:run', 'kv:read'], startFilter: tag('daily'), keyValueNamespaces: ['Sales*'] }),
        compileGrant({ scopes: ['kv:*'], keyValueNamespaces: [] }),
        compileGrant({ scopes: ['file:write'], allowFrom: ['10.0.0.0/8'] }),
      ],
      '192.168.1.1',
    )
    expect(caller.limits('task:run').startFilter).toEqual(tag('hourly', 'daily'))
    expect(caller.limits('kv:read').keyValueNamespaces).toEqual(['Sales*'])
    expect(caller.limits('kv:write').keyValueNamespaces).toEqual([])
    expect(caller.refusal('file:write')?.body.code).toBe('ADDRESS_NOT_ALLOWED')
    expect(caller.refusal('app:read')?.body.code).toBe('FORBIDDEN')
    expect(caller.limits('app:read')).toEqual({ startFilter: tag(), keyValueNamespaces: [] })
  })

  test('one without a limit lifts it', () => {
    const grants = [{ scopes: ['task:run'], startFilter: tag('hourly') }, { scopes: ['*:run'] }].map(compileGrant)
    expect(createCaller('jwt:alice', grants, '10.0.0.1').limits('task:run').startFilter).toBeNull()
  })
})

describe('addresses', () => {
  test('ranges', () => {
    const allowed = addressMatcher(['10.0.0.0/8', '::1', '192.168.1.7', '2001:db8::/32'])
    const inside = ['10.255.1.2', '::1', '192.168.1.7', '2001:db8:1::5']
    const outside = ['11.0.0.1', '::2', '192.168.1.8', '2001:db9::1', '', 'unknown', '10.0.0.1.evil']
    expect(inside.filter(allowed)).toEqual(inside)
    expect(outside.filter(allowed)).toEqual([])
    expect(addressMatcher([])('10.0.0.1')).toBe(false)
  })

  test.each([
    ['10.9.9.9', null, '10.9.9.9'],
    ['10.9.9.9', '10.1.1.1', '10.9.9.9'],
    ['127.0.0.1', null, '127.0.0.1'],
    ['127.0.0.1', '10.1.1.1', '10.1.1.1'],
    ['127.0.0.1', '127.0.0.1, 10.1.1.1', '10.1.1.1'],
    ['127.0.0.1', '10.1.1.1, 127.0.0.2', '10.1.1.1'],
    ['127.0.0.1', '127.0.0.3', '127.0.0.3'],
    ['127.0.0.1', '10.1.1.1:51234', '10.1.1.1'],
    ['127.0.0.1', '[2001:db8::1]:443', '2001:db8::1'],
    ['127.0.0.1', '::ffff:10.1.1.1', '10.1.1.1'],
    ['127.0.0.1', 'garbage', 'unknown'],
    ['127.0.0.1', '', 'unknown'],
  ])('the client behind %s with X-Forwarded-For %p is %s', (peer, forwarded, client) => {
    const headers = new Headers(forwarded === null ? {} : { 'x-forwarded-for': forwarded })
    expect(createProxies(['127.0.0.0/8']).clientOf(peer, headers)).toBe(client)
  })

  test('a caller from an address of this machine is local, one from elsewhere is not', () => {
    const isLocal = createLocalCheck(createBrowserRules({ allowedHosts: [], origins: [], serverHost: '0.0.0.0' }))
    const own = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? [])
    const local = (client: string, headers: Record<string, string> = {}) =>
      isLocal({ client, proxied: false, headers: new Headers({ host: '10.1.2.3:8080', ...headers }) })
    expect(own.length).toBeGreaterThan(0)
    for (const address of own) expect([address, local(address)]).toEqual([address, true])
    expect([local('203.0.113.9'), local('unknown'), local(''), local('127.0.0.1.evil')]).toEqual(Array(4).fill(false))
    expect(local('127.0.0.1', { host: 'evil.example' })).toBe(false)
  })

  test('the name that the server listens on is a name of this host', () => {
    const isLocal = createLocalCheck(
      createBrowserRules({ allowedHosts: [], origins: [], serverHost: 'qs-central.acme.local' }),
    )
    const headers = new Headers({ host: 'QS-Central.acme.local:8080' })
    expect(isLocal({ client: '127.0.0.1', proxied: false, headers })).toBe(true)
  })
})

describe('globs', () => {
  test.each<[string, string, boolean]>([
    ['Sales*', 'sales EU', true],
    ['Sales*', 'Sales', true],
    ['Sales*', 'xSales', false],
    ['*', '', true],
    ['q?', 'q1', true],
    ['q?', 'q', false],
    ['q?', 'qö', true],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'axxbyy', false],
    ['a.c', 'abc', false],
    ['[a]', 'a', false],
    ['', '', true],
    ['', 'a', false],
  ])('%s and %s: %p', (glob, text, fits) => {
    expect(globMatcher([glob])(text)).toBe(fits)
  })

  test('no pattern makes it slow', () => {
    const began = performance.now()
    expect(globMatcher([`${'a*'.repeat(200)}b`])('a'.repeat(20_000))).toBe(false)
    expect(performance.now() - began).toBeLessThan(atMost(1000))
  })

  test('none fit an empty list', () => {
    expect(globMatcher([])('')).toBe(false)
  })
})
