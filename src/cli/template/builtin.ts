/** The built-in templates by name, those that are only parts of others included. */
import { BUILTIN_TEMPLATES, type BuiltinTemplate, EMAIL_PARTS } from '../../alerts/templates/builtin.ts'
import { SLACK_TEMPLATE, TEAMS_TEMPLATE } from '../../alerts/templates/builtin-chat.ts'
import type { TemplateRef } from '../../alerts/templates/engine.ts'

const CHAT = { 'slack/alert': SLACK_TEMPLATE, 'teams/alert': TEAMS_TEMPLATE } as const

/** What can be rendered. */
export const BUILTIN_NAMES: readonly string[] = [...Object.keys(BUILTIN_TEMPLATES), ...Object.keys(CHAT)]

/** What can be shown. */
export const BUILTIN_SOURCES: ReadonlyMap<string, string> = new Map([
  ...[...EMAIL_PARTS].map(([name, text]) => [`email/${name}`, text] as const),
  ...Object.entries(CHAT).map(([name, { source }]) => [name, source] as const),
])

/** Null when there is none of that name. */
export function builtinTemplate(
  name: string,
): { readonly mail: BuiltinTemplate } | { readonly chat: TemplateRef } | null {
  const short = name.replace(/\.eta$/, '')
  if (short in BUILTIN_TEMPLATES) return { mail: short as BuiltinTemplate }
  return short in CHAT ? { chat: CHAT[short as keyof typeof CHAT].ref } : null
}
