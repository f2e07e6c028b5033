/** The work of the thread: opens apps at the engine, renders documents, keeps their files. */
import { readFile } from 'node:fs/promises'
import { type Blobs, createBlobs } from '../../platform/blobs.ts'
import { errorWithoutPath } from '../../platform/file-errors.ts'
import { SILENT } from '../../platform/types.ts'
import { createEngineClient } from '../../qlik/engine/client.ts'
import { ReportError } from '../codes.ts'
import type { ConditionFacts } from '../conditions.ts'
import { openReportData } from '../data/index.ts'
import { createRenderer, type FillTemplate } from '../documents/render.ts'
import { createConverter } from '../templates/converter.ts'
import { type ConvertToPdf, fillTemplate, locateTemplate } from '../templates/index.ts'
import type { NewEvent } from '../types.ts'
import { type Prepared, prepareRun } from './prepare.ts'
import type { PrepareSettings } from './request.ts'
import type { FactName, ReportJob } from './role.ts'

interface JobDeps {
  /** Asks the main thread. */
  readonly ask: (fact: FactName, args?: readonly unknown[]) => Promise<unknown>
  readonly note: (event: NewEvent) => void
  readonly line: (text: string) => void
  /** So many sessions at the engine are open now. */
  readonly sessions: (open: number) => void
  readonly signal: AbortSignal
}

export function prepareJob(
  { engine, dataDirectory, request }: ReportJob,
  { ask, note, line, sessions, signal }: JobDeps,
): Promise<Prepared> {
  const client = createEngineClient({ log: SILENT }, engine)
  const blobs = createBlobs(dataDirectory)
  const { settings, runId, startedAt } = request
  let renderer: ReturnType<typeof createRenderer> | null = null
  let opened = 0
  let open = 0
  const facts = new Proxy({} as ConditionFacts, {
    get:
      (_, fact) =>
      (...args: unknown[]) =>
        ask(fact as FactName, args),
  })
  return prepareRun(
    {
      async openApp({ appId, user, warn }) {
        const data = await openReportData(client, {
          appId,
          identity: `${runId}-${++opened}`,
          ...(user && { user }),
          limits: settings.limits,
          timezone: settings.timezone,
          now: new Date(startedAt),
          warn,
          signal,
        })
        sessions(++open)
        return { ...data, close: () => data.close().finally(() => sessions(--open)) }
      },
      facts,
      async render(document) {
        renderer ??= createRenderer(settings, filler(settings, blobs))
        return renderer.render(document)
      },
      keep: blobs.putFile,
      keepBytes: async (bytes) => (await blobs.put(bytes)).sha256,
      async exclusive(work) {
        await ask('turn')
        try {
          return await work()
        } finally {
          await ask('turnOver')
        }
      },
      note,
      line,
      signal,
    },
    request,
  )
}

/** Fills Office templates: files of the template directory, or uploaded ones. */
function filler(settings: PrepareSettings, blobs: Pick<Blobs, 'path'>): FillTemplate {
  const converter = settings.officeConverter.enable === 'off' ? null : createConverter(settings)
  const convertToPdf: ConvertToPdf | null =
    converter && ((file, format, target, signal) => converter.toPdf(file, format, target, signal))
  return async (request, fonts) => {
    const { report } = request
    const template = report.type === 'template' ? report.template : null
    if (!template)
      throw new ReportError(
        'TEMPLATE_NOT_FOUND',
        `the report "${report.name}" has no template yet: upload one with PUT /v4/report/${report.id}/template`,
      )
    const { path, fileName } = locateTemplate(template, settings.templateDirectory, blobs)
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new ReportError('TEMPLATE_NOT_FOUND', `${fileName}: ${errorWithoutPath(error)}`)
    })
    return fillTemplate(request, { bytes, fileName }, settings, { fonts, convertToPdf })
  }
}
