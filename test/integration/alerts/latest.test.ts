/** The last word about a service is told when the window of a rate limit that has held it back is over. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { slackRules } from '../../../src/alerts/butler-sections/chat.ts'
import { newRelicRules } from '../../../src/alerts/butler-sections/new-relic.ts'
import { webhookRules } from '../../../src/alerts/butler-sections/webhooks.ts'
import { releaseLatest } from '../../../src/alerts/outbox/release.ts'
import { createRouter } from '../../../src/alerts/router.ts'
import { sampleEvent } from '../../../src/alerts/sample-event.ts'
import { butler } from '../../../src/app/schema.ts'
import { createEventEmitter, type EventEmitter } from '../../../src/events/emit.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import type { Database } from '../../../src/platform/sqlite.ts'
import { LINKS } from '../../support/alerts.ts'
import { pipelineDatabase } from '../../support/events.ts'
import { recordingLog } from '../../support/recording-log.ts'

const ON = { enable: true }
const MINUTE = 60_000
const chat = (rateLimit: number) => ({
  webhookURL: 'http://slack.example/x',
  messageType: 'basic',
  basicMsgTemplate: 'x',
  rateLimit,
})

let db: Database
let now: number
let emitter: EventEmitter
let events: string[]

beforeEach(() => {
  db = pipelineDatabase(':memory:')
  events = []
  now = Date.parse('2026-11-30T12:00:00.000Z')
  const webhook = { description: 'x', webhookURL: 'http://hook.example/', httpMethod: 'POST' }
  const config = butler.parse({
    ...LINKS,
    slackNotification: { ...ON, serviceStopped: chat(300), serviceStarted: chat(60) },
    webhookNotification: { ...ON, serviceMonitor: { rateLimit: 120, webhooks: [webhook] } },
    serviceMonitor: { ...ON, alertDestination: { slack: ON, webhook: ON } },
  })
  const [clock, writer] = [{ now: () => now }, createGroupWriter(db)]
  const routes = [slackRules, webhookRules, newRelicRules].flatMap((compile) => compile(config))
  const router = createRouter({ clock, log: recordingLog(), onDeliveries: () => {} }, routes)
  emitter = createEventEmitter({ writer, router, clock, wakeEnricher: () => {} }, { waitMs: 1000 })
})
afterEach(() => db.close())

async function change(outcome: 'stopped' | 'started', minutesLater = 1) {
  now += minutesLater * MINUTE
  const { host, details } = sampleEvent('x', outcome, 0, 'service')
  events.push(await emitter.emit({ source: 'monitor', type: 'service', outcome, message: { host }, details }))
}

/** `destination outcome` of what was or will be sent, in order. */
const sent = () =>
  db
    .all<{ destination: string; outcome: string }>(
      `SELECT destination, outcome FROM delivery JOIN event ON event.id = event_id
         WHERE delivery.state <> 'suppressed' ORDER BY delivery.seq`,
    )
    .map(({ destination, outcome }) => `${destination} ${outcome}`)

function release(minutesLater: number) {
  now += minutesLater * MINUTE
  const { lanes, waiting } = releaseLatest(db, events, now)
  return { lanes: [...lanes].sort(), waiting }
}

describe('what rate limits hold back about a service', () => {
  test('nothing held back, nothing to do', async () => {
    await change('stopped')
    await change('started')
    expect(sent()).toEqual(['slack stopped', 'webhook stopped', 'slack started', 'webhook started'])
    expect(release(0)).toEqual({ lanes: [], waiting: false })
  })

  test('stopped again within the window: told once when it ends, per receiver', async () => {
    await change('stopped')
    await change('started')
    await change('stopped', 0.5)
    expect(sent()).toHaveLength(4)
    expect(release(0)).toEqual({ lanes: [], waiting: true })
    // The window of the webhook ends first.
    expect(release(0.6)).toEqual({ lanes: [expect.stringContaining('webhook')], waiting: true })
    expect(release(0)).toEqual({ lanes: [], waiting: true })
    expect(release(3)).toEqual({ lanes: [expect.stringContaining('slack')], waiting: false })
    expect(release(10)).toEqual({ lanes: [], waiting: false })
    expect(sent().slice(-2)).toEqual(['slack stopped', 'webhook stopped'])
  })

  test('what the receiver was last told anyway is not repeated', async () => {
    await change('stopped')
    await change('started')
    await change('stopped', 0.2)
    await change('started', 0.2)
    expect(sent()).toEqual(['slack stopped', 'webhook stopped', 'slack started', 'webhook started'])
    expect(release(10)).toEqual({ lanes: [], waiting: false })
    expect(sent()).toHaveLength(4)
  })
})
