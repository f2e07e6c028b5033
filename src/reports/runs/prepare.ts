/**
 * Makes the documents of a run: conditions, people, variants, values of cycles, rendering. Runs in a worker thread and knows
 * neither the database nor a channel. With `render` off it makes the plan alone.
 */
import { createHash, randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { errorText } from '../../platform/errors.ts'
import { ReportError, type RunCode } from '../codes.ts'
import type { ConditionFacts } from '../conditions.ts'
import type { AppliedData, AppliedFilter, OpenData } from '../data/index.ts'
import type { Stored } from '../entities/fields.ts'
import type { ReportFilter } from '../entities/filter.ts'
import type { QlikUser } from '../entities/recipient.ts'
import type { Report } from '../entities/report.ts'
import type { Definition, ReportUse } from '../entities/task.ts'
import { cleanName, expandPattern, patternExpressions } from '../patterns.ts'
import type {
  CycleValue,
  DocumentNames,
  RenderedDocument,
  RenderRequest,
  RenderSettings,
  ReportData,
  RunEvent,
  RunOptions,
  Warn,
} from '../types.ts'
import { type CheckedCondition, createGate, type KeptStates } from './gate.ts'
import type { RunApp } from './ledger.ts'
import type { MissingDocument, PreparedDocument } from './plan.ts'
import { addressesOf, type GroupMember, isUsable, type Person, resolvePeople } from './recipients.ts'

/** Plain data: it is copied to the worker. */
export interface PrepareRequest {
  readonly runId: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly definition: Definition
  readonly options: RunOptions
  readonly members: Readonly<Record<string, readonly GroupMember[]>>
  /** Kept state of conditions, by key. */
  readonly states: Readonly<Record<string, unknown>>
  readonly render: boolean
  readonly settings: PrepareSettings
}

export interface PrepareSettings extends RenderSettings {
  readonly maxDocumentsPerRun: number
  readonly maxRenderSeconds: number
  readonly allowedRecipientDomains: readonly string[]
  readonly timezone: string
  readonly locale: string
  /** Values of `reportTask.secrets`. */
  readonly secrets: Readonly<Record<string, string>>
  /** Milliseconds before the second and the third attempt of what the engine failed. */
  readonly engineRetryMs: readonly number[]
}

export interface PrepareDeps {
  readonly openApp: (request: {
    readonly appId: string
    readonly user: QlikUser | null
    readonly warn: Warn
  }) => Promise<OpenData>
  readonly facts: ConditionFacts
  readonly render: (request: RenderRequest) => Promise<RenderedDocument>
  /** Moves a finished file into the store of documents. */
  readonly keep: (file: string) => Promise<{ readonly sha256: string; readonly bytes: number }>
  readonly keepBytes: (bytes: Uint8Array) => Promise<string>
  /** Runs the work while no other document is being rendered. */
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>
  readonly note: (event: Omit<RunEvent, 'at' | 'level'>) => void
  readonly line: (text: string) => void
  readonly signal: AbortSignal
}

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
  readonly people: readonly Person[]
}

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
  const { note, signal } = deps
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
  })
  const documents: PreparedDocument[] = []
  const missing: MissingDocument[] = []
  const uses = task.reports.filter(({ key }) => options.reports === null || options.reports.includes(key))

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

  /** Work with an app under filters, again after a lost engine. */
  async function withApp<T>(
    appId: string,
    user: QlikUser | null,
    active: readonly AppliedFilter[],
    work: (applied: AppliedData) => Promise<T>,
    cycle: readonly CycleValue[] = [],
  ): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        const opened = await session(appId, user)
        const selections = cycle.map(({ field, value }) => ({ field, values: [value] }))
        return await work(await opened.apply(active, selections))
      } catch (error) {
        const pause = settings.engineRetryMs[attempt]
        if (!(error instanceof ReportError) || error.code !== 'ENGINE_UNREACHABLE' || pause === undefined) throw error
        deps.line(`engine lost, attempt ${attempt + 2} in ${Math.round(pause / 1000)} s: ${error.details}`)
        await closeAll()
        await delay(pause, undefined, { signal })
      }
    }
  }

  async function prepare(): Promise<Prepared> {
    const first = uses[0]
    if (!first) throw new ReportError('INTERNAL', 'the task has no report that is asked for')
    const { appId } = reportOf(first)
    const start = await withApp(appId, null, filtersOf(task.filterIds, appId), async (applied) => {
      const { data } = applied
      const met = await gate.holds({ ids: task.conditionIds, report: null, cycle: [], applied })
      const evaluate = async (expression: string) => (await data.evaluate(expression)).text
      const found = met ? await people(evaluate) : []
      const { name, lastReload } = data.app
      return { met, found, app: { name, lastReload: lastReload?.getTime() ?? null } }
    })
    const { app } = start
    if (!start.met) return result({ skipped: 'CONDITION_NOT_MET', app, people: [], variants: [] })
    const variants = variantsOf(start.found)
    checkReach(start.found)
    const skippedUses = await makeAll(variants)
    const skipped = uses.length > 0 && skippedUses === uses.length ? 'ALL_REPORTS_SKIPPED' : null
    return result({ skipped, app, people: variants.flatMap((one) => one.people), variants })
  }

  function result({
    skipped,
    app,
    people: found,
    variants,
  }: {
    skipped: RunCode | null
    app: RunApp
    people: readonly Person[]
    variants: readonly Variant[]
  }): Prepared {
    const byAddress = variants.flatMap(({ id, people: members }) => members.map(({ address }) => [address, id]))
    return {
      skipped,
      app,
      people: found,
      variants: Object.fromEntries(byAddress),
      documents,
      missing,
      conditions: gate.results,
      states: gate.states,
    }
  }

  function people(evaluate: (expression: string) => Promise<string>): Promise<Person[]> {
    return resolvePeople({
      definition,
      members: request.members,
      allowedDomains: settings.allowedRecipientDomains,
      only: options.recipients,
      evaluate,
      note: (code, details) => note({ code, details }),
    })
  }

  /** A run that could reach no person at all is an error, unless the cycles bring addresses or folders wait. */
  function checkReach(found: readonly Person[]): void {
    const wanted = task.email.enabled || task.hub.enabled
    if (!wanted || found.length > 0 || uses.some(({ cycle }) => cycle?.emailTo || cycle?.hubTo)) return
    if (task.storage.length > 0)
      note({ code: 'NO_RECIPIENTS', details: 'e-mail or hub is on, and the recipients name no person' })
    else throw new ReportError('NO_RECIPIENTS', 'e-mail or hub is on, and the recipients name no person')
  }

  function variantsOf(found: readonly Person[]): Variant[] {
    const byKey = new Map<string, { filterIds: readonly string[]; user: QlikUser | null; people: Person[] }>()
    for (const person of found) {
      const asRecipient = task.run.evaluateAs === 'recipient'
      if (asRecipient && !person.qlikUser) {
        note({
          code: 'RECIPIENT_NO_QLIK_USER',
          recipient: person.address,
          details: `${person.address} has no Qlik user`,
        })
        continue
      }
      const user = asRecipient ? person.qlikUser : null
      const key = JSON.stringify([[...person.filterIds].sort(), user])
      const known = byKey.get(key) ?? { filterIds: person.filterIds, user, people: [] }
      byKey.set(key, known)
      known.people.push(person)
    }
    return [...byKey].map(([key, one]) => ({ ...one, id: one.filterIds.length === 0 && !one.user ? '' : hashOf(key) }))
  }

  /** Number of report uses that their own conditions skipped. */
  async function makeAll(variants: readonly Variant[]): Promise<number> {
    let skipped = 0
    for (const use of uses) {
      current = use
      const before = missing.length
      const outcome = await makeUse(use, variants)
      if (outcome === 'skipped') skipped++
      if (missing.length > before && task.run.onReportError === 'stop') break
    }
    return skipped
  }

  async function makeUse(use: ReportUse, variants: readonly Variant[]): Promise<'made' | 'skipped'> {
    const report = reportOf(use)
    const own = [...task.filterIds, ...report.filterIds, ...use.filterIds]
    try {
      if (use.conditionScope === 'report' && use.conditionIds.length > 0) {
        const met = await withApp(report.appId, null, filtersOf(own, report.appId), (applied) =>
          gate.holds({ ids: use.conditionIds, report: use.key, cycle: [], applied }),
        )
        if (!met) return skip(use)
      }
    } catch (error) {
      failed(use, null, [], error)
      return 'made'
    }
    let skippedValues = 0
    let values = 0
    for (const variant of wantedVariants(use, variants)) {
      const outcome = await makeVariant(use, report, variant, own).catch((error: unknown) => {
        failed(use, variant, [], error)
        return { values: 1, skipped: 0 }
      })
      values += outcome.values
      skippedValues += outcome.skipped
    }
    return values > 0 && values === skippedValues ? 'skipped' : 'made'
  }

  function skip(use: ReportUse): 'skipped' {
    note({ code: 'REPORT_SKIPPED', report: use.key, details: 'its conditions do not hold' })
    return 'skipped'
  }

  /** Variants of people who get this report, and the plain one for folders and addresses of cycles. */
  function wantedVariants(use: ReportUse, variants: readonly Variant[]): readonly Variant[] {
    const { cycle, deliver } = use
    const byMail = task.email.enabled && deliver.email !== 'none' && (!cycle?.emailTo || cycle.alsoRecipients)
    const byHub = task.hub.enabled && deliver.hub && (!cycle?.hubTo || cycle.alsoRecipients)
    const personal = byMail || byHub ? variants : []
    const stored = task.storage.some((one) => !one.reports || one.reports.includes(use.key)) && deliver.storage
    const plainWanted =
      (stored || cycle?.emailTo || cycle?.hubTo || task.hub.enabled) && task.run.evaluateAs === 'service'
    if (!plainWanted || personal.some(({ id }) => id === '')) return personal
    return [{ id: '', filterIds: [], user: null, people: [] }, ...personal]
  }

  async function makeVariant(use: ReportUse, report: Stored<Report>, variant: Variant, own: readonly string[]) {
    const active = filtersOf([...own, ...variant.filterIds], report.appId)
    const inApp = <T>(work: (applied: AppliedData) => Promise<T>, cycle: readonly CycleValue[] = []) =>
      withApp(report.appId, variant.user, active, work, cycle)
    const cycles = use.cycle ? await inApp(({ data }) => cycleValues(data, use.cycle!.fields)) : [[]]
    if (use.cycle && cycles.length === 0) {
      note({
        code: 'NO_CYCLE_VALUES',
        report: use.key,
        details: `${use.cycle.fields.join(' x ')} has no possible value`,
      })
      return { values: 0, skipped: 0 }
    }
    if (use.cycle && cycles.length > use.cycle.maxDocuments) {
      throw new ReportError(
        'TOO_MANY_DOCUMENTS',
        `${cycles.length} documents, cycle.maxDocuments is ${use.cycle.maxDocuments}`,
      )
    }
    if (documents.length + cycles.length > settings.maxDocumentsPerRun) {
      throw new ReportError(
        'TOO_MANY_DOCUMENTS',
        `more than ${settings.maxDocumentsPerRun} documents (limits.maxDocumentsPerRun)`,
      )
    }
    let skipped = 0
    for (const cycle of cycles) {
      signal.throwIfAborted()
      try {
        const made = await inApp((applied) => makeDocument(use, report, variant, cycle, applied), cycle)
        if (made === 'skipped') skipped++
      } catch (error) {
        failed(use, variant, cycle, error)
        if (task.run.onReportError === 'stop') break
      }
    }
    return { values: cycles.length, skipped }
  }

  async function makeDocument(
    use: ReportUse,
    report: Stored<Report>,
    variant: Variant,
    cycle: readonly CycleValue[],
    applied: AppliedData,
  ): Promise<'made' | 'skipped'> {
    const { data } = applied
    if (use.conditionScope === 'cycleValue' && use.conditionIds.length > 0) {
      const met = await gate.holds({ ids: use.conditionIds, report: use.key, cycle, applied })
      if (!met) return skip(use)
    }
    const id = randomUUID()
    const seq = documents.length + 1
    const names: DocumentNames = {
      task: task.name,
      project: task.project,
      report: report.name,
      key: use.key,
      cycle,
      date: new Date(request.startedAt),
      runId: request.runId,
      seq,
    }
    const timezone = report.timezone ?? settings.timezone
    const locale = report.locale ?? settings.locale
    const context = { names, app: data.app, timezone, locale, evaluate: data.evaluate }
    const fileName = `${cleanName(await expandPattern(use.fileName, context))}.${use.format}`
    const plain = variant.id === ''
    const addresses = (expression: string | null) =>
      expression !== null && plain ? addressesFrom(use, cycle, data, expression) : null
    const reach = {
      mailTo: task.email.enabled && use.deliver.email !== 'none' ? await addresses(use.cycle?.emailTo ?? null) : null,
      hubTo: task.hub.enabled && use.deliver.hub ? await addresses(use.cycle?.hubTo ?? null) : null,
      folders: use.cycle?.folder
        ? (await data.evaluate(use.cycle.folder)).text
            .split(';')
            .map((one) => one.trim())
            .filter(Boolean)
        : null,
      expressions: await expressions(data),
    }
    const embed = use.deliver.email === 'embed' && use.format === 'html'
    const made = request.render ? await render(use, report, { names, timezone, locale, data, id, embed }) : NOT_RENDERED
    const { sha256, bytes, mediaType, images } = made
    documents.push({
      id,
      runId: request.runId,
      report: use.key,
      sha256,
      fileName,
      format: use.format,
      mediaType,
      bytes,
      cycle,
      variant: variant.id,
      seq,
      ...reach,
      images,
    })
    if (request.render)
      deps.line(`document ${labelOf(use.key, cycle)} ${use.format} ${bytes} bytes sha256=${sha256.slice(0, 12)}`)
    return 'made'
  }

  async function render(
    use: ReportUse,
    report: Stored<Report>,
    {
      names,
      timezone,
      locale,
      data,
      id,
      embed,
    }: Pick<RenderRequest, 'names' | 'timezone' | 'locale' | 'data'> & { id: string; embed: boolean },
  ) {
    return deps.exclusive(async () => {
      const file = join(settings.temporaryDirectory, id)
      const limit = AbortSignal.timeout(settings.maxRenderSeconds * 1000)
      try {
        const { mediaType, images = [] } = await deps.render({
          report,
          use: {
            format: use.format,
            options: use.options,
            protect: use.protect,
            embed,
            ...(use.block !== undefined && { block: use.block }),
          },
          data,
          names,
          locale,
          timezone,
          file,
          secret: (reference) => secretOf(settings.secrets, reference),
          warn: warnFor(use),
          signal: AbortSignal.any([signal, limit]),
        })
        const kept = await deps.keep(file)
        const pictures = []
        for (const { cid, png } of images) pictures.push({ cid, sha256: await deps.keepBytes(png) })
        return { ...kept, mediaType, images: pictures }
      } catch (error) {
        if (limit.aborted) throw new ReportError('RENDER_TIMEOUT', `not made within ${settings.maxRenderSeconds} s`)
        throw error
      } finally {
        await rm(file, { force: true })
      }
    })
  }

  async function addressesFrom(
    use: ReportUse,
    cycle: readonly CycleValue[],
    data: ReportData,
    expression: string,
  ): Promise<string[]> {
    const { text } = await data.evaluate(expression)
    const found = addressesOf(text === '-' ? '' : text)
    const usable = found.filter((one) =>
      isUsable(one, settings.allowedRecipientDomains, (code, details) => note({ code, report: use.key, details })),
    )
    const wanted = usable.filter(
      (one) => options.recipients === null || options.recipients.some((asked) => asked.toLowerCase() === one),
    )
    if (found.length === 0)
      note({
        code: 'NO_CYCLE_ADDRESS',
        report: use.key,
        details: `${labelOf(use.key, cycle)}: ${expression} returned no address`,
      })
    return wanted
  }

  /** Results of `{expr:…}` in the patterns of deliveries, which are written when the run is planned. */
  async function expressions(data: ReportData): Promise<Record<string, string>> {
    const patterns = [task.email.subject, task.hub.title, ...task.storage.map(({ folder }) => folder)]
    const found: Record<string, string> = {}
    for (const expression of new Set(patterns.flatMap(patternExpressions)))
      found[expression] = (await data.evaluate(expression)).text
    return found
  }

  /** Notes a document that could not be made, for each person who misses it. Rethrows the end of the whole run. */
  function failed(use: ReportUse, variant: Variant | null, cycle: readonly CycleValue[], error: unknown): void {
    if (signal.aborted) throw signal.reason
    const [code, details] = faultOf(error)
    if (ENDS_RUN.includes(code)) throw error
    const label = labelOf(use.key, cycle)
    missing.push({ report: use.key, variant: variant?.id ?? '', label, code })
    const place = cycle.length === 0 ? details : `${label}: ${details}`
    const readers = variant?.id ? variant.people : []
    if (readers.length === 0) note({ code, report: use.key, details: place })
    for (const { address } of readers) note({ code, report: use.key, recipient: address, details: place })
  }

  return { prepare, close: closeAll }
}

const ENDS_RUN: readonly RunCode[] = [
  'APP_NOT_FOUND',
  'APP_ACCESS_DENIED',
  'APP_NO_DATA',
  'ENGINE_UNREACHABLE',
  'INTERNAL',
]

const NOT_RENDERED = { sha256: '', bytes: 0, mediaType: '', images: [] } as const

function faultOf(error: unknown): [ReportError['code'], string] {
  if (error instanceof ReportError) return [error.code, error.details]
  return ['DOCUMENT_FAILED', errorText(error)]
}

/** The value of `secretRef:name`. */
export function secretOf(secrets: Readonly<Record<string, string>>, reference: string): string {
  const name = reference.replace(/^secretRef:/, '')
  const value = secrets[name]
  if (!value) throw new ReportError('DOCUMENT_FAILED', `reportTask.secrets.${name} is not set`)
  return value
}

export const labelOf = (key: string, cycle: readonly CycleValue[]): string =>
  [key, ...cycle.map(({ value }) => value.text)].join('/')

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12)

/** All combinations of possible values, in the order of the fields. */
async function cycleValues(data: ReportData, fields: readonly string[]): Promise<CycleValue[][]> {
  const [field, ...rest] = fields
  if (field === undefined) return [[]]
  const found: CycleValue[][] = []
  for (const value of await data.fieldValues(field)) {
    const head: CycleValue = { field, value }
    if (rest.length === 0) found.push([head])
    else
      found.push(
        ...(await data.within([{ field, values: [value] }], (inner) => cycleValues(inner, rest))).map((tail) => [
          head,
          ...tail,
        ]),
      )
  }
  return found
}
