/** Export and import of all definitions, and import of recipients. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { asIs } from '../../http/endpoint/contract.ts'
import { type ApiRoute, jsonText, route } from '../../http/endpoint/route.ts'
import type { Blobs } from '../../platform/blobs.ts'
import { importableJson } from '../../platform/json.ts'
import {
  EXPORT_REPORTS,
  IMPORT_RECIPIENTS,
  IMPORT_REPORTS,
  type TransferDocument,
  type TransferredTemplate,
} from '../contract.ts'
import type { Report } from '../entities/report.ts'
import { refuseIssues } from '../issues.ts'
import type { Entities } from '../kinds.ts'
import { importRecipients, readRecipients } from '../recipient-import.ts'
import type { UploadedTemplate } from '../rows.ts'
import type { Save } from '../save.ts'
import type { DefinitionStore } from '../store.ts'
import type { OfficeFiles } from '../templates/check-worker.ts'
import { exportDocument, importDefinitions, parseDocument } from '../transfer.ts'
import { bodyObject, checksBody, requireSources, requireSourcesOf } from './common.ts'
import type { TemplateChecks } from './templates.ts'

interface TransferDeps {
  readonly store: DefinitionStore
  readonly blobs: Blobs
  readonly checks: TemplateChecks
  readonly readTable: OfficeFiles['readTable']
}

const IMPORT_MB = 10
const IMPORT_LIMIT = IMPORT_MB * 1_048_576
export function transferRoutes({ store, blobs, checks, readTable }: TransferDeps): ApiRoute[] {
  return [
    route({
      ...EXPORT_REPORTS,
      scope: 'report:read',
      action: 'reporttask.export',
      audited: 'always',
      summary: 'Export all definitions as one JSON document',
      description: 'In a fixed order and without times, so that it can be kept under version control.',
      examples: [{ name: 'all', query: { templates: 'true' }, status: 200 }],
      async handle({ query }) {
        const templates = query.templates ? await uploadedTemplates(store, blobs) : null
        return asIs(jsonText(200, `${importableJson(exportDocument(store, templates), 2)}\n`))
      },
    }),
    route({
      ...IMPORT_REPORTS,
      ...checksBody(IMPORT_REPORTS),
      scope: 'report:write',
      action: 'reporttask.import',
      bodyLimit: IMPORT_LIMIT,
      ownBodyErrors: true,
      isImport: true,
      summary: 'Import definitions',
      description:
        'One transaction: all or nothing. Definitions are matched by their id. `replace` deletes those that the document lacks.',
      examples: [
        { name: 'empty', body: { format: 'footman-reports', version: 1 }, query: { dryRun: 'true' }, status: 200 },
      ],
      async handle(request, answer) {
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
        return answer(200, result)
      },
    }),
    route({
      ...IMPORT_RECIPIENTS,
      scope: 'report:write',
      action: 'recipient.import',
      bodyLimit: IMPORT_LIMIT,
      ownBodyErrors: true,
      summary: 'Import recipients from a table or JSON',
      description:
        'A workbook (.xlsx), text with comma, semicolon or tab in any encoding that Excel writes, or a JSON list. Matched by address. Lines with an error are left out. `replace`: imported recipients that are missing become inactive, unless a line has an error.',
      readByHandler: () => ({ body: z.string().meta({ contentMediaType: 'text/csv' }) }),
      examples: [{ name: 'table', body: 'name,email\nAnna Berg,anna.berg@company.com\n', status: 200 }],
      async handle(request, answer) {
        const { mode = 'merge' } = request.query
        const file = { bytes: request.body as Uint8Array, contentType: request.headers.get('content-type') ?? '' }
        const { entries, note } = await readRecipients(file, (bytes) => readTable(bytes, IMPORT_MB))
        const result = await importRecipients(store, entries, { actor: request.caller.actor, mode })
        const { created, updated, deactivated, errors } = result
        const counts = `${created} created, ${updated} updated, ${deactivated} deactivated, ${errors.length} errors`
        request.note({ detail: note ? `${counts}. ${note}` : counts })
        return answer(200, note ? { ...result, note } : result)
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
