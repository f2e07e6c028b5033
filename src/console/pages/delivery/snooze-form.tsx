/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Setting and lifting of snoozes, with a preview of what one would hold back. */
import { LIFT_SNOOZE, type Match, type NewSnooze, SET_SNOOZE } from '../../../alerts/contract.ts'
import { DELIVERIES_SUMMARY, EVENT, type EventDetail } from '../../../alerts/history/contract.ts'
import { refusal } from '../../../http/errors.ts'
import { parseOutsideJson } from '../../../platform/json.ts'
import { callOf, type Fields, NoPreview, type Operation } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { FieldError, TextField } from '../../ui/forms.tsx'
import { counted, Name, zonedText } from '../../ui/text.tsx'

/** Fields of a match that the form offers. */
const MATCHED = [
  ['taskId', 'Task id'],
  ['task', 'Task'],
  ['app', 'App'],
  ['stream', 'Stream'],
  ['host', 'Node'],
  ['message', 'Message'],
] as const

const LENGTHS = [
  ['1h', '1 hour'],
  ['2h', '2 hours'],
  ['4h', '4 hours'],
  ['8h', '8 hours'],
  ['12h', '12 hours'],
  ['24h', '1 day'],
  ['3d', '3 days'],
  ['7d', '7 days'],
] as const

const DEFAULT_LENGTH = '2h'

function givenMatch(text: string): Match {
  try {
    return parseOutsideJson(text) as Match
  } catch {
    throw refusal('VALIDATION', 'This form is not complete. Open the list of snoozes again.')
  }
}

/** The conditions: JSON as it was given before (undo), or the fields of the form. */
function matchOf(fields: Fields): Match {
  if (fields.get('match')) return givenMatch(fields.get('match'))
  const given = [...MATCHED.map(([name]) => name), 'type'].flatMap((name) => {
    const value = fields.get(name).trim()
    return value === '' ? [] : [[name, name === 'message' ? value : [value]] as const]
  })
  return Object.fromEntries(given)
}

const timeOf = (fields: Fields) =>
  fields.get('until') ? { until: fields.get('until') } : { for: fields.get('for') || DEFAULT_LENGTH }

export const setSnooze: Operation = {
  scope: 'event:run',
  verb: 'Snooze',
  call: (fields) =>
    callOf(SET_SNOOZE, {
      body: {
        match: matchOf(fields),
        ...timeOf(fields),
        ...(fields.get('reason') && { reason: fields.get('reason') }),
      },
    }),
  // Without any condition the first field is the one to fill in.
  fieldOf: { match: 'taskId', until: 'for' },
  async dialog(fields, context) {
    const event = fields.get('event')
    const [facts, preview] = await Promise.all([
      event ? context.ask(EVENT, { params: { id: event } }) : null,
      previewOf(context, fields),
    ])
    return (
      <>
        {event && <input type="hidden" name="event" value={event} />}
        {fields.get('type') && <input type="hidden" name="type" value={fields.get('type')} />}
        <p>
          Messages to people about what matches all of these are held back until the snooze ends. Records, such as those
          in databases, go on.
        </p>
        {MATCHED.map(([name, label]) => (
          <TextField name={name} label={label} value={fields.get(name)} list={`known-${name}`} />
        ))}
        {facts?.ok && <Known facts={facts.data} />}
        <label class="field">
          <span>For</span>
          <select name="for">
            {LENGTHS.map(([value, text]) => (
              <option value={value} selected={value === (fields.get('for') || DEFAULT_LENGTH)}>
                {text}
              </option>
            ))}
          </select>
          <FieldError name="for" />
        </label>
        <TextField name="reason" label="Reason" value={fields.get('reason')} maxlength={500} />
        {preview}
        <button type="submit" name="preview" value="1" class="btn" formnovalidate>
          What would it hold back?
        </button>
      </>
    )
  },
  done: (answer, _, context) => `Snoozed until ${zonedText(Date.parse((answer as NewSnooze).until), context)}.`,
}

/** Values of the event, for the fields to choose. */
const Known = ({ facts: { taskName, appName, host, record } }: { readonly facts: EventDetail }) => {
  const known = { task: taskName, app: appName, host, stream: record.appStreamName, message: record.logMessage }
  return (
    <>
      {Object.entries(known).map(
        ([name, value]) =>
          value && (
            <datalist id={`known-${name}`}>
              <option value={value} />
            </datalist>
          ),
      )}
    </>
  )
}

/** How many alerts of the last day it would have held back; nothing while no condition is given. */
async function previewOf({ ask }: PageContext, fields: Fields) {
  const match = matchOf(fields)
  if (Object.keys(match).length === 0) return null
  const body = { match, ...timeOf(fields) }
  const [held, all] = await Promise.all([
    ask(SET_SNOOZE, { query: { dryRun: true, over: '24h' }, body }),
    ask(DELIVERIES_SUMMARY, { query: { kind: 'alert', from: '24h' } }),
  ])
  const total = all.ok
    ? Object.entries(all.data.states).reduce((sum, [state, n]) => (state === 'suppressed' ? sum : sum + n), 0)
    : null
  if (!held.ok) return <NoPreview failure={held} />
  if (!('wouldHaveHeld' in held.data)) return null
  const { wouldHaveHeld, tasks, partial } = held.data
  return (
    <section aria-label="Preview" data-preview>
      <p>
        It would hold back <b>{wouldHaveHeld}</b>
        {total !== null && ` of the ${total} alerts`} of the last 24 h{partial && ', as far as was looked at'}.
      </p>
      {tasks.length > 0 && (
        <ul class="small">
          {tasks.slice(0, 10).map(({ taskName, count }) => (
            <li>
              <Name text={taskName} />: {counted(count, 'alert')}
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

export const liftSnooze: Operation = {
  scope: 'event:run',
  verb: 'Lift',
  call: (fields) => callOf(LIFT_SNOOZE, { params: { id: fields.get('id') } }),
  done: () => 'The snooze is lifted: alerts are sent again.',
  next: (_, fields) =>
    `/snoozes?${new URLSearchParams({
      lifted: fields.get('match'),
      until: fields.get('until'),
      reason: fields.get('reason'),
    })}`,
}
