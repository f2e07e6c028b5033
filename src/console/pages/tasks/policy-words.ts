/** A policy of tasks in one sentence, from its value as it stands in the configuration. */
import { parseDuration } from '../../../platform/duration.ts'
import { parseRetryPolicy } from '../../../tasks/safety-net/config-policies.ts'
import type { Names } from '../../names.ts'
import { listed, membersOf, weekdaysText } from '../../ui/setting-words.ts'
import { counted, durationText } from '../../ui/text.tsx'

/** `Tasks of stream Finance: retry 3 times, every 5 min; stuck after 2 h; due by 07:30`. */
export function policyText(value: unknown, names: Names = new Map()): string {
  const { match, retry, watch } = membersOf(value)
  const parts = [...(typeof retry === 'string' ? [retryText(retry)] : []), ...watchTexts(membersOf(watch))]
  return `${tasksText(match, names)}: ${parts.length === 0 ? 'as the site' : parts.join('; ')}`
}

const WORDS: Readonly<Record<string, string>> = {
  task: 'named',
  taskId: 'named',
  app: 'of app',
  appId: 'of app',
  stream: 'of stream',
  taskTag: 'with tag',
  type: 'of type',
}

function tasksText(match: unknown, names: Names): string {
  const matches = [match ?? []].flat().map(membersOf)
  const texts = matches.map((one) => Object.entries(one).map(([field, value]) => conditionText(field, value, names)))
  const some = texts.filter((conditions) => conditions.length > 0)
  if (some.length < Math.max(1, texts.length)) return 'All tasks'
  return `Tasks ${some.map((conditions) => conditions.join(', ')).join(', or ')}`
}

function conditionText(field: string, value: unknown, names: Names): string {
  if (field === 'taskProperty') {
    const properties = Object.entries(membersOf(value)).map(
      ([name, values]) => `${name} ${listed(values).join(' or ')}`,
    )
    return `with ${properties.join(' and ')}`
  }
  const texts = listed(value).map((one) => names.get(one.toLowerCase())?.name ?? (one === '' ? 'none' : one))
  return `${WORDS[field] ?? field} ${texts.join(' or ')}`
}

function retryText(text: string): string {
  const parsed = parseRetryPolicy(text)
  if (!parsed.ok) return `retry ${text}`
  if (parsed.policy === null) return 'no retry'
  const { max, delayMs, factor, condition } = parsed.policy
  const delay = lengthText(delayMs)
  const times = max === 1 ? `after ${delay}` : factor === 1 ? `every ${delay}` : `first after ${delay}`
  const longer = max > 1 && factor !== 1 ? `, each time ${factor} times as long` : ''
  return `retry ${counted(max, 'time')}, ${times}${longer}${condition === null ? '' : `, if the error has "${condition}"`}`
}

/** `2 h`, without empty rests. */
const lengthText = (ms: number): string => durationText(ms, true).replace(/ 00? (?:min|h)$/, '')

/** `Mon–Fri 07:30`. */
const dueText = (text: string): string => text.replaceAll(/[a-z]{3}(?:-[a-z]{3})?/gi, (days) => weekdaysText(days))

function watchTexts({ late, stuck, neverStarted, dueBy }: Readonly<Record<string, unknown>>): string[] {
  const limit = (value: unknown, what: string, where: string) => {
    if (value === undefined) return []
    const parsed = parseDuration(String(value))
    return [parsed.ok ? `${what} after ${lengthText(parsed.value)}${where}` : `${what}: not watched`]
  }
  const due = listed(dueBy)
  return [
    ...limit(late, 'late', ' in the queue'),
    ...limit(stuck, 'stuck', ''),
    ...limit(neverStarted, 'missed', ' without a start'),
    ...(due.length > 0 ? [`due by ${due.map(dueText).join(' and ')}`] : []),
  ]
}
