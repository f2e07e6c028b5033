/** The form of a page: what it is given and what it answers. `site.tsx` puts it into the frame. */
import type { Child } from 'hono/jsx'
import type { ApiRequest } from '../http/endpoint/route.ts'
import type { SchemaOf } from '../settings/merge.ts'
import type { Ask, Query } from './ask.ts'
import type { Upload } from './requests.ts'
import type { Visitor } from './session/guard.ts'

/** The places of the navigation, with the scopes of which one opens it. */
export const PLACES = {
  now: { title: 'Now', path: '/', scopes: ['task:read', 'event:read'] },
  events: { title: 'Events', path: '/events', scopes: ['event:read'] },
  tasks: { title: 'Tasks', path: '/tasks', scopes: ['task:read'] },
  delivery: { title: 'Delivery', path: '/deliveries', scopes: ['event:read'] },
  schedules: { title: 'Schedules', path: '/schedules', scopes: ['schedule:read'] },
  reports: { title: 'Reports', path: '/reports', scopes: ['report:read'] },
  system: { title: 'System', path: '/system', scopes: [] },
} as const satisfies Record<string, { title: string; path: string; scopes: readonly string[] }>

/** Pages about Footman and what it stores, with the scope that opens them. */
export const SYSTEM_PAGES = [
  ['/system', 'Health', 'any'],
  ['/system/maintenance', 'Maintenance', 'event:read'],
  ['/system/keyvalues', 'Key-values', 'kv:read'],
  ['/system/files', 'File jobs', 'file:write'],
  ['/system/mqtt', 'MQTT messages', 'message:read'],
  ['/system/settings', 'Settings', 'setting:read'],
  ['/system/features', 'Features', 'setting:read'],
  ['/system/changes', 'Changes', 'setting:read'],
  ['/system/config', 'Configuration', 'admin'],
  ['/system/audit', 'Audit', 'admin'],
  ['/system/keys', 'Access', 'admin'],
  ['/system/sessions', 'Sessions', 'any'],
  ['/system/about', 'About', 'any'],
] as const

export type Place = keyof typeof PLACES

/**
 * The places that a person with these scopes may open, in the order of the navigation. The page of a feature that is switched
 * off says how to switch it on.
 */
export const placesFor = (may: (scope: string) => boolean): Place[] =>
  (Object.keys(PLACES) as Place[]).filter((name) => {
    const { scopes } = PLACES[name]
    return scopes.length === 0 || scopes.some(may)
  })

/** The text at an address that the visitor has entered. Rejects with the reason in words. */
export type ReadAddress = (address: string) => Promise<string>

export interface PageContext {
  readonly request: ApiRequest
  /** Path of the console for the browser: `/footman/console`. */
  readonly root: string
  /** Path of this page below `root`, without query: `/events`. */
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly visitor: Visitor
  readonly ask: Ask
  /** Milliseconds since 1970. */
  readonly now: number
  /** IANA name of the site's zone. */
  readonly timezone: string
  readonly settings: SiteSettings
  /** The schema of a setting, for its form. */
  readonly settingSchema: SchemaOf
  readonly readAddress: ReadAddress
  /** Chosen in the posted form. */
  readonly upload?: Upload
  /** Actions of the page that ask nothing, filled while it is rendered: of each operation the fields of the first button. */
  readonly actions: Map<string, URLSearchParams>
  /** Whether the visitor has the scope. */
  may(scope: string): boolean
  /** Address of a page for the browser: `link('/events', { limit: 50 })`. */
  link(path: string, query?: Query): string
  /** Address of this page with other parameters; null or '' removes one. */
  here(changes: Query): string
}

/** The part of the configuration that pages show. */
export interface SiteSettings {
  readonly timezone: string
  readonly nightStart: string
  readonly shadow: boolean
  readonly version: string
  /** Base addresses of the QMC and the hub; '' = unknown. */
  readonly links: { readonly qmc: string; readonly hub: string }
  /** `primary` or `satellite`. */
  readonly role: string
  /** Report tasks are switched on. */
  readonly reports: boolean
  /** The part of this node in its cluster; null on a node of its own. */
  readonly cluster: NodeState | null
}

export interface NodeState {
  /** `alone`: it cannot reach the others. */
  readonly mode: string
  readonly leader: string | null
  /** How old its data are, in milliseconds. */
  readonly behindMs: number
  /** It fires schedules, retries and starts over MQTT. */
  readonly runsDuties: boolean
  /** `keeps`: it refuses this node, which keeps what it receives and sends nothing; `refuses`: which alerts all the same. */
  readonly database: 'up' | 'away' | 'keeps' | 'refuses'
}

export interface PageContent {
  /** The title of the window; the frame adds the name of the product. */
  readonly title: string
  /** Default 200. */
  readonly status?: number
  readonly body: Child
  /** Topics of the stream whose messages make the page look again. */
  readonly live?: readonly string[]
  /** Names of further scripts in `assets/`: `chart.js`. */
  readonly scripts?: readonly string[]
  /** The place of the navigation, for pages of actions and those that have several. */
  readonly place?: Place
  /** Where the page is, below the console: the browser goes there instead. */
  readonly location?: string
  /** Sent in place of the page. */
  readonly file?: PageFile
}

/** A document out of data, as it is: for a frame of a page, where it can neither run scripts nor send requests, or to be kept. */
export interface PageFile {
  /** `text/html`, or `application/pdf` for a file that is kept. */
  readonly type: string
  readonly body: string | Uint8Array<ArrayBuffer>
  /** The name of the file that the browser keeps; absent = the browser shows it. */
  readonly name?: string
}

export interface Page {
  /** Below the console, with parameters as Hono writes them: `/events/:eventId`. */
  readonly path: string
  readonly place: Place
  /** Scope that the main part needs; without it the page is 403. */
  readonly scope?: string
  render(context: PageContext): Promise<PageContent> | PageContent
}
