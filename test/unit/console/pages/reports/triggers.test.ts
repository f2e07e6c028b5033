/** The form of an MQTT trigger: which options of a start a message may set. */

import { expect, test } from 'bun:test'
import { fieldsOf } from '../../../../../src/console/forms.tsx'
import type { PageContext } from '../../../../../src/console/page.ts'
import { saveOperation } from '../../../../../src/console/pages/reports/save.ts'
import { formOfKind } from '../../../../../src/console/pages/reports/steps.ts'
import { OPTIONS } from '../../../../../src/reports/entities/start-options.ts'

const trigger = { id: 't1', type: 'mqtt', topic: 'reports/go', allowedOptions: ['dryRun', 'reason'] }

/** The trigger as the form saves it. */
function saved(...chosen: readonly string[]): unknown {
  const definition = { ...formOfKind('task', {}).start, name: 'T', triggers: [trigger] }
  const json = JSON.stringify(definition)
  const form = new URLSearchParams({ kind: 'task', id: '', before: json, definition: json })
  form.set('f:triggers.0.topic', 'reports/go')
  for (const option of chosen) form.append('f:triggers.0.allowedOptions', option)
  const { body } = saveOperation.call(fieldsOf(form), {} as PageContext) as {
    body: { triggers: { allowedOptions: unknown }[] }
  }
  return body.triggers[0]?.allowedOptions
}

test('a message may set what is ticked, and nothing else', () => {
  expect(saved('test', 'testAddress')).toEqual(['test', 'testAddress'])
  expect(saved()).toEqual([])
})

test('the form offers every option with words of its own; a key-value trigger has none', () => {
  const { fields } = formOfKind('task', {})
  const triggers = fields.find(({ at }) => at === 'triggers')
  const optionsOf = (type: string) => {
    const variant = triggers?.as === 'items' ? triggers.variants.find((one) => one.type === type) : undefined
    const field = variant?.fields.find(({ at }) => at === 'allowedOptions')
    return field?.as === 'choices' ? field.options : null
  }
  const offered = optionsOf('mqtt') ?? []
  expect(offered.map(([value]) => value)).toEqual(OPTIONS)
  for (const [value, text] of offered) expect(text).toEndWith(`(${value})`)
  expect(optionsOf('keyValue')).toBeNull()
})
