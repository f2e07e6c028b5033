/** The webhook of a schedule: one delivery through the outbox, so that it outlasts a peer that is away. */

import type { Alerts } from '../alerts/index.ts'
import { insertDelivery } from '../alerts/outbox/store.ts'
import { createTemplateEngine } from '../alerts/templates/engine.ts'
import type { Destination, PlannedDelivery, TargetedDestination } from '../alerts/types.ts'
import type { ConfigPaths } from '../config/paths.ts'
import { createEventEmitter } from '../events/emit.ts'
import { loadTaskEvent } from '../events/store.ts'
import type { TaskEvent } from '../events/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { ActionContext, Perform } from '../tasks/schedule/runner.ts'
import type { WebhookAction } from '../tasks/schedule/types.ts'
import type { Config } from './schema.ts'

export interface ScheduleWebhookDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly alerts: Pick<Alerts, 'router' | 'outbox' | 'destinations'>
  readonly paths: Pick<ConfigPaths, 'candidates'>
  /** The configuration in use. */
  readonly live: () => Config
}

/** The code of the events that carry webhooks of schedules. */
export const SCHEDULE_CODE = 'SCHEDULE'
/** Deliveries that no alert route has made. */
const DIRECT = ''

export interface ScheduleWebhooks {
  /** Whether a schedule may name the destination. */
  hasWebhook(name: string): boolean
  /** The run has succeeded when its delivery is on disk; its result is listed with the deliveries. */
  readonly callWebhook: Perform
}

export function createScheduleWebhooks(deps: ScheduleWebhookDeps): ScheduleWebhooks {
  const { db, writer, clock, alerts } = deps
  const engine = createTemplateEngine({ candidates: deps.paths.candidates })
  const emitter = createEventEmitter({ writer, router: alerts.router, clock, wakeEnricher: () => {} }, { waitMs: 0 })

  function bodyOf({ run, scheduleName, plan }: ActionContext): string | null {
    const { destination, body } = plan.action as WebhookAction
    if (body === '') return null
    const settings = deps.live().footman.destinations[destination]
    const isJson = settings?.type === 'webhook' && /\bjson\b/i.test(settings.contentType)
    const variables = {
      scheduleId: run.scheduleId,
      scheduleName,
      runId: run.id,
      trigger: run.trigger,
      dueAt: new Date(run.dueAt).toISOString(),
      firedAt: new Date(clock.now()).toISOString(),
    }
    const text = engine.render(
      { kind: 'inline', name: `body of schedule ${run.scheduleId}`, text: body },
      variables,
      isJson ? 'teams' : 'text',
    )
    if (isJson) JSON.parse(text)
    return text
  }

  const callWebhook: Perform = async (context) => {
    const { run, scheduleName, resumed, plan } = context
    if (resumed && isStored(db, run.id)) return { outcome: 'success' }
    const { destination: name } = plan.action as WebhookAction
    const destination = alerts.destinations.get(name)
    if (!hasTargets(destination)) return { outcome: 'failed', detail: `the destination ${name} is switched off` }
    const body = bodyOf(context)
    const lanes = new Set<string>()
    const targets: PlannedDelivery[] = []
    await emitter.emit(
      {
        source: 'self',
        type: 'self',
        outcome: 'status',
        severity: 'info',
        code: SCHEDULE_CODE,
        details: null,
        message: { logMessage: `Schedule "${scheduleName}" (${run.scheduleId}) has fired`, executionId: run.id },
      },
      (tx, eventId) => {
        const event = loadTaskEvent(tx, eventId) as TaskEvent
        for (const { target, lane } of destination.targets(event)) {
          const now = clock.now()
          targets.push({ target, lane })
          lanes.add(lane)
          insertDelivery(tx, {
            id: uuidV7(now),
            eventId,
            kind: 'alert',
            route: DIRECT,
            destination: name,
            destinationType: destination.type,
            target,
            lane,
            orderKey: null,
            limitKey: null,
            severity: 'info',
            state: 'pending',
            reason: null,
            detail: null,
            createdAt: now,
            note: body === null ? null : { body },
          })
        }
      },
    )
    alerts.outbox.wake(lanes)
    return { outcome: 'success', detail: `delivery to ${targets.map(({ target }) => target).join(', ')}` }
  }

  return { hasWebhook: (name) => hasWebhook(deps.live(), name), callWebhook }
}

/** The event of a webhook carries the id of its run. */
const isStored = (db: Database, runId: string): boolean =>
  db.get('SELECT 1 FROM event WHERE code = ? AND execution_id = ?', SCHEDULE_CODE, runId) !== undefined

/** Whether a schedule may name it. */
export const hasWebhook = ({ footman }: Config, name: string): boolean => footman.destinations[name]?.type === 'webhook'

const hasTargets = (destination: Destination | undefined): destination is TargetedDestination =>
  destination !== undefined && 'targets' in destination
