import { describe, expect, test } from 'bun:test'
import { readdir, readFile } from 'node:fs/promises'
import { openPackage, type PartContent, writePackage } from '../../../../src/reports/templates/package.ts'
import { TemplateError } from '../../../../src/reports/templates/problems.ts'
import {
  contentTypes,
  type Parts,
  relationships,
  SHEET_NAMESPACES,
  SPREADSHEET,
  smallDocument,
  smallWorkbook,
  unzip,
  withSize,
  zipOf,
} from '../../../support/office.ts'
import { tempDirectory } from '../../../support/temp.ts'

const LIMITS = { maxTemplateMb: 25 }
const SHEET = 'xl/worksheets/sheet1.xml'
const sheet = (content: string) => `<worksheet ${SHEET_NAMESPACES}>${content}</worksheet>`
const formula = (text: string) => sheet(`<sheetData><row r="1"><c r="A1"><f>${text}</f></c></row></sheetData>`)

async function problemsOf(bytes: Uint8Array<ArrayBuffer>, limits = LIMITS) {
  try {
    await openPackage(bytes, limits)
    return []
  } catch (error) {
    if (error instanceof TemplateError) return error.problems
    throw error
  }
}

test('opens workbooks, documents, and files of the template kinds', async () => {
  const workbook = await openPackage(await zipOf(smallWorkbook()), LIMITS)
  expect([workbook.format, workbook.mainPart, workbook.has('XL/Workbook.xml')]).toEqual([
    'xlsx',
    'xl/workbook.xml',
    true,
  ])
  expect(await workbook.relationships(workbook.mainPart)).toMatchObject([
    { id: 'rId1', target: SHEET, external: false },
  ])
  const document = await openPackage(await zipOf(smallDocument('<w:p/>')), LIMITS)
  expect(document.format).toBe('docx')
  const types = contentTypes({ 'xl/workbook.xml': `${SPREADSHEET}.template.main+xml` })
  const template = await openPackage(await zipOf(smallWorkbook({ '[Content_Types].xml': types })), LIMITS)
  expect(template.contentTypes().typeOf('xl/workbook.xml')).toBe(`${SPREADSHEET}.sheet.main+xml`)
})

const types = (path: string, type: string) =>
  contentTypes({ 'xl/workbook.xml': `${SPREADSHEET}.sheet.main+xml`, [path]: type })

test.each<[string, Parts, string, string, string]>([
  ['a name out of the file', { '../evil.xml': '<a/>' }, 'TEMPLATE_UNSAFE', '../evil.xml', 'out of the file'],
  ['an absolute name', { '/evil.xml': '<a/>' }, 'TEMPLATE_UNSAFE', '/evil.xml', 'out of the file'],
  ['a backslash', { 'xl\\evil.xml': '<a/>' }, 'TEMPLATE_UNSAFE', 'xl\\evil.xml', 'out of the file'],
  ['a name in another case', { 'XL/workbook.xml': '<a/>' }, 'TEMPLATE_UNSAFE', 'XL/workbook.xml', 'there twice'],
  ['zeros', { 'xl/a.bin': new Uint8Array(5_000_000) }, 'TEMPLATE_UNSAFE', 'xl/a.bin', '1:200'],
  ['a document type', { [SHEET]: `<!DOCTYPE a>${sheet('')}` }, 'TEMPLATE_UNSAFE', SHEET, 'DOCTYPE'],
  ['deep XML', { [SHEET]: '<a>'.repeat(300) + '</a>'.repeat(300) }, 'TEMPLATE_UNSAFE', SHEET, '256'],
  ['broken XML', { [SHEET]: '<a><b></a>' }, 'TEMPLATE_INVALID', SHEET, 'broken XML'],
  ['an attribute without quotes', { [SHEET]: '<a b=1/>' }, 'TEMPLATE_INVALID', SHEET, 'broken XML'],
  ['another encoding', { [SHEET]: '<?xml version="1.0" encoding="UTF-7"?><a/>' }, 'TEMPLATE_INVALID', SHEET, 'UTF-7'],
  ['macros', { 'xl/vbaProject.bin': 'x' }, 'TEMPLATE_UNSAFE', 'xl/vbaProject.bin', 'macros'],
  [
    'a picture outside',
    { 'xl/drawings/_rels/drawing1.xml.rels': relationships(['image', 'http://x/a.png', 'External']) },
    'TEMPLATE_UNSAFE',
    'xl/drawings/drawing1.xml',
    'image http://x/a.png',
  ],
  [
    'a link to a file',
    { 'xl/worksheets/_rels/sheet1.xml.rels': relationships(['hyperlink', 'file:///c:/x', 'External']) },
    'TEMPLATE_UNSAFE',
    SHEET,
    'hyperlink',
  ],
  [
    'an external workbook',
    {
      'xl/_rels/workbook.xml.rels': relationships(['worksheet', '/xl/a.xml'], ['externalLink', 'externalLinks/e.xml']),
    },
    'TEMPLATE_UNSAFE',
    'xl/workbook.xml',
    'another workbook',
  ],
  [
    'a data connection',
    { '[Content_Types].xml': types('xl/c.xml', `${SPREADSHEET}.connections+xml`), 'xl/c.xml': '<a/>' },
    'TEMPLATE_UNSAFE',
    'xl/c.xml',
    'data connection',
  ],
  [
    'WEBSERVICE',
    { [SHEET]: formula('_xlfn.WEBSERVICE (&quot;http://x&quot;)') },
    'TEMPLATE_UNSAFE',
    SHEET,
    'WEBSERVICE(',
  ],
  ['an encoded call', { [SHEET]: formula('&#82;TD("a")') }, 'TEMPLATE_UNSAFE', SHEET, 'RTD('],
  ['REGISTER.ID', { [SHEET]: formula('register.id("a")') }, 'TEMPLATE_UNSAFE', SHEET, 'REGISTER.ID('],
  ['DDE', { [SHEET]: formula("cmd|'/c calc'!A1") }, 'TEMPLATE_UNSAFE', SHEET, 'DDE'],
  ['a formula to another workbook', { [SHEET]: formula('[1]Sheet1!A1') }, 'TEMPLATE_UNSAFE', SHEET, 'another workbook'],
  ['a quoted one', { [SHEET]: formula("'C:\\[b.xlsx]S 1'!A1") }, 'TEMPLATE_UNSAFE', SHEET, 'another workbook'],
])('refuses %s', async (_, parts, code, place, details) => {
  const problems = await problemsOf(await zipOf(smallWorkbook(parts)))
  expect(problems).toMatchObject([{ code, place }])
  expect(problems[0]?.details).toContain(details)
})

test.each([
  [
    'formulas that only look alike',
    { [SHEET]: formula('RECALL(A1)&"RTD(|"&Table1[1]&SUM(Table1[[#This Row],[a b]])') },
  ],
  ['links to pages', { 'xl/worksheets/_rels/sheet1.xml.rels': relationships(['hyperlink', 'https://x/', 'External']) }],
  ['workbooks of charts', { 'xl/charts/_rels/chart1.xml.rels': relationships(['package', '../embeddings/a.xlsx']) }],
])('accepts %s', async (_, parts) => {
  expect(await problemsOf(await zipOf(smallWorkbook(parts)))).toEqual([])
})

test('refuses fields of Word that load files, also when they are split, nested or encoded', async () => {
  const run = (content: string) => `<w:r>${content}</w:r>`
  const field = (code: string) =>
    `${run('<w:fldChar w:fldCharType="begin"/>')}${code}${run('<w:fldChar w:fldCharType="separate"/>')}${run('<w:t>x</w:t>')}${run('<w:fldChar w:fldCharType="end"/>')}`
  const code = (text: string) => run(`<w:instrText xml:space="preserve">${text}</w:instrText>`)
  const refused = async (body: string) =>
    (await problemsOf(await zipOf(smallDocument(`<w:p>${body}</w:p>`)))).map((p) => p.details)
  const loads = (name: string) => [`the field ${name} loads something from outside`]
  expect(await refused(field(code(' INCLU') + code('DEPICTURE "x"')))).toEqual(loads('INCLUDEPICTURE'))
  expect(await refused(field(code(' IF ') + field(code('DDEAUTO c')) + code(' = 1')))).toEqual(loads('DDEAUTO'))
  expect(await refused(field(code('&#76;INK x')))).toEqual(loads('LINK'))
  expect(await refused('<w:fldSimple w:instr=" database \\d x"/>')).toEqual(loads('DATABASE'))
  expect(await refused(field(code(' PAGE ')) + field(code('HYPERLINK "https://x"')))).toEqual([])
})

test('reports all problems at once', async () => {
  const parts = smallWorkbook({ [SHEET]: '<a', 'xl/vbaProject.bin': 'x', 'xl/b.xml': '<!DOCTYPE a><a/>' })
  expect((await problemsOf(await zipOf(parts))).map(({ place }) => place)).toEqual([
    SHEET,
    'xl/vbaProject.bin',
    'xl/b.xml',
  ])
})

test('refuses files that are too large, too many parts, other files and protected ones', async () => {
  const bytes = await zipOf(smallWorkbook({ 'xl/a.bin': crypto.getRandomValues(new Uint8Array(60_000)) }))
  expect(await problemsOf(bytes, { maxTemplateMb: 0.05 })).toMatchObject([{ code: 'TEMPLATE_TOO_LARGE' }])
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`xl/${n}.bin`, '']))
  expect(await problemsOf(await zipOf(smallWorkbook(many)))).toMatchObject([{ code: 'TEMPLATE_TOO_LARGE', place: '' }])
  expect(await problemsOf(new TextEncoder().encode('no zip'))).toMatchObject([{ code: 'TEMPLATE_INVALID' }])
  expect(await problemsOf(new Uint8Array())).toMatchObject([{ code: 'TEMPLATE_INVALID' }])
  const compound = new Uint8Array([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1])
  expect(await problemsOf(compound)).toMatchObject([{ code: 'TEMPLATE_UNSAFE' }])
  const other = smallWorkbook({ '[Content_Types].xml': contentTypes({ 'xl/workbook.xml': 'application/x-other+xml' }) })
  expect(await problemsOf(await zipOf(other))).toMatchObject([{ code: 'TEMPLATE_INVALID' }])
})

test('a part that unpacks to more than its directory entry says is refused without being unpacked whole', async () => {
  const text = `<a>${' '.repeat(90_000_000)}</a>`
  for (const dataDescriptor of [false, true]) {
    const bytes = withSize(await zipOf(smallWorkbook({ 'xl/b.xml': text }), dataDescriptor), 'xl/b.xml', 4000)
    Bun.gc(true)
    const before = process.memoryUsage().rss
    expect(await problemsOf(bytes)).toMatchObject([{ code: 'TEMPLATE_UNSAFE', place: 'xl/b.xml' }])
    expect(process.memoryUsage().rss - before).toBeLessThan(60_000_000)
  }
})

async function written(parts: Parts, changes: Parameters<typeof writePackage>[2]) {
  await using folder = tempDirectory()
  const file = folder.join('out.xlsx')
  await writePackage(await openPackage(await zipOf(parts), LIMITS), file, changes)
  return new Uint8Array(await readFile(file))
}

test('writes changed, new and streamed parts; the others keep their compressed bytes, and equal input gives equal bytes', async () => {
  const parts = smallWorkbook({ 'xl/media/a.png': new Uint8Array([1, 2, 3]), 'xl/calcChain.xml': '<a/>' })
  async function* pieces() {
    yield '<worksheet>'
    yield 'é</worksheet>'
  }
  const changes = () =>
    new Map<string, PartContent>([
      [SHEET, pieces()],
      ['xl/new.xml', '<b/>'],
      ['xl/calcChain.xml', null],
    ])
  const bytes = await written(parts, changes())
  const before = await unzip(await zipOf(parts))
  const after = await unzip(bytes)
  expect([...after.keys()].sort()).toEqual(
    [...before.keys(), 'xl/new.xml'].filter((path) => path !== 'xl/calcChain.xml').sort(),
  )
  expect([...after.keys()][0]).toBe('[Content_Types].xml')
  expect(after.get(SHEET)?.text).toBe('<worksheet>é</worksheet>')
  for (const path of ['xl/workbook.xml', 'xl/media/a.png', '_rels/.rels']) {
    expect(after.get(path)?.packed).toEqual(before.get(path)?.packed)
  }
  expect(await written(parts, changes())).toEqual(bytes)
})

test('a part that fails while it is written, or grows too large, leaves no file', async () => {
  await using folder = tempDirectory()
  const source = await openPackage(await zipOf(smallWorkbook()), LIMITS)
  async function* failing() {
    yield '<a>'
    throw new Error('the engine is away')
  }
  async function* endless() {
    const text = 'x'.repeat(1_000_000)
    for (;;) yield text
  }
  const write = (content: AsyncIterable<string>) =>
    writePackage(source, folder.join('out.xlsx'), new Map([[SHEET, content]]))
  await expect(write(failing())).rejects.toThrow('the engine is away')
  await expect(write(endless())).rejects.toMatchObject({ code: 'TEMPLATE_TOO_LARGE' })
  expect(await readdir(folder.path)).toEqual([])
})

describe('a document that was made from a company template', () => {
  const W =
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
  const COMPANY = 'file:///\\\\server\\templates\\Acme.dotm'
  const SETTINGS = 'word/settings.xml'
  const made = (parts: Parts = {}) =>
    zipOf(
      smallDocument('<w:p/>', {
        'word/_rels/document.xml.rels': relationships(['settings', 'settings.xml']),
        [SETTINGS]: `<w:settings ${W}><w:zoom w:percent="90"/><w:attachedTemplate r:id="rId1"/><w:compat/></w:settings>`,
        'word/_rels/settings.xml.rels': relationships(['attachedTemplate', COMPANY, 'External']),
        ...parts,
      }),
    )

  test('is taken, and what is read and written has no reference to it', async () => {
    const source = await openPackage(await made(), LIMITS)
    expect(source.dropped).toEqual([COMPANY])
    await using folder = tempDirectory()
    const file = folder.join('out.docx')
    await writePackage(source, file, new Map())
    const parts = await unzip(await readFile(file))
    expect([...parts.keys()].sort()).toEqual([...source.paths()].sort())
    for (const [path, { text }] of parts) expect([path, /attachedTemplate|Acme/.test(text)]).toEqual([path, false])
    expect(parts.get(SETTINGS)?.text).toContain('w:percent="90"')
    expect(parts.get(SETTINGS)?.text).toContain('<w:compat/>')
    expect((await openPackage(new Uint8Array(await readFile(file)), LIMITS)).dropped).toEqual([])
  })

  test.each<[string, Parts]>([
    [
      'the reference of another part',
      {
        'word/_rels/document.xml.rels': relationships(
          ['settings', 'settings.xml'],
          ['attachedTemplate', COMPANY, 'External'],
        ),
      },
    ],
    ['an element without a relationship', { 'word/_rels/settings.xml.rels': relationships() }],
    [
      'another reference of the settings',
      {
        'word/_rels/settings.xml.rels': relationships(
          ['attachedTemplate', COMPANY, 'External'],
          ['mailMergeSource', COMPANY, 'External'],
        ),
      },
    ],
    [
      'a template inside of the file',
      { 'word/_rels/settings.xml.rels': relationships(['attachedTemplate', 'a.dotm']) },
    ],
  ])('is refused with %s', async (_what, parts) => {
    expect((await problemsOf(await made(parts)))[0]).toMatchObject({ code: 'TEMPLATE_UNSAFE' })
  })
})

test.each([
  ['connections', 'a data connection; delete it in Excel under Data, Queries & Connections'],
  ['queryTable', 'a query table; delete its query in Excel'],
  ['externalLink', 'a link to another workbook; break it in Excel'],
])('a workbook with %s is refused with what to do', async (kind, expected) => {
  const parts = {
    'xl/_rels/workbook.xml.rels': relationships(['worksheet', 'worksheets/sheet1.xml'], [kind, `${kind}.xml`]),
  }
  const [problem] = await problemsOf(await zipOf(smallWorkbook(parts)))
  expect(problem?.details).toContain(expected)
})
