/**
 * The HTTP destinations of Butler's sections while something is wrong with all but one of them: nothing is lost, nobody
 * else waits, refusals are dead letters. Every destination meets every fault.
 */

import { afterEach, describe, expect, test } from 'bun:test'
import {
  createSlackDestination,
  createTeamsDestination,
  slackRules,
  teamsRules,
} from '../../../src/alerts/butler-sections/chat.ts'
import { createNewRelicDestination, newRelicRules } from '../../../src/alerts/butler-sections/new-relic.ts'
import { createSignl4Destination, signl4Rules } from '../../../src/alerts/butler-sections/signl4.ts'
import { createWebhookDestination, webhookRules } from '../../../src/alerts/butler-sections/webhooks.ts'
import { createOutbox } from '../../../src/alerts/outbox/outbox.ts'
import { createRouter } from '../../../src/alerts/router.ts'
import type { Destination } from '../../../src/alerts/types.ts'
import { butler } from '../../../src/app/schema.ts'
import { NOTHING_AWAITED } from '../../../src/events/event-router.ts'
import { loadTaskEvent } from '../../../src/events/store.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { fullEvent, STOCKHOLM, templateEngine } from '../../support/alerts.ts'
import { pipelineDatabase, storePending } from '../../support/events.ts'
import { BROKEN_BODIES, type HttpSink, type SinkAnswer, startHttpSink } from '../../support/http-sink.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const NAMES = ['slack', 'teams', 'webhook', 'signl4', 'newrelic'] as const
type Name = (typeof NAMES)[number]
const EVENTS = 30
/** Short, where a silent receiver is a part of the test. */
const TIMEOUT_MS = 300
/** Long enough for a busy machine to read the first line of an answer of three megabytes. */
const PATIENT_MS = 3000

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Row {
  readonly destination: Name
  readonly state: string
  readonly reason: string | null
  readonly detail: string | null
  readonly body: string | null
}

function configured(urls: Readonly<Record<Name, string>>) {
  const always = { enable: true, sendToAccount: { always: { enable: true, account: ['A'] } } }
  return butler.parse({
    slackNotification: { enable: true, reloadTaskFailure: { enable: true, webhookURL: urls.slack, rateLimit: 0 } },
    teamsNotification: { enable: true, reloadTaskFailure: { enable: true, webhookURL: urls.teams, rateLimit: 0 } },
    webhookNotification: {
      enable: true,
      reloadTaskFailure: {
        rateLimit: 0,
        webhooks: [{ description: 'x', webhookURL: urls.webhook, httpMethod: 'POST' }],
      },
    },
    thirdPartyToolsCredentials: { newRelic: [{ accountName: 'A', insertApiKey: 'k', accountId: 1 }] },
    incidentTool: {
      signl4: { enable: true, url: urls.signl4, reloadTaskFailure: { enable: true, rateLimit: 0 } },
      newRelic: {
        enable: true,
        url: { event: urls.newrelic, log: urls.newrelic },
        reloadTaskFailure: { destination: { event: always }, sharedSettings: { rateLimit: 0 } },
      },
    },
  })
}

/** Router, outbox and all destinations, each with a server of its own. */
async function pipeline(timeoutMs = TIMEOUT_MS) {
  const sinks = Object.fromEntries(
    await Promise.all(NAMES.map(async (name) => [name, await startHttpSink()] as const)),
  ) as Record<Name, HttpSink>
  cleanups.push(() => Promise.all(NAMES.map((name) => sinks[name].stop())))
  const urls = Object.fromEntries(NAMES.map((name) => [name, sinks[name].url])) as Record<Name, string>
  const config = configured(urls)
  const directory = tempDirectory()
  cleanups.push(() => directory.remove())
  const db = pipelineDatabase(directory.join('footman.db'))
  const writer = createGroupWriter(db)
  const log = recordingLog()
  const clock = { now: () => Date.now() }
  const deps = { log, clock, engine: templateEngine(), times: STOCKHOLM, timeoutMs }
  const destinations: readonly Destination[] = [
    createSlackDestination(deps, config),
    createTeamsDestination(deps, config),
    createWebhookDestination({ ...deps, candidates: (path: string) => [path] }, config),
    createSignl4Destination(deps, config),
    createNewRelicDestination(deps, config),
  ]
  const compilers = [slackRules, teamsRules, webhookRules, signl4Rules, newRelicRules]
  const routes = compilers.flatMap((compile) => compile(config))
  const router = createRouter({ clock, log, onDeliveries: (lanes) => outbox.wake(lanes) }, routes)
  const outbox = createOutbox(
    {
      db,
      writer,
      log,
      clock,
      rule: router.rule,
      loadEvent: (id) => loadTaskEvent(db, id),
      destinations: new Map(destinations.map((destination) => [destination.name, destination])),
    },
    { concurrency: 4, retry: { firstMs: 20, maxMs: 150, jitter: 0 }, maxAgeMs: () => 60_000, shadow: false },
  )
  await outbox.start()
  cleanups.push(async () => {
    await outbox.stop(100)
    await Promise.all(destinations.map((destination) => destination.close?.()))
    db.close()
  })
  return {
    sinks,
    rows: (name: Name) =>
      db.all<Row>('SELECT destination, state, reason, detail, body FROM delivery WHERE destination = ?', name),
    async fire(index: number) {
      const event = fullEvent({ taskId: `task-${index}`, executionId: `execution-${index}` })
      await writer.write((tx) => {
        storePending(tx, event)
        router.handle(tx, event, NOTHING_AWAITED)
      })
      router.wake()
    },
  }
}

/** Every third request is taken, the others are refused for now or cut off. */
function flapping(): () => SinkAnswer {
  let count = 0
  return () => [{ status: 503 }, { reset: true }, {}][count++ % 3]!
}

/** Messages that the server has accepted, by their stable key. */
const keys = (sink: HttpSink) => new Set(sink.requests.map(({ headers }) => headers['idempotency-key']))

describe('down, silent, refusing and flapping at the same time', () => {
  test.each(NAMES.map((name, i) => [name, i] as const))(
    'while %s is well',
    async (well, shift) => {
      const at = (offset: number) => NAMES[(shift + offset) % NAMES.length]!
      const [down, silent, refusing, flaps] = [at(1), at(2), at(3), at(4)]
      const { sinks, rows, fire } = await pipeline()
      await sinks[down].down()
      sinks[silent].answer({ hang: true })
      sinks[refusing].answer({ status: 422 })
      sinks[flaps].answer(flapping())

      for (let i = 0; i < EVENTS; i++) await fire(i)
      // The one that is well has everything, before any of the others has been mended.
      await sinks[well].received(EVENTS, { timeout: 20_000 })
      await until(() => rows(refusing).every(({ state }) => state === 'dead'), { timeout: 20_000 })
      expect(rows(down).some(({ state }) => state === 'delivered')).toBe(false)
      expect(rows(silent).some(({ state }) => state === 'delivered')).toBe(false)

      await sinks[down].up()
      sinks[silent].answer({})
      const settled = [down, silent, flaps, well] as const
      await until(() => settled.every((name) => rows(name).every(({ state }) => state === 'delivered')), {
        timeout: 30_000,
        what: 'everything delivered',
        state: () => settled.map((name) => [name, rows(name).filter(({ state }) => state !== 'delivered').length]),
      })

      for (const name of settled)
        expect([name, rows(name).length, keys(sinks[name]).size]).toEqual([name, EVENTS, EVENTS])
      expect(sinks[well].requests).toHaveLength(EVENTS)
      expect(sinks[down].requests).toHaveLength(EVENTS)
      const dead = rows(refusing)
      expect(dead).toHaveLength(EVENTS)
      for (const { state, reason, detail, body } of dead) {
        expect([state, reason, detail]).toEqual(['dead', 'REJECTED', 'HTTP 422'])
        expect(body).toContain('Sales DW')
      }
      expect(sinks[refusing].requests).toHaveLength(EVENTS)
    },
    60_000,
  )
})

describe('an answer of 200 counts, whatever its body does', () => {
  test.each(BROKEN_BODIES)('the body %s', async (broken) => {
    const { sinks, rows, fire } = await pipeline(PATIENT_MS)
    for (const name of NAMES) sinks[name].answer({ broken })
    await fire(0)
    const states = () => NAMES.map((name) => [name, rows(name).map(({ state }) => state)])
    await until(() => NAMES.every((name) => rows(name)[0]?.state === 'delivered'), { what: 'delivered', state: states })
    expect(NAMES.map((name) => [name, sinks[name].requests.length])).toEqual(NAMES.map((name) => [name, 1]))
  })

  test('one of another status is what the status says, or no answer', async () => {
    const { sinks, rows, fire } = await pipeline(PATIENT_MS)
    for (const name of NAMES) sinks[name].answerOnce({ status: 500, broken: 'is cut' })
    await fire(0)
    await until(() => NAMES.every((name) => rows(name)[0]?.state === 'delivered'))
    expect(NAMES.map((name) => [name, sinks[name].requests.length])).toEqual(NAMES.map((name) => [name, 2]))
  })
})
