/** Failures of the large site, each built once and sent to any nodes: nodes see the very same datagram. */
import { createSocket, type Socket } from 'node:dgram'
import { createLocalTime } from '../../../simulator/local-time.ts'
import { APPS, guidOf, TASKS } from '../../bench/large-site-ids.ts'

const time = createLocalTime('Europe/Stockholm')
const STEP_MS = 5

export interface SendRequest {
  /** Number of the first execution. */
  readonly first: number
  readonly count: number
  readonly perSecond: number
  /** UDP ports that get the datagram of this execution. */
  readonly ports: (execution: number) => readonly number[]
  /** Default true; false = as Qlik Sense writes messages that name no execution. */
  readonly withExecutionId?: boolean
  /** Stops sending early. */
  readonly signal?: AbortSignal
}

/** The datagram of an execution that failed at `now` (milliseconds since 1970). */
export function failureDatagram(execution: number, now = Date.now(), withExecutionId = true): Buffer {
  const task = execution % TASKS
  const app = task % APPS
  const fields = [
    '/scheduler-task-failed/',
    'QLIK1',
    `Reload of app ${app}, ${task}`,
    `App ${app}`,
    'INTERNAL\\sa_scheduler',
    guidOf('task', task),
    guidOf('app', app),
    time.logDate(now),
    'INFO',
    withExecutionId ? guidOf('execution', execution) : '',
    'Max retries reached',
  ]
  return Buffer.from(fields.join(';'))
}

/** Sends at an even pace; resolves with the number of executions when all is sent. */
export async function sendDatagrams(request: SendRequest): Promise<number> {
  const { first, count, perSecond, ports, withExecutionId = true, signal } = request
  // One for each port: where one is closed, the system refuses the next datagram of its socket, even one for another port.
  const sockets = new Map<number, Socket>()
  const socketTo = (port: number): Socket => {
    const socket = sockets.get(port) ?? createSocket('udp4')
    sockets.set(port, socket)
    return socket
  }
  const started = performance.now()
  let sent = 0
  try {
    while (sent < count && !signal?.aborted) {
      const due = Math.min(count, Math.ceil(((performance.now() - started) / 1000) * perSecond))
      for (; sent < due; sent += 1) {
        const execution = first + sent
        const datagram = failureDatagram(execution, Date.now(), withExecutionId)
        for (const port of ports(execution)) socketTo(port).send(datagram, port, '127.0.0.1')
      }
      await Bun.sleep(STEP_MS)
    }
    // Closing drops what a socket has not handed over yet.
    await Promise.all([...sockets.values()].map(handedOver))
    return sent
  } finally {
    for (const socket of sockets.values()) socket.close()
  }
}

const handedOver = (socket: Socket) => new Promise<void>((done) => socket.send('', 9, '127.0.0.1', () => done()))
