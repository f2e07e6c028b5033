/** Documents as other programs read them: charts, Office files, the converter, hostile uploads, in the compiled executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { CHART_KINDS, type ChartKind } from '../../src/reports/entities/report.ts'
import { runBinary, runToEnd } from '../support/binary.ts'
import { smallWorkbook, withSize, zipOf } from '../support/office.ts'
import { olderSite } from '../support/older.ts'
import { pdfFaults, pdfInfo, pdfPages } from '../support/pdf.ts'
import { shape, slideTable, slideTemplate } from '../support/presentations.ts'
import { type Named, REGIONS, type ReportSite, SALES_APP, startReportSite } from '../support/report-tasks.ts'
import { needs, program } from '../support/servers.ts'
import { tempDirectory } from '../support/temp.ts'
import { paragraph, table, wordTemplate } from '../support/templates.ts'
import { until } from '../support/wait.ts'
import { sheetRow, workbook, worksheet } from '../support/workbook.ts'

needs('pdftotext', 'qpdf', 'soffice')

const soffice = program('soffice')
let reports: ReportSite

beforeAll(async () => {
  reports = await startReportSite()
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

/** Letters of other scripts and signs that the built-in font has. */
const SIGNS = 'Αθήνα Москва ▲ ▼ ✓ →'
/** No file of the font has it. */
const CHINESE = '表'

/** Sources of a chart: dimension, second dimension, number of measures. */
const CHARTS: Readonly<
  Partial<Record<ChartKind, readonly [one: string | null, other: string | null, measures: number]>>
> = {
  combo: ['Year', null, 2],
  scatter: ['Country', null, 2],
  bubble: ['Country', null, 3],
  gauge: [null, null, 1],
  treemap: ['Region', 'Country', 1],
  heatmap: ['Year', 'Region', 1],
  sankey: ['Region', 'Country', 1],
  boxplot: ['Region', 'Country', 1],
}
const MEASURES = ['=Sum(Sales)', '=Sum(Cost)', '=Count(Sales)']

function chartBlock(chart: ChartKind) {
  const [dimension, dimension2, count] = CHARTS[chart] ?? ['Region', null, 1]
  const measures = MEASURES.slice(0, count).map((expr, index) =>
    chart === 'combo' && index > 0 ? { expr, as: 'line', axis: 'right' } : expr,
  )
  return {
    key: chart.toLowerCase(),
    type: 'chart',
    title: `${chart} ${SIGNS}`,
    chart,
    measures,
    ...(dimension && { dimension }),
    ...(dimension2 && { dimension2 }),
  }
}

const filesIn = (folder: string) =>
  Object.fromEntries(
    readdirSync(reports.space.join('finance', folder)).map((name) => [
      name,
      readFileSync(reports.space.join('finance', folder, name)),
    ]),
  )

test('a chart of each kind has the same bytes in two runs and in two processes, and its signs are drawn', async () => {
  const report = await reports.salesReport('Kinds', { blocks: CHART_KINDS.map(chartBlock) })
  const task = await reports.mailTask('Kinds', report.id, {
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: 'kinds' }],
    reports: CHART_KINDS.flatMap((kind) =>
      ['svg', 'png'].map((format) => ({
        key: `${kind.toLowerCase()}-${format}`,
        reportId: report.id,
        format,
        block: kind.toLowerCase(),
        fileName: kind,
      })),
    ),
  })
  const made = async () => {
    const run = await reports.run(task.id)
    // A character without a glyph would be a warning, see the next test.
    expect([run.outcome, run.events]).toEqual(['success', []])
    return filesIn('kinds')
  }
  const first = await made()
  expect(Object.keys(first).toSorted()).toEqual(
    CHART_KINDS.flatMap((kind) => [`${kind}.png`, `${kind}.svg`]).toSorted(),
  )
  for (const kind of CHART_KINDS) {
    const svg = first[`${kind}.svg`]!.toString()
    expect([kind, svg.includes(SIGNS), /<(path|polygon) /.test(svg)]).toEqual([kind, true, true])
    expect(first[`${kind}.png`]!.subarray(1, 4).toString()).toBe('PNG')
  }
  expect(await made()).toEqual(first)
  await reports.product.process.stop()
  await reports.product.start()
  expect(await made()).toEqual(first)
}, 180_000)

test('a sign that no font has is a box and a warning', async () => {
  const report = await reports.salesReport('Chinese', {
    blocks: [{ ...chartBlock('bar'), title: `Sales ${CHINESE}` }],
  })
  const task = await reports.mailTask('Chinese', report.id, {
    reports: [{ key: 'pack', reportId: report.id, format: 'png' }],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.events.map(({ code, details }) => [code, details])]).toEqual([
    'warning',
    [['GLYPH_MISSING', `no font has ${CHINESE}`]],
  ])
}, 60_000)

/** A template report whose file lies in the template directory. */
async function fileReport(file: string, bytes: Uint8Array, site = reports, region = 'Region'): Promise<Named> {
  writeFileSync(site.templates.join(file), bytes)
  return site.call('POST', '/v4/report', {
    project: 'Sales',
    name: file,
    type: 'template',
    appId: SALES_APP,
    template: { source: 'file', file },
    data: [
      { key: 'revenue', type: 'value', expr: '=Sum(Sales)' },
      {
        key: 'regions',
        type: 'table',
        columns: [
          { key: 'Region', expr: region, kind: 'dimension' },
          { key: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
        ],
      },
    ],
  })
}

/** PDFs of Office files, made by LibreOffice itself. */
function converted(folder: string, names: readonly string[]): (name: string) => string {
  const out = reports.space.join('converted')
  const ran = spawnSync(
    soffice,
    [
      '--headless',
      '--norestore',
      `-env:UserInstallation=${pathToFileURL(reports.space.join('profile'))}`,
      '--convert-to',
      'pdf',
      '--outdir',
      out,
      ...names.map((name) => `${folder}/${name}`),
    ],
    { timeout: 100_000, encoding: 'utf8' },
  )
  expect(`${ran.stdout}${ran.stderr}`).not.toContain('could not be loaded')
  return (name) => `${out}/${name.replace(/\.\w+$/, '.pdf')}`
}

test('LibreOffice opens every Office format, and Poppler every PDF, with all their texts', async () => {
  const rows =
    sheetRow(1, ['Revenue', '{{revenue}}']) + sheetRow(2, ['{{#regions}}{{Sales}}', '{{Region}}{{/regions}}'])
  const loop = ['{{#regions}}{{Region}}', '{{Sales}}{{/regions}}']
  const [blocks, sheet, word, slides] = await Promise.all([
    reports.salesReport('Blocks'),
    fileReport('sheet.xlsx', await zipOf(workbook([{ name: 'Summary', xml: worksheet(rows) }]))),
    fileReport('word.docx', await zipOf(wordTemplate(paragraph('Revenue {{revenue}}') + table(loop)))),
    fileReport(
      'slides.pptx',
      await zipOf(await slideTemplate({ content: shape('A', 0, 'Revenue {{revenue}}') + slideTable(2_000_000, loop) })),
    ),
  ])
  const uses: readonly [key: string, report: Named, format: string][] = [
    ['blocks', blocks, 'xlsx'],
    ['sheet', sheet, 'xlsx'],
    ['word', word, 'docx'],
    ['slides', slides, 'pptx'],
    ['paper', blocks, 'pdf'],
    ['sheet-paper', sheet, 'pdf'],
    ['word-paper', word, 'pdf'],
    ['slides-paper', slides, 'pdf'],
  ]
  const task = await reports.mailTask('Every program', blocks.id, {
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: 'programs' }],
    reports: uses.map(([key, { id }, format]) => ({ key, reportId: id, format, fileName: '{key}' })),
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.events]).toEqual(['success', []])
  const folder = reports.space.join('finance', 'programs')
  const pdfOf = converted(folder, ['blocks.xlsx', 'sheet.xlsx', 'word.docx', 'slides.pptx'])
  const files = [
    ...['blocks.xlsx', 'sheet.xlsx', 'word.docx', 'slides.pptx'].map(pdfOf),
    ...['paper', 'sheet-paper', 'word-paper', 'slides-paper'].map((name) => `${folder}/${name}.pdf`),
  ]
  for (const file of files) {
    const pages = pdfPages(file)
    const text = pages.join('\n')
    expect([file, REGIONS.filter((region) => !text.includes(region))]).toEqual([file, []])
    expect([file, text.includes('Revenue')]).toEqual([file, true])
    expect([file, pdfInfo(file).Pages]).toEqual([file, String(pages.length)])
  }
  expect(pdfFaults(`${folder}/paper.pdf`)).toBe('')
}, 180_000)

/** Characters that XML forbids, among others that documents can hold. */
const CONTROLS = 'a\u0000b\u0008c\ufffed'
const FORBIDDEN = /(?![\t\n\f\r])\p{Cc}|\p{Noncharacter_Code_Point}/u

test('control characters in values of the app end no document, and none of them is in it', async () => {
  const value = `=Region & ' ${CONTROLS}'`
  const region = { expr: value, kind: 'dimension' }
  const sales = { expr: '=Sum(Sales)', kind: 'measure' }
  const chart = { key: 'chart', type: 'chart', chart: 'bar', dimension: value, measures: ['=Sum(Sales)'] }
  const [blocks, word] = await Promise.all([
    reports.salesReport('Controls', {
      page: { title: 'Of {app}' },
      blocks: [
        { key: 'text', type: 'text', markdown: `Text {{='${CONTROLS}'}}` },
        { key: 'kpi', type: 'kpi', items: [{ label: 'Figure', expr: `='${CONTROLS}'` }] },
        {
          key: 'table',
          type: 'table',
          columns: [
            { label: 'Region', ...region },
            { label: 'Sales', ...sales },
          ],
        },
        chart,
        { ...chart, key: 'picture', chart: 'funnel' },
      ],
    }),
    fileReport(
      'controls.docx',
      await zipOf(wordTemplate(table(['{{#regions}}{{Region}}', '{{Sales}}{{/regions}}']))),
      reports,
      value,
    ),
  ])
  const uses: readonly [string, Named, object][] = [
    ['xlsx', blocks, {}],
    ['html', blocks, {}],
    ['pdf', blocks, {}],
    ['png', blocks, { block: 'chart' }],
    ['svg', blocks, { block: 'chart' }],
    ['csv', blocks, { block: 'table' }],
    ['docx', word, {}],
  ]
  // A name, title, subject, file name and folder have them too.
  const app = reports.site.simulator.site.apps.get(SALES_APP)!
  const { name } = app
  app.name = `Sales ${CONTROLS}`
  const task = await reports.mailTask('Controls', blocks.id, {
    email: { enabled: true, subject: 'Of {app}' },
    storage: [{ spaceId: 'finance', folder: 'controls', onExists: 'overwrite' }],
    reports: uses.map(([format, { id }, more]) => ({ key: format, reportId: id, format, fileName: '{app}', ...more })),
  })
  const run = await reports.run(task.id)
  app.name = name
  expect([run.outcome, run.events]).toEqual(['success', []])
  const files = filesIn('controls')
  const base = Object.keys(files)[0]!.replace(/\.\w+$/, '')
  expect(Object.keys(files).toSorted()).toEqual(uses.map(([format]) => `${base}.${format}`).toSorted())
  expect(base).toBe('Sales a_b_c_d')
  const [mail] = reports.mailsTo('controls@acme.example')
  const { subject, text = '', html = '' } = mail!.parsed
  expect(subject).toBe('Of Sales abcd')
  for (const body of [text, html]) expect([body.includes('Sales abcd'), FORBIDDEN.exec(body)]).toEqual([true, null])
  expect(mail!.parsed.attachments.map(({ filename }) => filename).toSorted()).toEqual(Object.keys(files).toSorted())

  const folder = reports.space.join('finance', 'controls')
  expect(pdfFaults(`${folder}/${base}.pdf`)).toBe('')
  expect(files[`${base}.png`]!.subarray(-8, -4).toString()).toBe('IEND')
  const pdfText = (file: string) => pdfPages(file).join('')
  // Both become a PDF of the same name.
  const office = ['xlsx', 'docx'].map((format) => {
    const name = `${base}.${format}`
    return [format, pdfText(converted(folder, [name])(name))] as const
  })
  const texts = [
    ...office,
    ['pdf', pdfText(`${folder}/${base}.pdf`)] as const,
    ...['html', 'svg', 'csv'].map((format) => [format, files[`${base}.${format}`]!.toString()] as const),
  ]
  for (const [format, text] of texts) {
    expect([format, FORBIDDEN.exec(text)]).toEqual([format, null])
    expect([
      format,
      REGIONS.filter((one) => !text.includes(format === 'html' || format === 'svg' ? one.replace('&', '&amp;') : one)),
    ]).toEqual([format, []])
  }
}, 180_000)

test.each<[string, string, string, object]>([
  ['name of a report', '/v4/report', 'name', { name: 'A\u0000B' }],
  ['title of a report', '/v4/report', 'page.title', { page: { title: 'A\u0000B' } }],
  [
    'title of a block',
    '/v4/report',
    'blocks.0.title',
    { blocks: [{ key: 'a', type: 'text', title: 'A\u0000B', markdown: 'x' }] },
  ],
  ['name of a task', '/v4/reporttask', 'name', { name: 'A\u0000B' }],
  [
    'file name',
    '/v4/reporttask',
    'reports.0.fileName',
    { reports: [{ key: 'a', reportId: SALES_APP, format: 'pdf', fileName: 'A\u0000B' }] },
  ],
  ['subject', '/v4/reporttask', 'email.subject', { email: { subject: 'A\u0000B' } }],
  ['folder', '/v4/reporttask', 'storage.0.folder', { storage: [{ spaceId: 'finance', folder: 'A\u0000B' }] }],
])('a %s with U+0000 is refused with its place', async (name, path, place, members) => {
  const ofReport = path === '/v4/report' && { appId: SALES_APP, blocks: [{ key: 'a', type: 'text', markdown: 'x' }] }
  const { issues } = await reports.call<{ issues: readonly object[] }>(
    'POST',
    path,
    { project: 'Sales', name, ...ofReport, ...members },
    400,
  )
  expect(issues).toEqual([{ path: place, message: expect.stringMatching(/^must not hold control characters/i) }])
})

/** Valid XML, but LibreOffice does not know the version. */
const UNREADABLE =
  '<?xml version="9.9"?><w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"/>'

describe('the converter', () => {
  test('fails for a file that LibreOffice cannot load, although it ends with 0', async () => {
    const parts = { ...wordTemplate(paragraph('{{revenue}}')), 'word/styles.xml': UNREADABLE }
    const report = await fileReport('broken.docx', await zipOf(parts))
    const task = await reports.mailTask('Broken', report.id, {
      reports: [{ key: 'pack', reportId: report.id, format: 'pdf' }],
    })
    const run = await reports.run(task.id)
    expect([run.outcome, run.reason, run.counts.documents]).toEqual(['error', 'CONVERTER_FAILED', 0])
    expect(run.events[0]!.details).toContain('source file could not be loaded')
    expect(reports.mailsTo('broken@acme.example')).toEqual([])
  }, 60_000)
})

test.skipIf(process.platform === 'win32')(
  'a converter that crashes, and one that is gone, are one sentence in the run and in its mail',
  async () => {
    const folder = tempDirectory()
    const converter = folder.join('soffice')
    const crash =
      'echo "convert $PWD/document.docx -> x.pdf"; echo "Stack:" >&2; echo "#1 0x7f00 /usr/lib/libsw.so" >&2; kill -SEGV $$'
    writeFileSync(
      converter,
      `#!/bin/sh\nif [ "$1" = --version ]; then echo 'LibreOffice 7.4.7.2'; exit; fi\n${crash}\n`,
    )
    chmodSync(converter, 0o755)
    try {
      await using site = await startReportSite({ officeConverter: { path: converter } })
      const report = await fileReport('paper.docx', await zipOf(wordTemplate(paragraph('{{revenue}}'))), site)
      const task = await site.mailTask('Paper', report.id, {
        reports: [{ key: 'pack', reportId: report.id, format: 'pdf' }],
        notifications: [{ on: ['error'], recipients: ['ops@acme.example'] }],
      })
      const failures = [
        ['CONVERTER_FAILED', 'LibreOffice made no PDF: it crashed'],
        ['CONVERTER_MISSING', `LibreOffice cannot be used: ${converter} does not exist (officeConverter.path)`],
      ] as const
      for (const [index, [code, details]] of failures.entries()) {
        const run = await site.run(task.id)
        expect([run.outcome, run.reason]).toEqual(['error', code])
        expect(run.events).toEqual([
          expect.objectContaining({ level: 'error', code, report: 'pack', details }),
          expect.objectContaining({ level: 'warning', code: 'MAIL_INCOMPLETE', recipient: 'paper@acme.example' }),
        ])
        const mails = await site.mailbox.received(index + 1)
        const { text = '', html = '' } = mails[index]?.parsed ?? {}
        expect(text).toContain(details)
        for (const one of [text, html]) expect(one).not.toMatch(/Stack|0x7f|document\.docx| {4}at /)
        rmSync(converter, { force: true })
      }
      expect(site.mailsTo('paper@acme.example')).toEqual([])
      expect(site.product.process.stdout.filter((line) => /^\s+at |0x7f|document\.docx/.test(line))).toEqual([])
    } finally {
      folder.remove()
    }
  },
  60_000,
)

test.skipIf(process.platform === 'win32')(
  'a conversion that takes too long is ended with all its processes',
  async () => {
    const folder = tempDirectory()
    const [converter, children] = [folder.join('soffice'), folder.join('children')]
    const slow = `(sleep 300 & echo $! >> ${children}; sleep 300) & echo $! >> ${children}; echo $$ >> ${children}; wait`
    writeFileSync(converter, `#!/bin/sh\nif [ "$1" = --version ]; then echo 'LibreOffice 7.4.7.2'; exit; fi\n${slow}\n`)
    chmodSync(converter, 0o755)
    try {
      await using site = await startReportSite({ officeConverter: { path: converter, timeoutSeconds: 10 } })
      const report = await fileReport('slow.docx', await zipOf(wordTemplate(paragraph('{{revenue}}'))), site)
      const task = await site.mailTask('Slow', report.id, {
        reports: [{ key: 'pack', reportId: report.id, format: 'pdf' }],
      })
      const run = await site.run(task.id)
      expect([run.outcome, run.reason]).toEqual(['error', 'CONVERTER_TIMEOUT'])
      const started = readFileSync(children, 'utf8').trim().split('\n')
      expect(started).toHaveLength(3)
      for (const pid of started) await until(() => isGone(pid))
      expect(site.mailsTo('slow@acme.example')).toEqual([])
    } finally {
      folder.remove()
    }
  },
  60_000,
)

/** An ended process may still be listed, until its parent has asked for its exit code. */
function isGone(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return true
  }
}

test('an upload whose directory lies about the size of a part is refused, with memory as before', async () => {
  const report = await reports.call('POST', '/v4/report', {
    project: 'Sales',
    name: 'Liar',
    type: 'template',
    appId: SALES_APP,
    data: [{ key: 'revenue', type: 'value', expr: '=Sum(Sales)' }],
  })
  const upload = async (bytes: Uint8Array) => {
    const answer = await fetch(`http://127.0.0.1:${reports.product.restPort}/v4/report/${report.id}/template`, {
      method: 'PUT',
      headers: {
        'content-type': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
        'x-file-name': 'liar.xlsx',
      },
      body: bytes as Uint8Array<ArrayBuffer>,
    })
    return [answer.status, ((await answer.json()) as { code?: string }).code]
  }
  const zeros = await zipOf({ ...smallWorkbook(), 'xl/worksheets/sheet2.xml': new Uint8Array(90_000_000) }, false)
  expect(await upload(await zipOf(smallWorkbook(), false))).toEqual([200, undefined])
  const before = residentMb()
  for (const size of [4000, 5_000_000, 90_000_000]) {
    expect(await upload(withSize(zeros, 'xl/worksheets/sheet2.xml', size))).toEqual([400, 'TEMPLATE_UNSAFE'])
  }
  expect(residentMb() - before).toBeLessThan(100)
}, 60_000)

const residentMb = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${reports.product.process.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

test('a file of Butler 16 gets report tasks by one key below Butler, the only place where Butler 16 takes unknown ones', async () => {
  await using site = await olderSite('butler-16')
  const file = site.directory.join('butler.yaml')
  const butler = readFileSync(file, 'utf8')
  const errors = async (text: string) => {
    writeFileSync(file, text)
    const { stdout, stderr } = await runToEnd(['check', '-c', 'butler.yaml'], { cwd: site.directory.path })
    return `${stdout}${stderr}`.split('\n').filter((line) => / error |reportTask/.test(line))
  }
  const before = await errors(butler)
  // The switch of the API is not beside those of Butler, where Butler 16 would refuse it.
  const beside = butler.replace(
    /^( *)restServerEndpointsEnable:.*\n/m,
    (line, indent) => `${line}${indent}  reportTask: true\n`,
  )
  expect(await errors(beside)).toEqual([
    ...before,
    expect.stringContaining('Butler.restServerEndpointsEnable.reportTask'),
  ])
  const own = `  footman:\n    reportTask:\n      enable: true\n      storageSpaces: [{id: files, name: Files, directory: '${site.directory.path}'}]\n`
  expect(await errors(butler + own)).toEqual(before)
  await using running = runBinary(['-c', 'butler.yaml'], { cwd: site.directory.path })
  await running.waitForLine(new RegExp(`REST server listening on .*:${site.restPort}`), 30_000)
  const answer = await fetch(`https://127.0.0.1:${site.restPort}/v4/reporttask`, { tls: { rejectUnauthorized: false } })
  expect([answer.status, await answer.json()]).toEqual([200, { reportTasks: [], total: 0 }])
}, 60_000)
