/** What a request shows to say who it is. */

export type Presented =
  | { readonly kind: 'none' }
  | { readonly kind: 'key' | 'token'; readonly text: string }
  /** Something is there that cannot be right. */
  | { readonly kind: 'wrong'; readonly problem: string }

const NONE: Presented = { kind: 'none' }

/** `Authorization: Bearer` with a key or a token, or `X-Api-Key` with a key; nothing in a URL counts. */
export function presentedCredential(headers: Headers): Presented {
  const authorization = headers.get('authorization')
  const apiKey = headers.get('x-api-key')
  if (authorization === null) return apiKey === null ? NONE : { kind: 'key', text: apiKey.trim() }
  const [, bearer] = /^bearer +(\S+)$/i.exec(authorization.trim()) ?? []
  if (bearer === undefined) return { kind: 'wrong', problem: 'Authorization is not of the form "Bearer <key>"' }
  if (apiKey !== null && apiKey.trim() !== bearer) {
    return { kind: 'wrong', problem: 'Authorization and X-Api-Key hold different credentials' }
  }
  return { kind: /^[^.]+\.[^.]*\.[^.]*$/.test(bearer) ? 'token' : 'key', text: bearer }
}
