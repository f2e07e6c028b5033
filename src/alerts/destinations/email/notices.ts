/**
 * The notices of a mail beside its facts: suppressed alerts, missing data, tasks that will not run. Some are added to mails of
 * the user's own templates too.
 */
import type { MissingPart } from '../../../events/types.ts'
import type { TemplateContext } from '../../templates/engine.ts'
import { ESCAPING } from '../../templates/escape.ts'
import { type MailContext, mailContext, zoned } from './template-context.ts'

export interface Notice {
  readonly title: string
  readonly text: string
  /** Listed below the text. */
  readonly items: readonly string[]
}

const MAX_ITEMS = 20
const PARTS: Readonly<Record<MissingPart, string>> = {
  task: 'task details (tags, custom properties, next run)',
  app: 'app details',
  owner: 'app owner',
  execution: 'result of the execution (node, times, history)',
  scriptLog: 'script log',
}
const ABSENT: Readonly<Record<MissingPart, string>> = {
  task: 'Qlik Sense has no such task (any more).',
  app: 'Qlik Sense has no such app (any more).',
  owner: 'Qlik Sense knows no owner of the app.',
  execution: 'Qlik Sense keeps no result of this execution.',
  scriptLog: 'Qlik Sense keeps no script log of this execution.',
}

interface NoticeRow {
  readonly notice: (context: MailContext) => Notice | null
  /** Added to mails of the user's own templates too, unless the template uses this variable. */
  readonly unless?: string
}

const NOTICES: readonly NoticeRow[] = [
  { notice: testNotice },
  { notice: fallbackNotice },
  { notice: recoveryNotice },
  { notice: retryNotice, unless: 'retryAttempt' },
  { notice: failuresNotice },
  { notice: chainNotice, unless: 'chain' },
  { notice: suppressedNotice, unless: 'suppressedCount' },
  { notice: missingNotice, unless: 'missingParts' },
  { notice: refusedNotice, unless: 'missingParts' },
  { notice: absentNotice, unless: 'missingParts' },
]

export function noticesOf(context: MailContext): readonly Notice[] {
  return NOTICES.flatMap(({ notice }) => notice(context) ?? [])
}

/** The notices that a template with this source text leaves out. */
function noticesBeside(source: string, context: MailContext): readonly Notice[] {
  return NOTICES.filter(({ unless }) => unless !== undefined && !source.includes(unless)).flatMap(
    ({ notice }) => notice(context) ?? [],
  )
}

function testNotice({ test, kind }: MailContext): Notice | null {
  if (!test && kind !== 'test') return null
  return { title: 'This is a test.', text: 'Nothing has really happened.', items: [] }
}

function fallbackNotice({ failedDestination }: MailContext): Notice | null {
  if (!failedDestination) return null
  const text = `This alert could not be delivered to ${failedDestination}, which is tried further.`
  return { title: 'Sent another way.', text, items: [] }
}

function recoveryNotice({ kind, errorText, outcome }: MailContext): Notice | null {
  if (kind !== 'recovery') return null
  const text = outcome === 'success' || !errorText ? 'What you were alerted about is over.' : errorText
  return { title: 'All is well again.', text, items: [] }
}

function retryNotice(context: MailContext): Notice | null {
  const { retryAttempt, retryMax, retryNextAtLocal, retryRefused, outcome } = context
  if (retryMax === '' || outcome === 'success') return null
  const done = Number(retryAttempt) > 0 ? `This was try ${retryAttempt} of ${retryMax}.` : ''
  const next = retryNextAtLocal
    ? `The next one starts at ${zoned(context, retryNextAtLocal)}.`
    : 'No further try is made.'
  return { title: 'Retries:', text: [done, retryRefused || next].filter(Boolean).join(' '), items: [] }
}

function failuresNotice(context: MailContext): Notice | null {
  const { consecutiveFailures, lastSuccessLocal } = context
  if (Number(consecutiveFailures) < 2) return null
  const since = lastSuccessLocal
    ? `The last success was at ${zoned(context, lastSuccessLocal)}.`
    : 'No success is known.'
  return { title: `${consecutiveFailures} failures in a row.`, text: since, items: [] }
}

function chainNotice(context: MailContext): Notice | null {
  const { downstream } = context.chain
  if (downstream.length === 0) return null
  const one = downstream.length === 1
  const title = one ? 'One task will not run' : `${downstream.length} tasks will not run`
  const text = one ? 'because it waits for this one:' : 'because they wait for this one:'
  const items = downstream.map(({ name, usualStartLocal: at }) =>
    at ? `${name} (usually ${zoned(context, at)})` : name,
  )
  return { title, text, items: atMost(items) }
}

function suppressedNotice({ suppressedCount: n }: MailContext): Notice | null {
  if (n <= 0) return null
  const what = n === 1 ? 'earlier alert about this was' : 'earlier alerts about this were'
  return { title: String(n), text: `${what} held back by the rate limit since the last mail.`, items: [] }
}

function missingNotice({ missingParts, absentParts, missingReasons }: MailContext): Notice | null {
  const open = missingParts.filter((part) => !absentParts.includes(part) && !missingReasons[part])
  if (open.length === 0) return null
  const names = open.map((part) => PARTS[part] ?? part).join(', ')
  return {
    title: 'Not available:',
    text: `${names}. Qlik Sense did not answer before this mail had to leave.`,
    items: [],
  }
}

/** Refused parts, those with the same answer in one sentence. */
function refusedNotice({ missingParts, absentParts, missingReasons }: MailContext): Notice | null {
  const refused = missingParts.filter((part) => !absentParts.includes(part) && missingReasons[part])
  if (refused.length === 0) return null
  const answers = [...new Set(refused.map((part) => missingReasons[part]!))].map((answer) => {
    const parts = refused.filter((part) => missingReasons[part] === answer).map((part) => PARTS[part] ?? part)
    return `${parts.join(', ')}. Qlik Sense answered ${answer}.`
  })
  return { title: 'Not available:', text: answers.join(' '), items: [] }
}

/** An app that is gone has no owner either: one sentence is enough. */
function absentNotice({ absentParts, missingReasons }: MailContext): Notice | null {
  const listed = absentParts.includes('app') ? absentParts.filter((part) => part !== 'owner') : absentParts
  if (listed.length === 0) return null
  const sentences = listed.map((part) => {
    const sentence = ABSENT[part] ?? part
    return missingReasons[part] ? sentence.replace(/\.$/, `: ${missingReasons[part]}.`) : sentence
  })
  return { title: 'Not in Qlik Sense:', text: sentences.join(' '), items: [] }
}

function atMost(items: readonly string[]): readonly string[] {
  if (items.length <= MAX_ITEMS) return items
  return [...items.slice(0, MAX_ITEMS - 1), `and ${items.length - MAX_ITEMS + 1} more`]
}

/** The same as lines of text, for mails of the user's own templates. */
export function missingNotes(source: string, context: TemplateContext): readonly string[] {
  return noticesBeside(source, mailContext(context)).map(({ title, text, items }) =>
    [title, text, items.join('; ')].filter(Boolean).join(' '),
  )
}

/** The notes become the last lines of the page. */
export function addNotesToHtml(html: string, notes: readonly string[]): string {
  if (notes.length === 0) return html
  const lines = notes.map(
    (note) => `<p style="font-family:Arial,sans-serif;font-size:13px">${ESCAPING.html.escaped(note)}</p>`,
  )
  const end = html.toLowerCase().lastIndexOf('</body>')
  const at = end === -1 ? html.length : end
  return `${html.slice(0, at)}${lines.join('')}${html.slice(at)}`
}

export function addNotesToText(text: string, notes: readonly string[]): string {
  return notes.length === 0 ? text : `${text.trimEnd()}\n\n${notes.join('\n')}\n`
}
