/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The plan of a task: who would get what, before anything is made or sent. */
import type { FC } from 'hono/jsx'
import type { DefinitionOf } from '../../../reports/entities/contract.ts'
import type { Plan, PlanProblem } from '../../../reports/runs/contract.ts'
import type { PageContext } from '../../page.ts'
import { Mark } from '../../ui/marks.tsx'
import { OffsetPager, offsetOf, Table } from '../../ui/panel.tsx'
import { counted, Name } from '../../ui/text.tsx'
import { KINDS } from './kinds.ts'

type About = Pick<PlanProblem, 'code' | 'details'>
export type Filter = DefinitionOf<'filter'>

interface Person {
  readonly address: string
  readonly documents: string[]
  readonly channels: Set<'mail' | 'hub'>
  readonly problems: PlanProblem[]
}

/** The filters whose clauses a problem is about: it names the field, and values where the clause lists them. */
function filtersBehind({ code, details }: About, filters: readonly Filter[]) {
  if (!code.startsWith('FILTER_')) return []
  const isAbout = (clause: Filter['clauses'][number]): boolean => {
    if (clause.type === 'bookmark') return false
    const { field } = clause
    if (![`${field}: `, `"${field}"`].some((named) => details.includes(named))) return false
    if (code !== 'FILTER_VALUE_UNKNOWN' || clause.type !== 'values') return true
    return clause.values.some((value) => details.includes(String(value)))
  }
  return filters.filter(({ clauses }) => clauses.some(isAbout))
}

/** Links to the filters behind a problem. */
export const BehindProblem: FC<{
  readonly context: PageContext
  readonly problem: About
  readonly filters: readonly Filter[]
}> = ({ context, problem, filters }) => (
  <>
    {filtersBehind(problem, filters).map(({ id, name }) => (
      <>
        {' '}
        <a href={context.link(`${KINDS.filter.path}/${id}`)}>
          filter <Name text={name} />
        </a>
      </>
    ))}
  </>
)

/** By person, those with problems first. */
function peopleOf({ mails, hub, problems }: Plan): Person[] {
  const people = new Map<string, Person>()
  const person = (address: string): Person => {
    const key = address.toLowerCase()
    const known = people.get(key) ?? { address, documents: [], channels: new Set(), problems: [] }
    people.set(key, known)
    return known
  }
  for (const { to, attachments, embedded = [] } of mails) {
    for (const address of to.split(', ')) {
      const one = person(address)
      one.documents.push(...attachments, ...embedded)
      one.channels.add('mail')
    }
  }
  for (const { visibleTo } of hub) for (const address of visibleTo) person(address).channels.add('hub')
  for (const problem of problems) if (problem.recipient) person(problem.recipient).problems.push(problem)
  return [...people.values()].sort((a, b) => b.problems.length - a.problems.length)
}

/** People, and files, of a page. */
const SIZE = 200

interface PlanProps {
  readonly context: PageContext
  readonly plan: Plan
  /** Where the page begins of a plan that a form asks for; absent = the address says it. */
  readonly form?: { readonly action: string; readonly from: number }
  /** All that there are. */
  readonly filters: readonly Filter[]
}

export const PlanView: FC<PlanProps> = ({ context, plan, filters, form }) => {
  const people = peopleOf(plan)
  const from = form?.from ?? offsetOf(context, 'plan')
  const { documents, mails, files, hub, skipped, conditions, problems } = plan
  const others = problems.filter(({ recipient }) => !recipient)
  const nothing = people.filter(({ channels }) => channels.size === 0).length
  return (
    <div class="stack">
      <p>
        {[
          counted(people.length - nothing, 'person', 'people'),
          counted(documents.length, 'document'),
          counted(mails.length, 'mail'),
          counted(files.length, 'file'),
          counted(hub.length, 'hub item'),
        ].join(' · ')}
        {nothing > 0 && (
          <>
            {' · '}
            <b class="bad">{counted(nothing, 'person gets', 'people get')} nothing</b>
          </>
        )}
      </p>
      {skipped && <p class="warn">Nothing would be made: {skipped}</p>}
      {conditions.map(({ name, met }) => (
        <p>
          <Mark state={met ? 'success' : 'skipped'} word={met ? 'holds' : 'does not hold'} /> <Name text={name} />
        </p>
      ))}
      {others.length > 0 && (
        <ul>
          {others.map(({ code, level, details, report }) => (
            <li>
              <Mark state={level === 'error' ? 'failed' : 'warning'} word={code} />{' '}
              <Name text={[report, details].filter(Boolean).join(': ')} />
              <BehindProblem context={context} problem={{ code, details }} filters={filters} />
            </li>
          ))}
        </ul>
      )}
      {people.length > 0 && (
        <Table
          caption="Recipients and their documents"
          rows={people.slice(from, from + SIZE)}
          keyOf={({ address }) => `plan-${address}`}
          columns={[
            { head: 'Person', cell: ({ address }) => <Name text={address} /> },
            { head: 'Gets', cell: (row) => <Gets person={row} context={context} filters={filters} /> },
          ]}
        />
      )}
      {files.length > 0 && (
        <details open={from >= people.length}>
          <summary>{counted(files.length, 'file')}</summary>
          <ul>
            {files.slice(from, from + SIZE).map(({ spaceId, path }) => (
              <li>
                <Name text={`${spaceId}: ${path}`} />
              </li>
            ))}
          </ul>
        </details>
      )}
      <PlanPager context={context} form={form} total={Math.max(people.length, files.length)} />
    </div>
  )
}

/** Pages of people and files together; a plan that is not saved comes again with its form. */
const PlanPager: FC<Pick<PlanProps, 'context' | 'form'> & { readonly total: number }> = ({ context, form, total }) => {
  if (!form) return <OffsetPager context={context} size={SIZE} total={total} part="plan" ordersAll />
  const { action, from } = form
  const end = Math.min(from + SIZE, total)
  if (from === 0 && end === total) return null
  const button = (begin: number, text: string) => (
    <button type="submit" class="btn" name="do" value={`plan ${begin}`} formaction={`${action}#plan`}>
      {text}
    </button>
  )
  return (
    <nav class="pager" aria-label="Pages">
      {from > 0 && button(Math.max(0, from - SIZE), 'Before')}
      <span class="muted">{from < total ? `${from + 1} to ${end} of ${total}` : `None after ${total}`}</span>
      {end < total && button(end, 'Next')}
    </nav>
  )
}

const Gets: FC<Omit<PlanProps, 'plan' | 'form'> & { readonly person: Person }> = ({
  context,
  filters,
  person: { documents, channels, problems },
}) => (
  <>
    {documents.map((name) => (
      <div>
        <Name text={name} />
      </div>
    ))}
    {channels.size > 0 && <span class="muted small">{[...channels].join(', ')}</span>}
    {problems.map(({ code, level, details }) => (
      <div>
        <Mark state={level === 'error' ? 'failed' : 'warning'} word={channels.size === 0 ? `nothing: ${code}` : code} />{' '}
        <span class="small">
          <Name text={details} />
          <BehindProblem context={context} problem={{ code, details }} filters={filters} />
        </span>
      </div>
    ))}
  </>
)
