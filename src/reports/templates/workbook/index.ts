/** Workbook templates (xlsx): cells with tags, loops over rows, sheets for the values of a level. */
import { checkAddresses, checkProperties } from '../leftovers.ts'
import type { Findings, Names } from '../names.ts'
import type { OfficePackage } from '../package.ts'
import { type Book, readBook } from './book.ts'

export { fillWorkbook } from './fill.ts'

/** Reads a workbook and checks its tags. The book can be filled once, when there are no problems. */
export async function checkWorkbook(source: OfficePackage, names: Names, findings: Findings): Promise<Book> {
  const book = await readBook(source, names, findings)
  await checkAddresses(source, findings)
  await checkProperties(source, names, findings)
  return book
}
