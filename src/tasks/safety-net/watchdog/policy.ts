/** The custom property of a task that says what counts as late, stuck or never started: `late=30m; stuck=2h`. */
import { parseDuration } from '../../../platform/duration.ts'

const NAMES = ['late', 'stuck', 'neverStarted'] as const
export type WatchName = (typeof NAMES)[number]

/** Fixed limits in milliseconds; `off` = never; absent = as learnt. */
export type WatchPolicy = Readonly<Partial<Record<WatchName, number | 'off'>>>

export type ParsedPolicy =
  | { readonly ok: true; readonly policy: WatchPolicy }
  | { readonly ok: false; readonly error: string }

const MINUTE_MS = 60_000
const MONTH_MS = 30 * 86_400_000
const ALL_OFF: WatchPolicy = { late: 'off', stuck: 'off', neverStarted: 'off' }

/** Limits go from 1m to 30d. */
export function parseWatchPolicy(text: string): ParsedPolicy {
  if (/^\s*off\s*$/i.test(text)) return { ok: true, policy: ALL_OFF }
  const policy: Partial<Record<WatchName, number | 'off'>> = {}
  for (const part of text.split(';').filter((one) => one.trim() !== '')) {
    const [, word = '', value = ''] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(part) ?? []
    const name = NAMES.find((one) => one.toLowerCase() === word.toLowerCase())
    if (!name) return { ok: false, error: `"${part.trim()}" is none of late=..., stuck=..., neverStarted=...` }
    const limit = limitOf(value)
    if (limit === null) return { ok: false, error: `"${value}" is neither off nor a time from 1m to 30d` }
    policy[name] = limit
  }
  return { ok: true, policy }
}

function limitOf(value: string): number | 'off' | null {
  if (value.toLowerCase() === 'off') return 'off'
  const duration = parseDuration(value)
  return duration.ok && duration.value >= MINUTE_MS && duration.value <= MONTH_MS ? duration.value : null
}
