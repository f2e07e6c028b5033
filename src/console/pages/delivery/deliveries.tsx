/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Deliveries: the list, and one with its message and attempts. */
import {
  DELIVERIES,
  DELIVERIES_SUMMARY,
  DELIVERY,
  type Deliveries,
  type DeliveriesSummary,
  type Delivery,
  type DeliveryDetail,
  EVENTS,
} from '../../../alerts/history/contract.ts'
import { DELIVERY_KINDS } from '../../../alerts/kinds.ts'
import { taskNamesOf } from '../../names.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionLink, Filters, FormFields } from '../../ui/forms.tsx'
import { Badge, Mark } from '../../ui/marks.tsx'
import { Empty, ErrorBox, Facts, Head, Pager, Panel, Table } from '../../ui/panel.tsx'
import { counted, durationText, Name, Prose, plainName, Time } from '../../ui/text.tsx'
import { DeliveryActions, Result } from '../events/alerted.tsx'
import { RULE } from '../events/decisions.tsx'
import { apiQuery, TIMES } from '../events/list.tsx'
import { Message } from './message.tsx'
import { Places } from './places.tsx'
import { DELIVERY_STATES, REASONS, ReasonText, routeLink, stateWord, typeText } from './words.tsx'

const PRESETS = [
  { text: 'Failed', query: { state: 'dead' } },
  { text: 'Waiting', query: { state: 'pending' } },
  { text: 'Suppressed today', query: { state: 'suppressed', from: '24h' } },
  { text: 'Tests', query: { kind: 'test' } },
]

const FIELDS = [
  {
    ...({ name: 'state', label: 'State', kind: 'choice' } as const),
    options: Object.keys(DELIVERY_STATES).map((state) => [state, stateWord(state)] as const),
  },
  {
    ...({ name: 'reason', label: 'Reason', kind: 'choice' } as const),
    options: Object.entries(REASONS).map(([reason, { short }]) => [reason, short] as const),
  },
  { name: 'from', label: 'Since', kind: 'choice', options: TIMES },
  { name: 'to', label: 'Until', kind: 'text', placeholder: '2h or 2026-11-23 06:00' },
  { name: 'destination', label: 'Destination', kind: 'text' },
  { name: 'route', label: 'Rule', kind: 'text' },
  {
    ...({ name: 'kind', label: 'Kind', kind: 'choice' } as const),
    options: DELIVERY_KINDS.map((kind) => [kind, kind] as const),
  },
  { name: 'taskId', label: 'Task id', kind: 'text' },
  { name: 'eventId', label: 'Event id', kind: 'text' },
  { name: 'id', label: 'Delivery id', kind: 'text' },
] as const

export const deliveryList: Page = {
  path: '/deliveries',
  place: 'delivery',
  scope: 'event:read',
  async render(context) {
    const query = apiQuery(context.query, FIELDS)
    const { cursor: _cursor, limit: _limit, ...filter } = query
    const [answer, summary, names] = await Promise.all([
      context.ask(DELIVERIES, { query }),
      context.ask(DELIVERIES_SUMMARY, { query: filter }),
      taskNamesOf(context, context.query.getAll('taskId')),
    ])
    const titles = answer.ok ? await titlesOf(context, answer.data.deliveries) : new Map<string, string>()
    return {
      title: 'Deliveries',
      live: ['delivery'],
      status: answer.ok ? 200 : answer.status,
      body: (
        <>
          <Head title="Deliveries" beside={<Places context={context} />} />
          <Filters context={context} presets={PRESETS} api="/v4/deliveries" fields={FIELDS} names={names} />
          {summary.ok && (
            <p class="sub" data-part="summary">
              {summaryText(summary.data, context.query.has('from'))}
            </p>
          )}
          {answer.ok ? (
            <List context={context} answer={answer.data} titles={titles} />
          ) : (
            <ErrorBox failure={answer} retry={context.here({})} />
          )}
        </>
      ),
    }
  },
}

function summaryText({ states, partial }: DeliveriesSummary, hasRange: boolean): string {
  const counts = Object.entries(states).flatMap(([state, n]) => (n === 0 ? [] : [`${n} ${stateWord(state)}`]))
  const range = hasRange ? 'In this range' : 'In the last 24 h'
  return `${range}: ${counts.join(' · ') || 'no deliveries'}${partial ? ' (as far as was looked at)' : ''}`
}

/** Titles of the events of a page of deliveries. */
async function titlesOf({ ask }: PageContext, deliveries: readonly Delivery[]): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(deliveries.map(({ eventId }) => eventId))].slice(0, 100)
  if (ids.length === 0) return new Map()
  const answer = await ask(EVENTS, { query: { id: ids, limit: 100 } })
  return new Map(answer.ok ? answer.data.events.map(({ id, title }) => [id, title]) : [])
}

interface ListProps {
  readonly context: PageContext
  readonly answer: Deliveries
  readonly titles: ReadonlyMap<string, string>
}

const List = ({ context, answer, titles }: ListProps) => {
  const { deliveries, nextCursor, partial } = answer
  if (deliveries.length === 0 && !nextCursor) return <None context={context} />
  const hasDead = deliveries.some(({ state }) => state === 'dead')
  return (
    <>
      {hasDead && <Bulk context={context} />}
      <section class="panel">
        <Table
          context={context}
          caption="Deliveries, the newest first"
          rows={deliveries}
          keyOf={({ id }) => id}
          columns={[
            {
              head: 'Event',
              sort: (row) => titles.get(row.eventId),
              cell: (delivery) => (
                <div class="l">
                  {delivery.state === 'dead' && context.may('event:run') && (
                    <input
                      type="checkbox"
                      form="dead"
                      name="id"
                      value={delivery.id}
                      aria-label={`Select the delivery to ${plainName(delivery.destination)}`}
                    />
                  )}
                  <Mark state={DELIVERY_STATES[delivery.state].state} />
                  <div>
                    <a href={context.link(`/events/${delivery.eventId}`)}>
                      <Name text={titles.get(delivery.eventId) ?? 'Event'} />
                    </a>{' '}
                    {delivery.kind !== 'alert' && <Badge text={delivery.kind} />}{' '}
                    {delivery.replayOf && <Badge text="sent again" />}
                  </div>
                </div>
              ),
            },
            {
              head: 'Created',
              sort: (row) => row.createdAt,
              cell: ({ createdAt }) => <Time at={createdAt} zone={context} />,
            },
            {
              head: 'Destination',
              sort: (row) => row.destination,
              cell: ({ destination, target }) => (
                <>
                  <a href={context.link(`/destinations/${encodeURIComponent(destination)}`)}>
                    <Name text={destination} />
                  </a>
                  <p class="sub">
                    <Name text={target} breaks />
                  </p>
                </>
              ),
            },
            {
              head: 'Result',
              sort: (row) => row.state,
              cell: (delivery) => <Result context={context} delivery={delivery} />,
            },
            {
              head: 'Rule',
              sort: (row) => row.route,
              cell: ({ route }) =>
                route && (
                  <a href={routeLink(context, route)}>
                    <Name text={route} breaks />
                  </a>
                ),
            },
            { head: '', cell: (delivery) => <DeliveryActions context={context} delivery={delivery} /> },
          ]}
        />
        <Pager context={context} nextCursor={nextCursor} partial={partial} />
      </section>
    </>
  )
}

/** Failed deliveries together: those that are selected, or all of the filter. */
const Bulk = ({ context }: { readonly context: PageContext }) => {
  const { query } = context
  const values = {
    destination: query.getAll('destination'),
    reason: query.getAll('reason'),
    from: query.get('from'),
    to: query.get('to'),
  }
  const isExact = ['route', 'kind', 'taskId', 'eventId', 'id'].every((name) => !query.get(name))
  return (
    <div class="tools bulk">
      <form method="post" id="dead" action={context.link('/form/deadletters.resend')} class="inline" data-action>
        <FormFields context={context} />
        <button type="submit" class="btn" disabled={!context.may('event:run')} title="The failed ones with a tick">
          Send selected again…
        </button>
      </form>
      {isExact && (
        <ActionLink context={context} operation="deadletters.resend" scope="event:run" class="" values={values}>
          Send all failed of this filter again…
        </ActionLink>
      )}
    </div>
  )
}

const None = ({ context }: { readonly context: PageContext }) =>
  context.query.size > 0 ? (
    <Empty title="Nothing matches" icon="filter">
      <a href={context.link('/deliveries')}>Show all deliveries</a>
    </Empty>
  ) : (
    <Empty title="Nothing has been sent yet" icon="mail" yaml={RULE}>
      A rule sends events to destinations. This one mails every failure:
    </Empty>
  )

export const deliveryPage: Page = {
  path: '/deliveries/:id',
  place: 'delivery',
  scope: 'event:read',
  async render(context) {
    const id = context.params.id ?? ''
    const answer = await context.ask(DELIVERY, { params: { id } })
    const crumbs = [{ href: context.link('/deliveries'), text: 'Deliveries' }]
    if (!answer.ok) {
      return {
        title: 'Delivery',
        status: answer.status,
        body: (
          <>
            <Head title="Delivery" crumbs={crumbs} />
            <ErrorBox failure={answer} />
          </>
        ),
      }
    }
    const delivery = answer.data
    const [titles, copies] = await Promise.all([
      titlesOf(context, [delivery]),
      context.ask(DELIVERIES, { query: { eventId: delivery.eventId, limit: 200 } }),
    ])
    const again = copies.ok ? copies.data.deliveries.filter(({ replayOf }) => replayOf === id) : []
    const { state, word } = DELIVERY_STATES[delivery.state]
    return {
      title: `Delivery to ${plainName(delivery.destination)}`,
      live: ['delivery'],
      body: (
        <>
          <Head
            title={
              <>
                Delivery to <Name text={delivery.destination} />
              </>
            }
            crumbs={[
              ...crumbs,
              {
                href: context.link(`/events/${delivery.eventId}`),
                text: <Name text={titles.get(delivery.eventId) ?? 'Event'} />,
              },
            ]}
            beside={<Mark state={state} word={word} />}
          >
            <DeliveryActions context={context} delivery={delivery} />
            <a class="btn s" href={`${context.root}/api/v4/deliveries/${id}`}>
              JSON
            </a>
          </Head>
          <div class="two" data-part="delivery">
            <div class="stack">
              <Panel id="attempts" title="Attempts" count={delivery.attempts.length}>
                <AttemptsTable context={context} delivery={delivery} />
              </Panel>
              <Panel id="message" title="Message">
                <div class="body">
                  <Message message={delivery.message} frame={context.link(`/deliveries/${id}/mail`)} />
                </div>
              </Panel>
            </div>
            <aside class="stack" aria-label="About the delivery">
              <Panel id="about" title="Delivery">
                <div class="body">
                  <About context={context} delivery={delivery} again={again} />
                </div>
              </Panel>
            </aside>
          </div>
        </>
      ),
    }
  },
}

const AttemptsTable = ({ context, delivery }: { readonly context: PageContext; readonly delivery: DeliveryDetail }) =>
  delivery.attempts.length === 0 ? (
    <p class="body muted">No attempt was made.</p>
  ) : (
    <Table
      caption="Attempts"
      rows={delivery.attempts}
      keyOf={({ n }) => String(n)}
      columns={[
        {
          head: 'Attempt',
          cell: ({ n, result }) => (
            <Mark state={result === 'ok' ? 'success' : 'failed'} word={`${n}. ${RESULTS[result]}`} />
          ),
        },
        { head: 'At', cell: ({ at }) => <Time at={at} zone={context} /> },
        { head: 'Took', num: true, cell: ({ durationMs }) => durationText(durationMs) },
        { head: 'Answer', cell: ({ detail }) => <Prose text={detail} zone={context} /> },
      ]}
    />
  )

const RESULTS = { ok: 'delivered', temporary: 'failed for now', permanent: 'refused' } as const

interface AboutProps {
  readonly context: PageContext
  readonly delivery: DeliveryDetail
  readonly again: readonly Delivery[]
}

const About = ({ context, delivery, again }: AboutProps) => {
  const { id, destination, destinationType, target, route, kind, createdAt, deliveredAt, latencyMs, replayOf } =
    delivery
  return (
    <Facts
      facts={[
        [
          'Destination',
          <a href={context.link(`/destinations/${encodeURIComponent(destination)}`)}>
            <Name text={destination} />
          </a>,
        ],
        ['Type', typeText(destinationType)],
        ['Target', <Name text={target} />],
        route !== null && [
          'Rule',
          <a href={routeLink(context, route)}>
            <Name text={route} />
          </a>,
        ],
        ['Kind', kind],
        ['Created', <Time at={createdAt} zone={context} />],
        deliveredAt !== null && ['Delivered', <Time at={deliveredAt} zone={context} />],
        latencyMs !== null && ['After', `${durationText(latencyMs)} after the event`],
        delivery.nextAttemptAt !== null && ['Next attempt', <Time at={delivery.nextAttemptAt} zone={context} />],
        delivery.reason !== null && ['Why', <ReasonText delivery={delivery} context={context} />],
        replayOf !== null && [
          'Sent again',
          <a href={context.link(`/deliveries/${replayOf}`)}>from another delivery</a>,
        ],
        again.length > 0 && [
          counted(again.length, 'copy', 'copies'),
          again.map((copy, n) => (
            <>
              {n > 0 && ', '}
              <a href={context.link(`/deliveries/${copy.id}`)}>{stateWord(copy.state)}</a>
            </>
          )),
        ],
        ['Delivery id', <code class="id">{id}</code>],
      ]}
    />
  )
}
