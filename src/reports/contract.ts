/** The contracts of trials of definitions, and of their export and import. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape } from '../http/endpoint/contract.ts'
import { NO_QUERY, queryField } from '../http/endpoint/list-query.ts'
import { DEFINITIONS } from './entities/contract.ts'
import { id } from './entities/fields.ts'
import { FORMATS, report } from './entities/report.ts'
import { reportTask, reportUse } from './entities/task.ts'
import { conditionResult, file } from './runs/contract.ts'

// Trials: nothing is saved or sent.

const params = () => z.object({ id: z.string() })
const UNREADABLE = { 422: 'The app or an object of it cannot be read.', 502: 'The engine does not answer.' } as const

export const RENDER_REPORT = contract({
  method: 'POST',
  path: '/v4/report/{id}/render',
  params,
  query: () => z.object({ format: queryField.word(FORMATS) }),
  body: 'ignored',
  answers: () => ({ 200: file().describe('The file.'), ...UNREADABLE }),
})

export const TEST_CONDITION = contract({
  method: 'POST',
  path: '/v4/reportcondition/{id}/test',
  params,
  query: NO_QUERY,
  body: () => z.strictObject({ filterIds: z.array(id()).max(50).default([]) }),
  answers: () => ({ 200: z.strictObject({ ...conditionResult(), durationMs: z.int() }), ...UNREADABLE }),
})
export type ConditionTest = AnswerOf<typeof TEST_CONDITION>

const previewQuery = () => ({
  maxRows: queryField.integer(1, 10_000).describe('Most rows of each table. Default 200.').optional(),
  asRecipient: queryField.text().describe('Address of the recipient whose filters apply.').optional(),
})
const preview = () => ({
  200: file().describe('The document; HTML is to be shown in a frame without rights.'),
  422: 'The document cannot be made: `details` say why.',
  502: 'The engine or the repository does not answer in time.',
})

export const PREVIEW_REPORT = contract({
  method: 'POST',
  path: '/v4/report/-/preview',
  query: () =>
    z.object({
      format: queryField.word(FORMATS).describe('Default `html`.').optional(),
      ...previewQuery(),
      reportId: queryField.text().describe('Id of the saved report, whose uploaded template is used.').optional(),
    }),
  body: () => report().and(z.object({ cycle: reportUse().shape.cycle.optional() })),
  answers: preview,
})

export const PREVIEW_TASK = contract({
  method: 'POST',
  path: '/v4/reporttask/-/preview',
  query: () =>
    z.object({
      report: queryField.text().describe('Key of the report in the task. Default: the first.').optional(),
      format: queryField.word(FORMATS).describe('Default: that of the report in the task.').optional(),
      ...previewQuery(),
    }),
  body: reportTask,
  answers: preview,
})

// Export and import.

const template = () => z.strictObject({ reportId: id(), fileName: z.string().min(1).max(255), base64: z.base64() })
export type TransferredTemplate = Shape<typeof template>

const templates = () => z.array(template()).max(1000).describe('The files of reports whose template was uploaded.')
const head = () => ({ format: z.literal('footman-reports'), version: z.literal(1) })

/** The import checks each definition by itself, so that it can name the place of every problem. */
const entities = () => z.array(z.looseObject({ id: id() })).default([])
export const transferDocument = () =>
  z.strictObject({
    ...head(),
    reportFilters: entities(),
    reportConditions: entities(),
    recipients: entities(),
    reports: entities(),
    recipientGroups: entities(),
    reportTasks: entities(),
    templates: templates().default([]),
  })
export type TransferDocument = z.output<ReturnType<typeof transferDocument>>

const TIMES = { createdAt: true, createdBy: true, modifiedAt: true, modifiedBy: true, revision: true } as const
/** A definition without the members that an export leaves out. */
function exported(stored: z.ZodType): z.ZodType {
  if (stored instanceof z.ZodUnion) return z.union(stored.options.map((one) => exported(one as z.ZodType)))
  return (stored as z.ZodObject<Record<keyof typeof TIMES, z.ZodType>>).omit(TIMES)
}

export const EXPORT_REPORTS = contract({
  method: 'GET',
  path: '/v4/reporttask/export',
  query: () =>
    z.object({
      templates: queryField.boolean().describe('With the files of uploaded templates, in Base64.').optional(),
    }),
  answers: () => ({
    200: z
      .strictObject({
        ...head(),
        ...Object.fromEntries(
          Object.values(DEFINITIONS).map(({ member, read }) => [member, z.array(exported(read.answers()[200]))]),
        ),
        templates: templates().optional(),
      })
      .describe('The document, as the import takes it.'),
  }),
})

const mode = () => queryField.word(['merge', 'replace']).optional()

export const IMPORT_REPORTS = contract({
  method: 'POST',
  path: '/v4/reporttask/import',
  query: () => z.object({ mode: mode(), dryRun: queryField.boolean().describe('Save nothing.').optional() }),
  body: transferDocument,
  answers: () => ({
    200: z
      .strictObject({
        dryRun: z.boolean(),
        created: z.int(),
        updated: z.int(),
        unchanged: z.int(),
        deleted: z.int(),
        changes: z.array(
          z.strictObject({
            type: z.string(),
            id: z.string(),
            name: z.string(),
            change: z.enum(['created', 'updated', 'deleted']),
          }),
        ),
        templatesMissing: z
          .array(z.strictObject({ id: z.string(), name: z.string(), fileName: z.string() }))
          .describe('Reports whose uploaded template is not here; upload it.'),
      })
      .describe('The changes.'),
    409: 'A name is taken, or a task that is on is incomplete.',
  }),
})
export type ImportResult = AnswerOf<typeof IMPORT_REPORTS>

export const IMPORT_RECIPIENTS = contract({
  method: 'POST',
  path: '/v4/recipient/import',
  query: () => z.object({ mode: mode() }),
  body: 'bytes',
  answers: () => ({
    200: z
      .strictObject({
        created: z.int(),
        updated: z.int(),
        unchanged: z.int(),
        deactivated: z.int(),
        errors: z.array(z.strictObject({ line: z.int(), details: z.string() })).describe('Lines that were left out.'),
        note: z.string().describe('About the encoding of the file, where it is not Unicode.').optional(),
      })
      .describe('Numbers of recipients, and the lines that were left out.'),
  }),
})
export type RecipientImport = AnswerOf<typeof IMPORT_RECIPIENTS>
