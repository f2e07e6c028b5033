/** The steps of the editor of a report task. */
import type { Option } from '../../../reports/entities/start-options.ts'
import type { Field, Options, Step, Variant } from './fields.ts'

export const same = (...values: readonly string[]): Options => values.map((value) => [value, value] as const)

export const HEAD: readonly Field[] = [
  { at: 'name', label: 'Name', as: 'line' },
  { at: 'project', label: 'Project', as: 'line' },
  { at: 'description', label: 'Description', as: 'area' },
]
export const TAGS: Field = { at: 'tags', label: 'Tags', as: 'lines', hint: 'One a line' }
export const FILTERS: Field = { at: 'filterIds', label: 'Filters', as: 'refs', to: 'filter' }
export const FORMATS = same('pdf', 'xlsx', 'html', 'csv', 'json', 'docx', 'pptx', 'svg', 'png')
const CONDITIONS: Field = { at: 'conditionIds', label: 'Conditions', as: 'refs', to: 'condition' }
const EXPRESSION = 'A Qlik expression'
const PATTERN = 'May hold {task}, {report}, {cycle}, {date:yyyy-MM-dd}'

const CYCLE: readonly Field[] = [
  { at: 'fields', label: 'A document for each value of', as: 'lines', hint: 'Up to three fields, one a line' },
  { at: 'emailTo', label: 'Mail to', as: 'line', empty: null, hint: `${EXPRESSION} for the addresses of a value` },
  { at: 'hubTo', label: 'Hub for', as: 'line', empty: null, hint: EXPRESSION },
  { at: 'folder', label: 'Folder', as: 'line', empty: null, hint: EXPRESSION },
  { at: 'alsoRecipients', label: 'The recipients of the task get all documents, too', as: 'flag' },
  { at: 'maxDocuments', label: 'Most documents', as: 'number', empty: 'omit' },
]

const USE: Variant = {
  type: '',
  title: 'Report',
  start: {
    key: 'report',
    reportId: '',
    format: 'pdf',
    deliver: { email: 'attach', storage: true, hub: true },
  },
  fields: [
    { at: 'reportId', label: 'Report', as: 'ref', to: 'report' },
    { at: 'key', label: 'Key', as: 'line', hint: 'Names it inside of the task: a-z, 0-9, _ and -' },
    { at: 'format', label: 'Format', as: 'choice', options: FORMATS },
    { at: 'fileName', label: 'File name', as: 'line', empty: 'omit', hint: PATTERN },
    { at: 'block', label: 'Block', as: 'line', empty: 'omit', hint: 'Key of the block, for csv, svg and png' },
    { at: 'cycle', label: 'Document for each value', as: 'group', fields: CYCLE, needs: 'fields' },
    FILTERS,
    CONDITIONS,
    {
      at: 'conditionScope',
      label: 'Conditions decide about',
      as: 'choice',
      options: [
        ['report', 'the report'],
        ['cycleValue', 'each value'],
      ],
    },
    { at: 'deliver.email', label: 'In mails', as: 'choice', options: same('attach', 'embed', 'none') },
    { at: 'deliver.storage', label: 'Into the storage', as: 'flag' },
    { at: 'deliver.hub', label: 'Into the hub', as: 'flag' },
    { at: 'zip', label: 'Archive', as: 'choice', options: same('none', 'perReport', 'perMail', 'perFolder') },
    { at: 'options', label: 'Options of the format', as: 'json', empty: 'omit', hint: 'JSON' },
    { at: 'protect', label: 'Passwords', as: 'json', empty: null, hint: 'JSON: {"zipPassword": "secretRef:NAME"}' },
  ],
}

const REACH: readonly Field[] = [
  { at: 'email', label: 'by mail', as: 'flag' },
  { at: 'hub', label: 'in the hub', as: 'flag' },
]
const BY_MAIL = { email: true, hub: false }
const RECIPIENTS: readonly Variant[] = [
  {
    type: 'recipient',
    title: 'Person',
    start: { recipientId: '', ...BY_MAIL },
    fields: [{ at: 'recipientId', label: 'Person', as: 'ref', to: 'recipient' }, ...REACH],
  },
  {
    type: 'group',
    title: 'Group',
    start: { groupId: '', ...BY_MAIL },
    fields: [{ at: 'groupId', label: 'Group', as: 'ref', to: 'group' }, ...REACH],
  },
  {
    type: 'address',
    title: 'Address',
    start: { address: '', ...BY_MAIL },
    fields: [{ at: 'address', label: 'Address', as: 'line' }, ...REACH],
  },
  {
    type: 'expression',
    title: 'Expression',
    start: { expr: '', ...BY_MAIL },
    fields: [{ at: 'expr', label: 'Expression', as: 'line', hint: 'Addresses, separated by ;' }, ...REACH],
  },
]

const EMAIL: readonly Field[] = [
  { at: 'email.enabled', label: 'Send mails', as: 'flag' },
  { at: 'email.subject', label: 'Subject', as: 'line', hint: PATTERN },
  { at: 'email.message', label: 'Message', as: 'area', hint: 'Stands above the list of files' },
  {
    at: 'email.grouping',
    label: 'Mails',
    as: 'choice',
    options: [
      ['perRecipient', 'one for each person'],
      ['perDocument', 'one for each document'],
      ['single', 'one to all'],
    ],
  },
  { at: 'email.cc', label: 'Copies (Cc)', as: 'lines', hint: 'One address a line; of every mail' },
  { at: 'email.bcc', label: 'Blind copies (Bcc)', as: 'lines' },
  { at: 'email.from', label: 'Sender', as: 'line', empty: null },
  { at: 'email.replyTo', label: 'Answers to', as: 'line', empty: null },
  { at: 'email.template', label: 'Mail template', as: 'line' },
  { at: 'email.priority', label: 'Priority', as: 'choice', options: same('normal', 'high', 'low') },
]

const STORAGE: Variant = {
  type: '',
  title: 'Storage space',
  start: { spaceId: '', folder: '', onExists: 'overwrite' },
  fields: [
    { at: 'spaceId', label: 'Storage space', as: 'ref', to: 'space' },
    { at: 'folder', label: 'Folder', as: 'line', hint: PATTERN },
    {
      at: 'onExists',
      label: 'A file that exists',
      as: 'choice',
      options: same('overwrite', 'suffix', 'skip', 'fail'),
    },
    { at: 'reports', label: 'Only these keys of reports', as: 'lines', empty: 'omit' },
  ],
}

const HUB: readonly Field[] = [
  { at: 'hub.enabled', label: 'Publish in the hub', as: 'flag' },
  { at: 'hub.title', label: 'Title in the hub', as: 'line', hint: PATTERN },
  { at: 'hub.retentionVersions', label: 'Versions to keep', as: 'number', empty: 'omit' },
  { at: 'hub.retentionDays', label: 'Days to keep', as: 'number', empty: 'omit' },
]

const RUN: readonly Field[] = [
  {
    at: 'run.evaluateAs',
    label: 'Data are read as',
    as: 'choice',
    options: [
      ['service', 'the service user'],
      ['recipient', 'each recipient'],
    ],
  },
  { at: 'run.whenBusy', label: 'Start during a run', as: 'choice', options: same('coalesce', 'queue', 'skip') },
  { at: 'run.timeoutMinutes', label: 'Minutes at most', as: 'number' },
  { at: 'run.onReportError', label: 'After an error of a report', as: 'choice', options: same('continue', 'stop') },
  { at: 'run.priority', label: 'Priority (9 first)', as: 'number' },
]

const ANY_TRIGGER: readonly Field[] = [
  { at: 'name', label: 'Name', as: 'line' },
  { at: 'enabled', label: 'On', as: 'flag' },
  { at: 'start', label: 'From', as: 'line', empty: null, hint: '2026-12-31T06:00:00Z' },
  { at: 'end', label: 'Until', as: 'line', empty: null },
]
const NEW_TRIGGER = { name: '', enabled: true, start: null, end: null }
const OUTCOMES = same('success', 'warning', 'error', 'skipped', 'cancelled')
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
const MESSAGE_OPTIONS: Options = Object.entries(MESSAGE_TEXTS)

const TRIGGERS: readonly Variant[] = [
  {
    type: 'schedule',
    title: 'Schedule',
    start: { cron: '0 7 * * 1', ...NEW_TRIGGER },
    fields: [
      { at: 'cron', label: 'Cron', as: 'line', empty: 'omit', hint: 'Minute, hour, day, month, weekday' },
      { at: 'once', label: 'Once', as: 'line', empty: 'omit', hint: '2026-12-31T06:00:00Z, in place of cron' },
      { at: 'timezone', label: 'Time zone', as: 'line', empty: 'omit' },
      { at: 'maxDelayMinutes', label: 'Minutes it may be late', as: 'number', empty: 'omit' },
      ...ANY_TRIGGER,
    ],
  },
  {
    type: 'qlikEvent',
    title: 'Qlik event',
    start: { event: 'taskSucceeded', ...NEW_TRIGGER },
    fields: [
      {
        at: 'event',
        label: 'When',
        as: 'choice',
        options: [
          ['taskSucceeded', 'a task succeeds'],
          ['taskFailed', 'a task fails'],
          ['taskAborted', 'a task is aborted'],
          ['appReloaded', 'an app is reloaded'],
        ],
      },
      { at: 'match.taskId', label: 'Ids of tasks', as: 'lines' },
      { at: 'match.appId', label: 'Ids of apps', as: 'lines' },
      { at: 'match.tag', label: 'Tags of tasks', as: 'lines' },
      { at: 'match.customProperty', label: 'Custom properties', as: 'json', empty: 'omit', hint: 'JSON list' },
      {
        at: 'mode',
        label: 'Of several',
        as: 'choice',
        options: [
          ['any', 'any one'],
          ['all', 'all'],
        ],
      },
      { at: 'withinMinutes', label: 'All within minutes', as: 'number', empty: null },
      ...ANY_TRIGGER,
    ],
  },
  {
    type: 'reportTask',
    title: 'Another report task',
    start: { taskId: '', on: ['success'], ...NEW_TRIGGER },
    fields: [
      { at: 'taskId', label: 'After', as: 'ref', to: 'task' },
      { at: 'on', label: 'Outcomes', as: 'choices', options: OUTCOMES },
      ...ANY_TRIGGER,
    ],
  },
  {
    type: 'mqtt',
    title: 'MQTT message',
    start: { topic: '', ...NEW_TRIGGER },
    fields: [
      { at: 'topic', label: 'Topic', as: 'line' },
      { at: 'equals', label: 'Payload', as: 'line', empty: 'omit', hint: 'Empty: every message' },
      {
        at: 'allowedOptions',
        label: 'A message may say',
        as: 'choices',
        options: MESSAGE_OPTIONS,
        hint: 'Every sender of the broker may, without credentials of Footman. A message that says more starts nothing.',
      },
      ...ANY_TRIGGER,
    ],
  },
  {
    type: 'keyValue',
    title: 'Key-value pair',
    start: { namespace: '', key: '', ...NEW_TRIGGER },
    fields: [
      { at: 'namespace', label: 'Namespace', as: 'line' },
      { at: 'key', label: 'Key', as: 'line' },
      ...ANY_TRIGGER,
    ],
  },
]

const NOTIFICATION: Variant = {
  type: '',
  title: 'Outcome mail',
  start: { on: ['error'], recipients: [], attachLog: true },
  fields: [
    {
      at: 'on',
      label: 'After',
      as: 'choices',
      options: same('success', 'warning', 'error', 'skipped', 'recovered'),
    },
    { at: 'recipients', label: 'Addresses', as: 'lines', hint: 'One a line' },
    { at: 'attachLog', label: 'With the log', as: 'flag' },
    { at: 'subject', label: 'Subject', as: 'line', empty: 'omit', hint: PATTERN },
  ],
}

export const TASK_STEPS: readonly Step[] = [
  { id: 'task', title: 'Task', fields: [...HEAD, TAGS, { at: 'enabled', label: 'Triggers start it', as: 'flag' }] },
  {
    id: 'reports',
    title: 'Reports',
    sub: 'Which reports, in which format.',
    fields: [{ at: 'reports', label: 'Reports', as: 'items', variants: [USE], ordered: true }],
  },
  {
    id: 'data',
    title: 'Data',
    sub: 'Filters of all its reports, and conditions that decide about the run.',
    fields: [FILTERS, CONDITIONS, ...RUN],
  },
  {
    id: 'recipients',
    title: 'Recipients',
    sub: 'The filters of a person make the report their own.',
    fields: [{ at: 'recipients', label: 'Recipients', as: 'items', variants: RECIPIENTS }],
  },
  {
    id: 'delivery',
    title: 'Delivery',
    sub: 'Mails, files and the hub.',
    fields: [...EMAIL, { at: 'storage', label: 'Storage', as: 'items', variants: [STORAGE] }, ...HUB],
  },
  {
    id: 'triggers',
    title: 'Triggers',
    sub: 'When it runs.',
    fields: [{ at: 'triggers', label: 'Triggers', as: 'items', variants: TRIGGERS }],
  },
  {
    id: 'outcome-mails',
    title: 'Outcome mails',
    sub: 'Mails about runs and their problems.',
    fields: [{ at: 'notifications', label: 'Outcome mails', as: 'items', variants: [NOTIFICATION] }],
  },
  {
    id: 'test',
    title: 'Test',
    sub: 'Test mode sends every mail of every run to one address.',
    fields: [
      { at: 'testMode.enabled', label: 'Test mode', as: 'flag' },
      { at: 'testMode.address', label: 'Test address', as: 'line', empty: null },
      {
        at: 'testMode.storage',
        label: 'Files of a test',
        as: 'choice',
        options: [
          ['subfolder', 'into a folder of their own'],
          ['skip', 'are not written'],
          ['normal', 'as usual'],
        ],
      },
    ],
  },
]
