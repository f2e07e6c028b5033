/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Lists and forms of reports, filters, conditions, recipients and groups, and the form of a task. */
import { DEFINITIONS, type DefinitionOf } from '../../../reports/entities/contract.ts'
import type { Page } from '../../page.ts'
import { ActionLink, Filters } from '../../ui/forms.tsx'
import { Mark } from '../../ui/marks.tsx'
import { type Column, Empty, ErrorBox, Head, OffsetPager, offsetOf, Table } from '../../ui/panel.tsx'
import { counted, Name, Time } from '../../ui/text.tsx'
import { editable, editorPage } from './editor.tsx'
import { type Definition, definitionOf, KINDS, type Kind, listed, MOST } from './kinds.ts'
import { formOfKind } from './steps.ts'
import { ListError, Places, switchedOff } from './tasks.tsx'

const PROJECT: Column<{ readonly project: string }> = {
  head: 'Project',
  sort: (row) => row.project,
  cell: ({ project }) => <Name text={project} />,
}

type Other = Exclude<Kind, 'task'>

/** The columns of a list beside the name. */
const COLUMNS: { readonly [K in Other]: readonly Column<DefinitionOf<K>>[] } = {
  report: [
    PROJECT,
    {
      head: 'Content',
      cell: (row) =>
        row.type === 'template'
          ? `template, ${counted(row.data.length, 'value')}`
          : counted(row.blocks.length, 'block'),
    },
  ],
  filter: [PROJECT, { head: 'Selects', cell: ({ clauses }) => <Name text={clauses.map(clauseText).join('; ')} /> }],
  condition: [PROJECT, { head: 'Rules', cell: ({ rules, match }) => `${match} of ${counted(rules.length, 'rule')}` }],
  recipient: [
    { head: 'Address', sort: (row) => row.email, cell: ({ email }) => <Name text={email} /> },
    {
      head: 'State',
      sort: ({ active }) => Number(!active),
      cell: ({ active }) => <Mark state={active ? 'success' : 'skipped'} word={active ? 'gets reports' : 'inactive'} />,
    },
    { head: 'Filters', num: true, sort: (row) => row.filterIds.length, cell: ({ filterIds }) => filterIds.length },
  ],
  group: [
    { head: 'Members', num: true, sort: (row) => row.memberIds.length, cell: ({ memberIds }) => memberIds.length },
    { head: 'Users of Qlik Sense', cell: ({ dynamic }) => <Name text={dynamic?.filter} /> },
  ],
}

function clauseText(clause: DefinitionOf<'filter'>['clauses'][number]): string {
  if (clause.type === 'bookmark') return clause.type
  const { field } = clause
  if (clause.type === 'values') return `${field} = ${clause.values.join(', ')}`
  if (clause.type === 'search') return `${field} = ${clause.search}`
  return clause.type === 'date' ? `${field} = ${clause.preset}` : field
}

const listPage = (kind: Other): Page => ({
  path: KINDS[kind].path,
  place: 'reports',
  scope: 'report:read',
  async render(context) {
    if (!context.settings.reports) return switchedOff(context)
    const { path, many, one } = KINDS[kind]
    const { query } = context
    const names = kind === 'recipient' || kind === 'group' ? ['name'] : ['name', 'project']
    const filters = Object.fromEntries(names.map((name) => [name, query.get(name)]))
    const answer = await listed(context, kind, { ...filters, offset: offsetOf(context) })
    // The rows are of this kind.
    const columns = COLUMNS[kind] as readonly Column<Definition>[]
    return {
      title: many,
      body: (
        <>
          <Head title={many} beside={<Places context={context} kind={kind} />}>
            {kind === 'recipient' && (
              <ActionLink context={context} operation="recipient.import" scope="report:write" values={{}} class="">
                Import…
              </ActionLink>
            )}
            <a class="btn primary" href={context.link(`${path}/new`)}>
              New
            </a>
            {kind === 'report' && (
              <a class="btn" href={context.link(`${path}/new`, { type: 'template' })}>
                New from a template
              </a>
            )}
          </Head>
          <Filters
            context={context}
            api={DEFINITIONS[kind].list.path}
            fields={names.map((name) => ({ name, label: name === 'name' ? 'Name' : 'Project', kind: 'text' as const }))}
          />
          {!answer.ok ? (
            <ListError context={context} failure={answer} />
          ) : (
            <>
              {answer.data.items.length === 0 ? (
                <Empty title={Object.values(filters).some(Boolean) ? 'Nothing matches' : `No ${many.toLowerCase()}`}>
                  <a href={context.link(`${path}/new`)}>New</a> makes a {one}.
                </Empty>
              ) : (
                <section class="panel">
                  <Table
                    context={context}
                    caption={`${many}, by name`}
                    rows={answer.data.items}
                    keyOf={({ id }) => id}
                    columns={[
                      {
                        head: 'Name',
                        sort: (row) => row.name,
                        cell: ({ id, name }) => (
                          <a href={context.link(`${path}/${id}`)}>
                            <Name text={name} />
                          </a>
                        ),
                      },
                      ...columns,
                      {
                        head: 'Changed',
                        sort: (row) => row.modifiedAt,
                        cell: ({ modifiedAt }) => <Time at={modifiedAt} zone={context} seconds={false} />,
                      },
                      {
                        head: 'By',
                        sort: (row) => row.modifiedBy,
                        cell: ({ modifiedBy }) => <Name text={modifiedBy} />,
                      },
                    ]}
                  />
                </section>
              )}
              <OffsetPager context={context} size={MOST} total={answer.data.total} />
            </>
          )}
        </>
      ),
    }
  },
})

const newPage = (kind: Kind): Page => ({
  path: `${KINDS[kind].path}/new`,
  place: 'reports',
  scope: 'report:read',
  async render(context) {
    if (!context.settings.reports) return switchedOff(context)
    const from = context.query.get('from') ?? ''
    const source = from === '' ? null : await definitionOf(context, kind, from)
    const { start } = formOfKind(kind, { type: context.query.get('type') })
    const definition = source?.ok
      ? { ...editable(source.data), name: `${source.data.name} (copy)` }
      : structuredClone(start)
    return editorPage(context, { kind, id: '', revision: 0, before: {}, definition })
  },
})

const editPage = (kind: Kind): Page => ({
  path: kind === 'task' ? '/reports/tasks/:id/edit' : `${KINDS[kind].path}/:id`,
  place: 'reports',
  scope: 'report:read',
  async render(context) {
    if (!context.settings.reports) return switchedOff(context)
    const { id = '' } = context.params
    const answer = await definitionOf(context, kind, id)
    if (!answer.ok) {
      return {
        title: 'Not found',
        status: answer.status,
        body: <ErrorBox failure={answer} retry={context.link('/reports')} />,
      }
    }
    const before = editable(answer.data)
    const { revision } = answer.data
    return editorPage(context, { kind, id: answer.data.id, revision, before, definition: structuredClone(before) })
  },
})

const OTHERS = ['report', 'filter', 'condition', 'recipient', 'group'] as const

export const definitionPages: readonly Page[] = [
  ...OTHERS.flatMap((kind) => [listPage(kind), newPage(kind), editPage(kind)]),
  newPage('task'),
  editPage('task'),
]
