/** Formats of block reports: which blocks each can be made of. */
import type { Block, Format, Report } from '../entities/report.ts'
import type { ReportUse } from '../entities/task.ts'

export const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  csv: 'text/csv; charset=utf-8',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  html: 'text/html; charset=utf-8',
  pdf: 'application/pdf',
  json: 'application/json; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
}

/** Formats that show one block, with the types of block that they can show. */
const OF_ONE_BLOCK: Partial<Record<Format, readonly Block['type'][]>> = {
  csv: ['table', 'object'],
  svg: ['chart', 'object'],
  png: ['chart', 'object'],
}
/** Made from templates alone. */
const OFFICE: ReadonlySet<Format> = new Set(['docx', 'pptx'])

/** The block that a use outputs; null when its format shows all blocks. Call `formatProblem` first. */
export function singleBlock(
  report: Extract<Report, { readonly type: 'blocks' }>,
  use: Pick<ReportUse, 'format' | 'block'>,
) {
  const types = OF_ONE_BLOCK[use.format]
  if (use.block !== undefined) return report.blocks.find(({ key }) => key === use.block) ?? null
  return types ? (report.blocks.find(({ type }) => types.includes(type)) ?? null) : null
}

/** A member of the use of a report that does not fit the report. */
export interface FormatProblem {
  readonly member: 'format' | 'block'
  readonly message: string
}

/**
 * Why the report cannot be made in the format (`FORMAT_NOT_POSSIBLE`); null when it can. Of template reports only the block
 * is judged: their formats depend on the file.
 */
export function formatProblem(
  report: Report,
  { format, block: key }: Pick<ReportUse, 'format' | 'block'>,
): FormatProblem | null {
  const refuse = (member: FormatProblem['member'], message: string): FormatProblem => ({ member, message })
  if (report.type === 'template') return key === undefined ? null : refuse('block', 'A template report has no blocks')
  if (OFFICE.has(format)) return refuse('format', `A report of blocks does not make ${format}`)
  const block = report.blocks.find((one) => one.key === key)
  if (key !== undefined && !block) return refuse('block', `The report has no block ${key}`)
  const types = OF_ONE_BLOCK[format]
  if (!types) return null
  const wanted = types.join(' or ')
  if (block)
    return types.includes(block.type) ? null : refuse('block', `${format} is made of a block of type ${wanted}`)
  const suitable = report.blocks.filter(({ type }) => types.includes(type))
  if (suitable.length === 0) return refuse('format', `The report has no block of type ${wanted}`)
  if (suitable.length === 1) return null
  return refuse('block', `Name the block: ${suitable.map((one) => one.key).join(', ')}`)
}
