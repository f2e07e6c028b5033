/** Office files as packages of parts: opened within limits, and written with all other parts copied as they are. */
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Writable } from 'node:stream'
import type { FileEntry } from '@zip.js/zip.js'
import { errorText } from '../../platform/errors.ts'
import { ReportError } from '../codes.ts'
import type { TemplateProblem } from './contract.ts'
import {
  CONTENT_TYPES,
  ContentTypes,
  kindOf,
  type Relationship,
  readRelationships,
  relationshipsPath,
} from './parts.ts'
import { TemplateError, templateError } from './problems.ts'
import { checkParts } from './safety/index.ts'
import { decodeXml, parseXml, readXml, serializeXml } from './xml.ts'

const MEGABYTE = 1024 * 1024
const MAX_ENTRIES = 2000
const MAX_UNPACKED = 200 * MEGABYTE
const MAX_PART = 100 * MEGABYTE
const MAX_RATIO = 200
const MAX_WRITTEN_PART = 200 * MEGABYTE
/** All entries have this date, so that equal data gives equal files. */
const ENTRY_DATE = new Date(1980, 0, 1)

export type OfficeFormat = 'xlsx' | 'docx' | 'pptx'

const MAIN_TYPES: Readonly<Record<OfficeFormat, { readonly document: string; readonly template: string }>> = {
  xlsx: {
    document: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml',
    template: 'application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml',
  },
  docx: {
    document: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml',
    template: 'application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml',
  },
  pptx: {
    document: 'application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml',
    template: 'application/vnd.openxmlformats-officedocument.presentationml.template.main+xml',
  },
}

/** A part as it lies in the file: method 0 (stored) or 8 (deflate). */
interface RawPart {
  readonly data: Uint8Array<ArrayBuffer>
  readonly method: number
  readonly crc32: number
  readonly size: number
}

/** An opened file. Paths have no leading slash and are compared without case. Parts are unpacked anew at each call. */
export interface OfficePackage {
  readonly format: OfficeFormat
  /** `xl/workbook.xml` */
  readonly mainPart: string
  /** Paths in the order of the file, as they are written there. */
  paths(): readonly string[]
  has(path: string): boolean
  /** Unpacked size in bytes; 0 when the part does not exist. */
  size(path: string): number
  /** Text of an XML part. Throws `TEMPLATE_INVALID` when it is missing or unreadable. */
  text(path: string): Promise<string>
  bytes(path: string): Promise<Uint8Array<ArrayBuffer>>
  /** References that are left out of what is read and written: the company template that a document was made from. */
  readonly dropped: readonly string[]
  /** Parts with these references, without them. */
  readonly replaced: ReadonlyMap<string, string>
  /** Relationships of a part; [] when it has none. */
  relationships(part: string): Promise<Relationship[]>
  /** A copy to be changed. The main part has the type of a document, also in a file of the kind `.xltx`, `.dotx`, `.potx`. */
  contentTypes(): ContentTypes
  raw(path: string): Promise<RawPart>
}

/** New content of a part for `writePackage`; null removes it. */
export type PartContent = string | Uint8Array<ArrayBuffer> | AsyncIterable<string> | null

/**
 * Opens a template and checks everything that does not depend on its tags: limits of the archive, forbidden parts, external
 * references, well-formed XML. Rejects with a `TemplateError` that has all problems of the first kind found.
 */
export async function openPackage(bytes: Uint8Array<ArrayBuffer>, limits: Limits): Promise<OfficePackage> {
  const { opened, types } = await open(bytes, limits)
  await refuseUnsafe(opened, types, limits, false)
  return opened
}

/** Opens a file of which only values are read and which is not kept: its links to other files do no harm. */
export const openForReading = async (bytes: Uint8Array<ArrayBuffer>, limits: Limits): Promise<OfficePackage> =>
  (await open(bytes, limits)).opened

interface Limits {
  readonly maxTemplateMb: number
}

interface Opened {
  readonly opened: OfficePackage
  readonly types: ContentTypes
}

async function open(bytes: Uint8Array<ArrayBuffer>, { maxTemplateMb }: Limits): Promise<Opened> {
  if (bytes.length > maxTemplateMb * MEGABYTE) {
    const size = (bytes.length / MEGABYTE).toFixed(1)
    throw templateError(
      'TEMPLATE_TOO_LARGE',
      '',
      `the file has ${size} MB, allowed are ${maxTemplateMb} (limits.maxTemplateMb)`,
    )
  }
  if (bytes[0] === 0xd0 && bytes[1] === 0xcf && bytes[2] === 0x11 && bytes[3] === 0xe0) {
    throw templateError(
      'TEMPLATE_UNSAFE',
      '',
      'the file is protected by a password or in an old binary format: save it without a password as .docx, .xlsx or .pptx',
    )
  }
  const entries = await readDirectory(bytes)
  refuse(checkDirectory(entries))
  const files = new Map(
    entries.filter((entry) => !entry.directory).map((entry) => [entry.filename.toLowerCase(), entry]),
  )
  const whole = createSource(files)
  const types = new ContentTypes(await whole.text(CONTENT_TYPES))
  const { format, mainPart } = await findMainPart(whole, types)
  const { dropped, replaced } = await withoutCompanyTemplate(whole, mainPart)
  const opened: OfficePackage = {
    ...(replaced.size > 0 ? createSource(files, replaced) : whole),
    format,
    mainPart,
    dropped,
    replaced,
    contentTypes() {
      const copy = new ContentTypes(types.toXml())
      copy.set(mainPart, MAIN_TYPES[format].document)
      return copy
    },
  }
  return { opened, types }
}

/** @param embedded a workbook of a chart, which holds no further files */
async function refuseUnsafe(
  opened: OfficePackage,
  types: ContentTypes,
  limits: Limits,
  embedded: boolean,
): Promise<void> {
  const checkInner = async (path: string): Promise<void> => {
    if (embedded) throw templateError('TEMPLATE_UNSAFE', path, 'a file inside of a file inside of the template')
    try {
      const inner = await open(await opened.bytes(path), limits)
      await refuseUnsafe(inner.opened, inner.types, limits, true)
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error
      throw new TemplateError(
        error.problems.map(({ place, ...rest }) => ({ ...rest, place: place === '' ? path : `${path}, ${place}` })),
      )
    }
  }
  refuse(await checkParts(opened, types, checkInner))
}

function refuse(problems: readonly TemplateProblem[]): void {
  if (problems.length > 0) throw new TemplateError(problems)
}

/** zip.js, without threads of its own. */
async function zipLibrary() {
  const zip = await import('@zip.js/zip.js')
  zip.configure({ useWebWorkers: false })
  return zip
}

async function readDirectory(bytes: Uint8Array<ArrayBuffer>): Promise<FileEntry[]> {
  const zip = await zipLibrary()
  const entries: FileEntry[] = []
  try {
    const reader = new zip.ZipReader(new zip.Uint8ArrayReader(bytes), {
      checkOverlappingEntry: true,
      filenameValidation: 'tolerant', // checkDirectory lists all unsafe names
    })
    for await (const entry of reader.getEntriesGenerator()) {
      if (entries.length >= MAX_ENTRIES) {
        throw templateError('TEMPLATE_TOO_LARGE', '', `the file has more than ${MAX_ENTRIES} parts`)
      }
      entries.push(entry as FileEntry)
    }
  } catch (error) {
    throw error instanceof ReportError ? error : unreadable('', error, zip)
  }
  return entries
}

/** Archives of which two places contradict each other are made on purpose: they are bombs or hide parts. */
function unreadable(path: string, error: unknown, zip: Awaited<ReturnType<typeof zipLibrary>>): TemplateError {
  const message = errorText(error)
  const contradictions = [zip.ERR_INVALID_UNCOMPRESSED_SIZE, zip.ERR_AMBIGUOUS_ARCHIVE, zip.ERR_OVERLAPPING_ENTRY]
  if (contradictions.includes(message)) {
    return templateError('TEMPLATE_UNSAFE', path, `the archive contradicts its own directory: ${message}`)
  }
  return templateError('TEMPLATE_INVALID', path, `not an Office file, or damaged: ${message}`)
}

/** Names and sizes, as the directory of the archive gives them. */
function checkDirectory(entries: readonly FileEntry[]): TemplateProblem[] {
  const problems: TemplateProblem[] = []
  const report = (code: TemplateProblem['code'], place: string, details: string) =>
    problems.push({ code, place, details })
  const seen = new Set<string>()
  let total = 0
  for (const { filename, uncompressedSize, compressedSize, encrypted, compressionMethod } of entries) {
    const key = filename.toLowerCase()
    if (filename.includes('\\') || /^\/|^[a-z]:|(^|\/)\.\.?(\/|$)|\0/i.test(filename)) {
      report('TEMPLATE_UNSAFE', filename, 'the name of the part is a path out of the file')
    }
    if (seen.has(key)) report('TEMPLATE_UNSAFE', filename, 'the part is there twice')
    seen.add(key)
    if (encrypted) report('TEMPLATE_UNSAFE', filename, 'the part is encrypted')
    if (compressionMethod !== 0 && compressionMethod !== 8) {
      report('TEMPLATE_INVALID', filename, `compression method ${compressionMethod}; expected stored or deflate`)
    }
    if (uncompressedSize > MAX_PART) {
      report('TEMPLATE_TOO_LARGE', filename, `more than ${MAX_PART / MEGABYTE} MB unpacked`)
    } else if (uncompressedSize > MEGABYTE && uncompressedSize > MAX_RATIO * compressedSize) {
      report('TEMPLATE_UNSAFE', filename, `compressed more than 1:${MAX_RATIO}`)
    }
    total += uncompressedSize
  }
  if (total > MAX_UNPACKED) report('TEMPLATE_TOO_LARGE', '', `more than ${MAX_UNPACKED / MEGABYTE} MB unpacked`)
  return problems
}

/**
 * Word notes in the settings of a document which template it was made from, and looks for that file at each opening. The document
 * does not need it, so that the reference is left out; anywhere else it is refused.
 */
async function withoutCompanyTemplate(
  source: Source,
  mainPart: string,
): Promise<Pick<OfficePackage, 'dropped' | 'replaced'>> {
  const replaced = new Map<string, string>()
  const dropped: string[] = []
  const settings = (await source.relationships(mainPart)).find((one) => kindOf(one) === 'settings')?.target
  if (settings === undefined || !source.has(settings)) return { dropped, replaced }
  for (const one of await source.relationships(settings)) {
    if (kindOf(one) === 'attachedTemplate' && one.external) dropped.push(one.target)
  }
  if (dropped.length === 0) return { dropped, replaced }
  for (const path of [settings, relationshipsPath(settings)]) {
    const text = await source.text(path)
    readXml(text, path)
    const document = await parseXml(text, path)
    for (const element of [...document.getElementsByTagName('*')]) {
      const isReference = /\/attachedTemplate$/.test(element.getAttribute('Type') ?? '')
      if (isReference || element.localName === 'attachedTemplate') element.parentNode?.removeChild(element)
    }
    replaced.set(
      source.paths().find((one) => one.toLowerCase() === path.toLowerCase()) ?? path,
      await serializeXml(document),
    )
  }
  return { dropped, replaced }
}

type Source = Omit<OfficePackage, 'format' | 'mainPart' | 'contentTypes' | 'dropped' | 'replaced'>

/** @param replaced parts with another text than in the file, by their paths */
function createSource(
  files: ReadonlyMap<string, FileEntry>,
  replaced: ReadonlyMap<string, string> = new Map(),
): Source {
  const texts = new Map([...replaced].map(([path, text]) => [path.toLowerCase(), text]))

  const paths = [...files.values()].map(({ filename }) => filename)

  async function unpack(
    path: string,
    passThrough: boolean,
  ): Promise<{ entry: FileEntry; data: Uint8Array<ArrayBuffer> }> {
    const entry = files.get(path.toLowerCase())
    if (!entry) throw templateError('TEMPLATE_INVALID', path, 'the part is missing')
    const zip = await zipLibrary()
    try {
      return { entry, data: await entry.getData(new zip.Uint8ArrayWriter(), { checkCrc32: !passThrough, passThrough }) }
    } catch (error) {
      throw unreadable(path, error, zip)
    }
  }

  const text = async (path: string) =>
    texts.get(path.toLowerCase()) ?? decodeXml((await unpack(path, false)).data, path)
  return {
    paths: () => paths,
    has: (path) => files.has(path.toLowerCase()),
    size: (path) => files.get(path.toLowerCase())?.uncompressedSize ?? 0,
    text,
    async bytes(path) {
      const other = texts.get(path.toLowerCase())
      return other === undefined ? (await unpack(path, false)).data : new TextEncoder().encode(other)
    },
    async relationships(part) {
      const path = relationshipsPath(part)
      return files.has(path.toLowerCase()) ? readRelationships(await text(path), part) : []
    },
    async raw(path) {
      const { entry, data } = await unpack(path, true)
      return { data, method: entry.compressionMethod, crc32: entry.crc32 ?? 0, size: entry.uncompressedSize }
    },
  }
}

async function findMainPart(
  source: Source,
  types: ContentTypes,
): Promise<{ readonly format: OfficeFormat; readonly mainPart: string }> {
  const relationships = await source.relationships('')
  const main = relationships.find((relationship) => kindOf(relationship) === 'officeDocument')
  if (!main || !source.has(main.target)) throw templateError('TEMPLATE_INVALID', '', 'not an Office file: no main part')
  if (main.type.startsWith('http://purl.oclc.org/')) {
    throw templateError('TEMPLATE_UNSUPPORTED', '', 'the file is "Strict Open XML"; save it in the usual format')
  }
  const type = types.typeOf(main.target)
  if (/macroEnabled/i.test(type)) throw templateError('TEMPLATE_UNSAFE', '', 'the file may hold macros')
  for (const format of ['xlsx', 'docx', 'pptx'] as const) {
    const { document, template } = MAIN_TYPES[format]
    if (type === document || type === template) return { format, mainPart: main.target }
  }
  throw templateError(
    'TEMPLATE_INVALID',
    '',
    `not a workbook, document or presentation: ${type || 'unknown content type'}`,
  )
}

/**
 * Writes the file anew: the parts of `changes` with their new content, new parts included, all others in the compressed form of the
 * source. Parts of `changes` come first and in its order, so a generator may still set or remove parts that come later.
 * Rejects with `TEMPLATE_TOO_LARGE`, and removes `file` whenever it fails.
 */
export async function writePackage(
  source: OfficePackage,
  file: string,
  changes: Map<string, PartContent>,
): Promise<void> {
  const zip = await zipLibrary()
  const types = changes.get(CONTENT_TYPES) ?? source.contentTypes().toXml()
  changes.delete(CONTENT_TYPES)
  const target = createWriteStream(file)
  const writer = new zip.ZipWriter(Writable.toWeb(target) as WritableStream<Uint8Array>, {
    lastModDate: ENTRY_DATE,
    extendedTimestamp: false,
    keepOrder: true,
  })
  try {
    await writer.add(CONTENT_TYPES, byteStream(CONTENT_TYPES, types))
    const written = new Set([CONTENT_TYPES.toLowerCase()])
    async function add(path: string, content: PartContent): Promise<void> {
      written.add(path.toLowerCase())
      if (content !== null) await writer.add(path, byteStream(path, content))
    }
    for (const [path, content] of changes) await add(path, content)
    for (const [path, content] of source.replaced) if (!written.has(path.toLowerCase())) await add(path, content)
    for (const path of source.paths()) {
      if (written.has(path.toLowerCase())) continue
      const { data, method, crc32, size } = await source.raw(path)
      await writer.add(path, new zip.Uint8ArrayReader(data), {
        passThrough: true,
        compressionMethod: method,
        crc32,
        uncompressedSize: size,
      })
    }
    await writer.close()
  } catch (error) {
    target.destroy()
    await rm(file, { force: true })
    throw error
  }
}

/** The content in pieces of bytes, at most 200 MB. */
function byteStream(path: string, content: Exclude<PartContent, null>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  async function* pieces() {
    if (content instanceof Uint8Array) yield content
    else if (typeof content === 'string') yield encoder.encode(content)
    else for await (const text of content) yield encoder.encode(text)
  }
  const iterator = pieces()
  let size = 0
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await iterator.next()
      if (done) return controller.close()
      size += value.length
      if (size > MAX_WRITTEN_PART) {
        throw templateError(
          'TEMPLATE_TOO_LARGE',
          path,
          `the filled part has more than ${MAX_WRITTEN_PART / MEGABYTE} MB`,
        )
      }
      if (value.length > 0) controller.enqueue(value)
    },
    async cancel() {
      await iterator.return(undefined)
    },
  })
}
