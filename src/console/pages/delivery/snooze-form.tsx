/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Setting and lifting of snoozes, with a preview of what one would hold back. */
import {
  LIFT_SNOOZE,
  type Match,
  match,
  type NewSnooze,
  SET_SNOOZE,
  type SnoozeBody,
} from '../../../alerts/contract.ts'
import { DELIVERIES_SUMMARY, EVENT, type EventDetail } from '../../../alerts/history/contract.ts'
import { parseOutsideJson } from '../../../platform/json.ts'
import { once } from '../../../platform/once.ts'
import { callOf, type Fields, NoPreview, type Operation } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { type Choices, Fields as FormFields } from '../../schema-form/controls.tsx'
import { givenMembers, isMembers } from '../../schema-form/fields.ts'
import { formOf } from '../../schema-form/of-schema.ts'
import { counted, Name, zonedText } from '../../ui/text.tsx'

export const matchFields = once(() => formOf(match()).fields)
const fields = once(() => formOf(SET_SNOOZE.body().omit({ match: true })).fields)

const DEFAULT_LENGTH = '2h'

/** No conditions, which the API refuses, where it is no match. */
function givenMatch(text: string): Match {
  try {
    const given = parseOutsideJson(text)
    return isMembers(given) ? given : {}
  } catch {
    return {}
  }
}

/** The conditions: JSON as it was given before (undo), or the fields of the form. */
function matchOf({ get, form }: Fields): Match {
  if (get('match')) return givenMatch(get('match'))
  const given = Object.entries(givenMembers(matchFields(), form)).map(([name, value]) => [name, String(value).trim()])
  return { ...Object.fromEntries(given), ...(get('type') && { type: [get('type')] }) }
}

/** The members as the form gives them; the API says which of them are wrong. */
function bodyOf(given: Fields): SnoozeBody {
  const { for: length = DEFAULT_LENGTH, ...others } = givenMembers(fields(), given.form)
  const until = given.get('until')
  return { match: matchOf(given), ...(until ? { until } : { for: String(length) }), ...others }
}

export const setSnooze: Operation = {
  scope: 'event:run',
  verb: 'Snooze',
  call: (given) => callOf(SET_SNOOZE, { body: bodyOf(given) }),
  // Without any condition the first field is the one to fill in.
  fieldOf: { match: 'taskId', until: 'for' },
  async dialog(given, context) {
    const [event, type] = [given.get('event'), given.get('type')]
    const [facts, preview] = await Promise.all([
      event ? context.ask(EVENT, { params: { id: event } }) : null,
      previewOf(context, given),
    ])
    const choices = facts?.ok ? knownOf(facts.data) : {}
    const shown = { for: DEFAULT_LENGTH, ...givenMembers(fields(), given.form) }
    return (
      <>
        {event && <input type="hidden" name="event" value={event} />}
        {type && <input type="hidden" name="type" value={type} />}
        <p>
          Messages to people about what matches all of these are held back until the snooze ends. Records, such as those
          in databases, go on.
        </p>
        <FormFields
          form={{ definition: givenMembers(matchFields(), given.form), choices, prefix: '' }}
          fields={matchFields()}
        />
        <FormFields form={{ definition: shown, choices, prefix: '' }} fields={fields()} />
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
function knownOf({ taskName, appName, host, record }: EventDetail): Choices {
  const known = { task: taskName, app: appName, host, stream: record.appStreamName, message: record.logMessage }
  return Object.fromEntries(
    Object.entries(known).map(([name, value]) => [name, value ? [{ id: value, name: value }] : []]),
  )
}

/** How many alerts of the last day it would have held back; nothing while no condition is given. */
async function previewOf({ ask }: PageContext, given: Fields) {
  const { reason: _, ...body } = bodyOf(given)
  if (Object.keys(body.match).length === 0) return null
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
