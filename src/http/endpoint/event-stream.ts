/** Server-sent events: answers that stay open and report what happens. */
import { limitedClient } from '../../platform/addresses.ts'
import { refusal } from '../errors.ts'
import type { Caller } from './caller.ts'
import type { ApiRequest } from './route.ts'

export interface StreamEvent {
  readonly event: string
  readonly data: unknown
  readonly id?: number | string
}

/** An event in the form in which it is sent, for the many readers of one event. */
export type FramedEvent = string & { readonly framed: true }

export interface EventSource {
  /** Messages that are sent first; read piece by piece, as the client takes them. */
  readonly initial?: Iterator<StreamEvent | FramedEvent>
  /** Called when the reader begins to read; returns how to end the subscription. */
  subscribe(send: (event: StreamEvent | FramedEvent) => void): () => void
}

/** The part of a request that a stream depends on. */
export type StreamRequest = Pick<ApiRequest, 'client' | 'stays'> & { readonly caller: Pick<Caller, 'actor'> }

export interface EventStreams {
  /**
   * Answers 200 with an open stream, as a promise, which the server requires. Rejects with 503 `TOO_MANY_STREAMS`. `stays` is
   * asked every few seconds; the stream ends when it resolves with false.
   */
  open(request: StreamRequest, source: () => EventSource): Promise<Response>
  /** Streams that are being read. */
  readonly count: number
  /** Ends all streams, and refuses new ones. */
  stop(): void
}

export interface EventStreamSettings {
  /** Asked at each opening, as it may change. Default 100. */
  readonly maxStreams?: () => number
  /** Streams of one caller; default 20. */
  readonly maxPerCaller?: number
  /** Events that may wait for a slow reader before it is cut off; default 10,000. */
  readonly maxWaiting?: number
  /** The same in characters; default 16 Mi. */
  readonly maxWaitingSize?: number
  /** How long a reader may take nothing of what waits for it; default 60,000. */
  readonly maxStandstillMs?: number
  /** Pause between comment lines, which keep idle connections open; default 15,000. */
  readonly heartbeatMs?: number
  /** Pause between questions whether the caller still has its rights; default 4,000. */
  readonly recheckMs?: number
}

const RETRY_MS = 3000
/** The part of all streams that is kept for callers without one. */
const KEPT_PART = 1 / 10
/** Characters that go out at once. */
const PIECE = 65_536

/** Everything begins with the first read, so unread streams (the answer to a HEAD request) cost nothing. */
export function createEventStreams(settings: EventStreamSettings = {}): EventStreams {
  const {
    maxStreams = () => 100,
    maxPerCaller = 20,
    maxWaiting = 10_000,
    maxWaitingSize = 16 * 1024 * 1024,
    maxStandstillMs = 60_000,
    heartbeatMs = 15_000,
    recheckMs = 4000,
  } = settings
  const encoder = new TextEncoder()
  /** How to end each stream, with its caller. */
  const open = new Map<() => void, string>()
  let stopped = false

  function stream(
    caller: string,
    makeSource: () => EventSource,
    stays: ApiRequest['stays'],
  ): ReadableStream<Uint8Array> {
    let head = `retry: ${RETRY_MS}\n\n`
    let waiting: string[] = []
    let size = 0
    /** When the reader took the last piece. */
    let takenAt = 0
    let initial: EventSource['initial']
    let wake: () => void = () => {}
    let end: (() => void) | null = null
    let ended = false
    /** Ends the connection, too. Does nothing when the stream is over. */
    let fail: () => void = () => {}

    function cutOff(): void {
      fail()
      close()
    }

    function push(text: string): void {
      waiting.push(text)
      size += text.length
      if (waiting.length > maxWaiting || size > maxWaitingSize) cutOff()
      else wake()
    }

    function close(): void {
      if (ended) return
      ended = true
      waiting = []
      end?.()
      end = null
      wake()
      // A reader that takes nothing never comes to the end.
      setTimeout(() => fail(), maxStandstillMs).unref()
    }

    function begin(): void {
      const source = makeSource()
      initial = source.initial
      const unsubscribe = source.subscribe((event) => push(textOf(event)))
      takenAt = performance.now()
      // A timer alone is enough: nothing is awaited, and nothing fails. A comment that is not taken is the sign of a full buffer.
      const heartbeat = setInterval(() => {
        if (waiting.length === 0) push(': still here\n\n')
        else if (performance.now() - takenAt > maxStandstillMs) cutOff()
      }, heartbeatMs)
      const recheck = stays && setInterval(async () => (await stays()) || close(), recheckMs)
      open.set(close, caller)
      end = () => {
        unsubscribe()
        clearInterval(heartbeat)
        clearInterval(recheck)
        open.delete(close)
      }
    }

    /** Empty when there is nothing to send at the moment. */
    function next(): string {
      let piece = head
      head = ''
      while (initial && piece.length < PIECE) {
        const { value, done } = initial.next()
        if (done) initial = undefined
        else piece += textOf(value)
      }
      if (initial) return piece
      let taken = 0
      while (taken < waiting.length && piece.length < PIECE) piece += waiting[taken++]
      waiting = waiting.slice(taken)
      size = waiting.reduce((sum, { length }) => sum + length, 0)
      return piece
    }

    /** Empty at the end of the stream. */
    async function nextPiece(): Promise<string> {
      if (!end && !ended) begin()
      for (;;) {
        const piece = ended ? '' : next()
        takenAt = performance.now()
        if (piece !== '' || ended) return piece
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }

    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          fail = () => controller.error(new Error('the reader is too slow'))
        },
        async pull(controller) {
          const piece = await nextPiece().catch((error: unknown) => {
            close()
            throw error
          })
          if (piece !== '') controller.enqueue(encoder.encode(piece))
          else if (controller.desiredSize !== null) controller.close()
        },
        cancel: close,
      },
      { highWaterMark: 0 },
    )
  }

  /** Why the caller gets no further stream; null when it does. */
  function fullFor(caller: string): string | null {
    const most = maxStreams()
    const own = [...open.values()].filter((one) => one === caller).length
    if (own >= maxPerCaller) return `${caller} has ${own} streams open. Close one of them.`
    if (open.size >= most) return `${most} streams are open. Close one of them.`
    const kept = Math.floor(most * KEPT_PART)
    if (own === 0 || open.size < most - kept) return null
    return `${open.size} streams are open; the last ${kept} are kept for callers that have none.`
  }

  return {
    async open({ caller, client, stays }, source) {
      const name = caller.actor === 'anonymous' ? limitedClient(client) : caller.actor
      const reason = stopped ? 'Footman is about to stop.' : fullFor(name)
      if (reason !== null) throw refusal('TOO_MANY_STREAMS', reason)
      return new Response(stream(name, source, stays), {
        status: 200,
        headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' },
      })
    },
    get count() {
      return open.size
    },
    stop() {
      stopped = true
      for (const close of open.keys()) close()
    },
  }
}

const textOf = (event: StreamEvent | FramedEvent): string =>
  typeof event === 'string' ? event : framed(event, JSON.stringify(event.data))

/** `json`: the data in one line. */
export function framed({ id, event }: Pick<StreamEvent, 'id' | 'event'>, json: string): FramedEvent {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${json}\n\n` as FramedEvent
}
