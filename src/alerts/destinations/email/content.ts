/** Subject and body of a mail: the user's templates, the built-in ones, or plain text when a template fails. */
import { errorText } from '../../../platform/errors.ts'
import type { Logger } from '../../../platform/types.ts'
import type { TemplateContext, TemplateEngine, TemplateRef } from '../../templates/engine.ts'
import { htmlToText } from '../../templates/html-to-text.ts'
import { addNotesToHtml, addNotesToText, missingNotes } from './notices.ts'
import { mailView } from './view.ts'

export interface MailContent {
  readonly subject: string
  /** Null in plain text mails: those that replace a failed template, and fallbacks. */
  readonly html: string | null
  readonly text: string
}

/** Where the body comes from, beside the built-in templates. */
export type MailBody =
  /** `bodyFileDirectory` and `htmlTemplateFile` of a section. */
  | { readonly kind: 'folder'; readonly directory: string; readonly name: string }
  /** A template file named with its extension. */
  | { readonly kind: 'file'; readonly path: string }
  /** A template of plain text, as it stands in the configuration. */
  | { readonly kind: 'text'; readonly text: string }

export interface MailTexts {
  /** Key of the settings, in log lines and errors. */
  readonly place: string
  /** Template; empty = built in. */
  readonly subject: string
  /** Null = built in. */
  readonly body: MailBody | null
  /** Without HTML part. */
  readonly plain: boolean
}

export interface ContentWriter {
  /** Never rejects because of a template: then a plain text message says what happened and what is wrong. */
  write(texts: MailTexts, context: TemplateContext): Promise<MailContent>
}

export interface ContentWriterDeps {
  readonly engine: TemplateEngine
  readonly log: Logger
}

interface Body {
  readonly html: string | null
  readonly text: string
}

export function createContentWriter({ engine, log }: ContentWriterDeps): ContentWriter {
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
    async write(texts, context) {
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

const TEXT: TemplateRef = { kind: 'builtin', name: 'email/alert.txt' }
const TITLE: TemplateRef = { kind: 'inline', name: 'title', text: '{{title}}' }

/** The name of the file that changes the mails about one kind of event: `reload-failed`. */
export function variantOf({ taskType, outcome }: TemplateContext): string {
  return `${taskType}-${outcome}`
}

function notesFor(template: TemplateRef, context: TemplateContext): readonly string[] {
  return template.kind === 'found' ? missingNotes(template.source.text, context) : []
}
