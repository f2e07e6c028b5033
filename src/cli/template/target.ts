/** What a template makes, when nobody says it. */
import type { Target } from '../../alerts/templates/escape.ts'

/** Slack's blocks; Adaptive Cards have none. */
const BLOCKS = /"blocks"\s*:|"text"\s*:\s*"/

/**
 * By folder or file name (`slack/`, `teams_templates/`, `.txt.eta`), else by content: what begins like a JSON object is
 * a chat message, everything else an HTML mail.
 */
export function guessTarget(name: string, source: string): Target {
  const path = name.toLowerCase().replaceAll('\\', '/')
  if (/\.txt(\.\w+)?$/.test(path)) return 'text'
  if (/slack/.test(path)) return 'slack'
  if (/teams/.test(path)) return 'teams'
  if (!/^\s*\{(?!\{)/.test(withoutTags(source))) return 'html'
  return BLOCKS.test(source) ? 'slack' : 'teams'
}

/** Without what a template does before it writes something. */
function withoutTags(source: string): string {
  return source.replace(/^(?:\s*(?:<%[\s\S]*?%>|\{\{!(?:--[\s\S]*?--|[\s\S]*?)\}\}))+/, '')
}
