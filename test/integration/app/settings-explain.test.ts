/** `routes explain` gives the same answer wherever an entry stands, and after a change that was undone. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { z } from 'zod'
import { alertRoutes, destinations, maintenance, windows } from '../../../src/alerts/config.ts'
import { buildAlertPlan } from '../../../src/alerts/plan.ts'
import { createRouter } from '../../../src/alerts/router.ts'
import { explainEvent } from '../../../src/alerts/rules/explain.ts'
import { readCalendars } from '../../../src/app/calendars.ts'
import type { LoadResult } from '../../../src/app/config/load.ts'
import { parseConfig } from '../../../src/app/config/parse.ts'
import { withSettings } from '../../../src/app/config/stored.ts'
import { MIGRATIONS } from '../../../src/app/migrations.ts'
import { createConfigReload } from '../../../src/app/reload.ts'
import type { Config } from '../../../src/app/schema.ts'
import { createPathResolver } from '../../../src/config/paths.ts'
import { createProblemList } from '../../../src/config/problems.ts'
import { type MapNode, nodeAt, plain } from '../../../src/config/tree.ts'
import { storeWholeEvent } from '../../../src/events/store.ts'
import type { TaskEvent } from '../../../src/events/types.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import { createSettings } from '../../../src/settings/index.ts'
import type { SettingKind } from '../../../src/settings/kinds.ts'
import { treeOf } from '../../../src/settings/merge.ts'
import { createSettingStore, type OpenedSetting, openSettings } from '../../../src/settings/store.ts'
import { calendars } from '../../../src/tasks/schedule/config.ts'
import { taskEvent } from '../../support/events.ts'
import { exampleEvent } from '../../support/named.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { routesApi } from '../../support/routes-api.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

let db: Database
let space: TempDirectory
beforeAll(() => {
  db = openDatabase(':memory:', { migrations: MIGRATIONS })
  space = tempDirectory()
})
afterAll(() => {
  db.close()
  space.remove()
})

const NOW = Date.parse('2026-03-02T06:03:11Z')
const clock = { now: () => NOW }
const log = recordingLog()
const paths = () => createPathResolver({ configDirectory: space.path, cwd: space.path })

/** The answers of the real explanation, by the real plan of a configuration. */
async function explained(config: Config, events: readonly TaskEvent[]): Promise<unknown> {
  const { windows } = await readCalendars({ log, paths: paths(), on: { calendar: () => {} } }, config)
  const { candidates, output } = paths()
  const limits = { isStored: () => false, guard: async () => ({}) }
  const planDeps = { db, clock, log, mqtt: null, influx: null, candidates, output, limits }
  const plan = buildAlertPlan(planDeps, windows, config)
  const deps = { clock, log, onDeliveries: () => {}, observe: () => {}, holds: () => [plan.maintenance] }
  const router = createRouter({ ...deps, onDecided: () => {} }, plan.rules)
  // Rules of the sections of Butler are off.
  const listed = plan.listed.filter(({ origin }) => origin === 'footman')
  return events.map((event) =>
    explainEvent({ db, router, listed, storeEvent: storeWholeEvent }, event, event.receivedAt),
  )
}

interface Entry {
  readonly kind: SettingKind
  readonly name: string
  readonly value: object
}
const AT: Readonly<Partial<Record<SettingKind, string>>> = {
  destination: 'destinations',
  window: 'windows',
  calendar: 'calendars',
}
const LISTS: Readonly<Partial<Record<SettingKind, string>>> = { rule: 'alertRoutes', maintenance: 'maintenance' }

/** The part of a file that these entries are. */
function fileOf(entries: readonly Entry[]): object {
  const maps = Object.entries(AT).map(([kind, key]) => {
    const own = entries.filter((one) => one.kind === kind)
    return [key, Object.fromEntries(own.map(({ name, value }) => [name, value]))]
  })
  const lists = Object.entries(LISTS).map(([kind, key]) => {
    const own = entries.filter((one) => one.kind === kind)
    return [key, own.map(({ name, value }) => ({ name, ...value }))]
  })
  return { Butler: { footman: { timezone: 'UTC', ...Object.fromEntries([...maps, ...lists]) } } }
}

const rowOf = ({ kind, name, value }: Entry, position: number): OpenedSetting => ({
  kind,
  name,
  position,
  value,
  opened: value,
  lost: [],
  revision: 1,
  changedAt: 0,
  changedBy: 'anna',
})

const parsed = parseConfig({ footman: { timezone: 'UTC' } })
const BASE = 'config' in parsed ? parsed.config : ({} as Config)
const SECTIONS = z.object({ destinations, windows, calendars, alertRoutes, maintenance })

/** A file and stored entries, put together as a load does it. */
async function load(inFile: readonly Entry[], stored: readonly OpenedSetting[]): Promise<LoadResult> {
  const root = treeOf(fileOf(inFile), { file: 'butler.yaml', line: 1, column: 1 }) as MapNode
  const outside = { env: {}, directory: space.path, found: [] }
  const { settings, result } = await withSettings(root, stored, outside, createProblemList(), (tree) => {
    const footman = { ...BASE.footman, ...SECTIONS.parse(plain(nodeAt(tree, ['Butler', 'footman'])!)) }
    return { config: { ...BASE, footman }, tree }
  })
  const { config, tree } = result
  return {
    config,
    settings,
    problems: [],
    file: null,
    directory: space.path,
    qlikConnection: false,
    secrets: [],
    hosts: [],
    placeOf: () => ({ file: 'butler.yaml', line: 1, column: 1 }),
    written: () => true,
    nodeAt: (path) => nodeAt(tree, path),
  }
}

const DESTINATIONS = ['ops', 'page', 'mail'] as const
const FIELDS = {
  type: fc.constantFrom('reload', ['reload', 'externalProgram'], 'userSync'),
  outcome: fc.constantFrom('failed', 'aborted', ['failed', 'success']),
  task: fc.constantFrom('Load*', 'Other', ['Sales*', 'Load*']),
  stream: fc.constantFrom('Finance', ['F*', 'HR']),
  during: fc.constantFrom('night', 'days', 'holidays-only'),
  taskTag: fc.constantFrom('hourly', 'x'),
  consecutiveFailures: fc.constantFrom('>=2', '=1'),
}
/** Few of the fields, so that many rules fire. */
const match = fc
  .subarray(Object.keys(FIELDS) as (keyof typeof FIELDS)[], { maxLength: 2 })
  .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, FIELDS[name]]))))
const rule = fc.record(
  {
    to: fc.subarray([...DESTINATIONS], { minLength: 1 }),
    enable: fc.boolean(),
    match,
    except: match,
    limit: fc.constantFrom('none', '3/10m'),
    limitPer: fc.constantFrom('subject', 'app', 'route'),
    stop: fc.boolean(),
    severity: fc.constantFrom('warning', 'critical'),
    recovery: fc.constantFrom(true, false, 'auto'),
    title: fc.constantFrom('', '{{taskName}}'),
  },
  { requiredKeys: ['to'] },
)
const destination = fc.oneof(
  fc.record({ type: fc.constant('webhook'), url: fc.constantFrom('https://a.example/x', 'https://b.example/y') }),
  fc.record({ type: fc.constant('slack'), webhookURL: fc.constant('https://hooks.slack.com/services/T/B/x') }),
  fc.record({ type: fc.constant('pagerduty'), routingKey: fc.constant('r'.repeat(32)), enable: fc.boolean() }),
  fc.record({ type: fc.constant('ntfy'), topic: fc.constantFrom('a', 'b') }),
)
const entries = fc
  .record({
    rules: fc.array(rule, { minLength: 1, maxLength: 4 }),
    destinations: fc.tuple(destination, destination, destination),
    night: fc.record({ from: fc.constantFrom('20:00', '06:00'), to: fc.constantFrom('07:00', '06:30') }),
    days: fc.record({ days: fc.subarray(['mon', 'tue', 'sat'], { minLength: 1 }) }),
    dates: fc.subarray(['2026-03-02', '2026-12-25']),
    maintenance: fc.record({ during: fc.constantFrom('night', 'days'), match }, { requiredKeys: ['during'] }),
  })
  .map(({ rules, destinations, night, days, dates, maintenance }): readonly Entry[] => [
    ...destinations.map((value, n): Entry => ({ kind: 'destination', name: DESTINATIONS[n]!, value })),
    { kind: 'calendar', name: 'holidays', value: { dates } },
    { kind: 'window', name: 'night', value: night },
    { kind: 'window', name: 'days', value: days },
    { kind: 'window', name: 'holidays-only', value: { on: ['holidays'] } },
    { kind: 'maintenance', name: 'patching', value: maintenance },
    ...rules.map((value, n): Entry => ({ kind: 'rule', name: `r${n}`, value })),
  ])

const event = fc
  .record({
    type: fc.constantFrom('reload', 'externalProgram', 'userSync', 'service'),
    outcome: fc.constantFrom('failed', 'aborted', 'success'),
    taskName: fc.constantFrom('Load sales', 'Other', 'Sales'),
    hours: fc.integer({ min: 0, max: 72 }),
    failures: fc.integer({ min: 0, max: 3 }),
    stream: fc.constantFrom('Finance', 'HR', ''),
    tag: fc.constantFrom('hourly', 'daily'),
  })
  .map(({ type, outcome, taskName, hours, failures, stream, tag }) => {
    const plain = taskEvent({ receivedAt: NOW + hours * 3_600_000, taskName })
    const { task: aTask, app: anApp } = exampleEvent()
    const app = { ...anApp, stream: stream === '' ? null : { id: 's', name: stream } }
    const task = { ...aTask, name: taskName, tags: [{ id: 't', name: tag }] }
    const history = { consecutiveFailures: failures, lastSuccessAt: null }
    return { ...plain, type, outcome, app, task, history } as TaskEvent
  })
const events = fc.array(event, { minLength: 1, maxLength: 2 })

/** The first entries of lists stay in the file, whose rules come first; of the others any may. */
function divided(all: readonly Entry[], isStored: (n: number) => boolean, firstRule: number) {
  const stored = all.filter((one, n) => (one.kind === 'rule' ? Number(one.name.slice(1)) >= firstRule : isStored(n)))
  return { inFile: all.filter((one) => !stored.includes(one)), stored }
}

test('an entry means the same in the file and in the store', async () => {
  let matched = 0
  await fc.assert(
    fc.asyncProperty(entries, events, fc.nat(255), fc.nat(4), async (all, asked, mask, firstRule) => {
      const { inFile, stored } = divided(all, (n) => (mask & (1 << n)) !== 0, firstRule)
      const ofFile = await explained((await load(all, [])).config!, asked)
      const { config, settings } = await load(inFile, stored.map(rowOf))
      expect(settings.filter(({ state }) => state.state !== 'used')).toEqual([])
      expect(await explained(config!, asked)).toEqual(ofFile)
      if (JSON.stringify(ofFile).includes('"matched":true')) matched += 1
    }),
    { numRuns: 2000 },
  )
  // The property says something only where rules fire.
  expect(matched).toBeGreaterThan(500)
}, 120_000)

test('a change that is undone leaves no trace', async () => {
  const store = createSettingStore({ db, writer: createGroupWriter(db) })
  const key = { dataDirectory: space.path, key: 'k'.repeat(16) }
  const opened = () => openSettings(store.all(), key)
  const source = { initial: await load([], []), load: (rows: readonly OpenedSetting[]) => load([], rows) }
  const reload = createConfigReload(
    {
      log,
      clock,
      source: { ...source, use: () => {}, rebuild: () => {} },
      on: { configuration: () => {} },
      settings: opened,
    },
    source.initial.config!,
  )
  const { routes } = createSettings(
    {
      clock,
      store,
      shared: { mode: 'single' },
      user: {
        change: reload.change,
        test: () => Promise.reject(new Error('nothing is tested')),
        get settings() {
          return reload.latest!.settings
        },
      },
      inUse: { tests: async () => [], days: async () => null },
      whole: {
        get settings() {
          return reload.latest!.settings
        },
        nodeAt: (path) => reload.latest!.nodeAt(path),
        placeOf: () => ({ file: '', line: 0, column: 0 }),
        references: () => [],
        text: async () => null,
      },
      live: () => BASE.footman.settings,
      startTopics: () => [],
    },
    key,
  )
  await using api = await routesApi(routes)
  const who = { at: NOW, by: 'anna', via: 'api', requestId: '' }
  let changes = 0
  await fc.assert(
    fc.asyncProperty(entries, entries, events, fc.nat(100), fc.boolean(), async (all, others, asked, n, isDeleted) => {
      db.exec('DELETE FROM setting; DELETE FROM setting_history')
      await store.write(
        all.map(({ kind, name, value }, position) => ({ kind, name, position, value })),
        who,
      )
      await reload.reload()
      const before = await explained(reload.config, asked)
      const { kind, name } = all[n % all.length]!
      const other = others.find((one) => one.kind === kind)!
      const path = `/v4/settings/${kind}/${name}`
      const { status } = isDeleted
        ? await api.send('DELETE', path)
        : await api.send('PUT', path, { value: other.value }, { 'if-match': '"1"' })
      // What others name is not deleted.
      if (status === 409) return
      expect([path, status]).toEqual([path, isDeleted ? 204 : 200])
      changes += 1
      const restored = await api.send('POST', `${path}/restore`, { revision: 1 })
      expect([restored.status, restored.status === 200 ? '' : restored.body]).toEqual([200, ''])
      expect(await explained(reload.config, asked)).toEqual(before)
    }),
    { numRuns: 80 },
  )
  expect(changes).toBeGreaterThan(30)
}, 120_000)
