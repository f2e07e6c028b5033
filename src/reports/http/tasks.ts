/** Switching report tasks on and off, copies; projects and storage spaces. */
import { randomUUID } from 'node:crypto'
import { stat, statfs } from 'node:fs/promises'
import type { Caller } from '../../http/endpoint/caller.ts'
import { type ApiRequest, type ApiRoute, from, route } from '../../http/endpoint/route.ts'
import { type ErrorCode, Refusal, refusal } from '../../http/errors.ts'
import { within } from '../../platform/deadline.ts'
import { isGuid } from '../../platform/uuid.ts'
import {
  COPY_TASK,
  DEFINITIONS,
  PROJECTS,
  type Selection,
  STORAGE_SPACES,
  SWITCH_TASKS,
  type Switched,
} from '../entities/contract.ts'
import { editable, type StoredOf, shown } from '../rows.ts'
import { type DefinitionStore, type Edit, notFound } from '../store.ts'
import {
  bodyOf,
  checkedId,
  checksBody,
  EXAMPLE_ID,
  invalidId,
  optionalBody,
  requireSourcesOf,
  tagOf,
} from './common.ts'

const VERBS = [
  { verb: 'enable', enabled: true, what: 'on' },
  { verb: 'disable', enabled: false, what: 'off' },
] as const

export function taskRoutes(store: DefinitionStore): ApiRoute[] {
  async function switchTasks(request: ApiRequest, selection: Selection, enabled: boolean): Promise<Switched> {
    const { tag, project, all } = selection
    const wanted = [...new Set(selection.taskId.map((id) => id.toLowerCase()))]
    if (!wanted.every(isGuid)) throw invalidId('task')
    if (!all && wanted.length + tag.length + project.length === 0) {
      throw refusal('NOTHING_SELECTED', 'Name tasks with taskId, tag or project, or set all to true.')
    }
    const isSelected = (task: StoredOf<'task'>) =>
      all || wanted.includes(task.id) || project.includes(task.project) || task.tags.some((one) => tag.includes(one))
    const result = await store.edit(request.caller.actor, (edit) => {
      const tasks = edit.list('task').filter(isSelected)
      const found = switched(edit, tasks, enabled, request.caller)
      return { ...found, tasksNotFound: wanted.filter((id) => !tasks.some((task) => task.id === id)) }
    })
    const { tasksChanged, tasksRefused } = result
    request.note({
      target: tasksChanged.map(({ taskId }) => taskId),
      detail: `${tasksChanged.length} changed, ${tasksRefused.length} refused`,
    })
    return result
  }

  const several = ({ verb, enabled, what }: (typeof VERBS)[number], path: string): ApiRoute => {
    const contract = SWITCH_TASKS[verb].several
    return route({
      ...contract,
      ...checksBody(contract),
      ownBodyErrors: true,
      path,
      scope: 'report:run',
      action: `reporttask.${verb}`,
      documented: path === contract.path,
      summary: `Switch report tasks ${what}`,
      description: 'All that `taskId`, `tag` or `project` names; or all. Runs in progress go on.',
      examples: [{ name: 'tag', body: { tag: ['weekly'] }, status: 200 }],
      handle: async (request, answer) =>
        answer(200, await switchTasks(request, optionalBody(request, bodyOf(contract)), enabled)),
    })
  }

  const single = ({ verb, enabled, what }: (typeof VERBS)[number]): ApiRoute =>
    route({
      ...SWITCH_TASKS[verb].one,
      scope: 'report:run',
      action: `reporttask.${verb}`,
      summary: `Switch a report task ${what}`,
      examples: [{ name: 'one', params: { taskId: EXAMPLE_ID }, status: 200 }],
      async handle(request, answer) {
        const id = checkedId('task', request.params.taskId ?? '')
        const selection = { taskId: [id], tag: [], project: [], all: false }
        const result = await switchTasks(request, selection, enabled)
        if (result.tasksNotFound.length > 0) throw notFound('task', id)
        const [refused] = result.tasksRefused
        if (refused) throw refusal(refused.code as ErrorCode, refused.details)
        return answer(200, result)
      },
    })

  return [
    ...VERBS.flatMap((one) => [
      several(one, SWITCH_TASKS[one.verb].several.path),
      several(one, `/v4/reporttask/${one.verb}`),
      single(one),
    ]),
    copyRoute(store),
    route({
      ...PROJECTS,
      scope: 'report:read',
      summary: 'List the projects of report tasks with the number of their definitions',
      examples: [{ name: 'all', status: 200, answer: { reportProjects: [], total: 0 } }],
      handle(_, answer) {
        const reportProjects = [...store.projects()].map(([name, counts]) => ({ name, ...counts }))
        return answer(200, { reportProjects, total: reportProjects.length })
      },
    }),
  ]
}

/** A task that is refused does not stop the others. */
function switched(edit: Edit, tasks: readonly StoredOf<'task'>[], enabled: boolean, caller: Caller): Switched {
  const tasksChanged: Switched['tasksChanged'][number][] = []
  const tasksUnchanged: Switched['tasksUnchanged'][number][] = []
  const tasksRefused: Switched['tasksRefused'][number][] = []
  for (const task of tasks) {
    const { id: taskId, name: taskName } = task
    if (task.enabled === enabled) {
      tasksUnchanged.push({ taskId, taskName, enabled })
      continue
    }
    const closed = enabled ? pairsRefusal(edit, task, caller) : null
    const problem = closed ?? edit.refused({ kind: 'task', id: taskId, entity: { ...editable(task), enabled } })
    const code = closed ? String(closed.body.code) : 'TASK_INCOMPLETE'
    if (problem) tasksRefused.push({ taskId, taskName, code, details: detailsOf(problem) })
    else tasksChanged.push({ taskId, taskName, enabled })
  }
  return { tasksChanged, tasksUnchanged, tasksNotFound: [], tasksRefused, totalTasksChanged: tasksChanged.length }
}

/** Once it is on, the task reads pairs on behalf of the caller. */
function pairsRefusal(edit: Edit, task: StoredOf<'task'>, caller: Caller): Refusal | null {
  try {
    requireSourcesOf(caller, task, (id) => edit.get('condition', id))
    return null
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

/** An invalid reference makes a task incomplete, too. */
const detailsOf = ({ status, body }: Refusal): string =>
  body.code === 'TASK_INCOMPLETE' || status === 401 || status === 403 ? String(body.details) : String(body.message)

const LONGEST_NAME = 200

function copyRoute(store: DefinitionStore): ApiRoute {
  return route({
    ...COPY_TASK,
    ...checksBody(COPY_TASK),
    ownBodyErrors: true,
    scope: 'report:write',
    action: 'reporttask.copy',
    summary: 'Copy a report task',
    description:
      'The copy is off. Without a name it is called like the task, with `(copy)` behind. A task that reads key-value pairs needs `kv:read` of their namespaces, one that follows Qlik tasks `task:read`, and topics `message:read`.',
    examples: [
      {
        name: 'copy',
        params: from(DEFINITIONS.task.list, { taskId: '$response.body#/reportTasks/0/id' }),
        body: { name: 'Monthly sales pack' },
        status: 201,
      },
    ],
    async handle(request, answer) {
      const source = checkedId('task', request.params.taskId ?? '')
      const { name, project } = optionalBody(request, bodyOf(COPY_TASK))
      const id = randomUUID()
      const copy = await store.edit(request.caller.actor, (edit) => {
        const task = edit.get('task', source)
        if (!task) throw notFound('task', source)
        requireSourcesOf(request.caller, task, (one) => edit.get('condition', one))
        const where = project ?? task.project
        const triggers = task.triggers.map((trigger) => ({ ...trigger, id: randomUUID() }))
        const entity = { ...editable(task), enabled: false, project: where, triggers }
        edit.save([{ kind: 'task', id, entity: { ...entity, name: name ?? freeName(edit, task.name, where) } }])
        request.note({ target: [source, id] })
        return edit.get('task', id)!
      })
      return answer(201, shown('task', copy), {
        etag: tagOf(copy.revision),
        location: `/v4/reporttask/${id}`,
      })
    },
  })
}

function freeName(edit: Edit, name: string, project: string): string {
  const taken = new Set(edit.list('task', { project }).map((task) => task.name.toLowerCase()))
  for (let number = 1; ; number += 1) {
    const end = number === 1 ? ' (copy)' : ` (copy ${number})`
    const free = `${name.slice(0, LONGEST_NAME - end.length)}${end}`
    if (!taken.has(free.toLowerCase())) return free
  }
}

export interface StorageSpace {
  readonly id: string
  readonly name: string
  /** Absolute; not shown. */
  readonly directory: string
  readonly projects: readonly string[]
}

/** A share that does not answer in this time is not available. */
const SPACE_TIMEOUT_MS = 3000

export function storageSpaceRoute(spaces: readonly StorageSpace[], timeoutMs = SPACE_TIMEOUT_MS): ApiRoute {
  return route({
    ...STORAGE_SPACES,
    scope: 'report:read',
    summary: 'List the storage spaces',
    examples: [{ name: 'all', status: 200, answer: { storageSpaces: [] } }],
    async handle(_, answer) {
      const storageSpaces = spaces.map(async ({ id, name, directory, projects }) => {
        const freeBytes = await within(freeBytesOf(directory), timeoutMs, () => null)
        return { id, name: name || id, available: freeBytes !== null, freeBytes, projects }
      })
      return answer(200, { storageSpaces: await Promise.all(storageSpaces) })
    },
  })
}

/** Null when it is no directory that can be reached. */
async function freeBytesOf(directory: string): Promise<number | null> {
  try {
    if (!(await stat(directory)).isDirectory()) return null
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  } catch {
    return null
  }
}
