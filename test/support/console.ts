/** A visitor of the console without a browser: keeps cookies, posts forms, follows nothing by itself. */
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

export interface Visitor {
  /** By name; changes with every `Set-Cookie`. */
  readonly cookies: Map<string, string>
  /** `Set-Cookie` headers of the last answer. */
  readonly set: string[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** As a page of the same origin does it, unless `headers` say otherwise. */
  post(path: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Response>
  /** The token in a page. */
  csrf(path: string): Promise<string>
  signIn(key: string): Promise<Response>
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
      new URLSearchParams(fields).toString(),
    )
  return {
    cookies,
    set,
    get,
    post,
    async csrf(path) {
      const text = await (await get(path)).text()
      return /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? ''
    },
    signIn: (key) => post('/console/login', { credential: key, next: '' }),
  }
}

export const visitorOf = ({ restPort }: Footman, always?: Record<string, string>): Visitor =>
  visitor(`http://127.0.0.1:${restPort}`, always)

/** Every page that can be reached by links from the first one, up to `most`, by path; with the text of its answer. */
export async function crawl(
  who: Pick<Visitor, 'get'>,
  prefix = '',
  most = 80,
): Promise<Map<string, { readonly status: number; readonly text: string }>> {
  const found = new Map<string, { readonly status: number; readonly text: string }>()
  const waiting = [...START]
  while (waiting.length > 0 && found.size < most) {
    const path = waiting.shift()!
    if (found.has(path)) continue
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

const START = [
  ...['/console/', '/console/system', '/console/system/config', '/console/system/config?as=tree'],
  ...['/console/system/audit', '/console/system/sessions', '/console/system/maintenance', '/console/system/about'],
  ...['/console/search?q=sales', '/console/events', '/console/form/config.reload', '/console/unknown'],
]
