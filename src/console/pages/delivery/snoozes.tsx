/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The snoozes that have not ended. */
import type { Page, PageContext } from '../../page.ts'
import { ActionButton, ActionLink } from '../../ui/forms.tsx'
import { Empty, ErrorBox, Head, Pager, Table } from '../../ui/panel.tsx'
import { Ago, Name, Time } from '../../ui/text.tsx'
import { Places } from './places.tsx'

/** Members of `GET /v4/snoozes`. */
interface Snooze {
  readonly id: string
  readonly match: Readonly<Record<string, unknown>> | null
  readonly from: string
  readonly until: string
  readonly reason: string
  readonly createdBy: string
  readonly suppressed: number
}

/** `task Sales*, host QS1` */
export const matchText = (match: Snooze['match']): string =>
  Object.entries(match ?? {})
    .map(
      ([name, value]) =>
        `${name} ${[value]
          .flat()
          .map((one) => (typeof one === 'object' ? JSON.stringify(one) : String(one)))
          .join(' or ')}`,
    )
    .join(', ')

export const snoozeList: Page = {
  path: '/snoozes',
  place: 'delivery',
  scope: 'event:read',
  async render(context) {
    const answer = await context.ask.get<{ snoozes: readonly Snooze[]; nextCursor: string | null }>('/v4/snoozes', {
      cursor: context.query.get('cursor'),
    })
    return {
      title: 'Snoozes',
      live: ['delivery'],
      body: (
        <>
          <Head title="Snoozes" beside={<Places context={context} />}>
            <ActionLink
              context={context}
              operation="snooze.set"
              scope="event:run"
              class="primary"
              values={{}}
              then={context.link('/snoozes')}
            >
              New…
            </ActionLink>
          </Head>
          <Lifted context={context} />
          {answer.ok ? (
            <List context={context} snoozes={answer.data.snoozes} nextCursor={answer.data.nextCursor} />
          ) : (
            <ErrorBox failure={answer} retry={context.here({})} />
          )}
        </>
      ),
    }
  },
}

/** After a snooze was lifted: it can be made again. */
const Lifted = ({ context }: { readonly context: PageContext }) => {
  const match = context.query.get('lifted')
  const until = context.query.get('until') ?? ''
  if (!match || !(Date.parse(until) > context.now + 60_000)) return null
  return (
    <p class="sub undo">
      A snooze until <Time at={until} zone={context} seconds={false} /> was lifted.{' '}
      <ActionButton
        context={context}
        operation="snooze.set"
        scope="event:run"
        values={{ match, until, reason: context.query.get('reason'), confirmed: '1' }}
        then={context.link('/snoozes')}
      >
        Undo
      </ActionButton>
    </p>
  )
}

interface ListProps {
  readonly context: PageContext
  readonly snoozes: readonly Snooze[]
  readonly nextCursor: string | null
}

const List = ({ context, snoozes, nextCursor }: ListProps) => {
  if (snoozes.length === 0) {
    return (
      <Empty title="Nothing is snoozed">
        A snooze holds alerts about a task, an app or a node back for a while, for example while its source is being
        moved.
      </Empty>
    )
  }
  return (
    <section class="panel spaced">
      <Table
        caption="Snoozes, the newest first"
        rows={snoozes}
        keyOf={({ id }) => id}
        columns={[
          {
            head: 'Match',
            cell: ({ id, match }) => (
              <span id={`snooze-${id}`}>
                <Name text={matchText(match)} />
              </span>
            ),
          },
          {
            head: 'Until',
            cell: ({ until, from }) => (
              <>
                <Time at={until} zone={context} seconds={false} />
                <p class="sub">
                  {Date.parse(from) > context.now ? (
                    <>
                      begins <Ago at={from} zone={context} />
                    </>
                  ) : (
                    <Ago at={until} zone={context} />
                  )}
                </p>
              </>
            ),
          },
          { head: 'Reason', cell: ({ reason }) => reason && <Name text={reason} /> },
          { head: 'By', cell: ({ createdBy }) => <Name text={createdBy} /> },
          {
            head: 'Held back',
            num: true,
            cell: ({ suppressed, from }) =>
              suppressed === 0 ? (
                0
              ) : (
                <a href={context.link('/deliveries', { reason: 'SNOOZED', from })}>{suppressed}</a>
              ),
          },
          {
            head: '',
            cell: ({ id, match, until, reason }) => (
              <ActionButton
                context={context}
                operation="snooze.lift"
                scope="event:run"
                values={{ id, match: JSON.stringify(match), until, reason }}
              >
                Lift
              </ActionButton>
            ),
          },
        ]}
      />
      <Pager context={context} nextCursor={nextCursor} />
    </section>
  )
}
