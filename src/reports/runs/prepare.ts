/**
 * Makes the documents of a run: conditions, people, variants, values of cycles, rendering. Runs in a worker thread and knows
 * neither the database nor a channel. With `render` off it makes the plan alone.
 */
import { createHash } from 'node:crypto'
import { errorWithoutPath } from '../../platform/file-errors.ts'
import { ReportError, type RunCode } from '../codes.ts'
import type { AppliedData, AppliedFilter, OpenData } from '../data/index.ts'
import { withEngineRetries } from '../data/retry.ts'
import { nameText } from '../display.ts'
import type { Stored } from '../entities/fields.ts'
import type { ReportFilter } from '../entities/filter.ts'
import type { QlikUser } from '../entities/recipient.ts'
import type { Report } from '../entities/report.ts'
import type { ReportUse } from '../entities/task.ts'
import { patternUses } from '../patterns.ts'
import { type CycleValue, EvaluationError, type ReportData, type Warn } from '../types.ts'
import { type Addressed, addressExpressions, addressTexts, cycleValues, selectionsOf } from './cycles.ts'
import { createDocumentMaker, labelOf } from './document.ts'
import { type CheckedCondition, createGate, type KeptStates } from './gate.ts'
import type { RunApp } from './ledger.ts'
import type { MissingDocument, PreparedDocument } from './plan.ts'
import { addressesOf, type Person, personBehind, type Reader, resolvePeople } from './recipients.ts'
import type { PrepareDeps, PrepareRequest } from './request.ts'

export interface Prepared {
  /** Set when conditions left nothing to do. */
  readonly skipped: RunCode | null
  readonly app: RunApp
  readonly people: readonly Person[]
  /** Id of the variant of each person, by address. */
  readonly variants: Readonly<Record<string, string>>
  readonly documents: readonly PreparedDocument[]
  readonly missing: readonly MissingDocument[]
  readonly conditions: readonly CheckedCondition[]
  readonly states: KeptStates
}

/** People who get the same documents: equal filters, equal access to the data. */
interface Variant {
  readonly id: string
  readonly filterIds: readonly string[]
  readonly user: QlikUser | null
  /** Its only person, where patterns of documents name the recipient. */
  readonly reader: Reader | null
  readonly people: readonly Person[]
}

/** A document to be made: its selections are those of the filters, then those of the cycle. */
interface Expanded {
  readonly variant: Variant
  readonly cycle: readonly CycleValue[]
  /** People of the variant whom the expressions of the cycle name; the plain document evaluates them itself. */
  readonly named: Addressed<readonly string[]>
}

/** People of their own access whom the expressions of a cycle name, and the values for which they could not be asked. */
interface NamedPeople {
  readonly named: readonly {
    readonly access: Omit<Variant, 'people'>
    readonly value: readonly CycleValue[]
    readonly addressed: Addressed<readonly string[]>
  }[]
  readonly faults: readonly (readonly [readonly CycleValue[], unknown])[]
}

const NONE_NAMED: NamedPeople = { named: [], faults: [] }
const PLAIN: Variant = { id: '', filterIds: [], user: null, reader: null, people: [] }
const NOT_NAMED: Addressed<readonly string[]> = { mail: [], hub: [] }

/** Rejects with a `ReportError` when the run as a whole cannot go on. */
export async function prepareRun(deps: PrepareDeps, request: PrepareRequest): Promise<Prepared> {
  const run = createPreparation(deps, request)
  try {
    return await run.prepare()
  } finally {
    await run.close()
  }
}

function createPreparation(deps: PrepareDeps, request: PrepareRequest) {
  const { signal } = deps
  const noted = new Set<string>()
  /** Work that is repeated after a lost engine finds the same again. */
  const note: PrepareDeps['note'] = (event) => {
    const key = JSON.stringify(event)
    if (!noted.has(key)) deps.note(event)
    noted.add(key)
  }
  const { definition, options, settings, states } = request
  const { task, reports, filters } = definition
  const sessions = new Map<string, OpenData>()
  const gate = createGate({
    definition,
    facts: deps.facts,
    states,
    startedAt: request.startedAt,
    timezone: settings.timezone,
    ignore: options.ignoreConditions,
    warn: (code, details) => note({ code, details }),
    line: deps.line,
    elsewhere: async (appId) => (await session(appId, null)).apply(filtersOf(task.filterIds, appId)),
  })
  const maker = createDocumentMaker({ ...deps, note }, request, (use) => warnFor(use), isPlain)
  const documents: PreparedDocument[] = []
  const missing: MissingDocument[] = []
  const uses = task.reports.filter(({ key }) => options.reports === null || options.reports.includes(key))
  const isOn = { email: task.email.enabled, hub: task.hub.enabled }
  const asRecipient = task.run.evaluateAs === 'recipient'
  const patterns = [...task.reports.map(({ fileName }) => fileName), ...task.storage.map(({ folder }) => folder)]
  const namesReader = asRecipient && patterns.some((one) => patternUses(one, 'recipient'))
  /** The recipients of the task. */
  let found: readonly Person[] = []
  /** In words: recipients whom an expression names that could not be calculated, and groups without people. */
  const unasked: string[] = []

  const reportOf = ({ reportId }: ReportUse): Stored<Report> => {
    const found = reports.find(({ id }) => id === reportId)
    if (!found) throw new ReportError('INTERNAL', `the report ${reportId} is not part of the run`)
    return found
  }
  /** Filters that are bound to another app do not concern this one. */
  const filtersOf = (ids: readonly string[], appId: string): ReportFilter[] =>
    ids
      .map((id) => filters.find((one) => one.id === id))
      .filter((one) => one !== undefined && (one.appId === null || one.appId === appId)) as ReportFilter[]

  let current: ReportUse | undefined
  const warnFor =
    (use?: ReportUse): Warn =>
    (code, details, block) =>
      note({ code, details, ...(use && { report: use.key }), ...(block !== undefined && { block }) })

  async function session(appId: string, user: QlikUser | null): Promise<OpenData> {
    const key = JSON.stringify([appId, user])
    const open = sessions.get(key)
    if (open) return open
    // One identity at a time: sessions of people cost licences and memory of the engine.
    if (user) await closeAll()
    // One session serves several reports: a warning belongs to the report that is being made.
    const warn: Warn = (code, details, block) => warnFor(current)(code, details, block)
    const opened = await deps.openApp({ appId, user, warn })
    sessions.set(key, opened)
    return opened
  }

  async function closeAll(): Promise<void> {
    const open = [...sessions.values()]
    sessions.clear()
    await Promise.all(open.map((one) => one.close().catch(() => undefined)))
  }

  /** Work that asks apps, again after a lost engine. */
  const withEngine = <T>(work: () => Promise<T>): Promise<T> =>
    withEngineRetries(
      async (attempt) => {
        if (attempt > 1) await closeAll()
        return work()
      },
      { line: deps.line, signal, pausesMs: settings.engineRetryMs },
    )

  /** Work with an app under filters, again after a lost engine. */
  function withApp<T>(
    appId: string,
    user: QlikUser | null,
    active: readonly AppliedFilter[],
    work: (applied: AppliedData) => Promise<T>,
    cycle: readonly CycleValue[] = [],
  ): Promise<T> {
    return withEngine(async () => work(await (await session(appId, user)).apply(active, selectionsOf(cycle))))
  }

  async function prepare(): Promise<Prepared> {
    const { closed, ...start } = await begin()
    const { app } = start
    if (!start.met) note({ code: 'CONDITION_NOT_MET', details: 'the conditions of the task do not hold' })
    if (!start.met) return result({ skipped: 'CONDITION_NOT_MET', app, people: [], variants: [] })
    const variants = variantsOf()
    checkReach()
    for (const [use, error] of closed) failed(use, null, [], error)
    const skippedUses = await makeAll(variants, new Set(closed.map(([use]) => use)))
    const skipped = uses.length > 0 && skippedUses === uses.length ? 'ALL_REPORTS_SKIPPED' : null
    return result({ skipped, app, people: variants.flatMap((one) => one.people), variants })
  }

  /** The app of the first report that can be opened; `closed`: reports before it whose apps cannot. */
  async function firstOpen() {
    const closed: (readonly [ReportUse, unknown])[] = []
    for (const use of uses) {
      try {
        const app = await inAppOf(use, async ({ data }) => data.app)
        return { app: { name: app.name, lastReload: app.lastReload?.getTime() ?? null }, closed }
      } catch (error) {
        if (signal.aborted) throw error
        if (isEndOfRun(error)) throw ofReport(error, use, uses)
        closed.push([use, error])
      }
    }
    const [first] = closed
    if (!first) throw new ReportError('INTERNAL', 'the task has no report that is asked for')
    throw allClosed(first, closed.slice(1))
  }

  /** Work with the app of a report under the filters of the task. */
  function inAppOf<T>(use: ReportUse, work: (applied: AppliedData) => Promise<T>): Promise<T> {
    const { appId } = reportOf(use)
    return withApp(appId, null, filtersOf(task.filterIds, appId), work)
  }

  /**
   * The conditions and the people of the task. A question that names no app is asked of that of the first report, and
   * never of another: it could mean other people. Where it is closed, `onError` of the condition decides, and the people of
   * the expression get nothing.
   */
  async function begin() {
    const { app, closed } = await firstOpen()
    const first = uses[0]!
    const { appId } = reportOf(first)
    try {
      const applied = async () => (await session(appId, null)).apply(filtersOf(task.filterIds, appId))
      const met = await withEngine(() =>
        gate.holds({ ids: task.conditionIds, report: null, cycle: [], appId, applied }),
      )
      if (met) found = await people(first)
      return { met, app, closed }
    } catch (error) {
      throw isEndOfRun(error) ? ofReport(error, first, uses) : error
    }
  }

  function result({
    skipped,
    app,
    people: members,
    variants,
  }: {
    skipped: RunCode | null
    app: RunApp
    people: readonly Person[]
    variants: readonly Variant[]
  }): Prepared {
    const byAddress = variants.flatMap(({ id, people: all }) => all.map(({ address }) => [address, id]))
    return {
      skipped,
      app,
      people: members,
      variants: Object.fromEntries(byAddress),
      documents,
      missing,
      conditions: gate.results,
      states: gate.states,
    }
  }

  function people(first: ReportUse): Promise<Person[]> {
    async function evaluate(expression: string): Promise<string> {
      try {
        const text = await inAppOf(first, async ({ data }) => nameText(await data.evaluate(expression)))
        if (addressesOf(text).length === 0) deps.line(`the recipient expression "${expression}" gives no address`)
        return text
      } catch (error) {
        if (signal.aborted || isEndOfRun(error)) throw error
        const [code, reason] = faultOf(error)
        const details = `the recipients that "${expression}" names get nothing: ${reason}`
        note({ code, report: first.key, details })
        unasked.push(details)
        return ''
      }
    }
    return resolvePeople({
      definition,
      members: request.members,
      allowedDomains: settings.allowedRecipientDomains,
      only: options.recipients,
      evaluate,
      note: (code, details) => note({ code, details }),
      line: deps.line,
      missed(details) {
        deps.line(details)
        unasked.push(details)
      },
    })
  }

  /** A run that could reach no person at all is an error, unless the cycles bring addresses or folders wait. */
  function checkReach(): void {
    const asked = options.recipients?.join(', ')
    if (request.preview && asked && found.length === 0) {
      throw new ReportError('NO_RECIPIENTS', `${asked} is no active recipient`)
    }
    const wanted = isOn.email || isOn.hub
    if (!wanted || found.length > 0 || uses.some(({ cycle }) => cycle?.emailTo || cycle?.hubTo)) return
    const reason = asked
      ? `the start is limited to ${asked}, and none of them is a recipient of the task`
      : 'e-mail or hub is on, and the recipients name no person'
    const details = [reason, ...unasked].join('; ')
    if (task.storage.length > 0) note({ code: 'NO_RECIPIENTS', details })
    else throw new ReportError('NO_RECIPIENTS', details)
  }

  /** Filters and access of a person; null for one without the Qlik user that is needed. */
  function accessOf({ address, attributes, filterIds, qlikUser }: Person): Omit<Variant, 'people'> | null {
    if (asRecipient && !qlikUser) {
      note({ code: 'RECIPIENT_NO_QLIK_USER', recipient: address, details: `${address} has no Qlik user` })
      return null
    }
    const user = asRecipient ? qlikUser : null
    const isPlainOne = filterIds.length === 0 && !user
    const reader = namesReader ? { address, attributes } : null
    const own = [[...filterIds].sort(), user, ...(reader ? [address] : [])]
    return { id: isPlainOne ? '' : hashOf(JSON.stringify(own)), filterIds, user, reader }
  }

  function variantsOf(): Variant[] {
    const byId = new Map<string, Variant>()
    for (const person of found) {
      const access = accessOf(person)
      if (access) byId.set(access.id, { ...access, people: [...(byId.get(access.id)?.people ?? []), person] })
    }
    return [...byId.values()]
  }

  const personAt = (address: string) => personBehind(address, found, definition.recipients)

  /** True for an address that may get the document without filters of people. */
  function isPlain(address: string): boolean {
    const person = personAt(address)
    if (!person) deps.line(`${address} is inactive and gets nothing`)
    return person !== null && accessOf(person)?.id === ''
  }

  /** Number of report uses that their own conditions skipped. */
  async function makeAll(variants: readonly Variant[], closed: ReadonlySet<ReportUse>): Promise<number> {
    let skipped = 0
    for (const use of uses) {
      if (isStopped()) break
      if (closed.has(use)) continue
      current = use
      if ((await makeUse(use, variants)) === 'skipped') skipped++
    }
    return skipped
  }

  const isStopped = () => task.run.onReportError === 'stop' && missing.length > 0

  async function makeUse(use: ReportUse, variants: readonly Variant[]): Promise<'made' | 'skipped'> {
    const report = reportOf(use)
    const own = [...task.filterIds, ...report.filterIds, ...use.filterIds]
    const { appId } = report
    let wanted: readonly Expanded[] = []
    try {
      if (use.conditionScope === 'report' && use.conditionIds.length > 0) {
        const met = await withApp(appId, null, filtersOf(own, appId), (applied) =>
          gate.holds({ ids: use.conditionIds, report: use.key, cycle: [], appId, applied: async () => applied }),
        )
        if (!met) return skip(use, [])
      }
      wanted = await expanded(use, report, wantedVariants(use, variants), own)
      if (request.preview) wanted = wanted.slice(0, 1)
    } catch (error) {
      failed(use, null, [], error)
      return 'made'
    }
    const total = documents.length + wanted.length
    if (total > settings.maxDocumentsPerRun) {
      const details = `${total} documents, limits.maxDocumentsPerRun is ${settings.maxDocumentsPerRun}`
      throw new ReportError('TOO_MANY_DOCUMENTS', details)
    }
    let skipped = 0
    for (const one of wanted) {
      if (isStopped()) return 'made'
      signal.throwIfAborted()
      const { variant, cycle } = one
      const active = filtersOf([...own, ...variant.filterIds], appId)
      try {
        const work = (applied: AppliedData) => makeDocument(use, report, one, applied)
        if ((await withApp(appId, variant.user, active, work, cycle)) === 'skipped') skipped++
      } catch (error) {
        if (isClosedApp(error, variant)) {
          failed(use, null, [], error)
          return 'made'
        }
        failed(use, variant, cycle, error, one.named)
      }
    }
    return skipped > 0 && skipped === wanted.length ? 'skipped' : 'made'
  }

  function skip(use: ReportUse, cycle: readonly CycleValue[]): 'skipped' {
    note({ code: 'REPORT_SKIPPED', report: use.key, details: `${labelOf(use.key, cycle)}: its conditions do not hold` })
    return 'skipped'
  }

  /** The documents of a report: each value of the cycle for each variant. None of them is made when they are too many. */
  async function expanded(
    use: ReportUse,
    report: Stored<Report>,
    variants: readonly Variant[],
    own: readonly string[],
  ): Promise<Expanded[]> {
    const wanted = new Map<string, Expanded>()
    const add = (variant: Variant, cycle: readonly CycleValue[], named = NOT_NAMED) => {
      const key = JSON.stringify([variant.id, cycle])
      const before = wanted.get(key)?.named ?? NOT_NAMED
      const both = { mail: [...before.mail, ...named.mail], hub: [...before.hub, ...named.hub] }
      wanted.set(key, { variant, cycle, named: both })
    }
    const { cycle } = use
    for (const variant of variants) {
      if (!cycle) {
        add(variant, [])
        continue
      }
      const active = filtersOf([...own, ...variant.filterIds], report.appId)
      try {
        const { values, named, faults } = await withApp(report.appId, variant.user, active, async ({ data }) => {
          const values = await cycleValues(data, cycle.fields)
          return { values, ...(variant.id === '' ? await namedPeople(use, data, values) : NONE_NAMED) }
        })
        for (const [value, error] of faults) failed(use, variant, value, error)
        if (values.length === 0) {
          const details = `${cycle.fields.join(' x ')} has no possible value`
          const [reader] = variant.id === '' ? [] : variant.people
          note({ code: 'NO_CYCLE_VALUES', report: use.key, details, ...(reader && { recipient: reader.address }) })
        }
        // Where the data are read as each person, the expressions alone are evaluated without one.
        if (variant.id !== '' || !asRecipient || request.preview) for (const one of values) add(variant, one)
        for (const { access, value, addressed } of named) {
          add(variants.find(({ id }) => id === access.id) ?? { ...access, people: [] }, value, addressed)
        }
      } catch (error) {
        if (isClosedApp(error, variant)) throw error
        failed(use, variant, [], error)
      }
    }
    if (cycle && wanted.size > cycle.maxDocuments) {
      const details = `${wanted.size} documents, cycle.maxDocuments is ${cycle.maxDocuments}`
      throw new ReportError('TOO_MANY_DOCUMENTS', details)
    }
    return [...wanted.values()]
  }

  /** The people with filters or access of their own whom the expressions of a cycle name, for each of its values. */
  async function namedPeople(
    use: ReportUse,
    data: ReportData,
    values: readonly (readonly CycleValue[])[],
  ): Promise<NamedPeople> {
    const expressions = addressExpressions(use, isOn)
    const isSpecial = (one: { readonly filterIds: readonly string[] }) => one.filterIds.length > 0
    if (expressions.mail === null && expressions.hub === null) return NONE_NAMED
    if (!asRecipient && ![...found, ...definition.recipients].some(isSpecial)) return NONE_NAMED
    const named: NamedPeople['named'][number][] = []
    /** The values whose people cannot be found out. */
    const faults: NamedPeople['faults'][number][] = []
    for (const value of values) {
      const texts = await data.within(selectionsOf(value), (inner) =>
        addressTexts(inner, expressions).catch((error: unknown) => {
          if (!(error instanceof EvaluationError)) throw error
          // Otherwise the plain document meets the error again, and says so.
          if (asRecipient) faults.push([value, error])
          return { mail: null, hub: null }
        }),
      )
      for (const channel of ['mail', 'hub'] as const) {
        const text = texts[channel]
        const addresses = text === null ? [] : maker.addresses(use, value, text, asRecipient)
        for (const address of addresses) {
          const person = personAt(address)
          const access = person && accessOf(person)
          if (access && access.id !== '')
            named.push({ access, value, addressed: { ...NOT_NAMED, [channel]: [address] } })
        }
      }
    }
    return { named, faults }
  }

  /** Variants of people who get this report, and the plain one for folders and addresses of cycles. */
  function wantedVariants(use: ReportUse, variants: readonly Variant[]): readonly Variant[] {
    if (request.preview) return found.length > 0 ? variants.slice(0, 1) : [PLAIN]
    const { cycle, deliver } = use
    const alsoRecipients = cycle?.alsoRecipients ?? false
    const { mail, hub: hubTo } = addressExpressions(use, isOn)
    const mailed = isOn.email && deliver.email !== 'none'
    const inHub = isOn.hub && deliver.hub
    const byMail = mailed && (mail === null || alsoRecipients)
    const byHub = inHub && (hubTo === null || alsoRecipients)
    const personal = variants.filter(({ people: all }) =>
      all.some(({ email, hub }) => (byMail && email) || (byHub && hub)),
    )
    const stored = deliver.storage && task.storage.some((one) => !one.reports || one.reports.includes(use.key))
    const named = mail !== null || hubTo !== null
    const plainWanted = named || ((stored || inHub) && !asRecipient)
    if (!plainWanted || personal.some(({ id }) => id === '')) return personal
    return [PLAIN, ...personal]
  }

  async function makeDocument(
    use: ReportUse,
    report: Stored<Report>,
    { variant, cycle, named }: Expanded,
    applied: AppliedData,
  ): Promise<'made' | 'skipped'> {
    if (use.conditionScope === 'cycleValue' && use.conditionIds.length > 0) {
      const { appId } = report
      const met = await gate.holds({
        ids: use.conditionIds,
        report: use.key,
        cycle,
        appId,
        applied: async () => applied,
      })
      if (!met) return skip(use, cycle)
    }
    const seq = documents.length + 1
    documents.push(
      await maker.make({
        use,
        report,
        variant: variant.id,
        reader: variant.reader,
        cycle,
        named,
        seq,
        data: applied.data,
      }),
    )
    return 'made'
  }

  /** Notes a document that could not be made, for each person who misses it. Throws the end of the whole run. */
  function failed(
    use: ReportUse,
    variant: Variant | null,
    cycle: readonly CycleValue[],
    error: unknown,
    named = NOT_NAMED,
  ): void {
    if (signal.aborted) throw signal.reason
    if (isEndOfRun(error)) throw ofReport(error, use, uses)
    const [code, details] = faultOf(error)
    const label = labelOf(use.key, cycle)
    missing.push({ report: use.key, variant: variant?.id ?? null, mailTo: named.mail, label, code })
    const place = cycle.length === 0 ? details : `${label}: ${details}`
    const members = variant?.id ? variant.people.map(({ address }) => address) : []
    const readers = new Set([...members, ...named.mail, ...named.hub])
    if (readers.size === 0) note({ code, report: use.key, details: place })
    for (const recipient of readers) note({ code, report: use.key, recipient, details: place })
  }

  return { prepare, close: closeAll }
}

const ENDS_RUN: readonly RunCode[] = ['ENGINE_UNREACHABLE', 'INTERNAL']
/** Of an app that no document of the report can be made of. */
const CLOSED_APP: readonly RunCode[] = ['APP_NOT_FOUND', 'APP_ACCESS_DENIED', 'APP_NO_DATA']

const isEndOfRun = (error: unknown): boolean => ENDS_RUN.includes(faultOf(error)[0])

/** An app may be closed to one person alone. */
const isClosedApp = (error: unknown, { user }: Variant): boolean => !user && CLOSED_APP.includes(faultOf(error)[0])

/** The error that ends a run, with the report that it is about and those that it takes with it. */
function ofReport(error: unknown, { key }: ReportUse, uses: readonly ReportUse[]): ReportError {
  const [code, details] = faultOf(error)
  const others = uses.map((one) => one.key).filter((one) => one !== key)
  const rest = others.length === 0 ? '' : `; the run ends, nothing is delivered of ${others.join(', ')} either`
  return new ReportError(code, `${details}${rest}`, { report: key, cause: error })
}

/** The error of a run of which no app can be opened: that of the first report, which names the others. */
function allClosed(
  [{ key }, error]: readonly [ReportUse, unknown],
  others: readonly (readonly [ReportUse, unknown])[],
) {
  const [code, details] = faultOf(error)
  const rest = others.map(([use, other]) => `; ${use.key}: ${faultOf(other).join(' ')}`)
  return new ReportError(code, `${details}${rest.join('')}`, { report: key, cause: error })
}

function faultOf(error: unknown): [ReportError['code'], string] {
  if (error instanceof ReportError) return [error.code, error.details]
  return ['DOCUMENT_FAILED', errorWithoutPath(error)]
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12)
