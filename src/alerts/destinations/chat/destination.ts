/** What Slack and Teams have in common as destinations: sections, variables, one HTTP request per message. */
import type { Logger } from '../../../platform/types.ts'
import { VERSION } from '../../../platform/version.ts'
import { templateRecord } from '../../record.ts'
import type { TemplateEngine, TemplateRecord } from '../../templates/engine.ts'
import type { TimeFormatter } from '../../times.ts'
import type { DeliveryResult, Destination, Message, RenderInput } from '../../types.ts'
import { createHttpSender, type HttpSender, type HttpSenderDeps } from '../http-sender.ts'
import {
  type ChatChannel,
  type ChatConfig,
  type ChatSection,
  type ChatSectionSettings,
  chatSections,
} from './sections.ts'
import type { ChatSettings } from './template.ts'

export interface ChatDestinationDeps extends HttpSenderDeps {
  readonly log: Logger
  readonly engine: TemplateEngine
  readonly times: TimeFormatter
}

export interface ChatMessage {
  /** What is stored and shown. */
  readonly body: unknown
  /** What `send` needs. */
  readonly payload: unknown
}

/** How the two differ. */
export interface ChatProtocol {
  readonly channel: ChatChannel
  message(settings: ChatSettings & ChatSectionSettings, variables: TemplateRecord): Promise<ChatMessage>
  send(
    sender: HttpSender,
    url: string,
    message: Message,
    payload: unknown,
    signal: AbortSignal,
  ): Promise<DeliveryResult>
}

interface ChatPayload {
  readonly url: string
  readonly announcement: string
  readonly payload: unknown
}

export function createChatDestination(
  deps: ChatDestinationDeps,
  config: ChatConfig,
  protocol: ChatProtocol,
): Destination {
  const { log, clock, times } = deps
  const { channel } = protocol
  const sections = new Map(chatSections(config, channel).map((section) => [section.routeName, section]))
  const sender = createHttpSender(deps)

  function variablesOf(input: RenderInput, { settings, links, basicContentOnly }: ChatSection): TemplateRecord {
    const { headScriptLogLines: headLines = 0, tailScriptLogLines: tailLines = 0 } = settings
    const event = basicContentOnly ? { ...input.event, scriptLog: null } : input.event
    const context = { ...links, version: VERSION, times, now: clock.now() }
    return templateRecord(event, context, { headLines, tailLines }, 'slash', input)
  }

  async function render(input: RenderInput): Promise<Message> {
    const { event, route, target, deliveryId } = input
    const section = sections.get(route.name)
    if (!section) throw new Error(`route ${route.name} has no section in the configuration`)
    const { body, payload } = await protocol.message(settingsFor(input, section), variablesOf(input, section))
    const announcement = announce(channel, section, event.taskName || event.appName)
    const whole: ChatPayload = { url: section.settings.webhookURL, announcement, payload }
    return { deliveryId, target, subject: null, body: JSON.stringify(body, null, 2), payload: whole }
  }

  async function send(message: Message, signal: AbortSignal): Promise<DeliveryResult> {
    const { url, announcement, payload } = message.payload as ChatPayload
    log.info(announcement)
    return protocol.send(sender, url, message, payload, signal)
  }

  return {
    name: channel,
    type: channel,
    render,
    deliver: (batch, signal) => Promise.all(batch.map((message) => send(message, signal))),
    async close() {
      sender.close()
    },
  }
}

/** The texts of a section are about its event; a recovery or a summary is told by the built-in ones. */
function settingsFor({ kind }: RenderInput, { settings, place }: ChatSection): ChatSettings & ChatSectionSettings {
  if (kind === 'alert' || kind === 'test') return { ...settings, name: place }
  return { ...settings, name: place, basicMsgTemplate: '', templateFile: '' }
}

function announce(channel: ChatChannel, { label, when }: ChatSection, subject: string): string {
  const name = channel.toUpperCase()
  const prefix = when.types.includes('cloudReload') ? `[QSCLOUD] ${name} ALERT - ${label}` : `[QSEOW] ${name} ${label}`
  return subject ? `${prefix}: Sending alert about "${subject}"` : `${prefix}: Sending alert`
}
