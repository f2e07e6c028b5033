import { afterAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { chartPicture } from '../../../src/reports/documents/charts/index.ts'
import { loadFonts } from '../../../src/reports/documents/fonts.ts'
import { createConverter } from '../../../src/reports/templates/converter.ts'
import { type Parts, unzip, zipOf } from '../../support/office.ts'
import { shape, slideChart, slidePicture, slideTable, slideTemplate } from '../../support/presentations.ts'
import { needs, program } from '../../support/servers.ts'
import { tempDirectory } from '../../support/temp.ts'
import { filledTemplate, paragraph, run, table, wordPicture, wordTemplate } from '../../support/templates.ts'

needs('pdftotext', 'soffice')

const soffice = program('soffice')
const pdftotext = program('pdftotext')
const directory = tempDirectory()
afterAll(() => directory.remove())

const converter = createConverter({
  temporaryDirectory: directory.join('temporary'),
  officeConverter: { enable: 'auto', path: '', timeoutSeconds: 120, parallel: 1 },
})

/** The lines of each page of the PDF that LibreOffice makes of a file, without empty ones and with single spaces. */
async function pagesOf(bytes: Uint8Array, format: 'docx' | 'pptx'): Promise<string[][]> {
  const [file, pdf] = [directory.join(`filled.${format}`), directory.join('filled.pdf')]
  await Bun.write(file, bytes)
  await converter.toPdf(file, format, pdf, new AbortController().signal)
  const text = spawnSync(pdftotext, ['-layout', pdf, '-'], { encoding: 'utf8' }).stdout
  const lines = (page: string) => page.split('\n').map((line) => line.trim().replaceAll(/\s+/g, ' '))
  return text
    .split('\f')
    .slice(0, -1)
    .map((page) => lines(page).filter((line) => line !== ''))
}

/** The parts of a template as LibreOffice writes them. */
async function savedByLibreOffice(bytes: Uint8Array, format: 'docx' | 'pptx'): Promise<Parts> {
  const file = directory.join(`template.${format}`)
  await Bun.write(file, bytes)
  const profile = `-env:UserInstallation=${pathToFileURL(directory.join('profile')).href}`
  const output = directory.join('saved')
  spawnSync(soffice, [profile, '--headless', '--norestore', '--convert-to', format, '--outdir', output, file])
  const parts = await unzip(new Uint8Array(readFileSync(`${output}/template.${format}`)))
  const isText = (path: string) => /\.(xml|rels)$/.test(path)
  return Object.fromEntries(
    Array.from(parts, ([path, { text, bytes: content }]) => [path, isText(path) ? text : content]),
  )
}

const WORD = wordTemplate(
  paragraph('Report {{report.name}}') +
    `<w:p>${run('Revenue: {')}${run('{reve', true)}${run('nue}')}${run('} in all', true)}</w:p>` +
    table(['Product', 'Sales'], ['{{#detail}}{{Product}}', '{{Sales | #,##0.00}}{{/detail}}']) +
    paragraph('{{@region pageBreak}}') +
    paragraph('Region {{region}}: {{revenue}}') +
    wordPicture('{{salesChart}}', 7) +
    table(['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']) +
    paragraph('{{/@region}}'),
  { header: paragraph('{{filter}}') },
)
const WORD_PAGES = [
  [
    'Year: 2024, 2025',
    'Report Sales pack',
    'Revenue: 4,010.5 in all',
    'Product Sales',
    'Screws 3,700.50',
    'Nails 300.00',
    '=1+1 10.00',
    'Region Nord: 1,500.5',
    'Screws 1,200.5',
    'Nails 300',
  ],
  ['Year: 2024, 2025', 'Region Süd: 2,500', 'Screws 2,500'],
  ['Year: 2024, 2025', 'Region West: 10', '=1+1 10'],
]
const slides = () =>
  slideTemplate(
    {
      content:
        shape('A', 0, ['Sum {', '{revenue', '}}']) +
        slideTable(2_000_000, ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']),
    },
    { content: shape('A', 0, '{{@region}}{{region}}: {{revenue}}') + slidePicture('{{salesChart}}') + slideChart },
  )
const SLIDE_PAGES = [
  ['Sum 4,010.5', 'Screws 3,700.5', 'Nails 300', '=1+1 10'],
  ['Nord: 1,500.5'],
  ['Süd: 2,500'],
  ['West: 10'],
]

describe('filled templates, opened by LibreOffice', () => {
  const fill = async (parts: Parts) => {
    const fonts = await loadFonts()
    return await filledTemplate(parts, { chartPicture: (request) => chartPicture({ ...request, fonts }) })
  }

  test('a document', async () => {
    const filled = await fill(WORD)
    expect(await pagesOf(filled.bytes, 'docx')).toEqual(WORD_PAGES)
  }, 120_000)

  test('a document that LibreOffice has saved', async () => {
    const filled = await fill(await savedByLibreOffice(await zipOf(WORD), 'docx'))
    expect(await pagesOf(filled.bytes, 'docx')).toEqual(WORD_PAGES)
    const pictures = [...filled.parts.keys()].filter((path) => path.startsWith('word/media/'))
    expect(pictures.sort()).toEqual([1, 2, 3].map((number) => `word/media/footman${number}.png`))
  }, 120_000)

  test('a presentation', async () => {
    const filled = await fill(await slides())
    const withoutAxes = (await pagesOf(filled.bytes, 'pptx')).map((lines) =>
      lines.filter((line) => !/^[\d AB]+$/.test(line)),
    )
    expect(withoutAxes).toEqual(SLIDE_PAGES)
  }, 120_000)

  test('a presentation that LibreOffice has saved', async () => {
    const filled = await fill(await savedByLibreOffice(await zipOf(await slides()), 'pptx'))
    const withoutAxes = (await pagesOf(filled.bytes, 'pptx')).map((lines) =>
      lines.filter((line) => !/^[\d AB]+$/.test(line)),
    )
    expect(withoutAxes).toEqual(SLIDE_PAGES)
  }, 120_000)
})
