/** The built-in templates, embedded into the executable. */
import alert from '../../../templates/email/alert.eta' with { type: 'text' }
import alertText from '../../../templates/email/alert.txt.eta' with { type: 'text' }
import buttons from '../../../templates/email/buttons.eta' with { type: 'text' }
import facts from '../../../templates/email/facts.eta' with { type: 'text' }
import figures from '../../../templates/email/figures.eta' with { type: 'text' }
import history from '../../../templates/email/history.eta' with { type: 'text' }
import layout from '../../../templates/email/layout.eta' with { type: 'text' }
import lines from '../../../templates/email/lines.eta' with { type: 'text' }
import log from '../../../templates/email/log.eta' with { type: 'text' }
import notices from '../../../templates/email/notices.eta' with { type: 'text' }
import slack from '../../../templates/slack/alert.eta' with { type: 'text' }
import teams from '../../../templates/teams/alert.eta' with { type: 'text' }
import type { TemplateSource } from './source.ts'

/** The templates of mails and their parts. */
export const EMAIL_PARTS: ReadonlyMap<string, string> = new Map([
  ['alert', alert],
  ['alert.txt', alertText],
  ['buttons', buttons],
  ['facts', facts],
  ['figures', figures],
  ['history', history],
  ['layout', layout],
  ['lines', lines],
  ['log', log],
  ['notices', notices],
])

export const BUILTIN_TEMPLATES = {
  'email/alert': builtin('alert', EMAIL_PARTS),
  'email/alert.txt': builtin('alert.txt', EMAIL_PARTS),
} as const satisfies Record<string, TemplateSource>

export type BuiltinTemplate = keyof typeof BUILTIN_TEMPLATES

function builtin(name: string, family: ReadonlyMap<string, string>): TemplateSource {
  return { file: `built-in template ${name}.eta`, syntax: 'eta', text: family.get(name)!, siblings: family }
}

/** A template with its text, which shows the variables that it uses. */
export interface ChatTemplate {
  readonly ref: { readonly kind: 'found'; readonly source: TemplateSource }
  readonly source: string
  readonly file: string
}

export const SLACK_TEMPLATE = builtinChat('slack/alert.eta', slack)
export const TEAMS_TEMPLATE = builtinChat('teams/alert.eta', teams)

function builtinChat(name: string, text: string): ChatTemplate {
  const file = `built-in template ${name}`
  return { ref: { kind: 'found', source: { file, syntax: 'eta', text, siblings: new Map() } }, source: text, file }
}
