import { describe, expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js'
import { hashOfKey, newKey } from '../../../../src/http/auth/keys.ts'
import { OWN_FORM, RUN_ID, type TestHub, testHub } from '../../../support/hub.ts'
import { until } from '../../../support/wait.ts'

const ANNA = 'anna@acme.example'
const BOB = 'bob@acme.example'
const DAY_MS = 86_400_000

/** Files of the hub that this process has open. */
function openBlobs({ blobs }: TestHub): number {
  if (!existsSync('/proc/self/fd')) return 0
  const folder = blobs.path('0'.repeat(64)).slice(0, -'/00/'.length - 64)
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return targets.filter((target) => target.startsWith(folder)).length
}

/** Asks for a link, follows it, and returns the cookie of the session. */
async function logIn(site: TestHub, address = ANNA): Promise<string> {
  const before = site.mails.length
  await site.api.send('POST', '/hub/login', `address=${encodeURIComponent(address)}`, OWN_FORM)
  await until(() => site.mails.length > before)
  const answer = await site.api.send('POST', `/hub/login/${site.tokenOf()}`, '', OWN_FORM)
  expect(answer.status).toBe(303)
  return answer.headers['set-cookie']!.split(';', 1)[0]!
}

describe('what a reader sees', () => {
  test('its own items, newest first, and nothing of others', async () => {
    await using site = await testHub()
    await site.publish({ title: 'Stock warning', project: 'Logistics', fileName: 'Stock.html', format: 'html' })
    site.clock.advance(60_000)
    await site.publish({ title: 'Headcount', project: 'People', fileName: 'Headcount.xlsx', format: 'xlsx' })
    const other = await site.publish({ title: 'Salaries', visibleTo: [BOB] })
    const cookie = await logIn(site)
    const list = await site.api.send('GET', '/hub', undefined, { cookie })
    expect(list.status).toBe(200)
    expect(list.body).toContain(ANNA)
    expect(list.body.indexOf('Headcount')).toBeLessThan(list.body.indexOf('Stock warning'))
    expect(list.body).not.toContain('Salaries')
    for (const path of [`/hub/items/${other}`, `/hub/items/${other}/files/1`, `/hub/items/${randomUUID()}`]) {
      const answer = await site.api.send('GET', path, undefined, { cookie })
      expect([path, answer.status]).toEqual([path, 404])
      expect(answer.body).not.toContain('Salaries')
    }
    const json = await site.api.send('GET', `/v4/hub/items/${other}`, undefined, { cookie })
    expect(json.status).toBe(404)
  })

  test('the first page with its one style sheet takes less than 40 KB', async () => {
    await using site = await testHub()
    for (let n = 0; n < 50; n++) await site.publish({ title: `Report ${n}`, runId: randomUUID() })
    const cookie = await logIn(site)
    const textOf = async (path: string) => (await site.api.send('GET', path, undefined, { cookie })).body
    const html = await textOf('/hub')
    const sheets = [...html.matchAll(/<link rel="stylesheet" href="([^"]+)"/g)].map(([, path]) => path!)
    expect(sheets).toHaveLength(1)
    expect(html).not.toContain('<script')
    const styles = await textOf(sheets[0]!)
    expect(styles).toContain('.report')
    const bytes = [html, styles].map((text) => gzipSync(text, { level: 4 }).length)
    expect(bytes[0]! + bytes[1]!).toBeLessThan(40_000)
  })

  test('search over title, project and file name, project filter, unread', async () => {
    await using site = await testHub()
    await site.publish({ title: 'Försäljning', project: 'Nord', fileName: 'a.pdf' })
    const stock = await site.publish({ title: 'Stock', project: 'Logistics', fileName: 'Lager_ÖST.pdf' })
    const cookie = await logIn(site)
    const titles = async (query: string) => {
      const { body } = await site.api.send('GET', `/hub?${query}`, undefined, { cookie })
      return [...body.matchAll(/<h3><a [^>]*><bdi>([^<]*)/g)].map(([, title]) => title)
    }
    expect(await titles('')).toEqual(['Stock', 'Försäljning'])
    expect(await titles(`q=${encodeURIComponent('FÖRSÄLJ')}`)).toEqual(['Försäljning'])
    expect(await titles('q=nord')).toEqual(['Försäljning'])
    expect(await titles(`q=${encodeURIComponent('lager_öst')}`)).toEqual(['Stock'])
    expect(await titles('q=%25')).toEqual([])
    expect(await titles('project=Logistics')).toEqual(['Stock'])
    expect(await titles('unread=1')).toEqual(['Stock', 'Försäljning'])
    await site.api.send('GET', `/hub/items/${stock}`, undefined, { cookie })
    expect(await titles('unread=1')).toEqual(['Försäljning'])
  })

  test('a search without result names its filters, and each can be removed', async () => {
    await using site = await testHub()
    await site.publish({})
    const cookie = await logIn(site)
    const { body } = await site.api.send('GET', '/hub?q=x%26y&project=Sales&unread=1', undefined, { cookie })
    expect(body).toContain('No report matches.')
    const links = [...body.matchAll(/<a class="chip" href="([^"]*)"><span class="sr">Remove <\/span><bdi>([^<]*)/g)]
    expect(links.map(([, href, text]) => [text, href])).toEqual([
      ['Search: x&amp;y', '/hub?project=Sales&amp;unread=1'],
      ['Project: Sales', '/hub?q=x%26y&amp;unread=1'],
      ['New', '/hub?q=x%26y&amp;project=Sales'],
    ])
  })

  test('"Nothing has been published" for a recipient without items', async () => {
    await using site = await testHub({}, { recipients: () => [{ email: ANNA, qlikUser: null, active: true }] })
    const cookie = await logIn(site)
    const { body } = await site.api.send('GET', '/hub', undefined, { cookie })
    expect(body).toContain('Nothing has been published for you yet.')
  })

  test('titles and names as text', async () => {
    await using site = await testHub()
    const title = `<script>alert(1)</script>"'\u202eevil\u001b[31m ${'x'.repeat(10_000)}`
    const fileName = '"><img src=x onerror=alert(1)>\u2066.html'
    const id = await site.publish({ title, project: '</title><b>', taskName: '{{x}}', fileName, format: 'html' })
    const cookie = await logIn(site)
    for (const path of ['/hub', `/hub/items/${id}`]) {
      const { body } = await site.api.send('GET', path, undefined, { cookie })
      expect(body).not.toMatch(/<script|<img|\p{Cf}|\p{Cc}(?<!\n)/u)
      expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
      expect(body).toContain('\\u202eevil')
    }
    const file = await site.api.send('GET', `/hub/items/${id}/files/1`, undefined, { cookie })
    expect(file.headers['content-disposition']).toMatch(/^attachment; filename\*=UTF-8''[\w%.!~-]+$/)
  })
})

describe('files', () => {
  test('are downloaded with headers that keep them out of caches and pages', async () => {
    await using site = await testHub()
    const id = await site.publish({ fileName: 'Sales pack_Nörd.pdf', content: 'pdf' })
    const cookie = await logIn(site)
    const { status, headers, body } = await site.api.send('GET', `/hub/items/${id}/files/1`, undefined, { cookie })
    expect([status, body]).toEqual([200, 'pdf'])
    expect(headers['content-type']).toBe('application/pdf')
    expect(headers['content-disposition']).toBe("attachment; filename*=UTF-8''Sales%20pack_N%C3%B6rd.pdf")
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['cache-control']).toBe('private, no-store')
    expect(headers.etag).toBe(`"${new Bun.CryptoHasher('sha256').update('pdf').digest('hex')}"`)
    expect((await site.api.send('GET', `/hub/items/${id}/files/2`, undefined, { cookie })).status).toBe(404)
  })

  test('are shown without any right with view=1, workbooks never', async () => {
    await using site = await testHub()
    const html = await site.publish({ fileName: 'a.html', format: 'html' })
    const xlsx = await site.publish({ fileName: 'a.xlsx', format: 'xlsx' })
    const cookie = await logIn(site)
    const shown = await site.api.send('GET', `/hub/items/${html}/files/1?view=1`, undefined, { cookie })
    expect(shown.headers['content-disposition']).toStartWith('inline;')
    expect(shown.headers['content-security-policy']).toBe(
      "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    )
    const workbook = await site.api.send('GET', `/hub/items/${xlsx}/files/1?view=1`, undefined, { cookie })
    expect(workbook.headers['content-disposition']).toStartWith('attachment;')
  })

  test('that are gone from the disk are answered with 404, and no access is recorded', async () => {
    await using site = await testHub()
    const id = await site.publish({})
    const cookie = await logIn(site)
    await site.blobs.removeUnreferenced(() => false, Date.now() + 1000)
    expect((await site.api.send('GET', `/hub/items/${id}/files/1`, undefined, { cookie })).status).toBe(404)
    expect((await site.api.send('GET', `/v4/reportrun/${RUN_ID}/reads`)).body).toBe('{"reads":[]}')
  })
})

describe('documents that were published together', () => {
  const filesOf = async (body: ArrayBuffer) => {
    const found: Record<string, string> = {}
    for (const entry of await new ZipReader(new Uint8ArrayReader(new Uint8Array(body))).getEntries()) {
      if (!entry.directory)
        found[entry.filename] = new TextDecoder().decode(
          await entry.getData(new Uint8ArrayWriter(), { useWebWorkers: false }),
        )
    }
    return found
  }

  test('are one entry of the list and one archive, without those of other people and runs', async () => {
    await using site = await testHub()
    const title = 'Weekly sales 2026-11-24'
    const pack = await site.publish({ title, fileName: 'Pack.pdf', content: 'pdf' })
    const book = await site.publish({ title, fileName: 'Book.xlsx', format: 'xlsx', content: 'book' })
    await site.publish({ title, fileName: 'Book.xlsx', format: 'xlsx', content: 'second' })
    const foreign = await site.publish({ title, fileName: 'Salaries.pdf', visibleTo: [BOB] })
    await site.publish({ title, fileName: 'Older.pdf', runId: randomUUID() })
    await site.publish({ title: 'Other', fileName: 'Other.pdf' })
    const cookie = await logIn(site)
    const list = (await site.api.send('GET', '/hub', undefined, { cookie })).body
    expect(list.match(/<article/g)).toHaveLength(3)
    expect(list.match(/files\.zip/g)).toHaveLength(1)
    expect(list).toContain(`href="/hub/items/${pack}/files.zip"`)
    expect(list.indexOf('Pack.pdf')).toBeLessThan(list.indexOf('Book.xlsx'))
    const page = (await site.api.send('GET', `/hub/items/${book}`, undefined, { cookie })).body
    expect(page).toContain(`href="/hub/items/${pack}"`)
    expect(page).not.toMatch(/Salaries|Older|Other\.pdf/)

    const ask = (id: string, init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${site.api.port}/hub/items/${id}/files.zip`, { headers: { cookie }, ...init })
    expect((await ask(foreign)).status).toBe(404)
    const answer = await ask(book)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/zip'])
    expect(answer.headers.get('content-disposition')).toBe(
      "attachment; filename*=UTF-8''Weekly%20sales%202026-11-24.zip",
    )
    expect(answer.headers.get('cache-control')).toBe('private, no-store')
    const files = await filesOf(await answer.arrayBuffer())
    expect(Object.entries(files).map(([name, text]) => [name.replace(/^[0-9a-f]{8}_/, '<id>_'), text])).toEqual([
      ['Pack.pdf', 'pdf'],
      ['Book.xlsx', 'book'],
      ['<id>_Book.xlsx', 'second'],
    ])
    const { reads } = JSON.parse((await site.api.send('GET', `/v4/reportrun/${RUN_ID}/reads`)).body)
    expect(reads.filter(({ how }: { how: string }) => how === 'download')).toHaveLength(3)
    const unread = await site.api.send('GET', '/hub?unread=1', undefined, { cookie })
    expect(unread.body).not.toContain('Pack.pdf')
  })

  test('the list shows the first files of many, their page all of them', async () => {
    await using site = await testHub()
    const names = Array.from({ length: 30 }, (_, n) => `Region ${n + 1}.pdf`)
    const ids: string[] = []
    for (const fileName of names) ids.push(await site.publish({ fileName }))
    const cookie = await logIn(site)
    const filesIn = (html: string) => [...html.matchAll(/Region \d+\.pdf<\/bdi>/g)].map(([text]) => text.slice(0, -6))
    const list = (await site.api.send('GET', '/hub', undefined, { cookie })).body
    expect(filesIn(list)).toEqual(names.slice(0, 5))
    expect(list).toMatch(new RegExp(`href="/hub/items/${ids[0]}"[^>]*>25 more files`))
    const page = (await site.api.send('GET', `/hub/items/${ids[0]}`, undefined, { cookie })).body
    expect(filesIn(page)).toEqual(names)
  })

  test('a reader who hangs up, a HEAD request and a file that is gone leave nothing open', async () => {
    await using site = await testHub()
    const big = 'x'.repeat(20_000_000)
    const id = await site.publish({ content: big })
    await site.publish({ fileName: 'second.pdf', content: `${big}y` })
    const cookie = await logIn(site)
    const url = `http://127.0.0.1:${site.api.port}/hub/items/${id}/files.zip`
    const leaving = new AbortController()
    const answer = await fetch(url, { headers: { cookie }, signal: leaving.signal })
    await answer.body!.getReader().read()
    leaving.abort()
    expect((await fetch(url, { method: 'HEAD', headers: { cookie } })).status).toBe(200)
    const whole = await filesOf(await (await fetch(url, { headers: { cookie } })).arrayBuffer())
    expect(Object.values(whole).map(({ length }) => length)).toEqual([20_000_000, 20_000_001])
    await until(() => openBlobs(site) === 0)
    await site.blobs.removeUnreferenced(() => false, Date.now() + 1000)
    expect((await fetch(url, { headers: { cookie } })).status).toBe(404)
  })

  test('a signed link opens its own document alone', async () => {
    await using site = await testHub({ linkMode: 'signed' })
    const document = randomUUID()
    const id = await site.publish({ document, fileName: 'Own.pdf' })
    await site.publish({ fileName: 'Next.pdf' })
    const link = new URL(site.hub.hubUrl(document, ANNA))
    expect((await site.api.send('GET', `${link.pathname}${link.search}`)).body).not.toContain('Next.pdf')
    const answer = await fetch(`http://127.0.0.1:${site.api.port}/hub/items/${id}/files.zip${link.search}`)
    expect(Object.keys(await filesOf(await answer.arrayBuffer()))).toEqual(['Own.pdf'])
  })
})

describe('versions', () => {
  test('a delivery that is repeated publishes once', async () => {
    await using site = await testHub()
    const id = randomUUID()
    await site.publish({ id, versionKey: 'k' })
    await site.publish({ id, versionKey: 'k' })
    const { body } = await site.api.send('GET', '/v4/hub/items')
    expect(JSON.parse(body)).toMatchObject({ total: 1, hubItems: [{ id, versions: 1, version: 1 }] })
  })

  test('version 11 removes the oldest of 10, its file included', async () => {
    await using site = await testHub()
    const ids: string[] = []
    for (let n = 1; n <= 11; n++) ids.push(await site.publish({ versionKey: 'k', content: `version ${n}` }))
    const cookie = await logIn(site)
    const newest = await site.api.send('GET', `/hub/items/${ids[10]}`, undefined, { cookie })
    expect(newest.body).toContain('10 versions')
    expect(newest.body).toContain('Version 11')
    expect(newest.body).not.toMatch(/Version 1\b/)
    expect((await site.api.send('GET', `/hub/items/${ids[0]}`, undefined, { cookie })).status).toBe(404)
    const sha256 = (n: number) => new Bun.CryptoHasher('sha256').update(`version ${n}`).digest('hex')
    expect([site.hub.usesBlob(sha256(1)), site.hub.usesBlob(sha256(2))]).toEqual([false, true])
    const older = await site.api.send('GET', `/hub/items/${ids[3]}`, undefined, { cookie })
    expect(older.body).toContain('This is version 4.')
  })

  test('the task decides about days and versions where it says so', async () => {
    await using site = await testHub({ hubDays: 30, hubVersions: 10 })
    const short = await site.publish({ title: 'short', retentionDays: 2 })
    const kept = await site.publish({ title: 'kept', retentionDays: 0 })
    const usual = await site.publish({ title: 'usual' })
    const [, last] = [
      await site.publish({ versionKey: 'two', retentionVersions: 1, retentionDays: 0 }),
      await site.publish({ versionKey: 'two', retentionVersions: 1, retentionDays: 0 }),
    ]
    const left = async () => {
      await site.hub.prune()
      const { hubItems } = JSON.parse((await site.api.send('GET', '/v4/hub/items')).body)
      return hubItems.map(({ id }: { id: string }) => id)
    }
    expect(await left()).toEqual([last, usual, kept, short])
    site.clock.advance(3 * DAY_MS)
    expect(await left()).toEqual([last, usual, kept])
    site.clock.advance(28 * DAY_MS)
    expect(await left()).toEqual([last, kept])
  })

  test('items of test runs are marked, and gone after 24 hours', async () => {
    await using site = await testHub({}, { testers: () => ['tester@acme.example'] })
    const id = await site.publish({ test: true, visibleTo: ['tester@acme.example'] })
    const cookie = await logIn(site, 'tester@acme.example')
    expect((await site.api.send('GET', '/hub', undefined, { cookie })).body).toContain('>Test<')
    site.clock.advance(DAY_MS)
    const again = await site.api.send('GET', '/v4/hub/items')
    expect(JSON.parse(again.body).total).toBe(0)
    await site.hub.prune()
    expect(site.db.get('SELECT 1 FROM report_hub_item WHERE id = ?', id)).toBeUndefined()
  })
})

describe('JSON', () => {
  test('lists the items in the documented form', async () => {
    await using site = await testHub()
    const id = await site.publish({ title: 'Weekly sales 2025-11-21', fileName: 'Nord.pdf', content: 'pdf' })
    const { status, body } = await site.api.send('GET', '/v4/hub/items?q=nord&limit=1')
    expect(status).toBe(200)
    expect(JSON.parse(body)).toEqual({
      hubItems: [
        {
          id,
          title: 'Weekly sales 2025-11-21',
          project: 'Sales',
          taskName: 'Weekly sales',
          publishedAt: '2026-11-24T08:00:00.000Z',
          test: false,
          version: 1,
          versions: 1,
          unread: false,
          files: [
            {
              n: 1,
              fileName: 'Nord.pdf',
              bytes: 3,
              sha256: new Bun.CryptoHasher('sha256').update('pdf').digest('hex'),
              url: `/hub/items/${id}/files/1`,
            },
          ],
        },
      ],
      total: 1,
    })
  })

  test('a caller behind a proxy, without a session and without a key, gets 401', async () => {
    await using site = await testHub()
    const answer = await site.api.send('GET', '/v4/hub/items', undefined, { 'x-forwarded-for': '10.0.0.9' })
    expect(answer.status).toBe(401)
  })

  test('views and downloads are listed for the run', async () => {
    await using site = await testHub()
    const document = randomUUID()
    const id = await site.publish({ document })
    const cookie = await logIn(site)
    await site.api.send('GET', `/hub/items/${id}`, undefined, { cookie })
    site.clock.advance(1000)
    await site.api.send('GET', `/hub/items/${id}/files/1`, undefined, { cookie })
    const { body } = await site.api.send('GET', `/v4/reportrun/${RUN_ID}/reads`)
    const read = { document, fileName: 'Sales pack.pdf', recipient: ANNA, version: 1 }
    expect(JSON.parse(body).reads).toEqual([
      { ...read, at: '2026-11-24T08:00:00.000Z', how: 'view' },
      { ...read, at: '2026-11-24T08:00:01.000Z', how: 'download' },
    ])
    expect((await site.api.send('GET', `/v4/reportrun/${randomUUID()}/reads`)).status).toBe(404)
  })
})

describe('behind a proxy with a path', () => {
  const PROXIES = [
    ['takes the path away', 'https://reports.acme.example/footman', '', 'reports.acme.example'],
    ['keeps the path', 'https://reports.acme.example/footman', '/footman', 'reports.acme.example'],
    [
      'keeps the path in the letters of the reader',
      'https://reports.acme.example/footman',
      '/Footman',
      '127.0.0.1:8080',
    ],
    ['keeps the path and calls by its own host', 'https://reports.acme.example/footman/', '/footman', '127.0.0.1:8080'],
    [
      'keeps a path that begins as the hub does',
      'https://acme.example/hub-of/reports',
      '/hub-of/reports',
      'acme.example',
    ],
    ['takes away a path named as the hub', 'https://acme.example/hub', '', 'acme.example'],
    ['keeps a path named as the hub', 'https://acme.example/hub', '/hub', 'acme.example'],
  ] as const

  test.each(PROXIES)('that %s: links, form targets, redirects and the cookie have it', async (_, base, kept, host) => {
    const path = new URL(base).pathname.replace(/\/$/, '')
    await using site = await testHub({ base: base.replace(/\/$/, '') }, { server: { publicUrl: base } })
    const id = await site.publish({})
    // The raw client sends "Host: 127.0.0.1" first; a request by fetch has the one of the proxy.
    const ask = (own: string, init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${site.api.port}${kept}${own}`, {
        redirect: 'manual',
        ...init,
        headers: { host, ...init.headers },
      })
    for (const page of ['/hub', `/hub/items/${id}`]) {
      const away = await ask(page)
      expect(away.headers.get('location')).toBe(`${path}/hub/login?next=${encodeURIComponent(path + page)}`)
    }
    const form = await (await ask(`/hub/login?next=${encodeURIComponent(`${path}/hub/items/${id}`)}`)).text()
    expect(form).toContain(`action="${path}/hub/login"`)
    expect(form).toContain(`name="next" value="${path}/hub/items/${id}"`)
    const next = encodeURIComponent(`${path}/hub/items/${id}`)
    await ask('/hub/login', { method: 'POST', body: `address=${ANNA}&next=${next}` })
    await until(() => site.mails.length > 0)
    expect(String(site.mails[0]?.text)).toContain(`https://${new URL(base).host}${path}/hub/login/`)
    expect(await (await ask(`/hub/login/${site.tokenOf()}`)).text()).toContain(`action="${path}/hub/login/`)
    const opened = await ask(`/hub/login/${site.tokenOf()}`, { method: 'POST' })
    expect(opened.headers.get('location')).toBe(`${path}/hub/items/${id}`)
    const [cookie = '', ...attributes] = opened.headers.get('set-cookie')!.split('; ')
    expect(attributes).toContain(`Path=${path}/hub`)
    expect(attributes.includes('Secure')).toBe(host === new URL(base).host)
    for (const page of ['/hub', `/hub/items/${id}`, '/hub?q=nothing', '/hub/items/none']) {
      const html = await (await ask(page, { headers: { cookie } })).text()
      const targets = [...html.matchAll(/(?:href|action|src)="([^"#][^"]*)"/g)].map(([, target]) => target!)
      expect(targets.length).toBeGreaterThan(3)
      expect(targets.filter((target) => !/^data:/.test(target) && !target.startsWith(`${path}/hub`))).toEqual([])
    }
    const list = await (await ask('/hub', { headers: { cookie } })).text()
    expect(list).toContain(`href="${path}/hub/items/${id}"`)
    const styles = /href="([^"]+\.css)"/.exec(list)![1]!.slice(path.length)
    expect((await ask(styles)).headers.get('content-type')).toStartWith('text/css')
    expect((await ask(`/hub/items/${id}/files/1`, { headers: { cookie } })).status).toBe(200)
    const json = (await (await ask('/v4/hub/items', { headers: { cookie } })).json()) as {
      hubItems: { files: { url: string }[] }[]
    }
    expect(json.hubItems[0]!.files[0]!.url).toBe(`${path}/hub/items/${id}/files/1`)
    const left = await ask('/hub/logout', { method: 'POST', headers: { cookie, 'sec-fetch-site': 'same-origin' } })
    expect(left.headers.get('set-cookie')).toContain(`Path=${path}/hub`)
  })
})

test('a trusted proxy names path and protocol; other clients do not', async () => {
  for (const [trustedProxies, root, secure] of [
    [['127.0.0.1'], '/footman/hub', true],
    [[], '/hub', false],
  ] as const) {
    await using site = await testHub({}, { server: { trustedProxies } })
    await site.publish({})
    const proxied = { 'x-forwarded-prefix': '/footman', 'x-forwarded-proto': 'https', 'x-forwarded-for': '10.0.0.9' }
    const away = await site.api.send('GET', '/hub', undefined, proxied)
    expect(away.headers.location).toBe(`${root}/login?next=${encodeURIComponent(root)}`)
    await site.api.send('POST', '/hub/login', `address=${ANNA}`, { ...OWN_FORM, ...proxied })
    await until(() => site.mails.length > 0)
    const answer = await site.api.send('POST', `/hub/login/${site.tokenOf()}`, '', { ...OWN_FORM, ...proxied })
    expect(answer.headers.location).toBe(root)
    expect(answer.headers['set-cookie']).toContain(`Path=${root};`)
    expect(/; Secure/.test(answer.headers['set-cookie']!)).toBe(secure)
    const odd = { ...proxied, 'x-forwarded-prefix': '//evil.example' }
    expect((await site.api.send('GET', '/hub', undefined, odd)).headers.location).toStartWith('/hub/')
  }
})

test('with access control on readers log in as ever, and programs need report:read', async () => {
  const [reader, other] = [newKey(), newKey()]
  const access = {
    enable: true,
    anonymous: { scopes: [] },
    allowFrom: [],
    auditKeyValues: false,
    keys: [
      { id: 'portal', hash: hashOfKey(reader), scopes: ['report:read'] },
      { id: 'erp', hash: hashOfKey(other), scopes: ['task:run'] },
    ],
  }
  await using site = await testHub({}, { server: { access } })
  const id = await site.publish({ visibleTo: [BOB] })
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await site.api.send('GET', path, undefined, headers)).status
  expect(await status('/hub')).toBe(303)
  expect(await status('/hub/login')).toBe(200)
  const cookie = await logIn(site, BOB)
  expect(await status(`/hub/items/${id}/files/1`, { cookie })).toBe(200)
  for (const path of ['/v4/hub/items', `/v4/hub/items/${id}`, `/v4/reportrun/${RUN_ID}/reads`]) {
    expect([path, await status(path)]).toEqual([path, 401])
    expect([path, await status(path, { 'x-api-key': other })]).toEqual([path, 403])
    expect([path, await status(path, { 'x-api-key': reader })]).toEqual([path, 200])
  }
  expect(await status(`/hub/items/${id}/files/1`, { 'x-api-key': reader })).toBe(200)
})
