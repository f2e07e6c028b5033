/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The list of tasks, those with a problem first, with the strip of the last outcomes. */
import type { FC } from 'hono/jsx'
import { TASKS, type TaskInfo, type Tasks } from '../../../tasks/executions/contract.ts'
import { ATTENTION, type AttentionItem, STRIPS, type TaskPoint } from '../../../tasks/overview/contract.ts'
import type { Asked, Query } from '../../ask.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionLink, Filters } from '../../ui/forms.tsx'
import { Badge, Mark, STATES, type State } from '../../ui/marks.tsx'
import { Empty, ErrorBox, Head, Pager, Table } from '../../ui/panel.tsx'
import { durationText, Name, plainName, Time } from '../../ui/text.tsx'
import { Outcomes, Spark } from './pictures.tsx'
import { knownOf, mainItem, taskState, taskStateWord } from './state.ts'

const PRESETS = [
  { text: 'All', query: {} },
  { text: 'Failing', query: { outcome: 'failed' } },
  { text: 'Running', query: { state: 'running' } },
  { text: 'Slower than usual', query: { slower: '1.5' } },
  { text: 'Disabled', query: { enabled: 'false' } },
]
const OUTCOMES = ['success', 'failed', 'aborted', 'skipped'] as const
const TYPES = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload'] as const
const MOST_FIRST = 50

/** Facts about a task besides its row. */
interface Extra {
  readonly item: AttentionItem | undefined
  readonly state: State
  readonly strip: readonly TaskPoint[]
  readonly p50Ms: number | null
}

export const taskList: Page = {
  path: '/tasks',
  place: 'tasks',
  scope: 'task:read',
  async render(context) {
    const { ask, query } = context
    const [attention, found] = await Promise.all([ask(ATTENTION), ask(TASKS, { query: limited(query) })])
    const known = knownOf(attention.ok ? attention.data.items : [])
    const answer = query.size === 0 && found.ok ? await problemsFirst(context, found, [...known.items.keys()]) : found
    const rows = answer.ok ? answer.data.tasks : []
    const taskId = rows.map((row) => row.taskId)
    const strips = taskId.length > 0 ? await ask(STRIPS, { query: { taskId } }) : null
    const extraOf = (row: TaskInfo): Extra => ({
      item: mainItem(known, row.taskId),
      state: taskState({ ...row, state: (strips?.ok && strips.data.states[row.taskId.toLowerCase()]) || null }, known),
      strip: (strips?.ok && strips.data.strips[row.taskId.toLowerCase()]) || [],
      p50Ms: (strips?.ok && strips.data.usual[row.taskId.toLowerCase()]?.p50Ms) || null,
    })
    return {
      title: 'Tasks',
      live: ['execution', 'attention'],
      body: (
        <>
          <Head title="Tasks">
            <a class="btn" href={context.link('/tasks/queue')}>
              Start queue
            </a>
            {context.may('setting:read') && (
              <a class="btn" href={context.link('/tasks/policies')}>
                Policies
              </a>
            )}
          </Head>
          <Filters
            context={context}
            presets={PRESETS}
            {...(answer.ok && { api: '/v4/tasks' })}
            fields={[
              { name: 'name', label: 'Name', kind: 'text', placeholder: 'Sales*' },
              { name: 'app', label: 'App', kind: 'text', placeholder: 'Finance*' },
              { name: 'stream', label: 'Stream', kind: 'text' },
              { name: 'tag', label: 'Tag', kind: 'text' },
              { name: 'customProperty', label: 'Custom property', kind: 'text', placeholder: 'name:value' },
              { name: 'type', label: 'Type', kind: 'choice', options: TYPES.map((one) => [one, one] as const) },
              {
                name: 'outcome',
                label: 'Last outcome',
                kind: 'choice',
                options: OUTCOMES.map((one) => [one, STATES[one].word] as const),
              },
            ]}
          />
          {answer.ok ? (
            <List context={context} answer={answer.data} extraOf={extraOf} />
          ) : (
            <ErrorBox failure={answer} retry={context.here({})} />
          )}
        </>
      ),
    }
  },
}

const PAGE_SIZE = 50
const SORTED_SIZE = 500

function limited(query: URLSearchParams): Query {
  const { sort, ...given } = Object.fromEntries([...query.keys()].map((name) => [name, query.getAll(name)]))
  // Sorted are all tasks, or as many as the API answers at once.
  return { limit: sort ? SORTED_SIZE : PAGE_SIZE, ...given }
}

/** The first page begins with the tasks of the attention list, wherever their names stand. */
async function problemsFirst({ ask }: PageContext, found: Asked<Tasks> & { ok: true }, taskIds: readonly string[]) {
  const shown = new Set(found.data.tasks.map(({ taskId }) => taskId))
  const wanted = taskIds.filter((id) => !shown.has(id)).slice(0, MOST_FIRST)
  if (wanted.length === 0) return found
  const first = await ask(TASKS, { query: { taskId: wanted, limit: MOST_FIRST } })
  if (!first.ok) return found
  return { ...found, data: { ...found.data, tasks: [...first.data.tasks, ...found.data.tasks] } }
}

interface ListProps {
  readonly context: PageContext
  readonly answer: Tasks
  readonly extraOf: (row: TaskInfo) => Extra
}

const List: FC<ListProps> = ({ context, answer, extraOf }) => {
  const { tasks, nextCursor } = answer
  if (tasks.length === 0) {
    return (
      <Empty title={context.query.size > 0 ? 'Nothing matches' : 'No tasks'}>
        {context.query.size > 0 ? 'No task has all of this.' : 'Qlik Sense has no tasks, or none that Footman may see.'}
      </Empty>
    )
  }
  const mayStart = context.may('task:run')
  const rows = tasks.toSorted((a, b) => rank(extraOf(a)) - rank(extraOf(b)))
  return (
    <form method="get" action={context.link('/form/task.start')} class="panel scroll" aria-label="Tasks">
      <input type="hidden" name="return" value={context.here({})} />
      <div class="bulk">
        <button
          type="submit"
          class="btn s"
          disabled={!mayStart}
          title={mayStart ? 'Shows first what will be started' : 'This needs the scope task:run'}
        >
          Start selected…
        </button>
        <ActionLink
          context={context}
          operation="task.start"
          scope="task:run"
          class="s quiet"
          values={{ taskId: rows.map(({ taskId }) => taskId) }}
        >
          Start all {rows.length} on this page…
        </ActionLink>
      </div>
      <Table
        context={context}
        caption="Tasks, those with problems first"
        rows={rows}
        keyOf={({ taskId }) => taskId}
        columns={[
          {
            head: 'Task',
            sort: (row) => row.taskName,
            cell: (row) => (
              <span class="l">
                <input
                  type="checkbox"
                  name="taskId"
                  value={row.taskId}
                  aria-label={`Select ${plainName(row.taskName)}`}
                />
                <Mark state={extraOf(row).state} />
                <span class="one-line">
                  <a href={context.link(`/tasks/${row.taskId}`)}>
                    <Name text={row.taskName} />
                  </a>{' '}
                  {!row.enabled && <Badge text="disabled" />}
                </span>
              </span>
            ),
          },
          {
            head: 'State',
            sort: (row) => rank(extraOf(row)),
            cell: (row) => <StateText context={context} extra={extraOf(row)} />,
          },
          {
            head: 'App',
            sort: (row) => row.appName,
            cell: ({ appName, stream, taskType }) => (
              <>
                {appName ? <Name text={appName} /> : <span class="muted">{taskType}</span>}
                {stream && (
                  <p class="sub">
                    <Name text={stream} />
                  </p>
                )}
              </>
            ),
          },
          {
            head: 'Last end',
            sort: (row) => row.last?.stoppedAt,
            cell: ({ last }) => <Time at={last?.stoppedAt} zone={context} seconds={false} />,
          },
          {
            head: 'Last runs',
            cell: (row) => <Outcomes points={extraOf(row).strip.slice(-SHOWN_RUNS)} state={extraOf(row).state} />,
          },
          {
            head: 'Usual',
            num: true,
            sort: (row) => extraOf(row).p50Ms,
            cell: (row) => {
              const { p50Ms } = extraOf(row)
              return p50Ms === null ? <span class="muted">–</span> : durationText(p50Ms)
            },
          },
          { head: 'Durations', wide: true, cell: (row) => <Spark points={extraOf(row).strip} /> },
          {
            head: 'Next run',
            sort: (row) => row.nextExecution,
            cell: ({ nextExecution }) => <Time at={nextExecution} zone={context} seconds={false} />,
          },
          {
            head: 'Tags',
            wide: true,
            sort: (row) => row.tags.join(', ') || null,
            cell: ({ tags }) => (
              <span class="muted small">
                <Name text={tags.join(', ') || '–'} />
              </span>
            ),
          },
        ]}
      />
      <Pager context={context} nextCursor={nextCursor} />
    </form>
  )
}

/** The number of last runs; the page of the task has more. */
const SHOWN_RUNS = 10

const StateText: FC<{ readonly context: PageContext; readonly extra: Extra }> = ({
  context,
  extra: { item, state },
}) => {
  const word = taskStateWord(state)
  if (!item) return <>{word}</>
  return (
    <>
      <b class={STATES[state].tone}>{word}</b>
      {item.count > 1 && `, ${item.count} in a row`}{' '}
      <span class="muted small">
        since <Time at={item.since} zone={context} short />
      </span>
    </>
  )
}

const RANKS: readonly State[] = ['failed', 'aborted', 'missing', 'late', 'running', 'queued']

function rank({ state }: Extra): number {
  const at = RANKS.indexOf(state)
  return at < 0 ? RANKS.length : at
}
