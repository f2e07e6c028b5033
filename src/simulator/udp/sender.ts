import { createSocket, type Socket } from 'node:dgram'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '../../platform/types.ts'
import type { LocalTime } from '../local-time.ts'
import type { SimulatedSite } from '../types.ts'
import { renderDatagram, type UdpModes } from './datagram.ts'

export interface UdpTarget {
  readonly host: string
  readonly port: number
}

export interface SentDatagram {
  readonly at: number
  readonly text: string
}

export interface UdpSender {
  start(): Promise<void>
  stop(): Promise<void>
  /** Where the appenders send to; null switches them off. */
  setTarget(target: UdpTarget | null): void
  readonly target: UdpTarget | null
  /** Sends bytes as they are. */
  sendRaw(raw: string | Buffer): Promise<void>
  /** Sends all, evenly over `withinMs` of wall-clock time, yielding to the event loop; returns the time it took. */
  sendPaced(datagrams: readonly Buffer[], withinMs: number): Promise<number>
  /** The newest 1,000 datagrams that the appenders sent, oldest first. */
  sent(): readonly SentDatagram[]
  clear(): void
}

const KEPT = 1000
/** The socket's buffer would overflow on bigger steps. */
const MAX_STEP = 64

/** Plays the UDP log appenders of the scheduler: one datagram for each matching log line. */
export function createUdpSender(
  deps: { readonly site: SimulatedSite; readonly time: LocalTime; readonly modes: UdpModes; readonly log: Logger },
  settings: { readonly target: UdpTarget | null },
): UdpSender {
  const { site, time, modes, log } = deps
  const history: SentDatagram[] = []
  const held: Buffer[] = []
  let target = settings.target
  let socket: Socket | null = null
  let unsubscribe = () => {}

  function transmit(datagram: Buffer): Promise<void> {
    const current = socket
    const to = target
    if (!current || !to) return Promise.resolve()
    return new Promise((resolve) => {
      current.send(datagram, to.port, to.host, (error) => {
        if (error) log.warn(`Simulator: sending a datagram to ${to.host}:${to.port} failed: ${error.message}`)
        resolve()
      })
    })
  }

  /** Loses, repeats and reorders as the modes say. */
  function deliver(datagram: Buffer) {
    if (Math.random() * 100 < modes.dropPercent) return
    if (modes.reorder > 1) {
      held.unshift(datagram)
      if (held.length < modes.reorder) return
      for (const one of held.splice(0)) send(one)
      return
    }
    send(datagram)
  }

  function send(datagram: Buffer) {
    history.push({ at: site.clock.now(), text: datagram.toString('utf8') })
    if (history.length > 2 * KEPT) history.splice(0, KEPT)
    for (let copy = 0; copy < modes.copies; copy++) void transmit(datagram)
  }

  return {
    start() {
      unsubscribe = site.on('schedulerLog', (line) => {
        const datagram = renderDatagram(time, line, site.clock.now(), modes)
        if (modes.delayMs > 0) site.clock.schedule(modes.delayMs, () => deliver(datagram))
        else deliver(datagram)
      })
      const created = createSocket('udp4')
      socket = created
      created.on('error', (error) => log.warn(`Simulator: UDP socket: ${error.message}`))
      return new Promise((resolve) => created.bind(0, () => resolve()))
    },
    async stop() {
      unsubscribe()
      const closing = socket
      socket = null
      if (closing) await new Promise<void>((resolve) => closing.close(() => resolve()))
    },
    setTarget(next) {
      target = next
    },
    get target() {
      return target
    },
    sendRaw: (raw) => transmit(typeof raw === 'string' ? Buffer.from(raw) : raw),
    async sendPaced(datagrams, withinMs) {
      const started = performance.now()
      let sent = 0
      while (sent < datagrams.length) {
        const share = withinMs > 0 ? (performance.now() - started) / withinMs : 1
        const due = Math.min(datagrams.length, Math.ceil(datagrams.length * share), sent + MAX_STEP)
        const batch: Promise<void>[] = []
        for (; sent < due; sent++) batch.push(transmit(datagrams[sent]!))
        await Promise.all(batch)
        await nextTurn()
      }
      return performance.now() - started
    },
    sent: () => history.slice(-KEPT),
    clear() {
      history.length = 0
      held.length = 0
    },
  }
}
