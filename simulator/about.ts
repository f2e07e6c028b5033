import { createHttpListener } from './http-listener.ts'
import type { Listener, ListenerDeps, Reply } from './types.ts'

export interface AboutSettings {
  /** 0 = any free port; 9032 on a real site. */
  readonly port: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Members of the answer that differ from the release that the simulator plays. */
  readonly systemInfo?: Partial<SystemInfo>
}

/** The answer of `GET /v1/systeminfo`. */
export interface SystemInfo {
  readonly contentHash: string
  readonly senseId: string
  readonly originalClassName: string
  readonly version: string
  readonly deploymentType: string
  readonly releaseLabel: string
  readonly deprecatedProductVersion: string
  readonly productName: string
  readonly copyrightYearRange: string
}

const SYSTEM_INFO: SystemInfo = {
  contentHash: 'aeec25c5394920d0f5f4d6',
  senseId: 'qliksenseserver:14.187.6',
  originalClassName: 'Composition',
  version: '14.187.6',
  deploymentType: 'QlikSenseServer',
  releaseLabel: 'May 2024 Patch 4',
  deprecatedProductVersion: '4.0.X',
  productName: 'Qlik Sense',
  copyrightYearRange: '1993-2024',
}

/** The about service of the simulated site: HTTPS with client certificates, no identity and no xrfkey. */
export function createAboutListener(deps: ListenerDeps, settings: AboutSettings): Listener {
  const body = JSON.stringify({ ...SYSTEM_INFO, ...settings.systemInfo })
  return createHttpListener(deps, {
    name: 'about',
    port: settings.port,
    host: settings.host,
    security: 'mutual',
    handle({ method, path }): Reply {
      if (path.replace(/\/$/, '') !== '/v1/systeminfo') return { status: 404 }
      if (method !== 'GET') return { status: 405, headers: { allow: 'GET' } }
      return { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body }
    },
  })
}
