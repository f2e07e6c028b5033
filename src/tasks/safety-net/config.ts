/** Retries of failed tasks, the reconciler and the watchdog. */
import type { z } from 'zod'
import { choice, count, duration, flag, number, section, text } from '../../config/fields.ts'

export { taskPolicies } from './config-policies.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export const retryPolicy = section(
  'Starting failed tasks again; nothing happens without the custom property or a policy.',
  () => ({
    enable: flag('Honour the custom property and taskPolicies.', true),
    customPropertyName: text('Custom property of tasks whose value is the policy, like 3x/5m*2.', 'retryPolicy'),
    alert: choice('Alert after the last try or after each.', ['last', 'each'], 'last'),
    maxPerTaskPerDay: count('Most retries of one task in a day.', 10, { min: 1, max: 1_000_000 }),
    maxPerHour: count('Most retries of all tasks in an hour.', 20, { min: 1, max: 1_000_000 }),
  }),
)

export const reconciler = section('Finding executions in QRS that no message announced.', () => ({
  enable: flag('Look for them.', true),
  interval: duration('Time between two looks.', '60s', { min: 10_000, max: HOUR }),
  maxAlertAge: duration('Older finds are recorded without an alert.', '1h'),
}))

export const watchdog = section('Finding tasks that are late, stuck or never started.', () => ({
  enable: flag('Record such events; messages only where a rule asks for them.', true),
  lateAfter: duration('Late: queued longer than this and than usual.', '15m', { min: MINUTE, max: 30 * DAY }),
  stuckFactor: number('Stuck: running longer than this many times the usual.', 3, { min: 1.5, max: 100 }),
  neverStartedAfter: duration('Never started: this long after the due time.', '30m', { min: MINUTE, max: 30 * DAY }),
  minRuns: count('Successful runs needed before a task is judged as stuck.', 5, { min: 3, max: 30 }),
  customPropertyName: text('Custom property of tasks with fixed limits, like late=30m; stuck=2h.', 'watchPolicy'),
}))

export type RetryPolicyConfig = z.output<typeof retryPolicy>
export type ReconcilerConfig = z.output<typeof reconciler>
export type WatchdogConfig = z.output<typeof watchdog>
