/** What strangers tried on the executable: requests, streams, templates, schedules, mails that are too large. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { newKey } from '../support/console.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import {
  contentTypes,
  relationships,
  SHEET_NAMESPACES,
  smallDocument,
  smallWorkbook,
  zipOf,
} from '../support/office.ts'
import { type Named, type ReportSite, SALES_APP, startReportSite } from '../support/report-tasks.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until, within } from '../support/wait.ts'

const one = newKey('one', 'event:read')
const two = newKey('two', 'event:read')
const others = [1, 2, 3, 4, 5].map((n) => newKey(`other-${n}`, 'event:read'))

describe('Footman beside a site', () => {
  let site: TestSite
  let sink: HttpSink
  let product: Footman

  beforeAll(async () => {
    site = await startSite()
    sink = await startHttpSink()
    product = await footman({
      simulator: site.simulator,
      config: {
        scheduler: { enable: true, configfile: 'schedule.yaml' },
        restServerEndpointsEnable: { scheduler: { getSchedule: true } },
        footman: {
          dataDirectory: 'data',
          access: { enable: true, keys: [one, two, ...others].map(({ entry }) => entry) },
          api: { maxStreams: 40 },
          destinations: { hook: { type: 'webhook', url: `${sink.url}/hook` } },
          alertRoutes: [{ name: 'all', match: { outcome: 'failed' }, limit: 'none', to: ['hook'] }],
        },
      },
    })
    await product.start()
  }, 90_000)
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await sink?.stop()
    await site?.[Symbol.asyncDispose]()
  })

  /** Status and text of the answer to a request as it is written here. */
  function raw(...lines: readonly string[]): Promise<{ readonly status: number; readonly text: string }> {
    const answer = new Promise<string>((resolve, reject) => {
      const socket = connect(product.restPort, '127.0.0.1', () => socket.write([...lines, '', ''].join('\r\n')))
      let text = ''
      socket.on('data', (piece) => {
        text += piece
      })
      socket.on('error', reject)
      socket.on('close', () => resolve(text))
    })
    return within(answer, 10_000, 'an answer').then((text) => ({ status: Number(text.split(' ')[1]), text }))
  }

  test.each([
    [['GET /v4/butlerping HTTP/1.1', 'Host: localhost'], 200],
    [['GET /v4/butlerping HTTP/1.1'], 400],
    [['GET /v4/butlerping HTTP/1.1', 'Host: localhost', 'Host: evil.example'], 400],
    [['GET /v4/butlerping HTTP/1.1', 'Host: localhost, evil.example'], 400],
    [['GET /v4/butlerping HTTP/1.0'], 200],
  ])('%j', async (lines, status) => {
    expect((await raw(...lines, 'Connection: close')).status).toBe(status)
  })

  test('the id that a caller gives its request stands beside that of Footman', async () => {
    const answer = await product.call('GET', '/v4/events', undefined, { 'x-request-id': 'ours-1' })
    const own = answer.headers.get('x-request-id')
    expect([own, answer.headers.get('x-correlation-id')]).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), 'ours-1'])
    const entry = () =>
      product.rows<{ id: string; detail: string }>(`SELECT id, detail FROM audit WHERE request_id = '${own}'`)[0]
    expect((await until(entry, { what: 'the refusal in the audit' })).detail).toContain('X-Request-Id ours-1')
    for (const harmful of ['a\tb', 'x'.repeat(300), '<b>']) {
      const other = await product.call('GET', '/v4/butlerping', undefined, { 'x-request-id': harmful })
      expect(other.headers.get('x-correlation-id')).toBeNull()
    }
  })

  test('a caller has twenty streams; the last tenth of all is kept for callers that have none', async () => {
    const ends = new AbortController()
    const open = async (key: string) => {
      const answer = await fetch(`http://127.0.0.1:${product.restPort}/v4/stream`, {
        headers: { authorization: `Bearer ${key}` },
        signal: ends.signal,
      })
      return answer.status === 200 ? 'open' : `${answer.status} ${await answer.text()}`
    }
    const times = async (count: number, key: string) =>
      new Set(await Promise.all(Array.from({ length: count }, () => open(key))))
    try {
      expect(await times(20, one.key)).toEqual(new Set(['open']))
      expect(await open(one.key)).toMatch(/^503 .*key:one has 20 streams open/)
      expect(await times(16, two.key)).toEqual(new Set(['open']))
      expect(await open(two.key)).toMatch(/^503 .*the last 4 are kept for callers that have none/)
      for (const { key } of others.slice(0, 4)) expect(await open(key)).toBe('open')
      expect(await open(others[4]!.key)).toMatch(/^503 .*40 streams are open/)
    } finally {
      ends.abort()
    }
  })

  const preview = async (cronSchedule: string, timezone = 'Europe/Stockholm', count = 3) => {
    const local = { authorization: `Bearer ${(await localKey()).trim()}` }
    const answer = await product.call('POST', '/v4/schedules/preview', { cronSchedule, timezone, count }, local)
    return {
      status: answer.status,
      body: (await answer.json()) as { text?: string; details?: string; next?: string[] },
    }
  }
  const localKey = () => Bun.file(product.directory.join('data', 'local.key')).text()

  test.each([
    ['0 6 * * 5L', 200, 'at 06:00, on the last Friday of the month (Europe/Stockholm)'],
    ['0 6 LW * *', 200, ''],
    ['0 6 15W * *', 200, ''],
    ['0 6 ? * 1', 200, ''],
    ['0 6 * * L', 400, 'write sat, or 5L for the last Friday'],
  ])('the schedule %s', async (text, status, expected) => {
    const found = await preview(text)
    expect([found.status, found.body.text ?? found.body.details]).toEqual([status, expect.stringContaining(expected)])
  })

  test('the set of hours decides about the hour that comes twice, however it is written', async () => {
    // The next last Sunday of October, when the clocks go back: a day of 25 hours.
    const years = [0, 1].map((more) => new Date().getUTCFullYear() + more)
    const sundays = years.map((year) => new Date(Date.UTC(year, 9, 31 - new Date(Date.UTC(year, 9, 31)).getUTCDay())))
    const day = sundays.find((one) => one.getTime() > Date.now() + 86_400_000)!.getUTCDate()
    const every = [
      `*/30 * ${day} oct *`,
      `0,30 * ${day} oct *`,
      `0,30 0-23 ${day} oct *`,
      `*/30 */1 ${day} oct *`,
      `0,30 ${Array.from({ length: 24 }, (_, n) => n).join()} ${day} oct *`,
    ]
    const all = await Promise.all(every.map(async (text) => (await preview(text, 'Europe/Stockholm', 50)).body.next))
    for (const next of all) expect(next).toEqual(all[0])
    const instants = (all[0] ?? []).map((instant) => Date.parse(instant))
    expect([instants.length, instants.at(-1)! - instants[0]!]).toEqual([50, 24.5 * 3_600_000])
  })

  test('a message that is too large for its receiver and cannot be made shorter is not sent again', async () => {
    sink.answerOnce({ status: 413 })
    site.simulator.runTask('Manually triggered reload of Test failing reloads 2')
    const dead = () => product.rows<{ detail: string }>("SELECT detail FROM delivery WHERE state = 'dead'")[0]
    expect((await until(dead, { timeout: 30_000, what: 'the dead letter' })).detail).toContain('413')
    expect(sink.requests).toHaveLength(1)
  }, 60_000)
})

describe('templates', () => {
  let reports: ReportSite
  let report: Named
  beforeAll(async () => {
    reports = await startReportSite()
    report = await reports.call('POST', '/v4/report', {
      project: 'Sales',
      name: 'Strangers',
      type: 'template',
      appId: SALES_APP,
      data: [{ key: 'revenue', type: 'value', expr: '=Sum(Sales)' }],
    })
  }, 60_000)
  afterAll(async () => reports?.[Symbol.asyncDispose]())

  async function check(name: string, bytes: Uint8Array<ArrayBuffer>) {
    const url = `http://127.0.0.1:${reports.product.restPort}/v4/report/${report.id}/template/check`
    const answer = await fetch(url, { method: 'POST', headers: { 'x-file-name': name }, body: bytes })
    return (await answer.json()) as { ok: boolean; dropped: string[]; problems: { code: string; details: string }[] }
  }
  const sheet = (content: string) =>
    zipOf(
      smallWorkbook({
        'xl/worksheets/sheet1.xml': `<worksheet ${SHEET_NAMESPACES} xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1">${content}</c></row></sheetData></worksheet>`,
      }),
    )

  test.each([
    ['plain', '<f>WEBSERVICE("http://x")</f>'],
    ['CDATA', '<f><![CDATA[WEBSERVICE("http://x")]]></f>'],
    ['a comment', '<f>WEBSER<!-- x -->VICE("http://x")</f>'],
    ['an instruction', '<f>WEBSER<?a b?>VICE("http://x")</f>'],
    ['references', '<f>&#87;&#x45;BSERVICE("http://x")</f>'],
    ['a prefix', '<x:f>WEBSERVICE("http://x")</x:f>'],
    ['a quote in a column name', `<f>Table1['#x]&amp;WEBSERVICE("http://x")</f>`],
  ])('a call of WEBSERVICE by %s', async (_what, content) => {
    const { ok, problems } = await check('a.xlsx', await sheet(content))
    expect([ok, problems[0]]).toEqual([false, expect.objectContaining({ code: 'TEMPLATE_UNSAFE' })])
  })

  test('the reference to a company template is dropped and named, one to another document refused', async () => {
    const W = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main'
    const made = (kind: string) =>
      zipOf(
        smallDocument('<w:p><w:r><w:t>{{revenue}}</w:t></w:r></w:p>', {
          'word/_rels/document.xml.rels': relationships(['settings', 'settings.xml']),
          'word/settings.xml': `<w:settings xmlns:w="${W}"><w:zoom w:percent="90"/></w:settings>`,
          'word/_rels/settings.xml.rels': relationships([kind, 'file:///\\\\server\\Acme.dotm', 'External']),
          '[Content_Types].xml': contentTypes({
            'word/document.xml': 'application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml',
          }),
        }),
      )
    expect(await check('a.docx', await made('attachedTemplate'))).toMatchObject({
      ok: true,
      dropped: ['file:///\\\\server\\Acme.dotm'],
    })
    expect(await check('a.docx', await made('subDocument'))).toMatchObject({ ok: false, dropped: [] })
  })
})
