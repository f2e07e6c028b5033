import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BlockContent } from '../../../../src/reports/documents/blocks.ts'
import { loadFonts } from '../../../../src/reports/documents/fonts.ts'
import { createRenderer } from '../../../../src/reports/documents/render.ts'
import type { Warn } from '../../../../src/reports/types.ts'
import {
  pdfEncryption,
  pdfFaults,
  pdfFonts,
  pdfImages,
  pdfInfo,
  pdfObjects,
  pdfPages,
  pdfWords,
} from '../../../support/pdf.ts'
import {
  chartBlock,
  column,
  EMPTY_CELL,
  generatedTable,
  numberCell,
  tableBlock,
  tableOf,
  textCell,
  writeTestPdf,
} from '../../../support/report-documents.ts'
import { packBlocks, packData } from '../../../support/report-pack.ts'
import { type Asked, RENDER_SETTINGS, renderRequest } from '../../../support/report-request.ts'
import { needs } from '../../../support/servers.ts'
import { tempDirectory } from '../../../support/temp.ts'

needs('pdftotext', 'qpdf')

const directory = tempDirectory()
afterAll(() => directory.remove())

let files = 0
async function pdf(
  blocks: readonly BlockContent[],
  members: Partial<Parameters<typeof writeTestPdf>[0]> = {},
): Promise<string> {
  files += 1
  const file = directory.join(`${files}.pdf`)
  await writeTestPdf({ file, blocks, ...members })
  expect(pdfFaults(file, members.password)).toBe('')
  return file
}
const textOf = async (...request: Parameters<typeof pdf>) => pdfPages(await pdf(...request)).join('\n')

const text = (markdown: string, title = ''): BlockContent => ({ type: 'text', key: 'text', title, markdown })
const SALES = tableOf(
  [column('Region'), column('Sales', { type: 'number' })],
  [
    [textCell('Öst'), numberCell(1234.5, '1 234,50')],
    [textCell('Väst'), numberCell(2, '2,00')],
  ],
  { totals: [EMPTY_CELL, numberCell(1236.5, '1 236,50')] },
)
const many = (rows: number, columns = 3) =>
  generatedTable(
    Array.from({ length: columns }, (_, index) =>
      index === 0 ? column('Name') : column(`Figure ${index}`, { type: 'number' }),
    ),
    rows,
    (row) =>
      Array.from({ length: columns }, (_, index) =>
        index === 0 ? textCell(`row ${row + 1}`) : numberCell(row * index, `${row * index}.00`),
      ),
  )

describe('a PDF', () => {
  test('shows its blocks in their order', async () => {
    const shown = await textOf([
      text('## Sales to date\n\nRevenue **rose** by `12 %`.\n\n- first\n- second'),
      {
        type: 'kpi',
        key: 'kpis',
        title: 'Key figures',
        items: [
          {
            label: 'Revenue',
            value: numberCell(5, '5 kr'),
            column: null,
            compare: { value: numberCell(4, '4 kr'), change: 0.25 },
          },
        ],
      },
      chartBlock('bar'),
      { type: 'note', key: 'n', title: 'Broken', text: 'This block cannot be shown.' },
      tableBlock(SALES),
    ])
    const expected = [
      'Sales to date',
      'Revenue rose by 12 %.',
      '• first',
      '• second',
      'Key figures',
      'Revenue',
      '5 kr',
      '▲ 25.0%',
      'vs 4 kr',
      'Trend',
      'January',
      'Май',
      'Broken',
      'This block cannot be shown.',
      'Detail',
      'Region',
      'Öst',
      '1 234,50',
      'Total',
      '1 236,50',
    ]
    let from = 0
    for (const part of expected) {
      const at = shown.indexOf(part, from)
      expect({ part, found: at >= 0 }).toEqual({ part, found: true })
      from = at
    }
  })

  test('embeds its fonts as subsets and draws charts as vectors', async () => {
    const file = await pdf([chartBlock('line'), chartBlock('donut', 'Share', 'share'), tableBlock(SALES)])
    const fonts = pdfFonts(file)
    expect(fonts.length).toBeGreaterThan(0)
    for (const font of fonts)
      expect(font).toMatch(/^[A-Z]{6}\+DejaVuSansCondensed\S*\s+CID TrueType\s+Identity-H\s+yes yes yes/)
    expect(pdfImages(file)).toEqual([])
  })

  test('has the format of the report', async () => {
    const size = async (page: object) => pdfInfo(await pdf([text('a')], { page }))['Page size']
    expect(await size({ size: 'A4' })).toBe('595.28 x 841.89 pts (A4)')
    expect(await size({ size: 'A4', orientation: 'landscape' })).toBe('841.89 x 595.28 pts (A4)')
    expect(await size({ size: 'A3' })).toBe('841.89 x 1190.55 pts (A3)')
    expect(await size({ size: 'Letter' })).toBe('612 x 792 pts (letter)')
  })

  test('says what it is', async () => {
    const info = pdfInfo(await pdf([text('a')], { created: new Date('2025-11-21T06:00:00Z') }))
    expect(info.Title).toBe('Sales pack')
    expect(info.Creator).toBe('Footman')
    expect(info.CreationDate).toContain('Nov 21 06:00:00 2025')
  })

  test('of equal data has equal bytes', async () => {
    const blocks = [text('# Sales'), chartBlock('bar'), tableBlock(SALES)]
    expect(readFileSync(await pdf(blocks)).equals(readFileSync(await pdf(blocks)))).toBe(true)
  })

  test('begins pages where the report asks for it, but none that is empty', async () => {
    const pageBreak: BlockContent = { type: 'pageBreak', key: 'b', title: '' }
    const pages = pdfPages(await pdf([pageBreak, text('first'), pageBreak, pageBreak, text('second')]))
    expect(pages.map((page) => page.trim())).toEqual(['first', 'second'])
  })

  test('has title, page number and number of pages on every page', async () => {
    const pages = pdfPages(
      await pdf([tableBlock(many(200))], {
        title: () => 'Sales pack Nord',
        subtitle: 'Region: Nord',
        footer: (page, count) => `Page ${page} of ${count}`,
      }),
    )
    expect(pages.length).toBeGreaterThan(3)
    for (const [index, page] of pages.entries()) {
      expect(page).toContain('Sales pack Nord')
      expect(page).toContain(`Page ${index + 1} of ${pages.length}`)
      expect(page.includes('Region: Nord')).toBe(index === 0)
    }
  })

  test('compresses its pages unless the options say no', async () => {
    const blocks = [tableBlock(many(500))]
    const [small, large] = [await pdf(blocks), await pdf(blocks, { compress: false })]
    expect(readFileSync(large).length).toBeGreaterThan(3 * readFileSync(small).length)
    expect(pdfPages(large)).toEqual(pdfPages(small))
  })
})

describe('a table', () => {
  test('repeats its header on every page and keeps every row', async () => {
    const pages = pdfPages(await pdf([tableBlock(many(300))]))
    expect(pages.length).toBeGreaterThan(4)
    for (const page of pages) expect(page).toMatch(/Name\s+Figure 1\s+Figure 2/)
    const rows = [...pages.join('\n').matchAll(/^\s*row (\d+)/gm)].map(([, row]) => Number(row))
    expect(rows).toEqual(Array.from({ length: 300 }, (_, index) => index + 1))
  })

  test('says how many rows were left out', async () => {
    const cut = { ...SALES, totalRows: 12_345 }
    expect(await textOf([tableBlock(cut)], { locale: 'en-GB' })).toContain('Showing the first 2 of 12,345 rows')
    expect(await textOf([tableBlock(SALES)])).not.toContain('Showing')
  })

  test('without rows says so', async () => {
    expect(await textOf([tableBlock(tableOf([column('Region')], []))])).toMatch(/Region[\s\S]*No rows/)
  })

  test('of many columns is split over pages; each part has all rows and the first column', async () => {
    const pages = pdfPages(await pdf([tableBlock(many(20, 60))]))
    const shown = pages.join('\n')
    const parts = [...shown.matchAll(/Detail, columns (\d+)–(\d+) of 60/g)].map(([, from, to]) => [
      Number(from),
      Number(to),
    ])
    expect(parts.length).toBeGreaterThan(1)
    expect(parts[0]?.[0]).toBe(1)
    expect(parts.at(-1)?.[1]).toBe(60)
    for (const [index, [from]] of parts.entries()) if (index > 0) expect(from).toBe(parts[index - 1]![1]! + 1)
    expect([...shown.matchAll(/row 20\b/g)]).toHaveLength(parts.length)
    for (let number = 1; number < 60; number += 1) {
      expect(shown).toContain(`${19 * number}.00`)
    }
  })

  const LONG = `begin ${'word '.repeat(200)}end`
  const longTable = (columns: number, maxLines?: number) =>
    tableOf(
      [
        column('Text', maxLines === undefined ? {} : { maxLines }),
        ...Array.from({ length: columns - 1 }, (_, n) => column(`Text ${n}`)),
      ],
      Array.from({ length: 5 }, (_, row) =>
        Array.from({ length: columns }, (_, at) => textCell(at === 0 && row > 2 ? LONG : 'short')),
      ),
    )

  test.each([
    ['shows all of a long text in a table with few columns', 3, undefined, 2, []],
    [
      'cuts it in a table with many columns, and says so',
      7,
      undefined,
      0,
      ['column "Text": 2 texts are longer than 3 lines'],
    ],
    ['cuts it where its column says so', 2, 1, 0, ['column "Text": 2 texts are longer than 1 lines']],
    ['shows more of it where its column says so', 7, 100, 2, []],
  ] as const)('%s', async (_what, columns, maxLines, ends, expected) => {
    const warnings: string[] = []
    const warn: Warn = (code, details, block) => warnings.push(`${code} ${block} ${details}`)
    const shown = await textOf([tableBlock(longTable(columns, maxLines))], { warn })
    expect(shown.match(/\bend\b/g) ?? []).toHaveLength(ends)
    expect(shown.includes('…')).toBe(ends === 0)
    expect(warnings).toEqual(expected.map((details) => `TEXT_TRUNCATED detail ${details}`))
  })

  test('a text that is longer than a page is cut at its end, and that is said', async () => {
    const warnings: string[] = []
    const table = tableOf([column('Text')], [[textCell('x')], [textCell('line\n'.repeat(300))], [textCell('last')]])
    const shown = await textOf([tableBlock(table)], { warn: (code) => warnings.push(code) })
    expect(shown.match(/line/g)!.length).toBeGreaterThan(40)
    expect(shown).toContain('last')
    expect(warnings).toEqual(['TEXT_TRUNCATED'])
  })

  test('never cuts a number', async () => {
    const table = tableOf(
      [column('Text'), column('Number', { type: 'number' })],
      [
        ...Array.from({ length: 400 }, () => [textCell('short'), numberCell(1)]),
        [textCell('long'), numberCell(1, '123 456 789 012 345 678 901 234 567 890')],
      ],
    )
    expect(await textOf([tableBlock(table)])).toContain('123 456 789 012 345 678 901 234 567 890')
  })

  test('shows text of other scripts', async () => {
    const scripts = ['Ελληνικά', 'Кириллица', 'Tiếng Việt', '▲ ▼ ✓ →', '½ € ∑']
    const shown = await textOf([
      tableBlock(
        tableOf(
          [column('Text')],
          scripts.map((script) => [textCell(script)]),
        ),
      ),
    ])
    // Poppler drops narrow spaces between signs.
    const dense = shown.replaceAll(/\s/gu, '')
    for (const script of scripts) expect(dense).toContain(script.replaceAll(' ', ''))
  })
})

describe('fonts', () => {
  /** A sign that the built-in font lacks and this one has. */
  const SIGN = '\u{233a}'
  const mono = fileURLToPath(import.meta.resolve('dejavu-fonts-ttf/ttf/DejaVuSansMono.ttf'))

  test('characters that the built-in font lacks come from an additional one', async () => {
    const fonts = await loadFonts([mono])
    const table = tableOf([column(`Label ${SIGN}`)], [[textCell(`value ${SIGN} end`)]])
    const file = await pdf([text(`**bold ${SIGN}**`), tableBlock(table)], { fonts })
    expect(pdfPages(file).join('\n').replaceAll(/ +/g, ' ')).toMatch(
      new RegExp(`bold ?${SIGN}[\\s\\S]*Label ?${SIGN}[\\s\\S]*value ?${SIGN} ?end`),
    )
    expect(pdfFonts(file).some((font) => font.includes('DejaVuSansMono'))).toBe(true)
    expect(fonts.takeMissing()).toEqual([])
  })

  test('a chart with such characters is a picture, since vectors have one font', async () => {
    const fonts = await loadFonts([mono])
    const chart = chartBlock('bar')
    const labelled = (label: string) =>
      chart.type === 'chart'
        ? {
            ...chart,
            chart: {
              ...chart.chart,
              dimensions: [column('Month')],
              rows: [[textCell(label), numberCell(1), numberCell(2)]],
            },
          }
        : chart
    expect(pdfImages(await pdf([labelled(SIGN)], { fonts }))).not.toEqual([])
    expect(pdfImages(await pdf([labelled('plain')], { fonts }))).toEqual([])
  })

  test('a character that no font has is reported', async () => {
    const fonts = await loadFonts([])
    await pdf([text('漢字')], { fonts })
    expect(fonts.takeMissing()).toEqual(['漢', '字'])
  })

  /** Words of the first page from left to right. */
  async function wordsOf(...values: readonly string[]): Promise<readonly string[]> {
    const file = await pdf([
      tableBlock(
        tableOf(
          [column('T')],
          values.map((value) => [textCell(value)]),
        ),
      ),
    ])
    return pdfWords(file).slice(-values.join(' ').split(/\s/).length)
  }

  test.each([
    ['Hebrew words from right to left', 'שלום עולם טוב', ['טוב', 'עולם', 'שלום']],
    ['Arabic words from right to left', 'مرحبا بالعالم العربي', ['العربي', 'بالعالم', 'مرحبا']],
    [
      'Latin words and numbers between Hebrew ones',
      'חברת ABC בעם (2024) סניף 12',
      ['12', 'סניף', '(2024)', 'בעם', 'ABC', 'חברת'],
    ],
    ['a Hebrew name in a Latin text', 'Customer שלום עולם Ltd', ['Customer', 'עולם', 'שלום', 'Ltd']],
    ['Arabic digits from left to right', '٢٬٠٢٤', ['٢٬٠٢٤']],
    ['Persian and Arabic digits in a Latin text', 'Text ۲۰۷۳٫۵ and ١٢٣ end', ['Text', '۲۰۷۳٫۵', 'and', '١٢٣', 'end']],
    ['digits in Latin words', 'price ١٢٫٥kg', ['price', '١٢٫٥kg']],
    ['a date and a time in Arabic digits', '٢٧/١١/٢٠٢٦ ٩:٢٨', ['٩:٢٨', '٢٧/١١/٢٠٢٦']],
    ['an Arabic name with a number', 'فرع ١٢٣ Nord', ['Nord', '١٢٣', 'فرع']],
    ['a tab as a space', 'left\tright', ['left', 'right']],
    ['no control characters', 'le\u0001ft', ['left']],
  ])('the words of a line: %s', async (_what, value, expected) => {
    expect(await wordsOf(value)).toEqual(expected)
  })

  const ARABIC = 'عدد ٢٬٠٢٤'

  test.each<[string, BlockContent, readonly string[]]>([
    ['the title of a block', text('', ARABIC), ['٢٬٠٢٤', 'عدد']],
    ['a heading', text(`# ${ARABIC}`), ['٢٬٠٢٤', 'عدد']],
    ['an item of a list', text('- item ١٢٣'), ['•', 'item', '١٢٣']],
    ['words in several styles', text('عدد **٢٬٠٢٤** فرع `code x` تم'), ['تم', 'code', 'x', 'فرع', '٢٬٠٢٤', 'عدد']],
    ['a bold Hebrew word in a Latin text', text('Customer **שלום** עולם Ltd'), ['Customer', 'עולם', 'שלום', 'Ltd']],
    [
      'a figure and what it is compared with',
      {
        type: 'kpi',
        key: 'kpi',
        title: '',
        items: [
          {
            label: ARABIC,
            value: numberCell(2073.5, '۲٬۰۷۳٫۵'),
            column: null,
            compare: { value: numberCell(1, '١٢٫٥'), change: 0.25 },
          },
        ],
      },
      ['٢٬٠٢٤', 'عدد', '۲٬۰۷۳٫۵', '▲', '25.0%', 'vs', '١٢٫٥'],
    ],
    [
      'a table with totals',
      tableBlock(
        tableOf([column('عدد'), column('١٢', { type: 'number' })], [[textCell('a'), numberCell(2, '٢٬٠٢٤')]], {
          totals: [EMPTY_CELL, numberCell(3, '٢٬٠٢٥')],
        }),
        '',
      ),
      ['عدد', '١٢', 'a', '٢٬٠٢٤', 'Total', '٢٬٠٢٥'],
    ],
  ])('follow the direction of their letters: %s', async (_what, block, expected) => {
    expect(pdfWords(await pdf([block]))).toEqual([...expected])
  })

  test('the lines at the head and foot of a page follow the direction of their letters', async () => {
    const file = await pdf([text('body')], {
      title: () => 'Report ٢٧/١١/٢٠٢٦',
      subtitle: 'فرع: ١٢٣',
      footer: (page) => `صفحة ${page} من ٢٣`,
    })
    expect(pdfWords(file)).toEqual(['Report', '٢٧/١١/٢٠٢٦', '١٢٣', 'فرع:', 'body', '٢٣', 'من', '1', 'صفحة'])
  })

  test('a chart with Hebrew or Arabic is a picture, as vectors have their words in the order of reading', async () => {
    const chart = chartBlock('bar')
    if (chart.type !== 'chart') throw new Error('no chart')
    const rows = [[textCell('שלום עולם'), numberCell(1), numberCell(2)]]
    const labelled = { ...chart, chart: { ...chart.chart, dimensions: [column('Month')], rows } }
    expect(pdfImages(await pdf([labelled]))).not.toEqual([])
  })

  test('scripts that need shaping are drawn', async () => {
    const shown = await textOf([
      tableBlock(tableOf([column('Text')], [[textCell('שלום')], [textCell('مرحبا')], [textCell('e\u0301')]])),
    ])
    expect(shown.length).toBeGreaterThan(20)
    // Poppler turns the letters of a line from right to left; each of them is there.
    for (const letter of 'שלוםe') expect(shown).toContain(letter)
  })
})

describe('Markdown', () => {
  test('shows raw HTML as text and follows only links of the web and mail', async () => {
    const file = await pdf([
      text(
        '<script>alert(1)</script>\n\nA [page](https://qlik.company.com/a?b=1&c=2), [mail](mailto:a@b.com), [bad](javascript:alert(1)), [file](file:///etc/passwd) &amp; <b>bold</b>.',
      ),
    ])
    const shown = pdfPages(file).join('\n')
    expect(shown).toContain('<script>alert(1)</script>')
    expect(shown).toContain('A page, mail, bad, file & <b>bold</b>.')
    const links = [...pdfObjects(file).matchAll(/\/URI \((.*)\)/g)].map(([, link]) => link)
    expect(links).toEqual(['https://qlik.company.com/a?b=1&c=2', 'mailto:a@b.com'])
  })

  test('draws headings, lists, tables, quotes and code', async () => {
    const shown = await textOf([
      text(
        '# One\n\n1. a\n2. b\n   - c\n\n| R | S |\n|---|--:|\n| Nord | 12 |\n\n> quoted\n\n```\nLOAD *;\n\nSTORE;\n```\n\nfirst  \nsecond\n\n![the picture](https://x/y.png)',
      ),
    ])
    for (const part of [
      'One',
      '1. a',
      '2. b',
      '• c',
      'Nord',
      '12',
      'quoted',
      'LOAD *;',
      'STORE;',
      'first\n',
      'the picture',
    ]) {
      expect(shown.replaceAll(/ +/g, ' ')).toContain(part)
    }
  })
})

describe('protection and archives', () => {
  const password = 'correct horse battery'

  test('a password encrypts by AES-256 and is needed to open', async () => {
    const file = await pdf([text('secret figures')], { password })
    expect(pdfEncryption(file, password)).toMatch(/stream encryption method: AESv3[\s\S]*file encryption method: AESv3/)
    expect(pdfEncryption(file, password)).toContain('print high resolution: allowed')
    expect(pdfFaults(file)).toContain('invalid password')
    expect(pdfFaults(file, 'wrong horse battery')).toContain('invalid password')
    expect(readFileSync(file).includes('Sales pack')).toBe(false)
  })

  test('an archive is marked as PDF/A-3b and has its colour profile', async () => {
    const file = await pdf([text('# a [link](https://a.b/)'), chartBlock('bar'), tableBlock(SALES)], { archive: true })
    const objects = pdfObjects(file)
    expect(objects).toContain('<pdfaid:part>3</pdfaid:part>')
    expect(objects).toContain('<pdfaid:conformance>B</pdfaid:conformance>')
    expect(objects).toContain('/GTS_PDFA1')
    expect(objects).toContain('acspMSFT'.slice(0, 4))
    expect(objects).toMatch(/\/F 4\b/)
    expect(objects).not.toContain('/Encrypt')
  })

  test('an archive embeds its fonts, says the same in its metadata, and uses the colours of its profile', async () => {
    const file = await pdf([text('Ελλάδα → 5'), chartBlock('bar')], { archive: true })
    const objects = pdfObjects(file)
    // Every font is embedded: the column `emb` of pdffonts.
    expect(pdfFonts(file).length).toBeGreaterThan(0)
    for (const font of pdfFonts(file)) expect(font).toMatch(/ Identity-H +yes yes yes /)
    // Readers that know no PDF find the metadata, which says the same as the information of the document.
    const raw = readFileSync(file).toString('latin1')
    const metadata = /<x:xmpmeta.*<\/x:xmpmeta>/s.exec(raw)?.[0] ?? ''
    const shown = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(metadata)?.[1]
    const info = pdfInfo(file)
    expect(shown('pdf:Producer')).toBe(info.Producer)
    expect(shown('xmp:CreatorTool')).toBe(info.Creator)
    expect(/xml:lang="x-default">([^<]*)</.exec(metadata)?.[1]).toBe(info.Title)
    expect(new Date(shown('xmp:CreateDate') ?? '')).toEqual(new Date(info.CreationDate ?? ''))
    expect(objects).toMatch(/\/ID \[<[0-9a-f]{32}><[0-9a-f]{32}>\]/)
    expect(raw).toMatch(/^%PDF-1\.7\n%[\x80-\xff]{4}/)
    // Colours are those of the profile, and nothing acts by itself.
    expect(objects).toMatch(/\/DestOutputProfile \d+ 0 R/)
    expect(objects).not.toMatch(/\/DeviceCMYK|\/LZWDecode|\/JavaScript|\/OpenAction|\/AA\b|\/Interpolate true/)
  })
})

describe('a report as PDF', () => {
  const renderer = createRenderer(RENDER_SETTINGS, () => Promise.reject(new Error('no template is expected')))
  async function render(asked: Omit<Partial<Asked>, 'use'> & { readonly use?: object }): Promise<string> {
    files += 1
    const { request } = renderRequest({
      blocks: packBlocks,
      data: packData,
      directory: directory.path,
      fileName: `${files}.pdf`,
      ...asked,
      use: { format: 'pdf', ...asked.use },
    })
    await renderer.render(request)
    return request.file
  }

  test('has title and footer of the patterns, and the selections below the title', async () => {
    const page = { title: 'Sales {date:yyyy}, {app}', footer: '{report}: page {page} of {pages}' }
    const pages = pdfPages(await render({ page }))
    expect(pages[0]).toMatch(/Sales 2025, Sales[\s\S]*Region: Nord/)
    for (const [index, shown] of pages.entries())
      expect(shown).toContain(`Sales pack: page ${index + 1} of ${pages.length}`)
  })

  test('has the name of the report as title and page numbers unless it asks for others', async () => {
    const pages = pdfPages(await render({}))
    expect(pages[0]?.trimStart()).toStartWith('Sales pack')
    expect(pages[1]).toMatch(new RegExp(`\\b2 ?/ ?${pages.length}\\s*$`))
    expect(pdfPages(await render({ page: { footer: '' } }))[1]).not.toMatch(/2 ?\/ ?\d\s*$/)
  })

  test('is opened by the value of the secret', async () => {
    const file = await render({ use: { protect: { pdfPassword: 'secretRef:weekly' } } })
    expect(pdfFaults(file)).toContain('invalid password')
    expect(pdfFaults(file, 'value of weekly')).toBe('')
  })

  test('becomes an archive by its options', async () => {
    const file = await render({ use: { options: { pdf: { archive: true } } } })
    expect(pdfFaults(file)).toBe('')
    expect(pdfObjects(file)).toContain('<pdfaid:part>3</pdfaid:part>')
  })
})

describe('a failure leaves no file:', () => {
  test('a table that cannot be read', async () => {
    const file = directory.join('failed.pdf')
    const table = {
      ...SALES,
      async *pages() {
        yield [[textCell('a'), numberCell(1)]]
        throw new Error('the engine has gone')
      },
    }
    await expect(writeTestPdf({ file, blocks: [tableBlock(table)] })).rejects.toThrow('the engine has gone')
    expect(existsSync(file)).toBe(false)
  })

  test('an abort between pages', async () => {
    const file = directory.join('aborted.pdf')
    const abort = new AbortController()
    const table = generatedTable([column('A')], 100_000, (row) => {
      if (row === 5000) abort.abort(new Error('cancelled'))
      return [textCell(`${row}`)]
    })
    await expect(writeTestPdf({ file, blocks: [tableBlock(table)], signal: abort.signal })).rejects.toThrow('cancelled')
    expect(existsSync(file)).toBe(false)
  })

  test('a folder that does not exist; the rest of the data is not read then', async () => {
    const file = directory.join('missing', 'x.pdf')
    await expect(writeTestPdf({ file, blocks: [text('a')] })).rejects.toThrow('ENOENT')
    let last = 0
    const table = generatedTable([column('A')], 200_000, (row) => {
      last = row
      return [textCell(`${row}`)]
    })
    await expect(writeTestPdf({ file, blocks: [tableBlock(table)] })).rejects.toThrow('ENOENT')
    expect(last).toBeLessThan(150_000)
  })
})
