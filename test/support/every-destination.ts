/** The whole way from event to delivery, with one destination of every kind, each with a peer of its own. */

import { createWebhookDestination, webhookRules } from '../../src/alerts/butler-sections/webhooks.ts'
import { email } from '../../src/alerts/config-email.ts'
import { createMailSender } from '../../src/alerts/destinations/email/mailer.ts'
import { createDestination } from '../../src/alerts/destinations/index.ts'
import { createInfluxDestination, influxRules } from '../../src/alerts/destinations/influxdb.ts'
import { createPacing } from '../../src/alerts/destinations/pacing.ts'
import { createScriptLogDestination, scriptLogRules } from '../../src/alerts/destinations/scriptlog.ts'
import { resendDeadLetters, resendDelivery } from '../../src/alerts/history/resend.ts'
import { outboxMigrations } from '../../src/alerts/outbox/migrations.ts'
import { createOutbox } from '../../src/alerts/outbox/outbox.ts'
import { createRouter } from '../../src/alerts/router.ts'
import { compileRule } from '../../src/alerts/rules/compile.ts'
import { alertRuleMigrations } from '../../src/alerts/rules/migrations.ts'
import type { Destination, TargetedDestination } from '../../src/alerts/types.ts'
import { butler } from '../../src/app/schema.ts'
import { NOTHING_AWAITED } from '../../src/events/event-router.ts'
import { eventMigrations } from '../../src/events/migrations.ts'
import { countEarlierTwins, loadTaskEvent, storeWholeEvent } from '../../src/events/store.ts'
import type { TaskEvent } from '../../src/events/types.ts'
import { createMqttService } from '../../src/mqtt/client.ts'
import { createGroupWriter } from '../../src/platform/group-commit.ts'
import { createHttpClient, type HttpClientSettings } from '../../src/platform/http-client.ts'
import { openDatabase } from '../../src/platform/sqlite.ts'
import { mqttSettings } from '../integration/mqtt/support.ts'
import { fullEvent, STOCKHOLM } from './alerts.ts'
import { DESTINATION_EXAMPLES } from './destination-types.ts'
import { brokerPeer, folderPeer, httpPeer, mailPeer, type Peer } from './fault-peers.ts'
import { influxServer } from './influx-server.ts'
import { namedDeps, settingsOf } from './named.ts'
import { tempDirectory } from './temp.ts'

const hostOf = (type: string) => new URL(DESTINATION_EXAMPLES[type]!.url).hostname

interface Row {
  readonly id: string
  readonly destination: string
  readonly state: string
  readonly lane: string
}

export type EveryDestination = Awaited<ReturnType<typeof startEveryDestination>>

/** No limit holds anything back: every event goes to every destination. `timeoutMs`: how long a peer may be silent. */
export async function startEveryDestination(timeoutMs: number) {
  const http = Object.fromEntries(
    await Promise.all(
      Object.entries(DESTINATION_EXAMPLES).map(
        async ([type, { success, failure = 500 }]) => [type, await httpPeer(success, failure)] as const,
      ),
    ),
  )
  const [mail, hook, influx] = await Promise.all([mailPeer(), httpPeer({}, 500), httpPeer({ status: 204 }, 503)])
  const broker = await brokerPeer()
  const folder = folderPeer()
  // Names are those of the destinations.
  const peers: Readonly<Record<string, Peer>> = {
    ...Object.fromEntries(Object.entries(http).map(([type, peer]) => [`my-${type}`, peer])),
    'my-email': mail,
    webhook: hook,
    influxdb: influx,
    scriptlog: folder,
    'my-mqtt': broker,
  }

  /** Asks the peer in the place of the host. */
  function createClient(settings: HttpClientSettings) {
    const client = createHttpClient(settings)
    return {
      request(request: Parameters<typeof client.request>[0]) {
        const { hostname, pathname, search } = new URL(request.url)
        const type = Object.keys(DESTINATION_EXAMPLES).find((one) => hostOf(one) === hostname)!
        return client.request({ ...request, url: `${http[type]!.sink.url}${pathname}${search}` })
      },
      close: () => client.close(),
    }
  }

  const config = butler.parse({
    emailNotification: { smtp: { host: '127.0.0.1', port: mail.port, secure: false, tls: { requireTLS: false } } },
    webhookNotification: {
      enable: true,
      reloadTaskFailure: { webhooks: [{ description: 'x', webhookURL: hook.sink.url, httpMethod: 'POST' }] },
    },
    scriptLog: { storeOnDisk: { clientManaged: { reloadTaskFailure: { enable: true, logDirectory: folder.path } } } },
    influxDb: { enable: true, hostIP: '127.0.0.1', reloadTaskFailure: { enable: true } },
  })
  const directory = tempDirectory()
  const migrations = [...eventMigrations, ...outboxMigrations, ...alertRuleMigrations]
  const db = openDatabase(directory.join('footman.db'), { migrations })
  const writer = createGroupWriter(db)
  const clock = { now: () => Date.now() }
  const pacing = createPacing(clock)
  // Services that take few messages a minute take as many a second here.
  const faster = (perMinute: number) => perMinute * 60
  const { deps: shared, log } = namedDeps({
    deps: {
      createClient,
      pacing: {
        ...pacing,
        take: (key, perMinute) => pacing.take(key, faster(perMinute)),
        isFree: (key, perMinute) => pacing.isFree(key, faster(perMinute)),
        whenFree: (key, perMinute, listener) => pacing.whenFree(key, faster(perMinute), listener),
      },
    },
  })
  const times = STOCKHOLM
  const timeouts = { connectMs: timeoutMs, greetingMs: timeoutMs, silenceMs: timeoutMs }
  const sender = createMailSender({ log, clock, times, engine: shared.engine, timeouts }, config)
  // A connection counts as lasting after 100 ms, so that the pauses between attempts stay short.
  const quick = { now: () => Date.now() * 100 }
  const mqtt =
    broker &&
    createMqttService(
      { log, clock: quick, readFile: async () => '' },
      mqttSettings(broker.port, { publishTimeoutMs: timeoutMs, retryFirstMs: 20 }),
    )
  await mqtt?.start()
  const deps = { ...shared, mqtt, mail: { sender: () => sender, settings: email.parse({}), from: 'q@acme.example' } }
  const written = [
    ...Object.values(DESTINATION_EXAMPLES).map(({ settings }) => settings),
    { type: 'email', recipients: ['team@acme.example'] } as const,
    ...(broker ? [{ type: 'mqtt', topic: 'alerts/{{taskName}}' } as const] : []),
  ]
  const named = new Map<string, TargetedDestination>(
    written.map((one) => {
      const name = `my-${one.type}`
      return [name, createDestination(deps, name, { ...settingsOf(one), timeout: timeoutMs })]
    }),
  )
  const v3Config = { database: 'butler', token: 'token', writeTimeout: timeoutMs }
  const { server } = influxServer({ hostPort: influx.sink.port, version: 3, v3Config })
  const earlierTwins = (event: TaskEvent) => countEarlierTwins(db, event)
  const destinations = new Map<string, Destination>([
    ...named,
    ['webhook', createWebhookDestination({ log, clock, timeoutMs }, config)],
    ['scriptlog', createScriptLogDestination({ log, times, output: (path) => path }, config)],
    ['influxdb', createInfluxDestination({ server, times, earlierTwins }, config)],
  ])
  const route = { name: 'all', to: [...named.keys()].map((destination) => ({ destination })), limit: null }
  const context = { windows: { contains: () => false }, destination: (_: string, name: string) => named.get(name) }
  const routes = [
    ...compileRule({ ...route, limitPer: 'subject' }, context),
    ...webhookRules(config),
    ...scriptLogRules(config, times),
    ...influxRules(config),
  ]
  const router = createRouter({ clock, log, onDeliveries: (lanes) => outbox.wake(lanes) }, routes)
  const latencies = new Map<string, number[]>()
  const outbox = createOutbox(
    {
      db,
      writer,
      log,
      clock,
      rule: router.rule,
      loadEvent: (id) => loadTaskEvent(db, id),
      destinations,
      observe({ destination, state, latencyMs }) {
        if (state === 'delivered') latencies.set(destination, [...(latencies.get(destination) ?? []), latencyMs ?? 0])
      },
    },
    { concurrency: 4, retry: { firstMs: 20, maxMs: 100, jitter: 0 }, maxAgeMs: () => 600_000, shadow: false },
  )
  outbox.start()

  return {
    db,
    peers,
    mail: mail.sink,
    hooks: { ...http, webhook: hook, influxdb: influx },
    latencies,
    rows: (phase: number) =>
      db.all<Row>(
        `SELECT delivery.id, destination, delivery.state, lane FROM delivery JOIN event ON event.id = event_id
          WHERE task_name LIKE ?`,
        `T${phase}x%`,
      ),
    /** Attempts that have failed. */
    failures: (phase: number) =>
      db.all<{ readonly destination: string; readonly task: string; readonly detail: string }>(
        `SELECT destination, task_name AS task, delivery_attempt.detail FROM delivery JOIN event ON event.id = event_id
           JOIN delivery_attempt ON delivery_id = delivery.id WHERE task_name LIKE ? AND result = 'retry'`,
        `T${phase}x%`,
      ),
    async fire(phase: number, index: number, more: Partial<TaskEvent> = {}) {
      const name = `T${phase}x${index}x`
      const event = fullEvent({
        taskName: name,
        taskId: name,
        executionId: `e-${name}`,
        receivedAt: Date.now(),
        ...more,
      })
      await writer.write((tx) => {
        storeWholeEvent(tx, event)
        router.handle(tx, event, NOTHING_AWAITED)
      })
      router.wake()
    },
    async resend(ids: readonly string[] | null, lanes: ReadonlySet<string>) {
      const filter = { id: null, destination: null, reason: ['REJECTED'], from: null, to: null }
      await writer.write((tx) => {
        if (ids === null) resendDeadLetters(tx, filter, clock.now())
        else for (const id of ids) resendDelivery(tx, id, clock.now())
      })
      outbox.wake(lanes)
    },
    async stop() {
      await Promise.all(Object.values(peers).map((peer) => peer.suffer('well')))
      await outbox.stop(200)
      await mqtt?.stop(200)
      await Promise.all(Object.values(peers).map((peer) => peer.stop()))
      db.close()
      directory.remove()
    },
  }
}
