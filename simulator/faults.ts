import { setTimeout as delay } from 'node:timers/promises'
import { createListeners } from '../src/platform/listeners.ts'
import type { Fault, FaultRule, FaultStage, FaultTable, FaultVerdict, ListenerName, Reply } from './types.ts'

type Next = () => Reply | Promise<Reply>
type Effect = (args: readonly unknown[], next: Next) => FaultVerdict | Promise<FaultVerdict>

const LOGIN_PAGE = '<!DOCTYPE html><html><head><title>Login</title></head><body>Log in to continue</body></html>'
const BAD_GATEWAY_PAGE = '<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>'
const HTML = { 'content-type': 'text/html; charset=utf-8' }
const TEXT = { 'content-type': 'text/plain; charset=utf-8' }

/** Bodies of error statuses as QRS or a proxy in front of it sends them. */
const STATUS_REPLIES: Readonly<Record<number, Omit<Reply, 'status'>>> = {
  302: { headers: { ...HTML, location: '/internal_forms_authentication/' }, body: LOGIN_PAGE },
  401: { headers: HTML, body: LOGIN_PAGE },
  409: { headers: TEXT, body: 'Conflict' },
  500: { headers: TEXT, body: 'Internal server error' },
  502: { headers: HTML, body: BAD_GATEWAY_PAGE },
}

const reply = (answer: Reply, slow?: number): FaultVerdict => ({ do: 'reply', reply: answer, slow })
const number = (value: unknown, fallback: number) => (typeof value === 'number' ? value : fallback)

/** Faults of one HTTP exchange, by mode; the comment names the arguments. */
const HTTP_EFFECTS: Readonly<Record<string, Effect>> = {
  /** minMs, maxMs */
  latency: async ([min, max], next) => {
    const least = number(min, 500)
    await delay(least + Math.random() * Math.max(0, number(max, least) - least))
    return reply(await next())
  },
  hang: () => ({ do: 'hang' }),
  reset: () => ({ do: 'reset' }),
  /** status, seconds of Retry-After */
  status: ([code, retryAfter]) => {
    const status = number(code, 500)
    const canned = STATUS_REPLIES[status] ?? {}
    const seconds = retryAfter ?? (status === 429 ? 1 : undefined)
    const headers = seconds === undefined ? canned.headers : { ...canned.headers, 'retry-after': String(seconds) }
    return reply({ ...canned, status, headers })
  },
  xrf: () => reply({ status: 403, headers: TEXT, body: 'XSRF prevention check failed. Possible XSRF discovered.' }),
  html: () => reply({ status: 200, headers: HTML, body: LOGIN_PAGE }),
  empty: () => reply({ status: 200, headers: { 'content-type': 'application/json' }, body: '' }),
  'truncated-json': async (_args, next) => {
    const normal = await next()
    const body = String(normal.body ?? '[{"id":"')
    return reply({ ...normal, status: 200, body: body.slice(0, Math.max(1, Math.floor(body.length / 2))) })
  },
  'wrong-content-type': async (_args, next) => {
    const normal = await next()
    return reply({ ...normal, headers: { ...normal.headers, 'content-type': 'application/octet-stream' } })
  },
  /** bytes a second */
  'slow-body': async ([rate], next) => reply(await next(), number(rate, 1)),
  /** elements kept */
  'list-truncated': async ([keep], next) => reply(truncateList(await next(), number(keep, 100))),
  restart: () => reply({ status: 503 }),
  proxy: () => reply({ status: 302, ...STATUS_REPLIES[302] }),
}

/** Every mode and where it strikes. `restart` closes all sockets when it begins, then answers 503 while it lasts. */
export const FAULT_MODES: Readonly<Record<string, readonly FaultStage[]>> = {
  ...Object.fromEntries(Object.keys(HTTP_EFFECTS).map((mode) => [mode, ['http'] as const])),
  restart: ['connection', 'http'],
  /** The port is that of the proxy: it asks for no client certificate and redirects every request to its login page. */
  proxy: ['connection', 'http'],
  /** Port closed. */
  refuse: ['connection'],
  /** seconds up, seconds down, in turn */
  flap: ['connection'],
  'tls-expired': ['connection'],
  'tls-unknown-ca': ['connection'],
  /** No client certificate of the site is accepted any more. */
  'tls-require-client-cert': ['connection'],
  /** The socket closes with 1006 in the middle of a reload. */
  'close-mid-reload': ['engine'],
  /** Session state that `OnConnected` reports. */
  'on-connected': ['engine'],
  /** `OnConnected` with SESSION_ERROR_LIMIT_EXCEEDED. */
  'session-limit': ['engine'],
  /** Error code, message, method (default: any) of the answer to a call. */
  'engine-error': ['engine'],
  /** Method (default: any) that is never answered. */
  'engine-stall': ['engine'],
  /** Close code (default: the connection breaks) and method (default: any) at which the socket closes. */
  'engine-close': ['engine'],
  /** Cells that one call may ask for; more are error 7009. */
  'engine-max-cells': ['engine'],
  /** `DIRECTORY\\user` that may not open apps. */
  'engine-denied': ['engine'],
}

const RESTART_SECONDS = 20

interface Active extends Fault {
  readonly rule: FaultRule
  readonly stages: readonly FaultStage[]
  readonly pattern: RegExp | null
  remaining: number
  expiry: ReturnType<typeof setTimeout> | null
}

/** The faults that tests and operators switch on; the first that fits wins. */
export function createFaultTable(): FaultTable {
  const active: Active[] = []
  const listeners = createListeners()
  let counter = 0

  function remove(fault: Active) {
    const index = active.indexOf(fault)
    if (index < 0) return
    active.splice(index, 1)
    if (fault.expiry) clearTimeout(fault.expiry)
    listeners.call()
  }

  const fits = (fault: Active, listener: ListenerName, stage: FaultStage) =>
    fault.stages.includes(stage) && (!fault.rule.listener || fault.rule.listener === listener)

  return {
    add(rule) {
      const stages = FAULT_MODES[rule.mode]
      if (!stages) throw new Error(`Unknown fault mode "${rule.mode}"; known: ${Object.keys(FAULT_MODES).join(', ')}`)
      const fault: Active = {
        id: ++counter,
        mode: rule.mode,
        stage: stages[0]!,
        args: rule.args ?? [],
        rule,
        stages,
        pattern: rule.match ? new RegExp(rule.match) : null,
        remaining: rule.times ?? Number.POSITIVE_INFINITY,
        expiry: null,
      }
      const seconds = rule.seconds ?? (rule.mode === 'restart' ? RESTART_SECONDS : null)
      if (seconds !== null) {
        fault.expiry = setTimeout(() => remove(fault), seconds * 1000)
        fault.expiry.unref()
      }
      active.push(fault)
      listeners.call()
      return fault
    },
    clear() {
      for (const fault of active) if (fault.expiry) clearTimeout(fault.expiry)
      active.length = 0
      listeners.call()
    },
    match(listener, path, stage = 'http', accepts = () => true) {
      const fault = active.find(
        (one) => fits(one, listener, stage) && (one.pattern?.test(path) ?? true) && accepts(one),
      )
      if (!fault) return null
      fault.remaining -= 1
      if (fault.remaining <= 0) remove(fault)
      return fault
    },
    connection: (listener) => active.find((one) => fits(one, listener, 'connection')) ?? null,
    subscribe: listeners.add,
    async apply(fault, next) {
      const effect = HTTP_EFFECTS[fault.mode]
      return effect ? effect(fault.args, next) : reply(await next())
    },
  }
}

function truncateList(normal: Reply, keep: number): Reply {
  try {
    const list: unknown = JSON.parse(String(normal.body))
    return Array.isArray(list) ? { ...normal, body: JSON.stringify(list.slice(0, keep)) } : normal
  } catch {
    return normal
  }
}
