import { describe, expect, test } from 'bun:test'
import type { ChartPictureRequest } from '../../../../src/reports/documents/charts/index.ts'
import type { FontSet } from '../../../../src/reports/documents/fonts.ts'
import type { TemplateReport } from '../../../../src/reports/entities/report.ts'
import { createFindings, createNames } from '../../../../src/reports/templates/names.ts'
import { createScope, type Scope } from '../../../../src/reports/templates/scope.ts'
import { parseTags, type TagOf, type TextTag } from '../../../../src/reports/templates/tags.ts'
import type { DocumentNames } from '../../../../src/reports/types.ts'
import { tempDirectory } from '../../../support/temp.ts'
import { appData, SALES, templateReport } from '../../../support/template-data.ts'

const NAMES: DocumentNames = {
  task: 'Monday mail',
  project: 'Sales',
  report: 'Sales pack',
  key: 'pack',
  cycle: [{ field: 'Year', value: { text: '2024', number: 2024 } }],
  date: new Date('2025-11-20T23:30:00Z'),
  runId: 'run',
  seq: 1,
}

function documentScope(data = appData(), report = templateReport(), templateDirectory = '/none') {
  const drawn: ChartPictureRequest[] = []
  const warnings: string[] = []
  const scope = createScope({
    request: {
      report,
      data,
      names: NAMES,
      locale: 'en-GB',
      timezone: 'Europe/Stockholm',
      warn: (code, details) => void warnings.push(`${code} ${details}`),
      signal: new AbortController().signal,
    },
    format: 'docx',
    templateDirectory,
    chartPicture: async (request) => {
      drawn.push(request)
      return new Uint8Array([1])
    },
    fonts: async () => ({}) as FontSet,
  })
  return { scope, data, drawn, warnings }
}

const tag = <Kind extends 'value' | 'expression' | 'open'>(source: string) => parseTags(source)[0] as TagOf<Kind>
const text = (scope: Scope, source: string) => scope.text(tag(source) as TextTag)

describe('values of the document', () => {
  test.each([
    ['{{revenue}}', '4,010.5'],
    ['{{revenue | 0.00}}', '4010.50'],
    ['{{revenue.text}}', '4,010.5'],
    ['{{=Max(Sales)}}', '2,500'],
    ['{{detail.$count}}', '3'],
    ['{{detail.$total.Sales | #,##0.0}}', '4,010.5'],
    ['{{top.$count}}', '3'],
    ['{{app.name}}', 'Sales app'],
    ['{{app.lastReload | yyyy-MM-dd HH:mm}}', '2025-11-21 07:00'],
    ['{{run.date}}', '21 Nov 2025'],
    ['{{run.date | yyyy-MM-dd}}', '2025-11-21'],
    ['{{report.name}}', 'Sales pack'],
    ['{{task.name}}', 'Monday mail'],
    ['{{cycle.Year}}', '2024'],
    ['{{filter}}', 'Year: 2024, 2025'],
  ])('%s is %s', async (source, expected) => {
    expect(await text(documentScope().scope, source)).toBe(expected)
  })

  test('an expression is evaluated once', async () => {
    const { scope, data } = documentScope()
    await Promise.all([text(scope, '{{revenue}}'), text(scope, '{{revenue.text}}'), text(scope, '{{=Sum(Sales)}}')])
    await text(scope, '{{revenue}}')
    expect(data.evaluated).toEqual(['=Sum(Sales)', 'Sum(Sales)'])
  })

  test('a value that cannot be calculated names its binding', async () => {
    const { scope } = documentScope(appData(SALES, { '=Sum(Sales)': new Error('out of memory') }))
    expect(text(scope, '{{revenue}}')).rejects.toMatchObject({
      code: 'TEMPLATE_DATA_FAILED',
      details: 'revenue: out of memory',
    })
    expect(text(scope, '{{=Nope(1)}}')).rejects.toMatchObject({
      code: 'TEMPLATE_DATA_FAILED',
      details: '{{=Nope(1)}}: error in expression Nope(1)',
    })
  })

  test('a cycle field that the document lacks stops it', async () => {
    expect(text(documentScope().scope, '{{cycle.Month}}')).rejects.toMatchObject({
      code: 'TEMPLATE_TAG_UNKNOWN',
      details: '{{cycle.Month}}: the document has only the cycle fields Year',
    })
  })
})

describe('loops', () => {
  async function rows(scope: Scope, source: string, ...inner: string[]): Promise<string[]> {
    const lines: string[] = []
    for await (const row of scope.repeat(tag<'open'>(source))) {
      lines.push((await Promise.all(inner.map((one) => text(row, one)))).join(' '))
    }
    return lines
  }

  test('rows of a table with their numbers', async () => {
    const { scope, data } = documentScope()
    const columns = [
      '{{$index}}/{{$count}}',
      '{{$index}}',
      '{{$count}}',
      '{{$first}}',
      '{{$last}}',
      '{{Product}}',
      '{{Sales}}',
    ]
    expect(await rows(scope, '{{#detail}}', ...columns.slice(1), '{{detail.Sales | 0.0}}', '{{revenue}}')).toEqual([
      '1 3 1 0 Screws 3,700.5 3700.5 4,010.5',
      '2 3 0 0 Nails 300 300.0 4,010.5',
      '3 3 0 1 =1+1 10 10.0 4,010.5',
    ])
    expect(await scope.repeatCount(tag('{{#detail}}'))).toBe(3)
    expect(data.evaluated).toEqual(['table Product, Sales', '=Sum(Sales)'])
  })

  test('columns of an object are its labels', async () => {
    expect(await rows(documentScope().scope, '{{#top}}', '{{Product}}', '{{[Sales amount]}}')).toEqual([
      'Screws 3,700.5',
      'Nails 300',
      '=1+1 10',
    ])
  })

  test('a column that an object lacks stops the document', async () => {
    expect(rows(documentScope().scope, '{{#top}}', '{{Produkt}}')).rejects.toMatchObject({
      code: 'TEMPLATE_TAG_UNKNOWN',
      details: '{{Produkt}}: no data binding, column or level has this name; nearest: "Product"',
    })
  })

  test.each([
    ['{{#revenue}}', SALES, 1],
    ['{{^revenue}}', SALES, 0],
    ['{{#revenue}}', [], 0],
    ['{{^revenue}}', [], 1],
    ['{{^detail}}', SALES, 0],
    ['{{^detail}}', [], 1],
    ['{{#detail}}', [], 0],
    ['{{#app.name}}', SALES, 1],
  ])('%s over %p is kept %p times', async (source, facts, times) => {
    const { scope } = documentScope(appData(facts))
    expect(await rows(scope, source)).toHaveLength(times)
    expect(await scope.repeatCount(tag(source))).toBe(times)
  })

  const table = (key: string, expr: unknown, label?: string) => ({
    key,
    type: 'table',
    columns: [
      { key: 'Name', expr, kind: 'dimension', ...(label === undefined ? {} : { label }) },
      { key: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
    ],
  })
  const object = (key: string) => ({ key, type: 'object', objectId: 'JzKpQm' })
  const ALL_ROWS =
    'TEMPLATE_REFERENCE {{#inner}}: each row of the loop over "outer" around it holds all rows of "inner"; where only those of a group are meant, make groups with a level of the field of the group, or from one table that is sorted by it'
  const nested = (outer: unknown, inner: unknown) => {
    const report = templateReport({ data: [outer, inner] as TemplateReport['data'] })
    const findings = createFindings()
    const names = createNames(report, 'pptx')
    const frame = findings.check(tag('{{#outer}}'), 'slide 1', names)
    findings.check(tag('{{#inner}}'), 'slide 1', frame ? names.inside(frame) : names)
    const { scope, warnings } = documentScope(appData(), report)
    const run = async () => {
      let found = ''
      for await (const row of scope.repeat(tag('{{#outer}}'))) {
        for await (const inside of row.repeat(tag('{{#inner}}'))) found += `${await text(inside, '{{$index}}')} `
      }
      return found
    }
    const said = (list: readonly { readonly code: string; readonly details: string }[]) =>
      list.map(({ code, details }) => `${code} ${details}`)
    return { problems: said(findings.problems), checked: said(findings.warnings), run, warnings }
  }

  test.each([
    ['Region', 'Region', 'Region'],
    ['Region', '=Region', 'Region'],
    ['=[Region]', 'Region', 'Region'],
    ['="Region"', ' [Region]', 'Region'],
    [{ libraryId: 'abc' }, { libraryId: 'abc' }, 'of the master item abc'],
  ])('tables over %p and %p, nested, are refused: each group would hold all rows', async (one, other, name) => {
    expect(nested(table('outer', one), table('inner', other)).problems).toEqual([
      `TEMPLATE_LOOP {{#inner}}: the loop over "outer" around it has the dimension ${name} too, but each of its rows would hold all rows of "inner"; make groups with a level of that field, or from one table that is sorted by it`,
    ])
  })

  test.each([
    ['objects', object('outer'), object('inner')],
    ['an object in a table of its field', table('outer', 'Product'), object('inner')],
    ['an object in a table of its label', table('outer', 'Region', 'Product'), object('inner')],
    ['a table in an object', object('outer'), table('inner', 'Product')],
  ])('%s: refused when the columns of the object are known', async (_what, outer, inner) => {
    const { problems, checked, run } = nested(outer, inner)
    expect(problems).toEqual([])
    expect(checked).toEqual([`${ALL_ROWS}; a run refuses it where both have the same dimension`])
    expect(run()).rejects.toMatchObject({
      code: 'TEMPLATE_LOOP',
      details: expect.stringContaining('{{#inner}}: the loop over "outer" around it has the dimension Product too'),
    })
  })

  test('other lists, nested, hold all rows each time, with one warning', async () => {
    const { problems, checked, run, warnings } = nested(table('outer', 'Region'), table('inner', 'Year'))
    expect(problems).toEqual([])
    expect(checked).toEqual([ALL_ROWS])
    expect(await run()).toBe('1 2 1 2 1 2 ')
    expect(warnings).toEqual(checked)
  })

  test('conditions on the row', async () => {
    const { scope } = documentScope()
    const last: string[] = []
    for await (const row of scope.repeat(tag('{{#detail}}'))) {
      for await (const inner of row.repeat(tag('{{#$last}}'))) last.push(await text(inner, '{{Product}}'))
    }
    expect(last).toEqual(['=1+1'])
  })
})

describe('levels', () => {
  async function valuesOf(scope: Scope, level: string, ...inner: string[]): Promise<string[]> {
    const lines: string[] = []
    await scope.eachValue([level], async (one) => {
      lines.push((await Promise.all(inner.map((source) => text(one, source)))).join(' '))
    })
    return lines
  }

  test('values are evaluated under the selection of the level value, once each', async () => {
    const { scope, data } = documentScope()
    await text(scope, '{{revenue}}')
    expect(
      await valuesOf(scope, 'region', '{{region}}', '{{revenue}}', '{{revenue.text}}', '{{detail.$count}}'),
    ).toEqual(['Nord 1,500.5 1,500.5 2', 'Süd 2,500 2,500 1', 'West 10 10 1'])
    expect(data.evaluated).toHaveLength(7)
    expect(data.evaluated).toContain('Region=Nord: =Sum(Sales)')
  })

  test('nested levels', async () => {
    const lines: string[] = []
    await documentScope().scope.eachValue(['region'], async (region) => {
      lines.push(...(await valuesOf(region, 'product', '{{region}}', '{{product}}', '{{revenue}}')))
    })
    expect(lines).toEqual(['Nord Screws 1,200.5', 'Nord Nails 300', 'Süd Screws 2,500', 'West =1+1 10'])
  })

  test.each([
    ['text', ['a', 'B', 'ä10', 'z9']],
    ['number', ['z9', 'ä10', 'a', 'B']],
    ['field', ['z9', 'B', 'ä10', 'a']],
  ] as const)('sorted by %s', async (sort, expected) => {
    const data = {
      ...appData([]),
      fieldValues: async () => [
        { text: 'z9', number: 9 },
        { text: 'B', number: null },
        { text: 'ä10', number: 10 },
        { text: 'a', number: null },
      ],
    }
    const report = templateReport({ levels: [{ key: 'region', field: 'Region', within: null, max: 50, sort }] })
    const sorted = await valuesOf(documentScope(data, report).scope, 'region', '{{region}}')
    expect(sorted).toEqual(sort === 'text' ? ['a', 'ä10', 'B', 'z9'] : [...expected])
  })

  test('more values than max stop the document', async () => {
    const report = templateReport({ levels: [{ key: 'region', field: 'Region', within: null, max: 2, sort: 'field' }] })
    expect(valuesOf(documentScope(appData(), report).scope, 'region')).rejects.toMatchObject({
      code: 'TEMPLATE_TOO_MANY_REPEATS',
      details: 'the level "region" has 3 values of Region, at most 2 are allowed',
    })
  })

  test('2,000 evaluations are the limit of a document', async () => {
    const { scope } = documentScope(appData(SALES, Object.fromEntries(numbers(2001).map((n) => [`${n}`, 'x']))))
    for (const n of numbers(2000)) await text(scope, `{{=${n}}}`)
    await text(scope, '{{=7}}')
    expect(text(scope, '{{=2000}}')).rejects.toMatchObject({ code: 'TEMPLATE_TOO_MANY_REPEATS' })
  })

  test('the values of a level that is visited twice count once', async () => {
    const { scope } = documentScope(appData(SALES, Object.fromEntries(numbers(700).map((n) => [`${n}`, 'x']))))
    // For each of 3 regions.
    const visit = (count: number) => valuesOf(scope, 'region', ...numbers(count).map((n) => `{{=${n}}}`))
    await visit(600)
    await visit(600)
    expect(visit(700)).rejects.toMatchObject({ code: 'TEMPLATE_TOO_MANY_REPEATS' })
  })
})

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

describe('pictures', () => {
  test('a chart is drawn once for each size and selection', async () => {
    const { scope, drawn } = documentScope()
    const box = { width: 300, height: 200 }
    expect(await scope.picture(['salesChart'], box)).toMatchObject({ extension: 'png', width: 300, height: 200 })
    await scope.picture(['salesChart'], box)
    await scope.picture(['salesChart'], { width: 600, height: 200 })
    await scope.eachValue(['region'], async (one) => void (await one.picture(['salesChart'], box)))
    expect(drawn.map(({ widthPx, heightPx, scale }) => [widthPx, heightPx, scale])).toEqual([
      [300, 200, 2],
      [600, 200, 2],
      [300, 200, 2],
      [300, 200, 2],
      [300, 200, 2],
    ])
  })

  test('an image has its own size', async () => {
    await using directory = tempDirectory()
    const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAAAElFTkSuQmCC', 'base64')
    await Bun.write(directory.join('logo.png'), png)
    const { scope } = documentScope(appData(), templateReport(), directory.path)
    expect(await scope.picture(['logo'], { width: 9, height: 9 })).toMatchObject({
      extension: 'png',
      width: 2,
      height: 3,
    })
  })

  test.each([
    ['missing.png', 'missing.png cannot be read: a file or directory is not there'],
    ['../logo.png', '../logo.png has to be a name without folder'],
    ['text.png', 'text.png is neither a PNG nor a JPEG picture'],
  ])('the file %s stops the document', async (file, problem) => {
    await using directory = tempDirectory()
    await Bun.write(directory.join('text.png'), 'text')
    const report = templateReport({ data: [{ key: 'logo', type: 'image', file }] })
    const { scope } = documentScope(appData(), report, directory.path)
    const error = await scope.picture(['logo'], { width: 9, height: 9 }).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'TEMPLATE_DATA_FAILED' })
    expect(error.details).toStartWith(`logo: ${problem}`)
  })
})

describe('names in a place', () => {
  const report = templateReport()
  const [detail, top] = [report.data[1], report.data[2]]
  const loop = { kind: 'loop', binding: detail, columns: ['Product', 'Sales'] } as never
  const ofObject = { kind: 'loop', binding: top, columns: null } as never
  const region = { kind: 'level', level: report.levels[0] } as never

  function problem(source: string, frames: readonly never[] = []): string | undefined {
    const findings = createFindings()
    for (const one of parseTags(source)) findings.check(one, 'here', createNames(report, 'docx', frames))
    const [found] = findings.problems
    return found && `${found.code} ${found.details}`
  }

  test.each<[string, never[]]>([
    ['{{revenue}}', []],
    ['{{Product}}', [loop]],
    ['{{detail.Product}}', [loop]],
    ['{{Anything}}', [ofObject]],
    ['{{region}}', [region]],
    ['{{region}}', [region, loop]],
    ['{{@region}}', []],
    ['{{@product}}', [region]],
    ['{{#Product}}', [loop]],
    ['{{#$last}}', [loop]],
    ['{{cycle.Any}}', []],
  ])('%s can be used', (source, frames) => {
    expect(problem(source, frames)).toBeUndefined()
  })

  test.each<[string, never[], string]>([
    ['{{margin}}', [], 'TEMPLATE_TAG_UNKNOWN {{margin}}: no data binding, column or level has this name'],
    [
      '{{revenu}}',
      [],
      'TEMPLATE_TAG_UNKNOWN {{revenu}}: no data binding, column or level has this name; nearest: "revenue"',
    ],
    [
      '{{Revenue}}',
      [],
      'TEMPLATE_TAG_UNKNOWN {{Revenue}}: no data binding, column or level has this name; nearest: "revenue"',
    ],
    ['{{xyzxyz}}', [], 'TEMPLATE_TAG_UNKNOWN {{xyzxyz}}: no data binding, column or level has this name'],
    ['{{Sales}}', [], 'TEMPLATE_TAG_UNKNOWN {{Sales}}: no data binding, column or level has this name'],
    [
      '{{Produkt}}',
      [loop],
      'TEMPLATE_TAG_UNKNOWN {{Produkt}}: no data binding, column or level has this name; nearest: "Product"',
    ],
    ['{{region}}', [], 'TEMPLATE_TAG_UNKNOWN {{region}}: the level has a value inside of {{@region}} only'],
    ['{{$index}}', [], 'TEMPLATE_TAG_UNKNOWN {{$index}}: $index has a value inside of a loop only'],
    ['{{detail}}', [], 'TEMPLATE_INVALID {{detail}}: the rows of a table are written by {{#detail}} ... {{/detail}}'],
    [
      '{{detail.Sales}}',
      [],
      'TEMPLATE_TAG_UNKNOWN {{detail.Sales}}: a column of "detail" has a value inside of {{#detail}} only',
    ],
    [
      '{{detail.$total.Salez}}',
      [],
      'TEMPLATE_TAG_UNKNOWN {{detail.$total.Salez}}: no column of "detail" has this name; nearest: "Sales"',
    ],
    [
      '{{top.$total.Sales}}',
      [],
      'TEMPLATE_INVALID {{top.$total.Sales}}: the table "top" has no totals; they need "totals": true in its binding',
    ],
    [
      '{{salesChart}}',
      [],
      'TEMPLATE_INVALID {{salesChart}}: a chart takes the place of a picture whose alternative text is this tag',
    ],
    [
      '{{@product}}',
      [],
      'TEMPLATE_LOOP {{@product}}: the level is nested in "region" and has to stand inside {{@region}}',
    ],
    ['{{@region}}', [loop], 'TEMPLATE_LOOP {{@region}}: a level cannot stand inside a loop over rows'],
    ['{{@regio}}', [], 'TEMPLATE_TAG_UNKNOWN {{@regio}}: no level has this name; nearest: "region"'],
    [
      '{{a b}}',
      [],
      'TEMPLATE_INVALID {{a b}}: "a b" is no name; a label that is no plain word stands in brackets: [Sales amount]',
    ],
  ])('%s is refused', (source, frames, expected) => {
    expect(problem(source, frames)).toBe(expected)
  })

  test('tags, used bindings, and at most 50 problems', () => {
    const findings = createFindings()
    const names = createNames(report, 'docx')
    for (const one of parseTags('{{revenue | 0.0}}{{=Sum(a)}}{{#detail}}{{^top}}{{@region}}'))
      findings.check(one, 'p', names)
    findings.checkPicture(tag('{{logo}}'), 'picture "1"', names)
    for (const one of parseTags('{{nope}}'.repeat(60))) findings.check(one, 'p', names)
    expect(findings.tags).toEqual([
      { tag: 'revenue', kind: 'value', place: 'p' },
      { tag: '=Sum(a)', kind: 'expression', place: 'p' },
      { tag: 'detail', kind: 'loop', place: 'p' },
      { tag: 'top', kind: 'condition', place: 'p' },
      { tag: 'region', kind: 'level', place: 'p' },
      { tag: 'logo', kind: 'picture', place: 'picture "1"' },
    ])
    expect([...findings.used]).toEqual(['revenue', 'detail', 'top', 'region', 'logo'])
    expect(findings.problems).toHaveLength(50)
  })
})
