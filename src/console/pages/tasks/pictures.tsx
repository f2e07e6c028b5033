/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Small pictures of a task: the strip of its last outcomes, its durations as a line, and the bar to its expected end. */

import type { FC } from 'hono/jsx'
import type { Running, TaskPoint, UsualTimes } from '../../../tasks/overview/contract.ts'
import type { PageContext } from '../../page.ts'
import { Mark, STATES, type State } from '../../ui/marks.tsx'
import { clockText, counted, durationText, usuallyText } from '../../ui/text.tsx'
import { taskStateWord } from './state.ts'

/** The last outcomes, the newest at the right; each leads to its execution. */
export const Outcomes: FC<{
  readonly points: readonly TaskPoint[]
  /** Absent: the marks lead nowhere. */
  readonly link?: PageContext['link']
  readonly running?: State | null
  /** The state of the task: without a run in the history it may have run before. */
  readonly state: State
}> = ({ points, link, running = null, state }) => {
  if (points.length === 0 && running === null) {
    return <span class="muted">{state === 'planned' ? taskStateWord(state) : 'none recorded'}</span>
  }
  return (
    <span class="stripline">
      {points.map(({ outcome, executionId }) =>
        executionId === null || !link ? (
          <Mark state={outcome} />
        ) : (
          <a href={link(`/executions/${executionId}`)} title={STATES[outcome].word}>
            <Mark state={outcome} />
          </a>
        ),
      )}
      {running && <Mark state={running} />}
    </span>
  )
}

const [WIDE, HIGH] = [84, 20]

/** Durations of the last runs that succeeded. */
export const Spark: FC<{ readonly points: readonly TaskPoint[] }> = ({ points }) => {
  const runs = points.flatMap(({ runMs, outcome }) => (outcome === 'success' && runMs !== null ? runMs : []))
  if (runs.length < 2) return <span class="muted">–</span>
  const most = Math.max(...runs, 1)
  const at = runs.map(
    (run, n) => `${Math.round((n * WIDE) / (runs.length - 1))} ${Math.round(HIGH - 2 - (run * (HIGH - 4)) / most)}`,
  )
  const label = `${counted(runs.length, 'run')}, ${durationText(Math.min(...runs))} to ${durationText(most)}`
  return (
    <svg class="chart spark" width={WIDE} height={HIGH} role="img" aria-label={label}>
      <path class="p50" d={`M${at.join('L')}`} />
    </svg>
  )
}

interface EtaProps {
  readonly context: PageContext
  readonly running: Running
  readonly usual: UsualTimes
}

/** The run under way against the usual times; beyond them it counts what is over. */
export const EtaBar: FC<EtaProps> = ({ context: { timezone, now }, running, usual }) => {
  const begin = Date.parse(running.startedAt)
  const [expected, pessimistic] = [Date.parse(running.expectedEnd), Date.parse(running.pessimisticEnd)]
  const known = usual.usualMs !== null
  const [p50, p95] = [begin + (usual.usualMs ?? 0), begin + (usual.p95Ms ?? 0)]
  const end = Math.max(now, p50, p95, ...(running.over ? [] : [expected, pessimistic]), begin + 1000)
  const at = (instant: number) => Math.round((10_000 * Math.max(0, instant - begin)) / (end - begin)) / 100
  const clock = (instant: number) => clockText(instant, timezone)
  const ran = durationText(now - begin, true)
  const title =
    running.state === 'queued' ? (
      `Waits for ${ran}`
    ) : running.over ? (
      <>
        Over the usual by <span data-counts={running.overByMs}>{durationText(running.overByMs, true)}</span>
      </>
    ) : (
      `Ends about ${clock(expected)}`
    )
  const facts = [
    `Running ${ran}.`,
    usual.usualMs !== null && `Usual ${durationText(usual.usualMs)}.`,
    usual.p95Ms !== null && `95 % of the runs ended within ${durationText(usual.p95Ms)}.`,
    !running.over && `Expected end ${clock(expected)}, pessimistic ${clock(pessimistic)}.`,
  ]
  // Texts that would stand over each other are left out: the label has all of them.
  const isClear = (a: number, b: number) => Math.abs(a - b) > 16
  const [usualX, etaX, nowX] = [at(p50), at(expected), at(now)]
  return (
    <section class="panel" aria-label="Running now" data-part="eta">
      <div class="running">
        <div>
          <p>{title}</p>
          <p class="small muted">
            {running.over ? `running ${ran}${usuallyText(usual.usualMs, ', ')}` : basisText(usual, ran)}
          </p>
        </div>
        <svg class="chart" height="44" role="img" aria-label={facts.filter(Boolean).join(' ')}>
          <rect class="track" x="0" y="18" width="100%" height="8" rx="2" />
          {known && (
            <rect class="band" x={`${usualX}%`} y="18" width={`${Math.max(0, at(p95) - usualX)}%`} height="8" />
          )}
          <rect class="b-run" x="0" y="18" width={`${nowX}%`} height="8" />
          {!running.over && <line class="b-eta" x1={`${etaX}%`} x2={`${etaX}%`} y1="14" y2="30" />}
          {known && <line class="tick" x1={`${usualX}%`} x2={`${usualX}%`} y1="14" y2="18" />}
          {!running.over && <line class="tick" x1={`${at(pessimistic)}%`} x2={`${at(pessimistic)}%`} y1="14" y2="30" />}
          <text x="0" y="10">
            {clock(begin)}
          </text>
          {known && isClear(usualX, 0) && (running.over || isClear(usualX, etaX)) && (
            <text x={`${usualX}%`} y="10" text-anchor={usualX > 90 ? 'end' : 'middle'}>
              usual {clock(p50)}
            </text>
          )}
          {!running.over && isClear(etaX, 0) && (
            <text class="f" x={`${etaX}%`} y="10" text-anchor={etaX > 90 ? 'end' : 'middle'}>
              ETA {clock(expected)}
            </text>
          )}
          <text class="n" x={`${nowX}%`} y="42" text-anchor={nowX > 90 ? 'end' : nowX < 8 ? 'start' : 'middle'}>
            now {clock(now)}
          </text>
          {!running.over && nowX < 64 && (
            <text x="100%" y="42" text-anchor="end">
              pessimistic {clock(pessimistic)}
            </text>
          )}
        </svg>
      </div>
    </section>
  )
}

function basisText({ basis, samples }: UsualTimes, ran: string): string {
  if (basis === 'none') return 'a guess: no run of it is known'
  if (basis === 'guess') return `a guess: ${counted(samples, 'run')} of its own, others of its type`
  return `estimate from runs of more than ${ran}`
}
