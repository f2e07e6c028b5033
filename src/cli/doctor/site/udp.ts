/** The UDP input: does what is sent to it arrive? */

import { createSocket } from 'node:dgram'
import { accessSync, constants, existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeDatagram, parseDatagram } from '../../../events/datagram.ts'
import { createSharedSecrets } from '../../../events/ingest/sender-checks.ts'
import { listSources, type MessageSource } from '../../../events/sources.ts'
import { LOCAL_KEY_FILE } from '../../../http/auth/keys.ts'
import { errorText } from '../../../platform/errors.ts'
import { createHttpClient } from '../../../platform/http-client.ts'
import { ownJson } from '../../../platform/json.ts'
import { lockHolder } from '../../../platform/lock.ts'
import { type Database, openDatabase } from '../../../platform/sqlite.ts'
import { bindUdp } from '../../../platform/udp.ts'
import { restUrl } from '../../remote/client.ts'
import { ownAddress } from '../machine/ports.ts'
import type { DoctorContext, Finding, FindingLevel, Probe } from '../types.ts'
import { plural } from './site.ts'

const GROUP = 'udp'
const WANTED_BUFFER = 4 * 1024 * 1024
/** How long a datagram of this machine may take. */
const ARRIVAL_MS = 3000
const POLL_MS = 50

export const udpProbe: Probe = {
  group: GROUP,
  title: 'Messages of Qlik Sense (UDP)',
  applies: ({ config }) => config.udpServerConfig.enable,
  async run(context) {
    const running = await askRunning<RunningInput>(context, 'GET', '/v4/udp')
    if (running.state === 'silent') return withoutApi(context, running.reason)
    if (running.status === 200) return withRunning(context, running.body)
    return [notAllowed(context, running.status)]
  },
}

function say(
  { config: { udpServerConfig: udp } }: DoctorContext,
  level: FindingLevel,
  what: string,
  message: string,
  fix?: string,
  key = 'udpServerConfig',
): Finding {
  const target = `${udp.serverHost}:${udp.portTaskFailure}`
  return { level, code: `${GROUP}.${what}`, target, message, key, ...(fix !== undefined && { fix }) }
}

function notAllowed(context: DoctorContext, status: number): Finding {
  const message = `Footman runs, but does not answer about its input (status ${status})`
  const fix = 'run "footman doctor" as the account that runs Footman, which can read its local key'
  return say(context, 'info', 'not-examined', message, fix)
}

// ------------------------------------------------------------------------------------------- while Footman runs

async function withRunning(context: DoctorContext, input: RunningInput): Promise<readonly Finding[]> {
  if (!input.enabled || !input.listening) {
    const message = 'Footman runs, but does not listen for messages'
    const fix = 'see in its log why the port could not be opened; after a change of the configuration restart it'
    return [say(context, 'error', 'not-listening', message, fix)]
  }
  const buffer = bufferFindings(context, input.receiveBufferBytes ?? 0)
  const heard = context.listenMs === undefined ? [] : await watch(context, context.listenMs)
  return [await selfTest(context, input), ...buffer, ...heard]
}

interface Begun {
  readonly token: string
  readonly datagram: string
}

/** A datagram that Footman knows, sent the way of all messages; it becomes no event. */
async function selfTest(context: DoctorContext, input: RunningInput): Promise<Finding> {
  const begun = await askRunning<Begun>(context, 'POST', '/v4/udp/self-test')
  if (begun.state === 'silent' || begun.status !== 201) {
    return say(context, 'info', 'not-tested', 'Footman did not begin a self-test of its input')
  }
  const { token, datagram } = begun.body
  const [secret] = context.config.footman.udp.sharedSecrets
  await send(
    secret === undefined ? datagram : `${secret};${datagram}`,
    destinationOf(input.address ?? '127.0.0.1'),
    input.port ?? 0,
  )
  for (const end = Date.now() + ARRIVAL_MS; Date.now() < end; await delay(POLL_MS)) {
    const look = await askRunning<{ arrived: boolean; from: string | null }>(
      ...([context, 'GET', `/v4/udp/self-test/${token}`] as const),
    )
    if (look.state === 'answered' && look.body.arrived) {
      return say(context, 'ok', 'arrives', `a test datagram of this machine has arrived (from ${look.body.from})`)
    }
  }
  return lost(context, input)
}

async function lost(context: DoctorContext, before: RunningInput): Promise<Finding> {
  const after = await askRunning<RunningInput>(context, 'GET', '/v4/udp')
  const grown = (reason: string) =>
    after.state === 'answered' && (after.body.dropped?.[reason] ?? 0) > (before.dropped[reason] ?? 0)
  if (grown('SOURCE_NOT_ALLOWED')) {
    const message =
      'the test datagram arrived and was refused, as this machine is not in allowedSources: as it should be'
    return say(context, 'ok', 'source-refused', message, undefined, 'udpServerConfig.allowedSources')
  }
  if (grown('RATE_LIMITED')) {
    const message = 'the test datagram arrived and was dropped, as more messages arrive than rateLimit allows'
    const fix = 'raise Butler.udpServerConfig.rateLimit.maxMessagesPerMinute, or find out who sends so much'
    return say(context, 'warning', 'rate-limited', message, fix, 'udpServerConfig.rateLimit')
  }
  const message = 'a test datagram of this machine has not arrived'
  const fix = `open UDP port ${before.port} for Footman in the firewall of this machine`
  return say(context, 'error', 'lost', message, fix)
}

/** Messages that arrive at the running Footman in the given time, by its own counts. */
async function watch(context: DoctorContext, listenMs: number): Promise<readonly Finding[]> {
  const before = await knownSources(context)
  await delay(listenMs)
  const after = await knownSources(context)
  const countOf = (sender: string, host: string) =>
    before?.sources.find((one) => one.sender === sender && one.host === host)?.messages ?? 0
  const heard = (after?.sources ?? []).flatMap(({ sender, host, messages }) => {
    const more = messages - countOf(sender, host)
    return more > 0 ? [{ sender, host, messages: more, rejected: 0 }] : []
  })
  return reportHeard(context, heard, listenMs)
}

/** Without the REST API, the lock on the data directory shows whether Footman runs. */
async function withoutApi(context: DoctorContext, reason: string): Promise<readonly Finding[]> {
  const { config, paths, listenMs } = context
  const holder = lockHolder(paths.data(config.footman.dataDirectory))
  if (holder === null) return withOwnSocket(context, reason)
  const message = `Footman runs (process ${holder.process}), but cannot be asked whether messages arrive: ${reason}`
  const fix = 'switch the REST API on (Butler.restServerConfig.enable), on localhost for this machine alone'
  const heard = listenMs === undefined ? [] : await watch(context, listenMs)
  return [say(context, 'info', 'not-tested', message, fix), ...heard]
}

// ---------------------------------------------------------------------------------------- while it does not run

interface Heard {
  readonly sender: string
  readonly host: string
  messages: number
  rejected: number
}

/** Opens the port in Footman's place, for a moment or for as long as was asked for. */
async function withOwnSocket(context: DoctorContext, reason: string): Promise<readonly Finding[]> {
  const { serverHost, portTaskFailure } = context.config.udpServerConfig
  const heard = new Map<string, Heard>()
  const test = `/footman-doctor/;${crypto.randomUUID()}`
  const { sharedSecrets } = context.config.footman.udp
  const secrets = sharedSecrets.length === 0 ? null : createSharedSecrets(sharedSecrets)
  const { promise: arrived, resolve } = Promise.withResolvers<boolean>()
  const socket = await bindUdp({
    host: serverHost,
    port: portTaskFailure,
    receiveBufferBytes: WANTED_BUFFER,
    onError: () => resolve(false),
    onDatagram(bytes, sender) {
      const { text } = decodeDatagram(bytes)
      if (text === test) resolve(true)
      else note(heard, sender, secrets ? secrets.strip(bytes) : bytes)
    },
  }).catch((error: unknown) => error as Error)
  if (socket instanceof Error) {
    // The fix is reported by the probes of ports and addresses.
    const message = `not tried: Footman cannot be asked (${reason}), and ${socket.message}`
    return [say(context, 'info', 'port-taken', message)]
  }
  try {
    await send(test, destinationOf(socket.address), socket.port)
    const timer = setTimeout(() => resolve(false), ARRIVAL_MS)
    const isHeard = await arrived
    clearTimeout(timer)
    const findings = [own(context, isHeard), ...bufferFindings(context, socket.receiveBuffer)]
    if (context.listenMs === undefined) return findings
    await delay(context.listenMs)
    return [...findings, ...reportHeard(context, [...heard.values()], context.listenMs)]
  } finally {
    await socket.close()
  }
}

function own(context: DoctorContext, isHeard: boolean): Finding {
  if (isHeard) {
    const message =
      'Footman does not run; a datagram of this machine arrives at its port. To see what Qlik Sense sends: --listen 60s'
    return say(context, 'ok', 'port-free', message)
  }
  const message = 'Footman does not run; a datagram of this machine does not arrive at its port'
  const fix = `open UDP port ${context.config.udpServerConfig.portTaskFailure} in the firewall of this machine`
  return say(context, 'error', 'lost', message, fix)
}

/** `message` is null when it lacks the secret that is asked for. */
function note(heard: Map<string, Heard>, sender: string, message: Uint8Array | null): void {
  const parsed = parseDatagram(message === null ? '' : decodeDatagram(message).text)
  const host = parsed.kind === 'rejected' ? '' : parsed.kind === 'task' ? parsed.message.host : parsed.host
  const entry = heard.get(`${sender} ${host}`) ?? { sender, host, messages: 0, rejected: 0 }
  if (parsed.kind === 'rejected') entry.rejected += 1
  else entry.messages += 1
  heard.set(`${sender} ${host}`, entry)
}

function reportHeard(context: DoctorContext, heard: readonly Heard[], listenMs: number): readonly Finding[] {
  const { udpServerConfig: udp } = context.config
  const seconds = Math.round(listenMs / 1000)
  if (heard.length === 0) {
    const message = `nothing has arrived within ${seconds} s`
    const fix = `start a short task in the QMC meanwhile; if still nothing comes, look at LocalLogConfig.xml on the scheduler node (remoteAddress ${ownAddress(udp.serverHost)}, remotePort ${udp.portTaskFailure}) and at the firewalls`
    return [say(context, 'warning', 'nothing-heard', message, fix)]
  }
  return heard.map(({ sender, host, messages, rejected }) => {
    if (messages > 0) return say(context, 'ok', 'heard', `${plural(messages, 'message')} of ${host} from ${sender}`)
    return say(context, 'info', 'stranger', `${plural(rejected, 'datagram')} from ${sender} that Footman cannot read`)
  })
}

// ------------------------------------------------------------------------------------------------------ in common

/** A listener on all addresses is reached on the loopback address. */
function destinationOf(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  return address === '::' ? '::1' : address
}

function send(text: string, address: string, port: number): Promise<void> {
  const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4')
  return new Promise<void>((resolve) => {
    socket.on('error', () => resolve())
    // A datagram that cannot be sent is reported as one that does not arrive.
    socket.send(text, port, address, () => resolve())
  }).finally(() => socket.close())
}

const kilobytes = (bytes: number): string => `${Math.round(bytes / 1024)} KB`

function bufferFindings(context: DoctorContext, granted: number): Finding[] {
  if (granted === 0 || granted >= WANTED_BUFFER) return []
  const message = `the system grants a receive buffer of ${kilobytes(granted)} instead of ${kilobytes(WANTED_BUFFER)}: a burst of messages may overrun it`
  if (process.platform !== 'linux') {
    return [say(context, 'info', 'receive-buffer', message)]
  }
  const fix = `echo net.core.rmem_max=${WANTED_BUFFER} > /etc/sysctl.d/60-footman.conf && sysctl --system, then restart Footman`
  return [say(context, 'warning', 'receive-buffer', message, fix)]
}

// ------------------------------------------------------------ the Footman of this configuration, running or stopped

/** Body of `GET /v4/udp`. */
interface RunningInput {
  readonly enabled: boolean
  readonly listening: boolean
  readonly address: string | null
  readonly port: number | null
  readonly receiveBufferBytes: number | null
  readonly dropped: Readonly<Record<string, number>>
}

type RunningAnswer<T> =
  | { readonly state: 'answered'; readonly status: number; readonly body: T }
  /** No answer, or the REST API is off. */
  | { readonly state: 'silent'; readonly reason: string }

/** Asks the running Footman with its local key. Never rejects. */
async function askRunning<T>(
  { config, paths, timeout }: DoctorContext,
  method: 'GET' | 'POST',
  path: string,
): Promise<RunningAnswer<T>> {
  const url = restUrl(config)
  if (url === null) return { state: 'silent', reason: 'the REST API is off' }
  const directory = paths.data(config.footman.dataDirectory)
  if (!mayRun(directory)) return { state: 'silent', reason: 'it does not run' }
  const key = (await readFile(join(directory, LOCAL_KEY_FILE), 'utf8').catch(() => '')).trim()
  // On this machine: for whom its certificate was made doesn't matter.
  const http = createHttpClient({ keepAlive: false, tls: { rejectUnauthorized: false } })
  try {
    const headers = { accept: 'application/json', ...(key !== '' && { authorization: `Bearer ${key}` }) }
    const response = await http.request({ method, url: `${url}${path}`, headers, timeoutMs: timeout })
    return { state: 'answered', status: response.status, body: ownJson<T>(response.text()) }
  } catch (error) {
    const strange = error instanceof SyntaxError ? 'what answers at the port of its REST API is another program' : null
    return { state: 'silent', reason: strange ?? errorText(error) }
  } finally {
    http.close()
  }
}

/** False without a process on the data directory: an answer then comes from the Footman of another configuration. */
function mayRun(directory: string): boolean {
  if (lockHolder(directory)) return true
  try {
    accessSync(directory, constants.R_OK | constants.X_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}

/** Reads the database while another process may write it; null without a readable database. */
export function readDatabase<T>({ config, paths }: DoctorContext, read: (db: Database) => T): T | null {
  const file = join(paths.data(config.footman.dataDirectory), 'footman.db')
  if (!existsSync(file)) return null
  try {
    const db = openDatabase(file, { readOnly: 'untouched' })
    try {
      return read(db)
    } finally {
      db.close()
    }
  } catch {
    return null
  }
}

export interface KnownSources {
  readonly sources: readonly MessageSource[]
  /** Since when Footman has listened, milliseconds since 1970; null when that is not known. */
  readonly since: number | null
}

/** Senders of messages so far; null when Footman has not run yet, or neither it nor its database can be read. */
export async function knownSources(context: DoctorContext): Promise<KnownSources | null> {
  const stored = readDatabase(context, (db) => ({ sources: listSources(db), since: sinceOf(db) }))
  if (stored) return stored
  const answer = await askRunning<{ sources?: readonly RestSource[] }>(context, 'GET', '/v4/udp')
  if (answer.state === 'silent' || answer.status !== 200) return null
  return { since: null, sources: (answer.body.sources ?? []).map(fromRest) }
}

interface RestSource {
  readonly from: string
  readonly host: string | null
  readonly firstSeen: string
  readonly lastSeen: string
  readonly messages: number
  readonly rejected: number
}

const fromRest = ({ from, host, firstSeen, lastSeen, messages, rejected }: RestSource): MessageSource => ({
  sender: from,
  host: host ?? '',
  firstAt: Date.parse(firstSeen),
  lastAt: Date.parse(lastSeen),
  messages,
  rejected,
})

/** The reconciler notes when Footman began to listen. */
function sinceOf(db: Database): number | null {
  const mark = db.get<{ at: number }>("SELECT at FROM safety_net_mark WHERE name = 'reconciler.since'")
  return mark?.at ?? null
}
