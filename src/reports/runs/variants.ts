/** People who get the same documents: equal filters, equal access to the data. Which of them get a report, and for which values. */
import { createHash } from 'node:crypto'
import type { QlikUser } from '../entities/recipient.ts'
import type { Definition, ReportTask, ReportUse } from '../entities/task.ts'
import { patternUses } from '../patterns.ts'
import type { CycleValue } from '../types.ts'
import { type Addressed, addressExpressions } from './cycles.ts'
import { type Person, personBehind, type Reader } from './recipients.ts'

/** How a document reads the app. */
export interface Access {
  /** '' without filters of people and without a Qlik user. */
  readonly id: string
  readonly filterIds: readonly string[]
  readonly user: QlikUser | null
  /** Its only person, where patterns of documents name the recipient. */
  readonly reader: Reader | null
}

export interface Variant extends Access {
  readonly people: readonly Person[]
}

export const PLAIN: Variant = { id: '', filterIds: [], user: null, reader: null, people: [] }

/** The people of a run with their access. */
export interface Audience {
  /** The recipients of the task. */
  readonly people: readonly Person[]
  readonly variants: readonly Variant[]
  /** The person behind any address; null for an inactive one. */
  readonly personAt: (address: string) => Person | null
  /** Null for a person without the Qlik user that is needed. */
  readonly accessOf: (person: Person) => Access | null
}

/** `onRefused` is called for each person without the Qlik user that is needed, each time. */
export function audienceOf(
  { task, recipients }: Pick<Definition, 'task' | 'recipients'>,
  people: readonly Person[],
  onRefused: (person: Person) => void,
): Audience {
  const access = accessRules(task)
  const accessOf = (person: Person) => {
    const found = access(person)
    if (!found) onRefused(person)
    return found
  }
  const byId = new Map<string, Variant>()
  for (const person of people) {
    const own = accessOf(person)
    if (own) byId.set(own.id, { ...own, people: [...(byId.get(own.id)?.people ?? []), person] })
  }
  const personAt = (address: string) => personBehind(address, people, recipients)
  return { people, variants: [...byId.values()], personAt, accessOf }
}

function accessRules({ run, reports, storage }: ReportTask): (person: Person) => Access | null {
  const asRecipient = run.evaluateAs === 'recipient'
  const patterns = [...reports.map(({ fileName }) => fileName), ...storage.map(({ folder }) => folder)]
  const namesReader = asRecipient && patterns.some((one) => patternUses(one, 'recipient'))
  return ({ address, attributes, filterIds, qlikUser }) => {
    if (asRecipient && !qlikUser) return null
    const user = asRecipient ? qlikUser : null
    const reader = namesReader ? { address, attributes } : null
    const own = [[...filterIds].sort(), user, ...(reader ? [address] : [])]
    const id = filterIds.length === 0 && !user ? '' : hashOf(JSON.stringify(own))
    return { id, filterIds, user, reader }
  }
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12)

/** Variants of people who get this report, and the plain one for folders and addresses of cycles. */
export function wantedVariants(
  use: ReportUse,
  task: ReportTask,
  { people, variants }: Pick<Audience, 'people' | 'variants'>,
  preview: boolean,
): readonly Variant[] {
  if (preview) return people.length > 0 ? variants.slice(0, 1) : [PLAIN]
  const { cycle, deliver } = use
  const alsoRecipients = cycle?.alsoRecipients ?? false
  const { mail, hub: hubTo } = addressExpressions(use, task)
  const inHub = task.hub.enabled && deliver.hub
  const byMail = task.email.enabled && deliver.email !== 'none' && (mail === null || alsoRecipients)
  const byHub = inHub && (hubTo === null || alsoRecipients)
  const personal = variants.filter((one) => one.people.some(({ email, hub }) => (byMail && email) || (byHub && hub)))
  const isStored = deliver.storage && task.storage.some((one) => !one.reports || one.reports.includes(use.key))
  const isNamed = mail !== null || hubTo !== null
  const plainWanted = isNamed || ((isStored || inHub) && task.run.evaluateAs !== 'recipient')
  if (!plainWanted || personal.some(({ id }) => id === '')) return personal
  return [PLAIN, ...personal]
}

/** Addresses of one person or several whom the expressions of a cycle name for a value. */
export interface Named {
  readonly access: Access
  readonly value: readonly CycleValue[]
  readonly addressed: Addressed<readonly string[]>
}

/** The answers of the app for a variant: the values of its cycle, and people of other access whom the expressions name. */
export interface Cycled {
  readonly variant: Variant
  /** One without fields where the report has no cycle. */
  readonly values: readonly (readonly CycleValue[])[]
  readonly named: readonly Named[]
}

/** A document to be made: its selections are those of the filters, then those of the cycle. */
export interface Expanded {
  readonly variant: Variant
  readonly cycle: readonly CycleValue[]
  /** People of the variant whom the expressions of the cycle name; the plain document evaluates them itself. */
  readonly named: Addressed<readonly string[]>
}

export const NONE_NAMED: Addressed<readonly string[]> = { mail: [], hub: [] }

/**
 * The documents of a report: each value for each variant, each once. `plainToo`: off where the data are read as each person, as
 * the plain variant serves the expressions of the cycle alone then.
 */
export function documentsOf(
  found: readonly Cycled[],
  { variants }: Pick<Audience, 'variants'>,
  plainToo: boolean,
): Expanded[] {
  const documents = new Map<string, Expanded>()
  const add = (variant: Variant, cycle: readonly CycleValue[], { mail, hub } = NONE_NAMED) => {
    const key = JSON.stringify([variant.id, cycle])
    const before = documents.get(key)?.named ?? NONE_NAMED
    documents.set(key, { variant, cycle, named: { mail: [...before.mail, ...mail], hub: [...before.hub, ...hub] } })
  }
  for (const { variant, values, named } of found) {
    if (variant.id !== '' || plainToo) for (const value of values) add(variant, value)
    for (const { access, value, addressed } of named) {
      add(variants.find(({ id }) => id === access.id) ?? { ...access, people: [] }, value, addressed)
    }
  }
  return [...documents.values()]
}
