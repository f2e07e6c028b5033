/** A visitor of the console without a browser and without scripts: keeps cookies, posts forms, follows nothing. */
import { createHash, randomBytes } from 'node:crypto'
import type { Footman } from './footman.ts'

export interface Key {
  readonly key: string
  /** For `footman.access.keys`. */
  readonly entry: { readonly id: string; readonly hash: string; readonly scopes: readonly string[] }
}

export function newKey(id: string, ...scopes: string[]): Key {
  const key = `fm_${randomBytes(32).toString('base64url')}`
  return { key, entry: { id, hash: `sha256:${createHash('sha256').update(key).digest('hex')}`, scopes } }
}

/** An answer with its text, tags taken out. */
export interface Shown {
  readonly status: number
  readonly location: string | null
  readonly html: string
  readonly text: string
}

type Fields = Readonly<Record<string, string>> | readonly (readonly [name: string, value: string])[]

export interface Visitor {
  /** By name; changes with every `Set-Cookie`. */
  readonly cookies: Map<string, string>
  /** `Set-Cookie` headers of the last answer. */
  readonly set: string[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** Posts like a page of the same origin, unless `headers` say otherwise. */
  post(path: string, fields: Fields, headers?: Record<string, string>): Promise<Response>
  /** A page by its path below `/console`. */
  page(path: string): Promise<Shown>
  /** Posts the fields to an operation, with the token of the page `from`, a path below `/console`. */
  act(operation: string, fields: Fields, from?: string): Promise<Shown>
  /** The token in a page. */
  csrf(path: string): Promise<string>
  signIn(key: string): Promise<Response>
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }

/** The text of a page or of a part of one, with one blank between words. */
export const textOf = (html: string): string =>
  html
    .replace(/<head>.*?<\/head>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(#?\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole)
    .replace(/\s+/g, ' ')

async function shown(answer: Response): Promise<Shown> {
  const html = await answer.text()
  return { status: answer.status, location: answer.headers.get('location'), html, text: textOf(html) }
}

/** `base`: origin and path before `/console`. `always`: headers of every request. `tls`: as in the options of `fetch`. */
export function visitor(base: string, always: Record<string, string> = {}, tls: BunFetchRequestInitTLS = {}): Visitor {
  const cookies = new Map<string, string>()
  const set: string[] = []

  async function send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Response> {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(base + path, {
      method,
      redirect: 'manual',
      tls,
      headers: { accept: 'text/html', ...(cookie && { cookie }), ...always, ...headers },
      ...(body !== undefined && { body }),
    })
    set.splice(0, set.length, ...answer.headers.getSetCookie())
    for (const text of set) {
      const [pair = '', ...attributes] = text.split('; ')
      const [name = '', value = ''] = pair.split('=')
      if (value === '' || attributes.includes('Max-Age=0')) cookies.delete(name)
      else cookies.set(name, value)
    }
    return answer
  }

  const get: Visitor['get'] = (path, headers = {}) => send('GET', path, headers)
  const post: Visitor['post'] = (path, fields, headers = { 'sec-fetch-site': 'same-origin' }) =>
    send(
      'POST',
      path,
      { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      new URLSearchParams((Array.isArray(fields) ? fields : Object.entries(fields)) as string[][]).toString(),
    )
  async function csrf(path: string): Promise<string> {
    const html = await (await get(path)).text()
    return /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? ''
  }
  return {
    cookies,
    set,
    get,
    post,
    csrf,
    page: async (path) => shown(await get(`/console${path}`)),
    async act(operation, fields, from = '/system/about') {
      const token = await csrf(`/console${from}`)
      const entries = Array.isArray(fields) ? fields : Object.entries(fields)
      return shown(await post(`/console/form/${operation}`, [['csrf', token], ...entries]))
    },
    signIn: (key) => post('/console/login', { credential: key, next: '' }),
  }
}

export const visitorOf = ({ restPort }: Footman, always?: Record<string, string>): Visitor =>
  visitor(`http://127.0.0.1:${restPort}`, always)

/**
 * Every page that can be reached by links from the first one, up to `most`, by path; with the text of its answer. `ofAKind`:
 * how many pages that differ in their ids or queries only.
 */
export async function crawl(
  who: Pick<Visitor, 'get'>,
  prefix = '',
  most = 80,
  also: readonly string[] = [],
  ofAKind = Number.POSITIVE_INFINITY,
): Promise<Map<string, { readonly status: number; readonly text: string }>> {
  const found = new Map<string, { readonly status: number; readonly text: string }>()
  const waiting = [...also, ...START]
  const kinds = new Map<string, number>()
  while (waiting.length > 0 && found.size < most) {
    const path = waiting.shift()!
    if (found.has(path)) continue
    const kind = path.replace(/\?.*/, '').replace(UUID, 'ID')
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    if (kinds.get(kind)! > ofAKind) continue
    const answer = await who.get(path)
    const text = await answer.text()
    found.set(path, { status: answer.status, text })
    for (const [, raw = ''] of text.matchAll(/ href="([^"]*)"/g)) {
      const href = raw.replaceAll('&amp;', '&')
      if (!href.startsWith(`${prefix}/console/`)) continue
      const next = href.slice(prefix.length).split('#')[0]!
      if (!/^\/console\/(assets|api|log)/.test(next)) waiting.push(next)
    }
  }
  return found
}

export const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi

const START = [
  '/console/',
  '/console/system',
  '/console/system/config',
  '/console/system/config?as=tree',
  '/console/system/audit',
  '/console/system/keys',
  '/console/system/sessions',
  '/console/system/maintenance',
  '/console/system/about',
  '/console/search?q=sales',
  '/console/events',
  '/console/form/config.reload',
  '/console/unknown',
]
