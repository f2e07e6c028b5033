/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** A week of firings: schedules of Footman, triggers of Qlik Sense, report tasks. */
import { CALENDAR, type Calendar } from '../../../tasks/overview/contract.ts'
import type { Page, PageContext } from '../../page.ts'
import { Icon } from '../../ui/marks.tsx'
import { Choice, ErrorBox, Head, Panel } from '../../ui/panel.tsx'
import { clockText, counted, Name, plainName, usuallyText, weekdayText } from '../../ui/text.tsx'
import { ViewChoice } from './list.tsx'
import { type Cell, cellOf, type Week, weekOf } from './week.ts'

type Entry = Calendar['entries'][number]
type Band = Calendar['maintenance'][number]

const HOUR_MS = 3_600_000
/** Entries of an hour that are shown without unfolding it. */
const SHOWN = 3
/** Entries beyond those that a week lists; a browser is slow with more elements. */
const MOST_FOLDED = 2500
/** Entries of an hour that are folded in such a week. */
const FEW_FOLDED = 10
const SOURCES = { footman: 'Footman', qlik: 'Qlik Sense', report: 'report task' } as const

export const scheduleCalendar: Page = {
  path: '/schedules/calendar',
  place: 'schedules',
  scope: 'schedule:read',
  async render(context) {
    const week = weekOf(context.query.get('week') ?? '', context.timezone, context.now)
    const range = { from: new Date(week.from).toISOString(), to: new Date(week.to).toISOString() }
    const answer = await context.ask(CALENDAR, { query: range })
    return {
      title: `Schedules, week ${week.name}`,
      live: ['schedule'],
      body: (
        <>
          <Head title={`Week ${week.name}`} crumbs={[{ href: context.link('/schedules'), text: 'Schedules' }]}>
            <ViewChoice context={context} />
            <a class="btn" href={context.here({ week: week.before, day: null })}>
              <Icon name="left" label="The week before" />
            </a>
            <a class="btn" href={context.here({ week: null, day: null })} data-now>
              Today
            </a>
            <a class="btn" href={context.here({ week: week.after, day: null })}>
              <Icon name="right" label="The week after" />
            </a>
          </Head>
          {answer.ok ? (
            <Grid context={context} week={week} calendar={answer.data} />
          ) : (
            <ErrorBox failure={answer} retry={context.here({})} />
          )}
        </>
      ),
    }
  },
}

interface GridProps {
  readonly context: PageContext
  readonly week: Week
  readonly calendar: Calendar
}

const Grid = ({ context, week, calendar }: GridProps) => {
  const { entries, maintenance, highest, stale, partial } = calendar
  const byCell = Map.groupBy(entries, ({ at }) => cellOf(week, Date.parse(at)))
  const load = new Map(calendar.load.map(({ at, running }) => [Date.parse(at), running]))
  const day = dayOf(context, week)
  const skipped = entries.filter((entry) => entry.skipped !== null).length
  return (
    <>
      <p class="sub">
        {counted(entries.length - skipped, 'start')}
        {skipped > 0 && `, ${skipped} skipped`}. {`Up to ${highest} tasks ran at once in the last 14 days.`}
        {stale && ' Qlik Sense did not answer in time: its triggers are as they were last known.'}
        {partial && ' There are more starts than are shown.'}
      </p>
      <section class="panel scroll wide-only" tabindex={0} aria-label={`Week ${week.name}`} data-part="week">
        <table class="week">
          <caption class="sr">{`Starts of week ${week.name} by day and hour, ${context.timezone}`}</caption>
          <thead>
            <tr>
              <th scope="col">
                <span class="sr">Hour</span>
              </th>
              {week.days.map((one, n) => (
                <th scope="col" class={n === day.today ? 'today' : undefined}>
                  {weekdayText(one, 'UTC')}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {week.rows.map((row) => (
              <tr>
                <th scope="row">{row}</th>
                {week.days.map((_, n) => {
                  const cell = week.cells.find((one) => one.day === n && one.row === row)
                  if (!cell) return <td class="none" />
                  const bands = bandsIn(maintenance, cell.from, cell.from + HOUR_MS)
                  return (
                    <td class={cellClass(bands, cell, context.now)}>
                      {bands
                        .filter(({ from }) => Date.parse(from) >= cell.from || cell.from === week.from)
                        .map((band) => (
                          <BandLink context={context} band={band} />
                        ))}
                      <Heat running={load.get(cell.from) ?? 0} highest={highest} />
                      <Hour
                        context={context}
                        cell={cell}
                        entries={byCell.get(cell) ?? []}
                        most={entries.length > MOST_FOLDED ? FEW_FOLDED : MOST_FOLDED}
                      />
                    </td>
                  )
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <div class="phone-only">
        <Choice
          label="Day"
          options={week.days.map((one, n) => ({
            text: weekdayText(one, 'UTC').slice(0, 2),
            href: context.here({ day: isoDay(one) }),
            chosen: n === day.shown,
          }))}
        />
        <Panel id="day" title={weekdayText(week.days[day.shown]!, 'UTC')}>
          <ul class="body day">
            {bandsOfDay(maintenance, week, day.shown).map((band) => (
              <li class="shut">
                <BandLink context={context} band={band} />
              </li>
            ))}
            {repeated(entries.filter(({ at }) => cellOf(week, Date.parse(at))?.day === day.shown)).map((starts) => (
              <li>
                <Starts context={context} starts={starts} />
              </li>
            ))}
          </ul>
        </Panel>
      </div>
      <p class="sub">
        Left edge: solid = Footman, double = Qlik Sense, dashed = report task. The line below a start is as long as it
        usually takes, the whole width is an hour; struck through = skipped. The line above: tasks expected at once.
        Shaded = maintenance.
      </p>
    </>
  )
}

/** From so many starts of a day on they are one line, which opens. */
const MANY_STARTS = 4

/** Starts in the order of time; those of one schedule or task together where they are many. */
export function repeated<E extends Pick<Entry, 'source' | 'id'>>(entries: readonly E[]): (readonly E[])[] {
  const byOrigin = Map.groupBy(entries, ({ source, id }) => `${source} ${id}`)
  return entries.flatMap((entry) => {
    const all = byOrigin.get(`${entry.source} ${entry.id}`) ?? []
    if (all.length < MANY_STARTS) return [[entry]]
    return all[0] === entry ? [all] : []
  })
}

const Starts = ({ context, starts }: { readonly context: PageContext; readonly starts: readonly Entry[] }) => {
  const [first, last] = [starts[0]!, starts.at(-1)!]
  if (first === last) return <EntryLink context={context} entry={first} cell={null} />
  const clock = ({ at }: Entry) => clockText(Date.parse(at), context.timezone)
  return (
    <details data-key={`${first.source} ${first.id}`}>
      <summary>
        {clock(first)}–{clock(last)} <Name text={first.name} />, {starts.length} starts
      </summary>
      {starts.map((entry) => (
        <EntryLink context={context} entry={entry} cell={null} />
      ))}
    </details>
  )
}

const bandsIn = (bands: readonly Band[], from: number, to: number): Band[] =>
  bands.filter((band) => Date.parse(band.from) < to && Date.parse(band.to) > from)

function bandsOfDay(bands: readonly Band[], week: Week, day: number): Band[] {
  const cells = week.cells.filter((cell) => cell.day === day)
  return bandsIn(bands, cells[0]!.from, cells.at(-1)!.from + HOUR_MS)
}

function cellClass(bands: readonly Band[], { from }: Cell, now: number): string | undefined {
  const names = [bands.length > 0 && 'shut', now >= from && now < from + HOUR_MS && 'current'].filter(
    (name) => name !== false,
  )
  return names.join(' ') || undefined
}

const BandLink = ({ context, band: { name, from, to } }: { readonly context: PageContext; readonly band: Band }) => {
  const [begin, end] = [Date.parse(from), Date.parse(to)]
  const day = (at: number) => weekdayText(at, context.timezone)
  const last = day(begin) === day(end) ? '' : day(end)
  const times = `${clockText(begin, context.timezone)}–${clockText(end, context.timezone)}`
  const title = `${times} ${plainName(name)}, maintenance, ${day(begin)}${last && ` to ${last}`}`
  return (
    <a class="band" href={context.link('/system/maintenance')} title={title} aria-label={title}>
      {times} <Name text={name} />
    </a>
  )
}

const isoDay = (wall: number): string => new Date(wall).toISOString().slice(0, 10)

/** Numbers of the day of now (-1 = another week) and of the one that the phone shows. */
function dayOf({ query, now }: PageContext, week: Week): { readonly today: number; readonly shown: number } {
  const today = cellOf(week, now)?.day ?? -1
  const wanted = week.days.findIndex((day) => isoDay(day) === query.get('day'))
  return { today, shown: Math.max(0, wanted === -1 ? today : wanted) }
}

const Heat = ({ running, highest }: { readonly running: number; readonly highest: number }) => {
  if (running === 0) return null
  const share = Math.min(100, Math.round((running / Math.max(highest, running)) * 100))
  return (
    <svg class="heat" role="img" aria-label={`${counted(running, 'task')} at once`}>
      <title>{`${counted(running, 'task')} at once`}</title>
      <rect width={`${share}%`} height="4" class={running >= highest ? 'peak' : undefined} />
    </svg>
  )
}

interface HourProps {
  readonly context: PageContext
  readonly cell: Cell
  readonly entries: readonly Entry[]
  /** Folded entries that are listed; the others are only counted. */
  readonly most: number
}

const Hour = ({ context, cell, entries, most }: HourProps) => {
  const rest = entries.slice(SHOWN)
  return (
    <>
      {entries.slice(0, SHOWN).map((entry) => (
        <EntryLink context={context} entry={entry} cell={cell} />
      ))}
      {rest.length > 0 && (
        <details data-key={String(cell.from)}>
          <summary>{`+${rest.length}`}</summary>
          {rest.slice(0, most).map((entry) => (
            <FoldedLink context={context} entry={entry} />
          ))}
          {rest.length > most && <span class="sub">{`and ${rest.length - most} more`}</span>}
        </details>
      )}
    </>
  )
}

const PAGES = {
  footman: ({ id }: Entry) => `/schedules/${encodeURIComponent(id)}`,
  qlik: ({ taskIds }: Entry) => `/tasks/${taskIds[0] ?? ''}`,
  report: ({ id }: Entry) => `/reports/tasks/${id}`,
} as const

interface EntryProps {
  readonly context: PageContext
  readonly entry: Entry
}

function titleOf({ at, durationMs, source, name, skipped, by }: Entry, { timezone }: PageContext): string {
  const length = usuallyText(durationMs, ', ')
  const why = skipped === null ? '' : `, skipped: ${by ?? skipped.toLowerCase()}`
  return `${clockText(Date.parse(at), timezone)} ${plainName(name)}, ${SOURCES[source]}${length}${why}`
}

const EntryLink = ({ context, entry, cell }: EntryProps & { readonly cell: Cell | null }) => {
  const { at, durationMs, source, name, skipped } = entry
  const title = titleOf(entry, context)
  const text = (
    <>
      {clockText(Date.parse(at), context.timezone)} <Name text={name} />
    </>
  )
  return (
    <a class={`slot ${source}`} href={context.link(PAGES[source](entry))} title={title} aria-label={title}>
      {skipped === null ? text : <s>{text}</s>}
      {cell && durationMs !== null && skipped === null && (
        <svg aria-hidden="true">
          <rect x={percent(Date.parse(at) - cell.from)} width={percent(durationMs)} height="3" />
        </svg>
      )}
    </a>
  )
}

/** One element: a full week has thousands of them. */
const FoldedLink = ({ context, entry }: EntryProps) => {
  const { at, source, name, skipped } = entry
  const look = skipped === null ? '' : ' skipped'
  return (
    <a class={`slot ${source}${look}`} href={context.link(PAGES[source](entry))} title={titleOf(entry, context)}>
      {`${clockText(Date.parse(at), context.timezone)} ${plainName(name)}`}
    </a>
  )
}

const percent = (ms: number): string => `${Math.max(1, Math.min(100, Math.round((ms / HOUR_MS) * 100)))}%`
