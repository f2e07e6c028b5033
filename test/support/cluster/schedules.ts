/** Schedules of a node that are due once. */
import { guidOf } from '../../bench/large-site-ids.ts'
import type { ClusterNode } from './node.ts'

/** Adds one that starts task number `task` at this time (milliseconds since 1970). */
export async function addSchedule(node: ClusterNode, task: number, due: number): Promise<void> {
  const at = new Date(due)
  // Months count from 0 in this order of fields.
  const fields = [at.getUTCSeconds(), at.getUTCMinutes(), at.getUTCHours(), at.getUTCDate(), at.getUTCMonth(), '*']
  const answer = await node.call('POST', '/v4/schedules', {
    name: `Once ${task}`,
    cronSchedule: fields.join(' '),
    timezone: 'UTC',
    qlikSenseTaskId: guidOf('task', task),
    startupState: 'started',
    tags: [],
  })
  if (answer.status !== 201) throw new Error(`a schedule was refused: ${answer.status} ${await answer.text()}`)
}
