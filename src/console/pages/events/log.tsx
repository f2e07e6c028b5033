/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The script log of an event: lines with numbers, marked errors, and at most 2,000 lines on a page. */
import { SCRIPT_LOG, type ScriptLogPart } from '../../../alerts/history/contract.ts'
import { visibleLines } from '../../../platform/visible.ts'
import type { Ask, Asked } from '../../ask.ts'
import type { Page, PageContext } from '../../page.ts'
import { Icon } from '../../ui/marks.tsx'
import { ErrorBox } from '../../ui/panel.tsx'
import { counted, numberText, Time } from '../../ui/text.tsx'

const PAGE_LINES = 2000
const LONGEST_LINE = 2000
/** Lines shown before the first error; those above are folded. */
const LEAD = 6
/** Errors that are listed above the log. */
const LISTED = 20

const pageOf = (line: number): number => Math.floor((line - 1) / PAGE_LINES) * PAGE_LINES + 1
const rangeOf = (from: number, lines: number): string => `${from}-${Math.min(from + PAGE_LINES - 1, lines)}`

/** The lines that the address asks for (`log=2001-4000`); else those around the first error. */
export async function askLog(ask: Ask, eventId: string, range: string | null): Promise<Asked<ScriptLogPart>> {
  const get = (from: number) =>
    ask(SCRIPT_LOG, { params: { id: eventId }, query: { from, limit: PAGE_LINES }, withinMs: 10_000 })
  const wanted = /^(\d{1,8})-\d{1,8}$/.exec(range ?? '')
  if (wanted) return get(Math.max(1, Number(wanted[1])))
  const first = await get(1)
  if (!first.ok) return first
  const error = first.data.errorLines[0] ?? 1
  return error <= PAGE_LINES ? first : get(pageOf(error))
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: sequences that colour a terminal.
const ANSI = /\u001b\[[0-9;?]*[ -/]*[@-~]/g
const PREFIX =
  /^\s*(\d{4})-?(\d{2})-?(\d{2})[T ](\d{2}):?(\d{2}):?(\d{2})(?:[.,]\d+)?(?:(Z)|([+-]\d{2}):?(\d{2}))?(?:\s(\d{3,})\s?|\s{0,6})/

interface LogLine {
  /** Milliseconds since 1970; the time of day as it stands in a log without zones; null = none. */
  readonly at: number | string | null
  /** In the load script. */
  readonly number: string
  readonly text: string
}

/** A line in columns. */
export function columnsOf(line: string): LogLine {
  const plain = visibleLines(line.toWellFormed().replace(ANSI, ''))
  const shown = plain.length > LONGEST_LINE ? `${plain.slice(0, LONGEST_LINE)}…` : plain
  const found = PREFIX.exec(shown)
  if (!found) return { at: null, number: '', text: shown }
  const [whole, year, month, day, hour, minute, second, utc, hours, minutes, number = ''] = found
  const clock = `${hour}:${minute}:${second}`
  const at = Date.parse(`${year}-${month}-${day}T${clock}${utc ?? `${hours}:${minutes}`}`)
  return { at: Number.isNaN(at) ? clock : at, number, text: shown.slice(whole.length) }
}

const MOST_LINES = 10_000

/** The log as a file: all lines, as they came. */
export const logFile: Page = {
  path: '/events/:id/log',
  place: 'events',
  scope: 'event:read',
  async render({ ask, params, here }) {
    const { id = '' } = params
    const text: string[] = []
    for (let isComplete = false; !isComplete; ) {
      const answer = await ask(SCRIPT_LOG, { params: { id }, query: { from: text.length + 1, limit: MOST_LINES } })
      if (!answer.ok) {
        return { title: 'Script log', status: answer.status, body: <ErrorBox failure={answer} retry={here({})} /> }
      }
      text.push(...answer.data.text)
      isComplete = answer.data.text.length === 0 || text.length >= answer.data.lines
    }
    const name = `script-log-${id.replaceAll(/[^\w-]/g, '')}.txt`
    return { title: 'Script log', body: '', file: { type: 'text/plain', body: text.join('\r\n'), name } }
  },
}

interface Props {
  readonly context: PageContext
  readonly eventId: string
  readonly log: Asked<ScriptLogPart>
}

/** The body and foot of the panel *What happened*. */
export const LogView = ({ context, eventId, log }: Props) => {
  if (!log.ok)
    return log.status === 404 ? <NoLog /> : <ErrorBox failure={log} what="Script log" retry={context.here({})} />
  const { lines, from, text, errorLines } = log.data
  const until = from + text.length - 1
  const shown = errorLines.find((line) => line >= from && line <= until)
  const folded = shown === undefined ? 0 : Math.max(0, shown - from - LEAD)
  const wrap = context.query.get('wrap') === '1'
  const marked = new Set(errorLines)
  const columns = text.map(columnsOf)
  const lineOf = (line: LogLine, n: number) => (
    <Line context={context} number={from + n} line={line} isError={marked.has(from + n)} />
  )
  const toLine = (line: number) =>
    line >= from && line <= until
      ? `#line-${line}`
      : `${context.here({ log: rangeOf(pageOf(line), lines) })}#line-${line}`
  const next = errorLines.find((line) => line !== shown && line > (shown ?? 0)) ?? shown
  const rest = columns.slice(folded)
  return (
    <>
      {errorLines.length > 1 && (
        <p class="body small errors-list">
          Errors in lines of the log{' '}
          {errorLines.slice(0, LISTED).map((line, n) => (
            <>
              {n > 0 && ', '}
              <a href={toLine(line)}>{line}</a>
            </>
          ))}
          {errorLines.length > LISTED && ` and ${numberText(errorLines.length - LISTED)} more`}
        </p>
      )}
      <section class={wrap ? 'log wrap' : 'log'} tabindex={0} aria-label="Script log" data-log>
        {folded > 0 && (
          <details data-key="log-before">
            <summary class="more">
              <Icon name="right" />
              Lines {numberText(from)} to {numberText(from + folded - 1)}
            </summary>
            <ol>{columns.slice(0, folded).map(lineOf)}</ol>
          </details>
        )}
        <ol>{rest.map((line, n) => lineOf(line, n + folded))}</ol>
      </section>
      <p class="foot l">
        <span>
          Lines {numberText(from)}–{numberText(until)} of {numberText(lines)}, {counted(errorLines.length, 'error')}
          {log.data.source === 'qlik' && ', read from Qlik Sense now'}
          {columns.some(({ at }) => typeof at === 'string') && '; times as in the log, which names no zone'}
        </span>
        <span class="push l">
          {from > 1 && <a href={`${context.here({ log: rangeOf(pageOf(from - 1), lines) })}#log`}>Lines before</a>}
          {until < lines && <a href={`${context.here({ log: rangeOf(until + 1, lines) })}#log`}>Lines after</a>}
          {next !== undefined && (
            <a href={toLine(next)} data-next-error>
              Next error
            </a>
          )}
          <a href={`${context.here({ wrap: wrap ? null : '1' })}#log`}>{wrap ? 'Do not wrap' : 'Wrap'}</a>
          <a href={context.link(`/events/${eventId}/log`)}>Download</a>
        </span>
      </p>
    </>
  )
}

const NoLog = () => (
  <p class="body muted">No script log was kept with the event, and Qlik Sense has none of this run.</p>
)

interface LineProps {
  readonly context: PageContext
  readonly number: number
  readonly line: LogLine
  readonly isError: boolean
}

const Line = ({ context, number, line, isError }: LineProps) => {
  const { at } = line
  return (
    <li class={isError ? 'e' : undefined} id={`line-${number}`}>
      <span>
        {isError && (
          <>
            <Icon name="failed" class="bad" />
            <span class="sr">error</span>
          </>
        )}
      </span>
      <span>{typeof at === 'number' ? <Time at={at} zone={context} clock seconds bare /> : at}</span>
      <span>{line.number}</span>
      <span>{line.text}</span>
    </li>
  )
}
