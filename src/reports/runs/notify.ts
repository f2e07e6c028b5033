/** Mails about the outcome of a run, to those whom the task names for it. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { gzip } from '../../platform/builtins.ts'
import { createDateFormat } from '../date-format.ts'
import type { Definition } from '../entities/task.ts'
import { cleanName, expandPattern } from '../patterns.ts'
import { type CarrierDeps, type CarrierSettings, sendFitting } from './carriers.ts'
import type { RunEvent } from './contract.ts'
import type { Carrier } from './deliver.ts'
import { meantFor } from './delivery-rules.ts'
import type { DeliveryRecord, Ledger, NewDelivery, RunRecord } from './ledger.ts'
import type { RunLog } from './log.ts'
import { linesAbove, mailOptions, noticeHtml } from './mail.tsx'
import { inTestMode } from './plan.ts'

interface NotificationPayload {
  readonly to: readonly string[]
  readonly cc: readonly string[]
  readonly bcc: readonly string[]
  readonly subject: string
  readonly insteadOf: string | null
  readonly attachLog: boolean
  readonly recovered: boolean
  /** Present while the run has not ended. */
  readonly waits?: readonly Wait[]
}

/** A file that could not be written yet. */
export interface Wait {
  readonly target: string
  /** Part of a sentence. */
  readonly reason: string
  /** Time of the next attempt, milliseconds since 1970. */
  readonly nextAt: number | null
}

interface NotificationRequest {
  readonly run: RunRecord
  readonly definition: Definition
  /** The last run before this one that was a success or an error was an error. */
  readonly hadFailed: boolean
  readonly testAddress: string | null
  /** False for an address that no mail may go to. */
  readonly isAllowed: (address: string) => boolean
  /** The run waits for these; absent when it has ended. */
  readonly waits?: readonly Wait[]
}

/** One mail for each address of each rule that names the outcome; of a run that waits, of each rule about one that goes wrong. */
export function planNotifications({
  run,
  definition,
  hadFailed,
  testAddress,
  isAllowed,
  waits,
}: NotificationRequest): NewDelivery[] {
  const outcomes: readonly (string | null)[] = waits ? ['warning', 'error'] : [run.outcome]
  const recovered = hadFailed && run.outcome === 'success'
  const rules = definition.task.notifications.filter(
    ({ on }) => on.some((one) => outcomes.includes(one)) || (recovered && on.includes('recovered')),
  )
  return rules.flatMap(({ recipients, attachLog, subject, on }) =>
    recipients.filter(isAllowed).map((address): NewDelivery => {
      const payload: NotificationPayload = {
        to: [address],
        cc: [],
        bcc: [],
        subject: subject ?? '[{outcome}] Report task "{task}"',
        insteadOf: null,
        attachLog,
        recovered: recovered && on.includes('recovered'),
        ...(waits && { waits }),
      }
      return {
        id: randomUUID(),
        channel: 'notification',
        target: address,
        documents: [],
        payload: { ...payload, testAddress },
        state: 'planned',
      }
    }),
  )
}

export interface NotifierDeps extends Pick<CarrierDeps, 'mailer'> {
  readonly ledger: Ledger
  readonly runLog: RunLog
  readonly runUrl: (runId: string) => string
}

const MAX_REASONS = 20
const MAX_PLAIN_LOG = 1024 * 1024

export function createNotificationCarrier(
  deps: NotifierDeps,
  settings: CarrierSettings & { readonly timezone: string; readonly locale: string },
): Carrier {
  return async ({ run, delivery }) => {
    const { testAddress, ...payload } = delivery.payload as NotificationPayload & {
      readonly testAddress: string | null
    }
    const { timezone, locale } = settings
    const outcome = payload.waits ? 'waiting' : (run.outcome ?? 'error')
    const names = {
      task: run.taskName,
      project: run.project,
      date: new Date(run.startedAt ?? run.queuedAt),
      runId: run.id,
    }
    const subject = await expandPattern(payload.subject, { names, timezone, locale, outcome })
    const mail = testAddress === null ? { ...payload, subject } : inTestMode({ ...payload, subject }, testAddress)
    const url = deps.runUrl(run.id)
    const time = createDateFormat('yyyy-MM-dd HH:mm', { timezone, locale })
    const text = payload.waits
      ? waitingText(run, payload.waits, url, (at) => `${time(new Date(at))} ${timezone}`)
      : noticeText(run, {
          events: deps.ledger.events(run.id),
          deliveries: deps.ledger.deliveries(run.id),
          url,
          recovered: payload.recovered,
        })
    const fitting = { hasFiles: payload.attachLog, filesRefused: undefined, code: 'MAIL_INCOMPLETE' } as const
    return await sendFitting(deps.mailer, fitting, async (filesRefused) => {
      const above = { insteadOf: mail.insteadOf ?? '', filesRefused: filesRefused !== null }
      return mailOptions(mail, {
        messageId: delivery.id,
        deliveryId: delivery.id,
        runId: run.id,
        from: settings.fromAddress,
        replyTo: null,
        host: settings.host,
        priority: outcome === 'error' || outcome === 'waiting' ? 'high' : 'normal',
        text: [...linesAbove(above), text].join('\n\n'),
        html: noticeHtml(text, above),
        attachments: payload.attachLog && filesRefused === null ? [await logAttachment(deps, settings, run)] : [],
      })
    })
  }
}

/** The text of the mail about a run that waits: each file with its reason and the time of the next attempt. */
function waitingText(
  { taskName }: Pick<RunRecord, 'taskName'>,
  waits: readonly Wait[],
  url: string,
  formatTime: (at: number) => string,
): string {
  const lines = waits.map(({ target, reason, nextAt }) => {
    const next = nextAt === null ? '' : `, next try ${formatTime(nextAt)}`
    return `${target}: ${reason}${next}`
  })
  const files = waits.length === 1 ? 'a file' : `${waits.length} files`
  return [
    `Report task "${taskName}" cannot write ${files} yet and tries again.`,
    ...firstOf(lines),
    `Run: ${url}`,
  ].join('\n')
}

/** So many lines as a mail lists, and how many more there are. */
const firstOf = (lines: readonly string[]): string[] => [
  ...lines.slice(0, MAX_REASONS),
  ...(lines.length > MAX_REASONS ? [`and ${lines.length - MAX_REASONS} more`] : []),
]

const ENDINGS: Readonly<Record<string, string>> = {
  success: 'finished',
  warning: 'finished with warnings',
  error: 'finished with errors',
  skipped: 'was skipped',
  cancelled: 'was cancelled',
}

export interface Notice {
  readonly events: readonly RunEvent[]
  readonly deliveries: readonly Pick<DeliveryRecord, 'channel' | 'target' | 'state' | 'payload'>[]
  /** Address of the run. */
  readonly url: string
  /** The first success after an error. */
  readonly recovered: boolean
}

/** The text of the mail: outcome, counts, reasons, address of the run. */
export function noticeText(run: RunRecord, { events, deliveries, url, recovered }: Notice): string {
  const { counts, outcome, startedAt, finishedAt } = run
  const seconds = startedAt === null || finishedAt === null ? 0 : Math.round((finishedAt - startedAt) / 1000)
  const mails = deliveries.filter(({ channel }) => channel === 'email')
  const addressed = new Set(mails.flatMap(meantFor))
  const reached = new Set(mails.filter(({ state }) => state === 'sent').flatMap(meantFor))
  // People whose documents could not be made have no mail in the plan.
  const missed = new Set(events.flatMap(({ recipient, level }) => (level === 'error' ? peopleOf(recipient) : [])))
  const planned = counts ? counts.mailsSent + counts.mailsFailed + counts.mailsHeld : 0
  const wanted = planned + (planned > 0 ? missed.difference(addressed).size : 0)
  const numbers = counts
    ? `${plural(counts.documents, 'document')}, ${counts.mailsSent} of ${plural(wanted, 'mail')} sent, ${plural(counts.filesWritten, 'file')}, ${plural(counts.hubItems, 'hub item')}.`
    : ''
  const reasons = events.filter(({ level }) => level !== 'info')
  return [
    `Report task "${run.taskName}" ${ENDINGS[outcome ?? 'error']}${seconds > 0 ? ` after ${seconds} s` : ''}.${recovered ? ' It had failed before.' : ''}`,
    numbers,
    ...firstOf(reasons.map((event) => reasonText(event, reached))),
    run.reason && reasons.length === 0 ? `Reason: ${run.reason}.` : '',
    `Run: ${url}`,
  ]
    .filter(Boolean)
    .join('\n')
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** An event about a mail to several names them all. */
const peopleOf = (recipient = ''): readonly string[] => (recipient === '' ? [] : recipient.split(', '))

function reasonText({ code, recipient, report, block, details }: RunEvent, reached: ReadonlySet<string>): string {
  const reason = `${code} (${details})`
  if (!recipient) return `${report ?? 'run'}${block ? `, block ${block}` : ''}: ${reason}`
  if (code === 'MAIL_UNKNOWN') return `${recipient} may have got the mail: ${reason}`
  const people = new Set(peopleOf(recipient))
  const fates = [
    ['got nothing', people.difference(reached)],
    ['got less', people.intersection(reached)],
  ] as const
  const said = fates.flatMap(([fate, those]) => (those.size > 0 ? [`${[...those].join(', ')} ${fate}`] : []))
  return `${said.join(', ')}: ${reason}`
}

async function logAttachment(
  { runLog }: Pick<NotifierDeps, 'runLog'>,
  { timezone, locale }: { timezone: string; locale: string },
  run: RunRecord,
) {
  const names = {
    task: run.taskName,
    project: run.project,
    date: new Date(run.startedAt ?? run.queuedAt),
    runId: run.id,
  }
  const stamp = await expandPattern('{date:yyyy-MM-dd_HH-mm-ss}', { names, timezone, locale })
  const filename = `${cleanName(`report-task_${run.taskName}_${stamp}`)}.log`
  const content = await readFile(await runLog.path(run.id)).catch(() => Buffer.from(''))
  if (content.length <= MAX_PLAIN_LOG) return { filename, content, contentType: 'text/plain; charset=utf-8' }
  return { filename: `${filename}.gz`, content: await gzip(content), contentType: 'application/gzip' }
}
