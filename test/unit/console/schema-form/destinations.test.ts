/** The forms of all types of destinations: few fields that are not folded, words, secrets, and values that the schema takes. */
import { describe, expect, test } from 'bun:test'
import { destinations, destinationTypes } from '../../../../src/alerts/config-destinations.ts'
import {
  controlOf,
  type Field,
  isPreset,
  type Members,
  readFields,
  shownText,
} from '../../../../src/console/schema-form/fields.ts'
import { formOf } from '../../../../src/console/schema-form/of-schema.ts'
import { maskValue } from '../../../../src/settings/store.ts'
import { DESTINATION_EXAMPLES } from '../../../support/destination-types.ts'

const NAMES = destinationTypes.map(({ name }) => name)
const OPEN = 4
const COMMON = ['enable', 'timeout', 'rejectUnauthorized', 'caFile', 'headScriptLogLines', 'tailScriptLogLines']

/** Settings of each type; those that are HTTP requests have theirs. */
const EXAMPLES: Readonly<Record<string, { readonly settings: Members }>> = {
  ...DESTINATION_EXAMPLES,
  email: { settings: { recipients: ['ops@acme.example', 'bi@acme.example'] } },
  mqtt: { settings: { topic: 'qlik/alerts/{{taskName}}' } },
}

/** The texts that a person fills into the fields that are not folded. */
const filled = (name: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    form(name).fields.flatMap((field) => {
      const text = shownText(field, EXAMPLES[name]?.settings[field.at])
      return field.advanced || text === '' ? [] : [[field.at, text]]
    }),
  )

const typeOf = (name: string) => destinationTypes.find((one) => one.name === name)!
const form = (name: string) => formOf(typeOf(name).schema)
const parsed = (value: unknown) => destinations.safeParse({ 'ops-1': value })

/** The fields of a form and those of the items of its lists. */
const everyField = (fields: readonly Field[]): Field[] =>
  fields.flatMap((field) => [
    field,
    ...(field.as === 'items' ? field.variants.flatMap((variant) => everyField(variant.fields)) : []),
    ...(field.as === 'group' ? everyField(field.fields) : []),
  ])

/** A new destination, filled in and sent as a browser does: with each field, also the empty ones. */
function made(name: string, texts: Readonly<Record<string, string>>): Members {
  const { fields, start } = form(name)
  const value: Members = structuredClone(start)
  const sent = new URLSearchParams(
    fields
      .filter(({ as, preset }) => as !== 'flag' || preset === true)
      .filter(({ as }) => as !== 'choices' && as !== 'refs')
      .map((field) => [
        controlOf(field.at),
        texts[field.at] ?? (field.as === 'flag' ? '1' : shownText(field, field.preset)),
      ]),
  )
  readFields(value, fields, sent)
  return Object.fromEntries(
    Object.entries(value).filter(([at, one]) => !fields.some((field) => field.at === at && isPreset(field, one))),
  )
}

describe.each(NAMES)('the form of %s', (name) => {
  test('shows what everybody needs, four fields at most', () => {
    const { fields } = form(name)
    const open = fields.filter(({ advanced }) => !advanced)
    expect(open.length).toBeGreaterThan(0)
    expect(open.length).toBeLessThanOrEqual(OPEN)
    expect(fields.filter(({ required, advanced }) => required && advanced).map(({ at }) => at)).toEqual([])
    // Those that a type has for itself stand before those that all types have.
    expect(fields.slice(-6).map(({ at }) => at)).toEqual(COMMON)
  })

  test('with the fields that are not folded, it makes a value that the schema takes', () => {
    const value = made(name, filled(name))
    expect(parsed(value)).toMatchObject({ success: true })
    expect(Object.keys(value).sort()).toEqual(['type', ...Object.keys(filled(name))].sort())
    expect(Object.keys(filled(name)).length).toBeGreaterThan(0)
  })

  test('without one of the fields that it marks as needed, the schema refuses', () => {
    for (const { at, required } of form(name).fields) {
      if (required) expect([at, parsed(made(name, { ...filled(name), [at]: '' })).success]).toEqual([at, false])
    }
    const needed = form(name).fields.filter(({ required }) => required)
    const without = Object.fromEntries(needed.map(({ at }) => [at, '']))
    expect(parsed(made(name, { ...filled(name), ...without })).success).toBe(needed.length === 0)
  })

  test('marks the fields that are stored encrypted, and no other', () => {
    const { fields } = form(name)
    const texts = fields.filter(({ as }) => ['line', 'area', 'pairs', 'lines'].includes(as))
    const hidden = texts.filter(({ at, as }) => {
      const value = { pairs: { a: 'plain text' }, lines: ['plain text'] }[as as string] ?? 'plain text'
      return JSON.stringify(maskValue({ kind: 'destination', name: 'x' }, { type: name, [at]: value })).includes('***')
    })
    expect(everyField(fields).flatMap(({ at, secret }) => (secret ? [at] : []))).toEqual(hidden.map(({ at }) => at))
  })

  test('has plain words', () => {
    const fields = everyField(form(name).fields)
    const { title, about } = typeOf(name)
    expect(title).toMatch(/^\S.*\S$/)
    expect(about).toMatch(/^[A-Z].{10,98}\.$/)
    for (const { at, label, hint } of fields) {
      expect([at, label]).toEqual([at, expect.stringMatching(/^[A-Z][^.]{1,60}$/)])
      // A hint that is missing would be the description, or nothing below a label that says all.
      if (hint === undefined) continue
      expect([at, hint]).toEqual([at, expect.stringMatching(/^\S.{3,98}\.$/s)])
      expect(hint).not.toBe(`${label}.`)
    }
    for (const text of fields.flatMap(({ label, hint = '' }) => [label, hint])) {
      const words = text.replace(/https?:\S+|[\w.]+=\S+|\{\{\w+\}\}/g, '')
      expect(words).not.toMatch(/\b[a-z]+[A-Z]\w*/)
    }
    for (const field of fields) {
      if (field.as !== 'choice' || field.at === 'method') continue
      for (const [value, text] of field.options) expect(text).toMatch(value === '' ? /./ : /^\w[\w ]+$/)
    }
  })
})

test('each type has a title of its own', () => {
  expect(new Set(destinationTypes.map(({ title }) => title)).size).toBe(NAMES.length)
})
