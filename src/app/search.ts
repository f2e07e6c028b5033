/**
 * `GET /v4/search`: finds things of all kinds by a part of their name, or by their id. Lists of other endpoints are asked for
 * there, with the rights of the caller.
 */
import { SEARCH } from '../console/contract.ts'
import { PLACES, SYSTEM_PAGES } from '../console/page.ts'
import { ANY_SCOPE, type Caller } from '../http/endpoint/caller.ts'
import { type ApiRequest, type ApiRoute, route } from '../http/endpoint/route.ts'
import { invalidBody } from '../http/endpoint/validation.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Site } from '../tasks/overview/site.ts'
import { byRank, type Match, rankOf } from './search-rank.ts'

export interface SearchDeps {
  readonly db: Database
  /** Report tasks are switched on. */
  readonly reports: boolean
  readonly overview: { readonly site: Pick<Site, 'tasks'> }
}

interface Item {
  readonly id: string
  readonly title: string
  readonly detail: string
  /** Below the console. */
  readonly path: string
  readonly state: string | null
  /** The name of `detail` in a finding: `app`. */
  readonly detailLabel: string
}

interface Found extends Omit<Item, 'detailLabel'> {
  readonly match: Match
}

interface Group {
  readonly kind: string
  readonly items: readonly Found[]
  /** The list is longer than what was looked at. */
  readonly isCut?: boolean
}

const DEFAULT_LIMIT = 8
const MAX_TEXT = 200
export function searchRoute(deps: SearchDeps): ApiRoute {
  return route({
    ...SEARCH,
    scope: ANY_SCOPE,
    summary: 'Search tasks, events, schedules and everything else',
    description:
      'Only what the caller may see is found. Names that are the words or begin with them come first, then names with a word ' +
      'that begins so, names that contain them, and what only has them elsewhere, as in the name of the app; of equal ' +
      'rank by name. Events come newest first. The group with the best finding is the first.',
    examples: [
      {
        name: 'by-name',
        query: { q: 'sales etl' },
        status: 200,
        answer: {
          groups: [
            {
              kind: 'Tasks',
              items: [
                {
                  id: '70000000-0000-4000-8000-000000000001',
                  title: 'Sales ETL hourly',
                  detail: 'Sales ETL',
                  path: '/tasks/70000000-0000-4000-8000-000000000001',
                  state: null,
                  matched: { field: 'name', text: '' },
                },
              ],
            },
          ],
          exact: null,
          partial: false,
        },
      },
    ],
    async handle(request, answer) {
      const { q, kind, limit = DEFAULT_LIMIT } = request.query
      const text = q.trim()
      const least = kind === undefined ? 2 : 1
      if (text.length < least || text.length > MAX_TEXT) {
        throw invalidBody([{ path: 'q', message: `must be ${least} to ${MAX_TEXT} characters long` }])
      }
      const { caller } = request
      const ranked = finder(text)
      const [site, ...lists] = await Promise.all([
        caller.may('task:read') ? siteGroups(deps, ranked) : [],
        ...(kind === undefined ? LISTS : []).map((list) => listGroup(request, list, ranked)),
      ])
      const { items, partial } = kind === undefined && caller.may('event:read') ? events(deps.db, text, limit) : NOTHING
      const groups = [...site, { kind: 'Events', items }, ...lists, pageGroup(deps, caller, ranked)]
      return answer(200, {
        groups: groups
          .filter((group) => group.items.length > 0 && (kind === undefined || group.kind === kind))
          .toSorted((a, b) => bestOf(a) - bestOf(b))
          .map(({ kind, items }) => ({ kind, items: items.slice(0, limit).map(answered) })),
        exact: await exactOf(deps, caller, text),
        partial: partial || lists.some(({ isCut }) => isCut),
      })
    },
  })
}

const NOTHING = { items: [], partial: false }

type Finder = (items: readonly Item[]) => Found[]

/** Those that fit, the best first. */
const finder =
  (query: string): Finder =>
  (items) =>
    items
      .flatMap(({ detailLabel, ...item }) => {
        const match = rankOf(query, [
          { label: 'name', text: item.title },
          { label: detailLabel, text: item.detail },
        ])
        return match ? [{ ...item, match }] : []
      })
      .toSorted((a, b) => byRank({ rank: a.match.rank, title: a.title }, { rank: b.match.rank, title: b.title }))

const bestOf = ({ items }: Group): number => Math.min(...items.map(({ match }) => match.rank))

const answered = ({ match: { field, text }, ...item }: Found) => ({ ...item, matched: { field, text } })

/** Tasks, and the names of their apps by id. */
export async function siteOf({ site }: SearchDeps['overview']) {
  const tasks = [...((await site.tasks()).value?.values() ?? [])]
  return {
    tasks,
    apps: new Map(tasks.flatMap(({ appId, appName }) => (appId && appName ? [[appId, appName] as const] : []))),
  }
}

const NO_SITE: Awaited<ReturnType<typeof siteOf>> = { tasks: [], apps: new Map() }

async function siteGroups({ overview }: SearchDeps, ranked: Finder): Promise<Group[]> {
  const { tasks, apps } = await siteOf(overview)
  return [
    {
      kind: 'Tasks',
      items: ranked(
        tasks.map(({ id, name, appName, enabled }) => ({
          ...named(name, appName && appName !== name ? appName : '', `/tasks/${id}`, id, 'app'),
          state: enabled ? null : 'disabled',
        })),
      ),
    },
    {
      kind: 'Apps',
      items: ranked([...apps].map(([id, name]) => named(name, '', tasksOf(name), id))),
    },
  ]
}

const tasksOf = (app: string): string => `/tasks?${new URLSearchParams({ app })}`

interface EventRow {
  readonly seq: number
  readonly id: string
  readonly type: string
  readonly outcome: string
  readonly taskName: string
  readonly appName: string
  readonly message: string
}

const CHUNK = 1000
const BUDGET_MS = 80
/** Characters of a message. */
const SHOWN = 120
const EVENT_COLUMNS = `seq, id, type, outcome, task_name AS taskName, app_name AS appName, log_message AS message`

/** Events with these words in task, app or message, the newest first, as far back as the time allows. */
function events(db: Database, query: string, limit: number): { readonly items: Found[]; readonly partial: boolean } {
  const began = performance.now()
  const items: Found[] = []
  let before = Number.MAX_SAFE_INTEGER
  for (;;) {
    const rows = db.all<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM event WHERE seq < ? ORDER BY seq DESC LIMIT ${CHUNK}`,
      before,
    )
    for (const { id, type, outcome, taskName, appName, message } of rows) {
      const match = rankOf(query, [
        { label: 'name', text: taskName },
        { label: 'app', text: appName },
        { label: 'message', text: message },
      ])
      if (!match) continue
      const detail = [outcome, message.slice(0, SHOWN)].filter((text) => text !== '').join(': ')
      const shown = { ...match, text: around(match.text, query) }
      items.push({ id, title: taskName || type, detail, path: `/events/${id}`, state: outcome, match: shown })
      if (items.length === limit) return { items, partial: false }
    }
    if (rows.length < CHUNK) return { items, partial: false }
    if (performance.now() - began > BUDGET_MS) return { items, partial: true }
    before = rows.at(-1)!.seq
  }
}

/** The part of a long text in which the first word of the query stands. */
function around(text: string, query: string): string {
  const [word = ''] = query.toLowerCase().split(/\s+/)
  const begin = Math.max(0, text.toLowerCase().indexOf(word) - SHOWN / 4)
  const part = text.slice(begin, begin + SHOWN)
  return `${begin > 0 ? '…' : ''}${part}${begin + SHOWN < text.length ? '…' : ''}`
}

interface List {
  readonly kind: string
  readonly scope: string
  readonly path: string
  /** Parts of the list are asked for one after the other. */
  readonly inParts?: true
  /** The items of the answer, unfiltered. */
  readonly read: (answer: never) => readonly Item[]
}

interface Named {
  readonly id: string
  readonly name: string
}

const named = (title: string, detail: string, path: string, id = title, detailLabel = ''): Item => ({
  id,
  title,
  detail,
  path,
  state: null,
  detailLabel,
})
const encoded = encodeURIComponent

const LISTS: readonly List[] = [
  {
    kind: 'Schedules',
    scope: 'schedule:read',
    path: '/v4/schedules',
    read: (all: readonly Named[]) => all.map(({ id, name }) => named(name, '', `/schedules/${encoded(id)}`, id)),
  },
  {
    kind: 'Destinations',
    scope: 'event:read',
    path: '/v4/destinations',
    read: ({ destinations }: { readonly destinations: readonly { readonly name: string; readonly type: string }[] }) =>
      destinations.map(({ name, type }) => named(name, type, `/destinations/${encoded(name)}`, name, 'type')),
  },
  {
    kind: 'Rules',
    scope: 'event:read',
    path: '/v4/alertroutes',
    read: ({ alertRoutes }: { readonly alertRoutes: readonly { name: string; to: readonly string[] }[] }) =>
      alertRoutes.map(({ name, to }) =>
        named(name, to.join(', '), `/system/routes?route=${encoded(name)}`, name, 'destinations'),
      ),
  },
  {
    kind: 'Report tasks',
    scope: 'report:read',
    path: '/v4/reporttask',
    inParts: true,
    read: ({ reportTasks }: { readonly reportTasks: readonly Named[] }) =>
      reportTasks.map(({ id, name }) => named(name, '', `/reports/tasks/${encoded(id)}`, id)),
  },
  {
    kind: 'Recipients',
    scope: 'report:read',
    path: '/v4/recipient',
    inParts: true,
    read: ({ recipients }: { readonly recipients: readonly (Named & { readonly email?: string })[] }) =>
      recipients.map(({ id, name, email = '' }) =>
        named(name, email, `/reports/recipients/${encoded(id)}`, id, 'address'),
      ),
  },
  ...(
    [
      ['Reports', 'report', 'reports', 'reports'],
      ['Report filters', 'reportfilter', 'reportFilters', 'filters'],
      ['Report conditions', 'reportcondition', 'reportConditions', 'conditions'],
      ['Recipient groups', 'recipientgroup', 'recipientGroups', 'groups'],
    ] as const
  ).map(
    ([kind, api, member, place]): List => ({
      kind,
      scope: 'report:read',
      path: `/v4/${api}`,
      inParts: true,
      read: (answer: Readonly<Record<string, readonly (Named & { readonly project?: string })[]>>) =>
        (answer[member] ?? []).map(({ id, name, project = '' }) =>
          named(name, project, `/reports/${place}/${encoded(id)}`, id, 'project'),
        ),
    }),
  ),
  {
    kind: 'Namespaces',
    scope: 'kv:read',
    path: '/v4/keyvaluesnamespaces',
    read: (names: readonly string[]) => names.map((name) => named(name, '', `/system/keyvalues/${encoded(name)}`)),
  },
]

const PAGES: readonly (readonly [path: string, title: string, ...scopes: string[]])[] = [
  ...Object.values(PLACES).map(
    ({ path, title, scopes }) => [path, title, ...(scopes[0] ? scopes : [ANY_SCOPE])] as const,
  ),
  ...SYSTEM_PAGES,
  ['/events/dropped', 'Dropped messages', 'event:read'],
  ['/tasks/queue', 'Start queue', 'task:read'],
  ['/destinations', 'Destinations', 'event:read'],
  ['/snoozes', 'Snoozes', 'event:read'],
  ['/system/routes', 'Alert rules', 'event:read'],
  ['/schedules/calendar', 'Schedules of a week', 'schedule:read'],
  ['/schedules/new', 'New schedule', 'schedule:write'],
]

function pageGroup({ reports }: SearchDeps, caller: Caller, ranked: Finder): Group {
  const items = PAGES.filter(([path, , ...scopes]) => {
    if (path === PLACES.reports.path && !reports) return false
    return scopes.some((scope) => caller.may(scope))
  }).map(([path, title]) => named(title, '', path))
  return { kind: 'Pages', items: ranked(items) }
}

const PART = 500
/** Items of a list that are looked at. */
const MOST_ITEMS = 20_000

/** Empty where the endpoint is switched off, or the caller lacks the scope. */
async function listGroup(
  { caller, pages, signal }: Pick<ApiRequest, 'caller' | 'pages' | 'signal'>,
  { kind, scope, path, inParts, read }: List,
  ranked: Finder,
): Promise<Group> {
  const items: Item[] = []
  let isCut = caller.may(scope)
  while (isCut && items.length < MOST_ITEMS) {
    const query = inParts ? `?${new URLSearchParams({ limit: `${PART}`, offset: `${items.length}` })}` : ''
    const answer = await pages.ask(
      { method: 'GET', path: path + query, signal },
      { caller, bucket: null, refusal: null },
    )
    const found = answer.status === 200 ? read((await answer.json()) as never) : []
    items.push(...found)
    isCut = inParts === true && found.length === PART
  }
  return { kind, items: ranked(items), isCut }
}

interface IdKind {
  readonly kind: string
  readonly scope: string
  /** Where its ids stand: table or query, and column. */
  readonly from: string
  readonly column: string
  readonly path: string
}

const EXACT: readonly IdKind[] = [
  { kind: 'event', scope: 'event:read', from: 'event', column: 'id', path: '/events/' },
  { kind: 'delivery', scope: 'event:read', from: 'delivery', column: 'id', path: '/deliveries/' },
  { kind: 'execution', scope: 'task:read', from: 'execution', column: 'execution_id', path: '/executions/' },
  {
    kind: 'request',
    scope: 'admin',
    from: '(SELECT request_id FROM audit ORDER BY id DESC LIMIT 20000)',
    column: 'request_id',
    path: '/system/audit?request=',
  },
]

/** An id, or as many of its first digits as pages and logs show of one. */
const ID = /^[0-9a-f]{8}[0-9a-f-]{0,28}$/
/** Sorts after every digit of an id. */
const AFTER_DIGITS = 'g'

/** The thing with this id; null when there is none, or when several ids begin so. */
async function exactOf(
  { db, overview }: SearchDeps,
  caller: Caller,
  text: string,
): Promise<{ readonly kind: string; readonly path: string } | null> {
  const begin = text.toLowerCase()
  if (!ID.test(begin)) return null
  const { tasks, apps } = caller.may('task:read') ? await siteOf(overview) : NO_SITE
  const found = [
    ...tasks.map(({ id }) => ({ id, kind: 'task', path: `/tasks/${id}` })),
    ...[...apps].map(([id, name]) => ({ id, kind: 'app', path: tasksOf(name) })),
  ].filter(({ id }) => id.toLowerCase().startsWith(begin))
  for (const { kind, scope, from, column, path } of EXACT) {
    if (!caller.may(scope)) continue
    const sql = `SELECT DISTINCT ${column} AS id FROM ${from} WHERE ${column} >= ? AND ${column} < ? LIMIT 2`
    const ids = db.all<{ id: string }>(sql, begin, begin + AFTER_DIGITS)
    found.push(...ids.map(({ id }) => ({ id, kind, path: path + id })))
  }
  const [one] = found
  return one && found.length === 1 ? { kind: one.kind, path: one.path } : null
}
