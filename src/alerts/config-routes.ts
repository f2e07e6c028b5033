/** `Butler.footman.alertRoutes` and what belongs to it: windows, maintenance, self-alerts. */
import { z } from 'zod'
import {
  choice,
  comparison,
  duration,
  durationField,
  file,
  flag,
  globs,
  list,
  map,
  name,
  nameText,
  noted,
  object,
  oneOrMany,
  optionalChoice,
  patternText,
  properties,
  section,
  tags,
  taskFields,
  text,
  windowObject,
  windowReference,
  word,
} from '../config/fields.ts'
import { EVENT_OUTCOMES, EVENT_SOURCES, EVENT_TYPES, SEVERITIES } from '../events/kinds.ts'

/** Kinds of subjects as people write them. */
const KIND_TEXTS = {
  externalProgram: 'external program',
  userSync: 'user sync',
  distribute: 'distribution',
  cloudReload: 'Qlik Cloud reload',
  appReload: 'app reload without a task',
  self: 'Footman itself',
}

/** All given fields must hold. */
export const eventMatch = object(() => ({
  type: oneOrMany('Kinds of subjects.', word(EVENT_TYPES)).optional().meta({
    description: 'Kinds of subjects.',
    defaultText: 'all but appReload; in except, maintenance and snoozes: all',
    label: 'Kinds of subjects',
    hint: 'None = all but reloads of apps without a task.',
    texts: KIND_TEXTS,
    group: 'match',
    advanced: true,
  }),
  outcome: z
    .union([
      z.literal('*').transform((): readonly (typeof EVENT_OUTCOMES)[number][] => EVENT_OUTCOMES),
      oneOrMany('', word(EVENT_OUTCOMES)),
    ])
    .optional()
    .meta({
      description: 'Outcomes, or "*".',
      defaultText: 'all but success, started, status, cleared',
      label: 'Outcomes',
      hint: 'None = all but success, started, status and cleared; in exceptions all.',
      texts: { neverStarted: 'never started' },
      group: 'match',
    }),
  source: oneOrMany('Where the event comes from.', word(EVENT_SOURCES))
    .optional()
    .meta({ label: 'Sources', group: 'match', advanced: true }),
  severity: oneOrMany('Severities.', word(SEVERITIES))
    .optional()
    .meta({ label: 'Severities', group: 'match', advanced: true }),
  code: oneOrMany("Codes of Footman's own alerts.", z.string())
    .optional()
    .meta({ label: 'Codes', group: 'match', advanced: true }),
  ...taskFields(),
  owner: globs('Owners of apps, DIR\\id.').meta({ label: 'Owners', lookup: 'person', group: 'match', advanced: true }),
  user: globs('Users, DIR\\id.').meta({ label: 'Users', lookup: 'person', group: 'match', advanced: true }),
  host: globs('Sending or executing node.').meta({ label: 'Nodes', lookup: 'node', group: 'match', advanced: true }),
  service: globs('Names of Windows services.').meta({ label: 'Windows services', group: 'match', advanced: true }),
  appTag: tags('Tags of the app.').meta({ label: 'Tags of the app', group: 'match', advanced: true }),
  appProperty: properties('Custom properties of the app and their values.').meta({
    label: 'Custom properties of the app',
    group: 'match',
    advanced: true,
  }),
  message: patternText.optional().meta({
    description: 'Glob or /regular expression/ for the log message and the script log.',
    label: 'Text of the log',
    hint: 'With * as in *out of memory*, or a /regular expression/.',
    group: 'match',
    advanced: true,
  }),
  manual: z
    .boolean()
    .optional()
    .meta({
      description: 'Made by a manual reload.',
      label: 'Reloads by hand',
      texts: { '': 'with and without', true: 'only these', false: 'without these' },
      group: 'match',
      advanced: true,
    }),
  consecutiveFailures: comparison('Failed or aborted executions in a row, like ">=3".', 'number').meta({
    label: 'Failures in a row',
    hint: 'Like >=3.',
    group: 'match',
  }),
  duration: comparison('Run time, like ">30m".', 'duration').meta({
    label: 'Run time',
    group: 'match',
    advanced: true,
  }),
  sinceSuccess: comparison('Time since the last success, like ">2d".', 'duration').meta({
    label: 'Since the last success',
    group: 'match',
    advanced: true,
  }),
  during: oneOrMany('Windows in which the event happens.', windowReference).optional().meta({
    label: 'During',
    hint: 'Names of windows; they are made in Schedules > Calendars and windows.',
    lookup: 'window',
    group: 'match',
  }),
}))

const matches = (description: string) => oneOrMany(description, eventMatch.meta({ title: 'Condition' }))

const limit = z.string().transform((value, context): { count: number; windowMs: number } | null => {
  if (value.trim().toLowerCase() === 'none') return null
  const match = /^(\d+)\/(\S+)$/.exec(value.trim())
  const window = match ? durationField().safeParse(match[2]) : undefined
  const allowed = Number(match?.[1] ?? 0)
  if (window?.success && allowed >= 1 && allowed <= 1_000_000) return { count: allowed, windowMs: window.data }
  context.addIssue({
    code: 'custom',
    input: value,
    message: `must be none or <number>/<duration> like 1/5m, found "${value}"`,
  })
  return z.NEVER
})

const target = z.union([
  nameText.transform((destination) => ({ destination })),
  z.looseObject({
    destination: nameText.meta({ description: 'Name of the destination; further keys override its settings.' }),
  }),
])

const grouping = {
  fallback: list('Destinations used when a delivery is dead or late.', nameText).meta({
    label: 'Fallback',
    lookup: 'destination',
    group: 'to',
    advanced: true,
  }),
  fallbackAfter: duration('When an undelivered message counts as late.', '5m').meta({
    label: 'Late after',
    group: 'to',
    advanced: true,
  }),
  group: choice('chain: one message per broken chain of tasks.', ['none', 'chain'], 'none').meta({
    label: 'Group',
    texts: { none: 'each task by itself', chain: 'one message per chain of tasks' },
    group: 'limits',
    advanced: true,
  }),
  groupWindow: duration('How long a chain stays grouped.', '1h').meta({
    label: 'Grouped for',
    group: 'limits',
    advanced: true,
  }),
}

/** An unknown key is an error: a misspelt condition would alert no one, or everyone. */
const closed = <T extends z.ZodType>(description: string, schema: T): T => noted(schema, { description, closed: true })

/** An entry of `alertRoutes`. */
export const alertRoute = closed(
  'A rule.',
  object(() => ({
    name: name('Shown in deliveries.').meta({ label: 'Name', group: 'rule' }),
    enable: flag('Use the rule.', true).meta({ label: 'Switched on', group: 'rule' }),
    match: matches('Events that are for the rule; a list means any of them.')
      .optional()
      .meta({ label: 'Events', group: 'match' }),
    except: matches('Events that are not for the rule.')
      .optional()
      .meta({ label: 'Except', group: 'match', advanced: true }),
    to: z.array(target).min(1).max(20).meta({
      description: 'Destinations: names, or {destination: name, <setting>: value}.',
      label: 'Send to',
      hint: 'Destinations of the messages.',
      lookup: 'destination',
      group: 'to',
    }),
    severity: optionalChoice('Severity of the messages.', SEVERITIES).meta({
      label: 'Severity',
      texts: { '': 'as the event' },
      group: 'message',
      advanced: true,
    }),
    title: text('Template of the title.', '', { defaultText: 'built-in title' }).meta({
      label: 'Title',
      group: 'message',
      advanced: true,
    }),
    body: text('Template of the body.', '', { defaultText: 'built-in body' }).meta({
      label: 'Text',
      control: 'area',
      group: 'message',
      advanced: true,
    }),
    template: file('File with the template of the body.').meta({
      label: 'Template file',
      group: 'message',
      advanced: true,
    }),
    limit: limit.prefault('1/5m').meta({
      description: 'Messages per key and destination, like 1/5m, or none.',
      label: 'Limit',
      hint: 'Messages in a time, like 1/5m, or none.',
      group: 'limits',
    }),
    limitPer: choice('The key of the limit.', ['subject', 'app', 'route'], 'subject').meta({
      label: 'Limit for',
      texts: { subject: 'each task or other subject', app: 'each app', route: 'the whole rule' },
      group: 'limits',
      advanced: true,
    }),
    recovery: z
      .union([z.boolean(), z.literal('auto')])
      .default('auto')
      .meta({
        description: 'Also send a message when all is well again: true, false, or auto = where it closes an incident.',
        label: 'When all is well again',
        hint: 'Automatic: a message where it closes an incident.',
        texts: { auto: 'automatic', true: 'send a message', false: 'no message' },
        group: 'message',
      }),
    ...grouping,
    stop: flag('Later rules are not looked at for an event of this one.').meta({
      label: 'Last rule for these events',
      group: 'limits',
      advanced: true,
    }),
  })),
)

export const alertRoutes = list('Which events go to which destinations, beside the sections of Butler.', alertRoute)

export const butlerRoutes = section('Additions to the rules made of the sections of Butler.', () => ({
  recovery: flag('Also send a message when all is well again.').meta({
    label: 'Recovery messages of the sections of Butler',
  }),
  ...grouping,
  disable: list('Rules to switch off, like butler.slackNotification.serviceStarted.', z.string()),
}))

export const windows = map('Windows of time, by name.', windowObject, nameText)

/** An entry of `maintenance`. */
export const recurringMaintenance = closed(
  'A maintenance.',
  object(() => ({
    name: name('Name of the maintenance.').meta({ label: 'Name', group: 'maintenance' }),
    during: oneOrMany('Windows.', windowReference).meta({
      label: 'Windows',
      hint: 'Names of windows in which alerts are suppressed; they are made in Schedules > Calendars and windows.',
      lookup: 'window',
      group: 'maintenance',
    }),
    match: matches('Events that are held back.')
      .optional()
      .meta({ defaultText: 'all', label: 'Events', hint: 'Events that are held back; none = all.', group: 'match' }),
    stopSchedules: flag("Footman's own schedules do not fire.").meta({
      label: 'Stop schedules of Footman',
      group: 'maintenance',
    }),
    summaryTo: list('Destinations of a summary at the end.', nameText).meta({
      label: 'Summary to',
      lookup: 'destination',
      group: 'maintenance',
    }),
  })),
)

export const maintenance = list('Times in which alerts are suppressed.', recurringMaintenance)

export const selfAlerts = section('Alerts about Footman itself.', () => ({
  enable: flag('Raise them.', true).meta({
    label: 'Alerts about Footman',
    hint: 'Raise alerts when Footman itself has a fault, such as a full disk or a destination that refuses.',
  }),
  to: list('Destinations; empty = log only.', nameText).meta({
    label: 'Receivers of alerts about Footman',
    lookup: 'destination',
  }),
}))

export type AlertRouteConfig = z.output<typeof alertRoute>
export type MatchConfig = z.output<typeof eventMatch>
export type ButlerRoutesConfig = z.output<typeof butlerRoutes>
export type MaintenanceConfig = z.output<typeof maintenance>[number]
export type SelfAlertsConfig = z.output<typeof selfAlerts>
