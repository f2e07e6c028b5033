/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Calendars and windows: what they are in words, their next days and periods, and a calendar as a year at a glance. */
import type { Child } from 'hono/jsx'
import {
  CALENDAR_DAYS,
  type CalendarDays,
  SETTING_TESTS,
  type Setting,
  type SettingTest,
  type SettingTestOf,
} from '../../../settings/contract.ts'
import type { Asked } from '../../ask.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { type Column, Empty, Head, Panel, part, Table } from '../../ui/panel.tsx'
import { calendarText, windowText } from '../../ui/setting-words.ts'
import {
  askSettings,
  NewSetting,
  SettingButtons,
  type SettingList,
  SettingState,
  Source,
  UsedBy,
  usedSetting,
  whyNot,
} from '../../ui/settings.tsx'
import { Name, Time } from '../../ui/text.tsx'
import { ViewChoice } from './list.tsx'
import { dateText, todayIn, YearView } from './year.tsx'

export const TIMES = '/schedules/calendars'

export const timesPage: Page = {
  path: TIMES,
  place: 'schedules',
  scope: 'setting:read',
  async render(context) {
    const [calendars, windows, days, periods] = await Promise.all([
      askSettings(context, 'calendar'),
      askSettings(context, 'window'),
      context.ask(SETTING_TESTS, { query: { kind: 'calendar' } }),
      context.ask(SETTING_TESTS, { query: { kind: 'window' } }),
    ])
    const year = await yearOf(context, calendars)
    const locked = calendars.ok ? calendars.data.locked : null
    return {
      title: 'Calendars and windows',
      ...(calendars.ok ? {} : { status: calendars.status }),
      body: (
        <>
          <Head title="Calendars and windows" crumbs={[{ href: context.link('/schedules'), text: 'Schedules' }]}>
            <ViewChoice context={context} />
            <ActionLink
              context={context}
              operation="calendar.fill"
              scope="setting:write"
              values={{}}
              off={locked}
              class=""
              harmless
            >
              Calendar from a file…
            </ActionLink>
            <NewSetting context={context} kind="calendar" locked={locked} text="New calendar" />
            <NewSetting context={context} kind="window" locked={locked} text="New window" />
          </Head>
          <div class="stack">
            <p class="sub">
              A calendar is a set of days, such as holidays. A window is a time of day on some days. Schedules, rules
              and maintenance name them.
            </p>
            {part(calendars, (list) => (
              <List
                context={context}
                id="calendars"
                title="Calendars"
                list={list}
                found={foundIn(days)}
                columns={calendarColumns(context)}
                next={nextDays(context)}
              />
            ))}
            {year && (
              <YearView context={context} setting={year.setting} off={year.off} answer={year.answer} year={year.year} />
            )}
            {part(windows, (list) => (
              <List
                context={context}
                id="windows"
                title="Windows"
                list={list}
                found={foundIn(periods)}
                columns={windowColumns(context)}
                next={nextPeriods(context)}
              />
            ))}
          </div>
        </>
      ),
    }
  },
}

type Found = ReadonlyMap<string, SettingTest>

const foundIn = (
  answer: Asked<{ readonly tests: readonly { readonly name: string; readonly found: SettingTest }[] }>,
) => new Map(answer.ok ? answer.data.tests.map(({ name, found }) => [name, found] as const) : [])

interface ListProps {
  readonly context: PageContext
  readonly id: string
  readonly title: string
  readonly list: SettingList
  readonly found: Found
  readonly columns: readonly Column<Setting>[]
  readonly next: (test: SettingTest) => Child
}

const List = ({ context, id, title, list, found, columns, next }: ListProps) =>
  list.settings.length === 0 ? (
    <Empty title={`There are no ${title.toLowerCase()} yet`} icon="planned" />
  ) : (
    <Panel id={id} title={title} count={list.settings.length}>
      <Table
        context={context}
        part={id}
        caption={`${title}, those of the file first`}
        rows={list.settings}
        keyOf={({ source, name }) => `${source}/${name}`}
        columns={[
          ...columns,
          {
            head: 'Next',
            cell: ({ name, state }) => {
              const test = state === 'used' ? found.get(name) : undefined
              return test === undefined ? <span class="muted">–</span> : next(test)
            },
          },
          { head: 'Used by', cell: (setting) => <UsedBy context={context} setting={setting} /> },
          { head: 'From', cell: (setting) => <Source setting={setting} /> },
          {
            head: '',
            cell: (setting) => <SettingButtons context={context} setting={setting} locked={list.locked} />,
          },
        ]}
      />
    </Panel>
  )

const calendarColumns = (context: PageContext): readonly Column<Setting>[] => [
  {
    head: 'Calendar',
    sort: ({ name }) => name,
    cell: (setting) => (
      <>
        {setting.state === 'used' ? (
          <a href={`${context.here({ calendar: setting.name })}#year`}>
            <Name text={setting.name} />
          </a>
        ) : (
          <Name text={setting.name} />
        )}{' '}
        <SettingState setting={setting} />
      </>
    ),
  },
  { head: 'Days', cell: ({ value }) => <Name text={calendarText(value)} /> },
]

const windowColumns = (context: PageContext): readonly Column<Setting>[] => [
  {
    head: 'Window',
    sort: ({ name }) => name,
    cell: (setting) => (
      <>
        <Name text={setting.name} /> <SettingState setting={setting} />
      </>
    ),
  },
  { head: 'Times', cell: ({ value }) => <Name text={windowText(value, context)} /> },
]

/** Number of the next ones that are not folded. */
const SHOWN = 3

const folded = (lines: readonly Child[], none: string, troubles: readonly string[]): Child => (
  <>
    {lines.length === 0 && <span class="muted">{none}</span>}
    {lines.slice(0, SHOWN).map((line) => (
      <p>{line}</p>
    ))}
    {lines.length > SHOWN && (
      <details>
        <summary class="small">{lines.length - SHOWN} more</summary>
        {lines.slice(SHOWN).map((line) => (
          <p>{line}</p>
        ))}
      </details>
    )}
    {troubles.map((trouble) => (
      <p class="warn">
        <Name text={trouble} />
      </p>
    ))}
  </>
)

const nextDays =
  ({ now }: PageContext) =>
  (test: SettingTest): Child => {
    const { days, troubles } = test as SettingTestOf<'calendar'>
    return folded(
      days.map((day) => dateText(day, now)),
      'none within ten years',
      troubles,
    )
  }

const nextPeriods =
  (context: PageContext) =>
  (test: SettingTest): Child => {
    const { periods, troubles } = test as SettingTestOf<'window'>
    const lines = periods.map(({ from, to }) => {
      const isOneDay = to.slice(0, 10) === from.slice(0, 10)
      return (
        <>
          {Date.parse(from) <= context.now && 'now, '}
          <Time at={from} zone={context} seconds={false} weekday bare /> to{' '}
          <Time at={to} zone={context} seconds={false} weekday={!isOneDay} clock={isOneDay} bare />
        </>
      )
    })
    return folded(lines, 'none within two years', troubles)
  }

interface ShownYear {
  readonly setting: Setting
  readonly off: string | null
  readonly year: number
  readonly answer: Asked<CalendarDays>
}

/** The year of the calendar that the address names, else of the first. */
async function yearOf(context: PageContext, calendars: Asked<SettingList>): Promise<ShownYear | null> {
  if (!calendars.ok) return null
  const { settings, locked } = calendars.data
  const wanted = context.query.get('calendar')
  const setting = wanted === null ? settings.find(({ state }) => state === 'used') : usedSetting(settings, wanted)
  if (!setting) return null
  const [given = todayIn(context).slice(0, 4)] =
    /^(?:19[7-9]\d|20\d\d|21\d\d)$/.exec(context.query.get('year') ?? '') ?? []
  const year = Number(given)
  const answer = await context.ask(CALENDAR_DAYS, { params: { name: setting.name }, query: { year } })
  return { setting, year, answer, off: whyNot(context, locked, 'calendar', setting.name, setting.value) }
}
