/** The tenant of Qlik Cloud: reach, certificate, token. */
import { createHttpClient, type HttpResponse } from '../../../platform/http-client.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'
import { publicEndpoint } from './http/endpoints.ts'
import { shakeHands } from './http/handshake.ts'

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
    const message = error instanceof Error ? error.message : String(error)
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
