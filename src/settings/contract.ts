/** The contracts of stored settings. Values stand as they would in the configuration file; secrets are `********`. */
import { z } from 'zod'
import { EVENT_OUTCOMES } from '../events/kinds.ts'
import { type AnswerOf, contract, type Shape } from '../http/endpoint/contract.ts'
import { LIST_PARAMETERS, queryField } from '../http/endpoint/list-query.ts'
import { SETTING_KINDS } from './kinds.ts'

const kind = () => z.enum(SETTING_KINDS)
const issue = () => z.strictObject({ path: z.string().describe('JSON pointer into the value.'), message: z.string() })

const use = () =>
  z.strictObject({
    path: z.string().describe('Key below `Butler`, or what names it outside the configuration: `schedule Monday`.'),
    file: z.string().nullable().describe('null = a stored setting, or outside the configuration.'),
    line: z.int().nullable(),
    setting: z.strictObject({ kind: kind(), name: z.string() }).nullable(),
  })
/** One place that names an entry. */
export type SettingUse = Shape<typeof use>

const setting = () =>
  z.strictObject({
    kind: kind(),
    name: z.string(),
    source: z.enum(['file', 'console']),
    state: z
      .enum(['used', 'hidden', 'unusable'])
      .describe('`hidden`: the file has an entry of that name. `unusable`: kept, not used, see `issues`.'),
    value: z.unknown().describe('As in the configuration file, without the name. Secrets are `********`.'),
    revision: z.int().nullable().describe('For `If-Match`; null = in the file.'),
    changedAt: z.string().nullable(),
    changedBy: z.string().nullable(),
    file: z.string().nullable().describe('Where it stands, or what hides it.'),
    line: z.int().nullable(),
    issues: z.array(issue()),
    usedBy: z.array(use()),
  })
export type Setting = Shape<typeof setting>

const change = () =>
  z.strictObject({
    kind: kind(),
    name: z.string(),
    revision: z.int(),
    at: z.string(),
    by: z.string(),
    via: z.string().describe('`console`, `api`.'),
    requestId: z.string(),
    deleted: z.boolean(),
    value: z.unknown().describe('After the change; null = deleted.'),
    difference: z.array(z.string()).describe('Lines of what changed; secrets only as changed.'),
  })
export type SettingChange = Shape<typeof change>

const dryRun = () => z.object({ dryRun: queryField.boolean().describe('Only checks.').optional() })
const params = () => z.object({ kind: kind(), name: z.string().max(200) })
const REFUSED = {
  403: 'The caller has not the scope for this kind, or for what the value asks.',
  404: 'There is no such setting.',
  409: 'It has another revision, is in use, stands in the file, or settings are locked.',
  428: 'The revision that is to be replaced is not said (`If-Match`).',
} as const

export const SETTINGS = contract({
  method: 'GET',
  path: '/v4/settings',
  answers: () => ({
    200: z
      .strictObject({
        editable: z.boolean(),
        locked: z.string().nullable().describe('Why nothing may be changed.'),
        kinds: z.array(
          z.strictObject({
            kind: kind(),
            stored: z.int(),
            inFile: z.int(),
            unusable: z.int(),
            hidden: z.int(),
          }),
        ),
      })
      .describe('The kinds of settings.'),
  }),
})
export type Settings = AnswerOf<typeof SETTINGS>

export const SETTINGS_OF = contract({
  method: 'GET',
  path: '/v4/settings/{kind}',
  params: () => z.object({ kind: kind() }),
  answers: () => ({
    200: z.strictObject({ settings: z.array(setting()) }).describe('Those of the file first, in its order.'),
  }),
})
export type SettingsOf = AnswerOf<typeof SETTINGS_OF>

export const SETTING = contract({
  method: 'GET',
  path: '/v4/settings/{kind}/{name}',
  params,
  answers: () => ({ 200: setting().describe('The setting.'), 404: REFUSED[404] }),
})

export const PUT_SETTING = contract({
  method: 'PUT',
  path: '/v4/settings/{kind}/{name}',
  params,
  query: dryRun,
  body: () =>
    z.object({
      value: z
        .unknown()
        .describe('As in the configuration file, without the name. `********` keeps the stored secret.'),
      name: z.string().max(200).optional().describe('A new name; stored settings that name it follow.'),
    }),
  answers: () => ({
    200: setting().describe('Changed, and in use.'),
    201: setting().describe('Created, and in use.'),
    ...REFUSED,
  }),
})

export const DELETE_SETTING = contract({
  method: 'DELETE',
  path: '/v4/settings/{kind}/{name}',
  params,
  query: dryRun,
  answers: () => ({ 204: z.void().describe('Deleted.'), ...REFUSED }),
})

export const MOVE_SETTING = contract({
  method: 'PATCH',
  path: '/v4/settings/{kind}/{name}/position',
  params,
  body: () => z.object({ position: z.int().min(0).describe('Among the stored entries of the kind, from 0.') }),
  answers: () => ({ 200: setting().describe('The setting.'), ...REFUSED }),
})

export const SETTING_HISTORY = contract({
  method: 'GET',
  path: '/v4/settings/{kind}/{name}/history',
  params,
  answers: () => ({ 200: z.strictObject({ changes: z.array(change()) }).describe('Newest first.'), 404: REFUSED[404] }),
})

export const RESTORE_SETTING = contract({
  method: 'POST',
  path: '/v4/settings/{kind}/{name}/restore',
  params,
  query: dryRun,
  body: () =>
    z.object({
      revision: z
        .int()
        .min(0)
        .describe('The state after that change; 0 = before the first one. One more change is recorded.'),
    }),
  answers: () => ({
    200: z.strictObject({ setting: setting().nullable().describe('null = it was deleted.') }).describe('Restored.'),
    ...REFUSED,
  }),
})

const fileLines = () =>
  z.strictObject({
    file: z.string(),
    from: z.int().describe('The first line, from 1.'),
    to: z.int().describe('The last line.'),
    text: z.string().describe('The lines, with `********` for secrets and without the texts of comments.'),
    isAlone: z.boolean().describe('false: something else stands on these lines, too.'),
  })
/** Where an entry stands in the configuration file. */
export type FileLines = Shape<typeof fileLines>

export const ADOPT_SETTING = contract({
  method: 'POST',
  path: '/v4/settings/{kind}/{name}/adopt',
  params,
  query: dryRun,
  answers: () => ({
    200: z
      .strictObject({
        setting: setting(),
        lines: fileLines().describe('To be deleted from the file, which Footman never writes.'),
        followers: z
          .array(z.string())
          .describe('Entries of the file that come after it, and before it as soon as the lines are deleted.'),
      })
      .describe('Stored; the file wins until its lines are deleted and the file is read again.'),
    ...REFUSED,
  }),
})
export type AdoptedSetting = AnswerOf<typeof ADOPT_SETTING>

const attempt = () =>
  z.strictObject({
    target: z.string().describe('Where it went to: an address, a host, a topic.'),
    outcome: z
      .enum(['delivered', 'retry', 'rejected', 'suppressed'])
      .describe('`retry`: an alert would be tried again. `suppressed`: it would not be sent, see `detail`.'),
    status: z.int().nullable().describe('HTTP status of the answer; null without one.'),
    detail: z.string().describe('The answer of the receiver, cut, without secrets.'),
    durationMs: z.int(),
    subject: z.string().nullable(),
    body: z.string().nullable().describe('The message, without secrets; null when it was not made.'),
  })

const tested = () =>
  z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('destination'),
      attempts: z.array(attempt()).describe('One for each target of the message.'),
    }),
    z.strictObject({
      kind: z.literal('rule'),
      matched: z.int(),
      lookedAt: z.int().describe('Events that were asked about, the newest first, without tests.'),
      from: z.string().describe('Since when.'),
      partial: z.boolean().describe('There are more events in the last 7 days than could be looked at.'),
      newest: z
        .array(z.strictObject({ id: z.string(), at: z.string(), task: z.string(), outcome: z.enum(EVENT_OUTCOMES) }))
        .describe('The ten newest that it matches.'),
    }),
    z.strictObject({
      kind: z.literal('calendar'),
      days: z.array(z.string()).describe('The next 12 days, from today, within ten years.'),
      troubles: z.array(z.string()).describe('Why files cannot be used: days may be missing.'),
    }),
    z.strictObject({
      kind: z.literal('window'),
      periods: z
        .array(z.strictObject({ from: z.string(), to: z.string() }))
        .describe('The one that is open and the next, 12 together, within two years.'),
      troubles: z.array(z.string()),
    }),
    z.strictObject({
      kind: z.literal('policy'),
      tasks: z.int().describe('Those that it covers, without those of a policy before it.'),
      lookedAt: z.int().describe('Tasks of the site.'),
      stale: z.boolean().describe('Qlik Sense did not answer: the tasks as they were last known.'),
      first: z.array(z.strictObject({ id: z.string(), name: z.string(), app: z.string().nullable() })),
    }),
  ])
export type SettingTest = Shape<typeof tested>
export type SettingTestOf<K extends SettingTest['kind']> = Extract<SettingTest, { readonly kind: K }>

export const TEST_SETTING = contract({
  method: 'POST',
  path: '/v4/settings/{kind}/{name}/test',
  params,
  body: () =>
    z.object({
      value: z
        .unknown()
        .optional()
        .describe('A draft, with the rules of a change. Absent: the setting as it is stored, or in the file.'),
    }),
  answers: () => ({
    200: tested().describe('By kind.'),
    403: REFUSED[403],
    404: REFUSED[404],
    409: 'The kind has no test, or the draft cannot be used.',
  }),
})

/** Kinds whose entries in use are tested together. */
const TESTED_TOGETHER = ['calendar', 'window', 'policy'] as const
export type TestedTogether = (typeof TESTED_TOGETHER)[number]

export const SETTING_TESTS = contract({
  method: 'GET',
  path: '/v4/settings/tests',
  query: () =>
    z.object({ kind: queryField.word(TESTED_TOGETHER).describe('`policy` needs the scope `task:read` besides.') }),
  answers: () => ({
    200: z
      .strictObject({ tests: z.array(z.strictObject({ name: z.string(), found: tested() })) })
      .describe('Of the settings in use, those of the file included, in the order of the configuration.'),
  }),
})
export type SettingTests = AnswerOf<typeof SETTING_TESTS>

export const CALENDAR_DAYS = contract({
  method: 'GET',
  path: '/v4/settings/calendar/{name}/days',
  params: () => z.object({ name: z.string().max(200) }),
  query: () => z.object({ year: queryField.integer(1970, 2199).describe('Default: this year.').optional() }),
  answers: () => ({
    200: z
      .strictObject({
        year: z.int(),
        days: z.array(
          z.strictObject({
            day: z.string(),
            from: z.enum(['date', 'weekday', 'file']).describe('The part of the calendar that has the day.'),
            name: z.string().nullable().describe('In the file, such as that of a holiday.'),
          }),
        ),
        troubles: z.array(z.string()).describe('Why files cannot be used: days may be missing.'),
      })
      .describe('The days of a calendar in use.'),
    404: REFUSED[404],
  }),
})
export type CalendarDays = AnswerOf<typeof CALENDAR_DAYS>

export const SETTING_CHANGES = contract({
  method: 'GET',
  path: '/v4/settings/changes',
  query: () =>
    z.object({
      kind: queryField.word(SETTING_KINDS).describe('Only of this kind.').optional(),
      name: queryField.text().describe('Only of settings with this name.').optional(),
      before: LIST_PARAMETERS.to,
      limit: LIST_PARAMETERS.limit,
    }),
  answers: () => ({ 200: z.strictObject({ changes: z.array(change()) }).describe('Of all settings, newest first.') }),
})
export type SettingChanges = AnswerOf<typeof SETTING_CHANGES>

export const EXPORT_SETTINGS = contract({
  method: 'GET',
  path: '/v4/settings/export',
  query: () => z.object({ kind: queryField.word(SETTING_KINDS).optional() }),
  answers: () => ({
    200: z.string().meta({
      contentMediaType: 'application/yaml',
      description: 'YAML, as it would stand in the file. Secrets are `********`.',
    }),
  }),
})

export const IMPORT_SETTINGS = contract({
  method: 'POST',
  path: '/v4/settings/import',
  query: dryRun,
  body: () => z.object({ yaml: z.string().max(1_000_000).describe('As `GET /v4/settings/export` answers it.') }),
  answers: () => ({
    200: z
      .strictObject({
        dryRun: z.boolean(),
        entries: z.array(
          z.strictObject({ kind: kind(), name: z.string(), what: z.enum(['added', 'changed', 'same']) }),
        ),
      })
      .describe('All of them, or none when one is refused.'),
    ...REFUSED,
  }),
})
export type ImportedSettings = AnswerOf<typeof IMPORT_SETTINGS>
