/** Every HTTP server that the configuration sends to, by the key that names it. */

import { chatSections } from '../../../alerts/butler-sections/chat.ts'
import { newRelicSections } from '../../../alerts/butler-sections/new-relic.ts'
import { signl4Sections } from '../../../alerts/butler-sections/signl4.ts'
import { hookSections } from '../../../alerts/butler-sections/webhooks.ts'
import { destinationType } from '../../../alerts/destinations/index.ts'
import type { Config } from '../../../app/schema.ts'
import { errorText } from '../../../platform/errors.ts'
import { createHttpClient, type HttpResponse } from '../../../platform/http-client.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'
import { type Endpoint, publicEndpoint, type Server, shakeHands, targetOf } from './http-handshake.ts'

/** Chats, webhooks, incident tools, named destinations: reached as far as the TLS handshake, and never called. */
export const destinations: Probe = {
  group: 'destinations',
  title: 'Chats, webhooks and other destinations',
  applies: ({ config }) => endpointsOf(config).length > 0,
  async run(context) {
    const found = await Promise.all(serversOf(endpointsOf(context.config)).map((server) => judge(server, context)))
    return found.flat()
  },
}

export const heartbeat: Probe = {
  group: 'heartbeat',
  title: 'Heartbeat',
  applies: ({ config: { heartbeat: settings } }) => settings.enable && URL.canParse(settings.remoteURL),
  run: async (context) => {
    const { remoteURL } = context.config.heartbeat
    return judge({ ...publicEndpoint('heartbeat.remoteURL', remoteURL), group: 'heartbeat', also: [] }, context)
  },
}

/** The address in the links of alerts leads to the console. Footman may not run yet, so that nothing here is an error. */
export const consoleAddress: Probe = {
  group: 'console',
  title: 'Address of the console',
  applies: ({ config: { footman } }) => footman.console.enable && footman.console.publicUrl !== '',
  async run(context) {
    const { publicUrl } = context.config.footman.console
    const server = { ...publicEndpoint('footman.console.publicUrl', publicUrl), group: 'console', also: [] }
    const findings = (await shakeHands(server, context)).map((one) => {
      return one.level === 'error' ? { ...one, level: 'warning' as const } : one
    })
    if (findings.some(({ level }) => level === 'warning')) return findings
    return [...findings, await openConsole(publicUrl, targetOf(server, new URL(publicUrl)), context)]
  },
}

async function openConsole(publicUrl: string, target: string, { env, timeout }: DoctorContext): Promise<Finding> {
  const url = `${publicUrl.replace(/\/+$/, '')}/console`
  const http = createHttpClient({ proxyEnv: env, keepAlive: false })
  const other = (found: string): Finding => ({
    level: 'warning',
    code: 'console.other',
    target,
    message: `${url} ${found}, not the console of Footman`,
    fix: 'start Footman; then compare the address with the proxy in front of it, its path included',
    key: 'footman.console.publicUrl',
  })
  try {
    const { status, headers } = await http.request({ url, timeoutMs: timeout })
    // The console sends browsers from here to the path with a slash at its end.
    const { pathname } = new URL(`${url}/`)
    if (status === 308 && headers.location?.endsWith(pathname)) {
      return { level: 'ok', code: 'console.ready', target, message: 'leads to the console' }
    }
    return other(`answers with HTTP ${status}`)
  } catch (error) {
    return other(`does not answer (${errorText(error)})`)
  } finally {
    http.close()
  }
}

/** One per server and way of verifying, however many keys name it. */
function serversOf(endpoints: readonly Endpoint[]): readonly Server[] {
  const groups = new Map<string, Endpoint[]>()
  for (const endpoint of endpoints) {
    const name = JSON.stringify([new URL(endpoint.url).origin, endpoint.caFile, endpoint.verified])
    groups.set(name, [...(groups.get(name) ?? []), endpoint])
  }
  return [...groups.values()].map(([first, ...rest]) => ({
    ...first!,
    group: 'destinations',
    also: rest.map(({ key }) => key),
  }))
}

async function judge(server: Server, context: DoctorContext): Promise<readonly Finding[]> {
  const findings = await shakeHands(server, context)
  if (findings.some(({ level }) => level === 'error')) return findings
  const url = new URL(server.url)
  const message = url.protocol === 'https:' ? 'answers, the certificate is in order' : 'answers'
  const verdict = findings.length > 0 ? 'answers' : message
  return [
    ...findings,
    { level: 'ok', code: `${server.group}.reached`, target: targetOf(server, url), message: verdict },
  ]
}

/** Those of features that are on, in the order of the configuration. */
function endpointsOf(config: Config): readonly Endpoint[] {
  return [...chats(config), ...webhooks(config), ...incidentTools(config), ...namedDestinations(config)].filter(
    ({ url }) => URL.canParse(url) && /^https?:/i.test(url),
  )
}

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
function namedDestinations({ footman, incidentTool }: Config): Endpoint[] {
  return Object.entries(footman.destinations).flatMap(([name, settings]) => {
    const server = settings.enable ? destinationType(settings.type).server(settings, incidentTool.newRelic.url) : null
    if (server === null) return []
    const [key, url] = server
    const { caFile, rejectUnauthorized: verified } = settings
    return [{ key: `footman.destinations.${name}.${key}`, url, caFile, verified }]
  })
}

/** The tenant of Qlik Cloud: reach, certificate, token. */
const KEY = 'qlikSenseCloud.event.mqtt.tenant'

export const cloud: Probe = {
  group: 'cloud',
  title: 'Qlik Cloud',
  applies: ({ config: { qlikSenseCloud } }) =>
    qlikSenseCloud.enable && URL.canParse(qlikSenseCloud.event.mqtt.tenant.tenantUrl),
  async run(context) {
    const { tenantUrl } = context.config.qlikSenseCloud.event.mqtt.tenant
    const server = { ...publicEndpoint(`${KEY}.tenantUrl`, tenantUrl), group: 'cloud', also: [] }
    const findings = await shakeHands(server, context)
    return findings.some(({ level }) => level === 'error') ? findings : [...findings, await whoAmI(context)]
  },
}

async function whoAmI({ config, env, timeout }: DoctorContext): Promise<Finding> {
  const { tenantUrl, auth } = config.qlikSenseCloud.event.mqtt.tenant
  const target = new URL(tenantUrl).host
  const http = createHttpClient({ proxyEnv: env, keepAlive: false })
  try {
    const response = await http.request({
      url: `${tenantUrl.replace(/\/+$/, '')}/api/v1/users/me`,
      headers: { authorization: `Bearer ${auth.jwt.token}`, accept: 'application/json' },
      timeoutMs: timeout,
    })
    return verdict(response, target)
  } catch (error) {
    const message = errorText(error)
    return { level: 'error', code: 'cloud.no-api', target, message, fix: `check Butler.${KEY}.tenantUrl`, key: KEY }
  } finally {
    http.close()
  }
}

function verdict({ status }: HttpResponse, target: string): Finding {
  if (status === 200) return { level: 'ok', code: 'cloud.ready', target, message: 'the token is accepted' }
  if (status === 401 || status === 403) {
    const message = `the token is refused (HTTP ${status})`
    const fix = `make an API key in the tenant and set Butler.${KEY}.auth.jwt.token to it; keys end after a time`
    return { level: 'error', code: 'cloud.token', target, message, fix, key: `${KEY}.auth.jwt.token` }
  }
  const message = `answers with HTTP ${status} when asked for the user of the token`
  const fix = `check that Butler.${KEY}.tenantUrl is the address of the tenant, like https://acme.eu.qlikcloud.com`
  return { level: 'warning', code: 'cloud.no-api', target, message, fix, key: `${KEY}.tenantUrl` }
}
