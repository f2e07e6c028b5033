/** `footman events tail`: what happens, as it happens. */
import { visible } from '../../platform/visible.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { CommandFailure } from './failure.ts'
import { findPlace, type PlaceOptions } from './place.ts'

export interface TailOptions extends PlaceOptions {
  readonly json?: boolean
  readonly topic: readonly string[]
}

interface Change {
  readonly id: string
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Goes on until `signal` aborts or Footman ends. */
export async function runTail(options: TailOptions, io: CommandIo, signal: AbortSignal): Promise<number> {
  try {
    const place = await findPlace(options, { env: process.env, cwd: process.cwd() })
    const query = options.topic.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&')
    const answer = await opened(`${place.url}/v4/stream?${query}`, place, signal)
    for await (const change of changes(answer)) io.out(options.json ? JSON.stringify(change) : line(change))
    throw new CommandFailure(EXIT.unreachable, 'events tail', 'the connection has ended')
  } catch (error) {
    if (signal.aborted) return EXIT.ok
    const [code, what, why] =
      error instanceof CommandFailure
        ? [error.exitCode, error.what, error.message]
        : [EXIT.unreachable, 'events tail', error instanceof Error ? error.message : String(error)]
    io.err(visible(`error: ${what}: ${why}`))
    return code
  }
}

async function opened(url: string, place: { key: string | null; isOwn: boolean }, signal: AbortSignal) {
  const headers: Record<string, string> = { accept: 'text/event-stream' }
  if (place.key !== null) headers.authorization = `Bearer ${place.key}`
  // A certificate of this machine's own Footman need not be one that others trust.
  const options = { headers, signal, tls: { rejectUnauthorized: !place.isOwn } }
  const answer = await fetch(url, options as RequestInit).catch(() => {
    if (signal.aborted) throw signal.reason
    throw new CommandFailure(
      EXIT.unreachable,
      'events tail',
      `${url} cannot be reached; check --url, FOOTMAN_URL or -c`,
    )
  })
  if (answer.ok && answer.body) return answer.body
  const { details = answer.statusText } = (await answer.json().catch(() => ({}))) as { details?: string }
  const code = answer.status === 400 ? EXIT.badInput : EXIT.unreachable
  throw new CommandFailure(code, 'events tail', `${details} (status ${answer.status})`)
}

/** The messages of a stream of server-sent events. */
async function* changes(body: ReadableStream<Uint8Array>): AsyncGenerator<Change> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of body) {
    const blocks = (rest + decoder.decode(piece, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = field(block, 'data')
      if (data !== null)
        yield { id: field(block, 'id') ?? '', event: field(block, 'event') ?? '', data: JSON.parse(data) }
    }
  }
}

const field = (block: string, name: string): string | null =>
  new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? null

function line({ event, data }: Change): string {
  const words = Object.entries(data).flatMap(([name, value]) => (value === null ? [] : [`${name}=${String(value)}`]))
  return visible(`${event}  ${words.join('  ')}`)
}
