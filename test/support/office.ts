/** Small Office files made part by part. */
import { configure, Uint8ArrayReader, Uint8ArrayWriter, ZipReader, ZipWriter } from '@zip.js/zip.js'

configure({ useWebWorkers: false })

export type Parts = Readonly<Record<string, string | Uint8Array>>

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
export const SHEET_NAMESPACES = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="${OFFICE}"`

/** A ZIP file with the parts, in their order. */
export async function zipOf(parts: Parts, dataDescriptor = true): Promise<Uint8Array<ArrayBuffer>> {
  const writer = new ZipWriter(new Uint8ArrayWriter(), {
    extendedTimestamp: false,
    dataDescriptor,
    lastModDate: new Date(2020, 0, 1),
  })
  for (const [path, content] of Object.entries(parts)) {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    await writer.add(path, new Uint8ArrayReader(new Uint8Array(bytes)))
  }
  return await writer.close()
}

/** Sets the unpacked size of the entry in both headers. */
export function withSize(bytes: Uint8Array<ArrayBuffer>, name: string, size: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes)
  const view = new DataView(copy.buffer)
  for (const [signature, nameAt, sizeAt] of [
    [0x04034b50, 30, 22],
    [0x02014b50, 46, 24],
  ] as const) {
    for (let at = 0; at + nameAt + name.length <= copy.length; at++) {
      if (view.getUint32(at, true) !== signature) continue
      if (new TextDecoder().decode(copy.subarray(at + nameAt, at + nameAt + name.length)) !== name) continue
      view.setUint32(at + sizeAt, size, true)
    }
  }
  return copy
}

/** The parts of a file, each with its compressed bytes and as text. */
export async function unzip(
  bytes: Uint8Array,
): Promise<ReadonlyMap<string, { readonly text: string; readonly bytes: Uint8Array; readonly packed: Uint8Array }>> {
  const parts = new Map<string, { text: string; bytes: Uint8Array; packed: Uint8Array }>()
  const reader = new ZipReader(new Uint8ArrayReader(new Uint8Array(bytes)))
  for (const entry of await reader.getEntries()) {
    if (entry.directory) continue
    const unpacked = await entry.getData(new Uint8ArrayWriter())
    const packed = await entry.getData(new Uint8ArrayWriter(), { passThrough: true })
    parts.set(entry.filename, { text: new TextDecoder().decode(unpacked), bytes: unpacked, packed })
  }
  return parts
}

/** The parts of a file, to be changed and zipped anew. */
export async function partsOf(bytes: Uint8Array): Promise<Record<string, Uint8Array>> {
  const parts: Record<string, Uint8Array> = {}
  const reader = new ZipReader(new Uint8ArrayReader(new Uint8Array(bytes)))
  for (const entry of await reader.getEntries()) {
    if (!entry.directory) parts[entry.filename] = await entry.getData(new Uint8ArrayWriter())
  }
  return parts
}

/** Content types with a type for each part: `{ 'xl/workbook.xml': 'application/...' }`. */
export const contentTypes = (overrides: Readonly<Record<string, string>>): string =>
  `${XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/><Default Extension="vml" ContentType="application/vnd.openxmlformats-officedocument.vmlDrawing"/>${Object.entries(
    overrides,
  )
    .map(([path, type]) => `<Override PartName="/${path}" ContentType="${type}"/>`)
    .join('')}</Types>`

/** Relationships rId1, rId2, ...: kind and target; a third member `External` as its mode. */
export const relationships = (
  ...list: readonly (readonly [kind: string, target: string, mode?: 'External'])[]
): string =>
  `${XML}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${list
    .map(([kind, target, mode], index) => {
      const type = kind.includes(':') ? kind : `${OFFICE}/${kind}`
      return `<Relationship Id="rId${index + 1}" Type="${type}" Target="${target}"${mode ? ` TargetMode="${mode}"` : ''}/>`
    })
    .join('')}</Relationships>`

export const SPREADSHEET = 'application/vnd.openxmlformats-officedocument.spreadsheetml'
const MAIN = {
  xlsx: ['xl/workbook.xml', `${SPREADSHEET}.sheet.main+xml`],
  docx: ['word/document.xml', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml'],
} as const

/** A workbook with one empty sheet, to which `parts` are added; same paths replace. */
export const smallWorkbook = (parts: Parts = {}): Parts => ({
  '[Content_Types].xml': contentTypes({
    [MAIN.xlsx[0]]: MAIN.xlsx[1],
    'xl/worksheets/sheet1.xml': `${SPREADSHEET}.worksheet+xml`,
  }),
  '_rels/.rels': relationships(['officeDocument', 'xl/workbook.xml']),
  'xl/workbook.xml': `${XML}<workbook ${SHEET_NAMESPACES}><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>`,
  'xl/_rels/workbook.xml.rels': relationships(['worksheet', 'worksheets/sheet1.xml']),
  'xl/worksheets/sheet1.xml': `${XML}<worksheet ${SHEET_NAMESPACES}><sheetData/></worksheet>`,
  ...parts,
})

/** A Word document with this body. */
export const smallDocument = (body: string, parts: Parts = {}): Parts => ({
  '[Content_Types].xml': contentTypes({ [MAIN.docx[0]]: MAIN.docx[1] }),
  '_rels/.rels': relationships(['officeDocument', 'word/document.xml']),
  'word/document.xml': `${XML}<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>${body}</w:body></w:document>`,
  ...parts,
})
