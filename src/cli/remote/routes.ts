/** `footman routes`: which alert routes there are, and which one fires. */
import { isGuid } from '../../platform/uuid.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { OLD } from './events.ts'
import { CommandFailure } from './failure.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { table } from './table.ts'

export interface RoutesListOptions extends RemoteOptions {
  readonly all?: boolean
}

interface RouteView {
  readonly name: string
  readonly origin: string
  readonly enable: boolean
  readonly to: readonly string[]
}

export function runRoutesList(options: RoutesListOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { text } = await remote.call({ path: '/v4/alertroutes', what: 'routes', switchedOff: OLD })
    const { alertRoutes } = JSON.parse(text) as { alertRoutes: readonly RouteView[] }
    const shown = options.all ? alertRoutes : alertRoutes.filter(({ enable }) => enable)
    const rows = shown.map(({ name, origin, enable, to }) => [enable ? name : `${name} (off)`, origin, to.join(', ')])
    io.out(options.json ? text : table([['ROUTE', 'ORIGIN', 'TO'], ...rows]))
    return EXIT.ok
  })
}

export interface RoutesExplainOptions extends RemoteOptions {
  readonly event?: string
  readonly type?: string
  readonly outcome?: string
  readonly task?: string
  readonly host?: string
  readonly user?: string
  readonly message?: string
  readonly failures?: string
  readonly at?: string
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
      body: bodyOf(options),
      what: 'routes explain',
    } as const
    const { status, text } = await remote.call({ ...call, switchedOff: OLD }, ['EVENT_NOT_FOUND'])
    if (status === 404) throw new CommandFailure(EXIT.missing, call.what, `there is no event ${options.event}`)
    const explanation = JSON.parse(text) as Explanation
    io.out(options.json ? text : shown(explanation))
    return explanation.routes.some(({ matched }) => matched) ? EXIT.ok : EXIT.missing
  })
}

function bodyOf({ event, type, outcome, task, host, user, message, failures, at }: RoutesExplainOptions): unknown {
  const what = 'routes explain'
  const sample = { type, outcome, host, user, message }
  const isInvented = [...Object.values(sample), task, failures, at].some((value) => value !== undefined)
  if (event !== undefined) {
    if (isInvented) throw new CommandFailure(EXIT.badInput, what, 'an event of the past is as it is: give only --event')
    return { eventId: event }
  }
  if (!isInvented) throw new CommandFailure(EXIT.badInput, what, 'give --event, or --type, --outcome and --task')
  if (failures !== undefined && !/^\d{1,6}$/.test(failures)) {
    throw new CommandFailure(EXIT.badInput, what, `"${failures}" is not a number of failures`)
  }
  const about = task === undefined ? {} : isGuid(task) ? { taskId: task } : { taskName: task }
  const row = failures === undefined ? {} : { consecutiveFailures: Number(failures) }
  return { sample: { ...sample, ...about, ...row }, at }
}

function shown({ routes, stoppedBy }: Explanation): string {
  const matched = routes.filter((route) => route.matched || route.deliveries.length > 0)
  const others = routes.filter((route) => !matched.includes(route))
  const rows = others.map(({ name, because }) => [`  ${name}`, because ?? ''])
  return [
    ...matched.flatMap(matchedLines),
    ...(matched.length === 0 ? ['No route matches.'] : []),
    ...(stoppedBy === null ? [] : [`Route ${stoppedBy} stops the evaluation.`]),
    ...(rows.length === 0 ? [] : ['Not matched:', table(rows)]),
  ].join('\n')
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
    ...(sent.length > 0 ? [table(sent)] : ['  -> nobody']),
  ]
}
