/** Those who receive under load: they note which execution a message is about, and when it came, and nothing else. */
import { connectAsync } from 'mqtt'
import { numberIn } from './large-site-ids.ts'

export interface Receiver extends AsyncDisposable {
  /** Executions that were told of. */
  readonly told: number
  /** Messages about executions that had been told of before. */
  readonly repeats: number
  /** When the first message about an execution came, by its number; `performance.now()`, 0 = none has come. */
  readonly at: Float64Array
}

export interface HttpReceiver extends Receiver {
  readonly url: string
  /** From now on; refusing closes the port. */
  behave(how: { readonly delayMs?: number; readonly refuse?: boolean }): Promise<void>
}

function createNotes(count: number) {
  const at = new Float64Array(count)
  let told = 0
  let repeats = 0
  return {
    at,
    note(text: string): void {
      const n = numberIn(text, 'execution')
      if (n === null || n >= count) return
      if (at[n] !== 0) {
        repeats += 1
        return
      }
      at[n] = performance.now()
      told += 1
    },
    get told() {
      return told
    },
    get repeats() {
      return repeats
    },
  }
}

/** Takes webhooks about executions 0 to `count - 1`. */
export async function startHttpReceiver(count: number): Promise<HttpReceiver> {
  const notes = createNotes(count)
  let delayMs = 0
  let port = 0
  const open = () =>
    Bun.serve({
      port,
      hostname: '127.0.0.1',
      async fetch(request) {
        notes.note(await request.text())
        if (delayMs > 0) await Bun.sleep(delayMs)
        return new Response('ok')
      },
    })
  let server: ReturnType<typeof open> | null = open()
  port = server.port ?? 0
  const close = async () => {
    await server?.stop(true)
    server = null
  }
  return {
    url: `http://127.0.0.1:${port}/alert`,
    at: notes.at,
    get told() {
      return notes.told
    },
    get repeats() {
      return notes.repeats
    },
    async behave(how) {
      delayMs = how.delayMs ?? 0
      if (how.refuse) await close()
      else server ??= open()
    },
    [Symbol.asyncDispose]: close,
  }
}

/** Subscribes to a topic of a broker. */
export async function startMqttReceiver(port: number, topic: string, count: number): Promise<Receiver> {
  const notes = createNotes(count)
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`)
  client.on('message', (_topic, payload) => notes.note(payload.toString()))
  await client.subscribeAsync(topic, { qos: 1 })
  return {
    at: notes.at,
    get told() {
      return notes.told
    },
    get repeats() {
      return notes.repeats
    },
    [Symbol.asyncDispose]: async () => void (await client.endAsync(true)),
  }
}
