/** The faults, by the room they are made in. */

export interface Mutation {
  readonly what: string
  readonly file: string
  /** Stands in the file once. */
  readonly from: string
  readonly to: string
  /** Files of which one has to fail. */
  readonly tests: readonly string[]
}

type Fault = readonly [what: string, from: string, to: string]

const inFile = (file: string, tests: readonly string[], faults: readonly Fault[]): readonly Mutation[] =>
  faults.map(([what, from, to]) => ({ what, file, from, to, tests }))

const CLUSTER = ['test/unit/cluster']
const OUTBOX = [
  'test/integration/alerts/outbox.test.ts',
  'test/integration/alerts/outbox-breaker.test.ts',
  'test/integration/alerts/outbox-interleavings.test.ts',
]
const ROUTER = ['test/unit/alerts/rules', 'test/integration/alerts/rules', 'test/integration/alerts/decisions.test.ts']
const SCHEDULER = ['test/unit/tasks/schedule']
const RUNNER = [
  'test/unit/reports/runs',
  'test/integration/reports/runs.test.ts',
  'test/integration/reports/run-ends.test.ts',
  'test/integration/reports/trials.test.ts',
  'test/integration/reports/triggers.test.ts',
  'test/integration/reports/storage-trouble.test.ts',
]

export const MUTATIONS: readonly Mutation[] = [
  ...inFile('src/cluster/part.ts', CLUSTER, [
    ['a lost lease is not noticed at a renewal', 'return seen.isHeld ? turn(state)', 'return true ? turn(state)'],
    ['other nodes are not waited for', "step.step === 'lead' && awaited === 0 ?", "step.step === 'lead' ?"],
    ['the app is built on a full disk', 'isStopping || !canWrite ?', 'isStopping ?'],
    ['the lease is kept when the node goes alone', "facts, said, { do: 'drop' })\n}\n\n/**", 'facts, said)\n}\n\n/**'],
    [
      'a node stays alone when the database answers',
      "if (state.part === 'alone') return comeBack",
      'if (false) return comeBack',
    ],
    ['the lease is kept after the hand-over', "return turn(left, { do: 'release' })", 'return turn(left)'],
    [
      'an outage is never over',
      '{ ...state, outage: null, answeredAt: facts.now }',
      '{ ...state, answeredAt: facts.now }',
    ],
    [
      'a node follows before it has caught up',
      "state.mode === 'joining' && seen.isCaughtUp &&",
      "state.mode === 'joining' &&",
    ],
    [
      'a frozen process draws conclusions at once',
      'answeredAt: wasHalted ? now : state.answeredAt',
      'answeredAt: state.answeredAt',
    ],
    ['a satellite takes the lead', "rules.candidate && state.mode === 'follower'", "state.mode === 'follower'"],
  ]),
  ...inFile('src/cluster/fitness.ts', CLUSTER, [
    [
      'a full disk is borne for ever',
      "if (need === 'disk') return leave",
      "if (need === 'disk') return { step: 'lead' }",
    ],
  ]),
  ...inFile('src/alerts/outbox/outbox.ts', OUTBOX, [
    [
      'what runs is begun again',
      '[...heads, ...free].filter((delivery) => !running.has(delivery.seq))',
      '[...heads, ...free]',
    ],
    ['the breaker never opens', 'return failures >= OPENS_AFTER\n', 'return false\n'],
    ['the breaker never closes', '    answered() {\n      failures = 0', '    answered() {\n      failures += 0'],
    [
      'cancelled deliveries leave',
      'if (next && isOpenDelivery(deps.db, next.seq)) return next',
      'if (next) return next',
    ],
    ['a lane is not limited', 'breaker.isOpen ? 1 : concurrency', 'breaker.isOpen ? 1 : 1000'],
    ['what was open at the start stays', 'for (const name of openLanes(db)) laneOf(name).wake()\n', '\n'],
    ['lanes that wait are not pulled forward', 'if (failures < DOWN_AFTER) return', 'return'],
    ['what is sent is not looked for again', 'if (!isSent) mustLook = true', ''],
  ]),
  ...inFile('src/alerts/rules/evaluate.ts', ROUTER, [
    ['stop does not stop', '      if (group.stop) return { matched, stoppedBy: group.name, isOpen }\n', ''],
    ['a failing rule costs the others', 'if (isStorageFailure(error)) throw error', 'throw error'],
    ['an awaited condition does not hold up those behind it', 'if (group.stop) break', ''],
  ]),
  ...inFile('src/alerts/rules/holds.ts', ROUTER, [
    ['limits are taken for tests', '!test && limit', 'limit'],
    ['holds are not asked', 'if (found) return suppressed(found)', ''],
  ]),
  ...inFile('src/alerts/router.ts', ROUTER, [
    ['recoveries go without confirmation', 'if (!isSample && !isConfirmed(event)) {', 'if (false) {'],
    ['what is made is counted again', '      if (!isNew) return null\n      deps.onRouted', '      deps.onRouted'],
    ['groups of chains stay open', "if (event.outcome === 'success') closeGroups(db, event.taskId, now)", ''],
    ['fallbacks are not watched', 'if (policy.fallback.length > 0) watchFallback', 'if (false) watchFallback'],
  ]),
  ...inFile('src/tasks/schedule/scheduler.ts', SCHEDULER, [
    ['stopped schedules fire', 'if (running && plan && fires) timer.set', 'if (plan && fires) timer.set'],
    ['schedules that are gone fire', 'for (const id of gone) timer.remove(id)', ''],
    ['firings that were missed are forgotten', 'if (!isFresh.has(schedule)) makeUp', 'if (false) makeUp'],
    ['the next run is an excluded one', 'return at === null || !plan?.excluded(at) ? at', 'return true ? at'],
  ]),
  ...inFile('src/tasks/schedule/firing-timer.ts', SCHEDULER, [
    ['late firings run', 'const inTime = now - missed.last < graceMs', 'const inTime = true'],
    [
      'an old plan fires',
      'const nextAt = plan.next(after)\n      entries.set(schedule.id, { schedule, plan, nextAt })',
      'const nextAt = plan.next(after)\n      if (!entries.has(schedule.id)) entries.set(schedule.id, { schedule, plan, nextAt })',
    ],
    ['firings that are late are not made up', 'if (isLate) queueMicrotask', 'if (false) queueMicrotask'],
  ]),
  ...inFile('src/tasks/schedule/changes.ts', SCHEDULER, [
    ['a changed schedule stops', 'if (old?.plan) mark(id, old.running)\n', ''],
  ]),
  ...inFile('src/reports/runs/run-rules.ts', RUNNER, [
    ['two runs of a task at once', ' || held.has(run.taskId)) continue', ') continue'],
    ['more runs at once than allowed', 'if (working + chosen.length >= concurrentRuns) break', ''],
    [
      'test runs keep the state of conditions',
      'if (run.test || run.options.dryRun || !run.sealed) return {}',
      'if (!run.sealed) return {}',
    ],
    ['a late schedule runs', "if (!isLate(run, definition, now)) return 'wait'", "if (true) return 'wait'"],
    ['unknown mails are sent again', "return onUnknown === 'hold' ? 'unknown' : 'planned'", "return 'planned'"],
  ]),
  ...inFile('src/reports/runs/making.ts', RUNNER, [
    ['a run is made for ever', 'if (run.attempt >= MAX_ATTEMPTS) return', 'if (false) return'],
    [
      'a test address is not checked',
      'requireTestAddress(run, definition.task)\n    const how = { render: true',
      'const how = { render: true',
    ],
  ]),
  ...inFile('src/reports/runs/runner.ts', RUNNER, [
    ['a storage in trouble keeps the task busy', 'holdsTask: files.length < open.length }', 'holdsTask: true }'],
    ['a run that waits keeps its place', 'isWaiting: true, holdsTask', 'isWaiting: false, holdsTask'],
  ]),
  ...inFile('src/reports/runs/delivery-rules.ts', RUNNER, [
    [
      'an old file replaces a newer one',
      'if (mayBeOvertaken(delivery, facts) && facts.hasLaterFile()) {',
      'if (false) {',
    ],
    ['a cancelled run delivers', 'if (facts.isCancelled) {', 'if (false) {'],
    ['attempts go on for ever', 'if (rule.most !== null && attempts >= rule.most) {', 'if (false) {'],
    ['a channel that is away is asked by every delivery', 'Math.max(nextAt ?? 0, downUntil)', 'nextAt ?? 0'],
  ]),
  ...inFile('src/reports/runs/variants.ts', RUNNER, [
    ['people with filters get the plain document', 'filterIds.length === 0 && !user ?', '!user ?'],
    ['people of other Qlik users share a document', 'const user = asRecipient ? qlikUser : null', 'const user = null'],
  ]),
]
