import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Occurrence, pairTags, parseTags } from '../../../../src/reports/templates/tags.ts'

/** Without offsets. */
const shapes = (text: string) => parseTags(text).map(({ start, end, source, ...tag }) => tag)
const value = (...path: string[]) => ({ kind: 'value', path, format: null })

describe('parseTags', () => {
  test.each([
    ['{{revenue}}', value('revenue')],
    ['{{ revenue }}', value('revenue')],
    ['{{app.name}}', value('app', 'name')],
    ['{{[Sales amount]}}', value('Sales amount')],
    ['{{[Sales | net]}}', value('Sales | net')],
    ['{{[a}}b]}}', value('a}}b')],
    ['{{detail.$total.[Sales amount].text}}', value('detail', '$total', 'Sales amount', 'text')],
    ['{{Försäljning}}', value('Försäljning')],
    ['{{$index}}', value('$index')],
    ['{{=Sum(Sales)}}', { kind: 'expression', expression: 'Sum(Sales)' }],
    ['{{=Sum({<Year={2024}>} [A]) | x}}', { kind: 'expression', expression: 'Sum({<Year={2024}>} [A]) | x' }],
    ['{{= Only([a}}', { kind: 'expression', expression: 'Only([a' }],
    ['{{#detail}}', { kind: 'open', path: ['detail'], not: false }],
    ['{{# detail }}', { kind: 'open', path: ['detail'], not: false }],
    ['{{^detail}}', { kind: 'open', path: ['detail'], not: true }],
    ['{{/detail}}', { kind: 'close', path: ['detail'] }],
    ['{{@region}}', { kind: 'level', path: ['region'], pageBreak: false }],
    ['{{@region pageBreak}}', { kind: 'level', path: ['region'], pageBreak: true }],
    ['{{/@region}}', { kind: 'levelEnd', path: ['region'] }],
    ['{{{{', { kind: 'literal' }],
    ['{{a | text}}', { kind: 'value', path: ['a'], format: { kind: 'text' } }],
    ['{{a | yyyy-MM-dd HH:mm}}', { kind: 'value', path: ['a'], format: { kind: 'date', pattern: 'yyyy-MM-dd HH:mm' } }],
  ])('%s', (text, expected) => {
    expect(shapes(text)).toEqual([expected as never])
  })

  test.each([
    ['{{}}', 'the tag is empty'],
    ['{{=}}', 'the expression is missing'],
    ['{{revenue', 'the tag is not closed by }}'],
    ['{{Sales amount}}', '"Sales amount" is no name; a label that is no plain word stands in brackets: [Sales amount]'],
    ['{{a.}}', '"a." is no name; a label that is no plain word stands in brackets: [Sales amount]'],
    ['{{#}}', '"" is no name; a label that is no plain word stands in brackets: [Sales amount]'],
    ['{{@region newPage}}', 'unknown option "newPage"; the only one is pageBreak'],
    [
      '{{a | nice}}',
      'the date format "nice" has the unknown letters n; known are yyyy yy MMM MM dd HH mm ss EEE ww QQ, other letters stand in quotes',
    ],
    ['{{a | }}', 'unknown format ""; formats are text, numbers such as #,##0.00 and dates such as yyyy-MM-dd HH:mm'],
  ])('%s: %s', (text, problem) => {
    expect(shapes(text)).toEqual([{ kind: 'invalid', problem }])
  })

  test('gives the offsets of several tags in a text', () => {
    expect(parseTags('a {{b}}{{{{c}} {{d')).toMatchObject([
      { start: 2, end: 7, source: '{{b}}', kind: 'value' },
      { start: 7, end: 11, source: '{{{{', kind: 'literal' },
      { start: 15, end: 18, source: '{{d', kind: 'invalid' },
    ])
  })

  test('text without two braces holds no tag', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => text.includes('{{') || parseTags(text).length === 0),
    )
  })

  test('tags lie in order within any text and never fail', () => {
    const pieces = [
      '{',
      '}',
      '{{',
      '}}',
      '[',
      ']',
      '=',
      '#',
      '/',
      '@',
      '|',
      '.',
      '$',
      ' ',
      'a',
      '0',
      '"',
      "'",
      'ä',
      '\n',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 30 }), (drawn) => {
        const text = drawn.join('')
        let at = 0
        for (const { start, end, source } of parseTags(text)) {
          expect(start).toBeGreaterThanOrEqual(at)
          expect(text.slice(start, end)).toBe(source)
          expect(text.slice(at, start)).not.toContain('{{')
          at = end
        }
        expect(text.slice(at)).not.toContain('{{')
      }),
      { numRuns: 2000 },
    )
  })
})

describe('pairTags', () => {
  const items = (text: string): Occurrence[] =>
    parseTags(text).map((tag, index) => ({ tag, place: `tag ${index + 1}` }))
  const shape = (pairs: ReturnType<typeof pairTags>['pairs']): unknown =>
    pairs.map(({ open, close, inner }) => [open.tag.source, close.place, ...(shape(inner) as unknown[])])

  test('nests loops, conditions and levels', () => {
    const { pairs, problems } = pairTags(items('{{@r}}{{#a}}{{b}}{{^c}}{{/c}}{{/a}}{{/@r}}{{#a}}{{/a}}'), {
      pairLevels: true,
    })
    expect(problems).toEqual([])
    expect(shape(pairs)).toEqual([
      ['{{@r}}', 'tag 7', ['{{#a}}', 'tag 6', ['{{^c}}', 'tag 5']]],
      ['{{#a}}', 'tag 9'],
    ])
  })

  test.each([
    ['{{#a}}', ['tag 1: {{#a}}: the closing tag {{/a}} is missing']],
    ['{{/a}}', ['tag 1: {{/a}}: there is no opening tag before it']],
    ['{{#a}}{{#b}}{{/a}}', ['tag 2: {{#b}}: is closed after {{/a}}, or not at all; loops must not overlap']],
    [
      '{{#a}}{{#b}}{{/a}}{{/b}}',
      [
        'tag 2: {{#b}}: is closed after {{/a}}, or not at all; loops must not overlap',
        'tag 4: {{/b}}: there is no opening tag before it',
      ],
    ],
  ])('%s is refused', (text, expected) => {
    const { problems } = pairTags(items(text), { pairLevels: true })
    expect(problems.map(({ place, details }) => `${place}: ${details}`)).toEqual(expected)
    expect(new Set(problems.map(({ code }) => code))).toEqual(new Set(['TEMPLATE_LOOP']))
  })

  test('levels stand alone where whole sheets and slides are repeated', () => {
    expect(pairTags(items('{{@r}}{{r}}'), { pairLevels: false })).toEqual({ pairs: [], problems: [] })
    expect(pairTags(items('{{/@r}}'), { pairLevels: false }).problems).toHaveLength(1)
  })
})
