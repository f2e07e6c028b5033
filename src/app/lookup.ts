/**
 * `GET /v4/lookup/{what}`: suggestions for fields that name a thing, out of what Footman knows. Qlik Sense is asked for its tasks
 * as pages ask for them: where it does not answer, the last answer counts.
 */
import { DESTINATIONS } from '../alerts/rules/contract.ts'
import { type Ask, createAsk } from '../console/ask.ts'
import { LOOKUP, LOOKUPS, type Lookup, type Suggestion } from '../console/contract.ts'
import { ANY_SCOPE, type Caller } from '../http/endpoint/caller.ts'
import { invalidQuery } from '../http/endpoint/list-query.ts'
import { type ApiRoute, route } from '../http/endpoint/route.ts'
import type { Database } from '../platform/sqlite.ts'
import { type SiteTask, valuesOf } from '../tasks/overview/site.ts'
import type { Config } from './schema.ts'
import { type SearchDeps, siteOf } from './search.ts'
import { byRank, rankOf } from './search-rank.ts'

interface LookupDeps extends Pick<SearchDeps, 'db' | 'overview'> {
  readonly live: () => { readonly footman: Pick<Config['footman'], 'calendars' | 'destinations' | 'windows'> }
}

interface Asked {
  readonly caller: Caller
  /** Other endpoints, with the rights of the caller. */
  readonly ask: Ask
  /** The property of `customPropertyValue`. */
  readonly of: string
}

interface Source {
  /** One of them is needed. */
  readonly scopes: readonly [string, ...string[]]
  readonly read: (deps: LookupDeps, asked: Asked) => readonly Suggestion[] | Promise<readonly Suggestion[]>
}

const MOST = 20
const MAX_TEXT = 200

export function lookupRoute(deps: LookupDeps): ApiRoute {
  return route({
    ...LOOKUP,
    scope: ANY_SCOPE,
    summary: 'Suggest values for a field',
    description:
      'Names that are the words of `q` or begin with them come first, then those with a word that begins so, then those that ' +
      'contain them, then what only has them in its detail. While Qlik Sense does not answer, things are as they were last known. ' +
      `Needs the scope of the things: ${scopeText()}.`,
    examples: [
      {
        name: 'task',
        params: { what: 'task' },
        query: { q: 'sales etl' },
        status: 200,
        answer: { suggestions: [{ value: 'Sales ETL hourly', label: 'Sales ETL hourly', detail: 'Sales ETL' }] },
      },
    ],
    async handle({ params: { what }, query: { q = '', of = '' }, caller, pages }, answer) {
      if (q.length > MAX_TEXT) throw invalidQuery([{ path: 'q', message: `must have at most ${MAX_TEXT} characters` }])
      if (what === 'customPropertyValue' && of === '') {
        throw invalidQuery([{ path: 'of', message: 'must name the custom property' }])
      }
      const { scopes, read } = SOURCES[what]
      requireOneOf(caller, scopes)
      const ask = createAsk(pages, { caller, bucket: null, refusal: null }, true)
      return answer(200, { suggestions: best(await read(deps, { caller, ask, of }), q.trim()) })
    },
  })
}

/** Throws the refusal of the first scope when the caller has none of them. */
function requireOneOf(caller: Caller, scopes: Source['scopes']): void {
  if (scopes.some((scope) => caller.may(scope))) return
  throw caller.refusal(scopes[0])!
}

/** Those that fit, each value once, the best first. */
function best(found: readonly Suggestion[], query: string): Suggestion[] {
  const distinct = [...new Map(found.map((one) => [one.value, one])).values()]
  return distinct
    .flatMap((one) => {
      const { label: title, value, detail = '' } = one
      const fields = [title, detail, value].map((text) => ({ label: '', text }))
      const rank = query === '' ? 0 : rankOf(query, fields)?.rank
      return rank === undefined ? [] : [{ one, rank, title }]
    })
    .toSorted(byRank)
    .slice(0, MOST)
    .map(({ one }) => one)
}

const named = (value: string, detail?: string | null, label = value): Suggestion => ({
  value,
  label,
  ...(detail && { detail }),
})

const names = (all: Iterable<string>): Suggestion[] => [...all].filter((name) => name !== '').map((name) => named(name))

/** Out of the tasks of the site. */
const ofTasks = (suggest: (task: SiteTask, asked: Asked) => readonly Suggestion[]): Source => ({
  scopes: ['task:read'],
  async read({ overview }, asked) {
    const { tasks } = await siteOf(overview)
    return tasks.flatMap((task) => suggest(task, asked))
  },
})

/** Entries of the configuration in use, by name. */
const ofConfig = (section: 'calendars' | 'windows'): Source => ({
  scopes: ['schedule:read', 'event:read'],
  read: ({ live }) => names(Object.keys(live().footman[section])),
})

/** Recipients that are read at a time. */
const PART = 500
/** Events and executions that are looked at, the newest first. */
const LOOKED_AT = 20_000

const SQL = {
  nodes: `SELECT min(name) AS name FROM (SELECT host AS name FROM udp_source UNION
    SELECT node FROM (SELECT node FROM execution ORDER BY stopped_at DESC LIMIT ${LOOKED_AT}) WHERE node IS NOT NULL)
    GROUP BY lower(name)`,
  users: `SELECT DISTINCT user AS name FROM (SELECT user FROM event ORDER BY seq DESC LIMIT ${LOOKED_AT})`,
} as const

const known = (db: Database, sql: string): Suggestion[] => names(db.all<{ name: string }>(sql).map(({ name }) => name))

const SOURCES: Readonly<Record<Lookup, Source>> = {
  task: ofTasks(({ name, appName }) => [named(name, appName)]),
  taskId: ofTasks(({ id, name, appName }) => [named(id, appName, name)]),
  app: ofTasks(({ appName, stream }) => (appName ? [named(appName, stream)] : [])),
  appId: ofTasks(({ appId, appName, stream }) => (appId ? [named(appId, stream, appName ?? appId)] : [])),
  stream: ofTasks(({ stream }) => names([stream ?? ''])),
  tag: ofTasks(({ tags }) => names(tags)),
  customProperty: ofTasks(({ customProperties }) => names(customProperties.map(({ name }) => name))),
  customPropertyValue: ofTasks((task, { of }) => names(valuesOf(task, of))),
  person: {
    scopes: ['event:read', 'report:read'],
    read: async ({ db }, { caller, ask }) => [
      ...(caller.may('event:read') ? known(db, SQL.users) : []),
      ...(caller.may('report:read') ? await recipients(ask) : []),
    ],
  },
  calendar: ofConfig('calendars'),
  window: ofConfig('windows'),
  destination: {
    scopes: ['event:read'],
    async read({ live }, { ask }) {
      const found = await ask(DESTINATIONS)
      // Those of Butler's sections have rules of their own, and cannot be named.
      const own = live().footman.destinations
      const some = found.ok ? found.data.destinations : []
      return some.flatMap(({ name, type }) => (Object.hasOwn(own, name) ? [named(name, type)] : []))
    },
  },
  node: { scopes: ['event:read'], read: ({ db }) => known(db, SQL.nodes) },
  timezone: { scopes: [ANY_SCOPE], read: () => names(['UTC', ...Intl.supportedValuesOf('timeZone')]) },
}

/** Recipients of reports by their address, and as the users of Qlik Sense that they are. None while report tasks are off. */
async function recipients(ask: Ask): Promise<readonly Suggestion[]> {
  // Not loaded at start: most installations have no report tasks.
  const { DEFINITIONS } = await import('../reports/entities/contract.ts')
  const { list } = DEFINITIONS.recipient
  const all: Suggestion[] = []
  for (let offset = 0; ; offset += PART) {
    const found = await ask(list, { query: { limit: PART, offset } })
    const part = found.ok ? found.data.recipients : []
    for (const { name, email, qlikUser } of part) {
      if (qlikUser) all.push(named(`${qlikUser.userDirectory}\\${qlikUser.userId}`, email, name))
      all.push(named(email, null, name))
    }
    if (part.length < PART) return all
  }
}

/** For the description: `task:read` for task, app, ... */
function scopeText(): string {
  const byScope = Map.groupBy(LOOKUPS, (what) => SOURCES[what].scopes.map((scope) => `\`${scope}\``).join(' or '))
  return [...byScope].map(([scope, kinds]) => `${scope} for ${kinds.join(', ')}`).join('; ')
}
