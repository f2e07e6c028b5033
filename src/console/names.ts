/** Names of what lists have only ids of, for pages and for the command line. */
import { MAINTENANCE } from '../alerts/contract.ts'
import type { AnswerOf, AnyContract, CallArguments } from '../http/endpoint/contract.ts'
import { splitAtIds } from '../platform/uuid.ts'
import { DEFINITIONS, LISTED_TASKS } from '../reports/entities/contract.ts'
import { TASKS } from '../tasks/executions/contract.ts'
import { SCHEDULES } from '../tasks/schedule/contract.ts'
import { QLIK_MS } from './ask.ts'

/** Calls of the REST API: in this process, or over the network. */
export interface NameSource {
  ask<C extends AnyContract>(
    contract: C,
    ...call: CallArguments<C, { readonly withinMs?: number }>
  ): Promise<{ readonly ok: true; readonly data: AnswerOf<C> } | { readonly ok: false }>
}

export interface Named {
  readonly name: string
  /** Its page below the console. */
  readonly path: string
}

/** By id in small letters; ids without a known name are missing. */
export type Names = ReadonlyMap<string, Named>

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const MOST = 100

const wholeIds = (ids: readonly string[]): string[] =>
  [...new Set(ids.filter((id) => ID.test(id)).map((id) => id.toLowerCase()))].slice(0, MOST)

/** Names of tasks, as far as Qlik Sense answers in time and the scope allows it. */
export async function taskNamesOf({ ask }: NameSource, ids: readonly string[]): Promise<Names> {
  const taskId = wholeIds(ids)
  if (taskId.length === 0) return new Map()
  const answer = await ask(TASKS, { query: { taskId, limit: MOST }, withinMs: QLIK_MS })
  if (!answer.ok) return new Map()
  return new Map(
    answer.data.tasks.map(({ taskId: id, taskName }) => [id.toLowerCase(), { name: taskName, path: `/tasks/${id}` }]),
  )
}

/** Returns the names of `taskNamesOf`, with the apps that tasks belong to. */
export async function qlikNamesOf(
  context: NameSource,
  ids: { readonly taskId: readonly string[]; readonly appId: readonly string[] },
): Promise<Names> {
  const appId = wholeIds(ids.appId)
  const [tasks, answer] = await Promise.all([
    taskNamesOf(context, ids.taskId),
    appId.length > 0 ? context.ask(TASKS, { query: { appId, limit: 500 }, withinMs: QLIK_MS }) : null,
  ])
  const apps = (answer?.ok ? answer.data.tasks : []).flatMap(({ appId: id, appName: name }) =>
    id && name ? [[id.toLowerCase(), { name, path: `/tasks?${new URLSearchParams({ app: name })}` }] as const] : [],
  )
  return new Map([...apps, ...tasks])
}

interface Item {
  readonly id: string
  readonly name?: string | null
}

/** A list of a contract; nothing when it cannot be had. */
const listOf =
  <T>(
    list: (source: NameSource) => Promise<{ readonly ok: true; readonly data: T } | { readonly ok: false }>,
    items: (answer: T) => readonly Item[],
  ) =>
  async (source: NameSource): Promise<readonly Item[]> => {
    const answer = await list(source)
    return answer.ok ? items(answer.data) : []
  }

const page = (path: string) => (id: string) => path + encodeURIComponent(id)
const { report: REPORT, recipient: RECIPIENT } = DEFINITIONS
const ALL = { query: { limit: 500 } }

/** Lists of what has a name of its own, by the begin of the actions that are about it, with the page of each. */
const LISTS = [
  [
    'maintenance',
    listOf(
      ({ ask }) => ask(MAINTENANCE),
      (answer) => answer.maintenance,
    ),
    () => '/system/maintenance',
  ],
  [
    'schedule',
    listOf(
      ({ ask }) => ask(SCHEDULES),
      (answer) => answer,
    ),
    page('/schedules/'),
  ],
  [
    'report',
    listOf(
      ({ ask }) => ask(LISTED_TASKS, ALL),
      (answer) => answer.reportTasks,
    ),
    page('/reports/tasks/'),
  ],
  [
    'report',
    listOf(
      ({ ask }) => ask(REPORT.list, ALL),
      (answer) => answer.reports,
    ),
    page('/reports/reports/'),
  ],
  [
    'report',
    listOf(
      ({ ask }) => ask(RECIPIENT.list, ALL),
      (answer) => answer.recipients,
    ),
    page('/reports/recipients/'),
  ],
] as const

/** Names of the targets of actions and of the ids in their details: of tasks, apps, schedules and report definitions. */
export async function targetNames(
  context: NameSource,
  entries: readonly {
    readonly actor: string
    readonly action: string
    readonly target: readonly string[]
    readonly detail: string | null
  }[],
): Promise<Names> {
  const lists = LISTS.filter(([begin]) =>
    entries.some(({ actor, action }) => action.startsWith(begin) || actor.startsWith(`${begin}:`)),
  )
  const targets = entries.flatMap(({ target }) => target)
  const ofApps = entries.flatMap(({ action, target }) => (action.startsWith('app.') ? target : []))
  const inDetails = entries.flatMap(({ detail }) => splitAtIds(detail ?? '').filter((_, n) => n % 2 === 1))
  const [tasks, ...found] = await Promise.all([
    qlikNamesOf(context, { taskId: [...targets, ...inDetails], appId: [...ofApps, ...inDetails] }),
    ...lists.map(async ([, list, pathOf]) =>
      (await list(context)).flatMap(({ id, name }) =>
        name == null ? [] : [[id.toLowerCase(), { name, path: pathOf(id) }] as const],
      ),
    ),
  ])
  return new Map([...found.flat(), ...tasks])
}
