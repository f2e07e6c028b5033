/** Files of Footman that hold certificates, keys and secrets: dates, whether key and certificate belong together, who can read them. */

import { readFile, stat } from 'node:fs/promises'
import type { Config } from '../../../app/schema.ts'
import type { PathBase } from '../../../config/paths.ts'
import { type CertificateFault, endOf, judgeCertificates } from '../../../qlik/qrs/certificates.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'

interface Pair {
  readonly on: boolean
  readonly cert: string
  readonly key: string
  /** Keys of the two files, below `Butler`. */
  readonly certKey: string
  readonly keyKey: string
  readonly base: PathBase
}

const DAY_MS = 86_400_000

export const keyPairs: Probe = {
  group: 'key-pairs',
  title: 'Certificates of Footman',
  applies: ({ config }) => pairsOf(config).length > 0,
  async run(context) {
    const found = await Promise.all(pairsOf(context.config).map((pair) => judgePair(pair, context)))
    return found.flat()
  },
}

function pairsOf({ restServerConfig, mqttConfig, qlikSenseCloud, footman }: Config): readonly Pair[] {
  const azure = mqttConfig.azureEventGrid
  const encrypted = footman.mqtt.protocol === 'mqtts' || footman.mqtt.protocol === 'wss'
  const all: Pair[] = [
    {
      on: restServerConfig.enable && restServerConfig.tls.enable,
      base: 'working',
      cert: restServerConfig.tls.cert,
      certKey: 'restServerConfig.tls.cert',
      key: restServerConfig.tls.key,
      keyKey: 'restServerConfig.tls.key',
    },
    {
      on: mqttConfig.enable && azure.enable,
      base: 'program',
      cert: azure.clientCertFile,
      certKey: 'mqttConfig.azureEventGrid.clientCertFile',
      key: azure.clientKeyFile,
      keyKey: 'mqttConfig.azureEventGrid.clientKeyFile',
    },
    {
      on: mqttConfig.enable && !azure.enable && encrypted,
      base: 'working',
      cert: footman.mqtt.tls.certFile,
      certKey: 'footman.mqtt.tls.certFile',
      key: footman.mqtt.tls.keyFile,
      keyKey: 'footman.mqtt.tls.keyFile',
    },
    {
      on: mqttConfig.enable && qlikSenseCloud.enable,
      base: 'working',
      cert: footman.qlikCloud.tls.certFile,
      certKey: 'footman.qlikCloud.tls.certFile',
      key: footman.qlikCloud.tls.keyFile,
      keyKey: 'footman.qlikCloud.tls.keyFile',
    },
  ]
  return all.filter(({ on, cert, key }) => on && cert !== '' && key !== '')
}

/** Missing files are reported by the check of the configuration. */
async function judgePair(pair: Pair, { paths, clock }: DoctorContext): Promise<readonly Finding[]> {
  const target = paths.input(pair.cert, pair.base)
  const keyFile = paths.input(pair.key, pair.base)
  const read = (path: string) => readFile(path, 'utf8').catch(() => null)
  const [cert, key] = await Promise.all([read(target), read(keyFile)])
  if (cert === null || key === null) return []
  const { client, faults } = judgeCertificates({ cert, key, ca: null }, clock.now())
  const faultOf = (part: CertificateFault['part'], ...kinds: CertificateFault['kind'][]) =>
    faults.some((fault) => fault.part === part && kinds.includes(fault.kind))
  const error = (code: string, message: string, fix: string): Finding => {
    return { level: 'error', code, target, message, fix, key: pair.certKey }
  }
  if (client === null) return [error('key-pairs.unreadable', 'is not a PEM certificate', 'export it as PEM')]
  if (faultOf('clientCertKey', 'format', 'keyPassword')) {
    const message = 'is not a PEM key, or is protected by a password'
    const fix = 'export it as PEM without a password'
    return [{ ...error('key-pairs.unreadable', message, fix), target: keyFile, key: pair.keyKey }]
  }
  if (faultOf('clientCertKey', 'key')) {
    const message = `the key ${keyFile} does not belong to the certificate`
    const fix = `name the key of this certificate in Butler.${pair.keyKey}`
    return [{ ...error('key-pairs.mismatch', message, fix), key: pair.keyKey }]
  }
  const end = endOf(client)
  const day = new Date(end).toISOString().slice(0, 10)
  if (faultOf('clientCert', 'expired')) return [error('key-pairs.expired', `has expired on ${day}`, 'renew it')]
  const common = { target, key: pair.certKey }
  if (faultOf('clientCert', 'endsSoon')) {
    const message = `ends on ${day}, in ${Math.floor((end - clock.now()) / DAY_MS)} days`
    const fix = 'renew it; Footman takes the new file without a restart'
    return [{ ...common, level: 'warning', code: 'key-pairs.ending', message, fix }]
  }
  return [{ ...common, level: 'ok', code: 'key-pairs.valid', message: `fits its key, valid until ${day}` }]
}

interface KeyFile {
  readonly on: boolean
  readonly key: string
  readonly path: string
  readonly base: PathBase
}

interface SecretFile {
  readonly path: string
  readonly what: string
  readonly key?: string
}

export const secrets: Probe = {
  group: 'secrets',
  title: 'Files with secrets',
  applies: () => process.platform !== 'win32',
  async run(context) {
    const found = await Promise.all(filesOf(context).map(judgeFile))
    return found.flat()
  },
}

function filesOf({ config, loaded, paths }: DoctorContext): readonly SecretFile[] {
  const { mqttConfig, footman, restServerConfig } = config
  const keys: readonly KeyFile[] = [
    {
      on: mqttConfig.enable && mqttConfig.azureEventGrid.enable,
      key: 'mqttConfig.azureEventGrid.clientKeyFile',
      path: mqttConfig.azureEventGrid.clientKeyFile,
      base: 'program',
    },
    { on: mqttConfig.enable, key: 'footman.mqtt.tls.keyFile', path: footman.mqtt.tls.keyFile, base: 'working' },
    {
      on: restServerConfig.enable && restServerConfig.tls.enable,
      key: 'restServerConfig.tls.key',
      path: restServerConfig.tls.key,
      base: 'working',
    },
  ]
  const hasSecrets = loaded.file !== null && loaded.secrets.length > 0
  return [
    ...(hasSecrets ? [{ path: loaded.file, what: 'the configuration, which holds secrets,' }] : []),
    ...keys
      .filter(({ on, path }) => on && path !== '')
      .map(({ key, path, base }) => ({ key, path: paths.input(path, base), what: 'a private key' })),
  ]
}

async function judgeFile({ path, what, key }: SecretFile): Promise<readonly Finding[]> {
  const file = await stat(path).catch(() => null)
  if (!file?.isFile()) return []
  const common = { target: path, ...(key !== undefined && { key }) }
  if ((file.mode & 0o004) === 0) {
    return [{ ...common, level: 'ok', code: 'secrets.private', message: 'not readable by everybody' }]
  }
  const message = `${what} can be read by every account of this machine`
  const fix = `chmod o-r '${path}', and make it readable for the account of Footman alone`
  return [{ ...common, level: 'warning', code: 'secrets.readable', message, fix }]
}
