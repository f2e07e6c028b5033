/** The hub of the compiled executable behind a proxy with a path, from the run to the file of a reader. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { get } from 'node:http'
import { Uint8ArrayReader, ZipReader } from '@zip.js/zip.js'
import { startBrowser } from '../support/browser.ts'
import { type Visitor, visitor } from '../support/console.ts'
import { type PathProxy, startPathProxy } from '../support/path-proxy.ts'
import { type Reader, read, reader } from '../support/reader.ts'
import { type ReportSite, startReportSite } from '../support/report-tasks.ts'
import { needs } from '../support/servers.ts'
import { until } from '../support/wait.ts'

needs('chromium')

const ANNA = 'anna@acme.example'
const BOB = 'bob@acme.example'
const TIMEOUT_MS = 90_000

interface HubItem {
  readonly id: string
  readonly version: number
  readonly versions: number | readonly HubItem[]
  readonly unread: boolean
  readonly files: readonly { readonly fileName: string; readonly url: string }[]
}
interface Read {
  readonly recipient: string
  readonly how: string
  readonly fileName: string
  readonly version: number
}

describe('behind a proxy', () => {
  let proxy: PathProxy
  let reports: ReportSite
  /** Has Anna's session after the first test. */
  let anna: Visitor
  let packRun: string

  beforeAll(async () => {
    proxy = await startPathProxy('/intern/footman', true)
    reports = await startReportSite(
      { baseUrl: proxy.url, hub: { enable: true } },
      { footman: { api: { allowedHosts: [proxy.host] } } },
    )
    proxy.target = reports.product.restPort
    anna = visitor(new URL(proxy.url).origin)
  }, TIMEOUT_MS)
  afterAll(async () => {
    await reports?.[Symbol.asyncDispose]()
    await proxy?.[Symbol.asyncDispose]()
  })

  /** Opens a page; everything that it loads or leads to lies in the hub. */
  async function open(page: Reader, address: string): Promise<void> {
    const { pathname, search } = new URL(address)
    await page.open(pathname + search)
    staysInside(page)
  }
  function staysInside(page: Reader): void {
    const addresses = ['href', 'src', 'action'].flatMap((name) =>
      page.all(`[${name}]`).map(({ attributes }) => new URL(attributes.get(name)!, page.url).href),
    )
    expect(addresses.length).toBeGreaterThan(0)
    expect(addresses.filter((one) => !one.startsWith(`${proxy.url}/hub`) && !one.startsWith('data:'))).toEqual([])
  }

  /** A task that mails two documents and puts them into the hub, for one person. */
  async function packTask(name: string, address: string, changes: object = {}) {
    const report = await reports.salesReport(name)
    return reports.mailTask(name, report.id, {
      reports: [
        { key: 'page', reportId: report.id, format: 'html', fileName: '{report}' },
        { key: 'book', reportId: report.id, format: 'xlsx', fileName: '{report}' },
      ],
      recipients: [{ type: 'address', address, email: true, hub: true }],
      hub: { enabled: true },
      ...changes,
    })
  }

  const linkIn = (address: string, path: RegExp): string => {
    const { parsed } = reports.mailsTo(address).at(-1)!
    const [, link = ''] = path.exec(parsed.html ?? '') ?? []
    return link.replaceAll('&amp;', '&')
  }
  const reads = async (runId: string) =>
    (await reports.call<{ reads: Read[] }>('GET', `/v4/reportrun/${runId}/reads`)).reads

  test(
    'without script: run, mail, link, login by mail, view, download of one and of all, and the reads are listed',
    async () => {
      const run = await reports.run((await packTask('Weekly pack', ANNA)).id)
      packRun = run.id
      expect([run.outcome, run.events, run.counts.hubItems]).toEqual(['success', [], 2])
      const link = linkIn(ANNA, /href="([^"]+\/hub\/items\/[^"]+)"/)
      expect(link).toStartWith(`${proxy.url}/hub/items/`)
      const page = reader(anna)
      await open(page, link)
      const before = reports.mailsTo(ANNA).length
      page.fill('E-mail address', ANNA)
      await page.press('Send the link')
      expect(page.text()).toContain('If the address is known')
      await until(() => reports.mailsTo(ANNA).length > before)
      await open(page, linkIn(ANNA, /href="([^"]+\/hub\/login\/[^"]+)"/))
      await page.press('Sign in')
      // The login leads to the document of the mail.
      expect(page.url.href).toBe(link)
      staysInside(page)
      await page.follow('All reports')
      expect(page.text('h1')).toBe('Reports for you')
      expect(page.all('article.report')).toHaveLength(1)
      staysInside(page)

      await page.follow('Download Weekly pack.xlsx')
      expect(page.download?.name).toBe('Weekly pack.xlsx')
      expect(new TextDecoder().decode(page.download?.bytes.subarray(0, 2))).toBe('PK')
      await page.follow(/^Download all as ZIP/)
      expect(page.download?.name).toMatch(/^Weekly pack \d{4}-\d\d-\d\d\.zip$/)
      const zip = new ZipReader(new Uint8ArrayReader(page.download!.bytes))
      expect((await zip.getEntries()).map(({ filename }) => filename)).toEqual(['Weekly pack.html', 'Weekly pack.xlsx'])
      await page.follow('View Weekly pack.html')
      expect(page.text()).toContain('Revenue')
      const listed = (await reads(packRun)).map(({ recipient, how, fileName }) => `${recipient} ${how} ${fileName}`)
      expect(listed).toEqual([
        `${ANNA} view Weekly pack.html`,
        `${ANNA} download Weekly pack.xlsx`,
        `${ANNA} download Weekly pack.html`,
        `${ANNA} download Weekly pack.xlsx`,
        `${ANNA} view Weekly pack.html`,
      ])
    },
    TIMEOUT_MS,
  )

  test(
    'the item of another person is 404 for reading, downloads and programs',
    async () => {
      expect((await reports.run((await packTask('Salaries', BOB)).id)).outcome).toBe('success')
      const link = linkIn(BOB, /href="([^"]+\/hub\/items\/[^"]+)"/)
      const cookie = [...anna.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const api = link.replace('/hub/', '/v4/hub/')
      for (const url of [link, `${link}/files/1`, `${link}/files.zip`, api])
        expect([url, (await fetch(url, { headers: { cookie } })).status]).toEqual([url, 404])
      const { hubItems } = (await (await fetch(`${proxy.url}/v4/hub/items`, { headers: { cookie } })).json()) as {
        hubItems: HubItem[]
      }
      expect(hubItems.map(({ files }) => files[0]!.fileName)).toEqual(['Weekly pack.xlsx', 'Weekly pack.html'])
      expect(hubItems[0]!.files[0]!.url).toStartWith('/intern/footman/hub/items/')
      const page = reader(anna)
      await open(page, link)
      expect([page.status, page.text('h1')]).toEqual([404, 'Not found'])
      expect(page.text()).not.toContain('Salaries')
      await expect(reads(packRun)).resolves.toHaveLength(5)
    },
    TIMEOUT_MS,
  )

  test(
    'a page of another site can neither sign the reader out nor ask for links',
    async () => {
      const page = (form: string) =>
        new Response(`<!doctype html><title>Foreign</title>${form}<button form="f">Go</button>`, {
          headers: { 'content-type': 'text/html' },
        })
      using server = Bun.serve({
        hostname: '127.0.0.1',
        port: 0,
        fetch: (request) =>
          page(
            new URL(request.url).pathname === '/out'
              ? `<form id="f" method="post" action="${proxy.url}/hub/logout?all=1"></form>`
              : `<form id="f" method="post" action="${proxy.url}/hub/login"><input name="address" value="${ANNA}"></form>`,
          ),
      })
      const before = reports.mailsTo(ANNA).length
      await using browser = await startBrowser()
      const context = await browser.newContext()
      await context.addCookies([...anna.cookies].map(([name, value]) => ({ name, value, url: `${proxy.url}/hub` })))
      const tab = await context.newPage()
      for (const path of ['out', 'ask']) {
        await tab.goto(`http://localhost:${server.port}/${path}`)
        const answering = tab.waitForResponse((response) => response.url().startsWith(proxy.url))
        await tab.getByRole('button', { name: 'Go' }).click()
        expect((await answering).status()).toBe(403)
      }
      await tab.goto(`${proxy.url}/hub`)
      await tab.getByRole('heading', { name: 'Reports for you' }).waitFor()
      expect(reports.mailsTo(ANNA)).toHaveLength(before)
      await context.close()
    },
    TIMEOUT_MS,
  )

  test(
    'version 11 removes the oldest of 10, and the reader sees which is the newest',
    async () => {
      const report = await reports.salesReport('Daily KPI')
      const task = await reports.mailTask('Daily KPI', report.id, {
        recipients: [{ type: 'address', address: ANNA, email: false, hub: true }],
        email: { enabled: false },
        hub: { enabled: true, title: 'Daily KPI' },
      })
      const runs: string[] = []
      for (let n = 1; n <= 11; n++) {
        const run = await reports.run(task.id)
        expect([run.outcome, run.events]).toEqual(['success', []])
        runs.push(run.id)
      }
      const page = reader(anna)
      await open(page, `${proxy.url}/hub`)
      await page.follow('10 versions')
      expect(page.all('h2').map(read)).toContain('10 versions')
      const shown = page
        .all('a')
        .map(read)
        .filter((name) => /^Version \d+$/.test(name))
      expect(shown).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2].map((n) => `Version ${n}`))
      await page.follow('Version 2')
      await page.follow('Open the newest, version 11')
      expect(page.all('h2').map(read)).toContain('10 versions')
      expect((await reads(runs[1]!)).map(({ version, how }) => [version, how])).toEqual([[2, 'view']])
      expect(await reads(runs[0]!)).toEqual([])
    },
    TIMEOUT_MS,
  )
})

test(
  'a portal that signs people in: its header counts on its own connections alone',
  async () => {
    await using proxy = await startPathProxy('/footman', false)
    await using reports = await startReportSite(
      {
        baseUrl: proxy.url,
        hub: {
          enable: true,
          auth: 'trustedHeader',
          trustedHeader: { name: 'X-Portal-User', fromAddresses: ['127.0.0.1'] },
        },
      },
      { footman: { api: { trustedProxies: ['127.0.0.1'], allowedHosts: [proxy.host] } } },
    )
    proxy.target = reports.product.restPort
    const qlikUser = { userDirectory: 'ACME', userId: 'anna' }
    const { id } = await reports.call('POST', '/v4/recipient', { name: 'Anna', email: ANNA, qlikUser })
    const report = await reports.salesReport('Portal')
    const task = await reports.mailTask('Portal', report.id, {
      recipients: [{ type: 'recipient', recipientId: id, email: false, hub: true }],
      email: { enabled: false },
      hub: { enabled: true },
    })
    const run = await reports.run(task.id)
    expect([run.outcome, run.events]).toEqual(['success', []])

    const forwarded = { 'x-forwarded-prefix': '/footman', 'x-forwarded-for': '10.20.30.40' }
    proxy.headers = { ...forwarded, 'x-portal-user': String.raw`ACME\Anna` }
    const list = await (await fetch(`${proxy.url}/hub`)).text()
    expect(list).toContain('Portal.csv')
    const [, file = ''] = /href="(\/footman\/hub\/items\/[^"]+\/files\/1)"/.exec(list) ?? []
    const csv = await (await fetch(new URL(file, proxy.url))).text()
    expect(csv).toContain('Region,Sales')
    const { reads } = await reports.call<{ reads: Read[] }>('GET', `/v4/reportrun/${run.id}/reads`)
    expect(reads.map(({ recipient, how }) => [recipient, how])).toEqual([[ANNA, 'download']])

    for (const user of [String.raw`OTHER\anna`, '', BOB]) {
      proxy.headers = { ...forwarded, 'x-portal-user': user }
      const answer = await fetch(`${proxy.url}/hub`)
      expect([user, answer.status === 200 && (await answer.text()).includes('Portal.csv')]).toEqual([user, false])
    }
    // The same header from another address of this machine.
    const direct = await new Promise<number | undefined>((resolve, reject) => {
      const call = { host: '127.0.0.1', port: reports.product.restPort, path: '/hub', localAddress: '127.0.0.2' }
      get({ ...call, headers: { 'x-portal-user': ANNA } }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      }).on('error', reject)
    })
    expect(direct).toBe(403)
  },
  TIMEOUT_MS,
)
