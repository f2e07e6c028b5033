/** `PUT /v4/slackpostmessage`: posts a message of a load script to Slack and answers with the outcome. */
import type { z } from 'zod'
import { type ApiRoute, jsonAnswer, route } from '../http/endpoint/route.ts'
import { field } from '../http/endpoint/validation.ts'
import { refused } from '../http/errors.ts'
import type { HttpClient } from '../platform/http-client.ts'
import type { Logger } from '../platform/types.ts'
import { relay, shadowRefusal, statusOf } from './relay.ts'

export interface SlackDeps {
  readonly http: HttpClient
  readonly log: Logger
}

export interface SlackSettings {
  /** `slackNotification.restMessage.webhookURL`; empty = not configured. */
  readonly webhookURL: string
  readonly shadow: boolean
  /** Default 10 s. */
  readonly timeoutMs?: number
}

const BODY = field.object({
  channel: field.string(),
  from_user: field.string(),
  msg: field.string(),
  emoji: field.string().optional(),
})

type SlackMessage = z.output<typeof BODY>

const GREETING = {
  channel: '#general',
  from_user: 'Footman the Bot',
  msg: 'Greetings from *Footman*',
  emoji: ':ghost:',
}

const FAILED = 'Failed sending Slack message'
/** Slack refuses longer texts in one block. */
const BLOCK_LENGTH = 3000

export function slackRules(deps: SlackDeps, settings: SlackSettings): ApiRoute[] {
  return [
    route({
      method: 'PUT',
      path: '/v4/slackpostmessage',
      switch: 'slackPostMessage',
      butler: true,
      scope: 'message:run',
      audit: 'slack.post',
      summary: 'Post a message to Slack',
      description: 'Formatting, links and mentions of Slack work in `msg`.',
      body: BODY,
      answers: {
        201: BODY,
        409: 'Footman runs in shadow mode, which sends nothing.',
        502: 'Slack is unreachable or has refused the message.',
        503: 'The webhook of Slack is not configured.',
        504: 'Slack is silent.',
      },
      examples: [{ name: 'greeting', body: GREETING, status: 201, answer: GREETING }],
      async handle({ body: message, note }) {
        note({ target: [message.channel] })
        if (settings.shadow) throw shadowRefusal()
        await post(deps, settings, message)
        const { channel, from_user, msg, emoji } = message
        return jsonAnswer(201, { channel, from_user, msg, emoji })
      },
    }),
  ]
}

async function post({ http, log }: SlackDeps, settings: SlackSettings, message: SlackMessage): Promise<void> {
  const { webhookURL, timeoutMs = 10_000 } = settings
  if (webhookURL === '') throw refused(503, FAILED, 'Butler.slackNotification.restMessage.webhookURL is not set.')
  const result = await relay(http, 'Slack', {
    method: 'POST',
    url: webhookURL,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: slackBody(message),
    timeoutMs,
  })
  if (result.ok) return
  log.error(`SLACK SEND: ${result.detail}`)
  throw refused(statusOf(result), FAILED, result.detail)
}

/** Formatting, links and mentions work in `mrkdwn` blocks. */
function slackBody({ channel, from_user, msg, emoji }: SlackMessage): string {
  return JSON.stringify({
    username: from_user,
    channel,
    ...(emoji && { icon_emoji: emoji }),
    blocks: pieces(msg).map((text) => ({ type: 'section', text: { type: 'mrkdwn', text } })),
  })
}

/** Long texts in several blocks, cut at the end of a line where there is one. */
function pieces(text: string): string[] {
  const found: string[] = []
  let rest = text
  while (rest.length > BLOCK_LENGTH) {
    const end = cutAt(rest)
    found.push(rest.slice(0, end))
    rest = rest.slice(end).replace(/^\n/, '')
  }
  return [...found, rest]
}

function cutAt(text: string): number {
  const line = text.lastIndexOf('\n', BLOCK_LENGTH)
  if (line > 0) return line
  // Not between the two halves of one character.
  return /[\uD800-\uDBFF]/.test(text[BLOCK_LENGTH - 1]!) ? BLOCK_LENGTH - 1 : BLOCK_LENGTH
}
