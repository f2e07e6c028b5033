/** Makes and sends mails, for the sections of Butler and for destinations of the type `email`. */

import { hostname } from 'node:os'
import type { SendMailOptions } from 'nodemailer'
import type { TaskEvent } from '../../../events/types.ts'
import { gzip } from '../../../platform/builtins.ts'
import { errorText } from '../../../platform/errors.ts'
import { domainOf, isEmailAddress } from '../../../platform/mail-addresses.ts'
import { createRecurringJob } from '../../../platform/recurring-job.ts'
import type { Clock, Logger } from '../../../platform/types.ts'
import { VERSION } from '../../../platform/version.ts'
import { onOneLine, withoutActing } from '../../../platform/visible.ts'
import type { EmailConfig, EmailNotificationConfig } from '../../config-email.ts'
import { SHORTENED } from '../../outbox/shorten.ts'
import { wholeText } from '../../script-log.ts'
import { contextLinks, type LinkConfig, templateContext, type UserForm } from '../../template-context.ts'
import type { TemplateContext, TemplateEngine, TemplateRef } from '../../templates/engine.ts'
import { mapTexts } from '../../templates/escape.ts'
import { htmlToText } from '../../templates/html-to-text.ts'
import type { TimeFormatter } from '../../times.ts'
import type { DeliveryResult, Message, RenderInput } from '../../types.ts'
import { addNotesToHtml, addNotesToText, missingNotes } from './notices.ts'
import { createMailTransport, smtpFailure, type TransportTimeouts } from './transport.ts'
import { mailView } from './view.ts'

export interface MailerDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly engine: TemplateEngine
  readonly times: TimeFormatter
  readonly timeouts?: TransportTimeouts
}

type MailerConfig = LinkConfig & {
  readonly emailNotification: Pick<EmailNotificationConfig, 'smtp'>
  readonly footman: { readonly email: EmailConfig }
}

/** A body of the user, instead of the built-in templates. */
export type MailBody =
  /** `bodyFileDirectory` and `htmlTemplateFile` of a section. */
  | { readonly kind: 'folder'; readonly directory: string; readonly name: string }
  /** A template file named with its extension. */
  | { readonly kind: 'file'; readonly path: string }
  /** A template of plain text, as it stands in the configuration. */
  | { readonly kind: 'text'; readonly text: string }

/** How one kind of mail looks. */
export interface MailSettings {
  /** Key of the settings, like `Butler.emailNotification.reloadTaskFailure`: in log lines and errors. */
  readonly place: string
  /** Template of the subject; empty = the built-in title. */
  readonly subject: string
  /** Null = the built-in templates. */
  readonly body: MailBody | null
  readonly fromAddress: string
  readonly priority: 'low' | 'normal' | 'high'
  readonly headScriptLogLines: number
  readonly tailScriptLogLines: number
  readonly attachScriptLog: boolean
  readonly userForm: UserForm
  /** Header `X-Butler-Event`. */
  readonly eventHeader: string
  /** Variable `emailRecipients`. */
  readonly recipients?: { readonly taskSpecific: readonly string[]; readonly common: readonly string[] }
  /** Butler's text, logged when the mail leaves: `... Sending reload task failed notification email to ...`. */
  readonly announcement?: (to: string) => string
}

export interface MailSender {
  /** The delivery's mail to `input.target`. Never rejects because of a template. */
  renderMail(input: RenderInput, settings: MailSettings): Promise<Message>
  /** A message that `renderMail` has made. Never rejects. */
  send(message: Message, signal: AbortSignal): Promise<DeliveryResult>
  close(): Promise<void>
}

interface MailContent {
  readonly subject: string
  /** Null in plain text mails: those that replace a failed template, and fallbacks. */
  readonly html: string | null
  readonly text: string
}

interface MailPayload {
  readonly options: SendMailOptions
  readonly announcement?: string
}

/** The built-in plain text and title. */
const TEXT: TemplateRef = { kind: 'builtin', name: 'email/alert.txt' }
const TITLE: TemplateRef = { kind: 'inline', name: 'title', text: '{{title}}' }

const TEST_MODE_REMINDER_MS = 3_600_000

/** Larger script logs are attached compressed. */
const MAX_PLAIN_ATTACHMENT = 5 * 1024 * 1024

/** One message per recipient over a pool of connections that opens with the first mail. */
export function createMailSender(deps: MailerDeps, config: MailerConfig): MailSender {
  const { log, engine, times, clock } = deps
  const { email } = config.footman
  const writer = createContentWriter({ engine, log })
  const transport = createMailTransport(config, deps.timeouts)
  const stopReminding = remindOfTestMode(log, email.testMode)

  function contextOf(input: RenderInput, settings: MailSettings) {
    const { headScriptLogLines: headLines, tailScriptLogLines: tailLines, userForm, recipients } = settings
    const context = { ...contextLinks(config), version: VERSION, times, now: clock.now() }
    return {
      ...mapTexts(templateContext(input.event, context, { headLines, tailLines }, userForm, input), withoutActing),
      ...(recipients ? { emailRecipients: recipients } : {}),
    }
  }

  return {
    async renderMail(input, settings) {
      const { event, deliveryId, target, kind } = input
      const context = contextOf(input, settings)
      const written = await writer.write({ ...settings, ...ownTexts(kind, settings) }, context)
      const content = input.isShortened ? withShortenedNote(written) : written
      const marked = withTestMark(content.subject, event.test || kind === 'test')
      const { to, subject } = redirected(email.testMode, target, marked)
      const attachments = settings.attachScriptLog && !input.isShortened ? await scriptLogAttachment(event, times) : []
      const options = mailOptions({ settings, event, deliveryId, to, content: { ...content, subject }, attachments })
      const payload: MailPayload = { options, announcement: settings.announcement?.(to) }
      return { deliveryId, target, subject, body: content.html ?? content.text, payload }
    },
    async send(message, signal) {
      const { options, announcement } = message.payload as MailPayload
      if (email.testMode.enable && !isEmailAddress(email.testMode.address)) {
        return { outcome: 'retry', detail: 'Butler.footman.email.testMode.address is not a valid address', slow: true }
      }
      if (announcement) log.info(announcement)
      try {
        const { response } = await transport.sendMail({ ...options, signal })
        return { outcome: 'delivered', detail: response }
      } catch (error) {
        return smtpFailure(error)
      }
    },
    async close() {
      stopReminding()
      transport.close()
    },
  }
}

function withShortenedNote({ subject, html, text }: MailContent): MailContent {
  const notes = [`${SHORTENED} The script log is not attached.`]
  return { subject, html: html === null ? null : addNotesToHtml(html, notes), text: addNotesToText(text, notes) }
}

/** The templates of the user are for alerts and tests; recoveries, fallbacks and summaries have the built-in texts. */
function ownTexts(kind: RenderInput['kind'], { subject, body }: MailSettings) {
  const own = kind === 'alert' || kind === 'test'
  return { subject: own ? subject : '', body: own ? body : null, plain: kind === 'fallback' }
}

function withTestMark(subject: string, test: boolean): string {
  return test && !subject.startsWith('[TEST] ') ? `[TEST] ${subject}` : subject
}

/** At start and once an hour while it is on. */
function remindOfTestMode(log: Logger, { enable, address }: { enable: boolean; address: string }): () => void {
  if (!enable) return () => {}
  const reminder = createRecurringJob({ everyMs: TEST_MODE_REMINDER_MS, firstMs: 0, unref: true }, () =>
    log.warn(`[QSEOW] EMAIL CONFIG: Butler.footman.email.testMode is on, every mail goes to ${address} only`),
  )
  reminder.start()
  return () => void reminder.stop()
}

/** Recipient and subject under test mode: every mail goes to one address, with the real recipient in the subject. */
export function redirected(
  testMode: EmailConfig['testMode'],
  to: string,
  subject: string,
): { to: string; subject: string } {
  if (!testMode.enable) return { to, subject }
  return { to: testMode.address, subject: `${to}: ${subject}` }
}

/** Never empty: without a usable sender in the configuration the mail comes from this host. */
export function senderOf(fromAddress: string): string {
  return addressOf(fromAddress) ? fromAddress : `Footman <footman@${hostname()}>`
}

/** The bare address in `Name (comment) <a@b>`; empty when there is none. */
export function addressOf(mailbox: string): string {
  const bare = mailbox.split(/[\s<>()]+/).find((word) => /^[^@]+@./.test(word))
  return /<([^<>\s@]+@[^<>\s]+)>/.exec(mailbox)?.[1] ?? bare ?? ''
}

/** The same delivery always has the same Message-ID, so that mail systems recognise a repetition. */
export function messageId(deliveryId: string, sender: string): string {
  return `<${deliveryId}@${domainOf(addressOf(sender))}>`
}

interface MessageParts {
  readonly settings: {
    readonly fromAddress: string
    readonly priority: 'low' | 'normal' | 'high'
    readonly eventHeader: string
  }
  readonly event: TaskEvent
  readonly deliveryId: string
  readonly to: string
  readonly content: MailContent
  readonly attachments: SendMailOptions['attachments']
}

/** The message for nodemailer. A mail goes to one recipient only, without CC and BCC. */
function mailOptions({ settings, event, deliveryId, to, content, attachments }: MessageParts): SendMailOptions {
  const from = senderOf(settings.fromAddress)
  return {
    from,
    to: { name: '', address: to },
    subject: content.subject,
    messageId: messageId(deliveryId, from),
    priority: settings.priority,
    headers: {
      'Auto-Submitted': 'auto-generated',
      ...(event.taskId ? { 'X-Butler-Task-Id': event.taskId } : {}),
      'X-Butler-Event': settings.eventHeader,
    },
    text: content.text,
    ...(content.html === null ? {} : { html: content.html }),
    attachments,
  }
}

/** `<yyyy-MM-dd_HH-mm-ss>_appId=<id>_taskId=<id>.log`, with `.gz` above 5 MiB. Nothing when there is no script log. */
async function scriptLogAttachment(event: TaskEvent, times: TimeFormatter): Promise<SendMailOptions['attachments']> {
  if (!event.scriptLog) return []
  const time = times.sortable(event.receivedAt).replace(' ', '_').replaceAll(':', '-')
  const filename = onOneLine(`${time}_appId=${event.appId}_taskId=${event.taskId}.log`)
  const content = Buffer.from(wholeText(event.scriptLog))
  if (content.length <= MAX_PLAIN_ATTACHMENT) {
    return [{ filename, content, contentType: 'text/plain; charset=utf-8' }]
  }
  return [{ filename: `${filename}.gz`, content: await gzip(content), contentType: 'application/gzip' }]
}

interface MailTexts {
  /** Key of the settings, in log lines and errors. */
  readonly place: string
  /** Template; empty = built in. */
  readonly subject: string
  /** Null = built in. */
  readonly body: MailBody | null
  /** Without HTML part. */
  readonly plain: boolean
}

interface Body {
  readonly html: string | null
  readonly text: string
}

/** Writes subject and body: the templates of the user, the built-in ones, or plain text when a template fails. */
function createContentWriter({ engine, log }: Pick<MailerDeps, 'engine' | 'log'>) {
  const warned = new Set<string>()

  function subjectOf({ place, subject }: MailTexts, context: TemplateContext): string {
    const name = `${place}.subject`
    const own = subject ? engine.render({ kind: 'inline', name, text: subject }, context, 'line') : ''
    return own || engine.render(TITLE, context, 'line')
  }

  async function bodyOf(texts: MailTexts, context: TemplateContext): Promise<Body> {
    if (texts.body?.kind === 'text') return ownText(texts, texts.body.text, context)
    const own = await userTemplate(texts)
    if (!own) return builtin(context)
    const html = addNotesToHtml(engine.render(own.html, context, 'html'), notesFor(own.html, context))
    if (!own.text) return { html, text: htmlToText(html) }
    return { html, text: addNotesToText(engine.render(own.text, context, 'text'), notesFor(own.text, context)) }
  }

  /** A text in the configuration takes the place of the facts. */
  async function ownText({ place }: MailTexts, text: string, context: TemplateContext): Promise<Body> {
    const written = engine.render({ kind: 'inline', name: `${place}.body`, text }, context, 'text')
    return builtin(context, written.trim().split(/\r?\n/))
  }

  async function builtin(context: TemplateContext, lines?: readonly string[]): Promise<Body> {
    const variables = { ...context, view: mailView(context, lines) }
    const variant = variantOf(context)
    const html = await engine.findBuiltin('email/alert', [variant])
    const text = await engine.findBuiltin('email/alert.txt', [`${variant}.txt`])
    return { html: engine.render(html, variables, 'html'), text: engine.render(text, variables, 'text') }
  }

  async function userTemplate({
    body,
    place,
  }: MailTexts): Promise<{ html: TemplateRef; text: TemplateRef | null } | null> {
    if (body?.kind === 'file') {
      const html = await engine.findFile(body.path)
      if (!html) throw new Error(`there is no template ${body.path} (it must end in .eta, .handlebars or .hbs)`)
      return { html, text: null }
    }
    if (body?.kind !== 'folder' || !body.directory || !body.name) return null
    const found = await engine.findEmail(body.directory, body.name)
    if (!found) warnOnce(`no template "${body.name}" in "${body.directory}" (${place})`)
    return found
  }

  function warnOnce(what: string): void {
    if (warned.has(what)) return
    warned.add(what)
    log.warn(`[QSEOW] EMAIL CONFIG: ${what}; the built-in template is used`)
  }

  function fallback(context: TemplateContext, subject: string | null, error: unknown): MailContent {
    const problem = `Template error: ${errorText(error)}`
    log.error(`[QSEOW] EMAIL CONFIG: ${problem}. A plain text mail is sent instead.`)
    const text = `${plainText(context)}\n\n${problem}\n`
    return { subject: subject ?? engine.render(TITLE, context, 'line'), html: null, text }
  }

  /** Always the template of the executable: the user's may be the one that failed. */
  function plainText(context: TemplateContext): string {
    return engine.render(TEXT, { ...context, view: mailView(context) }, 'text').trimEnd()
  }

  return {
    /** Never rejects because of a template: the mail is plain text then and names the problem. */
    async write(texts: MailTexts, context: TemplateContext): Promise<MailContent> {
      let subject: string | null = null
      try {
        subject = subjectOf(texts, context)
        if (texts.plain) return { subject, html: null, text: `${plainText(context)}\n` }
        return { subject, ...(await bodyOf(texts, context)) }
      } catch (error) {
        return fallback(context, subject, error)
      }
    },
  }
}

/** The name of the file that changes the mails about one kind of event: `reload-failed`. */
export function variantOf({ taskType, outcome }: TemplateContext): string {
  return `${taskType}-${outcome}`
}

function notesFor(template: TemplateRef, context: TemplateContext): readonly string[] {
  return template.kind === 'found' ? missingNotes(template.source.text, context) : []
}
