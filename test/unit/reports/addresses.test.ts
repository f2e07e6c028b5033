import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createTransport } from 'nodemailer'
import { type AddressProblem, addressProblem, mailboxOf, senderProblem } from '../../../src/reports/addresses.ts'
import type { ReportMail } from '../../../src/reports/mailer.ts'
import { guardMailer } from '../../../src/reports/mailer.ts'

const ALLOWED = ['acme.example', 'xn--bcher-kva.example']
const RULES = { allowedDomains: ALLOWED, fromAddress: 'Reports <reports@mail.acme.example>' }

test.each<[string, AddressProblem['code'] | null]>([
  ['anna@acme.example', null],
  ['Anna@ACME.Example', null],
  ['anna+north@acme.example', null],
  ['anna@xn--bcher-kva.example', null],
  ['anna@evil.example', 'ADDRESS_NOT_ALLOWED'],
  ['anna@mail.acme.example', 'ADDRESS_NOT_ALLOWED'],
  ['anna@acme.example.evil.example', 'ADDRESS_NOT_ALLOWED'],
  ['x%evil.example@acme.example', 'ADDRESS_NOT_ALLOWED'],
  ['evil.example!x@acme.example', 'ADDRESS_NOT_ALLOWED'],
  ['anna@acme.example.', 'ADDRESS_INVALID'],
  ['anna@acme.example, x@evil.example', 'ADDRESS_INVALID'],
  ['x@evil.example;anna@acme.example', 'ADDRESS_INVALID'],
  ['x@evil.example anna@acme.example', 'ADDRESS_INVALID'],
  ['"anna@acme.example" <x@evil.example>', 'ADDRESS_INVALID'],
  ['<x@evil.example>', 'ADDRESS_INVALID'],
  ['group:x@evil.example;', 'ADDRESS_INVALID'],
  ['x@evil.example(@acme.example)', 'ADDRESS_INVALID'],
  ['"x@evil.example"@acme.example', 'ADDRESS_INVALID'],
  ['x@evil.example@acme.example', 'ADDRESS_INVALID'],
  ['@evil.example:anna@acme.example', 'ADDRESS_INVALID'],
  ['anna@[acme.example]', 'ADDRESS_INVALID'],
  ['anna@аcme.example', 'ADDRESS_INVALID'],
  ['anna@ａcme.example', 'ADDRESS_INVALID'],
  ['anna@bücher.example', 'ADDRESS_INVALID'],
  ['anna@acme。example', 'ADDRESS_INVALID'],
  ['anna@acme.example\r\nBcc: x@evil.example', 'ADDRESS_INVALID'],
  ['', 'ADDRESS_INVALID'],
])('a report to %p: %p', (address, code) => {
  expect(addressProblem(address, ALLOWED)?.code ?? null).toBe(code)
})

test.each<[string, AddressProblem['code'] | null]>([
  ['Reports <reports@mail.acme.example>', null],
  ['other@mail.acme.example', null],
  ['"Sales, north" <sales@acme.example>', null],
  ['"anna@acme.example" <sales@acme.example>', 'ADDRESS_INVALID'],
  ['sales@evil.example', 'ADDRESS_NOT_ALLOWED'],
  ['sales@acme.example, x@evil.example', 'ADDRESS_INVALID'],
  ['Sales (x) <sales@acme.example>', 'ADDRESS_INVALID'],
  ['Sales: x@evil.example, Anna <sales@acme.example>', 'ADDRESS_INVALID'],
])('a sender %p: %p', (text, code) => {
  expect(senderProblem(text, RULES)?.code ?? null).toBe(code)
})

test('whatever a text is, the mail transport sees no address that was not allowed', async () => {
  const transport = createTransport({ jsonTransport: true })
  const seen: string[] = []
  const mailer = guardMailer(
    {
      async send(mail) {
        const { envelope, message } = await transport.sendMail({ ...mail, text: 'x' })
        const { replyTo = [] } = JSON.parse(String(message)) as { replyTo?: { address: string }[] }
        seen.push(...[envelope.to].flat(), ...replyTo.map(({ address }) => address))
        return { outcome: 'sent' as const, detail: '' }
      },
    },
    RULES,
  )
  const part = fc.constantFrom(
    'a@acme.example',
    'x@evil.example',
    '"',
    '<',
    '>',
    ',',
    ';',
    ':',
    '(',
    ')',
    ' ',
    '\\',
    '@',
    '%',
    '!',
    '.',
    '[',
    ']',
    '\r\n',
    '\0',
    'ａ',
    '。',
    'ı',
    'K',
    'acme.example',
    'evil.example',
    'Anna',
  )
  const text = fc.oneof(
    fc.array(part, { maxLength: 6 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary' }),
  )
  await fc.assert(
    fc.asyncProperty(text, fc.constantFrom('to', 'cc', 'bcc', 'replyTo'), async (given, member) => {
      seen.length = 0
      const box = member === 'replyTo' ? mailboxOf(given) : { name: '', address: given }
      if (!box) return
      const mail: ReportMail = { from: RULES.fromAddress, to: [] }
      await mailer.send({ ...mail, [member]: member === 'replyTo' ? box : [box] })
      const domains = [...ALLOWED, 'mail.acme.example']
      for (const address of seen) expect(domains).toContain(address.slice(address.lastIndexOf('@') + 1).toLowerCase())
      if (addressProblem(given, ALLOWED) === null)
        expect(seen.map((one) => one.toLowerCase())).toEqual([given.toLowerCase()])
    }),
    { numRuns: 400 },
  )
})
