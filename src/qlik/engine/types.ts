/** The engine (QIX) as Footman uses it: JSON-RPC 2.0 over a WebSocket, one session per piece of work. */

export type EngineResult = Readonly<Record<string, unknown>>

export interface EngineAddress {
  /** GUID of the app that the session is about; absent = `/app/engineData`, `null` = no path at all. */
  readonly app?: string | null
  /**
   * Sessions of one user, app and identity share selections and handles, so work on an app gets an identity of its own.
   * Not used without a path.
   */
  readonly identity?: string
  /** The person whose access rights and section access apply; default: the `X-Qlik-User` of the settings. */
  readonly user?: { readonly userDirectory: string; readonly userId: string }
}

export interface CallOptions {
  /** Milliseconds until the call rejects with `timeout`; 0 = waits as long as the connection lives. */
  readonly timeoutMs?: number
}

export interface EngineSession {
  /** `SESSION_CREATED` or `SESSION_ATTACHED`. */
  readonly state: string
  /** `host:port`, for messages. */
  readonly where: string
  /** Handle -1. */
  readonly global: EngineObject
  /** The object behind a handle. */
  object(handle: number): EngineObject
  /**
   * Resolves with the named out parameters. Rejects with an `EngineError`: `rejected`, `timeout`, `closed`, `aborted`.
   * A read (`Get...`) that the engine aborted because a selection overtook it is repeated up to three times.
   */
  call(handle: number, method: string, params?: readonly unknown[], options?: CallOptions): Promise<EngineResult>
  /** Sends the request and ignores its answer. */
  send(handle: number, method: string, params?: readonly unknown[]): void
  /** Ends the session with a closing handshake; what is under way rejects. Never rejects, may be called again. */
  close(): Promise<void>
}

/** A handle with the calls it understands. */
export interface EngineObject {
  readonly handle: number
  call(method: string, params?: readonly unknown[], options?: CallOptions): Promise<EngineResult>
  /** One out parameter of the answer; rejects with `invalid` when it is missing. */
  value(member: string, method: string, params?: readonly unknown[], options?: CallOptions): Promise<unknown>
  /** The object that a method hands out; null when there is none. */
  child(method: string, params?: readonly unknown[], options?: CallOptions): Promise<EngineObject | null>
}

export interface EngineClient {
  /** The host in the configuration, for messages. */
  readonly host: string
  /**
   * Opens a session. Rejects with an `EngineError`: `unreachable`, `timeout`, `refused`, `aborted`. When `signal` aborts
   * later, the session closes and everything under way rejects with `aborted`. The caller closes it.
   */
  open(address: EngineAddress, signal?: AbortSignal): Promise<EngineSession>
  /** Opens a session for `work` and closes it, however `work` ends. */
  use<T>(address: EngineAddress, work: (session: EngineSession) => Promise<T>, signal?: AbortSignal): Promise<T>
}
