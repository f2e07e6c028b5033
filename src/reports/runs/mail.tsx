/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Mails of report tasks: the built-in body, the variables of templates, and the message for the mail server. */
import type { FC } from 'hono/jsx'
import type { SendMailOptions } from 'nodemailer'
import { onOneLine } from '../../platform/visible.ts'
import type { Mailbox } from '../addresses.ts'
import { allowedText } from '../documents/markup.ts'
import type { Definition } from '../entities/task.ts'
import type { ReportMail } from '../mailer.ts'
import type { RunDocument } from '../types.ts'
import type { RunApp, RunRecord } from './ledger.ts'
import type { MailPayload } from './plan.ts'

/** Variables of a mail template. */
export interface MailContext extends Readonly<Record<string, unknown>> {
  readonly task: { readonly name: string; readonly project: string }
  readonly run: { readonly id: string; readonly startedAt: string; readonly test: boolean }
  readonly app: { readonly name: string; readonly lastReload: string }
  /** IANA name of the zone of the times. */
  readonly timezone: string
  readonly recipient: {
    readonly name: string
    readonly email: string
    readonly attributes: Readonly<Record<string, string>>
  }
  readonly documents: readonly {
    readonly fileName: string
    readonly report: string
    readonly cycle: string
    readonly sizeText: string
    readonly hubUrl: string
  }[]
  readonly message: string
  /** Labels of reports that could not be made. */
  readonly missing: readonly string[]
  /** The address that the mail would have gone to; '' outside test mode. */
  readonly insteadOf: string
  readonly filesRefused: boolean
}

interface ContextRequest {
  readonly run: RunRecord
  readonly definition: Definition
  readonly documents: readonly RunDocument[]
  readonly payload: MailPayload
  /** Address of a document in the hub; '' when it is not there. */
  readonly hubUrl: (documentId: string) => string
  readonly formatTime: (at: number) => string
  readonly timezone: string
}

export function mailContext({
  run,
  definition,
  documents,
  payload,
  hubUrl,
  formatTime,
  timezone,
}: ContextRequest): MailContext {
  const { task, reports } = definition
  const app: RunApp = run.sealed?.app ?? { name: '', lastReload: null }
  const nameOf = (key: string) => {
    const use = task.reports.find((one) => one.key === key)
    return reports.find(({ id }) => id === use?.reportId)?.name ?? key
  }
  const context: Omit<MailContext, 'message'> = {
    task: { name: task.name, project: task.project },
    run: { id: run.id, startedAt: formatTime(run.startedAt ?? run.queuedAt), test: run.test },
    app: { name: app.name, lastReload: app.lastReload === null ? '' : formatTime(app.lastReload) },
    timezone,
    recipient: {
      name: payload.person?.name ?? '',
      email: payload.person?.address ?? '',
      attributes: payload.person?.attributes ?? {},
    },
    documents: documents.map((one) => ({
      fileName: one.fileName,
      report: nameOf(one.report),
      cycle: one.cycle.map(({ value }) => value.text).join(', '),
      sizeText: sizeText(one.bytes),
      hubUrl: hubUrl(one.id),
    })),
    missing: payload.missing,
    insteadOf: payload.insteadOf ?? '',
    filesRefused: payload.filesRefused !== undefined,
  }
  return { ...context, message: filled(task.email.message, context) } as MailContext
}

/** `180 KB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`
}

/** `{{app.lastReload}}` becomes the value; a path that leads nowhere becomes nothing. Values are never looked at again. */
export function filled(text: string, context: Readonly<Record<string, unknown>>): string {
  return text.replace(/\{\{\s*([\w.]+)\s*\}\}/g, (_, path: string) => {
    const value = path
      .split('.')
      .reduce<unknown>((at, key) => (isRecord(at) && Object.hasOwn(at, key) ? at[key] : undefined), context)
    return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  })
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const STYLE = {
  body: 'margin:0;padding:24px 12px;background:#f3f4f6;font:15px/1.5 "Segoe UI",Helvetica,Arial,sans-serif;color:#1f2933',
  card: 'max-width:640px;margin:0 auto;background:#ffffff;border:1px solid #e1e5ea;border-radius:8px;padding:28px 32px',
  wide: 'background:#ffffff;padding:8px 0',
  test: 'margin:0 0 16px;padding:8px 12px;background:#fff4d6;border:1px solid #e8c766;border-radius:6px',
  title: 'margin:0 0 4px;font-size:20px;line-height:1.3;font-weight:600',
  muted: 'margin:0 0 20px;color:#616e7c;font-size:13px',
  table: 'width:100%;border-collapse:collapse;margin:16px 0',
  cell: 'padding:8px 0;border-top:1px solid #e1e5ea;vertical-align:top',
  right: 'padding:8px 0 8px 16px;border-top:1px solid #e1e5ea;text-align:right;white-space:nowrap;color:#616e7c',
  warning: 'margin:16px 0 0;padding:8px 12px;background:#fdecea;border:1px solid #f1b5ae;border-radius:6px',
} as const

/** The built-in body as HTML; `embedded` are reports that stand below the text, already as HTML for mail clients. */
export function mailHtml(context: MailContext, embedded: string | null): string {
  const { task, app, timezone, documents, message, missing } = context
  const body = (
    <body style={STYLE.body}>
      <div style={STYLE.card}>
        <LinesAbove {...context} />
        <h1 style={STYLE.title}>{task.name}</h1>
        {app.name && (
          <p style={STYLE.muted}>
            {app.name}
            {app.lastReload && `, data of ${app.lastReload} ${timezone}`}
          </p>
        )}
        {message && <p style="margin:0 0 16px;white-space:pre-line">{message}</p>}
        {documents.length > 0 && (
          <table role="presentation" style={STYLE.table}>
            {documents.map(({ fileName, sizeText: size, hubUrl }) => (
              <tr>
                <td style={STYLE.cell}>{hubUrl ? <a href={hubUrl}>{fileName}</a> : fileName}</td>
                <td style={STYLE.right}>{size}</td>
              </tr>
            ))}
          </table>
        )}
        {missing.length > 0 && <p style={STYLE.warning}>Could not be made: {missing.join(', ')}.</p>}
      </div>
      {embedded !== null && <div style={STYLE.wide} dangerouslySetInnerHTML={{ __html: embedded }} />}
    </body>
  )
  return `<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>${body.toString()}</html>`
}

/** The built-in body as text; `hasReport`: the body as HTML holds a report. */
export function mailText(context: MailContext, hasReport = false): string {
  const { task, app, timezone, documents, message, missing } = context
  const lines = [
    ...linesAbove(context).map((line) => `${line}\n`),
    task.name,
    app.name && `${app.name}${app.lastReload && `, data of ${app.lastReload} ${timezone}`}`,
    message && `\n${message}`,
    hasReport && '\nThe report is in the HTML version of this mail.',
    documents.length > 0 ? '' : null,
    ...documents.map(({ fileName, sizeText: size, hubUrl }) => `- ${fileName} (${size})${hubUrl && ` ${hubUrl}`}`),
    missing.length > 0 && `\nCould not be made: ${missing.join(', ')}.`,
  ]
  return `${lines.filter((line) => typeof line === 'string' && line !== '').join('\n')}\n`
}

/** The content of the body of a whole HTML document; its styles are inline. */
export function bodyOf(html: string): string {
  const start = /<body[^<>]*>/i.exec(html)
  const end = html.toLowerCase().lastIndexOf('</body>')
  return start && end > start.index ? html.slice(start.index + start[0].length, end).trim() : html
}

type Above = Pick<MailContext, 'insteadOf' | 'filesRefused'>

/** Stands above every body, so that the reader sees it first. */
export const linesAbove = ({ insteadOf, filesRefused }: Above): string[] => [
  ...(insteadOf ? [`TEST — would have gone to ${insteadOf}`] : []),
  ...(filesRefused ? ['The files are not attached: the mail server refused the mail with them.'] : []),
]

const LinesAbove: FC<Above> = (above) => (
  <>
    {linesAbove(above).map((line) => (
      <p style={STYLE.test}>{line}</p>
    ))}
  </>
)

/** The same in front of a body that a template of the user made. */
export function withLinesAbove(html: string, above: Above): string {
  const lines = linesAbove(above).length > 0 ? (<LinesAbove {...above} />).toString() : ''
  const at = /<body[^<>]*>/i.exec(html)
  return at ? html.slice(0, at.index + at[0].length) + lines + html.slice(at.index + at[0].length) : lines + html
}

/** The body of a mail about the outcome of a run. */
export function noticeHtml(text: string, above: Above): string {
  const body = (
    <body style={STYLE.body}>
      <div style={STYLE.card}>
        <LinesAbove {...above} />
        <p style="margin:0;white-space:pre-line">{text}</p>
      </div>
    </body>
  )
  return `<!doctype html><html><head><meta charset="utf-8"></head>${body.toString()}</html>`
}

interface MailParts {
  /** Local part of the Message-ID. */
  readonly messageId: string
  readonly deliveryId: string
  readonly runId: string
  readonly from: string | Mailbox
  readonly replyTo: Mailbox | null
  /** Host of the Message-ID, which stays the same over all attempts. */
  readonly host: string
  readonly priority: 'high' | 'normal' | 'low'
  readonly html: string
  readonly text: string
  readonly attachments: NonNullable<SendMailOptions['attachments']>
}

/** The message for nodemailer; subject and bodies have no characters that a mail cannot hold or that would hide others in a subject. */
export function mailOptions(
  { to, cc, bcc, only, subject }: Pick<MailPayload, 'to' | 'cc' | 'bcc' | 'only' | 'subject'>,
  { messageId, deliveryId, runId, from, replyTo, host, priority, html, text, attachments }: MailParts,
): ReportMail {
  const plain = (address: string) => ({ name: '', address })
  return {
    from,
    ...(replyTo && { replyTo }),
    to: to.map(plain),
    cc: cc.map(plain),
    bcc: bcc.map(plain),
    ...(only && { only }),
    subject: onOneLine(allowedText(subject)),
    messageId: `<${messageId}@${host}>`,
    priority,
    headers: {
      'X-Report-Run': runId,
      'X-Report-Delivery': deliveryId,
      'Auto-Submitted': 'auto-generated',
      Precedence: 'bulk',
    },
    html: allowedText(html),
    text: allowedText(text),
    attachments,
  }
}
