/** The Office templates of stored reports: each file is there, and its tags are known to the report. */
import { readFile } from 'node:fs/promises'
import { createBlobs } from '../../../platform/blobs.ts'
import { errorText } from '../../../platform/errors.ts'
import { reportDirectory } from '../../../reports/directory.ts'
import type { TemplateReport } from '../../../reports/entities/report.ts'
import type { StoredOf } from '../../../reports/rows.ts'
import { createOfficeFiles, type OfficeFiles } from '../../../reports/templates/check-worker.ts'
import { locateTemplate } from '../../../reports/templates/index.ts'
import { answered } from '../connection.ts'
import { plural } from '../site/site.ts'
import type { DoctorContext, Finding } from '../types.ts'
import type { UsedReport } from './stored.ts'

export interface ExaminedTemplates {
  readonly findings: readonly Finding[]
  /** Expressions of tags, by id of the report. */
  readonly expressions: ReadonlyMap<string, readonly string[]>
}

export async function examineTemplates(
  reports: readonly UsedReport[],
  context: DoctorContext,
): Promise<ExaminedTemplates> {
  const findings: Finding[] = []
  const expressions = new Map<string, readonly string[]>()
  // The probe as a whole has the time of four connections.
  const office = createOfficeFiles(context.workerEntry, 2 * context.timeout)
  let good = 0
  for (const { report, tasks } of reports) {
    if (report.type !== 'template' || report.template === null) continue
    const about = { target: `report "${report.name}"`, level: tasks.length > 0 ? 'error' : 'warning' } as const
    const { problems, tags, isSilent } = await examine(report, report.template, context, office)
    expressions.set(report.id, tags)
    findings.push(...problems.map((problem) => ({ ...about, ...problem })))
    if (problems.length === 0) good += 1
    // The next file would wait as long for the same folder.
    if (isSilent) break
  }
  if (good === 0) return { findings, expressions }
  const message = `${plural(good, 'template')} without problems`
  return {
    findings: [{ level: 'ok', code: 'reports.templates', target: 'Office templates', message }, ...findings],
    expressions,
  }
}

type TemplateProblem = Pick<Finding, 'code' | 'message' | 'fix'>

async function examine(
  report: StoredOf<'report'> & TemplateReport,
  template: NonNullable<TemplateReport['template']>,
  { config, paths, timeout }: DoctorContext,
  office: OfficeFiles,
): Promise<{
  readonly problems: readonly TemplateProblem[]
  readonly tags: readonly string[]
  readonly isSilent: boolean
}> {
  const { reportTask } = config.footman
  const blobs = createBlobs(reportDirectory(reportTask, paths, paths.data(config.footman.dataDirectory)))
  const folder = paths.input(reportTask.templateDirectory)
  const { path, fileName } = locateTemplate(template, folder, blobs)
  let bytes: Uint8Array<ArrayBuffer>
  try {
    bytes = new Uint8Array(await answered(readFile(path), timeout))
  } catch (error) {
    const message = `its template ${fileName} cannot be read: ${errorText(error)}`
    const fix =
      template.source === 'upload'
        ? 'upload it again (PUT /v4/report/{id}/template)'
        : `put the file into ${folder}, and let the account of Footman read it`
    return {
      problems: [{ code: 'reports.template-missing', message, fix }],
      tags: [],
      isSilent: (error as NodeJS.ErrnoException).code === 'ESILENT',
    }
  }
  const { problems, tags } = await office.checkTemplate(bytes, fileName, report, reportTask.limits)
  return {
    isSilent: false,
    problems: problems.map(({ place, details }) => ({
      code: 'reports.template',
      message: `${fileName}${place === '' ? '' : `, ${place}`}: ${details}`,
      fix: 'correct the template or the data of the report; POST /v4/report/{id}/template/check lists its tags',
    })),
    tags: [...new Set(tags.filter(({ kind }) => kind === 'expression').map(({ tag }) => tag.slice(1)))],
  }
}
