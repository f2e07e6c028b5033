/** Runs of report tasks on a real database, with documents and channels that a test decides about. */
import { createGroupWriter } from '../../src/platform/group-commit.ts'
import { openDatabase } from '../../src/platform/sqlite.ts'
import type { Stored } from '../../src/reports/entities/fields.ts'
import { type Definition, type ReportTask, reportTask } from '../../src/reports/entities/task.ts'
import { reportMigrations } from '../../src/reports/migrations.ts'
import { DEFAULT_OPTIONS, type StartRequest } from '../../src/reports/runs/admission.ts'
import type { RunEvent } from '../../src/reports/runs/contract.ts'
import { type Carrier, createDeliverer, type DelivererDeps } from '../../src/reports/runs/deliver.ts'
import { createNote } from '../../src/reports/runs/events.ts'
import { createLedger, type LedgerDeps } from '../../src/reports/runs/ledger.ts'
import type { RunLog } from '../../src/reports/runs/log.ts'
import type { PreparedDocument } from '../../src/reports/runs/plan.ts'
import type { Prepared } from '../../src/reports/runs/prepare.ts'
import { stranger } from '../../src/reports/runs/recipients.ts'
import { createRunner, type RunnerDeps, type RunnerSettings } from '../../src/reports/runs/runner.ts'
import { recordingLog } from './recording-log.ts'
import { until } from './wait.ts'

export const REPORT = '0d9c9a0e-97b1-4b7c-8c55-0b6a3f6f4a11'
export const TASK = '5b0f6c1e-3a0e-4c6b-9f1d-6c1a2b3c4d5e'
const SAVED = {
  createdAt: '2026-01-01T00:00:00.000Z',
  createdBy: 'x',
  modifiedAt: '2026-01-01T00:00:00.000Z',
  modifiedBy: 'x',
  revision: 1,
}

/** A definition with one report `pack`; members of the task replace those of the example. */
export function exampleDefinition(task: object = {}): Definition {
  const parsed = reportTask().parse({
    name: 'Weekly sales pack',
    enabled: true,
    reports: [{ key: 'pack', reportId: REPORT, format: 'pdf', deliver: { email: 'attach' } }],
    email: { enabled: true, subject: 'Weekly sales' },
    ...task,
  })
  const stored = { ...parsed, id: TASK, ...SAVED } as Stored<ReportTask>
  const report = { id: REPORT, name: 'Sales pack', project: 'default', filterIds: [], ...SAVED }
  return {
    task: stored,
    reports: [report as unknown as Definition['reports'][number]],
    filters: [],
    conditions: [],
    recipients: [],
    groups: [],
  }
}

/** A document that exists without a file. */
export function exampleDocument(changes: Partial<PreparedDocument> = {}): PreparedDocument {
  return {
    id: 'b7c0d1e2-0000-4000-8000-000000000001',
    runId: '',
    report: 'pack',
    sha256: 'a'.repeat(64),
    fileName: 'Sales pack.pdf',
    format: 'pdf',
    mediaType: 'application/pdf',
    bytes: 1000,
    cycle: [],
    variant: '',
    reader: null,
    seq: 1,
    mailTo: null,
    hubTo: null,
    folders: null,
    expressions: {},
    images: [],
    ...changes,
  }
}

/** The result of a run for these addresses: one document for all of them. */
export function prepared(addresses: readonly string[], changes: Partial<Prepared> = {}): Prepared {
  return {
    skipped: null,
    app: { name: 'Sales', lastReload: null },
    people: addresses.map((address) => stranger(address, { email: true, hub: false })),
    variants: Object.fromEntries(addresses.map((address) => [address, ''])),
    documents: [exampleDocument()],
    missing: [],
    conditions: [],
    states: { delivered: {}, notDelivered: {} },
    ...changes,
  }
}

export interface RunScene {
  readonly file: string
  readonly definition?: Definition
  /** The definition of every task; default `definition`. */
  readonly definitionOf?: RunnerDeps['definitionOf']
  readonly clock?: { now(): number }
  readonly carriers?: Partial<Record<'email' | 'storage' | 'hub' | 'notification', Carrier>>
  readonly prepare?: RunnerDeps['prepare']
  readonly settings?: Partial<RunnerSettings>
  readonly throttle?: DelivererDeps['throttle']
  readonly onEnded?: LedgerDeps['onEnded']
  readonly runLog?: RunLog
}

const sent: Carrier = async () => ({ state: 'sent', detail: '' })

/** A Footman of report tasks on the database `file`. Several scenes on one file follow each other, like restarts. */
export function runScene(scene: RunScene) {
  const { file, definition = exampleDefinition(), clock = Date } = scene
  const db = openDatabase(file, { migrations: reportMigrations })
  const writer = createGroupWriter(db)
  const log = recordingLog()
  const stopping = new AbortController()
  const ledger = createLedger({ db, writer, log, stop: stopping.signal, onEnded: scene.onEnded ?? (() => {}) })
  const lines: string[] = []
  const runLog =
    scene.runLog ??
    ({ line: (_run: unknown, _level: unknown, text: string) => void lines.push(text) } as unknown as RunLog)
  const note = createNote({ ledger, clock, runLog })
  const deliverer = createDeliverer(
    {
      ledger,
      clock,
      log,
      carriers: { email: sent, storage: sent, hub: sent, notification: sent, ...scene.carriers },
      throttle: scene.throttle ?? (async () => {}),
      note,
      line: (_run, _level, text) => void lines.push(text),
    },
    Object.fromEntries(
      (['email', 'storage', 'hub', 'notification'] as const).map((channel) => [
        channel,
        { delaysMs: [20], most: channel === 'storage' ? 3 : null, failedCode: 'STORAGE_FAILED' as const },
      ]),
    ) as unknown as Parameters<typeof createDeliverer>[1],
  )
  const runner = createRunner(
    {
      ledger,
      writer,
      clock,
      log,
      runLog,
      note,
      stopping,
      deliverer,
      definitionOf: scene.definitionOf ?? (() => definition),
      members: async () => ({}),
      prepare: scene.prepare ?? (async () => prepared(['a@x.com', 'b@x.com', 'c@x.com'])),
      onFinished: () => {},
    },
    {
      concurrentRuns: 2,
      deadlineMinutes: 240,
      onUnknown: 'hold',
      limits: { maxMailsPerRun: 2000, maxAttachmentMb: 20 },
      prepare: { timezone: 'UTC', locale: 'en-GB' } as RunnerSettings['prepare'],
      hubEnabled: true,
      testAddress: null,
      allowedDomains: [],
      fromAddress: 'reports@acme.example',
      ...scene.settings,
    },
  )
  const start = (changes: Partial<StartRequest> = {}) =>
    runner.admit({
      task: definition.task,
      trigger: {
        type: 'manual',
        triggerId: null,
        key: '',
        firedAt: new Date(clock.now()).toISOString(),
        detail: {},
      },
      identity: null,
      options: DEFAULT_OPTIONS,
      force: false,
      ...changes,
    })
  return {
    db,
    ledger,
    runner,
    lines,
    log,
    start,
    finished: (id: string) =>
      until(() => (ledger.run(id)?.state === 'finished' ? ledger.run(id) : null), {
        what: 'the end of the run',
        state: () => [ledger.run(id), ledger.deliveries(id), log],
      }),
    codes: (id: string) => ledger.events(id).map(({ code }: RunEvent) => code),
    states: (id: string, channel = 'email') =>
      ledger
        .deliveries(id)
        .filter((one) => one.channel === channel)
        .map(({ state }) => state),
    /** The end of the process without any farewell: nothing of it reaches the database any more. */
    kill: () => db.close(),
  }
}
