/** What happens in the simulated site by itself: the same tasks in the same order, round after round. */
import type { Simulator, SimulatorSettings } from '../../simulator/index.ts'
import { FAILING_TASK } from './commands.ts'

interface Step {
  /** Milliseconds after the beginning of the round. */
  readonly at: number
  readonly task: string
  readonly act: 'start' | 'stop'
}

/** How tasks of the demo behave; the others do as the simulated site says. */
export const BEHAVIOUR: SimulatorSettings['tasks'] = {
  'Financial Dashboard Reload': { outcome: 'fail', durationMs: 700 },
  [FAILING_TASK]: { outcome: 'fail', durationMs: 900 },
  'Manually triggered reload of Test failing reloads 2': { outcome: 'fail', durationMs: 1200 },
  'Flaky reload': { durationMs: 700 },
}

/** Tasks with the tag of the start command are left to the user. The second failure comes within the rate limit. */
export const ROUND: readonly Step[] = [
  { at: 500, task: 'Financial Dashboard Reload', act: 'start' },
  { at: 4500, task: 'Finance QVD nightly', act: 'start' },
  { at: 7500, task: 'Financial Dashboard Reload', act: 'start' },
  { at: 12_000, task: 'Slow Warehouse Load', act: 'start' },
  { at: 14_500, task: 'Slow Warehouse Load', act: 'stop' },
  { at: 18_500, task: 'HR Insights daily', act: 'start' },
  { at: 23_500, task: 'Manually triggered reload of Test failing reloads 2', act: 'start' },
  { at: 29_500, task: 'R&D weekly', act: 'start' },
]
export const ROUND_MS = 35_000

const STOPPED_BY = 'LAB\\anna'

export interface Script {
  start(): void
  stop(): void
}

export function createScript({ simulator }: { simulator: Simulator }): Script {
  const timers = new Set<ReturnType<typeof setTimeout>>()

  function later(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      act()
    }, delayMs)
    timers.add(timer)
  }

  function playRound(): void {
    for (const step of ROUND) later(step.at, () => play(step))
    later(ROUND_MS, playRound)
  }

  function play({ task, act }: Step): void {
    // Somebody may have renamed it over the control API: it sits out its turn.
    if (![...simulator.site.tasks.values()].some(({ name }) => name === task)) return
    if (act === 'start') simulator.runTask(task)
    else simulator.abort(task, STOPPED_BY)
  }

  return {
    start: playRound,
    stop() {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}
