/** A policy of tasks in one sentence, from its value as it stands in the configuration. */
import { parseDuration } from '../../../platform/duration.ts'
import { parseRetryPolicy } from '../../../tasks/safety-net/config-policies.ts'
import type { Names } from '../../names.ts'
import type { Members } from '../../schema-form/fields.ts'
import { listed, membersOf, weekdaysText } from '../../ui/setting-words.ts'
import { counted, durationText } from '../../ui/text.tsx'
import { subjectText } from '../delivery/rule-words.ts'

/** `Tasks of stream Finance: retry 3 times, every 5 min; stuck after 2 h; due by 07:30`. */
export function policyText(value: unknown, names: Names = new Map()): string {
  const { match, retry, watch } = membersOf(value)
  const parts = [...(typeof retry === 'string' ? [retryText(retry)] : []), ...watchTexts(membersOf(watch))]
  return `${tasksText(match, names)}: ${parts.length === 0 ? 'as the site' : parts.join('; ')}`
}

function tasksText(match: unknown, names: Names): string {
  const texts = [match ?? []].flat().map((one) => conditionsText(membersOf(one), names))
  if (texts.length === 0 || texts.includes('')) return 'All tasks'
  return `Tasks ${texts.join(', or ')}`
}

/** Ids stand by their names, where all of them are known. */
function conditionsText({ type, taskId, appId, ...others }: Members, names: Names): string {
  const named = (ids: unknown, member: string) => {
    if (ids === undefined) return {}
    const found = listed(ids).map((id) => names.get(id.toLowerCase())?.name)
    return found.includes(undefined) || member in others ? { [`${member}Id`]: ids } : { [member]: found }
  }
  const words = subjectText({ ...named(taskId, 'task'), ...named(appId, 'app'), ...others })
  return [type === undefined ? '' : `of type ${listed(type).join(' or ')}`, words].filter(Boolean).join(' ')
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
