/** Rules of report tasks that reach beyond the form of a member, and what a task needs before it is switched on. */
import { parseCron } from '../platform/cron.ts'
import { addressProblem, type SenderRules, senderProblem } from './addresses.ts'
import {
  addressIssue,
  type CheckSettings,
  duplicates,
  listOf,
  patternIssue,
  templateFormat,
  unknownSpace,
} from './checks.ts'
import { type FormatProblem, formatProblem } from './documents/formats.ts'
import type { Report } from './entities/report.ts'
import type { ReportTask, ReportUse, Trigger } from './entities/task.ts'
import type { Issue } from './issues.ts'
import { folderProblem, PATTERN_TOKENS, patternProblem } from './patterns.ts'

/** `reportOf` finds the reports of the task; uses of unknown ones are not checked here. */
export function taskIssues(
  task: ReportTask,
  reportOf: (id: string) => Report | undefined,
  settings: CheckSettings,
): Issue[] {
  const keys = task.reports.map(({ key }) => key)
  return [
    ...duplicates(keys, (index) => `reports.${index}.key`, 'key'),
    ...task.reports.flatMap((use, index) => useIssues(use, `reports.${index}`, task, reportOf(use.reportId), settings)),
    ...task.recipients.flatMap(({ email, hub }, index) =>
      email || hub ? [] : [{ path: `recipients.${index}`, message: 'email or hub must be true' }],
    ),
    ...textIssues(task),
    ...addressIssues(task, settings),
    ...storageIssues(task, keys, settings),
    ...task.triggers.flatMap((trigger, index) => triggerIssues(trigger, `triggers.${index}`)),
    ...duplicates(
      task.triggers.flatMap(({ id }) => id ?? []),
      () => 'triggers',
      'id',
    ),
  ]
}

const documentTokens = ({ run }: ReportTask) =>
  run.evaluateAs === 'recipient' ? PATTERN_TOKENS.personal : PATTERN_TOKENS.document

function textIssues({ email, hub, notifications }: ReportTask): Issue[] {
  const tokens = email.grouping === 'single' ? PATTERN_TOKENS.document : PATTERN_TOKENS.personal
  return [
    ...patternIssue('email.subject', patternProblem(email.subject, { tokens })),
    ...patternIssue('hub.title', patternProblem(hub.title, { tokens: PATTERN_TOKENS.document })),
    ...notifications.flatMap(({ subject }, index) =>
      subject === undefined
        ? []
        : patternIssue(
            `notifications.${index}.subject`,
            patternProblem(subject, { tokens: PATTERN_TOKENS.notification }),
          ),
    ),
  ]
}

/** Every address that the task writes out. Those of expressions are checked by its runs. */
function addressIssues({ recipients, email, notifications, testMode }: ReportTask, rules: SenderRules): Issue[] {
  const reached: readonly (readonly [path: string, address: string | null])[] = [
    ...recipients.flatMap((one, index) =>
      one.type === 'address' ? [[`recipients.${index}.address`, one.address] as const] : [],
    ),
    ...email.cc.map((one, index) => [`email.cc.${index}`, one] as const),
    ...email.bcc.map((one, index) => [`email.bcc.${index}`, one] as const),
    ...notifications.flatMap((rule, index) =>
      rule.recipients.map((one, at) => [`notifications.${index}.recipients.${at}`, one] as const),
    ),
    ['testMode.address', testMode.address],
  ]
  return [
    ...reached.flatMap(([path, address]) =>
      address === null ? [] : addressIssue(path, addressProblem(address, rules.allowedDomains)),
    ),
    ...(['from', 'replyTo'] as const).flatMap((member) => {
      const text = email[member]
      return text === null ? [] : addressIssue(`email.${member}`, senderProblem(text, rules))
    }),
  ]
}

function storageIssues(task: ReportTask, keys: readonly string[], { storageSpaces }: CheckSettings): Issue[] {
  return task.storage.flatMap(({ spaceId, folder, reports = [] }, index): Issue[] => {
    const path = `storage.${index}`
    const space = storageSpaces.find(({ id }) => id === spaceId)
    const isOurs = !space || space.projects.length === 0 || space.projects.includes(task.project)
    return [
      ...(space ? [] : [unknownSpace(`${path}.spaceId`, spaceId, storageSpaces)]),
      ...(isOurs
        ? []
        : [
            {
              path: `${path}.spaceId`,
              message: `The storage space ${spaceId} is not for project "${task.project}"`,
              code: 'WRONG_PROJECT' as const,
            },
          ]),
      ...patternIssue(`${path}.folder`, folderProblem(folder, { tokens: documentTokens(task) })),
      ...reports.flatMap((key, at) =>
        keys.includes(key)
          ? []
          : [{ path: `${path}.reports.${at}`, message: `The task has no report with the key ${key}` }],
      ),
    ]
  })
}

function triggerIssues(trigger: Trigger, path: string): Issue[] {
  const { start, end } = trigger
  const window: Issue[] =
    start !== null && end !== null && Date.parse(end) <= Date.parse(start)
      ? [{ path: `${path}.end`, message: 'Must be after start' }]
      : []
  if (trigger.type !== 'schedule') return window
  const { cron, once } = trigger
  if ((cron === undefined) === (once === undefined)) return [...window, { path, message: 'Give either cron or once' }]
  // Months are counted from 1 here.
  const parsed = cron === undefined ? null : parseCron(cron, 1)
  if (!parsed || parsed.ok) return window
  return [...window, { path: `${path}.cron`, message: parsed.problem.reason, code: 'INVALID_CRON' }]
}

function useIssues(
  use: ReportUse,
  path: string,
  task: ReportTask,
  report: Report | undefined,
  settings: CheckSettings,
): Issue[] {
  const cycleFields = use.cycle?.fields ?? []
  const name = patternProblem(use.fileName, { tokens: documentTokens(task), cycleFields })
  return [
    ...patternIssue(`${path}.fileName`, name),
    ...duplicates(cycleFields, (index) => `${path}.cycle.fields.${index}`, 'field'),
    ...(use.deliver.email === 'embed' && use.format !== 'html'
      ? [{ path: `${path}.deliver.email`, message: 'Only html can be embedded' }]
      : []),
    ...protectIssues(use, path, report, settings),
    ...(report ? formatIssues(use, path, report, settings) : []),
  ]
}

function protectIssues(
  { protect, zip, format, options }: ReportUse,
  path: string,
  report: Report | undefined,
  settings: CheckSettings,
): Issue[] {
  if (protect === null) return []
  const { zipPassword, pdfPassword } = protect
  const at = (member: string) => `${path}.protect.${member}`
  const issues: Issue[] = Object.entries(protect).flatMap(([member, reference]) => {
    const name = reference?.slice('secretRef:'.length) ?? ''
    return reference === undefined || settings.secrets.includes(name)
      ? []
      : [
          {
            path: at(member),
            message: `There is no secret ${name} in Butler.footman.reportTask.secrets${listOf(settings.secrets)}`,
            code: 'UNKNOWN_REFERENCE' as const,
          },
        ]
  })
  if (zipPassword !== undefined && zip === 'none') issues.push({ path: at('zipPassword'), message: 'Needs zip' })
  if (pdfPassword === undefined) return issues
  const isBlockPdf = format === 'pdf' && report?.type !== 'template'
  if (!isBlockPdf) issues.push({ path: at('pdfPassword'), message: 'Only for pdf of a report of blocks' })
  if (options.pdf.archive) issues.push({ path: at('pdfPassword'), message: 'Not with options.pdf.archive' })
  return issues
}

function formatIssues(use: ReportUse, path: string, report: Report, settings: CheckSettings): Issue[] {
  const problem = formatProblem(report, use) ?? templateFormatProblem(use, report)
  if (problem) return [{ path: `${path}.${problem.member}`, message: problem.message, code: 'FORMAT_NOT_POSSIBLE' }]
  if (report.type !== 'template' || use.format !== 'pdf' || settings.converterFound()) return []
  return [
    {
      path: `${path}.format`,
      message: 'No LibreOffice was found, which makes the PDF of an Office template',
      code: 'CONVERTER_MISSING',
    },
  ]
}

function templateFormatProblem({ format }: ReportUse, report: Report): FormatProblem | null {
  if (report.type !== 'template') return null
  const own = templateFormat(report.template)
  const possible = [...(own === null ? ['xlsx', 'docx', 'pptx'] : [own]), 'pdf']
  return possible.includes(format) ? null : { member: 'format', message: `The template makes ${possible.join(' or ')}` }
}

/** Why a channel that is on can deliver nothing, so that a run would be a success without effect; null when each one can. */
function idleChannel({ reports, email, storage, hub, recipients }: ReportTask): string | null {
  if (email.enabled) {
    const mailed = reports.filter(({ deliver }) => deliver.email !== 'none')
    if (mailed.length === 0) return 'E-mail is on, but deliver.email of each report is none'
    if (!recipients.some((one) => one.email) && !mailed.some(({ cycle }) => cycle?.emailTo != null))
      return 'E-mail is on, but there is no recipient and no cycle.emailTo'
  }
  // Programs read the hub, too: it needs no recipient.
  if (hub.enabled && !reports.some(({ deliver }) => deliver.hub))
    return 'The hub is on, but deliver.hub of each report is false'
  const unused = storage.findIndex(
    ({ reports: keys }) => !reports.some(({ key, deliver }) => deliver.storage && (!keys || keys.includes(key))),
  )
  return unused < 0 ? null : `No report goes to storage.${unused}: deliver.storage of its reports is false`
}

/** Why the task cannot be switched on; null when it can. */
export function incomplete(
  task: ReportTask,
  reportOf: (id: string) => Report | undefined,
  { hubEnabled }: CheckSettings,
): string | null {
  const { reports, email, storage, hub } = task
  if (reports.length === 0) return 'The task has no report'
  if (hub.enabled && !hubEnabled) return 'The task uses the hub, which is off in Butler.footman.reportTask.hub.enable'
  if (!email.enabled && storage.length === 0 && !hub.enabled) return 'E-mail, storage and hub are all off'
  const idle = idleChannel(task)
  if (idle !== null) return idle
  for (const { key, reportId } of reports) {
    const report = reportOf(reportId)
    if (!report) return `The report of ${key} does not exist`
    if (report.type === 'template' && report.template === null)
      return `The report "${report.name}" (${key}) has no template yet: upload one with PUT /v4/report/${reportId}/template`
  }
  return null
}
