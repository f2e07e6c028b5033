import { describe, expect, test } from 'bun:test'
import { createProblemList, renderProblem } from '../../../src/config/problems.ts'
import { plain } from '../../../src/config/tree.ts'
import { readYaml } from '../../../src/config/yaml.ts'

function read(text: string): { value: unknown; problems: string[] } {
  const problems = createProblemList()
  const tree = readYaml(text, 'c.yaml', problems)
  return { value: tree ? plain(tree) : undefined, problems: problems.all.map(renderProblem) }
}

describe('values', () => {
  test.each([
    ['yes', 'yes'],
    ['No', 'No'],
    ['on', 'on'],
    ['True', true],
    ['FALSE', false],
    ['~', null],
    ['', null],
    ['NULL', null],
    ['010', 10],
    ['0o10', 8],
    ['0x1F', 31],
    ['1e3', 1000],
    ['1_000', '1_000'],
    ['12:30', '12:30'],
    ['-5', -5],
    ['1.5', 1.5],
    ['"5"', '5'],
    ['!!str 5', '5'],
    ['✅ done', '✅ done'],
    ['[a, b]', ['a', 'b']],
  ])('%s', (text, value) => {
    expect(read(`a: ${text}`)).toEqual({ value: { a: value }, problems: [] })
  })

  test('line ends of old Macs are named; those of Windows and a mixture are read', () => {
    const { value, problems } = read('a: 1\rb:\r  c: 2\r')
    expect(value).toBeUndefined()
    expect(problems).toEqual([expect.stringContaining('has the line ends of old Macs (CR only)')])
    expect(read('a: 1\r\nb: 2\r\n').value).toEqual({ a: 1, b: 2 })
    expect(read('a: 1\r\nb: 2\n').problems).toEqual([])
  })

  test.each([
    ['a: 1\rb: 2\r\n', { a: 1, b: 2 }],
    ['a: 1 # one\rb: 2\n', { a: 1, b: 2 }],
    ['a:\r\n  b: 1\r  c: 2\nd: 3', { a: { b: 1, c: 2 }, d: 3 }],
    ['a: 1\r\r\nb: 2\r\r\n', { a: 1, b: 2 }],
  ])('lines that end with CR alone among others are read, with a word: %j', (text, value) => {
    expect(read(text)).toEqual({
      value,
      problems: [expect.stringContaining('end as on old Macs (CR only) among others')],
    })
  })

  test('the version directive changes nothing', () => {
    expect(read('%YAML 1.1\n---\na: yes').value).toEqual({ a: 'yes' })
  })

  test('a byte order mark is skipped', () => {
    expect(read('\uFEFFa: 1').value).toEqual({ a: 1 })
  })

  test('Windows line ends and JSON are fine', () => {
    expect(read('a:\r\n  b: 1\r\n').value).toEqual({ a: { b: 1 } })
    expect(read('{\n\t"a": {"b": [1, 2]}\n}').value).toEqual({ a: { b: [1, 2] } })
  })

  test('an empty text is an empty section', () => {
    expect(read('').value).toEqual({})
    expect(read('# nothing').value).toEqual({})
  })
})

describe('anchors, aliases and merge keys', () => {
  test('are followed; own keys win, then the first source', () => {
    const text = 'a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\ne: *x\nf: {<<: [*x, {z: 1, b: 9}]}\n'
    expect(read(text).value).toEqual({
      a: { b: 1, c: 2 },
      d: { b: 1, c: 3 },
      e: { b: 1, c: 2 },
      f: { b: 1, c: 2, z: 1 },
    })
  })

  test('an anchor that is used twice is the last one before the alias', () => {
    const text = 'a: &x {b: &y 1}\nc: *y\nd: &y 2\ne: *x\nf: *y\ng: &x 3\nh: *x\n'
    expect(read(text).value).toEqual({ a: { b: 1 }, c: 1, d: 2, e: { b: 1 }, f: 2, g: 3, h: 3 })
  })

  test('a quoted << is an ordinary key', () => {
    expect(read('"<<": {a: 1}').value).toEqual({ '<<': { a: 1 } })
  })

  test('aliases that grow without limit are refused', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 8; level++) {
      lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`)
    }
    const { value, problems } = read(lines.join('\n'))
    expect(value).toBeUndefined()
    expect(problems[0]).toContain('too large')
  })
})

describe('errors name line and column', () => {
  test.each([
    [
      'a: 1\na: 2',
      'c.yaml:2:1 error is not valid YAML: the key stands twice in its section; Footman does not start. Hint: remove one of them',
    ],
    [
      'a:\n\tb: 1',
      'c.yaml:2:1 error is not valid YAML: Tabs are not allowed as indentation; Footman does not start. Hint: indent with blanks',
    ],
    [
      'a: 1\n---\nb: 2',
      'c.yaml:2:1 error is not valid YAML: more than one document in the file; Footman does not start. Hint: remove the line ---',
    ],
    [
      'a: !foo 1',
      'c.yaml:1:4 error is not valid YAML: Unresolved tag: !foo; Footman does not start. Hint: tags (!name) are not supported; remove it or put the value in quotes',
    ],
    [
      'a: b: c',
      'c.yaml:1:4 error is not valid YAML: Nested mappings are not allowed in compact mappings; Footman does not start. Hint: put a value that contains ": " in quotes',
    ],
    ['a: *nope', 'c.yaml:1:4 error a: is an alias without its anchor; Footman does not start'],
    ['a: &x [*x]', 'c.yaml:1:8 error a[0]: is an alias of a section that contains it; Footman does not start'],
    ['? [1, 2]\n: 3', 'c.yaml:1:3 error a key must be a text; Footman does not start'],
    [
      'a: {<<: 5}',
      'c.yaml:1:9 error a: a merge key (<<) needs a section or a list of sections; Footman does not start',
    ],
    ['__proto__: 1', 'c.yaml:1:1 error "__proto__" cannot be a key; Footman does not start'],
  ])('%j', (text, problem) => {
    expect(read(text)).toEqual({ value: undefined, problems: [problem] })
  })

  test('one problem about tabs, not what follows from them; an earlier mistake is told too', () => {
    const tabs =
      'Butler:\n  logLevel: info\n\trest:\n\t\tenable: true\n  mqtt:\n    enable: false\n\tx: 1\n  y: {a: 1\n'
    const problem =
      'error is not valid YAML: Tabs are not allowed as indentation; Footman does not start. Hint: indent with blanks'
    expect(read(tabs).problems).toEqual([`c.yaml:3:1 ${problem}`])
    const both = read(`a: 1\na: 2\n\tb: 1\n  c: {`).problems
    expect(both).toEqual([expect.stringContaining('c.yaml:2:1 error'), `c.yaml:3:1 ${problem}`])
  })

  const DEEPER = 'the line is indented by 3 blanks, the line above it by 2 blanks'
  const UNFITTING = (count: number) => `the line is indented by ${count} blanks, which fits no line above it`
  test.each([
    ['B:\n  level: info\n   beat:\n    enable: true\n  rest:\n    enable: true\n', '3:4', DEEPER],
    ['B:\n  a:\n      b: 1\n    c: 2\n  d: 1\n', '4:5', UNFITTING(4)],
    ['B:\n  a:\n    - x: 1\n     y: 2\n', '4:6', UNFITTING(5)],
    ['B:\n  a:\n      - 1\n    - 2\n  b: 1\n', '4:5', UNFITTING(4)],
    ['B:\n  a: "x"\n    b: 2\n', '3:5', UNFITTING(4)],
    ['B:\n  a:1\n  b: 2\n', '2:3', 'the line is no "key: value"'],
    ['B:\n  a\n  b: 2\n', '2:3', 'the line is no "key: value"'],
  ])('a wrong indent is one problem, at its own line: %j', (text, place, message) => {
    const { problems } = read(text)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toStartWith(`c.yaml:${place} error is not valid YAML: ${message}`)
  })

  test('a text that does not end', () => {
    expect(read('a: "b').problems[0]).toMatch(/^c\.yaml:1:\d+ error is not valid YAML: Missing closing/)
  })

  test('lines of only ... are skipped with a warning', () => {
    expect(read('a:\n  b: 1\n  ...\n  c: 2\n...\nd: 3')).toEqual({
      value: { a: { b: 1, c: 2 }, d: 3 },
      problems: [
        'c.yaml:3:3 warning the line "..." is skipped. Hint: remove it',
        'c.yaml:5:1 warning the line "..." is skipped. Hint: remove it',
      ],
    })
  })
})
