/** Reads from a tenant of Qlik Cloud with a bearer token. */
import { errorText } from '../../platform/errors.ts'
import { createHttpClient, parseRetryAfter } from '../../platform/http-client.ts'
import type { CloudAppInfo, CloudClient, CloudItemInfo, CloudRead, CloudReloadInfo, CloudUserInfo } from './types.ts'

export interface CloudClientSettings {
  /** `https://acme.eu.qlikcloud.com`, with or without a slash at the end. */
  readonly tenantUrl: string
  readonly token: string
  /** Environment with the proxies to go through. */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>>
}

const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i
const ID = /^[\w-]{1,128}$/
const MAX_LOG_BYTES = 32 * 1024 * 1024
const MAX_JSON_BYTES = 4 * 1024 * 1024

/** Ids that could lead elsewhere are never put into an address: what they name is absent. */
export function createCloudClient(settings: CloudClientSettings): CloudClient {
  const base = settings.tenantUrl.replace(/\/+$/, '')
  const http = createHttpClient({
    maxSockets: 8,
    ...(settings.proxyEnv && { proxyEnv: settings.proxyEnv }),
  })

  async function read<T>(
    path: string,
    timeoutMs: number,
    maxBodyBytes: number,
    parse: (text: string) => T | null,
  ): Promise<CloudRead<T>> {
    if (base === '') return { state: 'refused', why: 'the address of the tenant is not configured' }
    try {
      const answer = await http.request({
        url: `${base}${path}`,
        headers: { authorization: `Bearer ${settings.token}`, accept: 'application/json, text/plain' },
        timeoutMs,
        maxBodyBytes,
      })
      if (answer.status !== 200) return refusal(answer.status, answer.headers['retry-after'])
      const value = parse(answer.text())
      return value === null ? { state: 'absent', why: 'the answer does not hold it' } : { state: 'found', value }
    } catch (error) {
      return { state: 'failed', why: errorText(error) }
    }
  }

  const json = <T>(path: string, timeoutMs: number, pick: (body: Tree) => T | null) =>
    read(path, timeoutMs, MAX_JSON_BYTES, (text) => pick(treeOf(text)))

  return {
    async scriptLog(appId, reloadId, timeoutMs) {
      if (!GUID.test(appId) || !ID.test(reloadId)) return INVALID
      return read(`/api/v1/apps/${appId}/reloads/logs/${reloadId}`, timeoutMs, MAX_LOG_BYTES, (text) => text)
    },
    async reload(reloadId, timeoutMs) {
      if (!ID.test(reloadId)) return INVALID
      return json(`/api/v1/reloads/${reloadId}`, timeoutMs, reloadOf)
    },
    async app(appId, timeoutMs) {
      if (!GUID.test(appId)) return INVALID
      return json(`/api/v1/apps/${appId}`, timeoutMs, appOf)
    },
    async item(appId, timeoutMs) {
      if (!GUID.test(appId)) return INVALID
      const query = `resourceType=app&resourceId=${appId}&noActions=true&limit=100`
      return json(`/api/v1/items?${query}`, timeoutMs, (body) => itemOf(body, appId))
    },
    async user(userId, timeoutMs) {
      if (!ID.test(userId)) return INVALID
      return json(`/api/v1/users/${userId}`, timeoutMs, userOf)
    },
    close: http.close,
  }
}

const INVALID = { state: 'absent', why: 'the event names no valid id' } as const

function refusal(status: number, retryAfter: string | undefined): CloudRead<never> {
  const why = `HTTP ${status}`
  if (status === 404) return { state: 'absent', why }
  if (status !== 408 && status !== 425 && status !== 429 && status < 500) return { state: 'refused', why }
  const wait = parseRetryAfter(retryAfter, Date.now())
  return { state: 'failed', why, ...(wait !== null && { retryAfterMs: wait }) }
}

type Tree = Readonly<Record<string, unknown>>

/** Throws when the text is no JSON object, which counts as no answer: gateways answer with pages of their own. */
function treeOf(text: string): Tree {
  const value: unknown = JSON.parse(text)
  if (!isTree(value)) throw new Error('the answer is no JSON object')
  return value
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The members of these names that are of these types. */
function pick<T>(tree: Tree, type: 'string' | 'boolean', names: readonly (keyof T & string)[]): Partial<T> {
  const found = names.filter((name) => typeof tree[name] === type).map((name) => [name, tree[name]])
  return Object.fromEntries(found) as Partial<T>
}

function reloadOf(body: Tree): CloudReloadInfo {
  const texts = ['id', 'type', 'status', 'errorCode', 'errorMessage', 'log', 'creationTime', 'startTime', 'endTime']
  return pick<CloudReloadInfo>(body, 'string', texts as (keyof CloudReloadInfo)[])
}

function appOf({ attributes }: Tree): CloudAppInfo | null {
  if (!isTree(attributes)) return null
  return {
    ...pick<CloudAppInfo>(attributes, 'string', ['name', 'description', 'thumbnail', 'publishTime', 'ownerId']),
    ...pick<CloudAppInfo>(attributes, 'boolean', ['hasSectionAccess']),
  }
}

/** Usually there is one entry. Where there are several of one app, each of their tags counts. */
function itemOf({ data }: Tree, appId: string): CloudItemInfo | null {
  const items = (Array.isArray(data) ? data : []).filter(
    (item): item is Tree => isTree(item) && String(item.resourceId).toLowerCase() === appId.toLowerCase(),
  )
  if (items.length === 0) return null
  const tags = items.flatMap(({ meta }) => (isTree(meta) && Array.isArray(meta.tags) ? meta.tags : []))
  const names = tags.filter(isTree).map(({ name }) => String(name))
  const sizes = items.map(({ resourceSize }) => (isTree(resourceSize) ? resourceSize.appFile : null))
  const fileSize = sizes.find((size) => typeof size === 'number')
  return { tags: [...new Set(names)], fileSize: typeof fileSize === 'number' ? fileSize : null }
}

const userOf = (body: Tree): CloudUserInfo => pick<CloudUserInfo>(body, 'string', ['id', 'name', 'email', 'picture'])
