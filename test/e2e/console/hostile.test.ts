/** Names that carry markup, scripts and control characters: on every page they are text. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { startBrowser } from '../../support/browser.ts'
import { crawl, visitorOf } from '../../support/console.ts'
import { openConsole } from '../../support/console-browser.ts'
import { type ReportSite, SALES_APP, startReportSite } from '../../support/report-tasks.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('chromium')

setDefaultTimeout(180_000)

const ATTACKS = [
  '<script>owned=1</script>',
  '"><img src=x data-owned onerror=owned=1>',
  `' onfocus='owned=1' autofocus data-owned='`,
  '</script></title></style><svg data-owned onload=owned=1>',
  'javascript:owned=1',
  '</style><style>*{display:none}',
  '<a data-owned href="javascript:owned=1">x</a>',
  '<iframe data-owned src="//evil.example">',
  '<base data-owned href="//evil.example/">',
  '\u202egnp.exe',
  '\u001b[31mred\u001b[0m',
  '\u2028\u2029</pre><!--',
  '{{7*7}}<%= owned = 1 %>',
  '&lt;script&gt;owned=1&lt;/script&gt;',
  '../../../etc/passwd%00',
]
const TASKS = 400
const PAIRS = 9000
const LONG = `<b data-owned>${'long '.repeat(2000)}</b>`

/** The n-th name, another one for each. */
const hostile = (n: number): string => `${ATTACKS[n % ATTACKS.length]} ${n}`
/** Datagrams have one name between two semicolons, in one line. */
const ofTask = (n: number): string => hostile(n).replaceAll(/[;\n]/g, ' ')

let reports: ReportSite
let pages: string[]

beforeAll(async () => {
  reports = await startReportSite(
    {},
    {
      restServerEndpointsEnable: { keyValueStore: true },
      footman: {
        watchConfig: false,
        destinations: { hook: { type: 'webhook', url: 'http://127.0.0.1:9/' } },
        alertRoutes: [{ name: 'failures', match: { outcome: 'failed' }, limit: 'none', to: ['hook'] }],
      },
    },
  )
  const { product, site, call } = reports
  const { simulator } = site
  simulator.addTasks(TASKS)
  const { tasks, apps, users, streams } = simulator.site
  let n = 0
  for (const one of [...apps.values(), ...streams.values(), ...tasks.values()])
    Object.assign(one, { name: ofTask(n++) })
  for (const one of users.values()) Object.assign(one, { name: ofTask(n++) })
  const [first, second, last] = [...tasks.values()].filter(({ taskType }) => taskType === 0)
  Object.assign(last!, { name: LONG })
  for (const { id } of [first!, second!, last!]) {
    simulator.setTask(id, { outcome: 'fail', durationMs: 50 })
    simulator.runTask(id)
  }
  const namespaces: Record<string, { key: string; value: string; expiresAt: null }[]> = {}
  for (let i = 0; i < PAIRS; i++) {
    const pair = { key: hostile(i).slice(0, 200), value: hostile(i + 1), expiresAt: null }
    const namespace = hostile(i % 30).replaceAll(/[^\x20-\x7e]/g, '')
    namespaces[namespace] = [...(namespaces[namespace] ?? []), pair]
  }
  await call(
    'POST',
    '/v4/keyvaluesimport',
    { format: 'footman.kv/1', exportedAt: new Date().toISOString(), namespaces },
    200,
  )
  for (const attack of ATTACKS.slice(0, 7)) {
    await reports
      .filter(attack, { type: 'values', appId: SALES_APP, field: 'Region', values: ['Nordic'] })
      .catch(() => {})
  }
  const report = await reports.salesReport(ATTACKS[0]!)
  const task = await reports.mailTask(ATTACKS[1]!, report.id, {
    recipients: [{ type: 'address', address: 'ops@acme.example' }],
  })
  await call('POST', '/v4/recipient', { name: ATTACKS[3], email: 'anna@acme.example', filterIds: [] })
  await reports.run(task.id)
  const snooze = { match: { task: hostile(1) }, until: new Date(Date.now() + 3_600_000).toISOString() }
  await call('POST', '/v4/snoozes', { ...snooze, reason: hostile(3) })
  await call('POST', '/v4/maintenance', {
    name: hostile(1),
    reason: hostile(2),
    match: { task: hostile(4) },
    until: new Date(Date.now() + 3_600_000).toISOString(),
  })
  type Events = { events: { id: string }[] }
  const events = await until(
    async () => {
      const { events: found } = await call<Events>('GET', '/v4/events?outcome=failed')
      return found.length >= 3 && found
    },
    { timeout: 60_000, what: 'three failures' },
  )
  await until(async () => (await call<{ tasks: unknown[] }>('GET', '/v4/tasks?limit=500')).tasks.length > TASKS, {
    timeout: 60_000,
  })
  pages = [
    '/',
    '/events',
    '/tasks?limit=200',
    '/deliveries',
    '/destinations',
    '/snoozes',
    '/schedules',
    '/reports',
    `/reports/tasks/${task.id}`,
    `/reports/tasks/${task.id}/edit`,
    '/system',
    '/system/audit',
    '/system/config',
    '/system/maintenance',
    '/system/keyvalues',
    '/search?q=script',
    '/schedules/calendar',
    ...events.slice(0, 1).flatMap(({ id }) => [`/events/${id}`, `/system/routes?event=${id}`]),
    ...[first!, last!].flatMap(({ id }) => [`/tasks/${id}`, `/form/task.start?taskId=${id}`]),
    `/system/keyvalues/${encodeURIComponent(Object.keys(namespaces)[1]!)}`,
    '/events?q=%3Cscript%3E%22%27',
    '/tasks?name=%22%3E%3Cimg+data-owned%3E',
    '/search?q=%3Csvg+data-owned%3E',
  ]
  expect(product.restPort).toBeGreaterThan(0)
})
afterAll(async () => {
  await reports?.[Symbol.asyncDispose]()
})

test('no page has an element of a name, as HTML', async () => {
  const who = visitorOf(reports.product)
  const all = await crawl(who, '', 40)
  for (const page of pages) {
    const answer = await who.get(`/console${page}`)
    all.set(page, { status: answer.status, text: await answer.text() })
  }
  let named = 0
  for (const [page, { status, text }] of all) {
    expect([page, status < 500 || status === 502]).toEqual([page, true])
    const tags = text.replaceAll(/"[^"]*"/g, '""')
    const found = tags.match(/<[^>]*\sdata-owned|<script>|<base\b/i)?.[0] ?? null
    // Values that a form or a script sends, and texts to be copied, are the names as they are.
    const shown = text.replaceAll(/ (?:value|data-[a-z-]+)="[^"]*"/g, '')
    const acting = ['\u202e', '\u001b', 'href="javascript:', 'src="//evil'].flatMap((one) =>
      shown.includes(one) ? JSON.stringify(shown.slice(shown.indexOf(one) - 120).slice(0, 160)) : [],
    )
    expect([page, found, acting]).toEqual([page, null, []])
    if (text.includes('owned=1')) named += 1
  }
  expect(named).toBeGreaterThan(20)
})

test('in a browser nothing runs, nothing is loaded, and the policy is kept', async () => {
  let browser: Browser | undefined
  try {
    browser = await startBrowser()
    const origin = `http://127.0.0.1:${reports.product.restPort}`
    await using opened = await openConsole(browser, `${origin}/console/`)
    const { page, faults } = opened
    for (const path of pages) {
      await page.goto(`${origin}/console${path}`)
      await page.locator('#main h1').waitFor()
      const found = await page.evaluate(() => ({
        owned: 'owned' in globalThis,
        elements: document.querySelectorAll('[data-owned], iframe:not([sandbox]), base').length,
        hidden: getComputedStyle(document.querySelector('h1')!).display === 'none',
        wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
      }))
      expect([path, found]).toEqual([path, { owned: false, elements: 0, hidden: false, wide: false }])
    }
    // The palette is made by a script.
    await page.keyboard.press('Control+k')
    await page.locator('dialog input:focus').waitFor()
    await page.keyboard.type('owned')
    await page.locator('[role=option]').first().waitFor()
    expect(await page.evaluate(() => document.querySelectorAll('[data-owned]').length)).toBe(0)
    expect(faults).toEqual([])
  } finally {
    await browser?.close()
  }
})
