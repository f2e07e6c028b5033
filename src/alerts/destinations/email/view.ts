/**
 * The variable `view` of the built-in mail's templates: heading, facts, notices, log excerpts and colours, cut to the size
 * that Gmail shows. The templates decide only about the look.
 */

import type { EventOutcome, EventType } from '../../../events/types.ts'
import type { TemplateContext } from '../../templates/engine.ts'
import { ESCAPING } from '../../templates/escape.ts'
import type { DeliveryKind } from '../../types.ts'
import { type Notice, noticesOf } from './notices.ts'
import { type MailContext, mailContext, partsText, zoned } from './template-context.ts'

interface Fact {
  readonly label: string
  /** Chips have several. */
  readonly values: readonly string[]
  readonly form: FactForm
}

/** The variable `view` of the mail templates. */
interface MailView extends LogViews {
  readonly tone: Tone
  /** `Reload failed`, with `[TEST] ` where it is one. */
  readonly heading: string
  /** The task, service or app, in large letters. */
  readonly subject: string
  /** App and stream, host, ...; may be empty. */
  readonly context: string
  /** For the title of the page and the list of mails. */
  readonly title: string
  readonly preheader: string
  readonly problem: { readonly label: string; readonly text: string } | null
  readonly figures: readonly {
    readonly label: string
    readonly value: string
    /** A day, or a small text. */
    readonly hint: string
    /** Time zone of the value; '' = the value is no time. */
    readonly zone: string
  }[]
  readonly notices: readonly Notice[]
  readonly links: readonly { readonly label: string; readonly url: string }[]
  readonly sections: readonly { readonly title: string; readonly facts: readonly Fact[] }[]
  /** Time zone of the times in `history`. */
  readonly historyZone: string
  readonly history: readonly { readonly time: string; readonly text: string; readonly bad: boolean }[]
  /** The text of a summary, or one that the user has written. */
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

/** `lines`: the text that replaces the facts, such as a body that the user wrote. */
export function mailView(variables: TemplateContext, lines?: readonly string[]): MailView {
  const context = mailContext(variables)
  const budget = createBudget(DATA_BYTES)
  const good = GOOD_NEWS.has(context.outcome) || context.kind === 'recovery'
  const summary = context.kind === 'summary'
  const own = lines ?? (summary ? context.summary.lines : null)
  const test = context.test || context.kind === 'test' ? '[TEST] ' : ''
  const heading = `${test}${summary ? 'Summary' : budget.fit(context.heading, 200)}`
  const subject = budget.fit(summary ? context.summary.title : context.subjectName, 1500)
  const problem = good || own ? '' : budget.fit(context.errorText, 2500)
  const head = {
    tone: toneOf(context.outcome, context.kind),
    heading,
    subject,
    context: summary ? '' : budget.fit(contextLine(context), 800),
    title: subject ? `${heading}: ${subject}` : heading,
    preheader: own ? budget.fit(own[0] ?? '', 400) : preheaderOf(context, good).slice(0, 200),
    problem: problem ? { label: context.outcome === 'failed' ? 'What went wrong' : 'Message', text: problem } : null,
    notices: summary ? [] : noticesOf(context).map((notice) => fitNotice(notice, budget)),
    links: linksOf(context),
    footer: footerOf(context).map((line) => budget.fit(line, 300)),
  }
  if (own) return { ...head, ...NO_FACTS, lines: budget.fitLines(own, DATA_BYTES, 'start') }
  return {
    ...head,
    figures: figuresOf(context, budget),
    sections: FACTS[context.taskType].map((table) => section(table, context, budget)).filter(hasFacts),
    history: historyOf(context, budget),
    historyZone: budget.fit(context.timeZone, 60),
    ...logsOf(context, budget, good),
    lines: [],
  }
}

const NO_FACTS = {
  figures: [],
  sections: [],
  history: [],
  historyZone: '',
  logs: [],
  logTexts: [],
  logSummary: '',
} as const

function contextLine(context: MailContext): string {
  const { taskType, appName, subjectName, appStreamName, tenantComment, tenantId } = context
  if (taskType === 'cloudReload') return tenantComment || tenantId
  const app = appName === subjectName ? '' : appName
  return [app, appStreamName].filter(Boolean).join(' · ')
}

function preheaderOf(context: MailContext, good: boolean): string {
  const duration = partsText(context.executionDuration)
  const first = good ? duration && `Took ${duration}` : context.errorText
  return [first, contextLine(context), context.hostName].filter(Boolean).join(' · ')
}

function figuresOf(context: MailContext, budget: Budget): MailView['figures'] {
  return FIGURES[context.taskType]
    .map(([label, value, hint]) => {
      const day = budget.fit(hint?.(context) ?? '', 100)
      return {
        label,
        value: budget.fit(value(context), 300),
        hint: day,
        zone: DAY.test(day) ? budget.fit(context.timeZone, 60) : '',
      }
    })
    .filter(({ value }) => value !== '')
}

function section({ title, rows }: FactTable, context: MailContext, budget: Budget) {
  const facts = rows.map(([label, value, form = 'text']) => {
    const found = value(context)
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

function linksOf(context: MailContext): MailView['links'] {
  const { appUrl, absentParts, consoleUrl, qlikSenseQMC, qlikSenseHub, genericUrls } = context
  const all = [
    { label: 'Open in Footman', url: consoleUrl },
    { label: 'Open app', url: absentParts.includes('app') ? '' : appUrl },
    { label: 'Open QMC', url: qlikSenseQMC },
    { label: 'Open hub', url: qlikSenseHub },
    ...genericUrls.map(({ linkText, url }) => ({ label: (linkText || url).slice(0, MAX_LABEL), url })),
  ]
  return all.filter(({ url }) => isWebAddress(url) && url.length <= 1000).slice(0, MAX_LINKS)
}

const isWebAddress = (url: string): boolean => /^https?:\/\//i.test(url)

/** The last steps of the execution. */
function historyOf({ executionDetails }: MailContext, budget: Budget): MailView['history'] {
  return executionDetails.slice(-MAX_HISTORY).map(({ timestampLocal1, message, detailsType }) => ({
    time: budget.fit(timestampLocal1, 60),
    text: budget.fit(message, 400),
    bad: detailsType === 0,
  }))
}

function footerOf(context: MailContext): readonly string[] {
  const { butlerVersion, eventId, timestampLocal } = context
  const sent = `Sent by Footman${butlerVersion ? ` ${butlerVersion}` : ''}, which watches over Qlik Sense.`
  const event = [eventId && `Event ${eventId}`, timestampLocal && `received ${zoned(context, timestampLocal)}`].filter(
    Boolean,
  )
  return [sent, event.join(', ')].filter(Boolean)
}

interface LogLine {
  readonly text: string
  readonly bad: boolean
}

interface LogViews {
  /** Cut to what a mail can hold. */
  readonly logs: readonly { readonly title: string; readonly lines: readonly LogLine[] }[]
  /** The same excerpts uncut, for plain text. */
  readonly logTexts: readonly { readonly title: string; readonly text: string }[]
  readonly logSummary: string
}

interface Excerpt {
  readonly which: 'First' | 'Last' | 'All'
  readonly lines: readonly string[]
}

const LOG_BYTES = 13_000
const BAD_LINE = /\b(?:error|failed|failure|exception)\b/i

/**
 * The excerpts of the script log: first and last rows, or all of it where these meet. The last rows come first, as the error
 * stands there. `good` = no line is marked.
 */
function logsOf(context: MailContext, budget: Budget, good: boolean): LogViews {
  const { scriptLogSizeRows: rows, scriptLogSizeCharacters: characters } = context
  const excerpts = excerptsOf(context)
  // The end of a shortened log has lines before it that are no rows of it.
  const rowsIn = (which: string, lines: number) =>
    which === 'Last' ? Math.min(lines, context.scriptLogTailCount) : lines
  return {
    logs: excerpts.map(({ which, lines }) => {
      const kept = budget.fitLines(lines, LOG_BYTES, which === 'First' ? 'start' : 'end')
      const texts = kept.map((text) => ({ text, bad: !good && BAD_LINE.test(text) }))
      return {
        title: titleOf(kept.length < lines.length && which === 'All' ? 'Last' : which, rowsIn(which, kept.length)),
        lines: texts,
      }
    }),
    logTexts: excerpts.map(({ which, lines }) => ({
      title: titleOf(which, rowsIn(which, lines.length)),
      text: lines.join('\n'),
    })),
    logSummary: rows === '' ? '' : `The script log has ${count(rows)} rows with ${count(characters)} characters.`,
  }
}

function excerptsOf({ scriptLogHead, scriptLogTail, scriptLogSizeRows: rows }: MailContext): readonly Excerpt[] {
  const [head, tail] = [linesOf(scriptLogHead), linesOf(scriptLogTail)]
  if (typeof rows === 'number' && head.length + tail.length >= rows && rows > 0) {
    return [{ which: 'All', lines: [...head, ...tail.slice(head.length + tail.length - rows)] }]
  }
  const both: Excerpt[] = [
    { which: 'Last', lines: tail },
    { which: 'First', lines: head },
  ]
  return both.filter(({ lines }) => lines.length > 0)
}

function linesOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(/\r?\n/)
}

function titleOf(which: string, lines: number): string {
  return `${which} ${lines === 1 ? 'row' : `${lines} rows`} of the script log`
}

function count(n: number | string): string {
  return typeof n === 'number' ? n.toLocaleString('en-US') : n
}

/** A set of colours, chosen for white text on `solid` and dark text on `soft`. */
interface Tone {
  readonly sign: string
  /** Background of the head, under white text. */
  readonly solid: string
  readonly soft: string
  readonly ink: string
  /** The same two in dark mode. */
  readonly softDark: string
  readonly inkDark: string
}

export const TONES = {
  bad: { sign: '✕', solid: '#b3261e', soft: '#fdecea', ink: '#8c1d18', softDark: '#3b1a18', inkDark: '#ffb4ab' },
  warn: { sign: '!', solid: '#8f5600', soft: '#fff4e0', ink: '#6f4300', softDark: '#38290f', inkDark: '#ffcc80' },
  good: { sign: '✓', solid: '#1b6e3f', soft: '#e5f5ec', ink: '#12532e', softDark: '#132d1e', inkDark: '#8ce0ad' },
  info: { sign: 'i', solid: '#1f5a96', soft: '#e8f1fb', ink: '#164674', softDark: '#142a40', inkDark: '#9ecbff' },
} as const satisfies Record<string, Tone>

type ToneName = keyof typeof TONES

const BY_OUTCOME: Readonly<Record<EventOutcome, ToneName>> = {
  failed: 'bad',
  stopped: 'bad',
  unreachable: 'bad',
  expired: 'bad',
  aborted: 'warn',
  late: 'warn',
  stuck: 'warn',
  neverStarted: 'warn',
  expiring: 'warn',
  raised: 'warn',
  success: 'good',
  started: 'good',
  cleared: 'good',
  status: 'info',
}

function toneOf(outcome: EventOutcome, kind: DeliveryKind): Tone {
  if (kind === 'recovery') return TONES.good
  if (kind === 'summary') return TONES.info
  return TONES[BY_OUTCOME[outcome] ?? 'info']
}

const ELLIPSIS = '…'

interface Budget {
  /** The text, or its beginning with an ellipsis when it or the rest of the budget is too small. */
  fit(text: string, maxBytes: number): string
  /** The whole lines that fit, from the beginning or from the end; a single huge line is cut. */
  fitLines(lines: readonly string[], maxBytes: number, from: 'start' | 'end'): readonly string[]
}

/**
 * Keeps a mail below the size at which Gmail hides the rest of it. `total` and all limits are bytes of escaped HTML in
 * UTF-8.
 */
export function createBudget(total: number): Budget {
  let left = total

  function fit(text: string, maxBytes: number): string {
    const limit = Math.max(0, Math.min(maxBytes, left))
    const fitted = shorten(text, limit)
    left -= size(fitted)
    return fitted
  }

  return {
    fit,
    fitLines(lines, maxBytes, from) {
      const end = left - Math.min(maxBytes, left)
      const kept: string[] = []
      for (const line of from === 'start' ? lines : [...lines].reverse()) {
        const room = left - end - LINE_MARKUP
        if (room < 1) break
        const fitted = shorten(line, Math.min(room, MAX_LINE))
        if (fitted !== line && kept.length > 0 && size(line) <= MAX_LINE) break
        left -= size(fitted) + LINE_MARKUP
        kept.push(fitted)
      }
      return from === 'start' ? kept : kept.reverse()
    },
  }
}

/** Bytes of a line break and of the mark of a bad line. */
const LINE_MARKUP = 60
const MAX_LINE = 1500

function size(text: string): number {
  return Buffer.byteLength(ESCAPING.html.escaped(text))
}

function shorten(text: string, limit: number): string {
  // Most texts are short: their size is at most six bytes a sign.
  if (text.length * 6 <= limit || size(text) <= limit) return text
  let [low, high] = [0, Math.min(text.length, limit)]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (size(text.slice(0, middle)) + 3 <= limit) low = middle
    else high = middle - 1
  }
  return low === 0
    ? ''
    : `${text
        .slice(0, low)
        .toWellFormed()
        .replace(/\ufffd$/, '')}${ELLIPSIS}`
}

/* The facts as tables: the figures and rows that a mail about each kind of event shows, in order. */

type FactForm = 'text' | 'chips' | 'code'
type Value = string | readonly string[]
type Row = readonly [label: string, value: (context: MailContext) => Value, form?: FactForm]

interface FactTable {
  readonly title: string
  readonly rows: readonly Row[]
}

const yes = (flag: boolean | '') => (flag === true ? 'yes' : '')
const properties = (list: MailContext['taskCustomProperties']) => list.map(({ name, value }) => `${name} = ${value}`)
const resultText = ({ executionStatusText: text, executionStatusNum: number }: MailContext) =>
  text && number !== '' ? `${text} (${number})` : text
const ownerText = ({ appOwnerName, appOwnerUserId, appOwnerUserDirectory }: MailContext) => {
  const name = [appOwnerUserDirectory, appOwnerUserId].filter(Boolean).join('/')
  return [appOwnerName, name && `(${name})`].filter(Boolean).join(' ')
}

const TASK: FactTable = {
  title: 'Task',
  rows: [
    ['Task', (r) => r.taskName],
    ['Started by', (r) => (r.outcome === 'aborted' ? '' : r.user)],
    ['Stopped by', (r) => (r.outcome === 'aborted' ? r.user : '')],
    ['Result', resultText],
    ['Next run', (r) => zoned(r, r.taskNextExecutionLocal)],
    ['Last success', (r) => (r.outcome === 'success' ? '' : zoned(r, r.lastSuccessLocal))],
    ['Partial reload', (r) => yes(r.taskIsPartialReload)],
    ['Tags', (r) => r.taskTags, 'chips'],
    ['Custom properties', (r) => properties(r.taskCustomProperties), 'chips'],
    ['Task id', (r) => r.taskId, 'code'],
    ['Execution id', (r) => r.executionId, 'code'],
  ],
}

const APP: FactTable = {
  title: 'App',
  rows: [
    ['App', (r) => r.appName],
    ['Description', (r) => r.appDescription],
    ['Stream', (r) => r.appStreamName || (r.appPublished === false ? 'not published' : '')],
    ['Owner', ownerText],
    ['Owner email', (r) => r.appOwnerEmail],
    ['Last good reload', (r) => (r.outcome === 'success' ? '' : zoned(r, r.appLastSuccessfulReloadLocal))],
    ['Tags', (r) => r.appTags, 'chips'],
    ['Custom properties', (r) => properties(r.appCustomProperties), 'chips'],
    ['App id', (r) => r.appId, 'code'],
  ],
}

const LOG_ENTRY: FactTable = {
  title: 'Log entry',
  rows: [
    ['Time', (r) => [r.logTimeStamp, r.logTimeZone && `(${r.logTimeZone})`].filter(Boolean).join(' ')],
    ['Level', (r) => r.logLevel],
    ['Message', (r) => r.logMessage],
    ['Host', (r) => r.hostName],
  ],
}

const SERVICE: FactTable = {
  title: 'Windows service',
  rows: [
    ['Host', (r) => r.host],
    ['Service', (r) => r.serviceDisplayName],
    ['Name', (r) => r.serviceName, 'code'],
    ['Known as', (r) => (r.serviceFriendlyName === r.serviceDisplayName ? '' : r.serviceFriendlyName)],
    ['Status', (r) => r.serviceStatus],
    ['Previous status', (r) => r.servicePrevStatus],
    ['Start mode', (r) => r.serviceStartType],
    ['Program', (r) => r.serviceExePath, 'code'],
    ['Depends on', (r) => r.serviceDependencies, 'chips'],
  ],
}

const LICENSE: FactTable = {
  title: 'License',
  rows: [
    ['Valid until', (r) => r.expiryDateStr || 'no end date'],
    ['Days left', (r) => String(r.daysUntilExpiry)],
    ['Expired', (r) => (r.outcome === 'expired' ? 'yes' : 'no')],
  ],
}

const CLOUD: FactTable = {
  title: 'Reload',
  rows: [
    ['Result', resultText],
    ['Error code', (r) => r.errorCode],
    ['Trigger', (r) => r.reloadTrigger],
    ['Peak memory', (r) => (r.peakMemoryBytes ? `${r.peakMemoryBytes} bytes` : '')],
    ['Memory limit hit', (r) => yes(r.endedWithMemoryConstraint)],
    ['Reload id', (r) => r.reloadId, 'code'],
    ['Tenant', (r) => [r.tenantId, r.tenantComment && `(${r.tenantComment})`].filter(Boolean).join(' ')],
    ['Log', (r) => r.logMessage],
  ],
}

const APP_RELOAD: FactTable = {
  title: 'Reload',
  rows: [
    ['Started by', (r) => r.user],
    ['Task', () => 'none: in the hub or by a program'],
  ],
}

const SELF: FactTable = {
  title: 'Footman',
  rows: [
    ['Condition', (r) => r.code, 'code'],
    ['Host', (r) => r.host],
  ],
}

const OF_TASK = [TASK, APP, LOG_ENTRY] as const

const FACTS: Readonly<Record<EventType, readonly FactTable[]>> = {
  reload: OF_TASK,
  externalProgram: OF_TASK,
  userSync: OF_TASK,
  distribute: OF_TASK,
  preload: OF_TASK,
  cloudReload: [CLOUD, APP],
  appReload: [APP_RELOAD, APP, LOG_ENTRY],
  service: [SERVICE],
  license: [LICENSE],
  self: [SELF],
}

/** A label, the value in large letters and a small line below it. */
type Figure = readonly [label: string, value: (context: MailContext) => string, hint?: (context: MailContext) => string]

const DAY = /^\d{4}-\d\d-\d\d$/
const dayOf = (local: string) => local.split(' ')[0] ?? ''
const timeOf = (local: string) => local.split(' ')[1] ?? local

const EXECUTION: readonly Figure[] = [
  ['Started', (r) => timeOf(r.executionStartTime.startTimeLocal1), (r) => dayOf(r.executionStartTime.startTimeLocal1)],
  ['Ended', (r) => timeOf(r.executionStopTime.stopTimeLocal1), (r) => dayOf(r.executionStopTime.stopTimeLocal1)],
  ['Duration', (r) => partsText(r.executionDuration)],
]
const RUN: readonly Figure[] = [
  ...EXECUTION,
  ['Due', (r) => timeOf(r.watchdogDueLocal), (r) => dayOf(r.watchdogDueLocal)],
  ['So far', (r) => partsText(r.watchdogElapsed)],
  ['Allowed', (r) => partsText(r.watchdogLimit)],
  ['Usual', (r) => partsText(r.watchdogUsual)],
  ['Node', (r) => r.executingNodeName || r.hostName],
]
const SEEN: Figure = ['Seen', (r) => timeOf(r.timestampLocal), (r) => dayOf(r.timestampLocal)]

const FIGURES: Readonly<Record<EventType, readonly Figure[]>> = {
  reload: RUN,
  externalProgram: RUN,
  userSync: RUN,
  distribute: RUN,
  preload: RUN,
  cloudReload: [...EXECUTION, ['Trigger', (r) => r.reloadTrigger]],
  appReload: [SEEN, ['Reloaded by', (r) => r.user], ['Node', (r) => r.hostName]],
  service: [
    SEEN,
    ['Status', (r) => r.serviceStatus, (r) => (r.servicePrevStatus ? `before: ${r.servicePrevStatus}` : '')],
    ['Start mode', (r) => r.serviceStartType],
    ['Host', (r) => r.host],
  ],
  license: [
    ['Valid until', (r) => r.expiryDateStr],
    ['Days left', (r) => String(r.daysUntilExpiry)],
  ],
  self: [SEEN, ['Host', (r) => r.host]],
}
