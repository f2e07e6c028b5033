/** The codes of events in runs of report tasks, with their levels; runs, logs and mails show them. */

export const LEVELS = ['info', 'warning', 'error'] as const
export type RunLevel = (typeof LEVELS)[number]

/** Codes that end a document or a run. */
const ERROR_CODES = [
  'APP_NOT_FOUND',
  'APP_ACCESS_DENIED',
  'APP_NO_DATA',
  'ENGINE_UNREACHABLE',
  'REPOSITORY_UNREACHABLE',
  'OBJECT_NOT_FOUND',
  'FILTER_FIELD_UNKNOWN',
  'FILTER_VALUE_UNKNOWN',
  'FILTER_EMPTY',
  'FILTER_CONTRADICTION',
  'FILTER_TWO_BOOKMARKS',
  'FILTER_FAILED',
  'CONDITION_ERROR',
  'DOCUMENT_FAILED',
  'RENDER_TIMEOUT',
  'TEMPLATE_NOT_FOUND',
  'TEMPLATE_INVALID',
  'TEMPLATE_UNSAFE',
  'TEMPLATE_UNSUPPORTED',
  'TEMPLATE_TOO_LARGE',
  'TEMPLATE_TAG_UNKNOWN',
  'TEMPLATE_LOOP',
  'TEMPLATE_DATA_FAILED',
  'TEMPLATE_TOO_MANY_REPEATS',
  'CONVERTER_MISSING',
  'CONVERTER_FAILED',
  'CONVERTER_TIMEOUT',
  'TOO_MANY_DOCUMENTS',
  'TOO_MANY_MAILS',
  'NO_RECIPIENTS',
  'TEST_ADDRESS_REFUSED',
  'RECIPIENT_NO_QLIK_USER',
  'HUB_OFF',
  'STORAGE_FAILED',
  'MAIL_NONE_SENT',
  'RUN_TIMEOUT',
  'DELIVERY_DEADLINE',
  'INTERNAL',
] as const

/** Codes after which the run goes on with less. */
const WARNING_CODES = [
  'ADDRESS_INVALID',
  'RECIPIENT_NO_EMAIL',
  'RECIPIENTS_EMPTY',
  'MAIL_REJECTED',
  'MAIL_INCOMPLETE',
  'MAIL_LINK_INSTEAD',
  'MAIL_UNKNOWN',
  'ROWS_TRUNCATED',
  'POINTS_TRUNCATED',
  'TEXT_TRUNCATED',
  'GLYPH_MISSING',
  'TEMPLATE_REFERENCE',
  'TEMPLATE_OVERFLOW',
  'CHART_AS_TABLE',
  'BLOCK_ERROR',
  'BLOCK_NOT_TABULAR',
  'FILTER_VALUE_DROPPED',
  'FILE_RENAMED',
  'FILE_EXISTS',
  'NO_CYCLE_VALUES',
  'NO_CYCLE_ADDRESS',
  'ADDRESS_NOT_ALLOWED',
  'CONDITION_SKIPPED_ON_ERROR',
  // Only plans have these, which leave the outcome of a run as it is.
  'COPIES_OF_ALL_MAILS',
  'PASSWORD_SHORT',
  'CONVERTER_SLOW',
] as const

/** Codes of what a run left out on purpose. */
const INFO_CODES = [
  'CONDITION_NOT_MET',
  'REPORT_SKIPPED',
  'ALL_REPORTS_SKIPPED',
  'TASK_DISABLED',
  'TASK_BUSY',
  'QUEUE_FULL',
  'MISSED_SCHEDULE',
  'COALESCED',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]
/** Those of Office templates. */
export const TEMPLATE_CODES = ERROR_CODES.filter((code): code is Extract<ErrorCode, `TEMPLATE_${string}`> =>
  code.startsWith('TEMPLATE_'),
)
export type WarningCode = (typeof WARNING_CODES)[number]
type InfoCode = (typeof INFO_CODES)[number]
export type RunCode = ErrorCode | WarningCode | InfoCode

const LEVEL_OF: ReadonlyMap<RunCode, RunLevel> = new Map<RunCode, RunLevel>([
  ...ERROR_CODES.map((code) => [code, 'error'] as const),
  ...WARNING_CODES.map((code) => [code, 'warning'] as const),
  ...INFO_CODES.map((code) => [code, 'info'] as const),
])

/** All codes. */
export const CODES: readonly RunCode[] = [...LEVEL_OF.keys()]

export const levelOf = (code: RunCode): RunLevel => LEVEL_OF.get(code) ?? 'error'

/**
 * Stops a document, or the whole run where the code is about the run; `NO_CYCLE_VALUES`: no sheet or slide of a template is left.
 * `details` names what is wrong: `Region: Norrd`; `report` is the key of the report of a run that it is about.
 */
export class ReportError extends Error {
  override readonly name = 'ReportError'
  constructor(
    readonly code: ErrorCode | 'NO_CYCLE_VALUES',
    readonly details: string,
    { report, ...options }: ErrorOptions & { readonly report?: string | undefined } = {},
  ) {
    super(`${code}: ${details}`, options)
    this.report = report
  }
  readonly report: string | undefined
}
