/** Deliveries of a run once more, as a run of its own. */
import type { Clock } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import type { DeliveryState, RunTrigger } from '../types.ts'
import type { DeliveryRecord, Ledger, NewDelivery, RunRecord, Sealed } from './ledger.ts'
import { addresseesOf, type MailPayload } from './plan.ts'

export interface ResendRequest {
  readonly run: RunRecord
  readonly states: readonly DeliveryState[]
  /** The addresses that get a mail again; null = all. */
  readonly recipients: readonly string[] | null
  /** Corrected addresses by wrong one, in lower case. */
  readonly corrections: Readonly<Record<string, string>>
  readonly actor: string
}

/** Adds the run with its deliveries, all planned; null when nothing is chosen. */
export async function addResend(
  { ledger, clock }: { readonly ledger: Ledger; readonly clock: Clock },
  request: ResendRequest,
): Promise<RunRecord | null> {
  const { run, actor } = request
  const chosen = ledger.deliveries(run.id).filter((one) => isWanted(one, request))
  if (chosen.length === 0) return null
  const at = clock.now()
  const id = uuidV7(at)
  const root = run.trigger.type === 'resend' ? run.trigger.key : run.id
  const trigger: RunTrigger = {
    type: 'resend',
    triggerId: null,
    key: root,
    firedAt: new Date(at).toISOString(),
    detail: { runId: run.id, actor },
  }
  const task = { id: run.taskId, name: run.taskName, revision: run.taskRevision, project: run.project }
  const definition = ledger.definition(root)
  const deliveries = chosen.map((one) => repeated(one, request))
  const sealed: Sealed = {
    app: run.sealed?.app ?? { name: '', lastReload: null },
    skipped: null,
    states: { delivered: {}, notDelivered: {} },
  }
  const { priority, options, test } = run
  const child = { id, task, priority, trigger, options, test, at, ...(definition && { definition }) }
  await ledger.addSealed(child, deliveries, sealed)
  return ledger.run(id)
}

function isWanted(delivery: DeliveryRecord, { states, recipients }: ResendRequest): boolean {
  const { channel, state } = delivery
  if (channel === 'notification' || !states.includes(state)) return false
  if (!recipients) return true
  return channel === 'email' && wantedOf(delivery, recipients) !== 'none'
}

/** Those of the addresses of a mail that are asked for; in a test mails are asked for by the address that they are meant for. */
function wantedOf(
  { target, payload }: DeliveryRecord,
  recipients: readonly string[],
): readonly string[] | 'all' | 'none' {
  const wanted = new Set(recipients.map((one) => one.toLowerCase()))
  const all = addresseesOf(payload as MailPayload)
  const some = all.filter((one) => wanted.has(one.toLowerCase()))
  if (some.length > 0) return some.length < all.length ? some : 'all'
  return wanted.has(target.toLowerCase()) ? 'all' : 'none'
}

/** The delivery once more. A mail keeps the Message-ID of the first attempt. */
function repeated(delivery: DeliveryRecord, { corrections, recipients }: ResendRequest): NewDelivery {
  const { id, channel, documents, target } = delivery
  const correct = (address: string) => corrections[address.toLowerCase()] ?? address
  if (channel !== 'email') {
    return { id: crypto.randomUUID(), channel, documents, target, payload: delivery.payload, state: 'planned' }
  }
  // The files may fit now.
  const { filesRefused: _, ...payload } = delivery.payload as MailPayload
  const to = payload.to.map(correct)
  const wanted = recipients ? wantedOf(delivery, recipients) : 'all'
  const only = (typeof wanted === 'string' ? payload.only : wanted)?.map(correct)
  const copies = { cc: payload.cc.map(correct), bcc: payload.bcc.map(correct) }
  return {
    id: crypto.randomUUID(),
    channel,
    documents,
    target: payload.insteadOf === null ? (only ?? to).join(', ') : target,
    payload: { ...payload, ...copies, to, ...(only && { only }), messageId: payload.messageId ?? id },
    state: 'planned',
  }
}
