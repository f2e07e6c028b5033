import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import { changeEntry, readDocument, readEntry, writeEntry } from '../../../../src/tasks/schedule/file.ts'
import type { ScheduleValues } from '../../../../src/tasks/schedule/types.ts'

const valuesOf = (text: string): ScheduleValues[] => readDocument(text).entries.map(({ values }) => values)

/** The file with an entry more. */
function added(text: string, values: ScheduleValues): string {
  const document = readDocument(text)
  return document.write([...document.entries.map((entry) => entry.text), writeEntry(values, document.indent)])
}

const A = { name: 'A', cronSchedule: '0 6 * * *' }

describe('files of all kinds', () => {
  test.each<[string, string, ScheduleValues[]]>([
    ['an empty list', 'butlerSchedule: []\n', []],
    ['no list', 'butlerSchedule:\n', []],
    ['null', 'butlerSchedule: null # none yet\n', []],
    ['nothing', '', []],
    ['comments only', '# to come\n\n', []],
    ['dashes under the key', 'butlerSchedule:\n- name: A\n  cronSchedule: 0 6 * * *\n', [A]],
    ['a dash on its own line', 'butlerSchedule:\n  -\n    name: A\n    cronSchedule: 0 6 * * *\n', [A]],
    ['a document marker', '---\nbutlerSchedule:\n  - name: A\n    cronSchedule: 0 6 * * *\n', [A]],
    ['no line end', 'butlerSchedule:\n  - name: A\n    cronSchedule: 0 6 * * *', [A]],
    [
      'an anchor within an entry',
      'butlerSchedule:\n  - name: A\n    cronSchedule: &c 0 6 * * *\n    again: *c\n',
      [{ ...A, again: A.cronSchedule }],
    ],
    ['a flow list', 'butlerSchedule: [{name: A, cronSchedule: 0 6 * * *}]\n', [A]],
    ['JSON', '{"butlerSchedule": [{"name": "A", "cronSchedule": "0 6 * * *"}]}', [A]],
    ['Windows line ends', 'butlerSchedule:\r\n  - name: A\r\n    cronSchedule: 0 6 * * *\r\n', [A]],
    ['a byte order mark', '\uFEFFbutlerSchedule:\n  - name: A\n    cronSchedule: 0 6 * * *\n', [A]],
    ['other keys around', 'version: 1\nbutlerSchedule:\n  - name: A\n    cronSchedule: 0 6 * * *\nlast: x\n', [A]],
    ['anchors', 'butlerSchedule:\n  - &a\n    name: A\n    cronSchedule: 0 6 * * *\n  - *a\n', [A, A]],
    ['quotes and folds', 'butlerSchedule:\n  - name: >-\n      A\n    cronSchedule: "0 6 * * *"\n', [A]],
    [
      'types',
      'butlerSchedule:\n  - {id: 17, on: true, none: ~, list: [1, a]}\n',
      [{ id: 17, on: true, none: null, list: [1, 'a'] }],
    ],
  ])('%s', (_name, text, expected) => {
    expect(valuesOf(text)).toEqual(expected)
    // With one more entry everything is still there.
    const more = added(text, { name: 'B', id: 'b' })
    expect(valuesOf(more)).toEqual([...expected, { name: 'B', id: 'b' }])
    expect((parse(more.replace('\uFEFF', '')) as { butlerSchedule: unknown }).butlerSchedule).toEqual([
      ...expected,
      { name: 'B', id: 'b' },
    ])
  })

  test.each([
    ['broken YAML', 'butlerSchedule:\n  - name: "A\n', /^line \d+: /],
    ['another root', 'schedules: []\n', /the key butlerSchedule with a list of schedules is missing/],
    ['a text', 'butlerSchedule: soon\n', /must be a list/],
    ['a list of texts', 'butlerSchedule:\n  - one\n', /entry 1 of butlerSchedule must have members/],
    ['a member twice', 'butlerSchedule:\n  - name: A\n    name: B\n', /unique/],
  ])('%s is refused', (_name, text, reason) => {
    expect(() => readDocument(text)).toThrow(reason)
  })
})

const COMMENTED = `# Ours

butlerSchedule:
    # first
    - name: A   # why
      cronSchedule: "0 6 * * *"

      # inside
      lastKnownState: started # now

    # second
    # of two
    - name: B
      lastKnownState: stopped
# end
`

describe('changes leave everything else as it is', () => {
  const change = (index: number, changes: ScheduleValues): string => {
    const document = readDocument(COMMENTED)
    const texts = document.entries.map((entry) => entry.text)
    return document.write(texts.with(index, changeEntry(texts[index]!, document.indent, changes)))
  }

  test('nothing changed', () => {
    const document = readDocument(COMMENTED)
    expect(document.write(document.entries.map(({ text }) => text))).toBe(COMMENTED)
  })

  test('a state', () => {
    expect(change(0, { lastKnownState: 'stopped' })).toBe(COMMENTED.replace('started # now', 'stopped # now'))
    expect(change(1, { lastKnownState: 'started' })).toBe(COMMENTED.replace('State: stopped', 'State: started'))
  })

  test.each([
    [
      'behind the last member',
      '- id: e2 # ours\n  name:   "A"\n',
      '- id: e2 # ours\n  name:   "A"\n  state: stopped\n',
    ],
    ['before a comment', '-   id: e2\n    # the end\n', '-   id: e2\n    state: stopped\n    # the end\n'],
    [
      'behind a folded text',
      '- id: a\n  name: >-\n    b\n    c\n',
      '- id: a\n  name: >-\n    b\n    c\n  state: stopped\n',
    ],
    ['behind a list', '- id: a\n  tags:\n  - b\n', '- id: a\n  tags:\n  - b\n  state: stopped\n'],
    ['in braces', '- {id: a}\n', '- { id: a, state: stopped }\n'],
  ])('a state that was not there yet, %s', (_, before, after) => {
    expect(changeEntry(before, 0, { state: 'stopped' })).toBe(after)
  })

  test('a member more, a member less, another value: comments stay', () => {
    const text = change(0, { name: 'C', cronSchedule: undefined, tags: ['x'] })
    expect(valuesOf(text)).toEqual([
      { name: 'C', lastKnownState: 'started', tags: ['x'] },
      { name: 'B', lastKnownState: 'stopped' },
    ])
    for (const comment of ['# Ours', '# first', '# why', '# inside', '# now', '# second\n    # of two', '# end']) {
      expect(text).toContain(comment)
    }
  })

  test('an entry that goes takes the comments right above it along', () => {
    const document = readDocument(COMMENTED)
    expect(document.write([document.entries[0]!.text])).toBe(COMMENTED.replace(/ {4}# second[\s\S]*stopped\n/, ''))
    const none = document.write([])
    expect(none).toContain('butlerSchedule: []')
    expect(none).toContain('# Ours')
    expect(valuesOf(none)).toEqual([])
  })
})

test('files laid out in any way: unchanged they stay as they are, and a change touches one entry', () => {
  const blank = fc.constantFrom('', '', '\n', '# top\n', '  # at the dash\n', '      # deep\n', '\n\n  # a\n  # b\n')
  const value = fc.constantFrom(
    'x',
    "'y' # why",
    '"z"',
    '>-\n      folded\n      text',
    '|\n      - kept\n\n      text',
    '[a, b]',
    '{a: 1}',
  )
  const nested = fc.constantFrom(
    '',
    '    tags:\n      - a\n      # inside\n      - b\n',
    '    tags:\n    - a\n    - b\n',
    '    deep:\n      more: 1\n',
  )
  const entry = fc
    .tuple(blank, value, blank, nested, fc.constantFrom('', '    lastKnownState: started\n'))
    .map(([above, name, between, tags, state]) => `${above}  - name: ${name}\n${between}${tags}${state}`)
  const file = fc
    .tuple(
      fc.constantFrom('', '# head\n', '---\n', 'version: 1\n'),
      fc.array(entry, { minLength: 1, maxLength: 4 }),
      blank,
      fc.constantFrom('', 'other: 1\n'),
    )
    .map(([head, entries, blanks, tail]) => `${head}butlerSchedule: # list\n${entries.join('')}${blanks}${tail}`)
  fc.assert(
    fc.property(file, fc.nat(), fc.constantFrom('stopped', 'one two', '17', 'a: b'), (text, number, state) => {
      const document = readDocument(text)
      const texts = document.entries.map((one) => one.text)
      const before = valuesOf(text)
      expect(document.entries.every(({ rewritten }) => !rewritten)).toBe(true)
      expect(document.write(texts)).toBe(text)
      const index = number % texts.length
      const changed = texts.with(index, changeEntry(texts[index]!, document.indent, { lastKnownState: state }))
      const expected = before.with(index, { ...before[index], lastKnownState: state })
      expect(valuesOf(document.write(changed))).toEqual(expected)
      expect(valuesOf(document.write(texts.toSpliced(index, 1)))).toEqual(before.toSpliced(index, 1))
      const comments = (all: string) => all.match(/#.*/g) ?? []
      expect(comments(document.write(changed))).toEqual(comments(text))
    }),
    { numRuns: 500 },
  )
})

describe('the style is that of Butler', () => {
  test('quotes where YAML needs them, folded lines, lists indented', () => {
    const text = writeEntry(
      {
        name: 'n',
        cronSchedule: '*/30 * * * * *',
        note: '',
        number: '17',
        created: '2020-09-29T17:14:35.154Z',
        long: 'a text that goes on and on and on, far beyond the eighty characters of a line, and further',
        tags: ['sales ETL', 'åäö'],
      },
      2,
    )
    expect(text).toBe(`  - name: 'n'
    cronSchedule: '*/30 * * * * *'
    note: ''
    number: '17'
    created: '2020-09-29T17:14:35.154Z'
    long: >-
      a text that goes on and on and on, far beyond the eighty characters of a
      line, and further
    tags:
      - sales ETL
      - åäö
`)
  })

  test('whatever is written is read again', () => {
    const value = fc.oneof(
      fc.string(),
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom(
        'yes',
        '1e3',
        '0x1f',
        ': ',
        '#',
        '- a',
        '*a',
        '>-',
        "'",
        '"',
        'a: b',
        'a #b',
        '~',
        '2026-12-24',
        ' lead',
        'trail ',
        'x\ny',
        '\u2028 ',
        ' \u2029x',
        'a\u0085',
        '-\u2000',
      ),
      fc.array(fc.string(), { maxLength: 3 }),
      fc.boolean(),
      fc.integer(),
    )
    const entry = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value, { minKeys: 1, maxKeys: 5 })
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 4 }), entry, (list, changes) => {
        const text = list.reduce((file, values) => added(file, values), 'butlerSchedule: []\n')
        expect(valuesOf(text)).toEqual(list.map((values) => ({ ...values })))
        const [first] = list
        if (!first) return
        const document = readDocument(text)
        const changed = changeEntry(document.entries[0]!.text, document.indent, changes)
        expect(readEntry(changed)).toEqual({ ...first, ...changes })
      }),
      { numRuns: 300 },
    )
  })

  test('an entry by itself has the values that YAML gives it', () => {
    const line = fc.constantFrom(
      'name: A',
      'name: 17',
      "name: '17'",
      'name: 1e3',
      'name: a:b',
      'name: a: b',
      'name: a #b',
      'tags:',
      '  - x',
      '  - 1',
      'name:',
      '# note',
      '',
      'cron: 0 6 * * *',
      'id: 2f7a6c38-46df-416d-83de-44bdea5cedaa',
      'at: 2020-09-29T17:14:35.154Z',
      'flag: yes',
      'flag: TRUE',
      'v: 0x1F',
      'v: 1_000',
      'v: .5',
      'v: 12:30',
      'v: [a]',
      'v: "x"',
      'more: text\n      goes on',
    )
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), (lines) => {
        const text = `  - first: x\n${lines.map((one) => `    ${one}\n`).join('')}`
        let expected: unknown
        try {
          expected = (parse(text, { version: '1.2', merge: true, logLevel: 'error' }) as unknown[])[0]
        } catch {
          expected = null
        }
        const read = readEntry(text)
        if (expected === null) expect(read).toBeNull()
        else expect(read).toEqual(expected as ScheduleValues)
      }),
      { numRuns: 500 },
    )
  })
})

test('the line ends of old Macs', () => {
  expect(valuesOf('butlerSchedule:\r  - name: a\r    id: b\r')).toEqual(
    valuesOf('butlerSchedule:\n  - name: a\n    id: b\n'),
  )
})
