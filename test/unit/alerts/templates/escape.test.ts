import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  cleanText,
  escapeAngles,
  escapeMarkdown,
  escapeTags,
  mapTexts,
  type Target,
} from '../../../../src/alerts/templates/escape.ts'
import { templateEngine } from '../../../support/alerts.ts'

const engine = templateEngine()
const render = (text: string, record: Record<string, unknown>, target: Target) =>
  engine.render({ kind: 'inline', name: 'test', text }, record, target)

const CONTROL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not occur
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]/g

/** The same tag in both languages. */
const ESCAPED = ['{{x}}', '<%= it.x %>']
const RAW = ['{{{x}}}', '{{&x}}', '<%~ it.x %>']
const anyText = fc.string({ unit: 'binary', maxLength: 60 })
const nasty = fc.oneof(
  anyText,
  fc.constantFrom(
    'A "B" & <C> \\D',
    'C:\\new\\temp',
    '</script>',
    "'`=",
    '\r\nBcc: x@y.io',
    '\t\u2028\u0000',
    '<@U123>',
  ),
)

const decodeHtml = (html: string) =>
  html.replace(/&(amp|lt|gt|quot|#x27|#x60|#x3D);/g, (_, name) => {
    const signs: Record<string, string> = {
      amp: '&',
      lt: '<',
      gt: '>',
      quot: '"',
      '#x27': "'",
      '#x60': '`',
      '#x3D': '=',
    }
    return signs[name]!
  })

describe.each(ESCAPED)('%s', (tag) => {
  test('in HTML makes no markup of any text', () => {
    fc.assert(
      fc.property(nasty, (x) => {
        const html = render(tag, { x }, 'html')
        expect(html).not.toMatch(/[<>"'`=]/)
        expect(decodeHtml(html)).toBe(x)
      }),
    )
  })

  test('in a subject is the text itself, on one line', () => {
    fc.assert(
      fc.property(nasty, (x) => {
        const subject = render(`a ${tag} b`, { x }, 'line')
        expect(subject).not.toMatch(CONTROL)
        expect(subject.replaceAll(' ', '')).toBe(`a${x}b`.replace(CONTROL, '').replaceAll(' ', ''))
      }),
    )
  })

  test('in plain text is the text itself', () => {
    fc.assert(fc.property(nasty, (x) => expect(render(`a ${tag} b`, { x }, 'text')).toBe(`a ${x} b`)))
  })

  test('in Teams JSON gives back the text', () => {
    fc.assert(fc.property(nasty, (x) => expect(JSON.parse(render(`{"t":"${tag}"}`, { x }, 'teams'))).toEqual({ t: x })))
  })

  test('in Slack JSON gives back the text without mentions', () => {
    fc.assert(
      fc.property(nasty, (x) => {
        const { t } = JSON.parse(render(`{"t":"${tag}"}`, { x }, 'slack'))
        expect(t).not.toMatch(/[<>]/)
        expect(t.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&')).toBe(x)
      }),
    )
  })
})

describe.each(RAW)('%s', (tag) => {
  test('in HTML is the text itself', () => {
    expect(render(tag, { x: '<b>&amp;</b>' }, 'html')).toBe('<b>&amp;</b>')
  })

  test.each(['slack', 'teams'] as const)('in %s JSON gives back the text, mentions included', (target) => {
    fc.assert(fc.property(nasty, (x) => expect(JSON.parse(render(`{"t":"${tag}"}`, { x }, target))).toEqual({ t: x })))
  })

  test.each(['scriptLogTail', 'logMessage', 'errorText'])('in Slack %s never mentions anybody', (name) => {
    const own = tag.replace('x', name)
    const { t } = JSON.parse(render(`{"t":"${own}"}`, { [name]: '<!channel> "x"\r\n' }, 'slack'))
    expect(t).toBe('&lt;!channel&gt; "x"\r\n')
  })
})

test.each([
  [null, ''],
  [undefined, ''],
  [0, '0'],
  [false, 'false'],
  [['a', 'b'], 'a,b'],
  [{}, '[object Object]'],
])('the value %p is written as %p', (x, expected) => {
  for (const tag of [...ESCAPED, ...RAW]) expect(render(tag, { x }, 'html')).toBe(expected)
})

describe('Markdown of Teams and Discord', () => {
  /** As CommonMark has it: inline links, definitions that links refer to, and the mentions of Discord. */
  const LINK = /\]\((?!\w+[\s,)])|^ {0,3}\[(?:\\.|[^\]\\\n])*\]:|<(?:[@#][!&]?\d+|a?:\w+:\d+|t:\d+)>/m
  const parts = fc.constantFrom(
    '[',
    ']',
    '(',
    ')',
    '[x]',
    '](',
    '(http://evil.example)',
    ':',
    ' ',
    '\n',
    '\\',
    '<',
    '>',
    '<@1>',
    '<@&2>',
    '<#3>',
    '<:a:4>',
    '<t:5>',
    '!',
    'text',
    'https://evil.example',
    '(qvd)',
    ']: ',
  )
  const markdown = fc.array(parts, { maxLength: 30 }).map((all) => all.join(''))

  test('property: nothing becomes a link or a mention; what is escaped twice is the same', () => {
    fc.assert(
      fc.property(markdown, (text) => {
        const escaped = escapeMarkdown(text)
        expect(escaped).not.toMatch(LINK)
        expect(escapeMarkdown(escaped)).toBe(escaped)
        expect(escaped.replaceAll(' ', '')).toBe(text.replaceAll(' ', ''))
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['[Reset your password](https://evil.example)', '[Reset your password] (https://evil.example)'],
    ['![x](//evil.example)', '![x] (//evil.example)'],
    ['[x]( <&#104;ttp://evil.example>)', '[x] ( <&#104;ttp://evil.example>)'],
    ['[x]\n\n[x]: https://evil.example', '[x]\n\n[x] : https://evil.example'],
    ['<@123> <@&456> <#7> <:ok:8> @everyone', '< @123> < @&456> < #7> < :ok:8> @everyone'],
  ])('%j becomes %j', (text, escaped) => expect(escapeMarkdown(text)).toBe(escaped))

  test.each([
    'LOAD * FROM [lib://Src/orders.qvd](qvd);',
    'LOAD * FROM [lib://Src/orders.csv](txt, utf8)',
    'Sales [EU] (hourly), list[0](1)',
    'at https://qs.acme.example/hub <orders> a_b *c*',
  ])('ordinary: %s', (text) => expect(escapeMarkdown(text)).toBe(text))
})

test.each([
  ['<a href="http://evil.example">x</a> <!-- <B>', '< a href="http://evil.example">x< /a> < !-- < B>'],
  ['1 < 2 <3', '1 < 2 <3'],
])('HTML without a place: %j becomes %j', (text, escaped) => expect(escapeTags(text)).toBe(escaped))

test('Slack and Telegram: neither mentions nor links', () => {
  expect(escapeAngles('<!channel> <http://evil.example|x> &')).toBe(
    '&lt;!channel&gt; &lt;http://evil.example|x&gt; &amp;',
  )
})

test('texts of messages keep line feeds and tabs, and no half of a character', () => {
  expect(cleanText('a\tb\r\nc\x1b[2J\u202e\ud83e')).toBe('a\tb\nc[2J\ufffd')
})

test('every text of the variables is changed, however deep', () => {
  const value = { a: 'x', list: ['x', { b: 'x' }], n: 1, none: null, yes: true }
  expect(mapTexts(value, (text) => `${text}!`)).toEqual({
    a: 'x!',
    list: ['x!', { b: 'x!' }],
    n: 1,
    none: null,
    yes: true,
  })
})
