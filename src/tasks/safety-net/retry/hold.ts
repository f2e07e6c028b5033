/** Whether an alert waits until the last try has failed. */
import type { Hold } from '../../../alerts/types.ts'

/** For `retryPolicy.alert: last`. */
export const retryHold: Hold = (_db, { event: { retry } }) => {
  if (!retry || retry.nextAt === null) return null
  const at = new Date(retry.nextAt).toISOString()
  return { reason: 'RETRY_PENDING', detail: `try ${retry.attempt + 1} of ${retry.max} at ${at}` }
}
