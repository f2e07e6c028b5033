/** Makes the documents of a run, report by report: a fault costs its document, its report or the run. */
import { ReportError } from '../codes.ts'
import type { AppliedData } from '../data/index.ts'
import type { ReportUse } from '../entities/task.ts'
import type { CycleValue } from '../types.ts'
import type { Apps, Scope } from './apps.ts'
import { createDocumentMaker, labelOf } from './document.ts'
import { expanded } from './expansion.ts'
import { type ClosedApp, endOfRun, isClosedApp, isEndOfRun, missed, type Unmade } from './faults.ts'
import type { Gate } from './gate.ts'
import type { MissingDocument, PreparedDocument } from './plan.ts'
import { type PrepareDeps, type PrepareRequest, reportOf } from './request.ts'
import { type Access, type Audience, type Expanded, PLAIN, wantedVariants } from './variants.ts'

interface ReportsDeps extends PrepareDeps {
  readonly apps: Apps
  readonly gate: Gate
  readonly audience: Audience
}

export interface MadeReports {
  readonly documents: readonly PreparedDocument[]
  readonly missing: readonly MissingDocument[]
  /** How many reports their own conditions left out. */
  readonly skipped: number
}

/** Nothing is made of the reports in `closed`. Rejects with a `ReportError` when the run as a whole cannot go on. */
export async function makeReports(
  deps: ReportsDeps,
  request: PrepareRequest,
  uses: readonly ReportUse[],
  closed: readonly ClosedApp[],
): Promise<MadeReports> {
  const { note, line, signal, apps, gate, audience } = deps
  const { definition, settings, preview } = request
  const { task } = definition
  const documents: PreparedDocument[] = []
  const missing: MissingDocument[] = []
  const maker = createDocumentMaker(deps, request, isPlain)

  /** True for an address that may get the document without filters of people. */
  function isPlain(address: string): boolean {
    const person = audience.personAt(address)
    if (!person) line(`${address} is inactive and gets nothing`)
    return person !== null && audience.accessOf(person)?.id === ''
  }

  /** Notes what could not be made. Throws the end of the whole run. */
  function failed(unmade: Unmade, error: unknown): void {
    if (signal.aborted) throw signal.reason
    if (isEndOfRun(error)) throw endOfRun(error, unmade.use, uses)
    const found = missed(unmade, error)
    missing.push(found.missing)
    for (const event of found.events) note(event)
  }

  /** The reason why nothing else is made; null while there is none. */
  function stopReason(): ReportError | null {
    const [first] = missing
    if (task.run.onReportError !== 'stop' || !first) return null
    return new ReportError('DOCUMENT_FAILED', `not made: run.onReportError is stop, and ${first.label} failed`)
  }

  function scopeOf(use: ReportUse, { filterIds, user }: Access, cycle: readonly CycleValue[] = []): Scope {
    const { appId, filterIds: own } = reportOf(definition, use)
    const all = [...task.filterIds, ...own, ...use.filterIds, ...filterIds]
    return { appId, filterIds: all, user, cycle, report: use.key }
  }

  const hasConditions = (use: ReportUse, scope: ReportUse['conditionScope']) =>
    use.conditionScope === scope && use.conditionIds.length > 0

  async function conditionsHold(use: ReportUse, cycle: readonly CycleValue[], applied: AppliedData): Promise<boolean> {
    const { conditionIds: ids, key: report } = use
    const { appId } = reportOf(definition, use)
    const met = await gate.holds({ ids, report, cycle, appId, applied: async () => applied })
    if (!met) note({ code: 'REPORT_SKIPPED', report, details: `${labelOf(report, cycle)}: its conditions do not hold` })
    return met
  }

  /** The documents to be made of a report; null when its conditions do not hold. */
  async function wantedOf(use: ReportUse): Promise<readonly Expanded[] | null> {
    if (hasConditions(use, 'report')) {
      const met = await apps.within(scopeOf(use, PLAIN), (applied) => conditionsHold(use, [], applied))
      if (!met) return null
    }
    const wanted = await expanded({ note, apps, audience, addresses: maker.addresses }, request, {
      use,
      variants: wantedVariants(use, task, audience, preview),
      scopeOf: (variant) => scopeOf(use, variant),
      onFault: (variant, cycle, error) => failed({ use, variant, cycle }, error),
    })
    return preview ? wanted.slice(0, 1) : wanted
  }

  /** False when the conditions of the report, or of all its values, do not hold. */
  async function makeReport(use: ReportUse): Promise<boolean> {
    let wanted: readonly Expanded[] | null
    try {
      wanted = await wantedOf(use)
    } catch (error) {
      failed({ use }, error)
      return true
    }
    if (!wanted) return false
    const total = documents.length + wanted.length
    if (total > settings.maxDocumentsPerRun) {
      const details = `${total} documents, limits.maxDocumentsPerRun is ${settings.maxDocumentsPerRun}`
      throw new ReportError('TOO_MANY_DOCUMENTS', details)
    }
    let skipped = 0
    for (const [index, one] of wanted.entries()) {
      const stopped = stopReason()
      if (stopped) {
        for (const rest of wanted.slice(index)) failed({ use, ...rest }, stopped)
        return true
      }
      signal.throwIfAborted()
      const { variant, cycle } = one
      try {
        const made = await apps.within(scopeOf(use, variant, cycle), (applied) => makeDocument(use, one, applied))
        if (!made) skipped++
      } catch (error) {
        if (isClosedApp(error, variant)) {
          failed({ use }, error)
          return true
        }
        failed({ use, ...one }, error)
      }
    }
    return skipped === 0 || skipped < wanted.length
  }

  /** False when the conditions of the value do not hold. */
  async function makeDocument(use: ReportUse, one: Expanded, applied: AppliedData): Promise<boolean> {
    const { variant, cycle, named } = one
    if (hasConditions(use, 'cycleValue') && !(await conditionsHold(use, cycle, applied))) return false
    const { id, reader } = variant
    const report = reportOf(definition, use)
    const seq = documents.length + 1
    documents.push(await maker.make({ use, report, variant: id, reader, cycle, named, seq, data: applied.data }))
    return true
  }

  for (const [use, error] of closed) failed({ use }, error)
  const open = uses.filter((use) => !closed.some(([one]) => one === use))
  let skipped = 0
  for (const use of open) {
    const stopped = stopReason()
    if (stopped) failed({ use }, stopped)
    else if (!(await makeReport(use))) skipped++
  }
  return { documents, missing, skipped }
}
