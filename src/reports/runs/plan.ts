/**
 * The plan of a run: made documents and people become deliveries. Pure, so that the dry run shows the very plan that a run
 * would carry out.
 */
import { randomUUID } from 'node:crypto'
import { errorText } from '../../platform/errors.ts'
import { type SenderRules, senderProblem } from '../addresses.ts'
import type { RunCode } from '../codes.ts'
import type { Definition, ReportUse } from '../entities/task.ts'
import { cleanName, expandFolder, expandPattern, folderSegments, type PatternContext } from '../patterns.ts'
import type { Cell, RunDocument } from '../types.ts'
import { distinctNames, freeName } from './file-names.ts'
import type { NewDelivery, RunApp } from './ledger.ts'
import { isUsable, type Note, type Person, personBehind, type Reader } from './recipients.ts'

/** A document with all that its deliveries need. */
export interface PreparedDocument extends RunDocument {
  /** The one person for whom it was made; null where patterns name no recipient. */
  readonly reader: Reader | null
  /** Number in the run, from 1. */
  readonly seq: number
  /** Addresses that the expressions of the cycle gave; null = there is no expression. */
  readonly mailTo: readonly string[] | null
  readonly hubTo: readonly string[] | null
  /** Folders that the expression of the cycle gave; null = the folder of the task. */
  readonly folders: readonly string[] | null
  /** Results of `{expr:…}` under the selections of the document, by expression. */
  readonly expressions: Readonly<Record<string, Cell>>
  /** Pictures of an HTML report for the body of a mail. */
  readonly images: readonly { readonly cid: string; readonly sha256: string }[]
}

/** A document that could not be made. */
export interface MissingDocument {
  readonly report: string
  /** Null = of all people. */
  readonly variant: string | null
  /** People to whom the cycle would have sent it, beside those of the variant, and for whom it would have published it. */
  readonly mailTo?: readonly string[]
  readonly hubTo?: readonly string[]
  /** `Sales pack_Nord`, for the line in the mail. */
  readonly label: string
  readonly code: RunCode
}

export interface MailPayload {
  readonly from: string | null
  /** Addresses of the envelope and of `To`. */
  readonly to: readonly string[]
  readonly cc: readonly string[]
  readonly bcc: readonly string[]
  readonly subject: string
  /** The addresses that the mail would have gone to; null outside test mode. */
  readonly insteadOf: string | null
  readonly person: Pick<Person, 'name' | 'address' | 'attributes'> | null
  readonly attach: readonly string[]
  /** The HTML reports in the body, one below the other. */
  readonly embed: readonly string[]
  /** Names of reports that are missing. */
  readonly missing: readonly string[]
  readonly archives: readonly Archive[]
  /** The words of the mail server that has refused the mail with its files for its size: it goes out without them. */
  readonly filesRefused?: string
  /** Id of the first delivery, where the mail repeats another one, or a part of it. */
  readonly messageId?: string
  /** The addresses of the first mail, in lower case, by those that they were corrected to. */
  readonly corrected?: Readonly<Record<string, string>>
  /** Those of the addresses that the mail still concerns, as the server had an answer of its own for others; absent = all. */
  readonly only?: readonly string[]
}

/** Whether the mail can be made shorter. */
export const hasFiles = ({ attach, archives, embed }: MailPayload): boolean =>
  attach.length > 0 || archives.length > 0 || embed.length > 0

/** The addresses that the mail still concerns. */
export const addresseesOf = ({
  to,
  cc,
  bcc,
  only,
}: Pick<MailPayload, 'to' | 'cc' | 'bcc' | 'only'>): readonly string[] => only ?? [...to, ...cc, ...bcc]

/** Documents that are delivered as one ZIP file. */
export interface Archive {
  readonly name: string
  readonly documents: readonly string[]
  /** Name of the secret; null = no password. */
  readonly secret: string | null
}

export interface FilePayload {
  readonly spaceId: string
  readonly folder: readonly string[]
  readonly name: string
  readonly onExists: 'overwrite' | 'suffix' | 'skip' | 'fail'
  readonly archive: Archive | null
}

export interface HubPayload {
  readonly title: string
  readonly visibleTo: readonly string[]
  readonly document: string
  readonly versionKey: string
  readonly retentionDays: number | null
  readonly retentionVersions: number | null
  readonly test: boolean
}

export interface PlanRequest extends SenderRules {
  readonly runId: string
  readonly definition: Definition
  readonly documents: readonly PreparedDocument[]
  readonly missing: readonly MissingDocument[]
  readonly people: readonly Person[]
  /** Id of the variant of each person, by address. */
  readonly variants: Readonly<Record<string, string>>
  readonly app: RunApp
  readonly startedAt: Date
  readonly timezone: string
  readonly locale: string
  /** Null outside test mode. */
  readonly testAddress: string | null
  readonly limits: { readonly maxMailsPerRun: number; readonly maxAttachmentMb: number }
  readonly note: Note
}

export interface Plan {
  readonly deliveries: readonly NewDelivery[]
  /** Set when no mail may leave. */
  readonly refused: { readonly code: 'TOO_MANY_MAILS' | 'DOCUMENT_FAILED'; readonly details: string } | null
}

export async function planDeliveries({ note, ...rest }: PlanRequest): Promise<Plan> {
  const noted = new Set<string>()
  const request: PlanRequest = {
    ...rest,
    note(code, details, recipient) {
      if (!noted.has(`${code} ${details}`)) note(code, details, recipient)
      noted.add(`${code} ${details}`)
    },
  }
  const files = await planFiles(request)
  const hub = await planHub(request)
  const { mails, refused } = await planMails(request)
  return { deliveries: [...files, ...hub, ...mails], refused }
}

const useOf = ({ definition }: PlanRequest, { report }: RunDocument): ReportUse =>
  definition.task.reports.find(({ key }) => key === report)!

/** Context of patterns: of one document, or of the run when there is none. */
function contextOf(
  request: PlanRequest,
  document: PreparedDocument | undefined,
  reader = document?.reader,
): PatternContext {
  const { definition, app, runId, startedAt, timezone, locale } = request
  const { task, reports } = definition
  const report = reports.find(({ id }) => document && id === useOf(request, document).reportId)
  return {
    names: {
      task: task.name,
      project: task.project,
      report: report?.name ?? '',
      key: document?.report ?? '',
      cycle: document?.cycle ?? [],
      date: startedAt,
      runId,
      seq: document?.seq ?? 0,
    },
    app: { name: app.name, lastReload: app.lastReload === null ? null : new Date(app.lastReload) },
    timezone,
    locale,
    evaluate: async (expression) => document?.expressions[expression] ?? { text: '', number: null },
    ...(reader && { recipient: reader }),
  }
}

const stampOf = (request: PlanRequest) => expandPattern('{date:yyyy-MM-dd_HH-mm}', contextOf(request, undefined))

// --- Storage ---

async function planFiles(request: PlanRequest): Promise<NewDelivery[]> {
  const { definition, testAddress, runId, note } = request
  const { storage, testMode } = definition.task
  if (testAddress !== null && testMode.storage === 'skip') return []
  const top = testAddress !== null && testMode.storage === 'subfolder' ? ['_test', runId] : []
  const files: NewDelivery[] = []
  const taken = new Set<string>()

  function add(
    spaceId: string,
    folder: readonly string[],
    wanted: string,
    rest: Omit<FilePayload, 'spaceId' | 'folder' | 'name'>,
    ids: readonly string[],
  ) {
    const name = freeName(wanted, (one) => taken.has([spaceId, ...folder, one].join('/').toLowerCase()))
    if (name !== wanted)
      note('FILE_RENAMED', `${wanted} is written as ${name}, because another document of the run has its name`)
    taken.add([spaceId, ...folder, name].join('/').toLowerCase())
    const payload: FilePayload = { spaceId, folder, name, ...rest }
    files.push(delivery('storage', `${spaceId}:${[...folder, name].join('/')}`, ids, payload))
  }

  for (const { spaceId, folder: pattern, onExists, reports } of storage) {
    const archives = new Map<string, { folder: readonly string[]; use: ReportUse; ids: string[] }>()
    for (const document of request.documents) {
      const use = useOf(request, document)
      if (!use.deliver.storage || (reports && !reports.includes(use.key))) continue
      // A folder is no person: it gets the documents without the filters of people.
      if (document.variant !== '' && definition.task.run.evaluateAs === 'service') continue
      const context = contextOf(request, document)
      for (const segments of await foldersOf(document, pattern, context)) {
        if (typeof segments === 'string') {
          note('STORAGE_FAILED', `${spaceId}: ${segments}`)
          continue
        }
        const folder = [...top, ...segments]
        if (use.zip !== 'perReport' && use.zip !== 'perFolder') {
          add(spaceId, folder, document.fileName, { onExists, archive: null }, [document.id])
          continue
        }
        const key = JSON.stringify([folder, use.zip === 'perReport' ? use.key : null])
        const archive = archives.get(key) ?? { folder, use, ids: [] }
        archives.set(key, archive)
        archive.ids.push(document.id)
      }
    }
    for (const { folder, use, ids } of archives.values()) {
      const archive = await archiveOf(request, use, ids)
      add(spaceId, folder, archive.name, { onExists, archive }, ids)
    }
  }
  return files
}

/** The folders of a document; a text says why one is refused. */
async function foldersOf(
  { folders }: PreparedDocument,
  pattern: string,
  context: PatternContext,
): Promise<(string[] | string)[]> {
  if (!folders) return [await expandFolder(pattern, context)]
  return folders.map((path) => {
    try {
      return folderSegments(path)
    } catch (error) {
      return errorText(error)
    }
  })
}

async function archiveOf(request: PlanRequest, use: ReportUse, documents: readonly string[]): Promise<Archive> {
  const { task, reports } = request.definition
  const report = reports.find(({ id }) => id === use.reportId)
  const base = use.zip === 'perReport' ? (report?.name ?? use.key) : task.name
  const name = `${cleanName(`${base}_${await stampOf(request)}`)}.zip`
  const files = request.documents.filter(({ id }) => documents.includes(id))
  placedNames(
    request,
    files.map(({ fileName }) => fileName),
    name,
  )
  return { name, documents, secret: use.protect?.zipPassword ?? null }
}

/** The names of files in one place, with a warning for each that needed a number. */
function placedNames({ note }: PlanRequest, wanted: readonly string[], place: string): string[] {
  const names = distinctNames(wanted)
  for (const [index, name] of names.entries()) {
    if (name !== wanted[index])
      note('FILE_RENAMED', `${wanted[index]} is ${name} in ${place}, which has that name already`)
  }
  return names
}

// --- Hub ---

async function planHub(request: PlanRequest): Promise<NewDelivery[]> {
  const { testAddress } = request
  const { task } = request.definition
  if (!task.hub.enabled) return []
  const items: NewDelivery[] = []
  for (const document of request.documents) {
    const use = useOf(request, document)
    if (!use.deliver.hub) continue
    const payload: HubPayload = {
      title: await expandPattern(task.hub.title, contextOf(request, document)),
      visibleTo: testAddress === null ? hubReaders(request, document) : [testAddress],
      document: document.id,
      versionKey: JSON.stringify([task.id, use.key, document.cycle.map(({ value }) => value.text), document.variant]),
      retentionDays: task.hub.retentionDays ?? null,
      retentionVersions: task.hub.retentionVersions ?? null,
      test: testAddress !== null,
    }
    const made = delivery('hub', '', [document.id], payload)
    items.push({ ...made, target: made.id })
  }
  return items
}

/** The addresses that may see the document in the hub. */
function hubReaders(request: PlanRequest, document: PreparedDocument): string[] {
  const { people, variants } = request
  const { deliver, cycle } = useOf(request, document)
  if (!deliver.hub) return []
  const isReader = ({ hub, address }: Person) => hub && variants[address] === document.variant
  const ofTask = document.hubTo === null || cycle?.alsoRecipients ? people.filter(isReader) : []
  return [...new Set([...ofTask.map(({ address }) => address), ...(document.hubTo ?? [])])]
}

// --- Mail ---

interface Letter {
  readonly people: readonly Person[]
  readonly documents: readonly PreparedDocument[]
}

async function planMails(request: PlanRequest): Promise<{ mails: NewDelivery[]; refused: Plan['refused'] }> {
  const { task } = request.definition
  if (!task.email.enabled) return { mails: [], refused: null }
  const all = documentsByPerson(request)
  noteForgotten(request, all)
  const byPerson = all.filter(({ documents }) => documents.length > 0)
  const letters = lettersOf(task.email.grouping, byPerson)
  if (!letters) {
    const details = 'email.grouping is single, but filters or cycles give people different documents'
    return { mails: [], refused: { code: 'DOCUMENT_FAILED', details } }
  }
  const most = request.limits.maxMailsPerRun
  if (letters.length > most) {
    const details = `${letters.length} mails, limits.maxMailsPerRun allows ${most}`
    return { mails: [], refused: { code: 'TOO_MANY_MAILS', details } }
  }
  const usable = (list: readonly string[]) => list.filter((one) => isUsable(one, request.allowedDomains, request.note))
  for (const text of [task.email.from, task.email.replyTo]) {
    const problem = text === null ? null : senderProblem(text, request)
    if (problem) request.note(problem.code, `${text}: left out, mails go out without it`)
  }
  const copies = { cc: usable(task.email.cc), bcc: usable(task.email.bcc) }
  const mails: NewDelivery[] = []
  for (const letter of letters) mails.push(await mailOf(request, letter, copies))
  return { mails, refused: null }
}

/** The documents of each person who gets mails. */
function documentsByPerson(request: PlanRequest): Letter[] {
  const { documents, people, variants } = request
  const mailed = documents.filter((one) => useOf(request, one).deliver.email !== 'none')
  const addressees = new Set([
    ...people.filter(({ email }) => email).map(({ address }) => address),
    ...mailed.flatMap(({ mailTo }) => mailTo ?? []),
  ])
  return [...addressees]
    .map((address) => personBehind(address, people, request.definition.recipients))
    .filter((person) => person !== null)
    .map((person) => ({
      people: [person],
      documents: mailed.filter((document) => {
        const { cycle } = useOf(request, document)
        if (document.mailTo?.includes(person.address)) return true
        if (!person.email || (document.mailTo !== null && !cycle?.alsoRecipients)) return false
        return variants[person.address] === document.variant
      }),
    }))
}

/** Names those who get no mail, as all that it would hold is missing; events about documents of few people name theirs. */
function noteForgotten(request: PlanRequest, letters: readonly Letter[]): void {
  const people = letters.flatMap(({ documents, people: [person] }) => {
    if (!person || documents.length > 0) return []
    const { address } = person
    const absent = absentOf(request, [person])
    const isNamed = absent.some(({ variant, mailTo }) => variant || mailTo?.includes(address))
    return absent.length > 0 && !isNamed ? [{ address, absent }] : []
  })
  const titles = ({ absent }: { readonly absent: readonly MissingDocument[] }) =>
    absent.map((one) => titleOf(request.definition, one)).join(', ')
  for (const [title, those] of Map.groupBy(people, titles)) {
    const addresses = those.map(({ address }) => address).join(', ')
    request.note('MAIL_INCOMPLETE', `${addresses}: no mail, without ${title}`, addresses)
  }
}

/** Documents that could not be made, of those that a mail to these people would hold. */
function absentOf({ definition, missing, variants }: PlanRequest, people: readonly Person[]): MissingDocument[] {
  return missing.filter(({ report, variant, mailTo }) => {
    if (people.some(({ address }) => mailTo?.includes(address))) return true
    const { cycle, deliver } = definition.task.reports.find(({ key }) => key === report)!
    if (deliver.email === 'none' || (cycle?.emailTo && !cycle.alsoRecipients)) return false
    return variant === null || people.some(({ address }) => variants[address] === variant)
  })
}

/** Null when one mail for all is wanted, but people get different documents. */
function lettersOf(
  grouping: 'perRecipient' | 'perDocument' | 'single',
  letters: readonly Letter[],
): readonly Letter[] | null {
  if (grouping === 'perRecipient' || letters.length === 0) return letters
  if (grouping === 'perDocument') {
    return letters.flatMap(({ people, documents }) => documents.map((one) => ({ people, documents: [one] })))
  }
  const sets = new Set(letters.map(({ documents }) => documents.map(({ id }) => id).join()))
  if (sets.size > 1) return null
  return [{ people: letters.flatMap(({ people }) => people), documents: letters[0]!.documents }]
}

/** A missing document as readers know it: by the name of its report; with the key where the task has that report twice. */
function titleOf({ task, reports }: Definition, { report, label }: MissingDocument): string {
  const use = task.reports.find(({ key }) => key === report)
  const name = reports.find(({ id }) => id === use?.reportId)?.name
  if (name === undefined) return label
  const isTwice = task.reports.filter(({ reportId }) => reportId === use?.reportId).length > 1
  return `${name}${isTwice ? ` (${report})` : ''}${label.slice(report.length)}`
}

async function mailOf(
  request: PlanRequest,
  { people, documents }: Letter,
  copies: { readonly cc: readonly string[]; readonly bcc: readonly string[] },
): Promise<NewDelivery> {
  const { definition, testAddress } = request
  const { email } = definition.task
  const [person] = people
  const uses = documents.map((document) => ({ document, use: useOf(request, document) }))
  const attached = uses.filter(({ use }) => use.deliver.email === 'attach')
  const archives = await mailArchives(request, attached)
  const absent = absentOf(request, people)
  const to = people.map(({ address }) => address)
  const subject = await expandPattern(email.subject, contextOf(request, documents[0], person))
  const base: MailPayload = {
    from: email.from,
    to,
    ...copies,
    subject,
    insteadOf: null,
    person:
      people.length === 1 && person
        ? { name: person.name, address: person.address, attributes: person.attributes }
        : null,
    attach: attached
      .filter(({ use }) => use.zip !== 'perReport' && use.zip !== 'perMail')
      .map(({ document }) => document.id),
    embed: uses.filter(({ use }) => use.deliver.email === 'embed').map(({ document }) => document.id),
    missing: absent.map((one) => titleOf(definition, one)),
    archives,
  }
  const payload = testAddress === null ? base : inTestMode(base, testAddress)
  if (absent.length > 0) request.note('MAIL_INCOMPLETE', `${to.join(', ')}: without ${payload.missing.join(', ')}`)
  const files = attached.map(({ document }) => document)
  const fitting = fitted(request, payload, files, to)
  const ids = documents.map(({ id }) => id)
  return delivery('email', to.join(', '), ids, { ...fitting, archives: namedArchives(request, fitting, files) })
}

/** The archives of a mail; the attached files have the names that they want first. */
function namedArchives(
  request: PlanRequest,
  { attach, archives }: MailPayload,
  files: readonly PreparedDocument[],
): Archive[] {
  const attached = files.filter(({ id }) => attach.includes(id)).map(({ fileName }) => fileName)
  const names = placedNames(request, [...attached, ...archives.map(({ name }) => name)], 'a mail')
  return archives.map((archive, index) => ({ ...archive, name: names[attached.length + index]! }))
}

async function mailArchives(
  request: PlanRequest,
  attached: readonly { readonly document: PreparedDocument; readonly use: ReportUse }[],
): Promise<Archive[]> {
  const groups = new Map<string, { use: ReportUse; ids: string[] }>()
  for (const { document, use } of attached) {
    if (use.zip !== 'perReport' && use.zip !== 'perMail') continue
    const key = use.zip === 'perReport' ? use.key : ''
    const group = groups.get(key) ?? { use, ids: [] }
    groups.set(key, group)
    group.ids.push(document.id)
  }
  return Promise.all([...groups.values()].map(({ use, ids }) => archiveOf(request, use, ids)))
}

/** All goes to the test address; the subject names the real recipients. */
export function inTestMode<Mail extends Pick<MailPayload, 'to' | 'cc' | 'bcc' | 'subject' | 'insteadOf'>>(
  mail: Mail,
  testAddress: string,
): Mail {
  const names = mail.to.join(', ')
  const shown = names.length > 200 ? `${names.slice(0, 200)}…` : names
  return { ...mail, to: [testAddress], cc: [], bcc: [], subject: `${shown}: ${mail.subject}`, insteadOf: shown }
}

/** Base64 and the lines of MIME make an attachment larger by this factor. */
export const MIME_FACTOR = 1.37

/** Attachments above the limit become links to the hub, or one archive where the receivers could not read them there. */
function fitted(
  request: PlanRequest,
  payload: MailPayload,
  attached: readonly PreparedDocument[],
  receivers: readonly string[],
): MailPayload {
  const most = request.limits.maxAttachmentMb * 1024 * 1024
  // Archives are measured when they are made.
  const loose = attached.filter(({ id }) => payload.attach.includes(id))
  const size = loose.reduce((sum, { bytes }) => sum + bytes, 0) * MIME_FACTOR
  if (size <= most) return payload
  const { task } = request.definition
  const details = `${payload.to.join(', ')}: ${Math.ceil(size / 1024 / 1024)} MB, limits.maxAttachmentMb is ${request.limits.maxAttachmentMb}`
  const readers = attached.map((document) => hubReaders(request, document))
  const isReader = (address: string) => readers.every((those) => those.includes(address.toLowerCase()))
  if (task.hub.enabled && receivers.every(isReader)) {
    request.note('MAIL_LINK_INSTEAD', details)
    const others = [...payload.cc, ...payload.bcc].filter((one) => !isReader(one))
    if (others.length > 0)
      request.note('MAIL_INCOMPLETE', `${others.join(', ')}: gets links to the hub alone, and is no reader there`)
    return { ...payload, attach: [], archives: [] }
  }
  const archive: Archive = { name: `${cleanName(task.name)}.zip`, documents: payload.attach, secret: null }
  return { ...payload, attach: [], archives: [...payload.archives, archive] }
}

function delivery(
  channel: NewDelivery['channel'],
  target: string,
  documents: readonly string[],
  payload: unknown,
): NewDelivery {
  return { id: randomUUID(), channel, target, documents, payload, state: 'planned' }
}
