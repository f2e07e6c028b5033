/** Makes one document of a run: its names, the addresses and folders that its cycle gives, the file. */
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ReportError } from '../codes.ts'
import { nameText } from '../display.ts'
import type { Stored } from '../entities/fields.ts'
import type { Report } from '../entities/report.ts'
import type { ReportUse } from '../entities/task.ts'
import { expandName, patternExpressions } from '../patterns.ts'
import type { Cell, CycleValue, DocumentNames, RenderRequest, ReportData } from '../types.ts'
import { type Addressed, addressExpressions, addressTexts, inMember } from './cycles.ts'
import type { PreparedDocument } from './plan.ts'
import { slowRows } from './plan-warnings.ts'
import { addressesOf, isUsable, type Note, type Reader } from './recipients.ts'
import type { PrepareDeps, PrepareRequest } from './request.ts'

interface Wanted {
  readonly use: ReportUse
  readonly report: Stored<Report>
  /** Id of the variant. */
  readonly variant: string
  readonly reader: Reader | null
  readonly cycle: readonly CycleValue[]
  /** Addresses that the expressions of the cycle gave a document of a variant; the plain one evaluates them. */
  readonly named: Addressed<readonly string[]>
  /** Number in the run, from 1. */
  readonly seq: number
  /** The app under the selections of the document. */
  readonly data: ReportData
}

export interface DocumentMaker {
  /** Rejects with a `ReportError`. Without `render` in the request the document has no file. */
  make(wanted: Wanted): Promise<PreparedDocument>
  /** The addresses in the result of an expression that may get reports of this run; `warn` notes the others. */
  addresses(use: ReportUse, cycle: readonly CycleValue[], text: string, warn: boolean): readonly string[]
}

export function createDocumentMaker(
  deps: PrepareDeps,
  request: PrepareRequest,
  /** False for an address that must not get the document without filters of people. */
  isPlain: (address: string) => boolean,
): DocumentMaker {
  const { note, signal } = deps
  const { definition, options, settings } = request
  const { task } = definition

  async function make({ use, report, variant, reader, cycle, named, seq, data }: Wanted): Promise<PreparedDocument> {
    const id = randomUUID()
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
    const context = {
      names,
      app: data.app,
      timezone,
      locale,
      evaluate: data.evaluate,
      ...(reader && { recipient: reader }),
    }
    const fileName = `${await inMember('fileName', () => expandName(use.fileName, context))}.${use.format}`
    const asked = addressExpressions(use, task)
    const texts = variant === '' ? await addressTexts(data, asked) : null
    const addressed = (channel: 'mail' | 'hub') => {
      if (asked[channel] === null) return null
      const text = texts?.[channel]
      return typeof text === 'string' ? addresses(use, cycle, text, true).filter(isPlain) : named[channel]
    }
    const reach = {
      mailTo: addressed('mail'),
      hubTo: addressed('hub'),
      folders: use.cycle?.folder
        ? nameText(await inMember('cycle.folder', () => data.evaluate(use.cycle!.folder!)))
            .split(';')
            .map((one) => one.trim())
            .filter(Boolean)
        : null,
      expressions: await expressions(use, data),
    }
    const embed = use.deliver.email === 'embed' && use.format === 'html'
    const rows = request.render ? null : await slowRows(use, report, data)
    if (rows !== null) {
      const details = `${labelOf(use.key, cycle)}: a workbook of ${rows} rows may not become a PDF in time`
      note({ code: 'CONVERTER_SLOW', report: use.key, details })
    }
    const made = request.render ? await render(use, report, { names, timezone, locale, data, id, embed }) : NOT_RENDERED
    const { sha256, bytes, mediaType, images } = made
    if (request.render)
      deps.line(`document ${labelOf(use.key, cycle)} ${use.format} ${bytes} bytes sha256=${sha256.slice(0, 12)}`)
    return {
      id,
      runId: request.runId,
      report: use.key,
      sha256,
      fileName,
      format: use.format,
      mediaType,
      bytes,
      cycle,
      variant,
      reader,
      seq,
      ...reach,
      images,
    }
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
          warn: (code, details, block) =>
            note({ code, details, report: use.key, ...(block !== undefined && { block }) }),
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

  function addresses(use: ReportUse, cycle: readonly CycleValue[], text: string, warn: boolean): string[] {
    const found = addressesOf(text)
    const warnOf: Note = (code, details) => {
      if (warn) note({ code, report: use.key, details })
    }
    if (found.length === 0)
      warnOf('NO_CYCLE_ADDRESS', `${labelOf(use.key, cycle)}: the expression of the cycle returned no address`)
    const asked = options.recipients?.map((one) => one.toLowerCase())
    return found
      .filter((one) => isUsable(one, settings.allowedRecipientDomains, warnOf))
      .filter((one) => !asked || asked.includes(one))
  }

  /** Results of `{expr:…}` in the patterns of deliveries, which are written when the run is planned. */
  async function expressions({ deliver }: ReportUse, data: ReportData): Promise<Record<string, Cell>> {
    // A pattern of a channel that is off costs no document.
    const patterns = [
      ...(task.email.enabled && deliver.email !== 'none' ? [['email.subject', task.email.subject] as const] : []),
      ...(task.hub.enabled && deliver.hub ? [['hub.title', task.hub.title] as const] : []),
      ...(deliver.storage ? task.storage.map(({ folder }) => ['storage.folder', folder] as const) : []),
    ]
    const found: Record<string, Cell> = {}
    for (const [member, pattern] of patterns) {
      for (const expression of patternExpressions(pattern))
        found[expression] ??= await inMember(member, () => data.evaluate(expression))
    }
    return found
  }

  return { make, addresses }
}

const NOT_RENDERED = { sha256: '', bytes: 0, mediaType: '', images: [] } as const

/** The value of `secretRef:name`. */
export function secretOf(secrets: Readonly<Record<string, string>>, reference: string): string {
  const name = reference.replace(/^secretRef:/, '')
  const value = secrets[name]
  if (!value) throw new ReportError('DOCUMENT_FAILED', `reportTask.secrets.${name} is not set`)
  return value
}

export const labelOf = (key: string, cycle: readonly CycleValue[]): string =>
  [key, ...cycle.map(({ value }) => nameText(value))].join('/')
