/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The snoozes that have not ended. */
import { type ListedSnooze, SNOOZES } from '../../../alerts/contract.ts'
import { matchedIds, matchText } from '../../../alerts/match-text.ts'
import { type Names, qlikNamesOf } from '../../names.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionButton, ActionLink } from '../../ui/forms.tsx'
import { Empty, ErrorBox, Head, Pager, Table } from '../../ui/panel.tsx'
import { Ago, Name, Time } from '../../ui/text.tsx'
import { Places } from './places.tsx'

export const snoozeList: Page = {
  path: '/snoozes',
  place: 'delivery',
  scope: 'event:read',
  async render(context) {
    const answer = await context.ask(SNOOZES, { query: { cursor: context.query.get('cursor') } })
    const matches = answer.ok ? answer.data.snoozes.map(({ match }) => match) : []
    const names = await qlikNamesOf(context, matchedIds(matches))
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
            <List context={context} names={names} snoozes={answer.data.snoozes} nextCursor={answer.data.nextCursor} />
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
  const untilSuccess = context.query.get('untilSuccess')
  if (!match || !(Date.parse(until) > context.now + 60_000)) return null
  return (
    <p class="sub undo">
      A snooze until {untilSuccess && 'its task succeeds, at the latest '}
      <Time at={until} zone={context} seconds={false} /> was lifted.{' '}
      <ActionButton
        context={context}
        operation="snooze.set"
        scope="event:run"
        values={{ match, until, untilSuccess, reason: context.query.get('reason'), confirmed: '1' }}
        then={context.link('/snoozes')}
      >
        Undo
      </ActionButton>
    </p>
  )
}

interface ListProps {
  readonly context: PageContext
  readonly names: Names
  readonly snoozes: readonly ListedSnooze[]
  readonly nextCursor: string | null
}

const List = ({ context, names, snoozes, nextCursor }: ListProps) => {
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
        context={context}
        caption="Snoozes, the newest first"
        rows={snoozes}
        keyOf={({ id }) => id}
        columns={[
          {
            head: 'Match',
            sort: (row) => matchText(row.match, names),
            cell: ({ id, match }) => (
              <span id={`snooze-${id}`} title={matchText(match)}>
                <Name text={matchText(match, names)} />
              </span>
            ),
          },
          {
            head: 'Until',
            sort: (row) => row.until,
            cell: ({ until, untilSuccess, from }) => (
              <>
                {untilSuccess && 'it succeeds, at the latest '}
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
          { head: 'Reason', sort: (row) => row.reason || null, cell: ({ reason }) => reason && <Name text={reason} /> },
          { head: 'By', sort: (row) => row.createdBy, cell: ({ createdBy }) => <Name text={createdBy} /> },
          {
            head: 'Held back',
            sort: (row) => row.suppressed,
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
            cell: ({ id, match, until, untilSuccess, reason }) => (
              <ActionButton
                context={context}
                operation="snooze.lift"
                scope="event:run"
                values={{ id, match: JSON.stringify(match), until, untilSuccess: untilSuccess ? '1' : null, reason }}
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
