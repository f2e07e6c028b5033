/** The event pipeline with its ingest worker, a repository made of tables, and a router that only listens. */

import { createSocket } from 'node:dgram'
import type { z } from 'zod'
import { createRouter } from '../../src/alerts/router.ts'
import type { Rule } from '../../src/alerts/types.ts'
import { createLocalState } from '../../src/cluster/local.ts'
import type { EventCompleter } from '../../src/events/completer.ts'
import { type DeliveryLimits, type DistributeConfig, udpServerConfig } from '../../src/events/config.ts'
import { createEventEmitter } from '../../src/events/emit.ts'
import type { EventRouter } from '../../src/events/event-router.ts'
import { createEventPipeline } from '../../src/events/pipeline.ts'
import type { Need, TaskEvent } from '../../src/events/types.ts'
import { createGroupWriter } from '../../src/platform/group-commit.ts'
import type { QrsClient } from '../../src/qlik/qrs/types.ts'
import { APP_ID, pipelineDatabase, TASK_ID } from './events.ts'
import { type FakeQrs, fakeQrs, QrsDown } from './fake-qrs.ts'
import { freeUdpPort } from './ports.ts'
import { recordingLog } from './recording-log.ts'
import { type TempDirectory, tempDirectory } from './temp.ts'

export const EXECUTION = 'e5000000-0000-4000-8000-000000000001'

export interface PipelineOptions {
  qrs?: FakeQrs
  /** Instead of `qrs`: the client of a simulated site. */
  client?: QrsClient
  /** The same behind a cache; default: `client`. */
  cachedClient?: QrsClient
  completer?: EventCompleter
  needs?: readonly Need[]
  /** Deliveries are made by these, and stay in the database. */
  routes?: readonly Rule[]
  delivery?: Partial<DeliveryLimits>
  distribute?: Partial<DistributeConfig>
  sharedSecrets?: string[]
  /** Default: true. */
  qrsConnection?: boolean
  udp?: z.input<typeof udpServerConfig>
  /** Smaller than a configuration may make it, too. */
  messageQueue?: { maxConcurrent: number; maxSize: number }
  directory?: TempDirectory
}

const open: (() => Promise<void>)[] = []

/** For `afterEach`: stops every pipeline that a test has left running. */
export async function closePipelines(): Promise<void> {
  for (const close of open.splice(0)) await close()
}

export async function startPipeline(options: PipelineOptions = {}) {
  const directory = options.directory ?? tempDirectory()
  const db = pipelineDatabase(directory.join('footman.db'))
  const writer = createGroupWriter(db)
  const log = recordingLog()
  const qrs = options.qrs ?? fakeQrs()
  const arrived: TaskEvent[] = []
  const routed: TaskEvent[] = []
  const needs: ReadonlySet<Need> = new Set(options.needs ?? ['app', 'owner', 'execution', 'scriptLog'])
  const early: TaskEvent[] = []
  const clock = { now: () => Date.now() }
  const made = options.routes && createRouter({ clock, log, onDeliveries: () => undefined }, options.routes)
  const router: EventRouter = {
    handle(tx, event, awaited) {
      const stage = awaited === 'everything' ? arrived : awaited.size > 0 ? early : routed
      stage.push(event)
      made?.handle(tx, event, awaited)
    },
    countReady: made?.countReady ?? (() => 0),
    needs: made?.needs ?? (() => needs),
    logUse: made?.logUse ?? (() => 'messages'),
    wake: () => undefined,
  }
  const port = await freeUdpPort()
  const statuses: string[] = []
  const udp = udpServerConfig.parse({
    enable: true,
    serverHost: '127.0.0.1',
    portTaskFailure: port,
    ...options.udp,
  })
  const pipeline = createEventPipeline(
    {
      db,
      writer,
      qrs: options.client ?? qrs,
      cachedQrs: options.cachedClient ?? options.client ?? qrs,
      router,
      completer: options.completer,
      clock,
      log,
      isUnreachable: (error) => error instanceof QrsDown,
      shared: createLocalState(clock),
      acceptEvent: () => null,
      onUdpStatus: (status) => void statuses.push(status),
      workerEntry: new URL('../../src/main.ts', import.meta.url),
    },
    {
      dataDirectory: directory.path,
      qrsConnection: options.qrsConnection ?? true,
      udpServerConfig: { ...udp, messageQueue: { ...udp.messageQueue, ...options.messageQueue } },
      footman: {
        udp: { sharedSecrets: options.sharedSecrets ?? [] },
        distribute: { pollInterval: 30_000, maxAge: 21_600_000, ...options.distribute },
        delivery: {
          maxBacklog: 1_000_000,
          memoryBacklog: 10_000,
          enrichmentTimeout: 60_000,
          finalStatusTimeout: 600_000,
          ...options.delivery,
        },
      },
    },
  )
  const emitter = createEventEmitter({ writer, router, clock, wakeEnricher: pipeline.wake }, { waitMs: 60_000 })
  await pipeline.start()
  const socket = createSocket('udp4')
  const send = (text: string | Uint8Array) =>
    new Promise<void>((resolve, reject) =>
      socket.send(text, port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    )
  let ended = false
  const close = async () => {
    if (ended) return
    ended = true
    socket.close()
    await pipeline.stop(1000)
    db.close()
    if (!options.directory) directory.remove()
  }
  open.push(close)
  const dropped = () =>
    db.all<{ reason: string }>('SELECT reason FROM dropped_datagram ORDER BY seq').map((row) => row.reason)
  return { pipeline, emitter, send, arrived, early, routed, log, db, qrs, statuses, dropped, close, port, writer }
}

/** A scheduler datagram: a failed reload unless the fields say otherwise. */
export function message(
  fields: {
    type?: string
    execution?: string
    task?: string
    taskId?: string
    name?: string
    app?: string
    text?: string
  } = {},
): string {
  return [
    fields.type ?? '/scheduler-task-failed/',
    'QS-CENTRAL',
    fields.name ?? 'Financial Dashboard Reload',
    fields.app ?? 'Sales Dashboard',
    'INTERNAL\\sa_scheduler',
    fields.taskId ?? TASK_ID,
    APP_ID,
    '2026-03-02 07:03:11,482',
    'INFO',
    fields.execution ?? EXECUTION,
    fields.text ?? 'Max retries reached',
  ].join(';')
}
