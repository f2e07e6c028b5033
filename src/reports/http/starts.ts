/** Endpoints that start report tasks, or show what a start would do. */
import { requireScope } from '../../http/endpoint/caller.ts'
import { ALWAYS, type ApiRequest, type ApiRoute, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import type { Clock } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { addressProblem, type SenderRules } from '../addresses.ts'
import type { Stored } from '../entities/fields.ts'
import { type Definition, type ReportTask, reportTask } from '../entities/task.ts'
import { checkedWith, refuseIssues } from '../issues.ts'
import { type Admission, DEFAULT_OPTIONS } from '../runs/admission.ts'
import {
  PLAN_TASK,
  type Plan as PlanAnswer,
  type RunEvent,
  type RunOptions,
  START_TASK,
  START_TASKS,
  type Start,
  type Started,
  taskParams,
} from '../runs/contract.ts'
import { distinctNames } from '../runs/file-names.ts'
import type { FilePayload, HubPayload, MailPayload, Plan } from '../runs/plan.ts'
import type { Prepared } from '../runs/prepare.ts'
import type { Runner } from '../runs/runner.ts'
import { bodyOf, checksBody, EXAMPLE_ID, invalidId, requireSources } from './common.ts'
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

const PLAN_TIMEOUT_MS = 60_000

export function startRoutes(deps: StartRouteDeps): ApiRoute[] {
  return [start(deps), startOne(deps), plan(deps)]
}

/** Throws 400 `INVALID_ID`, 404 `REPORTTASK_NOT_FOUND`. */
export function taskById(taskId: string, { taskOf }: Pick<StartRouteDeps, 'taskOf'>): Stored<ReportTask> {
  if (!isGuid(taskId)) throw invalidId('task')
  const task = taskOf(taskId.toLowerCase())
  if (!task) throw refusal('REPORTTASK_NOT_FOUND', taskId)
  return task
}

const STARTS = {
  ...START_TASKS,
  ...checksBody(START_TASKS),
  scope: 'report:run',
  action: 'report.start',
  summary: 'Start report tasks',
  description:
    '`taskId` and `tag` of the body select tasks, beside the one in the path (`-` = none). Conditions on key-value pairs need `kv:read` of their namespaces, those on Qlik tasks `task:read`.',
} as const

const start = (deps: StartRouteDeps): ApiRoute =>
  route({
    ...STARTS,
    examples: [{ name: 'by-tag', body: { tag: ['weekly'], force: true, dryRun: true }, status: 200 }],
    handle: async (request, answer) => answer(200, await startTasks(request, [], deps)),
  })

const startOne = (deps: StartRouteDeps): ApiRoute =>
  route({
    ...STARTS,
    path: START_TASK.path,
    params: taskParams,
    examples: [{ name: 'now', params: { taskId: EXAMPLE_ID }, body: { force: true }, status: 200 }],
    async handle(request, answer) {
      const { taskId } = request.params
      return answer(200, await startTasks(request, taskId === '-' ? [] : [taskById(taskId, deps).id], deps))
    },
  })

type StartRequest = Pick<ApiRequest, 'body' | 'caller' | 'note'>

async function startTasks(request: StartRequest, selected: readonly string[], deps: StartRouteDeps): Promise<Started> {
  const body = checkedWith(bodyOf(START_TASKS), request.body ?? {})
  const ids = [...new Set([...selected, ...body.taskId].map((id) => id.toLowerCase()))]
  if (!ids.every(isGuid)) throw invalidId('task')
  if (ids.length === 0 && body.tag.length === 0) throw refusal('NOTHING_SELECTED', 'name tasks by taskId or tag')
  const named = ids.map((id) => [id, deps.taskOf(id)] as const)
  const tasks = [...named.flatMap(([, task]) => (task ? [task] : [])), ...deps.tasksTagged(body.tag)]
  const options = optionsOf(body)
  const tasksStarted: Started['tasksStarted'][number][] = []
  const tasksSkipped: Started['tasksSkipped'][number][] = []
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
    else tasksStarted.push({ ...base, status: statusOf(admission.status), runId: admission.runId })
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

function optionsOf({ test, testAddress, dryRun, ignoreConditions, reports, recipients, reason }: Start): RunOptions {
  return { test, testAddress, dryRun, ignoreConditions, reports, recipients, reason }
}

const manual = ({ caller }: StartRequest, at: number, reason: string | null) => ({
  type: 'manual' as const,
  triggerId: null,
  key: '',
  firedAt: new Date(at).toISOString(),
  detail: { actor: caller.actor, ...(reason && { reason }) },
})

type Admitted = Exclude<Admission['status'], 'skipped'>
const statusOf = (status: Admitted) => (status === 'repeated' ? 'merged' : status)

function plan(deps: StartRouteDeps): ApiRoute {
  return route({
    ...PLAN_TASK,
    ...checksBody(PLAN_TASK),
    eachTime: ALWAYS,
    scope: 'report:read',
    action: 'report.plan',
    audited: 'refused',
    summary: 'Show who would get what, without making or sending anything',
    description:
      'With `-` in the place of the id the body is a whole task, which is not saved; that needs `report:write` too. Conditions on key-value pairs need `kv:read` of their namespaces, those on Qlik tasks `task:read`.',
    examples: [{ name: 'stored', params: { taskId: EXAMPLE_ID }, status: 200 }],
    handle: async ({ params, query, signal, body, caller }, answer) => {
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
      return answer(200, planAnswer(definition, made, query))
    },
  })
}

function planAnswer(
  { task }: Definition,
  { prepared, plan, events }: { prepared: Prepared; plan: Plan; events: readonly RunEvent[] },
  {
    limit = Number.POSITIVE_INFINITY,
    offset = 0,
  }: { readonly limit?: number | undefined; readonly offset?: number | undefined },
): PlanAnswer {
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
    problems: plan.refused ? [...problems, { ...plan.refused, level: 'error' as const }] : problems,
  }
}
