/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The list of events. */
import type { Page, PageContext } from '../../page.ts'
import { Filters } from '../../ui/forms.tsx'
import { Badge, Mark, type State } from '../../ui/marks.tsx'
import { Empty, ErrorBox, Head, Pager, Table } from '../../ui/panel.tsx'
import { Name, Time } from '../../ui/text.tsx'

/** Members of `GET /v4/events` that this page uses. */
interface EventRow {
  readonly id: string
  readonly receivedAt: string
  readonly type: string
  readonly outcome: string | null
  readonly taskName: string | null
  readonly appName: string | null
  readonly host: string | null
  readonly test: boolean
}

interface Answer {
  readonly events: readonly EventRow[]
  readonly nextCursor: string | null
  readonly partial?: boolean
}

const PRESETS = [
  { text: 'Failed', query: { outcome: 'failed' } },
  { text: 'From the watchdog', query: { source: 'watchdog' } },
]

export const eventList: Page = {
  path: '/events',
  place: 'events',
  scope: 'event:read',
  async render(context) {
    const answer = await context.ask.get<Answer>(`/v4/events?${context.query}`)
    return {
      title: 'Events',
      live: ['event', 'delivery'],
      body: (
        <>
          <Head title="Events" />
          <Filters
            context={context}
            presets={PRESETS}
            api="/v4/events"
            fields={[
              { name: 'q', label: 'Text', kind: 'text' },
              {
                ...{ name: 'outcome', label: 'Outcome', kind: 'choice' },
                options: ['success', 'failed', 'aborted'].map((value) => [value, value] as const),
              },
            ]}
          />
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

const List = ({ context, answer }: { readonly context: PageContext; readonly answer: Answer }) => {
  if (answer.events.length === 0)
    return <Empty title="No events">Nothing has been received yet, or nothing matches.</Empty>
  return (
    <section class="panel">
      <Table
        caption="Events, the newest first"
        rows={answer.events}
        keyOf={({ id }) => id}
        columns={[
          {
            head: 'Event',
            cell: ({ id, taskName, outcome, type }) => (
              <a class="l" href={context.link(`/events/${id}`)}>
                <Mark state={(outcome ?? 'unknown') as State} />
                <Name text={taskName ?? type} />
              </a>
            ),
          },
          { head: 'Received', cell: ({ receivedAt }) => <Time at={receivedAt} zone={context} /> },
          { head: 'App', cell: ({ appName }) => <Name text={appName} /> },
          { head: 'Node', cell: ({ host }) => <Name text={host} /> },
          { head: 'Marks', cell: ({ test }) => test && <Badge text="test" /> },
        ]}
      />
      <Pager context={context} nextCursor={answer.nextCursor} partial={answer.partial} />
    </section>
  )
}
