/** Switching report tasks on and off, copies; projects and storage spaces. */
import { randomUUID } from 'node:crypto'
import { stat, statfs } from 'node:fs/promises'
import { z } from 'zod'
import type { Caller } from '../../http/endpoint/caller.ts'
import { NO_QUERY } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { type ErrorCode, Refusal, refusal } from '../../http/errors.ts'
import { within } from '../../platform/deadline.ts'
import { once } from '../../platform/once.ts'
import { isGuid } from '../../platform/uuid.ts'
import { line } from '../entities/fields.ts'
import { editable, type StoredOf } from '../rows.ts'
import { type DefinitionStore, type Edit, notFound } from '../store.ts'
import { checkedId, invalidId, optionalBody, requireSourcesOf, STORED, shown, tagOf } from './common.ts'

const texts = once(() => z.array(z.string()).max(1000).default([]))
const SELECTION = once(() =>
  z.strictObject({ taskId: texts(), tag: texts(), project: texts(), all: z.boolean().default(false) }),
)
type Selection = z.output<ReturnType<typeof SELECTION>>

const TASK = once(() => z.object({ taskId: z.string(), taskName: z.string(), enabled: z.boolean() }))
const SWITCHED = once(() =>
  z.object({
    tasksChanged: z.array(TASK()),
    tasksUnchanged: z.array(TASK()),
    tasksNotFound: z.array(z.string()),
    tasksRefused: z
      .array(z.object({ taskId: z.string(), taskName: z.string(), code: z.string(), details: z.string() }))
      .describe(
        'Tasks that are incomplete stay off, and those that read key-value pairs which the caller may not read.',
      ),
    totalTasksChanged: z.int(),
  }),
)
type Switched = z.output<ReturnType<typeof SWITCHED>>

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

  const bulk = ({ verb, enabled, what }: (typeof VERBS)[number], path: string): ApiRoute =>
    route({
      method: ['POST', 'PUT'],
      path,
      scope: 'report:run',
      action: `reporttask.${verb}`,
      ownBodyErrors: true,
      documented: path.includes('/-/'),
      summary: `Switch report tasks ${what}`,
      description: 'All that `taskId`, `tag` or `project` names; or all. Runs in progress go on.',
      readByHandler: () => ({ body: SELECTION() }),
      answers: () => ({ 200: SWITCHED().describe('The result for each task.') }),
      examples: [{ name: 'tag', body: { tag: ['weekly'] }, status: 200 }],
      handle: async (request) =>
        jsonAnswer(200, await switchTasks(request, optionalBody(request, SELECTION()), enabled)),
    })

  const single = ({ verb, enabled, what }: (typeof VERBS)[number]): ApiRoute =>
    route({
      method: ['POST', 'PUT'],
      path: `/v4/reporttask/{taskId}/${verb}`,
      scope: 'report:run',
      action: `reporttask.${verb}`,
      body: 'ignored',
      summary: `Switch a report task ${what}`,
      answers: () => ({
        200: SWITCHED().describe('The result, as for several tasks.'),
        403: 'The task reads key-value pairs that the caller may not read.',
        409: 'The task is incomplete.',
      }),
      async handle(request) {
        const id = checkedId('task', request.params.taskId ?? '')
        const selection = { taskId: [id], tag: [], project: [], all: false }
        const result = await switchTasks(request, selection, enabled)
        if (result.tasksNotFound.length > 0) throw notFound('task', id)
        const [refused] = result.tasksRefused
        if (refused) throw refusal(refused.code as ErrorCode, refused.details)
        return jsonAnswer(200, result)
      },
    })

  return [
    ...VERBS.flatMap((one) => [
      bulk(one, `/v4/reporttask/-/${one.verb}`),
      bulk(one, `/v4/reporttask/${one.verb}`),
      single(one),
    ]),
    copyRoute(store),
    route({
      method: 'GET',
      path: '/v4/reportproject',
      scope: 'report:read',
      summary: 'List the projects of report tasks with the number of their definitions',
      query: NO_QUERY,
      answers: () => ({
        200: z.object({ reportProjects: z.array(z.looseObject({ name: z.string() })), total: z.int() }),
      }),
      examples: [{ name: 'all', status: 200 }],
      handle() {
        const reportProjects = [...store.projects()].map(([name, counts]) => ({ name, ...counts }))
        return jsonAnswer(200, { reportProjects, total: reportProjects.length })
      },
    }),
  ]
}

/** A task that is refused does not stop the others. */
function switched(edit: Edit, tasks: readonly StoredOf<'task'>[], enabled: boolean, caller: Caller): Switched {
  const tasksChanged: z.output<ReturnType<typeof TASK>>[] = []
  const tasksUnchanged: z.output<ReturnType<typeof TASK>>[] = []
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

const COPY = once(() => z.strictObject({ name: line(200).optional(), project: line(64).optional() }))
const LONGEST_NAME = 200

function copyRoute(store: DefinitionStore): ApiRoute {
  return route({
    method: 'POST',
    path: '/v4/reporttask/{taskId}/copy',
    scope: 'report:write',
    action: 'reporttask.copy',
    ownBodyErrors: true,
    summary: 'Copy a report task',
    description:
      'The copy is off. Without a name it is called like the task, with `(copy)` behind. A task that reads key-value pairs needs `kv:read` of their namespaces, one that follows Qlik tasks `task:read`, and topics `message:read`.',
    readByHandler: () => ({ body: COPY() }),
    answers: () => ({ 201: STORED().describe('The copy.'), 409: 'The name is taken.' }),
    async handle(request) {
      const source = checkedId('task', request.params.taskId ?? '')
      const { name, project } = optionalBody(request, COPY())
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
      return jsonAnswer(201, shown('task', copy), {
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

const SPACE = once(() =>
  z.object({
    id: z.string(),
    name: z.string(),
    available: z.boolean(),
    freeBytes: z.number().nullable().describe('null while it is not available.'),
    projects: z.array(z.string()).describe('Empty = all projects.'),
  }),
)

/** A share that does not answer in this time is not available. */
const SPACE_TIMEOUT_MS = 3000

export function storageSpaceRoute(spaces: readonly StorageSpace[], timeoutMs = SPACE_TIMEOUT_MS): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/storagespace',
    scope: 'report:read',
    summary: 'List the storage spaces',
    query: NO_QUERY,
    answers: () => ({ 200: z.object({ storageSpaces: z.array(SPACE()) }) }),
    examples: [{ name: 'all', status: 200 }],
    async handle() {
      const storageSpaces = spaces.map(async ({ id, name, directory, projects }) => {
        const freeBytes = await within(freeBytesOf(directory), timeoutMs, () => null)
        return { id, name: name || id, available: freeBytes !== null, freeBytes, projects }
      })
      return jsonAnswer(200, { storageSpaces: await Promise.all(storageSpaces) })
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
