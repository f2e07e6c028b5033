/**
 * The decisions of the routes about an event, as they were when its deliveries were made (`/v4/events/{id}/decisions`). They
 * are stored in the transaction of these deliveries, so that a later change of the configuration does not change them.
 */
import { createHash } from 'node:crypto'
import type { TaskEvent } from '../../events/types.ts'
import { type ApiRoute, from, route } from '../../http/endpoint/route.ts'
import { nodeZlib } from '../../platform/builtins.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import { storedJson } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { cut } from '../message-text/cut.ts'
import type { Decided } from '../router.ts'
import { type ListedRule, ruleVerdict } from '../rules/explain.ts'
import type { RuleGroup } from '../rules/table.ts'
import { DECISIONS, type Decisions, EVENTS } from './contract.ts'
import { eventNotFound } from './events.ts'
import { idOf } from './lists.ts'

export const decisionMigrations: readonly Migration[] = [
  {
    name: 'decisions-001',
    sql: `
      CREATE TABLE alert_configuration (used_from INTEGER PRIMARY KEY, hash TEXT NOT NULL, routes BLOB NOT NULL);
      CREATE TABLE event_decision (
        event_seq INTEGER PRIMARY KEY REFERENCES event (seq) ON DELETE CASCADE,
        at INTEGER NOT NULL,
        configuration INTEGER NOT NULL,
        stopped_by TEXT,
        routes BLOB
      );
    `,
  },
]

/** The routes of a configuration: those that exist, each with the reason why it is off. */
type KnownRoute = Pick<ListedRule, 'name' | 'origin' | 'off'>

interface StoredRoute {
  readonly name: string
  readonly matched: boolean
  readonly because: string | null
  /** field, wanted, found, holds */
  readonly fields: readonly (readonly [string, string, string | null, boolean | 'unknown'])[]
}

export interface DecisionRecorder {
  /** Stores the decision; in the transaction that adds the deliveries. */
  record(db: Database, event: TaskEvent, decided: Decided): void
  /** Another configuration is in use from now on. */
  follow(configuration: UsedConfiguration): void
}

export interface UsedConfiguration {
  /** The sections that are hashed. */
  readonly config: object
  readonly routes: readonly KnownRoute[]
}

/** Characters of a compared text, such as the message of an event. */
const TEXT_KEPT = 200
/** Characters of the hash that are kept. */
const HASH_LENGTH = 16

/** Verdicts that are kept in memory, a few hundred bytes each. */
const MOST_PACKED = 50

/** `first`: the configuration of the start. Nothing is hashed before the first event. */
export function createDecisionRecorder(
  { clock }: { readonly clock: Clock },
  first: UsedConfiguration,
): DecisionRecorder {
  let configuration = { ...first, since: clock.now() }
  const packed = new Map<string, Uint8Array>()
  let used: { readonly from: number; readonly hash: string; readonly routes: Uint8Array } | null = null

  /** The row of the configuration; one that was in use when the process ended goes on. */
  function usedNow(db: Database) {
    if (used) return used
    const hash = createHash('sha256').update(JSON.stringify(configuration.config)).digest('hex').slice(0, HASH_LENGTH)
    const last = db.get<{ from: number; hash: string }>(
      'SELECT used_from AS "from", hash FROM alert_configuration ORDER BY used_from DESC LIMIT 1',
    )
    const from = last?.hash === hash ? last.from : Math.max(configuration.since, (last?.from ?? 0) + 1)
    used = { from, hash, routes: pack(configuration.routes) }
    return used
  }

  /** Events of one kind mostly have the same verdicts. */
  function packOnce(stored: readonly unknown[]): Uint8Array {
    const json = JSON.stringify(stored)
    const known = packed.get(json)
    if (known) return known
    if (packed.size >= MOST_PACKED) packed.clear()
    const bytes = nodeZlib().gzipSync(json)
    packed.set(json, bytes)
    return bytes
  }

  return {
    record(db, event, { concerned, stoppedBy }) {
      const { from, hash, routes } = usedNow(db)
      // Each time: the transaction that added it first may have failed.
      db.run('INSERT OR IGNORE INTO alert_configuration VALUES (?, ?, ?)', from, hash, routes)
      const stopped = concerned.findIndex(({ name }) => name === stoppedBy)
      const stored = concerned.map((group, index) =>
        storedRoute(group, event, stopped >= 0 && index > stopped ? stoppedBy : null),
      )
      db.run(
        'INSERT OR REPLACE INTO event_decision SELECT seq, ?, ?, ?, ? FROM event WHERE id = ?',
        clock.now(),
        from,
        stoppedBy,
        stored.length === 0 ? null : packOnce(stored),
        event.id,
      )
    },
    follow(next) {
      configuration = { ...next, since: clock.now() }
      used = null
    },
  }
}

function storedRoute({ name, rules: [first] }: RuleGroup, event: TaskEvent, stoppedBy: string | null): StoredRoute {
  const behind = stoppedBy === null ? null : `rule ${stoppedBy} stops the evaluation`
  const { matched, because, fields = [] } = ruleVerdict(first!, event, behind)
  return {
    name,
    matched,
    because: because && cut(because, TEXT_KEPT),
    fields: fields.map(({ field, wanted, found, holds }) => [
      field,
      cut(wanted, TEXT_KEPT),
      found && cut(found, TEXT_KEPT),
      holds,
    ]),
  }
}

const pack = (value: unknown): Uint8Array => nodeZlib().gzipSync(JSON.stringify(value))

const unpack = <T>(packed: Uint8Array | null | undefined, otherwise: T): T =>
  packed ? storedJson<T>(nodeZlib().gunzipSync(packed).toString('utf8'), otherwise) : otherwise

/** Removes configurations that no event which is still kept was routed with. */
export function purgeConfigurations(db: Database, before: number): number {
  const last = '(SELECT max(used_from) FROM alert_configuration WHERE used_from < ?)'
  return db.run(`DELETE FROM alert_configuration WHERE used_from < ${last}`, before).changes
}

interface DecisionRow {
  readonly at: number
  readonly configuration: number
  readonly stoppedBy: string | null
  readonly routes: Uint8Array | null
}

/** Null when there is no such event. */
function readDecisions(db: Database, eventId: string): Decisions | null {
  const event = db.get<{ seq: number }>('SELECT seq FROM event WHERE id = ?', eventId)
  if (!event) return null
  const row = db.get<DecisionRow>(
    'SELECT at, configuration, stopped_by AS stoppedBy, routes FROM event_decision WHERE event_seq = ?',
    event.seq,
  )
  if (!row) return NOT_RECORDED
  const used = db.get<{ hash: string; routes: Uint8Array }>(
    'SELECT hash, routes FROM alert_configuration WHERE used_from = ?',
    row.configuration,
  )
  const known = unpack<readonly KnownRoute[]>(used?.routes, [])
  const stored = unpack<readonly StoredRoute[]>(row.routes, [])
  const deliveries = deliveriesByRoute(db, eventId, row.at)
  const names = new Set(stored.map(({ name }) => name))
  const recoveries = [...deliveries.keys()].filter((name) => !names.has(name))
  const routes = [...stored, ...recoveries.map((name) => ({ name, matched: true, because: null, fields: [] }))]
  const others = known.filter(({ name }) => !routes.some((one) => one.name === name))
  return {
    recorded: true,
    decidedAt: new Date(row.at).toISOString(),
    configuration: used?.hash ?? null,
    configurationFrom: new Date(row.configuration).toISOString(),
    stoppedBy: row.stoppedBy,
    routes: routes.map(({ name, matched, because, fields }) => ({
      name,
      origin: known.find((one) => one.name === name)?.origin ?? 'footman',
      matched,
      because,
      fields: fields.map(([field, wanted, found, holds]) => ({ field, wanted, found, holds })),
      deliveries: deliveries.get(name) ?? [],
    })),
    notConcerned: others.length,
    off: others.flatMap(({ name, off }) => (off === null ? [] : [{ name, because: off }])),
  }
}

const NOT_RECORDED: Decisions = {
  recorded: false,
  decidedAt: null,
  configuration: null,
  configurationFrom: null,
  stoppedBy: null,
  routes: [],
  notConcerned: 0,
  off: [],
}

/** The ids of the alerts that the decision made, and of recoveries, which may come later; replays left out. */
function deliveriesByRoute(db: Database, eventId: string, decidedAt: number): ReadonlyMap<string, string[]> {
  const rows = db.all<{ id: string; route: string }>(
    `SELECT id, route FROM delivery WHERE event_id = ? AND replay_of = ''
       AND (kind = 'recovery' OR (kind = 'alert' AND created_at <= ?)) ORDER BY seq`,
    eventId,
    decidedAt,
  )
  return new Map(
    [...Map.groupBy(rows, ({ route: name }) => name)].map(([name, all]) => [name, all.map(({ id }) => id)]),
  )
}

/** `keepMs`: for how long events are kept. */
export function decisionRoutes({ db, keepMs }: { readonly db: Database; readonly keepMs: number }): ApiRoute[] {
  return [
    route({
      ...DECISIONS,
      scope: 'event:read',
      summary: 'The decisions of the rules about an event',
      description:
        'As they were made, with the configuration of then. `POST /v4/alertroutes/explain` shows what the present configuration would do.',
      examples: [{ name: 'newest', params: from(EVENTS, { id: '$response.body#/events/0/id' }), status: 200 }],
      handle({ params }, answer) {
        const id = idOf(params)
        const found = readDecisions(db, id)
        if (!found) throw eventNotFound(id, keepMs)
        return answer(200, found)
      },
    }),
  ]
}
