/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The list of report tasks. */
import type { Child, FC } from 'hono/jsx'
import { type DefinitionOf, LISTED_TASKS, type ListedTask } from '../../../reports/entities/contract.ts'
import type { RunCounts } from '../../../reports/runs/contract.ts'
import type { Failure } from '../../ask.ts'
import type { Page, PageContext } from '../../page.ts'
import { FEATURES_PATH } from '../../setting-kinds.ts'
import { ActionButton, Filters, FormFields } from '../../ui/forms.tsx'
import { Badge, Mark } from '../../ui/marks.tsx'
import { Choice, Empty, ErrorBox, Head, SwitchedOff, Table } from '../../ui/panel.tsx'
import { Name, Time } from '../../ui/text.tsx'
import { everyRow, KINDS, type Kind, listed, MOST } from './kinds.ts'
import { MARKS, triggerText } from './words.ts'

const SWITCH = `Butler:
  footman:
    reportTask:
      enable: true
      fromAddress: Reports <reports@company.com>`

/** The page while report tasks are not switched on: their endpoints are not there. */
export const switchedOff = (context: PageContext) => ({
  title: 'Reports',
  body: (
    <>
      <Head title="Reports" />
      <SwitchedOff title="Reports are switched off" yaml={SWITCH} features={context.link(FEATURES_PATH)}>
        Report tasks make reports of Qlik Sense apps and send them by mail, into folders and to the hub.
      </SwitchedOff>
    </>
  ),
})

const OTHERS = [
  ['templates', 'Templates'],
  ['hub', 'Hub'],
] as const

/** Links between the lists about reports. */
export const Places: FC<{ readonly context: PageContext; readonly kind: Kind | (typeof OTHERS)[number][0] }> = ({
  context,
  kind,
}) => (
  <Choice
    label="Definitions"
    options={[
      ...(Object.keys(KINDS) as Kind[]).map(
        (one) => [one, KINDS[one].many, one === 'task' ? '/reports' : KINDS[one].path] as const,
      ),
      ...OTHERS.map(([name, text]) => [name, text, `/reports/${name}`] as const),
    ].map(([name, text, path]) => ({ text, href: context.link(path), chosen: name === kind }))}
  />
)

/** Report tasks on one page. */
const PAGE = 100

const WORST_FIRST = ['error', 'warning']
const rank = ({ lastRun }: ListedTask): number => {
  const found = WORST_FIRST.indexOf(lastRun?.outcome ?? '')
  return found < 0 ? WORST_FIRST.length : found
}
const OUTCOMES = ['success', 'warning', 'error', 'cancelled', 'none'] as const

export const taskList: Page = {
  path: '/reports',
  place: 'reports',
  scope: 'report:read',
  async render(context) {
    if (!context.settings.reports) return switchedOff(context)
    const { query } = context
    const filters = Object.fromEntries(['project', 'tag', 'enabled', 'name'].map((name) => [name, query.get(name)]))
    const [answer, full] = await Promise.all([
      everyRow(async (offset) => {
        const page = await context.ask(LISTED_TASKS, { query: { ...filters, limit: MOST, offset } })
        return page.ok ? { ...page, data: page.data.reportTasks } : page
      }),
      everyRow(async (offset) => {
        const page = await listed(context, 'task', { ...filters, offset })
        return page.ok ? { ...page, data: page.data.items } : page
      }),
    ])
    const isFiltered = [...Object.values(filters), query.get('outcome')].some(Boolean)
    return {
      title: 'Report tasks',
      live: ['report'],
      body: (
        <>
          <Head title="Report tasks" beside={<Places context={context} kind="task" />}>
            <a class="btn primary" href={context.link('/reports/tasks/new')}>
              New
            </a>
          </Head>
          <Filters
            context={context}
            presets={[
              { text: 'Failed', query: { outcome: 'error' } },
              { text: 'With warnings', query: { outcome: 'warning' } },
              { text: 'Off', query: { enabled: 'false' } },
            ]}
            fields={[
              { name: 'name', label: 'Name', kind: 'text' },
              { name: 'project', label: 'Project', kind: 'text' },
              { name: 'tag', label: 'Tag', kind: 'text' },
              {
                name: 'enabled',
                label: 'Switched',
                kind: 'choice',
                options: [
                  ['true', 'on'],
                  ['false', 'off'],
                ],
              },
              {
                name: 'outcome',
                label: 'Last outcome',
                kind: 'choice',
                options: OUTCOMES.map((one) => [one, one === 'none' ? 'never ran' : one] as const),
              },
            ]}
          />
          {answer.ok ? (
            <List
              context={context}
              rows={answer.data.filter((row) => matches(row, query.get('outcome') ?? ''))}
              full={full.ok ? full.data : []}
              isFiltered={isFiltered}
            />
          ) : (
            <ListError context={context} failure={answer} />
          )}
        </>
      ),
    }
  },
}

export const ListError: FC<{ readonly context: PageContext; readonly failure: Failure }> = ({ context, failure }) => (
  <ErrorBox failure={failure} retry={context.here({})} />
)

const matches = ({ lastRun }: ListedTask, outcome: string): boolean =>
  outcome === '' || (lastRun?.outcome ?? 'none') === outcome

interface ListProps {
  readonly context: PageContext
  readonly rows: readonly ListedTask[]
  readonly full: readonly DefinitionOf<'task'>[]
  readonly isFiltered: boolean
}

const List: FC<ListProps> = ({ context, rows, full, isFiltered }) => {
  if (rows.length === 0 && isFiltered) return <Empty title="Nothing matches">Remove a filter to see more.</Empty>
  if (rows.length === 0) {
    return (
      <Empty title="No report tasks" icon="mail" yaml="footman reports import reports.json">
        A report task makes reports of an app and sends them to people.{' '}
        <a href={context.link('/reports/tasks/new')}>New</a> makes one here; the command imports a file.
      </Empty>
    )
  }
  const triggersOf = new Map(full.map(({ id, triggers }) => [id, triggers]))
  const ranked = rows.toSorted((a, b) => rank(a) - rank(b))
  return (
    <>
      <section class="panel">
        <Table
          context={context}
          caption="Report tasks, those with problems first"
          rows={ranked}
          size={PAGE}
          keyOf={({ id }) => id}
          columns={[
            { head: 'Task', sort: (row) => row.name, cell: (row) => <TaskCell context={context} row={row} /> },
            {
              head: 'Switch',
              sort: (row) => Number(!row.enabled),
              cell: (row) => <Switch context={context} row={row} />,
            },
            { head: 'Project', sort: (row) => row.project, cell: ({ project }) => <Name text={project} /> },
            {
              head: 'Last outcome',
              sort: (row) => row.lastRun?.outcome,
              cell: ({ lastRun }) => <LastOutcome context={context} run={lastRun} />,
            },
            {
              head: 'Last run',
              sort: (row) => row.lastRun?.finishedAt,
              cell: ({ lastRun }) => <Time at={lastRun?.finishedAt} zone={context} seconds={false} />,
            },
            { head: 'Mails', cell: ({ lastRun }) => <Mails counts={lastRun?.counts ?? null} /> },
            {
              head: 'Next run',
              sort: (row) => row.nextRunAt,
              cell: ({ nextRunAt }) => <Time at={nextRunAt} zone={context} seconds={false} />,
            },
            {
              head: 'Starts',
              cell: ({ id }) => {
                const triggers = triggersOf.get(id) ?? []
                if (triggers.length === 0) return <span class="muted">by hand</span>
                return triggers.map((trigger) => (
                  <div>
                    <Name text={triggerText(trigger)} />
                  </div>
                ))
              },
            },
          ]}
        />
      </section>
      <Bulk context={context} />
    </>
  )
}

const TaskCell: FC<{ readonly context: PageContext; readonly row: ListedTask }> = ({ context, row }) => (
  <span class="l">
    <input type="checkbox" name="taskId" value={row.id} form="bulk" aria-label={`Select ${row.name}`} />
    <span>
      <a href={context.link(`/reports/tasks/${row.id}`)}>
        <Name text={row.name} />
      </a>{' '}
      {row.testMode && <Badge tone="warn" text="test mode" />}
      {row.tags.length > 0 && (
        <span class="muted small">
          {' '}
          <Name text={row.tags.join(', ')} />
        </span>
      )}
    </span>
  </span>
)

export const Switch: FC<{
  readonly context: PageContext
  readonly row: { readonly id: string; readonly enabled: boolean; readonly name: string }
}> = ({ context, row: { id, enabled, name } }) => (
  <span class="l">
    <Mark state={enabled ? 'success' : 'skipped'} word={enabled ? 'on' : 'off'} />
    <ActionButton
      context={context}
      operation={enabled ? 'reporttask.disable' : 'reporttask.enable'}
      scope="report:run"
      values={{ taskId: id }}
      class="s quiet"
    >
      {enabled ? 'Disable' : 'Enable'}
      <span class="sr"> {name}</span>
    </ActionButton>
  </span>
)

const LastOutcome = ({ context, run }: { context: PageContext; run: ListedTask['lastRun'] }): Child =>
  run ? (
    <a href={context.link(`/reports/runs/${run.id}`)}>
      <Mark state={MARKS[run.outcome] ?? 'unknown'} word={run.outcome} />
      {run.reason && <span class="muted small"> {run.reason}</span>}
    </a>
  ) : (
    <span class="muted">never ran</span>
  )

/** `5 sent · 1 failed · 1 held`. */
export const Mails = ({ counts }: { counts: RunCounts | null }): Child => {
  const { mailsSent = 0, mailsFailed = 0, mailsHeld = 0 }: Partial<RunCounts> = counts ?? {}
  if (mailsSent + mailsFailed + mailsHeld === 0) return <span class="muted">–</span>
  return (
    <>
      {mailsSent} sent
      {mailsFailed > 0 && <b class="bad"> · {mailsFailed} failed</b>}
      {mailsHeld > 0 && <b class="warn"> · {mailsHeld} held</b>}
    </>
  )
}

const BULK = [
  ['reporttask.enable', 'Enable'],
  ['reporttask.disable', 'Disable'],
  ['reporttask.start', 'Start…'],
] as const

/** The check boxes of the rows belong to this form. */
const Bulk: FC<{ readonly context: PageContext }> = ({ context }) => {
  const off = context.may('report:run') ? undefined : 'This needs the scope report:run'
  return (
    <form id="bulk" method="post" action={context.link('/form/reporttask.start')} class="acts">
      <FormFields context={context} />
      <span class="muted">The selected tasks:</span>
      {BULK.map(([operation, text]) => (
        <button
          type="submit"
          class="btn s"
          formaction={context.link(`/form/${operation}`)}
          disabled={off !== undefined}
          title={off}
        >
          {text}
        </button>
      ))}
    </form>
  )
}
