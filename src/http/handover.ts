/**
 * The server of the REST API while one app replaces another in the same process, as when a feature is switched on, or a node of a
 * cluster gets another part: the port stays open, and requests wait for the next app.
 */
import type { ServeInfo } from '../platform/http-server.ts'
import type { Answer } from './context.ts'

interface Answering {
  answer(request: Request, info: ServeInfo): Answer
}

/** A server that can be kept; `settings` as text, as it serves only an app with the same. */
export interface KeptServer {
  readonly settings: string
  stop(graceMs: number): Promise<void>
}

export interface RestHandover<Server extends KeptServer = KeptServer> {
  /** An app is about to be replaced: its server may be left here instead of being stopped. */
  begin(): void
  /** The next app runs, or could not be started: a server that was not taken is stopped. */
  end(): Promise<void>
  /** Answers by the app in use; waits while there is none. */
  readonly answer: Answering['answer']
  use(app: Answering): void
  /** Leaves the server to the next app when one is expected. Resolves with false otherwise. Requests under way get `graceMs`. */
  keep(server: Server, graceMs: number): Promise<boolean>
  /** The server that the last app has left, for an app with the same settings. */
  take(settings: string): Promise<Server | null>
}

/** Answers of calls that no app has carried out, with the request to repeat. */
const unanswered = new WeakMap<Response, Request>()

/** The answer to a call that has to be made again at the next app, where there is one; it is a refusal otherwise. */
export function repeatable(answer: Response, request: Request): Response {
  unanswered.set(answer, request)
  return answer
}

export function createRestHandover<Server extends KeptServer>(): RestHandover<Server> {
  let isUnderWay = false
  let kept: Server | null = null
  let current: Answering | null = null
  let next = Promise.withResolvers<Answering | null>()
  let active = 0
  let onIdle: (() => void) | null = null

  function release(): void {
    active -= 1
    if (active === 0) onIdle?.()
  }

  function answer(request: Request, info: ServeInfo): Answer {
    if (current) return answerBy(current, request, info)
    const { remoteAddress, clientCertificate } = info
    // Later the connection may be gone.
    return inTurn(request, { remoteAddress, ...(clientCertificate && { clientCertificate }) })
  }

  async function inTurn(request: Request, info: ServeInfo): Promise<Response> {
    const app = await next.promise
    return app ? answerBy(app, request, info) : new Response(null, { status: 503, headers: { 'retry-after': '5' } })
  }

  function answerBy(app: Answering, request: Request, info: ServeInfo): Answer {
    const answer = app.answer(request, info)
    // Most are there at once.
    return answer instanceof Promise ? answerLater(answer, info) : answer
  }

  async function answerLater(answer: Promise<Response>, info: ServeInfo): Promise<Response> {
    active += 1
    const answered = await answer.finally(release)
    const again = unanswered.get(answered)
    return again && isUnderWay ? inTurn(again, info) : answered
  }

  function idle(graceMs: number): Promise<void> {
    if (active === 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, graceMs)
    onIdle = resolve
    return promise.finally(() => {
      clearTimeout(timer)
      onIdle = null
    })
  }

  return {
    answer,
    begin() {
      isUnderWay = true
      current = null
      next = Promise.withResolvers()
    },
    async end() {
      isUnderWay = false
      next.resolve(current)
      const left = kept
      kept = null
      await left?.stop(0)
    },
    use(app) {
      current = app
      next.resolve(app)
    },
    async keep(server, graceMs) {
      if (!isUnderWay) return false
      await idle(graceMs)
      kept = server
      return true
    },
    async take(settings) {
      const left = kept
      kept = null
      if (left === null || left.settings === settings) return left
      await left.stop(0)
      return null
    },
  }
}
