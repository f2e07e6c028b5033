/** Runs of tasks of the simulated site, of every type and with every outcome. */

import type { Simulator } from '../../simulator/index.ts'
import { OUTCOMES, TASK_TYPES } from '../../src/events/kinds.ts'
import type { Outcome, TaskType } from '../../src/events/types.ts'
import { until } from './wait.ts'

const id = (prefix: number, nn: number) => `${prefix}000000-0000-4000-8000-${String(nn).padStart(12, '0')}`

/** Tasks that are stopped succeed first; failures of user synchronisations need the mode `userSyncFailures`. */
const TASKS: Readonly<Record<TaskType, Readonly<Record<Outcome, string>>>> = {
  reload: { failed: 'a8b4c123-def4-5678-9abc-def012345678', aborted: id(70, 7), success: id(70, 3) },
  externalProgram: { failed: id(71, 2), aborted: id(71, 1), success: id(71, 1) },
  userSync: { failed: id(72, 2), aborted: id(72, 1), success: id(72, 1) },
  distribute: { failed: id(73, 2), aborted: id(73, 1), success: id(73, 1) },
  preload: { failed: id(74, 2), aborted: id(74, 1), success: id(74, 1) },
}

export async function runTask(simulator: Simulator, task: string, outcome: Outcome): Promise<void> {
  const isStopped = outcome === 'aborted'
  simulator.setTask(task, { outcome: outcome === 'failed' ? 'fail' : 'success', durationMs: isStopped ? 60_000 : 100 })
  const ended = simulator.ended(task)
  simulator.runTask(task)
  if (isStopped) void until(() => simulator.abort(task, 'LAB\\anna'))
  await ended
}

/** One run for each type and outcome: 15. */
export async function runEveryOutcome(simulator: Simulator): Promise<void> {
  const run = (type: TaskType, outcome: Outcome) => runTask(simulator, TASKS[type][outcome], outcome)
  const isAlone = (type: TaskType, outcome: Outcome) => TASKS[type][outcome] !== TASKS[type].success
  await Promise.all(
    TASK_TYPES.flatMap((type) => OUTCOMES.flatMap((outcome) => (isAlone(type, outcome) ? [run(type, outcome)] : []))),
  )
  await Promise.all(
    TASK_TYPES.map(async (type) => {
      await run(type, 'success')
      if (!isAlone(type, 'aborted')) await run(type, 'aborted')
    }),
  )
}
