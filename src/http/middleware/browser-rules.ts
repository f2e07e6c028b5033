/**
 * Requests of browsers, recognised by `Origin` or `Sec-Fetch-Site`. Any web page can make the browser of its visitor call
 * this machine. Such a request has to come from a page of Footman itself or of a listed origin, and by a known name: an
 * unknown one may belong to a page that points its own name at this machine (DNS rebinding).
 */
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { escapeHtml } from '../../platform/visible.ts'
import { ERRORS, type Refusal, refusal } from '../errors.ts'

interface BrowserSettings {
  /** Names by which browsers reach this machine besides its own: `name` or, for a proxy, `name:port`. */
  readonly allowedHosts: readonly string[]
  /** Origins whose pages may call; `*` = all. */
  readonly origins: readonly string[]
  /** Address or name that the server listens on. */
  readonly serverHost: string
}

export interface BrowserRules {
  /** Whether a `Host` header is `localhost`, an address, a name of this machine or listed. */
  knowsHost(host: string | null): boolean
  /** Whether an origin is that of Footman's own pages, given the `Host` header of the request. */
  isOwnOrigin(origin: string, host: string | null): boolean
  /**
   * 403 for requests of foreign pages and by unknown names; null for all others, also those that no browser sent.
   * `linked`: a page that links of other sites may open.
   */
  refusal(headers: Headers, linked?: boolean): Refusal | null
}

/** Greatest length of a name in an answer. */
const SHOWN = 100

export function createBrowserRules({ allowedHosts, origins, serverHost }: BrowserSettings): BrowserRules {
  const listed = allowedHosts.map((host) => host.toLowerCase())
  const names = new Set(['localhost', hostname().toLowerCase(), serverHost.toLowerCase(), ...listed.map(nameOf)])

  function knowsHost(host: string | null): boolean {
    const name = nameOf(host ?? '')
    return names.has(name) || isIP(name) !== 0
  }

  function isOwnOrigin(origin: string, host: string | null): boolean {
    const [, place] = /^https?:\/\/(.+)$/i.exec(origin) ?? []
    if (place === undefined) return false
    // A proxy may call by another name than the page did.
    return authority(place) === authority(host ?? '') || listed.includes(place.toLowerCase())
  }

  function isForeign(origin: string | null, site: string | null, host: string | null): boolean {
    if (origins.includes('*') || (origin !== null && origins.includes(origin))) return false
    if (site !== null && !HARMLESS_SITES.includes(site)) return true
    // Without a referrer the browser hides also its own origin.
    if (origin === null || (origin === 'null' && site === 'same-origin')) return false
    return !isOwnOrigin(origin, host)
  }

  return {
    knowsHost,
    isOwnOrigin,
    refusal(headers, linked = false) {
      const origin = headers.get('origin')
      const site = headers.get('sec-fetch-site')
      if (origin === null && site === null) return null
      const host = headers.get('host')
      if (!knowsHost(host)) return hostNotAllowed(nameOf(host ?? ''))
      if (linked && origin === null && opensPage(headers)) return null
      return isForeign(origin, site, host) ? crossSite(origin) : null
    },
  }
}

/**
 * Pages of sibling hosts send their origin with everything but plain reading, whose answer they cannot see; `none` is an
 * address that the user typed.
 */
const HARMLESS_SITES = ['same-origin', 'same-site', 'none']

/** The user follows a link, and no frame shows the page. Forms that other sites send have an origin. */
const opensPage = (headers: Headers): boolean =>
  headers.get('sec-fetch-mode') === 'navigate' && headers.get('sec-fetch-dest') === 'document'

const nameOf = (host: string): string =>
  host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()

/** Browsers leave the usual ports out, some proxies do not. */
const authority = (place: string): string => place.toLowerCase().replace(/:(?:80|443)$/, '')

function hostNotAllowed(name: string): Refusal {
  const details = `A browser called by the name "${name.slice(0, SHOWN)}", which may be that of a foreign page. Use an IP address, or add the name to Butler.footman.api.allowedHosts.`
  return browserRefusal('HOST_NOT_ALLOWED', details)
}

function crossSite(origin: string | null): Refusal {
  const page = origin === null || origin === 'null' ? 'another site' : origin.slice(0, SHOWN)
  const details = `A page of ${page} made the browser send this request. If its scripts may call, add its origin to Butler.footman.api.cors.origins.`
  return browserRefusal('CROSS_SITE', details)
}

const browserRefusal = (code: 'HOST_NOT_ALLOWED' | 'CROSS_SITE', details: string): Refusal =>
  refusal(code, details, { page: `docs/${ERRORS[code].page}` })

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

/** The refusal as a page for a browser that was about to show one (a link was followed); null for everything else. */
export function refusalPage({ status, body }: Refusal, headers: Headers): Response | null {
  const { page, code, error, details } = body
  if (page === undefined || !headers.get('accept')?.includes('text/html')) return null
  const [title, reason, more] = [error, details, page].map((text) => escapeHtml(String(text)))
  // From this page the same address is asked for by Footman's own origin.
  const again = code === 'CROSS_SITE' ? '<p><a href="">Open the page</a></p>' : ''
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title} (${code})</h1><p>${reason}</p>${again}<p>More: ${more}</p></html>`
  return new Response(html, { status, headers: PAGE_HEADERS })
}
