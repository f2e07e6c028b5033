/** `footman healthcheck`: asks the Footman of a configuration file how it is; made for container health checks. */

import { loadConfig } from '../app/config/load.ts'
import type { Config } from '../app/schema.ts'
import { renderProblem, sortProblems } from '../config/problems.ts'
import { HEALTH, type Health } from '../http/contract.ts'
import { errorText } from '../platform/errors.ts'
import { createHttpClient, type HttpResponse, jsonOf } from '../platform/http-client.ts'
import { visible } from '../platform/visible.ts'
import type { OptionsOf } from './command.ts'
import type { HEALTHCHECK } from './commands.ts'
import type { CommandIo } from './io.ts'
import { reachable, restUrl } from './remote/client.ts'

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** Container engines know healthy and unhealthy only. */
const HEALTHY = 0
const UNHEALTHY = 1

const TIMEOUT_MS = 5000

/** 0 when the first listener that is enabled answers with 200, else 1. */
export async function runHealthcheck(
  options: OptionsOf<typeof HEALTHCHECK>,
  io: CommandIo,
  { env, cwd }: Surroundings = { env: process.env, cwd: process.cwd() },
): Promise<number> {
  const file = options.configfile ?? env.FOOTMAN_CONFIGFILE
  // Errors that --skip-config-verification accepted at the start do not make the running process unhealthy.
  const overrides = { qlikConnection: false, skipVerification: true }
  const { config, problems } = await loadConfig({ ...(file ? { file } : {}), env, cwd, overrides })
  if (!config) {
    for (const problem of sortProblems(problems)) io.err(renderProblem(problem))
    return UNHEALTHY
  }
  const url = healthUrl(config)
  if (!url) {
    io.err('ERROR Docker health: nothing to ask: set Butler.dockerHealthCheck.enable to true')
    return UNHEALTHY
  }
  return ask(url, io)
}

async function ask(url: string, io: CommandIo): Promise<number> {
  // Only the state is asked for, on this machine: it doesn't matter for whom the certificate was made.
  const http = createHttpClient({ tls: { rejectUnauthorized: false } })
  try {
    const response = await http.request({ url, timeoutMs: TIMEOUT_MS })
    io.out(`STATUS Docker health: ${response.status}`)
    const summary = summaryOf(response)
    if (summary !== null) io.out(visible(summary))
    if (response.status === 200) return HEALTHY
    io.err(visible(`${url} answered ${response.text().slice(0, 1000)}`))
    return UNHEALTHY
  } catch (error) {
    io.err(`ERROR Docker health: ${url}: ${errorText(error)}`)
    return UNHEALTHY
  } finally {
    http.close()
  }
}

/** `healthy`, or `degraded: influxdb degraded, mqtt down (connection refused)`; null when the answer has no checks. */
function summaryOf(response: HttpResponse): string | null {
  const { checks, reasons = {} } = jsonOf(response) as Partial<Health>
  if (checks === undefined) return null
  const broken = Object.entries(checks).filter(([, state]) => state === 'down' || state === 'degraded')
  const parts = broken.map(([name, state]) => `${name} ${state}${reasons[name] ? ` (${reasons[name]})` : ''}`)
  if (response.status !== 200) return `unhealthy: ${parts.join(', ')}`
  return parts.length === 0 ? 'healthy' : `degraded: ${parts.join(', ')}`
}

/** The health listener; when it is off, any other listener that is on; null when there is none. */
function healthUrl(config: Config): string | null {
  const { dockerHealthCheck, configVisualisation, footman } = config
  if (dockerHealthCheck.enable)
    return `http://${reachable(footman.health.host)}:${dockerHealthCheck.port}${HEALTH.path}`
  const rest = restUrl(config)
  if (rest) return `${rest}${HEALTH.path}`
  if (!configVisualisation.enable) return null
  return `http://${reachable(configVisualisation.host)}:${configVisualisation.port}/`
}
