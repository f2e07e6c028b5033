/** Workbook templates (xlsx): cells with tags, loops over rows, sheets for the values of a level. */
import type { Warn } from '../../types.ts'
import { checkProperties } from '../leftovers.ts'
import { createFindings, type Findings, type Names } from '../names.ts'
import type { OfficePackage } from '../package.ts'
import { TemplateError } from '../problems.ts'
import type { Scope } from '../scope.ts'
import { readBook } from './book.ts'
import { fillWorkbook as fill } from './fill.ts'

/** Checks the tags of a workbook. */
export async function checkWorkbook(source: OfficePackage, names: Names, findings: Findings): Promise<void> {
  await readBook(source, names, findings)
  await checkProperties(source, names, findings)
}

export interface WorkbookRequest {
  readonly source: OfficePackage
  readonly scope: Scope
  /** Path of the file to write. */
  readonly file: string
  /** Absolute; sheets of level values wait there. */
  readonly temporaryDirectory: string
  readonly warn: Warn
}

/**
 * Fills a workbook. Rejects with a `TemplateError` when it has problems, with `NO_CYCLE_VALUES` when none of its sheets has a value
 * to be made for, and with the errors of the data.
 */
export async function fillWorkbook(request: WorkbookRequest): Promise<void> {
  const findings = createFindings()
  const book = await readBook(request.source, request.scope.names, findings)
  if (findings.problems.length > 0) throw new TemplateError(findings.problems)
  await fill({ ...request, book })
}
