/** One attempt of each channel: a file in a storage space, a mail. Hub items are those of `hub/`. */
import { createReadStream } from 'node:fs'
import { readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Blobs } from '../../platform/blobs.ts'
import { within } from '../../platform/deadline.ts'
import { errorText } from '../../platform/errors.ts'
import { type Mailbox, mailboxOf, type SenderRules, senderProblem } from '../addresses.ts'
import type { RunCode } from '../codes.ts'
import { documentEntries, writeZip } from '../documents/zip.ts'
import type { MailOutcome, ReportMail, ReportMailer } from '../mailer.ts'
import type { RunDocument } from '../types.ts'
import { type Attempt, type Carrier, type DeliveryJob, WRITING } from './deliver.ts'
import { distinctNames } from './file-names.ts'
import { bodyOf, linesAbove, mailContext, mailHtml, mailOptions, mailText, sizeText, withLinesAbove } from './mail.tsx'
import {
  type Archive,
  addresseesOf,
  type FilePayload,
  hasFiles,
  type MailPayload,
  MIME_FACTOR,
  type PreparedDocument,
} from './plan.ts'
import {
  type ChosenFile,
  chooseFile,
  StorageError,
  type StorageSpace,
  sameFile,
  storageReason,
  writeFileTo,
} from './storage.ts'

/** Renders the mail template of a task; null when there is no such file. Rejects when the template fails. */
export type MailTemplates = (
  name: string,
  context: Readonly<Record<string, unknown>>,
) => Promise<{ readonly html: string; readonly text: string } | null>

export interface CarrierDeps {
  readonly blobs: Pick<Blobs, 'path'>
  readonly spaces: ReadonlyMap<string, StorageSpace>
  readonly mailer: ReportMailer
  readonly templates: MailTemplates
  readonly secret: (reference: string) => string
  readonly formatTime: (at: number) => string
  /** IANA name of the zone of these times. */
  readonly timezone: string
  /** Address of a document in the hub; '' when it is not there. */
  readonly hubUrl: (documentId: string, address: string) => string
}

export interface CarrierSettings extends SenderRules {
  /** Host of Message-IDs. */
  readonly host: string
  readonly temporaryDirectory?: string
  readonly maxAttachmentMb: number
}

/** How long a folder or a file may be silent, as a network share is whose server is away. */
const SILENT_MS = { choose: 60_000, write: 600_000 }

export function createFileCarrier(
  deps: Pick<CarrierDeps, 'blobs' | 'spaces' | 'secret'>,
  temporaryDirectory = tmpdir(),
  silentMs = SILENT_MS,
): Carrier {
  /** Spaces with calls that have not returned in time: another one would hang as well. */
  const silent = new Set<string>()

  /** Rejects when the work takes too long; until it ends all the same, the space gets nothing else to do. */
  function inTime<T>(space: StorageSpace, work: Promise<T>, ms: number): Promise<T> {
    return within(work, ms, () => {
      silent.add(space.id)
      const over = () => silent.delete(space.id)
      work.then(over, over)
      throw new StorageError(silentText(space))
    })
  }

  return async (job) => {
    const payload = job.delivery.payload as FilePayload
    const space = deps.spaces.get(payload.spaceId)
    if (!space) return { state: 'failed', code: 'STORAGE_FAILED', detail: `there is no space ${payload.spaceId}` }
    if (silent.has(space.id)) return { state: 'retry', detail: silentText(space) }
    try {
      const { file, repeated } = await inTime(space, chosen(space, payload, job), silentMs.choose)
      if (file.skip) return { state: 'skipped', code: 'FILE_EXISTS', detail: 'left as it is' }
      const target = `${space.id}:${[...payload.folder, file.name].join('/')}`
      if (!repeated) await job.fixTarget(target)
      await withSource(deps, payload.archive, job, temporaryDirectory, (source) =>
        inTime(space, writeFileTo(file, source, job.delivery.id), silentMs.write),
      )
      // The run names the file that was written; that a name was taken is what `suffix` is for.
      const isRenamed = file.name !== payload.name && payload.onExists === 'suffix'
      return { state: 'sent', detail: isRenamed ? `${payload.name} was taken` : '', target }
    } catch (error) {
      const lasting = error instanceof StorageError && error.lasting
      return lasting
        ? { state: 'failed', code: 'STORAGE_FAILED', detail: error.message }
        : { state: 'retry', detail: storageReason(error) }
    }
  }
}

const silentText = ({ id }: StorageSpace): string => `the folder of the space ${id} does not answer`

/** After a crash the name of the first attempt counts, so that no second file appears. */
async function chosen(
  space: StorageSpace,
  payload: FilePayload,
  { delivery }: DeliveryJob,
): Promise<{ file: ChosenFile; repeated: boolean }> {
  const repeated = delivery.state === 'sending' && delivery.lastError === WRITING
  // The target is `space:folder/file`.
  const name = basename(delivery.target.slice(space.id.length + 1))
  const file = repeated ? await sameFile(space, payload, name) : await chooseFile(space, payload)
  return { file, repeated }
}

/** The blob of the document, or an archive of several that is removed afterwards. */
async function withSource(
  deps: Pick<CarrierDeps, 'blobs' | 'secret'>,
  archive: Archive | null,
  { documents, delivery }: DeliveryJob,
  temporaryDirectory: string,
  use: (source: string) => Promise<void>,
): Promise<void> {
  const [first] = delivery.documents
  if (!archive) return use(deps.blobs.path(documents.find(({ id }) => id === first)!.sha256))
  const file = join(temporaryDirectory, `footman-${delivery.id}.zip`)
  try {
    await makeArchive(deps, archive, documents, file)
    await use(file)
  } finally {
    await rm(file, { force: true })
  }
}

async function makeArchive(
  { blobs, secret }: Pick<CarrierDeps, 'blobs' | 'secret'>,
  archive: Archive,
  documents: readonly RunDocument[],
  file: string,
): Promise<void> {
  const entries = archive.documents.map((id) => documents.find((one) => one.id === id)!)
  const password = archive.secret === null ? {} : { password: secret(archive.secret) }
  const names = distinctNames(entries.map(({ fileName }) => fileName))
  const named = entries.map((entry, n) => ({ ...entry, fileName: names[n]! }))
  await writeZip(file, documentEntries(named, blobs.path), password)
}

export function createMailCarrier(deps: CarrierDeps, settings: CarrierSettings): Carrier {
  return async (job) => {
    const payload = job.delivery.payload as MailPayload
    try {
      const readers = addresseesOf(payload)
      const areLinked = job.delivery.documents.every((id) => readers.every((one) => deps.hubUrl(id, one) !== ''))
      return await sendFitting(
        deps.mailer,
        {
          hasFiles: hasFiles(payload),
          filesRefused: payload.filesRefused,
          code: areLinked ? 'MAIL_LINK_INSTEAD' : 'MAIL_INCOMPLETE',
        },
        (filesRefused) =>
          letterOf(
            deps,
            settings,
            job,
            filesRefused === null ? payload : { ...payload, attach: [], archives: [], embed: [], filesRefused },
          ),
      )
    } catch (error) {
      return { state: 'failed', code: 'MAIL_REJECTED', detail: errorText(error) }
    }
  }
}

interface Fitting {
  readonly hasFiles: boolean
  /** The words of the server that has refused the mail with its files before. */
  readonly filesRefused: string | undefined
  /** The event that says so. */
  readonly code: RunCode
}

/**
 * Sends a mail, and once more without its files when the server refuses it for its size. Where it does so for some of the addresses, the
 * deliverer sends it to them without files.
 * @param letterOf called with the words of the server for a mail without files, else with null
 */
export async function sendFitting(
  mailer: ReportMailer,
  { hasFiles, filesRefused, code }: Fitting,
  letterOf: (filesRefused: string | null) => Promise<ReportMail>,
): Promise<Attempt> {
  let refusal = filesRefused
  if (refusal === undefined) {
    const whole = await mailer.send(await letterOf(null))
    if (!hasFiles || whole.outcome !== 'rejected' || !whole.tooLarge) return attemptOf(whole)
    refusal = whole.detail
  }
  const attempt = attemptOf(await mailer.send(await letterOf(refusal)))
  const detail = `sent without its files: ${refusal}`
  if (attempt.state === 'sent') return { ...attempt, code, detail }
  if (attempt.state !== 'divided') return attempt
  // A second refusal for the size is one for good.
  const refused = attempt.refused.map(({ tooLarge: _, ...one }) => one)
  return { ...attempt, refused, code, detail }
}

/** The result of the mail server as the result of an attempt. */
function attemptOf(outcome: MailOutcome): Attempt {
  const { detail } = outcome
  if (outcome.outcome === 'sent') return { state: 'sent', detail: `smtp="${detail}"` }
  if (outcome.outcome === 'divided') return { state: 'divided', detail: `smtp="${detail}"`, refused: outcome.refused }
  if (outcome.outcome === 'unknown') return { state: 'unknown', detail }
  if (outcome.outcome === 'rejected') return { state: 'failed', code: 'MAIL_REJECTED', detail }
  return { state: 'retry', detail, channelDown: outcome.peerDown }
}

async function letterOf(
  deps: CarrierDeps,
  settings: CarrierSettings,
  job: DeliveryJob,
  payload: MailPayload,
): Promise<ReportMail> {
  const { run, definition, documents, delivery } = job
  const { email } = definition.task
  const mine = documents.filter(({ id }) => delivery.documents.includes(id))
  const context = mailContext({
    run,
    definition,
    // A report in the body is no file of the mail.
    documents: mine.filter(({ id }) => !payload.embed.includes(id)),
    payload,
    hubUrl: (id) => linkOf(deps, id, payload),
    formatTime: deps.formatTime,
    timezone: deps.timezone,
  })
  const { report, pictures } = await bodyReport(
    deps,
    mine.filter(({ id }) => payload.embed.includes(id)) as PreparedDocument[],
  )
  const own =
    email.template === 'default' ? null : await deps.templates(email.template, { ...context, report: report ?? '' })
  if (email.template !== 'default' && !own) throw new Error(`there is no mail template "${email.template}"`)
  const attached = payload.attach.map((id) => documents.find((one) => one.id === id)!)
  const names = distinctNames(attached.map(({ fileName }) => fileName))
  return mailOptions(payload, {
    messageId: payload.messageId ?? delivery.id,
    deliveryId: delivery.id,
    runId: run.id,
    from: senderOf(payload.from, settings) ?? settings.fromAddress,
    replyTo: senderOf(email.replyTo, settings),
    host: settings.host,
    priority: email.priority,
    html: own ? withLinesAbove(own.html, context) : mailHtml(context, report),
    text: own ? [...linesAbove(context), own.text].join('\n\n') : mailText(context, report !== null),
    attachments: [
      ...attached.map((one, index) => attachment(deps, { ...one, fileName: names[index]! })),
      ...(await archives(deps, job, payload, settings, attached)),
      ...pictures,
    ],
  })
}

/** The reports in the body of a mail, null without any, and their pictures, whose names would be those of others without a number. */
async function bodyReport({ blobs }: Pick<CarrierDeps, 'blobs'>, embedded: readonly PreparedDocument[]) {
  const bodies: string[] = []
  const pictures = []
  for (const [index, { sha256, images }] of embedded.entries()) {
    let body = bodyOf(await readFile(blobs.path(sha256), 'utf8'))
    for (const { cid: own, sha256: picture } of images) {
      const cid = index === 0 ? own : `${own}-${index + 1}`
      body = body.replaceAll(`"cid:${own}"`, `"cid:${cid}"`)
      const content = createReadStream(blobs.path(picture))
      pictures.push({ filename: `${cid}.png`, cid, content, contentType: 'image/png' })
    }
    bodies.push(body)
  }
  return { report: bodies.length === 0 ? null : bodies.join('\n'), pictures }
}

/** That of the first of the addresses who may read the document in the hub; '' without any. */
const linkOf = ({ hubUrl }: Pick<CarrierDeps, 'hubUrl'>, documentId: string, payload: MailPayload): string =>
  addresseesOf(payload)
    .map((address) => hubUrl(documentId, address))
    .find((url) => url !== '') ?? ''

/** Null where the task names none, or one that it may not use. */
const senderOf = (text: string | null, rules: SenderRules): Mailbox | null =>
  text === null || senderProblem(text, rules) ? null : mailboxOf(text)

const attachment = ({ blobs }: Pick<CarrierDeps, 'blobs'>, { fileName, sha256, mediaType }: RunDocument) => ({
  filename: fileName,
  content: createReadStream(blobs.path(sha256)),
  contentType: mediaType,
})

/** Throws when they are too large together with the attached files. */
async function archives(
  deps: CarrierDeps,
  job: DeliveryJob,
  payload: MailPayload,
  settings: CarrierSettings,
  attached: readonly RunDocument[],
) {
  const made: { filename: string; content: Buffer; contentType: string }[] = []
  let total = attached.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const [index, archive] of payload.archives.entries()) {
    const file = join(settings.temporaryDirectory ?? tmpdir(), `footman-${job.delivery.id}-${index}.zip`)
    try {
      await makeArchive(deps, archive, job.documents, file)
      const { size } = await stat(file)
      total += size
      if (total * MIME_FACTOR > settings.maxAttachmentMb * 1024 * 1024) {
        const upTo = total > size ? `, all attachments up to it ${sizeText(total)}` : ''
        const limit = `limits.maxAttachmentMb is ${settings.maxAttachmentMb}`
        throw new Error(`${archive.name} has ${sizeText(size)}${upTo}; ${limit}`)
      }
      made.push({ filename: archive.name, content: await readFile(file), contentType: 'application/zip' })
    } finally {
      await rm(file, { force: true })
    }
  }
  return made
}

/** At most `perMinute` calls resolve within any minute; the others wait. */
export function createThrottle(
  perMinute: number,
  now: () => number = Date.now,
): (signal: AbortSignal) => Promise<void> {
  let times: number[] = []
  return async (signal) => {
    for (;;) {
      const minute = now() - 60_000
      times = times.filter((at) => at > minute)
      if (times.length < perMinute) break
      signal.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, Math.min(1000, times[0]! - minute)))
    }
    times.push(now())
  }
}
