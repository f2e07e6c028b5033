/** `footman deliveries show`, `resend` and `cancel`: what became of a message; sending again and calling off. */
import { type CommandIo, EXIT } from '../io.ts'
import { facts, stateText, table } from '../table.ts'
import { CommandFailure, found, OLD, type Remote, type RemoteOptions, withRemote } from './client.ts'
import { refuseUnknownDestinations, wholeId } from './names.ts'

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

/** The call about a delivery that is named by its id or the beginning of it. */
async function ask(remote: Remote, typed: string, action?: 'resend' | 'cancel'): Promise<string> {
  const path = `/v4/deliveries/${await wholeId(remote, 'delivery', typed)}`
  const call = action ? ({ method: 'POST', path: `${path}/${action}`, body: {} } as const) : { path }
  return (await found(remote, { ...call, what: `delivery ${typed}` }, 'DELIVERY_NOT_FOUND')).text
}

export function runDeliveryShow(id: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const text = await ask(remote, id)
    io.out(options.json ? text : described(JSON.parse(text) as DeliveryView))
    return EXIT.ok
  })
}

function described(delivery: DeliveryView): string {
  const { message, attempts = [] } = delivery
  const about = facts([
    ['Destination', `${delivery.destination} (${delivery.target})`],
    ['Kind', delivery.kind],
    ['Route', delivery.route],
    ['State', stateText(delivery)],
    ['Detail', delivery.detail],
    ['Created', delivery.createdAt],
    ['Next attempt', delivery.nextAttemptAt],
    ['Subject', message?.subject ?? null],
    ['Size', message ? `${message.bytes} bytes` : null],
  ])
  if (attempts.length === 0) return `${about}\n\nNo attempt yet.`
  const lines = attempts.map(({ n, at, durationMs, result, detail }) => [
    String(n),
    at,
    `${durationMs} ms`,
    result,
    detail,
  ])
  return `${about}\n\n${table([['ATTEMPT', 'AT', 'TOOK', 'RESULT', 'DETAIL'], ...lines])}`
}

interface ResendOptions extends RemoteOptions {
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
      await refuseUnknownDestinations(remote, destination, resent === 0, io)
      io.out(options.json ? text : `${resent} dead letters are under way again`)
      return EXIT.ok
    }
    for (const id of ids) {
      const text = await ask(remote, id, 'resend')
      io.out(options.json ? text : `${(JSON.parse(text) as { id: string }).id} is under way`)
    }
    return EXIT.ok
  })
}

export function runDeliveryCancel(id: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const text = await ask(remote, id, 'cancel')
    io.out(options.json ? text : `${id} is not going to be sent`)
    return EXIT.ok
  })
}
