/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** One event: what happened, who was alerted, why, the script log, the run, what came before and after, and the data. */
import {
  DECISIONS,
  type Decisions,
  EVENT,
  type EventDetail,
  type ScriptLogPart,
} from '../../../alerts/history/contract.ts'
import { ALERT_RULES, EXPLAIN, type Explanation } from '../../../alerts/rules/contract.ts'
import { HISTORY, type HistoryItem } from '../../../tasks/executions/contract.ts'
import { STRIPS } from '../../../tasks/overview/contract.ts'
import type { Asked, Failure } from '../../ask.ts'
import type { Page, PageContent, PageContext } from '../../page.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { Badge, Icon, STATES } from '../../ui/marks.tsx'
import { ErrorBox, Head, Panel } from '../../ui/panel.tsx'
import { Ago, counted, durationText, Name, plainName, Time, usuallyText } from '../../ui/text.tsx'
import { ruleLike } from '../delivery/rule-words.ts'
import { Alerted } from './alerted.tsx'
import { appReloadRule, RULE, Why } from './decisions.tsx'
import { askLog, columnsOf, LogView } from './log.tsx'
import { BeforeAndAfter, Data, Execution, TaskAndApp } from './side.tsx'
import { outcomeState, outcomeWord } from './words.ts'

interface Parts {
  readonly decisions: Asked<Decisions>
  readonly log: Asked<ScriptLogPart> | null
  readonly runs: Asked<{ readonly executions: readonly HistoryItem[] }>
  readonly run: HistoryItem | null
  readonly usualMs: number | null
  readonly explanation: Asked<Explanation> | null
  /** Names of destinations, for a rule that is offered. */
  readonly destinations: readonly string[]
}

const RUNS = 14

export const eventPage: Page = {
  path: '/events/:id',
  place: 'events',
  scope: 'event:read',
  async render(context) {
    const answer = await context.ask(EVENT, { params: { id: context.params.id ?? '' } })
    return answer.ok ? shown(context, answer.data, await partsOf(context, answer.data)) : missing(context, answer)
  },
}

/** Everything beside the event, at the same time. */
async function partsOf({ ask, query }: PageContext, event: EventDetail): Promise<Parts> {
  const { id, taskId, executionId, type } = event
  const none: Failure = { ok: false, status: 404, error: 'No task', details: '', code: '', requestId: '', issues: [] }
  const [decisions, log, runs, run, usual, explanation, rules] = await Promise.all([
    ask(DECISIONS, { params: { id } }),
    type === 'reload' && executionId ? askLog(ask, id, query.get('log')) : null,
    taskId ? ask(HISTORY, { query: { taskId, limit: RUNS } }) : none,
    executionId ? ask(HISTORY, { query: { id: executionId } }) : none,
    taskId ? ask(STRIPS, { query: { taskId, n: 1 } }) : none,
    query.get('now') === '1' ? ask(EXPLAIN, { body: { eventId: id } }) : null,
    type === 'appReload' ? ask(ALERT_RULES) : null,
  ])
  const used = rules?.ok ? rules.data.alertRoutes.find(({ origin, enable }) => origin === 'footman' && enable) : null
  return {
    decisions,
    log,
    runs,
    explanation,
    destinations: used?.to ?? [],
    run: run.ok ? (run.data.executions[0] ?? null) : null,
    usualMs: (usual.ok && usual.data.usual[taskId?.toLowerCase() ?? '']?.p50Ms) || null,
  }
}

function missing(context: PageContext, failure: Failure): PageContent {
  const task = context.query.get('task')
  return {
    title: 'Event not found',
    status: failure.status,
    body: (
      <>
        <Head
          title={failure.status === 404 ? 'This event is not kept any more' : 'Event'}
          crumbs={[{ href: context.link('/events'), text: 'Events' }]}
        />
        <ErrorBox failure={failure} />
        {task && (
          <p>
            <a href={context.link(`/tasks/${encodeURIComponent(task)}`)}>To its task</a>
          </p>
        )}
      </>
    ),
  }
}

function shown(context: PageContext, event: EventDetail, parts: Parts): PageContent {
  const { id, title, taskId, taskName, executionId, record, raw, deliveries, state } = event
  return {
    title: plainName(title),
    live: ['event', 'delivery'],
    scripts: ['log.js'],
    body: (
      <div class="event">
        <Head
          title={<Name text={title} />}
          crumbs={[
            { href: context.link('/events'), text: 'Events' },
            ...(taskId
              ? [{ href: context.link('/events', { taskId }), text: <Name text={taskName ?? taskId} /> }]
              : []),
          ]}
          beside={<Badges event={event} />}
        >
          <Actions context={context} event={event} />
        </Head>
        <Facts context={context} event={event} parts={parts} />
        <div class="two">
          <div class="stack">
            <WhatHappened context={context} event={event} parts={parts} />
            <Alerted context={context} event={event} deliveries={deliveries} isOpen={state === 'pending'} />
            <div data-part="why">
              <Why
                context={context}
                decisions={parts.decisions}
                deliveries={deliveries}
                explanation={parts.explanation}
                offered={offeredFor(event, parts.destinations)}
                like={context.may('setting:write') ? ruleLike(context, event) : null}
              />
            </div>
          </div>
          <aside class="stack" aria-label="About the event">
            {executionId && <Execution context={context} run={parts.run} executionId={executionId} record={record} />}
            {taskId && <BeforeAndAfter context={context} taskId={taskId} executionId={executionId} runs={parts.runs} />}
            <TaskAndApp context={context} event={event} record={record} />
            <Data context={context} record={record} raw={raw} />
          </aside>
        </div>
        <span hidden data-event={id} />
      </div>
    ),
  }
}

/** Lines of the configuration for events like this one. */
const offeredFor = ({ type, outcome }: EventDetail, destinations: readonly string[]): string =>
  type === 'appReload' ? appReloadRule(destinations) : RULE.replace('outcome: failed', `outcome: ${outcome}`)

const Badges = ({ event: { outcome, consecutiveFailures, test, state, reason } }: { readonly event: EventDetail }) => {
  const { icon, tone } = STATES[outcomeState(outcome)]
  const row = consecutiveFailures !== null && consecutiveFailures > 1 ? `, ${consecutiveFailures} in a row` : ''
  const word = outcomeWord(outcome)
  return (
    <>
      <Badge tone={tone} icon={icon} text={`${word[0]?.toUpperCase()}${word.slice(1)}${row}`} />
      {test && <Badge text="test" />}
      {state === 'pending' && <Badge tone="info" text="waits for data" />}
      {reason && <Badge text={`ignored: ${reason}`} />}
    </>
  )
}

const Actions = ({ context, event }: { readonly context: PageContext; readonly event: EventDetail }) => {
  const { id, taskId, taskName, appName, type, outcome } = event
  const isTask = taskId !== null && type !== 'cloudReload'
  return (
    <>
      {isTask && (
        <ActionLink
          context={context}
          operation="task.start"
          scope="task:run"
          values={{ taskId, taskName }}
          class={outcome === 'success' ? '' : 'primary'}
        >
          Start again…
        </ActionLink>
      )}
      <ActionLink
        context={context}
        operation="snooze.set"
        scope="event:run"
        class=""
        values={{ taskId, event: id, ...(taskId ? {} : { type, app: appName }) }}
      >
        Snooze…
      </ActionLink>
      {context.may('setting:write') && (
        <a class="btn" href={ruleLike(context, event)}>
          Make a rule…
        </a>
      )}
      <ActionLink context={context} operation="event.replay" scope="event:run" class="" values={{ id }}>
        Send again…
      </ActionLink>
      <ActionLink context={context} operation="event.fire" scope="event:run" class="wide-only" values={{ id }}>
        Test…
      </ActionLink>
      <a class="btn wide-only" href={`${context.root}/api/v4/events/${id}`}>
        JSON
      </a>
    </>
  )
}

const Facts = ({ context, event, parts }: FactsProps) => {
  const { receivedAt, host, user, record, acceptedBy } = event
  const { run, usualMs } = parts
  const { lastSuccess, taskNextExecution: next } = record
  return (
    <ul class="facts">
      <li>
        <Time at={receivedAt} zone={context} />, <Ago at={receivedAt} zone={context} />
      </li>
      {host && (
        <li>
          <Name text={host} />
        </li>
      )}
      {user && (
        <li>
          by <Name text={user} />
        </li>
      )}
      {acceptedBy && (
        <li>
          accepted by <Name text={acceptedBy} />
        </li>
      )}
      {run?.runMs != null && (
        <li>
          {outcomeWord(run.outcome)} after {durationText(run.runMs)}
          {usuallyText(usualMs, ', ')}
        </li>
      )}
      {lastSuccess && (
        <li>
          last success <Time at={lastSuccess} zone={context} short />
        </li>
      )}
      {next && Date.parse(next) > context.now && (
        <li>
          next run <Time at={next} zone={context} short />
        </li>
      )}
    </ul>
  )
}

interface FactsProps {
  readonly context: PageContext
  readonly event: EventDetail
  readonly parts: Parts
}

const WhatHappened = ({ context, event, parts }: FactsProps) => {
  const { id, record, outcome } = event
  const { log } = parts
  const error = (log?.ok && log.data.errorText) || record.errorText
  const statement = log?.ok ? statementOf(log.data) : null
  const message = record.logMessage || record.selfText
  const isBad = outcome !== 'success'
  return (
    <Panel
      id="log"
      title="What happened?"
      tools={statement && <span class="small muted">line {statement} of the load script</span>}
    >
      {(error || message) && isBad ? (
        <div class="error flat">
          <Icon name="failed" class="bad" />
          <div>
            <code>
              <Name text={error || message} />
            </code>
            <Repeated context={context} parts={parts} />
            {error && message && message !== error && (
              <p class="small muted">
                Message of the scheduler: <Name text={message} />
              </p>
            )}
          </div>
        </div>
      ) : (
        <p class="body">
          <Name text={message || event.title} />
        </p>
      )}
      {log && <LogView context={context} eventId={id} log={log} />}
    </Panel>
  )
}

/** The statement that ran when the first error was written: the last number before it. */
function statementOf({ from, text, errorLines }: ScriptLogPart): string | null {
  const at = errorLines.find((line) => line >= from)
  if (at === undefined) return null
  const before = text.slice(0, at - from + 1).findLast((line) => columnsOf(line).number !== '')
  return before === undefined ? null : columnsOf(before).number.replace(/^0+(?=\d)/, '')
}

/** How often the runs before ended with the same error. */
const Repeated = ({ context, parts: { runs, run } }: Omit<FactsProps, 'event'>) => {
  if (!runs.ok || !run?.error) return null
  const all = runs.data.executions
  const at = all.findIndex(({ executionId }) => executionId === run.executionId)
  if (at < 0) return null
  const before = all.slice(at + 1)
  const end = before.findIndex(({ error }) => error !== run.error)
  const same = end < 0 ? before : before.slice(0, end)
  const first = same.at(-1)
  if (!first) return null
  if (end < 0) {
    return <p class="small muted">The same error in at least {counted(same.length, 'run')} before.</p>
  }
  return (
    <p class="small muted">
      The same error in the {same.length === 1 ? 'run' : `${same.length} runs`} before, first{' '}
      <a href={context.link(`/executions/${encodeURIComponent(first.executionId ?? '')}`)}>
        <Time at={first.stoppedAt} zone={context} />
      </a>
      .
    </p>
  )
}
