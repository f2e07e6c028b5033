/** From a definition to a complete plan: the documents are made, their deliveries planned. Also as a trial, of which nothing stays. */
import type { Clock } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { addressProblem, type SenderRules } from '../addresses.ts'
import { ReportError } from '../codes.ts'
import type { Definition, ReportTask } from '../entities/task.ts'
import type { NewEvent } from '../types.ts'
import type { RunEvent, RunOptions } from './contract.ts'
import { eventAt, type NoteEvent } from './events.ts'
import type { Ledger, NewDelivery, RunRecord } from './ledger.ts'
import type { RunLog } from './log.ts'
import { type Plan, planDeliveries } from './plan.ts'
import { warnOfPlan } from './plan-warnings.ts'
import type { Prepared } from './prepare.ts'
import type { GroupMember } from './recipients.ts'
import type { PrepareRequest, PrepareSettings } from './request.ts'
import { type End, endBy, failure, testAddressOf } from './run-rules.ts'

export interface MakingDeps {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly runLog: RunLog
  readonly note: NoteEvent
  /** Aborted by the stop. */
  readonly stopping: AbortController
  /** Null when the task is gone. */
  readonly definitionOf: (taskId: string) => Definition | null
  /** Members of the dynamic groups of a definition. Rejects with `REPOSITORY_UNREACHABLE`. */
  readonly members: (
    definition: Definition,
    signal: AbortSignal,
  ) => Promise<Readonly<Record<string, readonly GroupMember[]>>>
  readonly prepare: (
    request: PrepareRequest,
    observe: { readonly note: (event: NewEvent) => void; readonly line: (text: string) => void },
    signal: AbortSignal,
  ) => Promise<Prepared>
}

export interface MakingSettings extends SenderRules {
  readonly limits: { readonly maxMailsPerRun: number; readonly maxAttachmentMb: number }
  readonly prepare: PrepareSettings
  /** Off: tasks that use the hub run without it, with the error `HUB_OFF`. */
  readonly hubEnabled: boolean
  /** Address of test mode for the whole of Footman; null while that is off. */
  readonly testAddress: string | null
}

/** Nothing is stored, made or delivered for a run. Rejects with a `ReportError`. */
export interface Trials {
  /** The plan of a task. */
  plan(
    definition: Definition,
    options: RunOptions,
    signal: AbortSignal,
  ): Promise<{ prepared: Prepared; plan: Plan; events: RunEvent[] }>
  /** Evaluates the conditions of a definition; with `render` makes the first document of each report. */
  tryOut(
    definition: Definition,
    options: RunOptions,
    render: boolean,
    signal: AbortSignal,
  ): Promise<{ prepared: Prepared; events: RunEvent[] }>
}

interface Making extends Trials {
  /** Null when the plan of the run is complete and waits for its delivery; else the end of the run. */
  make(run: RunRecord, cancelled: AbortSignal): Promise<End | null>
}

const MAX_ATTEMPTS = 3
const MINUTE_MS = 60_000
export const HUB_OFF = 'the task uses the hub, which is off in Butler.footman.reportTask.hub.enable'

export function createMaking(deps: MakingDeps, settings: MakingSettings): Making {
  const { ledger, clock, runLog, stopping } = deps
  /** A caller waits for the answer: an engine that is away is no reason to let him wait longer. */
  const awaited: PrepareSettings = { ...settings.prepare, engineRetryMs: [] }

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
    how: Pick<PrepareRequest, 'render' | 'preview' | 'settings'>,
    signal: AbortSignal,
  ): Promise<PrepareRequest> {
    return {
      ...how,
      runId: run.id,
      startedAt,
      definition: usable(definition),
      options: run.options,
      members: await deps.members(definition, signal),
      states: ledger.conditionStates(run.taskId),
    }
  }

  async function planOf(
    run: Pick<RunRecord, 'id' | 'test' | 'options'>,
    definition: Definition,
    prepared: Prepared,
    startedAt: number,
    addEvent: (event: NewEvent) => void,
  ): Promise<Plan> {
    if (prepared.skipped) return { deliveries: [], refused: null }
    const { documents, missing, people, variants, app } = prepared
    const { prepare, limits, allowedDomains, fromAddress } = settings
    if (definition.task.hub.enabled && !settings.hubEnabled) addEvent({ code: 'HUB_OFF', details: HUB_OFF })
    return planDeliveries({
      runId: run.id,
      definition: usable(definition),
      documents,
      missing,
      people,
      variants,
      app,
      startedAt: new Date(startedAt),
      timezone: prepare.timezone,
      locale: prepare.locale,
      testAddress: testAddressOf(run, definition.task, settings),
      limits,
      allowedDomains,
      fromAddress,
      note: (code, details, recipient) => addEvent({ code, details, ...(recipient && { recipient }) }),
    })
  }

  /** Rejects when something is in the way. */
  async function sealed(run: RunRecord, definition: Definition, startedAt: number, signal: AbortSignal): Promise<void> {
    requireTestAddress(run, definition.task)
    const how = { render: true, preview: false, settings: settings.prepare }
    const request = await requestOf(run, definition, startedAt, how, signal)
    const events: Promise<void>[] = []
    const note = (event: NewEvent) => void events.push(deps.note(run, event))
    const prepared = await deps.prepare(request, { note, line: (text) => runLog.line(run, 'info', text) }, signal)
    const plan = await planOf(run, definition, prepared, startedAt, note)
    if (plan.refused) note(plan.refused)
    await Promise.all(events)
    const { documents, app, states, skipped } = prepared
    const deliveries = run.options.dryRun ? plan.deliveries.map(asDry) : plan.deliveries
    await ledger.seal(run.id, documents, deliveries, { app, states, skipped }, clock.now())
  }

  async function make(run: RunRecord, cancelled: AbortSignal): Promise<End | null> {
    const definition = ledger.definition(run.id) ?? deps.definitionOf(run.taskId)
    if (!definition) return failure('INTERNAL', 'the task was deleted')
    if (run.attempt >= MAX_ATTEMPTS) return failure('INTERNAL', `the run was cut short ${MAX_ATTEMPTS} times`)
    const startedAt = run.startedAt ?? clock.now()
    await ledger.begin(run.id, definition, startedAt)
    const { type, detail } = run.trigger
    const execution = typeof detail.executionId === 'string' ? ` execution=${detail.executionId}` : ''
    runLog.line(run, 'info', `task="${run.taskName}" trigger=${type}${execution}${run.test ? ' test' : ''} started`)
    const { timeoutMinutes } = definition.task.run
    const limit = AbortSignal.timeout(timeoutMinutes * MINUTE_MS)
    try {
      await sealed(run, definition, startedAt, AbortSignal.any([cancelled, stopping.signal, limit]))
      return null
    } catch (error) {
      if (stopping.signal.aborted) {
        // An orderly stop is no attempt: those are limited because of runs that end the process.
        await ledger.park(run.id)
        throw error
      }
      return endBy(error, ledger.run(run.id)?.cancelled === true, limit.aborted ? timeoutMinutes : null)
    }
  }

  function recorder() {
    const events: RunEvent[] = []
    return { events, note: (event: NewEvent) => void events.push(eventAt(event, clock.now())), line: () => {} }
  }

  return {
    make,
    async tryOut(definition, options, render, signal) {
      const at = clock.now()
      const run = { id: uuidV7(at), taskId: definition.task.id, options }
      const observe = recorder()
      const how = { render, preview: render, settings: awaited }
      const request = await requestOf(run, definition, at, how, signal)
      return { prepared: await deps.prepare(request, observe, signal), events: observe.events }
    },
    async plan(definition, options, signal) {
      const at = clock.now()
      const { task } = definition
      const test = options.test || task.testMode.enabled || settings.testAddress !== null
      const run = { id: uuidV7(at), taskId: task.id, options, test }
      requireTestAddress(run, task)
      const observe = recorder()
      const how = { render: false, preview: false, settings: awaited }
      const request = await requestOf(run, definition, at, how, signal)
      const prepared = await deps.prepare(request, observe, signal)
      const plan = await planOf(run, definition, prepared, at, observe.note)
      warnOfPlan(definition, plan.deliveries, settings.prepare.secrets, observe.note)
      return { prepared, plan, events: observe.events }
    },
  }
}

const asDry = (delivery: NewDelivery): NewDelivery => ({ ...delivery, state: 'skipped', lastError: 'dry run' })
