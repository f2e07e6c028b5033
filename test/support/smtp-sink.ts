/** A mail server that keeps its mails and sends the answers that a test sets. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { type UntilOptions, until } from './wait.ts'

export interface ReceivedMail {
  readonly envelope: { readonly from: string; readonly to: readonly string[] }
  /** The message as it came over the wire. */
  readonly raw: string
  readonly parsed: Email
  readonly secure: boolean
  /** User name of the login, when there was one. */
  readonly user: string | null
}

/** Refusals by stage, as SMTP reply codes; `delay` holds back the answer to the message by so many milliseconds. */
export interface SmtpAnswer {
  readonly connect?: number
  readonly auth?: number
  readonly mailFrom?: number
  /** A number refuses every recipient, a table only those named. */
  readonly rcptTo?: number | Readonly<Record<string, number>>
  readonly data?: number
  readonly delay?: number
  /** Takes the message and never answers. */
  readonly hang?: boolean
  /** Keeps the message and never answers. */
  readonly silent?: boolean
}

export interface SmtpSink extends AsyncDisposable {
  readonly port: number
  readonly mails: ReceivedMail[]
  /** Connections seen so far, also those that sent nothing. */
  readonly connections: number
  answer(how: SmtpAnswer): void
  /** Resolves when `count` mails (that match) have come. */
  received(
    count: number,
    options?: UntilOptions & { match?: (mail: ReceivedMail) => boolean },
  ): Promise<readonly ReceivedMail[]>
  down(): Promise<void>
  up(): Promise<void>
  stop(): Promise<void>
}

export interface SmtpSinkOptions {
  readonly port?: number
  /** Asks for this login; without it no login is offered. */
  readonly login?: { readonly user: string; readonly password: string }
  /** PEM texts: offers STARTTLS, or speaks TLS from the start with `implicit`. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly implicit?: boolean }
}

function refusal(code: number): Error & { responseCode: number } {
  return Object.assign(new Error(code < 500 ? 'Try again later' : 'Refused'), { responseCode: code })
}

export async function startSmtpSink(options: SmtpSinkOptions = {}): Promise<SmtpSink> {
  const mails: ReceivedMail[] = []
  let how: SmtpAnswer = {}
  let connections = 0
  let port = options.port ?? 0
  let server: SMTPServer | null = null

  const handlers: SMTPServerOptions = {
    onConnect(_session, done) {
      connections++
      done(how.connect ? refusal(how.connect) : null)
    },
    onAuth(auth, _session, done) {
      if (how.auth) return done(refusal(how.auth))
      const { user, password } = options.login ?? {}
      if (auth.username === user && auth.password === password) return done(null, { user: auth.username })
      done(refusal(535))
    },
    onMailFrom(_address, _session, done) {
      done(how.mailFrom ? refusal(how.mailFrom) : null)
    },
    onRcptTo({ address }, _session, done) {
      const { rcptTo } = how
      const code = typeof rcptTo === 'object' ? rcptTo[address] : rcptTo
      done(code ? refusal(code) : null)
    },
    onData(stream, session, done) {
      const { data, delay, hang, silent } = how
      const { mailFrom, rcptTo } = session.envelope
      new Response(stream as unknown as ReadableStream)
        .text()
        .then(async (raw) => {
          if (delay) await Bun.sleep(delay)
          if (hang) return
          if (data) return done(refusal(data))
          mails.push({
            envelope: { from: mailFrom ? mailFrom.address : '', to: rcptTo.map(({ address }) => address) },
            raw,
            parsed: await PostalMime.parse(raw),
            secure: session.secure,
            user: session.user ?? null,
          })
          if (!silent) done(null, 'accepted')
        })
        .catch((error: Error) => done(error))
    },
  }

  async function up(): Promise<void> {
    if (server) return
    const starting = new SMTPServer({
      ...handlers,
      name: 'sink.test',
      disableReverseLookup: true,
      closeTimeout: 1,
      allowInsecureAuth: true,
      disabledCommands: [...(options.login ? [] : ['AUTH']), ...(options.tls ? [] : ['STARTTLS'])],
      ...(options.tls
        ? { cert: options.tls.cert, key: options.tls.key, secure: options.tls.implicit ?? false }
        : { secure: false }),
    })
    // Broken connections are what tests are about; the sender sees them.
    starting.on('error', () => {})
    const listener = starting.listen(port, '127.0.0.1')
    await once(listener, 'listening')
    port = (listener.address() as AddressInfo).port
    server = starting
  }

  async function down(): Promise<void> {
    const closing = server
    if (!closing) return
    server = null
    await new Promise<void>((resolve) => closing.close(resolve))
  }

  await up()
  return {
    get port() {
      return port
    },
    mails,
    get connections() {
      return connections
    },
    answer(next) {
      how = next
    },
    received(count, { match = () => true, ...waiting } = {}) {
      return until(
        () => {
          const found = mails.filter(match)
          return found.length >= count && found
        },
        { what: `${count} mails at ${port}`, state: () => mails.map(({ parsed }) => parsed.subject), ...waiting },
      )
    },
    down,
    up,
    stop: down,
    [Symbol.asyncDispose]: down,
  }
}
