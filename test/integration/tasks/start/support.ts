import { createSimulator } from '../../../../simulator/index.ts'
import { createApi } from '../../../../src/http/server.ts'
import { systemClock } from '../../../../src/platform/types.ts'
import { createQrsClient } from '../../../../src/qlik/qrs/client.ts'
import { startTaskRoutes } from '../../../../src/tasks/start/http.ts'
import type { StartFilterSettings } from '../../../../src/tasks/start/select.ts'
import { createStartTask } from '../../../../src/tasks/start/start.ts'
import { type RawAnswer, rawHttp } from '../../../support/raw-http.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { tempDirectory } from '../../../support/temp.ts'

export const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
export const SALES = 'b9c5d234-efe5-6789-abcd-ef0123456789'
export const LOAD_SCRIPT = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'
export const UNKNOWN = '11111111-2222-3333-4444-555555555555'
/** A task of the simulated site: `70-09` is "Disabled reload". */
export const task = (nn: string) => `70000000-0000-4000-8000-0000000000${nn}`

/** The simulated site with a real client in front of it. */
export async function startSite(options: { timeoutMs?: number } = {}) {
  const directory = tempDirectory()
  const simulator = createSimulator({ log: recordingLog() }, { certificateDirectory: directory.path })
  await simulator.start()
  const { pem } = simulator.certificates
  const log = recordingLog()
  const qrs = createQrsClient(
    { log },
    {
      host: '127.0.0.1',
      port: simulator.ports.qrs,
      useSSL: true,
      headers: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal;UserId=sa_repository' }],
      rejectUnauthorized: true,
      certificates: { ca: pem.ca.pem, cert: pem.client.cert.pem, key: pem.client.key.pem },
      timeoutMs: options.timeoutMs ?? 10_000,
    },
  )
  return {
    simulator,
    qrs,
    log,
    /** Ids of the tasks that QRS was asked to start, in order of arrival. */
    startedIds: () =>
      simulator
        .requests({ listener: 'qrs' })
        .flatMap(({ method, path }) =>
          method === 'POST' ? (/task\/([0-9a-f-]{36})\/start/.exec(path)?.[1] ?? []) : [],
        ),
    async stop() {
      qrs.close()
      await simulator.stop()
      directory.remove()
    },
  }
}

export type Site = Awaited<ReturnType<typeof startSite>>

export const NO_FILTER: StartFilterSettings = {
  startTaskFilter: { enable: false, allowTask: { taskId: [], tag: [], customProperty: [] } },
  startFilter: { appliesTo: ['rest', 'mqtt'] },
}

export function filterOf(allowTask: Partial<StartFilterSettings['startTaskFilter']['allowTask']>): StartFilterSettings {
  return {
    ...NO_FILTER,
    startTaskFilter: { enable: true, allowTask: { taskId: [], tag: [], customProperty: [], ...allowTask } },
  }
}

/** The start endpoint in front of the site. */
export async function startApi(site: Site, settings: { filter?: StartFilterSettings; shadow?: boolean } = {}) {
  const log = recordingLog()
  const start = createStartTask(
    { qrs: site.qrs, log, clock: systemClock },
    { ...(settings.filter ?? NO_FILTER), shadow: settings.shadow ?? false },
  )
  const api = createApi(
    {
      log,
      clock: systemClock,
      version: '1.2.3',
      readFile: async () => '',
      routes: startTaskRoutes({ preview: () => Promise.reject(new Error('no dry run is made here')), start, log }),
      health: () => ({ healthy: true, checks: {} }),
    },
    {
      restServerConfig: {
        enable: true,
        serverHost: '127.0.0.1',
        serverPort: 0,
        tls: { enable: false, cert: '', key: '', ca: '' },
      },
      restServerEndpointsEnable: { senseStartTask: true },
      api: { rateLimitPerMinute: 0, trustedProxies: [] },
      accessLog: false,
    },
  )
  await api.start()
  return {
    log,
    stop: () => api.stop(500),
    send(path: string, body?: unknown, method: 'POST' | 'PUT' = 'POST'): Promise<RawAnswer> {
      const headers: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' }
      const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
      return rawHttp(api.port, { method, path, headers, ...(text !== undefined && { body: text }) })
    },
  }
}
