/** Rules in words, and the rule that is made from an event. */
import { expect, test } from 'bun:test'
import { alertRoute } from '../../../../../src/alerts/config-routes.ts'
import { ruleLike, ruleText } from '../../../../../src/console/pages/delivery/rule-words.ts'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../../../../../src/events/kinds.ts'

test.each<[match: unknown, text: string]>([
  [undefined, 'When anything needs attention'],
  [{ outcome: 'failed' }, 'When a task fails'],
  [{ outcome: '*' }, 'When a task does anything'],
  [
    { outcome: ['failed', 'aborted'], stream: 'Finance', during: 'night' },
    'When a task of stream Finance fails or is aborted, during night',
  ],
  [{ type: ['service'], outcome: 'stopped', host: 'qs1' }, 'When a Windows service stops, on node qs1'],
  [{ type: 'self', code: ['DISK_FULL', 'KEY_ENDS'] }, 'When Footman itself (DISK_FULL or KEY_ENDS) needs attention'],
  [
    { taskProperty: { Team: ['BI', 'IT'] }, consecutiveFailures: '>=3' },
    'When a task with Team = BI or IT needs attention, 3 or more times in a row',
  ],
  [{ stream: '', outcome: 'late', manual: false }, 'When a task of no stream is late, unless reloaded by hand'],
  [
    [{ outcome: 'failed' }, { type: 'license', outcome: ['expiring', 'expired'] }],
    'When a task fails, or a license is about to expire or has expired',
  ],
])('%j', (match, text) => {
  expect(ruleText({ match })).toBe(text)
})

test('exceptions come last', () => {
  expect(ruleText({ match: { outcome: 'failed' }, except: { app: ['a', 'b', 'c'] } })).toBe(
    'When a task fails; except: a task of app a, b or c',
  )
  expect(ruleText({ match: { outcome: 'failed' }, except: { during: 'night' } })).toBe(
    'When a task fails; except: during night',
  )
})

test('every kind and outcome has words of its own', () => {
  const texts = [
    ...EVENT_TYPES.map((type) => ruleText({ match: { type } })),
    ...EVENT_OUTCOMES.map((outcome) => ruleText({ match: { type: 'service', outcome } })),
  ]
  expect(new Set(texts).size).toBe(texts.length)
  expect(texts.filter((text) => /[a-z][A-Z]/.test(text))).toEqual([])
})

test.each([
  [
    { type: 'reload', outcome: 'failed', taskName: 'Sales * hourly' },
    { outcome: ['failed'], task: ['Sales ? hourly'] },
  ],
  [
    { type: 'reload', taskName: 'A' },
    { outcome: ['failed', 'aborted'], task: ['A'] },
  ],
  [
    { type: 'service', outcome: 'stopped', host: 'qs1' },
    { type: ['service'], outcome: ['stopped'], host: ['qs1'] },
  ],
  [
    { type: 'appReload', outcome: 'failed', appName: 'Sales' },
    { type: ['appReload'], outcome: ['failed'], app: ['Sales'] },
  ],
])('a rule like %j', (event, match) => {
  let query: Readonly<Record<string, unknown>> = {}
  const link = (_: string, given: Readonly<Record<string, unknown>> = {}) => {
    query = given
    return ''
  }
  ruleLike({ link }, event)
  const value = JSON.parse(String(query.value))
  expect(value).toEqual({ match: [match] })
  expect(alertRoute.safeParse({ name: 'x', to: ['y'], ...value }).success).toBeTrue()
})
