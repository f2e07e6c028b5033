import { describe, expect, test } from 'bun:test'
import type { MailOutcome } from '../../../../src/reports/mailer.ts'
import { OWN_FORM, type TestHub, testHub } from '../../../support/hub.ts'
import { until } from '../../../support/wait.ts'

const ANNA = 'anna@acme.example'
const MINUTE_MS = 60_000

const ask = (site: TestHub, address: string, headers: Readonly<Record<string, string>> = {}) =>
  site.api.send('POST', '/hub/login', `address=${encodeURIComponent(address)}`, { ...OWN_FORM, ...headers })

/** Asks for a link, and returns its token when the mail is there. */
async function linkFor(site: TestHub, address = ANNA): Promise<string> {
  const before = site.mails.length
  await ask(site, address)
  await until(() => site.mails.length > before)
  return site.tokenOf()
}

const use = (site: TestHub, token: string, headers: Readonly<Record<string, string>> = {}) =>
  site.api.send('POST', `/hub/login/${token}`, '', { ...OWN_FORM, ...headers })

const cookieOf = ({ headers }: { headers: Readonly<Record<string, string>> }) =>
  headers['set-cookie']?.split(';', 1)[0] ?? ''

describe('links by mail', () => {
  test('the answer is the same for every address, and only known ones get a mail', async () => {
    await using site = await testHub(
      {},
      { recipients: () => [{ email: 'former@acme.example', qlikUser: null, active: false }] },
    )
    await site.publish({ visibleTo: [ANNA, 'former@acme.example'] })
    const answers = []
    for (const address of ['stranger@acme.example', 'former@acme.example', ` ${ANNA.toUpperCase()} `])
      answers.push(await ask(site, address))
    await until(() => site.mails.length > 0)
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202])
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1)
    expect(answers[0]!.body).toContain('If the address is known, a link has been sent')
    expect(site.mails.map(({ to }) => to)).toEqual([[{ name: '', address: ANNA }]])
    const links = site.db.all<{ address: string }>('SELECT address FROM report_hub_login ORDER BY at, address')
    expect(links).toHaveLength(3)
  })

  test('addresses outside of the allowed domains, and those of a single test, get no link and see nothing', async () => {
    await using site = await testHub({ allowedDomains: ['acme.example'] })
    await site.publish({ visibleTo: ['x@evil.example', ANNA] })
    await site.publish({ test: true, visibleTo: ['once@acme.example'] })
    for (const address of ['x@evil.example', 'once@acme.example', ANNA])
      expect((await ask(site, address)).status).toBe(202)
    await until(() => site.mails.length > 0)
    expect(site.mails.map(({ to }) => to)).toEqual([[{ name: '', address: ANNA }]])
    expect(site.db.all('SELECT address FROM report_hub_reader ORDER BY address')).toEqual([
      { address: ANNA },
      { address: 'once@acme.example' },
    ])
  })

  test('programs get the text as JSON', async () => {
    await using site = await testHub()
    const answer = await site.api.send('POST', '/hub/login', { address: ANNA })
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      202,
      { message: 'If the address is known, a link has been sent' },
    ])
    const bad = await site.api.send('POST', '/hub/login', { address: 'anna' })
    expect([bad.status, JSON.parse(bad.body).code]).toEqual([400, 'VALIDATION'])
  })

  test('opening a link does not use it up; the button does, once', async () => {
    await using site = await testHub()
    await site.publish({})
    const token = await linkFor(site)
    for (const _ of [1, 2]) {
      const page = await site.api.send('GET', `/hub/login/${token}`)
      expect([page.status, page.headers['set-cookie']]).toEqual([200, undefined])
      expect(page.body).toContain(`<form method="post" action="/hub/login/${token}"`)
    }
    const cookie = cookieOf(await use(site, token))
    expect((await site.api.send('GET', '/hub', undefined, { cookie })).status).toBe(200)
    const again = await use(site, token)
    expect([again.status, again.headers['set-cookie']]).toEqual([410, undefined])
    expect(again.body).toContain('has expired or was used already')
    expect(again.body).toContain(`value="${ANNA}"`)
  })

  test('a link ends after 15 minutes; its page asks for a new one with the address filled in', async () => {
    await using site = await testHub()
    await site.publish({})
    const token = await linkFor(site)
    site.clock.advance(15 * MINUTE_MS)
    for (const answer of [await site.api.send('GET', `/hub/login/${token}`), await use(site, token)]) {
      expect(answer.status).toBe(410)
      expect(answer.body).toContain(`value="${ANNA}"`)
    }
    const unknown = await site.api.send('GET', '/hub/login/AAAA')
    expect([unknown.status, unknown.body.includes('value=""')]).toEqual([410, true])
  })

  test('5 links for an address and 50 for a client within an hour', async () => {
    await using site = await testHub()
    await site.publish({})
    for (let n = 0; n < 7; n++) expect((await ask(site, ANNA)).status).toBe(202)
    const links = () => site.db.get<{ n: number }>('SELECT count(*) AS n FROM report_hub_login')!.n
    await until(() => site.mails.length === 5)
    for (let n = 0; n < 50; n++) await ask(site, `person${n}@acme.example`)
    await until(() => links() === 50)
    await until(() => site.log.lines.some((line) => /too many within the hour/.test(JSON.stringify(line))))
    expect(site.mails).toHaveLength(5)
    site.clock.advance(60 * MINUTE_MS)
    await ask(site, ANNA)
    await until(() => site.mails.length === 6)
  })

  test('a stranger who asks for the links of a person does not shut the person out', async () => {
    await using site = await testHub({}, { server: { trustedProxies: ['127.0.0.1'] } })
    await site.publish({})
    const from = (n: number) => ask(site, ANNA, { 'x-forwarded-for': `203.0.113.${n}` })
    for (let n = 0; n < 20; n++) await from(1)
    await until(() => site.mails.length === 5)
    await from(2)
    await until(() => site.mails.length === 6)
    expect((await use(site, site.tokenOf())).status).toBe(303)
    // So many mails an hour are enough for every one.
    for (let n = 0; n < 60; n++) await from(3 + (n % 20))
    await until(() => site.mails.length === 50)
  })

  test('tokens are in no log and no audit, and stored as hashes', async () => {
    await using site = await testHub()
    const id = await site.publish({})
    const token = await linkFor(site)
    await site.api.send('GET', `/hub/login/${token}`)
    const session = cookieOf(await use(site, token)).split('=')[1]!
    await use(site, token)
    await site.api.send('GET', `/hub/items/${id}?e=1&s=signature-1`)
    const written = JSON.stringify([
      site.log.lines,
      site.db.all('SELECT * FROM report_hub_login'),
      site.db.all('SELECT * FROM session'),
    ])
    expect(written).toContain('/hub/login/{token}')
    for (const secret of [token, session, 'signature-1']) expect(written).not.toContain(secret)
  })

  test('a rejected mail is logged, and the answer stays the same', async () => {
    await using site = await testHub({}, { outcome: () => ({ outcome: 'rejected', detail: '550 no such user' }) })
    await site.publish({})
    expect((await ask(site, ANNA)).status).toBe(202)
    await until(() => site.log.lines.some((line) => /was not sent: 550/.test(JSON.stringify(line))))
  })

  test('a mail server that is down is asked again, a few times', async () => {
    const outcomes: MailOutcome[] = [
      { outcome: 'retry', detail: 'ECONNREFUSED', peerDown: true },
      { outcome: 'sent', detail: '250 OK' },
      { outcome: 'retry', detail: '421 later', peerDown: true },
      { outcome: 'retry', detail: 'timeout', peerDown: true },
    ]
    await using site = await testHub({ linkRetryMs: [1] }, { outcome: () => outcomes.shift()! })
    await site.publish({})
    await ask(site, ANNA)
    await until(() => site.mails.length === 2)
    expect(site.log.of('warn')).toEqual([])
    await ask(site, ANNA)
    await until(() => site.log.of('warn').some((line) => /was not sent: timeout/.test(line)))
    expect(site.mails).toHaveLength(4)
  })

  test('a stop does not wait for the mail server', async () => {
    const down = () => ({ outcome: 'retry', detail: 'ECONNREFUSED', peerDown: true }) as const
    await using site = await testHub({}, { outcome: down })
    await site.publish({})
    await ask(site, ANNA)
    await until(() => site.mails.length === 1)
    await site.hub.stop()
  })

  test('in test mode of Footman no other address gets a link', async () => {
    await using site = await testHub({ testAddress: 'tester@acme.example' })
    await site.publish({ visibleTo: [ANNA, 'tester@acme.example'] })
    await ask(site, ANNA)
    await ask(site, 'tester@acme.example')
    await until(() => site.mails.length > 0)
    expect(site.mails.map(({ to }) => to)).toEqual([[{ name: '', address: 'tester@acme.example' }]])
  })

  test('the login leads to the page that was asked for, and nowhere else', async () => {
    await using site = await testHub()
    const id = await site.publish({})
    const away = await site.api.send('GET', `/hub/items/${id}`)
    expect([away.status, away.headers.location]).toEqual([303, `/hub/login?next=%2Fhub%2Fitems%2F${id}`])
    const form = await site.api.send('GET', away.headers.location!)
    expect(form.body).toContain(`name="next" value="/hub/items/${id}"`)
    for (const [next, target] of [
      [`/hub/items/${id}`, `/hub/items/${id}`],
      ['https://evil.example/', '/hub'],
      ['//evil.example/hub/items/', '/hub'],
      ['/hub/items/../../v4', '/hub'],
    ]) {
      const before = site.mails.length
      await site.api.send('POST', '/hub/login', `address=${ANNA}&next=${encodeURIComponent(next!)}`, OWN_FORM)
      await until(() => site.mails.length > before)
      expect((await use(site, site.tokenOf())).headers.location).toBe(target)
    }
  })
})

describe('sessions', () => {
  test('the cookie is private to the hub, and ends after sessionHours', async () => {
    await using site = await testHub({ sessionHours: 8 })
    await site.publish({})
    const answer = await use(site, await linkFor(site), { cookie: 'report_hub=chosen-by-another' })
    expect(answer.headers['set-cookie']).toMatch(
      /^report_hub=[\w-]{43}; Max-Age=28800; Path=\/hub; HttpOnly; SameSite=Lax$/,
    )
    const cookie = cookieOf(answer)
    const status = async () => (await site.api.send('GET', '/hub', undefined, { cookie })).status
    expect(await status()).toBe(200)
    site.clock.advance(8 * 60 * MINUTE_MS)
    expect(await status()).toBe(303)
    expect((await site.api.send('GET', '/hub', undefined, { cookie: 'report_hub=chosen-by-another' })).status).toBe(303)
  })

  test('signing out ends one session, or all', async () => {
    await using site = await testHub()
    await site.publish({})
    const cookies = []
    for (const _ of [1, 2, 3]) cookies.push(cookieOf(await use(site, await linkFor(site))))
    const status = async (cookie: string) => (await site.api.send('GET', '/hub', undefined, { cookie })).status
    const out = await site.api.send('POST', '/hub/logout', '', { ...OWN_FORM, cookie: cookies[0]! })
    expect(out.headers['set-cookie']).toBe('report_hub=; Max-Age=0; Path=/hub; HttpOnly; SameSite=Lax')
    expect(await Promise.all(cookies.map(status))).toEqual([303, 200, 200])
    await site.api.send('POST', '/hub/logout?all=1', '', { ...OWN_FORM, cookie: cookies[1]! })
    expect(await Promise.all(cookies.map(status))).toEqual([303, 303, 303])
  })

  test.each([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['a sibling host', { 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1' }],
    ['an unknown origin', { origin: 'null' }],
    ['another origin, from an old browser', { origin: 'https://evil.example' }],
    ['a browser that says nothing', {}],
  ])('forms of %s are refused', async (_, headers) => {
    await using site = await testHub()
    await site.publish({})
    const token = await linkFor(site)
    const cookie = cookieOf(await use(site, token))
    const form = { 'Content-Type': 'application/x-www-form-urlencoded', cookie, ...headers }
    const before = site.mails.length
    for (const path of ['/hub/logout', '/hub/login', `/hub/login/${token}`]) {
      const answer = await site.api.send('POST', path, `address=${ANNA}`, form as Record<string, string>)
      expect([path, answer.status]).toEqual([path, 403])
    }
    expect((await site.api.send('GET', '/hub', undefined, { cookie })).status).toBe(200)
    expect(site.mails).toHaveLength(before)
  })

  test('a link in a web mailer opens the page, a frame of another site does not', async () => {
    await using site = await testHub()
    const id = await site.publish({})
    const cookie = cookieOf(await use(site, await linkFor(site)))
    const click = { cookie, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    const status = async (headers: Record<string, string>) =>
      (await site.api.send('GET', `/hub/items/${id}`, undefined, headers)).status
    expect(await status({ ...click, 'sec-fetch-dest': 'document' })).toBe(200)
    expect(await status({ ...click, 'sec-fetch-dest': 'iframe' })).toBe(403)
    expect(await status({ ...click, 'sec-fetch-dest': 'document', origin: 'https://evil.example' })).toBe(403)
    const rebound = await fetch(`http://127.0.0.1:${site.api.port}/hub`, {
      headers: { ...click, host: 'evil.example', 'sec-fetch-dest': 'document' },
    })
    expect(rebound.status).toBe(403)
  })
})

describe('trusted header', () => {
  const QLIK = { userDirectory: 'ACME', userId: 'anna' }
  const people = () => [
    { email: ANNA, qlikUser: QLIK, active: true },
    { email: 'former@acme.example', qlikUser: null, active: false },
  ]
  const settings = (fromAddresses: readonly string[]) => ({
    auth: 'trustedHeader' as const,
    trustedHeader: { name: 'X-Forwarded-User', fromAddresses: [...fromAddresses] },
  })

  test.each([
    ['Anna@Acme.example', 200],
    ['acme\\Anna', 200],
    ['acme\\bob', 403],
    ['other\\anna', 403],
    ['former@acme.example', 403],
    ['', 403],
  ])('%p from the proxy: %p', async (user, status) => {
    await using site = await testHub(settings(['127.0.0.1']), { recipients: people })
    await site.publish({ title: 'For Anna' })
    const answer = await site.api.send('GET', '/hub', undefined, { 'X-Forwarded-User': user })
    expect(answer.status).toBe(status)
    expect(answer.body.includes('For Anna')).toBe(status === 200)
  })

  test('the header of any other client is not believed, and there is no login by mail', async () => {
    await using site = await testHub(settings(['10.1.2.3']), { recipients: people })
    const answer = await site.api.send('GET', '/hub', undefined, { 'X-Forwarded-User': ANNA })
    expect(answer.status).toBe(403)
    expect((await site.api.send('GET', '/hub/login')).status).toBe(404)
  })
})

test('without a login only this computer sees the reports, all of them', async () => {
  await using site = await testHub({ auth: 'none' })
  await site.publish({ visibleTo: ['bob@acme.example'], title: 'For Bob' })
  expect((await site.api.send('GET', '/hub')).body).toContain('For Bob')
  for (const [name, value] of [
    ['x-forwarded-for', '10.0.0.9'],
    ['forwarded', 'for=10.0.0.9'],
  ] as const) {
    const answer = await site.api.send('GET', '/hub', undefined, { [name]: value })
    expect([answer.status, answer.body.includes('For Bob')]).toEqual([403, false])
  }
})

describe('signed links', () => {
  const settings = { linkMode: 'signed', signedLinkDays: 7 } as const

  test('open their item and its file, and nothing else, until they expire', async () => {
    await using site = await testHub(settings)
    const document = crypto.randomUUID()
    await site.publish({ versionKey: 'k', title: 'First' })
    const id = await site.publish({ versionKey: 'k', document, fileName: 'a.html', format: 'html' })
    const url = new URL(site.hub.hubUrl(document, ANNA))
    expect(url.origin).toBe('http://reports.acme.example')
    const path = `${url.pathname}${url.search}`
    const page = await site.api.send('GET', path)
    expect(page.status).toBe(200)
    expect(page.body).not.toContain('versions')
    const [, download] = /href="([^"]*files\/1\?e=[^"]*)"/.exec(page.body) ?? []
    expect((await site.api.send('GET', download!.replaceAll('&amp;', '&'))).body).toBe('content of a.html')
    const other = await site.publish({})
    const e = url.searchParams.get('e')!
    const s = url.searchParams.get('s')!
    for (const wrong of [
      `/hub/items/${other}?e=${e}&s=${s}`,
      `/hub/items/${id}?e=${Number(e) + 1}&s=${s}`,
      `/hub/items/${id}?e=${e}&s=${s.slice(1)}`,
      `/hub/items/${id}?e=${e}&s=${s}&s=${s}`,
      `/hub/items/${id}?e=${e}`,
      `/hub?e=${e}&s=${s}`,
    ])
      expect([wrong, (await site.api.send('GET', wrong)).status]).toEqual([wrong, 303])
    site.clock.advance(7 * 24 * 60 * MINUTE_MS)
    expect((await site.api.send('GET', path)).status).toBe(303)
  })

  test('the key stays the same after a restart', async () => {
    await using site = await testHub(settings)
    const document = crypto.randomUUID()
    await site.publish({ document })
    const before = site.hub.hubUrl(document, ANNA)
    await site.hub.start()
    expect(site.hub.hubUrl(document, ANNA)).toBe(before)
  })

  test('mails link to items that their reader may see', async () => {
    await using site = await testHub({ linkMode: 'login' })
    const document = crypto.randomUUID()
    const id = await site.publish({ document })
    const url = `http://reports.acme.example/hub/items/${id}`
    expect(site.hub.hubUrl(document, ANNA)).toBe(url)
    expect(site.hub.hubUrl(document, 'Anna@Acme.example')).toBe(url)
    expect(site.hub.hubUrl(document, 'bob@acme.example')).toBe('')
    expect(site.hub.hubUrl(crypto.randomUUID(), ANNA)).toBe('')
  })
})
