/** `footman events show` and `tail`; `footman deliveries show`, `resend` and `cancel`. */
import {
  CANCEL_DELIVERY,
  DELIVERY,
  type Delivery,
  type DeliveryDetail,
  EVENT,
  type EventDetail,
  RESEND_DEAD_LETTERS,
  RESEND_DELIVERY,
} from '../../alerts/history/contract.ts'
import { type ChangeOf, STREAM, type Topic } from '../../alerts/history/stream-contract.ts'
import { addressOf } from '../../http/endpoint/contract.ts'
import { errorText } from '../../platform/errors.ts'
import { visible } from '../../platform/visible.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import {
  type Column,
  DEFAULT_WIDTH,
  facts,
  fit,
  formOf,
  type ListingForm,
  listing,
  shortIds,
  stateText,
  table,
  zoneLine,
} from '../table.ts'
import { proseText, timeText, zonedTimeText } from '../time.ts'
import {
  CommandFailure,
  createRemote,
  findPlace,
  OLD,
  type Place,
  type Remote,
  type RemoteOptions,
  withRemote,
} from './client.ts'
import type { DELIVERIES_RESEND, EVENTS_SHOW, EVENTS_TAIL } from './commands.ts'
import { refuseUnknownDestinations, wholeId } from './names.ts'

type ShowOptions = OptionsOf<typeof EVENTS_SHOW>

/** A delivery of an event, or one that a test alert or a replay has made. */
export type DeliveryLine = Pick<Delivery, 'id' | 'destination' | 'target' | 'state' | 'reason' | 'route'> &
  Partial<Pick<Delivery, 'detail'>>

export function runEventShow(typed: string, options: ShowOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const id = await wholeId(remote, 'event', typed)
    const event = await remote.ask(EVENT, {
      params: { id },
      what: `event ${typed}`,
      switchedOff: OLD,
      missing: { code: 'EVENT_NOT_FOUND' },
    })
    io.out(options.json ? JSON.stringify(event) : described(event, await formOf(remote, options, io)))
    return EXIT.ok
  })
}

export const DELIVERY_COLUMNS: readonly Column<DeliveryLine>[] = [
  { head: 'DESTINATION', cell: ({ destination }) => destination, least: 11 },
  { head: 'TO', cell: ({ target }) => target, least: 12 },
  { head: 'STATE', cell: stateText, least: 10 },
  { head: 'RULE', cell: ({ route }) => route ?? '-', least: 10 },
  { head: 'DETAIL', cell: ({ detail }) => detail ?? '', least: 10, form: 'prose' },
  { head: 'ID', cell: ({ id }) => id, form: 'id' },
]

function described(event: EventDetail, form: ListingForm): string {
  const about = facts([
    ['Event', event.title],
    ['Received', `${zonedTimeText(event.receivedAt, form.times)} (${event.source})`],
    ['State', stateText(event)],
    ['App', event.appName],
    ['Host', event.host],
    ['User', event.user],
    ['Task id', event.taskId],
    ['Execution', event.executionId],
    ['Failures in a row', event.consecutiveFailures ? String(event.consecutiveFailures) : null],
    ['Missing', event.missingParts.join(', ') || null],
  ])
  const { deliveries } = event
  return `${about}\n\n${deliveries.length === 0 ? 'No deliveries.' : listing(DELIVERY_COLUMNS, deliveries, form)}`
}

interface Change {
  readonly id: string
  readonly event: string
  readonly data: Readonly<Partial<Record<Member, unknown>>>
}

/** A member of the data of any topic. */
type Member = { readonly [T in Topic]: keyof ChangeOf<T> }[Topic]

/** Goes on until `signal` aborts or Footman ends. */
export async function runTail(
  options: OptionsOf<typeof EVENTS_TAIL>,
  io: CommandIo,
  signal: AbortSignal,
): Promise<number> {
  try {
    const place = await findPlace(options, { env: process.env, cwd: process.cwd() })
    const { path } = addressOf(STREAM, { query: { topic: options.topic } })
    const answer = await opened(`${place.url}${path}`, place, signal)
    const times = options.json || options.utc ? undefined : await timesAt(place)
    if (times) io.out(zoneLine(times))
    if (!options.json)
      io.out(
        options.wide
          ? wideLine([atHead(options.utc), ...WIDE_HEAD])
          : aligned([atHead(options.utc), ...HEAD], io.columns),
      )
    const form = { wide: options.wide, width: io.columns, times }
    for await (const change of changes(answer)) io.out(options.json ? JSON.stringify(change) : textOf(change, form))
    throw new CommandFailure(EXIT.unreachable, 'events tail', 'the connection has ended')
  } catch (error) {
    if (signal.aborted) return EXIT.ok
    const [code, what, why] =
      error instanceof CommandFailure
        ? [error.exitCode, error.what, error.message]
        : [EXIT.unreachable, 'events tail', errorText(error)]
    io.err(visible(`error: ${what}: ${why}`))
    return code
  }
}

/** The clock of the site. */
async function timesAt(place: Place): Promise<ZoneTimes> {
  const remote = createRemote(place, { timeoutMs: 10_000, note: () => {} })
  return remote.times().finally(() => remote.close())
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

const HEAD = ['TOPIC', 'STATE', 'WHAT', 'ID']
const WIDE_HEAD = ['TOPIC', 'MEMBERS']
/** The columns but WHAT, which takes the rest. They do not follow the text, as the next change may be longer. */
const WIDTHS = { at: 19, topic: 8, state: 10, id: 13 } as const
/** `AT`, as wide as the times below it: those in UTC have a letter more. */
const atHead = (utc = false): string => 'AT'.padEnd(WIDTHS.at + (utc ? 1 : 0))

/** The time is that at which the change arrived here. */
function textOf({ event, data }: Change, { wide, width, times }: ListingForm): string {
  const at = timeText(new Date().toISOString(), times)
  if (wide) {
    const members = Object.entries(data).filter(([, value]) => value !== null)
    return visible(wideLine([at, event, members.map(([name, value]) => `${name}=${value}`).join('  ')]))
  }
  const word = (name: Member): string => (data[name] == null ? '' : String(data[name]))
  const outcome = [word('type'), word('outcome')].filter(Boolean).join(' ')
  const subject = [outcome, word('destination') || word('taskName') || word('appName') || word('from') || word('host')]
  const reason = word('reason') && ` (${word('reason')})`
  const what = `${subject.filter(Boolean).join(': ')}${reason}`
  return aligned([at, event, word('state'), what, shortIds([word('id')])[0]!], width)
}

const wideLine = ([at = '', topic = '', members = '']: readonly string[]): string =>
  `${at}  ${fit(topic, WIDTHS.topic)}  ${members}`

function aligned([at = '', topic = '', state = '', what = '', id = '']: readonly string[], width = DEFAULT_WIDTH) {
  const left = width - Object.values({ ...WIDTHS, at: at.length }).reduce((sum, one) => sum + one + 2, 0)
  const cells = [at, fit(topic, WIDTHS.topic), fit(state, WIDTHS.state), fit(what, Math.max(20, left)), id]
  return cells.join('  ').trimEnd()
}

// --------------------------------------------------------------------------------- deliveries show, resend, cancel

/** The call about a delivery that is named by its id or the beginning of it. */
async function aboutDelivery(remote: Remote, typed: string) {
  const id = await wholeId(remote, 'delivery', typed)
  const missing = { code: 'DELIVERY_NOT_FOUND' }
  return { params: { id }, what: `delivery ${typed}`, switchedOff: OLD, missing }
}

export function runDeliveryShow(id: string, options: ShowOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const delivery = await remote.ask(DELIVERY, await aboutDelivery(remote, id))
    io.out(options.json ? JSON.stringify(delivery) : describedDelivery(delivery, await formOf(remote, options, io)))
    return EXIT.ok
  })
}

function describedDelivery(delivery: DeliveryDetail, { times }: ListingForm): string {
  const { message, attempts } = delivery
  const about = facts([
    ['Destination', `${delivery.destination} (${delivery.target})`],
    ['Kind', delivery.kind],
    ['Rule', delivery.route],
    ['State', stateText(delivery)],
    ['Detail', delivery.detail && proseText(delivery.detail, times)],
    ['Created', zonedTimeText(delivery.createdAt, times)],
    ['Next attempt', delivery.nextAttemptAt && zonedTimeText(delivery.nextAttemptAt, times)],
    ['Subject', message?.subject ?? null],
    ['Size', message ? `${message.bytes} bytes` : null],
  ])
  if (attempts.length === 0) return `${about}\n\nNo attempt yet.`
  const lines = attempts.map(({ n, at, durationMs, result, detail }) => [
    String(n),
    timeText(at, times),
    `${durationMs} ms`,
    result,
    proseText(detail, times),
  ])
  return `${about}\n\n${table([['ATTEMPT', 'AT', 'TOOK', 'RESULT', 'DETAIL'], ...lines])}`
}

/** Named deliveries one by one, or with `--dead` all dead letters that the options select. */
export function runDeliveriesResend(
  ids: readonly string[],
  options: OptionsOf<typeof DELIVERIES_RESEND>,
  io: CommandIo,
): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const dead = options.dead === true
    if (dead === ids.length > 0) {
      throw new CommandFailure(EXIT.badInput, 'deliveries resend', 'name deliveries by their ids, or give --dead')
    }
    if (dead) {
      const { destination, reason } = options
      const from = await remote.pointInTime(options.from ?? '3650d')
      const body = { ...(destination.length > 0 && { destination }), ...(reason.length > 0 && { reason }), from }
      const what = 'deliveries resend'
      const answer = await remote.ask(RESEND_DEAD_LETTERS, { body, what, switchedOff: OLD })
      const { resent } = answer
      await refuseUnknownDestinations(remote, destination, resent === 0, io)
      io.out(
        options.json
          ? JSON.stringify(answer)
          : resent === 1
            ? '1 dead letter is under way again'
            : `${resent} dead letters are under way again`,
      )
      return EXIT.ok
    }
    for (const id of ids) {
      const answer = await remote.ask(RESEND_DELIVERY, { ...(await aboutDelivery(remote, id)), body: {} })
      io.out(options.json ? JSON.stringify(answer) : `${answer.id} is under way`)
    }
    return EXIT.ok
  })
}

export function runDeliveryCancel(id: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const answer = await remote.ask(CANCEL_DELIVERY, { ...(await aboutDelivery(remote, id)), body: {} })
    io.out(options.json ? JSON.stringify(answer) : `${id} is not going to be sent`)
    return EXIT.ok
  })
}
