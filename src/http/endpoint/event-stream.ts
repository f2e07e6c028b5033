/** Server-sent events: answers that stay open and report what happens. */
import { refusal } from '../errors.ts'

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

export interface EventStreams {
  /**
   * Answers 200 with an open stream, as a promise, which the server requires. Rejects with 503 `TOO_MANY_STREAMS`. `stays` is
   * asked every few seconds; the stream ends when it resolves with false.
   */
  open(source: () => EventSource, stays?: () => Promise<boolean>): Promise<Response>
  /** Streams that are being read. */
  readonly count: number
  /** Ends all streams, and refuses new ones. */
  stop(): void
}

export interface EventStreamSettings {
  /** Asked at each opening, as it may change. Default 100. */
  readonly maxStreams?: () => number
  /** Events that may wait for a slow reader before it is cut off; default 10,000. */
  readonly maxWaiting?: number
  /** The same in characters; default 16 Mi. */
  readonly maxWaitingSize?: number
  /** Pause between comment lines, which keep idle connections open; default 15,000. */
  readonly heartbeatMs?: number
  /** Pause between questions whether the caller still has its rights; default 4,000. */
  readonly recheckMs?: number
}

const RETRY_MS = 3000
/** Characters that go out at once. */
const PIECE = 65_536

/** Everything begins with the first read, so unread streams (the answer to a HEAD request) cost nothing. */
export function createEventStreams(settings: EventStreamSettings = {}): EventStreams {
  const {
    maxStreams = () => 100,
    maxWaiting = 10_000,
    maxWaitingSize = 16 * 1024 * 1024,
    heartbeatMs = 15_000,
    recheckMs = 4000,
  } = settings
  const encoder = new TextEncoder()
  const open = new Set<() => void>()
  let stopped = false

  function stream(makeSource: () => EventSource, stays?: () => Promise<boolean>): ReadableStream<Uint8Array> {
    let head = `retry: ${RETRY_MS}\n\n`
    let waiting: string[] = []
    let size = 0
    let initial: EventSource['initial']
    let wake: () => void = () => {}
    let end: (() => void) | null = null
    let ended = false
    let cutOff: () => void = close

    function push(text: string): void {
      waiting.push(text)
      size += text.length
      if (waiting.length > maxWaiting || size > maxWaitingSize) cutOff()
      else wake()
    }

    function close(): void {
      ended = true
      waiting = []
      end?.()
      end = null
      wake()
    }

    function begin(): void {
      const source = makeSource()
      initial = source.initial
      const unsubscribe = source.subscribe((event) => push(textOf(event)))
      // A timer alone is enough: nothing is awaited, and nothing fails.
      const heartbeat = setInterval(() => {
        if (waiting.length === 0) push(': still here\n\n')
      }, heartbeatMs)
      const recheck = stays && setInterval(async () => (await stays()) || close(), recheckMs)
      open.add(close)
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
        if (piece !== '' || ended) return piece
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }

    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          cutOff = () => {
            controller.error(new Error('the reader is too slow'))
            close()
          }
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

  return {
    async open(source, stays) {
      const most = maxStreams()
      if (stopped || open.size >= most) {
        const reason = stopped ? 'Footman is about to stop.' : `${most} streams are open. Close one of them.`
        throw refusal('TOO_MANY_STREAMS', reason)
      }
      return new Response(stream(source, stays), {
        status: 200,
        headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' },
      })
    },
    get count() {
      return open.size
    },
    stop() {
      stopped = true
      for (const close of open) close()
    },
  }
}

const textOf = (event: StreamEvent | FramedEvent): string =>
  typeof event === 'string' ? event : framed(event, JSON.stringify(event.data))

/** `json`: the data in one line. */
export function framed({ id, event }: Pick<StreamEvent, 'id' | 'event'>, json: string): FramedEvent {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${json}\n\n` as FramedEvent
}
