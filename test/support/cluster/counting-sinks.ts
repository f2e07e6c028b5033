/** Receivers of alerts that count each delivery by its key: a webhook and a mailbox. */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { numberIn } from '../../bench/large-site-ids.ts'
import { until } from '../wait.ts'

export interface Received {
  /** Number of the execution that the alert is about. */
  readonly execution: number
  /** `Idempotency-Key` or `Message-ID`. */
  readonly key: string
  /** `performance.now()` */
  readonly at: number
}

export interface CountingSink extends AsyncDisposable {
  readonly name: string
  readonly port: number
  /** All that was accepted, in order. */
  readonly received: Received[]
  /** Messages of any kind. */
  readonly all: number
  /** Milliseconds from a request to its answer: random in this range. */
  delay: readonly [least: number, most: number]
  /** It refuses everything for now, and counts nothing. */
  isDown: boolean
  /** Resolves when it has received so many in all. */
  untilReceived(count: number): Promise<void>
}

/** Milliseconds, random in this range. */
export const ANSWER_MS: CountingSink['delay'] = [2, 17]

const pause = ([least, most]: CountingSink['delay']) => Bun.sleep(least + Math.random() * (most - least))

async function untilReceived(this: CountingSink, count: number): Promise<void> {
  await until(() => this.received.length >= count, {
    what: `${count} alerts at ${this.name}`,
    state: () => this.received.length,
  })
}

/** A webhook that answers 200 after 2 to 17 ms. */
export function startCountingWebhook(): CountingSink {
  const received: Received[] = []
  const sink = { name: 'hook', received, all: 0, delay: ANSWER_MS, isDown: false }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(request) {
      const execution = numberIn(await request.text(), 'execution')
      if (sink.isDown) return new Response('later', { status: 503 })
      sink.all += 1
      const key = request.headers.get('idempotency-key') ?? ''
      if (execution !== null) received.push({ execution, key, at: performance.now() })
      await pause(sink.delay)
      return new Response('ok')
    },
  })
  return Object.assign(sink, {
    untilReceived,
    port: server.port ?? 0,
    [Symbol.asyncDispose]: async () => void (await server.stop(true)),
  })
}

/** A mailbox that accepts after 2 to 17 ms. */
export async function startCountingMailbox(): Promise<CountingSink> {
  const received: Received[] = []
  const sink = { name: 'mail', received, all: 0, delay: ANSWER_MS, isDown: false }
  const server = new SMTPServer({
    disableReverseLookup: true,
    closeTimeout: 1,
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData(stream, _session, done) {
      new Response(stream as unknown as ReadableStream)
        .text()
        .then(async (raw) => {
          if (sink.isDown) return done(Object.assign(new Error('later'), { responseCode: 451 }))
          sink.all += 1
          const key = /^message-id:\s*(\S+)/im.exec(raw)?.[1] ?? ''
          // Lines of a mail are folded with "=" in quoted-printable.
          const execution = numberIn(raw.replaceAll('=\r\n', ''), 'execution')
          if (execution !== null) received.push({ execution, key, at: performance.now() })
          await pause(sink.delay)
          done(null, 'accepted')
        })
        .catch((error: Error) => done(error))
    },
  })
  // Senders that are killed break their connections.
  server.on('error', () => undefined)
  const listener = server.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return Object.assign(sink, {
    untilReceived,
    port: (listener.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  })
}
