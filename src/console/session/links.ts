/** Links with which `footman console` signs in. */
import { hashOf, newToken } from '../../http/auth/sessions.ts'

export interface SignInLinks {
  /** A token that is good for one sign-in within a minute. */
  make(actor: string): { readonly token: string; readonly expiresAt: number }
  isUsable(token: string): boolean
  /** The actor that the link was made for; null when it is used up or too old. */
  use(token: string): string | null
}

const LINK_MS = 60_000
const MOST_LINKS = 100

/** Links live a minute, so they are kept in memory. */
export function createSignInLinks(now: () => number): SignInLinks {
  const links = new Map<string, { readonly actor: string; readonly expiresAt: number }>()
  const current = (token: string) => {
    const link = links.get(hashOf(token))
    return link && now() < link.expiresAt ? link : null
  }
  return {
    make(actor) {
      for (const [hash, { expiresAt }] of links) if (now() >= expiresAt || links.size >= MOST_LINKS) links.delete(hash)
      const token = newToken()
      const expiresAt = now() + LINK_MS
      links.set(hashOf(token), { actor, expiresAt })
      return { token, expiresAt }
    },
    isUsable: (token) => current(token) !== null,
    use(token) {
      const link = current(token)
      links.delete(hashOf(token))
      return link?.actor ?? null
    },
  }
}
