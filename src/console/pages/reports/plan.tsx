/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The plan of a task: who would get what, before anything is made or sent. */
import type { FC } from 'hono/jsx'
import { Mark } from '../../ui/marks.tsx'
import { Table } from '../../ui/panel.tsx'
import { counted, Name } from '../../ui/text.tsx'

/** Members of `POST /v4/reporttask/{taskId}/plan` that this page uses. */
export interface Plan {
  readonly documents: readonly { readonly fileName: string }[]
  readonly mails: readonly {
    readonly to: string
    readonly attachments: readonly string[]
    readonly embedded?: string
    readonly missing?: readonly string[]
  }[]
  readonly files: readonly { readonly spaceId: string; readonly path: string }[]
  readonly hub: readonly { readonly title: string; readonly visibleTo: readonly string[] }[]
  readonly skipped: string | null
  readonly conditions: readonly { readonly name?: string; readonly met: boolean }[]
  readonly problems: readonly Problem[]
}

interface Problem {
  readonly code: string
  readonly level: string
  readonly details: string
  readonly recipient?: string
  readonly report?: string
}

interface Person {
  readonly address: string
  readonly documents: string[]
  readonly channels: Set<'mail' | 'hub'>
  readonly problems: Problem[]
}

/** By person, those with problems first. */
function peopleOf({ mails, hub, problems }: Plan): Person[] {
  const people = new Map<string, Person>()
  const person = (address: string): Person => {
    const key = address.toLowerCase()
    const known = people.get(key) ?? { address, documents: [], channels: new Set(), problems: [] }
    people.set(key, known)
    return known
  }
  for (const { to, attachments, embedded } of mails) {
    for (const address of to.split(', ')) {
      const one = person(address)
      one.documents.push(...attachments, ...(embedded ? [embedded] : []))
      one.channels.add('mail')
    }
  }
  for (const { visibleTo } of hub) for (const address of visibleTo) person(address).channels.add('hub')
  for (const problem of problems) if (problem.recipient) person(problem.recipient).problems.push(problem)
  return [...people.values()].sort((a, b) => b.problems.length - a.problems.length)
}

const PAGE_OF_PEOPLE = 200

export const PlanView: FC<{ readonly plan: Plan }> = ({ plan }) => {
  const people = peopleOf(plan)
  const { documents, mails, files, hub, skipped, conditions, problems } = plan
  const others = problems.filter(({ recipient }) => !recipient)
  const nothing = people.filter(({ channels }) => channels.size === 0).length
  return (
    <div class="stack">
      <p>
        {[
          ...[counted(people.length - nothing, 'person', 'people'), counted(documents.length, 'document')],
          ...[counted(mails.length, 'mail'), counted(files.length, 'file'), counted(hub.length, 'hub item')],
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
            </li>
          ))}
        </ul>
      )}
      {people.length > 0 && (
        <Table
          caption="Recipients and their documents"
          rows={people.slice(0, PAGE_OF_PEOPLE)}
          keyOf={({ address }) => `plan-${address}`}
          columns={[
            { head: 'Person', cell: ({ address }) => <Name text={address} /> },
            { head: 'Gets', cell: (row) => <Gets person={row} /> },
          ]}
        />
      )}
      {people.length > PAGE_OF_PEOPLE && <p class="muted">And {people.length - PAGE_OF_PEOPLE} more.</p>}
      {files.length > 0 && (
        <details>
          <summary>{counted(files.length, 'file')}</summary>
          <ul>
            {files.slice(0, PAGE_OF_PEOPLE).map(({ spaceId, path }) => (
              <li>
                <Name text={`${spaceId}: ${path}`} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  )
}

const Gets: FC<{ readonly person: Person }> = ({ person: { documents, channels, problems } }) => (
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
        </span>
      </div>
    ))}
  </>
)
