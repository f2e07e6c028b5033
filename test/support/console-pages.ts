/** The console of a running Footman as a browser without scripts sees it, and checks of its pages in Chromium. */
import type { Page } from 'playwright-core'
import { readRepositoryFile } from './source.ts'

export interface Visitor {
  /** A page by its path below the console, without following redirects. */
  page(path: string): Promise<{ readonly status: number; readonly html: string; readonly text: string }>
  /** Posts the fields to an operation; the token of the session comes from the page. */
  act(
    operation: string,
    fields: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
    from?: string,
  ): Promise<{
    readonly status: number
    readonly location: string | null
    readonly html: string
    readonly text: string
  }>
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }

/** The text of a page, with one blank between words. */
const textOf = (html: string): string =>
  html
    .replace(/<head>.*?<\/head>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(#?\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole)
    .replace(/\s+/g, ' ')

/** `credential`: of a key to sign in with; absent where access control is off. */
export async function visitor(base: string, credential?: string): Promise<Visitor> {
  const cookies = new Map<string, string>()
  async function send(path: string, init: RequestInit = {}) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(`${base}/console${path}`, {
      ...init,
      redirect: 'manual',
      headers: { cookie, origin: base, ...(init.headers as Record<string, string>) },
    })
    for (const set of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      cookies.set(name, value)
    }
    const html = await answer.text()
    return { status: answer.status, location: answer.headers.get('location'), html, text: textOf(html) }
  }
  const post = (path: string, fields: ConstructorParameters<typeof URLSearchParams>[0]) =>
    send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields).toString(),
    })
  if (credential) await post('/login', { credential })
  return {
    page: (path) => send(path),
    async act(operation, fields, from = '/schedules') {
      const { html } = await send(from)
      const [, csrf = ''] = /name="csrf" value="([^"]+)"/.exec(html) ?? []
      const entries = Array.isArray(fields) ? fields : Object.entries(fields)
      return post(`/form/${operation}`, [['csrf', csrf], ...entries] as string[][])
    },
  }
}

const axe = (): string => readRepositoryFile('node_modules/axe-core/axe.min.js')

/** The findings of axe-core on the page, one line each. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  // The pages forbid foreign scripts; the protocol of the browser may still evaluate this one.
  await page.evaluate(axe())
  return page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as {
      axe: {
        run(context: unknown, options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>
      }
    }
    const { violations } = await checker.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'],
    })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`))
  })
}

/** The page is wider than its window. */
export const scrollsSideways = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
