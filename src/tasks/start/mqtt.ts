/**
 * Start requests from MQTT. A request is written to the journal, then acknowledged, then carried out: a crash in
 * between loses nothing, and what was journaled and not done is taken up again at the next start. Each start is noted
 * before Qlik Sense is asked for it, so that one whose answer was lost is recognised and not made again.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { forbidden, requireScope } from '../../http/endpoint/caller.ts'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import { Refusal } from '../../http/errors.ts'
import type { IncomingMessage, MqttOutgoing, MqttService } from '../../mqtt/types.ts'
import { type BackoffSettings, backoffDelay } from '../../platform/backoff.ts'
import { createDurableQueue, type QueueDeps, type QueueItem, type SendResult } from '../../platform/durable-queue.ts'
import { errorText } from '../../platform/errors.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { mayReach } from '../../platform/mqtt-topics.ts'
import type { Database } from '../../platform/sqlite.ts'
import { isStorageFailure } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import { deniedList, objectAnswer, startRefusal } from './answers.ts'
import {
  checkKeyValues,
  type MessageRules,
  parseStartMessage,
  replyProblem,
  SCOPE,
  type StartMessage,
} from './parse.ts'
import {
  createRequestStore,
  fingerprintOf,
  type JournaledRequest,
  type Packet,
  REQUEST_TABLE,
  type RequestStore,
} from './request-store.ts'
import { selectTasks, startFilterFor } from './select.ts'
import { LookupError, type StartOutcome, type StartRequest, type StartTask } from './types.ts'

export interface StartRequestsDeps extends QueueDeps {
  readonly mqtt: Pick<MqttService, 'onMessage'>
  /** Takes the answers. */
  readonly outgoing: Pick<MqttOutgoing, 'put'>
  readonly start: StartTask
}

interface StartRequestsSettings extends MessageRules {
  /** `Butler.footman.mqtt.taskStartResultTopic`; empty = only answers that a request asks for. */
  readonly taskStartResultTopic: string
  /** In shadow mode nothing is answered. */
  readonly shadow: boolean
  /** First pause before another attempt, doubled up to 30 s; default 1 s. */
  readonly retryFirstMs?: number
}

/** QRS may be away for so long after the arrival of a request; nothing starts later than that. */
const GIVE_UP_MS = 10 * 60_000
const RETRY_MAX_MS = 30_000
/** A redelivery by the broker is recognised for so long. */
const REDELIVERY_MS = 60_000
/** How long requests, and with them the senders' ids, are remembered. */
const KEEP_MS = 24 * 60 * 60_000
const CONCURRENCY = 4

/** Start it before the MQTT service, so that no message comes too early. */
export function createStartRequests(deps: StartRequestsDeps, settings: StartRequestsSettings): Service {
  const { mqtt, outgoing, start, writer, clock } = deps
  const log = deps.log.child('start-task')
  const store = createRequestStore(deps)
  const resultTopic = usableResultTopic(settings, log)
  const retry: BackoffSettings = { firstMs: settings.retryFirstMs ?? 1000, maxMs: RETRY_MAX_MS }
  const queue = createDurableQueue<string>(
    { ...deps, log },
    {
      name: 'start requests',
      table: REQUEST_TABLE,
      what: 'STARTTASK: The state of MQTT start requests',
      keyOf: (id) => id,
      // Each has a key of its own: none waits for another.
      order: 'key',
      codec: { encode: (id) => id, decode: (id) => id },
      concurrency: CONCURRENCY,
      retry,
      send: async (items) => Promise.all(items.map(carryOut)),
    },
  )
  let running = false
  let taking: Promise<void> = Promise.resolve()

  async function receive(message: IncomingMessage): Promise<void> {
    if (message.retain) {
      log.warn(`STARTTASK: Retained start request on ${message.topic} is ignored`)
      return
    }
    const parsed = parseStartMessage(message.payload, settings)
    for (const warning of parsed.warnings) log.warn(`STARTTASK: MQTT start request: ${warning}`)
    const now = clock.now()
    try {
      await take(message, parsed, now)
    } catch (error) {
      if (!isStorageFailure(error)) throw error
      log.error(`STARTTASK: MQTT start request waits until it can be stored: ${errorText(error)}`)
      await takeLater(message, parsed, now)
    }
  }

  /** One after the other, so that what the broker delivers twice meanwhile is recognised. Rejects when it is too late. */
  function takeLater(message: IncomingMessage, parsed: StartMessage, now: number): Promise<void> {
    const taken = taking.then(async () => {
      for (;;) {
        try {
          return await take(message, parsed, now)
        } catch (error) {
          if (!isStorageFailure(error) || !running || clock.now() - now > GIVE_UP_MS) throw error
          await pause(settings.retryFirstMs ?? 1000)
        }
      }
    })
    taking = taken.catch(() => undefined)
    return taken
  }

  async function take(message: IncomingMessage, parsed: StartMessage, now: number): Promise<void> {
    const fingerprint = fingerprintOf(message)
    const packetId = message.packetId ?? null
    const repeated = earlier(parsed.requestId, message.dup === true, { fingerprint, packetId }, now)
    if (repeated) {
      log.info(
        `STARTTASK: MQTT start request repeated (${parsed.requestId ?? 'redelivery'}); answered again, not started`,
      )
      const answered = store.answerOf(repeated.id)
      if (answered) await writer.write((tx) => outgoing.put(tx, { topic: answered.topic, payload: answered.answer }))
      return
    }
    const { topic, payload } = message
    const { requestId } = parsed
    const request = { id: uuidV7(now), receivedAt: now, topic, payload, fingerprint, packetId, requestId }
    await store.add(request, (tx) => queue.put(tx, request.id))
  }

  function earlier(requestId: string | null, redelivered: boolean, packet: Packet, now: number) {
    if (requestId !== null) return store.findByRequestId(requestId, now - KEEP_MS)
    return redelivered ? store.findByPacket(packet, now - REDELIVERY_MS) : undefined
  }

  async function carryOut({ value: id, attempts }: QueueItem<string>): Promise<SendResult> {
    const request = store.find(id)
    if (!request) return { outcome: 'rejected', detail: 'the request is no longer stored' }
    const parsed = parseStartMessage(request.payload, settings)
    const { refusal } = parsed
    if (refusal) {
      log.error(`STARTTASK: MQTT start request refused. ${refusal.error}: ${refusal.details}`)
      return finish(request, parsed, refusal)
    }
    if (clock.now() - request.receivedAt > GIVE_UP_MS) return giveUp(request, parsed, 'it is older than 10 minutes')
    const result = await attempt({ start, store, log }, request, parsed)
    return 'answer' in result ? finish(request, parsed, result.answer) : later(request, parsed, attempts, result.retry)
  }

  function later(request: JournaledRequest, parsed: StartMessage, attempts: number, reason: string): SendResult {
    const delayMs = backoffDelay(attempts + 1, retry)
    if (clock.now() + delayMs - request.receivedAt > GIVE_UP_MS) return giveUp(request, parsed, reason)
    log.warn(`STARTTASK: MQTT start request waits for QRS (${reason}); next attempt in ${Math.round(delayMs / 1000)} s`)
    return { outcome: 'retry', detail: reason, delayMs }
  }

  function giveUp(request: JournaledRequest, parsed: StartMessage, reason: string): SendResult {
    log.error(`STARTTASK: MQTT start request given up: ${reason}`)
    return finish(request, parsed, { error: 'Failed starting task', details: `QRS request failed: ${reason}` })
  }

  /** The request leaves the queue, and its answer is on its way, in one transaction. */
  function finish({ id }: JournaledRequest, parsed: StartMessage, answer: object): SendResult {
    const topic = settings.shadow ? null : (parsed.replyTopic ?? resultTopic)
    const payload = JSON.stringify(parsed.requestId === null ? answer : { requestId: parsed.requestId, ...answer })
    return {
      outcome: 'delivered',
      also(tx) {
        store.finish(tx, id, payload, topic)
        if (topic !== null) outgoing.put(tx, { topic, payload })
        store.prune(tx, clock.now() - KEEP_MS)
      },
    }
  }

  return {
    name: queue.name,
    async start() {
      running = true
      mqtt.onMessage(settings.taskStartTopic, receive)
      const { waiting } = queue
      if (waiting > 0) log.info(`STARTTASK: Taking up ${waiting} start request(s) of the last run`)
      await queue.start()
    },
    async stop(graceMs) {
      running = false
      await queue.stop(graceMs)
    },
  }
}

/** The answer, or why Qlik Sense has to be asked again. */
async function attempt(
  { start, store, log }: Pick<StartRequestsDeps, 'start' | 'log'> & { readonly store: RequestStore },
  request: JournaledRequest,
  parsed: StartMessage,
): Promise<{ answer: object } | { retry: string }> {
  try {
    const outcome = await start(startRequestOf(request, parsed, store.publisherOf(request.id)), {
      done: store.startedTasks(request.id),
      perhaps: store.perhapsStarted(request.id),
      starting: (taskId, _, resultBefore) => store.addStarting(request.id, taskId, resultBefore),
      started: (taskId, executionId) => store.addStarted(request.id, taskId, executionId),
    })
    const lost = interruption(outcome)
    return lost === null ? { answer: objectAnswer(outcome) } : { retry: lost }
  } catch (error) {
    if (error instanceof LookupError) return { retry: error.message }
    log.error(`STARTTASK: MQTT start request failed: ${errorText(error)}`)
    return { answer: { error: 'Failed starting task', details: errorText(error) } }
  }
}

/** `publisher`: the caller of the REST API that has published the message. */
function startRequestOf(
  { id, topic }: JournaledRequest,
  { selectors }: StartMessage,
  publisher: string | null,
): StartRequest {
  const { dialect, taskIds, tags, customProperties, taskNames, match, keyValues } = selectors
  return {
    id,
    origin: 'mqtt',
    requestedBy: publisher === null ? `topic ${topic}` : `topic ${topic}, published by ${publisher}`,
    actor: publisher ?? `mqtt:${topic}`,
    dialect,
    taskIds,
    tags,
    customProperties,
    taskNames,
    match,
    allTaskIdsMustExist: false,
    keyValues,
  }
}

/** Why tasks are left to start; null when QRS has answered for all of them. */
function interruption(outcome: StartOutcome): string | null {
  return outcome.interrupted ? (outcome.failed[0]?.error ?? null) : null
}

function usableResultTopic(settings: StartRequestsSettings, log: Logger): string | null {
  const topic = settings.taskStartResultTopic
  if (topic === '') return null
  // Unlike a reply topic it is the admin's own choice: it may lie outside the subscription.
  const problem = replyProblem(topic, { ...settings, subscriptionRootTopic: '#' })
  if (problem) log.error(`STARTTASK: footman.mqtt.taskStartResultTopic "${topic}" is not used: ${problem}`)
  return problem ? null : topic
}

/*
 * Messages that callers of the REST API publish to the topic of start requests. The broker's copy names no caller, so a
 * message is judged before it is published, by the rights to start tasks. A message that selects a task beyond the grant is
 * refused as a whole.
 */

interface StartPublishingDeps {
  readonly qlik: { readonly qrs: QrsClient }
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
}

interface PublishedMessage {
  readonly topic: string
  readonly payload: string
}

/**
 * Throws a `Refusal` when the caller may not start what the message selects. For a message that starts tasks, resolves with
 * a function to call when it is not published after all.
 */
type AdmitMessage = (request: ApiRequest, message: PublishedMessage) => Promise<(() => Promise<void>) | null>

const NO_GLOBAL_FILTER = {
  startTaskFilter: { enable: false, allowTask: { taskId: [], tag: [], customProperty: [] } },
  startFilter: { appliesTo: [] },
}

export function createStartPublishing(
  { qlik: { qrs }, db, writer, clock }: StartPublishingDeps,
  { mqttConfig: rules }: { readonly mqttConfig: MessageRules },
): AdmitMessage {
  const store = createRequestStore({ db, writer })
  /** The global filter is the receiver's business: it applies to every sender. */
  async function checkFilter({ caller, client }: ApiRequest, parsed: StartMessage): Promise<void> {
    const { startFilter } = caller.limits(SCOPE)
    const filter = startFilter && startFilterFor('rest', NO_GLOBAL_FILTER, startFilter)
    if (!filter) return
    // Another receiver may read it in another way.
    if (parsed.refusal)
      throw forbidden(`The tasks that this message starts cannot be determined: ${parsed.refusal.details}`)
    const wanted: StartRequest = {
      ...parsed.selectors,
      origin: 'rest',
      requestedBy: client,
      dialect: 'object',
      allTaskIdsMustExist: false,
    }
    const { denied } = await selectTasks(qrs, filter, wanted).catch((error: unknown) => {
      throw startRefusal(error, wanted)
    })
    const tasksDenied = deniedList(denied)
    if (tasksDenied.length === 0) return
    const { status, body } = forbidden('The message selects tasks that are not granted; it is not published')
    throw new Refusal(status, { ...body, tasksDenied })
  }

  return async (request, { topic, payload }) => {
    if (!mayReach(rules.taskStartTopic, topic)) return null
    const { caller } = request
    requireScope(caller, SCOPE)
    const bytes = Buffer.from(payload)
    const parsed = parseStartMessage(bytes, rules)
    checkKeyValues(caller, parsed.selectors)
    await checkFilter(request, parsed)
    // Without access control the topic says more.
    if (caller.actor === 'anonymous') return async () => {}
    const publisher = await store.addPublisher(fingerprintOf({ topic, payload: bytes }), caller.actor, clock.now())
    return () => store.withdraw(publisher)
  }
}
