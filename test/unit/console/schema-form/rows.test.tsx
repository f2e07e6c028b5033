/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Lists and pairs whose texts are looked up: a row for each, and an empty one. */
import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { Fields } from '../../../../src/console/schema-form/controls.tsx'
import { type Members, readFields } from '../../../../src/console/schema-form/fields.ts'
import { formOf } from '../../../../src/console/schema-form/of-schema.ts'
import { select, treeOf } from '../../../support/reader.ts'

const oneOrMany = z.union([z.string(), z.array(z.string())])
const { fields } = formOf(
  z.object({
    task: oneOrMany.optional().meta({ label: 'Tasks', lookup: 'task', hint: 'Names.' }),
    tag: z
      .union([oneOrMany, z.object({ all: z.array(z.string()) })])
      .optional()
      .meta({ lookup: 'tag' }),
    property: z.record(z.string(), oneOrMany).optional().meta({ lookup: 'customProperty' }),
    zone: z.string().meta({ lookup: 'timezone' }),
    report: z.string().meta({ lookup: 'report' }),
    space: z.string().meta({ lookup: 'space' }),
  }),
)

async function shown(definition: Members, action?: string) {
  const choices = { report: [{ id: 'r1', name: 'Monthly' }] }
  const html = String(
    await (<Fields form={{ definition, choices, prefix: '', ...(action && { action }) }} fields={fields} />),
  )
  const all = (selector: string) => select(treeOf(html), selector)
  return {
    all,
    values: (name: string) => all(`[name="${name}"]`).map(({ attributes }) => attributes.get('value')),
    lookups: () =>
      all('[data-lookup]').map(({ attributes }) => `${attributes.get('name')} ${attributes.get('data-lookup')}`),
  }
}

function read(definition: Members, form: string): Members {
  const members = structuredClone(definition)
  readFields(members, fields, new URLSearchParams(form), { prefix: '' })
  return members
}

describe('a list', () => {
  test('has a row for each text and an empty one', async () => {
    const { values, all } = await shown({ task: ['Sales*', 'Finance'] })
    expect(values('task')).toEqual(['Sales*', 'Finance', ''])
    expect(all('[name="task"]').map(({ attributes }) => attributes.get('aria-label'))).toEqual([
      'Tasks 1',
      'Tasks 2',
      'Tasks 3',
    ])
    expect((await shown({ task: 'Sales*' })).values('task')).toEqual(['Sales*', ''])
    expect((await shown({})).values('task')).toEqual([''])
  })

  test('gets a further row by a submit of its form', async () => {
    const button = async (action?: string) => (await shown({}, action)).all('[data-add-row]')[0]?.attributes
    expect(Object.fromEntries((await button())!)).toMatchObject({ type: 'submit', name: 'preview', value: '1' })
    const ofAction = { name: 'do', value: 'row task', formaction: '/form/save' }
    expect(Object.fromEntries((await button('/form/save'))!)).toMatchObject(ofAction)
  })

  test.each<[string, Members, string, unknown]>([
    ['texts without the empty ones', {}, 'task=Sales*&task=&task=+Finance+', ['Sales*', 'Finance']],
    ['nothing where all are empty', { task: ['Sales*'] }, 'task=&task=', undefined],
    ['objects in the place of texts', {}, 'task=%7B%22a%22%3A1%7D', [{ a: 1 }]],
  ])('is read: %s', (_, before, form, expected) => {
    expect(read(before, form).task).toEqual(expected)
  })

  test('an object in its place stays one', async () => {
    const tag = { all: ['nightly', 'finance'] }
    const [text = ''] = (await shown({ tag })).values('tag')
    expect(JSON.parse(text.replaceAll('&quot;', '"'))).toEqual(tag)
    expect(read({ tag }, new URLSearchParams({ tag: JSON.stringify(tag) }).toString()).tag).toEqual(tag)
    expect(read({ tag }, 'tag=nightly').tag).toEqual(['nightly'])
  })
})

describe('pairs', () => {
  const property = { Tier: ['gold', 'silver'], Region: 'North' }

  test('have a row for each value, whose suggestions are those of its name', async () => {
    const { values, all } = await shown({ property })
    expect(values('property')).toEqual(['Tier', 'Tier', 'Region', ''])
    expect(values('property=')).toEqual(['gold', 'silver', 'North', ''])
    const [value] = all('[name="property="]')
    expect([value?.attributes.get('data-lookup'), value?.attributes.get('data-of')]).toEqual([
      'customPropertyValue',
      'row',
    ])
  })

  test('are read: values of one name are a list', () => {
    const form =
      'property=Tier&property%3D=gold&property=Tier&property%3D=silver&property=Region&property%3D=North&property=&property%3D='
    expect(read({}, form).property).toEqual(property)
    expect(read({ property }, 'property=&property%3D=').property).toBeUndefined()
  })
})

test('a thing is chosen where the page has them, looked up where that is possible, else typed', async () => {
  const { all, lookups } = await shown({ zone: 'Europe/Oslo' })
  expect(all('select[name="report"]').length).toBe(1)
  expect(lookups()).toEqual([
    'task task',
    'tag tag',
    'property customProperty',
    'property= customPropertyValue',
    'zone timezone',
  ])
  expect(all('input[name="space"]').length).toBe(1)
})
