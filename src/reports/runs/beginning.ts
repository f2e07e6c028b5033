/** The beginning of a run: the first app that opens, the conditions of the task, its people. */
import { ReportError } from '../codes.ts'
import { nameText } from '../display.ts'
import type { ReportUse } from '../entities/task.ts'
import type { ReportData } from '../types.ts'
import type { Apps } from './apps.ts'
import { allClosed, type ClosedApp, endOfRun, faultOf, isEndOfRun } from './faults.ts'
import type { Gate } from './gate.ts'
import type { RunApp } from './ledger.ts'
import { addressesOf, type Person, resolvePeople } from './recipients.ts'
import { type PrepareDeps, type PrepareRequest, reportOf } from './request.ts'

export interface Beginning {
  readonly app: RunApp
  /** Those before the first report whose app can be opened. */
  readonly closed: readonly ClosedApp[]
  /** The recipients of the task; null when its conditions do not hold. */
  readonly people: readonly Person[] | null
  /** In words: recipients whom an expression names that could not be calculated, and groups and expressions without people. */
  readonly unasked: readonly string[]
}

interface BeginningDeps extends Pick<PrepareDeps, 'note' | 'line' | 'signal'> {
  readonly apps: Apps
  readonly gate: Gate
}

/**
 * A question that names no app is asked of that of the first report, and never of another: it could mean other people. Where it
 * is closed, `onError` of the condition decides, and the people of the expression get nothing. Rejects with a `ReportError`.
 */
export async function beginRun(
  { note, line, signal, apps, gate }: BeginningDeps,
  request: PrepareRequest,
  uses: readonly ReportUse[],
): Promise<Beginning> {
  const { definition, options } = request
  const { task } = definition
  const unasked: string[] = []
  const empty: string[] = []

  const scopeOf = (use: ReportUse) => ({ appId: reportOf(definition, use).appId, filterIds: task.filterIds })

  async function firstOpen(): Promise<Pick<Beginning, 'app' | 'closed'>> {
    const closed: ClosedApp[] = []
    for (const use of uses) {
      try {
        const { name, lastReload } = await apps.within(scopeOf(use), async ({ data }) => data.app)
        return { app: { name, lastReload: lastReload?.getTime() ?? null }, closed }
      } catch (error) {
        if (signal.aborted) throw error
        if (isEndOfRun(error)) throw endOfRun(error, use, uses)
        closed.push([use, error])
      }
    }
    const [first, ...others] = closed
    if (!first) throw new ReportError('INTERNAL', 'the task has no report that is asked for')
    throw allClosed([first, ...others])
  }

  async function textOf(expression: string, use: ReportUse): Promise<string> {
    try {
      const work = async ({ data }: { data: ReportData }) => nameText(await data.evaluate(expression))
      const text = await apps.within(scopeOf(use), work)
      if (addressesOf(text).length === 0) missed(`the recipient expression "${expression}" gives no address`)
      return text
    } catch (error) {
      if (signal.aborted || isEndOfRun(error)) throw error
      const [code, reason] = faultOf(error)
      const details = `the recipients that "${expression}" names get nothing: ${reason}`
      note({ code, report: use.key, details })
      unasked.push(details)
      return ''
    }
  }

  function missed(details: string): void {
    line(details)
    empty.push(details)
  }

  const { app, closed } = await firstOpen()
  const first = uses[0]!
  const scope = scopeOf(first)
  try {
    const { appId } = scope
    const conditions = { ids: task.conditionIds, report: null, cycle: [], appId, applied: () => apps.apply(scope) }
    if (!(await apps.retried(() => gate.holds(conditions)))) return { app, closed, people: null, unasked }
    const people = await resolvePeople({
      definition,
      members: request.members,
      allowedDomains: request.settings.allowedRecipientDomains,
      only: options.recipients,
      evaluate: (expression) => textOf(expression, first),
      note: (code, details) => note({ code, details }),
      line,
      missed,
    })
    // Without anyone else they are in the error of the run; a start for some addresses asks for no others.
    const isUsed = task.email.enabled || task.hub.enabled
    if (isUsed && people.length > 0 && options.recipients === null)
      for (const details of empty) note({ code: 'RECIPIENTS_EMPTY', details })
    return { app, closed, people, unasked: [...unasked, ...empty] }
  } catch (error) {
    throw isEndOfRun(error) ? endOfRun(error, first, uses) : error
  }
}

/**
 * Null when the run reaches a person, and each to whom the start is limited, when the cycles may bring addresses, or when nothing goes to
 * people.
 */
export function unreached(
  { definition: { task }, options, preview }: Pick<PrepareRequest, 'definition' | 'options' | 'preview'>,
  uses: readonly ReportUse[],
  people: readonly Person[],
  unasked: readonly string[],
): { readonly details: string; readonly endsRun: boolean } | null {
  const absent = absentees(
    options,
    people.map(({ address }) => address),
  )
  if (people.length > 0 && absent.length === 0) return null
  const asked = options.recipients?.join(', ')
  if (preview && asked) return { details: `${asked} is no active recipient`, endsRun: true }
  const isWanted = task.email.enabled || task.hub.enabled
  if (!isWanted || uses.some(({ cycle }) => cycle?.emailTo || cycle?.hubTo)) return null
  if (people.length > 0) {
    const are = absent.length === 1 ? 'is no recipient' : 'are no recipients'
    return { details: `the start is limited to ${asked}, and ${absent.join(', ')} ${are} of the task`, endsRun: true }
  }
  const reason = asked
    ? `the start is limited to ${asked}, and none of them is a recipient of the task`
    : 'e-mail or hub is on, and the recipients name no person'
  return { details: [reason, ...unasked].join('; '), endsRun: task.storage.length === 0 }
}

/** Those to whom the start is limited who are not among these. */
export const absentees = (
  { recipients }: Pick<PrepareRequest['options'], 'recipients'>,
  addresses: readonly string[],
): readonly string[] => (recipients ?? []).filter((one) => !addresses.includes(one.toLowerCase()))
