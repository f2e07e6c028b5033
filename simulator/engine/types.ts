import type { ListenerDeps } from '../types.ts'
import type { AppStore } from './app-store.ts'
import type { ObjectState, OpenDoc, VariableState } from './doc.ts'
import type { Json } from './json.ts'
import type { ReloadRegistry, RunningReload } from './reload.ts'
import type { EngineUser } from './users.ts'

/** The object behind a handle. */
export type Target =
  | { readonly type: 'Global' }
  | { readonly type: 'Doc'; readonly doc: OpenDoc }
  | { readonly type: 'GenericObject'; readonly doc: OpenDoc; readonly object: ObjectState }
  | {
      readonly type: 'GenericDimension' | 'GenericMeasure' | 'GenericBookmark'
      readonly doc: OpenDoc
      readonly properties: Json
    }
  | { readonly type: 'GenericVariable'; readonly doc: OpenDoc; readonly variable: VariableState }
  | { readonly type: 'Field'; readonly doc: OpenDoc; readonly field: string }

export type TargetType = Target['type']
export type TargetOf<T extends TargetType> = Target extends infer One
  ? One extends { type: infer Type }
    ? T extends Type
      ? One
      : never
    : never
  : never

/** Shared by all sessions of the engine. */
export interface EngineServer extends Pick<ListenerDeps, 'site' | 'clock' | 'faults' | 'log'> {
  readonly store: AppStore
  readonly reloads: ReloadRegistry
  /** Time that a calculation takes, simulated milliseconds; a selection meanwhile aborts it. */
  readonly calculationMs: number
  readonly version: string
  /** Requests so far, by method. */
  readonly calls: Map<string, number>
}

/** One socket of a session: JSON-RPC 2.0 requests in, answers and notifications out. */
export interface Connection {
  /** Remembers handles for the `change` or `close` list of the next message. */
  note(member: 'change' | 'close', handles: readonly number[]): void
  /** Aborts the request with this id, or all of them; they answer error 15. */
  abort(requestId?: number): void
  /** Aborts what is being calculated, because a selection makes it worthless. */
  abortCalculations(): void
  notify(method: string, params: Json): void
  /** Ends the socket without a closing handshake: the client sees code 1006. */
  terminate(): void
  readonly path: string
}

/** How `ConfigureReload` wants the next reload. */
export interface ReloadSettings {
  readonly cancelOnScriptError: boolean
  readonly useErrorData: boolean
  readonly interactOnError: boolean
}

/** One engine session; several sockets of the same user, app and identity share it with its selections and handles. */
export interface EngineSession {
  readonly user: EngineUser
  readonly connections: Set<Connection>
  readonly doc: OpenDoc | null
  reloadSettings: ReloadSettings
  /** The reload that runs or ran last. */
  reload: RunningReload | null
  open(server: EngineServer, appId: string, noData: boolean): Json
  target(handle: number): Target | null
  /** The handle of a target, given anew or known already, as `qReturn` has it. */
  handleOf(target: Target, id: string, genericType?: string): Json
  /** Forgets the handle of a destroyed object. */
  release(id: string): void
  /** Notifies every socket that the data of all charts and lists has changed. */
  dataChanged(): void
  /** After a change of the selections: aborts what is being calculated with the old ones, then `dataChanged`. */
  selected(): void
  /** Notifies every socket that one handle has changed. */
  changed(handle: number): void
}

/** One request on its way. */
export interface Call {
  readonly server: EngineServer
  readonly session: EngineSession
  readonly connection: Connection
  /** Aborted when the client asks for it, or when the socket closes. */
  readonly signal: AbortSignal
}

export interface Method<T extends TargetType> {
  /** Names of the parameters in the order of the schema. */
  readonly params: readonly string[]
  /** Needs the data: takes `calculationMs` and can be overtaken by a selection. */
  readonly calculates?: true
  run(target: TargetOf<T>, args: readonly unknown[], call: Call): Json | Promise<Json>
}

export type MethodTable<T extends TargetType> = Readonly<Record<string, Method<T>>>

type Run<T extends TargetType> = Method<T>['run']

/** A method by its parameters, written as in the schema: `'qMode qPartial qDebug'`. */
export const method = <T extends TargetType>(params: string, run: Run<T>): Method<T> => ({ params: names(params), run })
export const calculation = <T extends TargetType>(params: string, run: Run<T>): Method<T> => ({
  params: names(params),
  calculates: true,
  run,
})

const names = (params: string) => params.split(' ').filter((name) => name !== '')

/** The answer of a method when there is no object with this id or name. */
export const NOTHING: Json = { qReturn: { qType: null, qHandle: null } }
