/** Maintenance that is set once, over REST, beside that of the configuration (`/v4/maintenance`). Stored in `footman.db`. */
import type { SharedState } from '../cluster/types.ts'
import { type ApiRoute, from, route } from '../http/endpoint/route.ts'
import { type BodyIssue, invalidBody } from '../http/endpoint/validation.ts'
import { refusal } from '../http/errors.ts'
import type { Windows } from '../platform/calendar.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { type Database, type Migration, storedJson } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { ZoneTimes } from '../platform/zone-times.ts'
import type { MaintenanceConfig } from './config-routes.ts'
import { eventMatch } from './config-routes.ts'
import {
  CHANGE_MAINTENANCE,
  CREATE_MAINTENANCE,
  END_MAINTENANCE,
  type ListedMaintenance,
  MAINTENANCE,
  type MaintenanceBody,
  type Match,
} from './contract.ts'
import { createMaintenance, type Maintenance, maintenanceDetail } from './maintenance.ts'
import { matchIssues, timeOf } from './snoozes.ts'
import type { Hold } from './types.ts'

export const maintenanceMigrations: readonly Migration[] = [
  {
    name: 'maintenance-001',
    sql: `
      CREATE TABLE maintenance (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        match TEXT NOT NULL,
        stop_schedules INTEGER NOT NULL,
        from_at INTEGER NOT NULL,
        until_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        created_by TEXT NOT NULL
      ) WITHOUT ROWID;`,
  },
  { name: 'maintenance-002', sql: "ALTER TABLE maintenance ADD COLUMN summary_to TEXT NOT NULL DEFAULT '[]';" },
]

interface Once {
  readonly id: string
  readonly name: string
  /** JSON of the match as it was given; `{}` = all events. */
  readonly match: string
  readonly stopSchedules: 0 | 1
  /** Milliseconds since 1970. */
  readonly from: number
  readonly until: number
  readonly reason: string
  readonly createdBy: string
  /** JSON of the names of destinations. */
  readonly summaryTo: string
}

interface OnceDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly windows: Pick<Windows, 'contains'>
  /** Absent: a single node. */
  readonly shared?: Pick<SharedState, 'onApplied'> | undefined
}

const COLUMNS = `id, name, match, stop_schedules AS stopSchedules, from_at AS "from", until_at AS until, reason,
  created_by AS createdBy, summary_to AS summaryTo`
const SQL = {
  list: `SELECT ${COLUMNS} FROM maintenance WHERE until_at > ? ORDER BY from_at, id LIMIT 500`,
  add: 'INSERT INTO maintenance VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  summaries: `SELECT name, summary_to AS summaryTo FROM maintenance WHERE summary_to <> '[]' AND from_at <= ?
    ORDER BY from_at LIMIT 500`,
  until: 'UPDATE maintenance SET until_at = ? WHERE id = ?',
  remove: 'DELETE FROM maintenance WHERE id = ?',
  heldBack: `SELECT count(DISTINCT event_id) AS n FROM delivery WHERE reason = 'MAINTENANCE' AND detail = ?`,
}

/** Removes what ended before an instant. */
export const purgeMaintenance = (db: Database, before: number): number =>
  db.run('DELETE FROM maintenance WHERE until_at < ?', before).changes

export type OnceMaintenance = ReturnType<typeof createOnceMaintenance>

/** The stored maintenance that has not ended, compiled; read again after each change. */
export function createOnceMaintenance(deps: OnceDeps) {
  const { db, writer, clock, windows } = deps
  let compiled: Maintenance | null = null
  deps.shared?.onApplied((tables) => {
    if (tables.has('maintenance')) compiled = null
  })

  async function changed(work: (tx: Database) => void): Promise<void> {
    await writer.write(work)
    compiled = null
  }

  const list = (): Once[] => db.all<Once>(SQL.list, clock.now())
  const current = (): Maintenance => {
    compiled ??= createMaintenance({ windows }, list().map(configOf))
    return compiled
  }
  const hold: Required<Hold> = {
    suppression: (tx, subject) => current().suppression(tx, subject),
    needs: () => current().needs(),
  }
  return {
    ...hold,
    get current() {
      return current()
    },
    list,
    heldBack: (name: string): number => db.get<{ n: number }>(SQL.heldBack, maintenanceDetail(name))?.n ?? 0,
    /** Destinations of the summaries of maintenance that has begun, ended or not, by its name. */
    summaries: (): Map<string, readonly string[]> =>
      new Map(
        db
          .all<Pick<Once, 'name' | 'summaryTo'>>(SQL.summaries, clock.now())
          .map(({ name, summaryTo }) => [name, storedJson<string[]>(summaryTo, [])]),
      ),
    add: ({ id, name, match, stopSchedules, from, until, reason, createdBy, summaryTo }: Once) =>
      changed((tx) => void tx.run(SQL.add, id, name, match, stopSchedules, from, until, reason, createdBy, summaryTo)),
    setUntil: (id: string, until: number) => changed((tx) => void tx.run(SQL.until, until, id)),
    remove: (id: string) => changed((tx) => void tx.run(SQL.remove, id)),
  }
}

const iso = (at: number): string => new Date(at).toISOString()

function configOf({ name, match, stopSchedules, from, until }: Once): MaintenanceConfig {
  const parsed = eventMatch.safeParse(storedJson<unknown>(match, {}))
  const during = [{ start: iso(from), end: iso(until) }]
  const isAll = match === '{}' || !parsed.success
  return { name, during, match: isAll ? [] : [parsed.data], stopSchedules: stopSchedules === 1, summaryTo: [] }
}

/** That of the configuration and that set once, as one; the configuration comes first. */
export function joinMaintenance(file: () => Maintenance, once: OnceMaintenance): Omit<Maintenance, keyof Hold> {
  return {
    nameFor: (event, at) => file().nameFor(event, at) ?? once.current.nameFor(event, at),
    stopsSchedules: (at) => file().stopsSchedules(at) ?? once.current.stopsSchedules(at),
    isOn: (name, at) => file().isOn(name, at) || once.current.isOn(name, at),
    bands: (from, to) => [...file().bands(from, to), ...once.current.bands(from, to)],
  }
}

const LONGEST_MS = 7 * 86_400_000
const AHEAD_MS = 14 * 86_400_000
const MOST = 100

interface RoutesDeps extends OnceDeps {
  readonly once: OnceMaintenance
  readonly file: () => Maintenance
  /** In the configuration in use. */
  readonly configured: () => readonly MaintenanceConfig[]
  /** Names of `footman.destinations`. */
  readonly destinations: () => readonly string[]
}

export function maintenanceRoutes(deps: RoutesDeps): ApiRoute[] {
  const { clock, once } = deps

  function existing(id: string): Once {
    const found = once.list().find((one) => one.id === id)
    if (found) return found
    if (deps.configured().some(({ name }) => name === id)) {
      throw refusal(
        'FROM_FILE',
        `Maintenance ${id} stands in the configuration (footman.maintenance). Change it there.`,
      )
    }
    throw refusal('MAINTENANCE_NOT_FOUND', `No maintenance has the id ${id}. It may have ended.`)
  }

  return [
    route({
      ...MAINTENANCE,
      scope: 'event:read',
      summary: 'List maintenance',
      description: 'That of the configuration, then that set once which has not ended.',
      examples: [{ name: 'all', status: 200, answer: { maintenance: [] } }],
      handle: ({ query: { on } }, answer) => answer(200, { maintenance: listed(deps, on === true) }),
    }),
    route({
      ...CREATE_MAINTENANCE,
      scope: 'event:run',
      action: 'maintenance.create',
      summary: 'Begin or plan a maintenance',
      description:
        'Messages to people about events that match are held back and recorded as `suppressed`/`MAINTENANCE` in that time.',
      examples: [
        {
          name: 'all-events',
          body: { name: 'Network work', from: '2090-03-02T20:00:00Z', until: '2090-03-02T22:00:00Z' },
          status: 201,
        },
      ],
      async handle({ body, caller, times, note }, answer) {
        const now = clock.now()
        if (body.stopSchedules) {
          const missing = caller.refusal('schedule:run')
          if (missing) throw missing
        }
        const period = timesOf(deps, body, { times, now })
        const all = [...deps.configured(), ...once.list()]
        if (all.some(({ name }) => name === body.name) || all.length >= MOST) {
          throw refusal('NAME_TAKEN', `A maintenance ${body.name} exists already, or there are ${MOST}.`)
        }
        const { name, match = {}, stopSchedules = false, reason = '', summaryTo = [] } = body
        const made: Once = {
          id: uuidV7(now),
          name,
          match: JSON.stringify(match),
          stopSchedules: stopSchedules ? 1 : 0,
          reason,
          ...period,
          createdBy: caller.actor,
          summaryTo: JSON.stringify(summaryTo),
        }
        note({ target: [made.id], detail: `${name} until ${iso(made.until)}` })
        await once.add(made)
        return answer(201, onceAnswer(deps, made, now))
      },
    }),
    route({
      ...CHANGE_MAINTENANCE,
      scope: 'event:run',
      action: 'maintenance.change',
      summary: 'Change the end of a maintenance',
      examples: [
        {
          name: 'an-hour-more',
          params: from(MAINTENANCE, { id: '$response.body#/maintenance/0/id' }),
          body: { until: '2090-03-02T23:00:00Z' },
          status: 200,
        },
      ],
      async handle({ params: { id }, body, times, note }, answer) {
        note({ target: [id] })
        const found = existing(id)
        const given = { from: iso(found.from), until: body.until }
        const { until } = timesOf(deps, given, { times, now: clock.now() })
        note({ target: [id], detail: `${found.name} until ${iso(until)}` })
        await once.setUntil(id, until)
        return answer(200, onceAnswer(deps, { ...found, until }, clock.now()))
      },
    }),
    route({
      ...END_MAINTENANCE,
      scope: 'event:run',
      action: 'maintenance.end',
      summary: 'End a maintenance',
      examples: [{ name: 'first', params: from(MAINTENANCE, { id: '$response.body#/maintenance/0/id' }), status: 204 }],
      async handle({ params: { id }, note }, answer) {
        note({ target: [id] })
        const found = existing(id)
        note({ target: [id], detail: found.name })
        // Maintenance that has begun stays stored, because its summary is made of it.
        if (found.from < clock.now()) await once.setUntil(id, clock.now())
        else await once.remove(id)
        return answer(204)
      },
    }),
  ]
}

function listed({ clock, once, file, configured }: RoutesDeps, onlyOn: boolean): ListedMaintenance[] {
  const now = clock.now()
  const ofFile = configured()
    .filter(({ name }) => !onlyOn || file().isOn(name, now))
    .map(({ name, match, stopSchedules, summaryTo }) => ({
      id: name,
      name,
      origin: 'file' as const,
      match: match ?? null,
      stopSchedules,
      from: null,
      until: null,
      on: file().isOn(name, now),
      next: nextTimes(file(), name, now),
      heldBack: once.heldBack(name),
      reason: null,
      createdBy: null,
      summaryTo,
    }))
  const ofOnce = once.list().filter(({ from }) => !onlyOn || from <= now)
  return [...ofFile, ...ofOnce.map((one) => onceAnswer({ once }, one, now))]
}

const nextTimes = (maintenance: Maintenance, name: string, now: number) =>
  maintenance
    .bands(now, now + AHEAD_MS)
    .filter((band) => band.name === name)
    .slice(0, 3)
    .map(({ from, to }) => ({ from: iso(from), to: iso(to) }))

function onceAnswer({ once }: Pick<RoutesDeps, 'once'>, one: Once, now: number): ListedMaintenance {
  const { id, name, match, stopSchedules, from, until, reason, createdBy, summaryTo } = one
  return {
    id,
    name,
    origin: 'once',
    match: match === '{}' ? null : storedJson<Match | null>(match, null),
    stopSchedules: stopSchedules === 1,
    from: iso(from),
    until: iso(until),
    on: from <= now && now < until,
    next: [{ from: iso(from), to: iso(until) }],
    heldBack: once.heldBack(name),
    reason,
    createdBy,
    summaryTo: storedJson<string[]>(summaryTo, []),
  }
}

/** Throws 400 `VALIDATION` with every issue. */
function timesOf(
  { windows, destinations }: Pick<RoutesDeps, 'windows' | 'destinations'>,
  body: Pick<MaintenanceBody, 'from' | 'until' | 'match' | 'summaryTo'>,
  { times, now }: { readonly times: ZoneTimes; readonly now: number },
): { readonly from: number; readonly until: number } {
  const issues: BodyIssue[] = Object.keys(body.match ?? {}).length > 0 ? matchIssues(body.match!, windows, now) : []
  for (const [index, name] of (body.summaryTo ?? []).entries()) {
    if (!destinations().includes(name)) issues.push({ path: `summaryTo.${index}`, message: `no destination ${name}` })
  }
  const from = body.from === undefined ? now : timeOf('from', body.from, times, issues)
  const until = timeOf('until', body.until, times, issues)
  if (until <= from) issues.push({ path: 'until', message: 'must be after the begin' })
  else if (until - from > LONGEST_MS) issues.push({ path: 'until', message: 'must be at most 7 days after the begin' })
  else if (until <= now) issues.push({ path: 'until', message: 'lies in the past' })
  if (issues.length > 0) throw invalidBody(issues)
  return { from, until }
}
