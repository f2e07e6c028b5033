/** Which rules an event matches: what each rule contributes, what stops the evaluation, and what a part that is not known yet changes. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type EvaluationSettings, evaluate } from '../../../../src/alerts/rules/evaluate.ts'
import { createRuleTable } from '../../../../src/alerts/rules/table.ts'
import type { Rule } from '../../../../src/alerts/types.ts'
import { type Awaited, NOTHING_AWAITED } from '../../../../src/events/event-router.ts'
import type { Need } from '../../../../src/events/types.ts'
import { taskEvent } from '../../../support/events.ts'

const event = taskEvent({ type: 'reload', outcome: 'failed' })
const filter = (needs: readonly Need[]): Rule['filter'] => ({
  needs,
  matches: () => true,
  explain: () => ({ matched: true, because: null, fields: [] }),
})

function rule(name: string, changes: Partial<Rule> = {}): Rule {
  return {
    name,
    destination: 'mail',
    when: { types: ['reload'], outcomes: ['failed'] },
    phase: 'enriched',
    needs: [],
    plan: () => [],
    ...changes,
  }
}

/** The matched names, `stoppedBy` and `isOpen`; a rule whose name begins with `no` does not match. */
function outcome(rules: readonly Rule[], settings: Partial<EvaluationSettings> = {}): [string, string | null, boolean] {
  const { groups } = createRuleTable(rules)
  const found = evaluate(groups, event, { awaited: NOTHING_AWAITED, ...settings }, ({ name }) => !name.startsWith('no'))
  return [found.matched.map(({ name }) => name).join(), found.stoppedBy, found.isOpen]
}

const asksApp = { filter: filter(['app']) }
const app: Awaited = new Set(['app'])
const stop = { stop: true }

const ROWS: readonly (readonly [string, ReturnType<typeof outcome>, ReturnType<typeof outcome>])[] = [
  ['no rule', outcome([]), ['', null, false]],
  ['all in their order', outcome([rule('b'), rule('a')]), ['b,a', null, false]],
  ['one that does not match', outcome([rule('no'), rule('a')]), ['a', null, false]],
  ['one that stops', outcome([rule('a'), rule('b', stop), rule('c')]), ['a,b', 'b', false]],
  ['one that would stop and does not match', outcome([rule('no', stop), rule('a')]), ['a', null, false]],
  [
    'one about other events that would stop',
    outcome([rule('a', { ...stop, when: { types: ['reload'], outcomes: ['success'] } }), rule('b')]),
    ['b', null, false],
  ],
  [
    'only those of a phase',
    outcome([rule('a', { phase: 'arrival', ...stop }), rule('b')], { phase: 'enriched' }),
    ['b', null, false],
  ],
  ['a part that is awaited', outcome([rule('a', asksApp), rule('b')], { awaited: app }), ['b', null, true]],
  [
    'an awaited part that decides about those behind',
    outcome([rule('a'), rule('b', { ...asksApp, ...stop }), rule('c')], { awaited: app }),
    ['a', null, true],
  ],
  [
    'an awaited part behind one that stops',
    outcome([rule('a', stop), rule('b', asksApp)], { awaited: app }),
    ['a', 'a', false],
  ],
  ['another part that is awaited', outcome([rule('a', asksApp)], { awaited: new Set(['owner']) }), ['a', null, false]],
  [
    'at arrival nothing is known that a condition asks about',
    outcome([rule('a', asksApp), rule('b')], { awaited: 'everything' }),
    ['b', null, true],
  ],
]

test.each(ROWS)('%s', (_, found, expected) => {
  expect(found).toEqual(expected)
})

test('no rule matches while a part is awaited that would not match when it is known', () => {
  const some = fc.record({
    isMatching: fc.boolean(),
    asksApp: fc.boolean(),
    stops: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(some, { maxLength: 6 }), (list) => {
      const rules = list.map((one, index) =>
        rule(`${one.isMatching ? '' : 'no'}${index}`, { ...(one.asksApp ? asksApp : {}), stop: one.stops }),
      )
      const [early, stoppedEarly, isOpen] = outcome(rules, { awaited: app })
      const [late, stoppedLate] = outcome(rules)
      for (const name of early.split(',')) expect(`,${late},`).toContain(name)
      if (stoppedEarly !== null) expect(stoppedLate).toBe(stoppedEarly)
      if (!isOpen) expect(early).toBe(late)
    }),
  )
})
