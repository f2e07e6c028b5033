/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** One task: how it is doing, how long it takes, what starts it and what follows, and who is alerted about it. */

import type { Child, FC } from 'hono/jsx'
import { DELIVERIES, EVENTS } from '../../../alerts/history/contract.ts'
import { EXPLAIN } from '../../../alerts/rules/contract.ts'
import {
  EXECUTIONS,
  type Executions,
  HISTORY_SUMMARY,
  type HistorySummary,
} from '../../../tasks/executions/contract.ts'
import {
  ATTENTION,
  type AttentionItem,
  DURATIONS,
  type PolicySource,
  STRIPS,
  TASK,
  type TaskDetail,
  type UsualTimes,
} from '../../../tasks/overview/contract.ts'
import { type Asked, type Failure, QLIK_MS } from '../../ask.ts'
import type { Page, PageContent, PageContext } from '../../page.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { Badge, Icon, Mark, STATES, type State } from '../../ui/marks.tsx'
import { Choice, type Crumb, Empty, ErrorBox, Facts, Head, Pager, Panel, part } from '../../ui/panel.tsx'
import { counted, durationText, Name, numberText, plainName, Time, usuallyText } from '../../ui/text.tsx'
import { ruleLike } from '../delivery/rule-words.ts'
import { deliveryState, reasonWord, stateWord } from '../delivery/words.tsx'
import { outcomeState } from '../events/words.ts'
import { DurationChart, DurationTable, unitOf } from './chart.tsx'
import { EtaBar, Outcomes } from './pictures.tsx'
import { RunTable, stateOf as stateOfRun } from './runs.tsx'
import { Explained, Followers, Triggers } from './sides.tsx'
import { knownOf, mainItem, taskState, taskStateWord } from './state.ts'

const RANGES = ['30d', '90d', '400d']
const DAY_MS = 86_400_000

export const taskPage: Page = {
  path: '/tasks/:taskId',
  place: 'tasks',
  scope: 'task:read',
  async render(context) {
    const { ask, query, now, params } = context
    const taskId = params.taskId ?? ''
    const own = { params: { taskId } }
    const asked = query.get('d') ?? ''
    const range = RANGES.includes(asked) ? asked : '90d'
    const span = { from: query.get('from'), to: query.get('to') }
    const [task, attention, durations, strips, executions, summary, events, deliveries, routes] = await Promise.all([
      ask(TASK, own),
      ask(ATTENTION),
      ask(DURATIONS, { ...own, query: { from: range } }),
      ask(STRIPS, { query: { taskId, n: 14 } }),
      ask(EXECUTIONS, { query: { taskId, limit: 20, cursor: query.get('cursor'), ...span } }),
      ask(HISTORY_SUMMARY, { query: { taskId, from: range } }),
      ask(EVENTS, { query: { taskId, limit: 6 } }),
      ask(DELIVERIES, { query: { taskId, limit: 6 } }),
      ask(EXPLAIN, { body: { sample: { taskId, type: 'reload', outcome: 'failed' } }, withinMs: QLIK_MS }),
    ])
    if (!task.ok && task.status >= 500 && executions.ok && executions.data.executions.length > 0) {
      return withoutQlik(context, task, executions.data)
    }
    if (!task.ok) {
      return {
        title: 'Task',
        status: task.status,
        body: (
          <>
            <Head title="Task" crumbs={[{ href: context.link('/tasks'), text: 'Tasks' }]} />
            <ErrorBox failure={task} retry={context.here({})} />
          </>
        ),
      }
    }
    const { data } = task
    const from = now - Number.parseInt(range, 10) * DAY_MS
    const live = data.runningExecution
    const known = knownOf(attention.ok ? attention.data.items : [])
    const state = taskState(data, known)
    const isChosen = span.from !== null || span.to !== null
    return {
      title: data.taskName,
      live: ['execution', 'event', 'delivery', 'attention'],
      scripts: ['pictures.js'],
      body: (
        <>
          <Heading context={context} task={data} state={state} item={mainItem(known, data.taskId)} />
          <div class="two">
            <div class="stack">
              {live && <EtaBar context={context} running={live} usual={data.usual} />}
              <Panel
                id="durations"
                title="Duration"
                tools={
                  <Choice
                    small
                    label="Range"
                    options={RANGES.map((one) => ({
                      text: one.replace('d', ' d'),
                      href: context.here({ d: one === '90d' ? null : one }),
                      chosen: one === range,
                    }))}
                  />
                }
              >
                <div data-part="durations">
                  {summary.ok && <Stats summary={summary.data} range={range} usual={data.usual} />}
                  {part(durations, (found) =>
                    found.points.length === 0 ? (
                      <Empty title="It has not run in this time" />
                    ) : (
                      <>
                        <p class="sub unit">
                          {unitOf(Math.max(...found.points.map(({ runMs }) => runMs ?? 0)))[1]}
                          {found.truncated && ', the newest 5,000 runs'}
                        </p>
                        <DurationChart context={context} durations={found} usual={data.usual} from={from} />
                        <details
                          class="fold"
                          data-key="durations-table"
                          open={query.has('sort-durations') || query.has('offset-durations') || undefined}
                        >
                          <summary>
                            <Icon name="right" class="turn" />
                            As a table
                          </summary>
                          <DurationTable context={context} durations={found} />
                        </details>
                      </>
                    ),
                  )}
                </div>
              </Panel>
              <Panel
                id="runs"
                title="Runs"
                tools={
                  isChosen && (
                    <a class="small" href={context.here({ from: null, to: null })}>
                      All runs
                    </a>
                  )
                }
              >
                {isChosen && (
                  <p class="body">
                    From <Time at={span.from} zone={context} /> to <Time at={span.to} zone={context} />
                  </p>
                )}
                {part(executions, ({ executions: rows, nextCursor }) => (
                  <RunTable context={context} rows={rows} usual={data.usual} state={state} nextCursor={nextCursor} />
                ))}
              </Panel>
            </div>
            <aside class="stack" aria-label="About the task">
              <Panel id="strip" title="Last 14 runs" tools={<span class="small muted">newest right</span>}>
                <div class="body" data-part="strip">
                  {part(strips, ({ strips: all }) => (
                    <Outcomes
                      points={all[taskId.toLowerCase()] ?? []}
                      link={context.link}
                      running={live?.state}
                      state={state}
                    />
                  ))}
                </div>
              </Panel>
              <Triggers context={context} triggers={data.triggers} />
              <Followers context={context} followers={data.followedBy} />
              <Panel id="alerts" title="Alerts">
                <div class="body">
                  <Explained asked={routes} />
                  <Facts
                    facts={[
                      ['Retry', <PolicyText text={data.retryPolicy ?? 'none'} from={data.policySources.retry} />],
                      [
                        'Watch',
                        <PolicyText text={data.watchPolicy ?? 'as the site'} from={data.policySources.watch} />,
                      ],
                      data.dueBy.length > 0 && [
                        'Due by',
                        <PolicyText text={data.dueBy.join('; ')} from={data.policySources.dueBy} />,
                      ],
                      data.due && [
                        'Due',
                        <>
                          <Time at={data.due.at} zone={context} short />
                          {data.due.kind === 'usual' && ', its usual end'}
                        </>,
                      ],
                    ]}
                  />
                </div>
              </Panel>
              <Related
                id="events"
                title="Events"
                all={context.link('/events', { taskId })}
                asked={events}
                rows={({ events: rows }) =>
                  rows.map(({ id, receivedAt, type, outcome }) => (
                    <li>
                      <Mark state={outcomeState(outcome)} />
                      <a href={context.link(`/events/${id}`)}>
                        <Name text={type} />
                      </a>
                      <span class="small muted">
                        <Time at={receivedAt} zone={context} seconds={false} />
                      </span>
                    </li>
                  ))
                }
              />
              <Related
                id="messages"
                title="Messages"
                all={context.link('/deliveries', { taskId })}
                asked={deliveries}
                rows={({ deliveries: rows }) =>
                  rows.map(({ id, createdAt, destination, target, state, reason }) => (
                    <li>
                      <Mark state={deliveryState(state)} />
                      <div class="two-l">
                        <a href={context.link(`/deliveries/${id}`)}>
                          <Name text={destination} />
                        </a>{' '}
                        <span class="small muted">
                          {reason ? `${stateWord(state)}: ${reasonWord(reason)}` : stateWord(state)}
                        </span>
                        <p class="sub">
                          <Name text={target} />
                        </p>
                      </div>
                      <span class="small muted">
                        <Time at={createdAt} zone={context} seconds={false} />
                      </span>
                    </li>
                  ))
                }
              />
            </aside>
          </div>
        </>
      ),
    }
  },
}

/** A part of the policy of the task, and where it comes from. */
const PolicyText: FC<{ readonly text: string; readonly from: PolicySource | null }> = ({ text, from }) => (
  <>
    <Name text={text} />
    {from && (
      <span class="small muted">
        {' '}
        {from.kind === 'policy' ? 'policy' : 'custom property'} <Name text={from.name} />
      </span>
    )}
  </>
)

interface RelatedProps<T> {
  readonly id: string
  readonly title: string
  /** Address of the list with all of them. */
  readonly all: string
  readonly asked: Asked<T>
  readonly rows: (data: T) => readonly Child[]
}

/** The newest records about the task. */
function Related<T>({ id, title, all, asked, rows }: RelatedProps<T>) {
  return (
    <Panel
      id={id}
      title={title}
      tools={
        <a class="small" href={all}>
          All
        </a>
      }
    >
      <div class="body" data-part={id}>
        {part(asked, (data) => {
          const shown = rows(data)
          return <ul class="list">{shown.length > 0 ? shown : <li class="muted">None</li>}</ul>
        })}
      </div>
    </Panel>
  )
}

interface HeadingProps {
  readonly context: PageContext
  readonly task: TaskDetail
  readonly state: State
  readonly item: AttentionItem | undefined
}

const Heading: FC<HeadingProps> = ({ context, task, state, item }) => {
  const { taskId, taskName, taskType, appName, stream, tags, enabled, stale } = task
  const { qmc } = context.settings.links
  const crumbs: Crumb[] = [{ href: context.link('/tasks'), text: 'Tasks' }]
  if (stream) crumbs.push({ href: context.link('/tasks', { stream }), text: <Name text={stream} /> })
  const running = task.runningExecution
  // The badge of the execution says these.
  const isLive = running !== null && ['running', 'queued', 'late'].includes(state)
  return (
    <>
      <Head
        title={<Name text={taskName} />}
        crumbs={crumbs}
        beside={
          <span data-part="state">
            {isLive ? null : (
              <Badge
                tone={STATES[state].tone}
                icon={STATES[state].icon}
                text={item && item.count > 1 ? `${taskStateWord(state)}, ${item.count} in a row` : taskStateWord(state)}
              />
            )}{' '}
            {running && (
              <Badge
                tone={running.over ? 'warn' : 'info'}
                icon={running.over ? 'late' : 'running'}
                text={`${running.state === 'queued' ? 'Waits' : 'Running'} ${durationText(context.now - Date.parse(running.startedAt), true)}${usuallyText(task.usual.usualMs, ', ')}`}
              />
            )}{' '}
            {!enabled && <Badge text="disabled in Qlik Sense" />}{' '}
            {stale && <Badge tone="warn" icon="self" text="Qlik Sense did not answer: as last known" />}
          </span>
        }
      >
        <ActionLink
          context={context}
          operation="task.start"
          scope="task:run"
          class="primary"
          values={{ taskId }}
          off={running ? 'It runs already' : enabled ? null : 'The task is disabled in Qlik Sense'}
        >
          Start…
        </ActionLink>
        <ActionLink context={context} operation="snooze.set" scope="event:run" class="" values={{ taskId }}>
          Snooze…
        </ActionLink>
        {context.may('setting:write') && (
          <a class="btn" href={ruleLike(context, { type: taskType, taskName })}>
            Make a rule…
          </a>
        )}
        {qmc && (
          <a class="btn wide-only" href={`${qmc.replace(/\/+$/, '')}/tasks`} rel="noreferrer noopener">
            Open QMC
          </a>
        )}
      </Head>
      <ul class="facts">
        <li>
          <Name text={taskType} />
        </li>
        {appName && (
          <li>
            app <Name text={appName} />
          </li>
        )}
        {stream && (
          <li>
            stream <Name text={stream} />
          </li>
        )}
        {tags.length > 0 && (
          <li>
            tags <Name text={tags.join(', ')} />
          </li>
        )}
        {task.failingSince && (
          <li class="bad">
            failing since <Time at={task.failingSince} zone={context} seconds={false} />
          </li>
        )}
        {task.lastSuccessAt && (
          <li>
            last success <Time at={task.lastSuccessAt} zone={context} seconds={false} />
          </li>
        )}
      </ul>
    </>
  )
}

const knownText = (ms: number | null) => (ms === null ? '–' : durationText(ms))

interface StatsProps {
  readonly summary: HistorySummary
  readonly range: string
  readonly usual: UsualTimes
}

const Stats: FC<StatsProps> = ({ summary: { summary: groups }, range, usual: { usualMs, p95Ms, waitP50Ms } }) => {
  const [group] = groups
  if (!group) return null
  const facts = [
    [`Runs in ${counted(Number.parseInt(range, 10), 'day')}`, numberText(group.runs)],
    ['Succeeded', `${Math.round(group.successRate * 1000) / 10} %`],
    ['Usual', knownText(usualMs)],
    ['95 % within', knownText(p95Ms)],
    ['Usual wait', knownText(waitP50Ms)],
  ]
  return (
    <div class="body">
      <dl class="stats">
        {facts.map(([term, value]) => (
          <div>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

/** The stored runs of a task, while Qlik Sense cannot be asked for the task itself. */
function withoutQlik(context: PageContext, failure: Failure, { executions, nextCursor }: Executions): PageContent {
  const name = executions.find(({ taskName }) => taskName !== null)?.taskName ?? 'Task'
  return {
    title: plainName(name),
    body: (
      <>
        <Head title={<Name text={name} />} crumbs={[{ href: context.link('/tasks'), text: 'Tasks' }]} />
        <ErrorBox failure={failure} retry={context.here({})} />
        <Panel id="runs" title="Runs">
          <div class="body">
            <ul class="list">
              {executions.map((run) => {
                const time = <Time at={run.startedAt ?? run.triggeredAt ?? run.stoppedAt} zone={context} />
                return (
                  <li>
                    <Mark state={stateOfRun(run)} word />
                    {run.executionId ? <a href={context.link(`/executions/${run.executionId}`)}>{time}</a> : time}
                  </li>
                )
              })}
            </ul>
          </div>
          <Pager context={context} nextCursor={nextCursor} />
        </Panel>
      </>
    ),
  }
}
