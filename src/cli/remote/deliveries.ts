/** `footman deliveries`: who was told what and when; sending again and calling off. */
import { visible } from '../../platform/visible.ts'
import { type CommandIo, EXIT } from '../io.ts'
import type { Remote } from './client.ts'
import { found, idOf, newest, OLD } from './events.ts'
import { CommandFailure } from './failure.ts'
import { unknownDestinations } from './names.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { table } from './table.ts'

export interface DeliveriesOptions extends RemoteOptions {
  readonly dead?: boolean
  readonly state: readonly string[]
  readonly destination: readonly string[]
  readonly event?: string
  readonly from?: string
  readonly limit: number
}

interface DeliveryView {
  readonly id: string
  readonly createdAt: string
  readonly kind: string
  readonly route: string | null
  readonly destination: string
  readonly target: string
  readonly state: string
  readonly reason: string | null
  readonly detail: string | null
  readonly nextAttemptAt: string | null
  readonly message?: { readonly subject: string | null; readonly bytes: number; readonly body: string } | null
  readonly attempts?: readonly { n: number; at: string; durationMs: number; result: string; detail: string }[]
}

export function runDeliveriesList(options: DeliveriesOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { dead, state, destination, event, from, limit, json } = options
    const query = { state: dead ? ['dead'] : state, destination, eventId: event, from }
    const deliveries = await newest<DeliveryView>(remote, '/v4/deliveries', 'deliveries', query, limit)
    const silent = destination.filter((name) => !deliveries.some((one) => one.destination === name))
    await refuseUnknown(remote, silent, deliveries.length === 0, io)
    io.out(json ? JSON.stringify({ deliveries, nextCursor: null }, null, 2) : listed(deliveries))
    return EXIT.ok
  })
}

/** Throws exit code 3 for names that no destination has; with a result they are only noted. */
async function refuseUnknown(remote: Remote, names: readonly string[], isFatal: boolean, io: CommandIo): Promise<void> {
  const unknown = await unknownDestinations(remote, names)
  const [first] = unknown
  if (first && isFatal) throw new CommandFailure(EXIT.missing, 'deliveries', `${first.why} (footman destinations)`)
  for (const { why } of unknown) io.err(visible(`note: ${why}`))
}

const HEAD = ['CREATED', 'DESTINATION', 'TO', 'STATE', 'ROUTE', 'ID']

function listed(deliveries: readonly DeliveryView[]): string {
  const rows = deliveries.map((one) => [
    ...[one.createdAt, one.destination, one.target, stateOf(one), one.route ?? '-', one.id],
  ])
  return table([HEAD, ...rows])
}

const stateOf = ({ state, reason }: DeliveryView): string => (reason ? `${state} (${reason})` : state)

export function runDeliveryShow(id: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const path = `/v4/deliveries/${idOf(id, 'delivery')}`
    const { text } = await found(remote, path, 'DELIVERY_NOT_FOUND', `delivery ${id}`)
    io.out(options.json ? text : described(JSON.parse(text) as DeliveryView))
    return EXIT.ok
  })
}

function described(delivery: DeliveryView): string {
  const { message, attempts = [] } = delivery
  const rows: [string, string | null][] = [
    ['Destination', `${delivery.destination} (${delivery.target})`],
    ['Kind', delivery.kind],
    ['Route', delivery.route],
    ['State', stateOf(delivery)],
    ['Detail', delivery.detail],
    ['Created', delivery.createdAt],
    ['Next attempt', delivery.nextAttemptAt],
    ['Subject', message?.subject ?? null],
    ['Size', message ? `${message.bytes} bytes` : null],
  ]
  const facts = table(rows.flatMap(([name, value]) => (value ? [[name, value]] : [])))
  if (attempts.length === 0) return `${facts}\n\nNo attempt yet.`
  const lines = attempts.map(({ n, at, durationMs, result, detail }) => [
    `${n}`,
    at,
    `${durationMs} ms`,
    result,
    detail,
  ])
  return `${facts}\n\n${table([['ATTEMPT', 'AT', 'TOOK', 'RESULT', 'DETAIL'], ...lines])}`
}

export interface ResendOptions extends RemoteOptions {
  readonly dead?: boolean
  readonly destination: readonly string[]
  readonly reason: readonly string[]
  readonly from?: string
}

/** Named deliveries one by one, or with `--dead` all dead letters that the options select. */
export function runDeliveriesResend(ids: readonly string[], options: ResendOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const dead = options.dead === true
    if (dead === ids.length > 0) {
      throw new CommandFailure(EXIT.badInput, 'deliveries resend', 'name deliveries by their ids, or give --dead')
    }
    if (dead) {
      const { destination, reason, from = '3650d' } = options
      const body = { ...(destination.length > 0 && { destination }), ...(reason.length > 0 && { reason }), from }
      const what = 'deliveries resend'
      const { text } = await remote.call({
        method: 'POST',
        path: '/v4/deliveries/-/resend',
        body,
        what,
        switchedOff: OLD,
      })
      const { resent } = JSON.parse(text) as { readonly resent: number }
      await refuseUnknown(remote, destination, resent === 0, io)
      io.out(options.json ? text : `${resent} dead letters are under way again`)
      return EXIT.ok
    }
    for (const id of ids) {
      const path = `/v4/deliveries/${idOf(id, 'delivery')}/resend`
      const what = `delivery ${id}`
      const answer = await remote.call({ method: 'POST', path, body: {}, what, switchedOff: OLD }, [
        'DELIVERY_NOT_FOUND',
      ])
      if (answer.status === 404) throw new CommandFailure(EXIT.missing, what, 'Footman does not know it (any more)')
      io.out(options.json ? answer.text : `${(JSON.parse(answer.text) as { id: string }).id} is under way`)
    }
    return EXIT.ok
  })
}

export function runDeliveryCancel(id: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const path = `/v4/deliveries/${idOf(id, 'delivery')}/cancel`
    const what = `delivery ${id}`
    const answer = await remote.call({ method: 'POST', path, body: {}, what, switchedOff: OLD }, ['DELIVERY_NOT_FOUND'])
    if (answer.status === 404) throw new CommandFailure(EXIT.missing, what, 'Footman does not know it (any more)')
    io.out(options.json ? answer.text : `${id} is not going to be sent`)
    return EXIT.ok
  })
}
