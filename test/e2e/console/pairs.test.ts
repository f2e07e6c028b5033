/** Things that several pages show: each has one state, one number and one usual duration, wherever it stands. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { recordExecution } from '../../../src/tasks/executions/store.ts'
import { crawl, textOf } from '../../support/console.ts'
import { type Scene, startScene, tableOf } from '../../support/console-scene.ts'
import { type HttpSink, startHttpSink } from '../../support/http-sink.ts'
import { endedExecution } from '../../support/safety-net.ts'
import { until } from '../../support/wait.ts'

const MINUTE = 60_000
const SALES = '70000000-0000-4000-8000-000000000001'
const WAIT = { timeout: 20_000 }

interface Row {
  readonly taskId: string
  readonly taskName: string
}

describe('pages of one scene', () => {
  let sink: HttpSink
  let scene: Scene

  beforeAll(async () => {
    sink = await startHttpSink()
    sink.answer(({ url }) => ({ status: url === '/gone' ? 410 : 200 }))
    scene = await startScene({
      seed(db) {
        // Long successful runs, and many short failed ones: the median of all is that of the failed ones.
        const run = (n: number, outcome: 'success' | 'failed', runMs: number) =>
          recordExecution(
            db,
            endedExecution({
              taskId: SALES,
              taskName: 'Sales ETL hourly',
              executionId: `e-${n}`,
              resultId: `r-${n}`,
              outcome,
              runMs,
              stoppedAt: Date.now() - n * 10 * MINUTE,
            }),
          )
        for (let n = 1; n <= 30; n += 1) run(n, n % 5 === 0 ? 'success' : 'failed', n % 5 === 0 ? 441_000 : 704)
        // Information in the list, and no more than that.
        db.run(
          `INSERT INTO dropped_datagram (at, sender, reason, raw) VALUES (?, '127.0.0.1', 'INVALID', '')`,
          Date.now(),
        )
      },
      footman: {
        timezone: 'Asia/Kolkata',
        destinations: {
          refusing: { type: 'webhook', url: `${sink.url}/gone` },
          working: { type: 'webhook', url: `${sink.url}/fine` },
          away: { type: 'webhook', url: 'http://127.0.0.1:9/' },
        },
        alertRoutes: [
          { name: 'all', match: { outcome: 'failed' }, limit: 'none', to: ['refusing', 'working', 'away'] },
        ],
      },
    })
    scene.site.simulator.runTask('Manually triggered reload of Test failing reloads 2')
    await until(async () => {
      const { destinations } = await scene.json<{ destinations: { lastError: string | null }[] }>('/v4/destinations')
      return destinations.filter(({ lastError }) => lastError !== null).length === 2
    }, WAIT)
  }, 60_000)
  afterAll(async () => {
    await scene?.[Symbol.asyncDispose]()
    await sink?.stop()
  })

  test('a destination has one state on all pages', async () => {
    const health = tableOf((await scene.page('/system')).html, 'Destinations')
    const list = tableOf((await scene.page('/destinations')).html, 'Destinations')
    const state = (rows: Record<string, string>[]) =>
      rows.map((row) => `${row.Destination!.split(' ')[0]} ${row.State}`)
    expect(state(list)).toEqual(['away down', 'refusing refuses', 'working up'])
    expect(state(health)).toEqual(state(list))
    for (const one of state(list)) {
      const [name, word] = one.split(' ')
      const { html } = await scene.page(`/destinations/${name}`)
      expect(textOf(/<dt>State<\/dt>\s*<dd>(.*?)<\/dd>/s.exec(html)?.[1] ?? '').trim()).toBe(word!)
    }
  })

  test('the badge, the panel and its kinds count the same items', async () => {
    const { html } = await scene.page('/')
    const badge = Number(/<span class="count" title="\d+ open items">(\d+)</.exec(html)?.[1])
    const panel = Number(/Needs attention (\d+)/.exec(textOf(html))?.[1])
    const entries = html.split('<article class="item"').length - 1
    const kinds = [...html.matchAll(/(?:Tasks|Delivery|Input|Reports|System|Other) (\d+)<\/a>/g)].map(([, n]) =>
      Number(n),
    )
    const { count } = await scene.json<{ count: number }>('/v4/attention/count')
    expect([panel, entries, count, (await scene.json<{ count: number }>('/v4/attention')).count]).toEqual(
      Array.from({ length: 4 }, () => badge),
    )
    expect(kinds.reduce((sum, n) => sum + n, 0)).toBe(badge)
    expect(
      (await scene.json<{ items: { severity: string }[] }>('/v4/attention')).items.map((one) => one.severity),
    ).toContain('info')
  })

  test.each(['night', '12h', '24h', '48h'])('the title names the range that is pressed: %s', async (w) => {
    for (const to of ['', `&to=${new Date(Date.now() - 36 * 60 * MINUTE).toISOString()}`]) {
      const { html } = await scene.page(`/?w=${w}${to}`)
      const title = textOf(/<h1[^>]*>(.*?)<\/h1>/s.exec(html)?.[1] ?? '').trim()
      const pressed = textOf(
        /<a [^>]*aria-(?:current|pressed)="[^"]*"[^>]*>((?:Last night|\d+ h))<\/a>/.exec(html)?.[1] ?? '',
      )
      expect(pressed).toBe(w === 'night' ? 'Last night' : w.replace('h', ' h'))
      const name = w === 'night' ? 'night' : `${Number.parseInt(w, 10)} hours`
      expect(title).toBe(to === '' ? `Last ${name}` : name.replace('night', 'Night'))
    }
  })

  test('a task has one state, one count and one usual duration on all pages', async () => {
    const { tasks } = await scene.json<{ tasks: readonly Row[] }>('/v4/tasks?limit=500')
    const listed = async () => tableOf((await scene.page('/tasks?limit=500')).html, 'Tasks')
    const taskOf = (row: Record<string, string>) => tasks.find(({ taskName }) => row.Task!.startsWith(taskName))!
    // Looks between which no run has begun or ended.
    const { list, timeline, pages } = await until(async () => {
      const list = await listed()
      const timeline = tableOf((await scene.page('/?w=48h')).html, 'The tasks of the timeline')
      const pages = new Map<string, string>()
      for (const { taskId } of list.map(taskOf)) pages.set(taskId, (await scene.page(`/tasks/${taskId}`)).html)
      const states = (rows: readonly Record<string, string>[]) => rows.map(({ Task, State }) => `${Task} ${State}`)
      return states(await listed()).join() === states(list).join() ? { list, timeline, pages } : null
    }, WAIT)
    expect(list.length).toBe(tasks.length)
    expect(timeline.length).toBeGreaterThan(0)
    let compared = 0
    for (const row of list) {
      const task = taskOf(row)
      const state = row.State!.split(' since ')[0]!
      const html = pages.get(task.taskId)!
      const shown = textOf(html.slice(html.indexOf('<span data-part="state">')).slice(0, 900)).toLowerCase()
      expect({ task: task.taskName, shown }).toMatchObject({
        shown: expect.stringContaining(state.replace(' ,', ',').toLowerCase()),
      })
      expect({ state, runs: row['Last runs'] === 'never ran' }).toEqual({ state, runs: state === 'never ran' })
      const usual = /<dt>Usual<\/dt>\s*<dd>(.*?)<\/dd>/s.exec(html)?.[1]
      if (usual !== undefined)
        expect({ task: task.taskName, usual }).toEqual({ task: task.taskName, usual: row.Usual! })
      const ofTimeline = timeline.find((one) => one.Task === row.Task)
      if (!ofTimeline) continue
      compared += 1
      expect(state.startsWith(ofTimeline.State!)).toBe(true)
    }
    expect(compared).toBeGreaterThan(2)
    expect(list.find((row) => row.Task!.startsWith('Sales ETL hourly'))?.Usual).toBe('7 min 21 s')
  }, 60_000)

  test('a command of the palette finds the same tasks on the page of the search', async () => {
    const { html } = await scene.page('/search?q=%3E+start+sales+etl')
    const starts = [...html.matchAll(/href="[^"]*\/form\/task\.start\?taskId=([^&"]+)/g)].map(([, id]) => id)
    expect(starts[0]).toBe(SALES)
    expect(html).not.toContain('/console/events/')
  })

  test('one letter after the command is enough: names that begin with it come first', async () => {
    const { html } = await scene.page('/search?q=%3E+start+s')
    const found = html.slice(html.indexOf('class="list body found"'))
    const names = [...found.matchAll(/<li>.*?<bdi[^>]*>(.*?)<\/bdi>/gs)].map(([, name = '']) =>
      textOf(name).toLowerCase(),
    )
    const grade = (name: string) => (name.startsWith('s') ? 0 : /\bs/.test(name) ? 1 : name.includes('s') ? 2 : 3)
    expect(names.length).toBeGreaterThan(3)
    expect(grade(names[0]!)).toBe(0)
    expect(names.map(grade)).toEqual(names.map(grade).toSorted())
    const { groups } = await scene.json<{ groups: { kind: string }[] }>('/v4/search?q=s&kind=Tasks')
    expect(groups.map(({ kind }) => kind)).toEqual(['Tasks'])
  })

  test('no page has a bare percentile', async () => {
    const pages = await crawl(scene.who, '', 60, ['/console/tasks', `/console/tasks/${SALES}`])
    const found = [...pages].filter(([, { text }]) => /\bp\d\d\b/.test(textOf(text)))
    expect(found.map(([path]) => path)).toEqual([])
    expect(pages.size).toBeGreaterThan(30)
  }, 60_000)
})
