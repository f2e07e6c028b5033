/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The deliveries of an event: a row for each delivery, with every attempt, and why one was held back or given up. */
import type { Child } from 'hono/jsx'
import type { Delivery, DeliveryDetail } from '../../../alerts/history/contract.ts'
import type { PageContext } from '../../page.ts'
import { ActionButton, ActionLink } from '../../ui/forms.tsx'
import { Badge, Icon, STATES } from '../../ui/marks.tsx'
import { ColumnHead, type Heading, Panel, sorted } from '../../ui/panel.tsx'
import { durationText, Name, Prose, Time } from '../../ui/text.tsx'
import { Message } from '../delivery/message.tsx'
import { type LikeThis, ruleLike } from '../delivery/rule-words.ts'
import { DELIVERY_STATES, ReasonText, routeLink, typeText } from '../delivery/words.tsx'

interface Props {
  readonly context: PageContext
  readonly event: LikeThis
  readonly deliveries: readonly DeliveryDetail[]
  /** The event waits for data of Qlik Sense, so more may come. */
  readonly isOpen: boolean
}

const HEADINGS: readonly Heading<DeliveryDetail>[] = [
  { head: 'Destination', sort: ({ destination, target }) => `${destination} ${target}` },
  { head: 'Result', sort: ({ state }) => DELIVERY_STATES[state].word },
  { head: 'Attempts', sort: ({ attempts }) => attempts.length },
]

export const Alerted = ({ context, event, deliveries, isOpen }: Props) => (
  <div data-part="alerted">
    <Panel id="alerted" title="Who was alerted?" tools={<span class="small muted">{summaryOf(deliveries)}</span>}>
      {deliveries.length === 0 ? (
        <p class="body muted">
          {isOpen
            ? 'Not decided yet: data from Qlik Sense are awaited.'
            : 'No rule sends anything about it. Below is why.'}{' '}
          {!isOpen && context.may('setting:write') && (
            <a href={ruleLike(context, event)}>Make a rule for events like this</a>
          )}
        </p>
      ) : (
        <table class="tbl deliveries">
          <caption class="sr">Deliveries of this event</caption>
          <thead>
            <tr>
              {HEADINGS.map((column) => (
                <ColumnHead column={column} context={context} part="alerted" />
              ))}
              <th scope="col" class="end">
                Actions
              </th>
            </tr>
          </thead>
          {sorted({ rows: deliveries, columns: HEADINGS, context, part: 'alerted' }).map((delivery) => (
            <Row context={context} event={event} delivery={delivery} />
          ))}
        </table>
      )}
    </Panel>
  </div>
)

function summaryOf(deliveries: readonly Delivery[]): string {
  const counts = Object.entries(DELIVERY_STATES).flatMap(([state, { word }]) => {
    const n = deliveries.filter((one) => one.state === state).length
    return n === 0 ? [] : [`${n} ${word}`]
  })
  return counts.join(' · ')
}

interface RowProps extends Pick<Props, 'context' | 'event'> {
  readonly delivery: DeliveryDetail
}

const Row = ({ context, event, delivery }: RowProps) => {
  const { id, destination, destinationType, target, kind, route, replayOf, message } = delivery
  const { icon, tone } = STATES[DELIVERY_STATES[delivery.state].state]
  return (
    <tbody data-key={id} id={`delivery-${id}`}>
      <tr>
        <td>
          <div class="l">
            <Icon name={icon} class={tone} />
            <div>
              <a class="plain" href={context.link(`/destinations/${encodeURIComponent(destination)}`)}>
                <b>
                  <Name text={destination} />
                </b>
              </a>{' '}
              {kind !== 'alert' && <Badge text={kind} />} {replayOf && <Badge text="sent again" />}
              <p class="sub">
                {typeText(destinationType)}, <Name text={target} breaks />
              </p>
              {route && (
                <p class="sub">
                  by rule{' '}
                  <a href={routeLink(context, route)}>
                    <Name text={route} breaks />
                  </a>
                </p>
              )}
            </div>
          </div>
        </td>
        <td data-t="Result">
          <div>
            <Result context={context} delivery={delivery} />
            {delivery.state === 'suppressed' && context.may('setting:write') && (
              <p class="sub">
                <a href={ruleLike(context, event)}>Make a rule for events like this</a>
              </p>
            )}
          </div>
        </td>
        <td data-t="Attempts">
          <div class="small">
            <Attempts context={context} delivery={delivery} />
          </div>
        </td>
        <td class="end nowrap">
          <DeliveryActions context={context} delivery={delivery} />
        </td>
      </tr>
      <tr class="under">
        <td colspan={4}>
          <details data-key={`message-${id}`}>
            <summary class="small">Message</summary>
            <Message message={message} frame={context.link(`/deliveries/${id}/mail`)} />
          </details>
        </td>
      </tr>
    </tbody>
  )
}

/** Where it ended, and why. */
export const Result = ({ context, delivery }: { readonly context: PageContext; readonly delivery: Delivery }) => {
  const { id, state, deliveredAt, latencyMs, nextAttemptAt, detail } = delivery
  const { tone } = STATES[DELIVERY_STATES[state].state]
  const details = (text: Child) => (
    <a class={`state ${tone}`} href={context.link(`/deliveries/${id}`)}>
      {text}
    </a>
  )
  if (state === 'delivered') {
    return (
      <>
        {details('Delivered')} <Time at={deliveredAt} zone={context} short seconds />
        {latencyMs !== null && <p class="sub">{durationText(latencyMs)} after the event</p>}
      </>
    )
  }
  if (state === 'suppressed' || state === 'dead') {
    return (
      <>
        <b>{details(state === 'dead' ? 'Failed' : 'Suppressed')}</b>
        <p class="sub">
          <ReasonText delivery={delivery} context={context} />
        </p>
      </>
    )
  }
  return (
    <>
      {details(state === 'pending' ? 'Waiting' : 'Being sent')}
      {nextAttemptAt && (
        <p class="sub">
          next attempt <Time at={nextAttemptAt} zone={context} short seconds />
        </p>
      )}
      {detail && (
        <p class="sub">
          <Prose text={detail} zone={context} />
        </p>
      )}
    </>
  )
}

const Attempts = ({ context, delivery }: { readonly context: PageContext; readonly delivery: DeliveryDetail }) => {
  const { attempts } = delivery
  if (attempts.length === 0) return <span class="muted">none</span>
  return (
    <ol class="attempts">
      {attempts.map(({ n, at, result, detail }) => (
        <li class={result === 'ok' ? undefined : 'bad'}>
          {n}. <Time at={at} zone={context} short seconds /> <Prose text={detail} zone={context} />
          {result === 'temporary' && <span class="sr">, temporary failure</span>}
          {result === 'permanent' && <span class="sr">, final failure</span>}
        </li>
      ))}
    </ol>
  )
}

/** The actions that the state of a delivery allows. */
export const DeliveryActions = ({
  context,
  delivery,
}: {
  readonly context: PageContext
  readonly delivery: Delivery
}) => {
  const { id, state, destination } = delivery
  const values = { id, destination }
  if (state === 'delivered') {
    return (
      <ActionLink context={context} operation="delivery.resend" scope="event:run" values={values}>
        Send again
      </ActionLink>
    )
  }
  if (state === 'pending' || state === 'sending') {
    return (
      <ActionLink
        context={context}
        operation="delivery.cancel"
        scope="event:run"
        values={values}
        off={state === 'sending' ? 'It is being sent now' : null}
      >
        Cancel
      </ActionLink>
    )
  }
  return (
    <ActionButton
      context={context}
      operation="delivery.resend"
      scope="event:run"
      values={{ ...values, confirmed: '1' }}
    >
      {state === 'dead' ? 'Send again' : 'Send anyway'}
    </ActionButton>
  )
}
