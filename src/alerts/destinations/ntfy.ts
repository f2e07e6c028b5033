/** ntfy: messages to a topic of ntfy.sh or of a server of one's own (https://docs.ntfy.sh/publish/). */
import { z } from 'zod'
import { requiredText, text } from '../../config/fields.ts'
import type { Severity } from '../../events/types.ts'
import { MASK } from '../../platform/log-mask.ts'
import { cut, utf8 } from '../message-text/cut.ts'
import { hostOf, httpDestination } from './http.ts'
import { type SettingsOf, serverUrl } from './settings.ts'
import { TEXT_NEEDS } from './types.ts'

const PRIORITY: Readonly<Record<Severity, number>> = { critical: 5, error: 4, warning: 3, info: 2 }
const TAG: Readonly<Record<Severity, string>> = {
  critical: 'rotating_light',
  error: 'x',
  warning: 'warning',
  info: 'information_source',
}
const RECOVERY_TAG = 'white_check_mark'
const TITLE_LIMIT = 250
/** In bytes; a longer message would become an attachment. */
const MESSAGE_LIMIT = 4000
const MAX_ACTIONS = 3

const config = () => ({
  topic: requiredText('Topic.').meta({
    label: 'Topic',
    hint: 'The topic that phones subscribe to. Everybody who has it reads along: take a long one.',
    secret: true,
  }),
  server: serverUrl('Server.', 'https://ntfy.sh').meta({
    label: 'Server',
    hint: 'Address of your own server, or https://ntfy.sh.',
  }),
  token: z.string().default('').meta({
    description: 'Access token.',
    label: 'Access token',
    hint: 'ntfy: Account > Access tokens. Only for protected topics.',
    secret: true,
  }),
  username: text('User name, when there is no token.').meta({ label: 'User name', advanced: true }),
  password: text('Password.').meta({
    label: 'Password',
    hint: 'Of the user, when there is no token.',
    secret: true,
    advanced: true,
  }),
})
type Settings = SettingsOf<typeof config>

export const ntfy = httpDestination({
  title: 'ntfy',
  about: 'Push messages to phones and browsers that subscribe to a topic.',
  purpose: 'alert',
  config,
  server: ({ server }) => ['server', server],
  create: (settings) => ({
    needs: TEXT_NEEDS,
    showsTextOnly: true,
    // The topic is a secret: it is enough to read and to send.
    target: `${hostOf(settings.server)}/${MASK}`,
    secrets: [settings.token, settings.password, settings.topic],
    render: ({ text, severity, kind }) => ({
      url: `${settings.server.replace(/\/+$/, '')}/`,
      headers: authorization(settings),
      body: JSON.stringify({
        topic: settings.topic,
        title: cut(text.title, TITLE_LIMIT),
        message: cut(text.text || text.title, MESSAGE_LIMIT, utf8),
        priority: PRIORITY[severity],
        tags: [kind === 'recovery' ? RECOVERY_TAG : TAG[severity]],
        click: text.links[0]?.url,
        actions: text.links.slice(0, MAX_ACTIONS).map(({ text: label, url }) => ({ action: 'view', label, url })),
      }),
    }),
  }),
})

function authorization({ token, username, password }: Settings): Record<string, string> {
  if (token) return { Authorization: `Bearer ${token}` }
  if (!username) return {}
  return { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}
