/** Report tasks: reports, recipients, delivery, triggers, notifications. */
import { z } from 'zod'
import { once } from '../../platform/once.ts'
import type { ReportCondition } from './condition.ts'
import type { Stored } from './fields.ts'
import {
  address,
  description,
  expression,
  fieldName,
  id,
  ids,
  key,
  line,
  name,
  pattern,
  project,
  tags,
  zone,
} from './fields.ts'
import type { ReportFilter } from './filter.ts'
import type { Recipient, RecipientGroup } from './recipient.ts'
import { FORMATS, type Report } from './report.ts'
import { OPTIONS } from './start-options.ts'

const reach = { email: z.boolean().default(true), hub: z.boolean().default(false) }

const recipientRef = once(() =>
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('recipient'), recipientId: id(), ...reach }),
    z.strictObject({ type: z.literal('group'), groupId: id(), ...reach }),
    z.strictObject({ type: z.literal('address'), address: address(), ...reach }),
    z.strictObject({ type: z.literal('expression'), expr: expression(), ...reach }),
  ]),
)

export const formatOptions = once(() =>
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
const secretRef = once(() =>
  z
    .string()
    .regex(
      /^secretRef:[A-Za-z0-9_-]{1,64}$/,
      'must be secretRef: and the name of a secret; passwords themselves are refused',
    ),
)

const cycle = once(() =>
  z.strictObject({
    fields: z.array(fieldName()).min(1).max(3),
    maxDocuments: z.int().min(1).max(5000).default(200),
    emailTo: expression().nullable().default(null),
    hubTo: expression().nullable().default(null),
    folder: expression().nullable().default(null),
    alsoRecipients: z.boolean().default(false),
  }),
)

export const reportUse = once(() =>
  z.strictObject({
    key: key(),
    reportId: id(),
    format: z.enum(FORMATS),
    fileName: pattern.default('{report}{cycle}_{date:yyyy-MM-dd_HH-mm}'),
    block: key().optional(),
    options: formatOptions().prefault({}),
    filterIds: ids(50),
    conditionIds: ids(20),
    conditionScope: z.enum(['report', 'cycleValue']).default('report'),
    cycle: cycle().nullable().default(null),
    deliver: z
      .strictObject({
        email: z.enum(['none', 'attach', 'embed']).default('attach'),
        storage: z.boolean().default(true),
        hub: z.boolean().default(true),
      })
      .prefault({}),
    zip: z.enum(['none', 'perReport', 'perMail', 'perFolder']).default('none'),
    protect: z
      .strictObject({ zipPassword: secretRef().optional(), pdfPassword: secretRef().optional() })
      .nullable()
      .default(null),
  }),
)
export type ReportUse = z.output<ReturnType<typeof reportUse>>

export const OUTCOMES = ['success', 'warning', 'error', 'skipped', 'cancelled'] as const
export type Outcome = (typeof OUTCOMES)[number]

const triggerMembers = {
  id: id().optional(),
  name: line(200, 0).default(''),
  enabled: z.boolean().default(true),
  start: z.iso.datetime().nullable().default(null),
  end: z.iso.datetime().nullable().default(null),
  timezone: zone().optional(),
}

const triggers = once(() =>
  z.discriminatedUnion('type', [
    z.strictObject({
      ...triggerMembers,
      type: z.literal('schedule'),
      cron: line(200).optional(),
      once: z.iso.datetime().optional(),
      /** On days with a clock change each time fires once, also when `cron` names every hour. */
      everyTimeOnce: z.boolean().default(false),
      maxDelayMinutes: z.int().min(0).max(1440).default(60),
    }),
    z.strictObject({
      ...triggerMembers,
      type: z.literal('qlikEvent'),
      event: z.enum(['taskSucceeded', 'taskFailed', 'taskAborted', 'appReloaded']),
      match: z
        .strictObject({
          taskId: ids(100),
          tag: z.array(line(256)).max(100).default([]),
          customProperty: z
            .array(z.strictObject({ name: line(256), value: line(256) }))
            .max(100)
            .default([]),
          appId: ids(100),
        })
        .prefault({}),
      mode: z.enum(['any', 'all']).default('any'),
      withinMinutes: z.int().min(1).max(525_600).nullable().default(null),
    }),
    z.strictObject({
      ...triggerMembers,
      type: z.literal('reportTask'),
      taskId: id(),
      on: z.array(z.enum(OUTCOMES)).min(1).max(5),
    }),
    z.strictObject({
      ...triggerMembers,
      type: z.literal('mqtt'),
      topic: line(1000),
      equals: z.string().max(10_000).optional(),
      /** Options of a start that a message may set: its sender proves nothing to Footman. */
      allowedOptions: z.array(z.enum(OPTIONS)).max(OPTIONS.length).default([]),
    }),
    z.strictObject({ ...triggerMembers, type: z.literal('keyValue'), namespace: line(256), key: line(256) }),
  ]),
)
export type Trigger = z.output<ReturnType<typeof triggers>>
export type TriggerOf<Type extends Trigger['type']> = Extract<Trigger, { readonly type: Type }>

const notification = once(() =>
  z.strictObject({
    on: z
      .array(z.enum(['success', 'warning', 'error', 'skipped', 'recovered']))
      .min(1)
      .max(5),
    recipients: z.array(address()).min(1).max(50),
    attachLog: z.boolean().default(true),
    subject: pattern.optional(),
  }),
)
export type Notification = z.output<ReturnType<typeof notification>>

export const reportTask = once(() =>
  z.strictObject({
    project,
    name,
    description: description(),
    enabled: z.boolean().default(false),
    tags: tags(),
    reports: z.array(reportUse()).max(50).default([]),
    filterIds: ids(50),
    conditionIds: ids(20),
    recipients: z.array(recipientRef()).max(1000).default([]),
    email: z
      .strictObject({
        enabled: z.boolean().default(false),
        from: line(320).nullable().default(null),
        replyTo: line(320).nullable().default(null),
        cc: z.array(address()).max(50).default([]),
        bcc: z.array(address()).max(50).default([]),
        subject: pattern
          .refine((value) => value.length >= 1 && value.length <= 500, 'must be 1-500 characters')
          .default('{task} {date:yyyy-MM-dd}'),
        template: line(100).default('default'),
        message: z.string().max(20_000).default(''),
        priority: z.enum(['high', 'normal', 'low']).default('normal'),
        grouping: z.enum(['perRecipient', 'perDocument', 'single']).default('perRecipient'),
      })
      .prefault({}),
    storage: z
      .array(
        z.strictObject({
          spaceId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
          folder: pattern.default(''),
          onExists: z.enum(['overwrite', 'suffix', 'skip', 'fail']).default('overwrite'),
          reports: z.array(key()).max(50).optional(),
        }),
      )
      .max(10)
      .default([]),
    hub: z
      .strictObject({
        enabled: z.boolean().default(false),
        title: pattern.default('{task} {date:yyyy-MM-dd}'),
        retentionDays: z.int().min(0).optional(),
        retentionVersions: z.int().min(0).optional(),
      })
      .prefault({}),
    triggers: z.array(triggers()).max(20).default([]),
    notifications: z.array(notification()).max(10).default([]),
    testMode: z
      .strictObject({
        enabled: z.boolean().default(false),
        address: address().nullable().default(null),
        storage: z.enum(['subfolder', 'skip', 'normal']).default('subfolder'),
      })
      .refine(({ enabled, address: to }) => !enabled || to !== null, 'enabled needs an address')
      .prefault({}),
    run: z
      .strictObject({
        evaluateAs: z.enum(['service', 'recipient']).default('service'),
        whenBusy: z.enum(['coalesce', 'queue', 'skip']).default('coalesce'),
        timeoutMinutes: z.int().min(1).max(1440).default(120),
        onReportError: z.enum(['continue', 'stop']).default('continue'),
        priority: z.int().min(1).max(9).default(5),
      })
      .prefault({}),
  }),
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
