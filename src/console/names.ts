/** Names of what lists have only ids of. */
import { QLIK_MS } from './ask.ts'
import type { PageContext } from './page.ts'

export interface Named {
  readonly name: string
  /** Its page below the console. */
  readonly path: string
}

/** By id in small letters; ids without a known name are missing. */
export type Names = ReadonlyMap<string, Named>

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const MOST = 100

/** Names of tasks, as far as Qlik Sense answers in time and the scope allows it. */
export async function taskNamesOf({ ask }: Pick<PageContext, 'ask'>, ids: readonly string[]): Promise<Names> {
  const taskId = [...new Set(ids.filter((id) => ID.test(id)).map((id) => id.toLowerCase()))].slice(0, MOST)
  if (taskId.length === 0) return new Map()
  type Answer = { readonly tasks: readonly { readonly taskId: string; readonly taskName: string }[] }
  const answer = await ask.get<Answer>('/v4/tasks', { taskId, limit: MOST }, { withinMs: QLIK_MS })
  if (!answer.ok) return new Map()
  return new Map(
    answer.data.tasks.map(({ taskId: id, taskName }) => [id.toLowerCase(), { name: taskName, path: `/tasks/${id}` }]),
  )
}

/** Lists of what has a name of its own, by the begin of the actions that are about it. */
const LISTS = [
  ['schedule', '/v4/schedules', null, '/schedules/'],
  ['report', '/v4/reporttask', 'reportTasks', '/reports/tasks/'],
  ['report', '/v4/report', 'reports', '/reports/reports/'],
  ['report', '/v4/recipient', 'recipients', '/reports/recipients/'],
] as const

interface Item {
  readonly id: string
  readonly name?: string
}

/** Names of the targets of actions: of tasks, schedules and report definitions. */
export async function targetNames(
  context: Pick<PageContext, 'ask'>,
  entries: readonly { readonly action: string; readonly target: readonly string[] }[],
): Promise<Names> {
  const lists = LISTS.filter(([begin]) => entries.some(({ action }) => action.startsWith(begin)))
  const [tasks, ...found] = await Promise.all([
    taskNamesOf(
      context,
      entries.flatMap(({ target }) => target),
    ),
    ...lists.map(async ([, api, member, path]) => {
      const answer = await context.ask.get<unknown>(api, member === null ? {} : { limit: 500 })
      if (!answer.ok) return []
      const items = (member === null ? answer.data : (answer.data as Record<string, unknown>)[member]) ?? []
      return (items as readonly Item[]).flatMap(({ id, name }) =>
        name === undefined ? [] : [[id.toLowerCase(), { name, path: path + encodeURIComponent(id) }] as const],
      )
    }),
  ])
  return new Map([...found.flat(), ...tasks])
}
