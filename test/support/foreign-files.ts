/** Files that are sent in place of a text or a table, and how their refusal begins. */
import { SHEET_NAMESPACES, smallWorkbook, zipOf } from './office.ts'

/** An .xlsx file with these rows in its first sheet. */
export async function workbookOf(rows: readonly (readonly string[])[]): Promise<Uint8Array<ArrayBuffer>> {
  const cells = (row: readonly string[]) => row.map((text) => `<c t="inlineStr"><is><t>${text}</t></is></c>`).join('')
  const sheet = rows.map((row) => `<row>${cells(row)}</row>`).join('')
  const part = `<worksheet ${SHEET_NAMESPACES}><sheetData>${sheet}</sheetData></worksheet>`
  return zipOf(smallWorkbook({ 'xl/worksheets/sheet1.xml': part }))
}

interface ForeignFile {
  readonly name: string
  readonly content: () => Promise<Uint8Array<ArrayBuffer>>
  readonly reason: string
}

const bytes = (text: string) => async () => new Uint8Array(Buffer.from(text, 'latin1'))
const SPREADSHEET = 'application/vnd.oasis.opendocument.spreadsheet'

export const FOREIGN_FILES: readonly ForeignFile[] = [
  {
    name: 'table.ods',
    content: () => zipOf({ 'META-INF/manifest.xml': '<m/>', [`mimetype-${SPREADSHEET}`]: SPREADSHEET }),
    reason: 'it is an OpenDocument spreadsheet (.ods): save the table as "CSV UTF-8"',
  },
  {
    name: 'table.xlsb',
    content: () => zipOf({ '[Content_Types].xml': '<Types/>', 'xl/workbook.bin': 'x' }),
    reason: 'it is a binary Excel workbook (.xlsb): save the table as "CSV UTF-8"',
  },
  {
    name: 'old.xls',
    content: bytes('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'),
    reason: 'it is a workbook of the old binary format (.xls) or with a password: save the table as "CSV UTF-8"',
  },
  {
    name: 'page.xls',
    content: bytes('<html><body><table><tr><td>a</td></tr></table></body></html>'),
    reason: 'it is an HTML file under the name of a table: open it in Excel and save the table as "CSV UTF-8"',
  },
  {
    name: 'wide.csv',
    content: bytes('\xff\xfe\0\0a\0\0\0'),
    reason: 'it is text in UTF-32; save the file again as UTF-8',
  },
  { name: 'print.csv', content: bytes('%PDF-1.7\n'), reason: 'it is a PDF file, not text: save it as text' },
]
