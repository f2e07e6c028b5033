/** Files that the configuration names: for `footman check`, as a start goes on without some of them. */
import type { ConfigPaths, PathBase } from '../../../config/paths.ts'
import type { Config } from '../../schema.ts'

interface NamedFile {
  /** Key below `Butler`. */
  readonly key: string
  readonly path: string
  readonly base: PathBase
  /** Section that stays off without the file, below `Butler`; null: Footman does not start. */
  readonly feature: string | null
}

export interface MissingFile extends NamedFile {
  readonly tried: readonly string[]
}

/** Certificates and keys of features that are on, and cannot be found. */
export function missingFiles(
  config: Config,
  qlikConnection: boolean,
  paths: ConfigPaths,
  exists: (path: string) => boolean,
): MissingFile[] {
  return namedFiles(config, qlikConnection)
    .filter(({ path }) => path !== '')
    .map((named) => ({ ...named, tried: paths.candidates(named.path, named.base) }))
    .filter(({ tried }) => !tried.some(exists))
}

/** Those of features that are on; the path may be ''. */
export function namedFiles(config: Config, qlikConnection: boolean): NamedFile[] {
  const { cert, configQRS, mqttConfig, restServerConfig, webhookNotification, footman } = config
  const files: NamedFile[] = []
  const add = <T extends Record<string, unknown>>(
    on: boolean,
    section: string,
    values: T,
    keys: (keyof T & string)[],
    base: PathBase,
    feature: string | null,
  ) => {
    if (!on) return
    files.push(...keys.map((key) => ({ key: `${section}.${key}`, path: String(values[key] ?? ''), base, feature })))
  }
  add(
    qlikConnection && configQRS.useSSL,
    'cert',
    cert,
    ['clientCert', 'clientCertKey', 'clientCertCA'],
    'program',
    'configQRS',
  )
  const azure = mqttConfig.enable && mqttConfig.azureEventGrid.enable
  add(
    azure,
    'mqttConfig.azureEventGrid',
    mqttConfig.azureEventGrid,
    ['clientCertFile', 'clientKeyFile'],
    'program',
    'mqttConfig',
  )
  add(
    mqttConfig.enable && !azure,
    'footman.mqtt.tls',
    footman.mqtt.tls,
    ['caFile', 'certFile', 'keyFile'],
    'working',
    'mqttConfig',
  )
  const rest = restServerConfig.enable && restServerConfig.tls.enable
  add(rest, 'restServerConfig.tls', restServerConfig.tls, ['cert', 'key', 'ca'], 'working', null)
  const { cluster } = footman
  add(cluster.enable, 'footman.cluster.tls', cluster.tls, ['ca', 'certificate', 'key'], 'working', 'footman.cluster')
  const { access, influxDb } = footman
  if (access.clientCertificates)
    add(access.enable, 'footman.access.clientCertificates', access.clientCertificates, ['caFile'], 'working', null)
  if (access.jwt) add(access.enable, 'footman.access.jwt', access.jwt, ['publicKeyFile'], 'working', null)
  add(
    config.influxDb.enable && influxDb.tls.enable,
    'footman.influxDb.tls',
    influxDb.tls,
    ['caFile'],
    'working',
    'influxDb',
  )
  for (const [event, block] of Object.entries(webhookNotification)) {
    if (typeof block === 'boolean') continue
    for (const [index, { cert: tls }] of block.webhooks.entries()) {
      const section = `webhookNotification.${event}.webhooks[${index}].cert`
      add(webhookNotification.enable && tls.enable, section, tls, ['certCA'], 'working', section.replace(/\.cert$/, ''))
    }
  }
  for (const [name, destination] of Object.entries(footman.destinations)) {
    add(
      destination.enable,
      `footman.destinations.${name}`,
      destination,
      ['caFile'],
      'working',
      `footman.destinations.${name}`,
    )
  }
  return files
}
