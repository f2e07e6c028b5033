/** Limits of sign-ins at the executable: nobody uses them up for another one, and none of them stops a right credential. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { newKey } from '../support/console.ts'
import { type ReportSite, startReportSite } from '../support/report-tasks.ts'
import { until } from '../support/wait.ts'

const OPS = newKey('ops', 'admin')
const READERS = ['anna', 'bob', 'carl', 'dora'].map((name) => `${name}@acme.example`)
const [ANNA, BOB, CARL, DORA] = READERS as [string, string, string, string]
const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' }

let reports: ReportSite
beforeAll(async () => {
  reports = await startReportSite(
    { baseUrl: 'http://127.0.0.1', hub: { enable: true } },
    {
      footman: {
        console: { enable: true, allowPlainHttp: true },
        access: { enable: true, keys: [OPS.entry], anonymous: { scopes: ['admin'] } },
        api: { rateLimitPerMinute: 0, trustedProxies: ['127.0.0.1'] },
      },
    },
  )
  await Promise.all(READERS.map((email) => reports.person(email)))
}, 90_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

/** Asks for a link; the answer is always the same. */
async function ask(address: string, client: string): Promise<void> {
  const answer = await reports.product.call(
    'POST',
    '/hub/login',
    { address },
    { ...SAME_ORIGIN, 'x-forwarded-for': client },
  )
  expect(answer.status).toBe(202)
}
const refusals = (address: string) =>
  reports.product.process.stdout.filter((line) => line.includes(`no login link for ${address} asked by`)).length

test('a client gets five links for an address within an hour, and another client still gets its own', async () => {
  // Other spellings are the same address.
  for (const spelling of [ANNA, ANNA.toUpperCase(), ` ${ANNA} `, ANNA, ANNA]) await ask(spelling, '203.0.113.1')
  await until(() => reports.mailsTo(ANNA).length === 5, { what: 'five mails' })
  await ask(ANNA, '203.0.113.1')
  await until(() => refusals(ANNA) === 1, { what: 'a refusal' })
  expect(reports.mailsTo(ANNA)).toHaveLength(5)
  await ask(ANNA, '203.0.113.2')
  await ask(BOB, '203.0.113.1')
  await until(() => reports.mailsTo(ANNA).length === 6 && reports.mailsTo(BOB).length === 1, { what: 'two more' })
}, 60_000)

test('the addresses of an IPv6 network are one client for every limit, and the log names the address', async () => {
  for (let n = 0; n < 50; n += 1) await ask(DORA, `2001:db8:9:1::${n % 10}`)
  await until(() => refusals(DORA) === 45, { timeout: 60_000, what: '45 refusals' })
  expect(reports.mailsTo(DORA)).toHaveLength(5)
  expect(reports.product.process.stdout.join('\n')).toContain(`no login link for ${DORA} asked by 2001:db8:9:1::9`)
  await ask(DORA, '2001:db8:9:2::1')
  await until(() => reports.mailsTo(DORA).length === 6, { what: 'the mail of her own request' })
  const signIn = async (client: string) => {
    const headers = { ...SAME_ORIGIN, 'x-forwarded-for': client }
    return (await reports.product.call('POST', '/console/api/v4/sessions', { credential: 'fm_wrong' }, headers)).status
  }
  const wrong = await Promise.all(Array.from({ length: 14 }, (_, n) => signIn(`2001:db8:a:1::${n}`)))
  expect(new Set(wrong)).toEqual(new Set([401, 429]))
  expect([await signIn('2001:db8:a:1:ffff::1'), await signIn('2001:db8:a:2::1')]).toEqual([429, 401])
}, 120_000)

test('an address gets fifty links within an hour from all clients together, and the last one still opens', async () => {
  for (let n = 0; n < 50; n += 1) await ask(CARL, `198.51.100.${Math.floor(n / 5)}`)
  await until(() => reports.mailsTo(CARL).length === 50, { timeout: 60_000, what: 'fifty mails' })
  await ask(CARL, '198.51.100.99')
  await until(() => refusals(CARL) === 1, { what: 'a refusal' })
  expect(reports.mailsTo(CARL)).toHaveLength(50)
  const path = /\/hub\/login\/[\w-]+/.exec(reports.mailsTo(CARL).at(-1)!.parsed.text ?? '')![0]
  const opened = await fetch(`http://127.0.0.1:${reports.product.restPort}${path}`, {
    method: 'POST',
    redirect: 'manual',
    headers: { ...SAME_ORIGIN, 'x-forwarded-for': '198.51.100.99' },
  })
  expect([opened.status, opened.headers.get('set-cookie')]).toEqual([303, expect.stringContaining('HttpOnly')])
}, 120_000)

test('a right key signs in from an address whose wrong ones are refused, by form and by script', async () => {
  const headers = { ...SAME_ORIGIN, 'x-forwarded-for': '192.0.2.1' }
  const signIn = async (credential: string) =>
    (await reports.product.call('POST', '/console/api/v4/sessions', { credential }, headers)).status
  const wrong = await Promise.all(Array.from({ length: 14 }, (_, n) => signIn(`fm_wrong${n}`)))
  expect(new Set(wrong)).toEqual(new Set([401, 429]))
  expect([await signIn('fm_wrong'), await signIn(OPS.key), await signIn(` ${OPS.key}\n`)]).toEqual([429, 201, 201])
  const calls = async (key: string) =>
    (await reports.product.call('GET', '/v4/about', undefined, { ...headers, authorization: `Bearer ${key}` })).status
  for (let n = 0; n < 60; n += 1) await calls(`fm_wrong${n}`)
  expect(await calls(OPS.key)).toBe(200)
}, 60_000)
