/** Export and import of definitions, of recipients, and the templates of reports. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import type { TemplateCheck } from '../../../src/reports/templates/contract.ts'
import { checkTemplate as checkOffice } from '../../../src/reports/templates/index.ts'
import { smallDocument, zipOf } from '../../support/office.ts'
import { APP, BODIES, type ReportApi, reportApi, UNKNOWN } from '../../support/reports.ts'

let api: ReportApi

/** A template is good unless it holds the word "bad". */
async function checkTemplate(bytes: Uint8Array, fileName: string): Promise<TemplateCheck> {
  const isBad = Buffer.from(bytes).includes('bad')
  const problem = { code: 'TEMPLATE_TAG_UNKNOWN' as const, place: 'Summary!B7', details: '{{margin}}: no data binding' }
  return {
    ok: !isBad,
    format: fileName.endsWith('x') ? 'xlsx' : 'unknown',
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    tags: [],
    unused: [],
    dropped: [],
    problems: isBad ? [problem] : [],
    warnings: [],
  }
}

beforeEach(async () => {
  api = await reportApi({ checkTemplate })
})
afterEach(() => api[Symbol.asyncDispose]())

async function create(path: string, body: unknown): Promise<string> {
  const answer = await api.call('POST', path, body)
  expect(answer).toMatchObject({ status: 201 })
  return answer.body.id
}

const importAll = (document: object, query = '') =>
  api.call('POST', `/v4/reporttask/import${query}`, { format: 'footman-reports', version: 1, ...document })

const TEMPLATE_REPORT = {
  project: 'Sales',
  name: 'Sales workbook',
  type: 'template',
  appId: APP,
  data: [{ key: 'revenue', type: 'value', expr: '=Sum(Sales)' }],
}

describe('all definitions', () => {
  async function fill(): Promise<void> {
    const filterId = await create('/v4/reportfilter', BODIES.filter)
    const reportId = await create('/v4/report', { ...BODIES.report, filterIds: [filterId] })
    await create('/v4/recipient', BODIES.recipient)
    await create('/v4/recipientgroup', BODIES.group)
    await create('/v4/reportcondition', BODIES.condition)
    const reports = [{ key: 'pack', reportId, format: 'csv', block: 'detail', options: { csv: { delimiter: ';' } } }]
    await create('/v4/reporttask', { project: 'Sales', name: 'B', reports })
    await create('/v4/reporttask', { project: 'Sales', name: 'A' })
  }

  test('an export can be imported elsewhere, and exported the same again', async () => {
    await fill()
    const exported = await api.call('GET', '/v4/reporttask/export')
    expect(Object.keys(exported.body)).toEqual([
      'format',
      'version',
      'reportFilters',
      'reportConditions',
      'recipients',
      'reports',
      'recipientGroups',
      'reportTasks',
    ])
    expect(exported.body.reportTasks.map(({ name }: { name: string }) => name)).toEqual(['A', 'B'])
    expect(exported.body.reportFilters[0]).toEqual({ id: expect.any(String), ...BODIES.filter })
    await using other = await reportApi()
    const imported = await other.call('POST', '/v4/reporttask/import', exported.body)
    expect(imported).toMatchObject({ status: 200, body: { created: 7, updated: 0, unchanged: 0, deleted: 0 } })
    expect((await other.call('GET', '/v4/reporttask/export')).body).toEqual(exported.body)
    expect((await other.call('POST', '/v4/reporttask/import', exported.body)).body).toMatchObject({
      created: 0,
      unchanged: 7,
    })
  })

  test('a dry run saves nothing', async () => {
    const id = '5b0f6c1e-3a0e-4c6b-9f1d-6c1a2b3c4d5e'
    const document = { reportFilters: [{ id, ...BODIES.filter }] }
    expect((await importAll(document, '?dryRun=true')).body).toEqual({
      dryRun: true,
      created: 1,
      updated: 0,
      unchanged: 0,
      deleted: 0,
      changes: [{ type: 'reportFilter', id, name: 'Current year, Nordics', change: 'created' }],
      templatesMissing: [],
    })
    expect((await api.call('GET', '/v4/reportfilter')).body.total).toBe(0)
  })

  test('names can be exchanged; replace deletes the rest', async () => {
    await fill()
    const { body } = await api.call('GET', '/v4/reporttask/export')
    const [a, b] = body.reportTasks
    const swapped = {
      ...body,
      reportTasks: [
        { ...a, name: 'B' },
        { ...b, name: 'A' },
      ],
    }
    expect((await api.call('POST', '/v4/reporttask/import', swapped)).body).toMatchObject({ updated: 2, unchanged: 5 })
    expect((await importAll({ recipients: body.recipients }, '?mode=replace')).body).toMatchObject({
      unchanged: 1,
      deleted: 6,
    })
    expect((await api.call('GET', '/v4/reporttask')).body.total).toBe(0)
  })

  test('one bad definition, and nothing is imported', async () => {
    const good = { id: '5b0f6c1e-3a0e-4c6b-9f1d-6c1a2b3c4d5e', ...BODIES.filter }
    const paths = async (document: object) => {
      const { status, body } = await importAll({ reportFilters: [good], ...document })
      return [status, body.code, body.issues?.map(({ path }: { path: string }) => path)]
    }
    expect(await paths({ recipients: [{ id: UNKNOWN, name: 'x' }] })).toEqual([
      400,
      'VALIDATION',
      ['recipients.0.email'],
    ])
    expect(await paths({ reportTasks: [{ id: UNKNOWN, name: 'x', conditionIds: [APP] }] })).toEqual([
      400,
      'UNKNOWN_REFERENCE',
      ['reportTasks.0.conditionIds.0'],
    ])
    expect(await paths({ recipientGroups: [{ id: good.id, name: 'x' }] })).toEqual([
      400,
      'VALIDATION',
      ['recipientGroups.0.id'],
    ])
    const template = { reportId: UNKNOWN, fileName: 'a.xlsx', base64: '' }
    expect(await paths({ templates: [template, template] })).toEqual([400, 'VALIDATION', ['templates.1.reportId']])
    expect(await paths({ recipients: [{ ...good, name: 'gr\ufffder' }] })).toEqual([400, 'INVALID_JSON', undefined])
    expect(await paths({ nonsense: [] })).toEqual([400, 'VALIDATION', ['nonsense']])
    expect((await api.call('POST', '/v4/reporttask/import', { version: 1 })).body.issues[0].path).toBe('format')
    expect((await api.call('GET', '/v4/reportfilter')).body.total).toBe(0)
  })
})

describe('recipients', () => {
  const send = (text: string, query = '', type = 'text/csv') =>
    api.call('POST', `/v4/recipient/import${query}`, text, { 'Content-Type': type })

  const CSV = [
    'name,email,userDirectory,userId,groups,attributes.region',
    '"Berg, Anna",ANNA@company.com,COMPANY,anna,Managers|North,Nord',
    'Bob,bob@company.com,,,,',
    'Eve,anna@,,,,',
  ].join('\r\n')

  test('CSV: created, then unchanged; errors with their line', async () => {
    const errors = [{ line: 4, details: 'email: invalid address "anna@"' }]
    expect((await send(CSV)).body).toEqual({ created: 2, updated: 0, unchanged: 0, deactivated: 0, errors })
    expect((await send(CSV)).body).toEqual({ created: 0, updated: 0, unchanged: 2, deactivated: 0, errors })
    const { recipients } = (await api.call('GET', '/v4/recipient')).body
    expect(recipients[0]).toMatchObject({
      name: 'Berg, Anna',
      email: 'anna@company.com',
      qlikUser: { userDirectory: 'COMPANY', userId: 'anna' },
      attributes: { region: 'Nord' },
      source: 'import',
      active: true,
    })
    const { recipientGroups } = (await api.call('GET', '/v4/recipientgroup')).body
    expect(
      recipientGroups.map(({ name, memberIds }: { name: string; memberIds: string[] }) => [name, memberIds]),
    ).toEqual([
      ['Managers', [recipients[0].id]],
      ['North', [recipients[0].id]],
    ])
  })

  test('replace switches imported ones off that are missing, but not after an error', async () => {
    await create('/v4/recipient', { ...BODIES.recipient, email: 'manual@company.com' })
    await send(CSV)
    const header = 'name;email\n'
    expect((await send(`${header}Bob;bob@company.com\nx;x@`, '?mode=replace')).body).toMatchObject({
      unchanged: 1,
      deactivated: 0,
    })
    expect((await send(`${header}Robert;bob@company.com\n`, '?mode=replace')).body).toEqual({
      created: 0,
      updated: 1,
      unchanged: 0,
      deactivated: 1,
      errors: [],
    })
    const active = async () =>
      (await api.call('GET', '/v4/recipient')).body.recipients
        .filter((one: { active: boolean }) => one.active)
        .map((one: { email: string }) => one.email)
        .sort()
    expect(await active()).toEqual(['bob@company.com', 'manual@company.com'])
    expect((await send(`${header}Anna;anna@company.com`, '?mode=replace')).body).toMatchObject({
      updated: 1,
      deactivated: 1,
    })
    expect(await active()).toEqual(['anna@company.com', 'manual@company.com'])
  })

  test('JSON', async () => {
    const list = [
      { name: 'Anna', email: 'anna@company.com', groups: ['North'], attributes: { code: '7' } },
      { name: 'Anna', email: 'Anna@company.com' },
      { name: 'Bob', email: 'bob@company.com', nonsense: 1 },
    ]
    expect((await send(JSON.stringify(list), '', 'application/json')).body).toEqual({
      created: 1,
      updated: 0,
      unchanged: 0,
      deactivated: 0,
      errors: [
        { line: 2, details: 'email: anna@company.com stands in the file twice' },
        { line: 3, details: 'nonsense: Unknown member' },
      ],
    })
  })

  test.each([
    ['name,email\n"x', 'text/csv', 'VALIDATION', 'line 2, column 1'],
    ['name,mail\n', 'text/csv', 'VALIDATION', 'line 1'],
    ['{', 'application/json', 'INVALID_JSON', 'body'],
    ['{}', 'application/json', 'VALIDATION', 'body'],
    ['[{"name": "X", "email": "x@company.com", "name": "Y"}]', 'application/json', 'INVALID_JSON', 'body'],
    ['', 'text/csv', 'VALIDATION', 'body'],
  ])('%j as %s is refused as a whole', async (text, type, code, path) => {
    const answer = await send(text, '', type)
    expect([answer.status, answer.body.code, answer.body.issues[0].path]).toEqual([400, code, path])
  })
})

describe('templates', () => {
  const upload = (id: string, content: string, name = 'sales.xlsx', headers = {}) =>
    api.call('PUT', `/v4/report/${id}/template`, content, {
      'Content-Type': 'application/octet-stream',
      'X-File-Name': name,
      ...headers,
    })

  test('upload, download, check; the report keeps it', async () => {
    const id = await create('/v4/report', TEMPLATE_REPORT)
    expect((await api.call('GET', `/v4/report/${id}/template`)).body.code).toBe('TEMPLATE_NOT_FOUND')
    const sha256 = createHash('sha256').update('good file').digest('hex')
    const answer = await upload(id, 'good file', 'f%C3%B6rs%C3%A4ljning.xlsx')
    expect(answer).toMatchObject({ status: 200, body: { ok: true, bytes: 9, sha256 } })
    expect(answer.headers.etag).toBe('"r2"')
    const template = { source: 'upload', fileName: 'försäljning.xlsx', sha256 }
    const report = (await api.call('GET', `/v4/report/${id}`)).body
    expect(report.template).toEqual(template)

    const file = await api.call('GET', `/v4/report/${id}/template`)
    expect(file.body).toBe('good file')
    expect(file.headers['content-disposition']).toBe("attachment; filename*=UTF-8''f%C3%B6rs%C3%A4ljning.xlsx")

    // Only an upload sets it.
    const other = { source: 'upload', fileName: 'x.xlsx', sha256: 'f'.repeat(64) }
    expect(
      (await api.call('PUT', `/v4/report/${id}`, { ...TEMPLATE_REPORT, template: other, tags: ['x'] })).body.template,
    ).toEqual(template)
    expect(api.store.usesBlob(sha256)).toBe(true)
    expect((await api.call('DELETE', `/v4/report/${id}`)).status).toBe(204)
    expect(api.store.usesBlob(sha256)).toBe(false)
  })

  test('a bad one is refused with its first problem, and not kept', async () => {
    const id = await create('/v4/report', TEMPLATE_REPORT)
    expect(await upload(id, 'bad file')).toMatchObject({
      status: 400,
      body: {
        code: 'TEMPLATE_TAG_UNKNOWN',
        issues: [{ path: 'Summary!B7', message: '{{margin}}: no data binding' }],
      },
    })
    expect((await upload(id, 'x', 'sales.xlsm')).body.issues[0].path).toBe('X-File-Name')
    expect((await upload(id, '')).body.code).toBe('TEMPLATE_INVALID')
    expect((await upload(id, 'x', 'a.xlsx', { 'If-Match': '"r9"' })).body.code).toBe('REVISION_MISMATCH')
    expect((await upload(id, 'x'.repeat(1_100_000))).status).toBe(413)
    expect((await api.call('GET', `/v4/report/${id}`)).body).toMatchObject({ template: null, revision: 1 })
    const check = await api.call('POST', `/v4/report/${id}/template/check`, 'bad file', {
      'Content-Type': 'application/octet-stream',
      'X-File-Name': 'a.xlsx',
    })
    expect(check).toMatchObject({ status: 200, body: { ok: false } })
    const blocks = await create('/v4/report', BODIES.report)
    expect((await upload(blocks, 'x')).body.code).toBe('FORMAT_NOT_POSSIBLE')
  })

  test('a file of the template directory is checked when the report is saved', async () => {
    const withFile = (file: string) =>
      api.call('POST', '/v4/report', { ...TEMPLATE_REPORT, template: { source: 'file', file } })
    expect((await withFile('none.xlsx')).body.code).toBe('UNKNOWN_REFERENCE')
    expect((await withFile('../x.xlsx')).body.issues[0].path).toBe('template.file')
    writeFileSync(api.folder.join('bad.xlsx'), 'bad file')
    expect((await withFile('bad.xlsx')).body.code).toBe('TEMPLATE_TAG_UNKNOWN')
    writeFileSync(api.folder.join('good.xlsx'), 'good file')
    const { status, body } = await withFile('good.xlsx')
    expect([status, body.template]).toEqual([201, { source: 'file', file: 'good.xlsx' }])
    expect((await api.call('GET', `/v4/report/${body.id}/template`)).body).toBe('good file')
  })

  test('a task is not switched on before the upload; its format is that of the template', async () => {
    const reportId = await create('/v4/report', TEMPLATE_REPORT)
    const task = {
      project: 'Sales',
      name: 'T',
      reports: [{ key: 'a', reportId, format: 'xlsx' }],
      hub: { enabled: true },
    }
    const id = await create('/v4/reporttask', task)
    expect((await api.call('POST', `/v4/reporttask/${id}/enable`)).body.details).toBe(
      `The report "${TEMPLATE_REPORT.name}" (a) has no template yet: upload one with PUT /v4/report/${reportId}/template.`,
    )
    await upload(reportId, 'good file')
    expect((await api.call('POST', `/v4/reporttask/${id}/enable`)).status).toBe(200)
    const use = (format: string) =>
      api.call('PATCH', `/v4/reporttask/${id}`, { reports: [{ key: 'a', reportId, format }] })
    expect((await use('docx')).body.code).toBe('FORMAT_NOT_POSSIBLE')
    expect((await use('pdf')).body.code).toBe('CONVERTER_MISSING')
  })

  test('are listed with the reports that use them; one that a task needs is not removed', async () => {
    const [uploadedId, fileId] = [
      await create('/v4/report', TEMPLATE_REPORT),
      await create('/v4/report', { ...TEMPLATE_REPORT, name: 'Not uploaded' }),
    ]
    await upload(uploadedId, 'good file')
    for (const name of ['b.docx', 'used.xlsx', 'mail.eta']) writeFileSync(api.folder.join(name), 'good file')
    await api.call('PATCH', `/v4/report/${fileId}`, { template: { source: 'file', file: 'used.xlsx' } })
    const nobody = { uploadedAt: null, uploadedBy: null }
    expect((await api.call('GET', '/v4/reporttemplate')).body).toEqual({
      reportTemplates: [
        {
          source: 'upload',
          fileName: 'sales.xlsx',
          bytes: 9,
          uploadedAt: expect.any(String),
          uploadedBy: 'anonymous',
          reports: [{ id: uploadedId, name: 'Sales workbook', project: 'Sales' }],
        },
        { source: 'file', fileName: 'b.docx', bytes: 9, ...nobody, reports: [] },
        {
          source: 'file',
          fileName: 'used.xlsx',
          bytes: 9,
          ...nobody,
          reports: [{ id: fileId, name: 'Not uploaded', project: 'Sales' }],
        },
      ],
      total: 3,
      maxTemplateMb: 1,
    })
    rmSync(api.folder.join('used.xlsx'))
    const { reportTemplates } = (await api.call('GET', '/v4/reporttemplate')).body
    expect(reportTemplates[2]).toMatchObject({ fileName: 'used.xlsx', bytes: null })

    const reports = [{ key: 'a', reportId: uploadedId, format: 'xlsx' }]
    const task = { project: 'Sales', name: 'Needs it', reports, hub: { enabled: true }, enabled: true }
    const taskId = await create('/v4/reporttask', task)
    const remove = (id: string, headers = {}) => api.call('DELETE', `/v4/report/${id}/template`, undefined, headers)
    expect(await remove(uploadedId)).toMatchObject({
      status: 409,
      body: { code: 'IN_USE', usedBy: [{ type: 'reportTask', id: taskId, name: 'Needs it' }] },
    })
    await api.call('POST', `/v4/reporttask/${taskId}/disable`)
    expect((await remove(uploadedId, { 'If-Match': '"r1"' })).body.code).toBe('REVISION_MISMATCH')
    expect((await remove(uploadedId)).status).toBe(204)
    expect((await api.call('GET', `/v4/report/${uploadedId}`)).body).toMatchObject({ template: null, revision: 3 })
    expect((await remove(uploadedId)).body.code).toBe('TEMPLATE_NOT_FOUND')
    expect((await remove(fileId)).body.code).toBe('TEMPLATE_NOT_FOUND')
  })

  test('an export holds the files where they are asked for', async () => {
    const id = await create('/v4/report', TEMPLATE_REPORT)
    await upload(id, 'good file')
    const plain = (await api.call('GET', '/v4/reporttask/export')).body
    const whole = (await api.call('GET', '/v4/reporttask/export?templates=true')).body
    expect(whole.templates).toEqual([{ reportId: id, fileName: 'sales.xlsx', base64: 'Z29vZCBmaWxl' }])
    await using other = await reportApi({ checkTemplate })
    const missing = [{ id, name: 'Sales workbook', fileName: 'sales.xlsx' }]
    expect((await other.call('POST', '/v4/reporttask/import', plain)).body.templatesMissing).toEqual(missing)
    expect((await other.call('POST', '/v4/reporttask/import', whole)).body.templatesMissing).toEqual([])
    expect((await other.call('GET', `/v4/report/${id}/template`)).body).toBe('good file')
    expect((await other.call('GET', '/v4/reporttask/export')).body).toEqual(plain)
  })

  test('a Word file with two unknown tags is refused with both places; a good one is kept', async () => {
    await using office = await reportApi({
      checkTemplate: (bytes, fileName, report) => checkOffice(bytes, fileName, report, { maxTemplateMb: 1 }),
    })
    const { id } = (await office.call('POST', '/v4/report', TEMPLATE_REPORT)).body
    const send = async (texts: readonly string[]) => {
      const paragraphs = texts.map((text) => `<w:p><w:r><w:t>${text}</w:t></w:r></w:p>`)
      const body = await zipOf(smallDocument(paragraphs.join('')))
      const headers = { 'Content-Type': 'application/octet-stream', 'X-File-Name': 'letter.docx' }
      const answer = await fetch(`http://127.0.0.1:${office.port}/v4/report/${id}/template`, {
        method: 'PUT',
        headers,
        body,
      })
      return { status: answer.status, body: await answer.json() }
    }
    const bad = await send(['{{revenu}}', '{{revenue}}', '{{margin}}'])
    expect(bad).toMatchObject({
      status: 400,
      body: {
        code: 'TEMPLATE_TAG_UNKNOWN',
        issues: [{ path: 'document, paragraph 1' }, { path: 'document, paragraph 3' }],
      },
    })
    const good = await send(['{{revenue}}'])
    expect(good).toMatchObject({
      status: 200,
      body: { ok: true, format: 'docx', tags: [{ tag: 'revenue', kind: 'value' }] },
    })
    // New data without the binding: the kept template no longer fits.
    const other = await office.call('PATCH', `/v4/report/${id}`, { data: [{ key: 'x', type: 'value', expr: '=1' }] })
    expect([other.status, other.body.code]).toEqual([400, 'TEMPLATE_TAG_UNKNOWN'])
  })
})
