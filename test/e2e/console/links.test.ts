/** Every link of every page leads to a page, over full data, and again when features and destinations are switched off. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { crawl, UUID } from '../../support/console.ts'
import { consoleScene, type Scene } from '../../support/console-demo.ts'

/** Pages of a kind, such as executions, or a list with its filters. */
const OF_A_KIND = 3
/** Asked for on purpose. */
const WITHOUT_PAGE = '/console/unknown'
const TASK = '70000000-0000-4000-8000-000000000001'

let scene: Scene
beforeAll(async () => {
  scene = await consoleScene()
}, 90_000)
afterAll(async () => {
  await scene?.[Symbol.asyncDispose]()
})

/** What pages offer as JSON or for download, a few of each kind. */
function filesOf(texts: readonly string[]): readonly string[] {
  const hrefs = texts.flatMap((text) => [...text.matchAll(/ href="(\/console\/api\/[^"]*)"/g)].map(([, href]) => href!))
  const kinds = Map.groupBy(new Set(hrefs), (href) => href.replace(/[?].*/, '').replace(UUID, 'ID'))
  return [...kinds.values()].flatMap((some) => some.slice(0, OF_A_KIND).map((href) => href.replaceAll('&amp;', '&')))
}

async function broken(also: readonly string[] = []) {
  const found = await crawl(scene.who, '', Number.POSITIVE_INFINITY, also, OF_A_KIND)
  expect(found.size).toBeGreaterThan(60)
  const pages = [...found].filter(([path]) => path !== WITHOUT_PAGE).map(([path, { status }]) => ({ path, status }))
  const files = await Promise.all(
    filesOf([...found.values()].map(({ text }) => text)).map(async (path) => {
      const answer = await scene.who.get(path)
      await answer.body?.cancel()
      return { path, status: answer.status }
    }),
  )
  expect(files.length).toBeGreaterThan(5)
  return [...pages, ...files].flatMap(({ path, status }) => (status === 200 ? [] : [[status, path]]))
}

const mainOf = (html: string): string => html.split('<main')[1]?.split('<footer')[0] ?? ''
const typedIn = (html: string, name: string): string | undefined =>
  new RegExp(`<input[^>]*\\bname="${name}"[^>]*>`).exec(html)?.[0].match(/ value="([^"]*)"/)?.[1]

describe('with everything switched on', () => {
  test('every link leads to a page', async () => {
    expect(await broken()).toEqual([])
  }, 240_000)

  test.each(['/schedules/70000000-0000-4000-8000-00000000dead', '/system/keyvalues/never-there'])(
    'what was deleted is said to be so: %s',
    async (path) => {
      const { status, html } = await scene.who.page(path)
      expect([status, mainOf(html)]).toEqual([404, expect.stringContaining('is not there; it may have been deleted')])
      expect(mainOf(html)).not.toContain('Bad Request')
    },
  )

  const SCHEDULE = {
    confirmed: '1',
    name: 'Typed name',
    kind: 'simple',
    every: '*',
    at: '04:00',
    timezone: 'Europe/Stockholm',
    state: 'started',
    action: 'startTask',
    task: TASK,
    shift: 'none',
    overlapPolicy: 'allow',
    misfirePolicy: 'skip',
  }
  const PERIOD = { from: '2030-01-01T10:00', until: '2030-01-01T11:00' }
  const MAINTENANCE = { confirmed: '1', name: 'Typed', zone: 'UTC', ...PERIOD }
  const PAIR = { confirmed: '1', sent: '1', revision: '0', namespace: 'Typed', key: 'typed', value: 'v' }
  const HEADINGS: Readonly<Record<string, string>> = {
    'schedule.create': 'New schedule',
    'snooze.set': 'Snooze',
    'destination.test': 'Send test',
    'maintenance.create': 'Plan the maintenance',
    'kv.set': 'Save the pair',
    'kv.import': 'Import pairs',
  }
  test.each<[operation: string, fields: Record<string, string>, wrong: string, kept: string | null]>([
    ['schedule.create', { ...SCHEDULE, name: '', jitter: '7m' }, 'name', 'jitter'],
    ['schedule.create', { ...SCHEDULE, at: '25:00' }, 'at', 'at'],
    ['schedule.create', { ...SCHEDULE, kind: 'cron', cron: '0 25 * * *' }, 'cron', 'cron'],
    ['schedule.create', { ...SCHEDULE, timezone: 'Europe/Nowhere' }, 'timezone', 'timezone'],
    ['schedule.create', { ...SCHEDULE, timezone: '' }, 'timezone', 'name'],
    ['schedule.create', { ...SCHEDULE, notOn: 'no-such-calendar' }, 'notOn', 'notOn'],
    ['schedule.create', { ...SCHEDULE, onlyOn: 'no-such-calendar, other' }, 'onlyOn', 'onlyOn'],
    ['schedule.create', { ...SCHEDULE, window: 'no-such-window' }, 'window', 'window'],
    ['schedule.create', { ...SCHEDULE, shift: 'sideways' }, 'shift', 'name'],
    ['schedule.create', { ...SCHEDULE, overlapPolicy: 'shout' }, 'overlapPolicy', 'name'],
    ['schedule.create', { ...SCHEDULE, misfirePolicy: 'shout' }, 'misfirePolicy', 'name'],
    ['schedule.create', { ...SCHEDULE, jitter: 'long' }, 'jitter', 'jitter'],
    ['schedule.create', { ...SCHEDULE, task: 'no-id' }, 'task', 'name'],
    ['schedule.create', { ...SCHEDULE, task: '' }, 'task', 'name'],
    ['schedule.create', { ...SCHEDULE, action: 'webhook', actionName: 'nowhere' }, 'actionName', 'actionName'],
    ['snooze.set', { confirmed: '1', reason: 'typed' }, 'taskId', 'reason'],
    ['snooze.set', { confirmed: '1', reason: 'typed', taskId: 'no-id' }, 'taskId', 'taskId'],
    ['snooze.set', { confirmed: '1', task: 'Typed', message: '/(/' }, 'message', 'task'],
    ['snooze.set', { confirmed: '1', reason: 'typed', match: 'no JSON' }, 'taskId', 'reason'],
    ['snooze.set', { confirmed: '1', reason: 'typed', match: 'null' }, 'taskId', 'reason'],
    ['snooze.set', { confirmed: '1', task: 'Typed', for: 'never' }, 'when', 'task'],
    ['snooze.set', { confirmed: '1', task: 'Typed', reason: 'r'.repeat(501) }, 'reason', 'task'],
    ['destination.test', { confirmed: '1', name: 'bi-team-chat', eventId: 'no-id' }, 'eventId', 'eventId'],
    ['maintenance.create', { ...MAINTENANCE, name: '', reason: 'typed' }, 'name', 'reason'],
    ['maintenance.create', { ...MAINTENANCE, from: 'soon' }, 'from', 'name'],
    ['maintenance.create', { ...MAINTENANCE, from: '2030-01-02T10:00' }, 'until', 'from'],
    ['maintenance.create', { ...MAINTENANCE, summaryTo: 'no-such-destination' }, 'summaryTo', 'summaryTo'],
    ['maintenance.create', { ...MAINTENANCE, summaryTo: 'bi-team-chat, nowhere' }, 'summaryTo', 'summaryTo'],
    ['maintenance.create', { ...MAINTENANCE, reason: 'r'.repeat(501) }, 'reason', 'name'],
    ['kv.set', { ...PAIR, key: '' }, 'key', 'namespace'],
    ['kv.set', { ...PAIR, namespace: '' }, 'namespace', 'key'],
    ['kv.set', { ...PAIR, ttl: 'a while' }, 'ttl', 'ttl'],
    ['kv.import', { confirmed: '1', content: '{"format":"other/1","namespaces":{}}' }, 'format', null],
  ])('%s keeps what was typed, with the reason at the field: %o', async (operation, fields, wrong, kept) => {
    const { status, html } = await scene.who.act(operation, fields)
    const main = mainOf(html)
    expect([status, main.includes(`<h1>${HEADINGS[operation]}</h1>`)]).toEqual([400, true])
    expect(main).toContain(`<em class="wrong" data-wrong="${wrong}"`)
    expect(main).not.toMatch(/Bad Request|Invalid body|Status 400/)
    if (kept !== null) expect(typedIn(main, kept)).toBe(fields[kept])
  })

  test('a time zone that does not exist makes no maintenance', async () => {
    const times = { from: '2030-01-01T10:00', until: '2030-01-01T11:00' }
    const fields = { confirmed: '1', name: 'Typed', zone: 'Europe/Nowhere', ...times }
    const { status, text } = await scene.who.act('maintenance.create', fields)
    expect([status, text]).toEqual([400, expect.stringContaining('zone: there is no time zone "Europe/Nowhere"')])
  })

  test('names stand where they are known, not ids', async () => {
    await scene.who.act('snooze.set', { confirmed: '1', taskId: TASK, for: '2h' })
    await scene.who.act('task.start', { confirmed: '1', taskId: TASK })
    const [snoozes, audit, events] = await Promise.all([
      scene.who.page('/snoozes'),
      scene.who.page('/system/audit'),
      scene.who.page(`/events?taskId=${TASK}`),
    ])
    expect(snoozes.text).toContain('task Sales ETL hourly')
    expect(audit.text).toContain('Sales ETL hourly')
    expect(events.text).toContain('Task: Sales ETL hourly')
    for (const { html } of [snoozes, audit]) expect(mainOf(html).replace(/<[^>]*>/g, '')).not.toContain(TASK)
  })

  test.each([
    '/tasks',
    '/events',
    '/deliveries',
    '/destinations',
    '/destinations/bi-team-chat',
    '/events/*',
    '/schedules',
    '/system',
    '/system/audit',
    '/reports',
    '/reports/templates',
    '/reports/hub',
  ])(
    '%s sorts by its first column, up and down',
    async (path) => {
      const delivered = path.endsWith('*') ? await scene.who.page('/deliveries') : null
      const [, event = path] = /"\/console(\/events\/[\w-]{36})"/.exec(delivered?.html ?? '') ?? []
      const { html } = await scene.who.page(event)
      const [, href = ''] = /aria-sort="none">\s*<a class="sort" href="([^"]*)"/.exec(html) ?? []
      const keysAt = async (address: string, order: string) => {
        const shown = await scene.who.page(address.replace('/console', '').replaceAll('&amp;', '&'))
        expect([shown.status, shown.html.includes(`aria-sort="${order}"`)]).toEqual([200, true])
        return shown.html
      }
      const up = await keysAt(href, 'ascending')
      const [, back = ''] = /aria-sort="ascending">\s*<a class="sort" href="([^"]*)"/.exec(up) ?? []
      await keysAt(back, 'descending')
    },
    20_000,
  )

  test('a list that is longer than a page has a next one, and filters begin with the first', async () => {
    const lines = Array.from({ length: 501 }, (_, n) => `Reader ${String(n).padStart(3, '0')},r${n}@acme.example`)
    await scene.who.act('recipient.import', { confirmed: '1', csv: ['name,email', ...lines].join('\n') })
    const { total } = await scene.get<{ total: number }>('/v4/recipient?limit=1')
    const first = await scene.who.page('/reports/recipients?sort=-name')
    expect(first.text).toContain(`1 to 500 of ${total}`)
    expect(first.html).toContain('aria-sort="descending"')
    const [, next = ''] = /rel="next" href="([^"]*)"/.exec(first.html) ?? []
    const second = await scene.who.page(next.replace('/console', '').replaceAll('&amp;', '&'))
    expect(second.text).toContain(`501 to ${total} of ${total}`)
    expect(second.text).toContain('Reader 500')
    expect(second.html).not.toContain('<input type="hidden" name="offset"')
  })

  test('no page names itself as the page above it', async () => {
    const { reports } = await scene.get<{ reports: { id: string }[] }>('/v4/report')
    const { html } = await scene.who.page(`/reports/reports/${reports[0]!.id}`)
    const crumbs = [.../class="crumbs".*?<\/nav>/s.exec(html)![0].matchAll(/<a [^>]*>([^<]*)<\/a>/g)]
    expect(crumbs.map(([, text]) => text)).toEqual(['Reports', 'All reports'])
  })
})

describe('with features and destinations switched off', () => {
  beforeAll(async () => {
    const { deliveries } = await scene.get<{ deliveries: { destination: string }[] }>('/v4/deliveries')
    expect(deliveries.length).toBeGreaterThan(0)
    await scene.switchOff()
  })

  test('every link leads to a page', async () => {
    expect(await broken(['/console/reports', '/console/schedules', '/console/deliveries'])).toEqual([])
  }, 240_000)

  test.each([
    ['/reports', 'Reports are switched off', 'reportTask:', true],
    ['/schedules', 'Schedules are switched off', 'scheduler:', true],
    ['/system/keyvalues', 'Key-values are switched off', 'keyValueStore: true', true],
    ['/system/files', 'File operations are switched off', 'fileCopy: true', false],
    ['/system/mqtt', 'MQTT messages are switched off', 'receivedTopics', false],
  ])('%s says how to switch the feature on', async (path, title, yaml, isFeature) => {
    const { status, text } = await scene.who.page(path)
    expect(status).toBe(200)
    expect(text).toContain(title)
    expect(text).toContain(yaml)
    expect(text).toContain('start Footman again')
    expect(text.includes('System > Features')).toBe(isFeature)
  })

  test('the navigation has the place Reports', async () => {
    expect((await scene.who.page('/')).html).toContain('/console/reports"')
  })

  test('a destination of the past shows what was sent to it', async () => {
    const { deliveries } = await scene.get<{ deliveries: { destination: string }[] }>('/v4/deliveries')
    const { status, text } = await scene.who.page(`/destinations/${deliveries[0]!.destination}`)
    expect([status, text.includes('Nothing is sent to it')]).toEqual([200, true])
    expect((await scene.who.page('/destinations/never-there')).status).toBe(404)
  })
})
