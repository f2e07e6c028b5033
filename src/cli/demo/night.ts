/**
 * The night before the demo, so that the console has a history to show: the simulated site plays it with its own
 * scheduler, triggers and chains, on a clock that runs through half a day in a moment. Times are relative to the start.
 */
import { randomUUID } from 'node:crypto'
import { DEFAULT_BEHAVIOUR } from '../../../simulator/entities.ts'
import { createSimClock, createSimulator, type Simulator, type SimulatorSettings } from '../../../simulator/index.ts'
import { guid, neverRun, ZERO_GUID } from '../../../simulator/site.ts'
import type { SimStream, SimTask, SimulatedSite } from '../../../simulator/types.ts'
import { MIGRATIONS } from '../../app/migrations.ts'
import { openDatabase } from '../../platform/sqlite.ts'
import type { Logger } from '../../platform/types.ts'
import { createQrsClient } from '../../qlik/qrs/client.ts'
import { createEndedReader } from '../../tasks/executions/history.ts'
import { recordExecution } from '../../tasks/executions/store.ts'
import { insertRetry, markStarted, noteDue, writeMark } from '../../tasks/safety-net/store.ts'
import { BEHAVIOUR } from './script.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const SHORT_MS = 1000
/** Long enough for the usual durations of what runs every two hours. */
const NIGHT_MS = 14 * HOUR_MS

/** A task that belongs to the night; starts by itself every `every` minutes, the last time `last` minutes ago. */
interface NightTask {
  readonly name: string
  readonly app: string
  readonly stream: string
  readonly every?: number
  readonly last?: number
  /** Starts when this task has succeeded. */
  readonly after?: string
  /** Minutes that it takes, more or less. */
  readonly takes: number
  readonly failMessage?: string
}

const DASHBOARD = 'Financial Dashboard Reload'
const ERP = 'ERP extract'
const MART = 'Customer mart'
const STOCK = 'Warehouse stock'
const NEVER_STARTED = 'Finance KPI board'
const LONG_RUNNING = 'Order history'
const HEADCOUNT = 'HR headcount'
const NO_ERP = 'Connector connect error: ERP\\orders: ORA-12541: TNS: no listener at erp01:1521'
const NO_STOCK = "Cannot open file: 'lib://ERP/stock_2210.qvd' (The process cannot access the file)"

const TASKS: readonly NightTask[] = [
  { name: NEVER_STARTED, app: 'Finance KPIs', stream: 'Finance', every: 240, last: 190, takes: 12 },
  { name: 'Margin model', app: 'Margin', stream: 'Finance', after: DASHBOARD, takes: 5 },
  { name: 'Regional sales', app: 'Regional Sales', stream: 'Finance', after: 'Margin model', takes: 4 },
  { name: ERP, app: 'ERP Extract', stream: 'Data platform', every: 60, last: 41, takes: 7, failMessage: NO_ERP },
  { name: MART, app: 'Customer Mart', stream: 'Data platform', after: ERP, takes: 6 },
  { name: LONG_RUNNING, app: 'Order History', stream: 'Data platform', every: 120, last: 29, takes: 18 },
  { name: 'Currency rates', app: 'Currency Rates', stream: 'Data platform', every: 30, last: 11, takes: 1 },
  { name: STOCK, app: 'Warehouse Stock', stream: 'Logistics', every: 120, last: 73, takes: 10, failMessage: NO_STOCK },
  { name: 'Route planning', app: 'Route Planning', stream: 'Logistics', every: 60, last: 24, takes: 6 },
  { name: 'Carrier invoices', app: 'Carrier Invoices', stream: 'Logistics', every: 180, last: 97, takes: 9 },
  { name: HEADCOUNT, app: 'Headcount', stream: 'People', every: 720, last: 585, takes: 20 },
  { name: 'Absence', app: 'Absence', stream: 'People', every: 180, last: 140, takes: 8 },
  { name: 'Campaign results', app: 'Campaigns', stream: 'Marketing', every: 60, last: 33, takes: 5 },
  { name: 'Web traffic', app: 'Web Traffic', stream: 'Marketing', every: 30, last: 17, takes: 4 },
]

/** Minutes that tasks of the site take at night; in the demo, and in the last `QUIET_MINUTES` before it, seconds. */
const TAKES: Readonly<Record<string, number>> = {
  'Sales ETL hourly': 6,
  [DASHBOARD]: 8,
  'Preload Sales Dashboard': 2,
  'Sales Report Update': 11,
  'Finance QVD nightly': 25,
  'HR Insights daily': 9,
  'R&D weekly': 14,
  'Nightly FTP fetch': 4,
  LAB_UserSync: 1,
}

/** More than any of them takes: at no time of day does one run when the demo begins, which starts some of them. */
const QUIET_MINUTES = 30

/** The trigger "Hourly" of the site, with which the broken chain begins, was last due so many minutes ago. */
const HOURLY = { name: 'Hourly', last: 52 }

/** The site after the night, and facts that a Footman would have noted; the rest is read from the site. */
export interface Night {
  readonly simulator: Simulator
  /** Milliseconds since 1970, like all times here. */
  readonly beganAt: number
  /** The start that did not come. */
  readonly missed: { readonly taskId: string; readonly dueAt: number }
  /** The execution with which a failed task was started again. */
  readonly retry: {
    readonly taskId: string
    readonly executionId: string
    readonly retryExecutionId: string
    readonly at: number
  }
}

/** A site whose night is over, on the present time and not yet started. */
export function playNight(
  deps: Omit<Parameters<typeof createSimulator>[0], 'clock'>,
  settings: Pick<SimulatorSettings, 'certificateDirectory'>,
): Night {
  const now = Date.now()
  const beganAt = now - NIGHT_MS
  const clock = createSimClock({ now: beganAt, speed: 0 })
  const extend = (site: SimulatedSite) => addTasks(site, now)
  const simulator = createSimulator({ ...deps, clock }, { ...settings, extend, schedules: true, tasks: BEHAVIOUR })
  const { site } = simulator
  const byDay = new Map([...site.tasks.values()].map((task) => [task, { ...task.behaviour }]))
  const { ids, happenings } = happeningsOf(simulator)
  const takes = new Map([...Object.entries(TAKES), ...TASKS.map((task) => [task.name, task.takes] as const)])
  for (const name of takes.keys()) simulator.setTask(name, { outcome: 'success' })
  const vary = createVariation()
  for (const [minutesAgo, happen] of happenings) {
    clock.set(now - minutesAgo * MINUTE_MS)
    for (const [name, minutes] of takes) {
      const isShort = minutesAgo <= QUIET_MINUTES && name in TAKES
      simulator.setTask(name, { durationMs: isShort ? SHORT_MS : Math.round(minutes * MINUTE_MS * vary()) })
    }
    happen()
  }
  clock.set(Date.now())
  clock.setSpeed(1)
  for (const [task, behaviour] of byDay) Object.assign(task.behaviour, behaviour)
  const idOf = (name: string) => [...site.tasks.values()].find((task) => task.name === name)!.id
  const { last = 0 } = TASKS.find(({ name }) => name === NEVER_STARTED)!
  return {
    simulator,
    beganAt,
    missed: { taskId: idOf(NEVER_STARTED), dueAt: now - last * MINUTE_MS },
    retry: { taskId: idOf(STOCK), ...ids(), at: now - RETRY_AGO * MINUTE_MS },
  }
}

const RETRY_AGO = 295
const STEP_MINUTES = 20

/** Faults by minutes before the demo, the first one first; between two of them durations change. */
function happeningsOf(simulator: Simulator) {
  const { site } = simulator
  let executionId = ''
  let retryExecutionId = ''
  const list: [minutesAgo: number, happen: () => void][] = [
    // The broken chain: fails every hour to the end, and what follows it does not run.
    [400, () => simulator.setTask(DASHBOARD, { outcome: 'fail' })],
    // The source is down for some hours.
    [590, () => simulator.setTask(ERP, { outcome: 'fail' })],
    [365, () => simulator.setTask(ERP, { outcome: 'success' })],
    // Stopped by hand, and started again.
    [575, () => simulator.abort(HEADCOUNT, 'LAB\\anna')],
    [552, () => simulator.runTask(HEADCOUNT, 'LAB\\anna')],
    // Fails once.
    [318, () => simulator.setTask(STOCK, { outcome: 'fail', durationMs: 4 * MINUTE_MS })],
    [
      RETRY_AGO,
      () => {
        executionId = lastExecution(site, STOCK)
        simulator.setTask(STOCK, { outcome: 'success' })
        retryExecutionId = simulator.runTask(STOCK, 'INTERNAL\\sa_api')
      },
    ],
    // The scheduler does not take the start.
    [195, () => simulator.setTask(NEVER_STARTED, { enabled: false })],
    [150, () => simulator.setTask(NEVER_STARTED, { enabled: true })],
    // Still runs when the demo begins.
    [QUIET_MINUTES, () => simulator.setTask(LONG_RUNNING, { durationMs: 44 * MINUTE_MS })],
  ]
  for (let ago = NIGHT_MS / MINUTE_MS; ago > STEP_MINUTES * 2; ago -= STEP_MINUTES) list.push([ago, () => {}])
  return { ids: () => ({ executionId, retryExecutionId }), happenings: list.sort(([a], [b]) => b - a) }
}

function lastExecution(site: SimulatedSite, name: string): string {
  const task = [...site.tasks.values()].find((one) => one.name === name)
  return site.executions.byTask(task!.id).at(-1)!.executionID
}

/** Factors around 1, the same ones at every start. */
function createVariation(): () => number {
  let state = 7
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return 0.85 + (state / 2_147_483_648) * 0.3
  }
}

/** Adds the tasks of the night with their apps, streams and triggers. No other task has failed before it. */
function addTasks(site: SimulatedSite, now: number): void {
  for (const task of site.tasks.values()) {
    if (task.behaviour.outcome !== 'fail') continue
    task.operational.lastExecutionResult = neverRun(site, task.id, task.app?.id ?? ZERO_GUID)
  }
  const minutesAgo = (minutes: number) => Math.floor(now / MINUTE_MS - minutes) * MINUTE_MS
  const [hourly] = [...site.schemaEvents.values()].filter(({ name }) => name === HOURLY.name)
  const [gate] = site.compositeEvents.values()
  const [app] = site.apps.values()
  const model = hourly!.task
  const byName = (name: string): SimTask => [...site.tasks.values()].find((task) => task.name === name)!
  hourly!.startDate = minutesAgo(HOURLY.last + 100 * 60)
  for (const [index, row] of TASKS.entries()) {
    const number = index + 1
    const stream = streamOf(site, row.stream)
    const own = { ...app!, id: guid('a2', number), name: row.app, stream, published: true, scriptError: null }
    site.apps.set(own.id, { ...own, tags: [], customProperties: [], description: '' })
    const id = guid('76', number)
    const lastExecutionResult = neverRun(site, id, own.id)
    const task: SimTask = {
      ...model,
      id,
      name: row.name,
      app: site.apps.get(own.id)!,
      tags: [],
      customProperties: [],
      operational: { ...model.operational, id: site.nextId('0b'), lastExecutionResult },
      behaviour: {
        ...DEFAULT_BEHAVIOUR,
        durationMs: row.takes * MINUTE_MS,
        failMessage: row.failMessage ?? null,
      },
    }
    site.tasks.set(id, task)
    if (row.after !== undefined) {
      const rule = { ...gate!.compositeRules[0]!, id: site.nextId('44'), task: byName(row.after) }
      const operational = { ...rule.operational, id: site.nextId('45') }
      const event = { ...gate!, id: guid('46', number), name: `After ${row.after}`, task }
      site.compositeEvents.set(event.id, { ...event, compositeRules: [{ ...rule, operational }] })
    }
    if (row.every !== undefined) {
      site.schemaEvents.set(guid('47', number), {
        ...hourly!,
        id: guid('47', number),
        name: everyText(row.every),
        task,
        startDate: minutesAgo((row.last ?? 0) + row.every * 100),
        incrementDescription: `${row.every % 60} ${Math.floor(row.every / 60)} 0 0`,
        operational: { ...hourly!.operational, id: site.nextId('42') },
      })
    }
  }
}

const everyText = (minutes: number) => (minutes < 60 ? `Every ${minutes} min` : `Every ${minutes / 60} h`)

function streamOf(site: SimulatedSite, name: string): SimStream {
  const streams = [...site.streams.values()]
  const found = streams.find((stream) => stream.name === name)
  const stream = found ?? { ...streams[0]!, id: guid('51', streams.length + 1), name }
  site.streams.set(stream.id, stream)
  return stream
}

/**
 * Makes the database `file`, as if Footman had run during the night: the history of executions that QRS has, how far the
 * reconciler has looked, a start that was due, and the retry. There are no events and no alerts of that time.
 */
export async function recordNight(file: string, night: Night, log: Logger): Promise<void> {
  const { simulator, beganAt, missed, retry } = night
  const { client, ca } = simulator.certificates.pem
  const qrs = createQrsClient(
    { log },
    {
      host: '127.0.0.1',
      port: simulator.ports.qrs,
      useSSL: true,
      rejectUnauthorized: true,
      headers: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal; UserId=sa_repository' }],
      certificates: () => ({ cert: client.cert.pem, key: client.key.pem, ca: ca.pem }),
    },
  )
  const db = openDatabase(file, { migrations: MIGRATIONS })
  try {
    const now = Date.now()
    const ended = await createEndedReader({ qrs, log }).between(beganAt, now, () => false)
    db.transaction(() => {
      for (const { execution } of ended) recordExecution(db, execution)
      writeMark(db, 'reconciler.since', beganAt)
      writeMark(db, 'reconciler.looked', now)
      noteDue(db, missed.taskId, missed.dueAt)
      const { taskId, executionId, retryExecutionId, at } = retry
      const id = randomUUID()
      insertRetry(db, { id, taskId, executionId, eventId: '', attempt: 1, max: 3, dueAt: at, state: 'starting' })
      markStarted(db, id, retryExecutionId, at)
    })
  } finally {
    db.close()
    await qrs.close()
  }
}
