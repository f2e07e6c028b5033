/** What the built-in mail shows, ready for the templates: they decide how it looks, not what it says. */
import type { TemplateRecord } from '../../../templates/engine.ts'
import { type Budget, createBudget } from './budget.ts'
import { FACTS, type FactForm, type FactTable, FIGURES } from './facts.ts'
import { type LogViews, logsOf } from './logs.ts'
import { type Notice, noticesOf } from './notices.ts'
import { durationText, type MailRecord, mailRecord } from './record.ts'
import { type Tone, toneOf } from './tones.ts'

export interface Fact {
  readonly label: string
  /** Chips have several. */
  readonly values: readonly string[]
  readonly form: FactForm
}

/** The variable `view` of the mail templates. */
export interface MailView extends LogViews {
  readonly tone: Tone
  /** `Reload failed`, with `[TEST] ` where it is one. */
  readonly heading: string
  /** What it is about, in large letters. */
  readonly subject: string
  /** App and stream, host, ...; may be empty. */
  readonly context: string
  /** For the title of the page and the list of mails. */
  readonly title: string
  readonly preheader: string
  readonly problem: { readonly label: string; readonly text: string } | null
  readonly figures: readonly { readonly label: string; readonly value: string; readonly hint: string }[]
  readonly notices: readonly Notice[]
  readonly links: readonly { readonly label: string; readonly url: string }[]
  readonly sections: readonly { readonly title: string; readonly facts: readonly Fact[] }[]
  readonly history: readonly { readonly time: string; readonly text: string; readonly bad: boolean }[]
  /** Of a summary, or of a text that the user has written. */
  readonly lines: readonly string[]
  readonly footer: readonly string[]
}

/** Bytes of data, leaving room for the frame below the 102 KB at which Gmail cuts a mail. */
const DATA_BYTES = 40_000
const MAX_VALUE = 1200
const MAX_CHIPS = 20
const MAX_HISTORY = 20
const MAX_LINKS = 6
const MAX_LABEL = 60

const GOOD_NEWS = new Set(['success', 'started', 'cleared', 'status'])

/** `lines` stands in for all facts where a text takes their place: a summary, a body that the user wrote. */
export function mailView(variables: TemplateRecord, lines?: readonly string[]): MailView {
  const record = mailRecord(variables)
  const budget = createBudget(DATA_BYTES)
  const good = GOOD_NEWS.has(record.outcome) || record.kind === 'recovery'
  const summary = record.kind === 'summary'
  const own = lines ?? (summary ? record.summary.lines : null)
  const test = record.test || record.kind === 'test' ? '[TEST] ' : ''
  const heading = `${test}${summary ? 'Summary' : budget.fit(record.heading, 200)}`
  const subject = budget.fit(summary ? record.summary.title : record.subjectName, 1500)
  const problem = good || own ? '' : budget.fit(record.errorText, 2500)
  const head = {
    tone: toneOf(record.outcome, record.kind),
    heading,
    subject,
    context: summary ? '' : budget.fit(contextOf(record), 800),
    title: subject ? `${heading}: ${subject}` : heading,
    preheader: own ? budget.fit(own[0] ?? '', 400) : preheaderOf(record, good).slice(0, 200),
    problem: problem ? { label: record.outcome === 'failed' ? 'What went wrong' : 'Message', text: problem } : null,
    notices: summary ? [] : noticesOf(record).map((notice) => fitNotice(notice, budget)),
    links: linksOf(record),
    footer: footerOf(record).map((line) => budget.fit(line, 300)),
  }
  if (own) return { ...head, ...NO_FACTS, lines: budget.fitLines(own, DATA_BYTES, 'start') }
  return {
    ...head,
    figures: figuresOf(record, budget),
    sections: FACTS[record.taskType].map((table) => section(table, record, budget)).filter(hasFacts),
    history: historyOf(record, budget),
    ...logsOf(record, budget, good),
    lines: [],
  }
}

const NO_FACTS = { figures: [], sections: [], history: [], logs: [], logTexts: [], logSummary: '' } as const

function contextOf(record: MailRecord): string {
  const { taskType, appName, subjectName, appStreamName, tenantComment, tenantId } = record
  if (taskType === 'cloudReload') return tenantComment || tenantId
  const app = appName === subjectName ? '' : appName
  return [app, appStreamName].filter(Boolean).join(' · ')
}

function preheaderOf(record: MailRecord, good: boolean): string {
  const duration = durationText(record.executionDuration)
  const first = good ? duration && `Took ${duration}` : record.errorText
  return [first, contextOf(record), record.hostName].filter(Boolean).join(' · ')
}

function figuresOf(record: MailRecord, budget: Budget): MailView['figures'] {
  return FIGURES[record.taskType]
    .map(([label, value, hint]) => ({
      label,
      value: budget.fit(value(record), 300),
      hint: budget.fit(hint?.(record) ?? '', 100),
    }))
    .filter(({ value }) => value !== '')
}

function section({ title, rows }: FactTable, record: MailRecord, budget: Budget) {
  const facts = rows.map(([label, value, form = 'text']) => {
    const found = value(record)
    const values = (typeof found === 'string' ? [found] : found).filter(Boolean).slice(0, MAX_CHIPS)
    const limit = form === 'chips' ? 200 : MAX_VALUE
    return { label, values: values.map((text) => budget.fit(text, limit)).filter(Boolean), form }
  })
  return { title, facts: facts.filter(({ values }) => values.length > 0) }
}

function hasFacts({ facts }: { facts: readonly Fact[] }): boolean {
  return facts.length > 0
}

function fitNotice({ title, text, items }: Notice, budget: Budget): Notice {
  return {
    title: budget.fit(title, 200),
    text: budget.fit(text, 1500),
    items: items.map((item) => budget.fit(item, 250)).filter(Boolean),
  }
}

function linksOf({ appUrl, absentParts, qlikSenseQMC, qlikSenseHub, genericUrls }: MailRecord): MailView['links'] {
  const all = [
    { label: 'Open app', url: absentParts.includes('app') ? '' : appUrl },
    { label: 'Open QMC', url: qlikSenseQMC },
    { label: 'Open hub', url: qlikSenseHub },
    ...genericUrls.map(({ linkText, url }) => ({ label: (linkText || url).slice(0, MAX_LABEL), url })),
  ]
  return all.filter(({ url }) => isWebAddress(url) && url.length <= 1000).slice(0, MAX_LINKS)
}

function isWebAddress(url: string): boolean {
  return /^https?:\/\//i.test(url)
}

/** The last ones: what happened just before the end. */
function historyOf({ executionDetails }: MailRecord, budget: Budget): MailView['history'] {
  return executionDetails.slice(-MAX_HISTORY).map(({ timestampLocal1, message, detailsType }) => ({
    time: budget.fit(timestampLocal1, 60),
    text: budget.fit(message, 400),
    bad: detailsType === 0,
  }))
}

function footerOf({ butlerVersion, eventId, timestampLocal }: MailRecord): readonly string[] {
  const sent = `Sent by Footman${butlerVersion ? ` ${butlerVersion}` : ''}, which watches over Qlik Sense.`
  const event = [eventId && `Event ${eventId}`, timestampLocal && `received ${timestampLocal}`].filter(Boolean)
  return [sent, event.join(', ')].filter(Boolean)
}
