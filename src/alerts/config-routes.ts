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
  globText,
  list,
  map,
  name,
  nameText,
  noted,
  object,
  oneOrMany,
  optionalChoice,
  patternText,
  section,
  text,
  windowObject,
  windowReference,
  word,
} from '../config/fields.ts'
import { EVENT_OUTCOMES, EVENT_SOURCES, EVENT_TYPES, SEVERITIES } from '../events/kinds.ts'

const tags = (description: string) =>
  z
    .union([
      globText,
      z.array(globText),
      object(() => ({ all: z.array(globText).meta({ description: 'Globs that must all be found.' }) })),
    ])
    .transform((value) => {
      if (typeof value === 'string') return { any: [value] }
      return Array.isArray(value) ? { any: value } : value
    })
    .optional()
    .meta({ description })

const properties = (description: string) =>
  z.record(z.string(), oneOrMany('Values.', globText)).optional().meta({ description })

const ids = (description: string) => oneOrMany(description, z.string()).optional()

/** All given fields must hold. */
export const eventMatch = object(() => ({
  type: oneOrMany('Kinds of subjects.', word(EVENT_TYPES)).optional().meta({
    description: 'Kinds of subjects.',
    defaultText: 'all but appReload; in except, maintenance and snoozes: all',
  }),
  outcome: z
    .union([
      z.literal('*').transform((): readonly (typeof EVENT_OUTCOMES)[number][] => EVENT_OUTCOMES),
      oneOrMany('', word(EVENT_OUTCOMES)),
    ])
    .optional()
    .meta({ description: 'Outcomes, or "*".', defaultText: 'all but success, started, status, cleared' }),
  source: oneOrMany('Where the event comes from.', word(EVENT_SOURCES)).optional(),
  severity: oneOrMany('Severities.', word(SEVERITIES)).optional(),
  code: oneOrMany("Codes of Footman's own alerts.", z.string()).optional(),
  task: globs('Names of tasks.'),
  app: globs('Names of apps.'),
  stream: globs('Names of streams; "" = unpublished.'),
  owner: globs('Owners of apps, DIR\\id.'),
  user: globs('Users, DIR\\id.'),
  host: globs('Sending or executing node.'),
  service: globs('Names of Windows services.'),
  taskId: ids('Task ids.'),
  appId: ids('App ids.'),
  taskTag: tags('Tags of the task.'),
  appTag: tags('Tags of the app.'),
  taskProperty: properties('Custom properties of the task and their values.'),
  appProperty: properties('Custom properties of the app and their values.'),
  message: patternText
    .optional()
    .meta({ description: 'Glob or /regular expression/ for the log message and the script log.' }),
  manual: z.boolean().optional().meta({ description: 'Made by a manual reload.' }),
  consecutiveFailures: comparison('Failed or aborted executions in a row, like ">=3".', 'number'),
  duration: comparison('Run time, like ">30m".', 'duration'),
  sinceSuccess: comparison('Time since the last success, like ">2d".', 'duration'),
  during: oneOrMany('Windows in which the event happens.', windowReference).optional(),
}))

const matches = (description: string) => oneOrMany(description, eventMatch)

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
  fallback: list('Destinations used when a delivery is dead or late.', nameText),
  fallbackAfter: duration('When an undelivered message counts as late.', '5m'),
  group: choice('chain: one message per broken chain of tasks.', ['none', 'chain'], 'none'),
  groupWindow: duration('How long a chain stays grouped.', '1h'),
}

/** An unknown key is an error: a misspelt condition would alert no one, or everyone. */
const closed = <T extends z.ZodType>(description: string, schema: T): T => noted(schema, { description, closed: true })

const route = closed(
  'A rule.',
  object(() => ({
    name: name('Shown in deliveries.'),
    enable: flag('Use the rule.', true),
    match: matches('Events that are for the rule; a list means any of them.').optional(),
    except: matches('Events that are not for the rule.').optional(),
    to: z
      .array(target)
      .min(1)
      .max(20)
      .meta({ description: 'Destinations: names, or {destination: name, <setting>: value}.' }),
    severity: optionalChoice('Severity of the messages.', SEVERITIES),
    title: text('Template of the title.', '', { defaultText: 'built-in title' }),
    body: text('Template of the body.', '', { defaultText: 'built-in body' }),
    template: file('File with the template of the body.'),
    limit: limit.prefault('1/5m').meta({ description: 'Messages per key and destination, like 1/5m, or none.' }),
    limitPer: choice('The key of the limit.', ['subject', 'app', 'route'], 'subject'),
    recovery: z
      .union([z.boolean(), z.literal('auto')])
      .default('auto')
      .meta({
        description: 'Also send a message when all is well again: true, false, or auto = where it closes an incident.',
      }),
    ...grouping,
    stop: flag('Later rules are not looked at for an event of this one.'),
  })),
)

export const alertRoutes = list('Which events go to which destinations, beside the sections of Butler.', route)

export const butlerRoutes = section('Additions to the rules made of the sections of Butler.', () => ({
  recovery: flag('Also send a message when all is well again.'),
  ...grouping,
  disable: list('Rules to switch off, like butler.slackNotification.serviceStarted.', z.string()),
}))

export const windows = map('Windows of time, by name.', windowObject, nameText)

export const maintenance = list(
  'Times in which alerts are suppressed.',
  closed(
    'A maintenance.',
    object(() => ({
      name: name('Name of the maintenance.'),
      during: oneOrMany('Windows.', windowReference),
      match: matches('Events that are held back.').optional().meta({ defaultText: 'all' }),
      stopSchedules: flag("Footman's own schedules do not fire."),
      summaryTo: list('Destinations of a summary at the end.', nameText),
    })),
  ),
)

export const selfAlerts = section('Alerts about Footman itself.', () => ({
  enable: flag('Raise them.', true),
  to: list('Destinations; empty = log only.', nameText),
}))

export type AlertRouteConfig = z.output<typeof route>
export type MatchConfig = z.output<typeof eventMatch>
export type ButlerRoutesConfig = z.output<typeof butlerRoutes>
export type MaintenanceConfig = z.output<typeof maintenance>[number]
export type SelfAlertsConfig = z.output<typeof selfAlerts>
