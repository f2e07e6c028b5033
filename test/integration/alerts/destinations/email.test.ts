/** Mails to named destinations, over a real SMTP connection. */
import { afterEach, expect, test } from 'bun:test'
import { createMailSender } from '../../../../src/alerts/destinations/email/mailer.ts'
import type { RenderInput } from '../../../../src/alerts/types.ts'
import type { TaskEvent } from '../../../../src/events/types.ts'
import { emailConfig, STOCKHOLM, templateEngine } from '../../../support/alerts.ts'
import { exampleEvent, inputFor, namedDestination, routeOf } from '../../../support/named.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { startSmtpSink } from '../../../support/smtp-sink.ts'

const open: (() => Promise<void> | undefined)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function mailing(written: object, email: object = {}) {
  const sink = await startSmtpSink()
  open.push(sink.stop)
  const smtp = { host: '127.0.0.1', port: sink.port, secure: false, tls: { requireTLS: false } }
  const config = emailConfig({ smtp }, email)
  const deps = { clock: { now: Date.now }, log: recordingLog(), engine: templateEngine(), times: STOCKHOLM }
  const sender = createMailSender(deps, config)
  const mail = { sender: () => sender, settings: config.footman.email, from: 'Qlik <qlik@acme.example>' }
  const { destination } = namedDestination({ type: 'email', ...written }, { deps: { mail } })
  open.push(() => destination.close?.())
  const send = async (event: TaskEvent, changes: Partial<RenderInput> = {}) => {
    for (const { target, suppress } of destination.targets(event)) {
      if (suppress) continue
      const message = await destination.render(inputFor(event, { ...changes, target }))
      const [result] = await destination.deliver([message], AbortSignal.timeout(20_000))
      expect(result).toMatchObject({ outcome: 'delivered' })
    }
    return sink.mails
  }
  return { destination, send }
}

const OWNER = { id: 'o1', directory: 'LAB', userId: 'anna', userName: 'Anna', emails: ['anna@acme.example'] }
const withProperty = (value: string, event = exampleEvent()) =>
  exampleEvent({
    task: { ...event.task!, customProperties: [{ value, definition: { id: 'd', name: 'AlertMail' } }] },
    owner: OWNER,
  })

test('fixed recipients, those of the task and the owner of the app, each once', async () => {
  const settings = { recipients: ['ops@acme.example; bi@acme.example'], appOwner: true, recipientProperty: 'AlertMail' }
  const { destination } = await mailing(settings)
  const targets = destination.targets(withProperty('OPS@acme.example, eva@acme.example, anna@acme.example'))
  expect(targets).toEqual(
    ['ops', 'bi', 'eva', 'anna'].map((name) => ({ target: `${name}@acme.example`, lane: 'email' })),
  )
})

test('addresses that are none, domains that are not allowed, and nobody at all say why', async () => {
  const { destination } = await mailing(
    { recipients: ['anna', 'x@other.example'] },
    { allowedDomains: ['acme.example'] },
  )
  expect(destination.targets(exampleEvent()).map(({ target, suppress }) => [target, suppress?.reason])).toEqual([
    ['anna', 'RECIPIENT_INVALID'],
    ['x@other.example', 'RECIPIENT_INVALID'],
  ])
  const owners = await mailing({ appOwner: true })
  expect(owners.destination.targets(exampleEvent({ owner: null }))).toEqual([
    {
      target: '(nobody)',
      lane: 'email',
      suppress: { reason: 'NO_RECIPIENT', detail: 'the owner of the app is not known' },
    },
  ])
})

test('title, text and HTML, sender, priority, and a Message-ID that stays the same', async () => {
  const { send } = await mailing({ recipients: ['ops@acme.example'] })
  const [mail] = await send(exampleEvent())
  expect(mail!.envelope.to).toEqual(['ops@acme.example'])
  expect(mail!.parsed).toMatchObject({
    subject: 'Reload failed: Financial Dashboard Reload',
    from: { name: 'Qlik', address: 'qlik@acme.example' },
    messageId: '<019cad24-c0ec-7b7c-b06b-c8fb46460cb1@acme.example>',
    html: expect.stringContaining('Sales Dashboard'),
    text: expect.stringContaining("Cannot open file: 'lib://ERP/orders.qvd'"),
    attachments: [],
  })
  expect(mail!.raw).toContain('X-Priority: 1')
  expect(mail!.raw).toContain('Auto-Submitted: auto-generated')
})

test('own sender, own priority and the script log attached', async () => {
  const settings = { recipients: ['ops@acme.example'], from: 'bi@acme.example', priority: 'low', attachScriptLog: true }
  const { send } = await mailing(settings)
  const [mail] = await send(exampleEvent())
  expect(mail!.parsed.from).toMatchObject({ address: 'bi@acme.example' })
  expect(mail!.raw).toContain('X-Priority: 5')
  expect(mail!.parsed.attachments).toHaveLength(1)
})

test('the words of the route; a template that fails is told in plain text', async () => {
  const { send } = await mailing({ recipients: ['ops@acme.example'] })
  await send(exampleEvent(), { rule: routeOf({ texts: { title: '{{taskName}}!', body: 'Own <words> {{key}}' } }) })
  const mails = await send(exampleEvent(), { rule: routeOf({ texts: { body: '{{#if}' } }) })
  expect(mails[0]!.parsed).toMatchObject({
    subject: 'Financial Dashboard Reload!',
    html: expect.stringContaining('Own &lt;words&gt; footman:reload:'),
    text: expect.stringContaining('Own <words> footman:reload:'),
  })
  expect(mails[1]!.parsed.html).toBeUndefined()
  expect(mails[1]!.parsed.text).toMatch(/Template error: rule finance-ops\.body/)
})

test('recoveries and fallbacks', async () => {
  const { send } = await mailing({ recipients: ['ops@acme.example'] })
  await send(exampleEvent({ outcome: 'success', severity: 'info' }), { kind: 'recovery' })
  const mails = await send(exampleEvent(), { kind: 'fallback', note: { failedDestination: 'on-call' } })
  expect(mails[0]!.parsed.subject).toBe('Reload recovered: Financial Dashboard Reload')
  expect(mails[1]!.parsed.html).toBeUndefined()
  expect(mails[1]!.parsed.text).toContain('on-call')
})

test('test mode sends everything to one address', async () => {
  const testMode = { enable: true, address: 'me@acme.example' }
  const { send } = await mailing({ recipients: ['ops@acme.example'] }, { testMode })
  const [mail] = await send(exampleEvent())
  expect(mail!.envelope.to).toEqual(['me@acme.example'])
  expect(mail!.parsed.subject).toBe('ops@acme.example: Reload failed: Financial Dashboard Reload')
})
