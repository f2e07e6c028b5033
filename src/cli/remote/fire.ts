/** `footman fire` and `footman events replay`: messages on demand. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import {
  DELIVERY,
  type DeliveryDetail,
  type DryRun,
  FIRE,
  type Made,
  type MadeDelivery,
  REPLAY,
} from '../../alerts/history/contract.ts'
import type { AnswerOf, CallOf } from '../../http/endpoint/contract.ts'
import { isGuid } from '../../platform/uuid.ts'
import { visible } from '../../platform/visible.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { listing, stateText } from '../table.ts'
import { type AskOptions, CommandFailure, OLD, type Remote, withRemote } from './client.ts'
import type { EVENTS_REPLAY, FIRE_COMMAND } from './commands.ts'
import { DELIVERY_COLUMNS, type DeliveryLine } from './events.ts'
import { isNoTask, noSuchTask, taskIdOf, unknownDestinations, unknownRoutes, wholeId } from './names.ts'

type FireOptions = OptionsOf<typeof FIRE_COMMAND>

const MISSING = ['EVENT_NOT_FOUND', 'ROUTE_NOT_FOUND', 'DESTINATION_NOT_FOUND']
const POLL_MS = 250

export function runFire(options: FireOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { type, outcome, task, event, to, route, dryRun = false, json, wait } = options
    const taskId = task === undefined || isGuid(task) ? task : await taskIdOf(remote, task, 'fire')
    const body = {
      to,
      routes: route,
      values: valuesOf(options.value),
      dryRun,
      ...(type && { type }),
      ...(outcome && { outcome }),
      ...(taskId && { taskId }),
      ...(event && { eventId: await wholeId(remote, 'event', event) }),
      // The API refuses words that it does not know.
    } as CallOf<typeof FIRE>['body']
    const answer = await asked(remote, FIRE, { body, what: 'fire' }, { to, route, task })
    if ('messages' in answer) {
      io.out(json ? JSON.stringify(answer) : dryText(answer))
      return EXIT.ok
    }
    const { deliveries } = answer
    if (!wait) return reported(answer, options, io)
    const report = json ? () => {} : (line: string) => io.err(visible(line))
    const ended = await settled(remote, deliveries, Date.now() + options.timeout, report)
    io.out(json ? JSON.stringify({ ...answer, deliveries: ended }) : listed(ended, options, io))
    return ended.length > 0 && ended.every(({ state }) => state === 'delivered') ? EXIT.ok : EXIT.failed
  })
}

export function runReplay(typed: string, options: OptionsOf<typeof EVENTS_REPLAY>, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { to, route, ignoreGates = false } = options
    const params = { id: await wholeId(remote, 'event', typed) }
    const body = { to, routes: route, ignoreGates }
    return reported(await asked(remote, REPLAY, { params, body, what: `event ${typed}` }, { to, route }), options, io)
  })
}

interface Named {
  readonly to: readonly string[]
  readonly route: readonly string[]
  readonly task?: string | undefined
}

/** Throws exit code 3 for what is not there. */
async function asked<C extends typeof FIRE | typeof REPLAY>(
  remote: Remote,
  contract: C,
  call: CallOf<C> & Pick<AskOptions, 'what'>,
  { to, route, task }: Named,
): Promise<AnswerOf<C>> {
  const why = async (details: string) => {
    const unknown = [...(await unknownRoutes(remote, route)), ...(await unknownDestinations(remote, to))]
    return unknown.map(({ why }) => why).join(', ') || details
  }
  const more = { idempotencyKey: randomUUID(), switchedOff: OLD, missing: { code: MISSING, why } }
  return remote.ask(contract, { ...call, ...more }).catch(async (error: unknown) => {
    throw task !== undefined && isNoTask(error) ? await noSuchTask(remote, task, call.what) : error
  })
}

/** Throws exit code 1 for what is not `name=value`. */
function valuesOf(texts: readonly string[]): Record<string, string> {
  const pairs = texts.map((text) => {
    const equals = text.indexOf('=')
    if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)]
    throw new CommandFailure(EXIT.badInput, `--value ${text}`, 'it must be name=value, like taskName=Test')
  })
  return Object.fromEntries(pairs)
}

type Form = Pick<FireOptions, 'json' | 'wide'>

function reported(made: Made, form: Form, io: CommandIo): number {
  io.out(form.json ? JSON.stringify(made) : listed(made.deliveries, form, io))
  return EXIT.ok
}

function listed(deliveries: readonly DeliveryLine[], { wide }: Form, { columns }: CommandIo): string {
  if (deliveries.length === 0) return 'No rule or destination is about it: nothing is sent.'
  return listing(DELIVERY_COLUMNS, deliveries, { wide, width: columns })
}

function dryText({ messages }: DryRun): string {
  if (messages.length === 0) return 'No rule or destination is about it: nothing would be sent.'
  const texts = messages.map(({ destination, target, route, message: { subject, body } }) =>
    [visible(`To ${destination} (${target})${route ? `, rule ${route}` : ''}`), visible(subject ?? ''), readable(body)]
      .filter(Boolean)
      .join('\n'),
  )
  return texts.join('\n\n---\n\n')
}

/**
 * The deliveries as they are when all have ended; `report` gets a line for each change. A delivery whose next attempt is
 * later than `until` (Unix time in ms) is not waited for.
 */
async function settled(
  remote: Remote,
  deliveries: readonly MadeDelivery[],
  until: number,
  report: (line: string) => void,
): Promise<readonly DeliveryDetail[]> {
  const one = async ({ id }: MadeDelivery): Promise<DeliveryDetail> => {
    let shown = ''
    for (;;) {
      const now = await remote.ask(DELIVERY, { params: { id }, what: `delivery ${id}`, insist: true })
      const line = progress(now)
      if (line !== shown) report(line)
      shown = line
      const isOpen = now.state === 'pending' || now.state === 'sending'
      const isLate = Date.parse(now.nextAttemptAt ?? '') > until
      if (!isOpen || isLate || Date.now() > until) return now
      await pause(POLL_MS)
    }
  }
  return Promise.all(deliveries.map(one))
}

/** `email ops@acme.example: delivered, 250 received`. */
function progress(delivery: DeliveryDetail): string {
  const { destination, target, state, detail, nextAttemptAt, attempts } = delivery
  const failure = attempts.at(-1)?.detail.replace(/\.$/, '')
  const isRetry = state === 'pending' && nextAttemptAt && failure
  const what = isRetry
    ? `attempt ${attempts.length} failed: ${failure}. The next one is at ${nextAttemptAt}`
    : [stateText(delivery), ...(detail ? [detail] : [])].join(', ')
  return `${destination} ${target}: ${what}`
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }
/** Styles, comments (Outlook's included) and text that mail programs show in their list only. */
const UNSEEN = /<(style|script|title)\b[\s\S]*?<\/\1>|<!--[\s\S]*?-->|<(\w+)[^>]*\bdisplay:\s*none[\s\S]*?<\/\2>/gi
const BREAKS = /<(?:br|\/(?:p|div|tr|li|h[1-6]|td|table))\b[^>]*>/gi

/** The text of an HTML document, a line for each line or cell; anything else as it is. */
export function readable(body: string): string {
  if (!/^\s*<(!doctype html|html)\b/i.test(body)) return body
  const text = body
    .replace(UNSEEN, '')
    .replace(/\s+/g, ' ')
    .replace(BREAKS, '\n')
    .replace(/<[^>]*>/g, '')
  const lines = text.replace(/&(?:#(x?[0-9a-f]+)|(\w+));/gi, character).split('\n')
  return lines
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '')
    .join('\n')
}

function character(whole: string, code: string | undefined, name: string | undefined): string {
  if (code === undefined) return ENTITIES[name?.toLowerCase() ?? ''] ?? whole
  const point = /^x/i.test(code) ? Number.parseInt(code.slice(1), 16) : Number.parseInt(code, 10)
  return point >= 0x20 && point <= 0x10ffff ? String.fromCodePoint(point) : ''
}
