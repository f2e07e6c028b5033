/** The needs of report tasks on this machine: folders of storage spaces, and LibreOffice for PDF of Office templates. */
import { access, constants, mkdtemp, rm, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorText } from '../../../platform/errors.ts'
import { ReportError } from '../../../reports/codes.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'

const GB = 1024 ** 3

export const reports: Probe = {
  group: 'reports',
  title: 'Report tasks',
  applies: ({ config }) => config.footman.reportTask.enable,
  async run(context) {
    const spaces = await Promise.all(
      context.config.footman.reportTask.storageSpaces.map(({ id, directory }, index) =>
        judgeSpace(id, directory, index),
      ),
    )
    return [...spaces, await judgeConverter(context)]
  },
}

async function judgeSpace(id: string, directory: string, index: number): Promise<Finding> {
  const common = { target: `${id} (${directory})`, key: `footman.reportTask.storageSpaces.${index}.directory` }
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

async function judgeConverter({ config, paths }: DoctorContext): Promise<Finding> {
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
  try {
    const { version, durationMs } = await converter.probe(AbortSignal.timeout(officeConverter.timeoutSeconds * 1000))
    const message = `version ${version ?? 'unknown'} made a PDF in ${(durationMs / 1000).toFixed(1)} s`
    return { ...common, level: 'ok', code: 'reports.converter', message }
  } catch (error) {
    if (error instanceof ReportError && error.code === 'CONVERTER_MISSING' && path === '') {
      const message = 'is not installed; Office templates cannot become PDF, all other formats can be made'
      return { ...common, level: 'info', code: 'reports.no-converter', message }
    }
    const fix = 'start it once by hand under the account of Footman, or set officeConverter.path'
    return { ...common, level: 'warning', code: 'reports.converter-failed', message: errorText(error), fix }
  } finally {
    await rm(temporaryDirectory, { recursive: true, force: true })
  }
}
