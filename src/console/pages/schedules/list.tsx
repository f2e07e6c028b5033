/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The list of schedules: those with a problem first, then by their next time. */
import type { TaskRef } from '../../../tasks/executions/contract.ts'
import { SCHEDULE_STRIPS, SCHEDULES, type ShownSchedule, type StripRun } from '../../../tasks/schedule/contract.ts'
import type { Asked } from '../../ask.ts'
import type { Page, PageContext } from '../../page.ts'
import { Filters, FormFields } from '../../ui/forms.tsx'
import { Mark, STATES } from '../../ui/marks.tsx'
import { Choice, Empty, ErrorBox, Head, Table } from '../../ui/panel.tsx'
import { counted, Name, plainName, Time, timeText, withZone } from '../../ui/text.tsx'
import { REASONS, SchedulerOff, StateBadge, StateButton } from './editor.tsx'
import { taskNames } from './fields.tsx'
import { nameOf, objectOf } from './form.ts'

/** Schedules on one page. */
const PAGE = 100

export const scheduleList: Page = {
  path: '/schedules',
  place: 'schedules',
  scope: 'schedule:read',
  async render(context) {
    const [schedules, strips, tasks] = await Promise.all([
      context.ask(SCHEDULES),
      context.ask(SCHEDULE_STRIPS),
      taskNames(context),
    ])
    return {
      title: 'Schedules',
      live: ['schedule'],
      body: (
        <>
          <Head title="Schedules">
            <ViewChoice context={context} />
            {!isOff(schedules) && <NewSchedule context={context} />}
          </Head>
          <Content context={context} schedules={schedules} strips={strips.ok ? strips.data.strips : {}} tasks={tasks} />
        </>
      ),
    }
  },
}

const NewSchedule = ({ context }: { readonly context: PageContext }) =>
  context.may('schedule:write') ? (
    <a class="btn primary" href={context.link('/schedules/new')}>
      New
    </a>
  ) : (
    <button type="button" class="btn" disabled title="This needs the scope schedule:write">
      New
    </button>
  )

/** The endpoint is switched off, or the scheduler behind it. */
const isOff = (asked: Asked<unknown>): boolean =>
  !asked.ok && (asked.status === 404 || /disabled in config/.test(asked.error))

export const ViewChoice = ({ context }: { readonly context: PageContext }) => (
  <Choice
    label="View"
    options={[
      { text: 'List', href: context.link('/schedules'), chosen: context.path === '/schedules' },
      { text: 'Week', href: context.link('/schedules/calendar'), chosen: context.path === '/schedules/calendar' },
      ...(context.may('setting:read')
        ? [
            {
              text: 'Calendars and windows',
              href: context.link('/schedules/calendars'),
              chosen: context.path === '/schedules/calendars',
            },
          ]
        : []),
    ]}
  />
)

interface ContentProps {
  readonly context: PageContext
  readonly schedules: Asked<readonly ShownSchedule[]>
  readonly strips: Readonly<Record<string, readonly StripRun[]>>
  readonly tasks: readonly TaskRef[]
}

const Content = ({ context, schedules, strips, tasks }: ContentProps) => {
  if (!schedules.ok) {
    return isOff(schedules) ? (
      <SchedulerOff context={context} />
    ) : (
      <ErrorBox failure={schedules} retry={context.here({})} />
    )
  }
  if (schedules.data.length === 0) {
    return (
      <Empty title="No schedules yet" icon="planned">
        <a href={context.link('/schedules/new')}>Make the first one</a>, or write them into the file of{' '}
        <code>Butler.scheduler.configfile</code>.
      </Empty>
    )
  }
  const names = new Map(tasks.map(({ taskId, taskName }) => [taskId.toLowerCase(), taskName]))
  const found = schedules.data.filter((one) => matches(one, context.query, names)).sort(byUrgency)
  return (
    <>
      <Filters
        context={context}
        api="/v4/schedules"
        presets={[
          { text: 'Paused', query: { state: 'stopped' } },
          { text: 'Invalid', query: { state: 'invalid' } },
        ]}
        fields={[
          { name: 'q', label: 'Name', kind: 'text' },
          {
            name: 'state',
            label: 'State',
            kind: 'choice',
            options: [
              ['running', 'runs'],
              ['stopped', 'paused'],
              ['invalid', 'invalid'],
            ],
          },
          { name: 'tag', label: 'Tag', kind: 'text' },
          { name: 'task', label: 'Task', kind: 'text', placeholder: 'name or id' },
        ]}
      />
      {found.length === 0 ? (
        <Empty title="Nothing matches">{`There are ${counted(schedules.data.length, 'schedule')} without filters.`}</Empty>
      ) : (
        <>
          <Bulk context={context} />
          <section class="panel">
            <ScheduleTable context={context} rows={found} strips={strips} names={names} />
          </section>
        </>
      )}
    </>
  )
}

const contains = (text: string | undefined, part: string): boolean =>
  (text ?? '').toLowerCase().includes(part.toLowerCase())

function matches(schedule: ShownSchedule, query: URLSearchParams, names: ReadonlyMap<string, string>): boolean {
  const get = (name: string) => query.get(name) ?? ''
  const { state, tags = [], qlikSenseTaskId = '' } = schedule
  return (
    contains(nameOf(schedule), get('q')) &&
    ['', state].includes(get('state')) &&
    (get('tag') === '' || tags.some((tag) => contains(tag, get('tag')))) &&
    (contains(qlikSenseTaskId, get('task')) || contains(names.get(qlikSenseTaskId.toLowerCase()), get('task')))
  )
}

const isFailed = ({ lastResult }: ShownSchedule): boolean => lastResult?.startsWith('error') ?? false

function byUrgency(a: ShownSchedule, b: ShownSchedule): number {
  const rank = (one: ShownSchedule) => (one.state === 'invalid' ? 0 : isFailed(one) ? 1 : one.nextRun ? 2 : 3)
  return rank(a) - rank(b) || (a.nextRun ?? '').localeCompare(b.nextRun ?? '') || nameOf(a).localeCompare(nameOf(b))
}

/** The boxes of the rows belong to this form. */
const Bulk = ({ context }: { readonly context: PageContext }) => {
  const off = context.may('schedule:run') ? null : 'This needs the scope schedule:run'
  return (
    <form id="bulk" method="post" class="tools bulk" data-action>
      <FormFields context={context} />
      <input type="hidden" name="confirmed" value="1" />
      <span class="muted">Selected:</span>
      {(['stop', 'start'] as const).map((word) => (
        <button
          type="submit"
          class="btn s"
          formaction={`${context.root}/form/schedule.${word}`}
          disabled={off !== null}
          title={off ?? undefined}
        >
          {word === 'stop' ? 'Pause' : 'Resume'}
        </button>
      ))}
    </form>
  )
}

interface TableProps {
  readonly context: PageContext
  readonly rows: readonly ShownSchedule[]
  readonly strips: ContentProps['strips']
  readonly names: ReadonlyMap<string, string>
}

interface OwnTimeProps {
  readonly context: PageContext
  readonly at: number
  readonly timezone: string
}

/** Where its clock differs from that of the page. Its zone stands beside the name. */
const OwnTime = ({ context, at, timezone }: OwnTimeProps) => {
  const own = timeText(at, { ...context, timezone }, false)
  if (own === timeText(at, context, false)) return null
  return <div class="sub">{own} in its zone</div>
}

const ScheduleTable = ({ context, rows, strips, names }: TableProps) => (
  <Table
    context={context}
    caption="Schedules, those with a problem first"
    rows={rows}
    size={PAGE}
    keyOf={({ id }) => id}
    columns={[
      {
        head: 'Schedule',
        sort: nameOf,
        cell: ({ id, name = id, text, timezone = '' }) => (
          <div class="l">
            <input type="checkbox" name="id" value={id} form="bulk" aria-label={`Select ${plainName(name)}`} />
            <div>
              <a href={context.link(`/schedules/${encodeURIComponent(id)}`)}>
                <Name text={name} />
              </a>
              <div class="sub">{text ? withZone(text, timezone) : timezone}</div>
            </div>
          </div>
        ),
      },
      { head: 'State', sort: (row) => row.state, cell: (schedule) => <StateBadge schedule={schedule} /> },
      {
        head: 'Next run',
        sort: (row) => row.nextRun,
        cell: ({ nextRun, timezone = '' }) => (
          <>
            <Time at={nextRun} zone={context} seconds={false} />
            {nextRun && <OwnTime context={context} at={Date.parse(nextRun)} timezone={timezone} />}
          </>
        ),
      },
      {
        head: 'Last runs',
        sort: (row) => row.lastRun,
        cell: (schedule) => (
          <>
            {schedule.lastResult && (
              <Mark state={isFailed(schedule) ? 'failed' : 'success'} word={isFailed(schedule) ? 'failed' : 'ok'} />
            )}
            {isFailed(schedule) && (
              <div class="sub">
                <Name text={schedule.lastResult?.replace(/^error: /, '')} />
              </div>
            )}
            {!schedule.lastResult && !strips[schedule.id]?.length && <span class="muted">–</span>}
            <Strip context={context} id={schedule.id} name={nameOf(schedule)} runs={strips[schedule.id] ?? []} />
          </>
        ),
      },
      {
        head: 'Starts',
        cell: (schedule) => (
          <div class="starts">
            <Starts context={context} schedule={schedule} names={names} />
          </div>
        ),
      },
      { head: '', cell: (schedule) => <StateButton context={context} schedule={schedule} class="s" /> },
    ]}
  />
)

const Starts = ({ context, schedule, names }: Omit<TableProps, 'rows' | 'strips'> & { schedule: ShownSchedule }) => {
  const { qlikSenseTaskId = '' } = schedule
  const { type = 'startTask', destination, folder } = objectOf(schedule.action)
  if (type !== 'startTask') {
    return <Name text={`${type === 'webhook' ? 'webhook' : 'dump of apps'} ${destination ?? folder ?? ''}`} />
  }
  const tags = [objectOf(schedule.target).tag ?? []].flat()
  return (
    <>
      {qlikSenseTaskId && (
        <a href={context.link(`/tasks/${qlikSenseTaskId}`)}>
          <Name text={names.get(qlikSenseTaskId.toLowerCase()) ?? qlikSenseTaskId} />
        </a>
      )}
      {tags.length > 0 && <div class="sub">{`tagged ${tags.map((tag) => plainName(String(tag))).join(', ')}`}</div>}
    </>
  )
}

interface StripProps {
  readonly context: PageContext
  readonly id: string
  readonly name: string
  readonly runs: readonly StripRun[]
}

/** The last runs as a row of marks, the newest at the right; each is a link. */
const Strip = ({ context, id, name, runs }: StripProps) => {
  if (runs.length === 0) return null
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of links, not of fields.
    <span class="runstrip" role="group" aria-label={`Last runs of ${plainName(name)}`}>
      {runs.map(({ runId, dueAt, state, outcome, reason }) => {
        const mark = state === 'running' ? 'running' : state === 'skipped' ? 'skipped' : (outcome ?? 'unknown')
        const why = reason === null ? '' : `, ${REASONS[reason] ?? reason}`
        const title = `${timeText(Date.parse(dueAt), context, false)}: ${STATES[mark].word}${why}`
        return (
          <a href={context.link(`/schedules/${encodeURIComponent(id)}/runs/${runId}`)} title={title} aria-label={title}>
            <Mark state={mark} />
          </a>
        )
      })}
    </span>
  )
}
