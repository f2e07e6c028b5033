/** Tags outside of the text of Office templates: properties of the file, native charts, comments, masters. */
import { describe, expect, test } from 'bun:test'
import { checkTemplate } from '../../../../src/reports/templates/index.ts'
import { type Parts, zipOf } from '../../../support/office.ts'
import { shape, slideChart, slideTemplate } from '../../../support/presentations.ts'
import { templateReport } from '../../../support/template-data.ts'
import { checkedTemplate, filledTemplate, paragraph, wordTemplate } from '../../../support/templates.ts'
import { filledWorkbook, salesWorkbook, workbookReport } from '../../../support/workbook.ts'

const CORE = 'http://schemas.openxmlformats.org/package/2006/metadata/core-properties'
const PROPERTIES = {
  core: `<cp:coreProperties xmlns:cp="${CORE}" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{{report.name}} for {{task.name}} {{{{</dc:title><dc:creator>Anna</dc:creator></cp:coreProperties>`,
  app: '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties" xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"><TitlesOfParts><vt:vector size="1" baseType="lpstr"><vt:lpstr>{{@region}}</vt:lpstr></vt:vector></TitlesOfParts><Company>{{=Sum(Sales)}}</Company></Properties>',
  custom:
    '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"><property fmtid="{D5CDD505-2E9C-101B-9397-08002B2CF9AE}" pid="2" name="Client"><vt:lpwstr>{{app.name}} &amp; more</vt:lpwstr></property></Properties>',
} as const
const KINDS = {
  core: `${CORE.replace('/metadata', '/relationships/metadata')}`,
  app: 'extended-properties',
  custom: 'custom-properties',
}

/** The package with properties of its own. */
function withProperties(
  parts: Parts,
  properties: Partial<Record<keyof typeof PROPERTIES, string>> = PROPERTIES,
): Parts {
  const base = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
  const kinds = Object.keys(properties) as (keyof typeof KINDS)[]
  const related = kinds.map((kind) => {
    const type = kind === 'core' ? KINDS.core : base + KINDS[kind]
    return `<Relationship Id="p-${kind}" Type="${type}" Target="docProps/${kind}.xml"/>`
  })
  return {
    ...parts,
    '_rels/.rels': String(parts['_rels/.rels']).replace('</Relationships>', `${related.join('')}</Relationships>`),
    ...Object.fromEntries(kinds.map((kind) => [`docProps/${kind}.xml`, `<?xml version="1.0"?>${properties[kind]}`])),
  }
}

/** The package with one more part of a content type. */
const withPart = (parts: Parts, path: string, type: string, xml: string): Parts => ({
  ...parts,
  '[Content_Types].xml': String(parts['[Content_Types].xml']).replace(
    '</Types>',
    `<Override PartName="/${path}" ContentType="application/vnd.${type}+xml"/></Types>`,
  ),
  [path]: xml,
})

const WORD = wordTemplate(paragraph('{{report.name}}'))
const slides = () => slideTemplate({ content: shape('Title 1', 500_000, 'Hello') })

describe('properties of the file', () => {
  const EXPECTED = [
    '<dc:title>Sales pack for Monday mail {{</dc:title>',
    '<Company>4,010.5</Company>',
    '>Sales app &amp; more<',
  ]

  test.each([
    ['docx', async () => filledTemplate(withProperties(WORD))],
    ['pptx', async () => filledTemplate(withProperties(await slides()))],
  ] as const)('are filled in a %s', async (_format, fill) => {
    const filled = await fill()
    const texts = ['core', 'app', 'custom'].map((kind) => filled.text(`docProps/${kind}.xml`))
    for (const [index, expected] of EXPECTED.entries()) expect(texts[index]).toContain(expected)
    expect(texts[0]).toContain('<dc:creator>Anna</dc:creator>')
    // Names of sheets and slides as the template had them.
    expect(texts[1]).not.toContain('TitlesOfParts')
  })

  test('are filled in a workbook', async () => {
    await using filled = await filledWorkbook(withProperties(salesWorkbook()))
    expect(filled.text('docProps/core.xml')).toContain(EXPECTED[0]!)
    expect(filled.text('docProps/app.xml')).toContain('<Company>')
    expect(['core', 'app', 'custom'].map((kind) => filled.text(`docProps/${kind}.xml`)).join('')).not.toMatch(/\{\{\w/)
  })

  test('have no rows, levels and unknown names', async () => {
    const core = PROPERTIES.core.replace('{{report.name}}', '{{#detail}}{{Product}}{{/detail}}')
    const app = PROPERTIES.app.replace('{{=Sum(Sales)}}', '{{region}} {{reprot.name}} {{ }}')
    const problems = [
      'property "title": {{#detail}}: nothing is repeated in a property',
      expect.stringContaining('property "title": {{Product}}: no data binding'),
      'property "title": {{/detail}}: nothing is repeated in a property',
      'property "Company": {{region}}: the level has a value inside of {{@region}} only',
      expect.stringContaining('nearest: "report.name"'),
      'property "Company": {{ }}: the tag is empty',
    ]
    const found = await checkedTemplate(withProperties(WORD, { core, app }), templateReport())
    expect(found.problems.map(({ place, details }) => `${place}: ${details}`)).toEqual(problems)
    const book = await checkTemplate(
      await zipOf(withProperties(salesWorkbook(), { custom: PROPERTIES.custom.replace('app.name', 'nothing') })),
      'sales.xlsx',
      workbookReport(),
      { maxTemplateMb: 25 },
    )
    expect(book.problems.map(({ place }) => place)).toEqual(['property "Client"'])
  })

  test('without tags stay as they are, byte for byte', async () => {
    const core = PROPERTIES.core.replace(/\{\{.*\{\{\{\{/, 'Title')
    const filled = await filledTemplate(withProperties(WORD, { core }))
    expect(filled.text('docProps/core.xml')).toBe(`<?xml version="1.0"?>${core}`)
  })
})

describe('parts that are kept as they are', () => {
  const CHART = 'openxmlformats-officedocument.drawingml.chart'
  const text = (tag: string) => `<x><a><t>${tag.slice(0, 3)}</t></a><a><t>${tag.slice(3)}</t></a></x>`

  test.each([
    ['word/charts/chart1.xml', CHART, 'native charts'],
    ['word/diagrams/data1.xml', 'openxmlformats-officedocument.drawingml.diagramData', 'SmartArt'],
    ['word/comments.xml', 'openxmlformats-officedocument.wordprocessingml.comments', 'comments'],
  ])('a tag in %s of a document is a problem', async (path, type, what) => {
    const { problems } = await checkedTemplate(withPart(WORD, path, type, text('{{revenue}}')))
    const details = `tags in ${what} are not filled: {{revenue}}`
    expect(problems).toEqual([{ code: 'TEMPLATE_UNSUPPORTED', place: path, details }])
    expect((await checkedTemplate(withPart(WORD, path, type, text('{revenue}')))).problems).toEqual([])
  })

  test.each([
    ['ppt/comments/comment1.xml', 'openxmlformats-officedocument.presentationml.comments', 'comments'],
    ['ppt/comments/modernComment_1.xml', 'ms-powerpoint.comments', 'comments'],
    [
      'ppt/slideMasters/slideMaster9.xml',
      'openxmlformats-officedocument.presentationml.slideMaster',
      'masters and layouts',
    ],
  ])('a tag in %s of a presentation is a problem', async (path, type, what) => {
    const { problems } = await checkedTemplate(withPart(await slides(), path, type, text('{{revenue}}')))
    expect(problems.map(({ place, details }) => `${place}: ${details}`)).toEqual([
      `${path}: tags in ${what} are not filled: {{revenue}}`,
    ])
  })

  test('a tag in the title of a native chart on a slide', async () => {
    const parts = await slideTemplate({ content: slideChart })
    const path = Object.keys(parts).find((one) => /charts\/chart\d*\.xml$/.test(one))!
    const chart = String(parts[path]).replace('<c:plotArea>', '<c:title><a:t>{{revenue}}</a:t></c:title><c:plotArea>')
    const { problems } = await checkedTemplate({ ...parts, [path]: chart })
    expect(problems.map(({ code, place }) => [code, place])).toEqual([['TEMPLATE_UNSUPPORTED', path]])
  })
})
