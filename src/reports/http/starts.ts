/** Endpoints that start report tasks, or show what a start would do. */
import { z } from 'zod'
import { requireScope } from '../../http/endpoint/caller.ts'
import { NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { ALWAYS, type ApiRequest, type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { once } from '../../platform/once.ts'
import type { Clock } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { addressProblem, type SenderRules } from '../addresses.ts'
import type { Stored } from '../entities/fields.ts'
import { OPTION_MEMBERS } from '../entities/start-options.ts'
import { type Definition, type ReportTask, reportTask } from '../entities/task.ts'
import { checkedWith, refuseIssues } from '../issues.ts'
import { type Admission, DEFAULT_OPTIONS } from '../runs/admission.ts'
import { distinctNames } from '../runs/file-names.ts'
import type { FilePayload, HubPayload, MailPayload, Plan } from '../runs/plan.ts'
import type { Prepared } from '../runs/prepare.ts'
import type { Runner } from '../runs/runner.ts'
import type { RunEvent, RunOptions } from '../types.ts'
import { invalidId, requireSources } from './common.ts'
import { engineAnswer } from './engine.ts'

export interface StartRouteDeps extends Pick<SenderRules, 'allowedDomains'> {
  readonly runner: Runner
  readonly clock: Clock
  /** The stored task; null when there is none. */
  readonly taskOf: (id: string) => Stored<ReportTask> | null
  /** Tasks with one of the tags. */
  readonly tasksTagged: (tags: readonly string[]) => readonly Stored<ReportTask>[]
  readonly definitionOf: (taskId: string) => Definition | null
  /** The definition of a task that is not saved. Throws its refusal. */
  readonly unsaved: (actor: string, task: ReportTask) => Promise<Definition>
  /** Time limit of answers that need the engine, in ms. */
  readonly planTimeoutMs?: number
}

const START = () =>
  z.strictObject({
    taskId: z.array(z.string()).max(500).default([]),
    tag: z.array(z.string()).max(100).default([]),
    force: z.boolean().default(false),
    ...OPTION_MEMBERS,
  })
type StartBody = z.output<ReturnType<typeof START>>

const PLAN_QUERY = () =>
  z.object({
    recipient: queryField.text().describe('Only what this address gets.').optional(),
    limit: queryField.integer(1, 500).describe('How many of each list. Default: all.').optional(),
    offset: queryField.integer(0, 10_000_000).describe('How many of each list are left out before.').optional(),
  })
type PlanQuery = z.output<ReturnType<typeof PLAN_QUERY>>
const STARTED = () =>
  z.looseObject({
    tasksStarted: z.array(
      z.looseObject({ taskId: z.string(), taskName: z.string(), status: z.string(), runId: z.string() }),
    ),
    tasksNotFound: z.array(z.string()),
    tasksSkipped: z.array(z.looseObject({ taskId: z.string(), code: z.string() })),
    totalTasksStarted: z.int(),
  })
const PLANNED = () =>
  z.looseObject({
    taskId: z.string(),
    documents: z.array(z.looseObject({})),
    mails: z.array(z.looseObject({})),
    totals: z
      .object({ documents: z.int(), mails: z.int(), files: z.int(), hub: z.int() })
      .describe('Lengths of the whole lists.'),
  })
export const TASK_PARAMS = once(() => z.object({ taskId: z.string().describe('Id of the report task.') }))

const PLAN_TIMEOUT_MS = 60_000

export function startRoutes(deps: StartRouteDeps): ApiRoute[] {
  return [
    start('/v4/reporttask/start', undefined, deps),
    start('/v4/reporttask/{taskId}/start', TASK_PARAMS, deps),
    plan(deps),
  ]
}

/** Throws 400 `INVALID_ID`, 404 `REPORTTASK_NOT_FOUND`. */
export function taskById(taskId: string, { taskOf }: Pick<StartRouteDeps, 'taskOf'>): Stored<ReportTask> {
  if (!isGuid(taskId)) throw invalidId('task')
  const task = taskOf(taskId.toLowerCase())
  if (!task) throw refusal('REPORTTASK_NOT_FOUND', taskId)
  return task
}

function start(path: string, params: typeof TASK_PARAMS | undefined, deps: StartRouteDeps): ApiRoute {
  return route({
    method: ['POST', 'PUT'],
    path,
    scope: 'report:run',
    action: 'report.start',
    summary: 'Start report tasks',
    description:
      '`taskId` and `tag` of the body select tasks, beside the one in the path (`-` = none). Conditions on key-value pairs need `kv:read` of their namespaces, those on Qlik tasks `task:read`.',
    ...(params && { params }),
    readByHandler: () => ({ body: START() }),
    query: NO_QUERY,
    answers: () => ({ 200: STARTED(), 409: 'A test needs an address; the run cannot begin.' }),
    async handle(request) {
      const id = (request.params as { taskId?: string }).taskId
      const selected = id === undefined || id === '-' ? [] : [taskById(id, deps).id]
      const body = checkedWith(START(), request.body ?? {})
      return jsonAnswer(200, await startTasks(request as ApiRequest, selected, body, deps))
    },
  })
}

async function startTasks(request: ApiRequest, selected: readonly string[], body: StartBody, deps: StartRouteDeps) {
  const ids = [...new Set([...selected, ...body.taskId].map((id) => id.toLowerCase()))]
  if (!ids.every(isGuid)) throw invalidId('task')
  if (ids.length === 0 && body.tag.length === 0) throw refusal('NOTHING_SELECTED', 'name tasks by taskId or tag')
  const named = ids.map((id) => [id, deps.taskOf(id)] as const)
  const tasks = [...named.flatMap(([, task]) => (task ? [task] : [])), ...deps.tasksTagged(body.tag)]
  const options = optionsOf(body)
  const tasksStarted = []
  const tasksSkipped = []
  const wanted = [...new Map(tasks.map((one) => [one.id, one])).values()]
  // The outcome shows how the conditions compare; what triggers follow is not read.
  for (const { id } of wanted) requireSources(request.caller, deps.definitionOf(id)?.conditions ?? [])
  checkKeys(wanted, body.reports)
  for (const task of wanted) checkStart(task, options, deps)
  for (const task of wanted) {
    const admission = await deps.runner.admit({
      task,
      trigger: manual(request, deps.clock.now(), body.reason),
      identity: null,
      options,
      force: body.force,
    })
    const base = { taskId: task.id, taskName: task.name }
    if (admission.status === 'skipped') tasksSkipped.push({ ...base, code: admission.code, runId: admission.runId })
    else tasksStarted.push({ ...base, status: statusOf(admission), runId: admission.runId })
  }
  const tasksNotFound = named.filter(([, task]) => !task).map(([id]) => id)
  request.note({ target: tasks.map(({ id }) => id), detail: `${tasksStarted.length} started` })
  return { tasksStarted, tasksNotFound, tasksSkipped, totalTasksStarted: tasksStarted.length }
}

/** Throws when a key is that of no report: the reports of the others would leave without it. */
function checkKeys(tasks: readonly ReportTask[], keys: readonly string[] | null): void {
  const known = new Set(tasks.flatMap(({ reports }) => reports.map(({ key }) => key)))
  const unknown = (keys ?? []).flatMap((key, index) => (known.has(key) ? [] : [[key, index] as const]))
  if (tasks.length === 0 || unknown.length === 0 || unknown.length === keys?.length) return
  throw refuseIssues(
    unknown.map(([key, index]) => ({
      path: `reports.${index}`,
      message: `No report of the task has the key ${key}; there are ${[...known].join(', ')}`,
    })),
  )
}

function checkStart(
  task: ReportTask,
  { test, testAddress, reports }: RunOptions,
  { allowedDomains }: Pick<SenderRules, 'allowedDomains'>,
): void {
  const { name, testMode } = task
  const problem = testAddress === null ? null : addressProblem(testAddress, allowedDomains)
  if (problem) throw refuseIssues([{ path: 'testAddress', message: problem.message }])
  const keys = task.reports.map(({ key }) => key)
  if (reports && !reports.some((key) => keys.includes(key))) {
    const message = `"${name}" has none of the reports ${reports.join(', ')}; its keys are ${keys.join(', ')}`
    throw refusal('VALIDATION', `reports: ${message}`, { issues: [{ path: 'reports', message }] })
  }
  if (!test || testAddress || testMode.address) return
  throw refusal('VALIDATION', `testAddress: "${name}" has no test address of its own`, {
    issues: [{ path: 'testAddress', message: 'Must be given, because the task has no test address' }],
  })
}

function optionsOf({
  test,
  testAddress,
  dryRun,
  ignoreConditions,
  reports,
  recipients,
  reason,
}: StartBody): RunOptions {
  return { test, testAddress, dryRun, ignoreConditions, reports, recipients, reason }
}

const manual = ({ caller }: ApiRequest, at: number, reason: string | null) => ({
  type: 'manual' as const,
  triggerId: null,
  key: '',
  firedAt: new Date(at).toISOString(),
  detail: { actor: caller.actor, ...(reason && { reason }) },
})

const statusOf = ({ status }: Admission): string => (status === 'repeated' ? 'merged' : status)

function plan(deps: StartRouteDeps): ApiRoute {
  return route({
    method: 'POST',
    path: '/v4/reporttask/{taskId}/plan',
    eachTime: ALWAYS,
    scope: 'report:read',
    action: 'report.plan',
    audited: 'refused',
    summary: 'Show who would get what, without making or sending anything',
    params: TASK_PARAMS,
    query: PLAN_QUERY,
    description:
      'With `-` in the place of the id the body is a whole task, which is not saved; that needs `report:write` too. Conditions on key-value pairs need `kv:read` of their namespaces, those on Qlik tasks `task:read`.',
    readByHandler: () => ({ body: reportTask() }),
    answers: () => ({
      200: PLANNED(),
      422: 'The app cannot be read.',
      502: 'The engine or the repository does not answer.',
    }),
    handle: async ({ params, query, signal, body, caller }) => {
      // A task of the caller evaluates its expressions in any app, and shows results in names and addresses.
      if (params.taskId === '-') requireScope(caller, 'report:write')
      const definition =
        params.taskId === '-'
          ? await deps.unsaved(caller.actor, checkedWith(reportTask(), body ?? {}))
          : deps.definitionOf(taskById(params.taskId, deps).id)!
      requireSources(caller, definition.conditions)
      const options = { ...DEFAULT_OPTIONS, recipients: query.recipient === undefined ? null : [query.recipient] }
      const work = (limit: AbortSignal) => deps.runner.plan(definition, options, limit)
      const made = await engineAnswer(work, signal, deps.planTimeoutMs ?? PLAN_TIMEOUT_MS)
      return jsonAnswer(200, planAnswer(definition, made, query))
    },
  })
}

function planAnswer(
  { task }: Definition,
  { prepared, plan, events }: { prepared: Prepared; plan: Plan; events: readonly RunEvent[] },
  { limit = Number.POSITIVE_INFINITY, offset = 0 }: PlanQuery,
) {
  const of = <Payload>(channel: string) =>
    plan.deliveries.filter((one) => one.channel === channel).map(({ payload }) => payload as Payload)
  const page = <One>(list: readonly One[]) => list.slice(offset, offset + limit)
  const [mails, files, hub] = [of<MailPayload>('email'), of<FilePayload>('storage'), of<HubPayload>('hub')]
  const nameOf = (id: string) => prepared.documents.find((one) => one.id === id)?.fileName ?? ''
  const problems = events.map(({ code, level, details, recipient, report, block }) => ({
    code,
    level,
    details,
    ...(report && { report }),
    ...(block && { block }),
    ...(recipient && { recipient }),
  }))
  return {
    taskId: task.id,
    conditions: prepared.conditions,
    skipped: prepared.skipped,
    documents: page(prepared.documents).map(({ report, cycle, fileName, variant }) => ({
      report,
      cycle: Object.fromEntries(cycle.map(({ field, value }) => [field, value.text])),
      fileName,
      variant,
      evaluateAs: task.run.evaluateAs,
    })),
    mails: page(mails).map(({ to, cc, bcc, subject, attach, embed, archives, missing }) => ({
      to: to.join(', '),
      ...(cc.length > 0 && { cc }),
      ...(bcc.length > 0 && { bcc }),
      subject,
      attachments: distinctNames([...attach.map(nameOf), ...archives.map(({ name }) => name)]),
      ...(embed.length > 0 && { embedded: embed.map(nameOf) }),
      ...(missing.length > 0 && { missing }),
    })),
    files: page(files).map(({ spaceId, folder, name }) => ({
      spaceId,
      path: [...folder, name].join('/'),
    })),
    hub: page(hub).map(({ title, visibleTo }) => ({ title, visibleTo })),
    totals: {
      documents: prepared.documents.length,
      mails: mails.length,
      files: files.length,
      hub: hub.length,
    },
    problems: plan.refused ? [...problems, { ...plan.refused, level: 'error' }] : problems,
  }
}
