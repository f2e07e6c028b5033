/** Chats, webhooks, incident tools, named destinations: reached as far as the TLS handshake, and never called. */
import type { DoctorContext, Finding, Probe } from '../../types.ts'
import { type Endpoint, endpointsOf, publicEndpoint } from './endpoints.ts'
import { type Server, shakeHands, targetOf } from './handshake.ts'

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
