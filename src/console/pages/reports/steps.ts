/** The steps of the forms of reports, filters, conditions, recipients and groups; tasks have a file of their own. */
import { OPERATORS } from '../../../reports/entities/condition.ts'
import { DATE_PRESETS } from '../../../reports/entities/filter.ts'
import { CHART_KINDS } from '../../../reports/entities/report.ts'
import type { Field, Options, Step, Variant } from './fields.ts'
import type { Kind } from './kinds.ts'
import { FILTERS, HEAD, same, TAGS, TASK_STEPS } from './steps-task.ts'

const SOURCE = 'A field name, =expression, or {"libraryId": "..."}'
const [NAME, , DESCRIPTION] = HEAD as readonly [Field, Field, Field]
const APP: Field = { at: 'appId', label: 'App', as: 'line', empty: null, hint: 'Id of the app' }
const KEY: Field = { at: 'key', label: 'Key', as: 'line' }
const ROWS: Field = { at: 'maxRows', label: 'Most rows', as: 'number', empty: 'omit' }

const COLUMN: Variant = {
  type: '',
  title: 'Column',
  start: { label: '', expr: '', kind: 'dimension' },
  fields: [
    { at: 'label', label: 'Label', as: 'line' },
    { at: 'expr', label: 'Content', as: 'source', hint: SOURCE },
    { at: 'kind', label: 'Kind', as: 'choice', options: same('dimension', 'measure') },
    { at: 'format', label: 'Format', as: 'line', empty: 'omit', hint: '#,##0' },
  ],
}
const LINES: Field = { at: 'maxLines', label: 'Most lines in PDF', as: 'number', empty: 'omit' }
const BINDING_COLUMN: Variant = { ...COLUMN, start: { key: '', ...COLUMN.start }, fields: [KEY, ...COLUMN.fields] }
const sortAndTotals: readonly Field[] = [
  { at: 'sort', label: 'Order', as: 'json', empty: 'omit', hint: 'JSON: [{"column": "Sales", "dir": "desc"}]' },
  { at: 'totals', label: 'Totals', as: 'flag' },
  ROWS,
]
const tableOf = (column: Variant): readonly Field[] => [
  { at: 'columns', label: 'Columns', as: 'items', variants: [column], ordered: true },
  ...sortAndTotals,
]
const CHART: readonly Field[] = [
  { at: 'chart', label: 'Chart', as: 'choice', options: same(...CHART_KINDS) },
  { at: 'dimension', label: 'Dimension', as: 'source', empty: 'omit', hint: SOURCE },
  { at: 'dimension2', label: 'Second dimension', as: 'source', empty: 'omit' },
  { at: 'measures', label: 'Measures', as: 'lines', hint: 'One expression a line' },
  { at: 'maxPoints', label: 'Most points', as: 'number', empty: 'omit' },
  { at: 'legend', label: 'Legend', as: 'choice', options: same('top', 'right', 'none') },
  { at: 'labels', label: 'Values in the chart', as: 'flag' },
]
const TITLE: Field = { at: 'title', label: 'Title', as: 'line', empty: 'omit' }
const NEW_COLUMNS = { columns: [{ label: '', expr: '', kind: 'dimension' }] }
const NEW_CHART = { chart: 'bar', measures: [] }
const OBJECT: Field = { at: 'objectId', label: 'Object', as: 'line', hint: 'Id of the chart or table in the app' }

const BLOCKS: readonly Variant[] = [
  {
    type: 'text',
    title: 'Text',
    start: { key: 'text', markdown: '' },
    fields: [KEY, TITLE, { at: 'markdown', label: 'Text', as: 'area', hint: 'Markdown, with {{=expressions}}' }],
  },
  {
    type: 'kpi',
    title: 'Figures',
    start: { key: 'kpis', items: [{ label: '', expr: '' }] },
    fields: [
      KEY,
      TITLE,
      {
        at: 'items',
        label: 'Figures',
        as: 'items',
        ordered: true,
        variants: [
          {
            type: '',
            title: 'Figure',
            start: { label: '', expr: '' },
            fields: [
              { at: 'label', label: 'Label', as: 'line' },
              { at: 'expr', label: 'Expression', as: 'line' },
              { at: 'compareExpr', label: 'Compared with', as: 'line', empty: 'omit' },
              { at: 'format', label: 'Format', as: 'line', empty: 'omit', hint: '#,##0' },
            ],
          },
        ],
      },
    ],
  },
  {
    type: 'table',
    title: 'Table',
    start: { key: 'table', ...NEW_COLUMNS },
    fields: [KEY, TITLE, ...tableOf({ ...COLUMN, fields: [...COLUMN.fields, LINES] })],
  },
  {
    type: 'chart',
    title: 'Chart',
    start: { key: 'chart', ...NEW_CHART },
    fields: [KEY, TITLE, ...CHART, { at: 'heightMm', label: 'Height in mm', as: 'number', empty: 'omit' }],
  },
  {
    type: 'object',
    title: 'Object of the app',
    start: { key: 'object', objectId: '' },
    fields: [
      KEY,
      TITLE,
      OBJECT,
      { at: 'as', label: 'Drawn as', as: 'choice', options: same('auto', 'table', 'chart') },
      ROWS,
      LINES,
    ],
  },
  { type: 'pageBreak', title: 'Page break', start: { key: 'page' }, fields: [KEY] },
]

const BINDINGS: readonly Variant[] = [
  {
    type: 'value',
    title: 'Value',
    start: { key: '', expr: '' },
    fields: [KEY, { at: 'expr', label: 'Expression', as: 'line' }],
  },
  {
    type: 'table',
    title: 'Table',
    start: { key: '', ...NEW_COLUMNS },
    fields: [KEY, ...tableOf(BINDING_COLUMN)],
  },
  { type: 'object', title: 'Table of the app', start: { key: '', objectId: '' }, fields: [KEY, OBJECT, ROWS] },
  { type: 'chart', title: 'Chart', start: { key: '', ...NEW_CHART }, fields: [KEY, ...CHART] },
  {
    type: 'image',
    title: 'Picture',
    start: { key: '', file: '' },
    fields: [KEY, { at: 'file', label: 'File', as: 'line', hint: 'Of the template directory' }],
  },
]

const LEVEL: Variant = {
  type: '',
  title: 'Level',
  start: { key: '', field: '' },
  fields: [
    KEY,
    { at: 'field', label: 'Field', as: 'line' },
    { at: 'within', label: 'Within the level', as: 'line', empty: null },
    { at: 'max', label: 'Most values', as: 'number', empty: 'omit' },
    { at: 'sort', label: 'Order', as: 'choice', options: same('field', 'text', 'number') },
  ],
}

const PAGE: Step = {
  id: 'page',
  title: 'Page',
  fields: [
    { at: 'page.title', label: 'Title', as: 'line', empty: null },
    { at: 'page.footer', label: 'Footer', as: 'line', empty: null, hint: '{page} of {pages}' },
    { at: 'page.size', label: 'Paper', as: 'choice', options: same('A4', 'A3', 'Letter') },
    { at: 'page.orientation', label: 'Orientation', as: 'choice', options: same('portrait', 'landscape') },
    { at: 'page.marginMm', label: 'Margin in mm', as: 'number', empty: 'omit' },
    { at: 'locale', label: 'Language', as: 'line', empty: 'omit', hint: 'de-DE' },
    { at: 'timezone', label: 'Time zone', as: 'line', empty: 'omit' },
  ],
}
const REPORT: Step = { id: 'report', title: 'Report', fields: [...HEAD, TAGS, { ...APP, empty: 'omit' }, FILTERS] }
const BLOCK_STEPS: readonly Step[] = [
  REPORT,
  {
    id: 'blocks',
    title: 'Blocks',
    sub: 'The content of the report, in this order.',
    fields: [{ at: 'blocks', label: 'Blocks', as: 'items', variants: BLOCKS, ordered: true }],
  },
  PAGE,
]
const TEMPLATE_STEPS: readonly Step[] = [
  REPORT,
  {
    id: 'template',
    title: 'Template',
    sub: 'An Office file, and what its tags stand for.',
    fields: [
      {
        at: 'template',
        label: 'File of the template folder',
        as: 'template',
        hint: 'sales.xlsx; empty for an uploaded file',
      },
      { at: 'data', label: 'Data', as: 'items', variants: BINDINGS, ordered: true },
      { at: 'levels', label: 'Levels', as: 'items', variants: [LEVEL] },
    ],
  },
  PAGE,
]

const FIELD: Field = { at: 'field', label: 'Field', as: 'line', hint: 'Upper and lower case count' }
const REQUIRED: Field = { at: 'required', label: 'A value that does not exist is an error', as: 'flag' }
const EXCLUDE: Field = { at: 'exclude', label: 'All others', as: 'flag' }
const CLAUSES: readonly Variant[] = [
  {
    type: 'values',
    title: 'Values',
    start: { field: '', values: [], required: true },
    fields: [FIELD, { at: 'values', label: 'Values', as: 'lines', hint: 'One a line' }, EXCLUDE, REQUIRED],
  },
  {
    type: 'search',
    title: 'Search',
    start: { field: '', search: '', required: true },
    fields: [FIELD, { at: 'search', label: 'Search', as: 'line', hint: '*Nord*, >=100<200' }, EXCLUDE, REQUIRED],
  },
  {
    type: 'date',
    title: 'Date',
    start: { field: '', preset: 'lastMonth', required: true },
    fields: [
      FIELD,
      { at: 'preset', label: 'Period', as: 'choice', options: same(...DATE_PRESETS) },
      { at: 'n', label: 'Days, for lastNDays', as: 'number', empty: 'omit' },
      REQUIRED,
    ],
  },
  {
    type: 'expression',
    title: 'Expression',
    start: { field: '', expr: '', required: true },
    fields: [FIELD, { at: 'expr', label: 'Expression', as: 'line', hint: 'Values, separated by ;' }, REQUIRED],
  },
  {
    type: 'bookmark',
    title: 'Bookmark',
    start: { bookmarkId: '', required: true },
    fields: [{ at: 'bookmarkId', label: 'Id of the bookmark', as: 'line' }, REQUIRED],
  },
]
const VARIABLE: Variant = {
  type: '',
  title: 'Variable',
  start: { name: '', value: '' },
  fields: [
    { at: 'name', label: 'Name', as: 'line' },
    { at: 'value', label: 'Value', as: 'line' },
  ],
}

const OP: Field = { at: 'op', label: 'Comparison', as: 'choice', options: same(...OPERATORS) }
const OPERAND = '=expression, variable:NAME, kpi:LABEL, previous, or a constant'
const OF: Field = { at: 'of', label: 'Of', as: 'json', hint: 'JSON: {"objectId": "..."}' }
const UP_DOWN: Options = same('any', 'up', 'down')
const RULES: readonly Variant[] = [
  {
    type: 'value',
    title: 'Value',
    start: { left: { expr: '' }, op: 'gt', right: { const: 0 } },
    fields: [
      { at: 'left', label: 'Left', as: 'operand', hint: OPERAND },
      OP,
      { at: 'right', label: 'Right', as: 'operand', empty: 'omit' },
      { at: 'right2', label: 'Second, for between', as: 'operand', empty: 'omit' },
    ],
  },
  {
    type: 'rowCount',
    title: 'Number of rows',
    start: { of: { objectId: '' }, op: 'gt', count: 0 },
    fields: [OF, OP, { at: 'count', label: 'Rows', as: 'number' }],
  },
  {
    type: 'dataChanged',
    title: 'Data changed',
    start: { of: { expressions: [] }, ignoreOrder: true },
    fields: [
      { ...OF, hint: 'JSON: {"expressions": ["=Sum(Sales)"]}' },
      { at: 'ignoreOrder', label: 'Without the order', as: 'flag' },
    ],
  },
  {
    type: 'changedBy',
    title: 'Figure changed',
    start: { expr: '', atLeast: 10, unit: 'percent', direction: 'any' },
    fields: [
      { at: 'expr', label: 'Expression', as: 'line' },
      { at: 'atLeast', label: 'At least', as: 'number' },
      { at: 'unit', label: 'Unit', as: 'choice', options: same('percent', 'absolute') },
      { at: 'direction', label: 'Direction', as: 'choice', options: UP_DOWN },
    ],
  },
  {
    type: 'lastReload',
    title: 'Reload of the app',
    start: { is: 'today' },
    fields: [
      { at: 'is', label: 'It was', as: 'choice', options: same('today', 'withinMinutes', 'sinceLastRun') },
      { at: 'minutes', label: 'Minutes', as: 'number', empty: 'omit' },
    ],
  },
  {
    type: 'taskState',
    title: 'State of a Qlik task',
    start: { taskId: '', is: 'succeeded', since: null },
    fields: [
      { at: 'taskId', label: 'Id of the task', as: 'line' },
      { at: 'is', label: 'It has', as: 'choice', options: same('succeeded', 'failed', 'notRunning') },
      {
        at: 'since',
        label: 'Since',
        as: 'choice',
        empty: null,
        options: [['', 'ever'], ...same('today', 'lastRun')],
      },
    ],
  },
  {
    type: 'calendar',
    title: 'Calendar',
    start: { allow: { weekdays: ['mon', 'tue', 'wed', 'thu', 'fri'] } },
    fields: [
      {
        at: 'allow.weekdays',
        label: 'Weekdays',
        as: 'choices',
        empty: 'omit',
        options: same('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'),
      },
      { at: 'allow.from', label: 'From', as: 'line', empty: 'omit', hint: '08:00' },
      { at: 'allow.to', label: 'To', as: 'line', empty: 'omit' },
      { at: 'allow.dates', label: 'Only these days', as: 'lines', empty: 'omit', hint: '2026-12-24, one a line' },
      { at: 'allow.notDates', label: 'Not these days', as: 'lines', empty: 'omit' },
      { at: 'allow.workday', label: 'Workday of the month', as: 'line', empty: 'omit', hint: 'first or last' },
    ],
  },
  {
    type: 'keyValue',
    title: 'Key-value pair',
    start: { namespace: '', key: '', op: 'eq', value: '' },
    fields: [
      { at: 'namespace', label: 'Namespace', as: 'line' },
      KEY,
      OP,
      { at: 'value', label: 'Value', as: 'line', empty: 'omit' },
    ],
  },
  {
    type: 'file',
    title: 'File',
    start: { spaceId: '', path: '', is: 'exists' },
    fields: [
      { at: 'spaceId', label: 'Storage space', as: 'ref', to: 'space' },
      { at: 'path', label: 'Path', as: 'line' },
      { at: 'is', label: 'It', as: 'choice', options: same('exists', 'newerThanLastRun') },
    ],
  },
]

const one = (title: string, fields: readonly Field[]): Step => ({ id: 'definition', title, fields })

const STEPS: Readonly<Record<Exclude<Kind, 'task' | 'report'>, readonly Step[]>> = {
  filter: [
    one('Filter', [...HEAD, APP]),
    {
      id: 'clauses',
      title: 'Clauses',
      sub: 'All of them apply together.',
      fields: [
        { at: 'clauses', label: 'Clauses', as: 'items', variants: CLAUSES },
        { at: 'variables', label: 'Variables', as: 'items', variants: [VARIABLE] },
      ],
    },
  ],
  condition: [
    one('Condition', [...HEAD, APP]),
    {
      id: 'rules',
      title: 'Rules',
      fields: [
        { at: 'match', label: 'Must hold', as: 'choice', options: same('all', 'any') },
        { at: 'fire', label: 'It holds', as: 'choice', options: same('always', 'onBecomingTrue') },
        { at: 'onError', label: 'A rule that fails is', as: 'choice', options: same('error', 'skip', 'proceed') },
        { at: 'rules', label: 'Rules', as: 'items', variants: RULES },
      ],
    },
  ],
  recipient: [
    one('Recipient', [
      NAME,
      { at: 'email', label: 'Address', as: 'line' },
      { at: 'active', label: 'Gets reports', as: 'flag' },
      {
        at: 'qlikUser',
        label: 'Qlik user',
        as: 'group',
        needs: 'userId',
        fields: [
          { at: 'userDirectory', label: 'Directory', as: 'line' },
          { at: 'userId', label: 'User', as: 'line' },
        ],
      },
      FILTERS,
      { at: 'attributes', label: 'Attributes', as: 'pairs', hint: 'name=value, one a line' },
      { at: 'timezone', label: 'Time zone (without effect)', as: 'line', empty: 'omit' },
      { at: 'locale', label: 'Language (without effect)', as: 'line', empty: 'omit' },
    ]),
  ],
  group: [
    one('Group', [
      NAME,
      DESCRIPTION,
      { at: 'memberIds', label: 'Members', as: 'refs', to: 'recipient' },
      FILTERS,
      {
        at: 'dynamic',
        label: 'Users of Qlik Sense',
        as: 'group',
        needs: 'filter',
        fields: [{ at: 'filter', label: 'QRS filter', as: 'line', hint: "userDirectory eq 'COMPANY'" }],
      },
    ]),
  ],
}

/** The steps of a definition's form. */
export function stepsOf(kind: Kind, { type }: Readonly<Record<string, unknown>>): readonly Step[] {
  if (kind === 'task') return TASK_STEPS
  if (kind === 'report') return type === 'template' ? TEMPLATE_STEPS : BLOCK_STEPS
  return STEPS[kind]
}

/** The members of a new definition. */
export const STARTS: Readonly<Record<Kind, Readonly<Record<string, unknown>>>> = {
  task: {
    name: '',
    project: 'default',
    tags: [],
    reports: [],
    recipients: [],
    triggers: [],
    notifications: [],
    enabled: false,
    storage: [],
    filterIds: [],
    conditionIds: [],
    hub: { enabled: false },
    email: { enabled: true, subject: '{task} {date:yyyy-MM-dd}', template: 'default', grouping: 'perRecipient' },
    testMode: { enabled: false, address: null, storage: 'subfolder' },
    run: { evaluateAs: 'service', whenBusy: 'coalesce', timeoutMinutes: 120, onReportError: 'continue', priority: 5 },
  },
  report: { name: '', project: 'default', tags: [], type: 'blocks', appId: '', blocks: [] },
  filter: { name: '', project: 'default', clauses: [] },
  condition: { name: '', project: 'default', rules: [] },
  recipient: { name: '', email: '', active: true },
  group: { name: '', memberIds: [] },
}
