import { describe, expect, test } from 'bun:test'
import {
  shape,
  slideChart,
  slidePicture,
  slideTable,
  slideTemplate,
  slideText,
} from '../../../support/presentations.ts'
import { appData } from '../../../support/template-data.ts'
import { checkedTemplate, filledTemplate } from '../../../support/templates.ts'

const slide = (number: number) => `ppt/slides/slide${number}.xml`
const filledSlide = async (content: string, data = appData()) =>
  slideText((await filledTemplate(await slideTemplate({ content }), { data })).text(slide(1)))

/** Paths of the slides in the order of the presentation. */
function slideOrder(text: (path: string) => string): (string | undefined)[] {
  const targets = new Map(
    [...text('ppt/_rels/presentation.xml.rels').matchAll(/Id="([^"]+)"[^>]*Target="\/?(?:ppt\/)?([^"]+)"/g)].map(
      ([, id, target]) => [id, target],
    ),
  )
  return [...text('ppt/presentation.xml').matchAll(/<p:sldId [^>]*r:id="([^"]+)"/g)].map(([, id]) => targets.get(id))
}

describe('text of slides', () => {
  test.each<[string, string, string[]]>([
    ['a value', shape('Title 1', 0, 'Revenue {{revenue}}'), ['Revenue 4,010.5']],
    ['a tag split over three runs', shape('Title 1', 0, ['Revenue {', '{reve', 'nue}', '}!']), ['Revenue 4,010.5!']],
    ['a loop in a paragraph', shape('A', 0, '{{#detail}}{{Product}} {{/detail}}'), ['Screws Nails =1+1 ']],
    [
      'a loop over paragraphs',
      shape('A', 0, '{{#detail}}', '{{Product}}', '{{/detail}}', 'end'),
      ['Screws', 'Nails', '=1+1', 'end'],
    ],
    [
      'rows of a table',
      slideTable(0, ['Product', 'Sales'], ['{{#detail}}{{Product}}', '{{Sales | 0.0}}{{/detail}}']),
      ['Product | Sales', 'Screws | 3700.5', 'Nails | 300.0', '=1+1 | 10.0'],
    ],
  ])('%s', async (_, content, expected) => {
    expect(await filledSlide(content)).toEqual(expected)
  })

  test('a split tag has the format of its first character', async () => {
    const { text } = await filledTemplate(await slideTemplate({ content: shape('A', 0, ['x ', '{{reve', 'nue}} y']) }))
    expect(text(slide(1))).toContain('<a:rPr lang="en-GB" b="1"/><a:t>4,010.5</a:t>')
    expect(text(slide(1))).toContain('<a:rPr lang="en-GB"/><a:t> y</a:t>')
  })

  test('values are text; line breaks stay', async () => {
    const data = appData(undefined, { a: '<a:p/> {{revenue}}', b: 'one\ntwo' })
    expect(await filledSlide(shape('A', 0, '{{=a}}', '{{=b}}'), data)).toEqual(['<a:p/> {{revenue}}', 'one/two'])
  })

  test('without rows an empty row or paragraph stays', async () => {
    const none = appData([])
    expect(await filledSlide(slideTable(0, ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']), none)).toEqual([' | '])
    expect(await filledSlide(shape('A', 0, '{{#detail}}', 'x', '{{/detail}}'), none)).toEqual([''])
  })

  test('notes, and a table past the lower edge', async () => {
    const template = await slideTemplate({
      content: slideTable(6_400_000, ['Product', ''], ['{{#detail}}{{Product}}', '{{/detail}}']),
      notes: 'All: {{revenue}}',
    })
    const { text, warnings } = await filledTemplate(template)
    expect(slideText(text('ppt/notesSlides/notesSlide1.xml'))).toEqual(['All: 4,010.5'])
    expect(warnings).toEqual([
      'TEMPLATE_OVERFLOW slide 1, "Table 4": 4 rows need 19.8 cm from the top, the slide has 19.1; limit the rows with maxRows',
    ])
  })
})

describe('slides for the values of a level', () => {
  const content =
    shape('Title 1', 0, '{{@region}}{{region}}: {{revenue}}') + slidePicture('{{salesChart}}') + slideChart
  const three = () =>
    slideTemplate(
      { content: shape('A', 0, 'first') },
      { content, notes: 'Notes of {{region}}' },
      { content: shape('A', 0, 'last') },
    )

  test('each has its own values, picture, chart, workbook and notes, in place', async () => {
    const { text, parts } = await filledTemplate(await three(), {
      chartPicture: async ({ data }) => new TextEncoder().encode((await data.evaluate('=Sum(Sales)')).text),
    })
    const order = slideOrder(text)
    expect(order).toEqual([
      'slides/slide1.xml',
      'slides/slide2.xml',
      'slides/slide4.xml',
      'slides/slide5.xml',
      'slides/slide3.xml',
    ])
    expect([2, 4, 5].map((number) => slideText(text(slide(number)))[0])).toEqual([
      'Nord: 1,500.5',
      'Süd: 2,500',
      'West: 10',
    ])
    expect([2, 1, 3].map((number) => slideText(text(`ppt/notesSlides/notesSlide${number}.xml`))[0])).toEqual([
      'Notes of Nord',
      'Notes of Süd',
      'Notes of West',
    ])
    expect([1, 2, 3].map((number) => text(`ppt/media/footman${number}.png`))).toEqual(['1,500.5', '2,500', '10'])

    const relationships = [4, 5].map((number) => text(`ppt/slides/_rels/slide${number}.xml.rels`))
    expect(relationships[0]).toContain('Target="/ppt/charts/chart4.xml"')
    expect(relationships[1]).toContain('Target="/ppt/charts/chart5.xml"')
    expect(relationships[0]).toContain('Target="/ppt/slideLayouts/slideLayout1.xml"')
    expect(text('ppt/charts/_rels/chart4.xml.rels')).toContain('Target="/ppt/embeddings/book4.xlsx"')
    expect(text('ppt/notesSlides/_rels/notesSlide1.xml.rels')).toContain('Target="/ppt/slides/slide4.xml"')
    for (const path of ['ppt/charts/chart5.xml', 'ppt/embeddings/book5.xlsx']) expect(parts.has(path)).toBe(true)
    expect(text('[Content_Types].xml')).toContain('PartName="/ppt/notesSlides/notesSlide3.xml"')

    const presentation = text('ppt/presentation.xml')
    const ids = (name: string) =>
      [...presentation.matchAll(new RegExp(`<${name} id="(\\d+)"`, 'g'))].map(([, id]) => Number(id))
    expect(ids('p:sldId')).toEqual([256, 257, 259, 260, 258])
    expect(ids('p14:sldId')).toEqual([256, 257, 259, 260, 258])
  })

  test('parts without tags are copied as they are', async () => {
    const template = await three()
    const { text } = await filledTemplate(template)
    for (const path of [
      slide(1),
      slide(3),
      'ppt/theme/theme1.xml',
      'ppt/charts/chart2.xml',
      'ppt/slideMasters/slideMaster1.xml',
    ]) {
      expect(text(path)).toBe(template[path] as string)
    }
    expect(text('ppt/charts/chart4.xml')).toBe(text('ppt/charts/chart2.xml'))
  })

  test('without values the slide is left out, with links to it', async () => {
    const linking = shape('A', 0, 'see {{revenue}}').replace(
      '<a:rPr lang="en-GB"/>',
      '<a:rPr lang="en-GB"><a:hlinkClick r:id="rId5" action="ppaction://hlinksldjump"/></a:rPr>',
    )
    const template = await slideTemplate({ content: linking, linksTo: 2 }, { content, notes: '{{region}}' })
    const { text, parts } = await filledTemplate(template, { data: appData([]) })
    expect(slideOrder(text)).toEqual(['slides/slide1.xml'])
    expect(text('ppt/presentation.xml')).not.toContain('id="257"')
    for (const gone of [
      slide(2),
      'ppt/slides/_rels/slide2.xml.rels',
      'ppt/notesSlides/notesSlide2.xml',
      'ppt/charts/chart2.xml',
      'ppt/embeddings/book2.xlsx',
    ]) {
      expect(parts.has(gone)).toBe(false)
      expect(text('[Content_Types].xml')).not.toContain(`/${gone}"`)
    }
    expect(text(slide(1))).not.toContain('hlinkClick')
    expect(text('ppt/slides/_rels/slide1.xml.rels')).not.toContain('slide2.xml')
  })

  test('no document without slides', async () => {
    expect(filledTemplate(await slideTemplate({ content }), { data: appData([]) })).rejects.toMatchObject({
      code: 'DOCUMENT_FAILED',
    })
  })
})

describe('problems', () => {
  const problems = async (content: string, notes?: string) =>
    (
      await checkedTemplate(
        await slideTemplate({ content: '' }, notes === undefined ? { content } : { content, notes }),
      )
    ).problems.map(({ code, place, details }) => `${code} ${place}: ${details}`)

  test.each<[string, string | undefined, string[]]>([
    [
      shape('Title 1', 0, 'a', '{{revenu}}'),
      undefined,
      [
        'TEMPLATE_TAG_UNKNOWN slide 2, "Title 1", paragraph 2: {{revenu}}: no data binding, column or level has this name; nearest: "revenue"',
      ],
    ],
    [
      slideTable(0, ['a'], ['b{{revenu}}']),
      undefined,
      [
        'TEMPLATE_TAG_UNKNOWN slide 2, "Table 4", row 2, cell 1: {{revenu}}: no data binding, column or level has this name; nearest: "revenue"',
      ],
    ],
    [
      '',
      '{{revenu}}',
      [
        'TEMPLATE_TAG_UNKNOWN notes of slide 2, "Notes 1", paragraph 1: {{revenu}}: no data binding, column or level has this name; nearest: "revenue"',
      ],
    ],
    [
      shape('A', 0, '{{#detail}}') + shape('B', 0, '{{/detail}}'),
      undefined,
      ['TEMPLATE_LOOP slide 2, "A", paragraph 1: {{#detail}}: the loop crosses a table or a content control'],
    ],
    [
      slideTable(0, ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}'], ['end', '']),
      undefined,
      [
        'TEMPLATE_LOOP slide 2, "Table 4", row 1, cell 1: {{#detail}}: the loop repeats the header row of the table; begin it in the row below, or switch off "Header Row" in the design of the table',
      ],
    ],
    [
      slideTable(0, ['a', 'b'], ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}'], ['end', ''])
        .replace(/<a:tc>(?=(?:(?!<a:tc>).)*Sales)/s, '<a:tc rowSpan="2">')
        .replace(/<a:tc>(?!.*<a:tc)/s, '<a:tc vMerge="1">'),
      undefined,
      [
        'TEMPLATE_LOOP slide 2, "Table 4", row 2, cell 1: {{#detail}}: cells are merged over its rows and others; keep them to one of the two',
      ],
    ],
    [
      slideTable(0, ['a', 'b'], ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}'])
        .replace('<a:tc>', '<a:tc rowSpan="2">')
        .replace(/<a:tc>(?=(?:(?!<a:tc>).)*Product)/s, '<a:tc vMerge="1">'),
      undefined,
      [
        'TEMPLATE_LOOP slide 2, "Table 4", row 2, cell 1: {{#detail}}: cells are merged over its rows and others; keep them to one of the two',
      ],
    ],
    [
      shape('A', 0, '{{@region}}', '{{@region}}'),
      undefined,
      ['TEMPLATE_LOOP slide 2, "A", paragraph 2: {{@region}}: a slide can be repeated for one level only, in one tag'],
    ],
    [
      shape('A', 0, '{{@product}}'),
      undefined,
      [
        'TEMPLATE_UNSUPPORTED slide 2, "A", paragraph 1: {{@product}}: nested levels are possible in documents (docx) only',
      ],
    ],
    [
      shape('A', 0, '{{@region pageBreak}}'),
      undefined,
      [
        'TEMPLATE_INVALID slide 2, "A", paragraph 1: {{@region pageBreak}}: pageBreak is for documents; a slide is a page anyway',
      ],
    ],
    [
      shape('A', 0, 'x{{/@region}}'),
      undefined,
      [
        'TEMPLATE_LOOP slide 2, "A", paragraph 1: {{/@region}}: sheets and slides are repeated as a whole; there is no closing tag',
      ],
    ],
    [
      '',
      '{{@region}}',
      ['TEMPLATE_LOOP notes of slide 2, "Notes 1", paragraph 1: {{@region}}: the tag has to stand on the slide itself'],
    ],
    [
      slidePicture('{{logos}}'),
      undefined,
      [
        'TEMPLATE_TAG_UNKNOWN picture "Image 5" on slide 2: {{logos}}: no chart or image has this name; nearest: "logo"',
      ],
    ],
    [
      shape('A', 0, 'x').replace('name="A"', 'name="A" descr="{{logo}}"'),
      undefined,
      [
        'TEMPLATE_UNSUPPORTED picture "A" on slide 2: {{logo}}: only a single picture can be replaced by a chart or image',
      ],
    ],
  ])('%#', async (content, notes, expected) => {
    expect(await problems(content, notes)).toEqual(expected)
  })
})
