/** Tasks and their executions: how many ended how, how long they took, how each stands, what was done about failures. */
import { createCounter, createDistributions } from './series.ts'
import type { MetricFamily, Sample } from './types.ts'

/** Seconds; for runs of tasks. */
export const RUN_SECONDS = [1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400] as const

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
  onLook(tasks: readonly LiveReport[]): void
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
  const ended = createCounter<'type' | 'outcome'>()
  const runs = createDistributions<'type'>(RUN_SECONDS)
  const queues = createDistributions<'type'>(RUN_SECONDS)
  const retries = createCounter<'result'>()
  const findings = createCounter<'outcome'>()
  let live: readonly LiveReport[] | null = null

  const alive = (state: LiveReport['state']) => (): Sample[] =>
    live === null
      ? []
      : types.map((type) => ({
          labels: { type },
          value: live?.filter((one) => one.type === type && one.state === state).length ?? 0,
        }))

  /** One value per task; the tasks beyond the limit share one, made by `merge`. */
  function perTaskFamily(
    [name, help]: readonly [string, string],
    value: (task: TaskReport) => number | null,
    merge: (values: readonly number[]) => number,
  ): MetricFamily {
    return {
      ...{ name, help, type: 'gauge' },
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
    }
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
    onLook(tasks) {
      live = tasks
    },
    onRetry: (result) => retries.add({ result }),
    onWatchdog: (outcome) => findings.add({ outcome }),
    families: [
      family('footman_task_executions_total', 'Executions that have ended.', 'counter', ended.samples),
      family('footman_task_run_duration_seconds', 'Run times of executions.', 'histogram', runs.samples),
      family(
        'footman_task_queue_duration_seconds',
        'Time from trigger to start of executions.',
        'histogram',
        queues.samples,
      ),
      family('footman_tasks_running', 'Tasks that run.', 'gauge', alive('running')),
      family('footman_tasks_queued', 'Tasks that wait for their turn in Qlik Sense.', 'gauge', alive('queued')),
      ...(perTask ? ofTasks : []),
      family('footman_task_retries_total', 'Retries of failed tasks that were due.', 'counter', retries.samples),
      family('footman_watchdog_events_total', 'Tasks found late, stuck or never started.', 'counter', findings.samples),
    ],
  }
}

const family = (
  name: string,
  help: string,
  type: MetricFamily['type'],
  samples: MetricFamily['samples'],
): MetricFamily => ({ name, help, type, samples })
