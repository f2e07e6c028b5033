/** Subject and body of a mail: the user's templates, the built-in ones, or plain words when a template fails. */
import type { Logger } from '../../../platform/types.ts'
import type { TemplateEngine, TemplateRecord, TemplateRef } from '../../templates/engine.ts'
import { messageOf } from '../../templates/errors.ts'
import { htmlToText } from '../../templates/html-to-text.ts'
import { addNotesToHtml, addNotesToText, missingNotes } from './notes.ts'
import type { Mail } from './sections.ts'

export interface MailContent {
  readonly subject: string
  /** Null in the plain message that replaces a failed template. */
  readonly html: string | null
  readonly text: string
}

export interface ContentWriter {
  /** Never rejects because of a template: then a plain text message says what happened and what is wrong. */
  write(mail: Mail, record: TemplateRecord): Promise<MailContent>
}

export interface ContentWriterDeps {
  readonly engine: TemplateEngine
  readonly log: Logger
}

const HTML: TemplateRef = { kind: 'builtin', name: 'email/task' }
const TEXT: TemplateRef = { kind: 'builtin', name: 'email/task.txt' }

export function createContentWriter({ engine, log }: ContentWriterDeps): ContentWriter {
  const warned = new Set<string>()

  function subjectOf(mail: Mail, record: TemplateRecord): string {
    const name = `Butler.emailNotification.${mail.kind.section}.subject`
    return engine.render({ kind: 'inline', name, text: mail.settings.subject }, record, 'line')
  }

  async function bodyOf(mail: Mail, record: TemplateRecord): Promise<{ html: string; text: string }> {
    const found = await userTemplate(mail)
    if (!found) return { html: engine.render(HTML, record, 'html'), text: engine.render(TEXT, record, 'text') }
    const html = addNotesToHtml(engine.render(found.html, record, 'html'), notesFor(found.html, record))
    if (!found.text) return { html, text: htmlToText(html) }
    return { html, text: addNotesToText(engine.render(found.text, record, 'text'), notesFor(found.text, record)) }
  }

  async function userTemplate({ kind, settings }: Mail) {
    const { bodyFileDirectory, htmlTemplateFile } = settings
    if (!bodyFileDirectory || !htmlTemplateFile) return null
    const found = await engine.findEmail(bodyFileDirectory, htmlTemplateFile)
    if (!found) warnOnce(`no template "${htmlTemplateFile}" in "${bodyFileDirectory}"`, kind.section)
    return found
  }

  function warnOnce(what: string, section: string): void {
    if (warned.has(`${section} ${what}`)) return
    warned.add(`${section} ${what}`)
    log.warn(`[QSEOW] EMAIL CONFIG: ${what} (Butler.emailNotification.${section}); the built-in template is used`)
  }

  function plain(mail: Mail, record: TemplateRecord, subject: string | null, error: unknown): MailContent {
    const problem = `Template error: ${messageOf(error)}`
    log.error(`[QSEOW] EMAIL CONFIG: ${problem}. A plain text mail is sent instead.`)
    return { subject: subject ?? plainSubject(mail, record), html: null, text: `${plainText(record)}\n\n${problem}\n` }
  }

  function plainText(record: TemplateRecord): string {
    try {
      return engine.render(TEXT, record, 'text').trimEnd()
    } catch {
      return `${record.taskName}\nApp: ${record.appName}\nHost: ${record.hostName}\n\n${record.logMessage}`
    }
  }

  return {
    async write(mail, record) {
      let subject: string | null = null
      try {
        subject = subjectOf(mail, record) || plainSubject(mail, record)
        return { subject, ...(await bodyOf(mail, record)) }
      } catch (error) {
        return plain(mail, record, subject, error)
      }
    },
  }
}

function notesFor(template: TemplateRef, record: TemplateRecord): readonly string[] {
  return template.kind === 'found' ? missingNotes(template.source.text, record) : []
}

function plainSubject({ kind }: Mail, { taskName }: TemplateRecord): string {
  return `Qlik Sense ${kind.words}: "${taskName}"`
}
