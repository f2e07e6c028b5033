/** Deliveries of a run once more, as a run of its own. */
import type { Clock } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import type { DeliveryState, RunTrigger } from './contract.ts'
import { isOpen, meantFor } from './delivery-rules.ts'
import { type DeliveryRecord, type Ledger, type NewDelivery, type RunRecord, rootOf, type Sealed } from './ledger.ts'
import { addresseesOf, type FilePayload, type HubPayload, type MailPayload } from './plan.ts'

export interface ResendRequest {
  readonly run: RunRecord
  readonly states: readonly DeliveryState[]
  /** The addresses that get a mail again; null = all. */
  readonly recipients: readonly string[] | null
  /** Corrected addresses by wrong one. */
  readonly corrections: Readonly<Record<string, string>>
  /** Also what the run, or one that repeats it, has delivered or is delivering. */
  readonly confirmDuplicates: boolean
  readonly actor: string
}

export type ResendAnswer =
  /** `leftOut`: what the states would choose, but another run has delivered meanwhile. */
  | { readonly status: 'started'; readonly run: RunRecord; readonly leftOut: readonly Delivered[] }
  /** No delivery has one of the states. */
  | { readonly status: 'nothing' }
  /** Addresses that are in no delivery that would be repeated; nothing is. */
  | { readonly status: 'unknown'; readonly recipients: readonly string[]; readonly corrections: readonly string[] }
  /** These have it, or are about to get it; nothing is repeated. */
  | { readonly status: 'delivered'; readonly receivers: readonly Delivered[] }

/** An address or the place of a file, and the run that has delivered to it. */
interface Delivered {
  readonly receiver: string
  readonly runId: string
}

/** Adds the run with its deliveries, all planned. Calls must not overlap: each looks at what the ones before have added. */
export async function addResend(
  { ledger, clock }: { readonly ledger: Ledger; readonly clock: Clock },
  request: ResendRequest,
): Promise<ResendAnswer> {
  const { run, actor } = request
  const planned = planResend(request, ledger.deliveries(run.id), ledger.familyDeliveries(run))
  if (!('deliveries' in planned)) return planned
  const at = clock.now()
  const id = uuidV7(at)
  const root = rootOf(run)
  const trigger: RunTrigger = {
    type: 'resend',
    triggerId: null,
    key: root,
    firedAt: new Date(at).toISOString(),
    detail: { runId: run.id, actor },
  }
  const task = { id: run.taskId, name: run.taskName, revision: run.taskRevision, project: run.project }
  const definition = ledger.definition(root)
  const sealed: Sealed = {
    app: run.sealed?.app ?? { name: '', lastReload: null },
    skipped: null,
    states: { delivered: {}, notDelivered: {} },
  }
  const { priority, options, test } = run
  const child = { id, task, priority, trigger, options, test, at, ...(definition && { definition }) }
  await ledger.addSealed(child, planned.deliveries, sealed)
  return { status: 'started', run: ledger.run(id)!, leftOut: planned.leftOut }
}

/** @param family deliveries of the first run and of all that repeat it */
function planResend(
  { states, recipients, corrections, confirmDuplicates }: ResendRequest,
  own: readonly DeliveryRecord[],
  family: readonly DeliveryRecord[],
):
  | { readonly deliveries: readonly NewDelivery[]; readonly leftOut: readonly Delivered[] }
  | Exclude<ResendAnswer, { status: 'started' }> {
  const chosen = own.filter(({ channel, state }) => channel !== 'notification' && states.includes(state))
  if (chosen.length === 0) return { status: 'nothing' }
  const right = new Map(Object.entries(corrections).map(([from, to]) => [from.toLowerCase(), to]))
  const wanted = recipients && new Set(lowered(recipients))
  const unknown = unknownIn(chosen, wanted, right)
  if (unknown.recipients.length + unknown.corrections.length > 0) return { status: 'unknown', ...unknown }
  const delivered = confirmDuplicates ? new Map<string, string>() : deliveredBy(family)
  const missed: (Delivered & { readonly isNamed: boolean })[] = []
  const deliveries: NewDelivery[] = []

  function addFile(delivery: DeliveryRecord): void {
    const runId = delivered.get(fileKey(delivery))
    if (runId === undefined) deliveries.push({ ...copyOf(delivery), payload: delivery.payload })
    else missed.push({ receiver: delivery.target, runId, isNamed: false })
  }

  function addMail(delivery: DeliveryRecord): void {
    const rest = askedOf(delivery, wanted).filter((address) => {
      const corrected = right.get(address.toLowerCase())
      const keys = corrected === undefined ? [mailKey(delivery, address)] : correctedKeys(delivery, address, corrected)
      const runId = keys.map((key) => delivered.get(key)).find((one) => one !== undefined)
      if (runId === undefined) return true
      missed.push({ receiver: corrected ?? address, runId, isNamed: recipients !== null || corrected !== undefined })
      return false
    })
    if (rest.length > 0) deliveries.push(repeated(delivery, rest, right))
  }

  for (const one of chosen) {
    if (one.channel === 'email') addMail(one)
    else if (recipients === null) addFile(one)
  }
  const isRefused = deliveries.length === 0 || missed.some(({ isNamed }) => isNamed)
  return isRefused ? { status: 'delivered', receivers: missed } : { deliveries, leftOut: missed }
}

/** The runs that have delivered, or are about to, by what and to whom. */
function deliveredBy(family: readonly DeliveryRecord[]): ReadonlyMap<string, string> {
  const keys = new Map<string, string>()
  for (const one of family) {
    if (one.channel === 'notification' || !(one.state === 'sent' || isOpen(one))) continue
    if (one.channel !== 'email') keys.set(fileKey(one), one.runId)
    else {
      for (const address of addresseesOf(one.payload as MailPayload)) {
        keys.set(mailKey(one, address), one.runId)
        for (const key of correctedKeys(one, address, address)) keys.set(key, one.runId)
      }
    }
  }
  return keys
}

/** A mail for the address that it was meant for at first: corrections leave the key alone. */
function mailKey({ id, payload }: DeliveryRecord, address: string): string {
  const { messageId = id, corrected } = payload as MailPayload
  const meant = address.toLowerCase()
  return JSON.stringify([messageId, corrected?.[meant] ?? meant])
}

/** A mail, and its documents, for the corrected address; who gets copies of several mails has their documents more than once. */
function correctedKeys({ id, payload, documents }: DeliveryRecord, address: string, corrected: string): string[] {
  const { messageId = id, to } = payload as MailPayload
  const reader = corrected.toLowerCase()
  return [
    JSON.stringify([messageId, reader]),
    ...(to.includes(address) ? [JSON.stringify([documents.toSorted(), reader])] : []),
  ]
}

/** A file or an item of the hub. */
function fileKey({ channel, payload }: DeliveryRecord): string {
  if (channel === 'hub') return (payload as HubPayload).document
  const { spaceId, folder, name } = payload as FilePayload
  return JSON.stringify([spaceId, ...folder, name])
}

/** The addresses of a request that are in no mail that it is about. */
function unknownIn(
  chosen: readonly DeliveryRecord[],
  wanted: ReadonlySet<string> | null,
  right: ReadonlyMap<string, string>,
): { readonly recipients: readonly string[]; readonly corrections: readonly string[] } {
  const mails = chosen.filter(({ channel }) => channel === 'email')
  const asked = new Set(lowered(mails.flatMap((one) => askedOf(one, wanted))))
  const known = new Set(
    lowered(mails.flatMap((one) => [...addresseesOf(one.payload as MailPayload), ...meantFor(one)])),
  )
  return {
    recipients: [...(wanted ?? [])].filter((one) => !known.has(one)),
    corrections: [...right.keys()].filter((one) => !asked.has(one)),
  }
}

/** Those of the addresses of a mail that are asked for, each once; in a test mails are asked for by the address that they are meant for. */
function askedOf(mail: DeliveryRecord, wanted: ReadonlySet<string> | null): readonly string[] {
  const isWanted = (one: string) => wanted === null || wanted.has(one.toLowerCase())
  const all = distinct(addresseesOf(mail.payload as MailPayload))
  const some = all.filter(isWanted)
  return some.length === 0 && meantFor(mail).some(isWanted) ? all : some
}

const lowered = (addresses: readonly string[]): readonly string[] => addresses.map((one) => one.toLowerCase())

const distinct = (addresses: readonly string[]): string[] => [
  ...new Map(addresses.map((one) => [one.toLowerCase(), one])).values(),
]

const copyOf = ({ channel, documents, target }: DeliveryRecord) =>
  ({ id: crypto.randomUUID(), channel, documents, target, state: 'planned' }) as const

/** The mail once more for these of its addresses, with the Message-ID of the first attempt. */
function repeated(
  delivery: DeliveryRecord,
  addresses: readonly string[],
  right: ReadonlyMap<string, string>,
): NewDelivery {
  // The files may fit now.
  const { filesRefused: _, ...payload } = delivery.payload as MailPayload
  const { messageId = delivery.id, insteadOf } = payload
  const correct = (address: string) => right.get(address.toLowerCase()) ?? address
  const [to, cc, bcc] = [payload.to, payload.cc, payload.bcc].map((list) => distinct(list.map(correct))) as [
    string[],
    string[],
    string[],
  ]
  const isWhole = addresses.length === distinct([...payload.to, ...payload.cc, ...payload.bcc]).length
  const only = isWhole ? null : distinct(addresses.map(correct))
  const corrected = { ...payload.corrected }
  for (const address of addresses) {
    const meant = address.toLowerCase()
    if (right.has(meant)) corrected[correct(address).toLowerCase()] = corrected[meant] ?? meant
  }
  return {
    ...copyOf(delivery),
    target: insteadOf === null ? (only ?? to).join(', ') : delivery.target,
    payload: { ...payload, to, cc, bcc, corrected, messageId, ...(only && { only }) },
  }
}
