/** Templates whose XML is spelled in other ways, as some programs write it: the filled file says the same. */
import { describe, expect, test } from 'bun:test'
import { DOMParser, type Element, type Node } from '@xmldom/xmldom'
import { plainMarkup, withoutPrefix } from '../../../../../src/reports/templates/xml.ts'
import { type Parts, relationships, SPREADSHEET } from '../../../../support/office.ts'
import { appData } from '../../../../support/template-data.ts'
import { filledTemplate, table as wordTable, wordTemplate } from '../../../../support/templates.ts'
import { facts, filledWorkbook, salesWorkbook, sheetRow, workbook, worksheet } from '../../../../support/workbook.ts'

const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'

type Spelling = (xml: string) => string

const TAG = /<(\/?)([\w:.-]+)((?:\s+[\w:.-]+="[^"]*")*)\s*(\/?)>/g
const tags =
  (change: (end: string, name: string, attributes: string, empty: string) => string): Spelling =>
  (xml) =>
    xml.replace(TAG, (_, end: string, name: string, attributes: string, empty: string) =>
      change(end, name, attributes, empty),
    )
/** Attributes with other marks around `=` and the value; quotes stay where the value has an apostrophe. */
const attributesBy =
  (write: (name: string, value: string) => string) =>
  (source: string): string =>
    source.replace(/\s+([\w:.-]+)="([^"]*)"/g, (whole, name: string, value: string) =>
      value.includes("'") ? whole : write(name, value),
    )

const single = attributesBy((name, value) => ` ${name}='${value.replaceAll('&quot;', '"')}'`)
const spaced = attributesBy((name, value) => `\n\t${name} = "${value}"`)

/** Elements of the namespace of workbooks with a prefix, other parts as they are. */
const prefixed = (prefix: string): Spelling => {
  const change = tags((end, name, attributes, empty) => {
    const named = name.includes(':') || name === 'xml' ? name : `${prefix}:${name}`
    return `<${end}${named}${attributes.replace(` xmlns="${MAIN}"`, ` xmlns:${prefix}="${MAIN}"`)}${empty}>`
  })
  return (xml) => (xml.includes(` xmlns="${MAIN}"`) ? change(xml) : xml)
}

const SPELLINGS: Readonly<Record<string, Spelling>> = {
  'blanks in end tags': tags((end, name, attributes, empty) => `<${end}${name}${attributes}${end && ' \n'}${empty}>`),
  'blanks in start tags': tags(
    (end, name, attributes, empty) => `<${end}${name}${spaced(attributes)}${end ? '' : ' '}${empty}>`,
  ),
  'single quotes': tags((end, name, attributes, empty) => `<${end}${name}${single(attributes)}${empty}>`),
  'a prefix': prefixed('x'),
  'a prefix with a hyphen': prefixed('main-1'),
  'a prefix beside the namespace of the root': (xml) =>
    xml
      .replace(`xmlns="${MAIN}"`, `xmlns="${MAIN}" xmlns:q="${MAIN}"`)
      .replace(/<(\/?)(numFmts?|cellXfs|xf|si|t|row|c|v|f)(?=[\s/>])/g, (tag, end, name) =>
        xml.includes(` xmlns="${MAIN}"`) ? `<${end}q:${name}` : tag,
      ),
  'no empty tags': tags((end, name, attributes, empty) =>
    empty ? `<${name}${attributes}></${name}>` : `<${end}${name}${attributes}>`,
  ),
  'empty tags': (xml) => xml.replace(/<([\w:.-]+)((?:\s+[\w:.-]+="[^"]*")*)><\/\1>/g, '<$1$2/>'),
  comments: (xml) => xml.replace(/<\/(cellXfs|numFmts|si|row|sheetData|is)>/g, '<!-- </$1> --></$1>'),
}

/** The meaning of a part: names without prefixes, attributes in order, texts. */
function meaning(xml: string): string {
  const written = (node: Node): string => {
    if (node.nodeType !== 1) return node.nodeType === 3 || node.nodeType === 4 ? (node.nodeValue ?? '') : ''
    const element = node as Element
    const attributes = Array.from(element.attributes)
      .filter(({ name }) => !/^xmlns/.test(name))
      .map(({ name, value }) => ` ${name}="${value}"`)
      .sort()
    return `<${element.localName}${attributes.join('')}>${Array.from(element.childNodes).map(written).join('')}</>`
  }
  return written(new DOMParser().parseFromString(xml, 'text/xml').documentElement!)
}

function respelled(parts: Parts, spelling: Spelling): Parts {
  const isXml = (path: string) => /\.(xml|vml)$/.test(path) && path !== '[Content_Types].xml'
  return Object.fromEntries(
    Object.entries(parts).map(([path, content]) => [
      path,
      typeof content === 'string' && isXml(path) ? spelling(content) : content,
    ]),
  )
}

const ITEMS = [
  '<si/>',
  '<si><t>plain</t></si>',
  '<si><t></t></si>',
  '<si><r><rPr><b/></rPr><t>{{rev</t></r><r><t>enue}} x</t></r><rPh sb="0" eb="1"><t>no</t></rPh></si>',
  '<si><t xml:space="preserve">{{revenue}}&#10;next line</t></si>',
]

/** Shared strings and formulas, number formats, merged cells, and a comment below a loop. */
function smallParts(): Parts {
  const shared = (place: string, index: number, style = '') => `<c r="${place}"${style} t="s"><v>${index}</v></c>`
  const rows = [
    `<row r="1" ht="20" customHeight="1">${shared('A1', 1)}${shared('B1', 3)}${shared('C1', 4)}${shared('D1', 0)}<c r="E1" t="inlineStr"><is><t>{{revenue}}</t></is></c></row>`,
    sheetRow(2, ['{{#detail}}{{Product}}', '{{Sales}}', { v: '{{Date}}{{/detail}}', s: 3 }]),
    `<row r="3"><c r="A3" t="inlineStr"><is><t>Total</t></is></c><c r="B3"><f>SUM(B2:B2)</f><v>0</v></c></row>`,
    '<row r="4"><c r="C4"><f t="shared" ref="C4:C5" si="0">B4*2</f></c></row><row r="5"><c r="C5"><f t="shared" si="0"/></c></row>',
  ]
  const parts = workbook(
    [
      {
        name: 'S',
        xml: worksheet(
          rows.join(''),
          '<mergeCells count="1"><mergeCell ref="A4:B4"/></mergeCells><legacyDrawing r:id="rId1"/>',
          '<sheetViews><sheetView workbookViewId="0"/></sheetViews>',
        ),
        related: [
          ['vmlDrawing', '../drawings/vmlDrawing1.vml'],
          ['comments', '../comments1.xml'],
        ],
      },
    ],
    {
      related: [['sharedStrings', 'sharedStrings.xml']],
      types: { 'xl/comments1.xml': `${SPREADSHEET}.comments+xml` },
      parts: {
        'xl/sharedStrings.xml': `<sst xmlns="${MAIN}">${ITEMS.join('')}</sst>`,
        'xl/drawings/vmlDrawing1.vml':
          '<xml xmlns:x="urn:schemas-microsoft-com:office:excel"><x:ClientData ObjectType="Note"><x:Anchor>1, 0, 2, 0, 3, 0, 4, 0</x:Anchor><x:Row>2</x:Row><x:Column>0</x:Column></x:ClientData></xml>',
        'xl/comments1.xml': `<comments xmlns="${MAIN}"><authors><author/></authors><commentList><comment ref="A3" authorId="0"><text><t>x</t></text></comment></commentList></comments>`,
      },
    },
  )
  const styles = String(parts['xl/styles.xml'])
    .replace('<fonts', '<numFmts count="1"><numFmt numFmtId="170" formatCode="yyyy&quot;-&quot;mm"/></numFmts><fonts')
    .replace('count="3"', 'count="4"')
    .replace(
      '</cellXfs>',
      '<xf numFmtId="170" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1"><alignment horizontal="left"/></xf></cellXfs>',
    )
  return { ...parts, 'xl/styles.xml': styles }
}

/** Amounts that need a number format of their own. */
const money = () => {
  const data = appData(facts(3))
  return { ...data, evaluate: async () => ({ text: '1,234.50 kr', number: 1234.5 }) }
}

describe.each(Object.entries(SPELLINGS))('a workbook with %s', (_, spelling) => {
  test.each([
    ['of small parts', smallParts],
    ['with a chart, a table and a pivot table', salesWorkbook],
  ])('%s is filled as one in the usual spelling', async (_name, template) => {
    const usual = template()
    const changed = respelled(usual, spelling)
    await using expected = await filledWorkbook(usual, { data: money() })
    await using filled = await filledWorkbook(changed, { data: money() })
    expect(filled.warnings).toEqual(expected.warnings)
    expect([...filled.parts.keys()].sort()).toEqual([...expected.parts.keys()].sort())
    for (const path of expected.parts.keys()) {
      if (/\.(xml|vml|rels)$/.test(path))
        expect([path, meaning(filled.text(path))]).toEqual([path, meaning(expected.text(path))])
    }
  })
})

test('each spelling is another one', () => {
  const usual = JSON.stringify(smallParts())
  const written = Object.values(SPELLINGS).map((spelling) => JSON.stringify(respelled(smallParts(), spelling)))
  expect(new Set([usual, ...written]).size).toBe(written.length + 1)
})

test('the small workbook needs what its spelling may hide: formats, wrapped texts, strings, moved comments', async () => {
  await using filled = await filledWorkbook(smallParts(), { data: money() })
  const styles = filled.text('xl/styles.xml')
  expect(styles).toContain('<numFmts count="2"><numFmt numFmtId="170"')
  expect(styles).toContain('<alignment wrapText="1"/>')
  expect(filled.text('xl/sharedStrings.xml')).toContain(
    '<si/><si><t>plain</t></si><si><t></t></si><si><t></t></si><si><t></t></si>',
  )
  expect(filled.text('xl/drawings/vmlDrawing1.vml')).toContain('<x:Row>4</x:Row>')
  expect(filled.cells('xl/worksheets/sheet1.xml')).toContain('B1=1,234.50 kr x')
})

test.each(Object.entries(SPELLINGS))(
  'a document with %s is filled as one in the usual spelling',
  async (_, spelling) => {
    const usual = wordTemplate(wordTable(['Product', 'Sales'], ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']))
    const textOf = async (parts: Parts) => meaning((await filledTemplate(parts, {})).text('word/document.xml'))
    expect(await textOf(respelled(usual, spelling))).toBe(await textOf(usual))
  },
)

test.each([
  ['<a b="1"/>', '<a b="1"/>'],
  ["<a  b = 'x\"y' />", '<a b="x&quot;y"/>'],
  ['<a\n\tb="1"\n></a  >', '<a b="1"></a>'],
  ["<a><![CDATA[<b c='1' >]]></a >", "<a>&lt;b c='1' &gt;</a>"],
  ["<a>x = 'y' </a>", "<a>x = 'y' </a>"],
  ["<a b='1'>broken < c='2' ></a>", '<a b="1">broken < c=\'2\' ></a>'],
  ['<?xml version="1.0" ?><a />', '<?xml version="1.0" ?><a/>'],
])('%j is %j in one spelling', (xml, expected) => {
  expect(plainMarkup(xml)).toBe(expected)
})

test.each([
  ['<x:a xmlns:x="u"><x:b/><y:c xmlns:y="v"/></x:a>', '<a xmlns="u"><b/><y:c xmlns:y="v"/></a>'],
  ['<a xmlns="u" xmlns:q="u"><q:b></q:b></a>', '<a xmlns="u" xmlns:q="u"><b></b></a>'],
  ['<a xmlns="u" xmlns:q="v"><q:b/></a>', '<a xmlns="u" xmlns:q="v"><q:b/></a>'],
  ["\ufeff<x:a xmlns:x='u'/>", '<a xmlns="u"/>'],
])('%j without its prefixes is %j', (xml, expected) => {
  expect(withoutPrefix(xml)).toBe(expected)
})

test('relationships in other spellings lead to the same parts', async () => {
  const usual = smallParts()
  const path = 'xl/_rels/workbook.xml.rels'
  const spelling = SPELLINGS['blanks in end tags']!
  expect(relationships(['a', 'b'])).not.toBe(spelling(relationships(['a', 'b'])))
  await using filled = await filledWorkbook({ ...usual, [path]: spelling(String(usual[path])) }, { data: money() })
  expect(filled.cells('xl/worksheets/sheet1.xml')).toContain('A1=1')
})
