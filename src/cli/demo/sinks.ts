/** Receivers of the alerts: a web server, a mail server, an MQTT broker. They count what comes and forget it. */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { Aedes } from 'aedes'
import { SMTPServer } from 'smtp-server'
import type { Service } from '../../platform/types.ts'

export interface Sink extends Service {
  /** Known once it is started. */
  readonly port: number
  /** Messages received so far. */
  readonly received: number
}

const HOST = '127.0.0.1'
const STATUS_TOPICS = 'qliksense/butler/'

/** Answers 200 to everything. */
export function createWebhookSink(): Sink {
  let received = 0
  const server = createHttpServer((request, response) => {
    if (request.method === 'POST') received += 1
    request.resume().on('end', () => response.end())
  })
  return {
    name: 'webhook receiver',
    get port() {
      return portOf(server)
    },
    get received() {
      return received
    },
    start: () => listen(server),
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Takes mails for everybody, without login and without TLS. */
export function createMailSink(): Sink {
  let received = 0
  const smtp = new SMTPServer({
    name: 'demo.footman.test',
    banner: 'Footman demo',
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 500,
    onData(stream, _session, done) {
      stream.resume()
      stream.on('end', () => {
        received += 1
        done(null, 'thrown away')
      })
    },
  })
  // A sender that hangs up is its own affair.
  smtp.on('error', () => {})
  return {
    name: 'mail server',
    get port() {
      return portOf(smtp.server)
    },
    get received() {
      return received
    },
    async start() {
      const listener = smtp.listen(0, HOST)
      await once(listener, 'listening')
    },
    stop: () => new Promise((resolve) => smtp.close(resolve)),
  }
}

/** Open to every local client, so that `mosquitto_sub` and the like can look on. */
export function createBrokerSink(): Sink {
  let received = 0
  const broker = new Aedes()
  broker.on('publish', ({ topic }, client) => {
    // Without a client it is the broker's own message; what Footman tells about itself is no alert.
    if (client && !topic.startsWith(STATUS_TOPICS)) received += 1
  })
  const server = createTcpServer((socket) => void broker.handle(socket))
  return {
    name: 'MQTT broker',
    get port() {
      return portOf(server)
    },
    get received() {
      return received
    },
    async start() {
      await broker.listen()
      await listen(server)
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      await new Promise<void>((resolve) => broker.close(() => resolve()))
      await closed
    },
  }
}

async function listen(server: Server): Promise<void> {
  server.listen(0, HOST)
  await once(server, 'listening')
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo | null)?.port ?? 0
}
