/** The kinds of definitions of report tasks, as the pages name and address them. */
import { DEFINITIONS, type DefinitionOf } from '../../../reports/entities/contract.ts'
import type { Asked, Query } from '../../ask.ts'
import type { PageContext } from '../../page.ts'

export const KINDS = {
  task: { path: '/reports/tasks', one: 'report task', many: 'Tasks' },
  report: { path: '/reports/reports', one: 'report', many: 'Reports' },
  filter: { path: '/reports/filters', one: 'filter', many: 'Filters' },
  condition: { path: '/reports/conditions', one: 'condition', many: 'Conditions' },
  recipient: { path: '/reports/recipients', one: 'recipient', many: 'Recipients' },
  group: { path: '/reports/groups', one: 'group', many: 'Groups' },
} as const

export type Kind = keyof typeof KINDS

export const isKind = (text: string): text is Kind => Object.hasOwn(KINDS, text)

/** A definition of any kind. */
export type Definition = DefinitionOf<Kind>

/** The path parameter of a definition, by the name that it has for its kind. */
export const pathOf = (id: string) => ({ id, taskId: id })

/** One definition. */
export const definitionOf = ({ ask }: Pick<PageContext, 'ask'>, kind: Kind, id: string): Promise<Asked<Definition>> =>
  ask(DEFINITIONS[kind].read, { params: pathOf(id) })

/** The definitions and storage spaces that a field may name, by its lookup. */
export type DefinitionChoices = { readonly [K in Kind]: readonly DefinitionOf<K>[] } & {
  readonly space: readonly { readonly id: string; readonly name: string }[]
}

/** More are not shown in lists of choices. */
export const MOST = 500

interface Listed<Row> {
  readonly items: readonly Row[]
  readonly total: number
}

/** Definitions of a kind, with all members; at most `MOST`, by name. */
export async function listed<K extends Kind>(
  { ask }: Pick<PageContext, 'ask'>,
  kind: K,
  query: Query = {},
): Promise<Asked<Listed<DefinitionOf<K>>>> {
  const { list, member } = DEFINITIONS[kind as Kind]
  const answer = await ask(list, { query: { limit: MOST, full: kind === 'task' ? 1 : null, ...query } })
  if (!answer.ok) return answer
  // The member is named after the kind, and tasks have all members because of `full`.
  const rows = answer.data as unknown as Readonly<Record<typeof member, readonly DefinitionOf<K>[]>>
  return { ...answer, data: { items: rows[member], total: answer.data.total } }
}

/** All rows of a list, however many pages of `MOST` rows the API makes of it. */
export async function everyRow<Row>(
  pageAt: (offset: number) => Promise<Asked<readonly Row[]>>,
): Promise<Asked<readonly Row[]>> {
  const rows: Row[] = []
  for (;;) {
    const page = await pageAt(rows.length)
    if (!page.ok) return page
    rows.push(...page.data)
    if (page.data.length < MOST) return { ...page, data: rows }
  }
}

/** Whether a definition names the id anywhere. */
export const uses = (definition: Definition, id: string): boolean =>
  definition.id !== id && JSON.stringify(definition).includes(id)
