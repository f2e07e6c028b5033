/** The contracts of the definitions of report tasks; those of the six kinds are alike. Times are ISO 8601. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape, shape } from '../../http/endpoint/contract.ts'
import { LIST_PARAMETERS, NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { CODES } from '../codes.ts'
import { reportCondition } from './condition.ts'
import { line, storedMembers } from './fields.ts'
import { reportFilter } from './filter.ts'
import { recipient, recipientGroup } from './recipient.ts'
import { blockReport, report, templateReport } from './report.ts'
import { formatOptions, OUTCOMES, reportTask, reportUse } from './task.ts'

// The parameters of the lists.

const page = () => ({
  name: queryField.text().describe('Part of the name, ignoring case.').optional(),
  limit: LIST_PARAMETERS.limit,
  offset: queryField.integer(0, 1_000_000_000).describe('How many to skip. Default 0.').optional(),
})
const project = () => ({ project: queryField.text().describe('Definitions of this project.').optional() })
const tag = () => ({ tag: queryField.text().describe('Definitions with this tag.').optional() })

// The definitions as they are answered.

const stored = {
  /** Options of formats that have their default values are left out. */
  task: shape('ReportTask', () =>
    reportTask().extend({
      ...storedMembers(),
      reports: z.array(reportUse().extend({ options: formatOptions().partial().optional() })),
    }),
  ),
  report: shape('Report', () =>
    z.union([templateReport().extend(storedMembers()), blockReport().extend(storedMembers())]),
  ),
  filter: shape('ReportFilter', () => reportFilter().extend(storedMembers())),
  condition: shape('ReportCondition', () => reportCondition().extend(storedMembers())),
  recipient: shape('Recipient', () => recipient().extend(storedMembers())),
  group: shape('RecipientGroup', () => recipientGroup().extend(storedMembers())),
}

/** All definitions that a run uses. */
export const usedDefinitions = shape('UsedDefinitions', () =>
  z.strictObject({
    task: stored.task(),
    reports: z.array(stored.report()),
    filters: z.array(stored.filter()),
    conditions: z.array(stored.condition()),
    recipients: z.array(stored.recipient()),
    groups: z.array(stored.group()),
  }),
)

export const runCounts = shape('ReportRunCounts', () =>
  z.strictObject({
    documents: z.int(),
    mailsSent: z.int(),
    mailsFailed: z.int(),
    mailsHeld: z.int(),
    filesWritten: z.int(),
    hubItems: z.int(),
    warnings: z.int(),
    errors: z.int(),
  }),
)

/** Codes of problems. */
export const runCode = shape('ReportProblemCode', () => z.enum(CODES))

const lastRun = shape('LastReportRun', () =>
  z.strictObject({
    id: z.string(),
    outcome: z.enum(OUTCOMES),
    reason: runCode().nullable().describe('Code of the first problem.'),
    counts: runCounts().nullable(),
    finishedAt: z.string(),
  }),
)
/** The last finished run of a task. */
export type LastRun = Shape<typeof lastRun>

const listedTask = shape('ListedReportTask', () =>
  z.strictObject({
    id: z.string(),
    project: z.string(),
    name: z.string(),
    enabled: z.boolean(),
    tags: z.array(z.string()),
    testMode: z.boolean(),
    nextRunAt: z.string().nullable().describe('null = no schedule will fire.'),
    revision: z.int(),
    lastRun: lastRun().nullable(),
  }),
)
/** An item in a list of tasks. */
export type ListedTask = Shape<typeof listedTask>

// The endpoints of each kind.

const CONFLICTS = {
  409: 'The name is taken; or the task is to be on and something is missing.',
  412: 'It is not at the revision of `If-Match`.',
} as const

interface KindShapes<
  Path extends string,
  Id extends string,
  Member extends string,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Stored extends z.ZodType,
  Row extends z.ZodType,
> {
  readonly path: Path
  /** The path parameter of one definition. */
  readonly id: Id
  /** The member of lists and of exports. */
  readonly member: Member
  readonly query: () => Query
  readonly body: () => Body
  readonly stored: () => Stored
  /** An item of the list. */
  readonly row: () => Row
}

/** GET, POST on the path of the kind; GET, PUT, PATCH and DELETE on that of one definition. */
function contractsOf<
  const Path extends string,
  const Id extends string,
  const Member extends string,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Stored extends z.ZodType,
  Row extends z.ZodType,
>({ path, id, member, query, body, stored, row }: KindShapes<Path, Id, Member, Query, Body, Stored, Row>) {
  const one = `${path}/{${id}}` as const
  const saved = () => stored().describe('The definition.')
  return {
    member,
    list: contract({ method: 'GET', path, query, answers: () => ({ 200: listOf(member, row()) }) }),
    create: contract({
      method: 'POST',
      path,
      body,
      answers: () => ({
        201: stored().describe('The definition; its path is in the header `Location`.'),
        409: CONFLICTS[409],
      }),
    }),
    read: contract({ method: 'GET', path: one, answers: () => ({ 200: saved() }) }),
    replace: contract({ method: 'PUT', path: one, body, answers: () => ({ 200: saved(), ...CONFLICTS }) }),
    /** JSON Merge Patch: any members of the definition. */
    change: contract({
      method: 'PATCH',
      path: one,
      body: () => z.looseObject({}),
      answers: () => ({ 200: saved(), ...CONFLICTS }),
    }),
    remove: contract({
      method: 'DELETE',
      path: one,
      answers: () => ({ 204: z.void(), 409: 'It is in use.', 412: CONFLICTS[412] }),
    }),
  }
}

const listOf = <Member extends string, Row extends z.ZodType>(member: Member, row: Row) =>
  z.strictObject({ [member]: z.array(row), total: z.int() } as Readonly<Record<Member, z.ZodArray<Row>>> & {
    readonly total: z.ZodInt
  })

export const DEFINITIONS = {
  task: contractsOf({
    path: '/v4/reporttask',
    id: 'taskId',
    member: 'reportTasks',
    query: () =>
      z.object({
        ...project(),
        ...tag(),
        enabled: queryField.boolean().optional(),
        ...page(),
        full: z.enum(['0', '1', 'true', 'false']).describe('1: with all members.').optional(),
      }),
    body: reportTask,
    stored: stored.task,
    row: () => z.union([listedTask(), stored.task()]),
  }),
  report: contractsOf({
    path: '/v4/report',
    id: 'id',
    member: 'reports',
    query: () => z.object({ ...project(), ...tag(), ...page() }),
    body: report,
    stored: stored.report,
    row: stored.report,
  }),
  filter: contractsOf({
    path: '/v4/reportfilter',
    id: 'id',
    member: 'reportFilters',
    query: () => z.object({ ...project(), ...page() }),
    body: reportFilter,
    stored: stored.filter,
    row: stored.filter,
  }),
  condition: contractsOf({
    path: '/v4/reportcondition',
    id: 'id',
    member: 'reportConditions',
    query: () => z.object({ ...project(), ...page() }),
    body: reportCondition,
    stored: stored.condition,
    row: stored.condition,
  }),
  recipient: contractsOf({
    path: '/v4/recipient',
    id: 'id',
    member: 'recipients',
    query: () => z.object(page()),
    body: recipient,
    stored: stored.recipient,
    row: stored.recipient,
  }),
  group: contractsOf({
    path: '/v4/recipientgroup',
    id: 'id',
    member: 'recipientGroups',
    query: () => z.object(page()),
    body: recipientGroup,
    stored: stored.group,
    row: stored.group,
  }),
} as const

type Definitions = { readonly [Kind in keyof typeof DEFINITIONS]: AnswerOf<(typeof DEFINITIONS)[Kind]['read']> }
/** A definition as it is answered. */
export type DefinitionOf<Kind extends keyof Definitions> = Definitions[Kind]

/** The list of tasks without `full`. */
export const LISTED_TASKS = contract({
  ...DEFINITIONS.task.list,
  answers: () => ({ 200: listOf('reportTasks', listedTask()) }),
})

// Tasks and what belongs to no kind.

const texts = () => z.array(z.string()).max(1000).default([])
const selection = () =>
  z.strictObject({ taskId: texts(), tag: texts(), project: texts(), all: z.boolean().default(false) })
/** The tasks that are switched. */
export type Selection = z.output<ReturnType<typeof selection>>

const switchedTask = shape('SwitchedReportTask', () =>
  z.strictObject({ taskId: z.string(), taskName: z.string(), enabled: z.boolean() }),
)
const switched = shape('SwitchedReportTasks', () =>
  z.strictObject({
    tasksChanged: z.array(switchedTask()),
    tasksUnchanged: z.array(switchedTask()),
    tasksNotFound: z.array(z.string()),
    tasksRefused: z
      .array(z.strictObject({ taskId: z.string(), taskName: z.string(), code: z.string(), details: z.string() }))
      .describe(
        'Tasks that are incomplete stay off, and those that read key-value pairs which the caller may not read.',
      ),
    totalTasksChanged: z.int(),
  }),
)
export type Switched = Shape<typeof switched>

const switching = <const Verb extends string>(verb: Verb) => ({
  several: contract({
    method: ['POST', 'PUT'],
    path: `/v4/reporttask/-/${verb}`,
    body: selection,
    answers: () => ({ 200: switched().describe('The result for each task.') }),
  }),
  one: contract({
    method: ['POST', 'PUT'],
    path: `/v4/reporttask/{taskId}/${verb}`,
    body: 'ignored',
    answers: () => ({
      200: switched().describe('The result, as for several tasks.'),
      403: 'The task reads key-value pairs that the caller may not read.',
      409: 'The task is incomplete.',
    }),
  }),
})

export const SWITCH_TASKS = { enable: switching('enable'), disable: switching('disable') }

export const COPY_TASK = contract({
  method: 'POST',
  path: '/v4/reporttask/{taskId}/copy',
  body: () => z.strictObject({ name: line(200).optional(), project: line(64).optional() }),
  answers: () => ({ 201: stored.task().describe('The copy.'), 409: 'The name is taken.' }),
})

const projectCounts = () =>
  z.strictObject({ reportTasks: z.int(), reports: z.int(), reportFilters: z.int(), reportConditions: z.int() })
/** The numbers of definitions of a project. */
export type ProjectCounts = Shape<typeof projectCounts>

export const PROJECTS = contract({
  method: 'GET',
  path: '/v4/reportproject',
  query: NO_QUERY,
  answers: () => ({
    200: z.strictObject({ reportProjects: z.array(projectCounts().extend({ name: z.string() })), total: z.int() }),
  }),
})

export const STORAGE_SPACES = contract({
  method: 'GET',
  path: '/v4/storagespace',
  query: NO_QUERY,
  answers: () => ({
    200: z.strictObject({
      storageSpaces: z.array(
        z.strictObject({
          id: z.string(),
          name: z.string(),
          available: z.boolean(),
          freeBytes: z.number().nullable().describe('null while it is not available.'),
          projects: z.array(z.string()).describe('Empty = all projects.'),
        }),
      ),
    }),
  }),
})
