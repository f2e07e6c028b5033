/** The app endpoints in front of the simulated site, over mutual TLS with certificates that are verified. */

import type { SimulatorSettings } from '../../../simulator/index.ts'
import { appRoutes } from '../../../src/apps/http.ts'
import { type AppReloadSettings, createAppReloads } from '../../../src/apps/reload.ts'
import { createApi } from '../../../src/http/server.ts'
import { systemClock } from '../../../src/platform/types.ts'
import { createEngineClient, type EngineSettings } from '../../../src/qlik/engine/client.ts'
import { createQrsClient } from '../../../src/qlik/qrs/client.ts'
import { createStartTask } from '../../../src/tasks/start/start.ts'
import { type RawAnswer, rawHttp } from '../../support/raw-http.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../../support/simulator.ts'

export const APP = (number: number) => `a1000000-0000-4000-8000-0000000000${String(number).padStart(2, '0')}`
export const SALES_DASHBOARD = APP(2)
export const INVENTORY = APP(8)
export const NO_APP = '11111111-2222-3333-4444-555555555555'
/** Tasks "HR Insights daily" and "R&D weekly". */
export const HR_DAILY = '70000000-0000-4000-8000-000000000003'
export const RND_WEEKLY = '70000000-0000-4000-8000-000000000004'

export function startAppsSite(settings: Partial<SimulatorSettings> = {}): Promise<TestSite> {
  // A session that is left open makes the next call fail.
  return startSite({ engine: { maxSessionsPerUser: 1 }, ...settings })
}

export interface AppsOptions {
  readonly engine?: Partial<EngineSettings>
  readonly reload?: AppReloadSettings
  readonly denied?: readonly string[]
  readonly deniedTasks?: (ids: readonly string[]) => Promise<readonly string[]>
  readonly shadow?: boolean
  readonly switches?: Record<string, boolean>
}

const ALL_ON = { senseListApps: true, senseAppDump: true, senseAppReload: true }
const HEADERS = [{ name: 'X-Qlik-User', value: REPOSITORY_USER }]

function engineSettings({ simulator }: TestSite): EngineSettings {
  const { pem } = simulator.certificates
  return {
    host: '127.0.0.1',
    port: simulator.ports.engine,
    useSSL: true,
    headers: HEADERS,
    rejectUnauthorized: true,
    certificates: { ca: pem.ca.pem, cert: pem.client.cert.pem, key: pem.client.key.pem },
  }
}

export async function startApps(site: TestSite, options: AppsOptions = {}) {
  const log = recordingLog()
  const engineOf = { ...engineSettings(site), ...options.engine }
  const engine = createEngineClient({ log }, engineOf)
  const { certificates } = engineSettings(site)
  const qrs = createQrsClient(
    { log },
    { ...engineSettings(site), certificates, port: site.simulator.ports.qrs, timeoutMs: 5000 },
  )
  const start = createStartTask(
    { qrs, log, clock: systemClock },
    {
      startTaskFilter: { enable: false, allowTask: { taskId: [], tag: [], customProperty: [] } },
      startFilter: { appliesTo: ['followUp'] },
      shadow: false,
    },
  )
  const reloads = createAppReloads({ engine, start, log, clock: systemClock }, { pollMs: 20, ...options.reload })
  const stopping = new AbortController()
  const deniedTasks = options.deniedTasks ?? (async (ids) => ids.filter((id) => options.denied?.includes(id)))
  const api = createApi(
    {
      log,
      clock: systemClock,
      version: '1.2.3',
      readFile: async () => '',
      routes: appRoutes(
        { engine, reloads, log, stopping: stopping.signal, deniedTasks },
        { shadow: options.shadow ?? false },
      ),
      health: () => ({ healthy: true, checks: {} }),
    },
    {
      restServerConfig: {
        enable: true,
        serverHost: '127.0.0.1',
        serverPort: 0,
        tls: { enable: false, cert: '', key: '', ca: '' },
      },
      restServerEndpointsEnable: options.switches ?? ALL_ON,
      api: { rateLimitPerMinute: 0, trustedProxies: [] },
      accessLog: false,
    },
  )
  await api.start()

  function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const given = body === undefined ? headers : { 'Content-Type': 'application/json', ...headers }
    const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
    return rawHttp(api.port, { method, path, headers: given, ...(text !== undefined && { body: text }) })
  }

  return {
    api,
    log,
    engine,
    reloads,
    stopping,
    send,
    get: (path: string) => send('GET', path),
    reload: (appId: string, body: unknown = {}) => send('PUT', `/v4/app/${appId}/reload`, body),
    /** Waits for the end of the reload that the answer is about. */
    async reloaded(answer: RawAnswer) {
      const { executionId } = JSON.parse(answer.body) as { executionId: string }
      await reloads.finished(executionId)
      return reloads.get(executionId)!
    },
    async stop() {
      await reloads.stop(1000)
      await api.stop(500)
      qrs.close()
    },
  }
}

export type TestApps = Awaited<ReturnType<typeof startApps>>

/** Ids of the tasks that QRS was asked to start, in order of arrival. */
export const startedTasks = ({ simulator }: TestSite): readonly string[] =>
  simulator
    .requests({ listener: 'qrs' })
    .flatMap(({ method, path }) => (method === 'POST' ? (/task\/([0-9a-f-]{36})\/start/.exec(path)?.[1] ?? []) : []))

/** Changes an app of the site. */
export function setApp({ simulator }: TestSite, appId: string, patch: { durationMs?: number; error?: string }) {
  const app = simulator.site.apps.get(appId)
  if (!app) throw new Error(`no app ${appId}`)
  if (patch.durationMs !== undefined) app.reloadDurationMs = patch.durationMs
  if (patch.error !== undefined) app.scriptError = patch.error
  return app
}
