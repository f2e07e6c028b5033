import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Target } from '../../../../src/alerts/templates/escape.ts'
import { templateEngine } from '../../../support/alerts.ts'

const engine = templateEngine()
const render = (text: string, record: Record<string, unknown>, target: Target) =>
  engine.render({ kind: 'inline', name: 'test', text }, record, target)

// biome-ignore lint/suspicious/noControlCharactersInRegex: these must not occur
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g

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

  test('in Slack a script log never mentions anybody', () => {
    const own = tag.replace('x', 'scriptLogTail')
    const { t } = JSON.parse(render(`{"t":"${own}"}`, { scriptLogTail: '<!channel> "x"\r\n' }, 'slack'))
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
