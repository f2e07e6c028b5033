/** Forms of entries that the configuration has by name or in a list. */
import { describe, expect, test } from 'bun:test'
import type { z } from 'zod'
import { alertRoute, recurringMaintenance } from '../../../../src/alerts/config-routes.ts'
import { configJsonSchema } from '../../../../src/app/config/json-schema.ts'
import { calendar, windowObject } from '../../../../src/config/fields.ts'
import type { Field } from '../../../../src/console/schema-form/fields.ts'
import { formOf } from '../../../../src/console/schema-form/of-schema.ts'
import { FORM_ONLY } from '../../../../src/platform/form-meta.ts'
import { taskPolicy } from '../../../../src/tasks/safety-net/config-policies.ts'

const controlsOf = (fields: readonly Field[]): Record<string, string> =>
  Object.fromEntries(fields.map((field) => [field.at, 'to' in field ? `${field.as} ${field.to}` : field.as]))

/** With the fields of the items of lists. */
const all = (fields: readonly Field[]): readonly Field[] =>
  fields.flatMap((field) => [
    field,
    ...(field.as === 'items' ? all(field.variants.flatMap((variant) => variant.fields)) : []),
  ])

describe.each<[what: string, schema: z.ZodType, given: object, controls: Record<string, string>]>([
  [
    'a policy',
    taskPolicy,
    { name: 'nightly' },
    { name: 'line', match: 'items', retry: 'line', 'watch.stuck': 'line', 'watch.dueBy': 'lines' },
  ],
  [
    'a rule',
    alertRoute,
    { name: 'finance', to: ['ops'] },
    { name: 'line', enable: 'flag', match: 'items', to: 'refs destination', severity: 'choice', limit: 'line' },
  ],
  [
    'a window',
    windowObject,
    {},
    { days: 'weekdays', from: 'clock', start: 'time', on: 'refs calendar', timezone: 'ref timezone' },
  ],
  ['a calendar', calendar, {}, { dates: 'lines', days: 'weekdays', except: 'refs calendar' }],
  [
    'a maintenance',
    recurringMaintenance,
    { name: 'patches', during: ['night'] },
    { during: 'refs window', match: 'items', stopSchedules: 'flag', summaryTo: 'refs destination' },
  ],
])('the form of %s', (_what, schema, given, controls) => {
  const { fields, start } = formOf(schema)

  test('has a control for each member', () => {
    expect(controlsOf(fields)).toMatchObject(controls)
    expect(all(fields).flatMap(({ at, group }) => (group === undefined ? at : []))).toEqual([])
  })

  test('begins with what the schema takes', () => {
    expect(schema.safeParse({ ...start, ...given }).error).toBeUndefined()
  })
})

test('a match is made of tasks, apps, streams, tags and custom properties', () => {
  const matched = formOf(taskPolicy).fields.flatMap((field) =>
    field.at === 'match' && field.as === 'items' ? field.variants : [],
  )
  expect(matched.map(({ fields }) => controlsOf(fields))).toEqual([
    {
      type: 'choices',
      task: 'refs task',
      app: 'refs app',
      stream: 'refs stream',
      taskId: 'refs taskId',
      appId: 'refs appId',
      taskTag: 'refs tag',
      taskProperty: 'pairs',
    },
  ])
})

test('the JSON Schema of the file has no words of forms', () => {
  const found: string[] = []
  const look = (schema: unknown, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return
    for (const [key, value] of Object.entries(schema)) {
      const isName = /\.(properties|default)$/.test(path)
      if (!isName && FORM_ONLY.some((word) => word === key)) found.push(`${path}.${key}`)
      look(value, `${path}.${key}`)
    }
  }
  look(configJsonSchema(), '')
  expect(found).toEqual([])
})
