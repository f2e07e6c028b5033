/** Schedules: how many there are, what became of their runs, how late they fire. */
import { byLabel, counter, gauges, histogram } from './family.ts'
import { CALL_SECONDS, createCounter, createDistribution } from './series.ts'
import type { MetricFamily } from './types.ts'

export interface ScheduleMetrics {
  /** A run has begun, ended or was skipped. `lagMs`: how late it fired, where that is meant. */
  onScheduleRun(run: { readonly state: string; readonly outcome: string | null }, lagMs: number | null): void
  readonly families: readonly MetricFamily[]
}

/** `states`: how many schedules are running, stopped or invalid; null while the scheduler is off. */
export function createScheduleMetrics(states: () => Readonly<Record<string, number>> | null): ScheduleMetrics {
  const runs = createCounter('outcome')
  const lag = createDistribution(CALL_SECONDS)
  return {
    onScheduleRun({ state, outcome }, lagMs) {
      if (lagMs !== null) lag.observe(lagMs / 1000)
      if (state === 'skipped') runs.add({ outcome: 'skipped' })
      else if (state === 'finished') runs.add({ outcome: outcome ?? 'unknown' })
    },
    families: [
      gauges(
        'footman_schedules',
        'Schedules.',
        byLabel('state', () => Object.entries(states() ?? {})),
      ),
      counter('footman_schedule_runs_total', 'Runs of schedules that have ended or were skipped.', runs),
      histogram('footman_schedule_lag_seconds', 'Time from the moment when a schedule was due to its run.', {
        labels: [],
        samples: () => (states() ? lag.samples({}) : []),
      }),
    ],
  }
}
