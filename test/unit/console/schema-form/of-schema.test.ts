/** Forms made from schemas: their fields, what a new item begins with, and what a form leaves as it was. */
import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { formOfKind } from '../../../../src/console/pages/reports/steps.ts'
import {
  changeList,
  controlOf,
  type Field,
  givenMembers,
  type Members,
  memberAt,
  readFields,
  shownText,
  variantOf,
  wallTimeOf,
} from '../../../../src/console/schema-form/fields.ts'
import { formOf } from '../../../../src/console/schema-form/of-schema.ts'
import { createZoneTimes } from '../../../../src/platform/zone-times.ts'
import { RULES } from '../../../../src/reports/kinds.ts'

/** The fields of one member. */
const fieldsOf = (type: z.ZodType) => formOf(z.object({ member: type })).fields

describe('the field of a member', () => {
  test.each<[string, z.ZodType, Partial<Field>]>([
    ['a text', z.string(), { as: 'line', label: 'Member' }],
    ['an optional text', z.string().optional(), { as: 'line', empty: 'omit' }],
    ['a text or null', z.string().nullable().default(null), { as: 'line', empty: null }],
    ['a text with a default', z.string().default('A4'), { as: 'line', empty: 'omit', preset: 'A4' }],
    ['a checked text', z.string().min(1).regex(/a/), { as: 'line' }],
    ['a converted text', z.string().transform((text) => text.length), { as: 'line' }],
    ['a number', z.int().min(1), { as: 'number' }],
    ['a flag', z.boolean().default(true), { as: 'flag', preset: true }],
    [
      'words',
      z.enum(['a', 'b']),
      {
        as: 'choice',
        options: [
          ['a', 'a'],
          ['b', 'b'],
        ],
      },
    ],
    [
      'words of its own, or none',
      z
        .enum(['a', 'b'])
        .optional()
        .meta({ texts: { '': 'ever', b: 'Bee' } }),
      {
        as: 'choice',
        options: [
          ['', 'ever'],
          ['a', 'a'],
          ['b', 'Bee'],
        ],
      },
    ],
    ['several words', z.array(z.enum(['a'])), { as: 'choices', options: [['a', 'a']] }],
    ['texts', z.array(z.string()), { as: 'lines' }],
    ['texts and numbers', z.array(z.union([z.string(), z.number()])), { as: 'lines' }],
    ['a text or a number', z.union([z.string(), z.number()]), { as: 'line' }],
    ['objects of several forms', z.union([z.object({ a: z.string() }), z.object({ b: z.string() })]), { as: 'json' }],
    ['pairs', z.record(z.string(), z.string()), { as: 'pairs' }],
    ['a thing of a list', z.string().meta({ lookup: 'report' }), { as: 'ref', to: 'report' }],
    ['things of a list', z.array(z.string()).meta({ lookup: 'filter' }), { as: 'refs', to: 'filter' }],
    ['the words of the schema', z.string().meta({ label: 'To', hint: 'Who' }).optional(), { label: 'To', hint: 'Who' }],
    ['a description', z.string().describe('What it is.'), { hint: 'What it is.' }],
    ['a control of its own', z.string().meta({ control: 'area' }), { as: 'area' }],
    ['a text with lengths', z.string().min(1).max(9), { required: true, maxLength: 9 }],
    ['a text that the form wants', z.string().meta({ needed: true }), { required: true }],
    ['a member that is converted first', z.preprocess(String, z.string().max(9)), { as: 'line', maxLength: 9 }],
    ['a text with suggestions', z.string().meta({ suggest: 'zone' }).optional(), { as: 'line', suggest: 'zone' }],
    ['a text that the form offers', z.string().meta({ texts: { '1h': '1 hour' } }), { options: [['1h', '1 hour']] }],
    ['one that the form needs', z.object({ a: z.string().optional() }).required().shape.a, { as: 'line' }],
    ['a text that is converted, with a default', z.string().transform(Number).prefault('5m'), { preset: '5m' }],
    ['a type that is made later', z.lazy(() => z.string().meta({ label: 'To' })), { as: 'line', label: 'To' }],
    ['one text or several', z.union([z.string(), z.array(z.string())]).transform(String), { as: 'lines' }],
    [
      'one word or several',
      z.union([z.literal('*'), z.union([z.enum(['a']), z.array(z.enum(['a']))])]),
      { as: 'choices' },
    ],
    ['one object or several', z.union([z.object({}), z.array(z.object({ a: z.string() }))]), { as: 'items' }],
    ['a rare one', z.string().optional().meta({ advanced: true }), { advanced: true }],
    ['objects', z.array(z.object({ a: z.string() })).meta({ ordered: true }), { as: 'items', ordered: true }],
  ])('%s', (_, type, expected) => {
    expect(fieldsOf(type)).toEqual([expect.objectContaining({ at: 'member', ...expected })])
  })

  test('an object has its members in the form, with its step; one that may be null is a group', () => {
    const page = z.object({ size: z.enum(['A4']).default('A4'), title: z.string().optional() })
    const [size, title] = fieldsOf(page.prefault({}).meta({ group: 'page' }))
    expect([size?.at, size?.group, title?.at]).toEqual(['member.size', 'page', 'member.title'])
    const [group] = fieldsOf(page.extend({ type: z.literal('x') }).nullable())
    expect(group).toMatchObject({ as: 'group', constants: { type: 'x' }, empty: null })
  })

  test('a literal and what is left to the JSON have none', () => {
    expect(fieldsOf(z.literal('x'))).toEqual([])
    expect(fieldsOf(z.string().meta({ control: 'none' }))).toEqual([])
  })

  test('the order is that of the schema, unless a member says otherwise', () => {
    const schema = z.object({ a: z.string(), b: z.string().meta({ order: -1 }), c: z.string(), d: z.string() })
    expect(formOf(schema).fields.map(({ at }) => at)).toEqual(['b', 'a', 'c', 'd'])
  })
})

describe('a time', () => {
  const { fields } = formOf(z.object({ start: z.iso.datetime().nullable().default(null).meta({ control: 'time' }) }))
  const times = createZoneTimes('Europe/Stockholm')
  const read = (start: unknown, given: string) => {
    const members: Members = { start }
    readFields(members, fields, new URLSearchParams({ start: given }), { prefix: '', times })
    return members.start
  }
  const START = '2026-12-31T06:00:30.000Z'

  test('is shown on the clock of the form', () => {
    expect(wallTimeOf(START, times)).toBe('2026-12-31 07:00')
    expect([wallTimeOf(null, times), wallTimeOf('soon', times)]).toEqual(['', 'soon'])
  })

  test.each<[string, unknown, string, unknown]>([
    ['one that was not changed keeps its seconds', START, '2026-12-31T07:00', START],
    ['winter', null, '2026-12-31T07:01', '2026-12-31T06:01:00.000Z'],
    ['summer', START, '2026-07-01T07:00', '2026-07-01T05:00:00.000Z'],
    ['the end of a gap', null, '2026-03-29T02:30', '2026-03-29T01:00:00.000Z'],
    ['none', START, '', null],
    ['no time', null, 'soon', 'soon'],
  ])('is read: %s', (_, before, given, expected) => {
    expect(read(before, given)).toBe(expected as string)
  })
})

describe('a small form', () => {
  const schema = z.object({
    name: z.string(),
    text: z.string().meta({ control: 'area' }).optional(),
    names: z.array(z.string()).meta({ control: 'names' }).optional(),
    ttl: z.number().meta({ control: 'minutes' }).optional(),
    shift: z.enum(['none', 'next']).default('none'),
    stop: z.boolean().optional(),
  })
  const { fields } = formOf(schema)
  const field = (name: string) => fields.find(({ at }) => at === name)!

  test.each<[string, string, Members]>([
    ['nothing', '', { name: '' }],
    ['defaults', 'name=n&text=&names=&ttl=&shift=none', { name: 'n' }],
    [
      'all',
      'name=n&text=a%0D%0Ab&names=a,+b&ttl=1.5&shift=next&stop=1',
      {
        name: 'n',
        text: 'a\nb',
        names: ['a', 'b'],
        ttl: 90_000,
        shift: 'next',
        stop: true,
      },
    ],
    ['what is wrong', 'name=n&ttl=soon&shift=sideways', { name: 'n', ttl: 'soon', shift: 'sideways' }],
  ])('gives the members that differ from their defaults: %s', (_, form, members) => {
    expect(givenMembers(fields, new URLSearchParams(form))).toEqual(members)
  })

  test.each<[string, unknown, string]>([
    ['names', ['a', 'b'], 'a, b'],
    ['names', 'a', 'a'],
    ['ttl', 90_001, '2'],
    ['ttl', 0, ''],
    ['ttl', 'soon', 'soon'],
  ])('%s of %p is shown as %p', (name, value, text) => {
    expect(shownText(field(name), value)).toBe(text)
  })
})

describe('items', () => {
  const rules = z.array(
    z.discriminatedUnion('type', [
      z.object({ type: z.literal('one'), text: z.string(), list: z.array(z.string()), most: z.int().default(3) }),
      z.object({ type: z.literal('two'), on: z.enum(['x', 'y']) }).meta({ title: 'The second', start: { on: 'y' } }),
    ]),
  )
  const { fields } = formOf(z.object({ rules }))

  test('a new one has what its schema wants, empty, and the defaults', () => {
    const draft: Members = { rules: [] }
    for (const button of ['add rules one', 'add rules two', 'up rules 1'])
      expect(changeList(draft, fields, button)).toBe(true)
    expect(draft.rules).toEqual([
      { type: 'two', on: 'y' },
      { type: 'one', text: '', list: [], most: 3 },
    ])
    expect(changeList(draft, fields, 'add rules three')).toBe(false)
    expect(changeList(draft, fields, 'remove rules 9')).toBe(false)
  })

  test('of two kinds with one type, the members decide which one an item is', () => {
    const charts = z.array(
      z.union([
        z.object({ type: z.literal('chart'), dimension: z.string() }),
        z.object({ type: z.literal('chart'), objectId: z.string() }).meta({ title: 'Of the app' }),
      ]),
    )
    const [field] = fieldsOf(charts)
    const variants = field?.as === 'items' ? field.variants : []
    expect(variants.map(({ key, title }) => [key, title])).toEqual([
      ['chart', 'Chart'],
      ['chart.1', 'Of the app'],
    ])
    expect(variantOf(variants, { type: 'chart', objectId: 'a' })?.title).toBe('Of the app')
    expect(variantOf(variants, { type: 'chart', dimension: 'a' })?.title).toBe('Chart')
  })
})

/** The form as a browser posts it. */
function posted(fields: readonly Field[], members: unknown, form = new URLSearchParams(), above = ''): URLSearchParams {
  for (const field of fields) {
    const path = above + field.at
    const value = memberAt(members, path)
    if (field.as === 'items') {
      for (const [n, item] of (value as unknown[] | undefined)?.entries() ?? [])
        posted(variantOf(field.variants, item)?.fields ?? [], members, form, `${path}.${n}.`)
    } else if (field.as === 'group') posted(field.fields, members, form, `${path}.`)
    else if (field.as === 'flag') {
      if (value === true) form.set(controlOf(path), '1')
    } else if (field.as === 'choices' || field.as === 'refs') {
      for (const one of (value as string[] | undefined) ?? []) form.append(controlOf(path), one)
    } else form.set(controlOf(path), shownText(field, value))
  }
  return form
}

const ID = 'a1000000-0000-4000-8000-000000000001'

/** Definitions with a value in nearly every member. */
const DEFINITIONS = {
  report: [
    {
      name: 'Blocks',
      appId: ID,
      filterIds: [ID],
      tags: ['a'],
      page: { footer: '{page}', size: 'A3' },
      timezone: 'Europe/Stockholm',
      blocks: [
        { type: 'text', key: 'a', markdown: '\n# Title\r\n' },
        { type: 'kpi', key: 'b', items: [{ label: 'L', expr: '=1', compareExpr: '=2', format: '0' }] },
        {
          type: 'table',
          key: 'c',
          columns: [{ label: '', expr: { libraryId: 'x' }, kind: 'measure', maxLines: 2 }],
          sort: [
            { column: 0, dir: 'desc' },
            { column: 'Sales', dir: 'asc' },
          ],
          totals: true,
        },
        { type: 'chart', key: 'd', chart: 'pie', measures: ['=1', { expr: '=2', axis: 'left' }], dimension: 'Region' },
        { type: 'object', key: 'e', objectId: 'o', maxRows: 5 },
        { type: 'pageBreak', key: 'f' },
      ],
    },
    {
      name: 'Template',
      type: 'template',
      appId: ID,
      template: { source: 'upload', fileName: 'a.xlsx', sha256: 'x' },
      data: [
        { type: 'chart', key: 'a', objectId: 'o' },
        { type: 'chart', key: 'b', chart: 'bar', measures: ['=1'] },
        { type: 'image', key: 'c', file: 'a.png' },
        { type: 'table', key: 'd', columns: [{ key: 'k', expr: 'Region', kind: 'dimension' }] },
      ],
      levels: [{ key: 'l', field: 'Region', within: null }],
    },
  ],
  filter: [
    {
      name: 'Filter',
      clauses: [
        { type: 'values', field: 'Year', values: [2025, '2026'], exclude: true },
        { type: 'date', field: 'Day', preset: 'lastNDays', n: 3, required: false },
      ],
      variables: [{ name: 'v', value: 5 }],
    },
  ],
  condition: [
    {
      name: 'Condition',
      rules: [
        { type: 'value', left: { expr: '=Sum(Sales)' }, op: 'between', right: { const: 1 }, right2: { variable: 'v' } },
        { type: 'value', left: { kpi: 'Revenue' }, op: 'ne', right: { previous: true } },
        { type: 'calendar', allow: { weekdays: ['mon'], monthDay: 15, workday: 'first', notDates: ['2026-12-24'] } },
        { type: 'keyValue', namespace: 'n', key: 'k', op: 'eq', value: 4 },
        { type: 'taskState', taskId: ID, is: 'failed' },
      ],
    },
  ],
  recipient: [
    {
      name: 'Anna',
      email: 'anna@acme.example',
      qlikUser: { userDirectory: 'ACME', userId: 'anna' },
      attributes: { region: 'Nordic' },
      source: 'import',
      locale: 'sv-SE',
    },
    { name: 'Bo', email: 'bo@acme.example' },
  ],
  group: [{ name: 'Group', memberIds: [ID], dynamic: { type: 'qrs', filter: "name eq 'a'" } }, { name: 'Empty' }],
  task: [
    {
      name: 'Task',
      enabled: true,
      reports: [
        {
          key: 'r',
          reportId: ID,
          format: 'csv',
          options: { csv: { delimiter: ';' } },
          cycle: { fields: ['Region'], emailTo: '=a' },
          protect: { zipPassword: 'secretRef:x' },
        },
      ],
      recipients: [
        { type: 'recipient', recipientId: ID },
        { type: 'expression', expr: '=a', email: false },
      ],
      email: { enabled: true, cc: ['a@b.example'], message: 'Two\nlines' },
      storage: [{ spaceId: 'finance', reports: ['r'] }],
      triggers: [
        { type: 'schedule', cron: '0 7 * * 1', everyTimeOnce: true, id: ID },
        { type: 'qlikEvent', event: 'taskFailed', match: { customProperty: [{ name: 'a', value: 'b' }] } },
        { type: 'mqtt', topic: 't', allowedOptions: ['dryRun'] },
      ],
      notifications: [{ on: ['error'], recipients: ['a@b.example'] }],
      testMode: { enabled: true, address: 'a@b.example' },
    },
  ],
}

describe('a form that is sent as it came changes nothing', () => {
  const all = Object.entries(DEFINITIONS).flatMap(([kind, some]) => some.map((one) => [kind, one] as const))
  test.each(all)('%s %#', (name, given) => {
    const kind = name as keyof typeof DEFINITIONS
    const parsed = RULES[kind].parse(given)
    expect(parsed).toMatchObject({ ok: true })
    const before = parsed.ok ? (parsed.value as unknown as Members) : {}
    const { fields } = formOfKind(kind, before)
    const after = structuredClone(before)
    readFields(after, fields, posted(fields, before))
    expect(after).toEqual(before)
  })

  test.each(Object.keys(DEFINITIONS))('a new %s', (name) => {
    const { fields, start } = formOfKind(name as keyof typeof DEFINITIONS, {})
    const after = structuredClone(start)
    readFields(after, fields, posted(fields, start))
    expect(after).toEqual(start)
  })
})

test('an emptied field brings the default back, and an emptied group is null', () => {
  const schema = z.object({
    size: z.int().default(3),
    cycle: z
      .object({ fields: z.array(z.string()), all: z.boolean().default(false) })
      .nullable()
      .default(null),
  })
  const { fields } = formOf(schema)
  const members: Members = { size: 5, cycle: { fields: ['a'], all: false } }
  readFields(members, fields, new URLSearchParams({ 'f:size': '', 'f:cycle.fields': '' }))
  expect(members).toEqual({ cycle: null })
  readFields(members, fields, new URLSearchParams({ 'f:size': '7', 'f:cycle.fields': '', 'f:cycle.all': '1' }))
  expect(members).toEqual({ size: 7, cycle: { fields: [], all: true } })
})
