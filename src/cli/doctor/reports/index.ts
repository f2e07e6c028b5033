/** The needs of report tasks: folders of storage spaces, LibreOffice, Office templates, apps in the engine, a mail server. */
import { access, constants, mkdtemp, rm, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorText } from '../../../platform/errors.ts'
import { ReportError } from '../../../reports/codes.ts'
import type { ReportTask } from '../../../reports/entities/task.ts'
import { answered } from '../connection.ts'
import type { SiteOf } from '../site/site.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'
import { mails, storedReports } from './stored.ts'

const GB = 1024 ** 3

/** How many times the limit of one connection the slow parts may take, so that the probe ends in time. */
const PARTS = 3

export function reportsProbe(sites: SiteOf): Probe {
  return {
    group: 'reports',
    title: 'Report tasks',
    applies: ({ config }) => config.footman.reportTask.enable,
    async run(context) {
      const { storageSpaces } = context.config.footman.reportTask
      const [spaces, converter, stored] = await Promise.all([
        Promise.all(storageSpaces.map(({ id, directory }, index) => judgeSpace(id, directory, index, context))),
        judgeConverter(context),
        storedFindings(sites, context),
      ])
      return [...spaces, converter, ...stored]
    },
  }
}

async function storedFindings(sites: SiteOf, context: DoctorContext): Promise<readonly Finding[]> {
  const since = performance.now()
  const { tasks, reports } = storedReports(context)
  const mail = context.config.emailNotification.smtp.host === '' ? tasks.filter(mails).map(noMailServer) : []
  if (reports.length === 0) return mail
  const { examineTemplates } = await import('./templates.ts')
  const { findings, expressions } = await examineTemplates(reports, context)
  if (!context.loaded.qlikConnection) return [...mail, ...findings]
  const { appFindings } = await import('./apps.ts')
  const left = Math.max(1, context.timeout * PARTS - (performance.now() - since))
  return [...mail, ...findings, ...(await appFindings(reports, expressions, sites(context), context, left))]
}

const noMailServer = ({ name }: ReportTask): Finding => ({
  level: 'error',
  code: 'reports.no-mail-server',
  target: `task "${name}"`,
  key: 'emailNotification.smtp.host',
  message: 'sends mails, but no mail server is named',
  fix: 'set Butler.emailNotification.smtp, or switch off the mails of the task',
})

async function judgeSpace(id: string, directory: string, index: number, { timeout }: DoctorContext): Promise<Finding> {
  const common = { target: `${id} (${directory})`, key: `footman.reportTask.storageSpaces.${index}.directory` }
  try {
    return await answered(lookAtSpace(common, directory), timeout)
  } catch (error) {
    const fix = 'look whether the server of the share is up and not overloaded'
    return { ...common, level: 'error', code: 'reports.space-missing', message: errorText(error), fix }
  }
}

async function lookAtSpace(common: Pick<Finding, 'target' | 'key'>, directory: string): Promise<Finding> {
  const found = await stat(directory).catch((error: unknown) => error as Error)
  if (found instanceof Error || !found.isDirectory()) {
    const message = found instanceof Error ? `cannot be reached: ${errorText(found)}` : 'is not a folder'
    const fix = 'create the folder, or give the account of Footman access to the share'
    return { ...common, level: 'error', code: 'reports.space-missing', message, fix }
  }
  const refused = await access(directory, constants.W_OK).then(
    () => null,
    (error: unknown) => errorText(error),
  )
  if (refused !== null) {
    const fix = 'let the account of Footman write there'
    return { ...common, level: 'error', code: 'reports.space-readonly', message: `cannot be written: ${refused}`, fix }
  }
  const { bavail, bsize } = await statfs(directory)
  const message = `can be written, ${((bavail * bsize) / GB).toFixed(1)} GB free`
  return { ...common, level: 'ok', code: 'reports.space', message }
}

async function judgeConverter({ config, paths, timeout }: DoctorContext): Promise<Finding> {
  const { officeConverter } = config.footman.reportTask
  const common = { target: 'LibreOffice', key: 'footman.reportTask.officeConverter' }
  if (officeConverter.enable === 'off') {
    const message = 'is switched off; Office templates cannot become PDF'
    return { ...common, level: 'info', code: 'reports.no-converter', message }
  }
  const { createConverter } = await import('../../../reports/templates/converter.ts')
  const temporaryDirectory = await mkdtemp(join(tmpdir(), 'footman-doctor-'))
  const path = officeConverter.path && paths.input(officeConverter.path)
  const converter = createConverter({ officeConverter: { ...officeConverter, path }, temporaryDirectory })
  const limit = Math.min(officeConverter.timeoutSeconds * 1000, timeout * PARTS)
  const signal = AbortSignal.timeout(limit)
  try {
    const { version, durationMs } = await converter.probe(signal)
    const message = `version ${version ?? 'unknown'} made a PDF in ${(durationMs / 1000).toFixed(1)} s`
    return { ...common, level: 'ok', code: 'reports.converter', message }
  } catch (error) {
    if (error instanceof ReportError && error.code === 'CONVERTER_MISSING' && path === '') {
      const message = 'is not installed; Office templates cannot become PDF, all other formats can be made'
      return { ...common, level: 'info', code: 'reports.no-converter', message }
    }
    const fix = 'start it once by hand under the account of Footman, or set officeConverter.path'
    const message = signal.aborted ? `made no PDF within ${limit / 1000} s` : errorText(error)
    return { ...common, level: 'warning', code: 'reports.converter-failed', message, fix }
  } finally {
    await rm(temporaryDirectory, { recursive: true, force: true })
  }
}
