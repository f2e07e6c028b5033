/**
 * `GET /v4/search`: finds things of all kinds by a part of their name, or by their id. Lists of other endpoints are asked for
 * there, with the rights of the caller.
 */
import { z } from 'zod'
import { PLACES, SYSTEM_PAGES } from '../console/page.ts'
import { ANY_SCOPE, type Caller } from '../http/endpoint/caller.ts'
import { queryField } from '../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer, route } from '../http/endpoint/route.ts'
import { invalidBody } from '../http/endpoint/validation.ts'
import { once } from '../platform/once.ts'
import type { Database } from '../platform/sqlite.ts'
import { isGuid } from '../platform/uuid.ts'
import type { Site } from '../tasks/overview/site.ts'

interface SearchDeps {
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
}

interface Group {
  readonly kind: string
  readonly items: readonly Item[]
}

const DEFAULT_LIMIT = 8
const MAX_TEXT = 200
const QUERY = once(() =>
  z.object({
    q: queryField.text().describe('At least two characters of a name, or an id.'),
    limit: queryField.integer(1, 50).describe('Most items of a group; default 8.').optional(),
  }),
)

const ANSWER = once(() =>
  z.object({
    groups: z.array(
      z.object({
        kind: z.string(),
        items: z.array(
          z.object({
            id: z.string(),
            title: z.string(),
            detail: z.string(),
            path: z.string().describe('Page of the console.'),
            state: z.string().nullable(),
          }),
        ),
      }),
    ),
    exact: z
      .object({ kind: z.string(), path: z.string() })
      .nullable()
      .describe('The thing with this id: event, delivery, execution, task, app or request.'),
    partial: z.boolean().describe('Not all events were looked at.'),
  }),
)

export function searchRoute(deps: SearchDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/search',
    scope: ANY_SCOPE,
    summary: 'Search tasks, events, schedules and everything else',
    description: 'Only what the caller may see is found.',
    query: QUERY,
    answers: () => ({ 200: ANSWER().describe('The findings, in groups.') }),
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
                },
              ],
            },
          ],
          exact: null,
          partial: false,
        },
      },
    ],
    async handle(request) {
      const { q, limit = DEFAULT_LIMIT } = request.query
      const text = q.trim()
      if (text.length < 2 || text.length > MAX_TEXT) {
        throw invalidBody([{ path: 'q', message: `must be 2 to ${MAX_TEXT} characters long` }])
      }
      const { caller } = request
      const fits = matcherOf(text)
      const [site, ...lists] = await Promise.all([
        caller.may('task:read') ? siteGroups(deps, fits) : [],
        ...LISTS.map((list) => listGroup(request, list, fits)),
      ])
      const { items, partial } = caller.may('event:read') ? events(deps.db, fits, limit) : NOTHING
      const groups = [...site, { kind: 'Events', items }, ...lists, pageGroup(deps, caller, fits)]
      return jsonAnswer(200, {
        groups: groups
          .map((group) => ({ ...group, items: group.items.slice(0, limit) }))
          .filter((group) => group.items.length > 0),
        exact: await exactOf(deps, caller, text),
        partial,
      })
    },
  })
}

const NOTHING = { items: [], partial: false }

type Fits = (...texts: readonly (string | null)[]) => boolean

/** All words stand in the texts, in any order and case. */
function matcherOf(text: string): Fits {
  const words = text.toLowerCase().split(/\s+/)
  return (...texts) => {
    const all = texts.join(' ').toLowerCase()
    return words.every((word) => all.includes(word))
  }
}

async function siteGroups({ overview }: SearchDeps, fits: Fits): Promise<Group[]> {
  const tasks = [...((await overview.site.tasks()).value?.values() ?? [])]
  const apps = new Map(tasks.flatMap(({ appId, appName }) => (appId && appName ? [[appId, appName] as const] : [])))
  return [
    {
      kind: 'Tasks',
      items: tasks
        .filter(({ name, appName }) => fits(name, appName))
        .map(({ id, name, appName, enabled }) => ({
          ...{ id, title: name, detail: appName && appName !== name ? appName : '' },
          ...{ path: `/tasks/${id}`, state: enabled ? null : 'disabled' },
        })),
    },
    {
      kind: 'Apps',
      items: [...apps]
        .filter(([, name]) => fits(name))
        .map(([id, name]) => ({ ...{ id, title: name, detail: '' }, path: tasksOf(name), state: null })),
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
const EVENT_COLUMNS = `seq, id, type, outcome, task_name AS taskName, app_name AS appName, log_message AS message`

/** Events with these words in task, app or message, the newest first, as far back as the time allows. */
function events(db: Database, fits: Fits, limit: number): { readonly items: Item[]; readonly partial: boolean } {
  const began = performance.now()
  const items: Item[] = []
  let before = Number.MAX_SAFE_INTEGER
  for (;;) {
    const rows = db.all<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM event WHERE seq < ? ORDER BY seq DESC LIMIT ${CHUNK}`,
      before,
    )
    for (const { id, type, outcome, taskName, appName, message } of rows) {
      if (!fits(taskName, appName, message)) continue
      const detail = [outcome, message.slice(0, 120)].filter((text) => text !== '').join(': ')
      items.push({ id, title: taskName || type, detail, path: `/events/${id}`, state: outcome })
      if (items.length === limit) return { items, partial: false }
    }
    if (rows.length < CHUNK) return { items, partial: false }
    if (performance.now() - began > BUDGET_MS) return { items, partial: true }
    before = rows.at(-1)!.seq
  }
}

interface List {
  readonly kind: string
  readonly scope: string
  readonly path: string
  /** The items of the answer, unfiltered. */
  readonly read: (answer: never) => readonly Item[]
}

interface Named {
  readonly id: string
  readonly name: string
}

const named = (title: string, detail: string, path: string, id = title): Item => ({
  ...{ id, title, detail, path, state: null },
})
const encoded = encodeURIComponent

const LISTS: readonly List[] = [
  {
    ...{ kind: 'Schedules', scope: 'schedule:read', path: '/v4/schedules' },
    read: (all: readonly Named[]) => all.map(({ id, name }) => named(name, '', `/schedules/${encoded(id)}`, id)),
  },
  {
    ...{ kind: 'Destinations', scope: 'event:read', path: '/v4/destinations' },
    read: ({ destinations }: { readonly destinations: readonly { readonly name: string; readonly type: string }[] }) =>
      destinations.map(({ name, type }) => named(name, type, `/destinations/${encoded(name)}`)),
  },
  {
    ...{ kind: 'Routes', scope: 'event:read', path: '/v4/alertroutes' },
    read: ({ alertRoutes }: { readonly alertRoutes: readonly { name: string; to: readonly string[] }[] }) =>
      alertRoutes.map(({ name, to }) => named(name, to.join(', '), `/system/routes?route=${encoded(name)}`)),
  },
  {
    ...{ kind: 'Report tasks', scope: 'report:read', path: '/v4/reporttask?limit=500' },
    read: ({ reportTasks }: { readonly reportTasks: readonly Named[] }) =>
      reportTasks.map(({ id, name }) => named(name, '', `/reports/tasks/${encoded(id)}`, id)),
  },
  {
    ...{ kind: 'Recipients', scope: 'report:read', path: '/v4/recipient?limit=500' },
    read: ({ recipients }: { readonly recipients: readonly (Named & { readonly email?: string })[] }) =>
      recipients.map(({ id, name, email = '' }) => named(name, email, `/reports/recipients/${encoded(id)}`, id)),
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
      ...{ kind, scope: 'report:read', path: `/v4/${api}?limit=500` },
      read: (answer: Readonly<Record<string, readonly (Named & { readonly project?: string })[]>>) =>
        (answer[member] ?? []).map(({ id, name, project = '' }) =>
          named(name, project, `/reports/${place}/${encoded(id)}`, id),
        ),
    }),
  ),
  {
    ...{ kind: 'Namespaces', scope: 'kv:read', path: '/v4/keyvaluesnamespaces' },
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
  ['/system/routes', 'Alert routes', 'event:read'],
  ['/schedules/calendar', 'Schedules of a week', 'schedule:read'],
  ['/schedules/new', 'New schedule', 'schedule:write'],
]

function pageGroup({ reports }: SearchDeps, caller: Caller, fits: Fits): Group {
  const items = PAGES.filter(([path, title, ...scopes]) => {
    if (path === PLACES.reports.path && !reports) return false
    return fits(title) && scopes.some((scope) => caller.may(scope))
  }).map(([path, title]) => named(title, '', path))
  return { kind: 'Pages', items }
}

/** Empty where the endpoint is switched off, or the caller lacks the scope. */
async function listGroup(
  { caller, pages, signal }: Pick<ApiRequest, 'caller' | 'pages' | 'signal'>,
  { kind, scope, path, read }: List,
  fits: Fits,
): Promise<Group> {
  if (!caller.may(scope)) return { kind, items: [] }
  const answer = await pages.ask({ method: 'GET', path, signal }, { caller, bucket: null, refusal: null })
  if (answer.status !== 200) return { kind, items: [] }
  const all = read((await answer.json()) as never)
  return { kind, items: all.filter(({ title, detail }) => fits(title, detail)) }
}

/** Kinds of ids, with a question whether there is such a thing. */
const EXACT: readonly { readonly kind: string; readonly scope: string; readonly sql: string; readonly path: string }[] =
  [
    { kind: 'event', scope: 'event:read', path: '/events/', sql: 'SELECT id FROM event WHERE id = ?' },
    { kind: 'delivery', scope: 'event:read', path: '/deliveries/', sql: 'SELECT id FROM delivery WHERE id = ?' },
    {
      ...{ kind: 'execution', scope: 'task:read', path: '/executions/' },
      sql: 'SELECT execution_id AS id FROM execution WHERE execution_id = ?',
    },
    {
      ...{ kind: 'request', scope: 'admin', path: '/system/audit?request=' },
      sql: 'SELECT request_id AS id FROM (SELECT request_id FROM audit ORDER BY id DESC LIMIT 20000) WHERE request_id = ? LIMIT 1',
    },
  ]

async function exactOf(
  { db, overview }: SearchDeps,
  caller: Caller,
  text: string,
): Promise<{ readonly kind: string; readonly path: string } | null> {
  if (!isGuid(text)) return null
  const id = text.toLowerCase()
  if (caller.may('task:read')) {
    const tasks = [...((await overview.site.tasks()).value?.values() ?? [])]
    if (tasks.some((task) => task.id.toLowerCase() === id)) return { kind: 'task', path: `/tasks/${id}` }
    const app = tasks.find(({ appId }) => appId?.toLowerCase() === id)
    if (app?.appName) return { kind: 'app', path: tasksOf(app.appName) }
  }
  const kind = EXACT.find(({ scope, sql }) => caller.may(scope) && db.get(sql, id) !== undefined)
  return kind ? { kind: kind.kind, path: kind.path + id } : null
}
