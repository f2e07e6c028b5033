/** A dump as the answer to a request: small ones whole, large ones while they are being read. */
import { jsonText } from '../http/endpoint/route.ts'
import { releaseMemory } from '../platform/memory.ts'
import type { Logger } from '../platform/types.ts'
import type { Dump } from './dump.ts'

export interface DumpAnswerSettings {
  /** Until so many characters are read, a failure of the engine still gets its own status. Default 262,144. */
  readonly headSize?: number
  /** An answer that nobody fetches, as the one to a HEAD request, is given up after so long. Default 10,000. */
  readonly pickUpMs?: number
  /** A reader that takes nothing for so long is cut off, so that no session is left open. Default 120,000. */
  readonly stallMs?: number
}

/** Characters that go out at once. */
const PIECE_SIZE = 65_536
const HEAD_SIZE = 262_144
/**
 * Left to itself the runtime lets garbage grow with the memory of the machine; a dump makes so much of it so fast that
 * it is collected each time so many characters have gone out. Takes some 20 ms.
 */
const COLLECT_AFTER = 24_000_000
const PICK_UP_MS = 10_000
const STALL_MS = 120_000

/**
 * Answers 200. Rejects when the engine fails before the first byte; when it fails later the connection is cut, so that
 * nobody takes the part for the whole. Closes the dump in every case.
 */
export async function dumpAnswer(dump: Dump, log: Logger, settings: DumpAnswerSettings = {}): Promise<Response> {
  try {
    const head = await collect(dump.pieces, settings.headSize ?? HEAD_SIZE)
    if (!head.done) return jsonStream(bodyOf(dump, head.text, log, settings))
    await dump.close()
    return jsonText(200, head.text)
  } catch (error) {
    await dump.close()
    throw error
  }
}

/** Pieces until there are `size` characters or no more. */
async function collect(pieces: AsyncGenerator<string>, size: number): Promise<{ text: string; done: boolean }> {
  const parts: string[] = []
  for (let length = 0; length < size; ) {
    const { value, done } = await pieces.next()
    if (done) return { text: parts.join(''), done: true }
    parts.push(value)
    length += value.length
  }
  return { text: parts.join(''), done: false }
}

function jsonStream(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } })
}

function bodyOf(
  dump: Dump,
  head: string,
  log: Logger,
  { pickUpMs = PICK_UP_MS, stallMs = STALL_MS }: DumpAnswerSettings,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let first: string | null = head
  let stalled: ReturnType<typeof setTimeout> | undefined
  let left = false
  let uncollected = 0

  async function next(): Promise<{ text: string; done: boolean }> {
    if (first === null) return collect(dump.pieces, PIECE_SIZE)
    const text = first
    first = null
    return { text, done: false }
  }

  function collectGarbage(written: number): void {
    uncollected += written
    if (uncollected < COLLECT_AFTER) return
    uncollected = 0
    releaseMemory()
  }

  function watch(controller: ReadableStreamDefaultController<Uint8Array>, ms: number): void {
    stalled = setTimeout(() => {
      if (first === null) log.warn(`APPDUMP: The reader took nothing for ${ms} ms and was cut off`)
      controller.error(new Error('the reader of the dump has stalled'))
      void dump.close()
    }, ms)
  }

  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => watch(controller, pickUpMs),
      async pull(controller) {
        clearTimeout(stalled)
        try {
          const { text, done } = await next()
          if (left) return
          if (text !== '') controller.enqueue(encoder.encode(text))
          collectGarbage(text.length)
          if (!done) return watch(controller, stallMs)
          controller.close()
        } catch (error) {
          if (!left) log.error(`APPDUMP: Failed dumping app, the answer is cut off: ${reasonOf(error)}`)
          controller.error(error)
        }
        await dump.close()
      },
      async cancel() {
        left = true
        clearTimeout(stalled)
        await dump.close()
      },
    },
    { highWaterMark: 0 },
  )
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
