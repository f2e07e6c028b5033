/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** A run of a report task: outcome, events, documents, deliveries, who opened them, log. */
import type { FC } from 'hono/jsx'
import { addressOf } from '../../../http/endpoint/contract.ts'
import { RUN_READS, type RunReads } from '../../../reports/hub/contract.ts'
import {
  type Delivery,
  RUN,
  RUN_DELIVERIES,
  RUN_DOCUMENT,
  RUN_DOCUMENTS,
  RUN_LOG,
  type Run,
  type RunDocuments,
  type RunEvent,
} from '../../../reports/runs/contract.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionLink } from '../../ui/forms.tsx'
import { Badge, Mark } from '../../ui/marks.tsx'
import { Choice, ErrorBox, Facts, Head, Panel, part, Table } from '../../ui/panel.tsx'
import { bytesText, durationText, Name, plainName, Time, timeText } from '../../ui/text.tsx'
import { listed } from './kinds.ts'
import { BehindProblem, type Filter } from './plan.tsx'
import { RunMark } from './task.tsx'
import { Mails, switchedOff } from './tasks.tsx'
import { MARKS, runTriggerText } from './words.ts'

type Documents = RunDocuments['documents']

const LEVELS = [
  ['error', 'failed'],
  ['warning', 'warning'],
  ['info', 'planned'],
] as const

/** Rows of a page of each table. */
const ROWS = 100
const MOST_LOG = 200_000

export const runPage: Page = {
  path: '/reports/runs/:runId',
  place: 'reports',
  scope: 'report:read',
  async render(context) {
    if (!context.settings.reports) return switchedOff(context)
    const { ask, params, link, query } = context
    const path = { params: { runId: params.runId ?? '' } }
    const [answer, deliveries, documents, reads, log] = await Promise.all([
      ask(RUN, path),
      ask(RUN_DELIVERIES, path),
      ask(RUN_DOCUMENTS, path),
      ask(RUN_READS, path),
      ask(RUN_LOG, path),
    ])
    if (!answer.ok) {
      return {
        title: 'Not found',
        status: answer.status,
        body: <ErrorBox failure={answer} retry={link('/reports')} />,
      }
    }
    const run = answer.data
    const hasFilterEvent = run.events.some(({ code }) => code.startsWith('FILTER_'))
    const filters = hasFilterEvent ? await listed(context, 'filter') : null
    const all = deliveries.ok ? deliveries.data.deliveries : []
    return {
      title: `Run of ${plainName(run.taskName)}`,
      live: ['report'],
      body: (
        <>
          <Head
            title={
              <>
                Run of <Name text={run.taskName} />
              </>
            }
            crumbs={[
              { href: link('/reports'), text: 'Reports' },
              { href: link(`/reports/tasks/${run.taskId}`), text: <Name text={run.taskName} /> },
            ]}
            beside={
              <span data-part="state">
                <RunMark run={run} />
              </span>
            }
          >
            <Actions context={context} run={run} deliveries={all} />
          </Head>
          <div class="two">
            <div class="stack" data-part="results">
              {run.events.length > 0 && (
                <Panel id="events" title="Events" count={run.events.length}>
                  <Events context={context} events={run.events} filters={filters?.ok ? filters.data.items : []} />
                </Panel>
              )}
              <Panel
                id="deliveries"
                title="Deliveries"
                count={deliveries.ok ? all.length : undefined}
                tools={<States context={context} deliveries={all} />}
              >
                {part(deliveries, () => (
                  <Deliveries
                    context={context}
                    rows={all.filter(({ state }) => state === (query.get('state') ?? state))}
                    documents={documents.ok ? documents.data.documents : []}
                  />
                ))}
              </Panel>
              <Panel
                id="documents"
                title="Documents"
                count={documents.ok ? documents.data.documents.length : undefined}
              >
                {part(documents, ({ documents: rows }) => (
                  <Documents context={context} runId={run.id} rows={rows} />
                ))}
              </Panel>
              <Panel id="reads" title="Read by" count={reads.ok ? reads.data.reads.length : undefined}>
                {!reads.ok && reads.status === 404 ? (
                  <p class="body muted">
                    The hub is switched off. <code>Butler.footman.reportTask.hub.enable: true</code> switches it on.
                  </p>
                ) : (
                  part(reads, ({ reads: rows }) => <Reads context={context} rows={rows} />)
                )}
              </Panel>
            </div>
            <div class="stack">
              <Panel id="facts" title="Run">
                <div class="body" data-part="facts">
                  <Facts
                    facts={[
                      ['Outcome', <RunMark run={run} />],
                      ['Why', <Name text={runTriggerText(run.trigger)} />],
                      linkOfTrigger(context, run),
                      ['Asked', <Time at={run.queuedAt} zone={context} />],
                      ['Began', <Time at={run.startedAt} zone={context} />],
                      ['Ended', <Time at={run.finishedAt} zone={context} />],
                      ['Took', run.durationMs === null ? '–' : durationText(run.durationMs)],
                      ['Documents', `${run.counts.documents}`],
                      ['Mails', <Mails counts={run.counts} />],
                      ['Files', `${run.counts.filesWritten}`],
                      ['Hub items', `${run.counts.hubItems}`],
                      (run.repeats ?? 1) > 1 && ['Starts', `${run.repeats} of the same kind`],
                      ['Definition', `revision ${run.taskRevision}`],
                    ]}
                  />
                </div>
              </Panel>
              <Panel id="log" title="Log">
                <div class="body" data-part="log">
                  {part(log, (text) => (
                    <details data-key="log">
                      <summary>
                        {text.split('\n').filter(Boolean).length} lines, times in {context.timezone}
                      </summary>
                      <div class="copy">
                        <pre tabindex={0}>
                          <code>
                            <bdi>{inZone(text.slice(-MOST_LOG), context)}</bdi>
                          </code>
                        </pre>
                      </div>
                    </details>
                  ))}
                </div>
              </Panel>
            </div>
          </div>
        </>
      ),
    }
  },
}

/** The page of the report task or reload task that started the run. */
function linkOfTrigger({ link }: PageContext, { trigger: { type, detail } }: Run) {
  if (type === 'resend' && detail.runId !== undefined) {
    return ['Of', <a href={link(`/reports/runs/${detail.runId}`)}>the run before</a>] as const
  }
  if (type === 'qlikEvent' && detail.taskId !== undefined) {
    return ['After', <a href={link(`/tasks/${detail.taskId}`)}>the task of Qlik Sense</a>] as const
  }
  return false
}

/** The lines of a log with the times at their begins in the zone of the page. */
const inZone = (text: string, context: PageContext): string =>
  text.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/gm, (instant) => timeText(Date.parse(instant), context))

const Actions: FC<{
  readonly context: PageContext
  readonly run: Run
  readonly deliveries: readonly Delivery[]
}> = ({ context, run: { id, taskId, state }, deliveries }) => {
  const has = (wanted: string) => deliveries.some((one) => one.state === wanted)
  const shared = { context, scope: 'report:run', class: '' } as const
  if (state !== 'finished') {
    return (
      <ActionLink {...shared} operation="reportrun.cancel" values={{ runId: id }}>
        Cancel…
      </ActionLink>
    )
  }
  return (
    <>
      {has('failed') && (
        <ActionLink {...shared} class="primary" operation="reportrun.resend" values={{ runId: id, states: 'failed' }}>
          Resend failed…
        </ActionLink>
      )}
      {has('unknown') && (
        <ActionLink {...shared} operation="reportrun.resend" values={{ runId: id, states: 'unknown' }}>
          Resend held…
        </ActionLink>
      )}
      <ActionLink {...shared} operation="reporttask.start" values={{ taskId }}>
        Run again…
      </ActionLink>
      <ActionLink {...shared} operation="reporttask.start" values={{ taskId, test: '1', force: '1' }}>
        Test…
      </ActionLink>
    </>
  )
}

const aboutText = ({ report, block, recipient }: RunEvent): string =>
  [report, block, recipient].filter(Boolean).join(', ')

const Events: FC<{
  readonly context: PageContext
  readonly events: readonly RunEvent[]
  readonly filters: readonly Filter[]
}> = ({ context, events, filters }) => (
  <Table
    context={context}
    part="events"
    caption="Events of the run, errors first"
    rows={LEVELS.flatMap(([level]) => events.filter((event) => event.level === level))}
    size={ROWS}
    keyOf={({ code, details, recipient, report }) => [code, details, recipient, report].join(' ')}
    columns={[
      {
        head: 'Event',
        sort: (row) => row.code,
        cell: ({ code, level }) => (
          <Mark state={LEVELS.find(([one]) => one === level)?.[1] ?? 'unknown'} word={`${level}: ${code}`} />
        ),
      },
      {
        head: 'Details',
        cell: (event) => (
          <>
            <Name text={event.details} />
            <BehindProblem context={context} problem={event} filters={filters} />
          </>
        ),
      },
      {
        head: 'About',
        sort: aboutText,
        cell: (row) => <Name text={aboutText(row)} />,
      },
      { head: 'At', sort: (row) => row.at, cell: ({ at }) => <Time at={at} zone={context} short /> },
    ]}
  />
)

const FIRST = { 'offset-deliveries': null }

/** Filter of the deliveries by state. */
const States: FC<{ readonly context: PageContext; readonly deliveries: readonly Delivery[] }> = ({
  context: { here, query },
  deliveries,
}) => {
  const states = [...new Set(deliveries.map(({ state }) => state))]
  if (states.length < 2) return null
  const chosen = query.get('state')
  return (
    <Choice
      label="State of deliveries"
      small
      options={[
        { text: 'all', href: here({ state: null, ...FIRST }), chosen: chosen === null },
        ...states.map((state) => ({ text: state, href: here({ state, ...FIRST }), chosen: chosen === state })),
      ]}
    />
  )
}

const WORDS: Readonly<Record<string, string>> = { unknown: 'held: in doubt', retry: 'tried again' }

const Deliveries: FC<{
  readonly context: PageContext
  readonly rows: readonly Delivery[]
  readonly documents: Documents
}> = ({ context, rows, documents }) => {
  if (rows.length === 0) return <p class="body muted">None.</p>
  const nameOf = new Map(documents.map(({ id, fileName }) => [id, fileName]))
  return (
    <Table
      context={context}
      part="deliveries"
      caption="Deliveries"
      rows={rows}
      size={ROWS}
      keyOf={({ id }) => id}
      columns={[
        {
          head: 'To',
          sort: (row) => row.target,
          cell: ({ target, channel }) =>
            channel === 'hub' ? <span class="muted">an item of the hub</span> : <Name text={target} />,
        },
        { head: 'Channel', sort: (row) => row.channel, cell: ({ channel }) => <Badge text={channel} /> },
        {
          head: 'State',
          sort: (row) => row.state,
          cell: ({ state }) => <Mark state={MARKS[state] ?? 'unknown'} word={WORDS[state] ?? state} />,
        },
        {
          head: 'Files',
          cell: ({ documents: ids }) => <Name text={ids.map((id) => nameOf.get(id) ?? id).join(', ')} />,
        },
        { head: 'Attempts', num: true, sort: (row) => row.attempts, cell: ({ attempts }) => attempts },
        {
          head: 'Problem',
          sort: (row) => row.lastError,
          cell: ({ lastError, nextAttemptAt }) => (
            <>
              <Name text={lastError} />
              {nextAttemptAt && (
                <>
                  {' '}
                  next <Time at={nextAttemptAt} zone={context} short />
                </>
              )}
            </>
          ),
        },
      ]}
    />
  )
}

const Documents: FC<{
  readonly context: PageContext
  readonly runId: string
  readonly rows: Documents
}> = ({ context, runId, rows }) =>
  rows.length === 0 ? (
    <p class="body muted">None.</p>
  ) : (
    <Table
      context={context}
      part="documents"
      caption="Documents"
      rows={rows}
      size={ROWS}
      keyOf={({ id }) => id}
      columns={[
        {
          head: 'File',
          sort: (row) => row.fileName,
          cell: ({ id, fileName }) => (
            <a
              href={`${context.root}/api${addressOf(RUN_DOCUMENT, { params: { runId, documentId: id } }).path}`}
              download={plainName(fileName)}
            >
              <Name text={fileName} />
            </a>
          ),
        },
        { head: 'Report', sort: (row) => row.report, cell: ({ report }) => <Name text={report} /> },
        { head: 'Format', sort: (row) => row.format, cell: ({ format }) => format },
        { head: 'Size', num: true, sort: (row) => row.bytes, cell: ({ bytes }) => bytesText(bytes) },
      ]}
    />
  )

const Reads: FC<{ readonly context: PageContext; readonly rows: RunReads['reads'] }> = ({ context, rows }) =>
  rows.length === 0 ? (
    <p class="body muted">No one has opened a document in the hub yet.</p>
  ) : (
    <Table
      context={context}
      part="reads"
      caption="Documents that were opened in the hub"
      rows={rows}
      size={ROWS}
      keyOf={({ recipient, at, document }) => [recipient, at, document].join(' ')}
      columns={[
        { head: 'Person', sort: (row) => row.recipient, cell: ({ recipient }) => <Name text={recipient} /> },
        { head: 'Document', sort: (row) => row.document, cell: ({ document }) => <Name text={document} /> },
        { head: 'How', sort: (row) => row.how, cell: ({ how }) => (how === 'view' ? 'viewed' : 'downloaded') },
        { head: 'At', sort: (row) => row.at, cell: ({ at }) => <Time at={at} zone={context} /> },
      ]}
    />
  )

/** The address that mails about runs have. */
export const runRedirect: Page = {
  path: '/reportrun/:runId',
  place: 'reports',
  render: ({ params }) => ({
    title: 'Run',
    body: null,
    location: `/reports/runs/${encodeURIComponent(params.runId ?? '')}`,
  }),
}
