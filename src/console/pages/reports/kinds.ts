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

/** The definitions and storage spaces that a field may name, by its lookup. */
export type DefinitionChoices = Readonly<Record<Kind, readonly Definition[]>> & {
  readonly space: readonly { readonly id: string; readonly name: string }[]
}

/** More are not shown in lists of choices. */
export const MOST = 500

export interface Listed<Row = Definition> {
  readonly items: readonly Row[]
  readonly total: number
}

/** Definitions of a kind, with all members; by name. */
export const listed = (
  context: Pick<PageContext, 'ask'>,
  kind: Kind,
  query: Readonly<Record<string, string | number | null>> = {},
): Promise<Asked<Listed>> => pageOf<Definition>(context, kind, { ...(kind === 'task' && { full: 1 }), ...query })

/** All rows of the list of a kind, however many pages the API makes of it. */
export async function everyRow<Row>(
  context: Pick<PageContext, 'ask'>,
  kind: Kind,
  query: Readonly<Record<string, string | number | null>>,
): Promise<Asked<readonly Row[]>> {
  const rows: Row[] = []
  for (;;) {
    const page = await pageOf<Row>(context, kind, { ...query, offset: rows.length })
    if (!page.ok) return page
    rows.push(...page.data.items)
    if (page.data.items.length < MOST) return { ...page, data: rows }
  }
}

/** At most `MOST` rows; the member that holds them is named after the kind. */
async function pageOf<Row>(
  { ask }: Pick<PageContext, 'ask'>,
  kind: Kind,
  query: Readonly<Record<string, string | number | null>>,
): Promise<Asked<Listed<Row>>> {
  const { api, member } = KINDS[kind]
  const answer = await ask.get<{ readonly [name in typeof member]: readonly Row[] } & { readonly total: number }>(api, {
    limit: MOST,
    ...query,
  })
  return answer.ok ? { ...answer, data: { items: answer.data[member], total: answer.data.total } } : answer
}

/** Whether a definition names the id anywhere. */
export const uses = (definition: Definition, id: string): boolean =>
  definition.id !== id && JSON.stringify(definition).includes(id)
