import { DASHBOARD, LOAD_SCRIPT, SALES_REPORT, taskId } from './tasks.ts'

/** Acme's schedules and chains. */

/** `increment` is minutes, hours, days, weeks; `filter` the eight fields of a schema filter description. */
export const SCHEDULES: readonly {
  readonly name: string
  readonly task: string
  /** Local time of day, `HH:MM`. */
  readonly at: string
  readonly option: number
  readonly increment: string
  readonly filter: string
}[] = [
  { name: 'Daily 06:00', task: DASHBOARD, at: '06:00', option: 2, increment: '0 0 1 0', filter: '* * - * * * * *' },
  { name: 'Hourly', task: taskId(70, 1), at: '00:05', option: 1, increment: '0 1 0 0', filter: '* * - * * * * *' },
  { name: 'Nightly', task: taskId(70, 2), at: '02:00', option: 2, increment: '0 0 1 0', filter: '* * - * * * * *' },
  {
    name: 'Early morning',
    task: taskId(70, 3),
    at: '05:00',
    option: 2,
    increment: '0 0 1 0',
    filter: '* * - * * * * *',
  },
  {
    name: 'Mondays and Thursdays',
    task: taskId(70, 4),
    at: '04:00',
    option: 3,
    increment: '0 0 1 0',
    filter: '* * - 1,4 1 * * *',
  },
  {
    name: 'On 1 and 15',
    task: taskId(73, 1),
    at: '03:00',
    option: 4,
    increment: '0 0 1 0',
    filter: '* * - * * 1,15 * *',
  },
  { name: 'FTP', task: taskId(71, 1), at: '01:30', option: 2, increment: '0 0 1 0', filter: '* * - * * * * *' },
  {
    name: 'Directory LAB',
    task: taskId(72, 1),
    at: '00:00',
    option: 1,
    increment: '0 6 0 0',
    filter: '* * - * * * * *',
  },
]

export const TASK_SUCCESSFUL = 1
const TASK_FAIL = 2

/** All rules must come true within `minutes`; then `task` starts. The last two form a ring. */
export const CHAINS: readonly {
  readonly name: string
  readonly task: string
  readonly minutes: number
  readonly rules: readonly (readonly [task: string, state: number])[]
}[] = [
  { name: 'After ETL', task: DASHBOARD, minutes: 360, rules: [[taskId(70, 1), TASK_SUCCESSFUL]] },
  { name: 'After dashboard', task: taskId(74, 1), minutes: 360, rules: [[DASHBOARD, TASK_SUCCESSFUL]] },
  {
    name: 'After QVDs and FTP',
    task: SALES_REPORT,
    minutes: 360,
    rules: [
      [taskId(70, 2), TASK_SUCCESSFUL],
      [taskId(71, 1), TASK_SUCCESSFUL],
    ],
  },
  { name: 'When the test fails', task: LOAD_SCRIPT, minutes: 360, rules: [[taskId(70, 6), TASK_FAIL]] },
  { name: 'Ring 1', task: taskId(70, 12), minutes: 360, rules: [[taskId(70, 11), TASK_SUCCESSFUL]] },
  // A failure closes the ring, so that it turns only when someone makes the task fail.
  { name: 'Ring 2', task: taskId(70, 11), minutes: 360, rules: [[taskId(70, 12), TASK_FAIL]] },
]
