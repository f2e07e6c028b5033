/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The picture of the night: a line for each task in the groups, drawn as SVG in the page, with its legend and its table. */

import type { Child, FC } from 'hono/jsx'
import type { Attention, Timeline, TimelineRow } from '../../../tasks/overview/contract.ts'
import type { PageContext } from '../../page.ts'
import { Icon, Mark, STATES } from '../../ui/marks.tsx'
import { Choice, Panel, Table } from '../../ui/panel.tsx'
import { clockText, counted, Name, numberText, Time, weekdayText } from '../../ui/text.tsx'
import { type Known, knownOf, taskStateWord } from '../tasks/state.ts'
import { At, LineBars, ROW } from './bars.tsx'
import { factsOf, type Line, linesOf } from './rows.ts'
import { type Scale, scaleOf, ticksOf } from './scale.ts'
import { Strips } from './strips.tsx'

const AXIS = 32

const GROUPS = [
  ['stream', 'Stream'],
  ['task', 'Task'],
  ['app', 'App'],
  ['node', 'Node'],
] as const

const OTHER_GROUPS = [
  ['type', 'Type'],
  ['tag:', 'Tag'],
] as const

/** Switches of alerts say nothing about what belongs together. */
const ALERT_PROPERTIES = 'Butler_'

interface TimelineProps {
  readonly context: PageContext
  readonly timeline: Timeline
  readonly attention: Attention | null
}

export const TimelinePanel: FC<TimelineProps> = ({ context, timeline, attention }) => {
  const { query, here } = context
  const known = knownOf(attention?.items ?? [])
  const lines = linesOf(timeline, known, context)
  const scale = scaleOf(Date.parse(timeline.from), Math.max(Date.parse(timeline.future), Date.parse(timeline.to)))
  const group = query.get('group') ?? 'stream'
  const only = query.get('only') ?? ''
  const grouped = (name: string) => here({ group: name === 'stream' ? null : name, open: null, fold: null })
  const properties = timeline.properties.filter((name) => !name.startsWith(ALERT_PROPERTIES))
  const others = [...OTHER_GROUPS, ...properties.map((name) => [`property:${name}`, name] as const)]
  return (
    <Panel
      id="timeline"
      title="Timeline"
      tools={
        <>
          <span class="wide-only">
            <Choice
              small
              label="Groups"
              options={GROUPS.map(([name, text]) => ({ text, href: grouped(name), chosen: name === group }))}
            />
          </span>
          <details class="menu pick wide-only">
            <summary class="btn s quiet">
              {GROUPS.some(([name]) => name === group) ? 'Other groups' : <Name text={headOf(group)} />}
              <Icon name="down" />
            </summary>
            <div class="box">
              {others.map(([name, text]) => (
                <a class="btn s quiet" href={grouped(name)} aria-current={name === group ? 'true' : undefined}>
                  <Name text={text} />
                </a>
              ))}
            </div>
          </details>
          <span class="wide-only">
            <Choice
              small
              label="Tasks that are shown"
              options={[
                { text: 'All', href: here({ only: 'all' }), chosen: only !== 'problems' },
                { text: 'Problems', href: here({ only: 'problems' }), chosen: only === 'problems' },
              ]}
            />
          </span>
          <a class="small wide-only" href="#table">
            As a table
          </a>
        </>
      }
    >
      <div data-part="timeline">
        {timeline.stale && (
          <p class="note">Qlik Sense did not answer in time: planned and running tasks are as they were last known.</p>
        )}
        {timeline.partial && <p class="note">There are more runs than are looked at; the newest are shown.</p>}
        <div class={query.has('full') ? 'gantt full' : 'gantt'} tabindex={query.has('full') ? 0 : undefined}>
          <Labels context={context} lines={lines} group={group} />
          <Picture context={context} timeline={timeline} lines={lines} scale={scale} />
        </div>
        {lines.length === 0 && <p class="body muted">No task ran or is planned in this time.</p>}
        <Legend />
        <Strips context={context} timeline={timeline} known={known} />
        {timeline.rowsLeftOut > 0 && (
          <p class="foot">
            <a href={here({ only: 'all' })}>
              Show {counted(timeline.rowsLeftOut, 'row')} {timeline.rowsLeftOut === 1 ? 'that is' : 'that are'} fine
            </a>
          </p>
        )}
        <AsTable context={context} timeline={timeline} known={known} />
      </div>
    </Panel>
  )
}

const Labels: FC<{ readonly context: PageContext; readonly lines: readonly Line[]; readonly group: string }> = ({
  context,
  lines,
  group,
}) => (
  <ul class="rows">
    <li class="axis">{group === 'task' ? 'Task' : `${headOf(group)} and task`}</li>
    {lines.map((line) => (
      <Label context={context} line={line} />
    ))}
  </ul>
)

const headOf = (group: string) =>
  [...GROUPS, ...OTHER_GROUPS].find(([name]) => name === group)?.[1] ?? group.replace(/^(property|tag):/, '')

const Label: FC<{ readonly context: PageContext; readonly line: Line }> = ({ context, line }) => {
  if (line.kind === 'group') {
    const runs = line.rows.reduce((sum, row) => sum + row.runs, 0)
    const isFine = line.rows.every((row) => !row.problem)
    return (
      <li class="g" title={`${counted(line.tasks, 'task')}, ${counted(runs, 'run')}`}>
        <a class="turner" href={line.href} aria-expanded={line.open ? 'true' : 'false'}>
          <Icon name={line.open ? 'down' : 'right'} />
          <Name text={line.name} />
        </a>
        <small>
          {counted(line.tasks, 'task')}
          {!line.open && isFine && ', all ok'}
        </small>
      </li>
    )
  }
  if (line.kind === 'rest') {
    return (
      <li class="rest">
        <Icon name="ok" class="ok" />
        <a href={line.href}>{counted(line.rows.length, 'task')} without problems</a>
      </li>
    )
  }
  const { row, facts } = line
  return (
    <li>
      <Mark state={facts.state} />
      <a href={context.link(`/tasks/${row.taskId}`)}>
        <Name text={row.taskName} />
      </a>
    </li>
  )
}

interface PictureProps {
  readonly context: PageContext
  readonly timeline: Timeline
  readonly lines: readonly Line[]
  readonly scale: Scale
}

const Picture: FC<PictureProps> = ({ context, timeline, lines, scale }) => {
  const { timezone, now } = context
  const height = AXIS + lines.length * ROW
  const end = scale.at(now)
  const isNow = now >= scale.from && now <= scale.end
  const span = [scale.from, scale.end].map((at) => `${weekdayText(at, timezone)} ${clockText(at, timezone)}`)
  const y = (n: number) => AXIS + n * ROW
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of links in a picture.
    <svg
      class="plot"
      height={height}
      role="group"
      aria-label={`Timeline ${span.join(' to ')}, one row a task`}
      data-roving
      data-here={isNow ? end : undefined}
      data-speed={100_000 / (scale.end - scale.from)}
    >
      <defs>
        <Pattern id="hatch" size={5} line="h-miss" />
        <Pattern id="maint" size={6} line="h-maint" />
      </defs>
      {isNow && <rect class="fc" x={`${end}%`} y={AXIS} width={`${100 - end}%`} height={height - AXIS} />}
      {lines.map((line, n) => (
        <>
          {line.kind === 'group' && <rect class="gband" x="0" y={y(n)} width="100%" height={ROW} />}
          <line class="rowline" x1="0" x2="100%" y1={y(n) + ROW - 0.5} y2={y(n) + ROW - 0.5} />
        </>
      ))}
      {timeline.maintenance.map(({ name, from, to }) => {
        const [x, until] = [scale.at(Date.parse(from)), scale.at(Date.parse(to))]
        const text = `Maintenance: ${name}, ${clockText(Date.parse(from), timezone)} to ${clockText(Date.parse(to), timezone)}`
        return (
          <rect class="b-maint" x={`${x}%`} y={AXIS} width={`${until - x}%`} height={height - AXIS}>
            <title>{text}</title>
          </rect>
        )
      })}
      {ticksOf(scale, timezone).map(({ at, text }) => {
        const x = scale.at(at)
        const isCovered = (isNow && Math.abs(x - end) < 6) || x < 2 || x > 98
        return (
          <>
            <line class="grid" x1={`${x}%`} x2={`${x}%`} y1="26" y2={height} />
            {!isCovered && (
              <text x={`${x}%`} y="20" text-anchor="middle">
                {text}
              </text>
            )}
          </>
        )
      })}
      {isNow && <line class="nowline" x1={`${end}%`} x2={`${end}%`} y1="24" y2={height} />}
      {lines.map((line, n) => (
        <LineBars context={context} scale={scale} y={y(n)} line={line} />
      ))}
      {isNow && (
        <At x={end} y={0}>
          <rect class="nowtag" x="-21" y="6" width="42" height="20" rx="2" />
          <text class="on" x="0" y="20" text-anchor="middle">
            {clockText(now, timezone)}
          </text>
        </At>
      )}
    </svg>
  )
}

const Pattern: FC<{ readonly id: string; readonly size: number; readonly line: string }> = ({ id, size, line }) => (
  <pattern id={id} width={size} height={size} patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
    <path class={line} d={`M0 0v${size}`} />
  </pattern>
)

const LEGEND: readonly (readonly [text: string, picture: () => Child])[] = [
  ['Succeeded', () => <rect class="b-ok" x="1" y="3" width="16" height="10" rx="1" />],
  ['Failed', () => <path class="b-bad" d="M5 0h8v4h-2v11H7V4H5z" />],
  ['Aborted', () => <path class="b-warn" d="M1 2h15l-4 6 4 6H1z" />],
  [
    'Running, ETA',
    () => (
      <>
        <rect class="b-run" x="0" y="2" width="10" height="12" />
        <path class="b-eta" d="M10 8h7M17 4v8" />
      </>
    ),
  ],
  ['Never started', () => <rect class="b-miss" x="1" y="2" width="16" height="12" />],
  ['Planned', () => <rect class="b-plan" x="1" y="3" width="16" height="10" />],
  ['Due', () => <path class="b-due" d="M9 0v16" />],
  ['Did not run', () => <path class="b-skip" d="M0 8h18" />],
  ['Maintenance', () => <rect class="b-maint" width="18" height="16" />],
]

const Legend: FC = () => (
  <ul class="legend full" aria-label="Legend">
    {LEGEND.map(([text, picture]) => (
      <li>
        <svg width="18" height="16" aria-hidden="true">
          {picture()}
        </svg>
        {text}
      </li>
    ))}
  </ul>
)

/** The facts of the picture, a row a task. */
const AsTable: FC<{ readonly context: PageContext; readonly timeline: Timeline; readonly known: Known }> = ({
  context,
  timeline,
  known,
}) => {
  const rows = timeline.groups.flatMap((group) => group.rows.map((row) => ({ ...row, group: group.key ?? '' })))
  if (rows.length === 0) return null
  return (
    <details class="fold" id="table" data-key="timeline-table" open={context.query.has('sort-table') || undefined}>
      <summary>
        <Icon name="right" class="turn" />
        As a table<span class="count quiet">{rows.length}</span>
      </summary>
      <Table
        context={context}
        part="table"
        caption="The tasks of the timeline"
        rows={rows}
        keyOf={({ taskId, group }) => `${group} ${taskId}`}
        columns={[
          {
            head: 'Task',
            sort: (row) => row.taskName,
            cell: (row) => {
              const { state } = factsOf(row, known)
              return (
                <span class="l">
                  <Mark state={state} />
                  <a href={context.link(`/tasks/${row.taskId}`)}>
                    <Name text={row.taskName} />
                  </a>
                </span>
              )
            },
          },
          {
            head: 'State',
            sort: (row) => taskStateWord(factsOf(row, known).state),
            cell: (row) => taskStateWord(factsOf(row, known).state),
          },
          {
            head: headOf(context.query.get('group') ?? 'stream'),
            sort: (row) => row.group || null,
            cell: ({ group }) => <Name text={group} />,
          },
          { head: 'Runs', num: true, sort: (row) => row.runs, cell: ({ runs }) => numberText(runs) },
          { head: 'Not succeeded', cell: (row) => <Troubles context={context} row={row} /> },
          { head: 'Next', cell: (row) => <Next context={context} row={row} /> },
        ]}
      />
    </details>
  )
}

const MOST_TIMES = 6

const Troubles: FC<{ readonly context: PageContext; readonly row: TimelineRow }> = ({ context, row }) => {
  const found = row.bars.flatMap((bar): { at: string; word: string; id: string | null }[] => {
    if (bar.kind === 'missing') return [{ at: bar.dueAt, word: 'never started', id: null }]
    if (bar.kind === 'batch' && bar.worst !== 'success')
      return [{ at: bar.from, word: STATES[bar.worst].word, id: null }]
    if (bar.kind !== 'execution' || bar.outcome === 'success') return []
    return [{ at: bar.stoppedAt, word: STATES[bar.outcome].word, id: bar.executionId }]
  })
  if (found.length === 0) return <span class="muted">–</span>
  return (
    <>
      {found.slice(-MOST_TIMES).map(({ at, word, id }, n) => (
        <>
          {n > 0 && ', '}
          <a href={context.link(id ? `/executions/${id}` : `/tasks/${row.taskId}`)}>
            <Time at={at} zone={context} short />
          </a>{' '}
          {word}
        </>
      ))}
      {found.length > MOST_TIMES && `, ${found.length - MOST_TIMES} before`}
    </>
  )
}

const Next: FC<{ readonly context: PageContext; readonly row: TimelineRow }> = ({ context, row }) => {
  const running = row.bars.find((bar) => bar.kind === 'running')
  if (running?.kind === 'running') {
    return running.over ? (
      <>over the usual time</>
    ) : (
      <>
        ends about <Time at={running.expectedEnd} zone={context} short />
      </>
    )
  }
  const planned = row.bars.find((bar) => bar.kind === 'forecast')
  return <Time at={planned?.kind === 'forecast' ? planned.plannedAt : null} zone={context} short />
}
