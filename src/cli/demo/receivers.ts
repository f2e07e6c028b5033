/** Receivers of the alerts: a web server, a mail server, an MQTT broker. They keep the newest mails and webhooks. */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { Aedes } from 'aedes'
import PostalMime, { type Attachment } from 'postal-mime'
import { SMTPServer } from 'smtp-server'
import type { Service } from '../../platform/types.ts'

export interface Receiver extends Service {
  /** Known once it is started. */
  readonly port: number
  /** Messages received so far. */
  readonly received: number
}

interface ReceivedFile {
  readonly name: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

export interface ReceivedMail {
  readonly kind: 'mail'
  readonly from: string
  /** Addresses, with commas between them. */
  readonly to: string
  readonly subject: string
  readonly text: string
  /** Empty when the mail has no HTML part. */
  readonly html: string
  readonly attachments: readonly ReceivedFile[]
}

interface ReceivedWebhook {
  readonly kind: 'webhook'
  readonly method: string
  readonly path: string
  readonly body: string
}

export type Received = (ReceivedMail | ReceivedWebhook) & {
  /** 1 for the first message of the demo. */
  readonly id: number
  /** Unix time in milliseconds. */
  readonly at: number
}

/** The newest mails and webhooks of the demo. */
export interface Inbox {
  add(message: ReceivedMail | ReceivedWebhook): void
  /** Newest first. */
  messages(): readonly Received[]
}

/** Older messages are dropped. */
const KEPT_MESSAGES = 200

export function createInbox(): Inbox {
  const kept: Received[] = []
  let added = 0
  return {
    add(message) {
      added += 1
      kept.unshift({ ...message, id: added, at: Date.now() })
      if (kept.length > KEPT_MESSAGES) kept.pop()
    },
    messages: () => kept,
  }
}

const HOST = '127.0.0.1'
const MAX_WEBHOOK_BYTES = 1_000_000
const REPORT_TOPICS = 'qliksense/report_task/'
const STATUS_TOPICS = 'qliksense/butler/'

/** Path of a chat channel that was archived, so that the demo has deliveries that fail. */
export const ARCHIVED_CHANNEL = '/channels/bi-team'

/** Answers 200 to everything but messages to that channel. */
export function createWebhookReceiver(onWebhook: (webhook: ReceivedWebhook) => void): Receiver {
  let received = 0
  const server = createHttpServer((request, response) => {
    const { method = '', url = '' } = request
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= MAX_WEBHOOK_BYTES) chunks.push(chunk)
    })
    request.on('end', () => {
      if (url === ARCHIVED_CHANNEL) response.writeHead(410).end('channel_is_archived')
      else if (method === 'POST') {
        received += 1
        onWebhook({ kind: 'webhook', method, path: url, body: Buffer.concat(chunks).toString('utf8') })
      }
      if (!response.writableEnded) response.end()
    })
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

/** Accepts mails to every address, without login and without TLS. */
export function createMailReceiver(onMail: (mail: ReceivedMail) => void): Receiver {
  let received = 0
  const smtp = new SMTPServer({
    name: 'demo.footman.test',
    banner: 'Footman demo',
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 500,
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', async () => {
        const to = session.envelope.rcptTo.map(({ address }) => address).join(', ')
        try {
          const mail = await mailOf(Buffer.concat(chunks), to)
          received += 1
          onMail(mail)
          done(null, 'received')
        } catch (error) {
          done(error as Error)
        }
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

async function mailOf(raw: Uint8Array, to: string): Promise<ReceivedMail> {
  const { from, subject = '', text = '', html = '', attachments } = await PostalMime.parse(raw)
  const { name = '', address = '' } = from ?? {}
  return {
    kind: 'mail',
    from: name === '' ? address : `${name} <${address}>`,
    to,
    subject,
    text,
    html,
    attachments: attachments.map(fileOf),
  }
}

const fileOf = ({ filename, content }: Attachment): ReceivedFile => ({
  name: filename ?? 'unnamed',
  bytes: typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content),
})

/** Open to every local client, so that `mosquitto_sub` and the like can look on. */
export function createBroker(): Receiver {
  let received = 0
  const broker = new Aedes()
  broker.on('publish', ({ topic }, client) => {
    // Messages without a client are the broker's own; status messages of Footman and ends of report tasks are not alerts.
    if (client && !topic.startsWith(STATUS_TOPICS) && !topic.startsWith(REPORT_TOPICS)) received += 1
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
