import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { appData, templateReport } from '../../../support/template-data.ts'
import {
  checkedTemplate,
  filledTemplate,
  paragraph,
  run,
  table,
  wordPicture,
  wordTemplate,
  wordText,
} from '../../../support/templates.ts'

const filled = async (body: string, data = appData()) =>
  wordText((await filledTemplate(wordTemplate(body), { data })).text('word/document.xml'))
const problems = async (body: string, header = '') =>
  (await checkedTemplate(wordTemplate(body, { header }))).problems.map(
    ({ code, place, details }) => `${code} ${place}: ${details}`,
  )
const box = (content: string) => `<w:txbxContent>${content}</w:txbxContent>`
const textBox = (content: string) =>
  `<w:p><w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:txbx>${box(content)}</wps:txbx></w:drawing></mc:Choice><mc:Fallback><w:pict>${box(content)}</w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>`

describe('values', () => {
  test.each([
    ['Revenue: {{revenue}} ({{revenue | 0}})', 'Revenue: 4,010.5 (4011)'],
    ['{{{{revenue}}', '{{revenue}}'],
    ['a { b } c', 'a { b } c'],
  ])('%s', async (text, expected) => {
    expect(await filled(paragraph(text))).toEqual([expected])
  })

  test('a tag that is split over three runs has the format of its first character', async () => {
    const body = `<w:p>${run('Sum: {')}${run('{reve', true)}${run('nue}', true)}${run('} of {{app.na')}${run('me}}!', true)}</w:p>`
    const { text } = await filledTemplate(wordTemplate(body))
    expect(text('word/document.xml')).toContain(
      `<w:p>${run('Sum: ')}${run('4,010.5')}`.replaceAll('xml:space="preserve"', 'xml:space="preserve"'),
    )
    expect(wordText(text('word/document.xml'))).toEqual(['Sum: 4,010.5 of Sales app!'])
    expect(text('word/document.xml')).toContain(`${run('Sales app')}${run('!', true)}`)
  })

  test('values are text: no markup, formula or tag; line breaks and tabs stay', async () => {
    const data = appData(undefined, { a: '<w:p/>&amp;', b: '=1+1 {{revenue}}', c: 'one\r\ntwo\tthree\u0001\ufffe' })
    expect(await filled(paragraph('{{=a}}') + paragraph('{{=b}}') + paragraph('{{=c}}'), data)).toEqual([
      '<w:p/>&amp;',
      '=1+1 {{revenue}}',
      'one/two(tab)three',
    ])
  })

  test('text without tags comes back unchanged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.stringMatching(/^[ -z|}~äöü<&]{1,12}$/), { maxLength: 4 }), async (texts) => {
        const body = paragraph(...texts)
        const { text } = await filledTemplate(wordTemplate(body + paragraph('{{revenue}}')))
        expect(wordText(text('word/document.xml'))[0]).toBe(texts.join(''))
      }),
      { numRuns: 30 },
    )
  })
})

describe('loops', () => {
  test.each<[string, string, string[]]>([
    [
      'in a paragraph',
      paragraph('{{#detail}}{{Product}}: {{Sales}}; {{/detail}}end'),
      ['Screws: 3,700.5; Nails: 300; =1+1: 10; end'],
    ],
    [
      'in a row',
      table(['Product', 'Sales'], ['{{#detail}}{{Product}}', '{{Sales | 0.0}}{{/detail}}']),
      ['Product | Sales', 'Screws | 3700.5', 'Nails | 300.0', '=1+1 | 10.0'],
    ],
    [
      'over two rows',
      table(['{{#detail}}{{$index}}', ''], ['{{Product}}', '{{/detail}}'], ['end', '']),
      ['1 | ', 'Screws | ', '2 | ', 'Nails | ', '3 | ', '=1+1 | ', 'end | '],
    ],
    ['in one cell', table(['{{#detail}}{{Product}} {{/detail}}', 'x']), ['Screws Nails =1+1  | x']],
    [
      'over paragraphs of a cell',
      table([`${paragraph('{{#detail}}')}${paragraph('{{Product}}')}${paragraph('{{/detail}}')}`, 'x']),
      ['Screws+Nails+=1+1 | x'],
    ],
    [
      'over paragraphs and tables',
      paragraph('{{#detail}}') +
        paragraph('{{$index}}') +
        table(['{{Product}}']) +
        paragraph('{{/detail}}') +
        paragraph('end'),
      ['1', 'Screws', '2', 'Nails', '3', '=1+1', 'end'],
    ],
    [
      'with text beside the tags',
      paragraph('a {{#detail}}') + paragraph('{{/detail}} {{Product}} b'),
      ['a ', ' Screws b', 'a ', ' Nails b', 'a ', ' =1+1 b'],
    ],
    [
      'with conditions on the row',
      paragraph('{{#detail}}{{Product}}{{^$last}}, {{/$last}}{{/detail}}'),
      ['Screws, Nails, =1+1'],
    ],
    ['of an object', paragraph('{{#top}}{{[Sales amount]}} {{/top}}'), ['3,700.5 300 10 ']],
    [
      'kept condition',
      paragraph('{{#revenue}}') +
        paragraph('yes') +
        paragraph('{{/revenue}}') +
        paragraph('{{^revenue}}no{{/revenue}}'),
      ['yes', ''],
    ],
  ])('%s', async (_, body, expected) => {
    expect(await filled(body)).toEqual(expected)
  })

  test('without rows', async () => {
    const none = appData([])
    expect(await filled(table(['Head'], ['{{#detail}}{{Product}}{{/detail}}']), none)).toEqual(['Head', ''])
    const rows = table(['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}'])
    expect(await filled(paragraph('before') + rows, none)).toEqual(['before'])
    const nested = table([`${paragraph('{{#detail}}')}${paragraph('x')}${paragraph('{{/detail}}')}`, 'y'])
    expect(await filled(nested, none)).toEqual([' | y'])
    expect(await filled(table([rows + paragraph('')]), none)).toEqual([''])
    expect(await filled(paragraph('{{^detail}}none{{/detail}}'), none)).toEqual(['none'])
  })

  test('a table with two loops, of which one has rows', async () => {
    const body = table(['{{#detail}}{{Product}}', '{{/detail}}'], ['{{^detail}}none', '{{/detail}}'])
    expect(await filled(body)).toEqual(['Screws | ', 'Nails | ', '=1+1 | '])
    expect(await filled(body, appData([]))).toEqual(['none | '])
  })

  test('rows with pictures and bookmarks keep them', async () => {
    const row = wordPicture('{{logo}}', 1).replace(
      '<w:r>',
      '<w:bookmarkStart w:id="1" w:name="b"/><w:bookmarkEnd w:id="1"/><w:r>',
    )
    const { text } = await filledTemplate(wordTemplate(table(['{{#detail}}{{Product}}', row, '{{/detail}}'])))
    expect(wordText(text('word/document.xml'))).toEqual(['Screws | [logo] | ', 'Nails | [logo] | ', '=1+1 | [logo] | '])
    expect(text('word/document.xml').split('w:bookmarkStart')).toHaveLength(2)
    expect([...text('word/document.xml').matchAll(/wp:docPr id="(\d+)"/g)].map(([, id]) => id)).toEqual(['1', '2', '3'])
  })

  test('text boxes are filled by themselves and inside of loops, in their newer form', async () => {
    const body =
      textBox(paragraph('{{#detail}}{{Product}} {{/detail}}')) +
      paragraph('{{#detail}}') +
      textBox(paragraph('{{Sales}}')) +
      paragraph('{{/detail}}')
    const { text } = await filledTemplate(wordTemplate(body))
    const xml = text('word/document.xml')
    expect(xml).not.toContain('mc:Fallback')
    expect([...xml.matchAll(/<w:t[^>]*>([^<]+)/g)].map(([, one]) => one)).toEqual([
      'Screws',
      ' ',
      'Nails',
      ' ',
      '=1+1',
      ' ',
      '3,700.5',
      '300',
      '10',
    ])
  })

  test('copies have no second bookmark, paragraph number or content control number', async () => {
    const body = `${paragraph('{{#detail}}')}<w:p w14:paraId="11111111"><w:bookmarkStart w:id="7" w:name="here"/>${run('{{Product}}')}<w:bookmarkEnd w:id="7"/></w:p><w:sdt><w:sdtPr><w:id w:val="42"/></w:sdtPr><w:sdtContent>${paragraph('{{Sales}}')}</w:sdtContent></w:sdt>${paragraph('{{/detail}}')}`
    const xml = (await filledTemplate(wordTemplate(body))).text('word/document.xml')
    for (const once of ['w:bookmarkStart', 'w:bookmarkEnd', 'w14:paraId', '<w:id w:val="42"/>']) {
      expect(xml.split(once)).toHaveLength(2)
    }
    const none = (await filledTemplate(wordTemplate(body), { data: appData([]) })).text('word/document.xml')
    expect(none).not.toContain('bookmark')
  })

  test('a content control with a tag is no longer bound to other data', async () => {
    const body = `<w:sdt><w:sdtPr><w:dataBinding w:xpath="/a"/></w:sdtPr><w:sdtContent>${paragraph('{{revenue}}')}</w:sdtContent></w:sdt>`
    expect((await filledTemplate(wordTemplate(body))).text('word/document.xml')).not.toContain('dataBinding')
  })
})

describe('levels', () => {
  const section = (inner: string, options = '') =>
    paragraph(`{{@region${options}}}`) + inner + paragraph('{{/@region}}')

  test('a section for each value, with its own values and picture', async () => {
    const drawn: string[] = []
    const body = section(
      paragraph('{{region}}: {{revenue}}') +
        wordPicture('{{salesChart}}', 5) +
        table(['{{#detail}}{{Product}}', '{{/detail}}']),
    )
    const { text, parts } = await filledTemplate(wordTemplate(body + paragraph('All: {{revenue}}')), {
      chartPicture: async ({ data, widthPx, heightPx }) => {
        const revenue = (await data.evaluate('=Sum(Sales)')).text
        drawn.push(`${revenue} ${widthPx}x${heightPx}`)
        return new TextEncoder().encode(revenue)
      },
    })
    expect(wordText(text('word/document.xml'))).toEqual([
      'Nord: 1,500.5',
      '[salesChart]',
      'Screws | ',
      'Nails | ',
      'Süd: 2,500',
      '[salesChart]',
      'Screws | ',
      'West: 10',
      '[salesChart]',
      '=1+1 | ',
      'All: 4,010.5',
    ])
    expect(drawn).toEqual(['1,500.5 300x200', '2,500 300x200', '10 300x200'])
    expect(['word/media/footman1.png', 'word/media/footman2.png', 'word/media/footman3.png'].map(text)).toEqual([
      '1,500.5',
      '2,500',
      '10',
    ])
    const ids = [...text('word/document.xml').matchAll(/wp:docPr id="(\d+)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(3)
    expect(parts.has('word/media/image1.png')).toBe(false)
    expect(text('word/_rels/document.xml.rels')).not.toContain('image1.png')
  })

  test('pageBreak begins each section but the first on a new page', async () => {
    expect(await filled(section(paragraph('{{region}}'), ' pageBreak'))).toEqual(['Nord', '(page)Süd', '(page)West'])
    const styled = '<w:p><w:pPr><w:pStyle w:val="A"/><w:jc w:val="left"/></w:pPr><w:r><w:t>{{region}}</w:t></w:r></w:p>'
    const { text } = await filledTemplate(wordTemplate(section(styled, ' pageBreak')))
    expect(text('word/document.xml')).toContain('<w:pStyle w:val="A"/><w:pageBreakBefore/><w:jc w:val="left"/>')
    expect(await filled(section(table(['{{region}}']), ' pageBreak'))).toEqual([
      'Nord',
      '(page)',
      'Süd',
      '(page)',
      'West',
    ])
  })

  test('levels in levels', async () => {
    const inner =
      paragraph('{{@product}}') + paragraph('{{region}} {{product}} {{revenue}}') + paragraph('{{/@product}}')
    expect(await filled(section(inner))).toEqual([
      'Nord Screws 1,200.5',
      'Nord Nails 300',
      'Süd Screws 2,500',
      'West =1+1 10',
    ])
  })
})

describe('other parts', () => {
  test('headers and footnotes', async () => {
    const footnotes = `<w:footnote w:id="0">${paragraph('')}</w:footnote><w:footnote w:id="2">${paragraph('{{report.name}}')}</w:footnote>`
    const { text } = await filledTemplate(wordTemplate(paragraph('x'), { header: paragraph('{{filter}}'), footnotes }))
    expect(wordText(text('word/header1.xml'))).toEqual(['Year: 2024, 2025'])
    expect(wordText(text('word/footnotes.xml'))).toEqual(['', 'Sales pack'])
  })

  test('parts without tags are equal byte for byte, and equal data gives equal files', async () => {
    const template = wordTemplate(paragraph('{{revenue}}'), { header: paragraph('plain') })
    const [first, second] = [await filledTemplate(template), await filledTemplate(template)]
    expect(Buffer.from(first.bytes).equals(Buffer.from(second.bytes))).toBe(true)
    for (const path of ['word/header1.xml', 'word/styles.xml', 'word/media/image1.png']) {
      expect(Buffer.from(first.parts.get(path)!.packed)).toEqual(Buffer.from(second.parts.get(path)!.packed))
      expect(first.text(path)).toBe(typeof template[path] === 'string' ? template[path] : first.text(path))
    }
  })

  test('an image keeps its proportions in the box', async () => {
    const { text } = await filledTemplate(wordTemplate(wordPicture('{{logo}}')))
    // 2 x 3 pixels in 300 x 200: the box is 2.25 times as wide as the picture.
    expect(text('word/document.xml')).toContain('<a:srcRect l="-62500" r="-62500"/>')
    expect(text('word/document.xml')).toContain('descr="logo"')
  })

  test('a table of contents is computed anew when the file is opened', async () => {
    const body = `<w:p><w:r><w:instrText> TOC \\o "1-3" </w:instrText></w:r></w:p>${paragraph('{{revenue}}')}`
    const settings = '<w:zoom w:percent="100"/><w:compat/>'
    const { text } = await filledTemplate(wordTemplate(body, { settings }))
    expect(text('word/settings.xml')).toContain('<w:zoom w:percent="100"/><w:updateFields w:val="true"/><w:compat/>')
  })
})

describe('a field', () => {
  const char = (type: string) => `<w:r><w:fldChar w:fldCharType="${type}"/></w:r>`
  const code = (...texts: readonly string[]) =>
    texts.map((text) => `<w:r><w:instrText xml:space="preserve">${text}</w:instrText></w:r>`).join('')
  const field = (...texts: readonly string[]) =>
    `<w:p>${char('begin')}${code(...texts)}${char('separate')}${run('0')}${char('end')}</w:p>`
  const bookmark = (name: string, content: string) =>
    `<w:bookmarkStart w:id="7" w:name="${name}"/>${content}<w:bookmarkEnd w:id="7"/>`

  test.each([
    ['a formula', table(['a', '{{revenue}}'], ['', field(' =SUM(ABOVE) ')]), '{ =SUM(ABOVE) }'],
    ['a simple one', '<w:p><w:fldSimple w:instr=" =B2+B3 "/></w:p>', '{ =B2+B3 }'],
    ['a condition', field(' IF 1 &gt; 0 "high" "low" '), '{ IF 1 > 0 "high" "low" }'],
    [
      'a reference to a filled text',
      bookmark('tot', paragraph('{{revenue}}')) + field(' REF tot \\h '),
      '{ REF tot \\h }',
    ],
    [
      'one by the name alone',
      bookmark('tot', `<w:p>${run('{')}${run('{revenue}}')}</w:p>`) + field(' Tot '),
      '{ Tot }',
    ],
  ])('that Word computes from filled text: %s', async (_what, body, named) => {
    const parts = wordTemplate(body + paragraph('{{revenue}}'), { settings: '<w:compat/>' })
    const details = expect.stringContaining(
      `${named} keeps the result that it has in the template until Word computes it`,
    )
    expect((await checkedTemplate(parts)).warnings).toEqual([
      { code: 'TEMPLATE_REFERENCE', place: 'document', details },
    ])
    const { text, warnings } = await filledTemplate(parts)
    expect(text('word/settings.xml')).toContain('<w:updateFields w:val="true"/>')
    expect(warnings).toEqual([expect.stringContaining(`TEMPLATE_REFERENCE ${named} keeps`)])
  })

  test.each([
    ['a page number', field(' PAGE \\* MERGEFORMAT ')],
    ['a reference to other text', bookmark('tot', paragraph('one')) + field(' REF tot ')],
    ['a property that is not filled', field(' DOCPROPERTY Title ')],
  ])('that stays right: %s', async (_what, body) => {
    const parts = wordTemplate(body + paragraph('{{revenue}}'), { settings: '<w:compat/>' })
    const { text, warnings } = await filledTemplate(parts)
    expect([...warnings, ...(await checkedTemplate(parts)).warnings]).toEqual([])
    expect(text('word/settings.xml')).not.toContain('updateFields')
  })

  test.each([
    ['at once', field(' IF {{revenue}} &gt; 100 "high" "low" ')],
    ['in pieces', field(' = {', '{revenue}} * 2 ')],
    ['in a simple field', '<w:p><w:fldSimple w:instr=" = {{revenue}} * 2 "/></w:p>'],
    [
      'in a field of a field',
      `<w:p>${char('begin')}${code(' IF ')}${field(' REF {{revenue}} ').slice(5, -6)}${char('end')}</w:p>`,
    ],
  ])('with a tag in its code %s is refused', async (_what, body) => {
    expect(await problems(body)).toEqual([
      expect.stringMatching(
        /^TEMPLATE_UNSUPPORTED document: the field \{ .* \} has a tag in its code, which is not filled/,
      ),
    ])
    expect(await problems(paragraph('{{revenue}}'), body)).toEqual([
      expect.stringContaining('TEMPLATE_UNSUPPORTED header 1'),
    ])
  })
})

describe('a row of a table', () => {
  test('keeps its other cells when a condition of some cells is not met', async () => {
    expect(
      await filled(table(['{{^detail}}no', 'rows{{/detail}}', '77'], ['{{^detail}}no', 'rows{{/detail}}'])),
    ).toEqual([' |  | 77'])
    const list = ['{{#detail}}{{Product}}', '{{^revenue}}a', 'b{{/revenue}}', '{{Sales}}{{/detail}}']
    expect(await filled(table(list))).toEqual(['Screws |  |  | 3,700.5', 'Nails |  |  | 300', '=1+1 |  |  | 10'])
  })

  test('of a list stays when a list within it has no row', async () => {
    const base = templateReport()
    const none = base.data.flatMap((one) => {
      if (one.type !== 'table') return []
      return [{ ...one, key: 'none', maxRows: 0, columns: [{ ...one.columns[0]!, key: 'Name', expr: 'Region' }] }]
    })
    const report = { ...base, data: [...base.data, ...none] }
    const list = table(['{{#detail}}{{Product}}', '{{#none}}{{Name}}', 'x{{/none}}', '{{Sales}}{{/detail}}'])
    const { text } = await filledTemplate(wordTemplate(list), { report })
    expect(wordText(text('word/document.xml'))).toEqual([
      'Screws |  |  | 3,700.5',
      'Nails |  |  | 300',
      '=1+1 |  |  | 10',
    ])
  })
})

describe('what all copies would share', () => {
  const level = (content: string) => paragraph('{{@region}}') + content + paragraph('{{/@region}}')
  const note = (kind: 'foot' | 'end', id: number) => `<w:p><w:r><w:${kind}noteReference w:id="${id}"/></w:r></w:p>`
  const noteText = (id: number, text: string) => `<w:footnote w:id="${id}">${paragraph(text)}</w:footnote>`
  const footnotes = noteText(2, 'Note {{revenue}}') + noteText(3, 'Note')
  const refused = async (body: string, options: Parameters<typeof wordTemplate>[1]) =>
    (await checkedTemplate(wordTemplate(body, options))).problems.map(({ details }) => details)

  test('a note with a tag in a level or loop is refused, elsewhere and without a tag it is not', async () => {
    const body = paragraph('{{revenue}}')
    expect(await refused(level(note('foot', 2)), { footnotes })).toEqual([
      'a footnote within {{@region}} has tags, and all copies would show its values for the whole app; put them into the text',
    ])
    expect(await refused(level(note('foot', 3)) + note('foot', 2) + body, { footnotes })).toEqual([])
    expect(await refused(table(['{{#detail}}{{Product}}', `x{{/detail}}`]) + note('foot', 2), { footnotes })).toEqual(
      [],
    )
  })

  test('the header of a section in a level', async () => {
    const section = '<w:p><w:pPr><w:sectPr><w:headerReference w:type="default" r:id="rId2"/></w:sectPr></w:pPr></w:p>'
    expect(await refused(level(section), { header: paragraph('{{revenue}}') })).toEqual([
      expect.stringMatching(/^the header of a section within \{\{@region\}\} has tags/),
    ])
    expect(await refused(level(section) + paragraph('{{revenue}}'), { header: paragraph('plain') })).toEqual([])
  })
})

describe('a tag outside of the text', () => {
  const MATH = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
  test.each([
    [
      'an equation',
      `<w:p><m:oMath ${MATH}><m:r><m:t>{{rev</m:t></m:r><m:r><m:t>enue}}</m:t></m:r></m:oMath></w:p>`,
      'equations',
    ],
    [
      'an entry of a list',
      '<w:sdt><w:sdtPr><w:dropDownList><w:listItem w:displayText="{{revenue}}" w:value="1"/></w:dropDownList></w:sdtPr><w:sdtContent><w:p/></w:sdtContent></w:sdt>',
      '<listItem displayText>',
    ],
    ['the hint of a link', '<w:p><w:hyperlink w:anchor="a" w:tooltip="{{revenue}}"/></w:p>', '<hyperlink tooltip>'],
  ])('in %s is refused', async (_what, body, named) => {
    expect(await problems(body)).toEqual([
      expect.stringContaining(`TEMPLATE_UNSUPPORTED document: tags in ${named} are not filled`),
    ])
  })

  test.each(['https://x.example/?r={{revenue}}', 'mailto:a@b.example?subject=%7b%7Brevenue}}'])(
    'in the address %s is refused',
    async (address) => {
      const parts = wordTemplate(paragraph('{{revenue}}'))
      const path = 'word/_rels/document.xml.rels'
      const link = `<Relationship Id="rId91" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink" Target="${address}" TargetMode="External"/></Relationships>`
      const linked = { ...parts, [path]: String(parts[path]).replace('</Relationships>', link) }
      expect((await checkedTemplate(linked)).problems).toEqual([
        {
          code: 'TEMPLATE_UNSUPPORTED',
          place: 'word/document.xml',
          details: expect.stringContaining('has a tag, which is not filled'),
        },
      ])
    },
  )
})

describe('problems', () => {
  test('all unknown tags with their places', async () => {
    const body =
      paragraph('ok') +
      table(['a', '{{nope}}'], ['b', table(['{{never}}']) + paragraph('')]) +
      paragraph('ok') +
      paragraph('{{revenu}}') +
      textBox(paragraph('{{none}}'))
    expect(await problems(body, paragraph('{{zip}}'))).toEqual([
      'TEMPLATE_TAG_UNKNOWN document, table 1, row 1, cell 2: {{nope}}: no data binding, column or level has this name; nearest: "top"',
      'TEMPLATE_TAG_UNKNOWN document, table 1, row 2, cell 2, table 1, row 1, cell 1: {{never}}: no data binding, column or level has this name',
      'TEMPLATE_TAG_UNKNOWN document, paragraph 3: {{revenu}}: no data binding, column or level has this name; nearest: "revenue"',
      'TEMPLATE_TAG_UNKNOWN document, text box 1, paragraph 1: {{none}}: no data binding, column or level has this name',
      'TEMPLATE_TAG_UNKNOWN header 1, paragraph 1: {{zip}}: no data binding, column or level has this name; nearest: "top"',
    ])
  })

  test.each<[string, string[]]>([
    [
      paragraph('{{#detail}}'),
      ['TEMPLATE_LOOP document, paragraph 1: {{#detail}}: the closing tag {{/detail}} is missing'],
    ],
    [
      paragraph('{{#detail}}') + table(['{{Product}}{{/detail}}']),
      ['TEMPLATE_LOOP document, paragraph 1: {{#detail}}: the loop crosses a table or a cell'],
    ],
    [
      table(['{{#detail}}']) + table(['{{/detail}}']),
      ['TEMPLATE_LOOP document, table 1, row 1, cell 1: {{#detail}}: the loop crosses a table or a cell'],
    ],
    [
      paragraph('a {{@region}}') + paragraph('{{/@region}}'),
      [
        'TEMPLATE_LOOP document, paragraph 1: {{@region}}: the tags of a level have to stand alone, each in a paragraph of its own',
      ],
    ],
    [
      paragraph('{{@region}}') + paragraph('{{@region}}') + paragraph('{{/@region}}') + paragraph('{{/@region}}'),
      [
        'TEMPLATE_LOOP document, paragraph 2: {{@region}}: the level stands inside {{@region}}, but is not nested in it ("within" of the level)',
      ],
    ],
    [
      paragraph('{{#detail}}{{#$first}}{{#detail}}{{Product}}{{/detail}}{{/$first}}{{/detail}}'),
      [
        'TEMPLATE_LOOP document, paragraph 1: {{#detail}}: the loop over "detail" around it has the dimension Product too, but each of its rows would hold all rows of "detail"; make groups with a level of that field, or from one table that is sorted by it',
      ],
    ],
    [
      paragraph('{{#detail}}{{Produkt}}{{/detail}}'),
      [
        'TEMPLATE_TAG_UNKNOWN document, paragraph 1: {{Produkt}}: no data binding, column or level has this name; nearest: "Product"',
      ],
    ],
    [
      wordPicture('{{salesChar}}', 3),
      [
        'TEMPLATE_TAG_UNKNOWN picture "Picture 3" in the document: {{salesChar}}: no chart or image has this name; nearest: "salesChart"',
      ],
    ],
    [
      wordPicture('{{revenue}}', 3),
      [
        'TEMPLATE_TAG_UNKNOWN picture "Picture 3" in the document: {{revenue}}: a value is no picture; no chart or image has this name',
      ],
    ],
    [
      wordPicture('see {{logo}}', 3),
      [
        'TEMPLATE_INVALID picture "Picture 3" in the document: see {{logo}}: the alternative text has to be one tag alone',
      ],
    ],
    [paragraph('{{revenue'), ['TEMPLATE_INVALID document, paragraph 1: {{revenue: the tag is not closed by }}']],
  ])('%#', async (body, expected) => {
    expect(await problems(body)).toEqual(expected)
  })

  test('tags of a document', async () => {
    const body =
      paragraph('{{@region}}') +
      table(['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']) +
      wordPicture('{{logo}}') +
      paragraph('{{/@region}}')
    expect(
      (await checkedTemplate(wordTemplate(body))).tags.map(({ tag, kind, place }) => `${kind} ${tag} ${place}`),
    ).toEqual([
      'level region document, paragraph 1',
      'picture logo picture "Picture 1" in the document',
      'loop detail document, table 1, row 1, cell 1',
      'value Product document, table 1, row 1, cell 1',
      'value Sales document, table 1, row 1, cell 2',
    ])
  })
})

describe('paragraphs, tables and rows without tags', () => {
  /** Written as no library writes it, so that what was read into a tree and written anew shows. */
  const odd = (text: string) => `<w:p  w:rsidR='1'><w:r><w:t>${text}</w:t></w:r></w:p>`
  const oddRow = (text: string) => `<w:tr  w:rsidR='1'><w:tc><w:tcPr/>${odd(text)}</w:tc></w:tr>`
  const oddTable = (...rows: readonly string[]) => `<w:tbl><w:tblPr/><w:tblGrid/>${rows.join('')}</w:tbl>`

  test('stay as they are written, beside loops and in the rows of their table', async () => {
    const kept = [
      odd('first') + odd('second'),
      oddTable(oddRow('nested'), oddRow('rows')),
      oddRow('head'),
      oddRow('foot'),
      odd('last'),
    ]
    const [begin = '', whole = '', head = '', foot = '', end = ''] = kept
    const body =
      begin +
      whole +
      paragraph('{{#detail}}') +
      odd('in a loop') +
      paragraph('{{Product}}{{/detail}}') +
      oddTable(
        head,
        `<w:tr><w:tc>${paragraph('{{#detail}}{{Product}}')}</w:tc><w:tc>${paragraph('x{{/detail}}')}</w:tc></w:tr>`,
        foot,
      ) +
      end
    const { text } = await filledTemplate(wordTemplate(body))
    const xml = text('word/document.xml')
    for (const source of kept) expect(xml).toContain(source)
    expect(wordText(xml)).toEqual([
      'first',
      'second',
      'nested',
      'rows',
      'in a loop',
      'Screws',
      'in a loop',
      'Nails',
      'in a loop',
      '=1+1',
      'head',
      'Screws | x',
      'Nails | x',
      '=1+1 | x',
      'foot',
      'last',
    ])
    expect(xml).not.toContain('<!--')
  })

  test('are counted in the places of problems', async () => {
    const row = '<w:tr><w:tc><w:p><w:r><w:t>{{two}}</w:t></w:r></w:p></w:tc></w:tr>'
    const body =
      odd('a') +
      odd('b') +
      oddTable(oddRow('x')) +
      paragraph('{{one}}') +
      oddTable(oddRow('x'), oddRow('y'), row) +
      odd('c') +
      paragraph('{{three}}')
    const places = (await checkedTemplate(wordTemplate(body))).problems.map(({ place }) => place)
    expect(places).toEqual(['document, paragraph 3', 'document, table 2, row 3, cell 1', 'document, paragraph 5'])
  })

  test('numbers of drawings and bookmarks are unique in the whole document, also where a tag stands far away', async () => {
    const mark = (id: number) =>
      `<w:p><w:bookmarkStart w:id="${id}" w:name="m${id}"/><w:r><w:t>m</w:t></w:r><w:bookmarkEnd w:id="${id}"/></w:p>`
    const body =
      wordPicture('no tag', 7) +
      mark(1) +
      paragraph('{{#detail}}') +
      wordPicture('in a loop', 7) +
      mark(2) +
      paragraph('{{/detail}}')
    const xml = (await filledTemplate(wordTemplate(body))).text('word/document.xml')
    const ids = Array.from(xml.matchAll(/<wp:docPr id="(\d+)"/g), ([, id]) => id)
    expect([ids.length, new Set(ids).size]).toEqual([4, 4])
    expect(xml.match(/bookmarkStart/g)).toHaveLength(2)
  })
})

describe('the header row of a table', () => {
  const rows = table(['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}'], ['end', ''])
  const withHeader = (source: string, header: string) => source.replace('<w:tr>', `<w:tr><w:trPr>${header}</w:trPr>`)

  test.each(['<w:tblHeader/>', '<w:cantSplit/><w:tblHeader w:val="true"/>'])(
    'with %s is not repeated',
    async (header) => {
      expect(await problems(withHeader(rows, header))).toEqual([
        'TEMPLATE_LOOP document, table 1, row 1, cell 1: {{#detail}}: the loop repeats the header row of the table; begin it in the row below, or switch off "Repeat as header row" in the properties of the row',
      ])
    },
  )

  test.each<[string, string]>([
    ['a row with the setting switched off', withHeader(rows, '<w:tblHeader w:val="0"/>')],
    [
      'a loop within one of its cells',
      withHeader(table(['{{#detail}}{{Product}} {{/detail}}'], ['x']), '<w:tblHeader/>'),
    ],
    ['a condition', withHeader(table(['{{#revenue}}a', 'b{{/revenue}}'], ['x', 'y']), '<w:tblHeader/>')],
  ])('%s is taken', async (_what, body) => {
    expect(await problems(body)).toEqual([])
  })
})
