/** Alert routes as a configuration has them, with destinations that only remember, on a clock that the test moves. */
import { alertRoutes, butlerRoutes, maintenance as maintenanceSection } from '../../src/alerts/config-routes.ts'
import { createDecisionRecorder, decisionMigrations } from '../../src/alerts/history/decisions.ts'
import { createMaintenance, createSummaries, summaryRule } from '../../src/alerts/maintenance.ts'
import { outboxMigrations } from '../../src/alerts/outbox/migrations.ts'
import { createOutbox, type DeliveryChange } from '../../src/alerts/outbox/outbox.ts'
import { createRouter } from '../../src/alerts/router.ts'
import type { Chains } from '../../src/alerts/rules/chains.ts'
import { adjustButlerRules, asideRule, compileRule } from '../../src/alerts/rules/compile.ts'
import { explainEvent, type ListedRule } from '../../src/alerts/rules/explain.ts'
import { createFallbacks } from '../../src/alerts/rules/fallback.ts'
import { alertRuleMigrations } from '../../src/alerts/rules/migrations.ts'
import { createSnoozes } from '../../src/alerts/snoozes.ts'
import type { DeliveryResult, Hold, RenderInput, Rule, TargetedDestination } from '../../src/alerts/types.ts'
import { NOTHING_AWAITED } from '../../src/events/event-router.ts'
import { eventMigrations } from '../../src/events/migrations.ts'
import { insertEvent, loadTaskEvent } from '../../src/events/store.ts'
import type { Need, TaskEvent } from '../../src/events/types.ts'
import { type CalendarDefinition, createCalendars, createWindows, type Window } from '../../src/platform/calendar.ts'
import { createGroupWriter } from '../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../src/platform/sqlite.ts'
import type { QrsExecutionResult } from '../../src/qlik/qrs/types.ts'
import { historyMigrations } from '../../src/tasks/executions/store.ts'
import { taskEvent } from './events.ts'
import { executionResult } from './fake-qrs.ts'
import { recordingLog } from './recording-log.ts'
import { until } from './wait.ts'

export interface RoutesSetup {
  /** The content of `Butler.footman.alertRoutes`. */
  readonly routes?: readonly object[]
  readonly butler?: { readonly routes: readonly Rule[]; readonly settings?: object }
  readonly maintenance?: readonly object[]
  /** Types of the destinations; their target defaults to their name. */
  readonly destinations?: Readonly<Record<string, string>>
  /** Needs of the messages of a destination; default the app. */
  readonly needs?: Readonly<Record<string, readonly Need[]>>
  readonly targets?: (name: string, event: TaskEvent) => readonly string[]
  readonly windows?: Readonly<Record<string, Window>>
  readonly calendars?: Readonly<Record<string, CalendarDefinition>>
  readonly chains?: Chains
  readonly holds?: readonly Hold[]
  readonly deliver?: (destination: string) => DeliveryResult
  readonly start?: string
  readonly file?: string
  readonly maxAgeMs?: number
}

export interface Sent {
  readonly destination: string
  readonly target: string
  readonly kind: RenderInput['kind']
  readonly event: string
  readonly suppressed: number
  readonly note: RenderInput['note']
  readonly severity: string
}

interface DeliveryRow {
  readonly route: string
  readonly destination: string
  readonly target: string
  readonly kind: string
  readonly state: string
  readonly reason: string | null
  readonly event_id: string
}

const MIGRATIONS = [
  ...eventMigrations,
  ...outboxMigrations,
  ...alertRuleMigrations,
  ...historyMigrations,
  ...decisionMigrations,
]
const open: (() => Promise<void>)[] = []

/** For `afterEach`. */
export async function closeRoutes(): Promise<void> {
  for (const close of open.splice(0)) await close()
}

export function startRoutes(setup: RoutesSetup = {}) {
  const db = openDatabase(setup.file ?? ':memory:', { migrations: MIGRATIONS })
  const writer = createGroupWriter(db)
  const log = recordingLog()
  let now = Date.parse(setup.start ?? '2026-03-02T06:00:00Z')
  const clock = { now: () => now }
  const sent: Sent[] = []
  const calendars = createCalendars({ calendars: setup.calendars ?? {} })
  const windows = createWindows({ windows: setup.windows ?? {}, calendars, timezone: 'UTC' })
  const destinations = new Map(
    Object.entries(setup.destinations ?? {}).map(([name, type]) => [name, double(name, type)] as const),
  )

  function double(name: string, type: string): TargetedDestination {
    return {
      name,
      type,
      needs: setup.needs?.[name] ?? ['app'],
      targets: (event) => (setup.targets?.(name, event) ?? [name]).map((target) => ({ target, lane: name })),
      async render({ event, target, deliveryId, suppressed, kind, note, severity, rule }) {
        const payload: Sent = { destination: name, target, kind, event: event.taskName, suppressed, note, severity }
        return { deliveryId, target, subject: rule.texts?.title ?? null, body: 'body', payload }
      },
      deliver: async (batch) =>
        batch.map(({ payload }) => {
          const result = setup.deliver?.(name) ?? { outcome: 'delivered', detail: 'ok' }
          if (result.outcome === 'delivered') sent.push(payload as Sent)
          return result
        }),
    }
  }

  const context = { windows, destination: (_route: string, name: string) => destinations.get(name) }
  const configs = alertRoutes.parse(setup.routes ?? [])
  const maintenances = maintenanceSection.parse(setup.maintenance ?? [])
  const maintenance = createMaintenance({ windows }, maintenances)
  const snoozes = createSnoozes({ windows })
  const butler = adjustButlerRules(
    setup.butler?.routes ?? [],
    butlerRoutes.parse(setup.butler?.settings ?? {}),
    (name) => destinations.get(name),
  )
  const summaryRoutes = maintenances.flatMap(({ name, summaryTo }) =>
    summaryTo.flatMap((to) => {
      const destination = destinations.get(to)
      return destination ? [asideRule(summaryRule(name), destination)] : []
    }),
  )
  const routes = [...butler, ...configs.flatMap((config) => compileRule(config, context)), ...summaryRoutes]
  const onDeliveries = (lanes: ReadonlySet<string>) => outbox.wake(lanes)
  const changes: DeliveryChange[] = []
  const router = createRouter(
    {
      clock,
      log,
      onDeliveries,
      observe: (change) => void changes.push(change),
      holds: () => [maintenance, snoozes, ...(setup.holds ?? [])],
      ...(setup.chains && { chains: setup.chains }),
      onDecided: (tx, event, decided) => decisions.record(tx, event, decided),
    },
    routes,
  )
  const loadEvent = (id: string) => loadTaskEvent(db, id)
  const outbox = createOutbox(
    {
      db,
      writer,
      log,
      clock,
      rule: router.rule,
      loadEvent,
      destinations,
      observe(change) {
        changes.push(change)
        if (change.state === 'dead' && change.event) fallbacks.onDead(change.event.id)
      },
    },
    {
      concurrency: 4,
      retry: { firstMs: 10, maxMs: 100, jitter: 0 },
      shadow: false,
      maxAgeMs: () => setup.maxAgeMs ?? 86_400_000,
    },
  )
  const fallbacks = createFallbacks({ db, writer, clock, log, loadEvent, rule: router.rule, onDeliveries })
  const summaries = createSummaries(
    {
      db,
      writer,
      clock,
      log,
      maintenance,
      loadEvent,
      onDeliveries,
      routes: (name) => routes.filter((route) => route.name === summaryRule(name)),
    },
    () => maintenances.filter(({ summaryTo }) => summaryTo.length > 0).map(({ name }) => name),
  )
  const listed: ListedRule[] = [
    ...butler.map(
      ({ name, destination }): ListedRule => ({ name, origin: 'butler', enable: true, to: [destination], off: null }),
    ),
    ...configs.map(
      ({ name, enable, to }): ListedRule => ({
        name,
        origin: 'footman',
        enable,
        to: to.map(({ destination }) => destination),
        off: enable ? null : 'enable is false',
      }),
    ),
  ]

  const decisions = createDecisionRecorder({ clock }, { config: setup, routes: listed })

  const rows = () =>
    db.all<DeliveryRow>('SELECT route, destination, target, kind, state, reason, event_id FROM delivery ORDER BY seq')
  let ended = false
  const close = async () => {
    if (ended) return
    ended = true
    await fallbacks.stop(50)
    await outbox.stop(50)
    db.close()
  }
  open.push(close)

  return {
    db,
    writer,
    router,
    decisions,
    outbox,
    fallbacks,
    summaries,
    maintenance,
    log,
    sent,
    rows,
    routes,
    windows,
    changes,
    close,
    clock,
    listed,
    destinations,
    storeEvent: store,
    /** Another configuration of routes is in use from now on. */
    follow(changed: readonly object[]) {
      const entries = alertRoutes.parse(changed)
      router.follow(entries.flatMap((config) => compileRule(config, context)))
      const known = entries.map(({ name }) => ({ name, origin: 'footman' as const, off: null }))
      decisions.follow({ config: changed, routes: known })
    },
    move: (ms: number) => {
      now += ms
    },
    at: (time: string) => {
      now = Date.parse(time)
    },
    /** Routes an event as the pipeline does; `steps` = what was not known yet in steps before the last one. */
    async fire(changes: Partial<TaskEvent> = {}, steps: readonly (readonly Need[])[] = []): Promise<TaskEvent> {
      const event = taskEvent({
        receivedAt: now,
        ...(changes.outcome === 'success' && { execution: successAt(now) }),
        ...changes,
      })
      await writer.write((tx) => {
        store(tx, event)
        router.handle(tx, event, 'everything')
      })
      for (const open of steps) {
        await writer.write((tx) => router.handle(tx, knownWithout(event, open), new Set(open)))
      }
      await writer.write((tx) => router.handle(tx, event, NOTHING_AWAITED))
      router.wake()
      return event
    },
    explain: (event: TaskEvent, time = event.receivedAt) =>
      explainEvent({ db, router, listed, storeEvent: store }, event, time),
    /** Resolves when nothing waits any more. */
    settled: () =>
      until(() => rows().every(({ state }) => state !== 'pending' && state !== 'sending'), { state: rows }),
  }
}

/** A success that Qlik Sense confirms. */
export function successAt(at: number): QrsExecutionResult {
  return executionResult({ status: 7, stopTime: new Date(at).toISOString() })
}

function knownWithout(event: TaskEvent, open: readonly Need[]): TaskEvent {
  const missingParts = event.missingParts.filter((part) => !open.some((need) => need === part))
  return { ...event, ...Object.fromEntries(open.map((part) => [part, null])), missingParts }
}

function store(db: Database, event: TaskEvent): void {
  insertEvent(db, {
    ...event,
    journalId: null,
    sender: '',
    typeKnown: true,
    announced: event.outcome,
    deadlineAt: event.receivedAt,
    message: event,
    nameTokens: null,
  })
  db.run(`UPDATE event SET state = 'routed' WHERE id = ?`, event.id)
}
