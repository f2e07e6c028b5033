import { describe, expect, test } from 'bun:test'
import { join, relative } from 'node:path'
import fc from 'fast-check'
import { createDateFormat, dateFormatProblem } from '../../../src/reports/date-format.ts'
import {
  cleanName,
  expandFolder,
  expandPattern,
  folderProblem,
  folderSegments,
  PATTERN_TOKENS,
  type PatternContext,
  patternProblem,
} from '../../../src/reports/patterns.ts'

const cell = (text: string) => ({ text, number: null })

const CONTEXT: PatternContext = {
  names: {
    task: 'Weekly sales pack',
    project: 'Sales',
    report: 'Sales pack',
    key: 'pack',
    cycle: [
      { field: 'Region', value: cell('Nord') },
      { field: 'Year', value: { text: '2024', number: 2024 } },
    ],
    date: new Date('2025-11-21T06:30:00.412Z'),
    runId: '019aa51a-f5f5-7c11-9b5e-2f2f6a0c1e10',
    seq: 7,
  },
  app: { name: 'Sales dashboard', lastReload: new Date('2025-11-21T05:12:44.000Z') },
  timezone: 'Europe/Stockholm',
  locale: 'en-GB',
  evaluate: async (expression) => cell(`<${expression}>`),
  recipient: { address: 'anna@company.com', attributes: { code: 'N17' } },
  outcome: 'warning',
  extra: { page: '{page}', pages: '{pages}' },
}

test.each([
  ['{report}{cycle}_{date:yyyy-MM-dd_HH-mm}', 'Sales pack_Nord_2024_2025-11-21_07-30'],
  ['{task}/{project}/{app}/{key}', 'Weekly sales pack/Sales/Sales dashboard/pack'],
  ['{cycle:Year}-{cycle:Region}', '2024-Nord'],
  ['{recipient} {recipient:attributes.code}{recipient:attributes.none}', 'anna@company.com N17'],
  ['{reload:HH:mm:ss}', '06:12:44'],
  ['{seq} {seq:3}', '7 007'],
  ['{run}', '6a0c1e10'],
  ['[{outcome}]', '[warning]'],
  ['{{{task}}} {{x}}', '{Weekly sales pack} {x}'],
  ['{expr:=Max(Period)}', '<=Max(Period)>'],
  ['{expr:=Sum({<Year={2024}}>}} Sales)}.', '<=Sum({<Year={2024}>} Sales)>.'],
  ['Page {page} of {pages}', 'Page {page} of {pages}'],
  ["{date:EEE dd'' 'week' ww QQ yy MMM}", "Fri 21' week 47 04 25 Nov"],
  ['', ''],
])('%s', async (pattern, expected) => {
  expect(await expandPattern(pattern, CONTEXT)).toBe(expected)
})

test('without cycle, app and recipient their tokens are empty', async () => {
  const { task, project, date, runId } = CONTEXT.names
  const context = { names: { task, project, date, runId }, timezone: 'UTC', locale: 'en-GB' }
  expect(await expandPattern('{report}|{cycle}|{cycle:Region}|{app}|{reload:yyyy}|{recipient}', context)).toBe('|||||')
})

const ALLOWED = PATTERN_TOKENS.document

test.each([
  ['{report}{cycle}_{date:yyyy-MM-dd_HH-mm}', null],
  ['Q{{1}}', null],
  ['{reprot}', '{reprot} is unknown; nearest: {report}'],
  ['{outcome}', '{outcome} has no value here; allowed are'],
  ['{recipient}', '{recipient} has no value here; allowed are'],
  ['{date}', '{date} needs a colon and more, like {date:yyyy-MM-dd}'],
  ['{date:}', '{date:} has nothing after its colon'],
  ['{date:YYYY}', '{date:YYYY} has the unknown letters YYYY'],
  ['{date:yyyy-M}', '{date:yyyy-M} has the unknown letters M'],
  ["{date:yyyy'T}", 'has a quote that is not closed'],
  ['{report:x}', '{report} takes nothing after a colon'],
  ['{seq:0}', '{seq:0} must have a number of digits from 1 to 9'],
  ['{expr:Max(Period)}', 'must hold a Qlik expression'],
  ['{expr:=}', 'must hold a Qlik expression'],
  ['{recipient:mail}', '{recipient:mail} must be {recipient} or {recipient:attributes.code}'],
  ['a{', '"{" at position 2 is not closed'],
  ['a}b', '"}" at position 2 closes nothing'],
  ['{expr:=Sum({<Year={2024}>} Sales)}', 'closes nothing'],
  ['{cycle:Country}', '{cycle:Country} is no field of the cycle: Region'],
  ['{cycle:Region}', null],
])('problem of %s: %p', (pattern, expected) => {
  const problem = patternProblem(pattern, { tokens: ALLOWED, cycleFields: ['Region'] })
  if (expected === null) expect(problem).toBeNull()
  else expect(problem).toContain(expected)
})

test('any field of a cycle is allowed where the cycle is unknown', () => {
  expect(patternProblem('{cycle:Country}', { tokens: ALLOWED })).toBeNull()
})

describe('folders', () => {
  test('slashes in values do not separate', async () => {
    const context = { ...CONTEXT, names: { ...CONTEXT.names, report: 'a/b\\..', project: '..' } }
    expect(await expandFolder('weekly/{date:yyyy}\\{report}//{project}/x', context)).toEqual([
      'weekly',
      '2025',
      'a_b_',
      'report',
      'x',
    ])
    expect(await expandFolder('', CONTEXT)).toEqual([])
  })

  test.each([
    ['weekly/{date:yyyy}', null],
    ['../x', 'must not hold ".."'],
    ['a\\..\\..\\b', 'must not hold ".."'],
    ['a/.. /b', 'must not hold ".."'],
    ['/etc', 'must be relative'],
    ['\\\\server\\share', 'must be relative'],
    ['\\\\?\\C:\\x', 'must be relative'],
    ['C:foo', 'must not hold a colon'],
    ['a:stream', 'must not hold a colon'],
    ['{date:HH:mm}', null],
    ['a/{nonsense}', '{nonsense} is unknown'],
  ])('pattern %s: %p', (pattern, expected) => {
    const problem = folderProblem(pattern, { tokens: ALLOWED })
    if (expected === null) expect(problem).toBeNull()
    else expect(problem).toContain(expected)
  })

  test.each(['..\\..\\', 'C:foo', 'a:stream', '/abs', 'a/../../b', '.. '])(
    'expression result %s is refused',
    (path) => {
      expect(() => folderSegments(path)).toThrow(RangeError)
    },
  )

  test('expression result', () => expect(folderSegments('Nord/2025\\Q4/')).toEqual(['Nord', '2025', 'Q4']))

  test('folders never lead out', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (value) => {
        const context = { ...CONTEXT, names: { ...CONTEXT.names, report: value } }
        const path = join('/space', ...(await expandFolder('{report}/{report}', context)))
        expect(relative('/space', path).split('/')).not.toContain('..')
        expect(path === '/space' || path.startsWith('/space/')).toBe(true)
      }),
    )
  })
})

describe('names', () => {
  test.each([
    ['Sales pack', 'Sales pack'],
    ['a<b>c:d"e/f\\g|h?i*j', 'a_b_c_d_e_f_g_h_i_j'],
    ['a\u0000\u001f\u0085b', 'a___b'],
    ['a\ufffe\ufdd0b', 'a__b'],
    [' . name . ', 'name'],
    ['invoice\u202efdp.exe', 'invoicefdp.exe'],
    ['a\u2066b\u2069c\u200f\u061c\u200bd', 'abcd'],
    ['a\u2028b\u2029', 'a_b_'],
    ['\u202e.\u2066', 'report'],
    ['می\u200cخواهم', 'می\u200cخواهم'],
    ['...', 'report'],
    ['', 'report'],
    ['con', 'con_'],
    ['NUL.txt', 'NUL_.txt'],
    ['COM1', 'COM1_'],
    ['lpt².x', 'lpt²_.x'],
    ['CONSOLE', 'CONSOLE'],
    ['A\u030angstro\u0308m', '\u00c5ngstr\u00f6m'],
    ['a__b', 'a__b'],
    ['x'.repeat(150), 'x'.repeat(150)],
    // sha256sum of 151 x
    ['x'.repeat(151), `${'x'.repeat(143)}~8eb827`],
  ])('%j', (text, expected) => expect(cleanName(text)).toBe(expected))

  test('a name fits into 255 bytes with its extension and the ending of a file under way', () => {
    const name = cleanName('ж'.repeat(150))
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200)
    expect(name).toMatch(/^ж+~[0-9a-f]{6}$/)
  })

  test('names are valid on Windows, short, and clean already', () => {
    const parts = fc.constantFrom('con', 'NUL', '.', ' ', '..', '/', '\\', ':', 'COM1', 'é', 'e\u0301', '😀', '~', '\n')
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.array(parts).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        const name = cleanName(text)
        expect(name).toMatch(/^[^<>:"/\\|?*\p{Cc}]+$/u)
        expect(name).not.toMatch(/^[\s.]|[\s.]$/)
        expect(name).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)/i)
        expect([...name].length).toBeLessThanOrEqual(150)
        expect(cleanName(name)).toBe(name)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('dates', () => {
  test.each([
    ['yyyy-MM-dd HH:mm:ss', 'UTC', '2027-01-03T23:05:09Z', '2027-01-03 23:05:09'],
    ['yyyy-MM-dd', 'Europe/Stockholm', '2027-01-03T23:05:09Z', '2027-01-04'],
    // 3 January 2027 is the Sunday of week 53.
    ['ww', 'UTC', '2027-01-03T12:00:00Z', '53'],
    ['ww', 'UTC', '2027-01-04T12:00:00Z', '01'],
    ['QQ', 'UTC', '2026-12-31T12:00:00Z', '04'],
    ["yyyy'W'ww", 'UTC', '2026-06-15T12:00:00Z', '2026W25'],
  ])('%s in %s of %s', (format, timezone, instant, expected) => {
    expect(createDateFormat(format, { timezone, locale: 'en-GB' })(new Date(instant))).toBe(expected)
  })

  test('words in the language of the locale', () => {
    const format = createDateFormat('EEE dd MMM', { timezone: 'UTC', locale: 'de-DE' })
    expect(format(new Date('2025-05-07T00:00:00Z'))).toBe('Mi 07 Mai')
  })

  test('problems', () => {
    expect(dateFormatProblem('yyyyMMdd')).toBeNull()
    expect(dateFormatProblem('hh')).toContain('unknown letters hh')
  })
})

test('patterns of any text are refused with a reason, or expand', async () => {
  const pieces = fc.array(
    fc.constantFrom('{', '}', 'report', 'date', ':', 'yyyy', "'", 'expr:=', 'x', '{{', '}}', 'cycle'),
  )
  await fc.assert(
    fc.asyncProperty(
      pieces.map((all) => all.join('')),
      async (pattern) => {
        const problem = patternProblem(pattern, { tokens: PATTERN_TOKENS.personal })
        if (problem === null) expect(await expandPattern(pattern, CONTEXT)).toBeString()
        else expect(problem.length).toBeGreaterThan(5)
      },
    ),
    { numRuns: 2000 },
  )
})
