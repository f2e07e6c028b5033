/** Names of stored script logs: a folder per day, ids in the name, nothing that could lead elsewhere. */
import { isAbsolute, relative, resolve } from 'node:path'
import type { TaskEvent } from '../../../events/types.ts'
import { appIdOf } from '../../texts/words.ts'
import type { TimeFormatter } from '../../times.ts'

const TIME = /^(\d{4}-\d\d-\d\d)[ T]\d\d:\d\d:\d\d/

/** `2024-10-10/2024-10-10_15-35-25_appId=<id>_taskId=<id>.log`, with slashes on every system. */
export function reloadLogFile(event: TaskEvent, times: TimeFormatter): string {
  const time = TIME.test(event.logTimeStamp) ? event.logTimeStamp : times.sortable(event.receivedAt)
  const name = `${time.slice(0, 19).replace(/[ T]/, '_').replaceAll(':', '-')}`
  return `${time.slice(0, 10)}/${name}_appId=${safe(appIdOf(event))}_taskId=${safe(event.taskId)}.log`
}

/** `2024-10-14/2024-10-14T11-41-31_appId=<id>_reloadId=<id>.log` */
export function cloudLogFile(event: TaskEvent): string {
  const { logTimeStamp, receivedAt, appId, executionId, details } = event
  const time = TIME.test(logTimeStamp) ? logTimeStamp : new Date(receivedAt).toISOString()
  const name = time.slice(0, 19).replace(' ', 'T').replaceAll(':', '-')
  const reloadId = details?.kind === 'cloudReload' ? String(details.variables.reloadId || executionId) : executionId
  return `${time.slice(0, 10)}/${name}_appId=${safe(appId)}_reloadId=${safe(reloadId)}.log`
}

/** Ids hold letters, digits and hyphens; whatever else somebody sends does not get into a path. */
function safe(id: string): string {
  return id.replace(/[^A-Za-z0-9-]/g, '_').slice(0, 64)
}

/** The absolute path of `file` in `directory`; null when it would lie outside. */
export function pathWithin(directory: string, file: string): string | null {
  const root = resolve(directory)
  const path = resolve(root, file)
  const inside = relative(root, path)
  return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? null : path
}
