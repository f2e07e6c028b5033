import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Logger } from '../../src/platform/types.ts'
import type { ChangeType, SimulatedSite } from '../types.ts'
import { COLLECTIONS } from './collections.ts'
import { compileFilter } from './filter.ts'

interface Change {
  readonly entity: string
  readonly id: string
  readonly changeType: ChangeType
  readonly at: number
}

interface Subscription {
  readonly handle: string
  readonly entity: string
  /** 0 = every kind of change. */
  readonly changeType: number
  readonly filter: string | null
  readonly url: string
}

export interface Notifications {
  /** Returns the handle. */
  subscribe(subscription: Omit<Subscription, 'handle'>): string
  unsubscribe(handle: string): boolean
  /** Changes after `since` (ms) of the named types; all types when the list is empty. */
  changes(since: number, types: readonly string[]): readonly object[]
  stop(): void
}

const MAX_CHANGES = 1000
const CALLBACK_TIMEOUT_MS = 5000

/** Change notifications of QRS: POSTs a list of changes to the callback address of each subscription that fits. */
export function createNotifications(deps: { readonly site: SimulatedSite; readonly log: Logger }): Notifications {
  const { site, log } = deps
  const subscriptions = new Map<string, Subscription>()
  const changes: Change[] = []

  const unsubscribers = [
    site.on('changed', ({ entity, id, changeType }) => note(entity, id, changeType)),
    site.on('state', ({ task, execution }) => {
      note('ExecutionResult', execution.id, execution.status === 1 ? 1 : 2)
      note(
        task.taskType === 1 ? 'ExternalProgramTask' : task.taskType === 2 ? 'UserSyncTask' : 'ReloadTask',
        task.id,
        2,
      )
    }),
  ]

  function note(entity: string, id: string, changeType: ChangeType) {
    const change = { entity, id, changeType, at: site.clock.now() }
    changes.push(change)
    if (changes.length > 2 * MAX_CHANGES) changes.splice(0, MAX_CHANGES)
    for (const subscription of subscriptions.values()) {
      if (wants(subscription, change)) post(subscription.url, JSON.stringify([describe(change)]))
    }
  }

  function wants(subscription: Subscription, change: Change): boolean {
    if (subscription.entity.toLowerCase() !== change.entity.toLowerCase()) return false
    if (subscription.changeType !== 0 && subscription.changeType !== change.changeType) return false
    const collection = COLLECTIONS[change.entity.toLowerCase()]
    if (!subscription.filter || !collection || change.changeType === 3) return true
    const entity = collection.get(site, change.id)
    return entity !== undefined && compileFilter(subscription.filter, collection.shape).matches(entity)
  }

  function describe({ entity, id, changeType, at }: Change) {
    const when = new Date(at).toISOString()
    return {
      id: site.nextId('7c'),
      createdDate: when,
      modifiedDate: when,
      changeType,
      objectType: entity,
      objectID: id,
      changedProperties: [],
      originatorHostName: site.centralNode().hostName,
      schemaPath: 'ChangeInfo',
    }
  }

  function post(url: string, body: string) {
    try {
      const request = url.startsWith('https:') ? httpsRequest : httpRequest
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const options = { method: 'POST', headers, timeout: CALLBACK_TIMEOUT_MS, rejectUnauthorized: false }
      const call = request(url, options, (response) => response.resume())
      call.on('timeout', () => call.destroy())
      call.on('error', (error) => log.debug(`Simulator: notification to ${url} failed: ${error.message}`))
      call.end(body)
    } catch (error) {
      log.debug(`Simulator: notification to ${url} failed: ${String(error)}`)
    }
  }

  return {
    subscribe(subscription) {
      const handle = site.nextId('7b')
      subscriptions.set(handle, { ...subscription, handle })
      return handle
    },
    unsubscribe: (handle) => subscriptions.delete(handle.toLowerCase()),
    changes: (since, types) => {
      const wanted = new Set(types.map((type) => type.toLowerCase()))
      return changes
        .filter((change) => change.at > since && (wanted.size === 0 || wanted.has(change.entity.toLowerCase())))
        .map(describe)
    },
    stop() {
      for (const unsubscribe of unsubscribers) unsubscribe()
      subscriptions.clear()
    },
  }
}
