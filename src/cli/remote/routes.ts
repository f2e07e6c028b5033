/** `footman routes explain`: which alert routes fire for an event, and why others do not. */
import {
  ALERT_RULES,
  type AlertRule,
  EXPLAIN,
  type ExplainedRule,
  type Explanation,
  type Question,
  type Sample,
} from '../../alerts/rules/contract.ts'
import { isGuid } from '../../platform/uuid.ts'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { table } from '../table.ts'
import { CommandFailure, OLD, withRemote } from './client.ts'
import type { ROUTES_EXPLAIN } from './commands.ts'
import { isNoTask, noSuchTask, wholeId } from './names.ts'

type RoutesExplainOptions = OptionsOf<typeof ROUTES_EXPLAIN>

/** 3 when no route matches. */
export function runRoutesExplain(options: RoutesExplainOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { task, event, all = false, json } = options
    const body = bodyOf(options, event === undefined ? null : await wholeId(remote, 'event', event))
    const missing = { code: 'EVENT_NOT_FOUND', why: `there is no event ${event}` }
    const explanation = await remote
      .ask(EXPLAIN, { body, what: WHAT, switchedOff: OLD, missing })
      .catch(async (error: unknown) => {
        throw task !== undefined && isNoTask(error) ? await noSuchTask(remote, task, WHAT) : error
      })
    if (json) io.out(JSON.stringify(explanation))
    else {
      const { alertRoutes } = await remote.ask(ALERT_RULES, { what: 'routes', switchedOff: OLD })
      io.out(shown(explanation, alertRoutes, all))
    }
    return explanation.routes.some(({ matched }) => matched) ? EXIT.ok : EXIT.missing
  })
}

const WHAT = 'routes explain'

function bodyOf(options: RoutesExplainOptions, eventId: string | null): Question {
  const { type, outcome, task, host, user, message, failures, at } = options
  // The API refuses words that it does not know.
  const sample = { type, outcome, host, user, message } as Sample
  const isInvented = [...Object.values(sample), task, failures, at].some((value) => value !== undefined)
  if (eventId !== null) {
    if (isInvented) throw new CommandFailure(EXIT.badInput, WHAT, 'an event of the past is as it is: give only --event')
    return { eventId }
  }
  if (!isInvented) throw new CommandFailure(EXIT.badInput, WHAT, 'give --event, or --type, --outcome and --task')
  if (failures !== undefined && !/^\d{1,6}$/.test(failures)) {
    throw new CommandFailure(EXIT.badInput, WHAT, `"${failures}" is not a number of failures`)
  }
  const about = task === undefined ? {} : isGuid(task) ? { taskId: task } : { taskName: task }
  const row = failures === undefined ? {} : { consecutiveFailures: Number(failures) }
  return { sample: { ...sample, ...about, ...row }, at }
}

/** Routes of one's own come first; sections that are off are counted, unless all are wanted. */
function shown({ routes, stoppedBy }: Explanation, list: readonly AlertRule[], all: boolean): string {
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

function matchedLines({ name, matched, fields = [], deliveries }: ExplainedRule): string[] {
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
