/** The built-in mails: every kind of event, with ordinary, missing and nasty data. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createBudget, mailView, TONES } from '../../../src/alerts/destinations/email/view.ts'
import { sampleEvent } from '../../../src/alerts/sample-event.ts'
import { templateContext } from '../../../src/alerts/template-context.ts'
import { ESCAPING } from '../../../src/alerts/templates/escape.ts'
import type { DeliveryKind } from '../../../src/alerts/types.ts'
import { EVENT_TYPES } from '../../../src/events/kinds.ts'
import type { EventOutcome, EventType, TaskEvent } from '../../../src/events/types.ts'
import { CONTEXT, fullEvent, scriptLog, templateEngine } from '../../support/alerts.ts'
import { htmlFaults } from '../../support/html-lint.ts'
import { MAIL_SAMPLES } from '../../support/mail-samples.ts'

const GMAIL_LIMIT = 100_000
const NASTY = `<x-evil onload="a()">&amp;'\`"=</td></table>--><![endif]--><!-- \u0000\u202e😀 {{x}} <%= 1 %> \\D`
const OUTCOMES: Readonly<Record<string, readonly EventOutcome[]>> = {
  service: ['stopped', 'started', 'unreachable'],
  license: ['status', 'expiring', 'expired'],
  self: ['raised', 'cleared'],
  cloudReload: ['failed', 'success'],
}
const TASK_OUTCOMES: readonly EventOutcome[] = ['failed', 'aborted', 'success', 'late', 'stuck', 'neverStarted']
const KINDS: readonly DeliveryKind[] = ['alert', 'recovery', 'fallback', 'summary', 'test']
const CASES = EVENT_TYPES.flatMap((type) =>
  (OUTCOMES[type] ?? TASK_OUTCOMES).map((outcome) => [type, outcome] as const),
)
const engine = templateEngine()

/** Every text in the value, at any depth, replaced. */
function withTexts<T>(value: T, replace: (text: string) => string): T {
  if (typeof value === 'string') return replace(value) as T
  if (Array.isArray(value)) return value.map((one) => withTexts(one, replace)) as T
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withTexts(one, replace)])) as T
}

function mailOf(event: TaskEvent, delivery: object = {}, change = (record: Record<string, unknown>) => record) {
  const record = change(templateContext(event, CONTEXT, { headLines: 15, tailLines: 15 }, 'collapsed', delivery))
  const variables = { ...record, view: mailView(record) }
  return {
    html: engine.render({ kind: 'builtin', name: 'email/alert' }, variables, 'html'),
    text: engine.render({ kind: 'builtin', name: 'email/alert.txt' }, variables, 'text'),
  }
}

/** What tells one kind of event from another has to stay. */
const KEEP = new Set(['taskType', 'outcome', 'kind', 'severity', 'missingParts', 'absentParts'])

function replaced(record: Record<string, unknown>, replace: (text: string) => string): Record<string, unknown> {
  const entries = Object.entries(record).map(([key, value]) => [key, KEEP.has(key) ? value : withTexts(value, replace)])
  return Object.fromEntries(entries)
}

describe('every kind of mail is well formed, below 100 KB, without scripts and resources', () => {
  const fits = (html: string) => {
    expect(htmlFaults(html)).toEqual([])
    expect(Buffer.byteLength(html)).toBeLessThan(GMAIL_LIMIT)
  }

  test.each(CASES)('%s %s', (type, outcome) => {
    for (const kind of KINDS) {
      const event = sampleEvent('id', outcome, 0, type)
      const note = { summary: { title: NASTY, lines: [NASTY, 'b'] }, failedDestination: NASTY }
      fits(mailOf(event, { kind, note }).html)
      const nasty = mailOf(event, { kind, note, suppressed: 3 }, (record) => replaced(record, () => NASTY)).html
      fits(nasty)
      expect(nasty).not.toContain('<x-evil')
      expect(nasty).toContain('&lt;x-evil')
    }
  })

  test.each(Object.keys(MAIL_SAMPLES))('%s', (name) => {
    const { event, delivery } = MAIL_SAMPLES[name as keyof typeof MAIL_SAMPLES]
    const { html, text } = mailOf(event, delivery)
    fits(html)
    expect(text).not.toMatch(/undefined|NaN|\[object|null/)
    expect(html.replace(/<style[\s\S]*?<\/style>/g, '')).not.toMatch(/undefined|NaN|\[object/)
  })

  test('with nothing but a type', () => {
    for (const [type, outcome] of CASES) {
      const view = mailView({ taskType: type, outcome })
      fits(engine.render({ kind: 'builtin', name: 'email/alert' }, { view }, 'html'))
    }
  })

  test('however much there is to say', () => {
    const many = (n: number, make: (i: number) => unknown) => Array.from({ length: n }, (_, i) => make(i))
    const huge = `"<&'>${'x'.repeat(20)} `.repeat(400)
    const lines = Array.from({ length: 5000 }, (_, i) => `${i} Error: "C:\\new"\t'${'&'.repeat(80)}'`)
    const event = fullEvent({ scriptLog: scriptLog(lines), logMessage: huge })
    const downstream = many(300, (i) => ({ id: String(i), name: huge, usualStart: null })) as never
    for (const scale of [huge, `${'"'.repeat(5000)}`]) {
      const { html, text } = mailOf(
        event,
        { note: { chain: { root: { id: '', name: '' }, downstream } }, suppressed: 9 },
        (record) => ({
          ...replaced(record, () => scale),
          genericUrls: many(50, () => ({ linkText: scale, url: `https://wiki.example/?a=${'%22'.repeat(200)}` })),
          taskTags: many(500, () => scale),
          appTags: many(500, () => scale),
          taskCustomProperties: many(500, () => ({ name: scale, value: scale })),
          executionDetails: many(900, () => ({
            timestampLocal1: '2025-10-14 09:24:31',
            message: scale,
            detailsType: 0,
          })),
          scriptLogHead: lines.slice(0, 2000).join('\r\n'),
          scriptLogTail: lines.slice(-2000).join('\r\n'),
          chain: { downstream: many(300, () => ({ name: scale })) },
        }),
      )
      fits(html)
      expect(text).toContain('4999 Error')
    }
  })

  test('property: any text anywhere', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom(NASTY, '-->', '<![endif]-->', '</style>'),
    )
    fc.assert(
      fc.property(fc.constantFrom(...CASES), texts, ([type, outcome], text) => {
        const { html } = mailOf(sampleEvent('id', outcome, 0, type as EventType), {}, (record) =>
          replaced(record, () => text),
        )
        expect(htmlFaults(html)).toEqual([])
      }),
      { numRuns: 60 },
    )
  })
})

describe('the lint itself', () => {
  test.each([
    ['<p>a<b>c</p></b>', '</p> closes'],
    ['<p>a', 'open: p'],
    ['<img src="x">', '<img>'],
    ['<p onclick="x">a</p>', 'attribute'],
    ['<p>a < b</p>', 'no tag'],
    ['<p>a & b</p>', 'ampersand'],
    ['<p style="background:url(x)">a</p>', 'attribute'],
    ['<!--[if mso]><table><![endif]--><p>a</p>', 'Outlook: open: table'],
  ])('%s', (html, fault) => {
    expect(htmlFaults(html).join('\n')).toContain(fault)
  })
})

describe('what a mail says', () => {
  const textOf = (name: keyof typeof MAIL_SAMPLES) => {
    const { event, delivery } = MAIL_SAMPLES[name]
    return mailOf(event, delivery).text
  }

  test('about what did not come in time and about what does not exist', () => {
    expect(textOf('reload-bare')).toContain('Qlik Sense did not answer before this mail had to leave.')
    const gone = textOf('reload-app-gone')
    expect(gone).toContain('Not in Qlik Sense: Qlik Sense has no such app (any more).')
    expect(gone).toContain('Not available: script log. Qlik Sense did not answer')
    expect(gone).not.toContain('Open app')
    expect(textOf('reload-failed')).not.toContain('did not answer')
  })

  test('about retries, failures in a row, tasks downstream and what was held back', () => {
    const text = textOf('reload-failed')
    expect(text).toContain('Retries: This was try 1 of 3. The next one starts at 2025-10-14 09:33:43 Europe/Stockholm.')
    expect(text).toContain('3 failures in a row. The last success was at 2025-10-14 06:28:10 Europe/Stockholm.')
    expect(text).toContain(
      '2 tasks will not run because they wait for this one:\n  - Sales dashboard - reload (usually 2025-10-14 09:35 Europe/Stockholm)\n',
    )
    expect(text).toContain('4 earlier alerts about this were held back by the rate limit since the last mail.')
  })

  test('every time with its zone, in HTML and in text', () => {
    const mail = mailOf(fullEvent())
    expect(mail.text).toContain('Started:           2025-10-14 09:24:31 Europe/Stockholm\n')
    expect(mail.text).toMatch(/Next run: {10}2025-10-14 10:00:00 Europe\/Stockholm\n/)
    expect(mail.text).toContain('\nHistory of this execution, times in Europe/Stockholm\n')
    expect(mail.text).toMatch(/, received 2025-10-14 09:28:43 Europe\/Stockholm\n/)
    expect(mail.html).toMatch(/>2025-10-14 Europe\/Stockholm<\/p>/)
    expect(mail.html).toContain('Times in Europe/Stockholm</p>')
    expect(mail.html).toMatch(/received 2025-10-14 09:28:43 Europe\/Stockholm/)
  })

  test('why no further try is made', () => {
    const retry = { attempt: 3, max: 3, nextAt: null, refused: 'The task has been retried 10 times today.' }
    expect(mailOf(fullEvent({ retry })).text).toContain('try 3 of 3. The task has been retried 10 times today.')
    expect(mailOf(fullEvent({ retry: { ...retry, refused: null } })).text).toContain(
      'try 3 of 3. No further try is made.',
    )
  })

  test('that it is a recovery, a fallback, a test', () => {
    expect(textOf('reload-recovered')).toStartWith('Reload recovered: Sales DW - hourly\n')
    expect(textOf('reload-recovered')).toContain('All is well again.')
    expect(textOf('fallback')).toContain('could not be delivered to ops-slack')
    expect(textOf('test')).toStartWith('[TEST] Reload failed: Sample task "A & B"\n')
    expect(textOf('summary')).toContain('12 alerts between 22:00 and 06:00')
    expect(textOf('summary')).toContain('\nSales DW - hourly: 9 failed\nHR Insights: 3 failed\n')
  })

  test('about a service', () => {
    const text = textOf('service-stopped')
    expect(text).toStartWith('Service stopped: Qlik Sense Engine Service on qs-prod-1\n')
    expect(text).toContain('Previous status:   RUNNING\n')
    expect(text).toContain('Program:           "C:\\Program Files\\Qlik\\Sense\\Engine\\Engine.exe" -service\n')
  })

  test('a short script log once, a long one from both ends, the last rows first', () => {
    const { html } = mailOf(fullEvent({ scriptLog: scriptLog(['one', 'two', 'three']) }))
    expect(html.match(/two/g)).toHaveLength(1)
    expect(html).toContain('All 3 rows of the script log')
    const long = mailOf(fullEvent({ scriptLog: scriptLog(Array.from({ length: 50 }, (_, i) => `row ${i}`)) })).html
    expect(long.indexOf('row 49')).toBeLessThan(long.indexOf('row 14'))
    expect(long).not.toContain('row 15<')
  })

  test('blanks of the script log are kept where Outlook shows them too', () => {
    const { html } = mailOf(fullEvent({ scriptLog: scriptLog(['  a  b\tc']) }))
    expect(html).toContain('\u00a0 a\u00a0 b\u00a0\u00a0\u00a0 c')
    expect(html).not.toContain('<pre')
  })

  test('only addresses that a browser opens become buttons', () => {
    const { html } = mailOf(fullEvent(), {}, (record) => ({
      ...record,
      genericUrls: [
        { linkText: 'bad', url: 'javascript:alert(1)' },
        { linkText: 'file', url: 'file:///etc/passwd' },
        { linkText: 'good', url: 'https://x.example/?a=1&b=2' },
      ],
    }))
    expect(html).not.toContain('javascript:')
    expect(html).not.toContain('file:')
    expect(html).toContain('https://x.example/?a&#x3D;1&amp;b&#x3D;2')
  })
})

describe('colours can be told from their background', () => {
  /** Relative luminance, as WCAG 2 defines it. */
  const luminance = (colour: string) => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const contrast = (one: string, other: string) => {
    const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
    return (high + 0.05) / (low + 0.05)
  }

  test.each(Object.entries(TONES))('%s', (_, { solid, soft, ink, softDark, inkDark }) => {
    const pairs = [
      ['#ffffff', solid],
      [ink, soft],
      ['#17202a', soft],
      [inkDark, softDark],
      ['#e8edf2', softDark],
    ] as const
    for (const [text, background] of pairs) expect(contrast(text, background)).toBeGreaterThan(4.5)
  })

  test.each([
    ['#17202a', '#ffffff'],
    ['#66727e', '#ffffff'],
    ['#66727e', '#f3f6f9'],
    ['#33414e', '#eaeef2'],
    ['#8c1d18', '#f4f6f8'],
    ['#ffffff', '#22577a'],
    ['#9aa7b4', '#1a2129'],
    ['#d3dbe3', '#11171d'],
    ['#ffb4ab', '#11171d'],
    ['#d7e3f0', '#232c36'],
  ])('%s on %s', (text, background) => {
    expect(contrast(text, background)).toBeGreaterThan(4.5)
  })
})

describe('the budget of a mail', () => {
  const size = (text: string) => Buffer.byteLength(ESCAPING.html.escaped(text))

  test('property: never more than asked for, never half a character', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', maxLength: 200 })),
        fc.nat(600),
        fc.nat(1500),
        (texts, each, total) => {
          const budget = createBudget(total)
          const fitted = texts.map((text) => budget.fit(text.toWellFormed(), each))
          expect(fitted.every((text) => size(text) <= each && text.isWellFormed())).toBeTrue()
          expect(fitted.reduce((sum, text) => sum + size(text), 0)).toBeLessThanOrEqual(total)
        },
      ),
    )
  })

  test('lines from the start or from the end, whole as long as that goes', () => {
    const lines = ['aaaa', 'bbbb', 'cccc']
    expect(createBudget(1000).fitLines(lines, 130, 'start')).toEqual(['aaaa', 'bbbb'])
    expect(createBudget(1000).fitLines(lines, 130, 'end')).toEqual(['bbbb', 'cccc'])
    expect(createBudget(1000).fitLines(['x'.repeat(5000)], 100, 'start')).toEqual([`${'x'.repeat(37)}…`])
  })
})

describe('the time of the log entry', () => {
  test.each([
    [{ source: 'udp', logTimeStamp: '2025-10-14 09:28:43,099', host: 'pro2-win1' }, 'local time of pro2-win1'],
    [{ source: 'udp', logTimeStamp: '2025-10-14 09:28:43,099', host: '' }, 'local time of the node'],
    [{ source: 'reconciler', logTimeStamp: '2025-10-14 09:28:43,099', host: 'pro2-win1' }, 'local time of Footman'],
  ] as const)('names its zone: %j', (changes, zone) => {
    expect(mailOf(fullEvent(changes)).text).toContain(`2025-10-14 09:28:43,099 (${zone})`)
  })

  test.each(['2026-01-15T06:03:11.482Z', '20260115T060311.482+0100'])('stays as it is with a zone: %s', (time) => {
    const { text } = mailOf(fullEvent({ logTimeStamp: time }))
    expect(text).toContain(time)
    expect(text).not.toContain('local time of')
  })
})
