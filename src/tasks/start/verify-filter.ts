import type { Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import type { StartFilterSettings } from './filter.ts'
import { tasksById } from './lookup.ts'

/**
 * Warns about ids of the start filter that no task has. Run it once after the start; never rejects: when QRS cannot be
 * asked, only ids that are no GUIDs are named.
 */
export async function verifyStartFilter(
  deps: { readonly qrs: QrsClient; readonly log: Logger },
  { startTaskFilter: { enable, allowTask } }: Pick<StartFilterSettings, 'startTaskFilter'>,
): Promise<void> {
  const { qrs, log } = deps
  if (!enable || allowTask.taskId.length === 0) return
  log.info('CONFIG VERIFY: Verifying that task IDs are valid...')
  const known = await tasksById(qrs, allowTask.taskId.filter(isGuid)).catch((error: unknown) => {
    log.warn(`CONFIG VERIFY: The allowed task IDs could not be looked up: ${reasonOf(error)}`)
    return null
  })
  for (const id of allowTask.taskId) {
    const valid = isGuid(id) && (known === null || known.has(id.toLowerCase()))
    if (!valid) log.warn(`CONFIG VERIFY: Allowed task ID not valid: ${id}`)
  }
}
