/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The editor of a schedule, with its next times and its runs. */
import type { TaskRef } from '../../../tasks/executions/contract.ts'
import { SCHEDULE_RUNS, SCHEDULES, type ShownRun, type ShownSchedule } from '../../../tasks/schedule/contract.ts'
import { type Asked, asMissing, type Failure } from '../../ask.ts'
import { Refused } from '../../forms.tsx'
import { type Names, taskNamesOf } from '../../names.ts'
import type { Page, PageContent, PageContext } from '../../page.ts'
import { FEATURES_PATH } from '../../setting-kinds.ts'
import { ActionButton, ActionLink, FormErrors } from '../../ui/forms.tsx'
import { Badge, Mark } from '../../ui/marks.tsx'
import { Empty, ErrorBox, Head, Pager, Panel, part, SwitchedOff, Table } from '../../ui/panel.tsx'
import { Name, Prose, plainName, Time } from '../../ui/text.tsx'
import {
  askPreview,
  PreviewErrors,
  PreviewPanel,
  ScheduleFields,
  type Texts,
  taskNames,
  wrongField,
} from './fields.tsx'
import { fieldsOfSchedule, nameOf, newFields } from './form.ts'

export const TRIGGERS = { cron: 'by its times', manual: 'by hand', misfire: 'made up for' } as const

/** Why a run did not happen, in words. */
export const REASONS: Readonly<Record<string, string>> = {
  WINDOW: 'outside of its window',
  CALENDAR: 'a calendar excludes the day',
  OVERLAP: 'the run before it was still under way',
  MAINTENANCE: 'maintenance',
  MISFIRE: 'Footman was not running',
  SHADOW_MODE: 'shadow mode',
}

export const RunMark = ({ state, outcome, reason }: Pick<ShownRun, 'state' | 'outcome' | 'reason'>) => {
  if (state === 'running') return <Mark state="running" word />
  if (state === 'skipped') return <Mark state="skipped" word={REASONS[reason ?? ''] ?? 'skipped'} />
  return <Mark state={outcome ?? 'unknown'} word />
}

const SWITCH_ON = `Butler:
  scheduler:
    enable: true
    configfile: config/schedule.yaml
  restServerEndpointsEnable:
    scheduler: { getSchedule: true, createNewSchedule: true, updateSchedule: true, deleteSchedule: true,
      startSchedule: true, stopSchedule: true }`

export const SchedulerOff = ({ context }: { readonly context: PageContext }) => (
  <SwitchedOff title="Schedules are switched off" yaml={SWITCH_ON} features={context.link(FEATURES_PATH)}>
    Schedules start tasks at times of your own, with calendars and windows, beside the triggers of Qlik Sense.
  </SwitchedOff>
)

/** The texts of the address, or else those of the schedule. */
function textsOf({ query }: PageContext, otherwise: Readonly<Record<string, string>>): Texts {
  const isEdited = query.has('kind')
  return (name) => (isEdited ? (query.get(name) ?? '') : (otherwise[name] ?? ''))
}

interface FormProps {
  readonly context: PageContext
  readonly operation: 'schedule.create' | 'schedule.update'
  readonly get: Texts
  readonly tasks: readonly TaskRef[]
  readonly preview: Asked<unknown>
}

/**
 * One form with two buttons: the preview is a GET of this page, saving a POST. The token of the session is the value of the
 * button that saves, and so never in an address.
 */
const Form = ({ context, operation, get, tasks, preview }: FormProps) => {
  const mayWrite = context.may('schedule:write')
  const off = mayWrite ? null : 'This needs the scope schedule:write'
  return (
    <form method="get" action={context.link(context.path)} class="body stack" data-preview>
      <PreviewErrors preview={preview} get={get}>
        <ScheduleFields get={get} tasks={tasks} />
      </PreviewErrors>
      <input type="hidden" name="confirmed" value="1" />
      <div class="acts">
        <button
          type="submit"
          class="btn primary"
          name="csrf"
          value={context.visitor.csrf()}
          formmethod="post"
          formaction={`${context.root}/form/${operation}`}
          disabled={off !== null}
          title={off ?? undefined}
        >
          Save
        </button>
        <button type="submit" class="btn">
          Preview
        </button>
      </div>
    </form>
  )
}

export const newSchedule: Page = {
  path: '/schedules/new',
  place: 'schedules',
  scope: 'schedule:read',
  async render(context) {
    const get = textsOf(context, newFields(context.timezone))
    const [tasks, preview] = await Promise.all([taskNames(context), askPreview(context, get)])
    if (!preview.ok && preview.status === 404) {
      return notFound(context, 404, <SchedulerOff context={context} />)
    }
    return {
      title: 'New schedule',
      scripts: ['schedule.js'],
      body: (
        <>
          <Head title="New schedule" crumbs={[{ href: context.link('/schedules'), text: 'Schedules' }]} />
          <div class="two">
            <section class="panel">
              <Form context={context} operation="schedule.create" get={get} tasks={tasks} preview={preview} />
            </section>
            <PreviewPanel context={context} preview={preview} get={get} />
          </div>
        </>
      ),
    }
  },
}

export const scheduleEditor: Page = {
  path: '/schedules/:id',
  place: 'schedules',
  scope: 'schedule:read',
  async render(context) {
    const id = context.params.id ?? ''
    const found = await context.ask(SCHEDULES, { query: { id } })
    if (!found.ok) {
      const missing = asMissing(found, 'schedule')
      return notFound(context, missing.status, <ErrorBox failure={missing} />)
    }
    const schedule = found.data[0]!
    const get = textsOf(context, fieldsOfSchedule(schedule))
    const [tasks, preview, runs] = await Promise.all([
      taskNames(context),
      askPreview(context, get),
      context.ask(SCHEDULE_RUNS, { params: { id }, query: { limit: 20, cursor: context.query.get('cursor') } }),
    ])
    const started = runs.ok ? runs.data.runs.flatMap(({ tasks: some }) => some.map(({ taskId }) => taskId)) : []
    const runNames = await taskNamesOf(context, started)
    return {
      title: plainName(nameOf(schedule)),
      live: ['schedule'],
      scripts: ['schedule.js'],
      body: (
        <>
          <Head
            title={<Name text={nameOf(schedule)} />}
            crumbs={[{ href: context.link('/schedules'), text: 'Schedules' }]}
            beside={<StateBadge schedule={schedule} />}
          >
            <StateButton context={context} schedule={schedule} />
            <ActionLink context={context} operation="schedule.run" scope="schedule:run" values={{ id }} class="">
              Run now…
            </ActionLink>
            <ActionLink
              context={context}
              operation="schedule.delete"
              scope="schedule:write"
              values={{ id, revision: schedule.revision }}
              class=""
            >
              Delete…
            </ActionLink>
          </Head>
          <p class="sub">
            {schedule.text ?? schedule.lastResult}
            {schedule.nextRun && (
              <>
                {' · next '}
                <Time at={schedule.nextRun} zone={context} seconds={false} />
              </>
            )}
          </p>
          <div class="two sched">
            <div class="stack">
              <section class="panel">
                <Form context={context} operation="schedule.update" get={get} tasks={tasks} preview={preview} />
              </section>
              <Panel id="runs" title="Runs">
                {part(runs, ({ runs: list, nextCursor }) => (
                  <Runs context={context} runs={list} names={runNames} nextCursor={nextCursor} />
                ))}
              </Panel>
            </div>
            <PreviewPanel context={context} preview={preview} get={get} />
          </div>
        </>
      ),
    }
  },
}

export function notFound(context: PageContext, status: number, box: PageContent['body']): PageContent {
  return {
    title: 'Schedule',
    status,
    body: (
      <>
        <Head title="Schedule" crumbs={[{ href: context.link('/schedules'), text: 'Schedules' }]} />
        {box}
      </>
    ),
  }
}

export const StateBadge = ({ schedule: { state, lastResult } }: { readonly schedule: ShownSchedule }) => {
  if (state === 'running') return <Badge tone="ok" text="runs" icon="ok" />
  if (state === 'stopped') return <Badge text="paused" icon="aborted" />
  return <Badge tone="bad" text="invalid" icon="failed" {...(lastResult && { title: lastResult })} />
}

export const StateButton = ({
  context,
  schedule,
  class: extra = '',
}: {
  readonly context: PageContext
  readonly schedule: ShownSchedule
  readonly class?: string
}) => {
  const { id, state } = schedule
  const isRunning = state === 'running'
  return (
    <ActionButton
      context={context}
      operation={isRunning ? 'schedule.stop' : 'schedule.start'}
      scope="schedule:run"
      values={{ id, confirmed: 1 }}
      off={state === 'invalid' ? 'It is not valid; correct it first' : null}
      class={extra}
    >
      {isRunning ? 'Pause' : 'Resume'}
      <span class="sr"> {plainName(nameOf(schedule))}</span>
    </ActionButton>
  )
}

const Runs = ({
  context,
  runs,
  names,
  nextCursor,
}: {
  readonly context: PageContext
  readonly names: Names
  readonly runs: readonly ShownRun[]
  readonly nextCursor: string | null
}) => {
  if (runs.length === 0) return <Empty title="No runs yet" icon="planned" />
  return (
    <>
      <Table
        context={context}
        part="runs"
        caption="Runs, the newest first"
        rows={runs}
        keyOf={({ runId }) => runId}
        columns={[
          {
            head: 'Time',
            sort: (run) => run.firedAt ?? run.dueAt,
            cell: ({ runId, scheduleId, firedAt, dueAt }) => (
              <a href={context.link(`/schedules/${encodeURIComponent(scheduleId)}/runs/${runId}`)}>
                <Time at={firedAt ?? dueAt} zone={context} />
              </a>
            ),
          },
          { head: 'Started', sort: (run) => TRIGGERS[run.trigger], cell: ({ trigger }) => TRIGGERS[trigger] },
          { head: 'Result', cell: (run) => <RunMark {...run} /> },
          {
            head: 'Tasks',
            cell: ({ tasks, detail }) =>
              tasks.length > 0 ? (
                <ul class="plain">
                  {tasks.map((task) => (
                    <li>
                      <TaskLink context={context} names={names} {...task} />
                    </li>
                  ))}
                </ul>
              ) : (
                <Prose text={detail} zone={context} />
              ),
          },
        ]}
      />
      <Pager context={context} nextCursor={nextCursor} part="runs" />
    </>
  )
}

/** The execution of a task, or the task where there is none. */
export const TaskLink = ({
  context,
  taskId,
  executionId,
  outcome,
  names,
}: ShownRun['tasks'][number] & { readonly context: PageContext; readonly names: Names }) => {
  const path = executionId ? `/executions/${executionId}` : `/tasks/${taskId}`
  const name = names.get(taskId.toLowerCase())?.name
  return (
    <a class="l" href={context.link(path)}>
      <Mark state={outcome ?? (executionId ? 'running' : 'unknown')} />
      {name === undefined ? <span class="mono">task {taskId.slice(0, 8)}</span> : <Name text={name} />}
    </a>
  )
}

/**
 * The editor again after a save that was refused, with what was typed and the reason at its field. Null where the versions are
 * compared instead.
 */
export async function refusedEditor(
  form: URLSearchParams,
  context: PageContext,
  failure?: Failure,
): Promise<PageContent | null> {
  if (!failure || [409, 412].includes(failure.status)) return null
  const id = form.get('id') ?? ''
  const path = id === '' ? '/schedules/new' : `/schedules/${encodeURIComponent(id)}`
  const page = id === '' ? newSchedule : scheduleEditor
  const { title, scripts, body } = await page.render({ ...context, path, params: { id }, query: form })
  const get: Texts = (name) => form.get(name) ?? ''
  const field = wrongField(failure, get)
  const message = failure.details || failure.error
  return {
    title,
    place: 'schedules',
    status: failure.status,
    ...(scripts && { scripts }),
    body: (
      <>
        <Refused failure={failure} verb="Save the schedule" />
        <FormErrors.Provider value={new Map(field === null ? [] : [[field, message]])}>{body}</FormErrors.Provider>
      </>
    ),
  }
}
