/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** A calendar as a year at a glance: twelve small months, whose days a click adds and removes, and the days as a list. */
import { type Day, dayOf, formatDay, parseDay, weekdayOf } from '../../../platform/calendar.ts'
import { createZone } from '../../../platform/zone.ts'
import type { CalendarDays, Setting } from '../../../settings/contract.ts'
import type { Asked } from '../../ask.ts'
import type { PageContext } from '../../page.ts'
import { ActionLink, FormFields } from '../../ui/forms.tsx'
import { Icon } from '../../ui/marks.tsx'
import { ErrorBox, Panel } from '../../ui/panel.tsx'
import { listed, membersOf, weekdaysText } from '../../ui/setting-words.ts'
import { counted, Name, weekdayText } from '../../ui/text.tsx'

interface YearProps {
  readonly context: PageContext
  readonly setting: Setting
  /** Why its days cannot be changed; null = they can. */
  readonly off: string | null
  readonly year: number
  readonly answer: Asked<CalendarDays>
}

type Found = CalendarDays['days'][number]

/** `Thu 24 Dec`, of a day without a zone. */
export const dateText = (day: string, now?: number): string => weekdayText(Date.parse(day), 'UTC', now)

/** `2026-11-28`, in the zone of the page. */
export const todayIn = ({ timezone, now }: Pick<PageContext, 'timezone' | 'now'>): string =>
  formatDay(dayOf(createZone(timezone).wall(now)))

const FIRST_YEAR = 1970
const LAST_YEAR = 2199

export const YearView = ({ context, setting, off, year, answer }: YearProps) => {
  const { kind, name, source, value, revision } = setting
  const isEditable = source === 'console' && off === null
  const step = (to: number, icon: 'left' | 'right', label: string) =>
    to >= FIRST_YEAR &&
    to <= LAST_YEAR && (
      <a class="btn s" href={`${context.here({ calendar: name, year: to })}#year`}>
        <Icon name={icon} label={label} />
      </a>
    )
  return (
    <Panel
      id="year"
      title={
        <>
          <Name text={name} /> {year}
        </>
      }
      tools={
        <span class="tools">
          {step(year - 1, 'left', 'The year before')}
          {step(year + 1, 'right', 'The year after')}
          {source === 'console' && (
            <ActionLink
              context={context}
              operation="calendar.fill"
              scope="setting:write"
              values={{ kind, name, revision }}
              off={off}
              harmless
            >
              Add days of a file…
            </ActionLink>
          )}
        </span>
      }
    >
      <div class="body stack">
        {answer.ok ? (
          <>
            <p class="sub">
              {isEditable && 'A click on a day adds or removes it; System > Changes undoes that. '}
              {source === 'file' && 'It stands in the file and is read-only here. '}
              {source === 'console' && off !== null && `${off}. `}
              Filled: a date. Grey: a day of the week. Framed: from a file.
            </p>
            <Months
              context={context}
              year={year}
              found={answer.data.days}
              change={isEditable ? { name, revision, value: JSON.stringify(value), dates: datesOf(value) } : null}
            />
            <DayList value={value} days={answer.data.days} />
          </>
        ) : (
          <ErrorBox failure={answer} />
        )}
      </div>
    </Panel>
  )
}

const datesOf = (value: unknown): ReadonlySet<string> => new Set(listed(membersOf(value).dates))

interface Change {
  readonly name: string
  readonly revision: number | null
  readonly value: string
  readonly dates: ReadonlySet<string>
}

interface MonthsProps {
  readonly context: PageContext
  readonly year: number
  readonly found: readonly Found[]
  readonly change: Change | null
}

const Months = ({ context, year, found, change }: MonthsProps) => {
  const byDay = new Map(found.map((one) => [one.day, one]))
  const today = todayIn(context)
  if (change) context.actions.set('calendar.day', new URLSearchParams({ ...changeFields(change), day: today }))
  return (
    <div class="months">
      {Array.from({ length: 12 }, (_, n) => {
        const id = `month-${n + 1}`
        const month = (
          <table class="month" id={id}>
            <caption>{MONTHS[n]}</caption>
            <thead>
              <tr>
                {WEEKDAY_HEADS.map((head) => (
                  <th scope="col">{head}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {weeksOf(year, n + 1).map((week) => (
                <tr>
                  {week.map((day) =>
                    day === null ? <td /> : <DayCell day={day} found={byDay.get(day)} today={today} change={change} />,
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        )
        if (!change) return month
        return (
          <form method="post" action={`${context.root}/form/calendar.day`} data-action>
            <FormFields
              context={context}
              values={changeFields(change)}
              then={`${context.here({ calendar: change.name, year })}#${id}`}
            />
            {month}
          </form>
        )
      })}
    </div>
  )
}

const changeFields = ({ name, revision, value }: Change) => ({ name, revision: String(revision), value })

interface DayProps {
  readonly day: string
  readonly found: Found | undefined
  readonly today: string
  readonly change: Change | null
}

const DayCell = ({ day, found, today, change }: DayProps) => {
  const isDate = change?.dates.has(day) ?? false
  const why = found ? reasonText(found) : isDate ? 'taken out by another calendar' : null
  const title = why === null ? dateText(day) : `${dateText(day)}: ${why}`
  const look = [found?.from, day === today && 'today'].filter(Boolean).join(' ')
  const text = Number(day.slice(8))
  // Only dates are added and removed here: other days follow from the rest of the calendar.
  const canChange = change !== null && (isDate || found === undefined)
  return (
    <td class={look || undefined}>
      {canChange ? (
        <button type="submit" name="day" value={day} aria-pressed={String(isDate)} title={title}>
          {text}
        </button>
      ) : (
        <span title={title}>{text}</span>
      )}
    </td>
  )
}

const REASONS = { date: 'a date of the calendar', weekday: 'a day of the week', file: 'of its file' } as const

const reasonText = ({ from, name }: Found): string => name ?? REASONS[from]

/** The days as text: each date and day of a file, the days of the week in one line. */
const DayList = ({ value, days }: { readonly value: unknown; readonly days: readonly Found[] }) => {
  const weekly = days.filter(({ from }) => from === 'weekday').length
  const single = days.filter(({ from }) => from !== 'weekday')
  return (
    <div>
      <h3>{counted(days.length, 'day')}</h3>
      {weekly > 0 && (
        <p>
          {weekly} of them: {weekdaysText(membersOf(value).days)}
        </p>
      )}
      <ul class="days">
        {single.map((one) => (
          <li>
            {dateText(one.day)}{' '}
            {one.name !== null && (
              <span class="muted">
                <Name text={one.name} />
              </span>
            )}
          </li>
        ))}
      </ul>
    </div>
  )
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
const WEEKDAY_HEADS = ['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su']

const firstOf = (year: number, month: number): Day => parseDay(`${year}-${String(month).padStart(2, '0')}-01`)!

/** The weeks of a month from Monday on; null = a day of another month. */
export function weeksOf(year: number, month: number): (string | null)[][] {
  const first = firstOf(year, month)
  const length = (month === 12 ? firstOf(year + 1, 1) : firstOf(year, month + 1)) - first
  const before = weekdayOf(first)
  const weeks = Math.ceil((before + length) / 7)
  const dayAt = (n: number): Day | null => (n < before || n >= before + length ? null : first + n - before)
  return Array.from({ length: weeks }, (_, week) =>
    Array.from({ length: 7 }, (_, n) => {
      const day = dayAt(week * 7 + n)
      return day === null ? null : formatDay(day)
    }),
  )
}
