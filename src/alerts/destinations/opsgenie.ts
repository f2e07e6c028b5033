/** Opsgenie and its successor, Jira Service Management: alerts that a recovery closes. */
import { z } from 'zod'
import { choice, list, object, requiredText } from '../../config/fields.ts'
import type { Severity } from '../../events/types.ts'
import { onOneLine } from '../../platform/visible.ts'
import { cut } from '../message-text/cut.ts'
import { appIdOf, nameOfSubject } from '../message-text/labels.ts'
import { cleanText, escapeTags } from '../templates/escape.ts'
import { hostOf, httpDestination } from './http.ts'
import type { SettingsOf } from './settings.ts'
import { type HttpRenderInput, TEXT_NEEDS } from './types.ts'

/** By region. */
const BASE = {
  us: 'https://api.opsgenie.com',
  eu: 'https://api.eu.opsgenie.com',
  jsm: 'https://api.atlassian.com/jsm/ops/integration',
} as const
const PRIORITY: Readonly<Record<Severity, string>> = { critical: 'P1', error: 'P2', warning: 'P3', info: 'P5' }
const LIMITS = {
  message: 130,
  alias: 512,
  description: 15_000,
  entity: 512,
  tags: 20,
  tag: 50,
  source: 100,
  note: 25_000,
}

const config = () => ({
  apiKey: requiredText('API key.').meta({
    label: 'API key',
    hint: 'Opsgenie: Teams > your team > Integrations > API.',
    secret: true,
  }),
  region: choice('Region, or jsm for Jira Service Management.', ['us', 'eu', 'jsm'], 'us').meta({
    label: 'Region',
    hint: 'Where the account is; newer accounts are in Jira Service Management.',
    texts: { us: 'United States', eu: 'Europe', jsm: 'Jira Service Management' },
  }),
  responders: list(
    'Teams and persons that are alerted.',
    object(() => ({
      type: z.string().meta({ description: 'Like team or user.', label: 'Kind' }),
      name: z.string().optional().meta({ description: 'Name.', label: 'Name', hint: 'Of the team, or of the user.' }),
      id: z.string().optional().meta({ description: 'Id, instead of the name.', label: 'Id' }),
    })).meta({ title: 'Responder' }),
  ).meta({ label: 'Responders', hint: 'Teams and persons that are alerted.', advanced: true }),
  tags: list('Extra tags.', z.string()).meta({ label: 'Tags', hint: 'Of the alerts, one a line.', advanced: true }),
})
type Settings = SettingsOf<typeof config>

export const opsgenie = httpDestination({
  title: 'Opsgenie',
  about: 'Alerts for people on call, also in Jira Service Management.',
  purpose: 'incident',
  config,
  problem: ({ responders }) =>
    responders.every(({ name, id }) => Boolean(name) !== Boolean(id))
      ? null
      : ['responders', 'need a name or an id each'],
  server: ({ region }) => ['region', BASE[region]],
  create: (settings, { hostname }) => {
    const base = BASE[settings.region]
    const source = cut(`Footman ${hostname}`, LIMITS.source)
    const headers = { Authorization: `GenieKey ${settings.apiKey}` }
    return {
      needs: TEXT_NEEDS,
      showsTextOnly: true,
      escaped: (text) => escapeTags(cleanText(text)),
      target: hostOf(base),
      secrets: [settings.apiKey],
      render(input) {
        const alias = cut(input.text.key, LIMITS.alias)
        if (input.kind !== 'recovery') {
          return { url: `${base}/v2/alerts`, headers, body: JSON.stringify(alert(input, alias, source, settings)) }
        }
        const url = `${base}/v2/alerts/${encodeURIComponent(alias)}/close?identifierType=alias`
        return { url, headers, body: JSON.stringify({ source, note: cut(input.text.title, LIMITS.note) }) }
      },
    }
  },
})

function alert({ event, text, severity }: HttpRenderInput, alias: string, source: string, settings: Settings) {
  const tags = ['qlik', event.type, event.outcome, ...settings.tags].map((tag) => cut(tag, LIMITS.tag))
  return {
    message: cut(text.title, LIMITS.message),
    alias,
    description: cut(text.text, LIMITS.description),
    responders: settings.responders.length > 0 ? settings.responders : undefined,
    tags: tags.slice(0, LIMITS.tags),
    details: {
      taskId: event.taskId || undefined,
      appId: appIdOf(event) || undefined,
      executionId: event.executionId || undefined,
      openApp: (text.variables.appUrl as string) || undefined,
      openInFootman: (text.variables.consoleUrl as string) || undefined,
    },
    entity: cut(escapeTags(onOneLine(nameOfSubject(event))), LIMITS.entity),
    source,
    priority: PRIORITY[severity],
  }
}
