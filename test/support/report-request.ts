/** Requests for documents of a block report, with fake data. */
import { join } from 'node:path'
import { report as reportSchema } from '../../src/reports/entities/report.ts'
import { reportTask } from '../../src/reports/entities/task.ts'
import type { RenderRequest, RenderSettings, ReportData } from '../../src/reports/types.ts'

export const RENDER_SETTINGS: RenderSettings = {
  templateDirectory: '/nowhere',
  temporaryDirectory: '/nowhere',
  fonts: [],
  officeConverter: { enable: 'off', path: '', timeoutSeconds: 10, parallel: 1 },
  limits: { maxRowsPerTable: 100_000, maxTemplateMb: 25 },
}

export interface Asked {
  readonly blocks: readonly object[]
  readonly page?: object
  /** Members of the use: `format`, `block`, `options`; `embed`. */
  readonly use: { readonly format: string; readonly embed?: boolean } & Record<string, unknown>
  readonly data: ReportData
  readonly directory: string
  readonly fileName?: string
  readonly locale?: string
}

/** The request, and the warnings that come in while it is carried out. */
export function renderRequest(asked: Asked): { readonly request: RenderRequest; readonly warnings: string[] } {
  const { embed = false, ...use } = asked.use
  const warnings: string[] = []
  const entity = reportSchema().parse({
    type: 'blocks',
    name: 'Sales pack',
    appId: 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77',
    blocks: asked.blocks,
    page: asked.page ?? {},
  })
  const task = reportTask().parse({
    name: 'Weekly',
    reports: [{ key: 'pack', reportId: '0d9c9a0e-97b1-4b7c-8c55-0b6a3f6f4a11', ...use }],
  })
  const request: RenderRequest = {
    report: {
      ...entity,
      id: '0d9c9a0e-97b1-4b7c-8c55-0b6a3f6f4a11',
      createdAt: '2025-11-21T06:00:00.000Z',
      createdBy: 'test',
      modifiedAt: '2025-11-21T06:00:00.000Z',
      modifiedBy: 'test',
      revision: 1,
    },
    use: { ...task.reports[0]!, embed },
    data: asked.data,
    names: {
      task: 'Weekly',
      project: 'default',
      report: 'Sales pack',
      key: 'pack',
      cycle: [],
      date: new Date('2025-11-21T06:30:00.000Z'),
      runId: '019aa51a-f5f5-7c11-9b5e-2f2f6a0c1e10',
      seq: 1,
    },
    locale: asked.locale ?? 'en-GB',
    timezone: 'Europe/Stockholm',
    file: join(asked.directory, asked.fileName ?? `document.${asked.use.format}`),
    secret: (name) => `value of ${name}`,
    warn: (code, details, block) => warnings.push([code, block, details].filter(Boolean).join(' ')),
    signal: new AbortController().signal,
  }
  return { request, warnings }
}
