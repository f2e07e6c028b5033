import { describe, expect, test } from 'bun:test'
import { butler } from '../../../src/app/schema.ts'
import { type SecurityTxt, securityText } from '../../../src/http/security-txt.ts'
import { type AccessApiOptions, accessApi, NO_ACCESS } from './auth/support.ts'

const SETTINGS: SecurityTxt = {
  contact: ['security@acme.example', 'https://acme.example/report'],
  languages: ['en', 'sv-SE'],
  policy: 'https://acme.example/policy',
}
const PATH = '/.well-known/security.txt'
const now = () => Date.parse('2026-03-02T06:05:00Z')

describe('security.txt', () => {
  test('has the fields of RFC 9116, each in a line', () => {
    expect(securityText(SETTINGS, now())).toBe(
      [
        'Contact: mailto:security@acme.example',
        'Contact: https://acme.example/report',
        'Expires: 2026-04-01T00:00:00Z',
        'Preferred-Languages: en, sv-SE',
        'Policy: https://acme.example/policy',
        '',
      ].join('\r\n'),
    )
    const bare = securityText({ contact: ['tel:+46-8-123'], languages: [], policy: '' }, now())
    expect(bare).toBe('Contact: tel:+46-8-123\r\nExpires: 2026-04-01T00:00:00Z\r\n')
  })

  test.each<[string, AccessApiOptions, Record<string, string>]>([
    ['access control is off', { access: NO_ACCESS }, {}],
    ['access control is on', { access: { enable: true } }, {}],
    ['the address may not call', { access: { enable: true, allowFrom: ['10.9.9.9'] } }, {}],
    [
      'a page of another site links to it',
      { access: NO_ACCESS },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    ],
  ])('is answered without credentials when %s', async (_, options, headers) => {
    await using scene = await accessApi({
      ...options,
      api: { securityTxt: SETTINGS, trustedProxies: ['127.0.0.1'] },
      now,
    })
    const answer = await scene.call('GET', PATH, { 'x-forwarded-for': '203.0.113.9', ...headers })
    expect([answer.status, answer.headers['content-type'], answer.body]).toEqual([
      200,
      'text/plain; charset=utf-8',
      securityText(SETTINGS, now()),
    ])
  })

  test('is not there without an address', async () => {
    await using scene = await accessApi({ access: NO_ACCESS })
    expect((await scene.call('GET', PATH)).status).toBe(404)
  })
})

describe('Butler.footman.api.securityTxt', () => {
  const parse = (securityTxt: object) => butler.safeParse({ footman: { api: { securityTxt } } })
  test.each([
    ['a mail address', { contact: ['security@acme.example'] }, true],
    [
      'addresses with a scheme',
      { contact: ['mailto:a@acme.example', 'tel:+46-8-1', 'https://acme.example/?a=1'] },
      true,
    ],
    ['http', { contact: ['http://acme.example'] }, false],
    ['a second field', { contact: ['mailto:a@acme.example\r\nPolicy: https://evil.example'] }, false],
    ['words', { contact: ['ask the desk'] }, false],
    ['a language', { languages: ['English please'] }, false],
    ['a policy with a second field', { policy: 'https://acme.example/\r\nContact: https://evil.example' }, false],
    ['a policy over http', { policy: 'http://acme.example/' }, false],
  ])('%s', (_, settings, isRight) => {
    expect(parse(settings).success).toBe(isRight)
  })
})
