/** The six kinds of definitions: schemas, names, and to which others they refer. */
import type { ErrorCode } from '../http/errors.ts'
import { addressProblem } from './addresses.ts'
import {
  addressIssue,
  type CheckSettings,
  conditionIssues,
  filterIssues,
  localeIssues,
  reportIssues,
} from './checks.ts'
import { type ReportCondition, reportCondition } from './entities/condition.ts'
import { type ReportFilter, reportFilter } from './entities/filter.ts'
import { type Recipient, type RecipientGroup, recipient, recipientGroup } from './entities/recipient.ts'
import { blockReport, type Report, templateReport } from './entities/report.ts'
import { type ReportTask, reportTask } from './entities/task.ts'
import { type Issue, type Parsed, parseWith } from './issues.ts'
import { taskIssues } from './task-checks.ts'

export interface Entities {
  readonly task: ReportTask
  readonly report: Report
  readonly filter: ReportFilter
  readonly condition: ReportCondition
  readonly recipient: Recipient
  readonly group: RecipientGroup
}
export type Kind = keyof Entities

/** In the order in which definitions can be made: those that are referred to come first, except tasks that start tasks. */
export const KINDS = ['filter', 'condition', 'recipient', 'report', 'group', 'task'] as const satisfies readonly Kind[]

export interface Reference {
  readonly kind: Kind
  readonly id: string
  /** In the definition that refers. */
  readonly path: string
}

export interface KindRules<K extends Kind> {
  /** Below `report_`. */
  readonly table: string
  /** `Report task`. */
  readonly label: string
  /** In texts about its id: `task`. */
  readonly idLabel: string
  /** `type` in answers, and start of the name of audited actions. */
  readonly type: string
  readonly notFound: ErrorCode
  /** Whether it belongs to a project. */
  readonly inProject: boolean
  parse(value: unknown): Parsed<Entities[K]>
  /** Members by which two are the same, and the words for it. */
  readonly unique: (entity: Entities[K]) => { readonly key: string; readonly text: string }
  readonly references: (entity: Entities[K]) => readonly Reference[]
  readonly issues: (
    entity: Entities[K],
    settings: CheckSettings,
    reportOf: (id: string) => Report | undefined,
  ) => readonly Issue[]
}

const to = (kind: Kind, path: string, ids: readonly string[]): Reference[] =>
  ids.map((id, index) => ({ kind, id, path: `${path}.${index}` }))

const byName = ({ name }: { readonly name: string }) => ({ key: folded(name), text: `"${name}"` })
const inProject = ({ project, name }: { readonly project: string; readonly name: string }) => ({
  key: `${project}\n${folded(name)}`,
  text: `"${name}" in project "${project}"`,
})

/** For comparisons without regard to case. */
export const folded = (text: string): string => text.normalize('NFC').toLowerCase()

export const RULES: { readonly [K in Kind]: KindRules<K> } = {
  task: {
    table: 'task',
    label: 'Report task',
    idLabel: 'task',
    type: 'reportTask',
    notFound: 'REPORTTASK_NOT_FOUND',
    inProject: true,
    parse: (value) => parseWith(reportTask(), value),
    unique: inProject,
    references: taskReferences,
    issues: (task, settings, reportOf) => taskIssues(task, reportOf, settings),
  },
  report: {
    table: 'report',
    label: 'Report',
    idLabel: 'report',
    type: 'report',
    notFound: 'REPORT_NOT_FOUND',
    inProject: true,
    // Not as a union, whose problems would be those of both forms.
    parse: (value) =>
      (value as { readonly type?: unknown } | null)?.type === 'template'
        ? parseWith(templateReport(), value)
        : parseWith(blockReport(), value),
    unique: inProject,
    references: ({ filterIds }) => to('filter', 'filterIds', filterIds),
    issues: reportIssues,
  },
  filter: {
    table: 'filter',
    label: 'Report filter',
    idLabel: 'filter',
    type: 'reportFilter',
    notFound: 'REPORTFILTER_NOT_FOUND',
    inProject: true,
    parse: (value) => parseWith(reportFilter(), value),
    unique: inProject,
    references: () => [],
    issues: filterIssues,
  },
  condition: {
    table: 'condition',
    label: 'Report condition',
    idLabel: 'condition',
    type: 'reportCondition',
    notFound: 'REPORTCONDITION_NOT_FOUND',
    inProject: true,
    parse: (value) => parseWith(reportCondition(), value),
    unique: inProject,
    references: () => [],
    issues: conditionIssues,
  },
  recipient: {
    table: 'recipient',
    label: 'Recipient',
    idLabel: 'recipient',
    type: 'recipient',
    notFound: 'RECIPIENT_NOT_FOUND',
    inProject: false,
    parse: (value) => parseWith(recipient(), value),
    unique: ({ email }) => ({ key: email, text: `with the address ${email}` }),
    references: ({ filterIds }) => to('filter', 'filterIds', filterIds),
    issues: ({ locale, email }, { allowedDomains }) => [
      ...localeIssues(locale),
      ...addressIssue('email', addressProblem(email, allowedDomains)),
    ],
  },
  group: {
    table: 'grp',
    label: 'Recipient group',
    idLabel: 'group',
    type: 'recipientGroup',
    notFound: 'RECIPIENTGROUP_NOT_FOUND',
    inProject: false,
    parse: (value) => parseWith(recipientGroup(), value),
    unique: byName,
    references: ({ memberIds, filterIds }) => [
      ...to('recipient', 'memberIds', memberIds),
      ...to('filter', 'filterIds', filterIds),
    ],
    issues: () => [],
  },
}

function taskReferences({ reports, filterIds, conditionIds, recipients, triggers }: ReportTask): Reference[] {
  return [
    ...reports.flatMap((use, index) => [
      { kind: 'report' as const, id: use.reportId, path: `reports.${index}.reportId` },
      ...to('filter', `reports.${index}.filterIds`, use.filterIds),
      ...to('condition', `reports.${index}.conditionIds`, use.conditionIds),
    ]),
    ...to('filter', 'filterIds', filterIds),
    ...to('condition', 'conditionIds', conditionIds),
    ...recipients.flatMap((one, index): Reference[] => {
      if (one.type === 'recipient')
        return [{ kind: 'recipient', id: one.recipientId, path: `recipients.${index}.recipientId` }]
      return one.type === 'group' ? [{ kind: 'group', id: one.groupId, path: `recipients.${index}.groupId` }] : []
    }),
    ...triggers.flatMap((one, index): Reference[] =>
      one.type === 'reportTask' ? [{ kind: 'task', id: one.taskId, path: `triggers.${index}.taskId` }] : [],
    ),
  ]
}

/** Reports, filters and conditions of this project can be used in all. */
const SHARED = 'shared'

/** Whether a definition of project `user` may refer to one of `project`; null = belongs to none. */
export const mayUse = (user: string | null, project: string | null): boolean =>
  user === null || project === null || project === user || project === SHARED
