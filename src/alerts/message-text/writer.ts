/** Title, facts, links and text of a message: built in, or made by the templates of its rule. */

import type { EventDetails, MissingPart, Need, TaskEvent } from '../../events/types.ts'
import { durationText } from '../../platform/duration-text.ts'
import { errorText } from '../../platform/errors.ts'
import type { Logger } from '../../platform/types.ts'
import { runOf } from '../../qlik/qrs/execution.ts'
import { NEVER } from '../../qlik/qrs/types.ts'
import {
  appUrl,
  type ContextLinks,
  type ContextSettings,
  consoleLinks,
  formatUser,
  templateContext,
  urlsFor,
} from '../template-context.ts'
import type { TemplateContext, TemplateEngine, TemplateRef } from '../templates/engine.ts'
import { cleanText, mapTexts } from '../templates/escape.ts'
import { htmlToText } from '../templates/html-to-text.ts'
import { syntaxOfText } from '../templates/source.ts'
import { durationParts, type TimeFormatter } from '../times.ts'
import type { MessageTexts, RenderInput } from '../types.ts'
import { appIdOf, appNameOf, builtinTitle, correlationKey, marked } from './labels.ts'

/** A line of the built-in text. */
export interface Fact {
  readonly name: string
  readonly value: string
}

export interface Link {
  readonly text: string
  readonly url: string
}

/** Lines of the script log in `scriptLogHead` and `scriptLogTail`. */
interface ScriptLogLines {
  readonly headScriptLogLines: number
  readonly tailScriptLogLines: number
}

export interface AlertText {
  readonly title: string
  /** The lines of the built-in text; empty when the rule has a body of its own. */
  readonly facts: readonly Fact[]
  /** The error text, or the output of the rule's template. */
  readonly main: string
  /** True when `main` comes from the rule's template. */
  readonly custom: boolean
  /** `Template error: ...`, the last line when a template has failed; else null. */
  readonly problem: string | null
  /** All of it but the title: facts, an empty line, the main text, the problem. */
  readonly text: string
  readonly links: readonly Link[]
  /** The same for all messages about one subject. */
  readonly key: string
  /** The template context, `title` and `text` included. */
  readonly variables: TemplateContext
}

export interface TextWriter {
  /**
   * Never rejects because of a template: then the built-in text goes out and says so in its last line. `escaped`
   * escapes the text of the event for the receiver's markup; the rule's own texts are not escaped.
   */
  write(input: RenderInput, lines: ScriptLogLines, escaped?: (text: string) => string): Promise<AlertText>
  /** The text after a template of the destination has failed as well. */
  withProblem(text: AlertText, error: unknown): AlertText
}

interface TextWriterDeps {
  readonly engine: TemplateEngine
  readonly log: Logger
  /** Made anew for every message, because of `now`. */
  readonly context: () => ContextSettings
}

export function createTextWriter({ engine, log, context }: TextWriterDeps): TextWriter {
  async function bodyOf({ rule }: RenderInput, variables: TemplateContext): Promise<string | null> {
    const { body, template } = rule.texts ?? {}
    if (body) return engine.render(inline(rule.name, 'body', body), variables, 'text')
    if (!template) return null
    const found = await engine.findFile(template)
    if (!found) throw new Error(`there is no template ${template} (it must end in .eta, .handlebars or .hbs)`)
    return isMarkup(found)
      ? htmlToText(engine.render(found, variables, 'html'))
      : engine.render(found, variables, 'text')
  }

  function titleOf({ rule }: RenderInput, variables: TemplateContext): string | null {
    const title = rule.texts?.title
    return title ? engine.render(inline(rule.name, 'title', title), variables, 'line') : null
  }

  /** Title and body by the rule's templates; null where it has none. Fallbacks and summaries do not use them. */
  async function own(input: RenderInput, variables: TemplateContext) {
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
    const problem = `Template error: ${errorText(error)}`
    log.error(`NOTIFY ${problem}. The built-in text is sent instead.`)
    return problem
  }

  return {
    async write(input, lines, escaped = cleanText) {
      const now = context()
      const { event, kind, note } = input
      const counts = { headLines: lines.headScriptLogLines, tailLines: lines.tailScriptLogLines }
      const variables = mapTexts(templateContext(event, now, counts, 'slash', input), escaped)
      const { title, body, problem } = await own(input, variables)
      const parts = {
        title: onOneLine(clean(marked(title || escaped(builtinTitle(event, kind, note)), event, kind))),
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

/** True for a template of HTML. */
export function isMarkup(template: TemplateRef): boolean {
  return template.kind === 'found' && /<(?:!doctype|html|body|table|p|div)\b/i.test(template.source.text)
}

function complete(parts: Omit<AlertText, 'text' | 'variables'>, variables: TemplateContext): AlertText {
  const facts = parts.facts.map(({ name, value }) => `${name}: ${value}`).join('\n')
  const blocks = [facts, parts.main].filter(Boolean).join('\n\n')
  const text = [blocks, parts.problem].filter(Boolean).join('\n')
  return { ...parts, text, variables: { ...variables, title: parts.title, text } }
}

function mainText({ kind, note }: RenderInput, variables: TemplateContext): string {
  if (kind === 'summary' && note?.summary) return (variables.summary as typeof note.summary).lines.join('\n')
  return String(variables.errorText ?? '')
}

function inline(route: string, key: string, text: string): TemplateRef {
  return { kind: 'inline', name: `${key} of rule ${route}`, text }
}

const clean = (text: string) => cleanText(text).trim()

const onOneLine = (text: string) => text.replace(/\s+/g, ' ').trim()

const PARTS: Readonly<Record<MissingPart, string>> = {
  task: 'task',
  app: 'app',
  owner: 'owner of the app',
  execution: 'result of the execution',
  scriptLog: 'script log',
}

type FactInput = Pick<RenderInput, 'event' | 'suppressed' | 'note' | 'kind' | 'isShortened'>
type Row = readonly [name: string, value: (input: FactInput, times: TimeFormatter) => string | null]

/** The lines of the built-in text, each left out when its value is unknown. */
const ROWS: readonly Row[] = [
  ['App', ({ event }) => appNameOf(event)],
  ['Host', ({ event }) => event.host],
  // No task says where the app belongs.
  ['Stream', ({ event }) => (event.type === 'appReload' ? (event.app?.stream?.name ?? '') : '')],
  ['Started by', ({ event }) => formatUser(event.user.replaceAll('\\\\', '\\'), 'slash')],
  ['Start', ({ event }, times) => startOf(event, times)],
  ['Try', ({ event: { retry } }) => (retry && retry.attempt > 0 ? `${retry.attempt} of ${retry.max}` : null)],
  ['No further try', ({ event }) => event.retry?.refused ?? null],
  ['Failures in a row', ({ event: { history } }) => positive(history?.consecutiveFailures)],
  ['Will not run', ({ note }) => (note?.chain?.downstream ?? []).map(({ name }) => name).join(', ')],
  ['Suppressed since the last message', ({ suppressed }) => positive(suppressed)],
  ['Missing', ({ event }) => event.missingParts.map((part) => missingPart(event, part)).join(', ')],
  ['Shortened', ({ isShortened }) => (isShortened ? 'the receiver refused the whole message as too large' : '')],
  ['Could not be delivered to', ({ note, kind }) => (kind === 'fallback' ? (note?.failedDestination ?? null) : null)],
]

function factsOf(input: FactInput, times: TimeFormatter): readonly Fact[] {
  const [app, host, ...rest] = ROWS.map(([name, value]) => ({ name, value: onOneLine(value(input, times) ?? '') }))
  const own = input.event.details ? detailFacts(input.event.details, times) : []
  return [app!, host!, ...own, ...rest].filter(({ value }) => value !== '')
}

function detailFacts(details: EventDetails, times: TimeFormatter): readonly Fact[] {
  if (details.kind === 'service') {
    const { displayName, serviceName, status, previousStatus, startType } = details
    const state = previousStatus ? `${status}, before that ${previousStatus}` : status
    return facts({ Service: `${displayName} (${serviceName})`, State: state, 'Start type': startType })
  }
  if (details.kind === 'license') {
    const { expiryDate, daysRemaining } = details
    return facts({ 'Valid until': expiryDate?.slice(0, 10) ?? '', 'Days left': daysRemaining?.toString() ?? '' })
  }
  if (details.kind === 'watchdog') {
    const { dueAt, elapsedMs, limitMs, usualMs } = details
    const due = dueAt === null ? '' : localTime(dueAt, times)
    return facts({ Due: due, Elapsed: lasting(elapsedMs), Limit: lasting(limitMs), Usual: lasting(usualMs) })
  }
  return []
}

function facts(values: Readonly<Record<string, string>>): readonly Fact[] {
  return Object.entries(values).map(([name, value]) => ({ name, value: onOneLine(value) }))
}

/** `script log (403 Forbidden)` */
function missingPart({ missingReasons }: TaskEvent, part: MissingPart): string {
  const reason = missingReasons?.[part]
  return reason ? `${PARTS[part]} (${reason})` : PARTS[part]
}

/** `2026-03-02 07:00:01 +01:00, duration 0:03:10` */
function startOf({ execution }: TaskEvent, times: TimeFormatter): string | null {
  if (!execution) return null
  const { startTime, stopTime, durationMs } = runOf(execution)
  const start = startTime === NEVER ? Number.NaN : Date.parse(startTime)
  if (Number.isNaN(start)) return null
  const duration = stopTime === NEVER ? '' : clock(durationMs)
  return `${localTime(start, times)}${duration && `, duration ${duration}`}`
}

/** `2026-03-02 07:00:01 +01:00` */
function localTime(ms: number, times: TimeFormatter): string {
  const local = times.sortable(ms)
  const minutes = Math.round((Date.parse(`${local.replace(' ', 'T')}Z`) - ms) / 60_000)
  const size = Math.abs(minutes)
  return `${local} ${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`
}

const lasting = (ms: number | null): string => (ms === null ? '' : durationText(ms))

/** `0:03:10` */
function clock(ms: number | null): string {
  const { hours, minutes, seconds } = durationParts(ms)
  return hours === '' ? '' : `${hours}:${two(Number(minutes))}:${two(Number(seconds))}`
}

const two = (value: number) => String(value).padStart(2, '0')
const positive = (value: number | undefined) => (value !== undefined && value > 0 ? String(value) : null)

const MAX_LINKS = 5

/** App, management console, event in the console of Footman, then the free links; only those that a browser opens. */
function linksOf(event: TaskEvent, links: ContextLinks): readonly Link[] {
  const { qmc = '', appBaseUrl } = urlsFor(event, links)
  const all = [
    { text: 'Open app', url: cloudAppUrl(event) ?? appUrl(appBaseUrl, appIdOf(event)) },
    { text: 'Open QMC', url: qmc },
    { text: 'Open in Footman', url: consoleLinks(event, links).consoleUrl },
    ...links.genericUrls.map(({ linkText, id, url }) => ({ text: linkText || id || url, url })),
  ]
  return all.filter(({ url }) => /^https?:\/\//i.test(url) && URL.canParse(url)).slice(0, MAX_LINKS)
}

/** Apps in Qlik Cloud live at an address of their own. Null for everything else. */
function cloudAppUrl({ type, details }: TaskEvent): string | null {
  if (type !== 'cloudReload') return null
  return details?.kind === 'cloudReload' ? String(details.variables.appUrl ?? '') : ''
}

/** Variables that come from the execution or its script log, or that list missing parts of these. */
const OF_EXECUTION = /^(?:execution(?!Id$)|executing|scriptLog|errorText$|missingParts$|missingReasons$|absentParts$)/

const TAGS = { handlebars: /\{\{([\s\S]*?)\}\}\}?/g, eta: /<%([\s\S]*?)%>/g } as const
/** An expression that is a variable and nothing else, perhaps asked about; its group is the name. */
const PLAIN = {
  handlebars: /^\{?(?:#(?:if|unless)\s+)?([A-Za-z]\w*)(?:\.\w+)*$/,
  eta: /^[-_]?[=~]\s*it\.([A-Za-z]\w*)(?:\.\w+)*$/,
} as const
const CLOSING = /^(?:else|\/if|\/unless)$/

/**
 * The data that a message with these texts needs: `all`, without the execution and its script log when title and body of the
 * rule certainly do not use them. A built-in body shows both, a template file may, and so may every expression that is more
 * than the name of a variable.
 */
export function textNeeds(texts: MessageTexts | null, all: readonly Need[]): readonly Need[] {
  const { title = '', body = '' } = texts ?? {}
  if (body === '' || !doesWithout(title) || !doesWithout(body)) return all
  return all.filter((need) => need !== 'execution' && need !== 'scriptLog')
}

function doesWithout(text: string): boolean {
  const syntax = syntaxOfText(text)
  const expressions = [...text.matchAll(TAGS[syntax])].map(([, inner = '']) => inner.trim())
  const rest = text.replace(TAGS[syntax], '')
  return !/\{\{|<%/.test(rest) && expressions.every((one) => isHarmless(one, PLAIN[syntax]))
}

function isHarmless(expression: string, plain: RegExp): boolean {
  if (CLOSING.test(expression)) return true
  const name = plain.exec(expression)?.[1]
  return name !== undefined && name !== 'this' && !OF_EXECUTION.test(name)
}
