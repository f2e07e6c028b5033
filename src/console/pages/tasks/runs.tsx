/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The runs of a task, each against the usual time. */

import type { FC } from 'hono/jsx'
import type { ListedExecution } from '../../../tasks/executions/contract.ts'
import type { UsualTimes } from '../../../tasks/overview/contract.ts'
import type { PageContext } from '../../page.ts'
import { Mark, type State } from '../../ui/marks.tsx'
import { Empty, Pager, Table } from '../../ui/panel.tsx'
import { durationText, Name, Time } from '../../ui/text.tsx'

const WIDE = 120

export const stateOf = ({ state, outcome }: ListedExecution): State =>
  state === 'finished' ? (outcome ?? 'unknown') : state

interface RunsProps {
  readonly context: PageContext
  readonly rows: readonly ListedExecution[]
  readonly usual: UsualTimes
  /** The state of the task. */
  readonly state: State
  readonly nextCursor: string | null
}

export const RunTable: FC<RunsProps> = ({ context, rows, usual, state, nextCursor }) => {
  if (rows.length === 0) {
    return <Empty title={state === 'planned' ? 'It never ran' : 'No run of it is recorded'} icon="planned" />
  }
  const ran = (run: ListedExecution) =>
    run.runMs ?? (run.state === 'running' && run.startedAt ? context.now - Date.parse(run.startedAt) : null)
  const { usualMs } = usual
  const most = Math.max((usualMs ?? 0) * 2, ...rows.map((run) => ran(run) ?? 0), 1)
  return (
    <>
      <Table
        context={context}
        part="runs"
        caption="Runs, the newest first"
        rows={rows}
        keyOf={({ executionId, startedAt, triggeredAt }) => executionId ?? startedAt ?? triggeredAt ?? ''}
        columns={[
          {
            head: 'Started',
            sort: (run) => run.startedAt ?? run.triggeredAt ?? run.stoppedAt,
            cell: (run) => {
              const time = (
                <Time at={run.startedAt ?? run.triggeredAt ?? run.stoppedAt} zone={context} seconds={false} />
              )
              return (
                <span class="l">
                  <Mark state={stateOf(run)} />
                  {run.executionId ? <a href={context.link(`/executions/${run.executionId}`)}>{time}</a> : time}
                </span>
              )
            },
          },
          {
            head: 'Duration',
            num: true,
            sort: ran,
            cell: (run) => {
              const ms = ran(run)
              if (ms === null) return <span class="muted">–</span>
              return `${durationText(ms)}${run.state === 'running' ? ' so far' : ''}`
            },
          },
          {
            head: usualMs === null ? 'No usual time yet' : `Against usual ${durationText(usualMs)}`,
            cell: (run) => <Against state={stateOf(run)} ms={ran(run) ?? 0} usual={usualMs} most={most} />,
          },
          {
            head: 'Wait',
            sort: (run) => run.queueMs,
            cell: ({ queueMs }) => (queueMs === null ? '–' : durationText(queueMs)),
          },
          { head: 'Node', sort: (run) => run.node, cell: ({ node }) => <Name text={node ?? '–'} /> },
          {
            head: 'Started by',
            sort: (run) => run.actor ?? 'Qlik Sense',
            cell: ({ actor }) => <Name text={actor ?? 'Qlik Sense'} />,
          },
        ]}
      />
      <Pager context={context} nextCursor={nextCursor} part="runs" />
    </>
  )
}

const CLASSES: Readonly<Partial<Record<State, string>>> = {
  success: 'b-ok',
  failed: 'b-bad',
  aborted: 'b-warn',
  running: 'b-run',
}

const Against: FC<{
  readonly state: State
  readonly ms: number
  readonly usual: number | null
  readonly most: number
}> = ({ state, ms, usual, most }) => {
  const at = (value: number) => Math.round((WIDE * value) / most)
  return (
    <svg class="chart against" width={WIDE} height="16" aria-hidden="true">
      <rect class="track" x="0" y="4" width={WIDE} height="8" rx="1" />
      {ms > 0 && <rect class={CLASSES[state] ?? 'b-ok'} x="0" y="4" width={Math.max(2, at(ms))} height="8" rx="1" />}
      {usual !== null && <line class="tick" x1={at(usual)} x2={at(usual)} y1="1" y2="15" />}
    </svg>
  )
}
