/** Every HTTP server that the configuration sends to, by the key that names it. */
import { chatSections } from '../../../../alerts/butler-sections/chat.ts'
import { newRelicSections } from '../../../../alerts/butler-sections/new-relic.ts'
import { signl4Sections } from '../../../../alerts/butler-sections/signl4.ts'
import { hookSections } from '../../../../alerts/butler-sections/webhooks.ts'
import { destinationType } from '../../../../alerts/destinations/index.ts'
import type { Config } from '../../../../app/schema.ts'

export interface Endpoint {
  /** Key below `Butler` whose value is the address, or stands for it. */
  readonly key: string
  readonly url: string
  /** File with the authority; empty = the public ones. */
  readonly caFile: string
  /** False where every certificate is accepted. */
  readonly verified: boolean
}

/** Those of features that are on, in the order of the configuration. */
export function endpointsOf(config: Config): readonly Endpoint[] {
  return [...chats(config), ...webhooks(config), ...incidentTools(config), ...destinations(config)].filter(
    ({ url }) => URL.canParse(url) && /^https?:/i.test(url),
  )
}

export const publicEndpoint = (key: string, url: string): Endpoint => ({ key, url, caFile: '', verified: true })

function chats(config: Config): Endpoint[] {
  const sections = (['slack', 'teams'] as const).flatMap((channel) => chatSections(config, channel))
  const found = sections.map(({ place, settings }) =>
    publicEndpoint(`${place.replace(/^Butler\./, '')}.webhookURL`, settings.webhookURL),
  )
  const { restMessage } = config.slackNotification
  const rest = config.restServerConfig.enable && config.restServerEndpointsEnable.slackPostMessage
  return rest ? [...found, publicEndpoint('slackNotification.restMessage.webhookURL', restMessage.webhookURL)] : found
}

function webhooks(config: Config): Endpoint[] {
  if (!config.webhookNotification.enable) return []
  return hookSections(config).flatMap(({ kind, hooks }) =>
    hooks.map(({ config: { webhookURL, cert } }, index) => ({
      key: `webhookNotification.${kind.section}.webhooks[${index}].webhookURL`,
      url: webhookURL,
      caFile: cert.enable ? cert.certCA : '',
      verified: !cert.enable || cert.rejectUnauthorized,
    })),
  )
}

function incidentTools(config: Config): Endpoint[] {
  const { signl4, newRelic } = config.incidentTool
  const { storeNewRelic, enable } = config.uptimeMonitor
  const kinds = new Set(newRelicSections(config).map(({ kind }) => kind))
  return [
    ...(signl4Sections(config).length > 0 ? [publicEndpoint('incidentTool.signl4.url', signl4.url)] : []),
    ...[...kinds].map((kind) => publicEndpoint(`incidentTool.newRelic.url.${kind}`, newRelic.url[kind])),
    ...(enable && storeNewRelic.enable ? [publicEndpoint('uptimeMonitor.storeNewRelic.url', storeNewRelic.url)] : []),
  ]
}

/** Mails and MQTT messages take the common connections, which are tested on their own. */
function destinations({ footman, incidentTool }: Config): Endpoint[] {
  return Object.entries(footman.destinations).flatMap(([name, settings]) => {
    const server = settings.enable ? destinationType(settings.type).server(settings, incidentTool.newRelic.url) : null
    if (server === null) return []
    const [key, url] = server
    const { caFile, rejectUnauthorized: verified } = settings
    return [{ key: `footman.destinations.${name}.${key}`, url, caFile, verified }]
  })
}
