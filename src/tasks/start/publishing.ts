/**
 * Messages that callers of the REST API publish to the topic of start requests. What the broker sends back carries no
 * caller, so a message is judged before it is published, by the rights to start tasks. A message that selects a task
 * beyond the grant is refused as a whole.
 */
import { forbidden, requireScope } from '../../http/endpoint/caller.ts'
import { Refusal } from '../../http/endpoint/errors.ts'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import { mayReach } from '../../platform/mqtt-topics.ts'
import type { Clock } from '../../platform/types.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import { deniedList } from './answers.ts'
import { startFilterFor } from './filter.ts'
import { type MessageRules, parseStartMessage, type StartMessage } from './message.ts'
import { fingerprintOf, type RequestStore } from './request-store.ts'
import { startRefusal } from './rest-answer.ts'
import { checkKeyValues, SCOPE } from './rest-request.ts'
import { selectTasks } from './select.ts'
import type { StartRequest } from './types.ts'

export interface StartPublishingDeps {
  readonly qrs: QrsClient
  readonly store: Pick<RequestStore, 'addPublisher' | 'withdraw'>
  readonly clock: Clock
}

export interface PublishedMessage {
  readonly topic: string
  readonly payload: string
}

/**
 * Throws a `Refusal` when the caller may not start what the message selects. For a message that starts tasks, resolves with
 * a function to call when it is not published after all.
 */
export type AdmitMessage = (request: ApiRequest, message: PublishedMessage) => Promise<(() => Promise<void>) | null>

const NO_GLOBAL_FILTER = {
  startTaskFilter: { enable: false, allowTask: { taskId: [], tag: [], customProperty: [] } },
  startFilter: { appliesTo: [] },
}

export function createStartPublishing({ qrs, store, clock }: StartPublishingDeps, rules: MessageRules): AdmitMessage {
  /** The global filter is the receiver's business: it applies to every sender. */
  async function checkFilter({ caller, client }: ApiRequest, parsed: StartMessage): Promise<void> {
    const { startFilter } = caller.limits(SCOPE)
    const filter = startFilter && startFilterFor('rest', NO_GLOBAL_FILTER, startFilter)
    if (!filter) return
    // Another receiver may read it in another way.
    if (parsed.refusal) throw forbidden(`The tasks that this message starts cannot be told: ${parsed.refusal.details}`)
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
