/** Every alert of Footman about itself: raised once when it begins, cleared once when it ends, whatever happens between. */
import { afterEach, describe, expect, test } from 'bun:test'
import { clusterHealth } from '../../../src/app/cluster-http.ts'
import { MIGRATIONS } from '../../../src/app/migrations.ts'
import type { EmittedEvent } from '../../../src/events/emit.ts'
import { createSelfAlerts, type SelfAlertsService } from '../../../src/monitors/self-alerts/index.ts'
import { SELF_CODES, type SelfCode } from '../../../src/monitors/self-alerts/types.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../../src/platform/sqlite.ts'
import type { StorageNote } from '../../../src/platform/storage/note.ts'
import { createZoneTimes } from '../../../src/platform/zone-times.ts'
import { QrsError } from '../../../src/qlik/qrs/errors.ts'
import { clusterStatus, nodeInfo } from '../../support/cluster/status.ts'
import { recordingLog } from '../../support/recording-log.ts'

const ASKED = { right: 'read', isRead: true, error: null }
const START = Date.parse('2026-03-02T06:00:00Z')
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const GB = 1024 ** 3

const CONFIG = {
  configQRS: { host: 'qs.acme.example', port: 4242 },
  udpServerConfig: { portTaskFailure: 9998 },
  footman: { selfAlerts: { enable: true }, delivery: { maxBacklog: 1000 }, node: { name: 'node-1' } },
}

interface World {
  readonly storage: { note: StorageNote | null }
  readonly journal: { readonly state: 'up'; readonly reason: string; readonly inMemory: number }
  now: number
  pending: number
  refused: number
  unverified: { waiting: number; oldestAt: number | null }
  qrsReachable: boolean
  udpListening: boolean | null
  broker: { connected: boolean }
  free: number
  certificateEnds: number
  tlsProblem: string | null
  certificateProblems: string[]
  destinations: Map<string, unknown>
  calendars: string[]
  unusableSettings: { name: string; reason: string }[]
  isFull: boolean
  descriptors: string | null
  cluster: ReturnType<typeof clusterStatus>
}

const databases: Database[] = []
afterEach(() => {
  for (const db of databases.splice(0)) db.close()
})

function world() {
  const db = openDatabase(':memory:', { migrations: MIGRATIONS })
  databases.push(db)
  const state: World = {
    storage: { note: null },
    journal: { state: 'up', reason: '', inMemory: 0 },
    now: START,
    pending: 0,
    refused: 0,
    unverified: { waiting: 0, oldestAt: null },
    qrsReachable: true,
    udpListening: true,
    broker: { connected: true },
    free: 50 * GB,
    certificateEnds: START + 300 * DAY,
    tlsProblem: null,
    certificateProblems: [],
    destinations: new Map([['ops-mail', {}]]),
    calendars: ['holidays'],
    unusableSettings: [],
    isFull: false,
    descriptors: null,
    cluster: clusterStatus(() => START),
  }
  state.cluster = clusterStatus(() => state.now)
  const log = recordingLog()
  const told: EmittedEvent[] = []
  const writer = createGroupWriter(db)
  const emit = async (event: EmittedEvent, also?: (db: Database, id: string) => void) => {
    if (state.isFull) throw new Error('database or disk is full')
    await writer.write((tx) => also?.(tx, 'id'))
    told.push(event)
    return 'id'
  }
  const pipeline = {
    get status() {
      return {
        pendingEvents: state.pending,
        qrsReachable: state.qrsReachable,
        udpListening: state.udpListening,
        journal: state.journal,
        unverified: state.unverified,
      }
    },
    get counters() {
      return { dropped: { BACKLOG_FULL: state.refused } }
    },
  }
  /** Built anew, it is what a restart leaves: the database. */
  const build = (): SelfAlertsService =>
    createSelfAlerts(
      {
        db,
        writer,
        log,
        times: createZoneTimes('Europe/Stockholm'),
        clock: { now: () => state.now },
        storage: { guard: state.storage },
        emitter: { emit },
        pipeline: pipeline as never,
        alerts: { destinations: state.destinations },
        rest: {
          get tlsProblem() {
            return state.tlsProblem
          },
        },
        qlik: { certificates: { check: () => ({ problems: state.certificateProblems }) as never } },
        certificates: () => [{ name: 'rest', expiresAt: state.certificateEnds }],
        descriptors: {
          get problem() {
            return state.descriptors
          },
        },
        brokers: { 'mqtt.acme.example:1883': state.broker },
        calendars: () => state.calendars,
        unusableSettings: () => state.unusableSettings,
        shared: {
          get status() {
            return state.cluster
          },
        },
        diskSpace: async () => ({ freeBytes: state.free, totalBytes: 500 * GB }),
      },
      CONFIG,
      { dataDirectory: '/data', qrsConnection: true },
    )
  let self = build()
  return {
    db,
    state,
    log,
    told,
    get self() {
      return self
    },
    restart: () => {
      state.refused = 0
      self = build()
    },
    /** Lets time pass as the checker sees it, a look every five seconds. */
    async pass(ms: number) {
      for (const end = state.now + ms; state.now < end; ) {
        state.now += Math.min(5000, end - state.now)
        await self.services[0]?.check()
      }
    },
    of: (code: SelfCode) => told.filter((event) => event.code === code).map(({ outcome }) => outcome),
  }
}

type Site = ReturnType<typeof world>

interface Fault {
  readonly begin: (site: Site) => void
  readonly end: (site: Site) => void
  /** How long it has to go on, and be over, in milliseconds. */
  readonly raiseAfter?: number
  readonly clearAfter?: number
  /** What people have to read. */
  readonly says: RegExp
  /** Repeats itself while it goes on. */
  readonly again?: (site: Site) => void
}

const dead = (type = 'reload') =>
  ({
    deliveryId: 'd',
    destination: 'ops-mail',
    target: 't',
    state: 'dead',
    reason: 'REJECTED',
    detail: 'HTTP 400',
    attempts: 1,
    event: { type },
    latencyMs: 1,
    result: 'rejected',
  }) as never
const attempt = (result: 'retry' | 'delivered') =>
  ({ destination: 'ops-mail', state: 'pending', detail: 'HTTP 503', result, event: null }) as never

function thrice(act: () => void): void {
  for (let n = 0; n < 3; n += 1) act()
}

function overdueEvent({ db }: Site): void {
  db.run(`INSERT INTO event (id, received_at, source, sender, type, announced, outcome, severity, state, deadline_at,
    next_attempt_at, host, user, task_id, task_name, app_id, app_name, execution_id, log_time, log_level, log_message)
    VALUES ('e', ${START}, 'udp', '', 'reload', 'failed', 'failed', 'error', 'pending', ${START + MINUTE}, 0,
    '', '', '', '', '', '', '', '', '', '')`)
}

const FAULTS: Record<SelfCode, Fault> = {
  BACKLOG_GROWING: {
    begin: overdueEvent,
    end: ({ db }) => db.run(`UPDATE event SET state = 'routed'`),
    raiseAfter: 10 * MINUTE,
    says: /wait for 10 minutes although Qlik Sense answers/,
  },
  BACKLOG_FULL: {
    begin({ state }) {
      state.refused = 7
    },
    end: () => {},
    again({ state }) {
      state.refused += 1
    },
    clearAfter: MINUTE,
    says: /maxBacklog \(1000; a tenth of it for messages about unknown tasks\) is reached: new messages are refused, 7 so/,
  },
  TASKS_UNVERIFIED: {
    begin({ state }) {
      state.unverified = { waiting: 12, oldestAt: state.now }
    },
    end({ state }) {
      state.unverified = { waiting: 0, oldestAt: null }
    },
    raiseAfter: MINUTE + 5000,
    says: /12 messages about tasks or apps that Footman does not know wait until Qlik Sense says which of these exist/,
  },
  DEAD_LETTERS: {
    begin: ({ self }) => self.observers.delivery(dead()),
    end: () => {},
    again: ({ self }) => self.observers.delivery(dead()),
    clearAfter: 60 * MINUTE,
    says: /ops-mail were given up \(REJECTED: HTTP 400\)/,
  },
  QRS_DOWN: {
    begin: ({ self }) => thrice(() => self.observers.qrsRequest('unreachable', 1, ASKED)),
    end: ({ self }) => self.observers.qrsRequest('ok', 1, ASKED),
    again: ({ self }) => self.observers.qrsRequest('timeout', 1, ASKED),
    raiseAfter: 5 * MINUTE,
    says: /qs\.acme\.example:4242 has only failed for five minutes/,
  },
  DESTINATION_DOWN: {
    begin: ({ self }) => thrice(() => self.observers.delivery(attempt('retry'))),
    end: ({ self }) => self.observers.delivery(attempt('delivered')),
    again: ({ self }) => self.observers.delivery(attempt('retry')),
    raiseAfter: 5 * MINUTE,
    says: /Destination ops-mail has only failed for five minutes: HTTP 503/,
  },
  UDP_NOT_LISTENING: {
    begin({ state }) {
      state.udpListening = false
    },
    end({ state }) {
      state.udpListening = true
    },
    raiseAfter: 5 * MINUTE + 5000,
    says: /does not listen on UDP port 9998/,
  },
  MQTT_DISCONNECTED: {
    begin({ state }) {
      state.broker.connected = false
    },
    end({ state }) {
      state.broker.connected = true
    },
    raiseAfter: 5 * MINUTE + 5000,
    says: /mqtt\.acme\.example:1883 has not been connected for five minutes/,
  },
  EVENTS_LOST: {
    begin: ({ self }) => self.observers.messagesLost('qs-central', 3),
    end: () => {},
    again: ({ self }) => self.observers.messagesLost('qs-central', 5),
    clearAfter: 60 * MINUTE,
    says: /3 messages of qs-central were lost within an hour/,
  },
  DISK_LOW: {
    begin({ state }) {
      state.free = 24.9 * GB
    },
    end({ state }) {
      state.free = 40 * GB
    },
    // At the limit it goes up and down.
    again({ state }) {
      state.free = state.free === 24.9 * GB ? 25.1 * GB : 24.9 * GB
    },
    says: /Only 24\.9 GB \(4 %\) are free in \/data/,
  },
  STORAGE_TROUBLE: {
    begin({ state }) {
      state.storage.note = { at: START, text: '/data/footman.db was damaged', lost: true }
    },
    end({ state }) {
      state.storage.note = null
    },
    says: /footman\.db was damaged/,
  },
  DESCRIPTORS_LOW: {
    begin({ state }) {
      state.descriptors = '256 of 256 file descriptors of Footman are used (EMFILE)'
    },
    end({ state }) {
      state.descriptors = null
    },
    clearAfter: 5 * MINUTE,
    says: /256 of 256 file descriptors of Footman are used \(EMFILE\)\./,
  },
  CERTIFICATE_EXPIRING: {
    begin({ state }) {
      state.certificateEnds = START + 29 * DAY
    },
    end({ state }) {
      state.certificateEnds = START + 400 * DAY
    },
    says: /certificate "rest" ends at 2026-03-31 08:00:00 Europe\/Stockholm\./,
  },
  CERTIFICATE_INVALID: {
    begin({ state }) {
      state.tlsProblem = 'certificate and key do not belong together'
    },
    end({ state }) {
      state.tlsProblem = null
    },
    says: /files "rest" cannot be used: certificate and key do not belong together/,
  },
  CALENDAR_UNREADABLE: {
    begin: ({ self }) => self.observers.calendar('holidays', 'no such file'),
    end: ({ self }) => self.observers.calendar('holidays', null),
    says: /calendar holidays cannot be used: no such file/,
  },
  SETTING_UNUSABLE: {
    begin({ state }) {
      state.unusableSettings = [{ name: 'destination finance', reason: 'the secret cannot be read' }]
    },
    end({ state }) {
      state.unusableSettings = []
    },
    says: /stored destination finance is not used: the secret cannot be read\./,
  },
  CONFIG_INVALID: {
    begin: ({ self }) => self.observers.configuration('butler.yaml:3 Butler.footman.windows: must be an object'),
    end: ({ self }) => self.observers.configuration(null),
    says: /butler\.yaml:3/,
  },
  CLUSTER_DATABASE_DOWN: {
    begin({ state }) {
      const database = {
        host: null,
        timeline: null,
        isUp: false,
        isRefused: false,
        isWaitedFor: false,
        reason: 'pg1: refused',
        downForMs: 12_000,
      }
      Object.assign(state.cluster, { mode: 'alone', database })
    },
    end: wellAgain,
    says: /database of the cluster has not answered for 12 s: pg1: refused\. This node works alone/,
  },
  CLUSTER_NODE_LOST: {
    begin: ({ state }) => withSecond(state, { seenAgoMs: 61_000 }),
    end: wellAgain,
    says: /^Node node-2 of the cluster was last heard of at 2026-03-02 07:00:\d\d Europe\/Stockholm\. /,
  },
  CLUSTER_NODE_UNFIT: {
    begin: ({ state }) => withSecond(state, { health: { lacks: { disk: 'ENOSPC' } } }),
    end: wellAgain,
    says: /^Node node-2 of the cluster cannot lead: ENOSPC\./,
  },
  CLUSTER_NO_LEADER: {
    begin({ state }) {
      withSecond(state, { mode: 'leaving', seenAgoMs: 31_000 })
      state.cluster.leader = { epoch: 4, node: 'node-2', from: START, reason: 'expired' }
    },
    end: wellAgain,
    says: /No node leads the cluster \(node-2 was heard of last\)/,
  },
  CLUSTER_FLAPPING: {
    begin({ state }) {
      const { now } = state
      // Two of them were asked for.
      state.cluster.leaderships = [7, 6, 5, 4, 3, 2, 1].map((epoch) => ({
        epoch,
        node: `node-${(epoch % 2) + 1}`,
        reason: epoch > 5 ? 'handedOver' : 'expired',
        from: now - 60_000 * epoch,
      }))
    },
    end: wellAgain,
    says: /changed its leader 5 times within an hour \(node-1, node-2\)/,
  },
  CLUSTER_CLOCK: {
    begin({ state }) {
      state.cluster.clockOffsetMs = -300_000
    },
    end: wellAgain,
    says: /clock of node node-1 is 300 s ahead of that of the database/,
  },
  CLUSTER_REWOUND: {
    begin({ state }) {
      state.cluster.rewoundAgoMs = 10
    },
    end({ state }) {
      state.cluster.rewoundAgoMs = 3_600_000
    },
    says: /put back to an earlier state/,
  },
  SCHEDULE_CONFLICT: {
    begin: ({ self }) => self.observers.scheduleConflict('schedule.yaml was changed here, and node b was faster.'),
    end: () => {},
    again: ({ self }) => self.observers.scheduleConflict('schedule.yaml was changed here, and node b was faster.'),
    clearAfter: 60 * MINUTE,
    says: /node b was faster/,
  },
}

function wellAgain({ state }: Site): void {
  state.cluster = clusterStatus(() => state.now)
}

function withSecond(state: World, second: Parameters<typeof nodeInfo>[1]): void {
  const now = () => state.now
  state.cluster.nodes = [nodeInfo(now, { name: 'node-1', mode: 'leader' }), nodeInfo(now, second)]
}

describe('each code is raised once and cleared once', () => {
  test.each([...SELF_CODES])('%s', async (code) => {
    const { begin, end, again, raiseAfter = 5000, clearAfter = 5000, says } = FAULTS[code]
    const site = world()
    await site.pass(MINUTE)
    begin(site)
    if (raiseAfter > 5000) await site.pass(raiseAfter - 70_000)
    expect(site.of(code)).toEqual([])
    await site.pass(Math.min(raiseAfter, 80_000))
    expect(site.of(code)).toEqual(['raised'])
    const [raised] = site.told
    expect(raised).toMatchObject({ source: 'self', type: 'self', code, message: { host: 'node-1' } })
    expect(raised?.message.logMessage).toMatch(says)
    expect(raised?.details).toEqual({ kind: 'self', text: raised?.message.logMessage ?? '' })

    for (let round = 0; round < 3; round += 1) {
      again?.(site)
      await site.pass(5000)
    }
    expect(site.of(code)).toEqual(['raised'])
    end(site)
    if (clearAfter > 5000) await site.pass(clearAfter - 30_000)
    if (clearAfter > 5000) expect(site.of(code)).toEqual(['raised'])
    await site.pass(clearAfter > 5000 ? 60_000 : 10_000)
    expect(site.of(code)).toEqual(['raised', 'cleared'])
    expect(site.told).toHaveLength(2)
    await site.pass(10 * MINUTE)
    expect(site.told).toHaveLength(2)
    // The log tells it, whoever else is told.
    expect(site.log.of('error').filter((line) => line.startsWith(`SELF ${code}: `))).toHaveLength(1)
    expect(site.log.of('info').filter((line) => line.startsWith(`SELF ${code} cleared: `))).toHaveLength(1)
  })
})

describe('a restart', () => {
  test.each([...SELF_CODES])('raises nothing twice, and clears what has ended meanwhile: %s', async (code) => {
    const { begin, end, again, raiseAfter = 0, clearAfter = 0 } = FAULTS[code]
    const site = world()
    begin(site)
    await site.pass(raiseAfter + 10_000)
    expect(site.of(code)).toEqual(['raised'])
    site.restart()
    if (code === 'CALENDAR_UNREADABLE') begin(site)
    again?.(site)
    // The file of a configuration that Footman starts with is in order.
    await site.pass(2 * MINUTE)
    expect(site.of(code).slice(0, 1)).toEqual(['raised'])
    expect(site.of(code).filter((outcome) => outcome === 'raised')).toHaveLength(1)
    site.restart()
    end(site)
    await site.pass(clearAfter + 10_000)
    expect(site.of(code)).toEqual(['raised', 'cleared'])
  })
})

test('what joins an alert that stands is said in one message, and what joins later in another one an hour later', async () => {
  const site = world()
  const names = ['a', 'b', 'c', 'd', 'e']
  site.state.calendars.push(...names)
  const damage = (name: string) => site.self.observers.calendar(name, 'no such file')
  const damaged = (...damaged: string[]) =>
    damaged.map((name) => `The file of calendar ${name} cannot be used: no such file.`).join(' ')
  const texts = () => site.told.flatMap(({ details }) => (details?.kind === 'self' ? [details.text] : []))
  damage('a')
  await site.pass(10_000)
  damage('b')
  await site.pass(20_000)
  damage('c')
  await site.pass(30_000)
  expect(texts()).toEqual([damaged('a')])
  site.restart()
  for (const name of ['a', 'b', 'c']) damage(name)
  await site.pass(60_000)
  expect(texts()).toEqual([damaged('a'), `Also: ${damaged('b', 'c')} As before: ${damaged('a')}`])
  damage('d')
  await site.pass(5 * MINUTE)
  // It left again before it could be said.
  damage('e')
  await site.pass(MINUTE)
  site.self.observers.calendar('e', null)
  site.self.observers.calendar('a', null)
  await site.pass(50 * MINUTE)
  expect(texts()).toHaveLength(2)
  await site.pass(10 * MINUTE)
  expect(texts().slice(2)).toEqual([`Also: ${damaged('d')} As before: ${damaged('b', 'c')}`])
  await site.pass(3 * 60 * MINUTE)
  expect(texts()).toHaveLength(3)
  for (const name of ['b', 'c', 'd']) site.self.observers.calendar(name, null)
  await site.pass(10_000)
  expect(site.of('CALENDAR_UNREADABLE')).toEqual(['raised', 'raised', 'raised', 'cleared'])
})

test('what joins is said alone when all that stood before has left', async () => {
  const site = world()
  site.state.calendars.push('a', 'b')
  site.self.observers.calendar('a', 'no such file')
  await site.pass(10_000)
  site.self.observers.calendar('b', 'no such file')
  await site.pass(10_000)
  site.self.observers.calendar('a', null)
  await site.pass(2 * MINUTE)
  const texts = site.told.flatMap(({ details }) => (details?.kind === 'self' ? [details.text] : []))
  expect(texts.slice(1)).toEqual(['Also: The file of calendar b cannot be used: no such file.'])
})

test('a message that named one that has left again does not swallow the next one that joins', async () => {
  const site = world()
  const names = ['a', 'b', 'c']
  site.state.calendars.push(...names)
  const damage = (name: string, problem: string | null = 'no such file') => site.self.observers.calendar(name, problem)
  const told = () => site.told.flatMap(({ details }) => (details?.kind === 'self' ? [details.text] : []))
  damage('a')
  await site.pass(10_000)
  damage('b')
  await site.pass(2 * MINUTE)
  expect(told()).toHaveLength(2)
  damage('b', null)
  damage('c')
  // A rule sends one such message an hour.
  await site.pass(30 * MINUTE)
  expect(told()).toHaveLength(2)
  site.restart()
  for (const name of ['a', 'c']) damage(name)
  await site.pass(40 * MINUTE)
  expect(told().slice(2)).toEqual([expect.stringContaining('Also: The file of calendar c')])
})

test('two calendars that are damaged at a start: the alert names both, and the log the one that is left', async () => {
  const site = world()
  site.state.calendars.push('plant')
  const damage = (name: string) => site.self.observers.calendar(name, 'no such file')
  damage('holidays')
  await site.pass(10_000)
  // The alert about the first one stands over the restart.
  site.restart()
  damage('holidays')
  damage('plant')
  await site.pass(10_000)
  const both =
    'The file of calendar holidays cannot be used: no such file. The file of calendar plant cannot be used: no such file.'
  const said = () => site.log.of('info').filter((line) => line.startsWith('SELF CALENDAR_UNREADABLE'))
  expect(said()).toEqual([`SELF CALENDAR_UNREADABLE still stands: ${both}`])
  site.self.observers.calendar('holidays', null)
  await site.pass(10_000)
  expect(said().slice(1)).toEqual([
    'SELF CALENDAR_UNREADABLE: no longer: The file of calendar holidays cannot be used: no such file.',
    'SELF CALENDAR_UNREADABLE still stands: The file of calendar plant cannot be used: no such file.',
  ])
  expect(site.of('CALENDAR_UNREADABLE')).toEqual(['raised'])
  site.self.observers.calendar('plant', null)
  await site.pass(10_000)
  expect(site.of('CALENDAR_UNREADABLE')).toEqual(['raised', 'cleared'])
})

test('a second destination that is down is one more message, and the alert is over with the last one', async () => {
  const site = world()
  site.state.destinations.set('ops-slack', {})
  const fail = (destination: string) =>
    site.self.observers.delivery({ ...(attempt('retry') as object), destination } as never)
  thrice(() => fail('ops-mail'))
  await site.pass(6 * MINUTE)
  thrice(() => fail('ops-slack'))
  await site.pass(6 * MINUTE)
  expect(site.of('DESTINATION_DOWN')).toEqual(['raised', 'raised'])
  expect(site.log.of('error').filter((line) => line.startsWith('SELF DESTINATION_DOWN'))).toHaveLength(2)
  site.self.observers.delivery(attempt('delivered'))
  await site.pass(10_000)
  expect(site.of('DESTINATION_DOWN')).toEqual(['raised', 'raised'])
  // It is not in the configuration any more.
  site.state.destinations.delete('ops-slack')
  await site.pass(10_000)
  expect(site.of('DESTINATION_DOWN')).toEqual(['raised', 'raised', 'cleared'])
})

test('what happened while nothing could be stored is told as soon as it can be, and is over an hour later', async () => {
  const site = world()
  site.state.isFull = true
  site.self.observers.delivery(dead())
  await site.pass(MINUTE)
  expect(site.of('DEAD_LETTERS')).toEqual([])
  site.state.isFull = false
  await site.pass(MINUTE)
  expect(site.of('DEAD_LETTERS')).toEqual(['raised'])
  await site.pass(61 * MINUTE)
  expect(site.of('DEAD_LETTERS')).toEqual(['raised', 'cleared'])
})

test('dead deliveries of self-alerts raise nothing', async () => {
  const site = world()
  site.self.observers.delivery(dead('self'))
  await site.pass(MINUTE)
  expect(site.told).toEqual([])
})

test('a repository that refuses is not called unreachable: the missing right is named', async () => {
  const site = world()
  const call = { method: 'GET', endpoint: 'executionresult/full', host: 'qs', port: 4242, expectedStatus: [200] }
  const error = new QrsError('status', call, { status: 403 })
  const refuse = () => site.self.observers.qrsRequest('status', 1, { ...ASKED, error })
  for (let n = 0; n < 3; n += 1) {
    refuse()
    await site.pass(3 * MINUTE)
  }
  expect(JSON.stringify(site.told)).toMatch(
    /only failed for five minutes: QRS answered 403: .* to read ExecutionResult_\*/,
  )
})

test('two failures are no outage, however long ago', async () => {
  const site = world()
  site.self.observers.qrsRequest('timeout', 1, ASKED)
  site.self.observers.qrsRequest('timeout', 1, ASKED)
  await site.pass(20 * MINUTE)
  expect(site.told).toEqual([])
})

test('half of the backlog is told before it is full', async () => {
  const site = world()
  site.state.pending = 501
  await site.pass(5000)
  site.state.pending = 480
  await site.pass(5000)
  expect(site.of('BACKLOG_GROWING')).toEqual(['raised'])
  site.state.pending = 1000
  await site.pass(5000)
  site.state.pending = 10
  await site.pass(2 * MINUTE)
  expect(site.told.map(({ code, outcome }) => `${code} ${outcome}`)).toEqual([
    'BACKLOG_GROWING raised',
    'BACKLOG_FULL raised',
    'BACKLOG_GROWING cleared',
    'BACKLOG_FULL cleared',
  ])
})

describe('several nodes', () => {
  test('what all of them see is reported by the first that lives', async () => {
    const site = world()
    const now = () => site.state.now
    const third = nodeInfo(now, { name: 'node-3', seenAgoMs: 70_000 })
    site.state.cluster.nodes = [nodeInfo(now, { name: 'node-0' }), nodeInfo(now, { name: 'node-1' }), third]
    await site.pass(MINUTE)
    expect(site.of('CLUSTER_NODE_LOST')).toEqual([])
    site.state.cluster.nodes = [
      nodeInfo(now, { name: 'node-0', seenAgoMs: 40_000 }),
      nodeInfo(now, { name: 'node-1' }),
      third,
    ]
    await site.pass(MINUTE)
    expect(site.of('CLUSTER_NODE_LOST')).toEqual(['raised'])
    site.state.cluster.nodes = [nodeInfo(now, { name: 'node-0' }), nodeInfo(now, { name: 'node-1' })]
    await site.pass(MINUTE)
    expect(site.of('CLUSTER_NODE_LOST')).toEqual(['raised', 'cleared'])
  })

  test('what all nodes see is reported by one that can write its disk', async () => {
    const site = world()
    const { state } = site
    const lacks = { health: { lacks: { disk: 'ENOSPC' } } }
    // The first by name cannot store an alert.
    state.cluster.nodes = [nodeInfo(() => state.now, { name: 'node-0', ...lacks }), ...state.cluster.nodes]
    await site.pass(MINUTE)
    expect(site.of('CLUSTER_NODE_UNFIT')).toEqual(['raised'])
    expect(site.told.find(({ code }) => code === 'CLUSTER_NODE_UNFIT')?.message?.logMessage).toStartWith('Node node-0 ')
  })

  test('a node that was stopped is not lost, and nothing is known without the database', async () => {
    const site = world()
    withSecond(site.state, { mode: 'leaving', seenAgoMs: 7_200_000 })
    await site.pass(MINUTE)
    withSecond(site.state, { seenAgoMs: 7_200_000 })
    site.state.cluster.database = {
      host: null,
      timeline: null,
      isUp: false,
      isRefused: false,
      isWaitedFor: false,
      reason: 'away',
      downForMs: 3000,
    }
    await site.pass(MINUTE)
    expect(site.told).toEqual([])
  })

  test('a node that the database refuses says so, and what it does meanwhile', async () => {
    const site = world()
    const reason = 'it refuses this node: pg1: password authentication failed'
    const database = { host: null, timeline: null, isUp: false, isRefused: true, reason, downForMs: 12_000 }
    Object.assign(site.state.cluster, { mode: 'alone', database })
    await site.pass(MINUTE)
    expect(site.of('CLUSTER_DATABASE_DOWN')).toEqual(['raised'])
    expect(JSON.stringify(site.told)).toContain('has not let node node-1 in')
    expect(clusterHealth(site.state.cluster, site.state.now)).toMatchObject({
      state: 'down',
      reason: expect.stringContaining('password authentication failed'),
    })
  })
})
