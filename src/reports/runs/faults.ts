/** Faults while documents are made: how far each reaches, and what the run says about it. */
import { errorWithoutPath } from '../../platform/file-errors.ts'
import { ReportError, type RunCode } from '../codes.ts'
import type { ReportUse } from '../entities/task.ts'
import type { NewEvent } from '../types.ts'
import { labelOf } from './document.ts'
import type { MissingDocument } from './plan.ts'
import { type Expanded, NONE_NAMED, type Variant } from './variants.ts'

const ENDS_RUN: readonly RunCode[] = ['ENGINE_UNREACHABLE', 'INTERNAL']
/** The app is closed: no document of the report can be made. */
const CLOSED_APP: readonly RunCode[] = ['APP_NOT_FOUND', 'APP_ACCESS_DENIED', 'APP_NO_DATA']

export function faultOf(error: unknown): [ReportError['code'], string] {
  if (error instanceof ReportError) return [error.code, error.details]
  return ['DOCUMENT_FAILED', errorWithoutPath(error)]
}

export const isEndOfRun = (error: unknown): boolean => ENDS_RUN.includes(faultOf(error)[0])

/** An app may be closed to one person alone. */
export const isClosedApp = (error: unknown, { user }: Pick<Variant, 'user'>): boolean =>
  !user && CLOSED_APP.includes(faultOf(error)[0])

/** The error that ends a run, with the report that it is about and those that it takes with it. */
export function endOfRun(error: unknown, { key }: Unmade['use'], uses: readonly ReportUse[]): ReportError {
  if (error instanceof ReportError && error.report !== undefined) return error
  const [code, details] = faultOf(error)
  const others = uses.map((one) => one.key).filter((one) => one !== key)
  const rest = others.length === 0 ? '' : `; the run ends, nothing is delivered of ${others.join(', ')} either`
  return new ReportError(code, `${details}${rest}`, { report: key, cause: error })
}

/** The error of a run of which no app can be opened: that of the first report, which names the others. */
export function allClosed([[use, error], ...others]: readonly [ClosedApp, ...ClosedApp[]]): ReportError {
  const [code, details] = faultOf(error)
  const rest = others.map(([other, fault]) => `; ${other.key}: ${faultOf(fault).join(' ')}`)
  return new ReportError(code, `${details}${rest.join('')}`, { report: use.key, cause: error })
}

/** A report whose app cannot be opened, with the error. */
export type ClosedApp = readonly [ReportUse, unknown]

/** Documents of a report that cannot be made: of all people without a variant, of all values without a cycle. */
export interface Unmade extends Partial<Expanded> {
  readonly use: Pick<ReportUse, 'key'>
}

/** The document for the line in the mail, and an event for each person who misses it. */
export function missed(
  { use, variant, cycle = [], named = NONE_NAMED }: Unmade,
  error: unknown,
): { readonly missing: MissingDocument; readonly events: readonly NewEvent[] } {
  const [code, reason] = faultOf(error)
  const report = use.key
  const label = labelOf(report, cycle)
  const details = cycle.length === 0 ? reason : `${label}: ${reason}`
  const members = variant?.id ? variant.people.map(({ address }) => address) : []
  const readers = new Set([...members, ...named.mail, ...named.hub])
  return {
    missing: { report, variant: variant?.id ?? null, mailTo: named.mail, hubTo: named.hub, label, code },
    events:
      readers.size === 0
        ? [{ code, report, details }]
        : [...readers].map((recipient) => ({ code, report, recipient, details })),
  }
}
