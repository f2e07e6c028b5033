/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** A report task: what it does in words, its plan on demand, its runs. */
import type { Child, FC } from 'hono/jsx'
import { DEFINITIONS, type DefinitionOf } from '../../../reports/entities/contract.ts'
import { type ListedRun, PLAN_TASK, RUNS_OF_TASK } from '../../../reports/runs/contract.ts'
import type { Page, PageContext } from '../../page.ts'
import { ActionButton, ActionLink } from '../../ui/forms.tsx'
import { Badge, Mark } from '../../ui/marks.tsx'
import { Empty, ErrorBox, Facts, Head, OffsetPager, offsetOf, Panel, part, Table } from '../../ui/panel.tsx'
import { durationText, Name, plainName, Time } from '../../ui/text.tsx'
import { Delete } from './editor.tsx'
import { KINDS, type Kind, listed } from './kinds.ts'
import { PlanView } from './plan.tsx'
import { Mails, Switch, switchedOff } from './tasks.tsx'
import { MARKS, runTriggerText, triggerText } from './words.ts'

type Task = DefinitionOf<'task'>

const PAGE_OF_RUNS = 25

export const taskPage: Page = {
  path: '/reports/tasks/:id',
  place: 'reports',
  scope: 'report:read',
  async render(context) {
    if (!context.settings.reports) return switchedOff(context)
    const { ask, params, query, link, here } = context
    const path = { taskId: params.id ?? '' }
    const offset = offsetOf(context, 'runs')
    const isPlanned = query.get('plan') === '1'
    const [answer, runs, plan, filters, names] = await Promise.all([
      ask(DEFINITIONS.task.read, { params: path }),
      ask(RUNS_OF_TASK, { params: path, query: { limit: PAGE_OF_RUNS, offset } }),
      isPlanned ? ask(PLAN_TASK, { params: path }) : null,
      isPlanned ? listed(context, 'filter') : null,
      namesOfAll(context),
    ])
    if (!answer.ok) {
      return {
        title: 'Not found',
        status: answer.status,
        body: <ErrorBox failure={answer} retry={link('/reports')} />,
      }
    }
    const task = answer.data
    const { id, name, enabled } = task
    return {
      title: plainName(name),
      live: ['report'],
      body: (
        <>
          <Head
            title={<Name text={name} />}
            crumbs={[{ href: link('/reports'), text: 'Reports' }]}
            beside={
              <>
                <Switch context={context} row={{ id, enabled, name }} />
                {task.testMode.enabled && <Badge tone="warn" text="test mode" />}
              </>
            }
          >
            <ActionLink
              context={context}
              operation="reporttask.start"
              scope="report:run"
              class="primary"
              values={{ taskId: id, force: enabled ? '' : '1' }}
            >
              Start…
            </ActionLink>
            <ActionLink
              context={context}
              operation="reporttask.start"
              scope="report:run"
              class=""
              values={{ taskId: id, test: '1', force: '1' }}
            >
              Test…
            </ActionLink>
            <a class="btn" href={link(`/reports/tasks/${id}/edit`)}>
              Edit
            </a>
            <ActionButton context={context} operation="reporttask.copy" scope="report:write" class="" values={{ id }}>
              Copy
            </ActionButton>
            <Delete context={context} kind="task" id={id} />
          </Head>
          {task.description && (
            <p class="sub">
              <Name text={task.description} />
            </p>
          )}
          <div class="two">
            <div class="stack">
              <Panel id="runs" title="Runs">
                {part(runs, ({ runs: rows, total }) => (
                  <>
                    {rows.length === 0 ? <Empty title="It has not run yet" /> : <Runs context={context} rows={rows} />}
                    <OffsetPager context={context} size={PAGE_OF_RUNS} total={total} part="runs" />
                  </>
                ))}
              </Panel>
              <Panel id="plan" title="Plan: who gets what" tools={<span class="muted small">nothing is sent</span>}>
                <div class="body stack">
                  {plan ? (
                    part(
                      plan,
                      (data) => (
                        <PlanView context={context} plan={data} filters={filters?.ok ? filters.data.items : []} />
                      ),
                      'No plan',
                    )
                  ) : (
                    <p>
                      <a class="btn" href={here({ plan: '1' })} rel="nofollow">
                        Make a plan
                      </a>
                    </p>
                  )}
                </div>
              </Panel>
            </div>
            <Panel id="definition" title="Definition">
              <div class="body">
                <Words context={context} task={task} names={names} />
              </div>
            </Panel>
          </div>
        </>
      ),
    }
  },
}

export const Runs: FC<{ readonly context: PageContext; readonly rows: readonly ListedRun[] }> = ({ context, rows }) => (
  <Table
    context={context}
    part="runs"
    caption="Runs, the newest first"
    rows={rows}
    keyOf={({ id }) => id}
    columns={[
      {
        head: 'Run',
        sort: (run) => run.outcome ?? run.state,
        cell: (run) => (
          <a href={context.link(`/reports/runs/${run.id}`)}>
            <RunMark run={run} />
          </a>
        ),
      },
      {
        head: 'Began',
        sort: (run) => run.startedAt ?? run.queuedAt,
        cell: ({ startedAt, queuedAt }) => <Time at={startedAt ?? queuedAt} zone={context} />,
      },
      {
        head: 'Took',
        num: true,
        sort: (run) => run.durationMs,
        cell: ({ durationMs }) => (durationMs === null ? '–' : durationText(durationMs)),
      },
      {
        head: 'Documents',
        num: true,
        sort: (run) => run.counts.documents,
        cell: ({ counts }) => counts.documents,
      },
      { head: 'Mails', sort: (run) => run.counts.mailsSent, cell: ({ counts }) => <Mails counts={counts} /> },
      {
        head: 'Why',
        sort: (run) => runTriggerText(run.trigger),
        cell: ({ trigger }) => <Name text={runTriggerText(trigger)} />,
      },
    ]}
  />
)

/** Outcome or state of a run, its reason, and whether it was a test. */
export const RunMark: FC<{ readonly run: Pick<ListedRun, 'outcome' | 'state' | 'reason' | 'test' | 'dryRun'> }> = ({
  run: { outcome, state, reason, test, dryRun },
}) => (
  <>
    <Mark state={MARKS[outcome ?? state] ?? 'unknown'} word={outcome ?? state} />
    {reason && <span class="small muted"> {reason}</span>} {test && <Badge tone="warn" text="test" />}
    {dryRun && <Badge text="nothing delivered" />}
  </>
)

type Names = ReadonlyMap<string, readonly [kind: Kind, name: string]>

async function namesOfAll(context: PageContext): Promise<Names> {
  const kinds = ['report', 'filter', 'condition', 'recipient', 'group'] as const
  const lists = await Promise.all(kinds.map((kind) => listed(context, kind)))
  return new Map(
    lists.flatMap((list, n) =>
      (list.ok ? list.data.items : []).map(({ id, name }) => [id, [kinds[n]!, name]] as const),
    ),
  )
}

const Words: FC<{ readonly context: PageContext; readonly task: Task; readonly names: Names }> = ({
  context,
  task,
  names,
}) => {
  const named = (id: string): Child => {
    const [kind, name] = names.get(id) ?? []
    if (!kind) return <code>{id}</code>
    return (
      <a href={context.link(`${KINDS[kind].path}/${id}`)}>
        <Name text={name} />
      </a>
    )
  }
  const lines = (items: readonly Child[], none: string): Child =>
    items.length === 0 ? <span class="muted">{none}</span> : items.map((item) => <div>{item}</div>)
  const { email, hub, storage, testMode } = task
  return (
    <Facts
      facts={[
        ['Project', <Name text={task.project} />],
        task.tags.length > 0 && ['Tags', <Name text={task.tags.join(', ')} />],
        [
          'Reports',
          lines(
            task.reports.map(({ reportId, format, cycle }) => (
              <>
                {named(reportId)} as {format}
                {cycle && `, one for each ${cycle.fields.join(' and ')}`}
              </>
            )),
            'none',
          ),
        ],
        ['Filters', lines(task.filterIds.map(named), 'none')],
        ['Conditions', lines(task.conditionIds.map(named), 'none: every start makes a run')],
        [
          'For',
          lines(
            task.recipients.map((one) => recipientText(one, named)),
            'those that its reports name',
          ),
        ],
        ['Mails', email.enabled ? <Name text={email.subject} /> : <span class="muted">none</span>],
        [
          'Files',
          lines(
            storage.map(({ spaceId, folder }) => <Name text={[spaceId, folder].filter(Boolean).join(': ')} />),
            'none',
          ),
        ],
        ['Hub', hub.enabled ? <Name text={hub.title} /> : <span class="muted">not published</span>],
        [
          'Starts',
          lines(
            task.triggers.map((one) => <Name text={triggerText(one)} />),
            'by hand or by a call',
          ),
        ],
        [
          'Outcome mails',
          lines(
            task.notifications.map(({ on, recipients }) => (
              <Name text={`${on.join(', ')}: ${recipients.join(', ')}`} />
            )),
            'none',
          ),
        ],
        testMode.enabled && ['Test mode', <Name text={`all mails go to ${testMode.address}`} />],
        ['Revision', `${task.revision}`],
        [
          'Changed',
          <>
            <Time at={task.modifiedAt} zone={context} seconds={false} /> by <Name text={task.modifiedBy} />
          </>,
        ],
      ]}
    />
  )
}

function recipientText(one: Task['recipients'][number], named: (id: string) => Child): Child {
  const reach = [one.email && 'mail', one.hub && 'hub'].filter(Boolean).join(', ')
  return (
    <>
      {one.type === 'recipient' && named(one.recipientId)}
      {one.type === 'group' && named(one.groupId)}
      {one.type === 'address' && <Name text={one.address} />}
      {one.type === 'expression' && <Name text={one.expr} />} <span class="muted">{reach}</span>
    </>
  )
}
