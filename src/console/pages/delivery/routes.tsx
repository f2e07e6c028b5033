/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Alert routes in the order of their evaluation, and a tester that says which of them fire for an event. */
import { EVENT_OUTCOMES, EVENT_TYPES } from '../../../events/kinds.ts'
import type { Asked } from '../../ask.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionLink, type FilterField, Filters } from '../../ui/forms.tsx'
import { Mark } from '../../ui/marks.tsx'
import { Empty, Head, Panel, part, Table } from '../../ui/panel.tsx'
import { Name } from '../../ui/text.tsx'
import { type Explanation, RouteDecision, verdictNow } from '../events/decisions.tsx'
import { outcomeWord, TYPE_WORDS } from '../events/words.ts'
import { Places } from './places.tsx'

/** Members of `GET /v4/alertroutes`. */
interface Route {
  readonly name: string
  readonly origin: 'butler' | 'footman'
  readonly enable: boolean
  readonly to: readonly string[]
  readonly hits?: number
}

const FIELDS: readonly FilterField[] = [
  { name: 'event', label: 'Event id', kind: 'text', placeholder: 'a past event' },
  {
    name: 'type',
    label: 'or type',
    kind: 'choice',
    options: EVENT_TYPES.map((type) => [type, TYPE_WORDS[type] ?? type]),
  },
  {
    ...({ name: 'outcome', label: 'Outcome', kind: 'choice' } as const),
    options: EVENT_OUTCOMES.map((outcome) => [outcome, outcomeWord(outcome)]),
  },
  { name: 'taskName', label: 'Task', kind: 'text' },
  { name: 'host', label: 'Node', kind: 'text' },
  { name: 'message', label: 'Message', kind: 'text' },
  { name: 'consecutiveFailures', label: 'In a row', kind: 'text' },
  { name: 'at', label: 'At', kind: 'text', placeholder: '2026-11-23T02:00:00Z' },
]

const SAMPLED = ['type', 'outcome', 'taskName', 'host', 'message'] as const

/** The body of the question that stands in the address; null while there is none. */
function questionOf(query: URLSearchParams): Record<string, unknown> | null {
  const given = (name: string) => query.get(name)?.trim() ?? ''
  if (given('event') !== '') return { eventId: given('event') }
  const texts = SAMPLED.flatMap((name) => (given(name) === '' ? [] : [[name, given(name)] as const]))
  const row = given('consecutiveFailures')
  if (texts.length === 0 && row === '' && given('at') === '') return null
  return {
    sample: { ...Object.fromEntries(texts), ...(row !== '' && { consecutiveFailures: Number(row) }) },
    ...(given('at') !== '' && { at: given('at') }),
  }
}

export const routeList: Page = {
  path: '/system/routes',
  place: 'system',
  scope: 'event:read',
  async render(context) {
    const question = questionOf(context.query)
    const [routes, explanation] = await Promise.all([
      context.ask.get<{ alertRoutes: readonly Route[] }>('/v4/alertroutes', { hits: '7d' }),
      question && context.ask.call<Explanation>('POST', '/v4/alertroutes/explain', question, { withinMs: 10_000 }),
    ])
    return {
      title: 'Alert routes',
      body: (
        <>
          <Head title="Alert routes" beside={<Places context={context} />} />
          <div class="stack spaced">
            <Panel id="tester" title="Tester">
              <div class="body">
                <p class="sub">Which routes fire for a past event, or for an invented one? Nothing is sent.</p>
                <Filters context={context} fields={FIELDS} />
                {explanation && <Answer context={context} explanation={explanation} />}
              </div>
            </Panel>
            <Panel id="routes" title="Routes in order">
              {part(routes, ({ alertRoutes }) => (
                <List context={context} routes={alertRoutes} />
              ))}
            </Panel>
          </div>
        </>
      ),
    }
  },
}

const List = ({ context, routes }: { readonly context: PageContext; readonly routes: readonly Route[] }) =>
  routes.length === 0 ? (
    <Empty title="No routes">
      Routes are written in <code>Butler.footman.alertRoutes</code>.
    </Empty>
  ) : (
    <Table
      caption="Alert routes in the order of their evaluation"
      rows={routes}
      keyOf={({ name }) => name}
      columns={[
        {
          head: 'Route',
          cell: ({ name }) => (
            <b id={`route-${name}`}>
              <Name text={name} />
            </b>
          ),
        },
        {
          head: 'State',
          cell: ({ enable }) => (enable ? <Mark state="success" word="on" /> : <Mark state="skipped" word="off" />),
        },
        { head: 'From', cell: ({ origin }) => (origin === 'footman' ? 'alertRoutes' : 'notification section') },
        {
          head: 'To',
          cell: ({ to }) =>
            to.map((name, n) => (
              <>
                {n > 0 && ', '}
                <a href={context.link(`/destinations/${encodeURIComponent(name)}`)}>
                  <Name text={name} />
                </a>
              </>
            )),
        },
        {
          head: 'Hits in 7 days',
          num: true,
          cell: ({ name, hits = 0 }) =>
            hits === 0 ? 0 : <a href={context.link('/deliveries', { route: name, from: '7d' })}>{hits}</a>,
        },
      ]}
    />
  )

interface AnswerProps {
  readonly context: PageContext
  readonly explanation: Asked<Explanation>
}

const Answer = ({ context, explanation }: AnswerProps) =>
  part(
    explanation,
    ({ routes, stoppedBy }) => {
      const event = context.query.get('event')
      const [matched, others] = [routes.filter((one) => one.matched), routes.filter((one) => !one.matched)]
      const decision = (route: Explanation['routes'][number]) => (
        <RouteDecision
          context={context}
          name={route.name}
          verdict={verdictNow(route)}
          because={route.because}
          fields={route.fields ?? []}
        />
      )
      return (
        <section aria-label="Answer" class="answer">
          <p>
            <b>{matched.length}</b> of {routes.length} routes fire
            {stoppedBy && (
              <>
                ; nothing is looked at after <Name text={stoppedBy} />
              </>
            )}
            .{' '}
            {event && (
              <ActionLink
                context={context}
                operation="event.fire"
                scope="event:run"
                values={{ id: event, routes: matched.map(({ name }) => name) }}
              >
                Messages…
              </ActionLink>
            )}
          </p>
          {matched.map(decision)}
          <details class="fold" data-key="others">
            <summary class="small">{others.length} that do not fire</summary>
            {others.map(decision)}
          </details>
        </section>
      )
    },
    'Tester',
  )
