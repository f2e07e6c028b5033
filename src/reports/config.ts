/** `Butler.footman.reportTask`. */
import { z } from 'zod'
import {
  choice,
  cidr,
  count,
  file,
  flag,
  httpUrl,
  list,
  map,
  name,
  object,
  section,
  text,
  timezone,
} from '../config/fields.ts'

const POSITIVE = { min: 1, max: 1_000_000 }
const KEEP = { min: 0, max: 1_000_000 }

const storageSpace = object(() => ({
  id: name('Name of the space in report tasks.'),
  name: text('Label.'),
  directory: file('Absolute path, local or UNC.'),
  projects: list('Projects that may use it; empty = all.', z.string()),
  retentionDays: count('Days after which files are deleted; 0 = never.', 0, KEEP),
}))

const hub = section('Web pages with the reports.', () => ({
  enable: flag('Offer the pages.'),
  auth: choice(
    'How readers prove who they are; `none` shows all reports on this computer, for trials.',
    ['magicLink', 'trustedHeader', 'none'],
    'magicLink',
  ),
  trustedHeader: section('Login done by a proxy.', () => ({
    name: text('Header with the user.', 'X-Forwarded-User'),
    fromAddresses: list('Addresses of the proxy.', cidr),
  })),
  linkMode: choice('Links in mails need a login or are signed.', ['login', 'signed'], 'login'),
  signedLinkDays: count('Life of a signed link; days.', 7, POSITIVE),
  sessionHours: count('Life of a login; hours.', 8, POSITIVE),
}))

export const reportTask = section(
  'Report tasks: reports of Qlik Sense apps by mail, in folders and on web pages.',
  () => ({
    enable: flag('Run report tasks.').meta({
      label: 'Report tasks',
      hint: 'Reports of Qlik Sense apps by mail, in folders and on web pages.',
    }),
    restApi: section('Endpoints.', () => ({ enable: flag('Offer the endpoints.', true) })),
    dataDirectory: file('Folder of generated files.', '', { defaultText: '<dataDirectory>/report' }),
    baseUrl: httpUrl('Address of Footman in mails, without slash at the end.', '', {
      defaultText: 'from the REST server settings',
    }),
    defaultTimezone: timezone('Time zone of reports.', '', { defaultText: 'footman.timezone' }),
    defaultLocale: text('Language of numbers and dates.', 'en-GB'),
    concurrentRuns: count('Runs at the same time.', 2, { min: 1, max: 20 }),
    concurrentEngineSessions: count('Engine sessions at the same time.', 4, { min: 1, max: 50 }),
    qlikEventPollSeconds: z
      .int()
      .refine((value) => value === 0 || (value >= 10 && value <= 3600), { error: 'must be 0 or between 10 and 3600' })
      .default(60)
      .meta({ description: 'Seconds between two looks for Qlik events, beside pushed ones; 0 = never.' }),
    fromAddress: text('Sender of report mails.'),
    allowedRecipientDomains: list('Domains to which reports may be mailed; empty = all.', z.string()),
    templateDirectory: file('Folder of report templates.', 'config/report_templates'),
    fonts: list('TrueType or OpenType files for characters that the built-in font lacks, at most 8.', z.string()),
    officeConverter: section('LibreOffice, for PDF of filled Office templates.', () => ({
      enable: choice('`auto` uses it when it is found.', ['auto', 'off'], 'auto'),
      path: file('Its program `soffice`; empty = looked for in the usual places.', ''),
      parallel: count('Conversions at the same time.', 1, { min: 1, max: 4 }),
      timeoutSeconds: count('Time for one file; seconds.', 120, { min: 10, max: 1800 }),
    })),
    secrets: map('Values for secretRef in report tasks, by name.', z.string()),
    storageSpaces: list('Folders to which reports may be written.', storageSpace),
    hub,
    retention: section('How long things are kept; 0 = for ever.', () => ({
      runDays: count('Runs; days.', 90, KEEP),
      hubDays: count('Reports in the hub; days.', 30, KEEP),
      hubVersions: count('Versions of a report in the hub.', 10, KEEP),
    })),
    limits: section('Limits.', () => ({
      maxRowsPerTable: count('Rows of a table.', 100_000, { min: 1, max: 10_000_000 }),
      maxDocumentsPerRun: count('Documents of a run.', 500, POSITIVE),
      maxMailsPerRun: count('Mails of a run.', 2000, POSITIVE),
      maxMailsPerMinute: count('Mails per minute.', 60, POSITIVE),
      maxAttachmentMb: count('Size of an attachment; MB.', 20, POSITIVE),
      maxRenderSeconds: count('Time to make a document; seconds.', 600, POSITIVE),
      maxTemplateMb: count('Size of an Office template; MB.', 25, { min: 1, max: 100 }),
    })),
    delivery: section('Delivery of reports.', () => ({
      onUnknown: choice('When it is unknown whether a mail went out.', ['hold', 'resend'], 'hold'),
      deadlineMinutes: count('Time to deliver; minutes.', 240, POSITIVE),
    })),
  }),
)

export type ReportTaskConfig = z.output<typeof reportTask>
