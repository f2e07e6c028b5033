/** Report tasks: reports, recipients, delivery, triggers, notifications. */
import { z } from 'zod'
import { shape } from '../../http/endpoint/contract.ts'
import type { ReportCondition } from './condition.ts'
import type { Stored } from './fields.ts'
import {
  address,
  description,
  expression,
  FILTERS,
  fieldName,
  id,
  ids,
  key,
  line,
  name,
  PATTERN,
  pattern,
  project,
  tags,
  zone,
} from './fields.ts'
import type { ReportFilter } from './filter.ts'
import type { Recipient, RecipientGroup } from './recipient.ts'
import { FORMATS, type Report } from './report.ts'
import { OPTIONS, type Option } from './start-options.ts'

const reach = {
  email: z.boolean().default(true).meta({ label: 'by mail', order: 1 }),
  hub: z.boolean().default(false).meta({ label: 'in the hub', order: 1 }),
}

const recipientRef = shape('ReportRecipient', () =>
  z.discriminatedUnion('type', [
    z
      .strictObject({
        type: z.literal('recipient'),
        recipientId: id().meta({ label: 'Person', lookup: 'recipient' }),
        ...reach,
      })
      .meta({ title: 'Person' }),
    z.strictObject({ type: z.literal('group'), groupId: id().meta({ label: 'Group', lookup: 'group' }), ...reach }),
    z.strictObject({ type: z.literal('address'), address: address(), ...reach }),
    z.strictObject({
      type: z.literal('expression'),
      expr: expression().meta({ label: 'Expression', hint: 'Addresses, separated by ;' }),
      ...reach,
    }),
  ]),
)

export const formatOptions = shape('ReportFormatOptions', () =>
  z.strictObject({
    csv: z
      .strictObject({
        delimiter: z.enum([',', ';', '\t']).default(','),
        bom: z.boolean().default(true),
        escapeFormulas: z.boolean().default(true),
        header: z.boolean().default(true),
        numbers: z.enum(['plain', 'text']).default('plain'),
      })
      .prefault({}),
    xlsx: z.strictObject({ autofilter: z.boolean().default(true) }).prefault({}),
    pdf: z.strictObject({ compress: z.boolean().default(true), archive: z.boolean().default(false) }).prefault({}),
    svg: z
      .strictObject({
        widthPx: z.int().min(200).max(4000).default(720),
        heightPx: z.int().min(150).max(4000).default(400),
      })
      .prefault({}),
    png: z
      .strictObject({
        widthPx: z.int().min(200).max(4000).default(720),
        heightPx: z.int().min(150).max(4000).default(400),
        scale: z.int().min(1).max(4).default(2),
      })
      .refine(
        ({ widthPx, heightPx, scale }) => widthPx * heightPx * scale ** 2 <= 16_000_000,
        'widthPx x heightPx x scale² must not be above 16 million pixels',
      )
      .prefault({}),
  }),
)
/** Options of all formats; a use of a report has those of its own format. */
export type FormatOptions = z.output<ReturnType<typeof formatOptions>>

/** Name of a value under `reportTask.secrets`. */
const secretRef = () =>
  z
    .string()
    .regex(
      /^secretRef:[A-Za-z0-9_-]{1,64}$/,
      'must be secretRef: and the name of a secret; passwords themselves are refused',
    )
    .meta({ hint: 'secretRef:NAME' })

const CONDITIONS = { label: 'Conditions', lookup: 'condition' }

const cycle = shape('ReportCycle', () =>
  z.strictObject({
    fields: z
      .array(fieldName())
      .min(1)
      .max(3)
      .meta({ label: 'A document for each value of', hint: 'Up to three fields, one a line' }),
    maxDocuments: z.int().min(1).max(5000).default(200).meta({ label: 'Most documents' }),
    emailTo: expression()
      .nullable()
      .default(null)
      .meta({ label: 'Mail to', hint: 'A Qlik expression for the addresses of a value' }),
    hubTo: expression().nullable().default(null).meta({ label: 'Hub for', hint: 'A Qlik expression' }),
    folder: expression().nullable().default(null).meta({ hint: 'A Qlik expression' }),
    alsoRecipients: z.boolean().default(false).meta({ label: 'The recipients of the task get all documents, too' }),
  }),
)

export const reportUse = shape('ReportUse', () =>
  z
    .strictObject({
      key: key().meta({ hint: 'Names it inside of the task: a-z, 0-9, _ and -' }),
      reportId: id().meta({ label: 'Report', lookup: 'report', order: -1 }),
      format: z.enum(FORMATS),
      fileName: pattern.default('{report}{cycle}_{date:yyyy-MM-dd_HH-mm}').meta({ label: 'File name', ...PATTERN }),
      block: key().optional().meta({ hint: 'Key of the block, for csv, svg and png' }),
      options: formatOptions().prefault({}).meta({
        label: 'Options of the format',
        hint: 'JSON',
        control: 'json',
        advanced: true,
        order: 1,
      }),
      filterIds: ids(50).meta(FILTERS),
      conditionIds: ids(20).meta(CONDITIONS),
      conditionScope: z
        .enum(['report', 'cycleValue'])
        .default('report')
        .meta({ label: 'Conditions decide about', texts: { report: 'the report', cycleValue: 'each value' } }),
      cycle: cycle().nullable().default(null).meta({ label: 'Document for each value' }),
      deliver: z
        .strictObject({
          email: z.enum(['none', 'attach', 'embed']).default('attach').meta({ label: 'In mails' }),
          storage: z.boolean().default(true).meta({ label: 'Into the storage' }),
          hub: z.boolean().default(true).meta({ label: 'Into the hub' }),
        })
        .prefault({}),
      zip: z.enum(['none', 'perReport', 'perMail', 'perFolder']).default('none').meta({ label: 'Archive' }),
      protect: z
        .strictObject({
          zipPassword: secretRef().optional().meta({ label: 'Of the archive' }),
          pdfPassword: secretRef().optional().meta({ label: 'Of the PDF' }),
        })
        .nullable()
        .default(null)
        .meta({ label: 'Passwords', advanced: true, order: 1 }),
    })
    .meta({ title: 'Report', start: { key: 'report', format: 'pdf' } }),
)
export type ReportUse = z.output<ReturnType<typeof reportUse>>

export const OUTCOMES = ['success', 'warning', 'error', 'skipped', 'cancelled'] as const
export type Outcome = (typeof OUTCOMES)[number]

const triggerMembers = {
  id: id().optional().meta({ control: 'none' }),
  name: line(200, 0).default('').meta({ order: 1 }),
  enabled: z.boolean().default(true).meta({ label: 'On', order: 1 }),
  start: z.iso.datetime().nullable().default(null).meta({ label: 'From', control: 'time', order: 1 }),
  end: z.iso.datetime().nullable().default(null).meta({ label: 'Until', control: 'time', order: 1 }),
  timezone: zone().optional().meta({ label: 'Time zone', lookup: 'timezone', order: 1 }),
}

/** The options of a start that a message may set, by their members in its JSON. */
const MESSAGE_TEXTS: Readonly<Record<Option, string>> = {
  test: 'that it is a test, so that mails go to the test address only (test)',
  testAddress: 'the address of a test (testAddress)',
  dryRun: 'that nothing is sent (dryRun)',
  ignoreConditions: 'that conditions do not count (ignoreConditions)',
  reports: 'which of the reports are made (reports)',
  recipients: 'which of the recipients get them (recipients)',
  reason: 'a reason for the log (reason)',
}

const triggers = shape('ReportTrigger', () =>
  z.discriminatedUnion('type', [
    z
      .strictObject({
        ...triggerMembers,
        type: z.literal('schedule'),
        cron: line(200).optional().meta({ hint: 'Minute, hour, day, month, weekday' }),
        once: z.iso.datetime().optional().meta({ hint: 'In place of cron.', control: 'time' }),
        /** On days with a clock change each time fires once, also when `cron` names every hour. */
        everyTimeOnce: z
          .boolean()
          .default(false)
          .meta({ label: 'Each time once on days with a clock change', advanced: true, order: 2 }),
        maxDelayMinutes: z.int().min(0).max(1440).default(60).meta({ label: 'Minutes it may be late' }),
      })
      .meta({ start: { cron: '0 7 * * 1' } }),
    z.strictObject({
      ...triggerMembers,
      type: z.literal('qlikEvent'),
      event: z.enum(['taskSucceeded', 'taskFailed', 'taskAborted', 'appReloaded']).meta({
        label: 'When',
        texts: {
          taskSucceeded: 'a task succeeds',
          taskFailed: 'a task fails',
          taskAborted: 'a task is aborted',
          appReloaded: 'an app is reloaded',
        },
      }),
      match: z
        .strictObject({
          taskId: ids(100).meta({ label: 'Ids of tasks' }),
          tag: z.array(line(256)).max(100).default([]).meta({ label: 'Tags of tasks' }),
          customProperty: z
            .array(z.strictObject({ name: line(256), value: line(256) }).meta({ title: 'Custom property' }))
            .max(100)
            .default([])
            .meta({ label: 'Custom properties', order: 1 }),
          appId: ids(100).meta({ label: 'Ids of apps' }),
        })
        .prefault({}),
      mode: z
        .enum(['any', 'all'])
        .default('any')
        .meta({ label: 'Of several', texts: { any: 'any one', all: 'all' } }),
      withinMinutes: z.int().min(1).max(525_600).nullable().default(null).meta({ label: 'All within minutes' }),
    }),
    z
      .strictObject({
        ...triggerMembers,
        type: z.literal('reportTask'),
        taskId: id().meta({ label: 'After', lookup: 'task' }),
        on: z.array(z.enum(OUTCOMES)).min(1).max(5).meta({ label: 'Outcomes' }),
      })
      .meta({ title: 'Another report task', start: { on: ['success'] } }),
    z
      .strictObject({
        ...triggerMembers,
        type: z.literal('mqtt'),
        topic: line(1000),
        equals: z.string().max(10_000).optional().meta({ label: 'Payload', hint: 'Empty: every message' }),
        /** Options of a start that a message may set: its sender proves nothing to Footman. */
        allowedOptions: z.array(z.enum(OPTIONS)).max(OPTIONS.length).default([]).meta({
          label: 'A message may say',
          hint: 'Every sender of the broker may, without credentials of Footman. A message that says more starts nothing.',
          texts: MESSAGE_TEXTS,
        }),
      })
      .meta({ title: 'MQTT message' }),
    z
      .strictObject({ ...triggerMembers, type: z.literal('keyValue'), namespace: line(256), key: line(256) })
      .meta({ title: 'Key-value pair' }),
  ]),
)
export type Trigger = z.output<ReturnType<typeof triggers>>
export type TriggerOf<Type extends Trigger['type']> = Extract<Trigger, { readonly type: Type }>

const notification = shape('ReportNotification', () =>
  z
    .strictObject({
      on: z
        .array(z.enum(['success', 'warning', 'error', 'skipped', 'recovered']))
        .min(1)
        .max(5)
        .meta({ label: 'After' }),
      recipients: z.array(address()).min(1).max(50).meta({ label: 'Addresses', hint: 'One a line' }),
      attachLog: z.boolean().default(true).meta({ label: 'With the log' }),
      subject: pattern.optional().meta(PATTERN),
    })
    .meta({ title: 'Outcome mail', start: { on: ['error'] } }),
)
export type Notification = z.output<ReturnType<typeof notification>>

export const reportTask = shape('ReportTaskInput', () =>
  z
    .strictObject({
      project,
      name,
      description: description(),
      enabled: z.boolean().default(false).meta({ label: 'Triggers start it' }),
      tags: tags(),
      reports: z.array(reportUse()).max(50).default([]).meta({ group: 'reports', ordered: true }),
      filterIds: ids(50).meta({ ...FILTERS, group: 'data' }),
      conditionIds: ids(20).meta({ ...CONDITIONS, group: 'data' }),
      recipients: z.array(recipientRef()).max(1000).default([]).meta({ group: 'recipients' }),
      email: z
        .strictObject({
          enabled: z.boolean().default(false).meta({ label: 'Send mails', order: -3 }),
          from: line(320).nullable().default(null).meta({ label: 'Sender' }),
          replyTo: line(320).nullable().default(null).meta({ label: 'Answers to' }),
          cc: z
            .array(address())
            .max(50)
            .default([])
            .meta({ label: 'Copies (Cc)', hint: 'One address a line; of every mail' }),
          bcc: z.array(address()).max(50).default([]).meta({ label: 'Blind copies (Bcc)' }),
          subject: pattern
            .refine((value) => value.length >= 1 && value.length <= 500, 'must be 1-500 characters')
            .default('{task} {date:yyyy-MM-dd}')
            .meta({ ...PATTERN, order: -2 }),
          template: line(100).default('default').meta({ label: 'Mail template' }),
          message: z
            .string()
            .max(20_000)
            .default('')
            .meta({ control: 'area', hint: 'Stands above the list of files', order: -2 }),
          priority: z.enum(['high', 'normal', 'low']).default('normal'),
          grouping: z
            .enum(['perRecipient', 'perDocument', 'single'])
            .default('perRecipient')
            .meta({
              label: 'Mails',
              texts: {
                perRecipient: 'one for each person',
                perDocument: 'one for each document',
                single: 'one to all',
              },
              order: -1,
            }),
        })
        .prefault({})
        .meta({ group: 'delivery' }),
      storage: z
        .array(
          z
            .strictObject({
              spaceId: z
                .string()
                .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
                .meta({ label: 'Storage space', lookup: 'space' }),
              folder: pattern.default('').meta(PATTERN),
              onExists: z
                .enum(['overwrite', 'suffix', 'skip', 'fail'])
                .default('overwrite')
                .meta({ label: 'A file that exists' }),
              reports: z.array(key()).max(50).optional().meta({ label: 'Only these keys of reports' }),
            })
            .meta({ title: 'Storage space' }),
        )
        .max(10)
        .default([])
        .meta({ group: 'delivery' }),
      hub: z
        .strictObject({
          enabled: z.boolean().default(false).meta({ label: 'Publish in the hub' }),
          title: pattern.default('{task} {date:yyyy-MM-dd}').meta({ label: 'Title in the hub', ...PATTERN }),
          retentionDays: z.int().min(0).optional().meta({ label: 'Days to keep' }),
          retentionVersions: z.int().min(0).optional().meta({ label: 'Versions to keep' }),
        })
        .prefault({})
        .meta({ group: 'delivery' }),
      triggers: z.array(triggers()).max(20).default([]).meta({ group: 'triggers' }),
      notifications: z
        .array(notification())
        .max(10)
        .default([])
        .meta({ label: 'Outcome mails', group: 'outcome-mails' }),
      testMode: z
        .strictObject({
          enabled: z.boolean().default(false).meta({ label: 'Test mode' }),
          address: address().nullable().default(null).meta({ label: 'Test address' }),
          storage: z
            .enum(['subfolder', 'skip', 'normal'])
            .default('subfolder')
            .meta({
              label: 'Files of a test',
              texts: { subfolder: 'into a folder of their own', skip: 'are not written', normal: 'as usual' },
            }),
        })
        .refine(({ enabled, address: to }) => !enabled || to !== null, 'enabled needs an address')
        .prefault({})
        .meta({ group: 'test' }),
      run: z
        .strictObject({
          evaluateAs: z
            .enum(['service', 'recipient'])
            .default('service')
            .meta({ label: 'Data are read as', texts: { service: 'the service user', recipient: 'each recipient' } }),
          whenBusy: z.enum(['coalesce', 'queue', 'skip']).default('coalesce').meta({ label: 'Start during a run' }),
          timeoutMinutes: z.int().min(1).max(1440).default(120).meta({ label: 'Minutes at most' }),
          onReportError: z.enum(['continue', 'stop']).default('continue').meta({ label: 'After an error of a report' }),
          priority: z.int().min(1).max(9).default(5).meta({ label: 'Priority (9 first)' }),
        })
        .prefault({})
        .meta({ group: 'data' }),
    })
    .meta({ start: { email: { enabled: true } } }),
)
export type ReportTask = z.output<ReturnType<typeof reportTask>>

/** Everything that a run uses, copied when it starts. Later edits do not touch the run. */
export interface Definition {
  readonly task: Stored<ReportTask>
  readonly reports: readonly Stored<Report>[]
  readonly filters: readonly Stored<ReportFilter>[]
  readonly conditions: readonly Stored<ReportCondition>[]
  readonly recipients: readonly Stored<Recipient>[]
  readonly groups: readonly Stored<RecipientGroup>[]
}
