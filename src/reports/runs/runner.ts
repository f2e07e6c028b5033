/**
 * Runs of report tasks: the queue, the steps of a run, and what a restart finds. A run
 * that was queued survives the end of the process; a run whose plan was complete is only delivered further.
 */

import { within } from '../../platform/deadline.ts'
import { errorWithoutPath } from '../../platform/file-errors.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { addressProblem, type SenderRules } from '../addresses.ts'
import { levelOf, ReportError, type RunCode } from '../codes.ts'
import type { Definition, Outcome, ReportTask } from '../entities/task.ts'
import type { RunEvent, RunOptions } from '../types.ts'
import { type Admission, decide, type StartRequest } from './admission.ts'
import { type Deliverer, OUTCOME_MAIL } from './deliver.ts'
import { countsOf, type DeliveryRecord, type Ledger, type NewDelivery, type RunRecord, type Sealed } from './ledger.ts'
import type { RunLog } from './log.ts'
import { planNotifications, type Wait } from './notify.ts'
import { type Plan, planDeliveries } from './plan.ts'
import { warnOfPlan } from './plan-warnings.ts'
import type { Prepared } from './prepare.ts'
import { type GroupMember, isUsable } from './recipients.ts'
import type { PrepareRequest, PrepareSettings } from './request.ts'
import { addResend, type ResendRequest } from './resend.ts'

export interface RunnerDeps {
  readonly ledger: Ledger
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly runLog: RunLog
  /** Aborted by the stop. */
  readonly stopping: AbortController
  readonly deliverer: Deliverer
  /** Null when the task is gone. */
  readonly definitionOf: (taskId: string) => Definition | null
  /** Members of the dynamic groups of a definition. Rejects with `REPOSITORY_UNREACHABLE`. */
  readonly members: (
    definition: Definition,
    signal: AbortSignal,
  ) => Promise<Readonly<Record<string, readonly GroupMember[]>>>
  readonly prepare: (
    request: PrepareRequest,
    observe: { readonly note: (event: Omit<RunEvent, 'at' | 'level'>) => void; readonly line: (text: string) => void },
    signal: AbortSignal,
  ) => Promise<Prepared>
  /** Called once the end of a run is on disk; not for starts that were skipped at once. */
  readonly onFinished: (run: RunRecord) => void
}

export interface RunnerSettings extends SenderRules {
  readonly concurrentRuns: number
  readonly deadlineMinutes: number
  readonly onUnknown: 'hold' | 'resend'
  readonly limits: { readonly maxMailsPerRun: number; readonly maxAttachmentMb: number }
  readonly prepare: PrepareSettings
  /** Off: tasks that use the hub run without it, with the error `HUB_OFF`. */
  readonly hubEnabled: boolean
  /** Address of test mode for the whole of Footman; null while that is off. */
  readonly testAddress: string | null
}

export interface Runner extends Service {
  start(): Promise<void>
  admit(request: StartRequest): Promise<Admission>
  /** The plan of a task without making or delivering anything. Rejects with a `ReportError`. */
  plan(
    definition: Definition,
    options: RunOptions,
    signal: AbortSignal,
  ): Promise<{ prepared: Prepared; plan: Plan; events: RunEvent[] }>
  /** Evaluates the conditions of a definition; with `render` makes the first document of each report. Rejects like `plan`. */
  tryOut(
    definition: Definition,
    options: RunOptions,
    render: boolean,
    signal: AbortSignal,
  ): Promise<{ prepared: Prepared; events: RunEvent[] }>
  /** False when the run has ended. */
  cancel(runId: string): Promise<boolean>
  /** Cancels the runs of the task that wait, because it was deleted. */
  cancelWaiting(taskId: string): Promise<void>
  /** Null when there is nothing to send again. */
  resend(request: ResendRequest): Promise<RunRecord | null>
  /** Adds an event to a run, and a line to its log. */
  note(run: RunRecord, event: Omit<RunEvent, 'at' | 'level'>): Promise<void>
  /** Runs that wait, and runs under way. */
  readonly counts: { readonly queued: number; readonly running: number }
}

const MAX_ATTEMPTS = 3
const MINUTE_MS = 60_000
export const HUB_OFF = 'the task uses the hub, which is off in Butler.footman.reportTask.hub.enable'
const LATE = 'Footman was down for longer than maxDelayMinutes'

export function createRunner(deps: RunnerDeps, settings: RunnerSettings): Runner {
  const { ledger, writer, clock, log, runLog, stopping, deliverer } = deps
  const running = new Map<
    string,
    {
      readonly taskId: string
      readonly abort: AbortController
      readonly done: Promise<void>
      /** Nothing is done until a delivery is tried again: other runs may begin. */
      isWaiting: boolean
      /** No other run of the task may begin. */
      holdsTask: boolean
    }
  >()
  /** By run: the notifications that are under way. */
  const trailing = new Map<string, Promise<void>>()
  let active = false
  /** A caller waits for the answer: an engine that is away is no reason to let him wait longer. */
  const awaited: PrepareSettings = { ...settings.prepare, engineRetryMs: [] }

  async function note(run: RunRecord, event: Omit<RunEvent, 'at' | 'level'>): Promise<void> {
    const full: RunEvent = { at: new Date(clock.now()).toISOString(), level: levelOf(event.code), ...event }
    const { level, code, report, block, recipient, details } = full
    const where = [
      report && `report=${report}`,
      block && `block=${block}`,
      recipient && `recipient=${recipient}`,
    ].filter(Boolean)
    runLog.line(run, level === 'warning' ? 'warn' : level, [code, ...where, details].join(' '))
    await ledger.addEvent(run.id, full)
  }

  async function admit(request: StartRequest): Promise<Admission> {
    const underWay = () => ({ taskIds: heldTasks(), working: working() })
    const admission = await decide({ ledger, writer, clock, underWay }, settings, request)
    const { task, trigger } = request
    const run = { id: admission.runId }
    if (admission.status === 'skipped')
      runLog.line(run, 'info', `${admission.code} task="${task.name}" trigger=${trigger.type}`)
    if (admission.status === 'merged') runLog.line(run, 'info', `COALESCED trigger=${trigger.type} ${trigger.key}`)
    pump()
    return admission
  }

  const working = () => [...running.values()].filter(({ isWaiting }) => !isWaiting).length
  const heldTasks = () => [...running.values()].filter(({ holdsTask }) => holdsTask).map(({ taskId }) => taskId)

  function pump(): void {
    if (!active) return
    for (const run of ledger.open()) {
      if (working() >= settings.concurrentRuns) return
      if (run.state !== 'queued' || run.cancelled || running.has(run.id)) continue
      if (heldTasks().includes(run.taskId)) continue
      launch(run)
    }
  }

  function launch(run: RunRecord): void {
    const abort = new AbortController()
    const done = carryOut(run, abort.signal)
      .catch((error: unknown) => {
        if (!stopping.signal.aborted)
          log.error(`REPORTTASK: run=${run.id.slice(-8)} ${String(error)}`, { fault: error })
      })
      .finally(() => {
        running.delete(run.id)
        pump()
      })
    running.set(run.id, { taskId: run.taskId, abort, done, isWaiting: false, holdsTask: true })
  }

  // --- A run ---

  /** `cancelled` ends the making of documents; a plan that is complete is ended by the ledger, delivery by delivery. */
  async function carryOut(run: RunRecord, cancelled: AbortSignal): Promise<void> {
    if (run.state !== 'delivering') {
      const end = await makeDocuments(run, AbortSignal.any([cancelled, stopping.signal]))
      if (end) return finish(run, end)
    }
    const sealed = ledger.run(run.id)!
    const deadline = (sealed.sealedAt ?? clock.now()) + settings.deadlineMinutes * MINUTE_MS
    await deliverer.deliver(sealed, ['storage', 'hub', 'email'], deadline, stopping.signal, (open) =>
      whileWaiting(sealed, open),
    )
    await finish(sealed, null)
  }

  /**
   * A peer is in trouble. Runs of other tasks begin meanwhile; mails that wait keep the own task busy, as a server that comes
   * back would get those of all its runs. When it is a storage space, those who get the outcome know it at once, and not when
   * the last attempt has failed.
   */
  async function whileWaiting(run: RunRecord, open: readonly DeliveryRecord[]): Promise<void> {
    const files = open.filter(({ channel, state }) => channel === 'storage' && state === 'retry')
    if (ledger.run(run.id)?.cancelled) return
    const entry = running.get(run.id)
    if (entry) {
      entry.isWaiting = true
      entry.holdsTask = files.length < open.length
      pump()
    }
    if (files.length === 0) return
    if (ledger.deliveries(run.id).some(({ channel }) => channel === 'notification')) return
    const waits = files.map(({ target, lastError, nextAt }) => ({ target, reason: lastError ?? '', nextAt }))
    const notifications = notificationsOf(run, null, [], waits)
    if (notifications.length === 0) return
    await ledger.addNotifications(run.id, notifications)
    trail(run)
  }

  /**
   * Null for `previous`: there is none, or it does not matter. `refused` gets the addresses that no mail may go to. `waits`: what
   * the run waits for; absent when it has ended.
   */
  function notificationsOf(run: RunRecord, previous: RunRecord | null, refused: Refused[], waits?: readonly Wait[]) {
    const definition = ledger.definition(run.id)
    const testAddress = definition ? testAddressOf(run, definition.task, settings) : null
    const isRefused = testAddress !== null && addressProblem(testAddress, settings.allowedDomains) !== null
    if (!definition || run.trigger.type === 'resend' || run.options.dryRun || isRefused) return [] as NewDelivery[]
    const isAllowed = (address: string) =>
      isUsable(
        address,
        settings.allowedDomains,
        (code) => void refused.push({ code, recipient: address, details: `${OUTCOME_MAIL}: ${address}` }),
      )
    return planNotifications({ run, definition, previous, testAddress, isAllowed, ...(waits && { waits }) })
  }

  /** Null when the plan is complete and waits for its delivery; else the end of the run. */
  async function makeDocuments(run: RunRecord, signal: AbortSignal): Promise<End | null> {
    const definition = ledger.definition(run.id) ?? deps.definitionOf(run.taskId)
    if (!definition) return failure('INTERNAL', 'the task was deleted')
    if (run.attempt >= MAX_ATTEMPTS) return failure('INTERNAL', `the run was cut short ${MAX_ATTEMPTS} times`)
    const startedAt = run.startedAt ?? clock.now()
    await ledger.begin(run.id, definition, startedAt)
    const { type, detail } = run.trigger
    const execution = typeof detail.executionId === 'string' ? ` execution=${detail.executionId}` : ''
    runLog.line(run, 'info', `task="${run.taskName}" trigger=${type}${execution}${run.test ? ' test' : ''} started`)
    const limit = AbortSignal.timeout(definition.task.run.timeoutMinutes * MINUTE_MS)
    try {
      requireTestAddress(run, definition.task)
      const request = await requestOf(run, definition, startedAt, true, AbortSignal.any([signal, limit]))
      const events: Promise<void>[] = []
      const observe = {
        note: (event: Omit<RunEvent, 'at' | 'level'>) => void events.push(note(run, event)),
        line: (text: string) => runLog.line(run, 'info', text),
      }
      const prepared = await deps.prepare(request, observe, AbortSignal.any([signal, limit]))
      const plan = prepared.skipped
        ? { deliveries: [], refused: null }
        : await planOf(run, definition, prepared, startedAt, observe.note)
      if (plan.refused) observe.note(plan.refused)
      await Promise.all(events)
      const { documents, app, states, skipped } = prepared
      const deliveries = run.options.dryRun ? plan.deliveries.map(asDry) : plan.deliveries
      await ledger.seal(run.id, documents, deliveries, { app, states, skipped }, clock.now())
      return null
    } catch (error) {
      if (stopping.signal.aborted) {
        // An orderly stop is no attempt: those are limited because of runs that end the process.
        await ledger.park(run.id)
        throw error
      }
      if (ledger.run(run.id)?.cancelled) return { outcome: 'cancelled', code: null, details: '' }
      if (limit.aborted) return failure('RUN_TIMEOUT', `not made within ${definition.task.run.timeoutMinutes} minutes`)
      if (error instanceof ReportError) return failure(error.code, error.details, error.report)
      return failure('INTERNAL', errorWithoutPath(error))
    }
  }

  /** Throws when a test would go to an address that reports may not reach. */
  function requireTestAddress(run: Pick<RunRecord, 'test' | 'options'>, task: ReportTask): void {
    const address = testAddressOf(run, task, settings)
    const problem = address === null ? null : addressProblem(address, settings.allowedDomains)
    if (problem) throw new ReportError('TEST_ADDRESS_REFUSED', `${address}: ${problem.message}`)
  }

  /** The definition with the channels that Footman offers. */
  function usable(definition: Definition): Definition {
    const { task } = definition
    return settings.hubEnabled ? definition : { ...definition, task: { ...task, hub: { ...task.hub, enabled: false } } }
  }

  async function requestOf(
    run: Pick<RunRecord, 'id' | 'options' | 'taskId'>,
    definition: Definition,
    startedAt: number,
    render: boolean,
    signal: AbortSignal,
    prepare = settings.prepare,
  ): Promise<PrepareRequest> {
    return {
      runId: run.id,
      startedAt,
      definition: usable(definition),
      options: run.options,
      members: await deps.members(definition, signal),
      states: ledger.conditionStates(run.taskId),
      render,
      preview: false,
      settings: prepare,
    }
  }

  function planOf(
    run: Pick<RunRecord, 'id' | 'test' | 'options'>,
    definition: Definition,
    prepared: Prepared,
    startedAt: number,
    addEvent: (event: Omit<RunEvent, 'at' | 'level'>) => void,
  ): Promise<Plan> {
    const { timezone, locale } = settings.prepare
    if (definition.task.hub.enabled && !settings.hubEnabled) addEvent({ code: 'HUB_OFF', details: HUB_OFF })
    return planDeliveries({
      runId: run.id,
      definition: usable(definition),
      documents: prepared.documents,
      missing: prepared.missing,
      people: prepared.people,
      variants: prepared.variants,
      app: prepared.app,
      startedAt: new Date(startedAt),
      timezone,
      locale,
      testAddress: testAddressOf(run, definition.task, settings),
      limits: settings.limits,
      allowedDomains: settings.allowedDomains,
      fromAddress: settings.fromAddress,
      note: (code, details) => addEvent({ code, details }),
    })
  }

  interface End {
    readonly outcome: Outcome
    readonly code: RunCode | null
    readonly details: string
    /** Key of the report that ends the run. */
    readonly report?: string | undefined
  }
  const failure = (code: RunCode, details: string, report?: string): End => ({
    outcome: 'error',
    code,
    details,
    report,
  })

  async function finish(run: RunRecord, end: End | null): Promise<void> {
    if (end?.code) {
      await note(run, { code: end.code, ...(end.report && { report: end.report }), details: end.details })
    }
    const before = ledger.deliveries(run.id)
    // A restart may come here again.
    if (!end && noMailSent(before) && !ledger.events(run.id).some(({ code }) => code === 'MAIL_NONE_SENT'))
      await note(run, { code: 'MAIL_NONE_SENT', details: 'no mail of the run could be delivered' })
    const current = ledger.run(run.id)!
    const events = ledger.events(run.id)
    const sealed = current.sealed
    const [outcome, reason] =
      end?.outcome === 'cancelled' || current.cancelled
        ? (['cancelled', null] as const)
        : end?.outcome === 'skipped'
          ? (['skipped', end.code] as const)
          : outcomeOf(events, sealed)
    const at = clock.now()
    const counts = countsOf(sealed ? ledger.documents(current).length : 0, before, events)
    const ended: RunRecord = { ...current, state: 'finished', outcome, reason, counts, finishedAt: at }
    const previous = ledger.lastFinished(run.taskId, run.id)
    // A later run, which did not wait for this one, knows better.
    const isOvertaken = previous !== null && previous.id > run.id
    const refused: Refused[] = []
    const notifications = notificationsOf(ended, isOvertaken ? null : previous, refused)
    const states = isOvertaken ? {} : keptStates(ended, before)
    await ledger.finish(run.id, { outcome, reason, counts, at }, notifications, states, run.taskId)
    const duration = ended.startedAt === null ? 0 : at - ended.startedAt
    const mails = counts.mailsSent + counts.mailsFailed + counts.mailsHeld
    runLog.line(
      run,
      outcome === 'error' ? 'error' : outcome === 'warning' ? 'warn' : 'info',
      `finished outcome=${outcome}${reason ? ` reason=${reason}` : ''} documents=${counts.documents} mails=${counts.mailsSent}/${mails} files=${counts.filesWritten} hub=${counts.hubItems} duration=${duration}ms`,
    )
    for (const event of refused) await note(ended, event)
    deps.onFinished(ended)
    if (notifications.length > 0) trail(ended)
  }

  /** Test and dry runs keep no state of conditions. */
  function keptStates(run: RunRecord, deliveries: readonly DeliveryRecord[]): Readonly<Record<string, unknown>> {
    if (run.test || run.options.dryRun || !run.sealed) return {}
    const delivered =
      (run.outcome === 'success' || run.outcome === 'warning') &&
      deliveries.some(({ state, channel }) => state === 'sent' && channel !== 'notification')
    if (delivered) return run.sealed.states.delivered
    return run.sealed.states.notDelivered
  }

  /** Delivers notifications beside other runs. */
  function trail(run: RunRecord): void {
    const deadline = (run.finishedAt ?? clock.now()) + settings.deadlineMinutes * MINUTE_MS
    // One after the other, as both would send the same.
    const before = trailing.get(run.id) ?? Promise.resolve()
    const work = before
      .then(() => deliverer.deliver(run, ['notification'], deadline, stopping.signal))
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) log.error(`REPORTTASK: notifications of run=${run.id.slice(-8)} ${String(error)}`)
      })
      .finally(() => {
        if (trailing.get(run.id) === work) trailing.delete(run.id)
      })
    trailing.set(run.id, work)
  }

  // --- Restart ---

  async function recover(): Promise<void> {
    for (const id of ledger.withOpenDeliveries()) {
      const run = ledger.run(id)
      if (!run) continue
      const deliveries = ledger.deliveries(id)
      for (const delivery of deliveries) await recoverDelivery(run, delivery)
      if (deliveries.some(({ channel }) => channel === 'notification')) trail(run)
    }
    for (const run of ledger.open()) {
      if (run.state === 'delivering') launch(run)
      else if (run.cancelled) await finish(run, { outcome: 'cancelled', code: null, details: '' })
      else if (run.state === 'running') await ledger.requeue(run.id)
      else if (isLate(run)) await finish(run, { outcome: 'skipped', code: 'MISSED_SCHEDULE', details: LATE })
    }
  }

  /** True for a scheduled run that waited longer than its trigger allows. */
  function isLate({ taskId, trigger, startedAt }: RunRecord): boolean {
    if (trigger.type !== 'schedule' || startedAt !== null) return false
    const armed = deps.definitionOf(taskId)?.task.triggers.find(({ id }) => id === trigger.triggerId)
    if (armed?.type !== 'schedule') return false
    return clock.now() - Date.parse(trigger.firedAt) > armed.maxDelayMinutes * MINUTE_MS
  }

  /** A mail that was under way may have left or not; files and hub items are simply made again. */
  async function recoverDelivery(run: RunRecord, delivery: DeliveryRecord): Promise<void> {
    const { id, channel, state, attempts, target } = delivery
    if (state !== 'sending' || channel === 'storage' || channel === 'hub') return
    const held = settings.onUnknown === 'hold'
    const lastError = 'Footman ended while the mail server was taking the mail'
    await ledger.setDelivery(id, { state: held ? 'unknown' : 'planned', attempts, nextAt: null, lastError, target })
    const details = channel === 'notification' ? `${OUTCOME_MAIL}: ${lastError}` : lastError
    if (held) await note(run, { code: 'MAIL_UNKNOWN', recipient: target, details })
  }

  async function cancel(runId: string): Promise<boolean> {
    const run = ledger.run(runId)
    if (!run || run.state === 'finished') return false
    await ledger.cancel(runId)
    const one = running.get(runId)
    if (run.state === 'queued' && !one) await finish(run, { outcome: 'cancelled', code: null, details: '' })
    else {
      one?.abort.abort(new Error('cancelled'))
      deliverer.wake(runId)
    }
    return true
  }

  return {
    name: 'report tasks',
    async start() {
      active = true
      await recover()
      pump()
    },
    async stop(graceMs) {
      active = false
      stopping.abort(new Error('Footman stops'))
      const all = Promise.allSettled([...[...running.values()].map(({ done }) => done), ...trailing.values()])
      await within(all, graceMs, () => undefined)
    },
    admit,
    note,
    async tryOut(definition, options, render, signal) {
      const at = clock.now()
      const events: RunEvent[] = []
      const observe = {
        note: (event: Omit<RunEvent, 'at' | 'level'>) =>
          void events.push({ at: new Date(clock.now()).toISOString(), level: levelOf(event.code), ...event }),
        line: () => {},
      }
      const run = { id: uuidV7(at), taskId: definition.task.id, options }
      const request = await requestOf(run, definition, at, render, signal, awaited)
      return { prepared: await deps.prepare({ ...request, preview: render }, observe, signal), events }
    },
    async plan(definition, options, signal) {
      const at = clock.now()
      const run = {
        id: uuidV7(at),
        taskId: definition.task.id,
        options,
        test: options.test || definition.task.testMode.enabled || settings.testAddress !== null,
      }
      const events: RunEvent[] = []
      const addEvent = (event: Omit<RunEvent, 'at' | 'level'>) =>
        void events.push({ at: new Date(clock.now()).toISOString(), level: levelOf(event.code), ...event })
      requireTestAddress(run, definition.task)
      const prepared = await deps.prepare(
        await requestOf(run, definition, at, false, signal, awaited),
        { note: addEvent, line: () => {} },
        signal,
      )
      const plan = prepared.skipped
        ? { deliveries: [], refused: null }
        : await planOf(run, definition, prepared, at, addEvent)
      warnOfPlan(definition, plan.deliveries, settings.prepare.secrets, addEvent)
      return { prepared, plan, events }
    },
    cancel,
    async cancelWaiting(taskId) {
      for (const { id, state, ...run } of ledger.open())
        if (state === 'queued' && run.taskId === taskId && !running.has(id)) await cancel(id)
    },
    async resend(request) {
      const child = await addResend({ ledger, clock }, request)
      if (!child) return null
      const { run } = request
      const count = ledger.deliveries(child.id).length
      runLog.line(child, 'info', `task="${run.taskName}" sends ${count} deliveries of run ${run.id.slice(-8)} again`)
      launch(child)
      return child
    },
    get counts() {
      const queued = ledger.open().filter((run) => run.state === 'queued' && !running.has(run.id)).length
      return { queued, running: running.size }
    },
  }
}

/** An event about an address that no outcome mail may go to. */
type Refused = Pick<RunEvent, 'code' | 'recipient' | 'details'>

const asDry = (delivery: NewDelivery): NewDelivery => ({ ...delivery, state: 'skipped', lastError: 'dry run' })

/** The address of test mode: of the whole of Footman, else of the start, else of the task; null outside of test mode. */
const testAddressOf = (
  { test, options }: Pick<RunRecord, 'test' | 'options'>,
  { testMode }: ReportTask,
  { testAddress }: Pick<RunnerSettings, 'testAddress'>,
): string | null => (test ? (testAddress ?? options.testAddress ?? testMode.address ?? '') : null)

function noMailSent(deliveries: readonly DeliveryRecord[]): boolean {
  const mails = deliveries.filter(({ channel, state }) => channel === 'email' && state !== 'skipped')
  return mails.length > 0 && mails.every(({ state }) => state === 'failed')
}

function outcomeOf(events: readonly RunEvent[], sealed: Sealed | null): readonly [Outcome, RunCode | null] {
  if (sealed?.skipped) return ['skipped', sealed.skipped]
  const worst = events.find(({ level }) => level === 'error') ?? events.find(({ level }) => level === 'warning')
  if (!worst) return ['success', null]
  return [worst.level === 'error' ? 'error' : 'warning', worst.code]
}
