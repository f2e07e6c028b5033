/** Whether script logs can be fetched, by the example of the last reload that left one. */
import { nullWhenAbsent } from '../../../qlik/qrs/failure.ts'
import { ZERO_GUID } from '../../../qlik/qrs/types.ts'
import type { DoctorContext, Finding } from '../types.ts'
import type { Site } from './site.ts'

const GROUP = 'script-log'

export async function scriptLogFindings(site: Site, _context: DoctorContext): Promise<readonly Finding[]> {
  const tasks = await site.tasks()
  const [latest] = tasks
    .flatMap((task) => {
      const result = task.operational?.lastExecutionResult
      const has = task.taskType === 0 && result && (result.scriptLogAvailable || result.fileReferenceID !== ZERO_GUID)
      return has ? [{ task, result }] : []
    })
    .sort((a, b) => b.result.stopTime.localeCompare(a.result.stopTime))
  if (!latest) {
    const message = 'no reload has left a script log yet, so fetching one could not be tried'
    return [{ level: 'info', code: `${GROUP}.none`, target: site.target, message }]
  }
  const { task, result } = latest
  const text = await (await site.client()).scriptLog(task.id, result).catch(nullWhenAbsent)
  if (!text) {
    const message = 'Qlik Sense has no script log for the last reload, although it says so; alerts come without one'
    const fix =
      'see whether the archived logs on the file share of the site (ArchivedLogs) can be read by the Qlik Sense service account'
    return [{ level: 'warning', code: `${GROUP}.missing`, target: task.name, message, fix }]
  }
  return [
    { level: 'ok', code: `${GROUP}.read`, target: task.name, message: `can be fetched (${text.length} characters)` },
  ]
}
