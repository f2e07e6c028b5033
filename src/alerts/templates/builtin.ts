/** The templates that Footman brings along, embedded into the executable. */
import layout from '../../../templates/email/layout.eta' with { type: 'text' }
import task from '../../../templates/email/task.eta' with { type: 'text' }
import taskText from '../../../templates/email/task.txt.eta' with { type: 'text' }
import type { TemplateSource } from './source.ts'

const EMAIL: ReadonlyMap<string, string> = new Map([
  ['layout', layout],
  ['task', task],
  ['task.txt', taskText],
])

export const BUILTIN_TEMPLATES = {
  'email/task': builtin('task', EMAIL),
  'email/task.txt': builtin('task.txt', EMAIL),
} as const satisfies Record<string, TemplateSource>

export type BuiltinTemplate = keyof typeof BUILTIN_TEMPLATES

function builtin(name: string, family: ReadonlyMap<string, string>): TemplateSource {
  return { file: `built-in template ${name}.eta`, syntax: 'eta', text: family.get(name)!, siblings: family }
}
