/** A Word template of 12 MB with a tag in every tenth paragraph: opened, checked and filled, as each run of its report does. */
import { join } from 'node:path'
import { checkDocument, fillDocument } from '../../src/reports/templates/document.ts'
import { createFindings, createNames } from '../../src/reports/templates/names.ts'
import { openPackage, writePackage } from '../../src/reports/templates/package.ts'
import { createScope } from '../../src/reports/templates/scope.ts'
import { zipOf } from '../support/office.ts'
import { appData, templateReport } from '../support/template-data.ts'
import { DOCUMENT_NAMES, paragraph, wordTemplate } from '../support/templates.ts'
import type { Measurement } from './report.ts'

const PARAGRAPHS = 55_000
const TAGGED_EVERY = 10
const MOST_SECONDS = 2

export async function measureTemplates(directory: string): Promise<Measurement[]> {
  const body = Array.from({ length: PARAGRAPHS }, (_, index) =>
    index % TAGGED_EVERY === 0 ? paragraph(`Revenue ${index}: {{revenue}} in all regions`) : plain(index),
  ).join('')
  const bytes = await zipOf(wordTemplate(body))
  const times: number[] = []
  // The first one loads the libraries, the others show the work itself.
  for (let run = 0; run < 3; run++) times.push(await timeOf(bytes, directory))
  const size = `${(body.length / 1e6).toFixed(0)} MB of XML`
  return [
    { name: 'templates: large Word file, first', value: times[0] ?? null, unit: 's', note: size },
    { name: 'templates: large Word file', value: Math.min(...times), unit: 's', atMost: MOST_SECONDS, note: size },
  ]
}

const plain = (index: number): string =>
  `<w:p w:rsidR="00112233"><w:pPr><w:pStyle w:val="Normal"/><w:spacing w:after="120"/></w:pPr><w:r><w:rPr><w:lang w:val="en-US"/></w:rPr><w:t xml:space="preserve">Paragraph ${index}, which has no tag and is copied as it is</w:t></w:r></w:p>`

async function timeOf(bytes: Uint8Array<ArrayBuffer>, directory: string): Promise<number> {
  const begin = performance.now()
  const opened = await openPackage(bytes, { maxTemplateMb: 25 })
  const report = templateReport()
  const checked = await checkDocument(opened, createNames(report, 'docx'), createFindings())
  const scope = createScope({
    request: {
      report,
      data: appData(),
      names: DOCUMENT_NAMES,
      locale: 'en-GB',
      timezone: 'UTC',
      warn: () => undefined,
      signal: new AbortController().signal,
    },
    format: 'docx',
    templateDirectory: directory,
    chartPicture: async () => new Uint8Array(),
    fonts: () => Promise.reject(new Error('the template has no charts')),
  })
  await writePackage(opened, join(directory, 'large.docx'), await fillDocument(opened, scope, checked, () => {}))
  return (performance.now() - begin) / 1000
}
