/** Tasks and their executions: how many ended how, how long they took, how each stands, what was done about failures. */
import {
  byLabel,
  counter,
  createCounter,
  createDistributions,
  gauges,
  histogram,
  type MetricFamily,
  RUN_SECONDS,
  type Series,
} from './families.ts'

/** How a task stands; times in milliseconds. */
export interface TaskReport {
  readonly taskId: string
  readonly taskName: string
  readonly lastOutcome: string
  readonly lastRunMs: number | null
  readonly lastSuccessAt: number | null
  readonly consecutiveFailures: number
}

export interface EndedReport {
  readonly taskType: string
  readonly outcome: string
  readonly runMs: number | null
  readonly queueMs: number | null
}

export interface LiveReport {
  readonly type: string
  readonly state: 'queued' | 'running'
}

export interface TaskMetrics {
  /** An execution has ended, or its times have become known. */
  onEnded(execution: EndedReport, news: { readonly isNew: boolean; readonly isMeasured: boolean }): void
  /** All tasks that wait or run. */
  onLiveTasks(tasks: readonly LiveReport[]): void
  onRetry(result: string): void
  onWatchdog(outcome: string): void
  readonly families: readonly MetricFamily[]
}

export interface TaskMetricsSettings {
  readonly types: readonly string[]
  readonly perTask: boolean
  /** Tasks beyond so many are shown together. */
  readonly maxTasks: number
}

export function createTaskMetrics(
  states: () => readonly TaskReport[],
  { types, perTask, maxTasks }: TaskMetricsSettings,
): TaskMetrics {
  const ended = createCounter('type', 'outcome')
  const runs = createDistributions(RUN_SECONDS, 'type')
  const queues = createDistributions(RUN_SECONDS, 'type')
  const retries = createCounter('result')
  const findings = createCounter('outcome')
  let live: readonly LiveReport[] | null = null

  const alive = (state: LiveReport['state']): Series =>
    byLabel('type', () => {
      const now = live?.filter((task) => task.state === state)
      return now ? types.map((type) => [type, now.filter((task) => task.type === type).length]) : []
    })

  /** One value per task; the tasks beyond the limit share one, made by `merge`. */
  function perTaskFamily(
    [name, help]: readonly [string, string],
    value: (task: TaskReport) => number | null,
    merge: (values: readonly number[]) => number,
  ): MetricFamily {
    return gauges(name, help, {
      labels: ['task_id', 'task'],
      samples() {
        const tasks = states()
        const own = tasks.slice(0, maxTasks).flatMap((task) => {
          const now = value(task)
          return now === null ? [] : [{ labels: { task_id: task.taskId, task: task.taskName }, value: now }]
        })
        const others = tasks.slice(maxTasks).flatMap((task) => value(task) ?? [])
        return others.length === 0
          ? own
          : [...own, { labels: { task_id: 'other', task: 'other' }, value: merge(others) }]
      },
    })
  }

  const largest = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b))
  const smallest = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b))
  const ofTasks: readonly MetricFamily[] = [
    perTaskFamily(
      ['footman_task_last_success_timestamp_seconds', 'End of the last successful execution, in seconds since 1970.'],
      ({ lastSuccessAt }) => (lastSuccessAt === null ? null : lastSuccessAt / 1000),
      smallest,
    ),
    perTaskFamily(
      ['footman_task_last_run_duration_seconds', 'Run time of the last execution.'],
      ({ lastRunMs }) => (lastRunMs === null ? null : lastRunMs / 1000),
      largest,
    ),
    perTaskFamily(
      ['footman_task_last_run_success', '1 when the last execution succeeded.'],
      ({ lastOutcome }) => (lastOutcome === 'success' ? 1 : 0),
      smallest,
    ),
    perTaskFamily(
      ['footman_task_consecutive_failures', 'Failed or aborted executions since the last success.'],
      ({ consecutiveFailures }) => consecutiveFailures,
      largest,
    ),
  ]

  return {
    onEnded({ taskType: type, outcome, runMs, queueMs }, { isNew, isMeasured }) {
      if (isNew) ended.add({ type, outcome })
      if (isMeasured && runMs !== null) runs.observe({ type }, runMs / 1000)
      if (isMeasured && queueMs !== null) queues.observe({ type }, queueMs / 1000)
    },
    onLiveTasks(tasks) {
      live = tasks
    },
    onRetry: (result) => retries.add({ result }),
    onWatchdog: (outcome) => findings.add({ outcome }),
    families: [
      counter('footman_task_executions_total', 'Executions that have ended.', ended),
      histogram('footman_task_run_duration_seconds', 'Run times of executions.', runs),
      histogram('footman_task_queue_duration_seconds', 'Time from trigger to start of executions.', queues),
      gauges('footman_tasks_running', 'Tasks that run.', alive('running')),
      gauges('footman_tasks_queued', 'Tasks that wait for their turn in Qlik Sense.', alive('queued')),
      ...(perTask ? ofTasks : []),
      counter('footman_task_retries_total', 'Retries of failed tasks that were due.', retries),
      counter('footman_watchdog_events_total', 'Tasks found late, stuck or never started.', findings),
    ],
  }
}
