/** Joins report tasks with the parts that they use: mail server, mail templates, Qlik Sense, key-value pairs. */
import { createMailTransport, smtpFailure } from '../alerts/destinations/email/transport.ts'
import { createTemplateEngine } from '../alerts/templates/engine.ts'
import { htmlToText } from '../alerts/templates/html-to-text.ts'
import { once } from '../platform/once.ts'
import type { MailTemplates, ReportMailer } from '../reports/runs/carriers.ts'
import { ReportError } from '../reports/codes.ts'
import type { createReports } from '../reports/index.ts'
import type { Config } from './schema.ts'
import type { AppOptions, Part } from './types.ts'

/**
 * The mail server of `emailNotification.smtp` over one connection. A mail whose connection broke after the server asked for
 * its content may have been accepted.
 */
export function createReportMailer(config: Config): ReportMailer & { close(): void } {
  let contentAsked = false
  const transport = createMailTransport(
    config,
    {},
    {
      connections: 1,
      onServerLine(line) {
        if (line.startsWith('354')) contentAsked = true
      },
    },
  )
  let last: Promise<unknown> = Promise.resolve()

  const send: ReportMailer['send'] = async (mail) => {
    contentAsked = false
    try {
      const { response } = await transport.sendMail(mail)
      return { outcome: 'sent', detail: response }
    } catch (error) {
      const answered = typeof (error as { response?: unknown }).response === 'string'
      const result = smtpFailure(error)
      if (contentAsked && !answered) return { outcome: 'unknown', detail: result.detail ?? '' }
      if (result.outcome === 'rejected') return { outcome: 'rejected', detail: result.detail }
      if (result.outcome === 'delivered') return { outcome: 'sent', detail: result.detail }
      return { outcome: 'retry', detail: result.detail, peerDown: result.peerDown === true || result.slow === true }
    }
  }

  return {
    /** One after the other, so that an answer of the server belongs to the mail under way. */
    send(mail) {
      const mine = last.then(() => send(mail))
      last = mine
      return mine
    },
    close: transport.close,
  }
}

/** Templates `<name>.eta`, `<name>.handlebars` and `<name>.hbs` of the folder. */
export function createReportTemplates(directory: string): MailTemplates {
  const engine = once(() => createTemplateEngine({ templateDirectory: directory, candidates: (path) => [path] }))
  return async (name, context) => {
    const found = await engine().findEmail(directory, name)
    if (!found) return null
    const html = engine().render(found.html, context, 'html')
    return { html, text: found.text ? engine().render(found.text, context, 'text') : htmlToText(html) }
  }
}


/** The room itself, which is loaded only where it is used. */
export type CreateReports = typeof createReports

/** `createReports` where the configuration switches report tasks on; else null, and nothing of them is loaded. */
export async function loadReports(config: Config): Promise<CreateReports | null> {
  if (!config.footman.reportTask.enable) return null
  return (await import('../reports/index.ts')).createReports
}
