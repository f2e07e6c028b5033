/** `footman destinations`: where messages go, and how that fares. */
import { type CommandIo, EXIT } from '../io.ts'
import { OLD } from './events.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { table } from './table.ts'

interface DestinationView {
  readonly name: string
  readonly type: string
  readonly up: boolean
  readonly pending: number
  readonly dead: number
  readonly lastDeliveredAt: string | null
  readonly lastError: string | null
}

const HEAD = ['DESTINATION', 'TYPE', 'UP', 'PENDING', 'DEAD', 'LAST DELIVERED', 'LAST ERROR']

export function runDestinations(options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { text } = await remote.call({ path: '/v4/destinations', what: 'destinations', switchedOff: OLD })
    const { destinations } = JSON.parse(text) as { readonly destinations: readonly DestinationView[] }
    const rows = destinations.map(({ name, type, up, pending, dead, lastDeliveredAt, lastError }) => [
      ...[name, type, up ? 'yes' : 'NO', String(pending), String(dead), lastDeliveredAt ?? 'never', lastError ?? ''],
    ])
    io.out(options.json ? text : table([HEAD, ...rows]))
    return EXIT.ok
  })
}
