/** The live view: reports each change as it happens, shows the first mail, and counts. */

import type { SiteEvents } from '../../../simulator/types.ts'
import type { DeliveryChange } from '../../alerts/outbox/outbox.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { RunRecord } from '../../reports/runs/ledger.ts'
import { cut, fit } from '../table.ts'
import {
  createTally,
  deliveryHappening,
  eventHappening,
  type Happening,
  milliseconds,
  plural,
  reportHappening,
  type Tone,
  type Totals,
  taskEnd,
  taskHappening,
} from './happenings.ts'
import type { ReceivedMail } from './receivers.ts'
import { commandLines, type DemoCommand } from './script.ts'

interface ScreenDeps {
  readonly out: (text: string) => void
  /** Asked for every line: the window may have changed. */
  readonly style: () => Style
  /** Milliseconds of a clock that only moves forward. */
  readonly now: () => number
}

export interface Screen {
  /** The first page; times count from now on. */
  open(page: Page): void
  task(state: SiteEvents['state']): void
  event(event: TaskEvent): void
  delivery(change: DeliveryChange): void
  report(run: RunRecord): void
  /** The first mail is shown in full, below the line about its delivery. */
  mail(mail: ReceivedMail): void
  summary(): void
  stopping(): void
  /** `received`: what each receiver has counted, by the name of the destination. */
  close(received: ReadonlyMap<string, number>): void
}

export function createScreen({ out, style, now }: ScreenDeps): Screen {
  const tally = createTally()
  let openedAt = now()
  let taskAbove = ''
  let firstMail: ReceivedMail | null = null
  let mailIsShown = false
  const sinceOpened = () => now() - openedAt

  function show(happening: Happening | null): void {
    if (!happening) return
    out(happeningText(happening, sinceOpened(), style(), taskAbove))
    taskAbove = happening.task
  }

  return {
    open(page) {
      out(pageText(page, style()))
      openedAt = now()
    },
    task(state) {
      const end = taskEnd(state)
      if (end) tally.task(end)
      show(taskHappening(state))
    },
    event(event) {
      tally.event()
      show(eventHappening(event))
    },
    delivery(change) {
      tally.delivery(change)
      show(deliveryHappening(change))
      if (mailIsShown || !firstMail || change.destination !== MAIL_DESTINATION || change.state !== 'delivered') return
      mailIsShown = true
      out(mailText(firstMail, style()))
      taskAbove = ''
    },
    report: (run) => show(reportHappening(run)),
    mail(mail) {
      firstMail ??= mail
    },
    summary() {
      out(summaryText(tally.totals(), sinceOpened(), style()))
      taskAbove = ''
    },
    // Begins on a new line, because the terminal shows Ctrl+C as "^C".
    stopping: () => out('\n  Stopping ...'),
    close: (received) => out(closingText(tally.totals(), received, sinceOpened(), style())),
  }
}

const MAIL_DESTINATION = 'email'

export interface Style {
  /** Columns that a line may fill. */
  readonly width: number
  readonly colour: boolean
}

interface OutputStream {
  readonly isTTY?: boolean
  readonly columns?: number
}

const CODES: Record<Tone, readonly [on: number, off: number] | null> = {
  plain: null,
  quiet: [2, 22],
  title: [1, 22],
  note: [36, 39],
  good: [32, 39],
  warn: [33, 39],
  bad: [31, 39],
}

const PIPE_WIDTH = 120
const NARROWEST = 60
/** Wider lines tear apart what belongs together. */
const WIDEST = 120

/**
 * Colour on a terminal only; `NO_COLOR` (no-color.org) turns it off, `FORCE_COLOR` on for a pipe. A pipe is as wide as
 * `COLUMNS` says, else 120. No line is longer than that.
 */
export function styleOf(stream: OutputStream, env: Readonly<Record<string, string | undefined>>): Style {
  // The last column stays empty: some terminals begin a new line when it is filled.
  const columns = stream.isTTY ? (stream.columns ?? 80) - 1 : Number(env.COLUMNS) || PIPE_WIDTH
  return { width: Math.min(Math.max(columns, NARROWEST), WIDEST), colour: wantsColour(stream, env) }
}

function wantsColour(stream: OutputStream, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return stream.isTTY === true && env.TERM !== 'dumb'
}

function paint(text: string, tone: Tone, { colour }: Style): string {
  const codes = CODES[tone]
  if (!colour || !codes || text.trim() === '') return text
  return `\x1b[${codes[0]}m${text}\x1b[${codes[1]}m`
}

export interface Place {
  readonly label: string
  readonly address: string
  readonly remark?: string
}

export interface Page {
  readonly version: string
  /** Addresses of the running parts: a heading and its rows. */
  readonly groups: readonly { readonly heading: string; readonly places: readonly Place[] }[]
  readonly commands: readonly DemoCommand[]
  /** Print commands for cmd.exe. */
  readonly windows: boolean
}

const MARGIN = '  '
const LABEL = 18
const ADDRESS = 26
const TIME = 5
const WHERE = 7
const WHAT = 10
/** Share of the rest that the name of the task gets, and the most it needs. */
const TASK_SHARE = 0.44
const TASK_WIDEST = 44
/** Lines of a mail that are shown. */
const MAIL_LINES = 40
/** Narrower lines have one blank between columns, not two. */
const ROOMY = 90

export function pageText(page: Page, style: Style): string {
  const title = `${paint('Footman demo', 'title', style)} ${paint(page.version, 'quiet', style)}`
  return [
    '',
    `${MARGIN}${title}`,
    `${MARGIN}${cut('No configuration, no network: all of this runs in one process on 127.0.0.1.', style.width - 2)}`,
    ...page.groups.flatMap(({ heading, places }) => [
      '',
      `${MARGIN}${paint(heading, 'title', style)}`,
      ...places.map((place) => placeLine(place, style)),
    ]),
    '',
    `${MARGIN}${paint('Copy a command into another terminal', 'title', style)}`,
    ...page.commands.flatMap((command) => commandText(command, page.windows, style)),
    '',
    `${MARGIN}${paint('Ctrl+C', 'title', style)} stops the demo and leaves nothing behind.`,
    '',
    paint(row({ time: 'TIME', where: 'WHERE', what: 'WHAT', task: 'TASK', detail: 'DETAIL' }, style), 'quiet', style),
  ].join('\n')
}

function placeLine({ label, address, remark = '' }: Place, style: Style): string {
  const left = `${MARGIN}${MARGIN}${fit(label, LABEL)}`
  const room = style.width - left.length
  if (remark === '' || room < ADDRESS + 16) return left + cut(address, room)
  const shown = address.length < ADDRESS ? fit(address, ADDRESS) : `${cut(address, room - 2)}  `
  return left + shown + paint(cut(remark, room - shown.length), 'quiet', style)
}

function commandText(command: DemoCommand, windows: boolean, style: Style): readonly string[] {
  const lines = commandLines(command, { windows, width: style.width - 4 })
  return [
    `${MARGIN}${MARGIN}${paint(`# ${cut(command.purpose, style.width - 6)}`, 'quiet', style)}`,
    ...lines.map((line) => `${MARGIN}${MARGIN}${paint(line, 'note', style)}`),
  ]
}

/** The text of a mail between two rules; long lines and long mails are cut. */
export function mailText({ from, to, subject, text }: ReceivedMail, style: Style): string {
  const width = style.width - MARGIN.length
  const lines = text.trim().split(/\r?\n/)
  const missing = lines.length - MAIL_LINES
  const rule = (title: string) =>
    paint(`── ${title} ${'─'.repeat(Math.max(0, width - title.length - 4))}`, 'quiet', style)
  return [
    '',
    MARGIN + rule('the mail'),
    ...[`From: ${from}`, `To: ${to}`].map((line) => MARGIN + paint(cut(line, width), 'quiet', style)),
    MARGIN + paint(cut(subject, width), 'title', style),
    '',
    ...lines.slice(0, MAIL_LINES).map((line) => (MARGIN + cut(line, width)).trimEnd()),
    ...(missing > 0 ? [MARGIN + paint(`... ${plural(missing, 'more line')}: see the inbox`, 'quiet', style)] : []),
    MARGIN + rule('end of the mail'),
    '',
  ].join('\n')
}

/** One line. `sinceMs` is the time since the start; the name of the task above this line is not shown as loudly again. */
export function happeningText(happening: Happening, sinceMs: number, style: Style, taskAbove = ''): string {
  const { where, what, tone, task, detail, note } = happening
  const tones: Partial<Record<keyof Row, Tone>> = { what: tone, task: task === taskAbove ? 'quiet' : 'plain' }
  const parts = { time: elapsed(sinceMs), where, what, task, detail, note }
  return row(parts, style, (column, text) => paint(text, tones[column] ?? 'quiet', style))
}

interface Row {
  readonly time: string
  readonly where: string
  readonly what: string
  readonly task: string
  readonly detail: string
  readonly note?: string
}

function row(
  { time, where, what, task, detail, note = '' }: Row,
  { width }: Style,
  colour: (column: keyof Row, text: string) => string = (_column, text) => text,
): string {
  const gap = ' '.repeat(width < ROOMY ? 1 : 2)
  const rest = width - MARGIN.length - TIME - WHERE - WHAT - 3 * gap.length
  const taskWidth = Math.min(TASK_WIDEST, Math.floor(rest * TASK_SHARE))
  const endWidth = rest - taskWidth - gap.length
  const shortNote = cut(note, endWidth)
  const detailWidth = Math.max(0, endWidth - shortNote.length - (shortNote === '' ? 0 : gap.length))
  // The end of a topic or an address says more than its beginning.
  const shortDetail = shortNote === '' ? cut(detail, detailWidth, 'end') : fit(detail, detailWidth, 'end')
  return [
    MARGIN + colour('time', fit(time, TIME)),
    colour('where', fit(where, WHERE)),
    colour('what', fit(what, WHAT)),
    colour('task', fit(task, taskWidth)),
    [colour('detail', shortDetail), ...(shortNote === '' ? [] : [colour('note', shortNote)])].join(gap),
  ]
    .join(gap)
    .trimEnd()
}

/** `1:05`. */
export function elapsed(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** One line about everything so far; parts that do not fit are left out, the least important first. */
export function summaryText(totals: Totals, sinceMs: number, style: Style): string {
  const facts = [
    plural(totals.tasks, 'task'),
    `delivered ${deliveredText(totals)}`,
    `median ${milliseconds(totals.medianMs)}`,
    ...(totals.dead > 0 ? [`${totals.dead} given up`] : []),
    ...(totals.suppressed > 0 ? [`${totals.suppressed} suppressed`] : []),
    plural(totals.events, 'event'),
  ]
  const room = style.width - MARGIN.length
  let text = `${fit(elapsed(sinceMs), TIME)}  ${facts.shift()}`
  for (const fact of facts) {
    if (`${text} · ${fact}`.length <= room) text += ` · ${fact}`
  }
  return MARGIN + paint(cut(text, room), 'title', style)
}

/** `received`: what the receivers counted, the proof that the messages arrived. */
export function closingText(
  totals: Totals,
  received: ReadonlyMap<string, number>,
  ranMs: number,
  style: Style,
): string {
  const { succeeded, failed, stopped } = totals.ends
  const rows: readonly (readonly [label: string, text: string])[] = [
    ['Tasks run', `${totals.tasks}: ${succeeded} succeeded, ${failed} failed, ${stopped} stopped`],
    ['Events received', String(totals.events)],
    ['Delivered', `${deliveredText(totals)}; median ${milliseconds(totals.medianMs)} after the event`],
    ['Suppressed', String(totals.suppressed)],
    ...(totals.dead > 0 ? [['Given up', String(totals.dead)] as const] : []),
    ['Receivers got', countsText(received)],
  ]
  return [
    '',
    `${MARGIN}${paint(`Stopped after ${elapsed(ranMs)}`, 'title', style)}`,
    ...rows.map(([label, text]) => `${MARGIN}${MARGIN}${fit(label, LABEL)}${cut(text, style.width - LABEL - 4)}`),
    '',
  ].join('\n')
}

function deliveredText({ delivered }: Totals): string {
  return delivered.size === 0 ? 'nothing yet' : countsText(delivered)
}

/** `2 email, 5 mqtt, 1 webhook`. */
function countsText(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
}
