/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The audit, and the sessions of the console. */
import { AUDIT, type AuditItem, type AuditList } from '../../../http/contract.ts'
import { addressOf } from '../../../http/endpoint/contract.ts'
import { END_SESSION, SESSIONS, type SessionList } from '../../contract.ts'
import type { Operations } from '../../forms.tsx'
import { type Names, targetNames } from '../../names.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionLink, Filters } from '../../ui/forms.tsx'
import { Badge, Mark, type State } from '../../ui/marks.tsx'
import { Empty, Pager, part, Table } from '../../ui/panel.tsx'
import { Ago, Name, Prose, Time } from '../../ui/text.tsx'
import { SystemHead } from './places.tsx'

const OUTCOMES: Readonly<Record<AuditItem['outcome'], readonly [State, string]>> = {
  ok: ['success', 'done'],
  denied: ['aborted', 'denied'],
  failed: ['failed', 'failed'],
}

export const auditPage: Page = {
  path: '/system/audit',
  place: 'system',
  scope: 'admin',
  async render(context) {
    const answer = await context.ask(AUDIT, { query: withoutSort(context.query) })
    const names = answer.ok ? await targetNames(context, answer.data.audit) : new Map()
    return {
      title: 'Audit',
      ...(answer.ok ? {} : { status: answer.status }),
      body: (
        <>
          <SystemHead context={context} title="Audit" />
          <Filters
            context={context}
            api="/v4/audit"
            presets={[
              { text: 'All', query: {} },
              { text: 'Denied', query: { outcome: 'denied' } },
              { text: 'Starts of tasks', query: { action: 'task.*' } },
              { text: 'Console', query: { via: 'console' } },
              { text: 'Sign-ins', query: { action: 'session.*' } },
            ]}
            fields={[
              { name: 'actor', label: 'Actor', kind: 'text', placeholder: 'key:*' },
              { name: 'action', label: 'Action', kind: 'text', placeholder: 'task.*' },
              {
                name: 'outcome',
                label: 'Outcome',
                kind: 'choice',
                options: Object.entries(OUTCOMES).map(([value, [, text]]) => [value, text] as const),
              },
              { name: 'request', label: 'Request', kind: 'text' },
              { name: 'target', label: 'Target', kind: 'text', placeholder: 'id' },
              { name: 'from', label: 'From', kind: 'text', placeholder: '24h' },
              { name: 'to', label: 'To', kind: 'text' },
            ]}
          />
          {part(answer, (data) => (
            <Entries context={context} names={names} {...data} />
          ))}
        </>
      ),
    }
  },
}

interface EntriesProps extends AuditList {
  readonly context: PageContext
  readonly names: Names
}

/** The order is the page's own, no parameter of the API. */
const withoutSort = (query: URLSearchParams) =>
  Object.fromEntries(
    [...new Set(query.keys())].filter((name) => name !== 'sort').map((name) => [name, query.getAll(name)]),
  )

const Entries = ({ context, names, audit, nextCursor }: EntriesProps) => {
  if (audit.length === 0) return <Empty title="No entries">Nothing matches, or nothing has been done yet.</Empty>
  return (
    <section class="panel">
      <Table
        context={context}
        caption="Audit, the newest first"
        rows={audit}
        keyOf={({ id }) => id}
        columns={[
          {
            head: 'Action',
            sort: (row) => row.action,
            cell: ({ action, outcome }) => (
              <span class="l">
                <Mark state={OUTCOMES[outcome][0]} word={false} />
                <Name text={action} />
              </span>
            ),
          },
          { head: 'Time', sort: (row) => row.at, cell: ({ at }) => <Time at={at} zone={context} /> },
          {
            head: 'Actor',
            sort: (row) => row.actor,
            cell: ({ actor, via }) => (
              <>
                <Prose text={actor} zone={context} names={names} /> {via && <Badge text="console" />}
              </>
            ),
          },
          { head: 'Address', sort: (row) => row.address, cell: ({ address }) => address ?? '–' },
          {
            head: 'Target',
            cell: ({ action, target }) =>
              target.map((one, n) => (
                <>
                  {n > 0 && ', '}
                  <Target context={context} names={names} action={action} target={one} />
                </>
              )),
          },
          {
            head: 'Result',
            sort: (row) => row.outcome,
            cell: ({ outcome, status, detail }) => (
              <>
                {OUTCOMES[outcome][1]}
                {status !== null && ` (${status})`}
                {detail && (
                  <>
                    : <Prose text={detail} zone={context} names={names} />
                  </>
                )}
              </>
            ),
          },
        ]}
      />
      <Pager context={context} nextCursor={nextCursor} />
    </section>
  )
}

/** Pages of what actions of a kind are about. */
const TARGETS: readonly (readonly [begin: string, path: string])[] = [
  ['task.', '/tasks/'],
  ['event.', '/events/'],
  ['delivery.', '/deliveries/'],
  ['schedule.', '/schedules/'],
  ['reporttask.', '/reports/tasks/'],
  ['reportrun.', '/reports/runs/'],
]

const Target = ({
  context,
  names,
  action,
  target,
}: {
  readonly context: PageContext
  readonly names: Names
  readonly action: string
  readonly target: string
}) => {
  const named = names.get(target.toLowerCase())
  if (named) {
    return (
      <a href={context.link(named.path)} title={target}>
        <Name text={named.name} />
      </a>
    )
  }
  const isId = /^[0-9a-f-]{36}$/i.test(target)
  if (!isId) return <Name text={target} />
  const path = TARGETS.find(([begin]) => action.startsWith(begin))?.[1]
  const short = <code title={target}>{target.slice(0, 8)}</code>
  return path ? <a href={context.link(path + target)}>{short}</a> : short
}

export const sessionsPage: Page = {
  path: '/system/sessions',
  place: 'system',
  async render(context) {
    const answer = await context.ask(SESSIONS)
    return {
      title: 'Sessions',
      ...(answer.ok ? {} : { status: answer.status }),
      body: (
        <>
          <SystemHead context={context} title="Sessions" />
          {part(answer, ({ sessions }) => (
            <Sessions context={context} sessions={sessions} />
          ))}
        </>
      ),
    }
  },
}

const Sessions = ({ context, sessions }: { readonly context: PageContext } & SessionList) => {
  if (sessions.length === 0) {
    return (
      <Empty title="No sessions">
        {context.visitor.session
          ? ''
          : 'Access control is off, or a proxy sends the credentials: the console needs no sign-in then.'}
      </Empty>
    )
  }
  const own = context.visitor.session?.id
  return (
    <section class="panel">
      <Table
        context={context}
        caption="Sessions of console and hub, the one seen last first"
        rows={sessions}
        keyOf={({ id }) => id}
        columns={[
          {
            head: 'Signed in as',
            sort: (row) => row.actor,
            cell: ({ id, actor }) => (
              <>
                <Name text={actor} /> {id === own && <Badge text="this session" tone="info" />}
              </>
            ),
          },
          { head: 'Address', sort: (row) => row.address, cell: ({ address }) => address || '–' },
          { head: 'Browser', sort: (row) => row.browser, cell: ({ browser }) => <Name text={browser} /> },
          {
            head: 'Last seen',
            sort: (row) => row.lastSeenAt,
            cell: ({ lastSeenAt }) => <Ago at={lastSeenAt} zone={context} />,
          },
          {
            head: 'Since',
            sort: (row) => row.createdAt,
            cell: ({ createdAt }) => <Time at={createdAt} zone={context} seconds={false} />,
          },
          {
            head: 'Ends',
            sort: (row) => row.expiresAt,
            cell: ({ expiresAt }) => <Ago at={expiresAt} zone={context} />,
          },
          {
            head: '',
            cell: ({ id, actor }) => (
              <ActionLink
                context={context}
                operation="session.end"
                values={{ id, actor }}
                scope="any"
                class="s"
                harmless
              >
                End
              </ActionLink>
            ),
          },
        ]}
      />
    </section>
  )
}

export const accessOperations: Operations = {
  'session.end': {
    scope: 'any',
    verb: 'End the session',
    call: (fields) => addressOf(END_SESSION, { params: { id: fields.get('id') } }),
    dialog: (fields) => (
      <>
        <p>
          The next request of this session of <Name text={fields.get('actor')} /> has to sign in again.
        </p>
        <input type="hidden" name="id" value={fields.get('id')} />
        <input type="hidden" name="actor" value={fields.get('actor')} />
      </>
    ),
    done: () => 'The session has ended.',
    next: () => '/system/sessions',
  },
}
