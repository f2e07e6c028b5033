/** What keeps retries from going on for ever. */
import type { Database } from '../../../platform/sqlite.ts'
import { countRetries } from './store.ts'

export interface Breakers {
  readonly maxPerTaskPerDay: number
  readonly maxPerHour: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Why no further retry of the task is made now, naming the setting; null when nothing holds it. */
export function brokenBy(db: Database, settings: Breakers, taskId: string, now: number): string | null {
  const { maxPerTaskPerDay, maxPerHour } = settings
  if (countRetries(db, taskId, now - DAY_MS) >= maxPerTaskPerDay) {
    return `the task was started again ${maxPerTaskPerDay} times within a day (retryPolicy.maxPerTaskPerDay)`
  }
  if (countRetries(db, null, now - HOUR_MS) >= maxPerHour) {
    return `tasks were started again ${maxPerHour} times within an hour (retryPolicy.maxPerHour)`
  }
  return null
}
