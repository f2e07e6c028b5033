/** The repository and engine clients of the configured site. */
import type { ConfigPaths } from '../config/paths.ts'
import type { Clock, Logger, Service } from '../platform/types.ts'
import type { ZoneTimes } from '../platform/zone-times.ts'
import type { CertConfig, EngineConfig, QrsConfig } from './config.ts'
import { createEngineClient, type EngineSettings } from './engine/client.ts'
import type { EngineClient } from './engine/types.ts'
import { createBatchedQrs } from './qrs/batched.ts'
import { createCachedQrs } from './qrs/cached.ts'
import { type CertificateSource, createCertificateSource } from './qrs/certificates.ts'
import { createQrsClient } from './qrs/client.ts'
import { QrsError } from './qrs/errors.ts'
import { createRefusals, isDown } from './qrs/failure.ts'
import { type ArchivedLogs, orArchived } from './qrs/script-log.ts'
import type { QrsObserver, SiteConnection } from './qrs/transport.ts'
import type { TriggerReader } from './qrs/triggers.ts'
import type { ChainReader, CustomPropertyReader, ExecutionReader, QrsClient, SiteReader } from './qrs/types.ts'

export interface Qlik {
  readonly qrs: QrsClient & ExecutionReader & SiteReader & ChainReader & CustomPropertyReader & TriggerReader
  /** See `ArchivedLogs`; absent: there is no archive. */
  readonly logProblem?: ArchivedLogs['problem'] | undefined
  /** The rights that QRS denies at the moment, each with its reason. */
  refusals(): readonly string[]
  /** Look-ups by id at the same time share requests. */
  readonly batchedQrs: QrsClient
  /** Task, app and owner look-ups may be a few seconds old; those at the same time share requests. */
  readonly cachedQrs: QrsClient
  readonly engine: EngineClient
  /** Address and login of the engine with the certificates of now, for worker threads. */
  engineConnection(): EngineSettings
  /** Reads the certificates, and again when they change. */
  readonly certificates: CertificateSource
  /** The client certificate with its end; empty while its file has not been read. */
  certificateEnds(): readonly { readonly name: string; readonly expiresAt: number }[]
  readonly backends: readonly Service[]
}

const CACHE = { ttlMs: 5000, maxEntries: 2000 }

export interface QlikDeps {
  readonly log: Logger
  readonly times: ZoneTimes
  readonly clock: Clock
  readonly paths: Pick<ConfigPaths, 'input'>
  /** `qrsRequest` is called after every request to QRS. */
  readonly on: { readonly qrsRequest: QrsObserver }
  /** Where script logs are read that the repository does not hand out; null = nowhere. */
  readonly logFolders: ArchivedLogs | null
}

export interface QlikSettings {
  readonly cert: CertConfig
  readonly configQRS: QrsConfig
  readonly configEngine: EngineConfig
}

export interface QlikOptions {
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

export function createQlik(
  deps: QlikDeps,
  { cert, configQRS, configEngine }: QlikSettings,
  { qrsConnection }: QlikOptions,
): Qlik {
  const { log, clock, times, paths, logFolders } = deps
  const certificates = createCertificateSource(
    { log, clock, times },
    {
      clientCert: paths.input(cert.clientCert, 'program'),
      clientCertKey: paths.input(cert.clientCertKey, 'program'),
      clientCertCA: paths.input(cert.clientCertCA, 'program'),
    },
  )
  const connection = ({
    host,
    port,
    useSSL,
    headers,
    rejectUnauthorized,
  }: QrsConfig | EngineConfig): SiteConnection => ({
    host,
    port,
    useSSL,
    rejectUnauthorized,
    headers: headers.static,
    certificates: certificates.current,
  })
  const refusals = createRefusals()
  const observe: QrsObserver = (result, milliseconds, asked) => {
    refusals.observe(result, milliseconds, asked)
    deps.on.qrsRequest(result, milliseconds, asked)
  }
  const client = createQrsClient({ log, observe }, connection(configQRS))
  const qrs = logFolders ? { ...client, scriptLog: orArchived(client.scriptLog, logFolders, log) } : client
  const batchedQrs = createBatchedQrs(qrs, { log, clock })
  const engine = createEngineClient({ log }, connection(configEngine))
  return {
    qrs,
    logProblem: logFolders?.problem,
    engine,
    refusals: refusals.reasons,
    engineConnection: () => ({
      ...connection(configEngine),
      certificates: certificates.current() ?? { cert: '', key: '', ca: '' },
    }),
    batchedQrs,
    cachedQrs: createCachedQrs(batchedQrs, CACHE, clock),
    certificates,
    certificateEnds() {
      const { expires } = certificates.check()
      return expires === null ? [] : [{ name: 'qlik', expiresAt: expires }]
    },
    backends: [
      { name: 'repository client', start: async () => {}, stop: async () => qrs.close() },
      ...(qrsConnection && (configQRS.useSSL || configEngine.useSSL) ? [certificates] : []),
    ],
  }
}

/** True when the error concerns QRS as a whole, so that only waiting helps; false when the caller's signal ended the request. */
export function isQrsUnreachable(error: unknown): boolean {
  return isDown(error) && !(error instanceof QrsError && error.kind === 'aborted')
}
