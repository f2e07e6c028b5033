/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Beside an event: its execution, the runs before and after, task and app, and the data that templates see. */
import type { Child } from 'hono/jsx'
import type { EventDetail } from '../../../alerts/history/contract.ts'
import { visibleLines } from '../../../platform/visible.ts'
import type { HistoryItem } from '../../../tasks/executions/contract.ts'
import type { Asked } from '../../ask.ts'
import type { PageContext } from '../../page.ts'
import { Icon, STATES, type State } from '../../ui/marks.tsx'
import { Panel } from '../../ui/panel.tsx'
import { counted, durationText, Name, OutsideLink, plainName, Time, timeText } from '../../ui/text.tsx'

export const Execution = ({
  context,
  run,
  executionId,
  record,
}: {
  readonly context: PageContext
  readonly run: HistoryItem | null
  readonly executionId: string
  readonly record: EventDetail['record']
}) => {
  const time = (at: string | null) => <Time at={at} zone={context} short seconds />
  const step = (state: State, text: Child, value: Child) => (
    <li>
      <Icon name={STATES[state].icon} class={STATES[state].tone} />
      <span>{text}</span>
      <span>{value}</span>
    </li>
  )
  const details = record.executionDetails
  return (
    <Panel
      id="execution"
      title="Execution"
      tools={
        <a class="small" href={context.link(`/executions/${encodeURIComponent(executionId)}`)}>
          Open
        </a>
      }
    >
      <div class="body">
        {run ? (
          <ol class="steps">
            {run.triggeredAt &&
              step(
                'queued',
                run.actor ? (
                  <>
                    Triggered by <Name text={run.actor} />
                  </>
                ) : (
                  'Triggered'
                ),
                time(run.triggeredAt),
              )}
            {run.queueMs !== null && step('planned', 'Queued', `+${durationText(run.queueMs)}`)}
            {run.startedAt &&
              step(
                'running',
                run.node ? (
                  <>
                    Started on <Name text={run.node} />
                  </>
                ) : (
                  'Started'
                ),
                time(run.startedAt),
              )}
            {step(
              run.outcome,
              run.runMs === null ? STATES[run.outcome].word : `${ENDED[run.outcome]} ${durationText(run.runMs)}`,
              time(run.stoppedAt),
            )}
          </ol>
        ) : (
          <p class="muted">This run is not in the history.</p>
        )}
        {details.length > 0 && (
          <details data-key="steps">
            <summary class="small">{counted(details.length, 'step')} of Qlik Sense</summary>
            <ol class="small">
              {details.map(({ timestampUTC, message }) => (
                <li>
                  {timestampUTC && time(timestampUTC)} <Name text={message} />
                </li>
              ))}
            </ol>
          </details>
        )}
      </div>
    </Panel>
  )
}

const ENDED: Readonly<Record<HistoryItem['outcome'], string>> = {
  success: 'Succeeded after',
  failed: 'Failed after',
  aborted: 'Aborted after',
  skipped: 'Skipped after',
  unknown: 'Ended after',
}

interface BeforeProps {
  readonly context: PageContext
  readonly taskId: string
  readonly executionId: string | null
  readonly runs: Asked<{ readonly executions: readonly HistoryItem[] }>
}

export const BeforeAndAfter = ({ context, taskId, executionId, runs }: BeforeProps) => {
  const shown = runs.ok ? runs.data.executions.toReversed() : []
  return (
    <Panel
      id="before"
      title="Before and after"
      tools={
        <a class="small" href={context.link(`/tasks/${encodeURIComponent(taskId)}`)}>
          Task
        </a>
      }
    >
      <div class="body">
        {shown.length > 0 ? (
          <>
            <p class="small muted">Last {counted(shown.length, 'run')}, newest right</p>
            <ul class="stripline">
              {shown.map(({ executionId: id, outcome, stoppedAt, runMs, error }) => {
                const label = [
                  STATES[outcome].word,
                  timeText(Date.parse(stoppedAt), context),
                  runMs === null ? '' : durationText(runMs),
                  plainName(error),
                ]
                return (
                  <li class={id !== null && id === executionId ? 'here' : undefined}>
                    <a
                      href={context.link(id ? `/executions/${encodeURIComponent(id)}` : `/tasks/${taskId}`)}
                      aria-label={label.filter((part) => part !== '').join(', ')}
                      title={label.filter((part) => part !== '').join(', ')}
                    >
                      <Icon name={STATES[outcome].icon} class={STATES[outcome].tone} />
                    </a>
                  </li>
                )
              })}
            </ul>
          </>
        ) : (
          <p class="muted">{runs.ok ? 'No run of this task is in the history.' : `${runs.error}. ${runs.details}`}</p>
        )}
      </div>
    </Panel>
  )
}

interface TaskProps {
  readonly context: PageContext
  readonly event: EventDetail
  readonly record: EventDetail['record']
}

export const TaskAndApp = ({ context, event, record }: TaskProps) => {
  const { id, taskId, taskName, appName, from, missingParts } = event
  const { appUrl, appStreamName, appOwnerUserDirectory, appOwnerUserId, taskTags, appTags, retryAttempt, retryMax } =
    record
  const tags = [...taskTags, ...appTags]
  const facts: readonly (readonly [string, Child] | null | false)[] = [
    taskId !== null && [
      'Task',
      <a href={context.link(`/tasks/${encodeURIComponent(taskId)}`)}>
        <Name text={taskName ?? taskId} />
      </a>,
    ],
    appName !== null && ['App', <OutsideLink url={appUrl} text={appName} />],
    appStreamName !== '' && ['Stream', <Name text={appStreamName} />],
    appOwnerUserId !== '' && [
      'Owner',
      <Name text={[appOwnerUserDirectory, appOwnerUserId].filter(Boolean).join('\\')} />,
    ],
    tags.length > 0 && ['Tags', <Name text={tags.join(', ')} />],
    retryAttempt !== '' && ['Retry', `${retryAttempt} of ${retryMax}`],
    from !== null && ['Sender', <code>{from}</code>],
    missingParts.length > 0 && ['Not known', `${missingParts.join(', ')}: Qlik Sense did not deliver it in time`],
    ['Event id', <code class="id">{id}</code>],
  ]
  return (
    <Panel id="task" title={taskId === null ? 'Subject' : 'Task and app'}>
      <div class="body">
        <dl class="dl">
          {facts.map(
            (fact) =>
              fact && (
                <>
                  <dt>{fact[0]}</dt>
                  <dd>{fact[1]}</dd>
                </>
              ),
          )}
        </dl>
      </div>
    </Panel>
  )
}

const LONGEST_VALUE = 4000

/** The variables that templates see, flat, and the datagram. */
export const Data = ({
  context,
  record,
  raw,
}: {
  readonly context: PageContext
  readonly record: EventDetail['record']
  readonly raw: string | null
}) => {
  const wanted = (context.query.get('variable') ?? '').toLowerCase()
  const all = [...flat(record)]
  const shown = all.filter(([name]) => name.toLowerCase().includes(wanted))
  return (
    <section class="panel">
      <details class="fold" data-key="data" open={context.query.has('variable') || undefined} id="data">
        <summary>
          <Icon name="right" class="turn" />
          <h2>Data</h2>
          <span class="small muted push">
            {counted(all.length, 'variable')}
            {raw !== null && ', raw datagram'}
          </span>
        </summary>
        <div class="body stack">
          {raw !== null && (
            <div>
              <p class="small muted">Raw datagram</p>
              <pre class="code" tabindex={0}>
                {visibleLines(raw.toWellFormed())}
              </pre>
            </div>
          )}
          <form method="get" action={`${context.link(context.path)}#data`} class="filters">
            <label class="field">
              <span>Variable</span>
              <input type="search" name="variable" value={context.query.get('variable') ?? ''} autocomplete="off" />
            </label>
            <button type="submit" class="btn">
              Find
            </button>
          </form>
          <dl class="vars">
            {shown.map(([name, value]) => (
              <>
                <dt>
                  <code>{name}</code>
                </dt>
                <dd>{value}</dd>
              </>
            ))}
          </dl>
          {shown.length === 0 && <p class="muted">No variable has this in its name.</p>}
        </div>
      </details>
    </section>
  )
}

function* flat(value: unknown, path = ''): Generator<readonly [string, string]> {
  if (value === null || value === undefined || value === '') return
  if (typeof value !== 'object') {
    const text = visibleLines(String(value).toWellFormed())
    yield [path, text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text]
    return
  }
  for (const [name, member] of Object.entries(value)) yield* flat(member, path === '' ? name : `${path}.${name}`)
}
