/** Reading of requests, and answers, that all parts of the console share. */

import type { ApiRequest } from '../http/endpoint/route.ts'
import { Refusal, refusal } from '../http/errors.ts'
import { parseOutsideJson } from '../platform/json.ts'

export type SiteEnv = { Bindings: { readonly request: ApiRequest } }

/** Cookie path of the console for the browser of a request: `/footman/console`. */
export const rootOf = ({ prefix }: Pick<ApiRequest, 'prefix'>): string => `${prefix}/console`

/** A posted form; bytes, as the endpoint takes the body as it came. */
export const formOf = ({ body }: ApiRequest): URLSearchParams =>
  new URLSearchParams(body instanceof Uint8Array ? new TextDecoder().decode(body) : '')

/** A posted JSON; undefined when it is none. */
export function jsonOf({ body }: ApiRequest): unknown {
  try {
    return body instanceof Uint8Array ? parseOutsideJson(new TextDecoder().decode(body)) : undefined
  } catch {
    return undefined
  }
}

export interface Upload {
  readonly name: string
  readonly content: Uint8Array
}

/** A posted form, which may hold a file. Throws 400 for one that is cut short. */
export async function uploadOf(request: ApiRequest): Promise<{ form: URLSearchParams; upload?: Upload }> {
  const type = request.headers.get('content-type') ?? ''
  if (!type.startsWith('multipart/form-data')) return { form: formOf(request) }
  const parts = await new Response(request.body as BodyInit, { headers: { 'content-type': type } })
    .formData()
    .catch(() => {
      throw refusal('VALIDATION', 'The form did not arrive as a whole. Send it again.')
    })
  const entries = [...parts] as [string, string | File][]
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  const form = new URLSearchParams(texts.map(([name, text]) => [name, text.replaceAll('\r\n', '\n')]))
  const file = entries.map(([, value]) => value).find((value) => typeof value !== 'string' && value.size > 0)
  if (!file || typeof file === 'string') return { form }
  return { form, upload: { name: file.name, content: new Uint8Array(await file.arrayBuffer()) } }
}

export const redirect = (location: string): Response =>
  new Response(null, { status: 303, headers: { location, 'cache-control': 'no-store' } })

const OWN = 'http://own.invalid'

/** A path below the console or the hub, where a sign-in or a form may go on; '' for every other address. */
export function ownPath(text: string | null, { prefix }: Pick<ApiRequest, 'prefix'>): string {
  if (text === null || /[\\\s]/.test(text)) return ''
  const url = URL.parse(text, OWN)
  if (url?.origin !== OWN) return ''
  const { pathname, search, hash } = url
  const isOwn = ['console', 'hub'].some((place) => pathname.startsWith(`${prefix}/${place}/`))
  return isOwn ? `${pathname}${search}${hash}` : ''
}

export const isRefusal = (error: unknown): error is Refusal => error instanceof Refusal
