/** The content of report mails: variables, built-in body, message for the mail server. */
import { describe, expect, test } from 'bun:test'
import type { RunRecord } from '../../../../src/reports/runs/ledger.ts'
import {
  bodyOf,
  filled,
  mailContext,
  mailHtml,
  mailOptions,
  mailText,
  sizeText,
  withLinesAbove,
} from '../../../../src/reports/runs/mail.tsx'
import type { MailPayload } from '../../../../src/reports/runs/plan.ts'
import { exampleDefinition, exampleDocument } from '../../../support/report-runs.ts'

const PAYLOAD: MailPayload = {
  from: null,
  to: ['anna@x.com'],
  cc: [],
  bcc: [],
  subject: 'Weekly',
  insteadOf: null,
  person: { name: 'Anna Berg', address: 'anna@x.com', attributes: { region: 'Nord' } },
  attach: [],
  embed: [],
  missing: [],
  archives: [],
}

function context(email: object = {}, payload: Partial<MailPayload> = {}, hubUrl = (_: string) => '') {
  const cycle = [{ field: 'Region', value: { text: 'Nord', number: null } }]
  return mailContext({
    run: {
      id: 'r1',
      startedAt: 1000,
      queuedAt: 0,
      test: false,
      sealed: { app: { name: 'Sales', lastReload: 5000 } },
    } as RunRecord,
    definition: exampleDefinition({ project: 'P', email: { enabled: true, ...email } }),
    documents: [exampleDocument({ cycle, bytes: 184_320 })],
    payload: { ...PAYLOAD, ...payload },
    hubUrl,
    formatTime: (at) => `at ${at}`,
    timezone: 'Europe/Stockholm',
  })
}

test('a template gets what the task, the run and the person have', () => {
  const { message, ...rest } = context({ message: 'Hello' }, { missing: ['book'] }, (id) => `https://hub/${id}`)
  expect(message).toBe('Hello')
  expect(rest).toEqual({
    task: { name: 'Weekly sales pack', project: 'P' },
    run: { id: 'r1', startedAt: 'at 1000', test: false },
    app: { name: 'Sales', lastReload: 'at 5000' },
    timezone: 'Europe/Stockholm',
    recipient: { name: 'Anna Berg', email: 'anna@x.com', attributes: { region: 'Nord' } },
    documents: [
      {
        fileName: 'Sales pack.pdf',
        report: 'Sales pack',
        cycle: 'Nord',
        sizeText: '180 KB',
        hubUrl: 'https://hub/b7c0d1e2-0000-4000-8000-000000000001',
      },
    ],
    missing: ['book'],
    insteadOf: '',
    filesRefused: false,
  })
})

test.each([
  ['Figures up to {{app.lastReload}}.', 'Figures up to at 5000.'],
  ['{{ recipient.attributes.region }}', 'Nord'],
  ['{{documents}} {{recipient}} {{nothing.at.all}}', '  '],
  ['{{constructor.name}}{{task.__proto__}}', ''],
  ['{{recipient.name}} {{#each documents}}', 'Anna Berg {{#each documents}}'],
])('message %s', (message, expected) => {
  expect(context({ message }).message).toBe(expected)
})

test('a value with braces or markup stays text', () => {
  const person = { name: '{{task.name}} <b>', address: 'anna@x.com', attributes: {} }
  const made = context({ message: 'To {{recipient.name}}' }, { person })
  expect(made.message).toBe('To {{task.name}} <b>')
  expect(mailHtml(made, null)).toContain('To {{task.name}} &lt;b&gt;')
  expect(filled('{{a}}', { a: 3 })).toBe('3')
})

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KB'],
  [184_320, '180 KB'],
  [5 * 1024 * 1024, '5.0 MB'],
])('%d bytes are %s', (bytes, expected) => {
  expect(sizeText(bytes)).toBe(expected)
})

describe('the built-in body', () => {
  const full = context(
    { message: 'Hello' },
    { missing: ['book'], insteadOf: 'anna@x.com' },
    () => 'https://hub/items/1?e=1&s=2',
  )

  test('as text', () => {
    expect(mailText(full)).toBe(
      [
        'TEST — would have gone to anna@x.com',
        '',
        'Weekly sales pack',
        'Sales, data of at 5000 Europe/Stockholm',
        '',
        'Hello',
        '- Sales pack.pdf (180 KB) https://hub/items/1?e=1&s=2',
        '',
        'Could not be made: book.',
        '',
      ].join('\n'),
    )
  })

  test('as HTML, with the report below', () => {
    const html = mailHtml(full, '<table>report</table>')
    const order = [
      'TEST — would',
      'Weekly sales pack',
      'Hello',
      'e=1&amp;s=2',
      'Could not be made: book.',
      '<table>report',
    ]
    expect(order.map((part) => html.indexOf(part)).every((at, index, all) => at > (all[index - 1] ?? 0))).toBe(true)
  })

  test('of a mail without files, message and test mode', () => {
    const bare = { ...context(), documents: [] }
    expect(mailText(bare)).toBe('Weekly sales pack\nSales, data of at 5000 Europe/Stockholm\n')
    expect(mailHtml(bare, null)).not.toMatch(/TEST|Could not|<table/)
  })
})

test.each([
  ['<html><body style="a">x</body></html>', '<html><body style="a"><p style="'],
  ['<p>x</p>', '<p style="'],
])('the line of test mode is the first of the body of %s', (html, start) => {
  const made = withLinesAbove(html, { insteadOf: 'a<b@x.com', filesRefused: false })
  expect(made).toStartWith(start)
  expect(made).toContain('TEST — would have gone to a&lt;b@x.com')
  expect(withLinesAbove(html, { insteadOf: '', filesRefused: false })).toBe(html)
})

test.each([
  ['<!doctype html><html><head><style>p{}</style></head><BODY class="x">\n<p>1</p>\n</BODY></html>', '<p>1</p>'],
  ['<p>no body</p>', '<p>no body</p>'],
])('the content of %s', (html, expected) => {
  expect(bodyOf(html)).toBe(expected)
})

test('the message for the mail server', () => {
  const parts = { messageId: 'm1', deliveryId: 'd1', runId: 'r1', from: 'F <f@x.com>', host: 'h.example' }
  const content = { priority: 'low' as const, html: '<p>', text: 't', attachments: [] }
  const payload = { ...PAYLOAD, to: ['a,b@x.com'], cc: ['c@x.com'], subject: 'Two\r\nBcc: x@evil.com' }
  const made = mailOptions(payload, { ...parts, ...content, replyTo: { name: '', address: 'answers@x.com' } })
  expect(made).toMatchObject({
    from: 'F <f@x.com>',
    replyTo: { name: '', address: 'answers@x.com' },
    to: [{ name: '', address: 'a,b@x.com' }],
    cc: [{ name: '', address: 'c@x.com' }],
    bcc: [],
    subject: 'Two Bcc: x@evil.com',
    messageId: '<m1@h.example>',
    priority: 'low',
    headers: {
      'X-Report-Run': 'r1',
      'X-Report-Delivery': 'd1',
      'Auto-Submitted': 'auto-generated',
      Precedence: 'bulk',
    },
  })
  expect('replyTo' in mailOptions(payload, { ...parts, ...content, replyTo: null })).toBe(false)
})
