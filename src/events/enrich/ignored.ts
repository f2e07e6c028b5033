/** Events that are recorded and not alerted: what QRS says about their task. */
import type { IgnoreReason } from '../types.ts'
import type { Progress } from './facts.ts'

export type IgnoredProgress = Exclude<Progress, 'complete' | 'waiting'>

export const IGNORED: Readonly<Record<IgnoredProgress, { readonly reason: IgnoreReason; readonly words: string }>> = {
  taskNotFound: { reason: 'TASK_NOT_FOUND', words: 'does not exist in QRS' },
  taskTypeUnknown: { reason: 'TASK_TYPE_UNKNOWN', words: 'is of an unknown type' },
  endUnknowable: {
    reason: 'TASK_TYPE_UNKNOWN',
    words: 'is said to be a distribution, and only QRS, which is not asked, knows how it ends',
  },
  noDistribution: { reason: 'TASK_TYPE_UNKNOWN', words: 'is no distribution, though its message says so' },
}
