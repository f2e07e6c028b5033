/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Setting and lifting of snoozes, with a preview of what one would hold back. */
import type { FC } from 'hono/jsx'
import {
  LIFT_SNOOZE,
  type Match,
  match,
  type NewSnooze,
  SET_SNOOZE,
  type SnoozeBody,
} from '../../../alerts/contract.ts'
import { DELIVERIES_SUMMARY, EVENT } from '../../../alerts/history/contract.ts'
import { matchText } from '../../../alerts/match-text.ts'
import { parseOutsideJson } from '../../../platform/json.ts'
import { once } from '../../../platform/once.ts'
import { isGuid } from '../../../platform/uuid.ts'
import { createZoneTimes } from '../../../platform/zone-times.ts'
import { TASK } from '../../../tasks/overview/contract.ts'
import { QLIK_MS } from '../../ask.ts'
import { callOf, type Fields, hiddenOf, NoPreview, type Operation } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { type Choices, Fields as FormFields } from '../../schema-form/controls.tsx'
import { givenMembers, isMembers } from '../../schema-form/fields.ts'
import { formOf } from '../../schema-form/of-schema.ts'
import { type Chip, Chips, TextField } from '../../ui/forms.tsx'
import { counted, Name, wallText, zonedText } from '../../ui/text.tsx'
import { endsOf, ONE_HOUR, SUCCESS } from './snooze-ends.ts'

export const matchFields = once(() => formOf(match()).fields)
const fields = once(() => formOf(SET_SNOOZE.body().omit({ match: true })).fields)

/** No conditions, which the API refuses, where it is no match. */
function givenMatch(text: string): Match {
  try {
    const given = parseOutsideJson(text)
    return isMembers(given) ? given : {}
  } catch {
    return {}
  }
}

/** The conditions: JSON as it was given before (undo), or the chosen scope with the fields of the form. */
function matchOf({ get, form }: Fields): Match {
  if (get('match')) return givenMatch(get('match'))
  const given = Object.entries(givenMembers(matchFields(), form)).map(([name, value]) => [name, String(value).trim()])
  return { ...givenMatch(get('scope')), ...Object.fromEntries(given), ...(get('type') && { type: [get('type')] }) }
}

/** The end: that of a chip, a date on the clock of the site, or an hour. */
function endOf({ get }: Fields): Pick<SnoozeBody, 'for' | 'until' | 'untilSuccess'> {
  const [word = '', at] = get('when').split(' ')
  if (word === SUCCESS.value) return { untilSuccess: true }
  if (at) return { until: at }
  if (word === DATE || (word === '' && get('until'))) {
    return { until: get('until'), ...(get('untilSuccess') && { untilSuccess: true }) }
  }
  return { for: get('for') || ONE_HOUR.value }
}

/** The members as the form gives them; the API says which of them are wrong. */
const bodyOf = (given: Fields): SnoozeBody => ({
  match: matchOf(given),
  ...endOf(given),
  ...givenMembers(fields(), given.form),
})

export const setSnooze: Operation = {
  scope: 'event:run',
  verb: 'Snooze',
  call: (given) => callOf(SET_SNOOZE, { body: bodyOf(given) }),
  // Without any condition the first field is the one to fill in.
  fieldOf: { match: 'taskId', for: 'when', until: 'when', untilSuccess: 'when' },
  async dialog(given, context) {
    const { get, form } = given
    const [subject, preview] = await Promise.all([subjectOf(given, context), previewOf(context, given)])
    const scopes = scopesOf(subject)
    // The thing that a scope stands for is no further condition.
    const isKept = Object.keys(givenMatch(get('match'))).length > 0
    const isNew = get('scope') === '' && get('match') === ''
    const further = isNew && scopes.length > 0 ? new URLSearchParams() : form
    const conditions = { definition: givenMembers(matchFields(), further), choices: knownOf(subject), prefix: '' }
    const chosen = get('scope') || scopes[0]?.value
    const isOpen = scopes.length === 0 || chosen === OTHER || Object.keys(conditions.definition).length > 0
    return (
      <>
        {hiddenOf(
          [
            ['event', get('event')],
            ['about', subject?.taskId ?? ''],
            ['type', get('type')],
            ['match', isKept ? get('match') : ''],
            ['untilSuccess', get('untilSuccess')],
          ].filter(([, value]) => value !== '') as [string, string][],
        )}
        <p>
          Messages to people about what matches are held back until the snooze ends. Records, such as those in
          databases, go on.
        </p>
        {isKept ? (
          <p>
            <Name text={matchText(givenMatch(get('match')))} />
          </p>
        ) : (
          <>
            {scopes.length > 0 && (
              <Chips
                name="scope"
                legend="About"
                chosen={chosen}
                chips={[...scopes, { value: OTHER, text: 'something else, see More' }]}
              />
            )}
            <details class="wide entry" open={isOpen || undefined}>
              <summary>{scopes.length > 0 ? 'More' : 'About'}</summary>
              <FormFields form={conditions} fields={matchFields()} />
            </details>
          </>
        )}
        <Ends context={context} given={given} hasTask={subject?.taskId != null} />
        <FormFields form={{ definition: givenMembers(fields(), form), choices: {}, prefix: '' }} fields={fields()} />
        {preview}
        <button type="submit" name="preview" value="1" class="btn" formnovalidate>
          What would it hold back?
        </button>
      </>
    )
  },
  done(answer, _, context) {
    const { until, untilSuccess } = answer as NewSnooze
    return `Snoozed until ${untilSuccess ? 'it succeeds, at the latest ' : ''}${zonedText(Date.parse(until), context)}.`
  },
}

/** Value of the chip of a date that is typed. */
const DATE = 'date'

interface EndsProps {
  readonly context: PageContext
  readonly given: Fields
  /** A snooze of one task may end with its success. */
  readonly hasTask: boolean
}

/** The chips of the end, and the date. Times of chips are those of now; a time that was given is a date. */
const Ends: FC<EndsProps> = ({ context, given: { get }, hasTask }) => {
  const { now, settings, timezone } = context
  const ends = endsOf(now, settings)
  const [word] = get('when').split(' ')
  const chips = [ONE_HOUR, ...ends, ...(hasTask ? [SUCCESS] : []), { value: DATE, text: 'a date' }]
  const chosen = word ? chips.find(({ value }) => value.split(' ')[0] === word)?.value : get('until') && DATE
  return (
    <>
      <Chips name="when" legend="How long" chosen={chosen || ONE_HOUR.value} chips={chips} />
      <TextField
        name="until"
        label={`Date and time (${timezone})`}
        type="datetime-local"
        value={shownUntil(get('until'), timezone)}
        class="when-date"
      />
    </>
  )
}

/** On the clock of the site, on which a text without a zone is; '' for what is no time. */
function shownUntil(text: string, timezone: string): string {
  const at = createZoneTimes(timezone).instant(text)
  return at === null ? '' : wallText(at, timezone)
}

/** The thing whose messages are to rest. */
interface Subject {
  readonly taskId: string | null
  readonly taskName: string | null
  readonly appName: string | null
  readonly stream: string | null
  /** The subject of an event. */
  readonly host?: string | null
  readonly message?: string | null
}

/** The subject of the event, or of the task. */
async function subjectOf({ get }: Fields, { ask }: PageContext): Promise<Subject | null> {
  const event = get('event')
  if (event) {
    const answer = await ask(EVENT, { params: { id: event } })
    if (!answer.ok) return null
    const { taskId, taskName, appName, host, type, record } = answer.data
    const { appStreamName: stream, logMessage: message } = record
    // Tasks of Qlik Cloud have other ids.
    return { taskId: type === 'cloudReload' ? null : taskId, taskName, appName, stream, host, message }
  }
  const id = get('about') || get('taskId')
  if (!isGuid(id)) return null
  const answer = await ask(TASK, { params: { taskId: id }, withinMs: QLIK_MS })
  if (!answer.ok) return { taskId: id, taskName: null, appName: null, stream: null }
  const { taskName, appName, stream } = answer.data
  return { taskId: id, taskName, appName, stream }
}

/** The value of a scope is the match that it stands for. */
const OTHER = '{}'

function scopesOf(subject: Subject | null): readonly Chip[] {
  if (!subject) return []
  const { taskId, taskName, appName, stream } = subject
  const scopes = [
    ['task', { taskId: [taskId] }, taskId, taskName],
    ['app', { app: [appName] }, appName, appName],
    ['stream', { stream: [stream] }, stream, stream],
  ] as const
  return scopes.flatMap(([kind, scope, isKnown, name]) =>
    isKnown ? { value: JSON.stringify(scope), text: `this ${kind}`, detail: name } : [],
  )
}

/** Values of the event, for the fields to choose. */
const knownOf = (subject: Subject | null): Choices =>
  subject?.message ? { message: [{ id: subject.message, name: subject.message }] } : {}

/** How many alerts of the last day it would have held back; nothing while no condition is given. */
async function previewOf({ ask }: PageContext, given: Fields) {
  // A length that the API takes: it says nothing about the past.
  const body = { match: matchOf(given), for: ONE_HOUR.value }
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
      ...(fields.get('untilSuccess') && { untilSuccess: '1' }),
    })}`,
}
