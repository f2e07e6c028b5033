/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** One execution: its states in time, its error and steps, its log, and the alerts about it. */

import type { FC } from 'hono/jsx'
import { DELIVERIES, EVENTS } from '../../../alerts/history/contract.ts'
import { addressOf } from '../../../http/endpoint/contract.ts'
import { visible } from '../../../platform/visible.ts'
import {
  EXECUTION,
  EXECUTION_LOG,
  EXECUTIONS,
  type Execution,
  type ListedExecution,
} from '../../../tasks/executions/contract.ts'
import { type Asked, QLIK_MS } from '../../ask.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionButton, ActionLink } from '../../ui/forms.tsx'
import { Badge, Icon, Mark, STATES } from '../../ui/marks.tsx'
import { type Crumb, Empty, ErrorBox, Facts, Head, Panel, part } from '../../ui/panel.tsx'
import { durationText, Name, Time } from '../../ui/text.tsx'
import { deliveryState, reasonWord, stateWord } from '../delivery/words.tsx'
import { stateOf } from './runs.tsx'

/** An execution that only the history knows has no details. */
type Detail = ListedExecution & Pick<Execution, 'details'>

const LOG_LINES = 400

export const executionPage: Page = {
  path: '/executions/:executionId',
  place: 'tasks',
  scope: 'task:read',
  async render(context) {
    const { ask, params } = context
    const id = params.executionId ?? ''
    const call = { params: { executionId: id } }
    const [execution, log] = await Promise.all([
      detailOf(context, id),
      ask(EXECUTION_LOG, { ...call, query: { tail: LOG_LINES }, withinMs: QLIK_MS }),
    ])
    if (!execution.ok) {
      return {
        title: 'Execution',
        status: execution.status,
        body: (
          <>
            <Head title="Execution" crumbs={[{ href: context.link('/tasks'), text: 'Tasks' }]} />
            <ErrorBox failure={execution} retry={context.here({})} />
          </>
        ),
      }
    }
    const { data } = execution
    const { taskId } = data
    const [events, deliveries] = await Promise.all([
      taskId ? ask(EVENTS, { query: { taskId, limit: 50 } }) : null,
      taskId ? ask(DELIVERIES, { query: { taskId, limit: 100 } }) : null,
    ])
    const own = events?.ok
      ? events.data.events.filter(({ executionId }) => executionId?.toLowerCase() === id.toLowerCase())
      : []
    const sent = deliveries?.ok
      ? deliveries.data.deliveries.filter(({ eventId }) => own.some((event) => event.id === eventId))
      : []
    return {
      title: data.taskName ?? data.appName ?? 'Execution',
      live: ['execution', 'event', 'delivery'],
      body: (
        <>
          <Heading context={context} execution={data} />
          <div class="two">
            <div class="stack">
              {data.error && (
                <div class="error">
                  <p>
                    <Icon name="failed" class="bad" />{' '}
                    <code>
                      <Name text={data.error} />
                    </code>
                  </p>
                </div>
              )}
              <Panel id="states" title="States">
                <div class="body" data-part="states">
                  <States context={context} execution={data} />
                </div>
              </Panel>
              {data.details.length > 0 && (
                <Panel id="steps" title="Steps">
                  <div class="body" data-part="steps">
                    <ul class="steps">
                      {data.details.map(({ at, level, message }) => (
                        <li>
                          <Icon
                            name={level === 'error' ? 'failed' : level === 'warn' ? 'self' : 'ok'}
                            class={level === 'info' ? 'muted' : 'bad'}
                            label={level}
                          />
                          <Name text={message} />
                          <Time at={at} zone={context} short seconds />
                        </li>
                      ))}
                    </ul>
                  </div>
                </Panel>
              )}
              <Panel
                id="log"
                title="Log"
                tools={
                  <span data-part="whole-log">
                    {log.ok && (
                      <a class="small" href={`${context.root}/api${addressOf(EXECUTION_LOG, call).path}`} download>
                        Whole log
                      </a>
                    )}
                  </span>
                }
              >
                <div data-part="log">
                  {log.ok ? (
                    <LogLines text={log.data} />
                  ) : log.status === 404 ? (
                    <Empty title="There is no log" icon="skip">
                      {log.code === ''
                        ? 'It is shown when restServerEndpointsEnable.senseStartTask is true.'
                        : log.details}
                    </Empty>
                  ) : (
                    <ErrorBox failure={log} retry={context.here({})} />
                  )}
                </div>
              </Panel>
            </div>
            <aside class="stack" aria-label="About the execution">
              <Panel id="facts" title="Execution">
                <div class="body">
                  <Facts
                    facts={[
                      ['Started by', <Name text={data.actor ?? 'Qlik Sense'} />],
                      ['Node', <Name text={data.node ?? 'not known'} />],
                      ['Attempts', String(data.attempts)],
                      ['State', <Name text={data.statusText} />],
                      ['Id', <code class="id">{id}</code>],
                    ]}
                  />
                </div>
              </Panel>
              <Panel id="sent" title="Alerts">
                <div class="body" data-part="sent">
                  {events && part(events, () => null)}
                  <ul class="list">
                    {own.map(({ id: eventId, type, receivedAt }) => (
                      <li>
                        <Icon name="right" class="muted" />
                        <a href={context.link(`/events/${eventId}`)}>
                          Event <Name text={type} />
                        </a>
                        <span class="small muted">
                          <Time at={receivedAt} zone={context} short />
                        </span>
                      </li>
                    ))}
                    {sent.map((one) => (
                      <li>
                        <Mark state={deliveryState(one.state)} />
                        <div class="two-l">
                          <a href={context.link(`/deliveries/${one.id}`)}>
                            <Name text={one.destination} />
                          </a>{' '}
                          <span class="small muted">
                            {one.reason ? `${stateWord(one.state)}: ${reasonWord(one.reason)}` : stateWord(one.state)}
                          </span>
                          <p class="sub">
                            <Name text={one.target} />
                          </p>
                        </div>
                        <span class="small muted">
                          <Time at={one.createdAt} zone={context} short />
                        </span>
                      </li>
                    ))}
                    {own.length === 0 && <li class="muted">No event of it has been received</li>}
                  </ul>
                </div>
              </Panel>
            </aside>
          </div>
        </>
      ),
    }
  },
}

/**
 * From Qlik Sense; where that fails, because the endpoint is switched off, Qlik Sense is away or has deleted the execution, what
 * Footman has stored about it.
 */
async function detailOf({ ask }: PageContext, id: string): Promise<Asked<Detail>> {
  const answer = await ask(EXECUTION, { params: { executionId: id } })
  if (answer.ok) return answer
  const stored = await ask(EXECUTIONS, { query: { id } })
  const found = stored.ok ? stored.data.executions[0] : undefined
  return stored.ok && found ? { ...stored, data: { ...found, details: [] } } : answer
}

const Heading: FC<{ readonly context: PageContext; readonly execution: Detail }> = ({ context, execution }) => {
  const { taskId, taskName, appName, state, executionId, statusText } = execution
  const mark = stateOf(execution)
  const crumbs: Crumb[] = [{ href: context.link('/tasks'), text: 'Tasks' }]
  if (taskId) crumbs.push({ href: context.link(`/tasks/${taskId}`), text: <Name text={taskName ?? taskId} /> })
  const isQueued = state === 'queued' && statusText.includes('start queue')
  return (
    <Head
      title={<Name text={taskName ?? appName ?? 'Execution'} />}
      crumbs={crumbs}
      beside={
        <span data-part="state">
          <Badge tone={STATES[mark].tone} icon={STATES[mark].icon} text={STATES[mark].word} />
        </span>
      }
    >
      {isQueued && (
        <ActionButton
          context={context}
          operation="queue.remove"
          scope="task:run"
          class=""
          values={{ queueId: executionId, taskName }}
          then={context.link('/tasks/queue')}
        >
          Remove from the queue
        </ActionButton>
      )}
      {taskId && (
        <ActionLink
          context={context}
          operation="task.start"
          scope="task:run"
          class="primary"
          values={{ taskId }}
          off={state === 'finished' ? null : 'It runs already'}
        >
          Start again
        </ActionLink>
      )}
    </Head>
  )
}

/** Triggered, started, stopped: a bar of waiting and running, and the times as a list. */
const States: FC<{ readonly context: PageContext; readonly execution: Detail }> = ({ context, execution }) => {
  const { triggeredAt, startedAt, stoppedAt, state } = execution
  const time = (text: string | null) => (text === null ? null : Date.parse(text))
  const [triggered, started, stopped] = [time(triggeredAt), time(startedAt), time(stoppedAt)]
  const begin = triggered ?? started ?? stopped ?? context.now
  const end = Math.max(stopped ?? context.now, begin + 1)
  const at = (instant: number) => Math.round((10_000 * (instant - begin)) / (end - begin)) / 100
  const mark = stateOf(execution)
  const [waited, ran] = [(started ?? end) - begin, started === null ? null : end - started]
  const label = `Waited ${durationText(waited)}${ran === null ? '' : `, ran ${durationText(ran)}`}`
  const bar = { failed: 'b-bad', aborted: 'b-warn', running: 'b-run', queued: 'b-queue' }[mark as string] ?? 'b-ok'
  return (
    <>
      <svg class="chart" height="24" role="img" aria-label={label}>
        <rect class="track" x="0" y="6" width="100%" height="12" rx="2" />
        <rect class="b-wait" x="0" y="10" width={`${at(started ?? end)}%`} height="4" />
        {started !== null && (
          <rect
            class={bar}
            x={`${at(started)}%`}
            y="6"
            width={`${Math.max(0.5, 100 - at(started))}%`}
            height="12"
            rx="1"
          />
        )}
      </svg>
      <ul class="steps">
        <Step context={context} at={triggeredAt} text="Triggered" />
        <Step
          context={context}
          at={startedAt}
          text={startedAt && triggeredAt ? `Started, after ${durationText(waited)}` : 'Started'}
        />
        {state === 'finished' ? (
          <li>
            <Mark state={mark} />
            <span>
              {STATES[mark].word}
              {ran !== null && `, after ${durationText(ran)}`}
            </span>
            <Time at={stoppedAt} zone={context} />
          </li>
        ) : (
          <li>
            <Mark state={mark} />
            <span>
              {STATES[mark].word} for {durationText(context.now - (started ?? begin), true)}
            </span>
            <span>now</span>
          </li>
        )}
      </ul>
    </>
  )
}

const Step: FC<{ readonly context: PageContext; readonly at: string | null; readonly text: string }> = ({
  context,
  at,
  text,
}) =>
  at === null ? null : (
    <li>
      <Icon name="ok" class="muted" />
      <span>{text}</span>
      <Time at={at} zone={context} />
    </li>
  )

const ERROR = /\berror\b|\bfailed\b|cannot open/i

const LogLines: FC<{ readonly text: string }> = ({ text }) => {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  if (text.trim() === '') return <Empty title="The log is empty" icon="skip" />
  return (
    <section class="log plainlog" tabindex={0} aria-label="Last lines of the log">
      <ol>
        {lines.map((line) => (
          <li class={ERROR.test(line) ? 'e' : undefined}>
            {ERROR.test(line) ? <span class="sr">error </span> : null}
            {visible(line)}
          </li>
        ))}
      </ol>
    </section>
  )
}
