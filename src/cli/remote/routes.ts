/** `footman routes explain`: which alert routes fire for an event, and why others do not. */
import { isGuid } from '../../platform/uuid.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { table } from '../table.ts'
import { CommandFailure, OLD, type Remote, type RemoteOptions, withRemote } from './client.ts'
import { isNoTask, noSuchTask, wholeId } from './names.ts'

interface RouteView {
  readonly name: string
  readonly origin: string
  readonly enable: boolean
}

const LIST = { path: '/v4/alertroutes', what: 'routes', switchedOff: OLD } as const

async function allRoutes(remote: Remote): Promise<readonly RouteView[]> {
  const { text } = await remote.call(LIST)
  return (JSON.parse(text) as { readonly alertRoutes: readonly RouteView[] }).alertRoutes
}

interface RoutesExplainOptions extends RemoteOptions {
  readonly event?: string
  readonly type?: string
  readonly outcome?: string
  readonly task?: string
  readonly host?: string
  readonly user?: string
  readonly message?: string
  readonly failures?: string
  readonly at?: string
  /** Also each route of sections that are off. */
  readonly all?: boolean
}

interface Explained {
  readonly name: string
  readonly matched: boolean
  readonly because: string | null
  readonly fields?: readonly {
    readonly field: string
    readonly wanted: string
    readonly found: string | null
    readonly holds: boolean | 'unknown'
  }[]
  readonly deliveries: readonly {
    readonly destination: string
    readonly target: string
    readonly wouldBe: string
    readonly reason: string | null
    readonly kind?: string
  }[]
}

interface Explanation {
  readonly routes: readonly Explained[]
  readonly stoppedBy: string | null
}

/** 3 when no route matches. */
export function runRoutesExplain(options: RoutesExplainOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const call = {
      method: 'POST',
      path: '/v4/alertroutes/explain',
      body: bodyOf(options, options.event === undefined ? null : await wholeId(remote, 'event', options.event)),
      what: 'routes explain',
    } as const
    const { task } = options
    const { status, text } = await remote
      .call({ ...call, switchedOff: OLD }, ['EVENT_NOT_FOUND'])
      .catch(async (error: unknown) => {
        throw task !== undefined && isNoTask(error) ? await noSuchTask(remote, task, call.what) : error
      })
    if (status === 404) throw new CommandFailure(EXIT.missing, call.what, `there is no event ${options.event}`)
    const explanation = JSON.parse(text) as Explanation
    io.out(options.json ? text : shown(explanation, await allRoutes(remote), options.all ?? false))
    return explanation.routes.some(({ matched }) => matched) ? EXIT.ok : EXIT.missing
  })
}

function bodyOf(options: RoutesExplainOptions, eventId: string | null): unknown {
  const { type, outcome, task, host, user, message, failures, at } = options
  const what = 'routes explain'
  const sample = { type, outcome, host, user, message }
  const isInvented = [...Object.values(sample), task, failures, at].some((value) => value !== undefined)
  if (eventId !== null) {
    if (isInvented) throw new CommandFailure(EXIT.badInput, what, 'an event of the past is as it is: give only --event')
    return { eventId }
  }
  if (!isInvented) throw new CommandFailure(EXIT.badInput, what, 'give --event, or --type, --outcome and --task')
  if (failures !== undefined && !/^\d{1,6}$/.test(failures)) {
    throw new CommandFailure(EXIT.badInput, what, `"${failures}" is not a number of failures`)
  }
  const about = task === undefined ? {} : isGuid(task) ? { taskId: task } : { taskName: task }
  const row = failures === undefined ? {} : { consecutiveFailures: Number(failures) }
  return { sample: { ...sample, ...about, ...row }, at }
}

/** Routes of one's own come first; sections that are off are counted, unless all are wanted. */
function shown({ routes, stoppedBy }: Explanation, list: readonly RouteView[], all: boolean): string {
  const own = new Set(list.filter(({ origin }) => origin === 'footman').map(({ name }) => name))
  const off = new Set(list.filter(({ name, enable }) => !enable && !own.has(name)).map(({ name }) => name))
  const ordered = [...routes.filter(({ name }) => own.has(name)), ...routes.filter(({ name }) => !own.has(name))]
  const matched = ordered.filter((route) => route.matched || route.deliveries.length > 0)
  const others = ordered.filter((route) => !matched.includes(route))
  const named = all ? others : others.filter(({ name }) => !off.has(name))
  const rows = named.map(({ name, because }) => [`  ${name}`, because ?? ''])
  return [
    ...matched.flatMap(matchedLines),
    ...(matched.length === 0 ? ['No rule matches.'] : []),
    ...(stoppedBy === null ? [] : [`Rule ${stoppedBy} stops the evaluation.`]),
    ...(rows.length === 0 ? [] : ['Not matched:', table(rows)]),
    ...foldedLine(others.length - named.length),
  ].join('\n')
}

function foldedLine(count: number): string[] {
  if (count === 0) return []
  return [`${count} ${count === 1 ? 'rule' : 'rules'} of sections that are switched off: --all shows them`]
}

function matchedLines({ name, matched, fields = [], deliveries }: Explained): string[] {
  const found = fields.map(({ field, wanted, found, holds }) => [`  ${field}`, String(holds), wanted, found ?? '-'])
  const sent = deliveries.map(({ destination, target, wouldBe, reason, kind }) => {
    const what = kind === undefined ? wouldBe : `${wouldBe} (${kind})`
    return [`  -> ${destination}`, target, reason === null ? what : `${what}: ${reason}`]
  })
  return [
    `${name} ${matched ? 'matches' : 'does not match'}`,
    ...(found.length > 0 ? [table([['  FIELD', 'HOLDS', 'WANTED', 'FOUND'], ...found])] : []),
    ...(sent.length > 0 ? [table(sent)] : ['  -> no destination']),
  ]
}
