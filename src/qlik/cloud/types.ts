/** A tenant of Qlik Cloud as its REST API shows it; only what is used of each answer. */

export interface CloudReloadInfo {
  readonly id?: string
  /** `hub`, `chronos`, `external`, `automations`, `data-refresh`, `choreographer` */
  readonly type?: string
  readonly status?: string
  readonly errorCode?: string
  readonly errorMessage?: string
  readonly log?: string
  /** ISO times; the end is absent while it runs. */
  readonly creationTime?: string
  readonly startTime?: string
  readonly endTime?: string
}

export interface CloudAppInfo {
  readonly name?: string
  readonly description?: string
  readonly thumbnail?: string
  readonly publishTime?: string
  readonly hasSectionAccess?: boolean
  readonly ownerId?: string
}

export interface CloudItemInfo {
  readonly tags: readonly string[]
  /** Bytes; null when unknown. */
  readonly fileSize: number | null
}

export interface CloudUserInfo {
  readonly id?: string
  readonly name?: string
  readonly email?: string
  readonly picture?: string
}

/** The result of a read. `why` is for people: status or network error, never a secret. */
export type CloudRead<T> =
  | { readonly state: 'found'; readonly value: T }
  /** The tenant does not have it. */
  | { readonly state: 'absent'; readonly why: string }
  /** It may not be read, and asking again will not help. */
  | { readonly state: 'refused'; readonly why: string }
  /** No answer, or the tenant is overloaded: worth another try. */
  | { readonly state: 'failed'; readonly why: string; readonly retryAfterMs?: number }

/** The parts that have been requested so far. */
export interface CloudLook {
  readonly scriptLog?: CloudRead<string>
  readonly reload?: CloudRead<CloudReloadInfo>
  readonly app?: CloudRead<CloudAppInfo>
  readonly item?: CloudRead<CloudItemInfo>
  readonly owner?: CloudRead<CloudUserInfo>
}

/** An event about a reload that has ended. Texts that it lacks are empty. */
export interface ReloadNotice {
  readonly eventType: string
  readonly eventTypeVersion: string
  readonly source: string
  /** ISO, as sent; empty when it is no time. */
  readonly time: string
  readonly tenantId: string
  readonly userId: string
  readonly ownerId: string
  readonly appId: string
  readonly appName: string
  readonly reloadId: string
  readonly outcome: 'failed' | 'success'
  /** `error`, `ok`, `FAILED`, ... as sent. */
  readonly status: string
  /** The event's own part, for template variables. */
  readonly data: Tree
}

export type Tree = Readonly<Record<string, unknown>>

/** The tenant as configured. */
export interface TenantSettings {
  readonly id: string
  readonly tenantUrl: string
  readonly comment: string
}

/** No call rejects: the result says what could not be read. Every call ends within `timeoutMs`. */
export interface CloudClient {
  /** Script log of a reload as text. */
  scriptLog(appId: string, reloadId: string, timeoutMs: number): Promise<CloudRead<string>>
  reload(reloadId: string, timeoutMs: number): Promise<CloudRead<CloudReloadInfo>>
  app(appId: string, timeoutMs: number): Promise<CloudRead<CloudAppInfo>>
  /** Tags and size of an app, from its entries in the catalogue. */
  item(appId: string, timeoutMs: number): Promise<CloudRead<CloudItemInfo>>
  user(userId: string, timeoutMs: number): Promise<CloudRead<CloudUserInfo>>
  close(): void
}
