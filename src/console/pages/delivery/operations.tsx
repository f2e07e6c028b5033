/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Actions about deliveries: send again, the failed ones together, call off, and a test of a destination. */
import { EVENT_TYPES } from '../../../events/kinds.ts'
import type { Fields, Operation, Operations } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { TextField } from '../../ui/forms.tsx'
import { part, Table } from '../../ui/panel.tsx'
import { counted, Name, Time } from '../../ui/text.tsx'
import { type Made, madeText, previewOf } from '../events/operations.tsx'
import { TYPE_WORDS } from '../events/words.ts'
import { explainRoutes } from './routes.tsx'
import { liftSnooze, setSnooze } from './snooze-form.tsx'

const one = (fields: Fields, action: string) => `/v4/deliveries/${encodeURIComponent(fields.get('id'))}/${action}`

const resend: Operation = {
  scope: 'event:run',
  verb: 'Send again',
  call: (fields) => ({ method: 'POST', path: one(fields, 'resend') }),
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
  call: (fields) => ({ method: 'POST', path: one(fields, 'cancel') }),
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

interface DeadSummary {
  readonly states: { readonly dead: number }
  readonly destinations: readonly { readonly name: string; readonly dead: number; readonly oldestDead: string | null }[]
  readonly partial: boolean
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
  ask.get<DeadSummary>('/v4/deliveries/summary', { ...deadFilter(fields), state: 'dead' })

/** Above it the number has to be typed. */
const MANY = 20

const resendDead: Operation = {
  scope: 'event:run',
  verb: 'Send failed deliveries again',
  call: (fields) => ({ method: 'POST', path: '/v4/deliveries/-/resend', body: deadFilter(fields) }),
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
    `${counted((answer as { resent: number }).resent, 'delivery is', 'deliveries are')} under way again.`,
}

const OUTCOMES = ['failed', 'aborted', 'success'] as const

const test: Operation = {
  scope: 'event:run',
  verb: 'Send test',
  call: (fields) => ({
    method: 'POST',
    path: `/v4/destinations/${encodeURIComponent(fields.get('name'))}/test`,
    body: fields.get('eventId')
      ? { eventId: fields.get('eventId') }
      : { type: fields.get('type') || 'reload', outcome: fields.get('outcome') || 'failed' },
  }),
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
          EVENT_TYPES.filter((type) => type !== 'self').map((type) => [type, TYPE_WORDS[type] ?? type]),
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
        {await previewOf(context, test.call(fields))}
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
  'snooze.set': setSnooze,
  'snooze.lift': liftSnooze,
  'routes.explain': explainRoutes,
}
