/** The kinds of definitions of report tasks, as the pages name and address them. */
import type { Asked } from '../../ask.ts'
import type { PageContext } from '../../page.ts'

export const KINDS = {
  task: { api: '/v4/reporttask', member: 'reportTasks', path: '/reports/tasks', one: 'report task', many: 'Tasks' },
  report: { api: '/v4/report', member: 'reports', path: '/reports/reports', one: 'report', many: 'Reports' },
  filter: {
    api: '/v4/reportfilter',
    member: 'reportFilters',
    path: '/reports/filters',
    one: 'filter',
    many: 'Filters',
  },
  condition: {
    api: '/v4/reportcondition',
    member: 'reportConditions',
    path: '/reports/conditions',
    one: 'condition',
    many: 'Conditions',
  },
  recipient: {
    api: '/v4/recipient',
    member: 'recipients',
    path: '/reports/recipients',
    one: 'recipient',
    many: 'Recipients',
  },
  group: {
    api: '/v4/recipientgroup',
    member: 'recipientGroups',
    path: '/reports/groups',
    one: 'group',
    many: 'Groups',
  },
} as const

export type Kind = keyof typeof KINDS

export const isKind = (text: string): text is Kind => Object.hasOwn(KINDS, text)

/** A definition as the API answers it. */
export interface Definition {
  readonly id: string
  readonly name: string
  readonly project?: string
  readonly revision: number
  readonly modifiedAt: string
  readonly modifiedBy: string
  readonly [member: string]: unknown
}

/** More are not shown in lists of choices. */
export const MOST = 500

export interface Listed {
  readonly items: readonly Definition[]
  readonly total: number
}

/** Definitions of a kind, with all members; by name. */
export async function listed(
  { ask }: Pick<PageContext, 'ask'>,
  kind: Kind,
  query: Readonly<Record<string, string | number | null>> = {},
): Promise<Asked<Listed>> {
  const { api, member } = KINDS[kind]
  const full = kind === 'task' ? { full: 1 } : {}
  const answer = await ask.get<Record<string, unknown>>(api, { limit: MOST, ...full, ...query })
  if (!answer.ok) return answer
  const { [member]: items, total } = answer.data
  return { ...answer, data: { items: items as Definition[], total: Number(total) } }
}

/** All rows of a list of the API that is paged by offset. */
export async function everyRow<T>(
  { ask }: Pick<PageContext, 'ask'>,
  kind: Kind,
  query: Readonly<Record<string, string | number | null>>,
): Promise<Asked<readonly T[]>> {
  const { api, member } = KINDS[kind]
  const rows: T[] = []
  for (;;) {
    const answer = await ask.get<Record<string, unknown>>(api, { ...query, limit: MOST, offset: rows.length })
    if (!answer.ok) return answer
    const page = answer.data[member] as readonly T[]
    rows.push(...page)
    if (page.length < MOST) return { ...answer, data: rows }
  }
}

/** Whether a definition names the id anywhere. */
export const uses = (definition: Definition, id: string): boolean =>
  definition.id !== id && JSON.stringify(definition).includes(id)
