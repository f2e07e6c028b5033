/** Sections of Slack and Teams as routes. */
import type { Need, TaskEvent } from '../../../events/types.ts'
import type { PlannedDelivery, Route } from '../../types.ts'
import { hostOfAddress, laneOfAddress } from '../address.ts'
import { type ChatChannel, type ChatConfig, type ChatSection, chatSections } from './sections.ts'

export const slackRoutes = (config: ChatConfig): Route[] => chatRoutes(config, 'slack')
export const teamsRoutes = (config: ChatConfig): Route[] => chatRoutes(config, 'teams')

function chatRoutes(config: ChatConfig, channel: ChatChannel): Route[] {
  return chatSections(config, channel).map((section) => ({
    name: section.routeName,
    destination: channel,
    when: section.when,
    phase: 'enriched',
    needs: needsOf(section),
    plan: (event) => [plan(event, section, channel)],
  }))
}

/** The script log is fetched only when lines of it are shown. */
function needsOf({ settings, when }: ChatSection): readonly Need[] {
  if (!when.types.includes('reload')) return []
  const { messageType, basicMsgTemplate, headScriptLogLines = 0, tailScriptLogLines = 0 } = settings
  const shows = messageType === 'formatted' || basicMsgTemplate.includes('scriptLog')
  const log = shows && headScriptLogLines + tailScriptLogLines > 0
  return ['app', 'owner', 'execution', ...(log ? (['scriptLog'] as const) : [])]
}

function plan(event: TaskEvent, section: ChatSection, channel: ChatChannel): PlannedDelivery {
  const { settings, routeName, subject } = section
  const target = settings.channel || hostOfAddress(settings.webhookURL)
  const lane = laneOfAddress(channel, settings.webhookURL)
  const suppress = section.gate(event) ?? problemOf(settings.webhookURL)
  if (suppress) return { target, lane, suppress }
  return { target, lane, limit: { key: `${routeName}|${subject(event)}`, windowMs: settings.rateLimit * 1000 } }
}

function problemOf(url: string) {
  if (URL.canParse(url) && /^https?:/i.test(url)) return null
  return { reason: 'RECIPIENT_INVALID' as const, detail: 'webhookURL must start with http:// or https://' }
}
