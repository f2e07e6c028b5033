/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The list of events, and the datagrams that did not become one. */
import {
  DROPPED,
  type Dropped,
  EVENT_STATES,
  EVENTS,
  type EventItem,
  type Events,
} from '../../../alerts/history/contract.ts'
import { EVENT_OUTCOMES, EVENT_SOURCES, EVENT_TYPES, SEVERITIES } from '../../../events/kinds.ts'
import { visibleLines } from '../../../platform/visible.ts'
import { taskNamesOf } from '../../names.ts'
import type { Page, PageContext } from '../../page.ts'
import { Filters } from '../../ui/forms.tsx'
import { Badge, Mark } from '../../ui/marks.tsx'
import { Empty, ErrorBox, Head, Pager, Table } from '../../ui/panel.tsx'
import { Name, Time } from '../../ui/text.tsx'
import { DELIVERY_STATES } from '../delivery/words.tsx'
import { DROP_WORDS, outcomeState, outcomeWord, SOURCE_WORDS, TYPE_WORDS } from './words.ts'

const PRESETS = [
  { text: 'Failed', query: { outcome: 'failed' } },
  { text: 'Not alerted', query: { outcome: 'failed', alerted: 'none' } },
  { text: 'Suppressed', query: { state: 'suppressed', from: '24h' }, path: '/deliveries' },
  { text: 'Without a task', query: { type: 'appReload' } },
  { text: 'Watchdog', query: { source: 'watchdog' } },
  { text: 'Footman itself', query: { source: 'self' } },
  { text: 'Tests', query: { source: 'test' } },
]

export const TIMES = [
  ['1h', 'last hour'],
  ['12h', 'last 12 h'],
  ['24h', 'last 24 h'],
  ['48h', 'last 48 h'],
  ['7d', 'last 7 days'],
  ['30d', 'last 30 days'],
] as const

const same = (values: readonly string[], words: Readonly<Record<string, string>> = {}) =>
  values.map((value) => [value, words[value] ?? value] as const)

const FIELDS = [
  { name: 'q', label: 'Text', kind: 'text', placeholder: 'task, app, message' },
  { name: 'from', label: 'Since', kind: 'choice', options: TIMES },
  { name: 'to', label: 'Until', kind: 'text', placeholder: '2h or 2026-11-23 06:00' },
  {
    ...({ name: 'outcome', label: 'Outcome', kind: 'choice' } as const),
    options: EVENT_OUTCOMES.map((value) => [value, outcomeWord(value)] as const),
  },
  { name: 'type', label: 'Type', kind: 'choice', options: same(EVENT_TYPES, TYPE_WORDS) },
  { name: 'source', label: 'Noticed by', kind: 'choice', options: same(EVENT_SOURCES, SOURCE_WORDS) },
  { name: 'severity', label: 'Severity', kind: 'choice', options: same(SEVERITIES) },
  {
    name: 'state',
    label: 'State',
    kind: 'choice',
    options: same(EVENT_STATES, { pending: 'waits for data' }),
  },
  {
    ...({ name: 'alerted', label: 'Alerted', kind: 'choice' } as const),
    options: [
      ['none', 'no one'],
      ['some', 'someone'],
    ] as const,
  },
  { name: 'host', label: 'Node', kind: 'text' },
  { name: 'taskId', label: 'Task id', kind: 'text' },
  { name: 'appId', label: 'App id', kind: 'text' },
  { name: 'executionId', label: 'Execution id', kind: 'text' },
  { name: 'id', label: 'Event id', kind: 'text' },
] as const

/** Parameters of the address that the API takes; empty fields of the form are left out. */
export function apiQuery(
  query: URLSearchParams,
  fields: readonly { readonly name: string }[],
): Record<string, string[]> {
  const known = [...fields.map(({ name }) => name), 'cursor', 'limit']
  return Object.fromEntries(known.map((name) => [name, query.getAll(name).filter((value) => value !== '')]))
}

export const eventList: Page = {
  path: '/events',
  place: 'events',
  scope: 'event:read',
  async render(context) {
    const [answer, names] = await Promise.all([
      context.ask(EVENTS, { query: apiQuery(context.query, FIELDS) }),
      taskNamesOf(context, context.query.getAll('taskId')),
    ])
    return {
      title: 'Events',
      live: ['event', 'delivery'],
      status: answer.ok ? 200 : answer.status,
      body: (
        <>
          <Head title="Events">
            <a class="btn" href={context.link('/events/dropped')}>
              Dropped datagrams
            </a>
          </Head>
          <Filters context={context} presets={PRESETS} api="/v4/events" fields={FIELDS} names={names} />
          {answer.ok ? (
            <List context={context} answer={answer.data} />
          ) : (
            <ErrorBox failure={answer} retry={context.here({})} />
          )}
        </>
      ),
    }
  },
}

const List = ({ context, answer }: { readonly context: PageContext; readonly answer: Events }) => {
  if (answer.events.length === 0 && !answer.nextCursor) return <None context={context} />
  return (
    <section class="panel">
      <Table
        context={context}
        caption="Events, the newest first"
        rows={answer.events}
        keyOf={({ id }) => id}
        columns={[
          {
            head: 'Event',
            sort: (row) => row.title,
            cell: ({ id, title, outcome, test, reason }) => (
              <div class="l">
                <Mark state={outcomeState(outcome)} />
                <div>
                  <a href={context.link(`/events/${id}`)}>
                    <Name text={title} />
                  </a>{' '}
                  {test && <Badge text="test" />} {reason && <Badge text={`ignored: ${reason}`} />}
                </div>
              </div>
            ),
          },
          {
            head: 'Received',
            sort: (row) => row.receivedAt,
            cell: ({ receivedAt }) => <Time at={receivedAt} zone={context} />,
          },
          { head: 'Outcome', sort: (row) => row.outcome, cell: ({ outcome }) => outcomeWord(outcome) },
          { head: 'App', sort: (row) => row.appName, cell: ({ appName }) => <Name text={appName} /> },
          { head: 'Node', sort: (row) => row.host, cell: ({ host }) => <Name text={host} /> },
          {
            head: 'In a row',
            num: true,
            sort: (row) => row.consecutiveFailures,
            cell: ({ consecutiveFailures: n }) => n || '',
          },
          { head: 'Deliveries', cell: ({ deliveryCounts }) => <Counts counts={deliveryCounts} /> },
          {
            head: 'Noticed by',
            sort: ({ source }) => SOURCE_WORDS[source],
            cell: ({ source }) => SOURCE_WORDS[source],
          },
        ]}
      />
      <Pager context={context} nextCursor={answer.nextCursor} partial={answer.partial} />
    </section>
  )
}

const None = ({ context }: { readonly context: PageContext }) =>
  context.query.size > 0 ? (
    <Empty title="Nothing matches" icon="filter">
      <a href={context.link('/events')}>Show all events</a>
    </Empty>
  ) : (
    <Empty title="No events yet">
      Events come from messages of the Qlik Sense scheduler. <code>footman log-appender</code> writes the file that
      makes Qlik Sense send them; <a href={context.link('/events/dropped')}>dropped datagrams</a> shows what was
      refused.
    </Empty>
  )

const SHOWN = ['delivered', 'suppressed', 'dead', 'pending', 'sending'] as const

/** `✓2 –2 ✕1` */
export const Counts = ({ counts }: { readonly counts: EventItem['deliveryCounts'] }) => (
  <span class="counts">
    {SHOWN.filter((state) => counts[state] > 0).map((state) => (
      <span title={`${counts[state]} ${DELIVERY_STATES[state].word}`}>
        <Mark state={DELIVERY_STATES[state].state} />
        <span class="sr">{DELIVERY_STATES[state].word}</span>
        {counts[state]}
      </span>
    ))}
    {SHOWN.every((state) => counts[state] === 0) && <span class="muted">none</span>}
  </span>
)

const DROPPED_FIELDS = [
  {
    ...({ name: 'reason', label: 'Reason', kind: 'choice' } as const),
    options: Object.entries(DROP_WORDS),
  },
] as const

export const droppedList: Page = {
  path: '/events/dropped',
  place: 'events',
  scope: 'event:read',
  async render(context) {
    const answer = await context.ask(DROPPED, { query: apiQuery(context.query, DROPPED_FIELDS) })
    return {
      title: 'Dropped datagrams',
      status: answer.ok ? 200 : answer.status,
      body: (
        <>
          <Head title="Dropped datagrams" crumbs={[{ href: context.link('/events'), text: 'Events' }]} />
          <p class="sub">Messages that did not become events: the last 1,000, each with its reason.</p>
          <Filters context={context} api="/v4/events/dropped" fields={DROPPED_FIELDS} />
          {answer.ok ? (
            <DroppedRows context={context} answer={answer.data} />
          ) : (
            <ErrorBox failure={answer} retry={context.here({})} />
          )}
        </>
      ),
    }
  },
}

const DroppedRows = ({ context, answer }: { readonly context: PageContext; readonly answer: Dropped }) => {
  if (answer.dropped.length === 0) return <Empty title="No datagram was dropped">Every message became an event.</Empty>
  return (
    <section class="panel">
      <Table
        context={context}
        caption="Dropped datagrams, the newest first"
        rows={answer.dropped}
        keyOf={({ at, from, raw }) => `${at} ${from} ${raw.length}`}
        columns={[
          { head: 'Received', sort: (row) => row.at, cell: ({ at }) => <Time at={at} zone={context} /> },
          { head: 'Sender', sort: (row) => row.from, cell: ({ from }) => <code>{from}</code> },
          {
            head: 'Why',
            sort: ({ reason }) => DROP_WORDS[reason],
            cell: ({ reason }) => <span title={reason}>{DROP_WORDS[reason]}</span>,
          },
          {
            head: 'Datagram',
            sort: (row) => row.raw.length,
            cell: ({ raw, at }) => (
              <details data-key={`raw ${at}`}>
                <summary class="small">{raw.length} characters</summary>
                <pre class="code" tabindex={0}>
                  {visibleLines(raw.toWellFormed())}
                </pre>
              </details>
            ),
          },
        ]}
      />
      <Pager context={context} nextCursor={answer.nextCursor} partial={answer.partial} />
    </section>
  )
}
