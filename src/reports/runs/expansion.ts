/** The documents that a report becomes: asks the app of each variant for the values of the cycle and for the people whom it names. */
import { ReportError } from '../codes.ts'
import type { ReportUse } from '../entities/task.ts'
import { type CycleValue, EvaluationError, type ReportData } from '../types.ts'
import type { Apps, Scope } from './apps.ts'
import { addressExpressions, addressTexts, cycleValues, selectionsOf } from './cycles.ts'
import type { DocumentMaker } from './document.ts'
import { isClosedApp } from './faults.ts'
import type { PrepareDeps, PrepareRequest } from './request.ts'
import {
  type Audience,
  type Cycled,
  documentsOf,
  type Expanded,
  type Named,
  NONE_NAMED,
  type Variant,
} from './variants.ts'

interface ExpansionDeps extends Pick<PrepareDeps, 'note'> {
  readonly apps: Apps
  readonly audience: Audience
  readonly addresses: DocumentMaker['addresses']
}

/** A report of the task. */
interface Wanted {
  readonly use: ReportUse
  readonly variants: readonly Variant[]
  readonly scopeOf: (variant: Variant) => Scope
  /** Called for a variant, or one value of it, of which nothing can be made. */
  readonly onFault: (variant: Variant, cycle: readonly CycleValue[], error: unknown) => void
}

/** None is made when they are too many: rejects then with `TOO_MANY_DOCUMENTS`, and when the app is closed to all. */
export async function expanded(
  { note, apps, audience, addresses }: ExpansionDeps,
  { definition, preview }: Pick<PrepareRequest, 'definition' | 'preview'>,
  { use, variants, scopeOf, onFault }: Wanted,
): Promise<Expanded[]> {
  const { cycle, key: report } = use
  if (!cycle)
    return documentsOf(
      variants.map((variant) => ({ variant, values: [[]], named: [] })),
      audience,
      true,
    )
  const asRecipient = definition.task.run.evaluateAs === 'recipient'
  const isFiltered = [...audience.people, ...definition.recipients].some(({ filterIds }) => filterIds.length > 0)
  const expressions = addressExpressions(use, definition.task)
  const namesOwn = (expressions.mail !== null || expressions.hub !== null) && (asRecipient || isFiltered)

  /** The values of a variant, the people of other access whom the expressions name, and the values whose people cannot be found out. */
  async function ask(variant: Variant, data: ReportData) {
    const values = await cycleValues(data, cycle!.fields)
    const named: Named[] = []
    const faults: (readonly [readonly CycleValue[], unknown])[] = []
    for (const value of variant.id === '' && namesOwn ? values : []) {
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
        for (const address of text === null ? [] : addresses(use, value, text, asRecipient)) {
          const person = audience.personAt(address)
          const access = person && audience.accessOf(person)
          const addressed = { ...NONE_NAMED, [channel]: [address] }
          if (access && access.id !== '') named.push({ access, value, addressed })
        }
      }
    }
    return { variant, values, named, faults }
  }

  const found: Cycled[] = []
  for (const variant of variants) {
    try {
      const one = await apps.within(scopeOf(variant), ({ data }) => ask(variant, data))
      for (const [value, error] of one.faults) onFault(variant, value, error)
      if (one.values.length === 0) {
        const [reader] = variant.id === '' ? [] : variant.people
        const details = `${cycle.fields.join(' x ')} has no possible value`
        note({ code: 'NO_CYCLE_VALUES', report, details, ...(reader && { recipient: reader.address }) })
      }
      found.push(one)
    } catch (error) {
      if (isClosedApp(error, variant)) throw error
      onFault(variant, [], error)
    }
  }
  const documents = documentsOf(found, audience, !asRecipient || preview)
  if (documents.length <= cycle.maxDocuments) return documents
  const details = `${documents.length} documents, cycle.maxDocuments is ${cycle.maxDocuments}`
  throw new ReportError('TOO_MANY_DOCUMENTS', details)
}
