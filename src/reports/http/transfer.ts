/** Export and import of all definitions, and import of recipients. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { queryField } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, jsonText, looseRoute as route } from '../../http/endpoint/route.ts'
import type { Blobs } from '../../platform/blobs.ts'
import { importableJson } from '../../platform/json.ts'
import { once } from '../../platform/once.ts'
import type { Report } from '../entities/report.ts'
import { refuseIssues } from '../issues.ts'
import type { Entities } from '../kinds.ts'
import { IMPORT_RESULT, importRecipients, readRecipients } from '../recipient-import.ts'
import type { UploadedTemplate } from '../rows.ts'
import type { Save } from '../save.ts'
import type { DefinitionStore } from '../store.ts'
import type { OfficeFiles } from '../templates/check-worker.ts'
import {
  exportDocument,
  importDefinitions,
  parseDocument,
  type TransferDocument,
  type TransferredTemplate,
  transferDocument,
} from '../transfer.ts'
import { bodyObject, requireSources, requireSourcesOf, shown } from './common.ts'
import type { TemplateChecks } from './templates.ts'

interface TransferDeps {
  readonly store: DefinitionStore
  readonly blobs: Blobs
  readonly checks: TemplateChecks
  readonly readTable: OfficeFiles['readTable']
}

const IMPORT_MB = 10
const IMPORT_LIMIT = IMPORT_MB * 1_048_576
const MODE = once(() => queryField.word(['merge', 'replace']))

const IMPORTED = once(() =>
  z.object({
    dryRun: z.boolean(),
    created: z.int(),
    updated: z.int(),
    unchanged: z.int(),
    deleted: z.int(),
    changes: z.array(z.object({ type: z.string(), id: z.string(), name: z.string(), change: z.string() })),
    templatesMissing: z
      .array(z.object({ id: z.string(), name: z.string(), fileName: z.string() }))
      .describe('Reports whose uploaded template is not here; upload it.'),
  }),
)

export function transferRoutes({ store, blobs, checks, readTable }: TransferDeps): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/reporttask/export',
      scope: 'report:read',
      action: 'reporttask.export',
      audited: 'always',
      summary: 'Export all definitions as one JSON document',
      description: 'In a fixed order and without times, so that it can be kept under version control.',
      query: () =>
        z.object({
          templates: queryField.boolean().describe('With the files of uploaded templates, in Base64.').optional(),
        }),
      answers: () => ({ 200: z.looseObject({ format: z.string() }).describe('The document, as the import takes it.') }),
      examples: [{ name: 'all', status: 200 }],
      async handle({ query }) {
        const templates = query.templates ? await uploadedTemplates(store, blobs) : null
        return jsonText(200, `${importableJson(exportDocument(store, shown, templates), 2)}\n`)
      },
    }),
    route({
      method: 'POST',
      path: '/v4/reporttask/import',
      scope: 'report:write',
      action: 'reporttask.import',
      bodyLimit: IMPORT_LIMIT,
      ownBodyErrors: true,
      isImport: true,
      summary: 'Import definitions',
      description:
        'One transaction: all or nothing. Definitions are matched by their id. `replace` deletes those that the document lacks.',
      query: () =>
        z.object({ mode: MODE().optional(), dryRun: queryField.boolean().describe('Save nothing.').optional() }),
      readByHandler: () => ({ body: transferDocument() }),
      answers: () => ({
        200: IMPORTED().describe('The changes.'),
        409: 'A name is taken, or a task that is on is incomplete.',
      }),
      examples: [
        { name: 'empty', body: { format: 'footman-reports', version: 1 }, query: { dryRun: 'true' }, status: 200 },
      ],
      async handle(request) {
        const { mode = 'merge', dryRun = false } = request.query
        const { document, saves } = parseDocument(bodyObject(request))
        const templates = await keepTemplates(document, saves, checks)
        const saved = saves.flatMap(({ kind, entity }) =>
          kind === 'condition' && entity ? [entity as Entities['condition']] : [],
        )
        requireSources(request.caller, saved)
        for (const { kind, entity } of saves) {
          if (kind !== 'task' || !entity) continue
          requireSourcesOf(request.caller, entity as Entities['task'], (id) => store.get('condition', id))
        }
        const result = await importDefinitions(store, saves, { actor: request.caller.actor, mode, dryRun, templates })
        const { created, updated, deleted } = result
        request.note({
          detail: `${created} created, ${updated} updated, ${deleted} deleted${dryRun ? ', dry run' : ''}`,
        })
        return jsonAnswer(200, result)
      },
    }),
    route({
      method: 'POST',
      path: '/v4/recipient/import',
      scope: 'report:write',
      action: 'recipient.import',
      body: 'bytes',
      bodyLimit: IMPORT_LIMIT,
      ownBodyErrors: true,
      summary: 'Import recipients from a table or JSON',
      description:
        'A workbook (.xlsx), text with comma, semicolon or tab in any encoding that Excel writes, or a JSON list. Matched by address. Lines with an error are left out. `replace`: imported recipients that are missing become inactive, unless a line has an error.',
      query: () => z.object({ mode: MODE().optional() }),
      readByHandler: () => ({ body: z.string().meta({ contentMediaType: 'text/csv' }) }),
      answers: () => ({ 200: IMPORT_RESULT().describe('Numbers of recipients, and the lines that were left out.') }),
      async handle(request) {
        const { mode = 'merge' } = request.query
        const file = { bytes: request.body as Uint8Array, contentType: request.headers.get('content-type') ?? '' }
        const { entries, note } = await readRecipients(file, (bytes) => readTable(bytes, IMPORT_MB))
        const result = await importRecipients(store, entries, { actor: request.caller.actor, mode })
        const { created, updated, deactivated, errors } = result
        const counts = `${created} created, ${updated} updated, ${deactivated} deactivated, ${errors.length} errors`
        request.note({ detail: note ? `${counts}. ${note}` : counts })
        return jsonAnswer(200, note ? { ...result, note } : result)
      },
    }),
  ]
}

async function uploadedTemplates(store: DefinitionStore, blobs: Blobs): Promise<TransferredTemplate[]> {
  const found: TransferredTemplate[] = []
  const ids = store.list('report').map(({ id }) => id)
  for (const reportId of ids.sort()) {
    const upload = store.template(reportId)
    const content = upload && (await readFile(blobs.path(upload.sha256)).catch(() => null))
    if (content) found.push({ reportId, fileName: upload.fileName, base64: content.toString('base64') })
  }
  return found
}

/** Checks and keeps the files of a document; files that no report has after all are removed as unused blobs later. */
async function keepTemplates(
  { templates }: TransferDocument,
  saves: readonly Save[],
  checks: TemplateChecks,
): Promise<Map<string, UploadedTemplate>> {
  const kept = new Map<string, UploadedTemplate>()
  for (const [index, { reportId, fileName, base64 }] of templates.entries()) {
    const report = saves.find(({ kind, id }) => kind === 'report' && id === reportId)?.entity as Report | undefined
    if (report?.type !== 'template') {
      throw refuseIssues([{ path: `templates.${index}.reportId`, message: 'There is no template report with this id' }])
    }
    kept.set(reportId, await checks.keep(Buffer.from(base64, 'base64'), fileName, report))
  }
  // Templates of the directory, and those that stay, must fit the imported reports.
  for (const { kind, id, entity } of saves) {
    if (kind === 'report' && !kept.has(id)) await checks.ofReport(entity as Report, id)
  }
  return kept
}
