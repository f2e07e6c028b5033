/** Report tasks: definitions, runs, delivery. Loaded only where `Butler.footman.reportTask.enable` is on. */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { ConfigPaths } from '../config/paths.ts'
import { type Caller, requireScope } from '../http/endpoint/caller.ts'
import type { ApiRoute } from '../http/endpoint/route.ts'
import { type Blobs, createBlobs } from '../platform/blobs.ts'
import { errorText } from '../platform/errors.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { mayReach } from '../platform/mqtt-topics.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { EngineSettings } from '../qlik/engine/client.ts'
import type { SenderRules } from './addresses.ts'
import type { ConditionFacts } from './conditions.ts'
import type { ReportTaskConfig } from './config.ts'
import { reportDirectory } from './directory.ts'
import type { Definition } from './entities/task.ts'
import { firingsBetween, type ReportFiring } from './firings.ts'
import { requireSources } from './http/common.ts'
import { reportRoutes } from './http/index.ts'
import { createHub, type Hub } from './hub/index.ts'
import type { HubParts } from './hub/types.ts'
import { guardMailer, type ReportMailer } from './mailer.ts'
import type { MailTemplates } from './runs/carriers.ts'
import { createChannels, SHADOW_CHANNELS } from './runs/channels.ts'
import { createDeliverer } from './runs/deliver.ts'
import { createNote } from './runs/events.ts'
import { createLedger, type Ledger, type LedgerDeps } from './runs/ledger.ts'
import { createRunLog, type RunLog } from './runs/log.ts'
import type { GroupMember } from './runs/recipients.ts'
import type { PrepareSettings } from './runs/request.ts'
import { createRunner } from './runs/runner.ts'
import { fileIn, type StorageSpace } from './runs/storage.ts'
import { createPreparer } from './runs/worker.ts'
import { createDefinitionStore, type DefinitionStore } from './store.ts'
import { createOfficeFiles } from './templates/check-worker.ts'
import { createConverter } from './templates/converter.ts'
import { createTriggers, type Triggers, type TriggersDeps } from './triggers/index.ts'
import { finishedMessage } from './triggers/messages.ts'

interface ReportsDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly paths: ConfigPaths
  readonly workerEntry?: URL | undefined
  /** Address and user of the engine; asked for each run, so that renewed certificates are used. */
  readonly engine: () => EngineSettings
  /** Members of dynamic groups. Rejects with `REPOSITORY_UNREACHABLE`. */
  readonly members: (
    definition: Definition,
    signal: AbortSignal,
  ) => Promise<Readonly<Record<string, readonly GroupMember[]>>>
  readonly facts: Pick<ConditionFacts, 'taskState' | 'keyValue'>
  readonly mailer: ReportMailer & { close(): void }
  readonly templates: MailTemplates
  /** Source of events of Qlik Sense; null without a connection. */
  readonly qlik: TriggersDeps['qlik']
  readonly mqtt: TriggersDeps['mqtt']
  readonly keyValues: TriggersDeps['keyValues']
  /** Called in the transaction that ends a run, or that skips it. */
  readonly onEnded: LedgerDeps['onEnded']
}

interface ReportsSettings {
  readonly section: ReportTaskConfig
  /** Where the section names none. */
  readonly timezone: string
  /** Data directory of Footman, absolute. */
  readonly dataDirectory: string
  /** Address of the REST server, for links where `baseUrl` is not set. */
  readonly serverUrl: string
  /** `Butler.footman.email.testMode.address` while that is on. */
  readonly testAddress: string | null
  /** Receive and record everything, send nothing. */
  readonly shadow: boolean
  /** On a satellite no trigger fires. */
  readonly role: 'primary' | 'satellite'
}

export interface Reports {
  readonly routes: readonly ApiRoute[]
  /** For the pages of readers; null where the hub is off. */
  readonly hub: HubParts | null
  readonly services: readonly Service[]
  readonly observers: Triggers['observers']
  /** Runs that wait. */
  queueLength(): number
  /** Sessions that runs have open at the engine. */
  engineSessions(): number
  /** Firings of schedules in [from, to): those that happened, and those that are planned. */
  firings(from: number, to: number): ReportFiring[]
  /**
   * Throws 401 or 403 unless the caller may start the report tasks that a message on the MQTT topic may start, also those that are
   * off now.
   */
  admitMessage(caller: Caller, topic: string): void
  readonly messageOf: typeof finishedMessage
}

const ENGINE_RETRY_MS = [10_000, 60_000]
const PRUNE_MS = 3_600_000
const DAY_MS = 86_400_000

const FIRED_DAYS = 90

export function createReports(deps: ReportsDeps, settings: ReportsSettings): Reports {
  const { db, writer, clock, paths } = deps
  const { section } = settings
  const log = deps.log.child('reports')
  const directory = reportDirectory(section, paths, settings.dataDirectory)
  const temporaryDirectory = join(directory, 'tmp')
  const timezone = section.defaultTimezone || settings.timezone
  const base = (section.baseUrl || settings.serverUrl).replace(/\/$/, '')
  const prepareSettings = prepareSettingsOf(section, paths, temporaryDirectory, timezone)
  const rules: SenderRules = {
    allowedDomains: section.allowedRecipientDomains,
    fromAddress: section.fromAddress || `Footman <footman@${hostname()}>`,
  }
  const mailer = guardMailer(deps.mailer, rules)
  const blobs = createBlobs(directory)
  const stopping = new AbortController()
  const ledger = createLedger({ db, writer, log, stop: stopping.signal, onEnded: deps.onEnded })
  const runLog = createRunLog({ log, clock }, join(directory, 'logs'))
  const note = createNote({ ledger, clock, runLog })
  const converter = createConverter(prepareSettings)
  let converterFound = prepareSettings.officeConverter.enable !== 'off'
  const store = createDefinitionStore(
    { db, writer, clock },
    {
      ...rules,
      secrets: Object.keys(section.secrets),
      storageSpaces: section.storageSpaces,
      hubEnabled: section.hub.enable,
      converterFound: () => converterFound,
    },
  )
  const spaces = new Map<string, StorageSpace>(section.storageSpaces.map((space) => [space.id, space]))
  const hub = openHub({ db, writer, clock, log, blobs, mailer, store, ledger }, settings, { ...rules, base, timezone })
  const factsOf = createFacts(deps.facts, ledger, spaces)
  const preparer = createPreparer({
    engine: deps.engine,
    factsOf,
    dataDirectory: directory,
    log,
    workerEntry: deps.workerEntry,
  })
  const channels = settings.shadow
    ? SHADOW_CHANNELS
    : createChannels(
        { clock, blobs, ledger, runLog, spaces, mailer, templates: deps.templates, hub },
        { ...rules, section, base, temporaryDirectory, timezone },
      )
  const deliverer = createDeliverer({ ledger, clock, log, note, line: runLog.line, ...channels })
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
      definitionOf: (taskId) => store.definitionOf(taskId) ?? null,
      members: deps.members,
      prepare: preparer.prepare,
      onFinished: (run) => triggers.finished(run),
    },
    {
      concurrentRuns: Math.min(section.concurrentRuns, section.concurrentEngineSessions),
      deadlineMinutes: section.delivery.deadlineMinutes,
      onUnknown: section.delivery.onUnknown,
      limits: section.limits,
      prepare: prepareSettings,
      hubEnabled: section.hub.enable,
      testAddress: settings.testAddress,
      ...rules,
    },
  )
  const triggers = createTriggers(
    {
      db,
      writer,
      clock,
      log,
      ledger,
      runner,
      tasks: () => store.list('task'),
      onChange: (listener) =>
        store.onChange((changed) => (changed.some(({ kind }) => kind === 'task') ? listener() : undefined)),
      qlik: deps.qlik,
      mqtt: deps.mqtt,
      keyValues: deps.keyValues,
    },
    {
      active: settings.role === 'primary' && !settings.shadow,
      timezone,
      pollMs: section.qlikEventPollSeconds * 1000,
    },
  )
  store.onChange((changed) => {
    for (const { kind, id } of changed) {
      if (kind !== 'task' || store.get('task', id)) continue
      runner.cancelWaiting(id).catch((error: unknown) => log.error(`REPORTTASK: ${errorText(error)}`, { fault: error }))
    }
  })
  const pruning = createRecurringJob(
    {
      everyMs: PRUNE_MS,
      firstMs: PRUNE_MS,
      unref: true,
      onError: (error) => log.error(`REPORTTASK: clean-up failed: ${String(error)}`),
    },
    () => prune({ ledger, runLog, store, hub, blobs }, section.retention.runDays, clock.now()),
  )

  const service: Service = {
    name: 'report tasks',
    async start() {
      await emptyFolder(temporaryDirectory)
      // Until it is looked for, a converter counts as there: a run that needs it says when it is missing.
      void converter.find().catch(() => {
        converterFound = false
      })
      await hub?.start()
      await runner.start()
      await triggers.start()
      pruning.start()
    },
    async stop(graceMs) {
      await Promise.all([pruning.stop(), triggers.stop(graceMs)])
      await runner.stop(graceMs)
      await hub?.stop()
      deps.mailer.close()
    },
  }
  const office = createOfficeFiles(deps.workerEntry)
  const endpoints = section.restApi.enable
    ? reportRoutes({
        store,
        ledger,
        runner,
        runLog,
        blobs,
        clock,
        timezone,
        facts: () => factsOf(''),
        nextRunAt: triggers.nextRunAt,
        storageSpaces: section.storageSpaces,
        checkTemplate: (bytes, fileName, report) => office.checkTemplate(bytes, fileName, report, section.limits),
        readTable: office.readTable,
        templateDirectory: prepareSettings.templateDirectory,
        maxTemplateMb: section.limits.maxTemplateMb,
        allowedDomains: rules.allowedDomains,
      })
    : []
  return {
    routes: [...endpoints, ...(hub?.routes ?? [])],
    hub: hub?.parts ?? null,
    services: [service],
    observers: triggers.observers,
    queueLength: () => runner.counts.queued,
    engineSessions: preparer.sessions,
    firings: (from, to) => firingsBetween({ db, clock, triggers, tasks: () => store.list('task') }, from, to),
    admitMessage(caller, topic) {
      for (const { id, triggers } of store.list('task')) {
        if (!triggers.some((one) => one.type === 'mqtt' && mayReach(one.topic, topic))) continue
        requireScope(caller, 'report:run')
        requireSources(caller, store.definitionOf(id)?.conditions ?? [])
      }
    },
    messageOf: finishedMessage,
  }
}

interface HubSources extends Pick<ReportsDeps, 'db' | 'writer' | 'clock' | 'log'> {
  readonly blobs: Blobs
  readonly mailer: ReportMailer
  readonly store: DefinitionStore
  readonly ledger: Ledger
}

/** Null where it is off. */
function openHub(
  { store, ledger, mailer, ...parts }: HubSources,
  { section, shadow, testAddress }: ReportsSettings,
  place: SenderRules & { readonly base: string; readonly timezone: string },
): Hub | null {
  if (!section.hub.enable) return null
  return createHub(
    {
      ...parts,
      // In shadow mode nothing is sent, links for the login included.
      mailer: shadow ? { send: async () => ({ outcome: 'sent', detail: 'shadow mode' }) } : mailer,
      recipients: () => store.list('recipient'),
      testers: () => store.list('task').flatMap(({ testMode }) => testMode.address ?? []),
      hasRun: (id) => ledger.run(id) !== null,
    },
    { ...section.hub, ...section.retention, ...place, restApi: section.restApi.enable, testAddress },
  )
}

function prepareSettingsOf(
  section: ReportTaskConfig,
  paths: ConfigPaths,
  temporaryDirectory: string,
  timezone: string,
): PrepareSettings {
  const { limits, officeConverter } = section
  return {
    templateDirectory: paths.input(section.templateDirectory),
    temporaryDirectory,
    fonts: section.fonts.map((font) => paths.input(font)),
    officeConverter: { ...officeConverter, path: officeConverter.path && paths.input(officeConverter.path) },
    limits: { maxRowsPerTable: limits.maxRowsPerTable, maxTemplateMb: limits.maxTemplateMb },
    maxDocumentsPerRun: limits.maxDocumentsPerRun,
    maxRenderSeconds: limits.maxRenderSeconds,
    allowedRecipientDomains: section.allowedRecipientDomains,
    timezone,
    locale: section.defaultLocale,
    secrets: section.secrets,
    engineRetryMs: ENGINE_RETRY_MS,
  }
}

/** Facts for the conditions of a task. */
function createFacts(
  facts: ReportsDeps['facts'],
  ledger: Pick<Ledger, 'lastDelivered'>,
  spaces: ReadonlyMap<string, StorageSpace>,
): (taskId: string) => ConditionFacts {
  return (taskId) => ({
    ...facts,
    async file(spaceId, path) {
      const space = spaces.get(spaceId)
      if (!space) throw new Error(`there is no storage space ${spaceId}`)
      return fileIn(space, path)
    },
    async lastRun() {
      const at = ledger.lastDelivered(taskId)
      return at === null ? null : new Date(at)
    },
  })
}

interface Kept {
  readonly ledger: Ledger
  readonly runLog: RunLog
  readonly store: DefinitionStore
  readonly hub: Hub | null
  readonly blobs: Blobs
}

/** Removes what is older than the retention. `runDays`: 0 = runs stay for ever; `now` in milliseconds since 1970. */
async function prune({ ledger, runLog, store, hub, blobs }: Kept, runDays: number, now: number): Promise<void> {
  const before = runDays > 0 ? now - runDays * DAY_MS : 0
  for (const id of await ledger.prune(before, now - FIRED_DAYS * DAY_MS)) await runLog.remove(id)
  await ledger.forgetDeletedTasks()
  if (runDays > 0) await store.pruneAudit(new Date(before).toISOString())
  await hub?.prune()
  const isUsed = (sha256: string) =>
    ledger.usesBlob(sha256) || store.usesBlob(sha256) || (hub?.usesBlob(sha256) ?? false)
  await blobs.removeUnreferenced(isUsed, now - PRUNE_MS)
}

/** Without the leftovers of documents that were under way when the process ended. */
async function emptyFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  for (const name of await readdir(path)) await rm(join(path, name), { recursive: true, force: true })
}
