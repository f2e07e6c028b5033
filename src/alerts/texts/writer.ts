/** Title and text of a message: built in, or made by the templates of its route. */
import type { Logger } from '../../platform/types.ts'
import type { RecordContext } from '../template-context.ts'
import type { TemplateEngine, TemplateRecord, TemplateRef } from '../templates/engine.ts'
import { messageOf } from '../templates/errors.ts'
import { cleanText, mapTexts } from '../templates/escape.ts'
import { htmlToText } from '../templates/html-to-text.ts'
import type { RenderInput } from '../types.ts'
import { type Fact, factsOf } from './facts.ts'
import { type Link, linksOf } from './links.ts'
import { messageVariables, type ScriptLogLines } from './variables.ts'
import { builtinTitle, correlationKey, marked } from './words.ts'

export interface AlertText {
  readonly title: string
  /** The lines of the built-in text; empty when the route has a body of its own. */
  readonly facts: readonly Fact[]
  /** The error text, or what the route's template has made of the event. */
  readonly main: string
  /** True when `main` is the route's own. */
  readonly custom: boolean
  /** `Template error: ...`, the last line when a template has failed; else null. */
  readonly problem: string | null
  /** All of it but the title: facts, an empty line, the main text, the problem. */
  readonly text: string
  readonly links: readonly Link[]
  /** The same for all messages about one subject. */
  readonly key: string
  /** What templates see, `title` and `text` included. */
  readonly variables: TemplateRecord
}

export interface TextWriter {
  /**
   * Never rejects because of a template: then the built-in text goes out and says so in its last line. `escaped` = how the
   * receiver's markup wants outside text; what the texts of the route say themselves stays as it is.
   */
  write(input: RenderInput, lines: ScriptLogLines, escaped?: (text: string) => string): Promise<AlertText>
  /** The text after a template of the destination has failed as well. */
  withProblem(text: AlertText, error: unknown): AlertText
}

export interface TextWriterDeps {
  readonly engine: TemplateEngine
  readonly log: Logger
  /** Made anew for every message, because of `now`. */
  readonly context: () => RecordContext
}

export function createTextWriter({ engine, log, context }: TextWriterDeps): TextWriter {
  async function bodyOf({ route }: RenderInput, variables: TemplateRecord): Promise<string | null> {
    const { body, template } = route.texts ?? {}
    if (body) return engine.render(inline(route.name, 'body', body), variables, 'text')
    if (!template) return null
    const found = await engine.findFile(template)
    if (!found) throw new Error(`there is no template ${template} (it must end in .eta, .handlebars or .hbs)`)
    return isMarkup(found)
      ? htmlToText(engine.render(found, variables, 'html'))
      : engine.render(found, variables, 'text')
  }

  function titleOf({ route }: RenderInput, variables: TemplateRecord): string | null {
    const title = route.texts?.title
    return title ? engine.render(inline(route.name, 'title', title), variables, 'line') : null
  }

  /** The route's own words; plain messages about something else than the event do without. */
  async function own(input: RenderInput, variables: TemplateRecord) {
    let title: string | null = null
    if (input.kind === 'fallback' || input.kind === 'summary') return { title, body: null, problem: null }
    try {
      title = titleOf(input, variables)
      return { title, body: await bodyOf(input, variables), problem: null }
    } catch (error) {
      return { title, body: null, problem: report(error) }
    }
  }

  function report(error: unknown): string {
    const problem = `Template error: ${messageOf(error)}`
    log.error(`NOTIFY ${problem}. The built-in text is sent instead.`)
    return problem
  }

  return {
    async write(input, lines, escaped = cleanText) {
      const now = context()
      const { event, kind, note } = input
      const variables = mapTexts(messageVariables(input, now, lines), escaped)
      const { title, body, problem } = await own(input, variables)
      const parts = {
        title: oneLine(marked(title || escaped(builtinTitle(event, kind, note)), event, kind)),
        facts: body === null && kind !== 'summary' ? mapTexts(factsOf(input, now.times), escaped) : [],
        main: clean(body ?? mainText(input, variables)),
        custom: body !== null,
        problem: problem && clean(escaped(problem)),
        links: linksOf(event, now),
        key: correlationKey(event),
      }
      return complete(parts, variables)
    },
    withProblem(text, error) {
      return complete({ ...text, problem: clean(report(error)) }, text.variables)
    },
  }
}

/** A page rather than a text. */
export function isMarkup(template: TemplateRef): boolean {
  return template.kind === 'found' && /<(?:!doctype|html|body|table|p|div)\b/i.test(template.source.text)
}

function complete(parts: Omit<AlertText, 'text' | 'variables'>, variables: TemplateRecord): AlertText {
  const facts = parts.facts.map(({ name, value }) => `${name}: ${value}`).join('\n')
  const blocks = [facts, parts.main].filter(Boolean).join('\n\n')
  const text = [blocks, parts.problem].filter(Boolean).join('\n')
  return { ...parts, text, variables: { ...variables, title: parts.title, text } }
}

function mainText({ kind, note }: RenderInput, variables: TemplateRecord): string {
  if (kind === 'summary' && note?.summary) return (variables.summary as typeof note.summary).lines.join('\n')
  return String(variables.errorText ?? '')
}

function inline(route: string, key: string, text: string): TemplateRef {
  return { kind: 'inline', name: `${key} of route ${route}`, text }
}

const clean = (text: string) => cleanText(text).trim()

function oneLine(text: string): string {
  return clean(text).replace(/\s+/g, ' ')
}
