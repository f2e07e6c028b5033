/** Triggers by what Footman itself learns: the end of another report task, an MQTT message, a key-value pair. */
import { createHash } from 'node:crypto'
import { isObject } from '../../http/endpoint/validation.ts'
import type { Change, KeyValueStore } from '../../kv/types.ts'
import type { IncomingMessage, MqttService, OutgoingMessage } from '../../mqtt/types.ts'
import { lenientText } from '../../platform/encodings.ts'
import { parseOutsideJson, RefusedJson } from '../../platform/json.ts'
import { once } from '../../platform/once.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { OPTIONS } from '../entities/start-options.ts'
import type { Trigger, TriggerOf } from '../entities/task.ts'
import { DEFAULT_OPTIONS } from '../runs/admission.ts'
import { type RunOptions, start } from '../runs/contract.ts'
import { type Ledger, type RunRecord, runOf } from '../runs/ledger.ts'
import type { Armed, ArmedTriggers, Firing } from './armed.ts'
import type { TriggerKind } from './schedules.ts'

export interface MessageDeps {
  readonly armed: ArmedTriggers
  readonly ledger: Pick<Ledger, 'list'>
  readonly clock: Clock
  readonly log: Logger
  /** Null when MQTT is not configured. */
  readonly mqtt: Pick<MqttService, 'onMessage'> | null
  /** Null while the key-value store is off. */
  readonly keyValues: Pick<KeyValueStore, 'onChange' | 'get'> | null
}

interface MessageTriggers extends TriggerKind {
  /** To be called with each run that has ended. */
  finished(run: RunRecord): void
}

/** Ends of skipped starts; nothing ran. */
const NOT_RUN: readonly (string | null)[] = ['TASK_DISABLED', 'TASK_BUSY', 'QUEUE_FULL', 'MISSED_SCHEDULE']
/** Runs whose end is looked at again after a restart. */
const LAST_RUNS = 200
/** Key-value pairs that were set so long ago are looked at again after a restart. */
const LOOK_BACK_MS = 86_400_000
/** A redelivery by the broker is recognised for so long. */
const REDELIVERY_MS = 60_000
/** Ended runs are published here. Triggers by message do not hear it: a task with a wide filter would start itself for ever. */
const FINISHED_TOPIC = 'qliksense/report_task/finished'
/** Checkpoints of messages begin so. */
const MARK = 'mqtt '

/** The message about an ended run: the run as the lists of the API show it, without its events. */
export const finishedMessage = (run: RunRecord): OutgoingMessage => ({
  topic: FINISHED_TOPIC,
  payload: JSON.stringify(runOf(run, [])),
})

export function createMessageTriggers(deps: MessageDeps): MessageTriggers {
  const { armed, ledger, clock, log, mqtt, keyValues } = deps
  const subscribed = new Set<string>()
  const under = new Set<Promise<unknown>>()
  let active = false
  let unsubscribe = () => {}

  /** Fires the triggers of the type for which `firingOf` returns a firing. */
  async function fireAll<Type extends Trigger['type']>(
    type: Type,
    firingOf: (armed: Armed<TriggerOf<Type>>) => Firing | null,
  ): Promise<void> {
    if (!active) return
    for (const one of armed.of(type)) {
      const firing = firingOf(one)
      if (firing) await armed.fire(one, firing)
    }
  }

  function inBackground(work: Promise<void>, what: string): void {
    const mine = work
      .catch((error: unknown) => log.error(`REPORTTASK: ${what} could not start report tasks: ${String(error)}`))
      .finally(() => under.delete(mine))
    under.add(mine)
  }

  // --- The end of another report task ---

  const chain = (run: RunRecord): Promise<void> =>
    fireAll('reportTask', ({ trigger, since }) => {
      const { id, taskId, taskName, outcome, finishedAt } = run
      if (trigger.taskId !== taskId || outcome === null || !trigger.on.includes(outcome)) return null
      if (finishedAt === null || finishedAt < since) return null
      return { key: id, at: finishedAt, detail: { taskId, taskName, runId: id, outcome } }
    })

  /** Tests, dry runs and repeated deliveries are no end of the task. */
  const counts = ({ options, trigger, reason }: RunRecord): boolean =>
    !options.test && !options.dryRun && trigger.type !== 'resend' && !NOT_RUN.includes(reason)

  function finished(run: RunRecord): void {
    if (counts(run)) inBackground(chain(run), `the end of run=${run.id.slice(-8)}`)
  }

  /** The process may have ended between the end of a run and the start of the next task. */
  async function chainAgain(): Promise<void> {
    if (armed.of('reportTask').length === 0) return
    const { runs } = ledger.list({ state: 'finished', limit: LAST_RUNS, offset: 0 })
    for (const run of runs.toReversed()) if (counts(run)) await chain(run)
  }

  // --- MQTT ---

  /** A rejected promise leaves the message with the broker, which sends it again. */
  async function receive(topic: string, message: IncomingMessage): Promise<void> {
    if (!active) throw new Error('report tasks are stopping')
    if (!armed.of('mqtt').some(({ trigger }) => trigger.topic === topic)) return
    if (message.topic === FINISHED_TOPIC) return
    if (message.retain) {
      log.verbose(`REPORTTASK: retained message on ${message.topic} is ignored`)
      return
    }
    const now = clock.now()
    const text = lenientText(message.payload).text
    const hash = createHash('sha256')
      .update(JSON.stringify([message.topic, message.packetId]))
      .update(message.payload)
    const packet = hash.digest('hex')
    const before = message.dup ? armed.checkpoint(`${MARK}${packet}`) : null
    const at = before !== null && now - before < REDELIVERY_MS ? before : now
    // Noted first: the process may end before it is known what the message has started.
    if (at === now) await armed.setCheckpoint(`${MARK}${packet}`, at)
    const request = requestOf(text)
    const key = message.packetId === undefined ? uuidV7(now) : `${new Date(at).toISOString()} ${packet}`
    await fireAll('mqtt', ({ task, trigger }) => {
      if (trigger.topic !== topic || (trigger.equals !== undefined && trigger.equals !== text)) return null
      const detail = { topic: message.topic }
      if (trigger.equals !== undefined || request === null) return { key, at, detail }
      const problem = typeof request === 'string' ? request : problemOf(request, { task, trigger })
      if (problem !== null) {
        log.warn(`REPORTTASK: message on ${message.topic} does not start task="${task.name}": ${problem}`)
        return null
      }
      return isMeant(request as Request, task) ? { key, at, detail, options: (request as Request).options } : null
    })
    await armed.forgetCheckpoints(MARK, now - REDELIVERY_MS)
  }

  function subscribe(): void {
    if (!active || !mqtt) return
    for (const { trigger } of armed.of('mqtt')) {
      const { topic } = trigger
      if (subscribed.has(topic)) continue
      subscribed.add(topic)
      mqtt.onMessage(topic, (message) => receive(topic, message))
    }
  }

  // --- Key-value pairs ---

  function changed({ event, namespace, key, revision }: Change): void {
    if (event !== 'set') return
    const work = fireAll('keyValue', ({ trigger }) => {
      if (trigger.namespace !== namespace || trigger.key !== key) return null
      const pair = keyValues?.get(namespace, key)
      return setFiring(trigger, revision, pair?.revision === revision ? pair.updatedAt : clock.now())
    })
    inBackground(work, `the key-value pair ${namespace}/${key}`)
  }

  /** The process may have ended between the change of a pair and the start of the task. */
  const pairsAgain = (): Promise<void> =>
    fireAll('keyValue', ({ trigger, since }) => {
      const pair = keyValues?.get(trigger.namespace, trigger.key)
      const least = Math.max(since, clock.now() - LOOK_BACK_MS)
      return pair && pair.updatedAt >= least ? setFiring(trigger, pair.revision, pair.updatedAt) : null
    })

  return {
    finished,
    update: subscribe,
    start() {
      active = true
      subscribe()
      unsubscribe = keyValues?.onChange(changed) ?? unsubscribe
      inBackground(chainAgain(), 'the ends of runs before the start')
      inBackground(pairsAgain(), 'the key-value pairs that were set before the start')
    },
    async stop() {
      active = false
      unsubscribe()
      await Promise.all(under)
    },
  }
}

/** A store in memory counts its revisions from 1 after each start. */
const setFiring = ({ namespace, key }: TriggerOf<'keyValue'>, revision: number, at: number): Firing => ({
  key: `${revision} ${new Date(at).toISOString()}`,
  at,
  detail: { namespace, key, revision },
})

// --- Payloads of MQTT messages ---

const request = once(start)
const MEMBERS = Object.keys(request().shape)

interface Request {
  readonly taskId: readonly string[]
  readonly tag: readonly string[]
  readonly options: RunOptions
}

/** Null for a payload that is no start request; the problem of one that is not valid. */
export function requestOf(text: string): Request | string | null {
  const json = objectOf(text)
  if (typeof json === 'string') return json
  if (!json || !MEMBERS.some((member) => member in json)) return null
  const parsed = request().safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return `${issue?.path.join('.') || 'payload'}: ${issue?.message}`
  }
  // `force` counts for starts by hand alone.
  const { taskId, tag, force: _, ...options } = parsed.data
  return { taskId: taskId.map((id) => id.toLowerCase()), tag, options: { ...DEFAULT_OPTIONS, ...options } }
}

/** Null for other text; the problem of JSON that is refused everywhere. */
function objectOf(text: string): object | string | null {
  if (!/^\s*[{[]/.test(text)) return null
  try {
    const json: unknown = parseOutsideJson(text)
    return isObject(json) ? json : null
  } catch (error) {
    return error instanceof RefusedJson ? `payload: ${error.message}` : null
  }
}

/**
 * An option that the trigger does not allow is no start: without `test` or `recipients` the mails would go to all. A test
 * without an address would have nowhere to go, and the reports that a message names beside an unknown one would leave alone. Triggers stored by older versions allow none.
 */
function problemOf(
  { options, taskId, tag }: Request,
  { task, trigger }: Pick<Armed<TriggerOf<'mqtt'>>, 'task' | 'trigger'>,
) {
  const allowed: readonly string[] = trigger.allowedOptions ?? []
  const refused = OPTIONS.filter((name) => options[name] !== DEFAULT_OPTIONS[name] && !allowed.includes(name))
  if (refused.length > 0) return `allowedOptions of the trigger does not list ${refused.join(', ')}`
  const keys = task.reports.map(({ key }) => key)
  const isForOne = taskId.length < 2 && tag.length === 0
  const unknown = (options.reports ?? []).filter((key) => isForOne && !keys.includes(key))
  if (unknown.length > 0) return `the task has no report ${unknown.join(', ')}; its keys are ${keys.join(', ')}`
  return options.test && !options.testAddress && !task.testMode.address ? 'testAddress is missing' : null
}

/** A request that names tasks is for those alone. */
const isMeant = ({ taskId, tag }: Request, task: Armed['task']): boolean =>
  (taskId.length === 0 && tag.length === 0) || taskId.includes(task.id) || tag.some((one) => task.tags.includes(one))
