/** The engine: a session as app dumps, reloads and report tasks open it. */

import { SILENT } from '../../../platform/types.ts'
import { createEngineClient } from '../../../qlik/engine/client.ts'
import { EngineError } from '../../../qlik/engine/errors.ts'
import type { EngineClient } from '../../../qlik/engine/types.ts'
import type { QrsCertificates } from '../../../qlik/qrs/transport.ts'
import { openTcp, trouble } from '../connection.ts'
import type { DoctorContext, Finding, FindingLevel, Probe } from '../types.ts'
import { usesEngine } from './certificates.ts'
import { identityOf, NO_CERTIFICATES, type Site, type SiteOf } from './site.ts'

const GROUP = 'engine'

export function engineProbe(sites: SiteOf): Probe {
  return {
    group: GROUP,
    title: 'Qlik Sense engine',
    applies: ({ config, loaded }) => loaded.qlikConnection && usesEngine(config),
    run: async (context) => examine(sites(context), context),
  }
}

async function examine(site: Site, { config: { configEngine }, timeout }: DoctorContext): Promise<readonly Finding[]> {
  const { host, port, useSSL, headers } = configEngine
  const target = `${host}:${port}`
  const say = (
    level: FindingLevel,
    what: string,
    message: string,
    fix?: string,
    key = 'configEngine.host',
  ): Finding => ({
    level,
    code: `${GROUP}.${what}`,
    target,
    message,
    key,
    ...(fix !== undefined && { fix }),
  })
  const identity = identityOf(headers.static, 'configEngine.headers.static')
  if ('problem' in identity) {
    return [say('error', identity.code, identity.problem, identity.fix, 'configEngine.headers.static')]
  }
  const subject = {
    group: GROUP,
    target,
    host,
    port,
    key: 'configEngine.host',
    hostKey: 'Butler.configEngine.host',
    portKey: 'Butler.configEngine.port',
  }
  const pems = useSSL ? await site.certificates() : null
  if (useSSL && pems === null) return [say('info', 'not-examined', NO_CERTIFICATES)]
  try {
    ;(await openTcp({ host, port }, timeout)).destroy()
  } catch (error) {
    return [trouble(error, subject)]
  }
  const client = engineClient(configEngine, pems, timeout)
  try {
    const version = await client.use({}, (session) => session.global.value('qVersion', 'EngineVersion'))
    const number = (version as { qComponentVersion?: unknown } | null)?.qComponentVersion ?? 'unknown'
    return [say('ok', 'session', `opens sessions for ${identity.name}, version ${number}`)]
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    // A port without TLS is reported as such, not as a problem of certificates.
    const noTls = trouble(error, { ...subject, key: 'configEngine.port' })
    return [noTls.code === `${GROUP}.no-tls` ? noTls : refusal(error, say, identity.name)]
  }
}

/** `pems`: null without TLS. */
export function engineClient(
  { host, port, useSSL, headers, rejectUnauthorized }: DoctorContext['config']['configEngine'],
  pems: QrsCertificates | null,
  timeout: number,
): EngineClient {
  return createEngineClient(
    { log: SILENT },
    {
      host,
      port,
      useSSL,
      rejectUnauthorized,
      headers: headers.static,
      certificates: () => pems,
      connectTimeoutMs: timeout,
      callTimeoutMs: timeout,
    },
  )
}

type Say = (level: FindingLevel, what: string, message: string, fix?: string, key?: string) => Finding

const ENGINE_PORT = 4747

function refusal({ kind, reason }: EngineError, say: Say, user: string): Finding {
  if (kind === 'refused' && /HTTP \d+/.test(reason)) {
    const fix = `set Butler.configEngine.port to ${ENGINE_PORT}, the port of the engine service (443 belongs to the proxy)`
    return say('error', 'handshake', reason, fix, 'configEngine.port')
  }
  if (kind === 'refused') {
    const fix = `set X-Qlik-User in Butler.configEngine.headers.static to UserDirectory=Internal;UserId=sa_repository; now it is ${user}`
    return say('error', 'user', reason, fix, 'configEngine.headers.static')
  }
  if (kind === 'timeout') {
    const fix = 'see in the QMC whether the Qlik Sense Engine Service runs and is not overloaded'
    return say('error', 'no-answer', reason, fix)
  }
  const fix =
    'check that the certificates are of this site (group certificate) and that the port is that of the engine, 4747'
  return say('error', 'session', `no session: ${reason}`, fix)
}
