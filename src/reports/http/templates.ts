/** Upload, download and check of the Office templates of reports. */

import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { asIs } from '../../http/endpoint/contract.ts'
import { disposition } from '../../http/endpoint/disposition.ts'
import { ALWAYS, type ApiRequest, type ApiRoute, route } from '../../http/endpoint/route.ts'
import { ERRORS, type ErrorCode, refusal } from '../../http/errors.ts'
import type { Blobs } from '../../platform/blobs.ts'
import { withoutActing } from '../../platform/visible.ts'
import { TEMPLATE_FILE, templateFormat } from '../checks.ts'
import type { Report, TemplateReport } from '../entities/report.ts'
import { type Issue, refuseIssues } from '../issues.ts'
import type { StoredOf, UploadedTemplate } from '../rows.ts'
import { file } from '../runs/contract.ts'
import { type DefinitionStore, notFound } from '../store.ts'
import {
  CHECK_TEMPLATE,
  DOWNLOAD_TEMPLATE,
  REMOVE_TEMPLATE,
  TEMPLATES,
  type Template,
  type TemplateCheck,
  UPLOAD_TEMPLATE,
} from '../templates/contract.ts'
import { checkedId, EXAMPLE_TEMPLATE_ID, requireRevision, tagOf } from './common.ts'

type Bytes = Uint8Array<ArrayBuffer>

export interface TemplateDeps {
  readonly store: DefinitionStore
  readonly blobs: Blobs
  /** That of `createOfficeFiles`, with the limits of the configuration. */
  readonly checkTemplate: (bytes: Bytes, fileName: string, report: TemplateReport) => Promise<TemplateCheck>
  /** Absolute. */
  readonly templateDirectory: string
  readonly maxTemplateMb: number
}

const MB = 1_048_576
const MEDIA_TYPES = {
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
} as const
/** Uploaded files, then those of the folder, each by name. */
async function listed({ store, blobs, templateDirectory }: TemplateDeps): Promise<Template[]> {
  const reports = store.list('report').filter((report) => report.type === 'template')
  const uploads = reports.map(async (report): Promise<Template[]> => {
    const upload = report.template?.source === 'upload' ? store.template(report.id) : undefined
    if (!upload) return []
    const { fileName, uploadedAt, uploadedBy } = upload
    const bytes = await sizeOf(blobs.path(upload.sha256))
    return [{ source: 'upload', fileName, bytes, uploadedAt, uploadedBy, reports: [shortOf(report)] }]
  })
  const fileOf = ({ template }: Report & { type: 'template' }) => (template?.source === 'file' ? template.file : null)
  const inFolder = (await readdir(templateDirectory).catch(() => [])).filter((name) => TEMPLATE_FILE.test(name))
  const names = [...new Set([...inFolder, ...reports.flatMap((report) => fileOf(report) ?? [])])]
  const files = names.map(async (fileName): Promise<Template> => {
    const bytes = await sizeOf(join(templateDirectory, basename(fileName)))
    const users = reports.filter((report) => fileOf(report) === fileName).map(shortOf)
    return { source: 'file', fileName, bytes, uploadedAt: null, uploadedBy: null, reports: users }
  })
  const byName = (one: Template, other: Template) => one.fileName.localeCompare(other.fileName, 'en')
  return [...(await Promise.all(uploads)).flat().sort(byName), ...(await Promise.all(files)).sort(byName)]
}

const shortOf = ({ id, name, project }: StoredOf<'report'>) => ({ id, name, project })

async function sizeOf(path: string): Promise<number | null> {
  const found = await stat(path).catch(() => null)
  return found?.isFile() ? found.size : null
}

/** Checks of templates before their report is saved. */
export interface TemplateChecks {
  /** Rejects with the first problem of the template that the report has or names. */
  ofReport(report: Report, id: string): Promise<void>
  /** Checks and keeps a file. Rejects with its first problem. */
  keep(content: Bytes, fileName: string, report: TemplateReport): Promise<UploadedTemplate>
}

export function createTemplateChecks(deps: TemplateDeps): TemplateChecks {
  const { blobs, checkTemplate } = deps
  return {
    async ofReport(report, id) {
      if (report.type !== 'template') return
      const file = report.template?.source === 'file' ? report.template.file : null
      const found = file === null ? await uploadedFile(deps, id) : await directoryFile(deps, file)
      if (found) requireGood(await checkTemplate(found.content, found.fileName, report))
    },
    async keep(content, fileName, report) {
      const check = await checkTemplate(content, fileName, report)
      requireGood(check)
      const { sha256, bytes } = await blobs.put(content)
      return { sha256, bytes, fileName }
    },
  }
}

interface TemplateFile {
  readonly fileName: string
  readonly content: Bytes
}

/** Null without an upload. Rejects with 404 when the file is gone. */
async function uploadedFile({ store, blobs }: TemplateDeps, id: string): Promise<TemplateFile | null> {
  const upload = store.template(id)
  if (!upload) return null
  const content = await readFile(blobs.path(upload.sha256)).catch(() => null)
  if (content) return { fileName: upload.fileName, content }
  throw refusal('TEMPLATE_NOT_FOUND', `The uploaded file ${upload.fileName} is missing on disk. Upload it again.`)
}

async function directoryFile({ templateDirectory, maxTemplateMb }: TemplateDeps, file: string): Promise<TemplateFile> {
  const path = join(templateDirectory, basename(file))
  const size = await stat(path).catch(() => null)
  const at = (message: string, code: ErrorCode) => refuseIssues([{ path: 'template.file', message, code }])
  if (!size?.isFile())
    throw at(
      `There is no file ${file} in the folder of Butler.footman.reportTask.templateDirectory`,
      'UNKNOWN_REFERENCE',
    )
  if (size.size > maxTemplateMb * MB) throw at(`The file is larger than ${maxTemplateMb} MB`, 'TEMPLATE_TOO_LARGE')
  return { fileName: file, content: await readFile(path) }
}

const codeOf = (code: string): ErrorCode => (code in ERRORS ? (code as ErrorCode) : 'TEMPLATE_INVALID')

/** 400 with the code of the first problem; `path` is the place in the file. */
function requireGood(check: TemplateCheck): void {
  if (check.ok) return
  const issues = check.problems.map(
    ({ code, place, details }): Issue => ({ path: place, message: details, code: codeOf(code) }),
  )
  throw refuseIssues(
    issues.length > 0 ? issues : [{ path: '', message: 'The template cannot be used', code: 'TEMPLATE_INVALID' }],
  )
}

export function templateRoutes(deps: TemplateDeps): ApiRoute[] {
  const { store, blobs, checkTemplate, maxTemplateMb } = deps
  const taken = {
    scope: 'report:write',
    ownBodyErrors: true,
    bodyLimit: maxTemplateMb * MB,
    readByHandler: () => ({ body: file() }),
  } as const

  function templateReport(request: ApiRequest): StoredOf<'report'> & TemplateReport {
    const id = checkedId('report', request.params.id ?? '')
    const report = store.get('report', id)
    if (!report) throw notFound('report', id)
    if (report.type === 'template') return report as StoredOf<'report'> & TemplateReport
    throw refusal('FORMAT_NOT_POSSIBLE', 'The report is made of blocks; create one of type "template".')
  }

  return [
    route({
      ...UPLOAD_TEMPLATE,
      ...taken,
      action: 'report.template',
      summary: 'Upload the template of a report',
      description: 'The body is the file, its name stands in the header `X-File-Name` (percent-encoded where needed).',
      examples: [{ name: 'workbook', params: { id: EXAMPLE_TEMPLATE_ID }, status: 200 }],
      async handle(request, answer) {
        const report = templateReport(request)
        requireRevision(request, 'report', report.revision)
        const fileName = fileNameOf(request)
        const content = contentOf(request)
        const check = await checkTemplate(content, fileName, report)
        requireGood(check)
        const { sha256, bytes } = await blobs.put(content)
        const saved = await store.setTemplate(report.id, { sha256, bytes, fileName }, request.caller.actor)
        request.note({ target: [report.id], detail: fileName })
        return answer(200, check, { etag: tagOf(saved.revision) })
      },
    }),
    route({
      ...DOWNLOAD_TEMPLATE,
      scope: 'report:read',
      summary: 'Download the template of a report',
      examples: [{ name: 'workbook', params: { id: EXAMPLE_TEMPLATE_ID }, status: 200 }],
      async handle(request) {
        const report = templateReport(request)
        const { template } = report
        const file =
          template?.source === 'file'
            ? await directoryFile(deps, template.file).catch(() => null)
            : await uploadedFile(deps, report.id)
        if (!file) throw refusal('TEMPLATE_NOT_FOUND', 'The report has no template, or its file is gone.')
        const format = templateFormat(template)
        return asIs(
          new Response(new Uint8Array(file.content), {
            headers: {
              'content-type': format ? MEDIA_TYPES[format] : 'application/octet-stream',
              'content-disposition': disposition('attachment', file.fileName),
              'x-content-type-options': 'nosniff',
              'cache-control': 'private, no-store',
              etag: `"${createHash('sha256').update(file.content).digest('hex')}"`,
            },
          }),
        )
      },
    }),
    route({
      ...REMOVE_TEMPLATE,
      scope: 'report:write',
      action: 'report.template.delete',
      summary: 'Remove the uploaded template of a report',
      examples: [{ name: 'workbook', params: { id: EXAMPLE_TEMPLATE_ID }, status: 204 }],
      async handle(request, answer) {
        const report = templateReport(request)
        requireRevision(request, 'report', report.revision)
        const upload = store.template(report.id)
        if (!upload) throw refusal('TEMPLATE_NOT_FOUND', 'No template has been uploaded for the report.')
        await store.setTemplate(report.id, null, request.caller.actor)
        request.note({ target: [report.id], detail: upload.fileName })
        return answer(204)
      },
    }),
    route({
      ...TEMPLATES,
      scope: 'report:read',
      summary: 'List the templates of reports, with the reports that use them',
      examples: [{ name: 'all', status: 200, answer: { reportTemplates: [], total: 0, maxTemplateMb } }],
      async handle(_, answer) {
        const reportTemplates = await listed(deps)
        return answer(200, { reportTemplates, total: reportTemplates.length, maxTemplateMb })
      },
    }),
    route({
      ...CHECK_TEMPLATE,
      ...taken,
      eachTime: ALWAYS,
      scope: 'report:read',
      audited: 'refused',
      summary: 'Check a template without keeping it',
      description: 'The body is the file; without one the present template is checked.',
      examples: [{ name: 'workbook', params: { id: EXAMPLE_TEMPLATE_ID }, status: 200 }],
      async handle(request, answer) {
        const report = templateReport(request)
        const content = request.body as Bytes
        if (content.length > 0) return answer(200, await checkTemplate(content, fileNameOf(request), report))
        const { template } = report
        const file =
          template?.source === 'file' ? await directoryFile(deps, template.file) : await uploadedFile(deps, report.id)
        if (!file) throw refusal('TEMPLATE_NOT_FOUND', 'The report has no template yet; send the file.')
        return answer(200, await checkTemplate(file.content, file.fileName, report))
      },
    }),
  ]
}

function contentOf({ body }: ApiRequest): Bytes {
  const content = body as Bytes
  if (content.length > 0) return content
  throw refusal('TEMPLATE_INVALID', 'The body is empty; send the file.')
}

/** Without folders, and without characters that hide or turn a part of it. Throws 400 when it is missing or of no Office format. */
function fileNameOf({ headers }: ApiRequest): string {
  const name = basename(decoded(headers.get('x-file-name') ?? '').replaceAll('\\', '/')).trim()
  const isGood = name.length <= 255 && !/[\p{Cc}<>:"|?*]/u.test(name)
  if (isGood && templateFormat({ source: 'file', file: name }) !== null) return withoutActing(name)
  const message = 'Must name an xlsx, docx, pptx, xltx, dotx or potx file'
  throw refuseIssues([{ path: 'X-File-Name', message }], 'Invalid header')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
