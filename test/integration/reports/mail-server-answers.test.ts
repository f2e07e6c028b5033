/** What a mail server can say at each step of a mail to two addresses, and what that means for the mail. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { Readable } from 'node:stream'
import { createReportMailer } from '../../../src/app/reports.ts'
import { configOf, loadButler } from '../../support/config.ts'
import { type ScriptedSmtp, startScriptedSmtp } from '../../support/scripted-smtp.ts'

let server: ScriptedSmtp
beforeAll(async () => {
  server = await startScriptedSmtp()
})
afterAll(async () => server?.[Symbol.asyncDispose]())
beforeEach(() => {
  server.taken.length = 0
  server.steps.length = 0
})

const CLOSING = '421 4.3.2 Service shutting down'
const CLOSED = 'the server closed the connection (421 4.3.2 Service shutting down)'

async function mailerOf(timeouts = {}) {
  const smtp = {
    host: '127.0.0.1',
    port: server.port,
    secure: false,
    tls: { requireTLS: false, ignoreTLS: true },
    auth: { enable: true, user: 'me', password: 'secret' },
  }
  const config = { emailNotification: { enable: true, smtp }, footman: { reportTask: { enable: true } } }
  const mailer = createReportMailer(await configOf(loadButler(JSON.stringify(config))), timeouts)
  const boxes = (...all: string[]) => all.map((address) => ({ name: '', address }))
  return {
    send: (...to: string[]) =>
      mailer.send({
        from: 'f@x.com',
        to: boxes(...to),
        subject: 'Weekly',
        text: 'Figures',
        attachments: [{ filename: 'a.csv', content: Readable.from(['a;b']) }],
      }),
    [Symbol.dispose]: () => mailer.close(),
  }
}

const BOTH = ['anna@x.com', 'gone@x.com'] as const
const gone = (detail: string, isPermanent: boolean) => ({ address: 'gone@x.com', detail, isPermanent })
const anna = (detail: string, isPermanent: boolean) => ({ address: 'anna@x.com', detail, isPermanent })

test.each<[string, Record<string, string>, object, number]>([
  ['421 as greeting', { greeting: CLOSING }, { outcome: 'retry', peerDown: true, detail: CLOSED }, 0],
  ['421 for EHLO', { EHLO: CLOSING }, { outcome: 'retry', peerDown: true, detail: CLOSED }, 0],
  ['421 for AUTH', { AUTH: CLOSING }, { outcome: 'retry', peerDown: true, detail: CLOSED }, 0],
  ['421 for MAIL FROM', { MAIL: CLOSING }, { outcome: 'retry', peerDown: true, detail: CLOSED }, 0],
  ['421 for the first address', { 'RCPT anna@x.com': CLOSING }, { outcome: 'retry', detail: CLOSED }, 0],
  ['421 for the second address', { 'RCPT gone@x.com': CLOSING }, { outcome: 'retry', detail: CLOSED }, 0],
  ['421 for DATA', { DATA: CLOSING }, { outcome: 'retry', peerDown: true, detail: CLOSED }, 0],
  ['421 for the content', { content: CLOSING }, { outcome: 'retry', peerDown: true, detail: CLOSED }, 0],
  ['451 for MAIL FROM', { MAIL: '451 later' }, { outcome: 'retry', peerDown: false, detail: '451 later' }, 0],
  ['451 for DATA', { DATA: '451 later' }, { outcome: 'retry', peerDown: false, detail: '451 later' }, 0],
  ['451 for the content', { content: '451 later' }, { outcome: 'retry', detail: '451 later' }, 0],
  ['454 for AUTH', { AUTH: '454 later' }, { outcome: 'retry', peerDown: true, detail: '454 later' }, 0],
  ['554 for the content', { content: '554 spam' }, { outcome: 'rejected', detail: '554 spam' }, 0],
  [
    'an end without greeting',
    { greeting: 'end' },
    { outcome: 'retry', peerDown: true, detail: 'closed the connection' },
    0,
  ],
  ['an end at EHLO', { EHLO: 'end' }, { outcome: 'retry', peerDown: true, detail: 'closed the connection' }, 0],
  ['an end at an address', { RCPT: 'end' }, { outcome: 'retry', peerDown: true, detail: 'closed the connection' }, 0],
  ['an end at DATA', { DATA: 'end' }, { outcome: 'retry', peerDown: true, detail: 'closed the connection' }, 0],
  ['an end after the content', { content: 'end' }, { outcome: 'unknown', detail: 'closed the connection' }, 0],
  [
    'one address refused for good',
    { 'RCPT gone@x.com': '550 no' },
    { outcome: 'divided', refused: [gone('550 no', true)] },
    1,
  ],
  [
    'one address refused for now',
    { 'RCPT gone@x.com': '451 no' },
    { outcome: 'divided', refused: [gone('451 no', false)] },
    1,
  ],
  ['all refused for now', { RCPT: '450 busy' }, { outcome: 'retry', peerDown: false, detail: '450 busy' }, 0],
  [
    'all refused, one for good',
    { 'RCPT anna@x.com': '450 busy', 'RCPT gone@x.com': '550 no' },
    { outcome: 'divided', refused: [anna('450 busy', false), gone('550 no', true)] },
    0,
  ],
  [
    'one address refused, then 451 for the content',
    { 'RCPT gone@x.com': '550 no', content: '451 later' },
    { outcome: 'retry' },
    0,
  ],
  [
    'one address refused for now, then all for good at the content',
    { 'RCPT gone@x.com': '451 no', content: '550 spam' },
    { outcome: 'divided', refused: [gone('451 no', false), anna(expect.stringMatching(/: 550 spam$/), true)] },
    0,
  ],
  [
    'one address refused for now, then the size at the content',
    { 'RCPT gone@x.com': '451 no', content: '552 5.3.4 big' },
    { outcome: 'divided', refused: [{ isPermanent: false }, { address: 'anna@x.com', tooLarge: true }] },
    0,
  ],
  [
    'one address refused for now, then an end after the content',
    { 'RCPT gone@x.com': '451 no', content: 'end' },
    { outcome: 'divided', refused: [gone('451 no', false), { address: 'anna@x.com', inDoubt: true }] },
    0,
  ],
  [
    'one address refused for good, then an end after the content',
    { 'RCPT gone@x.com': '550 no', content: 'end' },
    { outcome: 'divided', refused: [gone('550 no', true), { address: 'anna@x.com', inDoubt: true }] },
    0,
  ],
  [
    'one address refused for good, then an end at DATA',
    { 'RCPT gone@x.com': '550 no', DATA: 'end' },
    { outcome: 'retry', peerDown: true },
    0,
  ],
  [
    'the size refused at MAIL FROM, all that follows too',
    { MAIL: '552 5.3.4 big', RCPT: '503 no sender', DATA: '503 no sender' },
    { outcome: 'rejected', tooLarge: true },
    0,
  ],
])('%s', async (_, replies, { detail = '', ...expected }: { detail?: string }, taken) => {
  for (const pipelining of [false, true]) {
    server.script(replies, { pipelining })
    using mailer = await mailerOf()
    const result = await mailer.send(...BOTH)
    expect(result).toMatchObject(expected)
    // Of several answers at once the last words before the end of the connection may be lost.
    expect(result.detail).toContain(pipelining && detail === CLOSED ? 'closed the connection' : detail)
    expect(result.detail).not.toContain('emailNotification')
    expect(server.taken.splice(0)).toHaveLength(taken)
  }
})

test.each([
  ['greeting', 'retry'],
  ['EHLO', 'retry'],
  ['RCPT', 'retry'],
  ['DATA', 'retry'],
  ['content', 'unknown'],
])('no answer to %s: %s', async (step, outcome) => {
  server.script({ [step]: 'silence' })
  using mailer = await mailerOf({ greetingMs: 300, silenceMs: 300 })
  expect(await mailer.send(...BOTH)).toMatchObject({ outcome })
})

describe('a connection that has sent a mail before', () => {
  test.each([
    ['421 for one address', { 'RCPT gone@x.com': CLOSING }, { outcome: 'retry', peerDown: true }, CLOSED],
    ['421 for MAIL FROM', { MAIL: CLOSING }, { outcome: 'retry', peerDown: true }, CLOSED],
    ['421 for DATA', { DATA: CLOSING }, { outcome: 'retry', peerDown: true }, CLOSED],
    ['421 for the content', { content: CLOSING }, { outcome: 'retry', peerDown: true }, CLOSED],
    ['an end at MAIL FROM', { MAIL: 'end' }, { outcome: 'retry', peerDown: true }, 'closed'],
    ['an end at an address', { RCPT: 'end' }, { outcome: 'retry', peerDown: true }, 'closed'],
    ['an end at DATA', { DATA: 'end' }, { outcome: 'retry', peerDown: true }, 'closed'],
    ['an end after the content', { content: 'end' }, { outcome: 'unknown' }, 'closed'],
  ])('%s: the mail is sent once, and the text has the words of the server', async (_, replies, expected, detail) => {
    server.script({})
    using mailer = await mailerOf()
    expect(await mailer.send('anna@x.com')).toMatchObject({ outcome: 'sent' })
    server.script(replies)
    server.steps.length = 0
    const result = await mailer.send(...BOTH)
    expect(result).toMatchObject(expected)
    expect(result.detail).toContain(detail)
    expect(result.detail).not.toContain('emailNotification')
    expect(server.steps.filter((step) => step.startsWith('MAIL'))).toHaveLength(1)
    server.script({})
    expect(await mailer.send(...BOTH)).toMatchObject({ outcome: 'sent' })
    expect(server.taken).toEqual([['anna@x.com'], [...BOTH]])
  })
})
