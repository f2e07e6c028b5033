/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Deliveries in words: their state, and why one was held back or given up, with a link to what decided it. */
import type { Child, FC } from 'hono/jsx'
import { destinationTypes } from '../../../alerts/config-destinations.ts'
import type { Delivery } from '../../../alerts/history/contract.ts'
import type { ListedDestination } from '../../../alerts/rules/contract.ts'
import type { PageContext } from '../../page.ts'
import { Mark, type State } from '../../ui/marks.tsx'
import { durationText, Name, numberText, Prose, Time } from '../../ui/text.tsx'

const DESTINATION_MARKS = { up: 'success', refuses: 'warning', down: 'failed' } as const

export const DestinationMark: FC<{ readonly destination: Pick<ListedDestination, 'state'> }> = ({
  destination: { state },
}) => <Mark state={DESTINATION_MARKS[state]} word={state} />

export const badness = ({ state, dead, pending }: ListedDestination): number =>
  8 * ['up', 'refuses', 'down'].indexOf(state) + (dead > 0 ? 2 : 0) + (pending > 0 ? 1 : 0)

/** The list in the order of all pages. */
export const problemsFirst = (destinations: readonly ListedDestination[]): ListedDestination[] =>
  destinations.toSorted((one, other) => badness(other) - badness(one))

export const DELIVERY_STATES: Readonly<Record<Delivery['state'], { readonly state: State; readonly word: string }>> = {
  pending: { state: 'queued', word: 'waiting' },
  sending: { state: 'running', word: 'being sent' },
  delivered: { state: 'success', word: 'delivered' },
  suppressed: { state: 'skipped', word: 'suppressed' },
  dead: { state: 'failed', word: 'failed' },
}

/** `pending` as `waiting`. */
export const stateWord = (state: string): string =>
  Object.hasOwn(DELIVERY_STATES, state) ? DELIVERY_STATES[state as Delivery['state']].word : state

/** The mark of a state, and with it its colour. */
export const deliveryState = (state: string): State =>
  Object.hasOwn(DELIVERY_STATES, state) ? DELIVERY_STATES[state as Delivery['state']].state : 'unknown'

/** Types of destinations as people write them; those that only sections of Butler have first. */
const TYPES: Readonly<Record<string, string>> = {
  influxdb: 'InfluxDB',
  scriptlog: 'Script logs',
  ...Object.fromEntries(destinationTypes.map(({ name, title }) => [name, title])),
}

export const typeText = (type: string | null): string => (type === null ? 'not set up any more' : (TYPES[type] ?? type))

/** A reason in a few words, and where its cause can be looked at. */
interface Reason {
  readonly short: string
  readonly words: (delivery: Delivery, context: PageContext) => Child
  readonly cause: (delivery: Delivery, context: PageContext) => readonly [href: string, text: string]
}

/** The place of a route in the list of routes. */
export const routeLink = ({ link }: Pick<PageContext, 'link'>, name: string): string =>
  `${link('/system/routes')}#${encodeURIComponent(`route-${name}`)}`

const toRoute: Reason['cause'] = ({ route }, context) => [
  route ? routeLink(context, route) : context.link('/system/routes'),
  'Rule',
]
const toDestination: Reason['cause'] = ({ destination }, { link }) => [
  link(`/destinations/${encodeURIComponent(destination)}`),
  'Destination',
]
const said =
  (otherwise: string): Reason['words'] =>
  ({ detail }, context) => <Prose text={detail || otherwise} zone={context} />

/** `1 in 6 h`. */
const limitText = ({ count, windowMs }: { count: number; windowMs: number }): string =>
  `${numberText(count)} in ${durationText(windowMs, true)}`

/** All reasons why a message is held back or given up. */
export const REASONS: Readonly<Record<NonNullable<Delivery['reason']>, Reason>> = {
  RATE_LIMITED: {
    short: 'rate limit',
    words: ({ suppressedBy, detail }, context) => {
      const limit = suppressedBy?.limit
      if (!limit) return <Prose text={detail} zone={context} />
      return (
        <>
          at most {limitText(limit)};{' '}
          {limit.nextSlotAt ? (
            <>
              next possible <Time at={limit.nextSlotAt} zone={context} short seconds />
            </>
          ) : (
            'the message before has not ended yet'
          )}
        </>
      )
    },
    cause: toRoute,
  },
  CUSTOM_PROPERTY: {
    short: 'custom property',
    words: ({ suppressedBy, detail }, context) =>
      suppressedBy?.property ? (
        <>
          the task does not have the custom property <Name text={suppressedBy.property.name} /> ={' '}
          <Name text={suppressedBy.property.value} />
        </>
      ) : (
        <Prose text={detail} zone={context} />
      ),
    cause: toRoute,
  },
  TAG: {
    short: 'tag',
    words: ({ suppressedBy, detail }, context) =>
      suppressedBy?.tag ? (
        <>
          the app does not have the tag <Name text={suppressedBy.tag.name} />
        </>
      ) : (
        <Prose text={detail} zone={context} />
      ),
    cause: toRoute,
  },
  OWNER_EXCLUDED: {
    short: 'owner excluded',
    words: said('the owner of the app is in a list of excluded owners'),
    cause: toRoute,
  },
  APP_NOT_INCLUDED: { short: 'app not included', words: said('the app is not in the list of apps'), cause: toRoute },
  NO_RECIPIENT: { short: 'no recipient', words: said('there is no one to send it to'), cause: toRoute },
  RECIPIENT_INVALID: { short: 'recipient not valid', words: said('the address cannot be used'), cause: toDestination },
  MAINTENANCE: {
    short: 'maintenance',
    words: ({ suppressedBy, detail }, context) =>
      suppressedBy?.maintenance ? (
        <>
          maintenance <Name text={suppressedBy.maintenance.name} />
          {suppressedBy.maintenance.until ? (
            <>
              {' '}
              until <Time at={suppressedBy.maintenance.until} zone={context} short />
            </>
          ) : (
            ', which does not end within a week'
          )}
        </>
      ) : (
        <Prose text={detail} zone={context} />
      ),
    cause: (_, { link }) => [link('/system/maintenance'), 'Maintenance'],
  },
  SNOOZED: {
    short: 'snoozed',
    words: ({ suppressedBy, detail }, context) =>
      suppressedBy?.snooze ? (
        <>
          snoozed until <Time at={suppressedBy.snooze.until} zone={context} short />
          {suppressedBy.snooze.reason && (
            <>
              : <Name text={suppressedBy.snooze.reason} />
            </>
          )}
        </>
      ) : (
        <Prose text={detail} zone={context} />
      ),
    cause: ({ suppressedBy }, { link }) => [
      `${link('/snoozes')}#${suppressedBy?.snooze ? `snooze-${suppressedBy.snooze.id}` : ''}`,
      'Snooze',
    ],
  },
  GROUPED: {
    short: 'grouped',
    words: ({ suppressedBy, detail }, context) =>
      suppressedBy?.group ? (
        <>
          part of the alert about <Name text={suppressedBy.group.taskName} />, which failed first
        </>
      ) : (
        <Prose text={detail} zone={context} />
      ),
    cause: ({ suppressedBy, eventId }, { link }) => [
      link(`/events/${suppressedBy?.group?.eventId ?? eventId}`),
      'First event of the group',
    ],
  },
  RETRY_PENDING: {
    short: 'retry first',
    words: ({ suppressedBy, detail }, context) =>
      suppressedBy?.retry ? (
        <>
          retry {suppressedBy.retry.attempt} of {suppressedBy.retry.max} comes first, at{' '}
          <Time at={suppressedBy.retry.at} zone={context} short seconds />
        </>
      ) : (
        <Prose text={detail} zone={context} />
      ),
    cause: ({ suppressedBy, eventId }, { link }) => {
      const execution = suppressedBy?.retry?.executionId
      return execution
        ? [link(`/executions/${encodeURIComponent(execution)}`), 'Run of the retry']
        : [link(`/events/${eventId}`), 'Retry not started yet']
    },
  },
  SHADOW_MODE: {
    short: 'shadow mode',
    words: () => 'Footman runs in shadow mode: recorded, not sent',
    cause: (_, { link }) => [link('/system/config'), 'Configuration'],
  },
  EXPIRED: { short: 'too late', words: said('it could not be delivered in time'), cause: toDestination },
  REJECTED: { short: 'rejected, not tried again', words: said('the receiver refused it'), cause: toDestination },
  RENDER_FAILED: { short: 'message could not be made', words: said('its template failed'), cause: toRoute },
  DESTINATION_REMOVED: {
    short: 'destination removed',
    words: said('it is not in the configuration any more'),
    cause: (_, { link }) => [link('/destinations'), 'Destinations'],
  },
  CANCELLED: {
    short: 'cancelled',
    words: said('it was called off'),
    cause: ({ id }, { link }) => [link('/system/audit', { target: id }), 'Audit'],
  },
}

/** `RATE_LIMITED` as `rate limit`. */
export const reasonWord = (reason: string): string =>
  Object.hasOwn(REASONS, reason) ? REASONS[reason as keyof typeof REASONS].short : reason

/** Why it was not delivered, with the numbers behind it and a link to the cause; nothing for a delivery without a reason. */
export const ReasonText: FC<{ readonly delivery: Delivery; readonly context: PageContext }> = ({
  delivery,
  context,
}) => {
  const { reason } = delivery
  if (reason === null) return null
  const { short, words, cause } = REASONS[reason]
  const [href, text] = cause(delivery, context)
  return (
    <span data-reason={reason}>
      {short}: {words(delivery, context)} · <a href={href}>{text}</a>
    </span>
  )
}
