/** Shared by the routes of the pages of readers. */
import { ALWAYS, type ApiRequest, type ApiRoute, textAnswer } from '../../http/endpoint/route.ts'
import type { Reader } from '../../reports/hub/login.ts'
import { type HubParts, hubRoot } from '../../reports/hub/types.ts'
import { pageHeaders } from '../page-headers.ts'
import type { ReaderContext } from './frame.tsx'

/** Call it before the first `await` of a handler. */
export const contextOf = ({ timezone, now }: HubParts, request: ApiRequest, reader: Reader | null): ReaderContext => ({
  root: hubRoot(request),
  timezone,
  now: now(),
  reader,
})

const PAGE_HEADERS = pageHeaders()

export const pageAnswer = (html: string, status = 200): Response => textAnswer(status, html, PAGE_HEADERS)

const FORM_LIMIT = 16_384

/** An endpoint for browsers: open to callers without credentials, as the hub has its own login. */
export const pageRoute = ({
  method = 'GET',
  hasForm = false,
  ...endpoint
}: Pick<ApiRoute, 'path' | 'summary' | 'handle'> &
  Partial<Pick<ApiRoute, 'confidential' | 'action' | 'limited'>> & {
    readonly method?: 'GET' | 'POST'
    /** Whether the body is read, of a form that is sent with the page. */
    readonly hasForm?: boolean
  }): ApiRoute => ({
  ...endpoint,
  methods: [method],
  switch: null,
  documented: false,
  eachTime: ALWAYS,
  body: hasForm ? 'bytes' : 'ignored',
  ...(hasForm && { bodyLimit: FORM_LIMIT, bodyFor: () => FORM_LIMIT, ownBodyErrors: true }),
})

/** A parameter of the address that is given once; '' for none. */
export const textOf = (value: ApiRequest['query'][string] | undefined): string =>
  typeof value === 'string' ? value.slice(0, 500) : ''
