/** Metrics of tasks: what counts once, how each task stands, and what many tasks have in common. */
import { describe, expect, test } from 'bun:test'
import { createTaskMetrics, type TaskReport } from '../../../src/metrics/prometheus/tasks.ts'

const TYPES = ['reload', 'preload']
const task = (n: number, changes: Partial<TaskReport> = {}): TaskReport => ({
  taskId: `t${n}`,
  taskName: `Task ${n}`,
  lastOutcome: 'success',
  lastRunMs: 1500,
  lastSuccessAt: 1000 * n,
  consecutiveFailures: 0,
  ...changes,
})
function metrics(tasks: readonly TaskReport[] = [], settings: { perTask?: boolean; maxTasks?: number } = {}) {
  const made = createTaskMetrics(() => tasks, { types: TYPES, perTask: true, maxTasks: 2000, ...settings })
  const samples = (name: string) => made.families.find((family) => family.name === `footman_${name}`)?.samples()
  return { ...made, samples }
}

describe('executions', () => {
  test('count once, their times when they are known', () => {
    const { onEnded, samples } = metrics()
    const ended = { taskType: 'reload', outcome: 'failed', runMs: null, queueMs: null }
    onEnded(ended, { isNew: true, isMeasured: false })
    onEnded({ ...ended, runMs: 60_000, queueMs: 500 }, { isNew: false, isMeasured: true })
    expect(samples('task_executions_total')).toEqual([{ labels: { type: 'reload', outcome: 'failed' }, value: 1 }])
    const runs = samples('task_run_duration_seconds')!
    expect(runs.map(({ labels }) => labels.le).filter(Boolean)).toEqual([
      '1',
      '5',
      '15',
      '30',
      '60',
      '120',
      '300',
      '600',
      '1200',
      '1800',
      '3600',
      '7200',
      '14400',
      '+Inf',
    ])
    expect(runs.filter(({ suffix }) => suffix !== '_bucket')).toEqual([
      { labels: { type: 'reload' }, value: 60, suffix: '_sum' },
      { labels: { type: 'reload' }, value: 1, suffix: '_count' },
    ])
    expect(samples('task_queue_duration_seconds')!.find(({ suffix }) => suffix === '_sum')?.value).toBe(0.5)
  })
})

describe('tasks', () => {
  test('that wait and run are told by type once somebody has looked', () => {
    const { onLiveTasks, samples } = metrics()
    expect(samples('tasks_running')).toEqual([])
    onLiveTasks([
      { type: 'reload', state: 'running' },
      { type: 'reload', state: 'running' },
      { type: 'preload', state: 'queued' },
    ])
    expect(samples('tasks_running')).toEqual([
      { labels: { type: 'reload' }, value: 2 },
      { labels: { type: 'preload' }, value: 0 },
    ])
    expect(samples('tasks_queued')?.map(({ value }) => value)).toEqual([0, 1])
  })

  test('have series of their own', () => {
    const { samples } = metrics([
      task(1),
      task(2, { lastOutcome: 'failed', lastSuccessAt: null, consecutiveFailures: 3 }),
    ])
    expect(samples('task_last_success_timestamp_seconds')).toEqual([
      { labels: { task_id: 't1', task: 'Task 1' }, value: 1 },
    ])
    expect(samples('task_last_run_duration_seconds')?.map(({ value }) => value)).toEqual([1.5, 1.5])
    expect(samples('task_last_run_success')?.map(({ value }) => value)).toEqual([1, 0])
    expect(samples('task_consecutive_failures')?.map(({ value }) => value)).toEqual([0, 3])
  })

  test('beyond the limit share one: 3,000 tasks are 2,001 series, and the worst of the others shows', () => {
    const tasks = Array.from({ length: 3000 }, (_, n) =>
      task(n, n === 2500 ? { lastOutcome: 'failed', consecutiveFailures: 7 } : {}),
    )
    const { samples } = metrics(tasks)
    const failures = samples('task_consecutive_failures')!
    expect(failures).toHaveLength(2001)
    expect(failures.at(-1)).toEqual({ labels: { task_id: 'other', task: 'other' }, value: 7 })
    expect(samples('task_last_run_success')!.at(-1)?.value).toBe(0)
  })

  test('have none when they are switched off', () => {
    expect(metrics([task(1)], { perTask: false }).samples('task_last_run_success')).toBeUndefined()
  })
})

test('retries and finds of the watchdog are counted', () => {
  const { onRetry, onWatchdog, samples } = metrics()
  for (const result of ['started', 'started', 'refused']) onRetry(result)
  onWatchdog('stuck')
  expect(samples('task_retries_total')?.map(({ labels, value }) => [labels.result, value])).toEqual([
    ['started', 2],
    ['refused', 1],
  ])
  expect(samples('watchdog_events_total')).toEqual([{ labels: { outcome: 'stuck' }, value: 1 }])
})
