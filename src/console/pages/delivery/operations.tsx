/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Actions about deliveries: send again, the failed ones together, call off, and a test of a destination. */
import {
  CANCEL_DELIVERY,
  DELIVERIES_SUMMARY,
  type EventItem,
  type Made,
  RESEND_DEAD_LETTERS,
  RESEND_DELIVERY,
  TEST_DESTINATION,
} from '../../../alerts/history/contract.ts'
import { EVENT_TYPES } from '../../../events/kinds.ts'
import type { AnswerOf } from '../../../http/endpoint/contract.ts'
import { callOf, type Fields, type Operation, type Operations } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { TextField } from '../../ui/forms.tsx'
import { part, Table } from '../../ui/panel.tsx'
import { counted, Name, Time } from '../../ui/text.tsx'
import { madeText, previewOf } from '../events/operations.tsx'
import { TYPE_WORDS } from '../events/words.ts'
import { changeRule, explainRoutes } from './routes.tsx'
import { liftSnooze, setSnooze } from './snooze-form.tsx'

const resend: Operation = {
  scope: 'event:run',
  verb: 'Send again',
  call: (fields) => callOf(RESEND_DELIVERY, { params: { id: fields.get('id') } }),
  dialog: (fields) => (
    <>
      <input type="hidden" name="id" value={fields.get('id')} />
      <input type="hidden" name="destination" value={fields.get('destination')} />
      <p>
        This message was delivered to{' '}
        <b>
          <Name text={fields.get('destination')} />
        </b>
        . It is sent once more.
      </p>
    </>
  ),
  done: (_, fields) =>
    `Sent again${fields.get('destination') ? ` to ${fields.get('destination')}` : ''}: it is under way.`,
}

const cancel: Operation = {
  scope: 'event:run',
  verb: 'Cancel the delivery',
  call: (fields) => callOf(CANCEL_DELIVERY, { params: { id: fields.get('id') } }),
  dialog: (fields) => (
    <>
      <input type="hidden" name="id" value={fields.get('id')} />
      <p>
        The message to{' '}
        <b>
          <Name text={fields.get('destination')} />
        </b>{' '}
        is not going to be sent. It can be sent again later.
      </p>
    </>
  ),
  done: () => 'The delivery is cancelled.',
}

/** Without a time: as far back as deliveries are kept as a rule. */
const FAR = '365d'

/** The selection: ids, or everything of a filter. */
const deadFilter = (fields: Fields) => ({
  ...(fields.all('id').length > 0 && { id: fields.all('id') }),
  ...(fields.all('destination').length > 0 && { destination: fields.all('destination') }),
  ...(fields.all('reason').length > 0 && { reason: fields.all('reason') }),
  from: fields.get('from') || FAR,
  ...(fields.get('to') && { to: fields.get('to') }),
})

const deadSummary = ({ ask }: PageContext, fields: Fields) =>
  ask(DELIVERIES_SUMMARY, { query: { ...deadFilter(fields), state: 'dead' } })

/** Above it the number has to be typed. */
const MANY = 20

const resendDead: Operation = {
  scope: 'event:run',
  verb: 'Send failed deliveries again',
  call: (fields) => callOf(RESEND_DEAD_LETTERS, { body: deadFilter(fields) }),
  async typed(fields, context) {
    const summary = await deadSummary(context, fields)
    return summary.ok && summary.data.states.dead > MANY ? String(summary.data.states.dead) : null
  },
  async dialog(fields, context) {
    const summary = await deadSummary(context, fields)
    return (
      <>
        {['id', 'destination', 'reason', 'from', 'to'].flatMap((name) =>
          fields.all(name).map((value) => <input type="hidden" name={name} value={value} />),
        )}
        {part(summary, ({ states, destinations, partial }) => (
          <>
            <p>
              <b>{counted(states.dead, 'failed delivery', 'failed deliveries')}</b>
              {partial && ' at least'} {states.dead === 1 ? 'is' : 'are'} sent again.
            </p>
            <Table
              caption="Failed deliveries of each destination"
              rows={destinations.filter(({ dead }) => dead > 0)}
              keyOf={({ name }) => name}
              columns={[
                { head: 'Destination', cell: ({ name }) => <Name text={name} /> },
                { head: 'Deliveries', num: true, cell: ({ dead }) => dead },
                { head: 'Oldest', cell: ({ oldestDead }) => <Time at={oldestDead} zone={context} /> },
              ]}
            />
          </>
        ))}
      </>
    )
  },
  done: (answer) =>
    `${counted((answer as AnswerOf<typeof RESEND_DEAD_LETTERS>).resent, 'delivery is', 'deliveries are')} under way again.`,
}

const OUTCOMES = ['failed', 'aborted', 'success'] as const

/** The API refuses words that the form does not offer. */
const testBody = (fields: Fields) =>
  fields.get('eventId')
    ? { eventId: fields.get('eventId') }
    : {
        type: (fields.get('type') || 'reload') as EventItem['type'],
        outcome: (fields.get('outcome') || 'failed') as EventItem['outcome'],
      }

const test: Operation = {
  scope: 'event:run',
  verb: 'Send test',
  call: (fields) => callOf(TEST_DESTINATION, { params: { name: fields.get('name') }, body: testBody(fields) }),
  async dialog(fields, context) {
    const select = (name: string, label: string, values: readonly (readonly [string, string])[]) => (
      <label class="field">
        <span>{label}</span>
        <select name={name}>
          {values.map(([value, text]) => (
            <option value={value} selected={fields.get(name) === value}>
              {text}
            </option>
          ))}
        </select>
      </label>
    )
    return (
      <>
        <input type="hidden" name="name" value={fields.get('name')} />
        <p>
          A message to{' '}
          <b>
            <Name text={fields.get('name')} />
          </b>{' '}
          with <code>[TEST]</code> before its title.
        </p>
        {select(
          'type',
          'About',
          EVENT_TYPES.filter((type) => type !== 'self').map((type) => [type, TYPE_WORDS[type]]),
        )}
        {select(
          'outcome',
          'Outcome',
          OUTCOMES.map((outcome) => [outcome, outcome]),
        )}
        <TextField name="eventId" label="Or a past event" value={fields.get('eventId')} placeholder="event id" />
        <button type="submit" name="preview" value="1" class="btn" formnovalidate>
          Show the message
        </button>
        {previewOf(
          await context.ask(TEST_DESTINATION, {
            params: { name: fields.get('name') },
            body: { ...testBody(fields), dryRun: true },
          }),
        )}
      </>
    )
  },
  done: (answer) => `Test: ${madeText(answer as Made)}`,
  next: (answer) => `/events/${(answer as Made).eventId}`,
}

export const deliveryOperations: Operations = {
  'delivery.resend': resend,
  'delivery.cancel': cancel,
  'deadletters.resend': resendDead,
  'destination.test': test,
  'rule.change': changeRule,
  'snooze.set': setSnooze,
  'snooze.lift': liftSnooze,
  'routes.explain': explainRoutes,
}
