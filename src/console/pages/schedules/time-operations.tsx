/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Actions on the dates of a stored calendar: one by a click, many out of a file. */
import type { Child } from 'hono/jsx'
import { formatDay } from '../../../platform/calendar.ts'
import { readCalendarText } from '../../../platform/calendar-files.ts'
import { errorText } from '../../../platform/errors.ts'
import { SETTING } from '../../../settings/contract.ts'
import { type Fields, hiddenOf, type Operations } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { putSetting, valueIn } from '../../setting-calls.ts'
import { TextField } from '../../ui/forms.tsx'
import { listed, membersOf } from '../../ui/setting-words.ts'
import { counted, Name } from '../../ui/text.tsx'
import { dateText, todayIn } from './year.tsx'

const withDates = (value: unknown, dates: Iterable<string>) => ({ ...membersOf(value), dates: [...dates].sort() })

const datesIn = (value: unknown): Set<string> => new Set(listed(membersOf(value).dates))

/** The value with the day of the pressed button added, or taken out. */
function toggled(fields: Fields): unknown {
  const value = valueIn(fields)
  const dates = datesIn(value)
  const day = fields.get('day')
  if (!dates.delete(day)) dates.add(day)
  return withDates(value, dates)
}

/** Recurring days of a file are taken for so many years. */
const YEARS = 5

/** Days of a file in the years that are taken, or why it has none. */
async function daysOfFile(
  text: string,
  context: Pick<PageContext, 'upload' | 'now' | 'timezone'>,
): Promise<{ readonly days: readonly string[]; readonly warnings: readonly string[] } | { readonly wrong: string }> {
  const first = Number(todayIn(context).slice(0, 4))
  try {
    const { days, warnings } = await readCalendarText(context.upload?.name ?? '.ics', text)
    const taken = [...days].map(formatDay).filter((day) => {
      const year = Number(day.slice(0, 4))
      return year >= first && year < first + YEARS
    })
    if (taken.length === 0) return { wrong: `it has no day from ${first} to ${first + YEARS - 1}` }
    return { days: taken.sort(), warnings }
  } catch (error) {
    return { wrong: errorText(error) }
  }
}

const Chosen = ({ fields, now }: { readonly fields: Fields; readonly now: number }) => {
  const dates = [...datesIn(valueIn(fields))]
  return (
    <>
      {hiddenOf((['name', 'revision', 'value'] as const).map((name) => [name, fields.get(name)] as const))}
      <p>
        The calendar <Name text={fields.get('name')} /> will have {counted(dates.length, 'date')}:
      </p>
      <ul class="days">
        {dates.map((day) => (
          <li>{dateText(day, now)}</li>
        ))}
      </ul>
    </>
  )
}

/** The text of the chosen file, or at the address, or why there is none; null where neither was given. */
async function textIn(
  { get }: Fields,
  { request, readAddress }: PageContext,
): Promise<string | { readonly wrong: string } | null> {
  if (get('text') !== '') return get('text')
  const address = get('address').trim()
  // A link must not make Footman ask another server.
  if (address === '' || request.method !== 'POST' || get('value') !== '') return null
  try {
    return await readAddress(address)
  } catch (error) {
    return { wrong: errorText(error) }
  }
}

async function fillInputs(fields: Fields, context: PageContext): Promise<Child> {
  const { get, form } = fields
  const [name, revision] = [get('name'), get('revision')]
  const text = await textIn(fields, context)
  const found = text === null ? null : typeof text === 'string' ? await daysOfFile(text, context) : text
  if (found && 'days' in found) {
    const before = revision === '' ? null : await context.ask(SETTING, { params: { kind: 'calendar', name } })
    const value = before?.ok ? before.data.value : {}
    form.set('value', JSON.stringify(withDates(value, new Set([...datesIn(value), ...found.days]))))
  }
  const note = get('note')
  if (get('value') !== '') {
    return (
      <>
        {note !== '' && <p>The file {note}.</p>}
        {found &&
          'warnings' in found &&
          found.warnings.map((warning) => (
            <p class="warn">
              <Name text={warning} />
            </p>
          ))}
        <Chosen fields={fields} now={context.now} />
      </>
    )
  }
  return (
    <>
      {found && 'wrong' in found && (
        <p class="bad" role="alert">
          The {get('address') === '' ? 'file' : 'address'} cannot be used: <Name text={found.wrong} />
        </p>
      )}
      {revision === '' ? (
        <TextField name="name" label="Name of the new calendar" value={name} required />
      ) : (
        hiddenOf([
          ['name', name],
          ['revision', revision],
        ])
      )}
      <label class="field">
        <span>File</span>
        <input type="file" name="file" accept=".ics,.csv,.tsv,.txt,.xlsx,.yaml,.yml,text/calendar" />
      </label>
      <TextField name="address" label="or address of an .ics file" value={get('address')} type="url" />
      <p class="sub">
        An iCalendar file, a table with dates in its first column, or a YAML list of dates. Its days of {YEARS} years
        are put into the calendar as dates; the file itself is not kept, nor asked for again. The next step shows them.
        A calendar that follows a file on this computer stands in the configuration file.
      </p>
    </>
  )
}

export const timeOperations: Operations = {
  'calendar.day': {
    scope: 'setting:write',
    verb: 'Change the day',
    call: (fields) =>
      putSetting({
        kind: 'calendar',
        name: fields.get('name'),
        value: toggled(fields),
        revision: fields.get('revision'),
      }),
    done: (_, fields, { now }) => {
      const isIn = datesIn(toggled(fields)).has(fields.get('day'))
      return `${dateText(fields.get('day'), now)} is ${isIn ? 'a day' : 'no day any more'} of ${fields.get('name')}.`
    },
  },
  'calendar.fill': {
    scope: 'setting:write',
    verb: 'Take the days of a file',
    takesFile: true,
    fileFills: 'text',
    call: (fields) =>
      putSetting({
        kind: 'calendar',
        name: fields.get('name'),
        value: valueIn(fields) ?? {},
        revision: fields.get('revision'),
      }),
    dialog: fillInputs,
    isComplete: ({ get }) => get('value') !== '',
    required: ['name'],
    done: (_, fields) =>
      `The calendar ${fields.get('name')} has ${counted(datesIn(valueIn(fields)).size, 'date')} now.`,
    next: (_, { get }) => `/schedules/calendars?calendar=${encodeURIComponent(get('name'))}`,
  },
}
