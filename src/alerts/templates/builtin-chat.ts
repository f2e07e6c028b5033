/** The chat templates that Footman brings along, embedded into the executable. */
import slack from '../../../templates/slack/alert.eta' with { type: 'text' }
import teams from '../../../templates/teams/alert.eta' with { type: 'text' }
import type { TemplateRef } from './engine.ts'

/** A template with its text, so that one can see which variables it uses. */
export interface ChatTemplate {
  readonly ref: TemplateRef
  readonly source: string
  readonly file: string
}

export const SLACK_TEMPLATE = builtin('slack/alert.eta', slack)
export const TEAMS_TEMPLATE = builtin('teams/alert.eta', teams)

function builtin(name: string, text: string): ChatTemplate {
  const file = `built-in template ${name}`
  return { ref: { kind: 'found', source: { file, syntax: 'eta', text, siblings: new Map() } }, source: text, file }
}
