/** Talking to a running Footman: where it is, with which key, calls to its REST API, and how a command ends. */
import { lookup } from 'node:dns/promises'
import { readFile, realpath, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { loadConfig } from '../../app/config/load.ts'
import type { Config } from '../../app/schema.ts'
import { createPathResolver } from '../../config/paths.ts'
import { renderProblem, sortProblems } from '../../config/problems.ts'
import { ABOUT, type About } from '../../console/contract.ts'
import { LOCAL_KEY_FILE, LOCAL_USER_HEADER } from '../../http/auth/keys.ts'
import { isOwnAddress } from '../../http/client-address.ts'
import { HEALTH, type Health } from '../../http/contract.ts'
import {
  type AnswerOf,
  type AnyCall,
  type AnyContract,
  type AnyQuery,
  addressOf,
  type CallOf,
} from '../../http/endpoint/contract.ts'
import type { Method } from '../../http/endpoint/route.ts'
import type { BodyIssue } from '../../http/endpoint/validation.ts'
import { plainAddress } from '../../platform/addresses.ts'
import { createHttpClient } from '../../platform/http-client.ts'
import { HttpError } from '../../platform/http-exchange.ts'
import { importableJson, ownJson } from '../../platform/json.ts'
import { once } from '../../platform/once.ts'
import { visibleBlock } from '../../platform/visible.ts'
import { createZoneTimes, type ZoneTimes } from '../../platform/zone-times.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { pointInTime } from '../time.ts'

/** Ends a command that talks to a running Footman. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  constructor(
    readonly exitCode: number,
    /** The failed call or argument; `message` has the reason and the fix. */
    readonly what: string,
    why: string,
    /** The status of the answer; absent when there was none. */
    readonly status?: number,
    /** Members of the body that the answer refuses. */
    readonly issues: readonly BodyIssue[] = [],
  ) {
    super(why)
  }
}

export interface RemoteOptions extends PlaceOptions {
  readonly json?: boolean
  /** Milliseconds. */
  readonly timeout: number
  /** The command that was typed, like `kv export`; for errors. */
  readonly command?: string
}

/** Runs the command with a connection; prints what goes wrong and turns it into an exit code. */
export async function withRemote(
  options: RemoteOptions,
  io: CommandIo,
  command: (remote: Remote) => Promise<number>,
  surroundings: Surroundings = { env: process.env, cwd: process.cwd() },
): Promise<number> {
  let remote: Remote | null = null
  try {
    const place = await findPlace(options, surroundings)
    remote = createRemote(place, { timeoutMs: options.timeout, note: (line) => io.err(visibleBlock(line)) })
    return await command(remote)
  } catch (error) {
    if (error instanceof CommandFailure) {
      io.err(visibleBlock(`error: ${placeOf(options.command, error.what)}: ${error.message}`))
      return error.exitCode
    }
    io.err(visibleBlock(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`))
    return EXIT.unreachable
  } finally {
    remote?.close()
  }
}

/** The command, and what it was about unless one of them says both. */
function placeOf(command: string | undefined, what: string): string {
  if (command === undefined || what === command || what.startsWith(`${command} `)) return what
  return command.split(' ').includes(what) ? command : `${command}: ${what}`
}

interface RemoteCall {
  readonly method?: Method
  readonly path: string
  readonly query?: AnyQuery
  readonly body?: unknown
  /** Further headers, like `if-match`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Repeated with the same key, the call is carried out once. */
  readonly idempotencyKey?: string
  /** How long the answer may wait beyond the time-out. */
  readonly waitMs?: number
  /** The largest answer that is taken; default that of the HTTP client. */
  readonly maxBodyBytes?: number
  /** Fix for a 404 of a missing endpoint; default about starting tasks. */
  readonly switchedOff?: string
  /** Subject of errors about the call. */
  readonly what: string
}

interface RemoteAnswer {
  readonly status: number
  readonly text: string
}

interface Missing {
  readonly code: string | readonly string[]
  /** Also made of the details of the answer; default `UNKNOWN`. */
  readonly why?: string | ((details: string) => string | Promise<string>)
}

/** How a call by a contract is made and reported. */
export type AskOptions = Pick<
  RemoteCall,
  'headers' | 'idempotencyKey' | 'waitMs' | 'maxBodyBytes' | 'switchedOff' | 'what'
> & {
  /** Codes of the answer about a thing that is not there, which ends the command with exit code 3. */
  readonly missing?: Missing | undefined
  /** Goes on asking while Footman is away for a moment. For calls that may be repeated. */
  readonly insist?: true
}

/** An item of the list in a member of an answer. */
export type ItemOf<C extends AnyContract, Member> = Member extends keyof AnswerOf<C>
  ? AnswerOf<C>[Member] extends readonly (infer Item)[]
    ? Item
    : never
  : never

export interface Remote {
  readonly url: string
  /**
   * The answer of the endpoint of a contract; from 400 on it throws a `CommandFailure`. A call with an idempotency key whose
   * answer got lost is repeated. Another version may answer in another form.
   */
  ask<C extends AnyContract>(contract: C, call: CallOf<C> & AskOptions): Promise<AnswerOf<C>>
  /** Does the same as `ask`, and returns the answer as it was written. */
  text<C extends AnyContract>(contract: C, call: CallOf<C> & AskOptions): Promise<string>
  /** The clock of the site; that of this computer where Footman does not answer about it. */
  times(): Promise<ZoneTimes>
  /** ISO 8601 in UTC of a time that `toTime` has accepted; undefined without one. */
  pointInTime<Text extends string | undefined>(typed: Text): Promise<Text>
  close(): void
}

interface RemoteSettings {
  /** The limit of one call. */
  readonly timeoutMs: number
  /** How long a call with `insist` goes on while Footman cannot be reached; default a minute. */
  readonly insistMs?: number
  readonly pauseMs?: number
  /** Gets the line about the installation that answers, when it is not the expected one. */
  readonly note: (line: string) => void
}

const PASSING = [429, 502, 503, 504]
const INSIST_MS = 60_000
const PAUSE_MS = 2000

export function createRemote(place: Place, settings: RemoteSettings): Remote {
  const { url, key, isOwn } = place
  const http = createHttpClient({ tls: { rejectUnauthorized: !isOwn } })
  const { timeoutMs, insistMs = INSIST_MS, pauseMs = PAUSE_MS } = settings
  let isVerified = false
  const credentials = {
    ...(key !== null && { authorization: `Bearer ${key}` }),
    ...(place.isLocalKey && { [LOCAL_USER_HEADER]: encodeURIComponent(accountName()) }),
  }

  /** Once, before the first call: throws when another installation answers than the one that `-c` names. */
  async function verify(what: string): Promise<void> {
    if (isVerified) return
    const headers = { accept: 'application/json', ...credentials }
    const response = await http.request({ url: `${url}${HEALTH.path}`, headers, timeoutMs })
    isVerified = true
    const note = await judgeInstallation(installationOf(response.text()), place, what)
    if (note !== null) settings.note(note)
  }

  function send(call: RemoteCall) {
    const { method = 'GET', path, query, body, idempotencyKey, waitMs = 0, maxBodyBytes } = call
    const headers = {
      ...call.headers,
      accept: 'application/json',
      ...credentials,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    }
    return http.request({
      method,
      url: `${url}${path}${queryText(query)}`,
      headers,
      timeoutMs: timeoutMs + waitMs,
      ...(body !== undefined && { body: importableJson(body) }),
      ...(maxBodyBytes !== undefined && { maxBodyBytes }),
    })
  }

  /** With `failure` when the call may be tried again. */
  async function attempt(
    call: RemoteCall,
    missing: readonly string[],
  ): Promise<{ readonly answer: RemoteAnswer } | { readonly failure: CommandFailure; readonly isLost: boolean }> {
    let isSent = false
    try {
      await verify(call.what)
      isSent = true
      const response = await send(call)
      const answer = { status: response.status, text: response.text() }
      if (answer.status < 400 || (answer.status === 404 && missing.includes(codeOf(answer.text)))) return { answer }
      const failure = refused(call, answer)
      if (PASSING.includes(answer.status)) return { failure, isLost: false }
      throw failure
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      const why = `${error.message}; check that Footman runs there (--url, FOOTMAN_URL or -c)`
      const isLost = isSent && (error.kind === 'timeout' || error.kind === 'reset')
      return { failure: new CommandFailure(EXIT.unreachable, call.what, why), isLost }
    }
  }

  const times = once(async () => {
    const result = await attempt({ path: ABOUT.path, what: 'time zone' }, []).catch(() => null)
    const { timezone = '' } = result && 'answer' in result ? ownJson<Partial<About>>(result.answer.text) : {}
    return createZoneTimes(timezone)
  })

  async function asked(call: RemoteCall, missing: readonly string[]): Promise<RemoteAnswer> {
    const result = await attempt(call, missing)
    if ('answer' in result) return result.answer
    if (result.isLost && call.idempotencyKey !== undefined) return insisting(call, missing)
    throw result.failure
  }

  async function text(
    contract: AnyContract,
    { params, query, body, missing, insist, ...rest }: AnyCall & AskOptions,
  ): Promise<string> {
    const { method, path } = addressOf(contract, { params })
    // In the query an empty text is kept: it was typed.
    const call = { ...rest, method, path, query, body }
    const answer = await (insist ? insisting : asked)(call, missing ? [missing.code].flat() : [])
    if (!missing || answer.status !== 404) return answer.text
    const { why = UNKNOWN } = missing
    const text = typeof why === 'string' ? why : await why(String(errorBody(answer.text).details))
    throw new CommandFailure(EXIT.missing, rest.what, text)
  }

  async function insisting(call: RemoteCall, missing: readonly string[]): Promise<RemoteAnswer> {
    const end = Date.now() + insistMs
    for (;;) {
      const result = await attempt(call, missing)
      if ('answer' in result) return result.answer
      if (Date.now() + pauseMs > end) throw result.failure
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  return {
    url,
    async ask<C extends AnyContract>(contract: C, call: CallOf<C> & AskOptions) {
      const answer = await text(contract, call)
      return (answer === '' ? undefined : ownJson(answer)) as AnswerOf<C>
    },
    text,
    times,
    async pointInTime<Text extends string | undefined>(typed: Text) {
      return (typed === undefined ? typed : pointInTime(typed, Date.now(), await times())) as Text
    },
    close: () => http.close(),
  }
}

/** Fix for a missing endpoint that cannot be switched off. */
export const OLD = 'does an older Footman run there?'

/** Said about an id that is not there. */
export const UNKNOWN = 'Footman does not know it (any more)'

/** Null in the place of a failure about a thing that is not there. */
export function absent(error: unknown): null {
  if (error instanceof CommandFailure && error.exitCode === EXIT.missing) return null
  throw error
}

/** The items of all pages, asked for as they are used; at most `limit`. */
export async function* pages<C extends AnyContract, Member extends keyof AnswerOf<C>>(
  remote: Remote,
  contract: C,
  member: Member,
  call: CallOf<C> & AskOptions,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<ItemOf<C, Member>> {
  let left = limit
  let cursor: string | undefined
  do {
    const query = { ...(call.query as AnyQuery | undefined), limit: Math.min(500, left), cursor }
    const page = await remote.ask(contract, { ...call, query } as typeof call)
    const items = (page[member] ?? []) as readonly ItemOf<C, Member>[]
    yield* items
    left -= items.length
    cursor = (page as { readonly nextCursor?: string | null }).nextCursor ?? undefined
  } while (cursor !== undefined && left > 0)
}

function queryText(query: AnyQuery = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value ?? []].flat()) parameters.append(name, String(one))
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

interface ErrorBody {
  readonly error?: unknown
  readonly details?: unknown
  readonly message?: unknown
  readonly code?: unknown
  readonly issues?: unknown
}

function refused({ what, switchedOff }: RemoteCall, { status, text }: RemoteAnswer): CommandFailure {
  const { error, details, message, issues } = errorBody(text)
  // Answers of newer endpoints have both others in their message.
  const isSaid = typeof details === 'string' && String(message).startsWith(String(error))
  const said =
    [error, isSaid ? undefined : message, details].filter((part) => typeof part === 'string').join(': ') ||
    text.slice(0, 200)
  const why = `${said}${unsaidIssues(issues, said)}`
  return new CommandFailure(
    status === 400 ? EXIT.badInput : EXIT.unreachable,
    what,
    `${why} (status ${status})${hint(status, switchedOff)}`,
    status,
    Array.isArray(issues) ? issues : [],
  )
}

/** A line for each issue whose message does not stand in the text before. */
function unsaidIssues(issues: unknown, said: string): string {
  if (!Array.isArray(issues)) return ''
  const lines = issues.map(({ path, message }: { readonly path?: unknown; readonly message?: unknown }) => [
    path,
    message,
  ])
  return lines.flatMap(([path, message]) => (said.includes(String(message)) ? [] : `\n  ${path}: ${message}`)).join('')
}

function hint(status: number, switchedOff = 'is Butler.restServerEndpointsEnable.senseStartTask true?'): string {
  if (status === 401 || status === 403) return '; give a key in FOOTMAN_KEY that may do this'
  return status === 404 ? `; ${switchedOff}` : ''
}

const codeOf = (text: string): string => String(errorBody(text).code ?? '')

function errorBody(text: string): ErrorBody {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null ? body : {}
  } catch {
    return {}
  }
}

export interface PlaceOptions {
  readonly url?: string
  readonly key?: string
  readonly configfile?: string
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export interface Place {
  /** Without a slash at the end. */
  readonly url: string
  readonly key: string | null
  /** The Footman of a configuration file on this machine: it doesn't matter for whom its certificate was made. */
  readonly isOwn: boolean
  /** The key is that of the data directory on this machine. */
  readonly isLocalKey: boolean
  /** Absolute path of the configuration file that was given or found in its usual places; null = none. */
  readonly file: string | null
  /** Another configuration may not answer: `file` was given, and the address is one of this machine. */
  readonly onlyFile: boolean
}

const DEFAULT_URL = 'http://localhost:8080'

/**
 * Options win over the environment, and that wins over the configuration file, which is looked for where `run` would
 * find it. Without a key, a Footman on this machine is called with its local key. Throws a `CommandFailure`.
 */
export async function findPlace(options: PlaceOptions, surroundings: Surroundings): Promise<Place> {
  const { env } = surroundings
  const key = options.key ?? env.FOOTMAN_KEY ?? null
  const given = options.url ?? env.FOOTMAN_URL
  const file = options.configfile ?? env.FOOTMAN_CONFIGFILE
  if (given !== undefined) {
    const url = checkedUrl(given)
    const isHere = await isThisMachine(url)
    // Errors of the file are ignored: only its path and its key are needed.
    const own = isHere ? await ownPlace(file, surroundings).catch(() => null) : null
    return {
      url,
      key: key ?? own?.key ?? null,
      isOwn: false,
      isLocalKey: key === null && own?.key != null,
      file: own?.file ?? (isHere && file !== undefined ? resolve(surroundings.cwd, file) : null),
      onlyFile: isHere && options.configfile !== undefined,
    }
  }
  const own = await ownPlace(file, surroundings)
  if (!own) return { url: DEFAULT_URL, key, isOwn: false, isLocalKey: false, file: null, onlyFile: false }
  return {
    url: own.url,
    key: key ?? own.key,
    isOwn: true,
    isLocalKey: key === null && own.key !== null,
    file: own.file,
    onlyFile: file !== undefined && (await isThisMachine(own.url)),
  }
}

/** Null when no file was given, and none that can be used stands in the usual places. */
async function ownPlace(
  file: string | undefined,
  { env, cwd }: Surroundings,
): Promise<{ url: string; key: string | null; file: string | null } | null> {
  const overrides = { qlikConnection: false, skipVerification: true }
  const loaded = await loadConfig({ ...(file !== undefined && { file }), env, cwd, overrides })
  const { config, problems, directory } = loaded
  if (!config) {
    if (file === undefined) return null
    throw new CommandFailure(EXIT.badInput, file, sortProblems(problems).map(renderProblem).join('\n'))
  }
  const url = restUrl(config)
  if (url === null) {
    if (file === undefined) return null
    throw new CommandFailure(EXIT.badInput, file, 'the REST API is off; set Butler.restServerConfig.enable to true')
  }
  const paths = createPathResolver({ configDirectory: directory, cwd })
  const keyFile = join(paths.data(config.footman.dataDirectory), LOCAL_KEY_FILE)
  // The file exists while access control is on; other accounts cannot read it.
  const key = await readFile(keyFile, 'utf8').catch(() => null)
  return { url, key: key?.trim() || null, file: loaded.file }
}

/** The installation that a running Footman reports to callers on its machine and to administrators. */
type Installation = NonNullable<Health['footman']>

/** Null where the answer of `/health` does not report it: older versions, callers of other machines. */
function installationOf(text: string): Installation | null {
  const { footman } = errorBody(text) as Partial<Health>
  if (typeof footman?.version !== 'string') return null
  return { version: footman.version, configuration: footman.configuration ?? null }
}

/**
 * The line that names the installation when it is another than that of the expected file; null when there is nothing to
 * say. Throws a `CommandFailure` when only the expected file will do.
 */
async function judgeInstallation(found: Installation | null, place: Place, what: string): Promise<string | null> {
  if (found === null) return null
  const { version, configuration } = found
  const { url, file, onlyFile } = place
  if (configuration !== null && file !== null && (await isSameFile(configuration, file))) return null
  // A path that does not exist here is that of a container, which may well see the expected file under that name.
  if (onlyFile && (configuration === null || (await mayExist(configuration)))) {
    const runs = configuration === null ? 'without a configuration file' : `with the configuration ${configuration}`
    throw new CommandFailure(
      EXIT.unreachable,
      what,
      `the Footman at ${url} runs ${runs}, not with ${file}; start a Footman with that file and ports of its own, or leave out -c`,
    )
  }
  const of = configuration === null ? 'without a configuration file' : `configuration ${configuration}`
  return `footman: answered by Footman ${version} at ${url}, ${of}`
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  if (one === other) return true
  const [a, b] = await Promise.all([one, other].map((path) => realpath(path).catch(() => path)))
  if (a === b) return true
  return process.platform === 'win32' && a!.toLowerCase() === b!.toLowerCase()
}

/** False only when the path certainly leads nowhere. */
async function mayExist(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  )
}

/** The name that the runtime gives an account when the environment has none. */
const NO_NAME = 'unknown'

/**
 * The account of the person, also where the command runs with the rights of an administrator: its name, or `uid-10001` where
 * it has none, as in a container. Empty when not even that is known.
 */
export function accountName(
  person: string | undefined = process.env.SUDO_USER,
  user: () => { readonly username: string } = userInfo,
  uid: number | null = process.getuid?.() ?? null,
): string {
  if (person) return person
  const fallback = uid === null ? '' : `uid-${uid}`
  try {
    const { username } = user()
    return username === '' || username === NO_NAME ? fallback : username
  } catch {
    return fallback
  }
}

/** The local key has all rights, so it is sent to this machine only. */
async function isThisMachine(url: string): Promise<boolean> {
  const host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === 'localhost') return true
  const address =
    isIP(host) > 0
      ? host
      : await lookup(host).then(
          (found) => found.address,
          () => null,
        )
  return address !== null && isOwnAddress(plainAddress(address))
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text.replace(/\/+$/, '')
  throw new CommandFailure(EXIT.badInput, '--url', `"${text}" is not an http or https address`)
}

/** The address of the REST API of a configuration for callers on this machine; null when it is switched off. */
export function restUrl({ restServerConfig: rest }: Config): string | null {
  if (!rest.enable) return null
  return `${rest.tls.enable ? 'https' : 'http'}://${reachable(rest.serverHost)}:${rest.serverPort}`
}

/** An address that means "all of this machine" is no place to connect to. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
