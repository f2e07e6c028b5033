/** Acme's schedules and chains. */
import { NEVER_MS } from '../entities.ts'
import { createLocalTime } from '../local-time.ts'
import { guid, type ResettableSite } from '../site.ts'
import type { SimEntity } from '../types.ts'
import { DASHBOARD, LOAD_SCRIPT, SALES_REPORT, taskId } from './tasks.ts'

/** `increment` is minutes, hours, days, weeks; `filter` the eight fields of a schema filter description. */
const SCHEDULES: readonly {
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

const TASK_SUCCESSFUL = 1
const TASK_FAIL = 2

/** All rules must come true within `minutes`; then `task` starts. The last two form a ring. */
const CHAINS: readonly {
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
  // A failure closes the ring, so that it turns only when the task is made to fail.
  { name: 'Ring 2', task: taskId(70, 11), minutes: 360, rules: [[taskId(70, 12), TASK_FAIL]] },
]

/** Far enough ahead to mean "does not expire". */
const NEVER_EXPIRES_MS = Date.UTC(9999, 11, 30, 23, 59, 59)

/** Stores the schedules (schema events) and chains (composite events) in the site. */
export function loadTriggers(site: ResettableSite, base: (id: string) => SimEntity) {
  const time = createLocalTime(site.timeZone)
  const year = new Date(site.clock.now()).getUTCFullYear()
  for (const [index, row] of SCHEDULES.entries()) {
    const [hour = 0, minute = 0] = row.at.split(':').map(Number)
    const local = Date.UTC(year, 0, 1, hour, minute)
    const id = guid('41', index + 1)
    site.schemaEvents.set(id, {
      ...base(id),
      name: row.name,
      enabled: true,
      timeZone: site.timeZone,
      daylightSavingTime: 0,
      startDate: local - time.offsetMinutes(local) * 60_000,
      expirationDate: NEVER_EXPIRES_MS,
      schemaFilterDescription: [row.filter],
      incrementDescription: row.increment,
      incrementOption: row.option,
      task: site.tasks.get(row.task)!,
      operational: { id: site.nextId('42'), nextExecution: NEVER_MS, timesTriggered: 0 },
    })
  }
  for (const [index, row] of CHAINS.entries()) {
    const id = guid('43', index + 1)
    site.compositeEvents.set(id, {
      ...base(id),
      name: row.name,
      enabled: true,
      timeConstraint: { days: 0, hours: 0, minutes: row.minutes, seconds: 0 },
      compositeRules: row.rules.map(([task, ruleState]) => ({
        id: site.nextId('44'),
        ruleState,
        task: site.tasks.get(task)!,
        operational: { id: site.nextId('45'), timeStamp: NEVER_MS, currentState: 0 },
      })),
      task: site.tasks.get(row.task)!,
    })
  }
}
