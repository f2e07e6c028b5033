import { expect, test } from 'bun:test'
import { checkTemplate } from '../../../../../src/reports/templates/index.ts'
import { zipOf } from '../../../../support/office.ts'
import { chartOverNames, facts, filledWorkbook, workbookReport } from '../../../../support/workbook.ts'

const CHART = 'xl/charts/chart1.xml'

test.each([
  ['[0]!products', '[0]!sales', ['Detail!$A$2:$A$4', 'Detail!$B$2:$B$4'], []],
  ["'sales.xlsx'!products", 'Detail!sold', ['Detail!$A$2:$A$4', 'Detail!$B$2:$B$4'], []],
  ['products', 'Detail!own', ['Detail!$A$2:$A$4', 'Detail!$B$2:$B$4'], []],
  // The cached values of cells that stay are right.
  ['[0]!products', '[0]!rates', ['Detail!$A$2:$A$4', '[0]!rates'], ['num']],
  ['[0]!heads', '[0]!sales', ['Detail!$A$1:$A$4', 'Detail!$B$2:$B$4'], []],
  ['Detail!$A$2:$A$2', '[0]!nowhere', ['Detail!$A$2:$A$4', '[0]!nowhere'], ['num']],
])('a chart of a PDF over %s and %s shows the filled cells', async (categories, values, formulas, caches) => {
  const parts = chartOverNames(categories, values)
  expect((await checkTemplate(await zipOf(parts), 'a.xlsx', workbookReport(), { maxTemplateMb: 25 })).problems).toEqual(
    [],
  )
  await using filled = await filledWorkbook(parts, { facts: facts(3), forPdf: true })
  const text = filled.text(CHART)
  expect(Array.from(text.matchAll(/<c:f>([^<]*)/g), ([, formula]) => formula!)).toEqual(formulas)
  expect(Array.from(text.matchAll(/<c:(num|str)Cache>/g), ([, kind]) => kind!)).toEqual(caches)
  expect(filled.warnings).toEqual([])
})

test('in a workbook the names stay, and a PDF says which values are missing', async () => {
  await using book = await filledWorkbook(chartOverNames('[0]!products', '[0]!sales'), { facts: facts(3) })
  expect(book.text(CHART).match(/(?<=<c:f>)[^<]*/g)).toEqual(['[0]!products', '[0]!sales'])
  expect(book.text(CHART)).not.toContain('Cache>')
  await using paper = await filledWorkbook(chartOverNames('[0]!products', '[0]!chosen'), {
    facts: facts(3),
    forPdf: true,
  })
  expect(paper.warnings).toEqual(['TEMPLATE_REFERENCE chart on Detail: the values of [0]!chosen are missing'])
  expect(paper.text(CHART)).not.toContain('Cache>')
})
