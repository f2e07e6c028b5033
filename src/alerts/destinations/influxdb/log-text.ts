/** The texts of points about reloads: what Qlik Sense says about the execution, then lines of the script log. */
import type { ScriptLog } from '../../../events/types.ts'
import type { QrsExecutionResult } from '../../../qlik/qrs/types.ts'
import { excerpts } from '../../script-log.ts'
import type { InfluxSection } from './sections.ts'

const LINE_BREAK = '\r\n'
const RULE = '-'.repeat(31)
/** InfluxDB 1 and 2 refuse strings of more than 64 KB. */
const MAX_BYTES = 65_000

export const NO_LOG = 'Script log not available'

type Lines = NonNullable<InfluxSection['scriptLog']>

export function failureText(execution: QrsExecutionResult, log: ScriptLog | null, { tailLines }: Lines): string {
  const { tail } = excerpts(log, 0, tailLines)
  return keepEnd([detailsText(execution), RULE, '', tail].join(LINE_BREAK))
}

/** A part of which no lines are wanted is left out with its caption. */
export function successText(execution: QrsExecutionResult | null, log: ScriptLog, lines: Lines): string {
  const { headLines, tailLines } = lines
  const { head, tail } = excerpts(log, headLines, tailLines)
  const parts = [
    ...(headLines > 0 ? [caption('HEAD', headLines) + LINE_BREAK + head] : []),
    ...(tailLines > 0 ? [caption('TAIL', tailLines) + LINE_BREAK + tail] : []),
  ]
  const details = execution ? detailsText(execution) : ''
  return keepEnd(details + LINE_BREAK + parts.join(LINE_BREAK + LINE_BREAK))
}

function caption(part: string, count: number): string {
  return `---------- SCRIPT LOG ${part} (${count} lines) ----------`
}

function detailsText({ details }: QrsExecutionResult): string {
  return [...details]
    .sort((a, b) => (Date.parse(a.detailCreatedDate) || 0) - (Date.parse(b.detailCreatedDate) || 0))
    .map(({ detailCreatedDate, message }) => `${detailCreatedDate}\t${message}\n`)
    .join('')
}

/** The end of a log tells what went wrong. */
function keepEnd(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= MAX_BYTES) return text
  let start = bytes.length - MAX_BYTES
  // Not in the middle of a character.
  while ((bytes[start]! & 0xc0) === 0x80) start += 1
  return bytes.subarray(start).toString('utf8')
}
