/** Rules in words: `a task of stream Finance fails or is aborted, during night`. */
import { EVENT_OUTCOMES, type EVENT_TYPES, TASK_TYPES } from '../../../events/kinds.ts'
import type { PageContext } from '../../page.ts'
import { isMembers, type Members } from '../../schema-form/fields.ts'
import { EDITOR_PATH } from '../../setting-kinds.ts'
import { listed } from '../../ui/setting-words.ts'

const SUBJECTS: Readonly<Record<(typeof EVENT_TYPES)[number], string>> = {
  reload: 'a reload task',
  externalProgram: 'an external program',
  userSync: 'a user sync',
  distribute: 'a distribution',
  preload: 'a preload',
  cloudReload: 'a reload in Qlik Cloud',
  appReload: 'a reload of an app without a task',
  service: 'a Windows service',
  license: 'a license',
  self: 'Footman itself',
}

const VERBS: Readonly<Record<(typeof EVENT_OUTCOMES)[number], string>> = {
  failed: 'fails',
  aborted: 'is aborted',
  success: 'succeeds',
  late: 'is late',
  stuck: 'is stuck',
  neverStarted: 'never starts',
  stopped: 'stops',
  started: 'starts',
  unreachable: 'cannot be reached',
  status: 'reports its state',
  expiring: 'is about to expire',
  expired: 'has expired',
  raised: 'has a problem',
  cleared: 'is well again',
}

/** Phrases of the members of a match, in the order of the sentence; `subject`: they stand before the verb. */
const PHRASES: readonly (readonly [member: string, phrase: (text: string) => string, subject?: true])[] = [
  ['task', (text) => `named ${text}`, true],
  ['taskId', (text) => `with the id ${text}`, true],
  ['service', (text) => `named ${text}`, true],
  ['app', (text) => `of app ${text}`, true],
  ['appId', (text) => `of the app with the id ${text}`, true],
  ['stream', (text) => (text === 'none' ? 'of no stream' : `of stream ${text}`), true],
  ['taskTag', (text) => `with tag ${text}`, true],
  ['appTag', (text) => `of an app with tag ${text}`, true],
  ['taskProperty', (text) => `with ${text}`, true],
  ['appProperty', (text) => `of an app with ${text}`, true],
  ['owner', (text) => `of an app owned by ${text}`, true],
  ['code', (text) => `(${text})`, true],
  ['severity', (text) => `of severity ${text}`, true],
  ['host', (text) => `on node ${text}`],
  ['user', (text) => `run by ${text}`],
  ['source', (text) => `as known from ${text}`],
  ['message', (text) => `with "${text}" in its log`],
  ['consecutiveFailures', (text) => `${comparedText(text)} times in a row`],
  ['duration', (text) => `after running ${comparedText(text)}`],
  ['sinceSuccess', (text) => `${comparedText(text)} after its last success`],
  ['during', (text) => `during ${text}`],
]

const COMPARISONS: Readonly<Record<string, (value: string) => string>> = {
  '>=': (value) => `${value} or more`,
  '>': (value) => `more than ${value}`,
  '<=': (value) => `at most ${value}`,
  '<': (value) => `less than ${value}`,
  '=': (value) => value,
}

function comparedText(text: string): string {
  const [, operator = '', value = ''] = /^(>=|<=|>|<|=)(.+)$/.exec(text) ?? []
  return COMPARISONS[operator]?.(value.trim()) ?? text
}

const either = (texts: readonly string[]): string =>
  texts.length < 2 ? (texts[0] ?? '') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`

/** A value of a match: one or several, or custom properties with theirs. A window that stands in its place has no name. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return either(value.map(textOf))
  if (!isMembers(value)) return value === '' ? 'none' : String(value)
  const pairs = Object.entries(value).map(([name, one]) => `${name} = ${textOf(one)}`)
  return either(pairs)
}

/** Phrases of a match about its task or event: `named Sales* of stream Finance`. */
export const subjectText = (match: Members): string => phrasesOf(match, true).join(' ')

const phrasesOf = (match: Members, wanted: boolean): string[] =>
  PHRASES.filter(([member, , isSubject = false]) => match[member] !== undefined && isSubject === wanted).map(
    ([member, phrase]) => phrase(textOf(match[member])),
  )

/** Conditions of a match in words. `usual`: what happens where no outcome is given; '' = anything. */
function matchText(match: Members, usual: string): string {
  const { type, outcome, manual, ...others } = match
  const types = listed(type)
  const outcomes = listed(outcome).flatMap((one) => (one === '*' ? EVENT_OUTCOMES : one))
  const given = PHRASES.filter(([member]) => others[member] !== undefined)
  const isTask = types.length === 0 && given.some(([member]) => TASK_MEMBERS.includes(member))
  const subject =
    types.length > 0
      ? either(types.map((one) => SUBJECTS[one as keyof typeof SUBJECTS] ?? one))
      : isTask
        ? 'a task'
        : ''
  const verb =
    outcomes.length === 0
      ? usual
      : outcomes.length === EVENT_OUTCOMES.length
        ? 'does anything'
        : either(outcomes.map((one) => VERBS[one as keyof typeof VERBS] ?? one))
  // An exception such as `during night` has the subject of the rule.
  const isBare = usual === '' && outcomes.length === 0 && Object.keys(others).length > 0
  const who = [
    subject || (isBare ? '' : outcomes.some((one) => TASK_OUTCOMES.includes(one)) ? 'a task' : 'anything'),
    ...phrasesOf(others, true),
  ]
  const how = [
    ...phrasesOf(others, false),
    ...(manual === true ? ['when reloaded by hand'] : manual === false ? ['unless reloaded by hand'] : []),
  ]
  const isGiven = (text: string) => text !== ''
  return [[...who, verb].filter(isGiven).join(' '), ...how].filter(isGiven).join(', ')
}

const TASK_MEMBERS: readonly string[] = ['task', 'taskId', 'app', 'appId', 'stream', 'taskTag', 'taskProperty']
const TASK_OUTCOMES: readonly string[] = ['failed', 'aborted', 'late', 'stuck', 'neverStarted']

const USUAL = 'needs attention'

/** The events that a rule is for: `When a task of stream Finance fails; except: a task named Test`. */
export function ruleText({ match, except }: { readonly match?: unknown; readonly except?: unknown }): string {
  const conditions = (value: unknown, usual: string) =>
    [value ?? []]
      .flat()
      .filter(isMembers)
      .map((one) => matchText(one, usual))
  const [wanted, unwanted] = [conditions(match, USUAL), conditions(except, '')]
  const when = wanted.length === 0 ? [matchText({}, USUAL)] : wanted
  return `When ${when.join(', or ')}${unwanted.length > 0 ? `; except: ${unwanted.join(', or ')}` : ''}`
}

/** The event, or the task, that a rule is made for. */
export interface LikeThis {
  readonly type: string
  readonly outcome?: string | null
  readonly taskName?: string | null
  readonly appName?: string | null
  readonly host?: string | null
}

/** The address of a new rule for events like one, or about a task. Names are no globs. */
export function ruleLike(
  context: Pick<PageContext, 'link'>,
  { type, outcome, taskName, appName, host }: LikeThis,
): string {
  const literal = (text: string) => text.replaceAll('*', '?')
  const outcomes = outcome ? [outcome] : ['failed', 'aborted']
  const isTask = (TASK_TYPES as readonly string[]).includes(type)
  const what = taskName
    ? { task: [literal(taskName)] }
    : appName
      ? { app: [literal(appName)] }
      : host
        ? { host: [literal(host)] }
        : {}
  const match = { ...(!isTask && { type: [type] }), outcome: outcomes, ...what }
  const name = [taskName ?? appName ?? type, ...outcomes].join(' ')
  return context.link(EDITOR_PATH, { kind: 'rule', wanted: name, value: JSON.stringify({ match: [match] }) })
}
