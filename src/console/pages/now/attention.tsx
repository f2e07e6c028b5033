/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The attention list: items with cause, alerts, consequences and actions, and tasks that have recovered. */
import type { Child, FC } from 'hono/jsx'
import type { Attention, AttentionItem } from '../../../tasks/overview/contract.ts'
import type { PageContext } from '../../page.ts'
import { ActionButton, ActionChoices, ActionLink } from '../../ui/forms.tsx'
import { Icon, Mark, STATES } from '../../ui/marks.tsx'
import { Choice, CopyText, Facts, Panel } from '../../ui/panel.tsx'
import { counted, durationText, Name, Prose, plainName, Time, usuallyText, zonedText } from '../../ui/text.tsx'
import { endsOf, ONE_HOUR, SUCCESS } from '../delivery/snooze-ends.ts'
import { reasonWord } from '../delivery/words.tsx'
import { names } from './rows.ts'
import { KINDS } from './words.ts'

interface AttentionProps {
  readonly context: PageContext
  readonly attention: Attention
  /** The page shows a time before now, the list what is open now. */
  readonly isPast: boolean
  readonly recovered: readonly AttentionItem[]
  /** Planned next start by task. */
  readonly next: ReadonlyMap<string, number>
  /** In the place of the list when it is empty. */
  readonly empty: Child
}

export const AttentionPanel: FC<AttentionProps> = ({ context, attention, isPast, recovered, next, empty }) => {
  const { query, here } = context
  const chosen = query.get('kind')
  const tops = attention.items.filter(({ parent }) => !attention.items.some(({ key }) => key === parent))
  const chips = [...new Set(tops.map(({ kind }) => KINDS[kind].chip))]
  const shown = tops.filter(({ kind }) => chosen === null || KINDS[kind].chip === chosen)
  const count = (chip: string) => tops.filter(({ kind }) => KINDS[kind].chip === chip).length
  return (
    <Panel
      id="attention"
      title={isPast ? 'Needs attention now' : 'Needs attention'}
      {...(attention.count > 0 && { count: attention.count })}
      tools={
        chips.length > 1 && (
          <Choice
            small
            label="Kinds"
            options={[
              { text: 'All', href: here({ kind: null }), chosen: chosen === null },
              ...chips.map((chip) => ({
                text: `${chip} ${count(chip)}`,
                href: here({ kind: chip }),
                chosen: chip === chosen,
              })),
            ]}
          />
        )
      }
    >
      <div data-part="attention" class="items" aria-live="polite">
        {tops.length === 0 && empty}
        {shown.map((item) => (
          <OneItem
            context={context}
            item={item}
            nested={attention.items.filter(({ parent }) => parent === item.key)}
            next={next}
          />
        ))}
        {tops.length > 0 && shown.length === 0 && (
          <p class="body muted">
            Nothing of this kind. <a href={here({ kind: null })}>Show all</a>
          </p>
        )}
        {attention.hidden.length > 0 && (
          <p class="foot">
            You do not see:{' '}
            {attention.hidden
              .map((kind) => KINDS[kind as AttentionItem['kind']].chip)
              .filter(once)
              .join(', ')}
            .
          </p>
        )}
        {recovered.length > 0 && <Recovered context={context} items={recovered} />}
        {attention.items.length > 0 && (
          <details class="fold" data-key="as-text">
            <summary>
              <Icon name="right" class="turn" />
              As text
            </summary>
            <div class="body">
              <CopyText text={textOf(attention.items, context)} />
            </div>
          </details>
        )}
      </div>
    </Panel>
  )
}

const once = (value: string, n: number, all: readonly string[]) => all.indexOf(value) === n

interface ItemProps {
  readonly context: PageContext
  readonly item: AttentionItem
  readonly nested: readonly AttentionItem[]
  readonly next: ReadonlyMap<string, number>
}

const OneItem: FC<ItemProps> = ({ context, item, nested, next }) => {
  const { kind, title, cause, quiet } = item
  const { mark, state, path } = KINDS[kind]
  const tone = STATES[mark].tone
  return (
    <article class="item" data-key={item.key}>
      <Mark state={mark} />
      <div>
        <h3>
          <a href={context.root + path(item)}>
            <Name text={title} />
          </a>
          <span class={tone}>{state(item, context.now)}</span>
        </h3>
        {cause && (
          <code class="cause" title={plainName(cause)}>
            <Prose text={cause} zone={context} />
          </code>
        )}
        <Facts
          facts={[
            sinceFact(context, item, next),
            alertedFact(context, item),
            quiet && quietFact(context, quiet),
            item.behind.length > 0 && ['Did not run', <TaskNames context={context} item={item} />],
            againFact(context, item),
            item.taken && [
              'Taken',
              <>
                by <Name text={item.taken.by} /> <Time at={item.taken.at} zone={context} short />
                {item.taken.note && (
                  <>
                    : <Name text={item.taken.note} />
                  </>
                )}
              </>,
            ],
          ]}
        />
        <Actions context={context} item={item} />
        {nested.length > 0 && (
          <ul class="nest">
            {nested.map((one) => (
              <li>
                <Mark state={KINDS[one.kind].mark} />
                <a href={context.root + KINDS[one.kind].path(one)}>
                  <Name text={one.title} />
                </a>
                <span class={`small ${STATES[KINDS[one.kind].mark].tone}`}>
                  {KINDS[one.kind].state(one, context.now)}
                </span>
              </li>
            ))}
          </ul>
        )}
      </div>
    </article>
  )
}

type Fact = readonly [string, Child] | null

function sinceFact(
  context: PageContext,
  { kind, task, since, usualMs }: AttentionItem,
  next: ReadonlyMap<string, number>,
): Fact {
  const planned = task ? next.get(task.taskId) : undefined
  return [
    KINDS[kind].since,
    <>
      <Time at={since} zone={context} short />
      {planned !== undefined && (
        <>
          , next run <Time at={planned} zone={context} short />
        </>
      )}
      {kind === 'overUsual' && usuallyText(usualMs, ', ')}
    </>,
  ]
}

const quietFact = (
  context: PageContext,
  { reason, detail, until, untilSuccess }: NonNullable<AttentionItem['quiet']>,
): Fact => [
  reason === 'SNOOZED' ? 'Snoozed' : 'Maintenance',
  <>
    {until !== null && (
      <>
        until {untilSuccess && 'it succeeds, at the latest '}
        <Time at={until} zone={context} short />
        {detail && ': '}
      </>
    )}
    <Prose text={detail} zone={context} />
    {reason === 'SNOOZED' && context.may('event:read') && (
      <>
        {' '}
        · <a href={context.link('/snoozes')}>Snoozes</a>
      </>
    )}
  </>,
]

const MOST_NAMES = 3

/** `a, b and c`; what is more as a number. */
function listed(texts: readonly string[]): string {
  const shown =
    texts.length > MOST_NAMES + 1 ? [...texts.slice(0, MOST_NAMES), `${texts.length - MOST_NAMES} more`] : texts
  return shown.length < 2 ? (shown[0] ?? '') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`
}

function alertedFact(context: PageContext, item: AttentionItem): Fact {
  const { alerted, heldBack, kind } = item
  if (KINDS[kind].chip !== 'Tasks' && alerted.length === 0 && heldBack.length === 0) return null
  const held = heldBack.map(({ reason, count }) => `${count} held back, ${reasonWord(reason)}`).join('; ')
  if (alerted.length === 0) {
    if (!context.may('event:read')) return null
    return ['Alerted', <b>none{held ? `: ${held}` : item.eventId === null ? ': no message about it has come' : ''}</b>]
  }
  const times = alerted.map(({ at }) => Date.parse(at))
  const first = Math.min(...times)
  // People know their address, not the name of the mail server's entry.
  const receivers = alerted.map(({ destination, target }) => plainName(target.includes('@') ? target : destination))
  const targets = alerted.map(({ destination, target }) => `${plainName(destination)}: ${plainName(target)}`)
  return [
    'Alerted',
    <>
      <span title={[...new Set(targets)].join(', ')}>{listed([...new Set(receivers)])}</span> first{' '}
      <Time at={first} zone={context} short />
      {held && `; ${held}`}
    </>,
  ]
}

const TaskNames: FC<{ readonly context: PageContext; readonly item: AttentionItem }> = ({
  context,
  item: { behind },
}) => (
  <>
    {behind.slice(0, MOST_NAMES).map(({ taskId, taskName }, n) => (
      <>
        {n > 0 && ', '}
        <a class="plain" href={context.link(`/tasks/${taskId}`)}>
          <Name text={taskName} />
        </a>
      </>
    ))}
    {behind.length > MOST_NAMES && (
      <span title={names(behind).map(plainName).join(', ')}> and {behind.length - MOST_NAMES} more</span>
    )}
  </>
)

function againFact(context: PageContext, { kind, runningAgain, retry }: AttentionItem): Fact {
  if (runningAgain) {
    const { state, startedAt, expectedEnd, over, overByMs, executionId } = runningAgain
    const begun = kind === 'taskFailed' || kind === 'neverStarted' || kind === 'overdue'
    const time = <Time at={startedAt} zone={context} short />
    const end = over ? (
      <>over the usual by {durationText(overByMs, true)}</>
    ) : (
      <>
        ETA <Time at={expectedEnd} zone={context} short />
      </>
    )
    const what = state === 'queued' ? 'waits since' : begun ? 'started again' : 'runs since'
    return [
      begun ? 'Runs again' : 'Runs',
      <>
        {executionId ? <a href={context.link(`/executions/${executionId}`)}>{what}</a> : what} {time}, {end}
      </>,
    ]
  }
  if (!retry) return null
  return [
    'Retry',
    <>
      {retry.attempt} of {retry.max} at <Time at={retry.at} zone={context} short />
    </>,
  ]
}

const Actions: FC<{ readonly context: PageContext; readonly item: AttentionItem }> = ({ context, item }) => {
  const { key, kind, task, taken, eventId, runningAgain } = item
  return (
    <div class="acts">
      {task && (
        <ActionLink
          context={context}
          operation="task.start"
          scope="task:run"
          values={{ taskId: task.taskId }}
          off={runningAgain ? 'It runs already' : null}
        >
          {kind === 'taskFailed' ? 'Start again' : 'Start'}
        </ActionLink>
      )}
      {kind === 'deadDeliveries' && (
        <ActionLink
          context={context}
          operation="deadletters.resend"
          scope="event:run"
          values={{ destination: key.slice(key.indexOf(':') + 1), count: item.count }}
        >
          Send {counted(item.count, 'delivery', '')} again…
        </ActionLink>
      )}
      {task && <Snooze context={context} taskId={task.taskId} />}
      {taken ? (
        <ActionButton
          context={context}
          operation="attention.giveBack"
          scope="event:run"
          values={{ item: key }}
          class="s quiet"
        >
          Give back
        </ActionButton>
      ) : (
        <ActionButton
          context={context}
          operation="attention.take"
          scope="event:run"
          values={{ item: key }}
          class="s quiet"
        >
          Take
        </ActionButton>
      )}
      {eventId && (
        <a class="btn s link push" href={context.link(`/events/${eventId}`)}>
          Event
        </a>
      )}
    </div>
  )
}

const Snooze: FC<{ readonly context: PageContext; readonly taskId: string }> = ({ context, taskId }) => {
  const action = { context, operation: 'snooze.set', scope: 'event:run', class: 's quiet' }
  const ends = [ONE_HOUR, ...endsOf(context.now, context.settings), SUCCESS]
  return (
    <details class="menu pick">
      <summary class="btn s quiet">
        Snooze
        <Icon name="down" />
      </summary>
      <div class="box">
        <ActionChoices {...action} values={{ taskId, confirmed: '1' }} name="when" choices={ends} />
        <ActionLink {...action} values={{ taskId }}>
          More…
        </ActionLink>
      </div>
    </details>
  )
}

const Recovered: FC<{ readonly context: PageContext; readonly items: readonly AttentionItem[] }> = ({
  context,
  items,
}) => (
  <details class="fold" open data-key="recovered">
    <summary>
      <Icon name="right" class="turn" />
      Recovered<span class="count quiet">{items.length}</span>
    </summary>
    <ul class="done">
      {items.map((item) => (
        <li>
          <Icon name="ok" class="ok" />
          <a href={context.root + KINDS[item.kind].path(item)}>
            <Name text={item.title} />
          </a>
          <span class="small muted">
            <Recovery item={item} context={context} />
          </span>
        </li>
      ))}
    </ul>
  </details>
)

const Recovery: FC<{ readonly item: AttentionItem; readonly context: PageContext }> = ({
  item: { since, count, recovered },
  context,
}) => {
  const failed =
    count > 1 ? (
      `failed ${count} times`
    ) : (
      <>
        failed <Time at={since} zone={context} short />
      </>
    )
  if (!recovered) return <>{failed}</>
  const how = {
    retry: 'a retry succeeded',
    start: `started by ${plainName(recovered.by)}, succeeded`,
    itself: 'the next run succeeded',
  }[recovered.how]
  return (
    <>
      {failed}, {how} <Time at={recovered.at} zone={context} short />
    </>
  )
}

/** The list as lines for a mail or a chat. */
function textOf(items: readonly AttentionItem[], zone: PageContext): string {
  return items
    .map((item) => {
      const { title, cause, since, kind, alerted, behind, taken } = item
      const parts = [
        `${plainName(title)}: ${KINDS[kind].state(item, zone.now)}, since ${zonedText(Date.parse(since), zone)}`,
        cause && `  ${plainName(cause)}`,
        alerted.length > 0 && `  alerted: ${listed([...new Set(alerted.map((one) => plainName(one.destination)))])}`,
        behind.length > 0 && `  did not run: ${names(behind).map(plainName).join(', ')}`,
        taken && `  taken by ${plainName(taken.by)}`,
      ]
      return parts.filter(Boolean).join('\n')
    })
    .join('\n')
}
