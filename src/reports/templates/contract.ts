/** The contracts of the Office templates of reports. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape, shape } from '../../http/endpoint/contract.ts'
import { NO_QUERY } from '../../http/endpoint/list-query.ts'
import { TEMPLATE_CODES } from '../codes.ts'
import { file } from '../runs/contract.ts'

const place = () => z.string().describe("In words of the Office program: `Summary!B3`; '' for the file as a whole.")

const tagUse = () =>
  z.strictObject({
    tag: z.string().describe('`detail`, `detail.$count`, `=Sum(Sales)`.'),
    kind: z.enum(['value', 'expression', 'loop', 'condition', 'level', 'picture']),
    place: place(),
  })
/** A tag of a template. */
export type TagUse = Shape<typeof tagUse>

const problem = () => z.strictObject({ code: z.enum(TEMPLATE_CODES), place: place(), details: z.string() })
export type TemplateProblem = Shape<typeof problem>
const warning = () => problem().extend({ code: z.literal('TEMPLATE_REFERENCE') })
export type TemplateWarning = Shape<typeof warning>

const check = shape('TemplateCheck', () =>
  z.strictObject({
    ok: z.boolean(),
    format: z.enum(['xlsx', 'docx', 'pptx', 'unknown']).describe('`unknown` = the file cannot be opened.'),
    bytes: z.int(),
    sha256: z.string(),
    tags: z.array(tagUse()),
    unused: z.array(z.string()).describe('Keys of data that no tag names.'),
    dropped: z.array(z.string()).describe('References that filled files do not have: a company template.'),
    problems: z.array(problem()),
    warnings: z.array(warning()).describe('Warnings of each run, as far as the file shows them; the file is taken.'),
  }),
)
export type TemplateCheck = Shape<typeof check>

const template = () =>
  z.strictObject({
    source: z.enum(['upload', 'file']).describe('Uploaded for a report, or a file of the template folder.'),
    fileName: z.string(),
    bytes: z.int().nullable().describe('null = the file is gone.'),
    uploadedAt: z.string().nullable(),
    uploadedBy: z.string().nullable(),
    reports: z
      .array(z.strictObject({ id: z.string(), name: z.string(), project: z.string() }))
      .describe('Those that use it.'),
  })
export type Template = Shape<typeof template>

export const TEMPLATES = contract({
  method: 'GET',
  path: '/v4/reporttemplate',
  query: NO_QUERY,
  answers: () => ({
    200: z.strictObject({ reportTemplates: z.array(template()), total: z.int(), maxTemplateMb: z.number() }),
  }),
})
export type Templates = AnswerOf<typeof TEMPLATES>

const PATH = '/v4/report/{id}/template'

export const UPLOAD_TEMPLATE = contract({
  method: 'PUT',
  path: PATH,
  body: 'bytes',
  answers: () => ({
    200: check().describe('The result of its check.'),
    412: 'The report is not at the revision of `If-Match`.',
  }),
})

export const DOWNLOAD_TEMPLATE = contract({
  method: 'GET',
  path: PATH,
  answers: () => ({ 200: file().describe('The file.') }),
})

export const REMOVE_TEMPLATE = contract({
  method: 'DELETE',
  path: PATH,
  answers: () => ({
    204: z.void(),
    409: 'A task that is on needs it.',
    412: 'The report is not at the revision of `If-Match`.',
  }),
})

export const CHECK_TEMPLATE = contract({
  method: 'POST',
  path: `${PATH}/check`,
  body: 'bytes',
  answers: () => ({ 200: check().describe('Tags and problems; `ok` is false when it cannot be used.') }),
})
