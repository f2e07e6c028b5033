/**
 * How often something happens: a text like `every 5 minutes`, a cron expression (5 or 6 fields, months 1-12) or an
 * ISO 8601 duration. Texts and cron expressions follow the wall clock of a time zone; a duration fires at the
 * multiples of its length since 1970-01-01T00:00:00Z.
 */
import { createRequire } from 'node:module'
import { createCronEngine, parseCron } from './cron.ts'
import { type Parsed, parseIsoDuration } from './duration.ts'
import { createOffsets } from './offsets.ts'
import { once } from './once.ts'
import { nextInstant, type WallTimes } from './zone-clock.ts'

export interface Frequency {
  /** The first time at least one second after `now` (ms since 1970); null when there is none any more. */
  next(now: number): number | null
  /** A meaning that the author of the text may not expect; null = none. */
  readonly warning: string | null
}

/** The part of later's schedule that is used. */
interface LaterSchedule {
  next(count: number, from: Date): Date[] | Date | 0
}
interface LaterParse {
  readonly error: number
  readonly schedules: readonly object[]
}
interface Later {
  readonly parse: { text(text: string): LaterParse }
  schedule(definition: unknown): LaterSchedule
}

/** The library, loaded with the first text: most installations have none. */
const texts = once(
  (): Later =>
    typeof require === 'function' ? require('@breejs/later') : createRequire(import.meta.url)('@breejs/later'),
)

const LEAST_AHEAD = 1000
const EXAMPLES = 'Write for example "every 5 minutes", "at 10:15 am", a cron expression or a duration like PT90S.'

/** `timezone`: IANA name of the wall clock. The error says what is wrong and what would be right. */
export function parseFrequency(text: string, timezone = 'UTC'): Parsed<Frequency> {
  const trimmed = text.trim().toLowerCase().replace(/\s+/g, ' ')
  if (trimmed === '') return { ok: false, error: `It is empty. ${EXAMPLES}` }
  if (/^p(?=[\dt])/.test(trimmed)) return durationFrequency(trimmed)
  if (isCron(trimmed)) return cronFrequency(trimmed, timezone)
  return textFrequency(trimmed, timezone)
}

/** Also with fields of other schedulers, so that the answer names what to write. */
const isCron = (text: string): boolean =>
  text.startsWith('@') || (/^(?:[\d*?]|h\b)/.test(text) && [5, 6, 7].includes(text.split(' ').length))

function durationFrequency(text: string): Parsed<Frequency> {
  const length = parseIsoDuration(text)
  if (length === null || length < LEAST_AHEAD) {
    return { ok: false, error: 'A duration must be an ISO 8601 one of at least one second, like PT90S.' }
  }
  const next = (now: number) => (Math.floor((now + LEAST_AHEAD - 1) / length) + 1) * length
  return { ok: true, value: { next, warning: null } }
}

function cronFrequency(text: string, timezone: string): Parsed<Frequency> {
  const parsed = parseCron(text, 1)
  if (!parsed.ok) return { ok: false, error: `It is not a cron expression: ${parsed.problem.reason}` }
  const engine = createCronEngine()
  const everyHour = parsed.value.hours.length === 24
  const next = onClock({ next: (wall) => engine.next(parsed.value, wall), everyHour }, timezone)
  return { ok: true, value: { next, warning: null } }
}

function onClock(times: WallTimes, timezone: string): Frequency['next'] {
  const offsets = createOffsets(timezone)
  return (now) => nextInstant(times, offsets, now + LEAST_AHEAD - 1)
}

function textFrequency(text: string, timezone: string): Parsed<Frequency> {
  const { understood, warning } = translate(text)
  if (/\bevery 0+\b/.test(understood)) return { ok: false, error: 'Every 0 of something is not possible.' }
  const parsed = parsedByLater(understood)
  if (parsed.error !== -1 || !saysWhen(parsed.schedules)) {
    const place = parsed.error > 0 ? ` from "${understood.slice(parsed.error)}" on` : ''
    return { ok: false, error: `The text is not understood${place}. ${EXAMPLES}` }
  }
  const schedule = texts().schedule(parsed)
  const next = onClock(
    { next: (wall) => nextOfText(schedule, wall), everyHour: parsed.schedules.every(isOfEveryHour) },
    timezone,
  )
  if (next(Date.now()) === null) return { ok: false, error: 'This text never fires.' }
  return { ok: true, value: { next, warning: warning ?? tooLong(understood) } }
}

/** later throws for texts like "every between and"; they count as not understood at all. */
function parsedByLater(text: string): LaterParse {
  try {
    return texts().parse.text(text)
  } catch {
    return { error: 0, schedules: [] }
  }
}

/** later accepts texts like "also" and makes schedules without a condition of them. */
function saysWhen(schedules: readonly object[]): boolean {
  return schedules.length > 0 && schedules.every((schedule) => Object.keys(schedule).length > 0)
}

/** Names of later's constraints: `h` hours, `t` times of the day, each also with a suffix such as `_a` for "after". */
const HOURS = /^h(_|$)/
const TIMES = /^t(_|$)/

function isOfEveryHour(schedule: object): boolean {
  const named = Object.entries(schedule).filter(([name]) => HOURS.test(name) || TIMES.test(name))
  return named.every(([name, values]) => name === 'h' && new Set(values as number[]).size === 24)
}

/** later takes and gives UTC; a wall clock is handed to it as if it were UTC. */
function nextOfText(schedule: LaterSchedule, wall: number): number | null {
  // Inside a matching period the first result is the asked time itself, hence two.
  const found = schedule.next(2, new Date(Math.floor(wall / 1000) * 1000))
  if (found === 0) return null
  for (const date of Array.isArray(found) ? found : [found]) {
    if (date.getTime() > wall) return date.getTime()
  }
  return null
}

/** Texts with a plain meaning that later misreads. */
function translate(text: string): { understood: string; warning: string | null } {
  const past = /^at (\d{1,2}) minutes? past every hour$/.exec(text)
  if (past) return { understood: `on the ${past[1]}th minute`, warning: null }
  const bare = /\bevery (second|minute|hour|day|week|month|year)s?\b/
  const match = bare.exec(text)
  if (!match) return { understood: text, warning: null }
  const clear = text.replace(bare, `every 1 ${match[1]}`)
  return { understood: clear, warning: `the number is missing; read as "${clear}" (Butler 16 fires at other times)` }
}

/** Largest number of a unit within the next larger one, the unit's names, and its length in seconds. */
const LIMITS: readonly { names: RegExp; max: number; seconds: number; really: string }[] = [
  { names: /^(s|secs?|seconds?)$/, max: 60, seconds: 1, really: 'every full minute' },
  { names: /^(m|mins?|minutes?)$/, max: 60, seconds: 60, really: 'every full hour' },
  { names: /^(h|hours?)$/, max: 24, seconds: 3600, really: 'daily at 00:00' },
  { names: /^days?$/, max: 31, seconds: 86_400, really: 'on the first day of each month' },
  { names: /^weeks?$/, max: 53, seconds: 7 * 86_400, really: 'in the first week of each year' },
]

function tooLong(text: string): string | null {
  for (const match of text.matchAll(/\bevery (\d+) ([a-z]+)/g)) {
    const limit = LIMITS.find(({ names }) => names.test(match[2]!))
    const count = Number(match[1])
    if (!limit || count <= limit.max) continue
    const interval = isoOf(count * limit.seconds)
    return `"${match[0]}" really fires ${limit.really}; write ${interval} for a true interval`
  }
  return null
}

function isoOf(seconds: number): string {
  if (seconds % 86_400 === 0) return `P${seconds / 86_400}D`
  if (seconds % 3600 === 0) return `PT${seconds / 3600}H`
  return seconds % 60 === 0 ? `PT${seconds / 60}M` : `PT${seconds}S`
}
